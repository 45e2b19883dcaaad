"""Fonts: which letters are embedded, which texts become outlines and where those stand."""

import base64
import io
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont

from phantastic.ground.errors import Refused
from phantastic.show import fonts

EM = 2048  # units of IPAexGothic; its full-width letters are one em wide


def svg(*texts: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(texts)}</svg>'


def elements(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(fonts.outlined(text)))


def box(element: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a path that has absolute commands only."""
    x, y, points = 0.0, 0.0, []
    for kind, words in re.findall(r"([MLHVQCZ])([^MLHVQCZ]*)", element.get("d", "")):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", words)]
        if kind == "H":
            x = numbers[-1]
        elif kind == "V":
            y = numbers[-1]
        elif numbers:
            x, y = numbers[-2:]
        points.append((x, y))
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def test_the_font_is_found_or_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert fonts.japanese_font().name == "ipaexg.ttf"
    for found in (None, SimpleNamespace(origin=str(tmp_path / "__init__.py"))):
        fonts.japanese_font.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(fonts, "find_spec", lambda name, found=found: found)
            with pytest.raises(Refused, match="missing; install it with: pip install matplotlib-fontja"):
                fonts.japanese_font()


@pytest.mark.parametrize(
    ("text", "japanese"), [("a é β ✓ →", False), ("a 心", True), ("か", True), ("、", True), ("", False)]
)
def test_what_is_japanese(text: str, japanese: bool) -> None:
    assert fonts.holds_japanese(text) == japanese


def test_a_face_names_its_letters_in_order_and_holds_a_font_of_them() -> None:
    rule = fonts.font_face("心✓a→心β")
    assert rule.endswith("unicode-range:U+2192,U+2713,U+5FC3}")
    data = re.search(r"src:url\(data:font/woff;base64,([A-Za-z0-9+/=]+)\) format\('woff'\)", rule)
    assert data is not None
    with TTFont(io.BytesIO(base64.b64decode(data[1]))) as font:
        assert (font.flavor, sorted(map(chr, font.getBestCmap()))) == ("woff", ["→", "✓", "心"])
        assert {record.nameID for record in font["name"].names} >= {1, 2, 13}  # its licence comes along
    assert fonts.font_face("Latin é") == ""


def test_text_that_holds_no_japanese_or_unknown_letters_stays_as_it_is() -> None:
    latin = svg("<text>a  β</text>")
    assert fonts.outlined(latin) is latin
    first, second, third = elements(svg("<text>心</text>", "<text>a</text>", "<text>心\u0378</text>"))
    assert (first.tag, second.tag, third.tag) == tuple(f"{{{fonts.SVG}}}{tag}" for tag in ("path", "text", "text"))
    assert (second.text, third.text) == ("a", "心\u0378")


@pytest.mark.parametrize(
    ("anchor", "left"), [("", 0), ('text-anchor="start"', 0), ('text-anchor="middle"', -20), ('text-anchor="end"', -40)]
)
def test_outlines_are_as_wide_as_their_letters_from_where_the_text_is_anchored(anchor: str, left: float) -> None:
    """Two full-width letters of 20 pixels."""
    (path,) = elements(svg(f'<text font-size="20px" {anchor}>口口</text>'))
    x, top, end, bottom = box(path)
    glyph = fonts.glyphs()[0][fonts.glyphs()[1]["口"]]
    assert glyph.width == fonts.glyphs()[2] == EM
    assert left < x < left + 5
    assert left + 35 < end < left + 40
    assert -20 < top < -10  # above the line it stands on
    assert -5 < bottom < 5


def test_lines_stand_below_one_another_and_a_text_without_a_size_is_small() -> None:
    (one,) = elements(svg("<text>口</text>"))
    assert 9 < box(one)[2] < 11
    lines = '<tspan x="0">口</tspan><tspan x="0" dy="30">口</tspan><tspan x="0" dy="30">a</tspan>'
    (three,) = elements(svg(f'<text font-size="20px">{lines}</text>'))
    (upper,) = elements(svg('<text font-size="20px">口</text>'))
    assert box(three)[1] == box(upper)[1]
    assert box(three)[3] == pytest.approx(60, abs=1)
    assert three.get("aria-label") == "口 口 a"


def test_an_outline_keeps_its_place_and_colour_and_says_what_it_reads() -> None:
    kept = {"transform": "translate(3,4)", "fill": "#333", "opacity": "0.5", "fill-opacity": "0.25"}
    words = " ".join(f'{key}="{value}"' for key, value in kept.items())
    (path,) = elements(svg(f'<text {words} font-family="x" font-size="12px">心 ≥ 1</text>'))
    assert path.attrib.keys() == {*kept, "d", "role", "aria-label"}
    assert {key: path.get(key) for key in kept} == kept
    assert (path.get("role"), path.get("aria-label"), path.text) == ("img", "心 ≧ 1", None)
