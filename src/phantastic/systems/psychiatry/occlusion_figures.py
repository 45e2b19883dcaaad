"""The pictures of pursuit: eye, target and occluder, the unexpected turn, the learned frequency, the dose curve."""

from collections.abc import Mapping
from math import pi
from typing import Any

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, VERMILION, Figure
from phantastic.systems.psychiatry.drawing import Rows, coloured, curve, dots, rows, title
from phantastic.systems.psychiatry.measure import EDGE, TURN
from phantastic.systems.psychiatry.study import OcclusionRecipe

Traces = Mapping[str, Any]
TARGET, EYE, BELIEF = (
    Text("target", "標的"),
    Text("eye", "眼"),
    Text("where the target is believed to be", "標的の位置についての信念"),
)
TIME = Text("time (bins; 32 are a cycle)", "時間(ビン。32 で 1 周期)")
POSITION = Text("position", "位置")


def who(recipe: OcclusionRecipe) -> list[str]:
    """The names of both people with their precision of expected motion."""
    one = Text(f"control: log W2 = {recipe.control:g}", f"対照:log W2 = {recipe.control:g}")
    other = Text(f"reduced precision: log W2 = {recipe.reduced:g}", f"精度の低下:log W2 = {recipe.reduced:g}")
    return [str(one), str(other)]


def panel(traces: Traces, k: int, *, occluder: bool, top: float) -> Any:
    """One person's eye and target over time, with the occluder above its edge or a line at the unexpected turn."""
    names = [str(TARGET), str(EYE), *([str(BELIEF)] if occluder else [])]
    bins = range(1, len(traces["eye"][k]) + 1)
    lines: Rows = []
    for name, key in zip(names, ("target", "eye", "believed"), strict=False):
        lines += rows(bins, traces[key][k], which=name)
    x = alt.X("x:Q", title=str(TIME), scale=alt.Scale(domain=[1, len(bins)], nice=False), axis=alt.Axis(tickCount=8))
    y = alt.Y("y:Q", title=str(POSITION), scale=alt.Scale(domain=[-top, top], nice=False), axis=alt.Axis(tickCount=6))
    dashes = alt.StrokeDash(
        "which:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [1, 0], [2, 3]][: len(names)])
    )
    drawn = curve(lines).encode(x=x, y=y, strokeDash=dashes, color=coloured(names, (BLACK, BLUE, VERMILION), columns=3))
    behind: list[alt.Chart] = []
    if occluder:
        screen = [{"x": 1, "x2": len(bins), "y": EDGE, "y2": top}]
        behind.append(
            alt.Chart(alt.Data(values=screen))
            .mark_rect(color=BLACK, opacity=0.1)
            .encode(x=x, x2="x2:Q", y=y, y2="y2:Q")
        )
    else:
        behind.append(
            alt.Chart(alt.Data(values=[{"x": TURN + 1}])).mark_rule(strokeDash=[4, 3], color=BLACK).encode(x=x)
        )
    return alt.layer(*behind, drawn)


