"""The pictures of the study `scan`: rooms from phrases, the operators, latents, and SCAN beside its baselines."""

from collections.abc import Callable, Mapping
from typing import Any

import altair as alt
import numpy as np
import torch
from torch import Tensor, nn

from phantastic.declare.i18n import Text, speaking
from phantastic.declare.measure import Measure
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.nn.autoencoder.model import VAE
from phantastic.nn.distributions import sample
from phantastic.run.folder import Run
from phantastic.show.figure import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Figure, image_grid
from phantastic.systems.scan.concepts import OPEN, OPERATORS
from phantastic.systems.scan.evaluation import Mind, grounded
from phantastic.systems.scan.language import Lexicon, expected
from phantastic.systems.scan.rooms import Rooms, as_input, as_rgb
from phantastic.systems.scan.study import ScanRecipe
from phantastic.systems.scan.symbolic import Operations, draw_concepts, draw_held_out, perceive, sayable

COLUMNS = 8
PHRASES = ("red suitcase, blue wall", "red suitcase", "blue wall", "ice lolly")
BASELINES = {
    "": Text("SCAN", "SCAN"),
    "scan_r.": Text("SCAN_R (reverse KL)", "SCAN_R(逆向きの KL)"),
    "scan_u.": Text("SCAN_U (entangled)", "SCAN_U(もつれた視覚)"),
    "jmvae.": Text("JMVAE", "JMVAE"),
    "trelbo.": Text("TrELBO", "TrELBO"),
}


def figures(run: Run[ScanRecipe], trained: Mapping[str, nn.Module]) -> dict[str, Figure]:
    """All figures of a finished run."""
    recipe = run.recipe
    rooms = Rooms(recipe.size, recipe.colours)
    model = grounded(trained["visual"], trained["denoiser"], trained["scan"])  # pyright: ignore[reportArgumentType]
    concepts, _ = draw_concepts(rooms.vocabulary, recipe)
    _, tests = draw_held_out(rooms.vocabulary, recipe.test_concepts, 20 * recipe.test_concepts, recipe.seed)
    measures = run.measures()
    return {
        "imagined": imagined(model, trained["operators"], rooms, concepts, tests, recipe.seed),
        "latents": latents(trained["visual"], model.decode, rooms, recipe.seed),  # pyright: ignore[reportArgumentType]
        "baselines": baselines(measures),
        "examples": examples(measures),
    }


@torch.no_grad()
def imagined(
    model: Mind, operators: nn.Module | None, rooms: Rooms, concepts: np.ndarray, tests: Operations, seed: int
) -> Figure:
    """True rooms, then rooms imagined for phrases and, once there are ``operators``, for some of the ``tests``.

    A phrase that is not among the ``concepts`` taught is marked.
    """
    lexicon = Lexicon(rooms.palette)
    first = lexicon.parse(PHRASES[0])
    generator = numpy_generator(seed, "true rooms")
    true = rooms.vocabulary.complete(np.tile(first, (COLUMNS, 1)), generator)
    rows = [as_rgb(as_input(rooms.observe(true, generator)))]
    labels = [str(Text("true rooms: ", "本物の部屋:")) + lexicon.describe(first)]
    examples = () if operators is None else unseen_operations(lexicon, concepts, tests)
    for text in (*PHRASES, *examples):
        images, label = imagine(model, operators, lexicon, rooms, text, COLUMNS, seed)
        taught = text not in examples and (lexicon.parse(text) == concepts).all(1).any()
        rows.append(images)
        labels.append(label if taught else label + str(Text(" (never taught)", "(未学習)")))
    caption = Text(
        "Rooms that SCAN imagines from words; on top, true rooms of the first phrase. What is marked “never taught” "
        "stood in no lesson, as a phrase or as the result of an operator. What a phrase leaves open varies.",
        "SCAN が言葉から想像した部屋。一番上は最初の句に当てはまる本物の部屋。「未学習」の句や演算結果は学習に一度も"
        "現れていない。句が指定しないものは部屋ごとに異なる。",
    )
    return Figure(str(caption), image_grid(np.stack(rows), labels, scale=enlarged(rooms.size), smooth=True))


def unseen_operations(lexicon: Lexicon, concepts: np.ndarray, tests: Operations) -> tuple[str, ...]:
    """A held-out operation of each operator: of those whose result is no concept taught, the one of fewest words."""
    words = (np.stack([tests.first, tests.second]) != OPEN).sum((0, 2))
    fresh = ~(tests.result[:, None] == concepts).all(2).any(1)
    operations = []
    for index, operator in enumerate(OPERATORS):
        rows = np.flatnonzero(fresh & (tests.operator == index))
        if len(rows):
            row = rows[words[rows].argmin()]
            with speaking("en"):
                operations.append(
                    f" {operator} ".join(lexicon.describe(part[row]) for part in (tests.first, tests.second))
                )
    return tuple(operations)


@torch.no_grad()
def imagine(
    model: Mind,
    operators: nn.Module | None,
    lexicon: Lexicon,
    rooms: Rooms,
    text: str,
    count: int,
    seed: int,
    picture: Tensor | None = None,
) -> tuple[np.ndarray, str]:
    """``count`` RGB images imagined for a phrase or operation, and its label; ``picture``: an absent first operand."""
    operator, first, second = lexicon.parse_operation(text)
    device = next(model.vae.parameters()).device

    def named(concept: np.ndarray) -> Any:
        return model.encode(torch.from_numpy(rooms.vocabulary.khot(concept[None])).to(device))

    if operator is None:
        posterior, label = named(second), lexicon.describe(second)
    else:
        if first is not None:
            left = named(first)
        else:
            assert picture is not None
            left = sayable(perceive(model.vae, picture), model.encode, rooms.vocabulary)
        index = torch.tensor([OPERATORS.index(operator)], device=device)
        assert operators is not None  # without them only phrases are imagined
        posterior = operators(left, named(second), index)
        operand = lexicon.describe(first) if first is not None else str(Text("the image", "画像"))
        label = f"{operand} {operator} {lexicon.describe(second)}"
        if first is not None:
            label += f" = {lexicon.describe(expected(operator, first, second))}"
    repeated = type(posterior)(*(part.expand(count, -1) for part in posterior))
    codes = sample(repeated, torch_generator(seed, f"imagine {text}", device=device))
    return as_rgb(model.decode(codes)), label


