"""What is measured of members besides tasks: how surprising one hidden word of a new text is."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from phantastic.declare.measure import Measure
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Examples, Source
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.permutation_lm import ordered
from phantastic.pretraining.objectives.recurrent_lm import BidirectionalLM
from phantastic.pretraining.wordpiece import MASK, SEP
from phantastic.systems.family.members import words_of

DRAWS = 300  # of a bootstrap
ROWS = 64  # texts of a batch
MOST = 100  # times as many texts as are wanted may be drawn


Texts = tuple[Tensor, Tensor, Tensor, Tensor]
Sentences = set[tuple[int, ...]]


def sentences(rows: Iterable[Sequence[int]], stop: int) -> list[Sentences]:
    """Those of each row of tokens: what stands between special tokens and full stops."""
    found = []
    for row in rows:
        cuts = [-1, *(place for place, token in enumerate(row) if token <= SEP or token == stop), len(row)]
        found.append({tuple(row[a + 1 : b]) for a, b in pairwise(cuts) if b > a + 1})
    return found


def hidden_words(source: Source, seed: int, count: int, longest: int, read: Sentences) -> list[Texts]:
    """Batches of new texts, together at least ``count``, of which no sentence was ``read``: their tokens, what is no
    padding, their segments, and the place of one word of each."""
    examples = Examples(source, seed, ROWS, masking=Masking(0.0, 0.0, 1.0), longest=longest, purpose="test")
    batches, step, stop = [], 0, full_stop(source)
    while sum(len(ids) for ids, *_ in batches) < count:
        batch, generator = examples(step), numpy_generator(seed, "hidden word", step)
        chance = torch.from_numpy(generator.random(batch.input_ids.shape))
        place = chance.masked_fill(~words_of(batch.input_ids), -1).argmax(1)
        new = [read.isdisjoint(found) for found in sentences(batch.input_ids.tolist(), stop)]
        kept = torch.tensor(new).nonzero()[:, 0]
        columns = batch.input_ids, batch.attention_mask, batch.token_type_ids, place
        batches.append(tuple(column[kept] for column in columns))
        step += 1
        if step > MOST * (1 + count // ROWS):
            raise Refused(f"of {step * ROWS} texts fewer than {count} hold no sentence that was read: read fewer")
    return [batch for batch in batches if len(batch[0])]


def full_stop(source: Source) -> int:
    return int(source.wordpiece.pieces(["."]).ids[0])


def scores(network: nn.Module, ids: Tensor, present: Tensor, segments: Tensor, place: Tensor) -> Tensor:
    """Logits [batch, vocabulary] of the word at a place: from both sides, for GPT and ELMo from the left alone.

    ELMo's other direction predicts the same word from the right; it has no answer from both.
    """
    rows = torch.arange(len(ids), device=ids.device)
    if isinstance(network, BidirectionalLM):
        return network.scores(network(ids, present)[0][-1][rows, place - 1])
    assert isinstance(network, Model)
    if network.architecture.startswith("GPT2"):
        logits = network(ids, attention_mask=present).logits
        assert logits is not None
        return logits[rows, place - 1]
    if network.architecture.startswith("XLNet"):
        target = torch.nn.functional.one_hot(place, ids.shape[1]).bool()
        drawn = ordered(ids, target.long(), target)
        logits = network(
            ids,
            attention_mask=present,
            token_type_ids=segments,
            perm_mask=drawn.perm_mask,
            target_mapping=drawn.target_mapping,
        ).logits
        assert logits is not None
        return logits[:, 0]
    hidden = ids.clone()
    hidden[rows, place] = MASK
    logits = network(
        hidden, attention_mask=present, token_type_ids=segments, prediction_positions=place[:, None]
    ).prediction_logits
    assert logits is not None
    return logits[:, 0]


@torch.no_grad()
def surprise(network: nn.Module, batches: Sequence[Texts], seed: int) -> Measure:
    """Mean -log p(hidden word), nats; 95% interval over texts, which are the same for all members."""
    device, values = next(network.parameters()).device, []
    for batch in batches:
        ids, present, segments, place = (part.to(device) for part in batch)
        logits = scores(network, ids, present, segments, place).float()
        values += torch.nn.functional.cross_entropy(
            logits, ids[torch.arange(len(ids), device=device), place], reduction="none"
        ).tolist()
    return interval(np.array(values), seed)


def frequency(batches: Sequence[Texts], known: np.ndarray, vocabulary: int, seed: int) -> Measure:
    """The same of one who knows only how often each word stands in the corpus, +1 each."""
    counts = np.bincount(known, minlength=vocabulary) + 1.0
    asked = np.concatenate([ids[torch.arange(len(ids)), place].numpy() for ids, _, _, place in batches])
    return interval(-np.log(counts / counts.sum())[asked], seed)


def interval(values: np.ndarray, seed: int) -> Measure:
    return over_items(values, numpy_generator(seed, "bootstrap surprise"), mean, DRAWS)
