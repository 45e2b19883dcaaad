"""Sixteen hues that people name, in English and Japanese; the light of the rooms changes a colour, not its hue."""

import numpy as np

# sRGB, 0 to 255: the circle of hues at saturation .8 and value .97, in steps halfway between equal angles and equal
# lengths in OKLab. Hues alone, because then a colour is one quantity, which a code can hold in one latent or two.
PALETTE: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("red", "赤", (247, 49, 49)),
    ("orange", "橙", (247, 128, 49)),
    ("amber", "山吹", (247, 188, 49)),
    ("yellow", "黄", (247, 246, 49)),
    ("lime", "黄緑", (167, 247, 49)),
    ("green", "緑", (63, 247, 49)),
    ("emerald", "エメラルド", (49, 247, 143)),
    ("turquoise", "青緑", (49, 247, 224)),
    ("sky blue", "空色", (49, 212, 247)),
    ("azure", "紺碧", (49, 158, 247)),
    ("blue", "青", (49, 101, 247)),
    ("indigo", "藍", (81, 49, 247)),
    ("violet", "菫", (148, 49, 247)),
    ("purple", "紫", (213, 49, 247)),
    ("magenta", "赤紫", (247, 49, 212)),
    ("pink", "桃", (247, 49, 137)),
)
RGB = np.array([rgb for _, _, rgb in PALETTE], dtype=np.float32)
