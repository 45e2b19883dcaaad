"""Figures: Japanese is drawn and not as boxes, images stand where they should, files say what was asked."""

import base64
import io
import re
from pathlib import Path

import altair as alt
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from phantastic.show.figure import FONTS, PALETTE, Figure, image_grid, wrapped, write
from phantastic.show.fonts import font_face, japanese_font

MISSING = "\u0378"  # a code that no font has: drawn as its box


def chart(title: str, label: str = "x") -> alt.Chart:
    data = alt.Data(values=[{"x": i, "y": i * i, "k": title} for i in range(3)])
    return (
        alt.Chart(data, title=[title, "β-VAE & <x>"])
        .mark_line()
        .encode(alt.X("x:Q", title=label), y="y:Q", color="k:N")
    )


def png(folder: Path, picture: alt.Chart | Image.Image) -> np.ndarray:
    return np.asarray(Image.open(write(Figure("", picture), folder / "figure")[-1]).convert("RGB"))


@pytest.mark.parametrize("kind", ["chart", "grid"])
def test_japanese_is_drawn(tmp_path: Path, kind: str) -> None:
    """Two kanji and a box are three different pictures."""
    tile = np.zeros((1, 1, 20, 20, 3), np.uint8)
    drawn = [
        png(tmp_path, chart(letter) if kind == "chart" else image_grid(tile, [letter], [letter]))
        for letter in ("心", "脳", MISSING)
    ]
    assert all(not np.array_equal(a, b) for a, b in ((drawn[0], drawn[1]), (drawn[0], drawn[2]), (drawn[1], drawn[2])))


def test_svg_outlines_japanese_and_keeps_latin(tmp_path: Path) -> None:
    path, picture = write(Figure("", chart("再構成", "steps of training")), tmp_path / "図 1")
    assert (path.name, picture.name) == ("図 1.svg", "図 1.png")
    svg = path.read_text()
    texts = re.findall(r"<text[^>]*>([^<]*)", svg)
    assert "steps of training" in texts
    assert not [text for text in texts if re.search(r"[\u2e80-\uffef]", text)]
    outlines = re.findall(r'<path[^>]*d="(M[^"]+)"[^>]*aria-label="([^"]*)"', svg)
    assert {label for _, label in outlines} == {"再構成 β-VAE &amp; &lt;x&gt;", "再構成"}
    assert "@font-face" not in svg
    assert "http" not in re.sub(r"http://www\.w3\.org/[\w/]+", "", svg)


def test_outlines_stand_where_the_text_stood(tmp_path: Path) -> None:
    """The outlined SVG, drawn without any text, covers what the PNG shows (which was drawn with the font)."""
    import vl_convert

    data = alt.Data(values=[{}])
    words = [("あ心", "left"), ("脳、見る", "center"), ("学習", "right")]
    marks = [alt.Chart(data).mark_text(text=[word, "二行", "三行目"], fontSize=30, align=a, x=150, y=40 + 110 * i)
             for i, (word, a) in enumerate(words)]  # fmt: skip
    paths = write(Figure("", alt.layer(*marks).properties(width=300, height=350)), tmp_path / "words")
    assert "<text" not in paths[0].read_text()
    redrawn = Image.open(io.BytesIO(vl_convert.svg_to_png(paths[0].read_text(), scale=2))).convert("L")
    difference = np.abs(np.asarray(redrawn, float) - np.asarray(Image.open(paths[1]).convert("L"), float))
    assert difference.mean() < 1.0  # of 255: only antialiasing differs
    assert np.asarray(redrawn).min() < 60


def test_letters_that_xml_forbids_do_no_harm(tmp_path: Path) -> None:
    for letter in ("\x00", "\x1b", "\uffff", "\ud800"):
        svg = write(Figure("", chart(f"a{letter}b")), tmp_path / "x")[0].read_text()
        assert "a\ufffdb" in svg


