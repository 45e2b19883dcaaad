"""Putting a trained BERT to use on a person's own sentences."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from safetensors.numpy import save

from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import language
from phantastic.run.folder import Run
from phantastic.show.figure import Figure, write
from phantastic.systems.bert import figures
from phantastic.systems.bert.reading import (
    BLANK,
    best_words,
    likely_words,
    sentences_of,
    surprisals,
    target,
    texts_of,
    vectors,
)
from phantastic.systems.bert.study import BertRecipe

LISTED = 5  # words of a prediction
ASKED = ("fill", "attend", "surprisal", "embed")


def apply(run: Run[BertRecipe], network: Callable[[], Model], request: Mapping[str, str]) -> list[str]:
    """``fill``: the likeliest words at [MASK]; ``attend``: a picture of all heads; ``surprisal`` and ``embed``: tables
    of all words of a file. One at a time."""
    given = [name for name in ASKED if name in request]
    if len(given) != 1:
        raise Refused(f"apply bert takes one of {', '.join(f'--{name}' for name in ASKED)} at a time")
    recipe = run.recipe
    tongue, longest = language(recipe.language, recipe.vocabulary), recipe.longest
    value, to = request[given[0]], request.get("to")
    name = f"--{given[0]}"
    if given[0] == "fill":
        text = sentences_of(tongue, value, name, longest=longest)
        if BLANK not in value.upper():
            raise Refused(f"--fill {value!r}: there is no {BLANK} to fill; put it in place of a word")
        model = network()
        return filled(likely_words(model, tongue, text), best_words(tongue, text))
    if given[0] == "attend":
        text = sentences_of(tongue, value, name, longest=longest)
        path = target(to, partial(run.artefact, "attention.png"), ".png")
        model = network()
        picture = figures.head_panels(*figures.attended(model, tongue, text))
        figure = Figure(figures.attention_caption(value), picture)
        return [str(file) for file in write(figure, path.with_suffix(""))]
    texts = texts_of(tongue, value, longest=longest)
    if given[0] == "surprisal":
        path = target(to, partial(run.artefact, "surprisal.csv"), ".csv")
        model = network()
        return surprised(model, tongue, texts, path)
    path = target(to, partial(run.artefact, "embeddings.safetensors"), ".safetensors")
    model = network()
    found = {f"{number}": vectors(model, tongue, text).numpy() for number, (_, text) in enumerate(texts)}
    files.write(path, save(found, {"sentences": "\n".join(line for line, _ in texts)}))
    layers, _, width = found["0"].shape
    count = sum(each.shape[1] for each in found.values())
    said = Text(
        f"{len(texts)} sentences, {count} words, {layers} layers (0: the embeddings) of {width} numbers each: {path}",
        f"{len(texts)} 文、{count} 語、{layers} 層(0 は埋め込み)、各 {width} 次元: {path}",
    )
    return [str(said)]


def filled(likely: list[dict[str, float]], best: list[dict[str, float]]) -> list[str]:
    """A line for each likely word: the model's probability and the exact one."""
    lines = []
    for number, (found, known) in enumerate(zip(likely, best, strict=True), 1):
        lines.append(str(Text(f"[MASK] {number}: word, BERT, exact", f"[MASK] {number}: 語、BERT、正確な確率")))
        for word in list(found)[:LISTED]:
            exact = f"{known.get(word, 0.0):.3f}" if known else "–"
            lines.append(f"  {found[word]:.3f}  {exact}  {word}")
    if not all(best):
        lines.append(str(Text("The grammar cannot make this text.", "この文は文法からは生成されない。")))
    return lines


def surprised(model: Any, tongue: Any, texts: list, path: Any) -> list[str]:
    """Write a row for each word; a line on the screen for each sentence, with its pseudo-log-likelihood."""
    rows: list[list[object]] = [["sentence", "position", "word", "surprisal", "exact"]]
    lines = []
    for number, (line, text) in enumerate(texts, 1):
        found = surprisals(model, tongue, text)
        exact = found.best if found.best is not None else np.full(len(found.nats), np.nan)
        for place, (word, nats, floor) in enumerate(zip(found.words, found.nats, exact, strict=True), 1):
            rows.append([number, place, word, f"{nats:.4f}", "" if np.isnan(floor) else f"{floor:.4f}"])
        note = "" if found.best is not None else str(Text(" (not of the grammar)", "(文法外)"))
        lines.append(f"{-found.nats.sum():9.3f}  {line}{note}")
    files.write_csv(path, rows)
    head = str(Text("pseudo-log-likelihood, nats", "擬似対数尤度(ナット)"))
    return [head, *lines, str(path)]
