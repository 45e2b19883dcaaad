"""Maximum entropy: of all distributions with given moments, the one that claims nothing else (Jaynes 1957).

It has the form p_i = w_i exp(sum_k λ_k f_k(x_i)) / Z. The multipliers λ minimise the convex dual log Z(λ) - λ · m,
whose gradient is (moments of p) - m and whose Hessian is the covariance of the features under p: Newton's method.
The w_i are 1 for outcomes that are counted, and a quadrature's weights where x is continuous (`interval`).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused

EXACT = 1e-13  # of the moments, in standard deviations of their features
ITERATIONS = 200


class MaxEnt(NamedTuple):
    """A distribution of maximum entropy; ``density`` is p_i / w_i, and the entropy -sum p log density is in nats."""

    probabilities: Float64[Tensor, " n"]
    density: Float64[Tensor, " n"]
    multipliers: Float64[Tensor, " k"]
    log_partition: float
    entropy: float


def maximum_entropy(
    features: Float64[Tensor, "k n"], moments: Float64[Tensor, " k"], weights: Float64[Tensor, " n"] | None = None
) -> MaxEnt:
    """The distribution over n points whose mean of ``features`` is ``moments``; with k = 0, the uniform one.

    Features may depend on one another. Raises `Refused` where no distribution has these moments, or only one that
    gives some points the probability 0 (the multipliers are then infinite).
    """
    n, k = features.shape[1], len(moments)
    base = torch.zeros(n, dtype=torch.float64) if weights is None else weights.log()
    for row, moment in zip(features, moments.tolist(), strict=True):
        low, high = float(row.min()), float(row.max())
        if not low < moment < high and not low == moment == high:
            raise Refused(f"a mean of {moment:g} is not possible for a feature between {low:g} and {high:g}")
    # In standard units of the base, steps and tolerances mean the same whatever the features are measured in.
    spread = torch.softmax(base, 0)
    smallest = torch.finfo(torch.float64).tiny
    scale = ((features - features @ spread[:, None]).square() @ spread).sqrt().clamp_min(smallest)
    scaled = (features - moments[:, None]) / scale[:, None]

    def dual(lam: Tensor) -> tuple[Tensor, Tensor]:
        exponents = base + lam @ scaled
        return torch.logsumexp(exponents, 0), torch.softmax(exponents, 0)

    lam = torch.zeros(k, dtype=torch.float64)
    value, p = dual(lam)
    for _ in range(ITERATIONS):
        gradient = scaled @ p
        if not k or float(gradient.abs().max()) < EXACT:
            break
        centred = scaled - gradient[:, None]
        # Least squares, because features that depend on one another leave the Hessian without an inverse.
        step = -torch.linalg.lstsq((centred * p) @ centred.T, gradient[:, None], driver="gelsd").solution[:, 0]
        size, slope = 1.0, float(gradient @ step)
        # Armijo's rule, with room for rounding: at the end a step gains less than the dual can tell.
        while float((tried := dual(lam + size * step))[0]) > float(value) + 1e-4 * size * slope + 1e-12 and size > 1e-8:
            size /= 2
        lam = lam + size * step
        value, p = tried
    if k and float((scaled @ p).abs().max()) > 1e-9:
        raise Refused(
            f"no distribution over these {n} points that is positive everywhere has the moments "
            f"{', '.join(f'{m:g}' for m in moments.tolist())}"
        )
    multipliers = lam / scale
    log_partition = float(value + multipliers @ moments)
    log_density = multipliers @ features - log_partition
    return MaxEnt(p, log_density.exp(), multipliers, log_partition, float(-(p * log_density).sum()))


def interval(low: float, high: float, points: int) -> tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]:
    """Points of [low, high] and their weights, by Gauss and Legendre: sums over them are integrals, to rounding."""
    if not low < high:
        raise Refused(f"an interval from {low:g} to {high:g} is empty")
    x, w = np.polynomial.legendre.leggauss(points)
    half = (high - low) / 2
    return torch.from_numpy(low + half * (x + 1)), torch.from_numpy(half * w)


# Closed forms. Each is the density (or the probabilities) that the Lagrange multipliers give by hand.


def uniform(x: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
    """Of n outcomes about which nothing is known: 1 / n each, entropy log n."""
    return torch.full_like(x, 1 / len(x))


def geometric(x: Float64[Tensor, " n"], mean: float) -> Float64[Tensor, " n"]:
    """Of 0, 1, 2, ... with a known mean μ: (1 - r) r^x with r = μ / (1 + μ)."""
    return (mean / (1 + mean)) ** x / (1 + mean)


def exponential(x: Float64[Tensor, " n"], mean: float) -> Float64[Tensor, " n"]:
    """Of x >= 0 with a known mean μ: exp(-x / μ) / μ, entropy 1 + log μ."""
    return torch.exp(-x / mean) / mean


def gaussian(x: Float64[Tensor, " n"], mean: float, variance: float) -> Float64[Tensor, " n"]:
    """Of all x with a known mean and variance σ²: the normal density, entropy ½ log 2πeσ² (Shannon 1948, sec. 20)."""
    return torch.exp(-((x - mean) ** 2) / (2 * variance)) / (2 * torch.pi * variance) ** 0.5
