"""From a sense's input to its tokens: patches, frame sampling, class tokens, positions (Nagrani et al. 2021, 3.1-3.2).

A still image or a spectrogram is cut into patches (ViT, Dosovitskiy et al. 2021; AST, Gong et al. 2021), a clip either
into tubelets (ViViT, Arnab et al. 2021) or into the patches of a few of its frames.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.nn.transformer import Positions


@dataclass(frozen=True)
class Sense:
    """How the input of one sense becomes tokens.

    ``grid``: tokens along time, (height,) width - or along time, bands of a spectrogram; where only their number is
    known, that number alone. ``patch``: what a token covers, along the same axes. A patch without duration before
    frames, that is (height, width), takes evenly spread frames, as many as the grid has places for. Input that is left
    over at the end of an axis is not looked at. ``stride``: from patch to patch; None where they lie side by side.
    """

    grid: tuple[int, ...]
    patch: tuple[int, ...]
    channels: int = 3
    stride: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        size: tuple[int, ...],
        patch: tuple[int, ...],
        channels: int = 3,
        stride: tuple[int, ...] | None = None,
        frames: int | None = None,
    ) -> "Sense":
        """The sense whose input has this size (without channels); ``frames``: how many of a clip are looked at."""
        if frames is not None:
            size = (frames, *size[1:])
        lone = (1,) * (len(size) - len(patch)) + patch
        steps = (1,) * (len(size) - len(patch)) + (stride or patch)
        grid = tuple((n - p) // s + 1 if n >= p else 0 for n, p, s in zip(size, lone, steps, strict=True))
        if 0 in grid:
            raise Refused(f"a patch of {patch} does not fit into an input of {size}; choose a smaller one")
        return cls(grid, patch, channels, stride)

    @property
    def tokens(self) -> int:
        """Patches in all, without class tokens."""
        return prod(self.grid)

    @property
    def inputs(self) -> int:
        """Numbers in a patch."""
        return prod(self.patch) * self.channels


class Tokens(nn.Module):
    """Embeds the patches of a sense, puts ``class_tokens`` before them and adds to all learned positions, which begin
    with the standard deviation ``scale``.

    Sites: ``patch``, the linear map of a patch; ``positions.embedded``, the whole stream of this sense as it enters the
    first layer (silencing it is blindness, or deafness).
    """

    def __init__(self, name: str, sense: Sense, width: int, class_tokens: int, scale: float = 0.02):
        super().__init__()
        self.name, self.sense = name, sense
        self.patch = nn.Linear(sense.inputs, width)
        self.class_tokens = nn.Parameter(torch.zeros(class_tokens, width)) if class_tokens else None
        self.positions = Positions(class_tokens + sense.tokens, width, scale=scale)

    def forward(self, x: Float[Tensor, "batch *size channels"]) -> Float[Tensor, "batch tokens width"]:
        """Raises `Refused` for an input of a size that gives other tokens than there are positions for."""
        sense, name = self.sense, self.name
        axes = 4 if name == "rgb" else 3
        if x.ndim != axes + 1 or x.shape[-1] != sense.channels:
            wanted = "[batch, time, height, width" if name == "rgb" else "[batch, time, bands"
            raise Refused(f"{name} of shape {list(x.shape)} is not possible; give {wanted}, {sense.channels}]")
        if len(sense.patch) == axes - 2:
            x = sampled(x, sense)
        x = patches(x, sense.patch, sense.stride)
        grid = x.shape[1:-1]
        if prod(grid) != sense.tokens or (len(sense.grid) == len(grid) and tuple(grid) != sense.grid):
            raise Refused(
                f"{name}: this input has {' x '.join(map(str, grid))} patches of {sense.patch}, the model has places "
                f"for {' x '.join(map(str, sense.grid))}"
            )
        x = self.patch(x.flatten(1, -2))
        if self.class_tokens is not None:
            x = torch.cat([self.class_tokens.to(x.dtype).expand(len(x), -1, -1), x], 1)
        return self.positions(x)


def patches(
    x: Float[Tensor, "batch *size channels"], patch: tuple[int, ...], stride: tuple[int, ...] | None = None
) -> Float[Tensor, "batch *grid inputs"]:
    """Cut an input into patches along all its axes; in a patch numbers lie as they lay, channels last."""
    axes = len(patch)
    for axis, (length, step) in enumerate(zip(patch, stride or patch, strict=True), start=1):
        x = x.unfold(axis, length, step)  # the places within a patch go to the end
    return x.movedim(axes + 1, -1).flatten(axes + 1)


def sampled(
    x: Float[Tensor, "batch time height width channels"], sense: Sense
) -> Float[Tensor, "batch tall width channels"]:
    """The frames that a model with this many tokens looks at, one below the other.

    Their number follows from the number of tokens. Raises `Refused` where no number of frames gives that many.
    """
    time, height, width = x.shape[1:4]
    down, across = sense.patch
    for count in range(1, time + 1):
        chosen = evenly(time, count)
        if (len(chosen) * height // down) * (width // across) == sense.tokens:
            return x[:, list(chosen)].flatten(1, 2)
    raise Refused(
        f"clips of {time} frames of {height} x {width} in patches of {down} x {across} never give the {sense.tokens} "
        "tokens that this model has places for"
    )


@lru_cache
def evenly(time: int, count: int) -> tuple[int, ...]:
    """Frames at equal distances from one another and from both ends; all there are where ``count`` is not fewer."""
    if count >= time:
        return tuple(range(time))
    places = np.arange(time / (count + 1), time, time / (count + 1)).round()
    return tuple(int(place) for place in np.minimum(places, time - 1))
