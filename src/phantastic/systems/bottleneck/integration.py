"""The study `integration`: does a transformer combine the senses as people do?"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, final

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor, nn

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.randomness import Epochs, numpy_generator
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_cosine
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.bottleneck import dubbing, integration_figures, places
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer
from phantastic.systems.bottleneck.places import SIGMAS, VENTRILOQUIST, Trials
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.study import IntegrationRecipe
from phantastic.systems.bottleneck.training import WARM, build, optimiser_of
from phantastic.world import cues

DISPARITIES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)  # half widths of the picture
# whose place is taken for the answer where both have one source: a model of one sense knows of its own only
REPORTED = {"rgb": [0], "spectrogram": [1], "bottleneck": [0, 1], "late": [0, 1]}
DRAWS = 200
LESIONED = 200


def learn(
    run: Run[IntegrationRecipe],
    stage: str,
    model: FusionTransformer,
    items: int,
    epochs: int,
    seed: int,
    loss: Callable[[Tensor], Tensor],
) -> None:
    """Train on ``items`` in random order, each once an epoch; ``loss`` takes their numbers."""
    recipe = run.recipe
    optimiser = optimiser_of(model, recipe.rate, recipe.decay)
    rows = Epochs(items, recipe.batch, seed, "order")
    steps = epochs * rows.steps
    train(
        run,
        f"seed{seed}/{stage}",
        {"model": model},
        {"loss": optimiser},
        lambda step: {"loss": loss(torch.from_numpy(rows(step)))},
        steps=steps,
        rate=warm_and_cosine(steps, WARM),
    )


# --- measures


class Located(Struct):
    """Weights and spreads at every pair of reliabilities, bootstrap draws of the slope, the ventriloquist curve."""

    weights: dict[str, list[float]]
    spreads: dict[str, list[float]]
    slopes: list[float]
    capture: dict[str, list[float]]


def located(models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int) -> Located:
    """What four models and the ideal observer answer."""
    generator = numpy_generator(seed, "integration/bootstrap")
    weights: dict[str, list[float]] = {"bottleneck": [], "late": [], "ideal": [], "seen": [], "heard": []}
    spreads: dict[str, list[float]] = {"bottleneck": [], "late": [], "rgb": [], "spectrogram": [], "ideal": []}
    draws = np.zeros((DRAWS, 2, len(SIGMAS) ** 2))
    for number, (seen, heard) in enumerate((a, b) for a in SIGMAS for b in SIGMAS):
        setting = cues.Setting(sigma_seen=(seen, seen), sigma_heard=(heard, heard))
        trials = places.render(setting, seed, "integration/test", recipe.test_trials)
        weights["seen"].append(seen)
        weights["heard"].append(heard)
        best = places.ideal(trials, recipe.common).mean(1)
        for name in spreads:
            answers = best if name == "ideal" else places.respond(models[name], trials)[:, REPORTED[name]].mean(1)
            spreads[name].append(places.spread(answers, trials))
            if name in weights:
                weights[name].append(places.weight(answers, trials))
            if name == "bottleneck":
                for draw in range(DRAWS):
                    rows = generator.integers(len(answers), size=len(answers))
                    part = Trials(
                        trials.frames[:0], trials.spectrograms[:0], cues.Cues(*(c[rows] for c in trials.cues))
                    )
                    draws[draw, :, number] = places.weight(answers[rows], part), places.weight(best[rows], part)
    return Located(weights, spreads, [slope(ours, best) for ours, best in draws], curve(models, recipe, seed))


def slope(ours: Any, best: Any) -> float:
    """Of the model's weights over the ideal observer's: 1 where they follow reliability as they should, 0 if not."""
    return float(np.polyfit(best, ours, 1)[0])


def curve(models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int) -> dict[str, list[float]]:
    """How far sight draws what is heard, by disparity, both ways round averaged."""
    capture: dict[str, list[float]] = {"bottleneck": [], "late": [], "ideal": []}
    seen, heard = VENTRILOQUIST
    for disparity in DISPARITIES:
        by_sign: dict[str, list[float]] = {name: [] for name in capture}
        for sign in (1, -1):
            setting = cues.Setting(sigma_seen=(seen, seen), sigma_heard=(heard, heard), conflict=sign * disparity)
            trials = places.render(setting, seed, "integration/ventriloquist", recipe.test_trials)
            for name in capture:
                answers = (
                    places.ideal(trials, recipe.common) if name == "ideal" else places.respond(models[name], trials)
                )
                by_sign[name].append(places.captured(answers, trials, sign * disparity))
        for name, values in by_sign.items():
            capture[name].append(float(np.mean(values)))
    return capture


def measures(located: Located, dubbed: Judgement) -> dict[str, Measure]:
    """The slope and the shares of answers have intervals over trials."""
    weights, spreads, capture = located.weights, located.spreads, located.capture
    values = {
        "weight.slope": slope(weights["bottleneck"], weights["ideal"]),
        "weight.slope.late": slope(weights["late"], weights["ideal"]),
        "weight.error": float(np.mean(np.abs(np.subtract(weights["bottleneck"], weights["ideal"])))),
        "capture.near": capture["bottleneck"][0],
        "capture.far": capture["bottleneck"][-1],
        "capture.ratio": capture["bottleneck"][-1] / capture["bottleneck"][0],
        "capture.far.late": capture["late"][-1],
        "capture.near.ideal": capture["ideal"][0],
        "capture.far.ideal": capture["ideal"][-1],
        "capture.error": float(np.mean(np.abs(np.subtract(capture["bottleneck"], capture["ideal"])))),
    }
    for name, by_pair in spreads.items():
        values[f"spread.{name}"] = float(np.sqrt(np.mean(np.square(by_pair))))
    values["spread.excess"] = values["spread.bottleneck"] / values["spread.ideal"] - 1
    better = np.minimum(spreads["rgb"], spreads["spectrogram"])
    for name in ("bottleneck", "late", "ideal"):  # pair by pair: which sense is the better one differs
        values[f"gain.{name}"] = float(np.mean(better / np.array(spreads[name])) - 1)
    values |= dubbed.told
    draws = {"weight.slope": located.slopes, **dubbed.draws}
    return {
        name: resampled(value, draws[name]) if name in draws else Measure(value, [value])
        for name, value in values.items()
    }


# --- what others ask of a study


@cache
def lesioned(recipe: IntegrationRecipe) -> tuple[Trials, dubbing.Dubbed]:
    count = min(LESIONED, recipe.test_trials)
    trials = places.render(places.training(recipe), recipe.seed, "integration/test", count)
    return trials, dubbing.render(recipe, recipe.seed, "integration/test", count)


def pointing_loss(model: FusionTransformer, trials: Callable[[], Trials], rows: Tensor) -> Tensor:
    """Of some of the trials, by their numbers."""
    inputs = trials().inputs(rows, tuple(model.architecture.senses))
    return places.loss_of(model(**inputs), torch.from_numpy(trials().cues.sources)[rows])


@final
class Integration(Experiment[IntegrationRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[IntegrationRecipe], recipe: IntegrationRecipe, seed: int) -> Scores:
        """Localisation by four models, and the dubbed events by one."""
        trials = cache(partial(places.render, places.training(recipe), seed, "integration/train", recipe.trials))
        models = {}
        for name, plan in places.architectures(recipe).items():
            models[name] = model = build(plan, seed, run.device)
            learn(run, name, model, recipe.trials, recipe.epochs, seed, partial(pointing_loss, model, trials))
        where = run.once(f"seed{seed}/places", lambda: located(models, recipe, seed), Located)
        clips = cache(partial(dubbing.render, recipe, seed, "integration/dubbed", recipe.clips))
        judge = build(dubbing.architecture(recipe), seed, run.device)

        def naming_loss(rows: Tensor) -> Tensor:
            return dubbing.loss_of(judge, clips(), rows)

        learn(run, "dubbed", judge, recipe.clips, recipe.clip_epochs, seed, naming_loss)
        what = run.once(f"seed{seed}/dubbed", lambda: dubbing.judged(judge, recipe, seed), Judgement)
        return measures(where, what)

    def networks(self, run: Run[IntegrationRecipe]) -> dict[str, nn.Module]:
        """The model that localises and the one that names dubbed events, of the first seed."""
        recipe = run.recipe
        plans: dict[str, Architecture] = {
            "bottleneck": places.architectures(recipe)["bottleneck"],
            "dubbed": dubbing.architecture(recipe),
        }
        networks: dict[str, nn.Module] = {}
        for name, plan in plans.items():
            networks[name] = model = build(plan, recipe.seed, run.device)
            run.load(f"seed{recipe.seed}/{name}", {"model": model})
        return networks

    def lesion_measures(self, run: Run[IntegrationRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Distance of the answers from the sources (half widths of the picture), and the share of events named
        rightly."""
        trials, clips = lesioned(run.recipe)
        pointing, naming = networks["bottleneck"], networks["dubbed"]
        assert isinstance(pointing, FusionTransformer)
        assert isinstance(naming, FusionTransformer)
        distance = np.sqrt(np.mean((places.respond(pointing, trials) - trials.cues.sources) ** 2, 0))
        right = dubbing.answers(naming, clips).argmax(1) == clips.seen
        return {"distance.seen": float(distance[0]), "distance.heard": float(distance[1]), "named": float(right.mean())}

    def figures(self, run: Run[IntegrationRecipe]) -> dict[str, Figure]:
        """Weights against reliability, the ventriloquist curve, answers to dubbed events."""
        recipe = run.recipe
        where = run.result(f"seed{recipe.seed}/places", Located)
        what = run.result(f"seed{recipe.seed}/dubbed", Judgement)
        return integration_figures.figures(where, what, DISPARITIES)
