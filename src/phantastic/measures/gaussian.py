"""Gaussian intervals, errors and correlations."""

from torch import Tensor

NORMAL = 1.6448536269514722  # half the width of a Gaussian's 90% interval, in standard deviations


def rms(error: Tensor) -> float:
    """Root mean square over all entries."""
    return float(error.pow(2).mean().sqrt())


def correlations(one: Tensor, other: Tensor) -> Tensor:
    """Over time, channel by channel, of two courses [time, channels]; not a number where one does not vary."""
    a, b = one - one.mean(0), other - other.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))
