"""Perception and action: two ways to lower the same free energy (Friston 2010, Box 1), in the Gaussian case.

A cause x ~ N(m, s²) is sensed as y ~ N(x, r²); the belief is q = N(μ, σ²). Perception moves q, and of F = divergence +
surprise only the divergence can follow: surprise is of y. Action moves y, and of F = complexity - accuracy only the
accuracy can follow: complexity is of q. All in nats.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from phantastic.systems.entropy.variational import FreeEnergy


class Animal(NamedTuple):
    """What it expects (m, s), how its senses err (r), what it senses (y) and what it believes (μ, ln σ)."""

    expected: Float64[Tensor, "*batch"]
    looseness: Float64[Tensor, "*batch"]
    noise: Float64[Tensor, "*batch"]
    sensed: Float64[Tensor, "*batch"]
    mean: Float64[Tensor, "*batch"]
    log_sd: Float64[Tensor, "*batch"]


def expected_log(at: Tensor, width: Tensor, mean: Tensor, sd: Tensor) -> Float64[Tensor, "*batch"]:
    """E log N(x; ``at``, ``width``²) for x ~ N(``mean``, ``sd``²)."""
    return Normal(at, width).log_prob(mean) - 0.5 * (sd / width) ** 2


def free_energy(animal: Animal) -> FreeEnergy:
    """F of the belief; each part is computed by its own definition, so that their sums agree is a law."""
    m, s, r, y, mean, log_sd = animal
    sd = log_sd.exp()
    belief, prior = Normal(mean, sd), Normal(m, s)
    precision = s**-2 + r**-2
    posterior = Normal((m / s**2 + y / r**2) / precision, precision**-0.5)
    accuracy = expected_log(y, r, mean, sd)
    return FreeEnergy(
        energy=-accuracy - expected_log(m, s, mean, sd),
        entropy=belief.entropy(),
        divergence=kl_divergence(belief, posterior),
        surprise=-Normal(m, (s**2 + r**2).sqrt()).log_prob(y),
        complexity=kl_divergence(belief, prior),
        accuracy=accuracy,
    )


def descended(animal: Animal, what: tuple[str, ...], rate: float) -> Animal:
    """A step down the slope of F in some of the animal's numbers: ("mean", "log_sd") perceives, ("sensed",) acts."""
    moving = {name: getattr(animal, name).detach().requires_grad_() for name in what}
    slopes = torch.autograd.grad(free_energy(animal._replace(**moving)).value.sum(), list(moving.values()))
    moved = {name: (value - rate * slope).detach() for (name, value), slope in zip(moving.items(), slopes, strict=True)}
    return animal._replace(**moved)


def perceived(animal: Animal, rate: float) -> Animal:
    """The belief moves; what is sensed stays."""
    return descended(animal, ("mean", "log_sd"), rate)


def acted(animal: Animal, rate: float) -> Animal:
    """What is sensed moves; the belief stays."""
    return descended(animal, ("sensed",), rate)
