"""Groups of simulated people: drawn, recovered from their behaviour, and compared."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from phantastic.ground.randomness import torch_generator
from phantastic.systems.psychiatry.fit import Data, Posterior, Prior, repeated

Group = tuple[tuple[float, float], ...]  # mean and standard deviation of each parameter


class Cohort(NamedTuple):
    """People, in as many groups of equal size as there are."""

    parameters: Float64[Tensor, "people parameters"]
    group: Int64[Tensor, " people"]

    def of(self, rows: Tensor) -> "Cohort":
        return Cohort(self.parameters[rows], self.group[rows])


class Recovery(NamedTuple):
    """How well a parameter was recovered: correlation with the truth, over all and within each group, the share of
    people whose 95% interval covers it, and the root mean square error."""

    correlation: float
    within: list[float]
    coverage: float
    error: float


class Level(NamedTuple):
    """A group's mean of each parameter and the covariance of that mean, and the variances between people."""

    mean: Float64[Tensor, " parameters"]
    covariance: Float64[Tensor, "parameters parameters"]
    between: Float64[Tensor, " parameters"]


def draw(groups: tuple[Group, ...], people: int, prior: Prior, seed: int, purpose: str) -> Cohort:
    """``people`` drawn from the groups in turn, within the bounds of the prior (beyond them nothing is simulated)."""
    group = torch.arange(people) % len(groups)
    table = torch.tensor(groups, dtype=torch.float64)[group]
    drawn = torch.randn(table.shape[:-1], generator=torch_generator(seed, f"{purpose}/people"), dtype=torch.float64)
    parameters = table[..., 0] + table[..., 1] * drawn
    return Cohort(parameters.clamp(prior.low, prior.high), group)


def measured(behaviour: Float64[Tensor, "people samples"], noise: float, trials: int, seed: int, purpose: str) -> Data:
    """What is recorded of the behaviour in so many trials; the size of the noise differs between people by a third."""
    generator = torch_generator(seed, f"{purpose}/noise")
    people, samples = behaviour.shape
    size = noise * torch.exp(torch.randn(people, 1, 1, generator=generator, dtype=torch.float64) / 3)
    drawn = torch.randn(people, trials, samples, generator=generator, dtype=torch.float64)
    return repeated(behaviour[:, None] + size * drawn)


def recovered(cohort: Cohort, posterior: Posterior) -> list[Recovery]:
    """For each parameter."""
    low, high = posterior.interval()
    covered = ((low <= cohort.parameters) & (cohort.parameters <= high)).double().mean(0)
    error = (posterior.mean - cohort.parameters).square().mean(0).sqrt()
    groups = [cohort.group == number for number in cohort.group.unique().tolist()]

    def correlation(rows: Tensor, k: int) -> float:
        return float(torch.corrcoef(torch.stack([posterior.mean[rows, k], cohort.parameters[rows, k]]))[0, 1])

    return [
        Recovery(
            correlation(torch.ones_like(groups[0]), k),
            [correlation(rows, k) for rows in groups],
            float(covered[k]),
            float(error[k]),
        )
        for k in range(posterior.mean.shape[-1])
    ]


def level(posterior: Posterior, prior: Prior, steps: int = 200) -> Level:
    """A group's mean and spread under a Gaussian between people, by expectation maximisation.

    What each person's data say is their posterior without its prior, so that nobody is drawn to the prior's mean
    (parametric empirical Bayes; Friston et al. 2016, NeuroImage 128:413).
    """
    posterior_precision, prior_precision = torch.linalg.inv(posterior.covariance), torch.diag(prior.deviation**-2)
    information = posterior_precision - prior_precision
    pull = (posterior_precision @ posterior.mean[..., None])[..., 0] - prior_precision @ prior.mean
    mean, between = prior.mean.clone(), prior.deviation**2
    for _ in range(steps):
        precision = torch.diag(1 / between)
        covariance = torch.linalg.inv(information + precision)
        individual = (covariance @ (pull + precision @ mean)[..., None])[..., 0]
        mean = individual.mean(0)
        between = (covariance.diagonal(dim1=-2, dim2=-1) + (individual - mean) ** 2).mean(0).clamp(min=1e-8)
    precision = torch.diag(1 / between)
    covariance = torch.linalg.inv(information + precision)
    return Level(mean, torch.linalg.inv((precision - precision @ covariance @ precision).sum(0)), between)


class Difference(NamedTuple):
    """The difference of two groups' means of a parameter, with its 95% interval."""

    mean: float
    low: float
    high: float


def compare(one: Level, other: Level, people: int) -> list[Difference]:
    """For each parameter: the mean of ``one`` minus that of ``other``; ``people``: of both groups together."""
    from scipy.stats import t

    quantile = float(t.ppf(0.975, max(people - 2, 1)))
    margins = quantile * (one.covariance + other.covariance).diagonal().sqrt()
    return [
        Difference(d, d - m, d + m)
        for d, m in zip((one.mean - other.mean).tolist(), margins.tolist(), strict=True)
        if math.isfinite(d)
    ]
