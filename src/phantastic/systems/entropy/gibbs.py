"""Gibbs free energy G = F + pV: what a body minimises that is held at a pressure, not in a volume (Gibbs 1875).

A body is a function of temperature and volume that gives its Helmholtz free energy, elementwise and differentiable.
SI units throughout: K, m³, Pa, J.
"""

from collections.abc import Callable
from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused

K = 1.380649e-23  # Boltzmann's constant, J/K (exact, SI 2019)
PLANCK = 6.62607015e-34  # J s (exact)
AVOGADRO = 6.02214076e23  # 1/mol (exact)
DALTON = 1.66053906660e-27  # kg (CODATA 2018)
Body = Callable[[Float64[Tensor, "*t"], Float64[Tensor, "*t"]], Float64[Tensor, "*t"]]


class Equilibrium(NamedTuple):
    """The volume that a body takes, its Gibbs free energy and its entropy there."""

    volume: Float64[Tensor, "*t"]
    gibbs: Float64[Tensor, "*t"]
    entropy: Float64[Tensor, "*t"]


def ideal_gas(atoms: float, mass: float) -> Body:
    """F = -N k T (1 + ln(V / N λ³)) of N atoms of ``mass`` kg, λ = h / √(2π m k T) (Sackur 1911; Tetrode 1912)."""

    def helmholtz(temperature: Tensor, volume: Tensor) -> Tensor:
        log_wavelength = torch.log(PLANCK / (2 * pi * mass * K * temperature).sqrt())
        return -atoms * K * temperature * (1 + (volume / atoms).log() - 3 * log_wavelength)

    return helmholtz


def gibbs(body: Body, temperature: Tensor, pressure: Tensor, volume: Tensor) -> Float64[Tensor, "*t"]:
    """G = F + pV at any volume, in equilibrium or not."""
    return body(temperature, volume) + pressure * volume


def equilibrium(
    body: Body,
    temperature: Float64[Tensor, "*t"],
    pressure: Float64[Tensor, "*t"],
    start: Float64[Tensor, "*t"],
    iterations: int = 200,
) -> Equilibrium:
    """The volume at which F + pV is least, near ``start``: Newton's method on ln V with steps of at most 1.

    G is the Legendre transform of F: dG/dp = V, dG/dT = -S. Raises `Refused` for temperatures, pressures or volumes
    that are not above 0, and where the descent does not settle, as for a body that its pressure cannot hold.
    """
    for name, value in (("temperature", temperature), ("pressure", pressure), ("volume", start)):
        if not bool((value > 0).all()):
            raise Refused(f"a {name} is a number above 0")
    log_volume = start.log()
    for _ in range(iterations):
        at = log_volume.detach().requires_grad_()
        (slope,) = torch.autograd.grad(gibbs(body, temperature, pressure, at.exp()).sum(), at, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), at)
        step = -(slope / curvature.abs()).detach().clamp(-1, 1)
        log_volume = at.detach() + step
        if float(step.abs().max()) < 1e-12:
            break
    else:
        raise Refused(f"the volume did not settle in {iterations} steps; is there one at this pressure?")
    if not bool((curvature > 0).all()):
        raise Refused("the body has no stable volume here: G is not at a minimum")
    volume = log_volume.exp()
    warm = temperature.detach().clone().requires_grad_()
    # Through the minimum nothing flows: dG/dT is that of F at the volume held.
    (slope,) = torch.autograd.grad(body(warm, volume).sum(), warm)
    return Equilibrium(volume, gibbs(body, temperature, pressure, volume), -slope)
