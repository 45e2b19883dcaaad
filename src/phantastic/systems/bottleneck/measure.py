"""How well classes are told: average precision, area under the ROC curve and d', class by class.

A class whose clips are all of one kind has no such measure: it is NaN there and left out of the means.
"""

import numpy as np
from jaxtyping import Float, Float64, Real
from scipy.special import ndtri
from sklearn.metrics import average_precision_score, roc_auc_score

from phantastic.ground.errors import Refused

Table = Real[np.ndarray, "clips classes"]


def average_precision(labels: Table, scores: Table) -> Float64[np.ndarray, " classes"]:
    """Area under precision over recall, as a step function (scikit-learn). Raises Refused unless labels are 0 or 1
    and scores are finite numbers of the same shape."""
    return _by_class(labels, scores, average_precision_score)


def auc(labels: Table, scores: Table) -> Float64[np.ndarray, " classes"]:
    """The probability that a clip of the class has the higher score than one that is not; a tie counts half."""
    return _by_class(labels, scores, roc_auc_score)


def d_prime(area: Float[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """d' = √2 Φ⁻¹(AUC): the distance, in standard deviations, of two normal distributions of scores with that AUC
    (Green & Swets 1966; Hershey et al. 2017). Infinite where the AUC is 0 or 1. Raises Refused outside [0, 1]."""
    area = np.asarray(area, float)
    if ((area < 0) | (area > 1)).any():
        raise Refused(f"an area under the ROC curve lies between 0 and 1, not at {area[(area < 0) | (area > 1)][0]}")
    return np.sqrt(2) * ndtri(area)


def mean(values: Float[np.ndarray, " classes"]) -> float:
    """The mean over classes that have the measure: of average precisions, mAP. NaN where none has."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _by_class(labels: np.ndarray, scores: np.ndarray, measure) -> np.ndarray:
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise Refused(f"labels {list(labels.shape)} and scores {list(scores.shape)}; expected both [clips, classes]")
    if not np.isin(labels, (0, 1)).all():
        raise Refused("labels to measure by are 0 or 1; smoothed and mixed ones are for training")
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise Refused(f"the score of clip {row} for class {column} is {scores[row, column]}")
    return np.array(
        [measure(y, s) if 0 < y.sum() < len(y) else np.nan for y, s in zip(labels.T, scores.T, strict=True)]
    )
