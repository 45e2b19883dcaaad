"""Japanese on machines without a Japanese font: IPAexGothic, which the package matplotlib-fontja carries.

An image or a PNG is drawn with it; an HTML page embeds the glyphs it uses (`font_face`); in an SVG the texts that hold
Japanese become outlines (`outlined`), because browsers do not reliably use a font embedded in an SVG image.
"""

import base64
import io
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from phantastic.ground.errors import Refused

JAPANESE = "IPAexGothic"
SVG = "http://www.w3.org/2000/svg"
SYMBOLS, EAST_ASIAN = 0x2100, 0x2E80  # from here on a Latin font may lack letters; does lack them
SUBSTITUTES = str.maketrans("≥≤", "≧≦")  # as printed in Japanese; IPAexGothic has only these


@lru_cache(maxsize=1)
def japanese_font() -> Path:
    """The file of IPAexGothic. The package is found, not imported, since its import would load matplotlib.

    Raises `Refused` when the package is absent.
    """
    package = find_spec("matplotlib_fontja")
    path = Path(package.origin or "").parent / "fonts" / "ipaexg.ttf" if package else Path()
    if not path.is_file():
        raise Refused("the Japanese font is missing; install it with: pip install matplotlib-fontja")
    return path


def holds_japanese(text: str) -> bool:
    return any(ord(letter) >= EAST_ASIAN for letter in text)


def font_face(text: str) -> str:
    """A CSS ``@font-face`` rule with the IPAexGothic glyphs that ``text`` needs beyond Latin; '' if it needs none."""
    wanted = frozenset(letter for letter in text if ord(letter) >= SYMBOLS)
    return subset(wanted) if wanted else ""


@lru_cache(maxsize=8)
def subset(letters: frozenset[str]) -> str:
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    subsetter = Subsetter(Options(layout_features=[], hinting=False, name_IDs=[0, 1, 2, 13, 14]))
    subsetter.populate(text="".join(letters))
    buffer = io.BytesIO()
    with TTFont(japanese_font(), lazy=True, recalcTimestamp=False) as font:
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(buffer, reorderTables=None)
    data = base64.b64encode(buffer.getvalue()).decode()
    ranges = ",".join(f"U+{ord(letter):X}" for letter in sorted(letters))
    source = f"src:url(data:font/woff;base64,{data}) format('woff')"
    return f"@font-face{{font-family:{JAPANESE};{source};unicode-range:{ranges}}}"


def outlined(svg: str) -> str:
    """The SVG with every text that holds Japanese turned into outlines of IPAexGothic; other texts stay text."""
    if not holds_japanese(svg):
        return svg
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for text in list(root.iter(f"{{{SVG}}}text")):
        lines = [text] if text.text else list(text)
        words = "\n".join(line.text or "" for line in lines).translate(SUBSTITUTES)
        if holds_japanese(words) and all(letter in glyphs()[1] for letter in words if letter != "\n"):
            outline(text, words.split("\n"), [float(line.get("dy", 0)) for line in lines])
    return ElementTree.tostring(root, encoding="unicode")


@lru_cache(maxsize=1)
def glyphs() -> tuple[Mapping[str, Any], dict[str, str], int]:
    """The font's outlines, its glyph names by letter and its units per em."""
    from fontTools.ttLib import TTFont

    font: Any = TTFont(io.BytesIO(japanese_font().read_bytes()), lazy=True)
    return font.getGlyphSet(), {chr(code): name for code, name in font.getBestCmap().items()}, font["head"].unitsPerEm


def outline(text: ElementTree.Element, lines: list[str], offsets: list[float]) -> None:
    """Turn a text element, its lines ``offsets`` pixels below one another, into a group of paths where it stands."""
    from fontTools.pens.svgPathPen import SVGPathPen
    from fontTools.pens.transformPen import TransformPen

    shapes, names, units = glyphs()
    scale = float(text.get("font-size", "11px").removesuffix("px")) / units
    anchor = {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor", "start"), 0.0)
    pen = SVGPathPen(shapes, ntos=lambda number: f"{number:.2f}".rstrip("0").rstrip("."))
    y = 0.0
    for line, offset in zip(lines, offsets, strict=True):
        y += offset
        x = -anchor * scale * sum(shapes[names[letter]].width for letter in line)
        for letter in line:
            shapes[names[letter]].draw(TransformPen(pen, (scale, 0, 0, -scale, x, y)))
            x += scale * shapes[names[letter]].width
    kept = {key: value for key, value in text.attrib.items() if key in ("transform", "fill", "opacity", "fill-opacity")}
    text.clear()
    text.tag = f"{{{SVG}}}path"
    text.attrib.update(kept, d=pen.getCommands(), role="img")
    text.set("aria-label", " ".join(lines))
