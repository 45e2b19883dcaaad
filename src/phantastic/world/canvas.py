"""A stage on which flat shapes of some material move: anti-aliased, painted from back to front, any number of frames.

The stage reaches from -1 to 1 to the right (x) and upwards (y); its floor begins at FLOOR.
"""

from collections.abc import Callable
from math import ceil

import numpy as np
from jaxtyping import Float, Float32, UInt8

from phantastic.world.sounds import GLASS, METAL, RUBBER, WOOD

FLOOR = -0.72
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # luma of red, green and blue (ITU-R BT.601)
COLOURS = {WOOD: (0.48, 0.27, 0.10), METAL: (0.60, 0.66, 0.76), GLASS: (0.45, 0.85, 0.85), RUBBER: (0.72, 0.12, 0.20)}

Array = Float32[np.ndarray, "frames #rows #columns"]
Course = float | Float[np.ndarray, " frames"]
Shape = Callable[[Array, Array], tuple[Array, np.ndarray]]  # of (u, v) from the centre: cover, colour


class Stage:
    """Frames being painted; `times` are the seconds at which they are seen."""

    def __init__(self, times: Float[np.ndarray, " frames"], size: int, wall: Float[np.ndarray, " 3"]):
        self.times, self.size = times, size
        rows = 1 - (np.arange(size, dtype=np.float32) + 0.5) * 2 / size
        shade = np.where(rows < FLOOR, 0.55, 0.9 + 0.1 * rows).astype(np.float32)
        self.pixels = np.empty((len(times), size, size, 3), np.float32)
        self.pixels[:] = shade[:, None, None] * wall.astype(np.float32)

    def paint(self, x: Course, y: Course, reach: float, shape: Shape, alpha: Course = 1.0) -> None:
        """Paint `shape`, which lies within `reach` of its centre (x, y), with an opacity."""
        frames, size = len(self.times), self.size
        x, y, alpha = (np.broadcast_to(np.asarray(course, np.float32), frames) for course in (x, y, alpha))
        visible = np.flatnonzero((alpha > 0) & (np.abs(x) < 1 + reach) & (np.abs(y) < 1 + reach))
        if not len(visible):
            return
        x, y = x[visible], y[visible]
        window = min(size, ceil(reach * size) + 2)
        column, row = self._first(x, window), self._first(-y, window)
        places = (np.arange(window, dtype=np.float32) + 0.5) * (2 / size) - 1
        u = (column[:, None] * (2 / size) + places - x[:, None])[:, None, :].astype(np.float32)
        v = (-row[:, None] * (2 / size) - places - y[:, None])[:, :, None].astype(np.float32)
        cover, colour = shape(u, v)
        cover = np.broadcast_to(cover * alpha[visible, None, None], (len(visible), window, window))[..., None]
        windows = np.lib.stride_tricks.sliding_window_view(self.pixels, (window, window), axis=(1, 2), writeable=True)
        under = windows[visible, row, column].transpose(0, 2, 3, 1)
        windows[visible, row, column] = (under + cover * (colour - under)).transpose(0, 3, 1, 2)

    def _first(self, centre: np.ndarray, window: int) -> np.ndarray:
        middle = (centre + 1) * (self.size / 2)
        return np.clip(np.rint(middle - window / 2), 0, self.size - window).astype(int)

    def soft(self, inside: np.ndarray) -> np.ndarray:
        """The share of a pixel that is covered, by how far inside the edge its middle lies, in stage units."""
        return np.clip(inside * (self.size / 2) + 0.5, 0, 1)

    def developed(
        self, channels: int, noise: float, generator: np.random.Generator
    ) -> UInt8[np.ndarray, "frames size size channels"]:
        """The frames as 8-bit RGB or grey, with white Gaussian noise (standard deviation; white is 1)."""
        pixels = self.pixels if channels == 3 else self.pixels @ GREY[:, None]
        if noise:
            pixels = pixels + np.float32(noise) * generator.standard_normal(pixels.shape, np.float32)
        return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def look(material: int, u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    """The surface of a material: wood is grained, metal shines, glass has a bright rim, rubber is dull."""
    colour = np.array(COLOURS[material], np.float32)
    if material == WOOD:
        light = 1 + 0.35 * np.sin((v + 0.2 * u) * np.float32(9 / radius))
    elif material == METAL:
        light = 0.85 + 1.0 * np.exp(-(np.square(u + 0.3 * radius) + np.square(v - 0.3 * radius)) / (0.4 * radius) ** 2)
    elif material == GLASS:
        light = 0.65 + 0.5 * (np.square(u) + np.square(v)) / radius**2
    else:
        light = 1 + 0 * (u + v)
    return light[..., None].astype(np.float32) * colour
