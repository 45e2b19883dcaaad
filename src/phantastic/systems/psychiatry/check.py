"""Whether a fit may be believed, person by person: does the behaviour follow at all, and is what is left over noise?"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.randomness import torch_generator
from phantastic.systems.psychiatry.fit import Data, Posterior, Prior, infer

STRONG = 3.0  # nats: "strong" evidence of Kass & Raftery (1995, J. Am. Stat. Assoc. 90:773), a factor of 20
UNLIKELY = 0.01  # of those whom the model describes one in a hundred is marked as well
NEAR = 0.05  # share of the range between a parameter's bounds within which an estimate is at its bound
DRAWS = 2_000


class Check(NamedTuple):
    """Per person: ``evidence`` in nats against behaviour that stays at one level, of as many samples as err on their
    own; ``noise``, the noise's share of the variance of what was recorded (1: nothing is explained); ``p`` of a
    posterior-predictive check."""

    evidence: Float64[Tensor, " people"]
    noise: Float64[Tensor, " people"]
    p: Float64[Tensor, " people"]

    @property
    def follows(self) -> Tensor:
        """Strong evidence, and less noise than half of what was recorded."""
        return (self.evidence > STRONG) & (self.noise < 0.5)

    @property
    def described(self) -> Tensor:
        return self.p >= UNLIKELY


def check(data: Data, posterior: Posterior, prior: Prior, spacing: int = 1) -> Check:
    """Everyone's fit; only every ``spacing``-th sample is independent of those before (0: they come in no order)."""
    nothing = infer(lambda level: level.expand(-1, data.mean.shape[1]), data, _level(prior), grid=3)
    count = data.weight.sum(-1).clamp(min=1)
    level = (data.weight * data.mean).sum(-1) / count
    variance = ((data.weight * (data.mean - level[:, None]) ** 2).sum(-1) + data.within) / count
    error = ((data.weight * (data.mean - posterior.predicted) ** 2).sum(-1) + data.within) / count
    evidence = (posterior.free_energy - nothing.free_energy) * own(data, posterior.predicted, spacing)
    return Check(evidence, error / variance.clamp(min=1e-12), tail(data, posterior.predicted, max(spacing, 1)))


def _level(prior: Prior) -> Prior:
    """Behaviour that stays where it is, wherever that be, with noise as wide as it needs."""
    ends = ((0.0,), (10.0,), (-math.inf,), (math.inf,))
    return Prior(*(torch.tensor(end, dtype=torch.float64) for end in ends), noise=prior.noise / 2, noise_deviation=2.0)


def own(data: Data, predicted: Float64[Tensor, "people samples"], spacing: int = 1) -> Float64[Tensor, " people"]:
    """The share of each person's samples that err on their own, from 0 to 1.

    Errors e of n trials with a correlation c between trials (Fisher's, from the variance of their means) and r between
    neighbours are worth the 1 / (1 + (n - 1) c + 2 n c r / (1 - r))-th part of their number (Kish 1965). A wandering
    eye is fitted by chance, and what is left over wanders: of hundreds of samples it leaves a few.
    """
    shares, order, spacing = [], float(spacing > 0), max(spacing, 1)
    for mean, weight, within in zip(data.mean - predicted, data.weight, data.within, strict=True):
        seen = torch.nonzero(weight > 0)[::spacing, 0]
        error, trials = mean[seen], (weight[seen] * spacing).mean()
        around = within / (weight.sum() - (weight > 0).sum() / spacing).clamp(min=1)  # the variance of a trial
        common = (error.square().mean() - around / trials).clamp(min=0)
        shared = common / (common + around).clamp(min=1e-30)
        along = (error[1:] * error[:-1]).sum() / error.square().sum().clamp(min=1e-30)
        along = order * along.clamp(0, 0.99)
        shares.append(1 / (1 + (trials - 1) * shared + 2 * trials * shared * along / (1 - along)))
    return torch.stack(shares)


def tail(data: Data, predicted: Float64[Tensor, "people samples"], spacing: int = 1) -> Float64[Tensor, " people"]:
    """The posterior-predictive p of each person: how often behaviour from the fitted model is as far from it as theirs.

    The discrepancy (Gelman, Meng & Stern 1996) is the share of the squared errors that sums of neighbours have,
    sum (r_t + r_t+1)^2 / (sum r_t^2 + within), r weighed by repetitions. It knows nothing of the size of the noise,
    which is fitted: it is large where errors run together or where trials agree with each other and not with the fit.
    """
    errors = data.weight.sqrt() * (data.mean - predicted)
    values = []
    for person, (error, weight) in enumerate(zip(errors, data.weight, strict=True)):
        seen = torch.nonzero(weight > 0)[::spacing, 0]
        left = float(weight[seen].sum()) - len(seen)  # degrees of freedom within samples
        repeats = data.within[person] * len(seen) / max(int((weight > 0).sum()), 1) if left > 0 else torch.tensor(0.0)
        if len(seen) < 3:
            values.append(1.0)
            continue
        generator = torch_generator(0, "posterior predictive", len(seen))
        noise = torch.randn(DRAWS, len(seen), generator=generator, dtype=torch.float64)
        around = torch.full((DRAWS,), 0.0, dtype=torch.float64)
        if left > 0:  # a sum of squares, by the cube of a normal (Wilson & Hilferty 1931)
            drawn = torch.randn(DRAWS, generator=generator, dtype=torch.float64)
            around = left * (1 - 2 / (9 * left) + drawn * (2 / (9 * left)) ** 0.5).clamp(min=0) ** 3
        values.append(float((_together(noise, around) >= _together(error[seen], repeats)).double().mean()))
    return torch.tensor(values, dtype=torch.float64)


def _together(errors: Float64[Tensor, "... samples"], within: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
    return (errors[..., 1:] + errors[..., :-1]).square().sum(-1) / (errors.square().sum(-1) + within).clamp(min=1e-30)


def bounded(posterior: Posterior, prior: Prior) -> Tensor:
    """Which parameters, [people, parameters], are at a hard bound or have an interval that reaches across one: there
    the Gaussian interval does not hold."""
    low, high = posterior.interval()
    size = posterior.mean.shape[1]
    near = NEAR * (prior.high - prior.low)[:size]
    at = (posterior.mean < prior.low[:size] + near) | (posterior.mean > prior.high[:size] - near)
    return at | (low < prior.low[:size]) | (high > prior.high[:size])
