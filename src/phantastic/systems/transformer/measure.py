"""What is measured on a trained Transformer: whether its output is right, and where it looked for each word of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from phantastic.data import text_metrics
from phantastic.declare.measure import Measure, resampled
from phantastic.measures.bootstrap import over_items
from phantastic.nn.attention import reading
from phantastic.systems.transformer.model import Transformer
from phantastic.systems.transformer.task import END, PAD, Pairs

REDRAWN = 500  # bootstrap samples


def loss(
    model: Transformer, pairs: Pairs, smoothing: float = 0.0, offset: Int[Tensor, " batch"] | None = None
) -> Float[Tensor, ""]:
    """Cross-entropy of the target's words, END included, in nats per word; ``smoothing`` of the labels as in 5.4,
    ``offset``: the positions at which they begin."""
    logits = model(pairs.source, pairs.target[:, :-1], offset)
    return cross_entropy(
        logits.flatten(0, 1).float(), pairs.target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=smoothing
    )


class Shares(NamedTuple):
    """Hits among tries, item by item (a string, a sentence)."""

    hits: np.ndarray
    tries: np.ndarray

    @property
    def share(self) -> float:
        return float(self.hits.sum() / self.tries.sum())

    def measure(self, generator: np.random.Generator) -> Measure:
        """With its 95% interval by bootstrap over items."""
        chosen = generator.integers(len(self.hits), size=(REDRAWN, len(self.hits)))
        return resampled(self.share, (self.hits[chosen].sum(1) / self.tries[chosen].sum(1)).tolist())


def shares(hits: Tensor, tries: Tensor | None = None) -> Shares:
    tries = torch.ones_like(hits) if tries is None else tries
    return Shares(hits.double().cpu().numpy(), tries.double().cpu().numpy())


def wanted(pairs: Pairs) -> Int[Tensor, "batch m-1"]:
    """The words that are to be written, and PAD."""
    return pairs.target[:, 1:].masked_fill(pairs.target[:, 1:] == END, PAD)


def right(outputs: Int[Tensor, "batch m-1"], pairs: Pairs) -> tuple[Shares, Shares]:
    """Which outputs are right as a whole, and which of their words: those that stand in their own place."""
    words = wanted(pairs)
    present = words != PAD
    return shares((outputs == words).all(1)), shares(((outputs == words) & present).sum(1), present.sum(1))


def bleu(outputs: Int[Tensor, "batch m-1"], pairs: Pairs, generator: np.random.Generator) -> Measure:
    """Of all outputs together, with its interval over sentences."""
    texts = (
        [" ".join(str(word) for word in row if word != PAD) for row in rows.tolist()]
        for rows in (outputs, wanted(pairs))
    )
    return over_items(text_metrics.ngrams_shared(*texts), generator, text_metrics.bleu, REDRAWN)


@torch.no_grad()
def foretold(model: Transformer, pairs: Pairs) -> Shares:
    """Which words of the outputs, END included, are the likeliest after the right ones before them."""
    words = pairs.target[:, 1:]
    hits = (model(pairs.source, pairs.target[:, :-1]).argmax(-1) == words) & (words != PAD)
    return shares(hits.sum(1), (words != PAD).sum(1))


@torch.no_grad()
def read(model: Transformer, pairs: Pairs) -> Float[Tensor, "layers batch heads m n"]:
    """Where each word of the output is looked for in the input, while the right output is being written."""
    with reading([block.memory_attention.weights for block in model.decoder]) as weights:  # pyright: ignore
        model(pairs.source, pairs.target[:, :-1])
    return torch.stack([layer for (layer,) in weights])


def followed(
    weights: Float[Tensor, "layers batch heads m n"], aligned: Int[Tensor, "batch m"]
) -> tuple[Int[Tensor, "layers heads batch"], Int[Tensor, " batch"]]:
    """How many of an output's words each head looks for mainly where they stand, of how many that stand somewhere."""
    right = (weights.argmax(-1) == aligned[:, None]) & (aligned >= 0)[:, None]
    return right.sum(-1).transpose(1, 2), (aligned >= 0).sum(1)


class Follower(NamedTuple):
    """The head that follows the alignment best: its layer and number, counted from 0."""

    layer: int
    head: int


def best_follower(model: Transformer, pairs: Pairs) -> Follower:
    hits, _ = followed(read(model, pairs), pairs.aligned)
    best = int(hits.sum(-1).argmax())
    return Follower(best // hits.shape[1], best % hits.shape[1])


def looked(model: Transformer, pairs: Pairs, follower: Follower) -> Shares:
    """Of the words that stand somewhere in the input: which the head looks for there."""
    hits, tries = followed(read(model, pairs), pairs.aligned)
    return shares(hits[follower.layer, follower.head], tries)


def straight(pairs: Pairs) -> Shares:
    """The same for a head that would read the input at an even pace from the beginning to the end."""
    inputs, outputs = ((tensor != PAD).sum(1, keepdim=True) for tensor in (pairs.source, pairs.target[:, 2:]))
    pace = torch.arange(pairs.aligned.shape[1]) * (inputs - 1) / (outputs - 1).clamp(min=1)
    present = pairs.aligned >= 0
    return shares(((pace.round().long() == pairs.aligned) & present).sum(1), present.sum(1))


def words_of(sequence: Sequence[int], vocabulary: Sequence[str], first: int) -> list[str]:
    """The words of a sequence; what is none is left out."""
    return [vocabulary[word - first] for word in sequence if word >= first]
