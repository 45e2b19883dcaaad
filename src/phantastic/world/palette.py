"""Sixteen hues that people name, in English and Japanese; the light of the rooms changes a colour, not its hue."""

import numpy as np

# sRGB, 0 to 255: the circle of hues at saturation .9 and value .95, in steps halfway between equal angles and equal
# lengths in OKLab. Hues alone, because then a colour is one quantity, which a code can hold in one latent or two.
PALETTE: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("red", "赤", (242, 24, 24)),
    ("orange", "橙", (242, 111, 24)),
    ("amber", "山吹", (242, 177, 24)),
    ("yellow", "黄", (242, 240, 24)),
    ("lime", "黄緑", (154, 242, 24)),
    ("green", "緑", (38, 242, 24)),
    ("emerald", "エメラルド", (24, 242, 127)),
    ("turquoise", "青緑", (24, 242, 216)),
    ("sky blue", "空色", (24, 202, 242)),
    ("azure", "紺碧", (24, 144, 242)),
    ("blue", "青", (24, 80, 242)),
    ("indigo", "藍", (58, 24, 242)),
    ("violet", "菫", (133, 24, 242)),
    ("purple", "紫", (204, 24, 242)),
    ("magenta", "赤紫", (242, 24, 203)),
    ("pink", "桃", (242, 24, 120)),
)
RGB = np.array([rgb for _, _, rgb in PALETTE], dtype=np.float32)
