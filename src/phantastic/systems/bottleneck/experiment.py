"""The study `fusion`: models that let sight and sound meet early, in the middle, late or never tell the same events."""

from collections.abc import Callable, Mapping
from functools import cache
from time import process_time
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from phantastic.data.audiovisual import smooth
from phantastic.declare.claims import Measure
from phantastic.ground import parallel
from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.bottleneck import figures as pictures
from phantastic.systems.bottleneck.clips import Corpus, architectures, batch, corpus, fused_layers, groups_of, middle
from phantastic.systems.bottleneck.flops import macs
from phantastic.systems.bottleneck.model import Architecture, Compute, FusionTransformer, Sense
from phantastic.systems.bottleneck.scores import drawn, gathered, told
from phantastic.systems.bottleneck.study import FusionRecipe

WARM = 0.15  # share of the steps in which the step size rises
LESIONED = 256  # test clips that lesions are measured on
TIMED = 5  # repetitions of which the fastest counts


def recipe_of(run: Run) -> FusionRecipe:
    assert isinstance(run.recipe, FusionRecipe)
    return run.recipe


# --- training


def build(architecture: Architecture, seed: int, device: torch.device) -> FusionTransformer:
    """A model as it begins; models of a seed begin alike where they have parameters in common."""
    with initialised(seed, "model"):
        return FusionTransformer(architecture).to(device)


