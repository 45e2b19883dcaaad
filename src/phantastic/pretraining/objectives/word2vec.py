"""Static word vectors: skip-gram with negative sampling (Mikolov et al. 2013), and the matrix that it factorises, the
pointwise mutual information less log k (Levy & Goldberg 2014).

One vector per word, whatever stands around it: the baseline of contextual vectors.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import torch_generator

SMOOTHING = 0.75  # of the distribution from which negatives are drawn (Mikolov et al. 2013)


def counted(
    sentences: Int[np.ndarray, "sentences longest"], vocabulary: int, window: int = 5
) -> Float[np.ndarray, "words contexts"]:
    """How often each word has each other one at most ``window`` words away, in the same sentence; -1 is padding."""
    if window < 1:
        raise Refused(f"a window of {window} words holds no context; allowed: at least 1")
    counts = np.zeros((vocabulary, vocabulary))
    for offset in range(1, min(window, sentences.shape[1] - 1) + 1):
        left, right = sentences[:, :-offset].ravel(), sentences[:, offset:].ravel()
        present = (left >= 0) & (right >= 0)
        np.add.at(counts, (left[present], right[present]), 1)
    return counts + counts.T


def mutual_information(
    counts: Float[np.ndarray, "words contexts"], smoothing: float = 1.0
) -> Float[np.ndarray, "words contexts"]:
    """PMI(w, c) = log P(w, c) / (P(w) P(c)) in nats; -inf where the two never meet. P(c) is raised to ``smoothing``."""
    contexts = counts.sum(0) ** smoothing
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(counts) - np.log(counts.sum(1, keepdims=True)) - np.log(contexts / contexts.sum())
    return np.where(counts > 0, pmi, -np.inf)


def factorised(
    counts: Float[np.ndarray, "words contexts"], width: int, negatives: float = 1.0
) -> Float[np.ndarray, "words width"]:
    """Vectors U √Σ of the best approximation of max(PMI - log k, 0) of rank ``width`` (Levy & Goldberg 2014, 4)."""
    if not 1 <= width <= len(counts):
        raise Refused(
            f"vectors of {width} numbers are not possible for {len(counts)} words; allowed: 1 to {len(counts)}"
        )
    positive = np.maximum(mutual_information(counts) - np.log(negatives), 0)
    left, sizes, _ = np.linalg.svd(positive)
    return left[:, :width] * np.sqrt(sizes[:width])


class SkipGram(nn.Module):
    """A vector for each word as centre (``words``, the result) and one as context (``contexts``, which begin at 0)."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.words, self.contexts = nn.Embedding(vocabulary, width), nn.Embedding(vocabulary, width)
        nn.init.uniform_(self.words.weight, -0.5 / width, 0.5 / width)
        nn.init.zeros_(self.contexts.weight)


class Drawn(NamedTuple):
    """Words, a context of each, and k contexts at random."""

    word: Int[Tensor, " batch"]
    context: Int[Tensor, " batch"]
    negative: Int[Tensor, "batch k"]


def drawn(counts: Float[np.ndarray, "words contexts"], seed: int, step: int, batch: int, negatives: int = 5) -> Drawn:
    """Pairs as often as they were counted; negatives by the contexts' frequency, to the power of 3/4."""
    generator = torch_generator(seed, "skip-gram", step)
    weights = torch.from_numpy(counts)
    pair = torch.multinomial(weights.flatten(), batch, True, generator=generator)
    frequency = weights.sum(0) ** SMOOTHING
    negative = torch.multinomial(frequency, batch * negatives, True, generator=generator).view(batch, negatives)
    return Drawn(pair // len(counts), pair % len(counts), negative)


def skip_gram(model: SkipGram, batch: Drawn) -> dict[str, Tensor]:
    """``loss``: mean of -log σ(w·c) - Σ log σ(-w·c') in nats per pair, c' the k negatives (Mikolov et al., Eq. 4)."""
    word = model.words(batch.word)
    near = (word * model.contexts(batch.context)).sum(-1)
    far = (word[:, None] * model.contexts(batch.negative)).sum(-1)
    return {"loss": -(logsigmoid(near) + logsigmoid(-far).sum(-1)).mean()}


def expected(
    model: SkipGram, counts: Float[Tensor, "words contexts"], negatives: float, smoothing: float = SMOOTHING
) -> Float[Tensor, ""]:
    """The expectation of `skip_gram` over its draws. At its minimum w·c = PMI(w, c) - log k, the context's
    probability smoothed."""
    pairs = counts / counts.sum()
    frequency = counts.sum(0) ** smoothing
    scores = model.words.weight @ model.contexts.weight.T
    unrelated = pairs.sum(1, keepdim=True) * (frequency / frequency.sum())
    return -(pairs * logsigmoid(scores) + negatives * unrelated * logsigmoid(-scores)).sum()
