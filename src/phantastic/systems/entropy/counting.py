"""Boltzmann's entropy S = k ln W: counting the microstates behind a macrostate (Boltzmann 1877).

A macrostate says how many of N particles are in each cell; W is the number of ways to deal the particles out like that.
"""

from math import log, pi

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused


def log_microstates(counts: Float64[Tensor, "*batch cells"]) -> Float64[Tensor, "*batch"]:
    """ln W = ln [N! / (n_1! ... n_m!)] of whole ``counts``; raises `Refused` for counts below 0."""
    whole(counts)
    return torch.lgamma(counts.sum(-1) + 1) - torch.lgamma(counts + 1).sum(-1)


def boltzmann_entropy(counts: Float64[Tensor, "*batch cells"], k: float = 1.0) -> Float64[Tensor, "*batch"]:
    """S = k ln W; ``k`` = 1 gives nats, Boltzmann's constant gives J/K."""
    return k * log_microstates(counts)


def stirling(counts: Float64[Tensor, "*batch cells"]) -> Float64[Tensor, "*batch"]:
    """ln W by Stirling's formula ln n! = n ln n - n + ½ ln 2πn, for counts above 0.

    Its leading term is N H(n / N): Shannon's entropy is Boltzmann's, per particle, for many particles. The rest, which
    is negative, grows only as ln N.
    """
    whole(counts)
    total = counts.sum(-1)
    leading = torch.xlogy(total, total) - torch.xlogy(counts, counts).sum(-1)
    return leading + 0.5 * (total.log() + log(2 * pi)) - 0.5 * (counts.log() + log(2 * pi)).sum(-1)


def whole(counts: Tensor) -> None:
    if not bool(((counts >= 0) & (counts == counts.round())).all()):
        raise Refused("counts of particles are whole numbers of at least 0")


def expected_log_microstates(particles: int, cells: int) -> float:
    """ln W to be expected where each particle is in each of the cells with the same probability, all on their own."""
    counts = torch.arange(particles + 1, dtype=torch.float64)
    whole_of, share = torch.tensor(particles, dtype=torch.float64), torch.tensor(1 / cells, dtype=torch.float64)
    chance = torch.distributions.Binomial(whole_of, share).log_prob(counts).exp()
    return float(torch.lgamma(whole_of + 1) - cells * (chance * torch.lgamma(counts + 1)).sum())
