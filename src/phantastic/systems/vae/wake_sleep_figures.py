"""The pictures of the study `wake_sleep`: patterns beside fantasies, how the models near the world, and a night."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLUE, GREEN, ORANGE, VERMILION, Figure, image_grid
from phantastic.systems.vae.bars import World

NAMES = {
    "world": Text("the world", "世界"),
    "wake_sleep": Text("wake-sleep", "覚醒・睡眠"),
    "elbo": Text("the bound's gradient", "変分下限の勾配"),
    "vae": Text("VAE", "VAE"),
    "pixels": Text("independent pixels", "独立な画素"),
}
COLOURS = {"wake_sleep": VERMILION, "elbo": BLUE, "vae": GREEN}
LEGAL, ILLEGAL = (0, 0, 0), (213, 94, 0)  # pixels that are on, in patterns that can be and in those that cannot


def patterns(world: World, drawn: Mapping[str, Float[Tensor, "count pixels"]], size: int) -> Figure:
    known = {tuple(pattern) for pattern in world.patterns.int().tolist()}
    rows = []
    for images in drawn.values():
        row = []
        for image in images.int().tolist():
            on = np.array(image, bool).reshape(size, size, 1)
            row.append(np.where(on, LEGAL if tuple(image) in known else ILLEGAL, (235, 235, 235)).astype(np.uint8))
        rows.append(row)
    picture = image_grid(np.array(rows), [str(NAMES[name]) for name in drawn], scale=10)
    caption = Text(
        "Bars of one orientation at a time, as the world draws them, and fantasies of three networks that have learned "
        "them and of a model in which every pixel is for itself. Vermilion: the world never draws this. One seed.",
        "世界が描く図形(一度に一つの向きの棒)と、それを学んだ三つのネットワークが思い描いた図形、各画素が独立なモデルの図形。"
        "朱色は世界が決して描かない図形。一つのシード。",
    )
    return Figure(str(caption), picture)


def curves(steps: Mapping[tuple[str, int, int], float], baseline: float) -> Figure:
    """``steps``: the divergence by network, seed and step."""
    domain = [str(NAMES[name]) for name in COLOURS]
    rows = [
        {"model": str(NAMES[name]), "seed": f"{name} {seed}", "step": step, "divergence": divergence}
        for (name, seed, step), divergence in steps.items()
    ]
    scale = alt.Scale(domain=domain, range=list(COLOURS.values()))
    log = alt.Scale(type="log", nice=False)
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.5, opacity=0.8)
        .encode(
            x=alt.X(
                "step:Q", scale=log, title=str(Text("training step", "学習のステップ")), axis=alt.Axis(tickCount=6)
            ),
            y=alt.Y(
                "divergence:Q",
                scale=alt.Scale(type="log"),
                title=str(Text("KL(world||model), nats", "KL(世界||モデル)、nat")),
                axis=alt.Axis(tickCount=6),
            ),
            color=alt.Color("model:N", title=None, scale=scale),
            detail="seed:N",
        )
    )
    rule = alt.Chart(alt.Data(values=[{"y": baseline}])).mark_rule(strokeDash=[4, 3]).encode(y="y:Q")
    caption = Text(
        "How far the world is from each model, enumerated while it learns; a line is a seed. Dashed: independent "
        "pixels.",
        "学習中の各モデルと世界の隔たり(すべての状態を数え上げて計算)。線は一つのシード。破線:独立な画素のモデル。",
    )
    return Figure(str(caption), alt.layer(lines, rule).properties(width=420, height=260))


def falling_asleep(nights: Mapping[int, Mapping[str, Any]]) -> Figure:
    titles = {
        "free_energy": Text("free energy of the world", "世界の自由エネルギー"),
        "reverse": Text("KL(p(h|x)||q(h|x)) of fantasies", "空想での KL(p(h|x)||q(h|x))"),
    }
    panels = []
    for name, colour in (("free_energy", BLUE), ("reverse", ORANGE)):
        rows = [
            {"step": step - found["awake"], "nats": value, "seed": seed}
            for seed, found in nights.items()
            for step, value in enumerate(found[name])
        ]
        lines = (
            alt.Chart(alt.Data(values=rows), title=str(titles[name]))
            .mark_line(strokeWidth=1.5, color=colour)
            .encode(
                x=alt.X(
                    "step:Q",
                    title=str(Text("step; asleep from 0 on", "ステップ(0 から睡眠)")),
                    axis=alt.Axis(tickCount=5),
                ),
                y=alt.Y(
                    "nats:Q", title=str(Text("nats", "nat")), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6)
                ),
                detail="seed:N",
            )
        )
        rule = alt.Chart(alt.Data(values=[{"x": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="x:Q")
        panels.append(alt.layer(lines, rule).properties(width=260, height=220))
    caption = Text(
        "Recognition goes on learning by itself, by exact gradients: awake it descends the free energy, asleep the "
        "other divergence. Each phase undoes some of what the other has done. A line is a seed.",
        "認識の重みだけを正確な勾配で学習し続ける。覚醒中は自由エネルギーを、睡眠中はもう一方の KL を下げる。"
        "一方の段階は、他方の成果の一部を打ち消す。線は一つのシード。",
    )
    return Figure(str(caption), alt.hconcat(*panels))
