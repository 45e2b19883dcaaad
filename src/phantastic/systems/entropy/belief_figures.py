"""The pictures of belief: F in two decompositions while an animal sees and acts, and the two surprises of a screen."""

import altair as alt
import torch

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, Figure
from phantastic.systems.entropy import acting, belief
from phantastic.systems.entropy.acting import Animal
from phantastic.systems.entropy.drawing import HEADING, NATS, coloured, curve, rows
from phantastic.systems.entropy.variational import FreeEnergy

PHASE, PHASES, RATE = 30, 4, 0.08  # steps of perception or action, how many of these, and how large a step is


def course() -> FreeEnergy:
    """An animal that expects 0 and senses 3 (both ± 1): it perceives, acts, perceives, acts."""
    animal = Animal(*(torch.tensor(value, dtype=torch.float64) for value in (0.0, 1.0, 1.0, 3.0, 0.0, 0.0)))
    path = [acting.free_energy(animal)]
    for step in range(PHASE * PHASES):
        animal = (acting.acted if step // PHASE % 2 else acting.perceived)(animal, RATE)
        path.append(acting.free_energy(animal))
    return FreeEnergy(*(torch.stack(part) for part in zip(*path, strict=True)))


def action() -> Figure:
    """F as divergence + surprise and as complexity - accuracy, in turns of perception and action."""
    f, steps = course(), range(PHASE * PHASES + 1)
    phases = [
        {"from": PHASE * k, "to": PHASE * (k + 1), "at": PHASE * (k + 0.5), "name": str(name)}
        for k, name in enumerate((Text("perception", "知覚"), Text("action", "行為")) * (PHASES // 2))
    ]
    names = {
        "value": Text("F", "F"),
        "divergence": Text("divergence", "隔たり"),
        "surprise": Text("surprise", "驚き"),
        "complexity": Text("complexity", "複雑さ"),
        "accuracy": Text("− accuracy", "− 正確さ"),
    }
    shades = dict(zip(names, (BLACK, BLUE, VERMILION, GREEN, ORANGE), strict=True))
    panels = []
    for parts, title in (
        (("divergence", "surprise"), Text("F = divergence + surprise", "F = 隔たり + 驚き")),
        (("complexity", "accuracy"), Text("F = complexity − accuracy", "F = 複雑さ − 正確さ")),
    ):
        shown = ("value", *parts)
        lines = [
            row
            for part in shown
            for row in rows(steps, getattr(f, part) * (-1 if part == "accuracy" else 1), which=str(names[part]))
        ]
        x = alt.X("x:Q", title=str(Text("step", "ステップ")), scale=alt.Scale(domain=[0, steps[-1]], nice=False),
                  axis=alt.Axis(values=[*range(0, steps[-1] + 1, PHASE)]))  # fmt: skip
        top = 1.15 * float(f.value.max())
        y = alt.Y("y:Q", title=str(NATS), scale=alt.Scale(domain=[0, top], nice=False))
        ground = alt.Chart(alt.Data(values=phases))
        colour = coloured([str(names[part]) for part in shown], [shades[part] for part in shown], orient="bottom")
        panels.append(
            alt.layer(
                ground.mark_rect(color=PURPLE, opacity=0.1)
                .encode(x=alt.X("from:Q", scale=alt.Scale(domain=[0, steps[-1]], nice=False)), x2="to:Q")
                .transform_filter(alt.datum.name == phases[1]["name"]),
                ground.mark_text(dy=10, fontSize=11, color=BLACK).encode(x="at:Q", y=alt.value(0), text="name:N"),
                curve(lines, strokeWidth=2).encode(x=x, y=y, color=colour),
            ).properties(width=320, height=210, title=alt.TitleParams(str(title), **HEADING))
        )
    caption = Text(
        "One free energy, two ways to lower it. Perception moves the belief: of F = divergence + surprise only the "
        "divergence follows. Action (shaded) moves what is sensed: of F = complexity − accuracy only the accuracy "
        "follows. In turns they bring an animal that expects 0 and senses 3 to sense what it expects.",
        "一つの自由エネルギーを下げる二つの方法。知覚は信念を動かす。F = 隔たり + 驚き のうち変わるのは隔たりだけであ"
        "る。行為(網かけ)は感覚を動かす。F = 複雑さ − 正確さ のうち変わるのは正確さだけである。交互に行えば、0 を予想"
        "して 3 を感じた動物は、予想どおりのものを感じるようになる。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=30).resolve_scale(color="independent"))


def surprises(viewers: int, seed: int) -> Figure:
    """Shannon's and Bayesian surprise per frame of snow that gives way to a programme, mean over viewers."""
    panels = []
    titles = (
        (Text("Shannon: −log p(frame)", "シャノン:−log p(コマ)"), ORANGE),
        (Text("Bayesian: KL of the posterior from the prior", "ベイズ:事前分布から事後分布への KL"), BLUE),
    )
    change = alt.Chart(alt.Data(values=[{"x": belief.SNOW + 0.5}])).mark_rule(strokeDash=[4, 3]).encode(x="x:Q")
    last = belief.SNOW + belief.PROGRAMME
    for (title, shade), values in zip(titles, belief.screen(viewers, seed), strict=True):
        mean = values.mean(0)
        x = alt.X("x:Q", title=str(Text("frame", "コマ")), scale=alt.Scale(domain=[1, last], nice=False))
        top = 1.18 * float(mean.max())
        y = alt.Y("y:Q", title=str(NATS), scale=alt.Scale(domain=[0, top], nice=False))
        words = [
            {"x": belief.SNOW / 2, "name": str(Text("snow", "砂嵐"))},
            {"x": belief.SNOW + belief.PROGRAMME / 2, "name": str(Text("programme", "番組"))},
        ]
        layers = alt.layer(
            change,
            alt.Chart(alt.Data(values=words))
            .mark_text(dy=10, fontSize=11)
            .encode(x="x:Q", y=alt.value(0), text="name:N"),
            curve(rows(range(1, last + 1), mean), color=shade).encode(x=x, y=y),
        )
        panels.append(layers.properties(width=320, height=190, title=alt.TitleParams(str(title), **HEADING)))
    caption = Text(
        f"What surprises and what bores, mean over {viewers:,} viewers. Every frame of snow ({belief.PIXELS} pixels, "
        "each on or off at random) is improbable, and none teaches anything. The first frames of a programme in "
        "which pixels stay as they are (95%) are no less probable, but change what is believed.",
        f"驚かせるものと退屈なもの({viewers:,} 人の視聴者の平均)。砂嵐のどのコマ({belief.PIXELS} 画素、それぞれ無作為"
        "に点滅)も確率は低いが、何も教えない。画素が変わりにくい(95%)番組の最初の数コマは、確率はそれより低くないのに"
        "、信念を変える。",
    )
    return Figure(str(caption), alt.hconcat(*panels, spacing=30))
