"""The study `fusion`: models that let sight and sound meet early, in the middle, late or never tell the same events."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from time import process_time
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.data.audiovisual import smooth
from phantastic.declare.measure import Measure, across, less
from phantastic.ground import parallel
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_cosine
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.bottleneck import apply as applied
from phantastic.systems.bottleneck import fusion_figures
from phantastic.systems.bottleneck.clips import Corpus, architectures, batch, corpus, fused_layers, groups_of, middle
from phantastic.systems.bottleneck.flops import macs
from phantastic.systems.bottleneck.model import Architecture, Compute, FusionTransformer, Sense
from phantastic.systems.bottleneck.scores import Judgement, drawn, told
from phantastic.systems.bottleneck.study import FusionApply, FusionRecipe
from phantastic.systems.bottleneck.training import WARM, build, optimiser_of

LESIONED = 256  # test clips that lesions are measured on
Seconds = dict[str, dict[str, float]]  # processor milliseconds by model and by what it computes
TIMED = 5  # repetitions of which the fastest counts


# --- training


def loss_of(
    logits: Mapping[str, Float[Tensor, "batch classes"]],
    targets: Mapping[str, Float[Tensor, "batch classes"]],
    epsilon: float,
) -> Float[Tensor, ""]:
    """The mean over the senses of the cross-entropy of each class's presence, in nats (section 3.4)."""
    losses = [
        binary_cross_entropy_with_logits(value.float(), smooth(targets[sense].to(value.device), epsilon))
        for sense, value in logits.items()
    ]
    return torch.stack(losses).mean()