def test_theme() -> None:
    config = chart("a").to_dict()["config"]
    assert config["range"]["category"] == list(PALETTE)
    assert config["font"] == FONTS
    assert len(set(PALETTE)) == 8


def test_png_is_twice_the_size_and_files_are_the_same_twice(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write(Figure("", chart("再")), tmp_path / "a")]
    second = [path.read_bytes() for path in write(Figure("", chart("再")), tmp_path / "b")]
    assert first == second
    size = re.search(r'width="(\d+)" height="(\d+)"', first[0].decode())
    assert size is not None
    assert Image.open(io.BytesIO(first[1])).size == (2 * int(size[1]), 2 * int(size[2]))
    assert Figure("", chart("再"))._repr_png_() == first[1]


def test_embedded_font_has_the_glyphs_and_no_more() -> None:
    assert font_face("only Latin, β and “quotes” – 1 ± 2") == ""
    rule = font_face("心の台帳✓ and Latin")
    data = re.search(r"data:font/woff;base64,([A-Za-z0-9+/=]+)\)", rule)
    assert data is not None
    with TTFont(io.BytesIO(base64.b64decode(data[1]))) as font:
        assert set(map(chr, font.getBestCmap())) == set("心の台帳✓")
    assert rule.startswith("@font-face{font-family:IPAexGothic;")
    assert "unicode-range:" in rule
    assert len(rule) < 10_000


@settings(max_examples=12)
@given(
    rows=st.integers(1, 4), columns=st.integers(1, 5), height=st.integers(1, 40), width=st.integers(1, 40),
    scale=st.integers(1, 3), channels=st.sampled_from([1, 3]), words=st.text("aあ漢 、W", max_size=30),
)  # fmt: skip
def test_image_grid_shows_every_pixel(
    rows: int, columns: int, height: int, width: int, scale: int, channels: int, words: str
) -> None:
    """Each image is there once, ``scale`` times as large, with nothing drawn over it."""
    number = rows * columns
    images = np.empty((rows, columns, height, width, channels), np.uint8)
    colours = [tuple([100 + 7 * i] * channels) if channels == 1 else (255, i, 0) for i in range(number)]
    images[:] = np.array(colours, np.uint8).reshape(rows, columns, 1, 1, channels)
    picture = np.asarray(image_grid(images, [words] * rows, [words] * columns, scale=scale)).astype(int)
    for colour in colours if channels == 3 else []:
        ys, xs = np.nonzero((picture == colour).all(axis=-1))
        assert len(ys) == height * width * scale**2
        assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == (height * scale, width * scale)
        assert xs.min() > 0
        assert xs.max() < picture.shape[1] - 1


def test_labels_stand_apart_from_their_images() -> None:
    """Beside their rows and above their columns, in the middle of these, with white between."""
    images = np.full((2, 3, 40, 60, 3), (0, 0, 255), np.uint8)
    picture = np.asarray(image_grid(images, ["label", "of a row"], ["one", "two", "three"])).astype(int)
    ys, xs = np.nonzero((picture == (0, 0, 255)).all(-1))
    left, top = xs.min(), ys.min()
    ink = (picture < 200).all(-1)  # letters are dark in all channels
    assert not ink[:, left - 6 : left].any()
    assert not ink[top - 2 : top].any()
    for row in range(2):
        beside = ink[top + 44 * row : top + 44 * row + 40, :left]
        assert np.flatnonzero(beside.any(1)).mean() == pytest.approx(19.5, abs=3)
        assert np.flatnonzero(beside.any(0)).max() > left - 12  # they end where the images begin
    for column in range(3):
        above = ink[:top, left + 64 * column : left + 64 * column + 60]
        assert np.flatnonzero(above.any(0)).mean() == pytest.approx(29.5, abs=2)


def test_image_grid_without_labels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 7, 3), dtype=np.uint8)
    picture = np.asarray(image_grid(images, scale=1))
    assert picture.shape == (8 + 2 * 5 + 4 + 8, 8 + 3 * 7 + 2 * 4 + 8, 3)
    assert np.array_equal(picture[8:13, 8:15], images[0, 0])
    assert np.array_equal(picture[17:22, 30:37], images[1, 2])


