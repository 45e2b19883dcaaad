"""The pictures of song: sonograms of what is sung and heard, evoked responses, recognised causes, every noise."""

import base64
import io
import math
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import torch
from jaxtyping import Float64
from PIL import Image
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.inference.published.song import SONGS
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure
from phantastic.show.traces import Rows, band, coloured, heading, line, over_time, trace
from phantastic.systems.song import measure
from phantastic.systems.song.study import SongRecipe

_KILOHERTZ = (1.5, 5.5)
_REGION = math.sqrt(-2 * math.log(0.1))  # radius of a plane Gaussian's 90% region, in standard deviations
_LISTENERS = {
    "full": Text("song goes on", "歌が続く"),
    "omission": Text("omission, normal priors", "欠落、正常な事前分布"),
    "attenuated": Text("imprecise priors", "事前分布の精度が低い"),
    "hallucination": Text("… and imprecise senses", "さらに感覚の精度も低い"),
}
_PRIORS = {
    "canonical": Text("with all priors", "すべての事前分布あり"),
    "no_structure": Text("no structural priors", "構造的事前分布なし"),
    "no_dynamics": Text("no dynamical priors", "動的事前分布なし"),
}


def sonogram(
    song: Float64[Tensor, "bins 2"], *, labelled: bool = True, width: int = 200, height: int = 90
) -> alt.LayerChart | alt.FacetChart:
    """What the two responses sound like: the size of the first is the loudness, the second the pitch (2 to 5 kHz)."""
    loud = song[:, 0].abs().clamp(max=25) / 25
    pitch = 2 + 3 * song[:, 1].clamp(0, 50) / 50
    frequency = torch.linspace(*_KILOHERTZ, 64, dtype=torch.float64).flip(0)
    power = loud * torch.exp(-0.5 * ((frequency[:, None] - pitch) / 0.16) ** 2)
    pixels = (255 * (1 - power)).round().to(torch.uint8).numpy()
    picture = Image.fromarray(np.repeat(pixels, 3, axis=1)).resize((3 * len(song), 192), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    image = alt.Chart(alt.Data(values=[{"url": url}])).mark_image(width=width, height=height, aspect=False)
    axes = alt.Chart(alt.Data(values=[{"x": 1, "y": _KILOHERTZ[0]}])).mark_point(opacity=0)
    title = str(Text("frequency (kHz)", "周波数(kHz)")) if labelled else None
    y = alt.Y(
        "y:Q",
        title=title,
        scale=alt.Scale(domain=list(_KILOHERTZ), nice=False),
        axis=alt.Axis(values=[2, 3, 4, 5], grid=False),
    )
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[1, len(song)], nice=False),
        axis=alt.Axis(tickCount=6, format="d", grid=False),
    )
    return alt.layer(
        image.encode(x=alt.value(width / 2), y=alt.value(height / 2), url="url:N"), axes.encode(x=x, y=y)
    ).properties(width=width, height=height)


