"""A person's parameters from behaviour: variational Laplace through the simulator, for many people at once.

    y = s(theta) + e,   theta ~ N(m, S),   e ~ N(0, exp(-lambda)),   lambda ~ N(lambda0, V)

The posterior is taken as q(theta) q(lambda), both Gaussian around their modes (Friston, Mattout, Trujillo-Barreto,
Ashburner & Penny 2007, NeuroImage 34:220). theta moves by Gauss-Newton steps with the simulator's Jacobian from finite
differences: one batch of the simulator holds everyone's present point and all its perturbations. A step that lowers a
person's free energy is taken back and shortened; who has arrived leaves the batch.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

Simulator = Callable[[Float64[Tensor, "batch parameters"]], Float64[Tensor, "batch samples"]]
STEP = 1e-4  # of the finite differences, in standard deviations of the prior
# Squared length of a step, in posterior standard deviations, and gain in nats, below which it is the last
ARRIVED = 1e-2
NORMAL = 1.959964  # half the width of a 95% interval, in standard deviations


class Prior(NamedTuple):
    """Beliefs about people before their data: parameters with their bounds, and the log-precision of the noise."""

    mean: Float64[Tensor, " parameters"]
    deviation: Float64[Tensor, " parameters"]
    low: Float64[Tensor, " parameters"]
    high: Float64[Tensor, " parameters"]
    noise: float
    noise_deviation: float


class Data(NamedTuple):
    """Behaviour: the mean of each sample over repetitions, its weight (how often it was seen; 0: missing), and the sum
    of squares of the repetitions around their means."""

    mean: Float64[Tensor, "people samples"]
    weight: Float64[Tensor, "people samples"]
    within: Float64[Tensor, " people"]

    def of(self, rows: Tensor) -> "Data":
        return Data(*(each[rows] for each in self))


class Posterior(NamedTuple):
    """What the data say of each person: Gaussians over the parameters and over the log-precision of the noise."""

    mean: Float64[Tensor, "people parameters"]
    covariance: Float64[Tensor, "people parameters parameters"]
    noise: Float64[Tensor, " people"]
    noise_variance: Float64[Tensor, " people"]
    free_energy: Float64[Tensor, " people"]
    predicted: Float64[Tensor, "people samples"]

    @property
    def deviation(self) -> Float64[Tensor, "people parameters"]:
        return self.covariance.diagonal(dim1=-2, dim2=-1).sqrt()

    def interval(self) -> tuple[Tensor, Tensor]:
        """Ends of the 95% intervals, each [people, parameters]."""
        return self.mean - NORMAL * self.deviation, self.mean + NORMAL * self.deviation


def repeated(trials: Float64[Tensor, "people trials samples"]) -> Data:
    """Trials of the same task; NaN is a missing sample."""
    seen = trials.isfinite()
    count, filled = seen.double().sum(1), torch.where(seen, trials, 0.0)
    mean = filled.sum(1) / count.clamp(min=1)
    within = torch.where(seen, trials - mean[:, None], 0.0).square().sum((1, 2))
    return Data(mean, count, within)


def infer(simulate: Simulator, data: Data, prior: Prior, grid: int = 9, steps: int = 16) -> Posterior:
    """The posterior of everyone.

    Everybody starts from the best point of a grid over two prior standard deviations, ``grid`` in each direction,
    which is simulated once for all. At most ``steps`` Gauss-Newton steps follow.
    """
    people = len(data.mean)
    points = lattice(prior, grid)
    traces = simulate(points)
    mean = points[_closest(traces, data, points, prior)]
    best = Posterior(
        mean,
        covariance=torch.diag_embed(prior.deviation**2).expand(people, -1, -1).clone(),
        noise=torch.full((people,), prior.noise, dtype=torch.float64),
        noise_variance=torch.ones(people, dtype=torch.float64),
        free_energy=torch.full((people,), -math.inf, dtype=torch.float64),
        predicted=torch.zeros_like(data.mean),
    )
    tried, length = mean.clone(), torch.ones(people, dtype=torch.float64)
    gradient, active = torch.zeros_like(mean), torch.arange(people)
    for _ in range(steps):
        posterior, slope = _evaluate(simulate, data.of(active), prior, tried[active], best.noise[active])
        better = posterior.free_energy > best.free_energy[active]
        arrived = better & (posterior.free_energy - best.free_energy[active] < ARRIVED)
        kept = active[better]
        for field, value in zip(best, posterior, strict=True):
            field[kept] = value[better]
        gradient[kept] = slope[better]
        length[active] = torch.where(better, (2 * length[active]).clamp(max=1), length[active] / 4)
        step = (best.covariance[active] @ gradient[active][..., None])[..., 0] * length[active][:, None]
        tried[active] = (best.mean[active] + step).clamp(prior.low, prior.high)
        step = tried[active] - best.mean[active]
        short = (step * torch.linalg.solve(best.covariance[active], step)).sum(-1) < ARRIVED
        active = active[~(arrived | short)]
        if not len(active):
            break
    return best


def lattice(prior: Prior, number: int) -> Float64[Tensor, "points parameters"]:
    """A grid over two standard deviations of the prior on either side, within its bounds."""
    axes = [
        (m + s * torch.linspace(-2, 2, number, dtype=torch.float64)).clamp(low, high)
        for m, s, low, high in zip(prior.mean, prior.deviation, prior.low, prior.high, strict=True)
    ]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def _closest(traces: Tensor, data: Data, points: Tensor, prior: Prior) -> Tensor:
    """The grid point with the highest probability for each person, at the best precision of noise there."""
    squares = _squares(traces, data)
    number = data.weight.sum(-1, keepdim=True)
    spread = 1 / prior.noise_deviation**2
    noise = torch.full_like(squares, prior.noise)
    for _ in range(8):
        noise = _towards(noise, squares, number, prior, spread)
    fit = number / 2 * noise - noise.exp() / 2 * squares - (noise - prior.noise) ** 2 * spread / 2
    return (fit - (((points - prior.mean) / prior.deviation) ** 2).sum(-1) / 2).argmax(-1)


def _squares(traces: Float64[Tensor, "points samples"], data: Data) -> Float64[Tensor, "people points"]:
    """Sums of squared errors of every person under every trace."""
    own = (data.weight * data.mean**2).sum(-1, keepdim=True)
    return own - 2 * (data.weight * data.mean) @ traces.T + data.weight @ (traces**2).T + data.within[:, None]


def _towards(noise: Tensor, squares: Tensor, number: Tensor, prior: Prior, spread: float) -> Tensor:
    """One of Newton's steps for the log-precision of the noise, of at most 2."""
    pull = number / 2 - noise.exp() / 2 * squares - (noise - prior.noise) * spread
    return noise + (pull / (noise.exp() / 2 * squares + spread)).clamp(-2, 2)


