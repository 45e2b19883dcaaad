"""Mean field: a correlated Gaussian fitted by a factorised one, and by a full one, under forward and reverse KL.

The optimum is given in closed form and by gradient descent, float64 throughout. Both Gaussians are centred, as they
are at the optimum of either divergence.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.systems.vae.divergence import Direction, minimise


class CovarianceFit(NamedTuple):
    """The covariance of a Gaussian fitted to another one, and the divergence in nats."""

    covariance: Float64[Tensor, "d d"]
    divergence: float


def covariance_kl(q: Float64[Tensor, "d d"], p: Float64[Tensor, "d d"]) -> Float64[Tensor, ""]:
    """KL(N(0, q) || N(0, p)) in nats."""
    return 0.5 * (torch.linalg.solve(p, q).trace() - len(p) + torch.logdet(p) - torch.logdet(q))


def mean_field(covariance: Float64[Tensor, "d d"], direction: Direction) -> CovarianceFit:
    """The factorised optimum in closed form (Bishop 2006, section 10.1.2).

    Reverse: variances 1 / precision_ii, the conditional ones, too narrow. Forward: the marginal variances.
    Raises `Refused` unless the covariance is symmetric and positive definite.
    """
    _check(covariance)
    variances = 1 / torch.linalg.inv(covariance).diagonal() if direction == "reverse" else covariance.diagonal()
    return _fit(variances.diag(), covariance, direction)


def fit_covariance(
    covariance: Float64[Tensor, "d d"],
    direction: Direction,
    family: Literal["factorised", "full"],
    steps: int = 400,
    rate: float = 0.1,
) -> CovarianceFit:
    """The optimum by gradient descent from the standard normal, within a factorised or a full family.

    The family is a lower-triangular factor of the covariance with its diagonal in logs; the factorised one has zeros
    below the diagonal. A full family reaches divergence 0 in either direction.
    """
    _check(covariance)
    below = torch.ones_like(covariance).tril(-1) * (family == "full")

    def build(parameters: Tensor) -> Tensor:
        factor = parameters * below + parameters.diagonal().exp().diag()
        return factor @ factor.T

    def loss(parameters: Tensor) -> Tensor:
        return _directed_kl(build(parameters), covariance, direction)

    path = minimise(loss, torch.zeros_like(covariance), steps, rate)
    return _fit(build(path[-1]), covariance, direction)


def _directed_kl(q: Tensor, p: Tensor, direction: Direction) -> Tensor:
    return covariance_kl(q, p) if direction == "reverse" else covariance_kl(p, q)


def _fit(q: Tensor, p: Tensor, direction: Direction) -> CovarianceFit:
    return CovarianceFit(q, float(_directed_kl(q, p, direction)))


def _check(covariance: Tensor) -> None:
    symmetric = (
        covariance.ndim == 2 and covariance.shape[0] == covariance.shape[1] and covariance.allclose(covariance.T)
    )
    if not symmetric or covariance.dtype != torch.float64 or torch.linalg.cholesky_ex(covariance).info != 0:
        raise Refused("the covariance must be a symmetric, positive-definite float64 matrix")