def recognition(recipe: SongRecipe) -> Figure:
    """Three songs, their causes over time and in the plane of causes; after Friston & Kiebel (2009), figure 6."""
    beliefs = {song: measure.recognised(song, recipe.seed) for song in SONGS}
    names = [str(Text(f"song {song[-1]}", f"歌 {song[-1]}")) for song in SONGS]
    colour = coloured(names, (BLUE, VERMILION, GREEN))
    songs = []
    for number, (belief, name) in enumerate(zip(beliefs.values(), names, strict=True)):
        assert belief.process is not None
        songs.append(sonogram(belief.process.v[1], labelled=number == 0, width=240).properties(title=heading(name)))
    x = over_time(1, 64)
    listened = alt.Chart(alt.Data(values=[{"x": recipe.listened}])).mark_rule(strokeDash=[4, 3]).encode(x="x:Q")
    panels = []
    for k, title in enumerate(
        (Text("Rayleigh variable v1", "レイリー変数 v1"), Text("Prandtl variable v2", "プラントル変数 v2"))
    ):
        inferred, truth = [], []
        for (song, belief), name in zip(beliefs.items(), names, strict=True):
            inferred += trace(belief.v[2][:, k], name, belief.covariance.v[:, k, k].sqrt())
            truth += [{"y": SONGS[song][k], "which": name}]
            # at first nothing is known: that leaves the page
        scale = alt.Scale(domain=[-25, 45] if k == 0 else [-3, 8], nice=False)
        y = alt.Y("y:Q", title=None, scale=scale)
        known = alt.Chart(alt.Data(values=truth)).mark_rule(strokeDash=[2, 3]).encode(y=y, color=colour)
        chart = alt.layer(
            band(inferred, "", opacity=0.15, clip=True).encode(x=x, color=colour),
            line(inferred, clip=True).encode(x=x, y=y, color=colour),
            known,
            listened,
        )
        panels.append(chart.properties(width=240, height=180, title=heading(str(title))))
    regions, means, true = [], [], []
    for (song, belief), name in zip(beliefs.items(), names, strict=True):
        mean, covariance = belief.v[2][recipe.listened - 1], belief.covariance.v[recipe.listened - 1]
        angle = torch.linspace(0, 2 * math.pi, 61, dtype=torch.float64)
        circle = torch.stack([angle.cos(), angle.sin()]) * _REGION
        edge = (mean[:, None] + torch.linalg.cholesky(covariance) @ circle).T.tolist()
        regions += [{"x": a, "y": b, "order": i, "which": name} for i, (a, b) in enumerate(edge)]
        means.append({"x": float(mean[0]), "y": float(mean[1]), "which": name})
        true.append({"x": SONGS[song][0], "y": SONGS[song][1], "which": name})
    x = alt.X("x:Q", title="v1", scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", title="v2", scale=alt.Scale(zero=False))
    plane = alt.layer(
        line(regions, strokeWidth=1.5).encode(x=x, y=y, color=colour, order="order:Q"),
        alt.Chart(alt.Data(values=means)).mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour),
        alt.Chart(alt.Data(values=true))
        .mark_point(shape="cross", filled=True, size=90, opacity=1, angle=45)
        .encode(x=x, y=y, color=colour),
    ).properties(
        width=240,
        height=180,
        title=heading(str(Text(f"at bin {recipe.listened}; ×: true", f"ビン {recipe.listened} での推定(×:真値)"))),
    )
    caption = Text(
        "Recognising songs. Above: three songs from one attractor with different causes. Below: the causes that a "
        "listener infers from the sound alone, with 90% intervals (dotted: true), and where they lie at the dashed "
        "time, with their 90% regions. A changing sound has become a point that names the song.",
        "歌の認識。上:一つのアトラクタから異なる原因によって生じた三つの歌。下:聞き手が音だけから推定した原因と"
        "90% 区間(点線:真値)、および破線の時点での位置と 90% 領域。変化し続ける音が、歌を表す一点になる。",
    )
    grid = alt.vconcat(alt.hconcat(*songs, spacing=24), alt.hconcat(*panels, plane, spacing=24))
    return Figure(str(caption), grid)


