"""What a masked language model knows of the grammar, beside what can be known: all on inputs whose exact answer the
grammar gives.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phantastic.declare.measure import Measure, deviation, less, resampled
from phantastic.ground.randomness import numpy_generator
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch, Language, tensors
from phantastic.pretraining.corpus import IGNORED, Masking, Pairs, Text, masked, written
from phantastic.pretraining.wordpiece import MASK
from phantastic.world import sentences as world

ROWS = 64  # examples that go through the model together
DRAWS = 500  # of a bootstrap


class Test(NamedTuple):
    """Pairs of sentences with masked words, as the model reads them and as the world does.

    ``observed`` holds words (rows 2k, 2k + 1 are a pair; the true ones), ``selected`` which of them are masked.
    """

    batch: Batch
    observed: Int[np.ndarray, "sentences longest"]
    selected: Bool[np.ndarray, "sentences longest"]
    follows: Bool[np.ndarray, " pairs"]

    @property
    def truth(self) -> Int[np.ndarray, " selected"]:
        """The words that are masked, pair by pair."""
        return self.observed[self.selected]


def test_of(language: Language, seed: int, count: int, share: float) -> Test:
    """``count`` pairs, half of which are documents; exactly max(1, round(share · positions)) words of each masked, all
    by [MASK]."""
    observed, follows = world.pairs(language.grammar, language.name, seed, "test", count)
    rows = rows_of(language, observed)
    masks = masked(rows.tokens, Masking(share, 1.0, 0.0), language.occurring, numpy_generator(seed, "test masks"))
    chosen = masks.labels != IGNORED
    selected = np.zeros(observed.shape, bool)
    example, place = np.nonzero(chosen)[0], masks.positions[chosen]
    first = (observed[0::2] != world.PAD).sum(1)[example]
    second = place > first + 1
    selected[2 * example + second, np.where(second, place - first - 2, place - 1)] = True
    return Test(tensors((rows, follows), masks, "cpu"), observed, selected, follows)


def rows_of(language: Language, observed: Int[np.ndarray, "sentences longest"]):
    """Pairs of sentences of the world (rows 2k, 2k + 1), MASK for a masked word -> [CLS] A [SEP] B [SEP].

    Every word must be one piece.
    """
    pieces = single_pieces(language)
    present = observed != world.PAD
    tokens = np.append(pieces, [MASK])[np.where(observed[present] == world.MASK, len(pieces), observed[present])]
    starts = np.append(0, np.cumsum(present.sum(1)))
    text = Text(tokens, starts, np.arange(0, len(observed) + 1, 2))
    first = np.stack([starts[0:-1:2], starts[1::2]], 1)
    second = np.stack([starts[1:-1:2], starts[2::2]], 1)
    return written(text, Pairs(first, second, np.zeros(len(first), bool)))


def single_pieces(language: Language) -> Int[np.ndarray, " words"]:
    """The piece of every word of the world."""
    return language.wordpiece.pieces(language.words).ids


# --- what the model says


def parts(batch: Batch, size: int = ROWS) -> list[Batch]:
    return [Batch(*columns) for columns in zip(*(column.split(size) for column in batch), strict=True)]


@torch.no_grad()
def word_probabilities(model: Model, batch: Batch) -> Float[Tensor, "examples asked vocabulary"]:
    """Log-probabilities of the tokens at the asked positions."""
    device = next(model.parameters()).device
    log_p = []
    for part in parts(batch):
        part = Batch(*(column.to(device) for column in part))
        result = model(
            part.input_ids,
            attention_mask=part.attention_mask,
            token_type_ids=part.token_type_ids,
            prediction_positions=part.prediction_positions,
        )
        logits = result.logits if result.prediction_logits is None else result.prediction_logits
        assert logits is not None
        log_p.append(logits.double().log_softmax(-1).cpu())
    return torch.cat(log_p)


@torch.no_grad()
def next_probabilities(model: Model, batch: Batch) -> Float[Tensor, " examples"]:
    """The probability that the second sentence follows the first."""
    device = next(model.parameters()).device
    probabilities = []
    for part in parts(batch):
        part = Batch(*(column.to(device) for column in part))
        result = model(part.input_ids, attention_mask=part.attention_mask, token_type_ids=part.token_type_ids)
        assert result.seq_relationship_logits is not None
        probabilities.append(result.seq_relationship_logits.double().softmax(-1)[:, 0].cpu())
    return torch.cat(probabilities)


def surprise(model: Model, test: Test) -> Float[np.ndarray, " selected"]:
    """-log p of every masked word, nats, pair by pair."""
    labels = test.batch.labels
    log_p = word_probabilities(model, test.batch)
    right = log_p.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return -right[labels != IGNORED].numpy()


# --- what can be known


class Exact(NamedTuple):
    """Of the best reader: -log p of every masked word, and for every pair the probability that B follows A."""

    surprise: list[float]
    follows: list[float]


def exact(language: Language, test: Test) -> Exact:
    shown = np.where(test.selected, world.MASK, test.observed)
    posterior = world.predictions(language.grammar, language.name, shown, test.selected)
    probability = posterior[np.arange(len(posterior)), test.truth]
    follows = world.next_probability(language.grammar, language.name, shown)
    return Exact((-np.log(probability)).tolist(), follows.tolist())


def against(
    nats: Float[np.ndarray, " selected"], best: Exact, test: Test, generator: np.random.Generator
) -> dict[str, Measure]:
    """``masked.loss`` and ``masked.floor`` in nats per masked word, ``masked.excess`` = loss / floor - 1; intervals by
    bootstrap over pairs."""
    pair = np.nonzero(test.selected)[0] // 2
    count = len(test.follows)
    sums = np.stack([np.bincount(pair, weights, count) for weights in (nats, best.surprise, np.ones(len(nats)))])
    weights = generator.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    resamples = weights @ sums.T
    loss, floor, words = sums.sum(1).tolist()
    return {
        "masked.loss": resampled(loss / words, (resamples[:, 0] / resamples[:, 2]).tolist()),
        "masked.floor": resampled(floor / words, (resamples[:, 1] / resamples[:, 2]).tolist()),
        "masked.excess": resampled(loss / floor - 1, (resamples[:, 0] / resamples[:, 1] - 1).tolist()),
        "perplexity": resampled(float(np.exp(loss / words)), np.exp(resamples[:, 0] / resamples[:, 2]).tolist()),
    }


def following(
    probabilities: Float[Tensor, " pairs"], best: Exact, test: Test, generator: np.random.Generator
) -> dict[str, Measure]:
    """``next.accuracy``, ``next.bayes``, that of Bayes' rule on the same pairs, and ``next.share``: how far of the way
    from chance (one half) to Bayes' rule."""
    right = (probabilities.numpy() > 0.5) == test.follows
    bayes = (np.array(best.follows) > 0.5) == test.follows
    rows = generator.integers(len(right), size=(DRAWS, len(right)))
    one, other = (resampled(float(hits.mean()), hits[rows].mean(1).tolist()) for hits in (right, bayes))
    share = deviation(less(one, 0.5), less(other, 0.5))
    return {"next.accuracy": one, "next.bayes": other, "next.share": less(share, -1.0)}


def share_of(right: Bool[np.ndarray, " items"], generator: np.random.Generator) -> Measure:
    """A share of items, with a bootstrap interval."""
    value = float(right.mean())
    return resampled(value, (generator.binomial(len(right), value, DRAWS) / len(right)).tolist())
