"""Trees over a sentence: the gold one above the words, the one in a network's space below; Hewitt & Manning's figure 2.

Edges carry no direction: a distance has none.
"""

from collections.abc import Sequence
from math import cos, pi, sin

import altair as alt
from jaxtyping import Int64
from numpy import ndarray
from PIL import ImageFont

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, VERMILION
from phantastic.show.fonts import japanese_font

Edges = Sequence[tuple[int, int]] | Int64[ndarray, "edges 2"]
GOLD = Text("gold tree", "正解の構文木")
FOUND = Text("predicted, in the gold tree", "予測(正解と一致)")
WRONG = Text("predicted, not in it", "予測(正解と不一致)")
ONLY = Text("predicted", "予測")
LOOKS = {GOLD: (BLACK, [1, 0]), FOUND: (BLUE, [1, 0]), WRONG: (VERMILION, [5, 3]), ONLY: (BLUE, [1, 0])}
_SIZE, _GAP, _POINTS = 13, 14, 24


def arcs(words: Sequence[str], gold: Edges | None, predicted: Edges) -> alt.LayerChart | alt.FacetChart:
    """The sentence with both trees; edges are pairs of words counted from 0. Arcs that are wrong are dashed.

    Where there is no ``gold`` tree, the predicted one stands above the words.
    """
    font = ImageFont.truetype(japanese_font(), _SIZE)
    widths = [font.getlength(word) + _GAP for word in words]
    places = [sum(widths[:number]) + width / 2 for number, width in enumerate(widths)]
    gold_edges, predicted_edges = pairs(gold), pairs(predicted)
    lines = [(GOLD, edge, 1) for edge in sorted(gold_edges)]
    for edge in sorted(predicted_edges):
        lines.append((ONLY, edge, 1) if gold is None else (FOUND if edge in gold_edges else WRONG, edge, -1))
    rows = []
    for number, (kind, (i, j), side) in enumerate(lines):
        # arcs that begin on one word leave it side by side, the short ones within the long ones
        start, end = places[i] + 3, places[j] - 3
        for point in range(_POINTS + 1):
            angle = pi * point / _POINTS
            x = (start + end) / 2 - (end - start) / 2 * cos(angle)
            rows.append(
                {
                    "x": round(x, 1),
                    "y": round(side * (11 + height(i, j) * sin(angle)), 1),
                    "arc": number,
                    "order": point,
                    "kind": str(kind),
                }
            )
    top = 16 + max((height(i, j) for _, (i, j), side in lines if side > 0), default=0)
    bottom = 16 + max((height(i, j) for _, (i, j), side in lines if side < 0), default=0)
    width = max(sum(widths), 260)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-bottom, top], nice=False))
    kinds = (ONLY,) if gold is None else (GOLD, FOUND, WRONG)
    names, (colours, dashes) = [str(kind) for kind in kinds], zip(*(LOOKS[kind] for kind in kinds), strict=True)
    curves = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            detail="arc:N",
            order="order:Q",
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=names, range=colours),
                legend=alt.Legend(orient="bottom", direction="horizontal", symbolSize=300),
            ),
            strokeDash=alt.StrokeDash("kind:N", title=None, legend=None, scale=alt.Scale(domain=names, range=dashes)),
        )
    )
    texts = [{"x": round(place, 1), "y": 0, "word": word} for place, word in zip(places, words, strict=True)]
    sentence = alt.Chart(alt.Data(values=texts)).mark_text(fontSize=_SIZE, baseline="middle")
    written = sentence.encode(x=x, y=y, text="word:N")
    return alt.layer(curves, written, width=width, height=top + bottom)


def pairs(edges: Edges | None) -> set[tuple[int, int]]:
    """The smaller word first."""
    return {(min(map(int, edge)), max(map(int, edge))) for edge in (() if edges is None else edges)}


def height(i: int, j: int) -> float:
    """How high an arc between two words rises, in pixels."""
    return 14 + 11 * min(abs(i - j) - 1, 8) ** 0.9
