"""The pictures of the study `gan`: a judge beside the best one, points, and images side by side."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, GREEN, VERMILION, Figure, image_grid, in_bytes

DATA, GAN, VAE = Text("data", "データ"), Text("GAN", "GAN"), Text("VAE", "VAE")
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
    """Points of the data, the GAN and the VAE, for each mixture."""
    rows = []
    for name, kinds in points.items():
        panels = []
        reach = 1.3 * float(kinds["data"].abs().max())
        for kind, title, colour in (("data", DATA, BLACK), ("gan", GAN, VERMILION), ("vae", VAE, BLUE)):
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
        "Mixtures of Gaussians, and samples of a GAN and of a VAE trained on them for as many steps. A point is good "
        "within three standard deviations of a mode; a mode is found where a good point lies.",
        "混合正規分布と、同じ回数だけ学習した GAN と VAE の標本。峰から標準偏差 3 個分以内の点を良質とし、"
        "良質な点のある峰を見つかったとみなす。",
    )
    return Figure(str(caption), alt.vconcat(*rows))


def side_by_side(images: Mapping[str, Float[Tensor, "n 1 64 64"]], measures: Mapping[str, Measure]) -> Figure:
    """Two rows each of data, the VAE's reconstructions of them, and samples of either; twelve columns."""
    titles = {
        "data": DATA,
        "reconstructed": Text("VAE: reconstructions", "VAE:再構成"),
        "vae": Text("VAE: samples", "VAE:標本"),
        "gan": Text("GAN: samples", "GAN:標本"),
    }
    rows, labels = [], []
    for kind, title in titles.items():
        tiles = in_bytes(images[kind])
        rows += [tiles[:12], tiles[12:24]]
        labels += [str(title), ""]
    phrases = {kind: described(measures, kind) for kind in ("vae", "gan")}
    caption = Text(
        "dSprites, and what a VAE and a GAN make of them in as many steps. Of the data every picture holds one shape, "
        "and no pixel is grey (between .1 and .9). "
        f"Of the VAE's samples {phrases['vae']}; of the GAN's {phrases['gan']}.",
        "dSprites と、同じステップ数だけ学習した VAE と GAN の結果。"
        "データではどの画像にも形が 1 つあり、灰色の画素(.1〜.9)はない。"
        f"VAE の標本では{phrases['vae']}。GAN の標本では{phrases['gan']}。",
    )
    return Figure(str(caption), image_grid(np.stack(rows), labels))


def described(measures: Mapping[str, Measure], kind: str) -> str:
    """How many samples hold a shape and, where enough do, how grey those are."""
    share, grey = measures[f"image.{kind}.shapes"].value, measures.get(f"image.{kind}.grey")
    phrase = str(Text(f"{share:.0%} hold one shape", f"{share:.0%} に形が 1 つ"))
    if grey is None:
        return phrase
    return phrase + str(Text(f", with {grey.value:.2%} grey pixels", f"(灰色の画素は {grey.value:.2%})"))
