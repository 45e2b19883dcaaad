"""The convolution stacks of Burgess et al. (2018): 4x4 kernels, stride 2, down to a 4x4 or 5x5 grid, then dense layers.

Layers carry their own names (``conv1``, ``dense1``, ``head``) because a lesion addresses them by name.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from phantastic.ground.errors import Refused

convolution_backward = torch.ops.aten.convolution_backward


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


class Transposed(torch.autograd.Function):
    """A transposed convolution (4x4, stride 2, padding 1) written as what it is: the gradient of a convolution.

    The same function of the same parameters as ``nn.ConvTranspose2d``, in two thirds of its time on a CPU (oneDNN).
    Its backward is a convolution and the weight gradient of that convolution, which oneDNN computes faster than the
    backward of a deconvolution. Forward, with few output channels, oneDNN would fill a vector register with each of
    them; there ``subpixel`` is used.
    """

    generate_vmap_rule = True  # with `setup_context`, what `torch.func` needs

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        few = weight.shape[1] <= 4
        return subpixel(x, weight, bias) if few else conv_transpose2d(x, weight, bias, stride=2, padding=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (g,) = gradients
        x, weight = (saved.to(g.dtype) for saved in ctx.saved_tensors)  # under autocast g is bfloat16
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        geometry = ((2, 2), (1, 1), (1, 1), False, (0, 0), 1)  # stride, padding, dilation, not transposed, -, groups
        weight_only = (False, True, False)
        return (
            conv2d(g, weight, stride=2, padding=1) if needs_x else None,
            convolution_backward(x, g, weight, None, *geometry, weight_only)[1] if needs_weight else None,
            g.sum((0, 2, 3)) if needs_bias else None,
        )


def subpixel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The forward pass of ``Transposed`` as a sub-pixel convolution (Shi et al. 2016).

    Output rows 2p-1 and 2p read input rows p-1 and p only, so each 2x2 block of output pixels is one output of a 2x2
    convolution with four times the channels; the blocks are then laid out and the outermost rows and columns cut off.
    """
    inputs, outputs = weight.shape[:2]
    # kernel row a lands on output row 2i-1+a, so of the flipped kernel row pair t belongs to input row p-1+t
    kernel = weight.flip(2, 3).reshape(inputs, outputs, 2, 2, 2, 2).flip(3, 5).permute(3, 5, 1, 0, 2, 4)
    kernel = kernel.reshape(4 * outputs, inputs, 2, 2).contiguous(memory_format=torch.channels_last)
    blocks = conv2d(x, kernel, bias.repeat(4), padding=1).permute(0, 2, 3, 1)
    rows, columns = blocks.shape[1:3]
    image = blocks.unflatten(3, (2, 2, outputs)).transpose(2, 3).reshape(len(x), 2 * rows, 2 * columns, outputs)
    return image[:, 1:-1, 1:-1].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


class Upconvolution(nn.ConvTranspose2d):
    """A 4x4 transposed convolution that doubles the size of its input; on a CPU by ``Transposed``."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not input.is_cpu:
            return super().forward(input)
        return Transposed.apply(input, self.weight, self.bias)  # pyright: ignore[reportReturnType]


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
        for index, (before, after) in enumerate(pairwise([channels, *stack]), start=1):
            self.add_module(f"conv{index}", nn.Conv2d(before, after, 4, stride=2, padding=1))
        features = [stack[-1] * (size >> len(stack)) ** 2, *hidden]
        for index, (before, after) in enumerate(pairwise(features), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        self.head = nn.Linear(features[-1], outputs)
        self.activation = activation()
        self.convolutions, self.layers = len(stack), len(hidden)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's own overload is missing

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
        for index, (before, after) in enumerate(pairwise(features), start=1):
            self.add_module(f"dense{index}", nn.Linear(before, after))
        for index, (before, after) in enumerate(pairwise([*stack, channels]), start=1):
            self.add_module(f"conv{index}", Upconvolution(before, after))
        self.activation = activation()
        self.convolutions, self.layers = len(stack), len(features) - 1
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

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
