"""Measured quantities and their intervals: over seeds, or over resampled test items."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

LEVEL = 0.95  # of every interval that is shown


class Measure(Struct, frozen=True):
    """A measured quantity: the mean, its values by seed, a 95% interval (absent for one value without resampling).

    ``draws`` are the values on resampled test items, where there is one seed. Two measures of a run that are scored on
    the same items have draw i on the same resample of them, so that they can be compared draw by draw.
    """

    value: float
    each: list[float]
    low: float | None = None
    high: float | None = None
    draws: list[float] = []

    @property
    def ends(self) -> tuple[float, float]:
        """Where the interval begins and ends, for drawing; without one, both are the value."""
        return self.value if self.low is None else self.low, self.value if self.high is None else self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


class Interval(NamedTuple):
    """Where a quantity lies, with the confidence that was asked for."""

    low: float
    high: float


def summarise(values: Sequence[float]) -> Measure:
    """Mean and 95% Student's t interval over seeds; no interval for a single value."""
    each = [float(value) for value in values]
    mean = sum(each) / len(each)
    return Measure(mean, each) if len(each) == 1 else Measure(mean, each, *students(each, LEVEL))


def students(each: Sequence[float], level: float) -> Interval:
    """Student's interval of the mean of two values or more."""
    mean = sum(each) / len(each)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in each) / (len(each) - 1))
    margin = quantile(level, len(each)) * deviation / math.sqrt(len(each))
    return Interval(mean - margin, mean + margin)


@lru_cache(maxsize=4096)
def quantile(level: float, count: int) -> float:
    """Of Student's distribution: how many standard errors the interval of a mean of ``count`` values reaches."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, count - 1))


def resampled(value: float, draws: Sequence[float], each: Sequence[float] | None = None) -> Measure:
    """A measure of one seed whose 95% interval comes from bootstrap ``draws`` over test items (kept to 6 digits)."""
    kept = [float(f"{draw:.6g}") for draw in draws]
    return Measure(value, list(each or [value]), *percentiles(draws, LEVEL), kept)


def percentiles(draws: Sequence[float], level: float) -> Interval:
    """What the middle ``level`` of the draws lies between."""
    ordered = sorted(draws)
    return Interval(*(ordered[round(share * (len(ordered) - 1))] for share in ((1 - level) / 2, (1 + level) / 2)))


def interval(measure: Measure, level: float = LEVEL) -> Interval | None:
    """At another level than 95% where it can be known, else at that; none where there is none."""
    if measure.low is None or measure.high is None:
        return None
    if level != LEVEL and len(measure.each) > 1:
        return students(measure.each, level)
    if level != LEVEL and measure.draws:
        return percentiles(measure.draws, level)
    return Interval(measure.low, measure.high)


def across(seeds: Sequence[Mapping[str, Measure]]) -> dict[str, Measure]:
    """The measures of all seeds together: mean and interval over seeds; of a single seed its own intervals.

    What a seed did not measure is left out.
    """
    names = [name for name in seeds[0] if all(name in seed for seed in seeds)]
    return {
        name: summarise([seed[name].value for seed in seeds]) if len(seeds) > 1 else seeds[0][name] for name in names
    }


def less(a: Measure, b: Measure | float, times: float = 1.0) -> Measure:
    """``a`` - ``times`` * ``b``, with its interval: paired over seeds, or over draws; where neither can be, as wide as
    the two intervals allow. None where one of the two measures has none; a number ``b`` needs none."""
    if not isinstance(b, Measure):
        b = Measure(b, [b] * len(a.each), b, b, [b] * len(a.draws))
    value = a.value - times * b.value
    if a.draws and b.draws:
        return resampled(value, [x - times * y for x, y in zip(a.draws, b.draws, strict=False)])
    if len(a.each) == len(b.each) > 1:
        return summarise([x - times * y for x, y in zip(a.each, b.each, strict=True)])
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Measure(value, [value])
    low, high = sorted((times * b.low, times * b.high))
    return Measure(value, [value], a.low - high, a.high - low)


def scaled(a: Measure, by: float) -> Measure:
    """``by`` * ``a``."""
    low, high = (None, None) if a.low is None or a.high is None else sorted((by * a.low, by * a.high))
    return Measure(by * a.value, [by * x for x in a.each], low, high, [by * x for x in a.draws])


def average(measures: Sequence[Measure]) -> Measure:
    """The mean of several, with its interval as in `less`."""
    total = measures[0]
    for measure in measures[1:]:
        total = less(total, measure, -1.0)
    return scaled(total, 1 / len(measures))


def deviation(a: Measure, b: Measure) -> Measure:
    """``a`` / ``b`` - 1, of a seed's measures on the same test items; where ``b`` is 0, the sign of ``a``, as if from
    nothing. Without an interval where a draw of ``b`` is 0."""
    if not b.value:
        return summarise([math.copysign(1.0, a.value) if a.value else 0.0])
    if not b.draws or not all(b.draws):
        return summarise([a.value / b.value - 1])
    return resampled(a.value / b.value - 1, [x / y - 1 for x, y in zip(a.draws, b.draws, strict=False)])
