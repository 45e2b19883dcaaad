"""What a probe is to be held against: it should find trees in a network because they are there, not because it can.

- `chain`: the words in a row, each attached to its neighbour; no vectors, nothing is fitted.
- `random_vectors`: of their own for every word of every sentence: what a probe finds in nothing.
- `decayed`, `projected`: vectors that know the neighbourhood of a word but not the language, made of static ones
  (Hewitt & Manning 2019, section 3.2: Decay0 and Proj0).
- `control_trees`: a task that can only be solved by remembering words (Hewitt & Liang 2019), and `star`, what is right
  of it without any. *Selectivity* is the score on true trees less the score on these.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from numpy import ndarray
from torch import Tensor, nn

from phantastic.ground.randomness import derive, initialised, torch_generator


def chain(words: int) -> Int64[ndarray, "{words} {words}"]:
    """The distance between words i and j is |i − j|."""
    places = np.arange(words)
    return np.abs(places[:, None] - places)


def random_vectors(lengths: Sequence[int], hidden: int, seed: int) -> list[Float32[Tensor, "words {hidden}"]]:
    """Standard normal ones, for sentences of these lengths."""
    generator = torch_generator(seed, "probe/random vectors")
    return [torch.randn(length, hidden, generator=generator) for length in lengths]


def static_vectors(
    sentences: Sequence[Sequence[str]], hidden: int, seed: int
) -> list[Float32[Tensor, "words {hidden}"]]:
    """Standard normal ones, the same wherever the same word stands."""
    vectors: dict[str, Tensor] = {}
    for words in sentences:
        for word in words:
            if word not in vectors:
                vectors[word] = torch.randn(hidden, generator=torch_generator(seed, f"probe/static/{word}"))
    return [torch.stack([vectors[word] for word in words]) for words in sentences]


def decayed(vectors: Float[Tensor, "words hidden"]) -> Float32[Tensor, "words hidden"]:
    """The mean of all words of the sentence, one at distance d counting 2⁻ᵈ."""
    weights = torch.exp2(-torch.from_numpy(chain(len(vectors))).to(vectors.device).float())
    return weights / weights.sum(1, keepdim=True) @ vectors.float()


class Projected(nn.Module):
    """An untrained bidirectional LSTM, half of the hidden units in each direction; initialised as PyTorch does."""

    def __init__(self, hidden: int, seed: int):
        super().__init__()
        with initialised(seed, "probe/projected"):
            self.lstm = nn.LSTM(hidden, hidden // 2, batch_first=True, bidirectional=True)

    @torch.no_grad()
    def forward(self, vectors: Float[Tensor, "words hidden"]) -> Float32[Tensor, "words hidden"]:
        return self.lstm(vectors.float()[None])[0][0]


def control_trees(
    sentences: Sequence[Sequence[str]], punctuation: Sequence[Bool[ndarray, " words"]], seed: int
) -> list[Int64[ndarray, " words"]]:
    """Heads that say nothing of the sentence: every word hangs on the first or on the last one that is no punctuation,
    by a coin that is thrown once for each word of the language; the first is the root, and the last hangs on it.
    (Punctuation hangs on the first: no score counts it. Were the last word a full stop, all that counts would be a star
    whatever the coins.)

    So do two of the three behaviours of Hewitt & Liang's control task for dependency edges; the third, a word that is
    its own head, has no place in a tree.
    """
    coins: Mapping[str, bool] = {word: bool(derive(seed, f"probe/control/{word}") & 1) for s in sentences for word in s}
    trees = []
    for words, marks in zip(sentences, punctuation, strict=True):
        first, last = ends(marks)
        heads = np.array([last if coins[word] else first for word in words]) + 1
        heads[marks], heads[last], heads[first] = first + 1, first + 1, 0
        trees.append(heads)
    return trees


def ends(marks: Bool[ndarray, " words"]) -> tuple[int, int]:
    """The places of the first and the last word that is no punctuation; of a sentence of nothing else, of any."""
    places = np.flatnonzero(~marks) if not marks.all() else np.arange(len(marks))
    return int(places[0]), int(places[-1])


def star(marks: Bool[ndarray, " words"], on_last: bool) -> Int64[ndarray, "words words"]:
    """Distances where all words hang on the first or on the last: what can be said of control trees without looking at
    any word. Nothing is fitted."""
    centre = ends(marks)[on_last]
    distances = np.full((len(marks), len(marks)), 2)
    distances[centre], distances[:, centre] = 1, 1
    np.fill_diagonal(distances, 0)
    return distances
