"""Generalised coordinates of motion: a signal as its value, velocity, acceleration, ... at one time.

Friston et al. (2010) Generalised filtering, Math Probl Eng 2010:621670; Friston (2008) PLoS Comput Biol 4:e1000211.
Time is counted in bins from 0; arrays are [..., bins, channels] and, in generalised coordinates,
[..., orders, channels].
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.randomness import numpy_generator


def temporal_precision(orders: int, smoothness: float) -> Float64[Tensor, "orders orders"]:
    """Precision of the generalised coordinates of noise with a Gaussian autocorrelation exp(-t^2 / (4 smoothness^2)).

    The inverse of their covariance, whose entries are derivatives of the autocorrelation at lag 0 (Friston 2008).
    """
    scale = 2 * (smoothness if smoothness > 0 else math.exp(-8)) ** 2
    derivative = [1.0]  # of even order, at 0
    for k in range(1, orders):
        derivative.append(derivative[-1] * (1 - 2 * k) / scale)
    covariance = torch.zeros(orders, orders, dtype=torch.float64)
    for i in range(orders):
        for j in range(i % 2, orders, 2):
            covariance[i, j] = (-1) ** i * derivative[(i + j) // 2]
    return torch.linalg.inv(covariance)


def shift(orders: int) -> Float64[Tensor, "orders orders"]:
    """The derivative operator D: (D x)[j] = x[j + 1], and 0 in the last order."""
    return torch.diag(torch.ones(orders - 1, dtype=torch.float64), 1)


def _taylor(orders: int, bin: int) -> tuple[Tensor, Tensor]:
    """The samples [orders] around a bin (unclamped), and the matrix that takes them to derivatives there."""
    first = 1 + math.trunc(bin + 1 - (orders + 1) / 2)  # bins counted from 1, as in the reference
    samples = torch.arange(orders) + first
    i = torch.arange(1, orders + 1, dtype=torch.float64) - (bin + 2 - first)
    powers = torch.stack([i**j / math.factorial(j) for j in range(orders)], -1)
    return samples - 1, torch.linalg.inv(powers)


def embed(signal: Float64[Tensor, "... bins channels"], orders: int) -> Float64[Tensor, "... bins orders channels"]:
    """Derivatives of a sampled signal at each bin, from the ``orders`` samples around it (Friston 2008).

    Before the first and after the last sample the signal is held.
    """
    bins = signal.shape[-2]
    matrix = torch.zeros(bins, orders, bins, dtype=torch.float64)
    for bin in range(bins):
        samples, inverse = _taylor(orders, bin)
        matrix[bin].index_add_(1, samples.clamp(0, bins - 1), inverse)
    return torch.einsum("bos,...sc->...boc", matrix, signal)


def embed_last(history: Sequence[Tensor], orders: int) -> Float64[Tensor, "... orders channels"]:
    """Derivatives at the last of the samples so far; the future is held at the present."""
    recent = history[-orders:]
    return _hindsight(orders, min(len(history), orders)) @ torch.stack(list(recent), -2)


@cache
def _hindsight(orders: int, bins: int) -> Tensor:
    samples, inverse = _taylor(orders, bins - 1)
    weights = torch.zeros(orders, bins, dtype=torch.float64)
    return weights.index_add_(1, samples.clamp(0, bins - 1), inverse)


def noise_kernel(bins: int, smoothness: float) -> Float64[Tensor, "bins bins"]:
    """Columns that turn white noise [bins] (from the left) into noise with a Gaussian kernel and unit variance."""
    t = torch.arange(bins, dtype=torch.float64)
    kernel = torch.exp(-((t[:, None] - t) ** 2) / (2 * (smoothness + math.exp(-16)) ** 2))
    return kernel / (kernel @ kernel.T).diagonal().sqrt()


def smooth_noise(
    precision: Float64[Tensor, "... channels"], bins: int, smoothness: float, seed: int, purpose: str
) -> Float64[Tensor, "... bins channels"]:
    """Smooth Gaussian noise of the given precision; none where the precision is exp(16) or more, as in SPM12."""
    shape = (*precision.shape[:-1], precision.shape[-1], bins)
    white = torch.from_numpy(numpy_generator(seed, purpose).standard_normal(shape))
    scale = torch.where(precision < math.exp(16) * (1 - 1e-12), precision.rsqrt(), 0.0)
    return (scale[..., None] * (white @ noise_kernel(bins, smoothness))).mT