def learn(run: Run[FusionRecipe], name: str, seed: int, model: FusionTransformer, clips: Callable[[], Corpus]) -> None:
    """Train one model; it is loaded instead where it was trained before."""
    recipe = run.recipe
    optimiser = optimiser_of(model, recipe.rate, recipe.decay)
    steps = recipe.epochs * max(1, recipe.clips // recipe.batch)
    senses = tuple(model.architecture.senses)

    def losses(step: int) -> dict[str, Tensor]:
        part, weight = parallel.share(min(recipe.batch, len(clips().labels)))
        inputs, targets = batch(clips(), recipe, senses, seed, step, part)
        with initialised(seed, f"depth/{step}" if part.start == 0 else f"depth/{step}/{part.start}"):
            logits = model.logits(**inputs)
        return {"loss": weight * loss_of(logits, targets, recipe.smoothing)}

    train(
        run,
        f"seed{seed}/{name}",
        {"model": model},
        {"loss": optimiser},
        losses,
        steps=steps,
        rate=warm_and_cosine(steps, WARM),
    )


@torch.no_grad()
def scores(model: FusionTransformer, clips: Corpus) -> Float[np.ndarray, "clips classes"]:
    """Logits of all clips."""
    senses = tuple(model.architecture.senses)
    parts = [
        model(**clips.inputs(slice(first, first + 256), senses)).cpu() for first in range(0, len(clips.labels), 256)
    ]
    return torch.cat(parts).numpy()


def judged(model: FusionTransformer, tested: Callable[[], Corpus], seed: int, recipe: FusionRecipe) -> Judgement:
    """How well a model tells the classes of its test clips; the draws are the same for all models of a seed."""
    clips = tested()
    labels, logits = clips.labels.numpy(), scores(model, clips)
    groups, generator = groups_of(recipe), numpy_generator(seed, "fusion/bootstrap")
    return Judgement(told(labels, logits, groups), drawn(labels, logits, generator, groups))


# --- measures


def differences(
    recipe: FusionRecipe, plans: Mapping[str, Architecture], seeds: Sequence[Mapping[str, Measure]]
) -> dict[str, Measure]:
    """What the paper says of models beside one another: ``gain.layer2``, bottleneck fusion less vanilla fusion from
    there; ``last.gain``, fusion in the last layer alone less late fusion; ``numbers.16``, with as many bottleneck
    tokens less with the middle model's; ``redundant.gain``, AUC of what either sense tells, in the middle less late."""
    layers, centre, scores = fused_layers(recipe), middle(recipe), across(seeds)

    def gain(name: str, rival: str) -> Measure:
        return less(scores[f"{name}.map"], scores[f"{rival}.map"])

    # what a sense writes into the bottleneck the other reads a layer later: in the last layer alone nothing passes
    passing = [layer for layer in layers if layer < recipe.layers - 1] or layers
    measures = {f"gain.layer{layer}": gain(f"bottleneck{layer}", f"vanilla{layer}") for layer in passing}
    if (last := recipe.layers - 1) in layers and last:
        measures["last.gain"] = gain(f"bottleneck{last}", "late")
    if groups_of(recipe):
        measures["redundant.gain"] = less(scores[f"bottleneck{centre}.redundant"], scores["late.redundant"])
    more = [name for name in plans if name.startswith("tokens") and name != "tokens1"]
    return measures | {f"numbers.{name[6:]}": gain(name, f"bottleneck{centre}") for name in more}


def computed(recipe: FusionRecipe, plans: Mapping[str, Architecture]) -> dict[str, float]:
    """Millions of multiply-adds by model, and early bottleneck fusion's as a share of early vanilla fusion's."""
    kinds: tuple[Compute, ...] = ("published", "own", "read")
    counts = {f"{name}.macs.{compute}": macs(plan, compute) / 1e6 for name, plan in plans.items() for compute in kinds}
    first = fused_layers(recipe)[0]
    return counts | {"early.macs.ratio": macs(plans[f"bottleneck{first}"]) / macs(plans[f"vanilla{first}"])}


def released() -> dict[str, float]:
    """The compute of early bottleneck fusion as a share of early vanilla fusion's, at the size and clip length of the
    paper's figure 3: as the published program computes, and where each sense's own tokens only are computed."""
    senses = {
        "spectrogram": Sense.of((400, 128), (16, 16)),
        "rgb": Sense.of((100, 224, 224), (16, 16), frames=8),
    }

    def early(fusion: Any, compute: Compute) -> int:
        return macs(Architecture(senses, 12, 768, 12, 3072, 527, fusion=fusion), compute)

    return {
        "released.macs.ratio": early("bottleneck", "published") / early("vanilla", "published"),
        "released.macs.ratio.own": early("bottleneck", "published") / early("vanilla", "own"),
    }


def seconds(plans: Mapping[str, Architecture], recipe: FusionRecipe, device: torch.device) -> Seconds:
    """Processor milliseconds of a training step per clip, by model and by what it computes; not a measure, as it hangs
    on the machine."""
    clips = Corpus(*(part[: recipe.batch] for part in corpus(recipe, 0, "train", recipe.batch)))
    timings: dict[str, dict[str, float]] = {}
    for name, plan in plans.items():
        if name.startswith("tokens"):
            continue
        model = build(plan, 0, device).train()
        timings[name] = {}
        for compute in ("published", "own", "read"):
            model.compute = compute
            inputs, targets = batch(clips, recipe, tuple(plan.senses), 0, 0)
            times = []
            for _ in range(TIMED):
                start = process_time()
                loss_of(model.logits(**inputs), targets, 0.0).backward()
                times.append(process_time() - start)
            timings[name][compute] = 1000 * min(times) / len(clips.labels)
    return timings


# --- what others ask of a study


@cache
def lesioned(recipe: FusionRecipe) -> Corpus:
    clips = corpus(recipe, recipe.seed, "test", min(LESIONED, recipe.test_clips))
    return Corpus(*(part[:LESIONED] for part in clips))


@final
class Fusion(Experiment[FusionRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[FusionRecipe], recipe: FusionRecipe, seed: int) -> Scores:
        """Train every model on the same clips in the same order; measure them on the same other clips."""
        learned = cache(partial(corpus, recipe, seed, "train", recipe.clips))
        tested = cache(partial(corpus, recipe, seed, "test", recipe.test_clips))
        measures: dict[str, Measure] = {}
        for name, plan in architectures(recipe).items():
            model = build(plan, seed, run.device)
            learn(run, name, seed, model, learned)
            compute = partial(judged, model, tested, seed, recipe)
            judgement = run.once(f"seed{seed}/{name}", compute, Judgement)
            measures |= {f"{name}.{key}": measure for key, measure in judgement.measures().items()}
        for key in ("map", "synergy", "redundant") if groups_of(recipe) else ("map",):  # the same models by their role
            measures |= {f"early.{key}": measures[f"bottleneck0.{key}"]}
            measures |= {f"middle.{key}": measures[f"bottleneck{middle(recipe)}.{key}"]}
        return measures

    def overall(self, run: Run[FusionRecipe], recipe: FusionRecipe, seeds: Sequence[Mapping[str, Measure]]) -> Scores:
        """The differences that the paper speaks of, and what is computed."""
        plans = architectures(recipe)
        run.once("seconds", partial(seconds, plans, recipe, run.device), Seconds)
        return differences(recipe, plans, seeds) | computed(recipe, plans) | released()

    def networks(self, run: Run[FusionRecipe]) -> dict[str, nn.Module]:
        """The bottleneck and the vanilla model of the first seed that fuse at the middle layer."""
        recipe = run.recipe
        plans, layer = architectures(recipe), middle(recipe)
        networks: dict[str, nn.Module] = {}
        for name in ("bottleneck", "vanilla"):
            model = build(plans[f"{name}{layer}"], recipe.seed, run.device)
            run.load(f"seed{recipe.seed}/{name}{layer}", {"model": model})
            networks[name] = model
        return networks

    def lesion_measures(self, run: Run[FusionRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """mAP, and AUC by what a label asks of the senses: without sight the visual labels go to chance (.5), without
        the bottleneck the synergetic ones."""
        clips = lesioned(run.recipe)
        measures = {}
        for name, model in networks.items():
            assert isinstance(model, FusionTransformer)
            values = told(clips.labels.numpy(), scores(model, clips), groups_of(run.recipe))
            measures |= {f"{name}.{key}": value for key, value in values.items()}
        return measures

    def figures(self, run: Run[FusionRecipe]) -> dict[str, Figure]:
        """Score and compute by fusion layer (figure 3) and number of bottleneck tokens; what each fusion can tell."""
        recipe = run.recipe
        return fusion_figures.figures(recipe, run.measures(), run.result("seconds", Seconds))

    def apply(self, run: Run[FusionRecipe], request: FusionApply) -> list[str]:
        """--clip FILE, or --frames DIR --audio FILE: event probabilities, and what the bottleneck attends to."""
        return applied.apply(run, request)
