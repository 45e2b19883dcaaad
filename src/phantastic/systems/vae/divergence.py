"""One Gaussian for what is not one Gaussian: what forward and reverse KL each make of it.

Variational inference minimises the reverse divergence KL(q || p), which punishes q for being where p is not; the
forward divergence KL(p || q) punishes q for not being where p is (Bishop 2006, section 10.1.2; Higgins et al. 2018,
Figure 2). Everything here is float64 and in nats. Each optimum is had in two ways: by gradient descent from several
starts, as a network would find it, and exactly, from moments or by scanning a quadrature on a fixed grid.

An *objective* maps mean and standard deviation of q, of one shape, to what is minimised, of that shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, isfinite, log, pi, sqrt
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from scipy.ndimage import minimum_filter
from scipy.optimize import brentq, minimize
from torch import Tensor

from phantastic.ground.errors import Refused

Objective = Callable[[Float64[Tensor, "*q"], Float64[Tensor, "*q"]], Float64[Tensor, "*q"]]
Direction = Literal["forward", "reverse"]
REACH = 9.0  # standard deviations after which a Gaussian's mass is below float64's resolution


@dataclass(frozen=True)
class Mixture:
    """Gaussians on a line with their weights; raises `Refused` unless sds are positive and weights sum to 1."""

    means: tuple[float, ...]
    sds: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.means) == len(self.sds) == len(self.weights) > 0:
            raise Refused("a mixture needs one mean, one sd and one weight for each of its components")
        if not all(isfinite(m) for m in self.means) or not all(0 < s < float("inf") for s in self.sds):
            raise Refused(f"mixture with means {self.means} and sds {self.sds}: means are finite, sds above 0")
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise Refused(f"mixture weights {self.weights}: expected numbers above 0 that sum to 1")

    def log_density(self, x: Float64[Tensor, "*x"]) -> Float64[Tensor, "*x"]:
        """log p(x)."""
        means, sds, weights = _components(self)
        return torch.logsumexp(_log_normal(x[..., None], means, sds) + weights.log(), dim=-1)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the whole mixture."""
        w, m, s = (np.array(field) for field in (self.weights, self.means, self.sds))
        mean = float(w @ m)
        return mean, sqrt(w @ (s**2 + (m - mean) ** 2))


class Fit(NamedTuple):
    """A Gaussian fitted to a mixture and the value of the objective there, in nats."""

    mean: float
    sd: float
    divergence: float


class Descent(NamedTuple):
    """Where gradient descent ended from each start, and the means and sds it went through."""

    fits: tuple[Fit, ...]
    path: Float64[Tensor, "steps starts 2"]


def two_modes(half_distance: float) -> Mixture:
    """Half N(-half_distance, 1) and half N(half_distance, 1)."""
    return Mixture((-half_distance, half_distance), (1.0, 1.0), (0.5, 0.5))


# Objectives for descent: expectations under p from its moments, under q by reparameterisation.


def forward_kl(p: Mixture) -> Objective:
    """KL(p || q) = -H(p) - E_p log q; the expectation needs only the mean and variance of p."""
    x = _grid(p, p.moments()[1], min(p.sds))
    log_p = p.log_density(x)
    negative_entropy = torch.trapezoid(log_p.exp() * log_p, x)
    mean_p, sd_p = p.moments()
    return lambda mean, sd: negative_entropy + 0.5 * ((sd_p**2 + (mean_p - mean) ** 2) / sd**2 + log(2 * pi)) + sd.log()


def reverse_kl(p: Mixture) -> Objective:
    """KL(q || p) = E_t[log q - log p] at x = mean + sd t, t ~ N(0, 1) (the reparameterisation of Kingma & Welling)."""
    t = torch.linspace(-REACH, REACH, 721, dtype=torch.float64)
    density = _log_normal(t, torch.zeros_like(t), torch.ones_like(t)).exp()
    negative_entropy = -0.5 * (1 + log(2 * pi))

    def objective(mean: Tensor, sd: Tensor) -> Tensor:
        log_p = p.log_density(mean[..., None] + sd[..., None] * t)
        return negative_entropy - sd.log() - torch.trapezoid(density * log_p, t)

    return objective


def pairwise_forward_kl(p: Mixture) -> Objective:
    """The weighted mean over components of KL(N_i || q); its optimum is that of `forward_kl`."""
    m, s, w = _components(p)
    return lambda mean, sd: gaussian_kl(m, s, mean[..., None], sd[..., None]) @ w


def pairwise_reverse_kl(p: Mixture) -> Objective:
    """The weighted mean over components of KL(q || N_i).

    This is what a grounding in the reverse direction trains when images come one at a time. It does not settle on a
    mode: the optimum is the precision-weighted mean with the harmonic mean of the variances, between the modes.
    """
    m, s, w = _components(p)
    return lambda mean, sd: gaussian_kl(mean[..., None], sd[..., None], m, s) @ w


def grounding(p: Mixture, weight: float = 10.0, beta: float = 1.0) -> Objective:
    """weight * mean_i KL(N_i || q) + beta KL(q || N(0, 1)): SCAN's latent terms (Higgins et al. 2018, Eq. 4).

    The components of ``p`` are the codes of the images of one concept, q is the code of its symbol.
    """
    covering, (zero, one) = pairwise_forward_kl(p), _float64((0.0, 1.0))
    return lambda mean, sd: weight * covering(mean, sd) + beta * gaussian_kl(mean, sd, zero, one)


def by_quadrature(p: Mixture, direction: Direction) -> Objective:
    """KL(p || q) or KL(q || p) as an integral over one fixed grid of x, for any q within the scan of `optima`."""
    _, sds = _scan(p)
    x = _grid(p, float(sds[-1]), float(sds[0]))
    log_p = p.log_density(x)

    def objective(mean: Tensor, sd: Tensor) -> Tensor:
        log_q = _log_normal(x, mean[..., None], sd[..., None])
        towards, away = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        return torch.trapezoid(towards.exp() * (towards - away), x)

    return objective