def schedule(step: int, steps: int) -> float:
    """The share of the highest step size: a linear rise, then half a cosine (Nagrani et al. 2021, section 4.2)."""
    warm = max(1, round(WARM * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def optimiser_of(model: nn.Module, rate: float, decay: float) -> torch.optim.AdamW:
    """AdamW; biases, norms and tokens do not decay."""
    maps = [parameter for module in model.modules() if isinstance(module, nn.Linear) for parameter in [module.weight]]
    kept = {id(parameter) for parameter in maps}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in kept]
    groups = [{"params": maps, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, fused=True)


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


def learn(run: Run, name: str, seed: int, model: FusionTransformer, clips: Callable[[], Corpus]) -> None:
    """Train one model; it is loaded instead where it was trained before."""
    recipe = recipe_of(run)
    optimiser = optimiser_of(model, recipe.rate, recipe.decay)
    steps = recipe.epochs * max(1, recipe.clips // recipe.batch)
    senses = tuple(model.architecture.senses)

    def losses(step: int) -> dict[str, Tensor]:
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * schedule(step, steps)
        part, weight = parallel.share(min(recipe.batch, len(clips().labels)))
        inputs, targets = batch(clips(), recipe, senses, seed, step, part)
        with initialised(seed, f"depth/{step}" if part.start == 0 else f"depth/{step}/{part.start}"):
            logits = model.logits(**inputs)
        return {"loss": weight * loss_of(logits, targets, recipe.smoothing)}

    train(run, f"seed{seed}/{name}", {"model": model}, {"loss": optimiser}, losses, steps=steps)


@torch.no_grad()
def scores(model: FusionTransformer, clips: Corpus) -> Float[np.ndarray, "clips classes"]:
    """Logits of all clips."""
    senses = tuple(model.architecture.senses)
    parts = [
        model(**clips.inputs(slice(first, first + 256), senses)).cpu() for first in range(0, len(clips.labels), 256)
    ]
    return torch.cat(parts).numpy()


def run(run: Run) -> None:
    """Train every model under every seed, on the same clips in the same order; measure them on the same other clips."""
    recipe = recipe_of(run)
    plans = architectures(recipe)
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in plans}
    for seed in seeds:
        learned = cache(lambda seed=seed: corpus(recipe, seed, "train", recipe.clips))
        tested = cache(lambda seed=seed: corpus(recipe, seed, "test", recipe.test_clips))
        for name, plan in plans.items():
            model = build(plan, seed, run.device)
            learn(run, name, seed, model, learned)
            found[name].append(
                run.once(f"seed{seed}/{name}", lambda m=model, t=tested, s=seed: judged(m, t(), s, recipe))
            )
    run.once("seconds", lambda: seconds(plans, recipe, run.device))
    run.record(measures(recipe, plans, found))


def judged(model: FusionTransformer, clips: Corpus, seed: int, recipe: FusionRecipe) -> dict[str, Any]:
    """How well a model tells the classes of its test clips; the draws are the same for all models of a seed."""
    labels, logits = clips.labels.numpy(), scores(model, clips)
    groups, generator = groups_of(recipe), numpy_generator(seed, "fusion/bootstrap")
    return {"told": told(labels, logits, groups), "draws": drawn(labels, logits, generator, groups)}


# --- measures


def measures(
    recipe: FusionRecipe, plans: Mapping[str, Architecture], found: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Measure | list[float]]:
    """``<model>.<measure>`` for all models, and the differences that the paper speaks of."""
    layers, centre = fused_layers(recipe), middle(recipe)
    single = {name: gathered([each["told"] for each in rows], rows[0]["draws"]) for name, rows in found.items()}
    measured: dict[str, Measure | list[float]] = {
        f"{name}.{key}": value for name, group in single.items() for key, value in group.items()
    }

    def each(name: str, key: str = "map") -> np.ndarray:
        return np.array([row["told"][key] for row in found[name]])

    for key in ("map", "synergy") if groups_of(recipe) else ("map",):  # the same models by their role
        measured |= {
            f"early.{key}": single["bottleneck0"][key],
            f"middle.{key}": single[f"bottleneck{centre}"][key],
        }
    # what a sense writes into the bottleneck the other reads a layer later: in the last layer alone nothing passes
    passing = [layer for layer in layers if layer < recipe.layers - 1] or layers
    gains = [each(f"bottleneck{layer}") - each(f"vanilla{layer}") for layer in passing]
    measured["gain.least"] = [float(np.stack(gains).mean(1).min())]
    if (last := recipe.layers - 1) in layers and last:
        measured["last.gain"] = [float(abs(each(f"bottleneck{last}") - each("late")).mean())]
    numbers = [f"bottleneck{centre}", *(name for name in plans if name.startswith("tokens") and name != "tokens1")]
    counts = np.stack([each(name).mean() for name in numbers])
    measured["numbers.spread"] = [float(counts.max() - counts.min())]
    for name, plan in plans.items():
        for compute in ("published", "own", "read"):
            measured[f"{name}.macs.{compute}"] = [macs(plan, compute) / 1e6]
    first = layers[0]
    measured["early.macs.ratio"] = [macs(plans[f"bottleneck{first}"]) / macs(plans[f"vanilla{first}"])]
    return measured | {name: [value] for name, value in released().items()}


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


def seconds(
    plans: Mapping[str, Architecture], recipe: FusionRecipe, device: torch.device
) -> dict[str, dict[str, float]]:
    """Processor milliseconds of a training step per clip, by model and by what it computes; not a measure, as it hangs
    on the machine."""
    clips = Corpus(*(part[: recipe.batch] for part in corpus(recipe, 0, "train", recipe.batch)))
    found: dict[str, dict[str, float]] = {}
    for name, plan in plans.items():
        if name.startswith("tokens"):
            continue
        model = build(plan, 0, device).train()
        found[name] = {}
        for compute in ("published", "own", "read"):
            model.compute = compute
            inputs, targets = batch(clips, recipe, tuple(plan.senses), 0, 0)
            times = []
            for _ in range(TIMED):
                start = process_time()
                loss_of(model.logits(**inputs), targets, 0.0).backward()
                times.append(process_time() - start)
            found[name][compute] = 1000 * min(times) / len(clips.labels)
    return found


# --- what others ask of a study


def models(run: Run) -> dict[str, nn.Module]:
    """The bottleneck and the vanilla model of the first seed that fuse at the middle layer."""
    recipe = recipe_of(run)
    plans, layer = architectures(recipe), middle(recipe)
    found: dict[str, nn.Module] = {}
    for name in ("bottleneck", "vanilla"):
        model = build(plans[f"{name}{layer}"], recipe.seed, run.device)
        run.load(f"seed{recipe.seed}/{name}{layer}", {"model": model})
        found[name] = model
    return found


@cache
def lesioned(recipe: FusionRecipe) -> Corpus:
    found = corpus(recipe, recipe.seed, "test", min(LESIONED, recipe.test_clips))
    return Corpus(*(part[:LESIONED] for part in found))


def lesion_measures(run: Run, models: Mapping[str, nn.Module]) -> dict[str, float]:
    """mAP, and AUC by what a label asks of the senses: without sight the visual labels go to chance (.5), without the
    bottleneck the synergetic ones."""
    clips = lesioned(recipe_of(run))
    found = {}
    for name, model in models.items():
        assert isinstance(model, FusionTransformer)
        values = told(clips.labels.numpy(), scores(model, clips), groups_of(recipe_of(run)))
        found |= {f"{name}.{key}": value for key, value in values.items()}
    return found


def apply(run: Run, request: dict[str, str]) -> list[str]:
    """--clip FILE, or --frames DIR --audio FILE: event probabilities, and what the bottleneck attends to."""
    from phantastic.systems.bottleneck.apply import apply as put_to_use

    return put_to_use(run, request)


def figures(run: Run) -> dict[str, Figure]:
    """Score and compute by fusion layer (figure 3) and number of bottleneck tokens; what each fusion can tell."""
    recipe = recipe_of(run)
    return pictures.figures(recipe, run.measures(), run.once("seconds", dict))
