"""Sixteen hues that people name, in English and Japanese; the light of the rooms changes a colour, not its hue."""

import numpy as np

# sRGB, 0 to 255: the circle of hues at saturation .72 and value .97, in steps halfway between equal angles and equal
# lengths in OKLab. Hues alone, because then a colour is one quantity, which a code can hold in one latent or two.
PALETTE: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("red", "赤", (247, 69, 69)),
    ("orange", "橙", (247, 140, 69)),
    ("amber", "山吹", (247, 194, 69)),
    ("yellow", "黄", (247, 246, 69)),
    ("lime", "黄緑", (175, 247, 69)),
    ("green", "緑", (81, 247, 69)),
    ("emerald", "エメラルド", (69, 247, 153)),
    ("turquoise", "青緑", (69, 247, 226)),
    ("sky blue", "空色", (69, 215, 247)),
    ("azure", "紺碧", (69, 167, 247)),
    ("blue", "青", (69, 115, 247)),
    ("indigo", "藍", (97, 69, 247)),
    ("violet", "菫", (158, 69, 247)),
    ("purple", "紫", (216, 69, 247)),
    ("magenta", "赤紫", (247, 69, 215)),
    ("pink", "桃", (247, 69, 148)),
)
RGB = np.array([rgb for _, _, rgb in PALETTE], dtype=np.float32)
