"""Texts for a network that is to be asked of invented words: it meets every word in pieces, and half of its documents
are themselves Jabberwocky, of other inventions than those it is asked of.

A network that only met whole words has, for the pieces of an invented one, vectors that were never trained.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from phantastic.pretraining.batches import Language
from phantastic.pretraining.corpus import Text
from phantastic.pretraining.wordpiece import WordPiece, learn
from phantastic.world import sentences
from phantastic.world.sentences import Grammar

ASKED = 1  # the invention that is asked of
READ = (2, 3, 4, 5)  # those that are read


class InPieces(NamedTuple):
    """One language of the grammar and of some inventions of it, with one vocabulary."""

    grammars: tuple[Grammar, ...]
    name: str
    wordpiece: WordPiece

    @property
    def words(self) -> tuple[str, ...]:
        return words_of(self.grammars, self.name)

    @property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        return np.unique(self.wordpiece.pieces(self.words).ids)

    def text(self, seed: int, purpose: str, first: int, count: int) -> Text:
        """Half of the documents of real words, the rest of one invention after another."""
        real = count - count // 2
        parts, shares = [], (real, *np.bincount(np.arange(count // 2) % len(READ), minlength=len(READ)).tolist())
        for number, (grammar, share) in enumerate(zip(self.grammars, shares, strict=True)):
            spoken = Language(grammar, self.name, self.wordpiece)
            parts.append(spoken.text(seed, f"{purpose}: {number}", first, share))
        return joined(parts)


def in_pieces(name: str, size: int) -> InPieces:
    """English or Japanese, of at most ``size`` pieces."""
    grammars = (sentences.grammar(), *(sentences.grammar(nonce=number) for number in READ))
    return InPieces(grammars, name, learn(words_of(grammars, name), size))


def words_of(grammars: Sequence[Grammar], name: str) -> tuple[str, ...]:
    return tuple(sorted({word for grammar in grammars for word in grammar.sides[name].vocabulary}))


def joined(parts: list[Text]) -> Text:
    """Texts one behind the other."""
    tokens, starts, segments = np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    for part in parts:
        starts = np.append(starts, part.starts[1:] + len(tokens))
        segments = np.append(segments, part.segments[1:] + segments[-1])
        tokens = np.append(tokens, part.tokens)
    return Text(tokens, starts, segments)