@given(words=st.text("aあ漢 、W-≥", max_size=60), width=st.integers(1, 300))
def test_wrapped_lines_fit_and_lose_nothing(words: str, width: int) -> None:
    from PIL import ImageFont

    font = ImageFont.truetype(japanese_font(), 13)
    lines = wrapped(words, font, width)
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)
    assert "".join("".join(lines).split()) == "".join(words.replace("≥", "≧").split())


@pytest.mark.parametrize("width", range(52, 240, 4))
def test_no_line_begins_with_what_closes_or_ends_with_what_opens(width: int) -> None:
    from PIL import ImageFont

    label = "赤のスーツケース、青の壁(未学習)IGNORE「スーツケース」"
    lines = wrapped(label, ImageFont.truetype(japanese_font(), 13), width)
    assert len(lines) > 1
    assert not any(line.startswith(tuple(")」、ーッ")) or line.endswith(("(", "「")) for line in lines)


def test_smooth_pictures_are_interpolated_and_keep_flat_colours() -> None:
    edge = np.zeros((1, 1, 4, 4, 3), np.uint8)
    edge[..., 2:, :] = 200
    squares, smooth = (np.asarray(image_grid(edge, scale=8, smooth=each)) for each in (False, True))
    assert squares.shape == smooth.shape
    inside = slice(8, 8 + 32)
    assert set(np.unique(squares[inside, inside])) == {0, 200}
    assert len(np.unique(smooth[inside, inside])) > 10
    flat = np.full((1, 1, 4, 4, 3), (10, 120, 240), np.uint8)
    assert (np.asarray(image_grid(flat, scale=8, smooth=True))[inside, inside] == (10, 120, 240)).all()


def test_a_picture_is_as_large_as_its_tiles_its_labels_and_the_space_between() -> None:
    """A line of a label takes 17 pixels; a row is as high as its image or its label, and the image in the middle."""
    blue = np.full((2, 2, 4, 30, 3), (0, 0, 255), np.uint8)
    size = (8 + 2 * 30 + 4 + 8, 8 + 2 * 4 + 4 + 8)
    assert image_grid(blue).size == size
    assert image_grid(blue, column_labels=["a", "b"]).size == (size[0], size[1] + 17)
    assert image_grid(blue, column_labels=["a", "a b c d e f"]).size[1] == size[1] + 2 * 17
    beside = image_grid(blue, ["a", "b"])
    assert beside.size[1] == 8 + 2 * 17 + 4 + 8
    ys = np.nonzero((np.asarray(beside) == (0, 0, 255)).all(-1).any(1))[0]
    assert ys.tolist() == [*range(8 + 6, 8 + 10), *range(8 + 21 + 6, 8 + 21 + 10)]
    long = image_grid(blue, ["label " * 20, "b"])
    assert 8 + 150 + 8 < long.size[0] - size[0] + 8 <= 8 + 200 + 8
    assert (image_grid(blue, scale=3).size[0], image_grid(blue, scale=3).size[1]) == (
        8 + 2 * 90 + 4 + 8,
        8 + 24 + 4 + 8,
    )


def test_grey_images_and_colours_stand_in_their_rows_and_columns() -> None:
    """Row by row, whatever the channels; smooth ones are interpolated by a cubic, which overshoots an edge."""
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * 40
    picture = np.asarray(image_grid(grey))
    assert picture[8:14:5, 8:19:5].tolist() == [[[v] * 3 for v in row] for row in ((0, 40, 80), (120, 160, 200))]
    edge = np.full((1, 1, 1, 8, 1), 100, np.uint8)
    edge[..., 4:, :] = 150
    smooth = np.asarray(image_grid(edge, scale=8, smooth=True))[8, 8 : 8 + 64, 0]
    assert smooth.min() < 100 < 150 < smooth.max()
