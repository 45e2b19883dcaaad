"""A person's parameters from behaviour: variational Laplace through the simulator, for many people at once.

    y = s(theta) + e,   theta ~ N(m, S),   e ~ N(0, exp(-lambda)),   lambda ~ N(lambda0, V)

The posterior is taken as q(theta) q(lambda), both Gaussian around their modes (Friston, Mattout, Trujillo-Barreto,
Ashburner & Penny 2007, NeuroImage 34:220). theta moves by Gauss-Newton steps with the simulator's Jacobian from finite
differences: one batch of the simulator holds everyone's present point and all its perturbations. A step that lowers a
person's free energy is taken back and shortened; who has arrived leaves the batch.

How behaviour was recorded is inferred along with it, y(t) = offset + gain s(t - latency) + e, and then integrated out:
the covariance of the person's own parameters contains what is not known of these (Friston et al. 2007, section 2).
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


class Recording(NamedTuple):
    """Standard deviations, between recordings, of what is no one's behaviour: offset (mean 0, in units of the
    behaviour), gain (mean 1) and latency (mean 0, in samples; above 0 the recording is late)."""

    offset: float
    gain: float
    latency: float

    def with_prior(self, prior: Prior) -> Prior:
        """The prior of the person's parameters followed by offset, gain and latency, within four deviations."""
        mean, deviation = torch.tensor([0.0, 1.0, 0.0]).double(), torch.tensor(self, dtype=torch.float64)
        return Prior(
            torch.cat([prior.mean, mean]),
            torch.cat([prior.deviation, deviation]),
            torch.cat([prior.low, mean - 4 * deviation]),
            torch.cat([prior.high, mean + 4 * deviation]),
            prior.noise,
            prior.noise_deviation,
        )


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

    def first(self, number: int) -> "Posterior":
        """Of the first parameters alone, the others integrated out."""
        return self._replace(mean=self.mean[:, :number], covariance=self.covariance[:, :number, :number])

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


def infer(
    simulate: Simulator,
    data: Data,
    prior: Prior,
    grid: int = 9,
    steps: int = 16,
    recording: Recording | None = None,
) -> Posterior:
    """The posterior of everyone; with a ``recording``, offset, gain and latency come after the parameters.

    Everybody starts from the best point of a grid over two prior standard deviations, ``grid`` in each direction,
    which is simulated once for all. At most ``steps`` Gauss-Newton steps follow.
    """
    people = len(data.mean)
    points = lattice(prior, grid)
    mean = _start(simulate(points), data, points, prior, recording)
    prior = recording.with_prior(prior) if recording else prior
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
        posterior, slope = _evaluate(simulate, data.of(active), prior, tried[active], best.noise[active], recording)
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


def _start(traces: Tensor, data: Data, points: Tensor, prior: Prior, recording: Recording | None) -> Tensor:
    """Everyone's best point of the grid; with a recording also over latencies, each with its best offset and gain."""
    if recording is None:
        return points[_closest(_squares(traces, data), data, points, prior)]
    latency = recording.latency * torch.linspace(-2, 2, 9, dtype=torch.float64)
    late = delayed(traces.repeat(len(latency), 1), latency.repeat_interleave(len(traces)))
    wide = torch.cat([points.repeat(len(latency), 1), latency.repeat_interleave(len(traces))[:, None]], 1)
    squares, offset, gain = _calibrated(late, data, prior, recording)
    zero, spread = torch.zeros(1, dtype=torch.float64), torch.tensor([recording.latency], dtype=torch.float64)
    joint = prior._replace(mean=torch.cat([prior.mean, zero]), deviation=torch.cat([prior.deviation, spread]))
    best = _closest(squares, data, wide, joint)
    calibration = [each.gather(1, best[:, None]) for each in (offset, gain)]
    ends = recording.with_prior(prior)
    return torch.cat([wide[best, :-1], *calibration, wide[best, -1:]], 1).clamp(ends.low, ends.high)


def _calibrated(traces: Tensor, data: Data, prior: Prior, recording: Recording) -> tuple[Tensor, Tensor, Tensor]:
    """Squared errors of every person under every trace with the offset and gain that make them least, and these.

    Both enter linearly, so their prior is a ridge: its strength is that of the noise expected beforehand.
    """
    weight, error = data.weight, math.exp(-prior.noise)
    one, two = weight @ traces.T, weight @ (traces**2).T
    total = weight.sum(-1, keepdim=True)
    b1 = (weight * data.mean).sum(-1, keepdim=True) - one
    b2 = (weight * data.mean) @ traces.T - two
    a11, a22 = total + error / recording.offset**2, two + error / recording.gain**2
    determinant = a11 * a22 - one**2
    offset, gain = (a22 * b1 - one * b2) / determinant, (a11 * b2 - one * b1) / determinant
    return _squares(traces, data) - offset * b1 - gain * b2, offset, 1 + gain


def delayed(
    traces: Float64[Tensor, "traces samples"], latency: Float64[Tensor, " traces"]
) -> Float64[Tensor, "traces samples"]:
    """The traces ``latency`` samples later, between samples by the cubic through the four around (Catmull & Rom 1974);
    beyond the ends they stand still."""
    samples = traces.shape[-1]
    at = torch.arange(samples) - latency[:, None]
    left = at.floor()
    share = at - left
    p0, p1, p2, p3 = (traces.gather(1, (left.long() + k).clamp(0, samples - 1)) for k in (-1, 0, 1, 2))
    bend = 2 * p0 - 5 * p1 + 4 * p2 - p3 + (3 * (p1 - p2) + p3 - p0) * share
    return p1 + share / 2 * (p2 - p0 + share * bend)


def _closest(squares: Tensor, data: Data, points: Tensor, prior: Prior) -> Tensor:
    """The point with the highest probability for each person, at the best precision of noise there."""
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
    simulate: Simulator, data: Data, prior: Prior, mean: Tensor, noise: Tensor, recording: Recording | None
) -> tuple[Posterior, Float64[Tensor, "people parameters"]]:
    """Posterior and free energy at ``mean``, and the gradient of the log joint there."""
    predicted, slope = _sensitivity(simulate, mean, STEP * prior.deviation, recording)
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


def _sensitivity(
    simulate: Simulator, mean: Tensor, nudge: Tensor, recording: Recording | None
) -> tuple[Float64[Tensor, "people samples"], Float64[Tensor, "people parameters samples"]]:
    """What is predicted, and its derivatives. How it is recorded costs no simulation."""
    people, size = len(mean), mean.shape[1] - (3 if recording else 0)
    own, nudge = mean[:, :size], nudge[:size]
    points = torch.cat([own[:, None], own[:, None] + torch.diag(nudge)], 1)
    traces = simulate(points.flatten(0, 1))
    if recording is None:
        traces = traces.unflatten(0, (people, size + 1))
        return traces[:, 0], (traces[:, 1:] - traces[:, :1]) / nudge[:, None]
    offset, gain, latency = mean[:, size:].T
    late = delayed(traces, latency.repeat_interleave(size + 1)).unflatten(0, (people, size + 1))
    moved = (delayed(traces[:: size + 1], latency + STEP) - late[:, 0]) / STEP
    gain = gain[:, None]
    slope = gain[..., None] * (late[:, 1:] - late[:, :1]) / nudge[:, None]
    nuisances = torch.stack([torch.ones_like(moved), late[:, 0], gain * moved], 1)
    return offset[:, None] + gain * late[:, 0], torch.cat([slope, nuisances], 1)
