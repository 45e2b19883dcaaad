"""What a probe is to be held against: it should find trees in a network because they are there, not because it can.

- `chain`: the words in a row, each attached to its neighbour; no vectors, nothing is fitted.
- `random_vectors`: of their own for every word of every sentence: what a probe finds in nothing.
- `decayed`, `projected`: vectors that know the neighbourhood of a word but not the language, made of static ones
  (Hewitt & Manning 2019, section 3.2: Decay0 and Proj0).
- `control_trees`: a task that can only be solved by remembering words (Hewitt & Liang 2019). *Selectivity* is the score
  on true trees less the score on these.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
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


def control_trees(sentences: Sequence[Sequence[str]], seed: int) -> list[Int64[ndarray, " words"]]:
    """Heads that say nothing of the sentence: every word hangs on the first or on the last, by a coin that is thrown
    once for each word of the language; the first is the root, and the last hangs on it.

    So do two of the three behaviours of Hewitt & Liang's control task for dependency edges; the third, a word that is
    its own head, has no place in a tree.
    """
    coins: Mapping[str, bool] = {word: bool(derive(seed, f"probe/control/{word}") & 1) for s in sentences for word in s}
    trees = []
    for words in sentences:
        heads = np.array([len(words) if coins[word] else 1 for word in words], dtype=np.int64)
        heads[-1], heads[0] = 1, 0
        trees.append(heads)
    return trees
