"""The pictures of the study `modes`: a judge beside the best one, and points side by side."""

from collections.abc import Mapping, Sequence

import altair as alt
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, GREEN, VERMILION, Figure

COLUMNS = (
    ("data", Text("data", "データ"), BLACK),
    ("gan", Text("GAN", "GAN"), VERMILION),
    ("r1", Text("GAN with R1", "R1 つきの GAN"), GREEN),
    ("vae", Text("VAE", "VAE"), BLUE),
)
PANELS = {"ring": Text("ring of 8", "8 個の輪"), "grid": Text("grid of 25", "25 個の格子")}


def judged(columns: Mapping[str, Sequence[float]]) -> Figure:
    """Goodfellow et al. (2014), Figure 1, with a discriminator that was trained; ``columns`` are those of
    `Verdicts`."""
    names = {
        "data": Text("density of the data, p", "データの密度 p"),
        "made": Text("density of the samples, q", "標本の密度 q"),
        "optimal": Text("best judge, p / (p + q)", "最適な識別器 p / (p + q)"),
        "learned": Text("trained judge, D", "学習した識別器 D"),
    }
    rows = [
        {"x": x, "value": value, "which": str(name)}
        for key, name in names.items()
        for x, value in zip(columns["x"], columns[key], strict=True)
        if -4 <= x <= 4
    ]
    domain = [str(name) for name in names.values()]
    colours = alt.Scale(domain=domain, range=[BLACK, GREEN, BLUE, VERMILION])
    dashes = alt.Scale(domain=domain, range=[[1, 0], [1, 0], [1, 0], [5, 4]])
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line()
        .encode(
            x=alt.X("x:Q", title="x"),
            y=alt.Y("value:Q", title=str(Text("density; probability that x is data", "密度、x がデータである確率"))),
            color=alt.Color("which:N", title=None, scale=colours, legend=alt.Legend(labelLimit=260)),
            strokeDash=alt.StrokeDash("which:N", title=None, legend=None, scale=dashes),
        )
    )
    caption = Text(
        "The game with a generator that stands still: the trained discriminator comes to the best one, p / (p + q).",
        "生成器を固定したゲーム:学習した識別器は、最適な識別器 p / (p + q) に近づく。",
    )
    return Figure(str(caption), chart.properties(width=420, height=240))


def scattered(points: Mapping[str, Mapping[str, Float[Tensor, "n 2"]]], measures: Mapping[str, Measure]) -> Figure:
    """Points of the data, of the GAN without and with the penalty, and of the VAE, for each mixture."""
    rows = []
    for name, kinds in points.items():
        panels = []
        reach = 1.3 * float(kinds["data"].abs().max())
        for kind, title, colour in COLUMNS:
            heading = str(title)
            if f"{name}.{kind}.modes" in measures:
                modes, quality = (measures[f"{name}.{kind}.{key}"].value for key in ("modes", "quality"))
                heading += str(Text(f": {modes:.3g} modes, {quality:.0%} good", f":{modes:.3g} 峰、良質 {quality:.0%}"))
            values = [{"x": round(x, 4), "y": round(y, 4)} for x, y in kinds[kind].tolist()]
            axis = alt.Axis(tickCount=5)
            x, y = (
                alt.X("x:Q", title=None, scale=alt.Scale(domain=[-reach, reach], nice=False), axis=axis),
                alt.Y(
                    "y:Q",
                    title=str(PANELS[name]) if kind == "data" else None,
                    scale=alt.Scale(domain=[-reach, reach], nice=False),
                    axis=axis,
                ),
            )
            dots = alt.Chart(alt.Data(values=values)).mark_circle(size=9, opacity=0.5, color=colour, clip=True)
            panels.append(dots.encode(x=x, y=y).properties(width=190, height=190, title=heading))
        rows.append(alt.hconcat(*panels))
    caption = Text(
        "Mixtures of Gaussians, and samples of GANs and of a VAE trained on them for as many steps. A point is good "
        "within three standard deviations of a mode; a mode is found where a good point lies. The points are those of "
        "one seed, the numbers the mean of all.",
        "混合正規分布と、同じ回数だけ学習した GAN と VAE の標本。峰から標準偏差 3 個分以内の点を良質とし、"
        "良質な点のある峰を見つかったとみなす。点は一つのシードのもの、数値は全シードの平均。",
    )
    return Figure(str(caption), alt.vconcat(*rows))
