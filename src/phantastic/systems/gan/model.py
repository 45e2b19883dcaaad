"""Generators and discriminators, for points and for images (Goodfellow et al. 2014).

A generator turns noise into samples, a discriminator turns samples into one logit: the log-odds that they are data.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from phantastic.nn.convolution import ConvDecoder, ConvEncoder


class Perceptron(nn.Module):
    """[batch, inputs] -> [batch, outputs] through ``layers`` hidden layers of ReLUs."""

    def __init__(self, inputs: int, outputs: int, hidden: int, layers: int):
        super().__init__()
        for index, (before, after) in enumerate(pairwise([inputs, *[hidden] * layers]), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        self.head = nn.Linear(hidden, outputs)
        self.layers = layers

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        for index in range(1, self.layers + 1):
            x = relu(self.get_submodule(f"dense{index}")(x))
        return self.head(x).float()


class PointGenerator(Perceptron):
    """Noise [batch, noise] -> points [batch, dimensions]."""

    def __init__(self, noise: int, dimensions: int, hidden: int = 128, layers: int = 3):
        super().__init__(noise, dimensions, hidden, layers)
        self.noise = noise


class PointDiscriminator(Perceptron):
    """Points [batch, dimensions] -> logits [batch, 1]."""

    def __init__(self, dimensions: int, hidden: int = 128, layers: int = 3):
        super().__init__(dimensions, 1, hidden, layers)


class ImageGenerator(nn.Module):
    """Noise [batch, noise] -> images in [0, 1], [batch, channels, size, size]: the decoder of the VAE beside it."""

    def __init__(self, noise: int, channels: int, size: int):
        super().__init__()
        self.noise = noise
        self.decoder = ConvDecoder(channels, size, noise)

    def forward(self, noise: Float[Tensor, "batch noise"]) -> Float[Tensor, "batch channels size size"]:
        return torch.sigmoid(self.decoder(noise).float())


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