def priors(recipe: SongRecipe) -> Figure:
    """What listeners hear with and without priors, and their errors; Friston & Kiebel (2009), figure 4."""
    beliefs = {name: measure.followed(recipe, name, recipe.seed) for name in _PRIORS}
    process = beliefs["canonical"].process
    assert process is not None
    bins = len(process.v[1])
    columns = []
    outputs = ("y1", "y2")
    colour = coloured(outputs, (BLUE, VERMILION))
    x = over_time(1, bins)

    def lines(values: Tensor, domain: list[float] | None) -> alt.Chart:
        scale = alt.Scale(domain=domain, nice=False) if domain else alt.Scale()
        rows = [r for k, name in enumerate(outputs) for r in trace(values[:, k], name)]
        return line(rows, strokeWidth=1.5, clip=True).encode(x=x, y=alt.Y("y:Q", title=None, scale=scale), color=colour)

    title = str(Text("what is sung", "実際の歌"))
    columns.append(
        alt.vconcat(
            sonogram(process.v[1], width=215).properties(title=heading(title)),
            lines(process.v[1], None).properties(width=215, height=120, title=heading(str(Text("responses", "応答")))),
        )
    )
    top = 1.05 * max(float(belief.z[1].abs().max()) for belief in beliefs.values())
    for name, belief in beliefs.items():
        error = measure.rms((belief.v[1] - process.v[1])[measure.LOCKED :])
        label = str(Text(f"prediction error; rms {error:.1f}", f"予測誤差(rms {error:.1f})"))
        rule = alt.Chart(alt.Data(values=[{"x": measure.LOCKED}])).mark_rule(strokeDash=[4, 3], color="#888888")
        chart = alt.layer(lines(belief.z[1], [-top, top]), rule.encode(x="x:Q"))
        columns.append(
            alt.vconcat(
                sonogram(belief.v[1], labelled=False, width=215).properties(title=heading(str(_PRIORS[name]))),
                chart.properties(width=215, height=120, title=heading(label)),
            )
        )
    caption = Text(
        "What a listener expects. A slow attractor moves a fast one, and that one sings. After locking on (dashed: "
        f"bin {measure.LOCKED}) a listener with both levels and generalised motion follows the song; without the "
        "second level (structural priors), or with the first derivative only (no dynamical priors), the error is about "
        "twice as large.",
        "聞き手の予期。ゆっくりしたアトラクタが速いアトラクタを動かし、後者が歌う。"
        f"同調後(破線:ビン {measure.LOCKED})、"
        "二つの階層と一般化運動をもつ聞き手は歌を追えるが、第 2 階層(構造的事前分布)がない場合や、1 次の導関数しか"
        "もたない場合(動的事前分布なし)は誤差がおよそ 2 倍になる。",
    )
    return Figure(str(caption), alt.hconcat(*columns, spacing=18))


def omission(recipe: SongRecipe) -> Figure:
    """What is heard when the song breaks off, and the responses it evokes; Adams et al. (2013), figure 5."""
    beliefs = {name: measure.heard(recipe, name, recipe.seed) for name in _LISTENERS}
    bins = recipe.sung + recipe.silence
    weighted = {name: belief.weighted_errors()["z"][1] for name, belief in beliefs.items()}
    top = 1.1 * max(float(errors[measure.LOCKED :].abs().max()) for errors in weighted.values())
    outputs = ("y1", "y2")
    colour = coloured(outputs, (BLUE, VERMILION))
    x = over_time(measure.LOCKED, bins)
    y = alt.Y("y:Q", title=None, scale=alt.Scale(domain=[-top, top], nice=False))
    columns = []
    for name, belief in beliefs.items():
        V1, _, V2, _ = measure.log_precisions(recipe, name)
        marks = [] if name == "full" else [{"x": recipe.sung + 0.5}]
        rule = alt.Chart(alt.Data(values=marks)).mark_rule(strokeDash=[4, 3], color=VERMILION)
        title = heading(str(_LISTENERS[name]), subtitle=f"ln V1 = {V1:g}, ln V2 = {V2:g}".replace("-", "−"))
        above = alt.layer(sonogram(belief.v[1], labelled=name == "full", width=215), rule.encode(x="x:Q"))
        rows = [
            r
            for k, output in enumerate(outputs)
            for r in trace(weighted[name][:, k], output)
            if r["x"] >= measure.LOCKED
        ]
        peak = float(measure.response(belief)[recipe.sung :].max())
        label = str(Text(f"weighted error; peak {peak:.0f}", f"重みつき誤差(最大 {peak:.0f})"))
        below = alt.layer(line(rows, strokeWidth=1.5).encode(x=x, y=y, color=colour), rule.encode(x="x:Q"))
        columns.append(
            alt.vconcat(above.properties(title=title), below.properties(width=215, height=130, title=heading(label)))
        )
    caption = Text(
        "A song breaks off (dashed). Above: what is heard. Below: precision-weighted prediction errors at the senses, "
        "the simulated evoked response. The missing chirp evokes a response like the mismatch negativity. With "
        "imprecise priors it changes, over many songs it shrinks; if the senses are then taken to be imprecise as "
        "well, something is heard although there is no song: loud, but not the song that would have followed. "
        "Responses begin one or two bins before the song breaks off, since generalised coordinates are estimated from "
        "the bins around.",
        "歌が途切れる(破線)。上:聞こえる歌。下:精度で重みづけた感覚の予測誤差、すなわち誘発応答の模擬。"
        "欠けたさえずりはミスマッチ陰性電位に似た応答を引き起こす。事前分布の精度が下がるとこの応答は変わり、"
        "多くの歌で平均すると小さくなる。さらに感覚の精度も低くみなすと、歌がないのに何かが聞こえる:"
        "大きく聞こえるが、続くはずだった歌ではない。"
        "一般化座標を前後の時点から推定するため、応答は途切れる 1、2 時点前に始まる。",
    )
    return Figure(str(caption), alt.hconcat(*columns, spacing=18))


