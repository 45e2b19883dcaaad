"""dSprites (Matthey, Higgins, Hassabis & Lerchner 2017), drawn again from formulas: 737,280 binary 64x64 images.

A sprite is a shape, scaled by s and turned by θ, around the centre (15.5 + 32 x, 15.5 + 32 y), in pixels, rows counted
downwards. A pixel is white where its middle, (X, Y) from the centre, lies inside the shape:
u = (X cos θ - Y sin θ) / s, v = (X sin θ + Y cos θ) / s. The formulas were fitted to 320 published frames, of which
they give 242 to the bit and 128 pixels of 77,010 wrong, all at an edge; of twelve other published images they give
eleven to the bit and one pixel of 1,724 wrong in the twelfth.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import Epochs, numpy_generator

SIZE = 64
SHAPES = {"square": "正方形", "ellipse": "楕円", "heart": "ハート"}
FACTORS = {"shape": "形", "scale": "大きさ", "orientation": "向き", "x": "横の位置", "y": "縦の位置"}
SIZES = (3, 6, 40, 32, 32)
IMAGES = 3 * 6 * 40 * 32 * 32
VALUES = (  # what a factor's number stands for, as in the published `latents_values` (radians for orientation)
    np.arange(1.0, 4.0),
    np.linspace(0.5, 1, 6),
    np.linspace(0, 2 * np.pi, 40),  # the last equals the first, as published
    np.linspace(0, 1, 32),
    np.linspace(0, 1, 32),
)

# Around every centre a window of 28 pixels holds the largest sprite, the square (half a diagonal is 9.6 √2 < 13.6).
REACH, WINDOW = 13.6, 28
FIRST = np.array([ceil(15.5 + 32 * place / 31 - REACH) for place in range(32)])  # its first row or column, by position
# Every pixel's distance from every centre along an axis is an odd number of 62nds, [position, pixel].
DISTANCES = 31 * (2 * np.arange(SIZE) - 31) - 64 * np.arange(32)[:, None]
NEAR = np.take_along_axis(DISTANCES, FIRST[:, None] + np.arange(WINDOW), axis=1) / 62  # within the window, in pixels


def inside(shape: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether the points (u, v), in pixels at scale 1, lie inside the upright shape at the origin.

    The heart is bounded by x = 9.618 sin³t, y = -(8.629 cos t - 3.320 cos 2t - 1.299 cos 3t - 0.664 cos 4t) - 1.440. A
    vertical line meets it at two t of opposite cosine ±c, hence |y + 1.440 - even part| < odd part, both in c.
    """
    if shape == 0:
        return (np.abs(u) < 9.6) & (np.abs(v) < 9.6)
    if shape == 1:
        return (u / 12.76) ** 2 + (v / 7.22) ** 2 < 1
    squared = np.maximum(1 - np.cbrt((u / 9.618) ** 2), 0)  # c²
    middle = 3.320 * (2 * squared - 1) + 0.664 * (8 * squared * (squared - 1) + 1) - 1.440
    return np.abs(v - middle) < np.sqrt(squared) * (8.629 + 3 * 1.299 - 4 * 1.299 * squared)


def drawn(
    shape: int, scale: np.ndarray, orientation: np.ndarray, across: np.ndarray, down: np.ndarray
) -> Bool[np.ndarray, "n rows columns"]:
    """One shape, n times, at pixels `across` [n, columns] and `down` [n, rows] from the centre."""
    cos = (np.cos(VALUES[2]) / VALUES[1][:, None])[scale, orientation, None]
    sin = (np.sin(VALUES[2]) / VALUES[1][:, None])[scale, orientation, None]
    u = (across * cos)[:, None, :] - (down * sin)[:, :, None]
    v = (across * sin)[:, None, :] + (down * cos)[:, :, None]
    return inside(shape, u, v)


