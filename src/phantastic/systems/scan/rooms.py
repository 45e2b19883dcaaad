"""The rooms as SCAN sees them: a recipe's share of the colours, and images in the colour space HSV.

In HSV a surface's colour is one number that light and shade leave alone, which is why the paper trains in it.
"""

import numpy as np
import torch
from torch import Tensor

from phantastic.randomness import numpy_generator
from phantastic.systems.scan.concepts import Vocabulary
from phantastic.world import rooms

CHUNK = 4096


class Rooms:
    """Rooms in ``colours`` of the sixteen colours, evenly spread, at ``size`` pixels."""

    def __init__(self, size: int, colours: int):
        self.size = size
        self.stride = rooms.SIZES[1] // colours
        self.vocabulary = Vocabulary((rooms.SIZES[0], colours, colours, colours))

    def palette_factors(self, factors: np.ndarray) -> np.ndarray:
        """The same factors, colours counted in the full palette, int[n, 4]."""
        return factors * np.array([1, self.stride, self.stride, self.stride])

    def render(self, factors: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """RGB images with random nuisance, uint8[n, size, size, 3]."""
        return rooms.render(self.palette_factors(factors), rooms.draw_nuisance(len(factors), generator), self.size)

    def observe(self, factors: np.ndarray, generator: np.random.Generator) -> Tensor:
        """HSV images with random nuisance, uint8[n, 3, size, size] in channels_last."""
        parts = [factors[start : start + CHUNK] for start in range(0, len(factors), CHUNK)]
        return torch.cat([as_observed(self.render(part, generator)) for part in parts])

    def draw(self, count: int, seed: int, purpose: str) -> tuple[np.ndarray, Tensor]:
        """``count`` random rooms: factors int[n, 4] and HSV images uint8[n, 3, size, size]."""
        generator = numpy_generator(seed, purpose)
        factors = np.stack([generator.integers(size, size=count) for size in self.vocabulary.sizes], axis=1)
        return factors, self.observe(factors, generator)


def as_observed(images: np.ndarray) -> Tensor:
    """RGB images uint8[n, h, w, 3] -> HSV tensor uint8[n, 3, h, w] in channels_last."""
    return torch.from_numpy(to_hsv(images)).permute(0, 3, 1, 2)


def as_input(images: Tensor) -> Tensor:
    """uint8 images -> float32 in [0, 1], channels_last."""
    return images.to(memory_format=torch.channels_last).float().div_(255)


def as_rgb(images: Tensor) -> np.ndarray:
    """HSV images in [0, 1], [n, 3, h, w] -> RGB uint8[n, h, w, 3]."""
    return to_rgb(images.detach().float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy())


def to_hsv(images: np.ndarray) -> np.ndarray:
    """RGB uint8[..., 3] -> HSV uint8[..., 3], each from 0 to 255; the hue of grey is 0."""
    rgb = images.astype(np.float32) / 255
    value, lowest = rgb.max(-1), rgb.min(-1)
    chroma = value - lowest
    red, green, blue = np.moveaxis(rgb, -1, 0)
    safe = np.where(chroma == 0, 1, chroma)
    sextant = np.where(
        value == red, ((green - blue) / safe) % 6, np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    )
    hue = np.where(chroma == 0, 0, sextant / 6)
    saturation = chroma / np.where(value == 0, 1, value)
    return (np.stack([hue, saturation, value], axis=-1) * 255).round().astype(np.uint8)


def to_rgb(images: np.ndarray) -> np.ndarray:
    """HSV floats [..., 3] in [0, 1] -> RGB uint8[..., 3]."""
    hue, saturation, value = np.moveaxis(images, -1, 0)
    distance = np.abs((hue[..., None] * 6 - np.array([3.0, 2.0, 4.0]) + 3) % 6 - 3)  # hue's distance from each primary's far side
    share = np.clip(np.stack([distance[..., 0] - 1, 2 - distance[..., 1], 2 - distance[..., 2]], axis=-1), 0, 1)
    rgb = value[..., None] * (1 - saturation[..., None] * (1 - share))
    return (rgb * 255).round().astype(np.uint8)
