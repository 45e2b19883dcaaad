"""The pictures of entropy: counting, maximum entropy, a column of the user's."""

from collections.abc import Mapping, Sequence
from math import e, log, pi, sqrt

import altair as alt
import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.entropy import counting, measure
from phantastic.systems.entropy.drawing import HEADING, NATS, Rows, coloured, curve, dots, powers, rows
from phantastic.systems.entropy.information import entropy
from phantastic.systems.entropy.measure import Problem


def microstates(counts: Mapping[str, Sequence[float]]) -> Figure:
    """ln W per particle over the macrostates of N coins, which fills Shannon's curve; and how fast it does."""
    sizes, colours = (10, 30, 100, 1000), (SKY, ORANGE, GREEN, VERMILION)
    names = [f"N = {n}" for n in sizes]
    shannon = str(Text("Shannon: H(p)", "シャノン:H(p)"))
    points: Rows = []
    for n, name in zip(sizes, names, strict=True):
        heads = torch.arange(0, n + 1, max(1, n // 50), dtype=torch.float64)
        points += rows(heads / n, counting.log_microstates(torch.stack([heads, n - heads], -1)) / n, which=name)
    p = torch.linspace(0, 1, 201, dtype=torch.float64)
    limit = rows(p, entropy(torch.stack([p, 1 - p], -1)), which=shannon)
    x = alt.X("x:Q", title=str(Text("share of heads", "表の割合")))
    y = alt.Y("y:Q", title=str(Text("ln W / N (nats)", "ln W / N(nat)")))
    colour = coloured([shannon, *names], [BLACK, *colours])
    left = (
        alt.layer(curve(limit, strokeWidth=3, opacity=0.6), curve(points, strokeWidth=1.5))
        .encode(x=x, y=y, color=colour)
        .properties(width=330, height=230)
    )
    counted, predicted = (str(Text("counted", "数え上げ")), str(Text("Stirling", "スターリング")))
    x = powers(str(Text("particles N", "粒子数 N")), 5, 2 * max(counts["particles"]), "x", "~s")
    y = powers(str(Text("H − ln W / N (nats)", "H − ln W / N(nat)")), 0.5 * min(counts["gap"]), 1, "y")
    colour = coloured([counted, predicted], [BLUE, BLACK])
    right = alt.layer(
        curve(rows(counts["particles"], counts["stirling"], which=predicted), strokeDash=[5, 4]).encode(
            x=x, y=y, color=colour
        ),
        dots(rows(counts["particles"], counts["gap"], which=counted)).encode(x=x, y=y, color=colour),
    ).properties(width=230, height=230)
    caption = Text(
        "Boltzmann's entropy becomes Shannon's. Left: the logarithm of the number W of ways in which N coins show a "
        "share of heads, per coin. Right: what is missing, for the shares ½, ¼, ⅛, ⅛ of Shannon's source; Stirling's "
        "formula says how much.",
        "ボルツマンのエントロピーはシャノンのエントロピーになる。左:N 枚の硬貨がある割合で表になる場合の数 W の"
        "対数(1 枚あたり)。右:シャノンの情報源(½, ¼, ⅛, ⅛)での差。その大きさはスターリングの公式に従う。",
    )
    return Figure(str(caption), alt.hconcat(left, right).resolve_scale(color="independent"))


def maximum(problems: Mapping[str, Problem], average: float) -> Figure:
    """Maximum-entropy distributions by the dual (dots) on their closed forms (lines), and Jaynes's die."""
    dual, closed = str(Text("convex dual, Newton", "凸双対問題(ニュートン法)")), str(Text("closed form", "閉じた式"))
    titles = {
        "uniform": Text("nothing known: uniform", "制約なし:一様分布"),
        "die": Text(f"a die with mean {average:g}", f"平均 {average:g} のさいころ"),
        "geometric": Text("0, 1, 2, … with mean 2: geometric", "0, 1, 2, … 平均 2:幾何分布"),
        "exponential": Text("x ≥ 0 with mean 2: exponential", "x ≥ 0、平均 2:指数分布"),
        "gaussian": Text("mean 1, variance 1.44: Gaussian", "平均 1、分散 1.44:正規分布"),
    }
    ranges = {"uniform": (1, 6), "geometric": (0, 12), "exponential": (0, 10), "gaussian": (-3, 5)}
    colour = coloured([dual, closed], [VERMILION, BLACK], "circle", orient="bottom")
    panels = []
    for name, title in titles.items():
        if name == "die":
            die = measure.thrown(average)
            x, density = torch.arange(1, 7, dtype=torch.float64), die.density
            smooth = torch.exp(die.multipliers[0] * x - die.log_partition)
            value, low, high = die.entropy, 1, 6
        else:
            problem = problems[name]
            x, density, smooth, value = problem.x, problem.found.density, problem.closed, problem.found.entropy
            low, high = ranges[name]
        inside = (x >= low) & (x <= high)
        line = rows(x[inside], smooth[inside], which=closed)
        points = rows(x[inside], density[inside], which=dual)
        counted = name in ("uniform", "die", "geometric")
        across = alt.X(
            "x:Q",
            title=None,
            scale=alt.Scale(domain=[low - 0.4, high + 0.4] if counted else [low, high]),
            axis=alt.Axis(tickCount=6, format="d"),
        )
        up = alt.Y(
            "y:Q",
            title=None,
            scale=alt.Scale(domain=[0, 1.15 * float(density[inside].max())], nice=False),
            axis=alt.Axis(tickCount=4),
        )
        base = (
            alt.Chart(alt.Data(values=line)).mark_bar(size=3, opacity=0.35).encode(x=across, y=up, color=colour)
            if counted
            else curve(line).encode(x=across, y=up, color=colour)
        )
        heading = alt.TitleParams(str(title), subtitle=f"H = {value:.4f} {NATS}", **HEADING)
        marks = dots(points[:: 1 if counted else 3], size=34).encode(x=across, y=up, color=colour)
        panels.append(alt.layer(base, marks).properties(width=190, height=130, title=heading))
    panels.append(same_variance())
    caption = Text(
        "The distributions that claim nothing beyond what is known (Jaynes). Dots: found numerically from the moments "
        "alone. Bars and lines: the closed forms. Probabilities where outcomes are counted, densities elsewhere. Last: "
        "of distributions with the same variance the Gaussian has the most entropy.",
        "わかっていること以外は何も主張しない分布(ジェインズ)。点:モーメントだけから数値的に求めた解。棒と線:閉じた式。"
        "離散の場合は確率、連続の場合は確率密度を示す。最後:分散が等しい分布のうちエントロピーが最大なのは正規分布である。",
    )
    grid = alt.vconcat(alt.hconcat(*panels[:3], spacing=30), alt.hconcat(*panels[3:], spacing=30))
    return Figure(str(caption), grid)


def same_variance() -> alt.LayerChart | alt.FacetChart:
    """Entropies in closed form of four densities with variance 1.44."""
    sd = 1.2
    values = {
        Text("Gaussian", "正規分布"): 0.5 * log(2 * pi * e * sd**2),
        Text("logistic", "ロジスティック分布"): 2 + log(sd * sqrt(3) / pi),
        Text("Laplace", "ラプラス分布"): 1 + log(sqrt(2) * sd),
        Text("uniform", "一様分布"): log(sqrt(12) * sd),
    }
    bars = [{"name": str(name), "x": value, "label": f"{value:.3f}"} for name, value in values.items()]
    base = alt.Chart(alt.Data(values=bars)).encode(
        x=alt.X("x:Q", title=f"H ({NATS})", scale=alt.Scale(domain=[0, 2]), axis=alt.Axis(tickCount=4)),
        y=alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=200)),
    )
    first = alt.condition(alt.datum.name == bars[0]["name"], alt.value(BLACK), alt.value(SKY))
    layers = alt.layer(
        base.mark_bar(size=16).encode(color=first), base.mark_text(align="left", dx=4).encode(text="label:N")
    )
    title = alt.TitleParams(str(Text("variance 1.44", "分散 1.44")), subtitle=" ", **HEADING)
    return layers.properties(width=125, height=130, title=title)


