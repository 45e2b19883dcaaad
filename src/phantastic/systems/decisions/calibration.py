"""Do probabilities mean what they say? The Brier score and its parts, reliability in bins, and what mends it."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

Forecasts = Float[ndarray, " n"]
Outcomes = Int[ndarray, " n"]
BINS = 15  # as in Guo et al. 2017


class Parts(NamedTuple):
    """What a Brier score consists of: reliability − resolution + uncertainty + within."""

    reliability: float
    resolution: float
    uncertainty: float
    within: float
    """What bins hide: the forecasts' variance within a bin less twice their covariance with the outcome (Stephenson,
    Coelho & Jolliffe 2008); 0 where all forecasts of a bin are equal."""


class Reliability(NamedTuple):
    """By bin, those in use: how many forecasts, their mean, and how often it happened."""

    counts: Int[ndarray, " k"]
    forecast: Float[ndarray, " k"]
    happened: Float[ndarray, " k"]


def brier(p: Forecasts, y: Outcomes) -> float:
    """The mean squared difference of forecast and outcome (Brier 1950, halved as is usual for two outcomes)."""
    return float(np.mean((p - y) ** 2))


def log_loss(p: Forecasts, y: Outcomes) -> float:
    """−log of the probability given to what happened, in nats; infinite where that was called impossible."""
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.log(np.where(y == 1, p, 1 - p))))


def in_bins(p: Forecasts, bins: int = BINS) -> Int[ndarray, " n"]:
    """Which of so many bins of equal width each forecast falls into; 1 into the last."""
    return np.minimum((p * bins).astype(int), bins - 1)


def reliability(p: Forecasts, y: Outcomes, groups: Int[ndarray, " n"] | None = None) -> Reliability:
    groups = in_bins(p) if groups is None else groups
    counts = np.bincount(groups)
    used = counts > 0
    sums = (np.bincount(groups, each) for each in (p, y))
    forecast, happened = (each[used] / counts[used] for each in sums)
    return Reliability(counts[used], forecast, happened)


def murphy(p: Forecasts, y: Outcomes, groups: Int[ndarray, " n"] | None = None) -> Parts:
    """Murphy's (1973) partition of the Brier score, by distinct forecasts or by ``groups`` of them."""
    groups = np.unique(p, return_inverse=True)[1] if groups is None else np.unique(groups, return_inverse=True)[1]
    counts, forecast, happened = reliability(p, y, groups)
    weights, base = counts / len(p), float(np.mean(y))
    off = p - forecast[groups]
    within = float(np.mean(off**2 - 2 * off * (y - happened[groups])))
    return Parts(
        float(weights @ (forecast - happened) ** 2), float(weights @ (happened - base) ** 2), base * (1 - base), within
    )


def ece(p: Forecasts, y: Outcomes, bins: int = BINS) -> float:
    """The expected calibration error: |forecast − frequency|, averaged over bins by their size (Naeini et al. 2015)."""
    counts, forecast, happened = reliability(p, y, in_bins(p, bins))
    return float(counts @ np.abs(forecast - happened) / len(p))


def ece_if_true(p: Forecasts, generator: np.random.Generator, bins: int = BINS, draws: int = 50) -> float:
    """The error that chance alone gives: of these forecasts, were each of them true (outcomes drawn from them; Bröcker
    & Smith 2007). An ECE is never 0 and this is its bias where there is nothing to find."""
    return float(np.mean([ece(p, (generator.random(len(p)) < p).astype(int), bins) for _ in range(draws)]))


def temperature(logits: Forecasts, y: Outcomes) -> float:
    """T for which σ(logit / T) has the least log loss (Guo et al. 2017); from 1/100 to 100."""

    def loss(log_t: float) -> float:
        return float(np.mean(np.logaddexp(0, -(2 * y - 1) * logits / np.exp(log_t))))

    found: Any = minimize_scalar(loss, bounds=(-np.log(100), np.log(100)), method="bounded")
    return float(np.exp(found.x))


def platt(scores: Forecasts, y: Outcomes) -> tuple[float, float]:
    """a and b of σ(a score + b) by maximum likelihood, for Platt's (1999) targets (n₊ + 1) / (n₊ + 2), 1 / (n₋ + 2)."""
    positive = int(y.sum())
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (len(y) - positive + 2))
    scale = float(np.std(scores)) or 1.0

    def objective(x: ndarray) -> tuple[float, ndarray]:
        z = x[0] * scores / scale + x[1]
        error = (expit(z) - target) / len(y)
        return float(np.mean(np.logaddexp(0, z) - target * z)), np.array([error @ scores / scale, error.sum()])

    a, b = minimize(objective, np.zeros(2), jac=True, method="BFGS").x
    return float(a) / scale, float(b)
