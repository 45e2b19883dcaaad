"""Figures: an Altair chart or an image grid, written without a browser and without a network.

Latin text is set in Liberation Sans, which vl-convert carries, Japanese in IPAexGothic (see `fonts`): whatever fonts a
machine has, no empty boxes are drawn.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import numpy as np
import vl_convert
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from phantastic.ground import files
from phantastic.show.fonts import JAPANESE, SUBSTITUTES, japanese_font, outlined

if TYPE_CHECKING:
    from torch import Tensor

# Okabe & Ito (2008): told apart with every common kind of colour blindness
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, YELLOW, BLACK)
FONTS = f"Liberation Sans, Arial, Helvetica, {JAPANESE}, sans-serif"  # the first one that has the glyph draws it


class Figure(NamedTuple):
    """A picture with its caption, in one language."""

    caption: str
    picture: alt.TopLevelMixin | Image.Image

    def _repr_png_(self) -> bytes:
        """How a notebook shows it: without a network, and with its Japanese."""
        return encoded(self.picture)["png"]


@alt.theme.register("phantastic", enable=True)
def theme() -> alt.theme.ThemeConfig:
    """Quiet axes, the Okabe-Ito palette and fonts that carry Japanese."""
    ink, rule = "#333333", "#e4e4e4"
    return {
        "config": {
            "font": FONTS,
            "background": "white",
            "view": {"stroke": None, "continuousWidth": 320, "continuousHeight": 200},
            "range": {"category": list(PALETTE)},
            "line": {"strokeWidth": 2},
            "axis": {
                "gridColor": rule,
                "domainColor": "#999999",
                "tickColor": "#999999",
                "labelColor": ink,
                "titleColor": ink,
                "titleFontWeight": "normal",
                "titleFontSize": 12,
                "labelFontSize": 11,
            },
            "header": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontWeight": "normal"},
            "legend": {"titleFontWeight": "normal", "titleFontSize": 12, "labelFontSize": 11, "symbolStrokeWidth": 3},
            "title": {"anchor": "start", "fontSize": 13, "fontWeight": "bold", "color": ink},
        }
    }


def encoded(picture: alt.TopLevelMixin | Image.Image) -> dict[str, bytes]:
    """A chart as ``svg`` and ``png`` (twice the size), an image as ``png``."""
    if isinstance(picture, Image.Image):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        return {"png": buffer.getvalue()}
    vl_convert.register_font_directory(str(japanese_font().parent))
    svg = vl_convert.vegalite_to_svg(printable(picture.to_dict(validate=False)))  # validating inline data takes seconds
    return {"svg": outlined(svg).encode(), "png": vl_convert.svg_to_png(svg, scale=2)}


def printable(specification: Any) -> Any:
    """The specification without the letters that XML forbids: on one of them vl-convert ends the process."""
    if isinstance(specification, str):
        return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", specification)
    if isinstance(specification, dict):
        return {key: printable(value) for key, value in specification.items()}
    return [printable(value) for value in specification] if isinstance(specification, list) else specification


def write(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem``.svg and ``stem``.png of a chart, ``stem``.png of an image; the files' paths in that order."""
    outputs = encoded(figure.picture)
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in outputs]
    for path, data in zip(paths, outputs.values(), strict=True):
        files.write(path, data)
    return paths


def image_grid(
    images: UInt8[np.ndarray, "rows columns height width channels"],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    *,
    scale: int = 1,
    smooth: bool = False,
) -> Image.Image:
    """Images in rows and columns on white, ``scale`` times as large; one or three channels.

    Pixels stay squares, or, ``smooth``, are interpolated (bicubic), which the eye reads better in pictures of a scene.
    Labels are set in IPAexGothic and broken into lines: a column's within its width, a row's within 200 pixels.
    """
    rows, columns, height, width, _ = images.shape
    size, gap, pad = 13, 4, 8
    sampling = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    font = ImageFont.truetype(japanese_font(), size)
    line = size + 4
    beside = [wrapped(label, font, 200) for label in row_labels]
    above = [wrapped(label, font, width * scale) for label in column_labels]
    left = pad + round(max((font.getlength(text) for lines in beside for text in lines), default=-pad)) + pad
    top = pad + max((len(lines) for lines in above), default=0) * line
    step_x = width * scale + gap
    heights = [max(height * scale, len(lines) * line) + gap for lines in beside] or [height * scale + gap] * rows
    picture = Image.new("RGB", (left + columns * step_x - gap + pad, top + sum(heights) - gap + pad), "white")
    draw = ImageDraw.Draw(picture)
    for column, lines in enumerate(above):
        centre = left + column * step_x + width * scale / 2
        for number, text in enumerate(lines):
            y = top - gap - (len(lines) - number) * line + line / 2
            draw.text((centre, y), text, fill="#333333", font=font, anchor="mm")
    y = top
    for row in range(rows):
        lines = beside[row] if beside else []
        for number, text in enumerate(lines):
            middle = y + (heights[row] - gap) / 2 + (number - (len(lines) - 1) / 2) * line
            draw.text((left - pad, middle), text, fill="#333333", font=font, anchor="rm")
        for column in range(columns):
            pixels = images[row, column]
            tile = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))
            tile = tile.convert("RGB").resize((width * scale, height * scale), sampling)
            picture.paste(tile, (left + column * step_x, y + (heights[row] - gap - height * scale) // 2))
        y += heights[row]
    return picture


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Lines no wider than ``width`` pixels: Latin breaks at spaces, Japanese anywhere but before what closes and after
    what opens, long words where they must."""
    lines = [""]
    japanese, opening = r"\u3000-\u9fff\uff00-\uffef", r"[(「『]*"
    hiragana = r"\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087"  # the small ones
    katakana = r"\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30fc"
    closing = f"[)」』、。:{hiragana}{katakana}]*"
    words = rf"{opening}[{japanese}]{closing}|[^\s{japanese}]+|\s+"
    for word in re.findall(words, text.translate(SUBSTITUTES)):
        if font.getlength((lines[-1] + word).rstrip()) <= width:
            lines[-1] += word
            continue
        lines.append("")
        for letter in word.lstrip():
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line.strip() for line in lines if line.strip()] or [""]


def in_bytes(images: "Float[Tensor, 'n channels rows columns']") -> UInt8[np.ndarray, "n rows columns channels"]:
    """Images in [0, 1] as `image_grid` takes them."""
    return (images.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
