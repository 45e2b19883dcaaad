"""What enters BERT: for every piece the sum of three learned vectors (Devlin et al. 2019, figure 2)."""

from collections.abc import Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import torch
from jaxtyping import Float

from phantastic.declare.i18n import Text
from phantastic.nn.language.bert import Bert
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.show.figure import BLUE, VERMILION, Figure
from phantastic.systems.bert.reading import Sentences, read, sentences_of

COLUMN, LINE, MOST = 46, 2, 64  # pixels of a piece and of a number; numbers of a vector that are shown
PARTS = {
    "token": Text("token", "トークン"),
    "segment": Text("segment", "セグメント"),
    "position": Text("position", "位置"),
    "sum": Text("sum", "和"),
}


class Parts(NamedTuple):
    """A text's pieces, which sentence each belongs to, and the vectors that are added, [pieces, width]."""

    pieces: list[str]
    sentences: list[int]
    token: Float[np.ndarray, "pieces width"]
    segment: Float[np.ndarray, "pieces width"]
    position: Float[np.ndarray, "pieces width"]

    @property
    def sum(self) -> Float[np.ndarray, "pieces width"]:
        """What enters the layer norm."""
        return self.token + self.segment + self.position


@torch.no_grad()
def parts(model: Model, language: Language, sentences: Sentences) -> Parts:
    batch, layers = read(language, sentences), model.transformer
    assert isinstance(layers, Bert)
    ids, types = batch.input_ids[0], batch.token_type_ids[0]
    vectors = (table.weight.float().cpu() for table in (layers.words, layers.segments, layers.positions))
    chosen = (table[rows].numpy() for table, rows in zip(vectors, (ids, types, torch.arange(len(ids))), strict=True))
    return Parts([language.wordpiece.vocabulary[piece] for piece in ids.tolist()], types.tolist(), *chosen)


def input_sum(model: Model, language: Language, text: str) -> Figure:
    """The three vectors of every piece and their sum, a strip of colours each, with its length."""
    found = parts(model, language, sentences_of(language, text, "figure"))
    shown = min(MOST, found.token.shape[1])
    labels = {
        "token": found.pieces,
        "segment": ["AB"[number] for number in found.sentences],
        "position": [str(place) for place in range(len(found.pieces))],
        "sum": found.pieces,
    }
    reach = float(np.quantile(abs(found.sum), 0.99))
    vectors = {name: getattr(found, name) for name in PARTS}
    norms = {name: np.linalg.norm(each, axis=1) for name, each in vectors.items()}
    panels = [
        strip(each[:, :shown], norms[name], labels[name], reach, f"{sign}{PARTS[name]}")
        for sign, (name, each) in zip(("", "+ ", "+ ", "= "), vectors.items(), strict=True)
    ]
    lengths = {name: float(norm.mean()) for name, norm in norms.items()}
    caption = Text(
        f"What BERT reads of “{text}”. Each piece is a column: the vector of the token, that of its sentence (A or B) "
        f"and that of its place are added, and the sum enters the first layer norm. Of each vector {shown} numbers are "
        "shown; above stands its length. The vectors are those of the trained network; mean lengths: "
        + ", ".join(f"{PARTS[name].en} {length:.2f}" for name, length in lengths.items())
        + ".",
        f"「{text}」の読み込み。1 列が 1 つのトークン。トークンのベクトル、文(A か B)のベクトル、位置のベクトルを足し、"
        f"その和が最初の層正規化に入る。各ベクトルの {shown} 個の数を色で示し、上にその長さを記す。"
        "いずれも学習後のネットワークのもの。長さの平均:"
        + "、".join(f"{PARTS[name].ja} {length:.2f}" for name, length in lengths.items())
        + "。",
    )
    return Figure(str(caption), alt.vconcat(*panels, spacing=14).resolve_scale(color="shared"))


def strip(
    vectors: Float[np.ndarray, "pieces numbers"],
    lengths: Float[np.ndarray, " pieces"],
    labels: Sequence[str],
    reach: float,
    heading: str,
) -> alt.LayerChart | alt.FacetChart:
    """A column of colours for each piece, its label below and its length above."""
    cells = [
        {"place": place, "number": number, "value": round(float(np.clip(value, -reach, reach)), 3)}
        for (place, number), value in np.ndenumerate(vectors)
    ]
    tops = [{"place": place, "length": f"{length:.2f}"} for place, length in enumerate(lengths)]
    label = "[" + ",".join("'" + each.replace("'", "\\'") + "'" for each in labels) + "][datum.value]"
    axis = alt.Axis(labelExpr=label, title=None, labelAngle=0, ticks=False, domain=False, labelOverlap=False)
    x = alt.X("place:O", axis=axis, scale=alt.Scale(paddingInner=0.25))
    boxes = (
        alt.Chart(alt.Data(values=cells))
        .mark_rect()
        .encode(
            x=x,
            y=alt.Y("number:O", axis=None),
            color=alt.Color(
                "value:Q",
                title=str(Text("value", "値")),
                scale=alt.Scale(domain=[-reach, 0, reach], range=[BLUE, "#ffffff", VERMILION], interpolate="rgb"),
                legend=alt.Legend(format=".1f", gradientLength=90),
            ),
        )
    )
    numbers = (
        alt.Chart(alt.Data(values=tops))
        .mark_text(baseline="bottom", fontSize=9, color="#666666")
        .encode(x=x, y=alt.value(-2), text="length:N")
    )
    title = alt.Title(heading, fontSize=12, offset=2)
    height = LINE * vectors.shape[1]
    return alt.layer(boxes, numbers).properties(width=COLUMN * len(labels), height=height, title=title)