def render(factors: Int[np.ndarray, "n 5"]) -> UInt8[np.ndarray, "n 64 64"]:
    """Images of 0 and 1 for rows of factors: shape, scale, orientation, x, y, each counted from 0 (see SIZES).

    Raises Refused where the table has another shape or type, or holds a number out of range.
    """
    factors = checked(factors)
    images = np.zeros((len(factors), SIZE, SIZE), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(images, (WINDOW, WINDOW), axis=(1, 2), writeable=True)
    for shape in range(len(SHAPES)):
        chosen = np.flatnonzero(factors[:, 0] == shape)
        for rows in np.split(chosen, range(256, len(chosen), 256)):  # few enough to stay in the processor's cache
            _, scale, orientation, x, y = factors[rows].T
            windows[rows, FIRST[y], FIRST[x]] = drawn(shape, scale, orientation, NEAR[x], NEAR[y])
    return images


def as_batch(
    images: UInt8[np.ndarray, "n 64 64"], device: torch.device | str = "cpu"
) -> Float[torch.Tensor, "n 1 64 64"]:
    """Images as a batch for a network."""
    return torch.from_numpy(images).unsqueeze(1).float().to(device)


def index(factors: Int[np.ndarray, "n 5"]) -> Int[np.ndarray, " n"]:
    """Where images stand in the published order, the last factor fastest."""
    return np.asarray(np.ravel_multi_index(tuple(checked(factors).T), SIZES))


def factors_of(indices: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 5"]:
    """The factors of images by their place in the published order."""
    return np.stack(np.unravel_index(indices, SIZES), axis=-1)


def checked(factors: np.ndarray) -> np.ndarray:
    """The table as int64, or Refused."""
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(SIZES) or factors.dtype.kind not in "iu":
        raise Refused(
            f"dSprites factors are whole numbers [n, 5] ({', '.join(FACTORS)}); got {factors.dtype} {factors.shape}"
        )
    for name, size, column in zip(FACTORS, SIZES, factors.T, strict=True):
        wrong = np.flatnonzero((column < 0) | (column >= size))
        if wrong.size:
            raise Refused(f"dSprites factor '{name}' is {column[wrong[0]]} in row {wrong[0]}; allowed: 0 to {size - 1}")
    return factors.astype(np.int64)


@dataclass(frozen=True)
class DSprites:
    """Binary images in memory, eight pixels to a byte (377 MB for the whole set), with their factors."""

    packed: UInt8[np.ndarray, "n 512"]
    factors: Int[np.ndarray, "n 5"]
    names: tuple[str, ...] = tuple(FACTORS)

    def __len__(self) -> int:
        return len(self.packed)

    def images(self, indices: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 64 64"]:
        """Images of 0 and 1."""
        return np.unpackbits(self.packed[indices], axis=1).reshape(-1, SIZE, SIZE)

    def batch(self, indices: Int[np.ndarray, " b"]) -> Float[torch.Tensor, "b 1 64 64"]:
        """The same as a batch for a network."""
        return as_batch(self.images(indices))


def whole() -> DSprites:
    """The whole set in the published order, in a few seconds.

    A sprite is drawn once, on the fine grid of 62nds that all positions share; an image is every 31st point of it.
    """
    packed = np.zeros((*SIZES, SIZE, SIZE // 8), np.uint8)
    for shape, scale in np.ndindex(SIZES[:2]):
        edge = 2 * ceil(31 * REACH * VALUES[1][scale]) + 1
        grid = np.arange(-edge, edge + 1, 2)[None] / 62
        at = (DISTANCES + edge) // 2
        at[np.abs(DISTANCES) > edge] = 0  # the grid's first line is black, as is all that lies beyond it
        for orientation in range(SIZES[2]):
            rows = []  # [lines of the grid, x, bytes of an image's row]
            for lines in np.array_split(grid, 8, axis=1):  # small enough for the processor's cache
                fine = drawn(shape, np.array([scale]), np.array([orientation]), grid, lines)[0]
                rows.append(np.packbits(np.take(fine, at, axis=1), axis=2))
            packed[shape, scale, orientation] = np.concatenate(rows)[at].transpose(2, 0, 1, 3)
    return DSprites(packed.reshape(IMAGES, SIZE * SIZE // 8), factors_of(np.arange(IMAGES)))


def part(images: int, seed: int) -> DSprites:
    """All of dSprites, or a random part of it."""
    if images == IMAGES:
        return whole()
    chosen = numpy_generator(seed, "images").choice(IMAGES, images, replace=False)
    factors = factors_of(chosen)
    return DSprites(np.packbits(render(factors).reshape(images, -1), axis=1), factors)


class Batches:
    """Batches of dSprites: every image once an epoch, in an order that depends on (seed, purpose, epoch)."""

    def __init__(self, data: DSprites, batch: int, seed: int, purpose: str, device: torch.device):
        self.data, self.device = data, device
        self.rows = Epochs(len(data), batch, seed, purpose)

    def __call__(self, step: int) -> Float[Tensor, "batch 1 64 64"]:
        return self.data.batch(self.rows(step)).to(self.device)
