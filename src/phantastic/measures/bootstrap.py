"""Intervals over test items."""

from collections.abc import Callable

import numpy as np

from phantastic.declare.measure import Measure, resampled


def over_items(
    items: np.ndarray, generator: np.random.Generator, statistic: Callable[[np.ndarray], float], draws: int = 500
) -> Measure:
    """A statistic with its bootstrap interval over test items."""
    chosen = (generator.integers(len(items), size=len(items)) for _ in range(draws))
    return resampled(statistic(items), [statistic(items[rows]) for rows in chosen])


def mean(values: np.ndarray) -> float:
    return float(values.mean())
