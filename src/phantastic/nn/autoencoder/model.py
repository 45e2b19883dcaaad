"""The networks of the VAE family.

Every generative model here has the three methods that the objectives call: ``encode`` gives q(z|x), ``decode`` the
decoder's outputs for codes, and ``log_likelihood`` scores images under those outputs in nats per image.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log, pi
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from phantastic.nn.convolution import ConvDecoder, ConvEncoder, depth_of
from phantastic.nn.distributions import Gaussian, gaussian

Model = TypeVar("Model", bound=nn.Module)


def bernoulli_log_likelihood(
    logits: Float[Tensor, "batch channels rows columns"], images: Float[Tensor, "batch channels rows columns"]
) -> Float[Tensor, " batch"]:
    """log p(x|z) of images in [0, 1] in nats, summed over channels and pixels (Kingma & Welling 2014, appendix C.1)."""
    return -binary_cross_entropy_with_logits(logits, images, reduction="none").sum((1, 2, 3))


class VAE(nn.Module):
    """The variational autoencoder (Kingma & Welling 2014) with the convolution stacks of Burgess et al. (2018).

    ``latent`` is the number of latents; raises `Refused` for a ``size`` that `ConvEncoder` does not take.
    """

    def __init__(self, channels: int, size: int, latent: int, hidden: Sequence[int] = (256, 256), width: int = 32):
        super().__init__()
        self.latent = latent
        self.encoder = ConvEncoder(channels, size, 2 * latent, hidden, width)
        self.decoder = ConvDecoder(channels, size, latent, hidden, width)

    def encode(self, images: Float[Tensor, "batch channels size size"]) -> Gaussian:
        """q(z|x), [batch, latent]."""
        return gaussian(self.encoder(images))

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels size size"]:
        """The logits of p(x|z), in float32."""
        return self.decoder(codes).float()

    def log_likelihood(
        self, logits: Float[Tensor, "batch channels size size"], images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, " batch"]:
        """Bernoulli log p(x|z), nats per image."""
        return bernoulli_log_likelihood(logits, images)


class Autoencoder(nn.Module):
    """The plain autoencoder (Rumelhart, Hinton & Williams 1986): the `VAE` without its noise and its prior. A code is a
    point, and nothing says where codes lie."""

    def __init__(self, channels: int, size: int, latent: int, hidden: Sequence[int] = (256, 256), width: int = 32):
        super().__init__()
        self.latent = latent
        self.encoder = ConvEncoder(channels, size, latent, hidden, width)
        self.decoder = ConvDecoder(channels, size, latent, hidden, width)

    def encode(self, images: Float[Tensor, "batch channels size size"]) -> Float[Tensor, "batch latent"]:
        """The code."""
        return self.encoder(images).float()

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels size size"]:
        """The logits of the reconstruction, in float32."""
        return self.decoder(codes).float()

    def log_likelihood(
        self, logits: Float[Tensor, "batch channels size size"], images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, " batch"]:
        """Bernoulli log-likelihood, nats per image."""
        return bernoulli_log_likelihood(logits, images)


def he_initialised(model: Model) -> Model:
    """The model with all of its weights drawn anew (He et al. 2015, section 2.2); biases stay."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    return model


class LinearVAE(nn.Module):
    """The VAE whose every quantity is known: p(z) = N(0, I), p(x|z) = N(Wz + b, s²I), q(z|x) = N(Vx + c, diag(d)).

    Its optimum is probabilistic PCA (Tipping & Bishop 1999; Lucas et al. 2019).
    """

    def __init__(self, pixels: int, latent: int):
        super().__init__()
        self.encoder = nn.Linear(pixels, latent)
        self.decoder = nn.Linear(latent, pixels)
        self.log_variance = nn.Parameter(torch.zeros(latent))  # log d
        self.log_noise = nn.Parameter(torch.zeros(()))  # log s²

    def encode(self, x: Float[Tensor, "batch pixels"]) -> Gaussian:
        """q(z|x), [batch, latent]."""
        mean = self.encoder(x)
        return Gaussian(mean, self.log_variance.expand_as(mean))

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch pixels"]:
        """The mean of p(x|z)."""
        return self.decoder(codes)

    def log_likelihood(
        self, means: Float[Tensor, "batch pixels"], x: Float[Tensor, "batch pixels"]
    ) -> Float[Tensor, " batch"]:
        """Gaussian log p(x|z), nats."""
        return -0.5 * (log(2 * pi) + self.log_noise + (x - means).square() / self.log_noise.exp()).sum(1)

    def expected_log_likelihood(self, x: Float[Tensor, "batch pixels"], q: Gaussian) -> Float[Tensor, " batch"]:
        """E_q[log p(x|z)] in closed form."""
        spread = (q.log_variance.exp() * self.decoder.weight.square().sum(0)).sum(1)
        return self.log_likelihood(self.decode(q.mean), x) - 0.5 * spread / self.log_noise.exp()

    def log_evidence(self, x: Float[Tensor, "batch pixels"]) -> Float[Tensor, " batch"]:
        """log p(x) of N(b, WWᵀ + s²I), nats."""
        weight = self.decoder.weight
        covariance = weight @ weight.T + self.log_noise.exp() * torch.eye(len(weight)).to(weight)
        return torch.distributions.MultivariateNormal(self.decoder.bias, covariance).log_prob(x)

    def posterior(
        self, x: Float[Tensor, "batch pixels"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "latent latent"]]:
        """Mean and full covariance of p(z|x)."""
        weight, noise = self.decoder.weight, self.log_noise.exp()
        precision = weight.T @ weight / noise + torch.eye(weight.shape[1]).to(weight)
        covariance = precision.inverse()
        return (x - self.decoder.bias) @ weight @ covariance / noise, covariance


class DenoisingAutoencoder(nn.Module):
    """The denoising autoencoder (Vincent et al. 2008) in the shape that SCAN uses as a perceptual loss.

    4x4 stride-2 convolutions of 32, 32, 64, 64 channels, ELU, a code of 100, and the mirror of it (Higgins et al. 2018,
    App. A.1). β-VAE_DAE compares ``reconstruct_logits`` of two images.
    """

    def __init__(self, channels: int, size: int, code: int = 100):
        super().__init__()
        width = [32, 32, *[64] * (depth_of(size) - 2)]
        self.encoder = ConvEncoder(channels, size, code, (), width, nn.ELU)
        self.decoder = ConvDecoder(channels, size, code, (), width, nn.ELU)

    def reconstruct_logits(
        self, images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, "batch channels size size"]:
        """The reconstruction before the sigmoid, in float32."""
        return self.decoder(self.encoder(images)).float()

    def log_likelihood(
        self, logits: Float[Tensor, "batch channels size size"], images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, " batch"]:
        """Bernoulli log p(x|x̃), nats per image."""
        return bernoulli_log_likelihood(logits, images)


class Discriminator(nn.Module):
    """FactorVAE's judge of codes: 6 x 1000 leaky ReLU (0.2), two logits, "sample of q(z)" and "permuted" (Kim & Mnih
    2018, appendix A)."""

    def __init__(self, latent: int, hidden: int = 1000, layers: int = 6):
        super().__init__()
        widths = [latent, *[hidden] * layers]
        for index, (before, after) in enumerate(pairwise(widths), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        self.head = nn.Linear(hidden, 2)
        self.layers = layers

    def forward(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch 2"]:
        x = codes
        for index in range(1, self.layers + 1):
            x = leaky_relu(self.get_submodule(f"dense{index}")(x), 0.2)
        return self.head(x).float()