@torch.no_grad()
def latents(vae: VAE, decode: Callable[[Tensor], Tensor], rooms: Rooms, seed: int) -> Figure:
    """Traversals of the latents that carry most, around one room."""
    _, images = rooms.draw(256, seed, "traversed rooms")
    means = perceive(vae, images).mean
    order = torch.argsort(means.var(0), descending=True)[:8]
    rows = []
    for latent in order:
        codes = means[:1].repeat(COLUMNS, 1)
        codes[:, latent] = torch.linspace(-2, 2, COLUMNS).to(codes)
        rows.append(as_rgb(decode(codes)))
    caption = Text(
        "What single latents of the visual module have come to mean without any label: each row moves one latent from "
        "−2 to 2 while the others stay.",
        "視覚モジュールの潜在変数がラベルなしで担うようになった意味。各行は一つの潜在変数だけを "
        "−2 から 2 まで動かした。",
    )
    labels = [f"z{int(latent) + 1}" for latent in order]
    return Figure(str(caption), image_grid(np.stack(rows), labels, scale=enlarged(rooms.size), smooth=True))


def seen(images: Tensor) -> Figure:
    """Rooms as the visual module gets them: what there is to see before anything is learned."""
    caption = Text(
        "Rooms that the visual module sees, without a word about what is in them.",
        "視覚モジュールが見る部屋。何があるかは一切教えられない。",
    )
    rows = as_rgb(as_input(images[: 3 * COLUMNS]))
    grid = rows.reshape(3, COLUMNS, *rows.shape[1:])
    return Figure(str(caption), image_grid(grid, scale=enlarged(grid.shape[2]), smooth=True))


def baselines(measures: dict[str, Measure]) -> Figure:
    """Accuracy against diversity of SCAN and what it is held against."""
    accuracy = Text("accuracy (higher is better)", "正確さ(高いほどよい)")
    diversity = Text("diversity: KL from flat, nats (lower is better)", "多様性:平坦分布からの KL (nat、低いほどよい)")
    kinds = {"": Text("taught", "教えた概念"), ".held_out": Text("held out", "未学習の概念")}
    rows = [
        {
            "model": str(name),
            "concepts": str(kind),
            "x": measures[f"{prefix}sym2img.diversity{suffix}"].value,
            "y": measures[f"{prefix}sym2img.accuracy{suffix}"].value,
        }
        for prefix, name in BASELINES.items()
        if f"{prefix}sym2img.accuracy" in measures
        for suffix, kind in kinds.items()
    ]
    order = [str(name) for name in BASELINES.values()]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=170)
        .encode(
            x=alt.X("x:Q", title=str(diversity), scale=alt.Scale(zero=True)),
            y=alt.Y("y:Q", title=str(accuracy), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "model:N",
                sort=order,
                title=str(Text("model", "モデル")),
                scale=alt.Scale(domain=order, range=[BLUE, VERMILION, ORANGE, GREEN, PURPLE]),
            ),
            shape=alt.Shape(
                "concepts:N",
                title=str(Text("concepts", "概念")),
                scale=alt.Scale(domain=[str(k) for k in kinds.values()], range=["circle", "diamond"]),
            ),
        )
        .properties(width=420, height=320)
    )
    caption = Text(
        "Images imagined from symbols, judged by a classifier. Above: what was named is there. Left: what was not "
        "named varies.",
        "記号から想像した画像を分類器で判定した。上ほど名指したものが正しく、左ほど名指していないものが多様である。",
    )
    return Figure(str(caption), chart)


def examples(measures: dict[str, Measure]) -> Figure:
    """Accuracy against the number of image-symbol pairs per concept."""
    kinds = {"": Text("taught", "教えた概念"), ".held_out": Text("held out", "未学習の概念")}
    rows = [
        {"pairs": int(name[5:].split(".")[0]), "accuracy": measure.value, "concepts": str(kind)}
        for suffix, kind in kinds.items()
        for name, measure in measures.items()
        if name.startswith("pairs") and name.endswith(f"sym2img.accuracy{suffix}")
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "pairs:Q",
            title=str(Text("images per concept", "概念ごとの画像の枚数")),
            scale=alt.Scale(type="log", base=2),
        ),
        y=alt.Y("accuracy:Q", title=str(Text("accuracy", "正確さ")), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("concepts:N", title=str(Text("concepts", "概念")), scale=alt.Scale(range=[BLUE, SKY])),
    )
    caption = Text(
        "How few examples suffice: accuracy of what is imagined against the number of images shown with each symbol.",
        "どれほど少ない例で足りるか:記号ごとに見せた画像の枚数と、想像した画像の正確さ。",
    )
    return Figure(
        str(caption), (base.mark_line() + base.mark_point(filled=True, size=90)).properties(width=420, height=280)
    )


def enlarged(size: int) -> int:
    """How many times as large a small image is drawn."""
    return max(1, 128 // size)
