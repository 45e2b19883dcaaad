"""Putting a trained BERT to use on a person's own sentences."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language, language
from phantastic.run.folder import Run
from phantastic.show.figure import Figure, write
from phantastic.systems.bert import figures
from phantastic.systems.bert.reading import (
    BLANK,
    Sentences,
    best_words,
    likely_words,
    sentences_of,
    surprisals,
    texts_of,
    vectors,
)
from phantastic.systems.bert.study import BertApply, BertRecipe

LISTED = 5  # words of a prediction
ASKED = ("fill", "attend", "surprisal", "embed")


def apply(run: Run[BertRecipe], network: Callable[[], Model], request: BertApply) -> list[str]:
    """``fill``: the likeliest words at [MASK]; ``attend``: a picture of all heads; ``surprisal`` and ``embed``: tables
    of all words of a file. One at a time."""
    given = request.given(*ASKED)
    if len(given) != 1:
        raise Refused(f"apply bert takes one of {', '.join(f'--{name}' for name in ASKED)} at a time")
    [(verb, value)] = given.items()
    recipe = run.recipe
    grammar, longest = language(recipe.language, recipe.vocabulary), recipe.longest
    if verb == "fill":
        text = sentences_of(grammar, value, "--fill", longest=longest)
        if BLANK not in value.upper():
            raise Refused(f"--fill {value!r}: there is no {BLANK} to fill; put it in place of a word")
        model = network()
        return filled(likely_words(model, grammar, text), best_words(grammar, text))
    if verb == "attend":
        text = sentences_of(grammar, value, "--attend", longest=longest)
        path = run.destination(request.to, "attention.png")
        picture = figures.head_panels(*figures.attended(network(), grammar, text))
        figure = Figure(figures.attention_caption(value), picture)
        return [str(file) for file in write(figure, path.with_suffix(""))]
    texts = texts_of(grammar, value, longest=longest)
    if verb == "surprisal":
        path = run.destination(request.to, "surprisal.csv")
        return surprised(network(), grammar, texts, path)
    path = run.destination(request.to, "embeddings.safetensors")
    model = network()
    embeddings = {f"{number}": vectors(model, grammar, text).numpy() for number, (_, text) in enumerate(texts)}
    files.write(path, save(embeddings, {"sentences": "\n".join(line for line, _ in texts)}))
    layers, _, width = embeddings["0"].shape
    count = sum(each.shape[1] for each in embeddings.values())
    summary = Text(
        f"{len(texts)} sentences, {count} words, {layers} layers (0: the embeddings) of {width} numbers each: {path}",
        f"{len(texts)} 文、{count} 語、{layers} 層(0 は埋め込み)、各 {width} 次元: {path}",
    )
    return [str(summary)]


def filled(likely: list[dict[str, float]], best: list[dict[str, float]]) -> list[str]:
    """A line for each likely word: the model's probability and the exact one."""
    lines = []
    for number, (chances, known) in enumerate(zip(likely, best, strict=True), 1):
        lines.append(str(Text(f"[MASK] {number}: word, BERT, exact", f"[MASK] {number}: 語、BERT、正確な確率")))
        for word in list(chances)[:LISTED]:
            exact = f"{known.get(word, 0.0):.3f}" if known else "–"
            lines.append(f"  {chances[word]:.3f}  {exact}  {word}")
    if not all(best):
        lines.append(str(Text("The grammar cannot make this text.", "この文は文法からは生成されない。")))
    return lines


def surprised(model: Model, grammar: Language, texts: list[tuple[str, Sentences]], path: Path) -> list[str]:
    """Write a row for each word; a line on the screen for each sentence, with its pseudo-log-likelihood."""
    rows: list[list[object]] = [["sentence", "position", "word", "surprisal", "exact"]]
    lines = []
    for number, (line, text) in enumerate(texts, 1):
        reading = surprisals(model, grammar, text)
        exact = reading.best if reading.best is not None else np.full(len(reading.nats), np.nan)
        for place, (word, nats, floor) in enumerate(zip(reading.words, reading.nats, exact, strict=True), 1):
            rows.append([number, place, word, f"{nats:.4f}", "" if np.isnan(floor) else f"{floor:.4f}"])
        note = "" if reading.best is not None else str(Text(" (not of the grammar)", "(文法外)"))
        lines.append(f"{-reading.nats.sum():9.3f}  {line}{note}")
    files.write_csv(path, rows)
    head = str(Text("pseudo-log-likelihood, nats", "擬似対数尤度(ナット)"))
    return [head, *lines, str(path)]
