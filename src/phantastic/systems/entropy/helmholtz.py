"""Helmholtz free energy F = U - TS, and Boltzmann's distribution, which minimises it (Helmholtz 1882).

Energies and temperatures are in the same units (k = 1) and entropy is in nats. States lie on the last axis; axes
before it are a batch, usually of temperatures.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.systems.entropy.information import entropy


class Canonical(NamedTuple):
    """Boltzmann's distribution at a temperature, with U, S, F = U - TS = -T log Z and the heat capacity dU/dT."""

    probabilities: Float64[Tensor, "*batch states"]
    log_partition: Float64[Tensor, "*batch"]
    energy: Float64[Tensor, "*batch"]
    entropy: Float64[Tensor, "*batch"]
    free_energy: Float64[Tensor, "*batch"]
    heat_capacity: Float64[Tensor, "*batch"]


def free_energy(
    p: Float64[Tensor, "*batch states"], energy: Float64[Tensor, "*batch states"], temperature: Float64[Tensor, "*b"]
) -> Float64[Tensor, "*batch"]:
    """F = U - TS of any distribution over the states, in equilibrium or not: T KL(p || Boltzmann's) above -T log Z."""
    return (p * energy).sum(-1) - checked(temperature) * entropy(p)


def canonical(energy: Float64[Tensor, "*batch states"], temperature: Float64[Tensor, "*batch"]) -> Canonical:
    """p = exp(-E / T) / Z in closed form. Raises `Refused` unless the temperature is above 0."""
    exponents = -energy / checked(temperature)[..., None]
    log_partition = torch.logsumexp(exponents, -1)
    p = torch.softmax(exponents, -1)
    mean = (p * energy).sum(-1)
    variance = (p * (energy - mean[..., None]) ** 2).sum(-1)
    disorder = torch.special.entr(p).sum(-1)
    return Canonical(p, log_partition, mean, disorder, -temperature * log_partition, variance / temperature**2)


def descent(
    energy: Float64[Tensor, "*batch states"],
    temperature: Float64[Tensor, "*batch"],
    start: Float64[Tensor, "*batch states"],
    steps: int,
    rate: float = 0.2,
) -> Iterator[Float64[Tensor, "*batch states"]]:
    """Every distribution that a descent of F passes, ``start`` first: mirror descent, the natural gradient.

    A step multiplies p by exp(-rate / T · dF/dp), dF/dp = E + T (log p + 1), and normalises (Beck & Teboulle 2003,
    Operations Research Letters 31). It knows the slope of F and nothing of where it leads. Raises `Refused` unless the
    start gives every state a probability above 0: what it rules out stays ruled out.
    """
    if not bool((start > 0).all()):
        raise Refused("a descent starts from a distribution in which every state has a probability above 0")
    kelvin = checked(temperature)[..., None]
    log_p = torch.log_softmax((start.log() + torch.zeros_like(energy + kelvin)), -1)
    yield log_p.exp()
    for _ in range(steps):
        slope = energy + kelvin * (log_p + 1)
        log_p = torch.log_softmax(log_p - rate / kelvin * slope, -1)
        yield log_p.exp()


def settle(
    energy: Float64[Tensor, "*batch states"],
    temperature: Float64[Tensor, "*batch"],
    start: Float64[Tensor, "*batch states"],
    steps: int,
) -> Float64[Tensor, "*batch states"]:
    """Where the `descent` ends after so many steps."""
    last = start
    for passed in descent(energy, temperature, start, steps):
        last = passed
    return last


def checked(temperature: Float64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
    if not bool((temperature > 0).all()):
        raise Refused("a temperature is a number above 0")
    return temperature
