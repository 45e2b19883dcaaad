"""The pictures of the study `scan`: rooms imagined from phrases, the operators, latents, and SCAN beside its rivals."""

from typing import Any

import altair as alt
import numpy as np
import torch
from torch import Tensor, nn

from phantastic.claims import Measure
from phantastic.figure import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Figure, image_grid
from phantastic.nn.distributions import sample
from phantastic.randomness import torch_generator
from phantastic.recipe import Text
from phantastic.run import Run
from phantastic.systems.scan.evaluation import Mind, grounded
from phantastic.systems.scan.experiment import models
from phantastic.systems.scan.language import Lexicon, expected
from phantastic.systems.scan.rooms import Rooms, as_rgb
from phantastic.systems.scan.symbolic import perceive

COLUMNS = 8
PHRASES = ("red suitcase, blue wall", "red suitcase", "blue wall", "ice lolly")
OPERATIONS = (
    "blue AND hat",
    "red hat, blue wall IN COMMON red suitcase, blue wall",
    "red hat, blue wall IGNORE blue wall",
)
RIVALS = {
    "": Text("SCAN", "SCAN"),
    "scan_r.": Text("SCAN_R (reverse KL)", "SCAN_R(逆向きの KL)"),
    "scan_u.": Text("SCAN_U (entangled)", "SCAN_U(もつれた視覚)"),
    "jmvae.": Text("JMVAE", "JMVAE"),
    "trelbo.": Text("TrELBO", "TrELBO"),
}


def figures(run: Run, lang: str) -> dict[str, Figure]:
    """All figures of a finished run."""
    recipe: Any = run.recipe
    rooms = Rooms(recipe.size, recipe.colours)
    trained = models(run)
    mind = grounded(trained["visual"], trained["denoiser"], trained["scan"])  # pyright: ignore[reportArgumentType]
    lexicon = Lexicon(rooms.palette)
    measures = run.measures()
    found = {
        "imagined": imagined(mind, trained["operators"], lexicon, rooms, recipe.seed, lang),
        "latents": latents(mind, rooms, recipe.seed, lang),
        "rivals": rivals(measures, lang),
        "examples": examples(measures, lang),
    }
    return found


def shown(images: Tensor) -> np.ndarray:
    """One row of images for `image_grid`, uint8[n, size, size, 3]."""
    return as_rgb(images)


@torch.no_grad()
def imagined(mind: Mind, operators: nn.Module, lexicon: Lexicon, rooms: Rooms, seed: int, lang: str) -> Figure:
    """Phrases and operations, each with rooms imagined for it."""
    rows, labels = [], []
    for text in (*PHRASES, *OPERATIONS):
        images, label = imagine(mind, operators, lexicon, rooms, text, COLUMNS, seed, lang)
        rows.append(images)
        labels.append(label)
    caption = Text(
        "Rooms that SCAN imagines for a phrase it may never have been taught, and for two concepts joined by an "
        "operator. What the phrase leaves open varies.",
        "教えられていない句や、演算子で結んだ二つの概念から SCAN が想像した部屋。句が定めないものは変化する。",
    )
    return Figure(caption(lang), image_grid(np.stack(rows), labels, scale=enlarged(rooms.size)))


@torch.no_grad()
def imagine(
    mind: Mind, operators: nn.Module, lexicon: Lexicon, rooms: Rooms, text: str, count: int, seed: int, lang: str,
    picture: Tensor | None = None,
) -> tuple[np.ndarray, str]:  # fmt: skip
    """``count`` RGB images imagined for a phrase or operation, and its label; ``picture``: an absent first operand."""
    operator, first, second = lexicon.parse_operation(text)
    device = next(mind.vae.parameters()).device

    def named(concept: np.ndarray) -> Any:
        return mind.encode(torch.from_numpy(rooms.vocabulary.khot(concept[None])).to(device))

    if operator is None:
        posterior, label = named(second), lexicon.describe(second, lang)
    else:
        left = named(first) if first is not None else perceive(mind.vae, picture)  # pyright: ignore[reportArgumentType]
        index = torch.tensor([("AND", "IN COMMON", "IGNORE").index(operator)], device=device)
        posterior = operators(left, named(second), index)
        operand = lexicon.describe(first, lang) if first is not None else Text("the image", "画像")(lang)
        label = f"{operand} {operator} {lexicon.describe(second, lang)}"
        if first is not None:
            label += f" = {lexicon.describe(expected(operator, first, second), lang)}"
    repeated = type(posterior)(*(part.expand(count, -1) for part in posterior))
    codes = sample(repeated, torch_generator(seed, f"imagine {text}", device=device))
    return as_rgb(mind.decode(codes)), label


