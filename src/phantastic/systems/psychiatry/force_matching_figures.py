"""The pictures of pressing: force over attenuation, matched forces against equality, what is felt while pressing."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, ORANGE, VERMILION, Figure
from phantastic.systems.psychiatry.drawing import Rows, coloured, curve, dots, rows, title
from phantastic.systems.psychiatry.measure import ATTENUATIONS, INTENDED
from phantastic.systems.psychiatry.study import ForceRecipe

Found = Mapping[str, float]


def attenuation(measures: Found) -> Figure:
    """The highest force made and perceived, by attenuation."""
    names = [str(Text("force made", "実際の力")), str(Text("force perceived as one's own", "自分の力として感じる力"))]
    lines: Rows = []
    for name, key in zip(names, ("own", "perceived"), strict=True):
        lines += rows(ATTENUATIONS, [measures[f"attenuation{h:+g}.{key}"] for h in ATTENUATIONS], which=name)
    x = alt.X("x:Q", title=str(Text("sensory attenuation h", "感覚減衰 h")), axis=alt.Axis(tickCount=11))
    y = alt.Y("y:Q", title=str(Text("highest force", "力の最大値")))
    colour = coloured(names, (BLACK, BLUE))
    layers = alt.layer(curve(lines).encode(x=x, y=y, color=colour), dots(lines).encode(x=x, y=y, color=colour))
    caption = Text(
        "Everybody intends to press with a force of 1. Only who attenuates the senses does: otherwise precise senses "
        "insist that nothing moves, and the intention gives way to them (Brown et al. 2013).",
        "全員が大きさ 1 の力で押そうと意図する。実際に押せるのは感覚を減衰させる場合だけである。減衰しなければ、精度の"
        "高い感覚が「動いていない」と告げ、意図の方が改められる(Brown ら 2013)。",
    )
    return Figure(str(caption), layers.properties(width=400, height=230))


def matching(measures: Found, recipe: ForceRecipe) -> Figure:
    """Own force by the outside force that feels equal: above the identity line, the own force feels weak."""
    names = [
        str(Text("normal", "正常")),
        str(Text(f"delusional, D = {recipe.delusion:g}", f"妄想、D = {recipe.delusion:g}")),
    ]
    lines: Rows = []
    for name, who in zip(names, ("normal", "delusional"), strict=True):
        lines += rows(
            [measures[f"{who}.{F:g}.matched"] for F in INTENDED],
            [measures[f"{who}.{F:g}.own"] for F in INTENDED],
            which=name,
        )
    x = alt.X(
        "x:Q", title=str(Text("outside force that feels equal", "等しく感じる外力")), scale=alt.Scale(domain=[0, 3.2])
    )
    y = alt.Y("y:Q", title=str(Text("own force", "自分の力")), scale=alt.Scale(domain=[0, 3.2]))
    equal = curve(rows([0, 3.2], [0, 3.2]), color=BLACK, strokeDash=[5, 4], strokeWidth=1).encode(x=x, y=y)
    colour = coloured(names, (BLUE, VERMILION))
    layers = alt.layer(
        equal, curve(lines).encode(x=x, y=y, color=colour), dots(lines, size=60).encode(x=x, y=y, color=colour)
    )
    caption = Text(
        "The force-matching illusion: one presses harder than the outside force that feels equal (above the dashed "
        "line of equality), because what one does oneself is attenuated. Who attenuates little and makes up for it by "
        "sure prior beliefs has (nearly) no illusion.",
        "力の一致錯覚:等しく感じる外力よりも強く押してしまう(破線は一致)。自ら行う動作の感覚は減衰するからである。"
        "減衰が弱く、それを確信の強い事前信念で補う場合、錯覚はほとんど消える。",
    )
    return Figure(str(caption), layers.properties(width=300, height=300))


def courses(stored: Mapping[str, Any], recipe: ForceRecipe) -> Figure:
    """The force made, and the own and the outside force that are perceived with their 90% intervals, over time."""
    people = [
        Text("normal", "正常"),
        *(Text(f"delusional, D = {D:g}", f"妄想、D = {D:g}") for D in (recipe.delusion, recipe.strong)),
    ]
    names = [
        str(Text("force made", "実際の力")),
        str(Text("perceived: one's own (band: 90%)", "感じる力:自分の力(帯:90% 区間)")),
        str(Text("perceived: from outside (band: 90%)", "感じる力:外力(帯:90% 区間)")),
    ]
    colour = coloured(names, (BLACK, BLUE, ORANGE), columns=3)
    panels = []
    for k, person in enumerate(people):
        bins = range(1, len(stored["own"][k]) + 1)
        x = alt.X(
            "x:Q",
            title=str(Text("time (bins)", "時間(ビン)")),
            axis=alt.Axis(tickCount=5),
            scale=alt.Scale(domain=[1, len(bins)], nice=False),
        )
        up = str(Text("force", "力")) if k == 0 else None
        y = alt.Y("y:Q", title=up, scale=alt.Scale(domain=[-1, 3], nice=False))
        lines = rows(bins, stored["own"][k], which=names[0])
        bands: Rows = []
        for name, mean, doubt in ((names[1], "perceived", "doubt"), (names[2], "external", "external_doubt")):
            lines += rows(bins, stored[mean][k], which=name)
            bands += [
                {"x": t, "low": max(m - 1.645 * s, -1), "high": min(m + 1.645 * s, 3), "which": name}
                for t, m, s in zip(bins, stored[mean][k], stored[doubt][k], strict=True)
            ]
        area = (
            alt.Chart(alt.Data(values=bands))
            .mark_area(opacity=0.22)
            .encode(
                x=x,
                y=alt.Y("low:Q", title=up, scale=alt.Scale(domain=[-1, 3], nice=False)),
                y2="high:Q",
                color=colour,
            )
        )
        layers = alt.layer(area, curve(lines, strokeWidth=1.8).encode(x=x, y=y, color=colour))
        panels.append(layers.properties(width=200, height=200, title=title(str(person))))
    caption = Text(
        "What is felt while pressing; the bands, in the colours of their lines, are its 90% intervals. "
        "Normally the senses are attenuated, so that both forces are "
        "uncertain. Who compensates for a loss of attenuation is sure of both, and with strong compensation of a small "
        "outside force against the own one, which is not there (below 0).",
        "押している間に感じる力。帯は同じ色の線の 90% 区間。"
        "正常では感覚が減衰し、両方の力が不確かになる。減衰の低下を補うと両方に"
        "確信をもち、補償が強いと、自分の力に逆らう小さな外力(0 より下)が存在しないのに感じられる。",
    )
    return Figure(str(caption), alt.hconcat(*panels))
