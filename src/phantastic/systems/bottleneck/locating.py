"""Where was it, and how were the senses weighed: what is measured on models that point at flashes and bursts.

Weights and precision (Ernst & Banks 2002; Alais & Burr 2004) are those of models whose flash and burst always had one
source, so that the ideal observer is the rule of maximum likelihood (but for the uniform prior). The ventriloquist
curve (Körding et al. 2007) is that of models for which they may have had two. All intervals are over resampled trials.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.bottleneck import places
from phantastic.systems.bottleneck.model import FusionTransformer
from phantastic.systems.bottleneck.places import SIGMAS, VENTRILOQUIST, Trials
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.study import IntegrationRecipe
from phantastic.world import cues

DISPARITIES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)  # half widths of the picture
# whose place is taken for the answer where both have one source: a model of one sense knows of its own only
REPORTED = {"rgb": [0], "spectrogram": [1], "bottleneck": [0, 1], "late": [0, 1]}
WEIGHED = ("bottleneck", "late", "ideal")
PAIRS = tuple((seen, heard) for seen in SIGMAS for heard in SIGMAS)
DRAWS = 200
Array = np.ndarray


class Located(Struct):
    """Weights and spreads at every pair of reliabilities, the ventriloquist curve, and what follows from them."""

    weights: dict[str, list[float]]
    spreads: dict[str, list[float]]
    capture: dict[str, list[float]]
    judgement: Judgement


class Answered(NamedTuple):
    """A condition's trials, what each model and the ideal observer answer, and how far sight drew each sound."""

    trials: Trials
    answers: Mapping[str, Array]
    drawn: Mapping[str, Array]


def located(models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int) -> Located:
    """Of models by name (see `integration.Integration`) and the ideal observer."""
    paired = [weighed(models, recipe, seed, *sigmas) for sigmas in PAIRS]
    apart = [captured(models, recipe, seed, disparity) for disparity in DISPARITIES]
    generator = numpy_generator(seed, "integration/bootstrap")
    whole = np.arange(recipe.test_trials)
    weights, spreads, capture = summed(paired, apart, whole)
    draws: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        for name, value in told(*summed(paired, apart, generator.choice(whole, len(whole)))).items():
            draws.setdefault(name, []).append(value)
    sigmas = {"seen": [seen for seen, _ in PAIRS], "heard": [heard for _, heard in PAIRS]}
    return Located(weights | sigmas, spreads, capture, Judgement(told(weights, spreads, capture), draws))


def weighed(
    models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int, seen: float, heard: float
) -> Answered:
    """Answers to cues of one source at a pair of reliabilities."""
    setting = cues.Setting(sigma_seen=(seen, seen), sigma_heard=(heard, heard))
    trials = places.render(setting, seed, "integration/test", recipe.test_trials)
    answers = {name: places.respond(models[name], trials)[:, columns].mean(1) for name, columns in REPORTED.items()}
    return Answered(trials, answers | {"ideal": places.ideal(trials, 1.0).mean(1)}, {})


def captured(
    models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int, disparity: float
) -> Answered:
    """How far sight draws what is heard, trial by trial, both ways round averaged: where the sound is heard without
    sight (hearing alone, which the prior draws to the middle) less where it is heard with it."""
    drawn: dict[str, Array] = {name: np.zeros(recipe.test_trials) for name in WEIGHED}
    seen, heard = VENTRILOQUIST
    for sign in (1, -1):
        setting = cues.Setting(sigma_seen=(seen, seen), sigma_heard=(heard, heard), conflict=sign * disparity)
        trials = places.render(setting, seed, "integration/ventriloquist", recipe.test_trials)
        alone = places.respond(models["spectrogram"], trials)
        for name in drawn:
            if name == "ideal":
                moved = places.ideal(trials, 0.0) - places.ideal(trials, recipe.common)
            else:
                moved = alone - places.respond(models[f"{name}.causes"], trials)
            drawn[name] += moved[:, 1] / (2 * sign * disparity)
    return Answered(trials, {}, drawn)


def summed(
    paired: list[Answered], apart: list[Answered], rows: Array
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[float]]]:
    """Weights and spreads by pair, capture by disparity, of some trials."""
    weights: dict[str, list[float]] = {name: [] for name in WEIGHED}
    spreads: dict[str, list[float]] = {name: [] for name in (*REPORTED, "ideal")}
    for trials, answers, _ in paired:
        part = Trials(trials.frames[:0], trials.spectrograms[:0], cues.Cues(*(column[rows] for column in trials.cues)))
        for name, given in answers.items():
            spreads[name].append(places.spread(given[rows], part))
            if name in weights:
                weights[name].append(places.weight(given[rows], part))
    capture = {name: [float(each.drawn[name][rows].mean()) for each in apart] for name in WEIGHED}
    return weights, spreads, capture


def slope(ours: Array | list[float], best: Array | list[float]) -> float:
    """Of the model's weights over the ideal observer's: 1 where they follow reliability as they should, 0 if not."""
    return float(np.polyfit(best, ours, 1)[0])


def told(
    weights: Mapping[str, list[float]], spreads: Mapping[str, list[float]], capture: Mapping[str, list[float]]
) -> dict[str, float]:
    """The numbers that claims are about."""
    values = {
        "weight.slope": slope(weights["bottleneck"], weights["ideal"]),
        "weight.slope.late": slope(weights["late"], weights["ideal"]),
        "weight.error": float(np.mean(np.abs(np.subtract(weights["bottleneck"], weights["ideal"])))),
        "capture.near": capture["bottleneck"][0],
        "capture.far": capture["bottleneck"][-1],
        "capture.kept": capture["bottleneck"][0] / 2 - capture["bottleneck"][-1],
        "capture.far.late": capture["late"][-1],
        "capture.near.ideal": capture["ideal"][0],
        "capture.far.ideal": capture["ideal"][-1],
        "capture.error": float(np.mean(np.abs(np.subtract(capture["bottleneck"], capture["ideal"])))),
    }
    for place, (ours, best) in enumerate(zip(capture["bottleneck"], capture["ideal"], strict=True)):
        at = f"capture.at{100 * DISPARITIES[place]:.0f}"  # hundredths of a half width
        values |= {f"{at}.{name}": capture[name][place] for name in WEIGHED} | {f"{at}.error": ours - best}
    for name, by_pair in spreads.items():
        values[f"spread.{name}"] = float(np.sqrt(np.mean(np.square(by_pair))))
    values["spread.excess"] = values["spread.bottleneck"] / values["spread.ideal"] - 1
    better = np.minimum(spreads["rgb"], spreads["spectrogram"])
    for name in WEIGHED:  # pair by pair: which sense is the better one differs
        values[f"gain.{name}"] = float(np.mean(better / np.array(spreads[name])) - 1)
    return values
