"""Generators and discriminators, for points and for images (Goodfellow et al. 2014), and the VAE of points.

A generator turns noise into samples, a discriminator turns samples into one logit: the log-odds that they are data.
"""

from itertools import pairwise
from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from phantastic.nn.convolution import ConvDecoder, ConvEncoder
from phantastic.nn.distributions import Gaussian, gaussian


class Perceptron(nn.Module):
    """[batch, inputs] -> [batch, outputs] through ``layers`` hidden layers of ReLUs, in float32 always: a mode may be
    .01 wide, which the 8 bits of bfloat16 do not resolve."""

    def __init__(self, inputs: int, outputs: int, hidden: int, layers: int):
        super().__init__()
        for index, (before, after) in enumerate(pairwise([inputs, *[hidden] * layers]), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        self.head = nn.Linear(hidden, outputs)
        self.layers = layers

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        with torch.autocast(x.device.type, enabled=False):
            for index in range(1, self.layers + 1):
                x = relu(self.get_submodule(f"dense{index}")(x))
            return self.head(x)


class PointGenerator(Perceptron):
    """Noise [batch, noise] -> points [batch, dimensions]."""

    def __init__(self, noise: int, dimensions: int, hidden: int = 128, layers: int = 3):
        super().__init__(noise, dimensions, hidden, layers)
        self.noise = noise


class PointDiscriminator(Perceptron):
    """Points [batch, dimensions] -> logits [batch, 1]."""

    def __init__(self, dimensions: int, hidden: int = 128, layers: int = 3):
        super().__init__(dimensions, 1, hidden, layers)


class PointVAE(nn.Module):
    """A VAE of points with the generator's network as decoder and one learned variance: p(x|z) = N(f(z), s²I).

    s² begins at ``variance``: far below that of the data, or the code would stay unused (Lucas et al. 2019).
    """

    def __init__(self, latent: int, dimensions: int, variance: float, hidden: int = 128, layers: int = 3):
        super().__init__()
        self.latent = latent
        self.encoder = Perceptron(dimensions, 2 * latent, hidden, layers)
        self.decoder = Perceptron(latent, dimensions, hidden, layers)
        self.log_variance = nn.Parameter(torch.tensor(log(variance)))

    def encode(self, points: Float[Tensor, "batch dimensions"]) -> Gaussian:
        return gaussian(self.encoder(points))

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch dimensions"]:
        return self.decoder(codes)

    def log_likelihood(
        self, means: Float[Tensor, "batch d"], points: Float[Tensor, "batch d"]
    ) -> Float[Tensor, " batch"]:
        """Gaussian log p(x|z), nats."""
        squared = (points - means).square() / self.log_variance.exp()
        return -0.5 * (log(2 * pi) + self.log_variance + squared).sum(1)


class ImageGenerator(nn.Module):
    """Noise [batch, noise] -> images in [0, 1], [batch, channels, size, size]: the decoder of the VAE beside it.

    Batch normalisation before every ReLU (Radford et al. 2016): without it the first images hardly depend on the noise,
    and the game ends there. ``white`` is the share of white pixels in the data; the output's bias begins at its
    log-odds, so that the first images are not told apart by being grey.
    """

    def __init__(self, noise: int, channels: int, size: int, white: float = 0.5):
        super().__init__()
        self.noise = noise
        self.decoder = decoder = ConvDecoder(channels, size, noise)
        for name, layer in list(decoder.named_children()):
            match layer:
                case nn.Linear():
                    self.add_module(f"norm_{name}", nn.BatchNorm1d(layer.out_features))
                case nn.ConvTranspose2d() if name != f"conv{decoder.convolutions}":
                    self.add_module(f"norm_{name}", nn.BatchNorm2d(layer.out_channels))
        last = decoder.get_submodule(f"conv{decoder.convolutions}")
        nn.init.constant_(last.get_parameter("bias"), log(white / (1 - white)))

    def forward(self, noise: Float[Tensor, "batch noise"]) -> Float[Tensor, "batch channels size size"]:
        x, decoder = noise, self.decoder
        for index in range(1, decoder.layers + 1):
            x = self.normalised(f"dense{index}", x)
        x = x.unflatten(1, (-1, decoder.grid, decoder.grid)).contiguous(memory_format=torch.channels_last)
        for index in range(1, decoder.convolutions):
            x = self.normalised(f"conv{index}", x)
        return torch.sigmoid(decoder.get_submodule(f"conv{decoder.convolutions}")(x).float())

    def normalised(self, name: str, x: Tensor) -> Tensor:
        """A layer of the decoder, normalised, then its ReLU."""
        return relu(self.get_submodule(f"norm_{name}")(self.decoder.get_submodule(name)(x)))


class Leaky(nn.LeakyReLU):
    """Slope 0.2 below 0, so that a discriminator passes gradients on everywhere (Radford et al. 2016)."""

    def __init__(self):
        super().__init__(0.2)


class ImageDiscriminator(nn.Module):
    """Images [batch, channels, size, size] -> logits [batch, 1]: the VAE's encoder with leaky ReLUs."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.encoder = ConvEncoder(channels, size, 1, activation=Leaky)

    def forward(self, images: Float[Tensor, "batch channels size size"]) -> Float[Tensor, "batch 1"]:
        return self.encoder(images).float()
