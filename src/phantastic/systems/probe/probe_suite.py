"""Probes on the layers of a network, and on what they are to be held against; all on the same sentences."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.probe import controls
from phantastic.systems.probe.measure import Measures, evaluate, measure_depths, measure_distances
from phantastic.systems.probe.objective import Heads, Kind
from phantastic.systems.probe.regimen import fit
from phantastic.systems.probe.treebank import Sentences
from phantastic.systems.probe.wordpieces import Encoder

DRAWS, CHUNK = 200, 256
Splits = Sequence[Sequence[Float[Tensor, "words hidden"]]]
"""Vectors of the training, development and test sentences."""


class Score(NamedTuple):
    """What a probe found in the test sentences.

    ``share`` is UUAS, of depths root accuracy; ``dev`` is that of the development sentences, by which layers are
    chosen; ``draws`` are its values on resampled test sentences.
    """

    dev: float
    share: float
    spearman: float
    draws: list[float]


class Battery:
    """Probes of one seed, fitted to training sentences while development sentences say when to stop."""

    def __init__(self, sentences: tuple[Sentences, Sentences, Sentences], rank: int, epochs: int, seed: int):
        self.sentences, self.rank, self.epochs, self.seed = sentences, rank, epochs, seed
        self.heads = [split.heads for split in sentences]

    def fit(
        self, vectors: Splits, kind: Kind, rank: int = 0, heads: Sequence[Heads] = ()
    ) -> Float[Tensor, "hidden rank"]:
        """A projection; of full rank where neither ``rank`` nor the battery says otherwise, and to the sentences' own
        trees unless there are other ``heads``."""
        (train, dev, _), hidden = heads or self.heads, vectors[0][0].shape[1]
        rank = min(rank or self.rank or hidden, hidden)
        return fit(vectors[0], train, kind=kind, rank=rank, dev=(vectors[1], dev), seed=self.seed, epochs=self.epochs)

    def score(self, projection: Tensor, vectors: Splits, kind: Kind, heads: Sequence[Heads] = ()) -> Score:
        """How well it does on the development and the test sentences."""
        return self.scored(
            *(
                evaluate(projection, words, trees, kind=kind, punctuation=split.punctuation)
                for words, trees, split in zip(vectors[1:], (heads or self.heads)[1:], self.sentences[1:], strict=True)
            )
        )

    def probed(self, vectors: Splits, kind: Kind = "distance", rank: int = 0, heads: Sequence[Heads] = ()) -> Score:
        """Fit and score."""
        return self.score(self.fit(vectors, kind, rank, heads), vectors, kind, heads)

    def chained(self, kind: Kind = "distance") -> Score:
        """The words in a row: each attached to the one before it, the first one the root. Nothing is fitted."""
        measures = []
        for split in self.sentences[1:]:
            lengths = [len(words) for words in split.forms]
            if kind == "distance":
                rows = [controls.chain(length) for length in lengths]
                measures.append(measure_distances(rows, split.heads, split.punctuation))
            else:
                rows = [np.arange(length) for length in lengths]
                measures.append(measure_depths(rows, split.heads, split.punctuation))
        return self.scored(*measures)

    def starred(self, heads: Sequence[Heads]) -> Score:
        """All words on the first or all on the last one, whichever is nearer to these trees in the dev sentences."""
        scores = []
        for on_last in (False, True):
            measures = []
            for split, trees in zip(self.sentences[1:], heads[1:], strict=True):
                rows = [controls.star(marks, on_last) for marks in split.punctuation]
                measures.append(measure_distances(rows, trees, split.punctuation))
            scores.append(self.scored(*measures))
        return max(scores, key=lambda score: score.dev)

    def scored(self, dev: Measures, test: Measures) -> Score:
        hits, count = test.each[self.resampled].sum(1).T
        draws = (hits / np.maximum(count, 1)).tolist()
        return Score(dev.share, test.share, test.spearman, draws)

    @cached_property
    def resampled(self) -> Int64[ndarray, "draws sentences"]:
        """The same test sentences for every probe, so that their scores can be compared draw by draw."""
        count = len(self.sentences[2])
        return numpy_generator(self.seed, "probe/bootstrap").integers(count, size=(DRAWS, count))


def by_layer(encoder: Encoder, sentences: Sequence[Sentences], layers: Sequence[int]) -> dict[int, Splits]:
    """Vectors of all words at these layers."""
    collected: dict[int, list[list[Tensor]]] = {layer: [[] for _ in sentences] for layer in layers}
    for split, part in enumerate(sentences):
        for begin in range(0, len(part), CHUNK):
            for vectors in encoder(part.forms[begin : begin + CHUNK]):
                for layer in layers:
                    collected[layer][split].append(vectors[layer].clone())
    return dict(collected)


def mapped(vectors: Splits, change: Callable[[Tensor], Tensor]) -> Splits:
    """The vectors of every sentence, changed."""
    return [[change(words) for words in split] for split in vectors]


def random_vectors(sentences: Sequence[Sentences], hidden: int, seed: int) -> Splits:
    """Vectors of their own for every word of every sentence."""
    lengths = [[len(words) for words in split.forms] for split in sentences]
    flat = controls.random_vectors([length for split in lengths for length in split], hidden, seed)
    return [flat[begin:end] for begin, end in pairwise(np.cumsum([0, *map(len, lengths)]))]


def control_heads(sentences: Sequence[Sentences], seed: int) -> list[Heads]:
    """Control trees of all sentences; a word's coin is the same everywhere."""
    return [controls.control_trees(split.forms, split.punctuation, seed) for split in sentences]
