"""The pictures of filtering: deconvolution, embedding, Lorenz's orbit, the double well."""

from typing import Any

import altair as alt
import torch
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure
from phantastic.show.traces import band, coloured, dots, heading, line, over_time, points, trace
from phantastic.systems.filtering import measure
from phantastic.systems.filtering.measure import Drawn, Linear
from phantastic.systems.filtering.study import FilteringRecipe

INFERRED, TRUE = Text("inferred", "推定"), Text("true", "真値")


def deconvolution(system: Linear) -> Figure:
    """Response and error, hidden states and the cause with 90% intervals, after Friston et al. (2008)."""
    belief, truth = measure.deconvolved(system), system.truth
    bins = len(system.y)
    x = over_time(1, bins)
    channels = [f"y{k}" for k in range(1, 5)]
    predicted = [r for k, name in enumerate(channels) for r in trace(belief.v[1][:, k], name)]
    errors = [r for k, name in enumerate(channels) for r in trace(belief.z[1][:, k], name)]
    data = [r for k, name in enumerate(channels) for r in trace(system.y[:, k], name)]
    colour = coloured(channels, (BLUE, VERMILION, GREEN, ORANGE))
    y = alt.Y("y:Q", title=None)
    response = alt.layer(
        line(errors, strokeDash=[1.5, 3], strokeWidth=1.3), line(predicted, strokeWidth=1.8), dots(data, size=16)
    ).encode(x=x, y=y, color=colour)

    deviations = belief.covariance.x.diagonal(dim1=-2, dim2=-1).sqrt()
    names = ["x1", "x2"]
    inferred = [r for k, name in enumerate(names) for r in trace(belief.x[1][:, k], name, deviations[:, k])]
    real = [r for k, name in enumerate(names) for r in trace(truth.x[1][:, k], name)]
    colour = coloured(names, (BLUE, VERMILION))
    states = alt.layer(
        band(inferred, "").encode(x=x, color=colour),
        line(inferred).encode(x=x, y=y, color=colour),
        line(real, strokeDash=[5, 3], strokeWidth=1.3).encode(x=x, y=y, color=colour),
    )
    inferred = trace(belief.v[2][:, 0], str(INFERRED), belief.covariance.v[:, 0, 0].sqrt())
    colour = coloured([str(INFERRED), str(TRUE)], (BLUE, BLACK))
    cause = alt.layer(
        band(inferred, "").encode(x=x, color=colour),
        line(inferred).encode(x=x, y=y, color=colour),
        line(trace(truth.v[2][:, 0], str(TRUE)), strokeDash=[5, 3], strokeWidth=1.5).encode(x=x, y=y, color=colour),
    )
    titles = (
        Text("response: data (dots), predicted, error (dotted)", "応答:データ(点)、予測、誤差(点線)"),
        Text("hidden states x, 90% intervals; true: dashed", "隠れ状態 x(90% 区間)、真値は破線"),
        Text("cause v, 90% interval", "原因 v(90% 区間)"),
    )
    panels = [
        panel.properties(width=235, height=190, title=heading(str(title)))
        for panel, title in zip((response, states, cause), titles, strict=True)
    ]
    caption = Text(
        "Deconvolution. Four noisy channels are caused by two hidden states, and these by one unknown bump. From the "
        "data alone the filter infers the states and the bump, with their uncertainty.",
        "デコンボリューション。ノイズを含む四つの信号は二つの隠れ状態から、その状態は一つの未知の入力から生じる。"
        "フィルタはデータだけから状態と入力を、その不確かさとともに推定する。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=24).resolve_scale(color="independent"))


def coverage(system: Drawn) -> Figure:
    """A cause and a state that the model's own prior drew, with the 90% intervals of both schemes."""
    truth, panels = system.truth, []
    x = over_time(1, len(truth.v[2]))
    names = {"dem": Text("dynamic expectation maximisation", "DEM"), "exact": Text("exact posterior", "厳密な事後分布")}
    colour = coloured([str(names["dem"]), str(names["exact"]), str(TRUE)], (VERMILION, BLUE, BLACK))
    for title, real, means in (
        (Text("cause v", "原因 v"), truth.v[2][:, 0], {n: (b.v[2], b.covariance.v) for n, b in system.beliefs.items()}),
        (
            Text("hidden state x1", "隠れ状態 x1"),
            truth.x[1][:, 0],
            {n: (b.x[1], b.covariance.x) for n, b in system.beliefs.items()},
        ),
    ):
        rows = [
            row
            for name, called in names.items()
            for row in trace(means[name][0][:, 0], str(called), means[name][1][:, 0, 0].clamp(min=0).sqrt())
        ]
        layers = alt.layer(
            band(rows, "").encode(x=x, color=colour),
            line(rows).encode(x=x, y=alt.Y("y:Q", title=None), color=colour),
            line(trace(real, str(TRUE)), strokeDash=[5, 3], strokeWidth=1.5).encode(
                x=x, y=alt.Y("y:Q", title=None), color=colour
            ),
        )
        panels.append(layers.properties(width=330, height=200, title=heading(str(title))))
    caption = Text(
        "The cause is drawn by the model's own prior: 90% intervals of dynamic expectation maximisation, which sees "
        "a bin through a few derivatives, are too narrow; those of the exact posterior, which sees all bins together, "
        "hold nine in ten.",
        "原因をモデル自身の事前分布から引いた場合。各ビンを数個の導関数を通してだけ見る DEM の 90% 区間は狭すぎる。"
        "全ビンを同時に見る厳密な事後分布の区間は、十のうち九つを含む。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=24))


def embedding(recipe: FilteringRecipe) -> Figure:
    """Error of the inferred cause over embedding orders and over the width that the model takes the noise to have."""
    seeds = range(recipe.seed, recipe.seed + min(recipe.seeds, 4))
    sweeps = [measure.swept(recipe, seed) for seed in seeds]
    mean, each = str(Text("mean", "平均")), str(Text("one noise", "各ノイズ"))
    title = str(Text("squared error of the cause, summed", "原因の二乗誤差の総和"))
    scale = alt.Scale(type="log", domain=[0.05, 10], nice=False, clamp=True)
    up = alt.Y("y:Q", title=title, scale=scale, axis=alt.Axis(values=[0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], format="~g"))
    colour = coloured([mean, each], (BLACK, "#aaaaaa"))
    axes = {
        "orders": (measure.ORDERS, Text("embedding order n of states", "状態の埋め込み次数 n"), recipe.states_order),
        "widths": (
            measure.WIDTHS,
            Text("smoothness s that the model assumes (bins)", "モデルが仮定する滑らかさ s(ビン)"),
            recipe.smoothness,
        ),
    }
    panels = []
    for name, (values, label, actual) in axes.items():
        x = alt.X("x:Q", title=str(label), scale=alt.Scale(zero=False), axis=alt.Axis(format="~g", tickCount=8))
        curves = [r | {"seed": i} for i, sweep in enumerate(sweeps) for r in points(values, sweep[name], each)]
        average = [sum(column) / len(sweeps) for column in zip(*(sweep[name] for sweep in sweeps), strict=True)]
        thin = line(curves, strokeWidth=1).encode(x=x, y=up, color=colour, detail="seed:N")
        thick = line(points(values, average, mean), point={"size": 34, "filled": True}).encode(x=x, y=up, color=colour)
        rule = alt.Chart(alt.Data(values=[{"x": actual}])).mark_rule(strokeDash=[4, 3], color=VERMILION).encode(x="x:Q")
        panels.append(alt.layer(rule, thin, thick).properties(width=320, height=200))
    caption = Text(
        "What generalised coordinates are for. Left: a filter that tracks only the first derivatives misses the bump; "
        "from about four it finds it. Right: a filter that takes smooth noise to be white (s = 0) does "
        "far worse than one that knows its smoothness (dashed: the data's own).",
        "一般化座標の意味。左:低次の導関数しか追わないフィルタは入力を見逃すが、4 次ほどから正しく推定できる。"
        "右:滑らかなノイズを白色(s = 0)とみなすと、滑らかさを知っている場合よりもはるかに悪い(破線:データの値)。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=30))


def lorenz(seed: int) -> Figure:
    """The orbit found again: states over time, in the plane, and the error."""
    belief = measure.orbit(seed)
    assert belief.process is not None
    inferred, truth = belief.x[1], belief.process.x[1]
    names = ["x1", "x2", "x3"]
    x = over_time(1, len(inferred))
    y = alt.Y("y:Q", title=None)
    colour = coloured(names, (BLUE, VERMILION, GREEN))
    left = alt.layer(
        line([r for k, name in enumerate(names) for r in trace(inferred[:, k], name)]),
        line([r for k, name in enumerate(names) for r in trace(truth[:, k], name)], strokeDash=[5, 3], strokeWidth=1.3),
    ).encode(x=x, y=y, color=colour)
    labels = [str(INFERRED), str(TRUE)]
    colour = coloured(labels, (BLUE, BLACK))

    def path(states: Tensor, which: str, **mark: Any) -> alt.Chart:
        rows = [{"x": a, "y": b, "order": i, "which": which} for i, (a, _, b) in enumerate(states.tolist())]
        return line(rows, **mark).encode(
            x=alt.X("x:Q", title="x1"),
            y=alt.Y("y:Q", title="x3", scale=alt.Scale(zero=False)),
            order="order:Q",
            color=colour,
        )

    starts = [
        {"x": float(states[0, 0]), "y": float(states[0, 2]), "which": name}
        for states, name in zip((inferred, truth), labels, strict=True)
    ]
    middle = alt.layer(
        path(truth, labels[1], strokeDash=[5, 3], strokeWidth=1.5),
        path(inferred, labels[0]),
        dots(starts, size=70).encode(x="x:Q", y="y:Q", color=colour),
    )
    error = (inferred - truth).abs().amax(-1)
    up = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[0.1, 30], nice=False),
        axis=alt.Axis(values=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20]),
    )
    right = line(trace(error, ""), color=BLACK).encode(x=x, y=up)
    titles = (
        Text("states; true: dashed", "状態(真値は破線)"),
        Text("orbit; dots: where it starts", "軌道(点は出発点)"),
        Text("largest error of the states", "状態の誤差の最大値"),
    )
    panels = [
        panel.properties(width=235, height=200, title=heading(str(title)))
        for panel, title in zip((left, middle, right), titles, strict=True)
    ]
    caption = Text(
        "Lorenz's attractor, of which only the noisy sum of its three states is seen. The filter starts from a wrong "
        "state and finds the chaotic orbit again.",
        "ローレンツ・アトラクタ。観測できるのは三つの状態の和(ノイズを含む)だけである。"
        "フィルタは誤った状態から出発し、カオス軌道を再び見つけ出す。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=24).resolve_scale(color="independent"))


def double_well(recipe: FilteringRecipe) -> Figure:
    """The wells, the state whose sign is not seen, the response that is predicted all the same."""
    belief = measure.wells(recipe.drive, recipe.seed)
    assert belief.process is not None
    inferred, truth = belief.x[1][:, 0], belief.process.x[1][:, 0]
    reach = max(9.0, 1.1 * float(torch.cat([inferred, truth]).abs().max()))
    positions = torch.linspace(-reach, reach, 121, dtype=torch.float64)
    depth = positions**2 / 32 - torch.log(1 + positions**2)
    ground = (
        alt.Chart(alt.Data(values=points(positions.tolist(), depth.tolist(), "")))
        .mark_area(color=BLACK, opacity=0.12, line={"color": BLACK, "strokeWidth": 1.5})
        .encode(x=alt.X("x:Q", title="x"), y=alt.Y("y:Q", title=None, scale=alt.Scale(zero=False)))
    )
    labels = [str(INFERRED), str(TRUE)]
    colour = coloured(labels, (BLUE, BLACK))
    x = over_time(1, len(inferred))
    y = alt.Y("y:Q", title=None)
    dashed: dict[str, Any] = {"strokeDash": [5, 3], "strokeWidth": 1.5}

    def pair(a: Tensor, b: Tensor) -> alt.LayerChart | alt.FacetChart:
        return alt.layer(line(trace(a, labels[0])), line(trace(b, labels[1]), **dashed)).encode(x=x, y=y, color=colour)

    wrong = inferred.sign() != truth.sign()
    marks = [{"x": t - 0.5, "x2": t + 0.5} for t, bad in enumerate(wrong.tolist(), start=1) if bad]
    shade = alt.Chart(alt.Data(values=marks)).mark_rect(color=VERMILION, opacity=0.15).encode(x=x, x2="x2:Q")
    state = alt.layer(shade, pair(inferred, truth))
    kinds = [str(Text("predicted", "予測")), str(Text("data", "データ"))]
    shades = coloured(kinds, (BLUE, BLACK))
    response = alt.layer(
        dots(trace(belief.process.v[1][:, 0], kinds[1]), size=18), line(trace(belief.v[1][:, 0], kinds[0]))
    ).encode(x=x, y=y, color=shades)
    titles = (
        Text("potential of the flow without input", "入力がないときのポテンシャル"),
        Text("state x; shaded: wrong well", "状態 x(網かけ:井戸を取り違えた区間)"),
        Text("response g = x²/16", "応答 g = x²/16"),
    )
    panels = [
        panel.properties(width=width, height=200, title=heading(str(title)))
        for panel, title, width in zip((ground, state, response), titles, (170, 290, 235), strict=True)
    ]
    caption = Text(
        "Where the scheme fails. The response is the square of the state: +x and −x look the same, and the posterior "
        "has two peaks. One Gaussian can follow only one. The response is predicted, the size of the state is right, "
        "its side is wrong for long.",
        "この方式の失敗例。応答は状態の二乗なので +x と −x は区別できず、事後分布は二つの峰をもつ。"
        "一つの正規分布が追えるのは一方の峰だけである。応答は予測でき、状態の大きさも正しいが、左右を長く取り違える。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=24).resolve_scale(color="independent"))