def moment_match(p: Mixture) -> Fit:
    """The optimum of forward KL in closed form: q takes the mean and the variance of p."""
    mean, sd = p.moments()
    return Fit(mean, sd, float(by_quadrature(p, "forward")(*_float64((mean, sd)))))


def optima(p: Mixture, objective: Objective) -> tuple[Fit, ...]:
    """Every minimum, local ones too, lowest first: a scan over mean and sd, each lowest cell refined (Nelder-Mead)."""
    means, sds = _scan(p)
    values = torch.stack([objective(mean.expand_as(sds), sds) for mean in means]).numpy()
    fits: dict[tuple[float, float], Fit] = {}
    for i, j in np.argwhere(values == minimum_filter(values, size=3, mode="nearest")):
        best = minimize(
            lambda at: float(objective(_float64(at[0]), _float64(at[1]).exp())),
            [float(means[i]), float(sds[j].log())],
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-13},
        )
        fit = Fit(float(best.x[0]), float(np.exp(best.x[1])), float(best.fun))
        fits.setdefault((round(fit.mean, 3) + 0.0, round(fit.sd, 3)), fit)
    return tuple(sorted(fits.values(), key=lambda fit: (round(fit.divergence, 9), fit.mean)))


def descend(
    objective: Objective, starts: Sequence[tuple[float, float]], steps: int = 600, rate: float = 0.1
) -> Descent:
    """Gradient descent on mean and log sd from each (mean, sd) of ``starts``, side by side."""
    if not starts or min(sd for _, sd in starts) <= 0:
        raise Refused(f"starts {list(starts)}: expected pairs of a mean and an sd above 0")
    start = torch.stack([_float64([m for m, _ in starts]), _float64([s for _, s in starts]).log()], dim=1)
    path = minimise(lambda at: objective(at[:, 0], at[:, 1].exp()).sum(), start, steps, rate)
    path[..., 1] = path[..., 1].exp()
    mean, sd = path[-1].unbind(dim=1)
    ends = zip(mean.tolist(), sd.tolist(), objective(mean, sd).tolist(), strict=True)
    return Descent(tuple(Fit(*end) for end in ends), path)


def curvature_in_mean(objective: Objective, mean: float, sd: float) -> float:
    """Second derivative of the objective in the mean of q; at a stationary point, above 0 means no way out along it."""
    at = _float64(mean).requires_grad_()
    (slope,) = torch.autograd.grad(objective(at, _float64(sd)), at, create_graph=True)
    return float(torch.autograd.grad(slope, at)[0])


def crossing(low: float = 2.6, high: float = 3.0) -> float:
    """The half distance of `two_modes` from which on one mode is a better reverse fit than the middle (about 2.8)."""

    def advantage(half_distance: float) -> float:
        p = two_modes(half_distance)
        fits = sorted(optima(p, by_quadrature(p, "reverse")), key=lambda fit: abs(fit.mean))
        return fits[0].divergence - fits[-1].divergence

    return float(brentq(advantage, low, high, xtol=1e-6))  # pyright: ignore[reportArgumentType]


def gaussian_kl(mean_q: Tensor, sd_q: Tensor, mean_p: Tensor, sd_p: Tensor) -> Tensor:
    """KL(N(mean_q, sd_q^2) || N(mean_p, sd_p^2)), elementwise, in nats."""
    return (sd_p / sd_q).log() + 0.5 * ((sd_q**2 + (mean_q - mean_p) ** 2) / sd_p**2 - 1)


def minimise(loss: Callable[[Tensor], Tensor], start: Tensor, steps: int, rate: float) -> Tensor:
    """Adam with the rate falling to 0 on a cosine; every point passed, [steps + 1, *start]."""
    at = start.clone().requires_grad_()
    # A short memory of squared slopes: a narrow q far from p starts on a wall, and would remember it for too long.
    optimiser = torch.optim.Adam([at], lr=rate, betas=(0.9, 0.9))
    path = [start.clone()]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 + cos(pi * step / steps)) / 2
        optimiser.zero_grad()
        loss(at).backward()
        optimiser.step()
        path.append(at.detach().clone())
    return torch.stack(path)


def _scan(p: Mixture) -> tuple[Tensor, Tensor]:
    """Means over the extent of p, with its centre, and sds from half the narrowest component to twice the whole."""
    _, sd = p.moments()
    means = torch.linspace(min(p.means) - min(p.sds), max(p.means) + min(p.sds), 61, dtype=torch.float64)
    return means, torch.logspace(log(min(p.sds) / 2, 10), log(2 * sd, 10), 41, dtype=torch.float64)


def _grid(p: Mixture, widest: float, narrowest: float) -> Tensor:
    """Points on which the trapezoid rule is exact to float64 for Gaussians as wide and as narrow as given."""
    reach = REACH * max(widest, *p.sds) + min(p.sds)
    low, high = min(p.means) - reach, max(p.means) + reach
    points = int(6 * (high - low) / narrowest) + 1
    if points > 50_000:
        raise Refused(f"a mixture with means {p.means} and sds {p.sds} is too narrow for its extent to be integrated")
    return torch.linspace(low, high, points, dtype=torch.float64)


def _log_normal(x: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    return -0.5 * ((x - mean) / sd) ** 2 - sd.log() - 0.5 * log(2 * pi)


def _components(p: Mixture) -> tuple[Tensor, Tensor, Tensor]:
    return _float64(p.means), _float64(p.sds), _float64(p.weights)


def _float64(values: float | Sequence[float] | np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)
