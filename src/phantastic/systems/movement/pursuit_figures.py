"""The pictures of pursuit: the two reversals, gain and lag, the dials, and a target of the user's."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import torch

from phantastic.data.gaze import correlations, following
from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.movement.drawing import (
    BIN,
    coloured,
    course,
    ends,
    heading,
    lines,
    moments,
    path,
    plane,
)
from phantastic.systems.movement.study import PursuitRecipe

EYE, TARGET = Text("eye", "眼"), Text("target", "標的")
ANGLES = Text("horizontal (rad)", "水平(rad)"), Text("vertical (rad)", "垂直(rad)")


def reversal(reversals: Mapping[str, Mapping[str, list]], half: int, delay: int) -> Figure:
    """Paths, distance, prediction errors and action at the expected and at the unexpected reversal."""
    titles = {
        "expected": Text("expected reversal", "予想どおりの反転"),
        "unexpected": Text(f"reversal {delay} bins late", f"{delay} ビン遅れた反転"),
    }
    names = {
        "distance": [Text("eye to target", "眼と標的の距離")],
        "error": [
            Text("felt, horizontal", "固有感覚・水平"),
            Text("felt, vertical", "固有感覚・垂直"),
            Text("seen, horizontal", "視覚・水平"),
            Text("seen, vertical", "視覚・垂直"),
        ],
        "action": [Text("horizontal", "水平"), Text("vertical", "垂直")],
    }
    colours = {"distance": [BLACK], "error": [BLUE, SKY, VERMILION, ORANGE], "action": [BLUE, SKY]}
    axis_titles = {
        "distance": Text("distance (rad)", "距離(rad)"),
        "error": Text("prediction error ε", "予測誤差 ε"),
        "action": Text("action a", "行為 a"),
    }
    series = {key: split(value) for key, value in reversals.items()}
    spans = {
        kind: ends([y for each in series.values() for trace in each[kind] for y in trace[half // 2 :]])
        for kind in names
    }
    span = ends([y for each in reversals.values() for row in (*each["eye"], *each["target"]) for y in row])
    columns = []
    for which, traces in reversals.items():
        turn = half + (delay if which == "unexpected" else 0)
        last = len(traces["eye"])
        marks = [(half + 0.5, "#999999"), (turn + 0.5, BLACK)]
        window = slice(half - 24, half + delay + 24)
        path_colour = coloured([str(TARGET), str(EYE)], [BLACK, BLUE])
        points = plane(traces["target"][window], str(TARGET)) + plane(traces["eye"][window], str(EYE))
        turning_point = [{"x": traces["target"][turn - 1][0], "y": traces["target"][turn - 1][1]}]
        diamond = alt.Chart(alt.Data(values=turning_point)).mark_point(
            shape="diamond", size=90, filled=True, opacity=1, color=VERMILION
        )
        in_plane = alt.layer(
            path(points, path_colour, (str(ANGLES[0]), str(ANGLES[1])), (span, span), 220, 220),
            diamond.encode(x="x:Q", y="y:Q"),
        )
        rows: list[Any] = [in_plane.properties(title=heading(str(titles[which])))]
        for kind, texts in names.items():
            labels = [str(text) for text in texts]
            values = [
                row for label, trace in zip(labels, series[which][kind], strict=True) for row in course(trace, label)
            ]
            colour = coloured(labels, colours[kind], 2) if len(labels) > 1 else alt.value(BLACK)
            chart = lines(values, str(axis_titles[kind]), colour, spans[kind])
            rows.append(alt.layer(*moments(marks, 1, last), chart))
        columns.append(alt.vconcat(*rows).resolve_scale(color="independent"))
    caption = Text(
        "Pursuit of a target that turns back on its circle. The eye expects the turn at the grey line; it comes at the "
        "black one (at the diamond in the plane). Where it comes later than expected, the eye leaves the target, and "
        "prediction errors (level 1) and action peak until the beliefs are revised.",
        "円周上で引き返す標的の追跡。眼は灰色の線で反転を予想し、実際の反転は黒い線(平面では菱形)で起きる。予想より"
        "遅れると、眼は標的から離れ、信念が改まるまで予測誤差(第 1 レベル)と行為が大きくなる。",
    )
    return Figure(str(caption), alt.hconcat(*columns).resolve_scale(color="independent"))


def split(traces: Mapping[str, list]) -> dict[str, list[list[float]]]:
    """Distance, errors and actions, each as a list of traces."""
    pairs = zip(traces["eye"], traces["target"], strict=True)
    distance = [sum((a - b) ** 2 for a, b in zip(eye, aim, strict=True)) ** 0.5 for eye, aim in pairs]
    return {"distance": [distance]} | {
        kind: [list(trace) for trace in zip(*traces[kind], strict=True)] for kind in ("error", "action")
    }


def gain(traces: Mapping[str, list], part: slice, furthest: int) -> Figure:
    """The velocities of target and eye, and their cross-correlation with the lag at its peak."""
    eye, aim = (torch.tensor(traces[name][part], dtype=torch.float64) for name in ("eye", "target"))
    eye_velocity, target_velocity = (torch.gradient(each, dim=0)[0][:, 0].tolist() for each in (eye, aim))
    curve, _ = correlations(eye, aim, furthest)
    tracking = following(eye, aim, furthest)
    colour = coloured([str(TARGET), str(EYE)], [BLACK, BLUE])
    start = part.start + 1
    left = lines(
        course(target_velocity, str(TARGET), start) + course(eye_velocity, str(EYE), start),
        str(Text("horizontal velocity (rad per bin)", "水平速度(rad/ビン)")),
        colour,
        width=330,
        height=190,
    )
    values = [{"t": lag, "y": y} for lag, y in zip(range(-furthest, furthest + 1), curve.tolist(), strict=True)]
    up = alt.Y("y:Q", title=str(Text("correlation of velocities", "速度の相関")), scale=alt.Scale(zero=False))
    across = alt.X("t:Q", title=str(Text("lag of the eye (bins)", "眼の遅れ(ビン)")), axis=alt.Axis(format="d"))
    base = alt.Chart(alt.Data(values=values)).encode(x=across, y=up)
    rule = alt.Chart(alt.Data(values=[{"t": float(tracking.lag)}])).mark_rule(color=VERMILION, strokeDash=[4, 3])
    title = Text(
        f"gain {float(tracking.gain):.3f}, lag {float(tracking.lag):.2f} bins",
        f"利得 {float(tracking.gain):.3f}、遅れ {float(tracking.lag):.2f} ビン",
    )
    right = alt.layer(
        base.mark_line(color=GREEN), base.mark_point(color=GREEN, filled=True, size=26, opacity=1), rule.encode(x="t:Q")
    ).properties(width=240, height=190, title=heading(str(title)))
    caption = Text(
        "Gain and lag as a clinician measures them, while the target moves on steadily: the slope of eye velocity on "
        "target velocity, at the lag where both correlate best (horizontal and vertical together).",
        "臨床で測られる利得と遅れ(標的が一定の向きに動く間)。眼と標的の速度の相関が最大になる遅れと、"
        "その遅れでの眼の速度の標的の速度に対する傾き(水平と垂直を合わせて計算)。",
    )
    return Figure(str(caption), alt.hconcat(left, right).resolve_scale(color="independent"))


def dials(rows: Sequence[Mapping[str, Any]], recipe: PursuitRecipe) -> Figure:
    """Peak error at both reversals, gain and lag by each of the three log-precisions."""
    reversals = {
        "expected": Text("expected reversal", "予想どおりの反転"),
        "unexpected": Text("late reversal", "遅れた反転"),
    }
    axis_titles = {
        "senses": Text("log-precision of the senses", "感覚の対数精度"),
        "motion": Text("log-precision of the motion", "運動の対数精度"),
        "prior": Text("log-precision of the prior", "事前分布の対数精度"),
    }
    kinds = {
        "error": Text("peak error |ε|", "予測誤差の最大 |ε|"),
        "gain": Text("gain", "利得"),
        "lag": Text("lag (bins)", "遅れ(ビン)"),
    }
    panels = []
    for kind, up in kinds.items():
        selected = [row for row in rows if row[kind] is not None and (kind == "error" or row["which"] == "expected")]
        span = ends([row[kind] for row in selected] + ([0.0] if kind == "error" else []))
        for dial, across in axis_titles.items():
            values = [
                {"x": row["value"], "y": row[kind], "which": str(reversals[row["which"]])}
                for row in selected
                if row["dial"] == dial
            ]
            colour = coloured([str(each) for each in reversals.values()], [BLUE, VERMILION])
            reach = ends([row["x"] for row in values] + [getattr(recipe, dial)])
            domain = alt.Scale(domain=list(reach), nice=False)
            x = alt.X("x:Q", title=str(across) if kind == "lag" else None, scale=domain, axis=alt.Axis(tickCount=6))
            y = alt.Y("y:Q", title=str(up), scale=alt.Scale(domain=list(span), nice=False), axis=alt.Axis(tickCount=5))
            base = alt.Chart(alt.Data(values=values)).encode(x=x, y=y, color=colour)
            here = alt.Chart(alt.Data(values=[{"x": getattr(recipe, dial)}]))
            rule = here.mark_rule(color="#999999", strokeDash=[4, 3]).encode(x=x)
            marks = base.mark_point(filled=True, size=36, opacity=1)
            panels.append(alt.layer(rule, base.mark_line(strokeWidth=1.6), marks).properties(width=180, height=110))
    caption = Text(
        "What each precision does, the others as in the recipe (dashed: the recipe's own). Without a precise prior "
        "nothing was expected, and both reversals surprise alike; imprecise motion costs time.",
        "それぞれの精度の働き(ほかの精度はレシピのまま。破線はレシピの値)。事前分布の精度が低いと何も予想されず、"
        "どちらの反転も同じだけ驚きになる。運動の精度が低いと遅れが大きくなる。",
    )
    return Figure(str(caption), alt.concat(*panels, columns=3))


def followed(
    name: str,
    time: Sequence[float],
    aim: Sequence[Sequence[float]],
    eye: Sequence[Sequence[float]],
    summary: str,
    timed: bool,
) -> Figure:
    """A target of the user's, and the eye that followed it, in the plane and over time."""
    colour = coloured([str(TARGET), str(EYE)], [BLACK, BLUE])
    points = plane(aim, str(TARGET)) + plane(eye, str(EYE))
    spans = [ends([row[axis] for row in points]) for axis in "xy"]
    left = path(points, colour, ("x", "y"), (spans[0], spans[1]), 250, 250)
    span = alt.Scale(domain=[time[0], time[-1]], nice=False)
    across = alt.X("t:Q", title=str(Text("time", "時間") if timed else BIN), scale=span)
    panels = []
    for axis, label in enumerate("xy"):
        values = [
            {"t": t, "y": row[axis], "which": which}
            for which, rows in ((str(TARGET), aim), (str(EYE), eye))
            for t, row in zip(time, rows, strict=True)
        ]
        panels.append(lines(values, label, colour, spans[axis], width=380, height=100).encode(x=across))
    caption = Text(
        f"{name}: the target, and the eye that follows it. {summary}.", f"{name}:標的と、それを追う眼。{summary}。"
    )
    chart = alt.hconcat(left, alt.vconcat(*panels))
    return Figure(str(caption), chart.properties(title=heading(summary, "start")))
