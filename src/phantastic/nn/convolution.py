"""The convolution stacks of Burgess et al. (2018): 4x4 kernels, stride 2, down to a 4x4 (or 5x5) grid, then dense layers.

Layers carry their own names (``conv1``, ``dense1``, ``head``) because a lesion addresses them by name.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from phantastic.errors import Refused


def depth_of(size: int) -> int:
    """The number of halvings that bring an image of ``size`` pixels to a grid of 4 or 5."""
    depth, grid = 0, size
    while grid > 5 and grid % 2 == 0:
        depth, grid = depth + 1, grid // 2
    if grid not in (4, 5):
        raise Refused(f"images of {size}x{size} pixels do not halve to a 4x4 or 5x5 grid; use 32, 40, 64, 80 or 128")
    return depth


def widths(size: int, width: int | Sequence[int]) -> list[int]:
    """The number of channels of each convolution, from the image inwards; a single width stands for all of them."""
    depth = depth_of(size)
    return [width] * depth if isinstance(width, int) else list(width)


class ConvEncoder(nn.Module):
    """Images [batch, channels, size, size] -> [batch, outputs]."""

    def __init__(
        self,
        channels: int,
        size: int,
        outputs: int,
        hidden: Sequence[int] = (256, 256),
        width: int | Sequence[int] = 32,
        activation: type[nn.Module] = nn.ReLU,
    ):
        super().__init__()
        stack = widths(size, width)
        for index, (before, after) in enumerate(zip([channels, *stack], stack, strict=False), start=1):
            self.add_module(f"conv{index}", nn.Conv2d(before, after, 4, stride=2, padding=1))
        features = [stack[-1] * (size >> len(stack)) ** 2, *hidden]
        for index, (before, after) in enumerate(zip(features, features[1:], strict=False), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        self.head = nn.Linear(features[-1], outputs)
        self.activation = activation()
        self.convolutions, self.layers = len(stack), len(hidden)
        self.to(memory_format=torch.channels_last)  # several times faster on a CPU

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for index in range(1, self.convolutions + 1):
            x = self.activation(self.get_submodule(f"conv{index}")(x))
        x = x.flatten(1)
        for index in range(1, self.layers + 1):
            x = self.activation(self.get_submodule(f"dense{index}")(x))
        return self.head(x)


class ConvDecoder(nn.Module):
    """Codes [batch, inputs] -> image logits [batch, channels, size, size]; the encoder mirrored."""

    def __init__(
        self,
        channels: int,
        size: int,
        inputs: int,
        hidden: Sequence[int] = (256, 256),
        width: int | Sequence[int] = 32,
        activation: type[nn.Module] = nn.ReLU,
    ):
        super().__init__()
        stack = widths(size, width)[::-1]
        self.grid = size >> len(stack)
        features = [inputs, *reversed(hidden), stack[0] * self.grid**2]
        for index, (before, after) in enumerate(zip(features, features[1:], strict=False), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        for index, (before, after) in enumerate(zip(stack, [*stack[1:], channels], strict=True), start=1):
            self.add_module(f"conv{index}", nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
        self.activation = activation()
        self.convolutions, self.layers = len(stack), len(features) - 1
        self.to(memory_format=torch.channels_last)

    def forward(self, codes: Tensor) -> Tensor:
        x = codes
        for index in range(1, self.layers + 1):
            x = self.activation(self.get_submodule(f"dense{index}")(x))
        x = x.unflatten(1, (-1, self.grid, self.grid)).contiguous(memory_format=torch.channels_last)
        for index in range(1, self.convolutions + 1):
            x = self.get_submodule(f"conv{index}")(x)
            if index < self.convolutions:
                x = self.activation(x)
        return x
