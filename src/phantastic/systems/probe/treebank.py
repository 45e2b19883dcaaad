"""The sentences that a probe learns from and is tested on: a treebank's, or those of the generated grammar."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from phantastic.data import conllu
from phantastic.data.files import folder as existing_folder
from phantastic.data.files import names_in
from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import numpy_generator
from phantastic.world import sentences

SPLITS = ("train", "dev", "test")
SPARE = 20  # documents, of two sentences each, beyond twice those wanted, in place of sentences of another split
_NAME = re.compile(r"(.+)[-_.](train|dev|test)\.conllu")


@dataclass(frozen=True)
class Sentences:
    """Words, heads as in CoNLL-U, and which words are punctuation."""

    forms: list[list[str]]
    heads: list[Int64[ndarray, " words"]]
    punctuation: list[Bool[ndarray, " words"]]

    def __len__(self) -> int:
        return len(self.forms)

    def chosen(self, places: Sequence[int]) -> "Sentences":
        """Some of them, in the given order."""
        forms, heads, marks = self.forms, self.heads, self.punctuation
        return Sentences([forms[n] for n in places], [heads[n] for n in places], [marks[n] for n in places])

    def drawn(self, count: int, seed: int, purpose: str) -> "Sentences":
        """So many of them, or all where there are no more, in their order."""
        if count >= len(self):
            return self
        return self.chosen(np.sort(numpy_generator(seed, f"probe/{purpose}").permutation(len(self))[:count]).tolist())


def from_files(path: str | Path, counts: Sequence[int], seed: int) -> tuple[Sentences, Sentences, Sentences]:
    """Training, development and test sentences of a treebank in CoNLL-U, at most so many of each, drawn at random.

    ``path`` is a folder with ``NAME-train.conllu``, ``NAME-dev.conllu`` and ``NAME-test.conllu``, or one of these files
    where a folder has several treebanks. Without a test file, the development sentences are also what is tested on.
    Raises `Refused` naming what is missing, or the file and the line that break the format.
    """
    path = Path(path)
    folder = existing_folder(path.parent if path.suffix == ".conllu" else path, "a folder with a treebank (CoNLL-U)")
    treebanks: dict[str, dict[str, Path]] = {}
    for name in names_in(folder):
        if match := _NAME.fullmatch(name):
            treebanks.setdefault(match[1], {})[match[2]] = folder / name
    complete = {name: files for name, files in treebanks.items() if {"train", "dev"} <= set(files)}
    if path.suffix == ".conllu":
        match = _NAME.fullmatch(path.name)
        name = match[1] if match else path.name
        if name not in complete:
            raise Refused(f"{str(folder)!r} has no NAME-train.conllu and NAME-dev.conllu for {path.name!r}")
    elif len(complete) != 1:
        which = f"several treebanks ({', '.join(complete)}); name one by its file" if complete else "none"
        raise Refused(f"{str(folder)!r}: expected one treebank, NAME-train.conllu and NAME-dev.conllu; it has {which}")
    else:
        [name] = complete
    splits = [read(complete[name][split]) for split in SPLITS if split in complete[name]]
    drawn = [each.drawn(n, seed, split) for each, n, split in zip(splits, counts, SPLITS, strict=False)]
    return drawn[0], drawn[1], drawn[-1]


def read(path: str | Path) -> Sentences:
    """All sentences of a file; punctuation as `conllu.punctuation` has it."""
    parsed = conllu.read(path)
    return Sentences([each.forms for each in parsed], [each.heads for each in parsed], conllu.punctuation(parsed))


def from_grammar(
    language: str, counts: Sequence[int], seed: int, nonce: int | None = None
) -> tuple[Sentences, Sentences, Sentences]:
    """Training, development and test sentences of the grammar, written in one of its languages.

    Other documents than any network is trained on, and in no split a sentence of the ones before it. With ``nonce``
    their content words are invented: Jabberwocky, with the trees of the sentences without it.
    """
    if language not in sentences.LANGUAGES:
        raise Refused(f"unknown language '{language}'{nearest(language, sentences.LANGUAGES)}")
    known, grammar = sentences.grammar(), sentences.grammar(nonce=nonce)
    splits, met = [], set()
    for split, count in zip(SPLITS, counts, strict=True):
        plain, written = (
            getattr(sentences.documents(each, seed, f"probe/{split}", 0, count + SPARE), language)
            for each in (known, grammar)
        )
        new = [number for number in range(len(plain)) if tuple(plain.forms(number)) not in met][:count]
        met |= {tuple(plain.forms(number)) for number in new}
        spans = [written.span(number) for number in new]
        mark = grammar.tags.index("PUNCT")
        splits.append(
            Sentences(
                [written.forms(number) for number in new],
                [written.heads[span].astype(np.int64) for span in spans],
                [written.tags[span] == mark for span in spans],
            )
        )
    return splits[0], splits[1], splits[2]
