"""Signal detection theory (Green & Swets 1966): how well two things are told apart, and how readily one says yes.

Evidence is normal, N(0, 1) without the signal and N(μ, σ²) with it; yes is said above a criterion. Of equal variance
(σ = 1) μ is d′, and c is the criterion's distance from the middle, in the unit of the noise.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from numpy import ndarray
from scipy.special import ndtr, ndtri

from phantastic.declare.measure import LEVEL, Interval
from phantastic.systems.decisions.confusion import clopper_pearson

Rates = Any  # a number or an array of any shape, as numbers broadcast


class Sensitivity(NamedTuple):
    """d′ and the criterion c, each with its standard error (Gourevitch & Galanter 1967), and log β = d′ c."""

    d: Rates
    c: Rates
    d_error: Rates
    c_error: Rates

    @property
    def log_beta(self) -> Rates:
        return self.d * self.c


def yes_no(hits: Rates, signals: Rates, false_alarms: Rates, noises: Rates) -> Sensitivity:
    """d′ = z(H) − z(F), c = −(z(H) + z(F)) / 2, from counts.

    Half a case is added to each of the four, so that rates of 0 and 1 have a z (the log-linear rule, Hautus 1995).
    """
    hit, signal, false, noise = (np.asarray(each, float) for each in (hits, signals, false_alarms, noises))
    h, f = (hit + 0.5) / (signal + 1), (false + 0.5) / (noise + 1)
    z_h, z_f = ndtri(h), ndtri(f)
    variance = h * (1 - h) / (signal + 1) / density(z_h) ** 2 + f * (1 - f) / (noise + 1) / density(z_f) ** 2
    error = np.sqrt(variance)
    return Sensitivity(z_h - z_f, -(z_h + z_f) / 2, error, error / 2)


def density(x: Rates) -> Rates:
    return np.exp(-(np.asarray(x) ** 2) / 2) / np.sqrt(2 * np.pi)


def rates(d: Rates, c: Rates, sigma: float = 1.0) -> tuple[Rates, Rates]:
    """Hit and false-alarm rates of an observer whose criterion lies at d/2 + c."""
    criterion = np.asarray(d) / 2 + c
    return ndtr((d - criterion) / sigma), ndtr(-criterion)


def curve(d: float, false_alarms: Rates, sigma: float = 1.0) -> Rates:
    """The ROC: H = Φ((μ + z(F)) / σ), a line of slope 1/σ in z."""
    return ndtr((d + ndtri(false_alarms)) / sigma)


def area(d: Rates, sigma: Rates = 1.0) -> Rates:
    """Under the ROC: Φ(μ / √(1 + σ²)), which is Φ(d′ / √2) for equal variances, and Φ(d_a / √2) for any."""
    return ndtr(np.asarray(d) / np.sqrt(1 + np.asarray(sigma) ** 2))


def mann_whitney(signal: Float64[ndarray, " n"], noise: Float64[ndarray, " m"]) -> float:
    """The share of pairs in which the signal has the higher score, ties for half: the area under the empirical ROC
    (Bamber 1975). In the time of a sort."""
    ordered = np.sort(noise)
    below, up_to = (np.searchsorted(ordered, signal, side) for side in ("left", "right"))
    return float((below + up_to).sum() / 2 / (len(signal) * len(noise)))


def hanley_mcneil(area: float, signals: int, noises: int) -> float:
    """The standard error of an area A, with Q₁ = A / (2 − A) and Q₂ = 2A² / (1 + A) as for exponential evidence (Hanley
    & McNeil 1982, equations 1 and 2)."""
    return spread(area, area / (2 - area), 2 * area**2 / (1 + area), signals, noises)


def spread(area: float, q1: float, q2: float, signals: int, noises: int) -> float:
    variance = area * (1 - area) + (signals - 1) * (q1 - area**2) + (noises - 1) * (q2 - area**2)
    return float(np.sqrt(max(variance, 0.0) / (signals * noises)))


def area_interval(area: float, error: float, signals: int, noises: int) -> Interval:
    """95%: 1.96 standard errors on either side, within 0 and 1. Where every pair is in order there is no error to go
    by; then Clopper and Pearson's of as many pairs as are independent."""
    if area in (0, 1):
        pairs = min(signals, noises)
        return clopper_pearson(round(area) * pairs, pairs)
    margin = float(ndtri((1 + LEVEL) / 2)) * error
    return Interval(max(0.0, area - margin), min(1.0, area + margin))


def of_ratings(signal: Int[ndarray, " k"], noise: Int[ndarray, " k"]) -> tuple[float, float]:
    """The area W under the ROC of ratings (counts by category, from surely not to surely) and its standard error, with
    Q₁ and Q₂ counted: that one noise lies below two signals, and two noises below one signal (Hanley & McNeil 1982)."""
    n, m = int(signal.sum()), int(noise.sum())
    under, over = np.cumsum(noise) - noise, n - np.cumsum(signal)
    w = float((signal * (under + noise / 2)).sum() / (n * m))
    q1 = float((noise * (over**2 + over * signal + signal**2 / 3)).sum() / (m * n**2))
    q2 = float((signal * (under**2 + under * noise + noise**2 / 3)).sum() / (n * m**2))
    return w, spread(w, q1, q2, n, m)


def best_criterion(prevalence: float, false_alarm: float = 1.0, miss: float = 1.0) -> float:
    """The likelihood ratio above which yes costs less: β = (1 − π) C_fp / (π C_fn) (Green & Swets 1966)."""
    return (1 - prevalence) * false_alarm / (prevalence * miss)


def cost(hit: Rates, false: Rates, prevalence: float, false_alarm: float = 1.0, miss: float = 1.0) -> Rates:
    """What a decision costs on average."""
    return prevalence * miss * (1 - np.asarray(hit)) + (1 - prevalence) * false_alarm * np.asarray(false)
