"""The pictures of cohorts: maps of regimes, distributions of behaviour, recovery, groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.psychiatry import regimes
from phantastic.systems.psychiatry.drawing import HEADING, Rows, coloured, curve, dots, rows, title
from phantastic.systems.psychiatry.tasks import Task

Found = Mapping[str, Any]
PAIR = (BLUE, VERMILION)
TASKS = (Text("eye traces", "視線"), Text("forces", "力"))
ANCHORS = {
    "control": Text("control", "対照"),
    "reduced": Text("reduced prior", "事前精度の低下"),
    "sensory": Text("precise senses (autism?)", "感覚の高精度(自閉症?)"),
    "normal": Text("normal", "正常"),
    "delusional": Text("D = 2", "D = 2"),
    "unattenuated": Text("no attenuation", "減衰なし"),
    "strong": Text("D = 4", "D = 4"),
}


def group_names() -> list[str]:
    return [str(Text("controls", "対照群")), str(Text("patients", "患者群"))]


def mapped(maps: Found) -> Figure:
    """Both maps: which regime each point is in, and the published runs."""
    eye = _map(
        maps["eye"],
        [str(t) for t in regimes.EYE],
        (SKY, VERMILION, ORANGE, "#999999"),
        regimes.EYE_ANCHORS,
        str(Text("prior: log W2 of the expected motion", "事前:予期する運動の対数精度 log W2")),
        str(Text("senses: log V1", "感覚:対数精度 log V1")),
        str(Text("pursuit", "追跡眼球運動")),
    )
    hand = _map(
        maps["hand"],
        [str(t) for t in regimes.HAND],
        (SKY, "#dddddd", "#999999", VERMILION),
        regimes.HAND_ANCHORS,
        str(Text("attenuation of the senses h", "感覚減衰 h")),
        str(Text("compensation in the prior D", "事前信念による補償 D")),
        str(Text("pressing", "押す動作")),
    )
    caption = Text(
        "What becomes of behaviour when precisions change: each point is a simulated person. Circles: published runs, "
        "but for that of senses too precise for the prior. That is one account of autism; no run of it has been "
        "published.",
        "精度が変わると行動がどうなるか。各点が模擬の 1 人。丸は論文の条件だが、事前に比べて感覚の精度が高すぎる条件"
        "だけは論文がない。これは自閉症の一つの説明とされるが、シミュレーションは公表されていない。",
    )
    return Figure(str(caption), alt.hconcat(eye, hand, spacing=40).resolve_scale(color="independent"))


def _map(
    grid: Found,
    names: Sequence[str],
    colours: Sequence[str],
    anchors: Mapping[str, tuple[float, float]],
    across: str,
    up: str,
    heading: str,
) -> Any:
    values = rows(grid["x"], grid["y"])
    steps = [sorted(set(grid[axis])) for axis in "xy"]
    half = [(each[1] - each[0]) / 2 for each in steps]
    for row, regime in zip(values, grid["regime"], strict=True):
        row |= {"which": names[regime], "x2": row["x"] + half[0], "y2": row["y"] + half[1]}
        row["x"], row["y"] = row["x"] - half[0], row["y"] - half[1]
    scales = [alt.Scale(domain=[each[0] - h, each[-1] + h], nice=False) for each, h in zip(steps, half, strict=True)]
    x, y = alt.X("x:Q", title=across, scale=scales[0]), alt.Y("y:Q", title=up, scale=scales[1])
    tiles = (
        alt.Chart(alt.Data(values=values))
        .mark_rect(strokeWidth=0)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q", color=coloured(names, colours, columns=1, symbolType="square"))
    )
    layers = [tiles]
    for name, (a, b) in anchors.items():  # the label above its point, or below at the top, and within the map
        mark = alt.Chart(alt.Data(values=[{"x": a, "y": b, "label": str(ANCHORS[name])}])).encode(x=x, y=y)
        at_left, at_top = a == min(grid["x"]), b == max(grid["y"])
        place: dict[str, Any] = {"align": "left", "dx": -5} if at_left else {}
        text = mark.mark_text(dy=15 if at_top else -13, fontSize=11, **place)
        layers += [mark.mark_point(size=60, color=BLACK, fill="white", opacity=1), text.encode(text="label:N")]
    return alt.layer(*layers).properties(width=290, height=270, title=title(heading))


def behaviour(eyes: Found, hands: Found) -> Figure:
    """How the cohort's behaviour is distributed."""
    names = group_names()
    measures = (
        (eyes, "rms", Text("rms distance of eye and target", "眼と標的の距離(rms)")),
        (eyes, "gain", Text("gain of pursuit", "追跡の利得")),
        (eyes, "lag", Text("lag (bins)", "遅れ(ビン)")),
        (hands, "illusion", Text("own − matched force", "自分の力 − 等しく感じる外力")),
    )
    panels = []
    for inferred, key, text in measures:
        values, group = np.array(inferred["clinic"][key]), np.array(inferred["group"])
        edges = np.histogram_bin_edges(values[np.isfinite(values)], 30)
        bars: Rows = []
        for number, name in enumerate(names):
            count, _ = np.histogram(values[group == number], edges)
            bars += [
                {"x": float(a), "x2": float(b), "y": int(n), "floor": 0, "which": name}
                for a, b, n in zip(edges, edges[1:], count, strict=False)
            ]
        chart = (
            alt.Chart(alt.Data(values=bars))
            .mark_rect(opacity=0.55)
            .encode(
                x=alt.X(
                    "x:Q",
                    title=str(text),
                    scale=alt.Scale(zero=False),
                    axis=alt.Axis(labelFlush=False, labelSeparation=8, tickCount=6),
                ),
                x2="x2:Q",
                y=alt.Y("y:Q", title=str(Text("people", "人数"))),
                y2="floor:Q",
                color=coloured(names, PAIR),
            )
        )
        panels.append(chart.properties(width=230, height=130))
    caption = Text(
        f"Behaviour of {len(eyes['group'])} simulated people, half of them patients.",
        f"模擬した {len(eyes['group'])} 人の行動。半数が患者群。",
    )
    return Figure(str(caption), alt.concat(*panels, columns=2))