def _evaluate(
    simulate: Simulator, data: Data, prior: Prior, mean: Tensor, noise: Tensor
) -> tuple[Posterior, Float64[Tensor, "people parameters"]]:
    """Posterior and free energy at ``mean``, and the gradient of the log joint there."""
    people, size = mean.shape
    nudge = STEP * prior.deviation
    points = torch.cat([mean[:, None], mean[:, None] + torch.diag(nudge)], 1)
    traces = simulate(points.flatten(0, 1)).unflatten(0, (people, size + 1))
    predicted = traces[:, 0]
    slope = (traces[:, 1:] - predicted[:, None]) / nudge[:, None]  # [people, parameters, samples]
    error = data.mean - predicted
    squares = (data.weight * error**2).sum(-1) + data.within
    information = torch.einsum("ips,is,iqs->ipq", slope, data.weight, slope)
    number, spread = data.weight.sum(-1), 1 / prior.noise_deviation**2
    tight = torch.diag(prior.deviation**-2)
    for _ in range(8):  # the noise answers to errors and to what is uncertain about the parameters
        covariance = torch.linalg.inv(noise.exp()[:, None, None] * information + tight)
        doubt = (covariance * information).sum((-1, -2))
        noise = _towards(noise, squares + doubt, number, prior, spread)
    covariance = torch.linalg.inv(noise.exp()[:, None, None] * information + tight)
    away = (mean - prior.mean) / prior.deviation
    noise_variance = 1 / (noise.exp() / 2 * squares + spread)
    free_energy = (
        number / 2 * (noise - math.log(2 * math.pi))
        - noise.exp() / 2 * squares
        - away.square().sum(-1) / 2
        - prior.deviation.log().sum()
        + torch.logdet(covariance) / 2
        - (noise - prior.noise) ** 2 * spread / 2
        + (noise_variance * spread).log() / 2
    )
    gradient = noise.exp()[:, None] * torch.einsum("ips,is,is->ip", slope, data.weight, error)
    gradient = gradient - away / prior.deviation
    return Posterior(mean, covariance, noise, noise_variance, free_energy, predicted), gradient
