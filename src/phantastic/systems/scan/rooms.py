"""The rooms as SCAN sees them: a recipe's share of the colours, and images in HSV with the hue as a point on an arc.

The paper trains in HSV, where a surface's colour is one number that light and shade leave alone. Here that number is an
angle on an arc: on a line, white would have to lie somewhere among the hues; on a whole circle, a hue would need two
latents, whose common radius is then free to carry something else, and did. The wider the arc, the more its bend weighs:
on a quarter of the circle it weighs a thirtieth of the hues' own weight. Hues are counted from CUT, so that no named
colour lies at the cut. A pixel is (C S cos a, 1/2 + C S sin a, V) with the angle a = ARC (H - 1/2) of a turn.
"""

import numpy as np
import torch
from torch import Tensor

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.scan.concepts import Vocabulary
from phantastic.world import rooms

ARC = 0.25  # share of the circle
CHROMA = 0.7  # C: with it, hues of saturation 1 just fill the range; the rooms' have .8
CUT = 0.66  # the hue at which the circle is cut open, between blue and indigo
CHUNK = 4096
# Which of the sixteen colours a recipe with fewer takes: common names, spread evenly.
PALETTES = {2: (0, 10), 4: (0, 3, 5, 10), 7: (0, 3, 5, 7, 10, 12, 14), 16: tuple(range(16))}


class Rooms:
    """Rooms in ``colours`` of the sixteen colours (2, 4, 7 or 16) at ``size`` pixels."""

    def __init__(self, size: int, colours: int):
        self.size = size
        self.palette = np.array(PALETTES[colours])
        self.vocabulary = Vocabulary((rooms.SIZES[0], colours, colours, colours))

    def render(self, factors: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """RGB images with random nuisance, uint8[n, size, size, 3]."""
        values = np.column_stack([factors[:, 0], self.palette[factors[:, 1:]]])
        return rooms.render(values, rooms.draw_nuisance(len(factors), generator), self.size)

    def observe(self, factors: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Images as SCAN sees them, with random nuisance, uint8[n, 3, size, size] in channels_last."""
        parts = [factors[start : start + CHUNK] for start in range(0, len(factors), CHUNK)]
        return torch.cat([as_observed(self.render(part, generator)) for part in parts])

    def draw(self, count: int, seed: int, purpose: str) -> tuple[np.ndarray, Tensor]:
        """``count`` random rooms: factors int[n, 4] and images as `observe` gives them."""
        generator = numpy_generator(seed, purpose)
        factors = np.stack([generator.integers(size, size=count) for size in self.vocabulary.sizes], axis=1)
        return factors, self.observe(factors, generator)


def as_observed(images: np.ndarray) -> Tensor:
    """RGB images uint8[n, h, w, 3] -> uint8[n, 3, h, w] in channels_last."""
    return torch.from_numpy(to_cone(images)).permute(0, 3, 1, 2)


def as_input(images: Tensor) -> Tensor:
    """uint8 images -> float32 in [0, 1], channels_last."""
    return images.to(memory_format=torch.channels_last).float().div_(255)


def as_rgb(images: Tensor) -> np.ndarray:
    """Images in [0, 1], [n, 3, h, w] -> RGB uint8[n, h, w, 3]."""
    return to_rgb(images.detach().float().permute(0, 2, 3, 1).cpu().numpy())


def to_cone(images: np.ndarray) -> np.ndarray:
    """RGB uint8[..., 3] -> (C S cos a, 1/2 + C S sin a, V) uint8[..., 3], where 255 is 1."""
    rgb = images.astype(np.float32) / 255
    value = rgb.max(-1)
    chroma = value - rgb.min(-1)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    safe = np.where(chroma == 0, 1, chroma)
    sextant = np.select(
        [value == red, value == green], [(green - blue) / safe, (blue - red) / safe + 2], (red - green) / safe + 4
    )
    angle = ((sextant / 6 - CUT) % 1 - 0.5) * (ARC * 2 * np.pi)
    saturation = chroma / np.where(value == 0, 1, value)
    cone = [CHROMA * saturation * np.cos(angle), 0.5 + CHROMA * saturation * np.sin(angle), value]
    return (np.stack(cone, axis=-1) * 255).round().astype(np.uint8)


def to_rgb(cone: np.ndarray) -> np.ndarray:
    """What `to_cone` gives, as floats [..., 3] in [0, 1] -> RGB uint8[..., 3]; what is outside the cone is clipped."""
    x, y, value = cone[..., 0] / CHROMA, (cone[..., 1] - 0.5) / CHROMA, np.clip(cone[..., 2], 0, 1)
    angle = np.clip(np.arctan2(y, x) / (ARC * 2 * np.pi), -0.5, 0.5)  # what lies beyond counts as the nearer end
    sextant, saturation = (angle + 0.5 + CUT) % 1 * 6, np.minimum(np.hypot(x, y), 1)
    away = [np.abs((sextant - primary + 3) % 6 - 3) for primary in (0, 2, 4)]
    share = np.clip(2 - np.stack(away, axis=-1), 0, 1)
    return (255 * value[..., None] * (1 - saturation[..., None] * (1 - share))).round().astype(np.uint8)
