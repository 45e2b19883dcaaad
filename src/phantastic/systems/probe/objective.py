"""What a structural probe minimises, and its gradient (Hewitt & Manning 2019, sections 2.2 and 2.3).

With z = Bᵀh, the squared distance ‖zᵢ − zⱼ‖² is held against the edges between words i and j, the squared norm ‖zᵢ‖²
against the depth of word i: the absolute error, averaged over a sentence's n² pairs (n words), then over sentences.

The distances are taken from inner products, ‖zᵢ‖² + ‖zⱼ‖² − 2 zᵢ·zⱼ, and the gradient is written out: no tensor of
differences [n, n, rank] is ever made, and words are projected without padding.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy import ndarray
from torch import Tensor

from phantastic.ground.errors import Refused, nearest
from phantastic.systems.probe.trees import checked, depths, distances

Kind = Literal["distance", "depth"]
Vectors = Sequence[Float[Tensor, "words hidden"]] | Sequence[Float[ndarray, "words hidden"]]
Heads = Sequence[Int64[ndarray, " words"]]
GOLD = {"distance": distances, "depth": depths}


class Batch(NamedTuple):
    """Some sentences, their gold distances [sentences, longest, longest] or depths [sentences, longest], padded."""

    vectors: Float[Tensor, "words hidden"]
    filled: Bool[Tensor, "sentences longest"]
    gold: Float[Tensor, "sentences longest ..."]
    weight: Float[Tensor, "sentences longest ..."]
    """How much an error counts: 1 / (sentences · n²), 1 / (sentences · n) of depths; 0 in the padding."""


class Corpus:
    """Sentences with vectors and trees, on the device of the vectors. Raises `Refused` naming what does not fit."""

    def __init__(self, embeddings: Vectors, heads: Heads, kind: Kind, hidden: int | None = None):
        known(kind)
        words = matched(embeddings, trees := checked(heads), hidden)
        self.vectors = torch.cat(words)
        self.lengths = np.array([len(each) for each in trees])
        self.begins = np.cumsum(self.lengths) - self.lengths
        self.gold = GOLD[kind](trees)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, chosen: Int64[ndarray, " sentences"]) -> Batch:
        """The chosen sentences, in that order."""
        lengths, begins = self.lengths[chosen], self.begins[chosen]
        axes = self.gold[0].ndim
        gold = np.zeros((len(chosen), *[lengths.max()] * axes), dtype=np.float32)
        weight = np.zeros_like(gold)
        for row, (sentence, length) in enumerate(zip(chosen, lengths, strict=True)):
            place = (row, *[slice(length)] * axes)
            gold[place] = self.gold[sentence]
            weight[place] = 1 / (len(chosen) * length**axes)
        rows = np.concatenate([np.arange(begin, begin + length) for begin, length in zip(begins, lengths, strict=True)])
        device = self.vectors.device
        filled = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(device)
        vectors = self.vectors.index_select(0, torch.from_numpy(rows).to(device))
        return Batch(vectors, filled, torch.from_numpy(gold).to(device), torch.from_numpy(weight).to(device))


def known(kind: str) -> None:
    if kind not in GOLD:
        raise Refused(f"unknown kind of probe {kind!r}{nearest(str(kind), GOLD)}")


def matched(embeddings: Vectors, heads: Heads, hidden: int | None = None) -> list[Float[Tensor, "words hidden"]]:
    """The vectors as float32 tensors; raises `Refused` naming the sentence whose vectors do not fit its heads."""
    if not len(heads) or len(embeddings) != len(heads):
        raise Refused(
            f"{len(embeddings)} sentences with vectors, {len(heads)} with heads; expected one or more, as many"
        )
    words: list[Tensor] = []
    for number, (vectors, head) in enumerate(zip(embeddings, heads, strict=True), start=1):
        if not isinstance(vectors, Tensor):
            array = np.asarray(vectors)
            if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
                raise Refused(f"vectors of sentence {number} are {array.dtype}; expected numbers")
            # PyTorch warns of arrays it may not write to
            vectors = torch.from_numpy(np.require(array, np.float32, "W"))
        hidden = hidden or (vectors.shape[-1] if vectors.ndim else 0)
        if vectors.shape != (len(head), hidden) or not hidden:
            raise Refused(
                f"vectors of sentence {number}: {list(vectors.shape)}; expected [{len(head)} words, {hidden}]"
            )
        if not vectors.isfinite().all():
            raise Refused(f"vectors of sentence {number} hold what is no finite number")
        words.append(vectors.detach().float())
    return words


def residual(
    projection: Float[Tensor, "hidden rank"], batch: Batch
) -> tuple[Float[Tensor, "sentences longest rank"], Float[Tensor, "sentences longest ..."]]:
    """The projected words, padded with zeros, and predicted less gold distances or depths."""
    projected = projection.new_zeros((*batch.filled.shape, projection.shape[1]))
    projected[batch.filled] = batch.vectors @ projection
    if batch.gold.ndim == 2:
        return projected, projected.square().sum(2) - batch.gold
    inner = projected @ projected.mT
    squares = inner.diagonal(dim1=1, dim2=2)
    return projected, squares[:, :, None] + squares[:, None] - 2 * inner - batch.gold


def loss_of(error: Float[Tensor, "sentences longest ..."], batch: Batch) -> Float[Tensor, ""]:
    return (error.abs() * batch.weight).sum()


def gradient(
    projected: Float[Tensor, "sentences longest rank"], error: Float[Tensor, "sentences longest ..."], batch: Batch
) -> Float[Tensor, "hidden rank"]:
    """The derivative of the loss by the projection."""
    slope = error.sign() * batch.weight
    if slope.ndim == 2:
        by_word = 2 * slope[:, :, None] * projected
    else:  # Σⱼ 2 (slopeᵢⱼ + slopeⱼᵢ) (zᵢ − zⱼ), and slope is symmetric
        by_word = 4 * (slope.sum(2, keepdim=True) * projected - slope @ projected)
    return batch.vectors.mT @ by_word[batch.filled]
