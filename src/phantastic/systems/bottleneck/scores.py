"""How well a model tells events, by class and by what its label asks of the senses, with intervals over clips."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float64
from msgspec import Struct

from phantastic.declare.measure import Measure, resampled
from phantastic.systems.bottleneck.measure import auc, average_precision, mean
from phantastic.world.events import GROUPS

Scores = Float[np.ndarray, "clips classes"]
Groups = Mapping[str, tuple[int, ...]]
DRAWS = 200  # of the bootstrap


class Judgement(Struct):
    """What a model is measured to do, by measure, and the same over bootstrap samples of the test items."""

    told: dict[str, float]
    draws: dict[str, list[float]]

    def measures(self) -> dict[str, Measure]:
        return {name: resampled(value, self.draws[name] or [value]) for name, value in self.told.items()}


def told(labels: Scores, scores: Scores, groups: Groups = GROUPS) -> dict[str, float]:
    """mAP, and the mean AUC of each group of classes."""
    areas = auc(labels, scores)
    measures = {"map": mean(average_precision(labels, scores))}
    return measures | {name: mean(areas[list(columns)]) for name, columns in groups.items()}


def drawn(
    labels: Scores, scores: Scores, generator: np.random.Generator, groups: Groups = GROUPS
) -> dict[str, list[float]]:
    """The same over bootstrap samples of the clips, by faster formulas (ties, which logits hardly have, count as they
    come)."""
    draws: dict[str, list[float]] = {"map": [], **{name: [] for name in groups}}
    for _ in range(DRAWS):
        rows = generator.integers(len(labels), size=len(labels))
        precision, areas = ranked(labels[rows], scores[rows])
        draws["map"].append(mean(precision))
        for name, columns in groups.items():
            draws[name].append(mean(areas[list(columns)]))
    # a sample may hold clips of one kind only
    return {name: [value for value in values if np.isfinite(value)] for name, values in draws.items()}


def ranked(labels: Scores, scores: Scores) -> tuple[Float64[np.ndarray, " classes"], Float64[np.ndarray, " classes"]]:
    """Average precision and AUC by class, from the ranks of the positives."""
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(labels, order, 0).astype(float)
    place = np.arange(1, len(labels) + 1)[:, None]
    positives = hits.sum(0)
    negatives = len(labels) - positives
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = (hits.cumsum(0) / place * hits).sum(0) / positives
        # of the negatives, those below each positive
        below = negatives - (place - hits.cumsum(0))
        area = (below * hits).sum(0) / (positives * negatives)
    one_kind = (positives == 0) | (negatives == 0)
    return np.where(one_kind, np.nan, precision), np.where(one_kind, np.nan, area)
