"""Gaussian intervals and errors."""

from torch import Tensor

NORMAL = 1.6448536269514722  # half the width of a Gaussian's 90% interval, in standard deviations


def rms(error: Tensor) -> float:
    """Root mean square over all entries."""
    return float(error.pow(2).mean().sqrt())
