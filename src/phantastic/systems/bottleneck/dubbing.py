"""What was it? One event out of four, seen and heard; then dubbed, so that another one is heard than is seen.

The model learns from events whose sight and sound agree. Congruent and incongruent trials are compared in accuracy and
in the time to decide; in incongruent ones the answer may be what was seen, what was heard, or a third thing (McGurk &
MacDonald 1976).
"""

from math import log
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.bottleneck.clips import CHUNK, Corpus, converted, senses_of
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.study import FusionRecipe, IntegrationRecipe
from phantastic.world import events

NAMES = tuple(events.REDUNDANT)
CUT = FusionRecipe()  # how clips are rendered and cut into tokens
CERTAIN = log(19)  # log odds of 95%
DRAWS = 200
Array = np.ndarray


class Dubbed(NamedTuple):
    """Clips, and which of `NAMES` is seen and which heard."""

    clips: Corpus
    seen: Int[Array, " n"]
    heard: Int[Array, " n"]


def render(recipe: IntegrationRecipe, seed: int, purpose: str, count: int, shift: int = 0, alone: str = "") -> Dubbed:
    """``count`` clips, all four events in turn; what is heard lies ``shift`` further on in `NAMES` than the seen. Where
    it is ``alone`` ("seen" or "heard"), the same clips without the event in the other sense."""
    world = events.World(CUT.size, CUT.frames, visual_noise=recipe.visual_noise, auditory_noise=recipe.auditory_noise)
    parts, order = [], []
    for place, name in enumerate(NAMES):
        numbers = range(place, count, len(NAMES))
        dub = (None if alone == "heard" else name, None if alone == "seen" else NAMES[(place + shift) % len(NAMES)])
        for first in range(0, len(numbers), CHUNK):
            chosen = numbers[first : first + CHUNK]
            parts.append(converted(events.render(world, seed, purpose, chosen, dub), CUT))
            order += list(chosen)
    inverse = torch.from_numpy(np.argsort(order))
    clips = Corpus(*(torch.cat(part)[inverse] for part in zip(*parts, strict=True)))
    seen = np.arange(count) % len(NAMES)
    return Dubbed(clips, seen, (seen + shift) % len(NAMES))


def architecture(recipe: IntegrationRecipe) -> Architecture:
    """As wide and deep as the models that localise."""
    return Architecture(
        senses_of(CUT),
        layers=recipe.layers,
        width=recipe.width,
        heads=recipe.heads,
        hidden=4 * recipe.width,
        classes=len(NAMES),
        fusion_layer=recipe.layers // 3,
        bottlenecks=recipe.bottlenecks,
    )


def loss_of(model: FusionTransformer, dubbed: Dubbed, rows: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Cross-entropy of the event, nats."""
    logits = model(**dubbed.clips.inputs(rows, tuple(model.architecture.senses)))
    return cross_entropy(logits.float(), torch.from_numpy(dubbed.seen)[rows].to(logits.device))


@torch.no_grad()
def answers(model: FusionTransformer, dubbed: Dubbed) -> Float[Array, "n 4"]:
    """Logits."""
    senses = tuple(model.architecture.senses)
    parts = [
        model(**dubbed.clips.inputs(slice(first, first + CHUNK), senses)).cpu()
        for first in range(0, len(dubbed.seen), CHUNK)
    ]
    return torch.cat(parts).double().numpy()


def decision_time(logits: Float[Array, "n 4"]) -> Float[Array, " n"]:
    """Seconds until the best answer would be 95% certain against the second, were evidence to go on coming as fast as
    it came in the clip: a drift to a bound (Wald 1947; Gold & Shadlen 2007)."""
    second, best = np.sort(logits, 1)[:, -2:].T
    return events.SECONDS * CERTAIN / np.maximum(best - second, 1e-6)


def judged(model: FusionTransformer, recipe: IntegrationRecipe, seed: int) -> Judgement:
    """Accuracy and median time to decide on congruent clips, answers and time on incongruent ones; the same over
    resampled happenings.

    ``mistakes.hearing`` and ``mistakes.sight``: its errors where the same clips are heard with no event to be seen, or
    seen with none to be heard. ``answers.fused``: of the incongruent ones, the share of answers that is neither what
    was seen nor what was heard *nor* what it takes either part for where the other is absent: what a mistaken sense
    cannot explain.
    """
    items: dict[str, Array] = {}  # [happenings] or [happenings, dubs]
    congruent = render(recipe, seed, "integration/congruent", recipe.test_trials)
    logits = answers(model, congruent)
    items["accuracy"] = logits.argmax(1) == congruent.seen
    items["mistakes"] = ~items["accuracy"]
    items["time.congruent"] = decision_time(logits)

    def part(alone: str, shift: int = 0) -> Array:
        dubbed = render(recipe, seed, "integration/congruent", recipe.test_trials, shift, alone)
        return answers(model, dubbed).argmax(1)

    by_eye = part("seen")
    items["mistakes.sight"], items["mistakes.hearing"] = by_eye != congruent.seen, part("heard") != congruent.heard
    dubs: dict[str, list[Array]] = {"seen": [], "heard": [], "third": [], "fused": [], "time": []}
    for shift in (1, 2, 3):
        # the same happenings as in the congruent clips, but for the sound of the event
        incongruent = render(recipe, seed, "integration/congruent", recipe.test_trials, shift)
        logits = answers(model, incongruent)
        given, by_ear = logits.argmax(1), part("heard", shift)
        third = (given != incongruent.seen) & (given != incongruent.heard)
        dubs["seen"].append(given == incongruent.seen)
        dubs["heard"].append(given == incongruent.heard)
        dubs["third"].append(third)
        dubs["fused"].append(third & (given != by_ear) & (given != by_eye))
        dubs["time"].append(decision_time(logits))
    items["time.incongruent"] = np.stack(dubs.pop("time"), 1)
    items |= {f"answers.{name}": np.stack(values, 1) for name, values in dubs.items()}

    def centre(name: str, rows: Array) -> float:
        return float((np.median if name.startswith("time") else np.mean)(items[name][rows]))

    generator = numpy_generator(seed, "integration/dubbed/bootstrap")
    samples = generator.integers(recipe.test_trials, size=(DRAWS, recipe.test_trials))
    whole = np.arange(recipe.test_trials)
    return Judgement(
        {name: centre(name, whole) for name in items},
        {name: [centre(name, rows) for rows in samples] for name in items},
    )
