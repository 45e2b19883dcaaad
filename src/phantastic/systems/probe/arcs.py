"""Trees over a sentence: the gold one above the words, the one in a network's space below; Hewitt & Manning's figure 2.

Edges carry no direction: a distance has none.
"""

from collections.abc import Sequence
from math import cos, pi, sin

import altair as alt
from jaxtyping import Int64
from numpy import ndarray
from PIL import ImageFont

from phantastic.figure import BLACK, BLUE, VERMILION
from phantastic.fonts import japanese_font
from phantastic.recipe import Text

Edges = Sequence[tuple[int, int]] | Int64[ndarray, "edges 2"]
GOLD = Text("gold tree", "正解の構文木")
FOUND = Text("predicted, in the gold tree", "予測(正解と一致)")
WRONG = Text("predicted, not in it", "予測(正解と不一致)")
_SIZE, _GAP, _POINTS = 13, 14, 24


def arcs(words: Sequence[str], gold: Edges, predicted: Edges, lang: str, title: str = "") -> alt.LayerChart | alt.FacetChart:
    """The sentence with both trees; edges are pairs of words counted from 0. Arcs that are wrong are dashed."""
    font = ImageFont.truetype(japanese_font(), _SIZE)
    widths = [font.getlength(word) + _GAP for word in words]
    places = [sum(widths[:number]) + width / 2 for number, width in enumerate(widths)]
    right = {tuple(sorted(map(int, edge))) for edge in gold}
    lines = [(GOLD, edge, 1) for edge in sorted(right)]
    for edge in sorted(tuple(sorted(map(int, edge))) for edge in predicted):
        lines.append((FOUND if edge in right else WRONG, edge, -1))
    rows = []
    for number, (kind, (i, j), side) in enumerate(lines):
        # arcs that begin on one word leave it side by side, the short ones within the long ones
        start, end = places[i] + 3, places[j] - 3
        for point in range(_POINTS + 1):
            angle = pi * point / _POINTS
            x = (start + end) / 2 - (end - start) / 2 * cos(angle)
            rows.append({"x": round(x, 1), "y": round(side * (11 + height(i, j) * sin(angle)), 1), "arc": number,
                         "order": point, "kind": kind(lang)})  # fmt: skip
    top = 16 + max((height(i, j) for _, (i, j), side in lines if side > 0), default=0)
    bottom = 16 + max((height(i, j) for _, (i, j), side in lines if side < 0), default=0)
    width = max(sum(widths), 260)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-bottom, top], nice=False))
    kinds = [kind(lang) for kind in (GOLD, FOUND, WRONG)]
    curves = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.6).encode(
        x=x, y=y, detail="arc:N", order="order:Q",
        color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[BLACK, BLUE, VERMILION]),
                        legend=alt.Legend(orient="bottom", direction="horizontal", symbolSize=300)),
        strokeDash=alt.StrokeDash("kind:N", title=None, legend=None,
                                  scale=alt.Scale(domain=kinds, range=[[1, 0], [1, 0], [5, 3]])),
    )  # fmt: skip
    texts = [{"x": round(place, 1), "y": 0, "word": word} for place, word in zip(places, words, strict=True)]
    sentence = alt.Chart(alt.Data(values=texts)).mark_text(fontSize=_SIZE, baseline="middle")
    return alt.layer(
        curves, sentence.encode(x=x, y=y, text="word:N"), title=title or alt.Undefined, width=width, height=top + bottom
    )


def height(i: int, j: int) -> float:
    """How high an arc between two words rises, in pixels."""
    return 14 + 11 * min(abs(i - j) - 1, 8) ** 0.9
