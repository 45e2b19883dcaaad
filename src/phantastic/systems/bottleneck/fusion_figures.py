"""The pictures of the study `fusion`: score and compute by fusion layer, by bottleneck tokens, by kind of class."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.bottleneck.clips import fused_layers, groups_of, middle
from phantastic.systems.bottleneck.study import FusionRecipe

Measures = Mapping[str, Measure]
VANILLA, OWN = (
    Text("vanilla, as published", "通常の融合(公表版)"),
    Text("vanilla, own queries only", "通常の融合(自分のクエリのみ)"),
)
BOTTLENECK, EYE, EAR = (
    Text("bottleneck", "ボトルネック"),
    Text("sight alone", "視覚のみ"),
    Text("hearing alone", "聴覚のみ"),
)
WIDTH = 230  # of a panel
LAYER, MAP = Text("fusion layer", "融合層"), Text("mAP", "mAP")
GROUPS = {
    "redundant": Text("seen and heard", "見ても聞いてもわかる"),
    "visual": Text("only seen", "見ればわかる"),
    "auditory": Text("only heard", "聞けばわかる"),
    "synergy": Text("only both together", "両方でだけわかる"),
}


def figures(recipe: FusionRecipe, measures: Measures, seconds: Mapping[str, Mapping[str, float]]) -> dict[str, Figure]:
    """All figures of a finished run."""
    pictures = {
        "fusion-layer": by_layer(recipe, measures, seconds),
        "bottleneck-tokens": by_number(recipe, measures),
    }
    return pictures | ({"information": by_group(recipe, measures)} if groups_of(recipe) else {})


def row(x: Any, name: str, measure: Measure, most: float = inf) -> dict[str, Any]:
    """A point with its interval; no score is above ``most``, though an interval may be."""
    low, high = measure.ends
    return {"x": x, "name": name, "value": measure.value, "low": low, "high": min(high, most)}


def line(rows: Sequence[dict[str, Any]], colours: alt.Scale, title: str, *, zero: bool, layers: int) -> Any:
    """Lines over fusion layers with intervals; those of one fusion end where late fusion, the same in all, begins."""
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X(
            "x:Q",
            title=str(LAYER),
            axis=alt.Axis(values=list(range(layers + 1)), format="d"),
            scale=alt.Scale(domain=[0, layers]),
        ),
        color=alt.Color(
            "name:N", title=None, scale=colours, legend=alt.Legend(orient="bottom", columns=2, labelLimit=260)
        ),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=zero))
    lines = base.mark_line(point=alt.OverlayMarkDef(size=45)).encode(y=y)
    bars = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title=title, scale=alt.Scale(zero=zero)), y2="high:Q"
    )
    return (bars + lines).properties(width=WIDTH, height=210)


def by_layer(recipe: FusionRecipe, measures: Measures, seconds: Mapping[str, Mapping[str, float]]) -> Figure:
    """Figure 3 of the paper: performance (left) and compute (middle) by fusion layer; measured time (right)."""
    layers = fused_layers(recipe)
    names = {"bottleneck": str(BOTTLENECK), "vanilla": str(VANILLA), "own": str(OWN)}
    score = [
        row(layer, names[fusion], measures[f"{fusion}{layer}.map"], 1)
        for fusion in ("bottleneck", "vanilla")
        for layer in layers
    ]
    score += [row(recipe.layers, names[fusion], measures["late.map"], 1) for fusion in ("bottleneck", "vanilla")]
    alone = [
        {"name": str(title), "value": measures[f"{sense}.map"].value}
        for sense, title in (("rgb", EYE), ("spectrogram", EAR))
    ]
    macs, times = [], []
    for curve, fusion, compute in (
        ("bottleneck", "bottleneck", "published"),
        ("vanilla", "vanilla", "published"),
        ("own", "vanilla", "own"),
    ):
        for layer in [*layers, recipe.layers]:
            model = "late" if layer == recipe.layers else f"{fusion}{layer}"
            macs.append(row(layer, names[curve], measures[f"{model}.macs.{compute}"]))
            value = seconds[model][compute]
            times.append({"x": layer, "name": names[curve], "value": value, "low": value, "high": value})
    colours = alt.Scale(domain=list(names.values()), range=[VERMILION, BLUE, SKY])
    base = alt.Chart(alt.Data(values=alone))
    rules = base.mark_rule(strokeDash=[4, 4], color="#666666").encode(y="value:Q")
    left_end, right_end = (alt.Chart(alt.Data(values=[sense])).encode(y="value:Q", text="name:N") for sense in alone)
    labels = left_end.mark_text(align="left", x=4, dy=-10, color="#666666", fontSize=10)
    labels += right_end.mark_text(align="right", x=WIDTH - 4, dy=-10, color="#666666", fontSize=10)
    left = line(score, colours, str(MAP), zero=False, layers=recipe.layers) + rules + labels
    compute = line(
        macs,
        colours,
        str(Text("million multiply-adds per clip", "1 クリップの積和演算(百万回)")),
        zero=True,
        layers=recipe.layers,
    )
    spent = str(Text("processor ms per clip in training", "学習時の 1 クリップの CPU 時間 (ms)"))
    time = line(times, colours, spent, zero=True, layers=recipe.layers)
    caption = Text(
        "Score (left), multiply-adds (middle) and measured time of a training step (right) by the layer at which sight "
        "and sound begin to meet; 0 is early, the last is late fusion, where both ways are one. Dashed: each sense "
        "alone. The same vanilla fusion can be computed in two ways with the same result: all tokens in both streams, "
        "as in the published program, or each stream's own only.",
        "視覚と聴覚が出会い始める層ごとの成績(左)、積和演算の数(中)、学習 1 回あたりの実測時間(右)。"
        "0 が初期融合、最後が後期融合で、そこでは両者は同じモデルになる。破線は片方の感覚だけの場合。"
        "通常の融合は同じ結果を 2 通りに計算できる:公表プログラムのように両方の流れで全トークンを計算するか、"
        "各自のトークンだけを計算するかである。",
    )
    return Figure(str(caption), alt.hconcat(left, compute, time, spacing=24))


def by_group(recipe: FusionRecipe, measures: Measures) -> Figure:
    """AUC by what a label asks of the senses."""
    centre = middle(recipe)
    kinds = {
        "rgb": EYE,
        "spectrogram": EAR,
        "late": Text("late fusion", "後期融合"),
        "bottleneck0": Text("early, bottleneck", "初期・ボトルネック"),
        "vanilla0": Text("early, vanilla", "初期・通常"),
        f"bottleneck{centre}": Text("middle, bottleneck", "中期・ボトルネック"),
        f"vanilla{centre}": Text("middle, vanilla", "中期・通常"),
    }
    rows = [
        row(str(GROUPS[group]), str(title), measures[f"{model}.{group}"], 1)
        for group in GROUPS
        for model, title in kinds.items()
        if f"{model}.{group}" in measures
    ]
    order = [str(title) for title in kinds.values()]
    colours = alt.Scale(domain=order, range=["#999999", "#555555", BLACK, ORANGE, SKY, VERMILION, BLUE])
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "x:N",
            title=None,
            sort=[str(title) for title in GROUPS.values()],
            axis=alt.Axis(labelAngle=0, labelLimit=160),
        ),
        xOffset=alt.XOffset("name:N", sort=order),
        color=alt.Color("name:N", title=None, scale=colours, sort=order, legend=alt.Legend(labelLimit=240)),
    )
    dots = base.mark_point(filled=True, size=55).encode(
        y=alt.Y("value:Q", title="AUC", scale=alt.Scale(domain=[0.45, 1]))
    )
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title="AUC", scale=alt.Scale(domain=[0.45, 1])), y2="high:Q")
    chance = alt.Chart(alt.Data(values=[{"y": 0.5}])).mark_rule(strokeDash=[4, 4], color="#999999").encode(y="y:Q")
    caption = Text(
        "How well classes are told (area under the ROC curve) by what their labels ask of the senses; .5 is chance. "
        "Whether sight and sound agree can be told by neither alone, nor by adding up what each says (late fusion).",
        "ラベルが感覚に何を求めるかごとの、クラスの識別成績(ROC 曲線下面積)。0.5 は偶然。"
        "視覚と聴覚が合っているかどうかは、片方だけでも、それぞれの答えの足し合わせ(後期融合)でもわからない。",
    )
    return Figure(str(caption), (chance + bars + dots).properties(width=520, height=230))


def by_number(recipe: FusionRecipe, measures: Measures) -> Figure:
    """mAP by the number of bottleneck tokens at the middle layer."""
    centre, rows = middle(recipe), []
    for number in sorted({recipe.bottlenecks, *recipe.numbers}):
        name = f"bottleneck{centre}" if number == recipe.bottlenecks else f"tokens{number}"
        rows += [
            row(number, str(title), measures[f"{name}.{key}"], 1)
            for key, title in (
                ("map", Text("all classes, mAP", "全クラスの mAP")),
                ("synergy", Text("only both together, AUC", "両方でだけわかるクラスの AUC")),
            )
            if f"{name}.{key}" in measures
        ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "x:Q",
            title=str(Text("bottleneck tokens B", "ボトルネックトークンの数 B")),
            axis=alt.Axis(values=sorted({line["x"] for line in rows})),
            scale=alt.Scale(type="log", base=2),
        ),
        color=alt.Color(
            "name:N", title=None, scale=alt.Scale(range=[VERMILION, GREEN]), legend=alt.Legend(labelLimit=240)
        ),
    )
    title, scale = str(Text("score", "成績")), alt.Scale(zero=False)
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q")
    chart = bars + base.mark_line(point=True).encode(y=alt.Y("value:Q", title=title, scale=scale))
    caption = Text(
        f"Score by the number of bottleneck tokens, at fusion layer {centre}.",
        f"ボトルネックトークンの数ごとの成績(融合層 {centre})。",
    )
    return Figure(str(caption), chart.properties(width=320, height=200))
