"""A VAE (Kingma & Welling 2014) of the size of the Helmholtz machine: two Gaussian latents instead of binary causes."""

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.nn.distributions import Gaussian, gaussian
from phantastic.systems.vae.helmholtz import drawn, log_bernoulli, softplus

LATENT = 2
REACH, POINTS = 6.0, 241  # of the grid over either latent on which evidence is integrated


class BarsVAE(nn.Module):
    """Pixels, one hidden layer of tanh units either way, and Gaussian latents."""

    def __init__(self, pixels: int, hidden: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.Tanh(), nn.Linear(hidden, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, hidden), nn.Tanh(), nn.Linear(hidden, pixels))

    def encode(self, images: Float[Tensor, "batch pixels"]) -> Gaussian:
        return gaussian(self.encoder(images))

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pixels"]:
        """The logits of p(x|z)."""
        return self.decoder(codes)

    def log_likelihood(
        self, logits: Float[Tensor, "batch pixels"], images: Float[Tensor, "batch pixels"]
    ) -> Float[Tensor, " batch"]:
        return (images * logits - softplus(logits)).sum(-1)

    def log_evidence(self, images: Float[Tensor, "images pixels"]) -> Float[Tensor, " images"]:
        """log p(x) in nats: the trapezoid rule over both latents (beyond the grid the prior has 4e-9 of its mass)."""
        line = torch.linspace(-REACH, REACH, POINTS).to(images)
        codes = torch.cartesian_prod(line, line)
        log_prior = -0.5 * codes.square().sum(1) - log(2 * pi) + 2 * log(2 * REACH / (POINTS - 1))
        return (log_bernoulli(self.decode(codes), images) + log_prior[:, None]).logsumexp(0)

    def fantasise(self, count: int, generator: torch.Generator) -> Float[Tensor, "count pixels"]:
        like = next(self.decoder.parameters())
        codes = torch.randn((count, LATENT), generator=generator, device=like.device, dtype=like.dtype)
        return drawn(self.decode(codes), generator)
