"""Encoder and decoder against Burgess et al. (2018): which layers, how wide, and what stands between them."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, elu, linear, relu

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.convolution import ConvDecoder, ConvEncoder, depth_of


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name.removesuffix(".weight"): tuple(parameter.shape)
        for name, parameter in network.named_parameters()
        if name.endswith("weight")
    }


def noise(purpose: str, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch_generator(0, purpose))


@pytest.mark.parametrize(
    ("size", "halvings"), [(4, 0), (5, 0), (8, 1), (10, 1), (32, 3), (40, 3), (64, 4), (80, 4), (128, 5), (160, 5)]
)
def test_images_are_halved_down_to_a_grid_of_four_or_five(size: int, halvings: int):
    assert depth_of(size) == halvings
    assert (size >> halvings) in (4, 5)


@pytest.mark.parametrize("size", [1, 3, 6, 7, 9, 12, 20 + 4, 28, 48, 63, 65, 96, 100])
def test_sizes_that_do_not_halve_to_it_are_refused(size: int):
    with pytest.raises(Refused, match=rf"{size}x{size} pixels"):
        depth_of(size)


def test_the_published_stack():
    """Four convolutions of 32 channels, 4x4, then two layers of 256 units, and the mirror of it."""
    assert shapes(ConvEncoder(3, 64, 20)) == {
        "conv1": (32, 3, 4, 4), "conv2": (32, 32, 4, 4), "conv3": (32, 32, 4, 4), "conv4": (32, 32, 4, 4),
        "dense1": (256, 512), "dense2": (256, 256), "head": (20, 256),
    }  # fmt: skip
    assert shapes(ConvDecoder(3, 64, 10)) == {
        "dense1": (256, 10), "dense2": (256, 256), "dense3": (512, 256),
        "conv1": (32, 32, 4, 4), "conv2": (32, 32, 4, 4), "conv3": (32, 32, 4, 4), "conv4": (32, 3, 4, 4),
    }  # fmt: skip


def test_a_width_for_each_layer_is_counted_from_the_image_inwards():
    hidden, width = (20, 12), (3, 5, 7)
    assert shapes(ConvEncoder(1, 40, 6, hidden, width)) == {
        "conv1": (3, 1, 4, 4), "conv2": (5, 3, 4, 4), "conv3": (7, 5, 4, 4),
        "dense1": (20, 175), "dense2": (12, 20), "head": (6, 12),
    }  # fmt: skip
    assert shapes(ConvDecoder(1, 40, 6, hidden, width)) == {
        "dense1": (12, 6), "dense2": (20, 12), "dense3": (175, 20),
        "conv1": (7, 5, 4, 4), "conv2": (5, 3, 4, 4), "conv3": (3, 1, 4, 4),
    }  # fmt: skip


@pytest.mark.parametrize(("options", "squash"), [({}, relu), ({"activation": nn.ELU}, elu)])
def test_every_layer_but_the_last_is_squashed(options: dict, squash):
    with initialised(1, "stacks"):
        encoder = ConvEncoder(2, 32, 6, (9, 8), 4, **options)
        decoder = ConvDecoder(2, 32, 6, (9, 8), 4, **options)
    x = images = noise("images", 3, 2, 32, 32)
    weights = dict(encoder.named_parameters())
    for layer in ("conv1", "conv2", "conv3"):
        x = squash(conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], stride=2, padding=1))
    x = x.flatten(1)
    for layer in ("dense1", "dense2"):
        x = squash(linear(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
    torch.testing.assert_close(encoder(images), linear(x, weights["head.weight"], weights["head.bias"]))

    x = codes = noise("codes", 3, 6)
    weights = dict(decoder.named_parameters())
    for layer in ("dense1", "dense2", "dense3"):
        x = squash(linear(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
    x = x.unflatten(1, (4, 4, 4))
    for layer, after in pairwise(("conv1", "conv2", "conv3", None)):
        x = conv_transpose2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], stride=2, padding=1)
        x = squash(x) if after else x
    assert x.shape == images.shape
    torch.testing.assert_close(decoder(codes), x, atol=1e-5, rtol=1e-5)
