"""The pictures of the study `transformer`: where each word of the output was looked for, and how the learners learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure

if TYPE_CHECKING:
    from phantastic.systems.transformer.apply import Look

CELL = 19  # pixels


class Length(NamedTuple):
    """The share of letters that a learner writes rightly in strings of one length."""

    name: str
    length: int
    share: float


INPUT, OUTPUT, WEIGHT = Text("input", "入力"), Text("output", "出力"), Text("attention weight", "注意の重み")
NAMES = {
    "reversal": (Text("sinusoids", "正弦波の位置"), BLUE),
    "learned": (Text("learned positions", "学習した位置"), ORANGE),
    "unshifted": (Text("sinusoids, always from the first position", "正弦波の位置(つねに先頭から)"), GREEN),
    "unordered": (Text("no positions", "位置なし"), BLACK),
    "translation": (Text("several heads", "複数のヘッド"), BLUE),
    "single": (Text("one head", "ヘッド 1 つ"), VERMILION),
}


def heat(look: Look, weights: Float[Tensor, "m n"], *, title: str, cell: int = CELL, labels: bool = True) -> Any:
    """Weights as squares, the output from top to bottom; rings mark the words that stand for each other."""
    inputs, outputs = (
        [f"{place:02d} {word}" for place, word in enumerate(words)] for words in (look.source, look.target)
    )
    values = [
        {"in": inputs[j], "out": outputs[i], "weight": round(float(weights[i, j]), 4)}
        for i in range(len(outputs))
        for j in range(len(inputs))
    ]
    word = "slice(datum.value, 3)"  # behind its place, which keeps equal words apart
    axis: dict[str, Any] = {"labelExpr": word, "ticks": False, "domain": False, "labels": labels, "labelPadding": 4}
    x = alt.X(
        "in:N", sort=inputs, title=str(INPUT) if labels else None, axis=alt.Axis(orient="top", labelAngle=-60, **axis)
    )
    y = alt.Y("out:N", sort=outputs, title=str(OUTPUT) if labels else None, axis=alt.Axis(**axis))
    colour = alt.Color(
        "weight:Q",
        title=str(WEIGHT),
        scale=alt.Scale(range=["#f4f4f4", BLUE], domain=[0, 1]),
        legend=alt.Legend(tickCount=3),
    )
    layers: list[Any] = [alt.Chart(alt.Data(values=values)).mark_rect().encode(x=x, y=y, color=colour)]
    if look.aligned is not None:
        rings = [{"in": inputs[j], "out": outputs[i]} for i, j in enumerate(look.aligned.tolist()) if j >= 0]
        marks = alt.Chart(alt.Data(values=rings)).mark_point(color=VERMILION, size=cell * cell / 3, strokeWidth=1.5)
        layers.append(marks.encode(x=x, y=y))
    return alt.layer(*layers).properties(width=cell * len(inputs), height=cell * len(outputs), title=title)


def named(look: Look) -> str:
    layer, head = look.follower.layer + 1, look.follower.head + 1
    return str(Text(f"layer {layer}, head {head}", f"第 {layer} 層、ヘッド {head}"))


def followed(look: Look) -> Float[Tensor, "m n"]:
    return look.weights[look.follower.layer, look.follower.head]


def attention(reversal: Look, translation: Look) -> Figure:
    """The picture of the lecture: a string read from its end, a sentence read in another order."""
    charts = [
        heat(look, followed(look), title=f"{title} ({named(look)})")
        for look, title in (
            (reversal, Text("a string backwards", "文字列の逆順")),
            (translation, Text("a translation", "翻訳")),
        )
    ]
    caption = Text(
        "Where the decoder looks in the input before it writes each word of the output: the weights of the head of the "
        "attention to the memory that follows the words best. Rings: where the letter or the word stands that is to be "
        "written.",
        "デコーダーが出力の各語を書く直前に入力のどこを見るか。記憶への注意のうち、語の対応に最もよく従うヘッドの重みを示す。"
        "輪は、逆順で対応する文字、または翻訳で対応する語の位置。",
    )
    return Figure(str(caption), alt.hconcat(*charts, spacing=40))


def alone(look: Look) -> Figure:
    """The attention picture of an input of the user's."""
    return Figure(" ".join(look.source), heat(look, followed(look), title=named(look)))


def heads(look: Look) -> Figure:
    """Every head of every layer on the same sentence."""
    charts = [
        alt.hconcat(
            *(
                heat(
                    look, head, cell=9, labels=False, title=str(Text(f"layer {i}, head {j}", f"第 {i} 層、ヘッド {j}"))
                )
                for j, head in enumerate(layer, start=1)
            )
        )
        for i, layer in enumerate(look.weights, start=1)
    ]
    caption = Text(
        f"All heads of the attention to the memory, while “{' '.join(look.source)}” is translated as "
        f"“{' '.join(look.target)}”; across the input, down the output. Rings mark words that translate each other.",
        f"「{' '.join(look.source)}」を「{' '.join(look.target)}」と訳すときの、記憶への注意の全ヘッド。"
        "横は入力、縦は出力。輪は互いに訳語となる語。",
    )
    return Figure(str(caption), alt.vconcat(*charts))


