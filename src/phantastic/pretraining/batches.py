"""Batches of pre-training examples from the endless corpus of the grammar, with hardly any padding.

A pool of documents becomes examples; those of like length share a batch, and batches come in random order. Step s draws
from (seed, purpose, s) alone.
"""

from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from phantastic.ground.randomness import numpy_generator
from phantastic.pretraining.corpus import Masked, Masking, Pairs, Text, Written, masked, pairs, windows, written
from phantastic.pretraining.wordpiece import PAD, WordPiece, learn
from phantastic.world import sentences as world
from phantastic.world.sentences import cohesion

POOL = 1024  # documents from which batches are made


class Batch(NamedTuple):
    """Keyword arguments of BERT for pre-training; ``next_sentence_label`` is 0 where B follows A, else 1."""

    input_ids: Int[Tensor, "batch n"]
    attention_mask: Int[Tensor, "batch n"]
    token_type_ids: Int[Tensor, "batch n"]
    prediction_positions: Int[Tensor, "batch k"]
    labels: Int[Tensor, "batch k"]
    next_sentence_label: Int[Tensor, " batch"]


class Source(Protocol):
    """Where texts come from: a `Language`, `Cohesive` texts, or a corpus of one's own."""

    @property
    def wordpiece(self) -> WordPiece: ...

    @property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        """Those of the vocabulary that occur in texts."""
        ...

    def text(self, seed: int, purpose: str, first: int, count: int) -> Text: ...


class Language(NamedTuple):
    """One of the two languages of the grammar, and its vocabulary of pieces."""

    grammar: world.Grammar
    name: str
    wordpiece: WordPiece

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the world, in the order of their places there."""
        return self.grammar.sides[self.name].vocabulary

    @property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        return np.unique(self.wordpiece.pieces(self.words).ids)

    def text(self, seed: int, purpose: str, first: int, count: int) -> Text:
        """Documents of the corpus in pieces."""
        documents = world.documents(self.grammar, seed, purpose, first, count)
        sentences = getattr(documents, self.name)
        tokens, starts = in_pieces(self.wordpiece, self.words, sentences.words, sentences.starts)
        return Text(tokens, starts, np.arange(0, 2 * count + 1, 2))


class Cohesive(NamedTuple):
    """Cohesive English texts; examples are cut from them by `windows`. Only the questions' words they do not have."""

    grammar: world.Grammar
    wordpiece: WordPiece

    @property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        return np.unique(self.wordpiece.pieces(cohesion.vocabulary(self.grammar)).ids)

    def text(self, seed: int, purpose: str, first: int, count: int) -> Text:
        """Texts of the corpus in pieces, with their topics."""
        found = cohesion.texts(self.grammar, seed, purpose, first, count)
        tokens, starts = in_pieces(self.wordpiece, found.vocabulary, found.words, found.starts)
        return Text(tokens, starts, cohesion.SENTENCES * np.arange(count + 1), found.topics)


def in_pieces(
    wordpiece: WordPiece, vocabulary: tuple[str, ...], words: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Words, as places in ``vocabulary``, cut into pieces, and where the sentences' ``bounds`` lie then."""
    pieces = wordpiece.pieces(vocabulary)
    size = np.diff(pieces.starts)[words]
    ends = np.cumsum(size)
    inside = np.arange(len(words) and ends[-1]) - np.repeat(ends - size, size)
    return pieces.ids[np.repeat(pieces.starts[words], size) + inside], np.append(0, ends)[bounds]


def language(name: str, size: int = 8_192) -> Language:
    """English or Japanese, with WordPiece learned from all of its words."""
    grammar = world.grammar()
    return Language(grammar, name, learned(name, size))


@lru_cache(maxsize=4)
def learned(name: str, size: int) -> WordPiece:
    return learn(world.grammar().sides[name].vocabulary, size)


class Examples:
    """Batches of about ``batch`` examples by step."""

    def __init__(
        self,
        source: Source,
        seed: int,
        batch: int,
        *,
        masking: Masking,
        longest: int = 128,
        short: float = 0.1,
        random_next: float = 0.5,
        purpose: str = "corpus",
        device: torch.device | str = "cpu",
    ):
        self.source, self.seed, self.purpose, self.device = source, seed, purpose, device
        self.masking, self.longest, self.short, self.random_next = masking, longest, short, random_next
        # of a document of two sentences, on average half are seen again after a random second segment
        self.batches = max(1, round(POOL * (1 + random_next) / batch))
        self.number, self.pool = -1, []

    @cached_property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        """Of the source, asked once: telling takes as long as a batch."""
        return self.source.occurring

    def __call__(self, step: int) -> Batch:
        rows, follows = self.rows(step)
        generator = numpy_generator(self.seed, f"{self.purpose}: masks", step)
        masked_rows = masked(rows.tokens, self.masking, self.occurring, generator)
        return tensors((rows, follows), masked_rows, self.device)

    def rows(self, step: int) -> tuple[Written, np.ndarray]:
        """The examples of a step before they are masked, and which of them follow."""
        number, place = divmod(step, self.batches)
        if number != self.number:
            self.number, self.pool = number, self.gathered(number)
        return self.pool[place]

    def gathered(self, number: int) -> list[tuple[Written, np.ndarray]]:
        text = self.source.text(self.seed, self.purpose, number * POOL, POOL)
        generator = numpy_generator(self.seed, f"{self.purpose}: examples", number)
        if text.topics is None:
            examples = pairs(text, generator, longest=self.longest, short=self.short, random_next=self.random_next)
        else:
            examples = windows(text, generator, longest=self.longest, random_next=self.random_next)
        by_length = np.argsort(examples.lengths, kind="stable")
        parts = np.array_split(by_length, self.batches)
        batches = []
        for part in (parts[place] for place in generator.permutation(len(parts))):
            batch = Pairs(examples.first[part], examples.second[part], examples.follows[part])
            batches.append((written(text, batch), batch.follows))
        return batches


def tensors(rows: tuple[Written, np.ndarray], masked: Masked, device: torch.device | str) -> Batch:
    examples, follows = rows
    columns = (
        masked.inputs,
        examples.tokens != PAD,
        examples.segments,
        masked.positions,
        masked.labels,
        ~follows,
    )
    return Batch(*(torch.from_numpy(np.ascontiguousarray(column).astype(np.int64)).to(device) for column in columns))
