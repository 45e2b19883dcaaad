"""Sensitivity from ratings by maximum likelihood: the binormal model of Dorfman & Alf (1969).

A rating says between which two criteria the evidence lay, N(0, 1) without and N(μ, σ²) with the signal.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int
from numpy import ndarray
from scipy.optimize import minimize
from scipy.special import ndtri
from torch import Tensor

from phantastic.ground.errors import Refused

FLAT = 1e-4  # a slope of the log-likelihood, per answer, below which the summit is reached


class Binormal(NamedTuple):
    """What was fitted, with the covariance of (μ, log σ, criteria)."""

    mean: float
    sigma: float
    criteria: Float64[ndarray, " k-1"]
    covariance: Float64[ndarray, "k+1 k+1"]
    log_likelihood: float

    @property
    def distance(self) -> tuple[float, float]:
        """d_a = μ √(2 / (1 + σ²)) with its standard error; d′ where the variances are equal."""
        v = 1 + self.sigma**2
        d = self.mean * math.sqrt(2 / v)
        gradient = np.array([math.sqrt(2 / v), -d * self.sigma**2 / v])
        return d, math.sqrt(max(gradient @ self.covariance[:2, :2] @ gradient, 0.0))


def log_likelihood(
    parameters: Float64[Tensor, " k+1"], signal: Float64[Tensor, " k"], noise: Float64[Tensor, " k"]
) -> Float64[Tensor, ""]:
    """Of μ, log σ and the k − 1 criteria; −∞ where a category that was used is empty of probability."""
    mean, log_sigma, criteria = parameters[0], parameters[1], parameters[2:]
    ends = torch.tensor([-torch.inf, torch.inf], dtype=torch.float64)

    def share(z: Tensor) -> Tensor:
        """Between criteria, from whichever tail is exact."""
        whole = torch.cat([ends[:1], z, ends[1:]])
        low, high = whole[:-1], whole[1:]
        flipped = low > 0
        a, b = torch.where(flipped, -high, low), torch.where(flipped, -low, high)
        return torch.special.ndtr(b) - torch.special.ndtr(a)

    shares = share((criteria - mean) * torch.exp(-log_sigma)), share(criteria)
    return sum((torch.xlogy(n, p).sum() for n, p in zip((signal, noise), shares, strict=True)), torch.zeros(()))


def fit(signal: Int[ndarray, " k"], noise: Int[ndarray, " k"], equal: bool = False) -> Binormal:
    """The summit of the likelihood, from counts by category (the surest no first); ``equal`` holds σ at 1.

    Categories that were never used are left out. Raises `Refused` where no summit is there: with fewer than two
    categories in use, or three for σ, or where no answers of signal and noise overlap.
    """
    used = (signal + noise) > 0
    a, b = (torch.from_numpy(each[used].astype(float)) for each in (signal, noise))
    k, total = len(a), float(a.sum() + b.sum())
    least = 2 if equal else 3
    if k < least or not a.sum() or not b.sum():
        raise Refused(f"{k} categories of answers are in use, over signal and noise; a fit takes at least {least}")
    overlap = torch.nonzero(a)[0] < torch.nonzero(b)[-1] and torch.nonzero(b)[0] < torch.nonzero(a)[-1]
    if not overlap:
        raise Refused("the answers to signal and to noise do not overlap: no finite d′ is most likely")

    def free(x: ndarray) -> Tensor:
        """μ, log σ, the first criterion and the logarithms of the steps to the next."""
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    def natural(t: Tensor) -> Tensor:
        """The same with the criteria themselves."""
        log_sigma = t[1:2] * 0 if equal else t[1:2]
        return torch.cat([t[:1], log_sigma, torch.cat([t[2:3], t[2:3] + torch.exp(t[3:]).cumsum(0)])])

    def objective(x: ndarray) -> tuple[float, ndarray]:
        t = free(x)
        loss = -log_likelihood(natural(t), a, b) / total
        loss.backward()
        return float(loss.detach()), np.asarray(t.grad)

    below = (b.cumsum(0)[:-1] + 0.5) / (b.sum() + 1)  # a start from the noise alone
    criteria = np.maximum.accumulate(ndtri(below.numpy()) + 1e-2 * np.arange(k - 1))
    steps = np.log(np.maximum(np.diff(criteria), 1e-2))
    found = minimize(objective, np.array([1.0, 0.0, criteria[0], *steps]), jac=True, method="BFGS", tol=1e-9)
    if not np.isfinite(found.fun) or np.abs(found.jac).max() > FLAT or np.abs(found.x[:2]).max() > 20:
        raise Refused("no d′ is most likely: too few answers, or categories that only signal or only noise has")
    best = natural(free(found.x)).detach()
    hessian: Any = torch.autograd.functional.hessian(lambda p: -log_likelihood(p, a, b), best)
    kept = [0, *range(2, len(best))] if equal else list(range(len(best)))
    covariance = np.zeros((len(best), len(best)))
    try:
        covariance[np.ix_(kept, kept)] = np.linalg.inv(hessian.numpy()[np.ix_(kept, kept)])
    except np.linalg.LinAlgError:
        raise Refused("the answers do not say where the criteria lie; give more trials") from None
    if not (np.diag(covariance) >= 0).all():
        raise Refused("the answers do not say where the criteria lie; give more trials")
    sigma = math.exp(float(best[1]))
    return Binormal(float(best[0]), sigma, best[2:].numpy(), covariance, -found.fun * total)
