"""What is counted on images, as `mixtures` counts on points: is there a shape, where, and how sharp is it.

A GAN whose generator has died makes black images, which are as sharp as can be and show nothing.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import label
from torch import Tensor

AREAS = (50, 400)  # white pixels of the smallest and of the largest dSprite
CENTRES = (15.5, 47.5)  # between these, in pixels, lie the centres of dSprites, along either axis
SIDE = 8  # places along either axis, 4 pixels each


def holds_shape(images: Float[Tensor, "n 1 rows columns"]) -> Bool[np.ndarray, " n"]:
    """Whether an image holds exactly one shape of a possible size: its white pixels (above .5) hang together, corners
    included, and are no fewer than in the smallest dSprite and no more than in the largest."""
    white = (images[:, 0] > 0.5).cpu().numpy()
    area = white.sum((1, 2))
    pieces = np.array([components(image) for image in white])
    return (pieces == 1) & (area >= AREAS[0]) & (area <= AREAS[1])


def components(image: Bool[np.ndarray, "rows columns"]) -> int:
    """How many pieces the true pixels make."""
    labelled: Any = label(image, np.ones((3, 3)))  # SciPy's stubs do not know what it returns
    return labelled[1]


def places(images: Float[Tensor, "n 1 rows columns"]) -> Int[np.ndarray, " n"]:
    """In which of the 8 x 8 places of the picture the white pixels of each image have their middle, counted by rows.

    Images as in `holds_shape`, of which every one has a white pixel; in dSprites every place is taken.
    """
    white = (images[:, 0] > 0.5).double()
    pixels = torch.arange(white.shape[1]).to(white)
    middles = [(white.sum(axis) * pixels).sum(1) / white.sum((1, 2)) for axis in (2, 1)]
    width = (CENTRES[1] - CENTRES[0]) / SIDE
    row, column = (((middle - CENTRES[0]) / width).long().clamp(0, SIDE - 1) for middle in middles)
    return (SIDE * row + column).cpu().numpy()


def covered(places: Int[np.ndarray, " n"]) -> float:
    """The share of the places that are taken."""
    return len(np.unique(places)) / SIDE**2


def grey(images: Float[Tensor, "n 1 rows columns"]) -> Float[np.ndarray, " n"]:
    """The share of each image's pixels that are neither black nor white: between .1 and .9 (none in dSprites)."""
    return ((images > 0.1) & (images < 0.9)).double().mean((1, 2, 3)).cpu().numpy()
