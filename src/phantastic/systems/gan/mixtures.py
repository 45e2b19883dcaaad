"""Mixtures of Gaussians in the plane, on which a generator that drops modes is seen to drop them.

The ring and the grid, and what is counted on them, are those of VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al.
2018): a sample is of high quality within 3 standard deviations of a mode, a mode is found where such a sample lies.
"""

from math import pi
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Mixture(NamedTuple):
    """Equally likely isotropic Gaussians."""

    centres: Float[Tensor, "modes 2"]
    sd: float


def ring(modes: int = 8, radius: float = 1.0, sd: float = 0.01) -> Mixture:
    """Modes evenly around a circle."""
    angles = torch.arange(modes) * (2 * pi / modes)
    return Mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), sd)


def grid(side: int = 5, spacing: float = 2.0, sd: float = 0.05) -> Mixture:
    """Modes on a square lattice around the origin."""
    places = spacing * (torch.arange(side) - (side - 1) / 2)
    return Mixture(torch.cartesian_prod(places, places), sd)


def draw(mixture: Mixture, count: int, generator: torch.Generator) -> Float[Tensor, "count 2"]:
    """Points of the mixture."""
    component = torch.randint(len(mixture.centres), (count,), generator=generator, device=generator.device)
    noise = torch.randn((count, 2), generator=generator, device=generator.device)
    return mixture.centres.to(generator.device)[component] + mixture.sd * noise


def variance(mixture: Mixture) -> float:
    """Of the mixture along one axis, mean of the two."""
    return float(mixture.centres.var(0, correction=0).mean()) + mixture.sd**2


def coverage(mixture: Mixture, points: Float[Tensor, "count 2"]) -> tuple[int, Bool[np.ndarray, " count"]]:
    """How many modes are found, and which points are of high quality."""
    distance, nearest = torch.cdist(points, mixture.centres.to(points)).min(1)
    good = distance <= 3 * mixture.sd
    return len(nearest[good].unique()), good.cpu().numpy()