def listeners(measures: Mapping[str, Measure]) -> Figure:
    """Every noise: errors by prior, the evoked response and what is heard in the silence by listener."""

    def strip(
        names: Mapping[str, Text], ending: str, title: Text, colours: Sequence[str]
    ) -> alt.LayerChart | alt.FacetChart:
        rows: Rows = []
        for name, word in names.items():
            rows += [{"which": str(word), "y": value} for value in measures[f"{name}.{ending}"].each]
        order = [str(word) for word in names.values()]
        x = alt.X("which:N", title=None, sort=order, axis=alt.Axis(labels=False, ticks=False))
        colour = alt.Color(
            "which:N",
            title=None,
            scale=alt.Scale(domain=order, range=list(colours)),
            legend=alt.Legend(orient="bottom", columns=1, labelLimit=300),
        )
        base = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colour)
        up = alt.Y("y:Q", title=None, scale=alt.Scale(domainMin=0))
        return alt.layer(
            base.mark_bar(opacity=0.25, size=30).encode(y=alt.Y("mean(y):Q", title=None)),
            base.mark_point(filled=True, size=34, opacity=0.9).encode(y=up),
        ).properties(width=220, height=190, title=heading(str(title)))

    shades = (BLACK, BLUE, ORANGE, VERMILION)
    panels = [
        strip(_PRIORS, "error", Text("error of the response (rms)", "応答の誤差(rms)"), shades[1:]),
        strip(_LISTENERS, "peak", Text("response after the omission, peak", "欠落後の応答(最大値)"), shades),
        strip(
            _LISTENERS, "heard", Text("song heard in the silence (mean size)", "無音のときに聞こえる歌(平均)"), shades
        ),
    ]
    count = len(measures["canonical.error"].each)
    caption = Text(
        f"The same under every noise ({count}; bars: means). Left: hierarchy and dynamics each about halve the error. "
        "Middle: the omission evokes a response that imprecise priors attenuate on average, not under every noise. "
        "Right: the song goes on in the silence only where priors and senses are both imprecise.",
        f"すべてのノイズでの結果({count} 通り、棒は平均)。左:階層と動的事前分布はそれぞれ誤差をおよそ半分にする。"
        "中央:欠落への応答は事前分布の精度が低いと平均して弱まるが、どのノイズでも弱まるわけではない。"
        "右:無音で歌が聞こえ続けるのは、事前分布と感覚の精度がともに低いときだけである。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=30).resolve_scale(color="independent"))
