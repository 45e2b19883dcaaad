"""Diagonal Gaussians: sampling, densities and divergences, elementwise over the latent dimension, in float32."""

from math import log, pi
from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """A diagonal Gaussian; both fields have shape [..., latent]."""

    mean: Tensor
    log_variance: Tensor


def gaussian(parameters: Tensor) -> Gaussian:
    """Split [..., 2 latent] network outputs into mean and log-variance (in float32, also under bf16 autocast)."""
    mean, log_variance = parameters.float().chunk(2, dim=-1)
    return Gaussian(mean, log_variance)


def sample(q: Gaussian, generator: torch.Generator) -> Tensor:
    """One reparameterised sample per row: mean + sd * noise (Kingma & Welling 2014, Eq. 4)."""
    noise = torch.randn(q.mean.shape, generator=generator, device=generator.device, dtype=q.mean.dtype)
    return q.mean + (0.5 * q.log_variance).exp() * noise


def kl_to_standard(q: Gaussian) -> Tensor:
    """KL(q || N(0, I)) per latent, in nats, [..., latent] (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (q.mean.square() + q.log_variance.exp() - q.log_variance - 1)


def kl(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q || p) per latent, in nats, [..., latent]."""
    difference = (q.mean - p.mean).square() + q.log_variance.exp()
    return 0.5 * (p.log_variance - q.log_variance + difference * (-p.log_variance).exp() - 1)


def log_density(z: Tensor, q: Gaussian) -> Tensor:
    """log q(z) per latent, in nats, [..., latent]."""
    return -0.5 * (log(2 * pi) + q.log_variance + (z - q.mean).square() * (-q.log_variance).exp())