def occluded(traces: Traces, measures: Mapping[str, float], recipe: OcclusionRecipe) -> Figure:
    """Both people and the target behind the occluder."""
    top = max(1.25, 1.05 * max(abs(y) for k in (0, 1) for y in (*traces["eye"][k], *traces["believed"][k])))
    panels = []
    for k, (name, key) in enumerate(zip(who(recipe), ("control", "reduced"), strict=True)):
        rms, peak = measures[f"occluded.{key}.rms"], measures[f"occluded.{key}.peak"]
        gain, lag = measures[f"occluded.{key}.gain"], measures[f"occluded.{key}.lag"]
        subtitle = Text(
            f"distance: rms {rms:.3f}, largest {peak:.2f}; gain {gain:.2f}, lag {lag:.1f} bins",
            f"距離:rms {rms:.3f}、最大 {peak:.2f}。利得 {gain:.2f}、遅れ {lag:.1f} ビン",
        )
        heading = alt.TitleParams(name, subtitle=str(subtitle), fontSize=12, fontWeight="normal", anchor="middle")
        panels.append(panel(traces, k, occluder=True, top=top).properties(width=330, height=210, title=heading))
    caption = Text(
        "Smooth pursuit of a target that is hidden where it is in the grey area (Adams, Perrinet & Friston 2012). With "
        "a precise belief about its motion the eye goes on behind the occluder; with a vague one the belief is lost "
        "there, and the eye catches up when the target comes back.",
        "灰色の領域で隠れる標的の追跡眼球運動(Adams, Perrinet & Friston 2012)。運動についての信念の精度が高ければ眼は"
        "遮蔽物の向こうでも標的を追い続ける。精度が低いと隠れた標的を見失い、再び現れたときに急いで追いつく。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def turned(traces: Traces, measures: Mapping[str, float], recipe: OcclusionRecipe) -> Figure:
    """Both people and a visible target that turns unexpectedly, and the distance between them over time."""
    names = who(recipe)
    distance: Rows = []
    panels = []
    for k, (name, key) in enumerate(zip(names, ("control", "reduced"), strict=True)):
        subtitle = Text(
            f"rms distance: {measures[f'reversal.{key}.rms']:.3f}", f"距離の rms:{measures[f'reversal.{key}.rms']:.3f}"
        )
        heading = alt.TitleParams(name, subtitle=str(subtitle), fontSize=12, fontWeight="normal", anchor="middle")
        drawn = panel(traces, k, occluder=False, top=1.6)
        panels.append(drawn.properties(width=250, height=190, title=heading))
        gap = [abs(a - b) for a, b in zip(traces["eye"][k], traces["target"][k], strict=True)]
        distance += rows(range(1, len(gap) + 1), gap, which=name)
    x = alt.X("x:Q", title=str(TIME), scale=alt.Scale(domain=[40, 64], nice=False), axis=alt.Axis(tickCount=6))
    y = alt.Y("y:Q", title=str(Text("distance of eye and target", "眼と標的の距離")))
    near = curve([r for r in distance if r["x"] >= 40]).encode(
        x=x, y=y, color=coloured(names, (BLUE, VERMILION), columns=1)
    )
    panels.append(near.properties(width=190, height=190))
    caption = Text(
        "The target is always seen and turns unexpectedly (dashed line). Now the vague belief is the better one: it is "
        "given up sooner.",
        "標的は常に見えており、破線で予期せず反転する。このときは精度の低い信念の方が有利で、より早く改められる。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="independent"))


def learned(traces: Traces, recipe: OcclusionRecipe) -> Figure:
    """The expected frequency of both people over time, and the true one."""
    names, true = who(recipe), pi / 2
    lines = [
        row
        for k, name in enumerate(names)
        for row in rows(range(1, len(traces["frequency"][k]) + 1), traces["frequency"][k], which=name)
    ]
    label = str(Text("the target's", "標的の値"))
    x = alt.X("x:Q", title=str(TIME), axis=alt.Axis(tickCount=8))
    y = alt.Y("y:Q", title=str(Text("expected frequency v3 (8 × rad per bin)", "予期する周波数 v3(8 × rad/ビン)")))
    colour = coloured([label, *names], (BLACK, BLUE, VERMILION), columns=1)
    layers = alt.layer(
        curve(rows([1, 128], [true, true], which=label), strokeDash=[5, 4]).encode(x=x, y=y, color=colour),
        curve(lines).encode(x=x, y=y, color=colour),
    )
    caption = Text(
        "The frequency of an occluded target is inferred at the third level. Where the level below is not precise, its "
        "errors carry no weight and nothing is learned.",
        "遮蔽される標的の周波数を第 3 階層で推論する。その下の階層の精度が低いと誤差に重みがつかず、何も学ばれない。",
    )
    return Figure(str(caption), layers.properties(width=420, height=220))


def doses(curves: Mapping[str, list[float]]) -> Figure:
    """Distance of eye and target, gain and lag, by the precision of the expected motion."""
    tasks = [str(Text("hidden target", "隠れる標的")), str(Text("unexpected turn", "予期しない反転"))]
    lines = rows(curves["motion"], curves["occluded"], which=tasks[0]) + rows(
        curves["motion"], curves["reversal"], which=tasks[1]
    )
    x = alt.X(
        "x:Q",
        title=str(Text("log-precision of the expected motion, log W2", "予期する運動の対数精度 log W2")),
        scale=alt.Scale(zero=False, reverse=curves["motion"][0] > curves["motion"][-1], nice=False),
    )
    y = alt.Y("y:Q", title=str(Text("rms distance of eye and target", "眼と標的の距離(rms)")))
    colour = coloured(tasks, (BLUE, VERMILION))
    left = alt.layer(curve(lines).encode(x=x, y=y, color=colour), dots(lines).encode(x=x, y=y, color=colour))
    panels = [left.properties(width=300, height=220)]
    for key, text in (("gain", Text("gain of pursuit", "追跡の利得")), ("lag", Text("lag (bins)", "遅れ(ビン)"))):
        small = rows(curves["motion"], curves[key])
        up = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False))
        layers = alt.layer(
            curve(small, color=BLUE).encode(x=x.copy(), y=up), dots(small, color=BLUE).encode(x=x.copy(), y=up)
        )
        panels.append(layers.properties(width=150, height=220, title=title(str(text))))
    caption = Text(
        "From the control's precision (left) to the reduced one: the hidden target is lost by degrees, the unexpected "
        "turn is followed a little better. Gain and lag are those of the eye's velocity, hidden target.",
        "左の対照から右の低下へ:隠れる標的は段階的に失われ、予期しない反転への追従はわずかに良くなる。利得と遅れは"
        "隠れる標的に対する眼の速度のもの。",
    )
    return Figure(str(caption), alt.hconcat(*panels))
