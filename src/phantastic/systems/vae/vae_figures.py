"""The pictures of the study `vae`: traversals, reconstructions, training curves, measures beside their limits."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.ground.randomness import torch_generator
from phantastic.nn.autoencoder.denoising import occlude
from phantastic.nn.autoencoder.model import VAE, Autoencoder, DenoisingAutoencoder
from phantastic.show.figure import BLACK, PALETTE, Figure, image_grid, in_bytes
from phantastic.systems.vae.holes import along, codes_of, drawn, images_of

NAMES = {
    "vae": Text("VAE", "VAE"),
    "beta": Text("β-VAE", "β-VAE"),
    "capacity": Text("VAE with annealed capacity", "容量を徐々に増やす VAE"),
    "factor": Text("FactorVAE", "FactorVAE"),
    "tcvae": Text("β-TCVAE", "β-TCVAE"),
    "denoising": Text("denoising autoencoder", "雑音除去自己符号化器"),
    "autoencoder": Text("plain autoencoder", "自己符号化器"),
}
# name, the value of a perfect code on dSprites (see `measure`), what is drawn
SCALES: dict[str, tuple[float, Text]] = {
    "mig": (0.895, Text("MIG", "MIG(相互情報量ギャップ)")),
    "grouped_mig": (0.895, Text("MIG, factors may own several latents", "MIG(要因が複数の潜在変数をもつ場合)")),
    "sap": (0.2415, Text("SAP", "SAP(属性の予測可能性の差)")),
    "dci_disentanglement": (1.0, Text("DCI: disentanglement", "DCI:分離度")),
    "dci_completeness": (1.0, Text("DCI: completeness", "DCI:完全性")),
    "dci_informativeness": (1.0, Text("DCI: informativeness", "DCI:情報量")),
    "modularity": (0.836, Text("modularity", "モジュール性")),
    "explicitness": (0.98, Text("explicitness", "明示性")),
    "factor_vae_score": (1.0, Text("FactorVAE score", "FactorVAE スコア")),
    "beta_vae_score": (1.0, Text("β-VAE score", "β-VAE スコア")),
}
TRAVERSED = np.linspace(-2, 2, 9)


@torch.no_grad()
def traversals(objective: str, model: VAE, image: Float[Tensor, "1 1 64 64"], kl: np.ndarray) -> Figure:
    """One latent a row, from -2 to 2, the others as they are for ``image``; the most informative ones (by their mean
    divergence ``kl``) on top."""
    order = np.argsort(-kl)
    codes = model.encode(image).mean.repeat(len(order), len(TRAVERSED), 1)
    for row, latent in enumerate(order):
        codes[row, :, latent] = torch.tensor(TRAVERSED).to(codes)
    drawn = in_bytes(torch.sigmoid(model.decode(codes.flatten(0, 1))))
    grid = drawn.reshape(len(order), len(TRAVERSED), *drawn.shape[1:])
    unit = str(Text("nats", "nat"))
    rows = [f"z{latent + 1}   {kl[latent]:.2f} {unit}" for latent in order]
    caption = Text(
        f"{NAMES[objective].en}: what one latent does. Each row changes one latent from -2 to 2 and leaves the others "
        "as they are for a heart in the middle; beside it its mean KL from the prior. A latent near 0 nats carries "
        "nothing and changes nothing.",
        f"{NAMES[objective].ja}:潜在変数一つの働き。各行では、中央のハートの符号から潜在変数を一つだけ −2 から 2 まで"
        "動かした。左の数値は事前分布からの平均 KL。0 に近い潜在変数は情報を担わず、動かしても像は変わらない。",
    )
    return Figure(str(caption), image_grid(grid, rows, [f"{value:g}" for value in TRAVERSED]))


@torch.no_grad()
def pictures(members: Mapping[str, nn.Module], batch: Float[Tensor, "n 1 64 64"], labels: Sequence[str]) -> Figure:
    """Images, and what each member makes of them from the mean code; a denoising autoencoder also sees them damaged."""
    rows, names = [in_bytes(batch)], [str(Text("data", "データ"))]
    for objective, model in members.items():
        if isinstance(model, DenoisingAutoencoder):
            hidden = occlude(batch, torch_generator(0, "figure", device=batch.device))
            rows += [in_bytes(hidden), in_bytes(torch.sigmoid(model.reconstruct_logits(hidden)))]
            names += [str(Text("a part hidden", "一部を隠した入力")), str(NAMES[objective])]
        elif isinstance(model, VAE):
            rows.append(in_bytes(torch.sigmoid(model.decode(model.encode(batch).mean))))
            names.append(str(NAMES[objective]))
        elif isinstance(model, Autoencoder):
            rows.append(in_bytes(torch.sigmoid(model.decode(model.encode(batch)))))
            names.append(str(NAMES[objective]))
    caption = Text(
        "Images and their reconstructions, a VAE's from the mean code. The denoising autoencoder was shown the row "
        "above it.",
        "画像とその再構成(VAE では符号の平均から)。雑音除去自己符号化器には、そのすぐ上の行の画像を入力した。",
    )
    return Figure(str(caption), image_grid(np.stack(rows), names, labels))


def new_images(
    spaces: Mapping[str, VAE | Autoencoder],
    batch: Float[Tensor, "n 1 64 64"],
    ends: Float[Tensor, "2 1 64 64"],
    seed: int,
    measures: Mapping[str, Measure],
) -> Figure:
    """Of every latent space ten new images, and ten on the straight way between the codes of two images."""
    rows, names = [], []
    for objective in sorted(spaces, key=lambda name: name != "autoencoder"):  # the lecture begins with it
        model, name = spaces[objective], NAMES[objective]
        way = along(codes_of(model, ends), 10)
        for kind, codes in (("sampled", drawn(model, codes_of(model, batch), 10, seed)), ("between", way)):
            share = measures.get(f"{objective}.{kind}")
            told = "" if share is None else f" ({share.value:.0%})"
            kinds = {"sampled": Text("drawn", "生成"), "between": Text("on the way", "途中")}
            rows.append(in_bytes(images_of(model, codes)))
            names.append(str(Text(f"{name.en}: {kinds[kind].en}{told}", f"{name.ja}:{kinds[kind].ja}{told}")))
    caption = Text(
        "What lies in a latent space between the data. Drawn: codes from the prior, for the plain autoencoder from the "
        "Gaussian that fits its codes best. On the way: from the code of a heart to that of a square, in a straight "
        "line. In brackets: how many such images, or of those halfway between two, hold exactly one shape, as all data "
        "do.",
        "潜在空間でデータの間にあるもの。生成:事前分布から引いた符号の像(自己符号化器では、データの符号に最もよく合う"
        "正規分布から)。途中:ハートの符号から正方形の符号へ直線上を進んだ像。括弧内は、生成した像(途中では二つの符号の"
        "中点の像)のうち、データのように形がちょうど 1 つある割合。",
    )
    return Figure(str(caption), image_grid(np.stack(rows), names))


def learning(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    published: Mapping[tuple[str, int], tuple[float, float]],
    epoch: int,
) -> Figure:
    """Reconstruction error and KL by training step, and the published mean of each epoch of ``epoch`` steps."""
    reached = max((curve[-1]["step"] for curve in points.values() if curve), default=0)
    terms = {
        "reconstruction": Text("reconstruction error (nats per image)", "再構成誤差(nat/画像)"),
        "kl": Text("KL from the prior (nats per image)", "事前分布からの KL(nat/画像)"),
    }
    panels = []
    domain = [str(NAMES[objective]) for objective in points]
    colours = [PALETTE[list(NAMES).index(objective)] for objective in points]
    colour = alt.Color("member:N", title=None, scale=alt.Scale(domain=domain, range=colours))
    for place, (term, title) in enumerate(terms.items()):
        curve = [
            {"member": str(NAMES[objective]), "step": point["step"], "value": point[term]}
            for objective, logged in points.items()
            for point in logged
            if term in point
        ]
        reference = [
            {"member": str(NAMES[objective]), "step": (number - 0.5) * epoch, "value": values[place]}
            for (objective, number), values in published.items()
            if objective in points and number * epoch <= reached
        ]
        scale = alt.Scale(type="log") if term == "reconstruction" else alt.Scale(zero=True)
        x = alt.X("step:Q", title=str(Text("training step", "学習ステップ")), axis=alt.Axis(format="~s"))
        y = alt.Y("value:Q", title=str(title), scale=scale)
        lines = alt.Chart(alt.Data(values=curve)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour)
        marks = alt.Chart(alt.Data(values=reference)).mark_point(size=70, strokeWidth=2, shape="diamond")
        layers = [lines, *([marks.encode(x=x, y=y, color=colour)] if reference else [])]
        panels.append(alt.layer(*layers).properties(width=320, height=240))
    caption = Text(
        "Learning: what the reconstruction costs and what the code costs. Diamonds: the mean over an epoch in a "
        "published run with the same settings.",
        "学習の経過:再構成の誤差と符号のコスト。◇は同じ設定で公表されている結果のエポック平均。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def against_limits(measures: Mapping[str, Measure], members: Sequence[str]) -> Figure:
    """Every measure of every member, and what a perfect code reaches."""
    domain = [str(NAMES[objective]) for objective in members]
    colours = [PALETTE[list(NAMES).index(objective)] for objective in members]
    dots, limits = [], []
    for name, (perfect, title) in SCALES.items():
        limits.append({"measure": str(title), "value": perfect})
        for objective in members:
            measure = measures.get(f"{objective}.{name}")
            if measure is not None:
                low, high = measure.ends
                dots.append(
                    {
                        "measure": str(title),
                        "member": str(NAMES[objective]),
                        "value": measure.value,
                        "low": low,
                        "high": high,
                    }
                )
    order = [str(title) for _, title in SCALES.values()]
    y = alt.Y("measure:N", title=None, sort=order, axis=alt.Axis(labelLimit=260, grid=True))
    x = alt.X("value:Q", title=None, scale=alt.Scale(domain=[0, 1], clamp=True))
    side = alt.YOffset("member:N", sort=domain, scale=alt.Scale(domain=domain, range=[3, 15]))  # pixels within a row
    colour = alt.Color("member:N", title=None, scale=alt.Scale(domain=domain, range=colours))
    base = alt.Chart(alt.Data(values=dots))
    chart = alt.layer(
        alt.Chart(alt.Data(values=limits)).mark_tick(color=BLACK, thickness=2, size=26).encode(x=x, y=y),
        base.mark_rule().encode(x="low:Q", x2="high:Q", y=y, yOffset=side, color=colour),
        base.mark_circle(size=55, opacity=1).encode(x=x, y=y, yOffset=side, color=colour),
    )
    caption = Text(
        "How well single latents stand for single factors. Black: what a perfect code of dSprites reaches, which is "
        "not 1 for every measure. Bars: 95% intervals, where there are any.",
        "個々の潜在変数が個々の要因にどれだけ対応しているか。黒い線は dSprites の完全な符号が達する値で、"
        "1 とは限らない。横棒は 95% 区間(求めた指標のみ)。",
    )
    return Figure(str(caption), chart.properties(width=420, height=34 * len(SCALES)))