@torch.no_grad()
def latents(mind: Mind, rooms: Rooms, seed: int, lang: str) -> Figure:
    """Traversals of the latents that carry most, around one room."""
    _, images = rooms.draw(256, seed, "traversed rooms")
    posterior = perceive(mind.vae, images)
    spread = posterior.mean.var(0)
    order = torch.argsort(spread, descending=True)[:8]
    values = torch.linspace(-2, 2, COLUMNS)
    rows = []
    for latent in order:
        codes = posterior.mean[:1].repeat(COLUMNS, 1)
        codes[:, latent] = values.to(codes)
        rows.append(as_rgb(mind.decode(codes)))
    caption = Text(
        "What single latents of the visual module have come to mean without any label: each row moves one latent from "
        "−2 to 2 while the others stay.",
        "視覚モジュールの潜在変数がラベルなしで担うようになった意味。各行は一つの潜在変数だけを "
        "−2 から 2 まで動かした。",
    )
    labels = [f"z{int(latent) + 1}" for latent in order]
    return Figure(caption(lang), image_grid(np.stack(rows), labels, scale=enlarged(rooms.size)))


def rivals(measures: dict[str, Measure], lang: str) -> Figure:
    """Accuracy against diversity of SCAN and what it is held against."""
    accuracy = Text("accuracy (higher is better)", "正確さ(高いほどよい)")
    diversity = Text("diversity: KL from flat, nats (lower is better)", "多様性:平坦分布からの KL (nat、低いほどよい)")
    kinds = {"": Text("taught", "教えた概念"), ".held_out": Text("held out", "未学習の概念")}
    rows = [
        {
            "model": name(lang), "concepts": kind(lang),
            "x": measures[f"{prefix}sym2img.diversity{suffix}"].value,
            "y": measures[f"{prefix}sym2img.accuracy{suffix}"].value,
        }
        for prefix, name in RIVALS.items() if f"{prefix}sym2img.accuracy" in measures
        for suffix, kind in kinds.items()
    ]  # fmt: skip
    order = [name(lang) for name in RIVALS.values()]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=170)
        .encode(
            x=alt.X("x:Q", title=diversity(lang), scale=alt.Scale(zero=True)),
            y=alt.Y("y:Q", title=accuracy(lang), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("model:N", sort=order, title=Text("model", "モデル")(lang),
                            scale=alt.Scale(domain=order, range=[BLUE, VERMILION, ORANGE, GREEN, PURPLE])),
            shape=alt.Shape("concepts:N", title=Text("concepts", "概念")(lang),
                            scale=alt.Scale(domain=[k(lang) for k in kinds.values()], range=["circle", "diamond"])),
        )
        .properties(width=420, height=320)
    )  # fmt: skip
    caption = Text(
        "Images imagined from symbols, judged by a classifier. Above: what was named is there. Left: what was not "
        "named varies.",
        "記号から想像した画像を分類器で判定した。上ほど名指したものが正しく、左ほど名指していないものが多様である。",
    )
    return Figure(caption(lang), chart)


def examples(measures: dict[str, Measure], lang: str) -> Figure:
    """Accuracy against the number of image-symbol pairs per concept."""
    kinds = {"": Text("taught", "教えた概念"), ".held_out": Text("held out", "未学習の概念")}
    rows = [
        {"pairs": int(name[5:].split(".")[0]), "accuracy": measure.value, "concepts": kind(lang)}
        for suffix, kind in kinds.items()
        for name, measure in measures.items()
        if name.startswith("pairs") and name.endswith(f"sym2img.accuracy{suffix}")
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "pairs:Q",
            title=Text("images per concept", "概念ごとの画像の枚数")(lang),
            scale=alt.Scale(type="log", base=2),
        ),
        y=alt.Y("accuracy:Q", title=Text("accuracy", "正確さ")(lang), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("concepts:N", title=Text("concepts", "概念")(lang), scale=alt.Scale(range=[BLUE, SKY])),
    )
    caption = Text(
        "How few examples suffice: accuracy of what is imagined against the number of images shown with each symbol.",
        "どれほど少ない例で足りるか:記号ごとに見せた画像の枚数と、想像した画像の正確さ。",
    )
    return Figure(
        caption(lang), (base.mark_line() + base.mark_point(filled=True, size=90)).properties(width=420, height=280)
    )


def enlarged(size: int) -> int:
    """How many times as large a small image is drawn."""
    return max(1, 96 // size)