def fitted(
    name: str,
    x: Float64[ndarray, " m"],
    width: float,
    shares: Float64[ndarray, " m"],
    by_mean: Float64[ndarray, " m"],
    by_variance: Float64[ndarray, " m"],
) -> Figure:
    """The user's column as bars, with the distributions of maximum entropy that share its moments."""
    kinds = [
        str(Text("data", "データ")),
        str(Text("maximum entropy, its mean", "最大エントロピー(平均)")),
        str(Text("maximum entropy, its mean and variance", "最大エントロピー(平均と分散)")),
    ]
    gaps = np.diff(x)
    half = max(0.45 * (width or (float(gaps.min()) if len(gaps) else 1.0)), float(x[-1] - x[0]) / 400)
    bars = [
        {"from": float(at - half), "to": float(at + half), "y": float(p), "floor": 0, "which": kinds[0]}
        for at, p in zip(x, shares, strict=True)
    ]
    lines = rows(x, by_mean, which=kinds[1]) + rows(x, by_variance, which=kinds[2])
    colour = coloured(kinds, (BLACK, SKY, VERMILION), orient="bottom", columns=1)
    up = alt.Y("y:Q", title=str(Text("probability", "確率")))
    scale = alt.Scale(zero=False)
    layers = alt.layer(
        alt.Chart(alt.Data(values=bars))
        .mark_rect(opacity=0.3)
        .encode(x=alt.X("from:Q", title=name, scale=scale), x2="to:Q", y=up, y2="floor:Q", color=colour),
        curve(lines, strokeWidth=1.5).encode(x=alt.X("x:Q", scale=scale), y=up, color=colour),
        dots(lines, size=22).encode(x=alt.X("x:Q", scale=scale), y=up, color=colour),
    )
    caption = Text(
        f"{name}: shares of the data, and the distributions of maximum entropy with the same mean, and with the same "
        "mean and variance.",
        f"{name}:データの割合と、平均が同じ、および平均と分散が同じ最大エントロピー分布。",
    )
    return Figure(str(caption), layers.properties(width=420, height=240))
