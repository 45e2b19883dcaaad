"""Putting the trained Transformers to use: a string backwards, a sentence translated, and where they looked."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phantastic.ground.errors import Refused, nearest
from phantastic.run.folder import Run
from phantastic.show.figure import write
from phantastic.systems.transformer import figures, measure, task
from phantastic.systems.transformer.learners import LEARNERS, drawn, trained
from phantastic.systems.transformer.measure import Follower
from phantastic.systems.transformer.model import Transformer
from phantastic.systems.transformer.study import TransformerApply, TransformerRecipe
from phantastic.systems.transformer.task import BEGIN, END, FIRST, LETTERS, PAD, Pairs


class Look(NamedTuple):
    """An input, its output, and where each word of the output was looked for in the input."""

    source: list[str]
    target: list[str]
    weights: Float[Tensor, "layers heads m n"]
    aligned: Int[Tensor, " m"] | None
    follower: Follower


def vocabularies(recipe: TransformerRecipe, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of input and output."""
    letters = tuple(LETTERS[: recipe.letters])
    return (letters, letters) if LEARNERS[name].strings else task.vocabularies()


def look(recipe: TransformerRecipe, name: str, model: Transformer, pairs: Pairs, row: int, follower: Follower) -> Look:
    """One of the pairs, read while its output is being written."""
    source, target = vocabularies(recipe, name)
    pair = Pairs(*(tensor[row : row + 1] for tensor in pairs))
    source_words = measure.words_of(pair.source[0].tolist(), source, FIRST)
    target_words = measure.words_of(pair.target[0].tolist(), target, FIRST)
    weights = measure.read(model, pair)[:, 0, :, : len(target_words), : len(source_words)]
    return Look(source_words, target_words, weights.cpu(), pair.aligned[0, : len(target_words)].cpu(), follower)


def looked_at(recipe: TransformerRecipe, name: str, model: Transformer, pairs: Pairs) -> Look:
    """The pair whose words stand most out of order, read by the head that follows best."""
    places = torch.arange(pairs.aligned.shape[1], device=pairs.aligned.device)
    disorder = ((pairs.aligned - places).abs() * (pairs.aligned >= 0)).sum(1)
    return look(recipe, name, model, pairs, int(disorder.argmax()), measure.best_follower(model, pairs))


def apply(run: Run[TransformerRecipe], request: TransformerApply) -> list[str]:
    """``reverse``: a string; ``translate``: an English sentence; ``to``: the file for the attention picture."""
    given = request.given("reverse", "translate")
    if len(given) != 1:
        raise Refused('apply transformer: give --reverse "abc" or --translate "the cow sleeps ."')
    ((verb, text),) = given.items()
    path = run.destination(request.to, f"{verb}.png")
    recipe, name = run.recipe, "reversal" if verb == "reverse" else "translation"
    words = spelled(recipe, text) if verb == "reverse" else parsed(recipe, text)
    model = trained(run, name)
    source = torch.tensor([words], device=run.device)
    output = [word for word in model.greedy(source, model.length - 2)[0].tolist() if word != PAD]
    target = torch.tensor([[BEGIN, *output, END]], device=run.device)
    pairs = Pairs(source, target, torch.full_like(target[:, 1:], -1))
    follower = measure.best_follower(model, drawn(recipe, LEARNERS[name], 50, recipe.seed, "apply").to(run.device))
    seen = look(recipe, name, model, pairs, 0, follower)._replace(aligned=None)
    between = "" if verb == "reverse" else " "
    lines = [f"{between.join(seen.source)} → {between.join(seen.target)}"]
    if seen.target:
        written = write(figures.alone(seen), path.with_suffix(""))
        lines += [str(file) for file in written if file.suffix == ".png"]
    return lines


def spelled(recipe: TransformerRecipe, text: str) -> list[int]:
    """A string as ids; raises `Refused` for other letters, an empty string or one too long."""
    letters, longest = LETTERS[: recipe.letters], recipe.length
    for place, letter in enumerate(text, start=1):
        if letter not in letters:
            raise Refused(
                f"--reverse: letter {place}, {letter!r}, was not learned; allowed: {letters[0]} to {letters[-1]}"
            )
    if not 1 <= len(text) <= longest:
        raise Refused(f"--reverse: {len(text)} letters; allowed: 1 to {longest}, as in training")
    return [FIRST + letters.index(letter) for letter in text]


def parsed(recipe: TransformerRecipe, text: str) -> list[int]:
    """A sentence as ids, a full stop added where it lacks one; raises `Refused` for other words or too many."""
    vocabulary, _ = task.vocabularies()
    words = text.lower().replace(".", " . ").split()
    words += [] if words[-1:] == ["."] else ["."]
    for place, word in enumerate(words, start=1):
        if word not in vocabulary:
            raise Refused(
                f"--translate: word {place}, '{word}', is not in the grammar's English{nearest(word, vocabulary)}"
            )
    if not 2 <= len(words) <= recipe.words:
        raise Refused(
            f"--translate: {len(words)} words with the full stop; allowed: 2 to {recipe.words}, as in training"
        )
    return [FIRST + vocabulary.index(word) for word in words]