def recovery(results: Sequence[tuple[Task, Found]]) -> Figure:
    """Inferred against true parameters with their 95% intervals."""
    names, panels = group_names(), []
    for (task, result), kind in zip(results, TASKS, strict=True):
        truth, mean, deviation = (np.array(result[key]) for key in ("truth", "mean", "deviation"))
        group = np.array(result["group"])[: len(truth)]
        for k, parameter in enumerate(task.parameters):
            values = [
                {
                    "x": float(truth[row, k]),
                    "y": float(mean[row, k]),
                    "which": names[group[row]],
                    "low": float(mean[row, k] - 1.96 * deviation[row, k]),
                    "high": float(mean[row, k] + 1.96 * deviation[row, k]),
                }
                for row in range(len(truth))
            ]
            low, high = float(min(truth[:, k].min(), mean[:, k].min())), float(max(truth[:, k].max(), mean[:, k].max()))
            margin = 0.05 * (high - low)
            scale = alt.Scale(domain=[low - margin, high + margin], nice=False)
            x = alt.X("x:Q", title=f"{parameter.symbol}, {Text('true', '真の値')}", scale=scale)
            inferred = str(Text("inferred", "推定値"))
            up = f"{parameter.symbol}, {inferred}"
            y = alt.Y("y:Q", title=up, scale=scale)
            colour = coloured(names, PAIR)
            bars = (
                alt.Chart(alt.Data(values=values))
                .mark_rule(opacity=0.35, clip=True)
                .encode(x=x, y=alt.Y("low:Q", scale=scale, title=up), y2="high:Q", color=colour)
            )
            line = curve(rows([low, high], [low, high]), color=BLACK, strokeDash=[5, 4], strokeWidth=1).encode(x=x, y=y)
            points = dots(values, size=16).encode(x=x, y=y, color=colour)
            r, _, coverage, _ = result["recovery"][k]
            subtitle = str(Text(f"r = {r:.3f}; {coverage:.1%} covered", f"r = {r:.3f}、区間が含む割合 {coverage:.1%}"))
            heading = alt.TitleParams(f"{kind}: {parameter.text}", subtitle=subtitle, **HEADING)
            panels.append(alt.layer(line, bars, points).properties(width=220, height=200, title=heading))
    count = len(results[0][1]["truth"])
    caption = Text(
        f"Parameters of {count} people inferred from their behaviour, with 95% intervals, against "
        "those they were simulated with.",
        f"{count} 人の行動から推定したパラメータと 95% 区間。横軸は真の値。",
    )
    return Figure(str(caption), alt.concat(*panels, columns=2))


def groups(results: Sequence[tuple[Task, Found]]) -> Figure:
    """Inferred group means with their 95% intervals, and the true means of the same people."""
    names, panels = group_names(), []
    for task, result in results:
        truth = np.array(result["truth"])
        group = np.array(result["group"])[: len(truth)]
        for k, parameter in enumerate(task.parameters):
            values = []
            for number, name in enumerate(names):
                mean, deviation = (result["level"][number][key][k] for key in ("mean", "deviation"))
                ends = {"low": mean - 1.96 * deviation, "high": mean + 1.96 * deviation}
                true = float(truth[group == number, k].mean())
                values.append({"which": name, "y": mean, "true": true, **ends})
            base = alt.Chart(alt.Data(values=values)).encode(
                x=alt.X("which:N", title=None, sort=names, axis=alt.Axis(labelAngle=0)), color=coloured(names, PAIR)
            )
            y = alt.Y("low:Q", title=parameter.symbol, scale=alt.Scale(zero=False))
            d, low, high = result["difference"][k]
            subtitle = f"Δ = {d:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
            heading = alt.TitleParams(str(parameter.text), subtitle=subtitle, **HEADING)
            layers = alt.layer(
                base.mark_rule(strokeWidth=2).encode(y=y, y2="high:Q"),
                base.mark_point(filled=True, size=60, opacity=1).encode(y="y:Q"),
                base.mark_tick(thickness=2, size=26).encode(y="true:Q", color=alt.value(BLACK)),
            )
            panels.append(layers.properties(width=150, height=160, title=heading))
    caption = Text(
        "Means of the groups as inferred from behaviour, with 95% intervals, and the true means of the same people "
        "(black ticks). Δ: patients minus controls.",
        "行動から推定した群平均と 95% 区間、および同じ人々の真の平均(黒い線)。Δ は患者群 − 対照群。",
    )
    return Figure(str(caption), alt.concat(*panels, columns=4))