def positions(tables: Mapping[str, Float[Tensor, "length width"]], rights: Sequence[Length], longest: int) -> Figure:
    """What says where a letter stands; how alike two places are; how far that carries.

    ``tables``: the vectors added to the stream, by learner; ``rights``: letters right by length of the string;
    ``longest``: the longest string that was learned.
    """
    place, dimension = str(Text("position", "位置")), str(Text("dimension", "次元"))
    charts = []
    for name, table in tables.items():
        cells = [
            {"place": i, "dimension": j, "value": float(value)}
            for i, row in enumerate(table)
            for j, value in enumerate(row)
        ]
        unit = table / table.norm(dim=1, keepdim=True)
        alike = [
            {"place": i, "other": j, "value": float(value)}
            for i, row in enumerate(unit @ unit.t())
            for j, value in enumerate(row)
        ]
        vectors, cosines = (
            alt.Chart(alt.Data(values=values))
            .mark_rect()
            .encode(
                x=alt.X(f"{across}:O", title=title, axis=alt.Axis(labelAngle=0, labelOverlap=True, ticks=False)),
                y=alt.Y("place:O", title=place, axis=alt.Axis(labelOverlap=True, ticks=False)),
                color=alt.Color(
                    "value:Q",
                    title=str(legend),
                    scale=alt.Scale(scheme="blueorange", domain=[-bound, bound], domainMid=0),
                    legend=alt.Legend(tickCount=3),
                ),
            )
            .properties(width=width, height=150, title=str(NAMES[name][0]))
            for values, across, title, legend, bound, width in (
                (cells, "dimension", dimension, Text("value", "値"), round(float(table.abs().max()), 1), 300),
                (alike, "other", place, Text("cosine", "コサイン"), 1, 150),
            )
        )
        charts.append(alt.hconcat(vectors, cosines).resolve_scale(color="independent"))
    values = [{"length": right.length, "share": right.share, "which": str(NAMES[right.name][0])} for right in rights]
    names = list(dict.fromkeys(right.name for right in rights))
    scale = alt.Scale(domain=[str(NAMES[name][0]) for name in names], range=[NAMES[name][1] for name in names])
    lines = (
        alt.Chart(alt.Data(values=values))
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "length:Q",
                title=str(Text("letters of the string", "文字列の長さ")),
                axis=alt.Axis(format="d", tickMinStep=1),
                scale=alt.Scale(zero=False, nice=False),
            ),
            y=alt.Y("share:Q", title=str(Text("letters right", "正しい文字の割合")), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(labelLimit=320)),
        )
    )
    learned = alt.Chart(alt.Data(values=[{"from": longest + 0.5, "to": max(right.length for right in rights) + 0.5}]))
    longer = learned.mark_rect(color="#eeeeee").encode(x="from:Q", x2="to:Q")
    caption = Text(
        "Above: the vector that is added to the letter at each position, and how alike those of two positions are. "
        "Below: how many letters come out right by the length of the string; in the grey part longer than any that was "
        "learned.",
        "上:各位置の文字に加えられるベクトルと、二つの位置のベクトルがどれほど似ているか。"
        "下:文字列の長さごとの正しい文字の割合。灰色の部分は学習したどの文字列よりも長い。",
    )
    return Figure(
        str(caption),
        alt.vconcat(*charts, (longer + lines).properties(width=450, height=180)).resolve_scale(color="independent"),
    )


def learning(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Loss by training step, strings beside sentences."""
    charts = []
    for names, title in (
        (("reversal", "learned", "unshifted", "unordered"), Text("strings backwards", "文字列の逆順")),
        (("translation", "single"), Text("translation", "翻訳")),
    ):
        values = [
            {"step": point["step"], "loss": point["loss"], "which": str(NAMES[name][0])}
            for name in names
            for point in curves[name]
        ]
        scale = alt.Scale(domain=[str(NAMES[name][0]) for name in names], range=[NAMES[name][1] for name in names])
        charts.append(
            alt.Chart(alt.Data(values=values))
            .mark_line()
            .encode(
                x=alt.X("step:Q", title=str(Text("training step", "学習ステップ"))),
                y=alt.Y("loss:Q", title=str(Text("loss (nats per word)", "損失(nat/語)"))),
                color=alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(orient="top-right")),
            )
            .properties(width=300, height=200, title=str(title))
        )
    caption = Text(
        "Learning. Without positions the encoder takes a string for a bag of letters, and the loss stays near that of "
        "guessing among them.",
        "学習の経過。位置の情報がないと、エンコーダーには文字列が文字の集まりとしか見えず、"
        "損失はその中から当て推量する水準の近くにとどまる。",
    )
    return Figure(str(caption), alt.hconcat(*charts).resolve_scale(color="independent"))
