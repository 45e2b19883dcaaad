"""Pre-training examples as published with BERT (Devlin et al. 2019, section 3.1 and appendix A.2; google-research/bert,
create_pretraining_data.py), a whole corpus at a time.

A document is a list of segments (here: sentences), a segment a list of tokens. An example is
[CLS] A [SEP] B [SEP]. Lengths are in tokens.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from phantastic.ground.errors import Refused
from phantastic.pretraining.wordpiece import CLS, MASK, PAD, SEP

SPECIAL = 3  # [CLS] and two [SEP]
IGNORED = -100  # a label that counts for nothing


class Text(NamedTuple):
    """Documents: segment i is ``tokens[starts[i]:starts[i + 1]]``, document d ``segments[d]:segments[d + 1]``.
    ``topics``: what each document is about, where that is to tell nothing of which B follows (see `windows`)."""

    tokens: Int[np.ndarray, " tokens"]
    starts: Int[np.ndarray, " segments+1"]
    segments: Int[np.ndarray, " documents+1"]
    topics: Int[np.ndarray, " documents"] | None = None


class Pairs(NamedTuple):
    """Examples before masking: A is ``tokens[first[i, 0]:first[i, 1]]`` of the text, B likewise; does B follow A?"""

    first: Int[np.ndarray, "examples 2"]
    second: Int[np.ndarray, "examples 2"]
    follows: Bool[np.ndarray, " examples"]

    @property
    def lengths(self) -> Int[np.ndarray, " examples"]:
        """Positions of each example, the special tokens among them."""
        return (self.first[:, 1] - self.first[:, 0]) + (self.second[:, 1] - self.second[:, 0]) + SPECIAL


def pairs(
    text: Text, generator: np.random.Generator, *, longest: int = 128, short: float = 0.1, random_next: float = 0.5
) -> Pairs:
    """Every document from its first segment to its last, as examples of at most ``longest`` tokens.

    Segments are gathered until they fill an example (with probability ``short`` a document fills shorter ones, of 2 to
    ``longest`` - 3 tokens) and are cut in two at a random place. With probability ``random_next``, and always where
    there is a single segment, B comes from a random place of another document, and what B would have been is put back.
    Examples that are too long lose tokens one by one from the longer side, at its front or its back. In the order in
    which a round of all documents makes them. Raises `Refused` for less than two documents, or without room for words.
    """
    count, room = len(text.segments) - 1, longest - SPECIAL
    if count < 2:
        raise Refused(f"{count} documents are too few: the second segment of an example may come from another one")
    if room < 2:
        raise Refused(f"examples of {longest} tokens have no room for two segments; allowed: at least {SPECIAL + 2}")
    starts, ends = text.starts, text.segments[1:]
    target = np.where(generator.random(count) < short, generator.integers(2, room + 1, count), room)
    at, parts = text.segments[:-1].copy(), []
    while len(active := np.flatnonzero(at < ends)):
        current, goal = at[active], target[active]
        stop = filled(starts, current, goal, ends[active])
        cut = current + np.where(stop - current > 1, generator.integers(1, np.maximum(stop - current, 2)), 1)
        a = np.stack([starts[current], starts[cut]], 1)
        random = (stop - current == 1) | (generator.random(len(active)) < random_next)
        other = generator.integers(count - 1, size=len(active))
        other += other >= active
        begin = generator.integers(text.segments[other], ends[other])
        end = filled(starts, begin, goal - (a[:, 1] - a[:, 0]), ends[other])
        b = np.where(
            random[:, None], np.stack([starts[begin], starts[end]], 1), np.stack([starts[cut], starts[stop]], 1)
        )
        parts.append((*shortened(a, b, room, generator), ~random))
        at[active] = np.where(random, cut, stop)
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


MOST = 2  # segments on either side of a window


def windows(text: Text, generator: np.random.Generator, *, longest: int = 128, random_next: float = 0.5) -> Pairs:
    """Examples of which neither the number of segments nor the topic tells whether B follows.

    Round(documents · (1 + ``random_next``)) times: A is one segment or two at a random place of a document, B the one
    or two behind it; with probability ``random_next`` B is what stands at the same place of another document of the
    same topic (next-sentence prediction mixes topic and coherence; Lan et al. 2020, section 3.1). Every document has
    equally many segments. Raises `Refused` for shorter documents, and for a topic of which there is only one.
    """
    count, room = len(text.segments) - 1, longest - SPECIAL
    each = np.diff(text.segments)
    if text.topics is None or len(set(each.tolist())) != 1 or each[0] < 2 * MOST:
        raise Refused(f"windows are cut from documents with topics, all of one number of segments, at least {2 * MOST}")
    if room < 2:
        raise Refused(f"examples of {longest} tokens have no room for two segments; allowed: at least {SPECIAL + 2}")
    number = round(count * (1 + random_next))
    document = np.arange(number) % count
    size_a, size_b = generator.integers(1, MOST + 1, (2, number))
    at = generator.integers(each[0] - size_a - size_b + 1)
    random = generator.random(number) < random_next
    source = np.where(random, others_of(text.topics, document, generator), document)
    begin, begin_b = text.segments[document] + at, text.segments[source] + at + size_a
    a = np.stack([text.starts[begin], text.starts[begin + size_a]], 1)
    b = np.stack([text.starts[begin_b], text.starts[begin_b + size_b]], 1)
    return Pairs(*shortened(a, b, room, generator), ~random)


def others_of(topics: np.ndarray, document: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """For each document another one of the same topic."""
    order = np.argsort(topics, kind="stable")
    size = np.bincount(topics)
    if (size == 1).any():
        raise Refused(f"topic {int(np.argmax(size == 1))} has a single document: no other can give it a second segment")
    first = np.cumsum(size) - size
    rank = np.empty(len(topics), int)
    rank[order] = np.arange(len(topics)) - first[topics[order]]
    of = topics[document]
    return order[first[of] + (rank[document] + generator.integers(1, size[of])) % size[of]]


def filled(starts: np.ndarray, begin: np.ndarray, target: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The segment after the last when segments from ``begin`` on are taken until they hold ``target`` tokens, or until
    ``end``; at least one."""
    return np.clip(np.searchsorted(starts, starts[begin] + target), begin + 1, end)


def shortened(a: np.ndarray, b: np.ndarray, room: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both spans together no longer than ``room``: the longer loses a token, B where they are equal, and so on."""
    size_a, size_b = a[:, 1] - a[:, 0], b[:, 1] - b[:, 0]
    excess = np.maximum(size_a + size_b - room, 0)
    from_longer = np.minimum(excess, abs(size_a - size_b))
    rest = excess - from_longer
    lost_a = np.where(size_a > size_b, from_longer, 0) + rest // 2
    lost_b = np.where(size_a > size_b, 0, from_longer) + rest - rest // 2
    spans = []
    for span, lost in ((a, lost_a), (b, lost_b)):
        front = generator.binomial(lost, 0.5)
        spans.append(span + np.stack([front, front - lost], 1))
    return spans[0], spans[1]


class Written(NamedTuple):
    """Examples as rows of tokens, filled with [PAD]; ``segments`` is 0 from [CLS] to the first [SEP], then 1."""

    tokens: Int[np.ndarray, "examples longest"]
    segments: Int[np.ndarray, "examples longest"]
    lengths: Int[np.ndarray, " examples"]


def written(text: Text, pairs: Pairs) -> Written:
    """[CLS] A [SEP] B [SEP]"""
    lengths, size_a = pairs.lengths, pairs.first[:, 1] - pairs.first[:, 0]
    place = np.arange(lengths.max(initial=0))[None]
    in_b = place > size_a[:, None] + 1
    source = np.where(in_b, pairs.second[:, :1] - size_a[:, None] - 2, pairs.first[:, :1] - 1) + place
    last = lengths[:, None] - 1
    inside = (place > 0) & (place != size_a[:, None] + 1) & (place < last)
    tokens = np.where(inside, text.tokens[np.where(inside, source, 0)], SEP)
    tokens[:, 0] = CLS
    tokens[place > last] = PAD
    return Written(tokens, (in_b & (place <= last)).astype(np.int64), lengths)


class Masking(NamedTuple):
    """The share of positions to predict, and what stands there instead: [MASK], the ``same`` token or, in the
    remaining cases, a random one (80/10/10 in Devlin et al. 2019): of those that occur in texts. One that occurs
    nowhere would say as plainly as [MASK] that it is to be replaced."""

    share: float = 0.15
    mask: float = 0.8
    same: float = 0.1


class Masked(NamedTuple):
    """What the model reads, the positions it is asked about and what stood there (-100 fills up)."""

    inputs: Int[np.ndarray, "examples longest"]
    positions: Int[np.ndarray, "examples asked"]
    labels: Int[np.ndarray, "examples asked"]


def masked(
    tokens: Int[np.ndarray, "examples longest"],
    masking: Masking,
    occurring: Int[np.ndarray, " pieces"],
    generator: np.random.Generator,
) -> Masked:
    """Choose exactly max(1, round(share · positions)) of each example, special tokens counted but never chosen; random
    ones are drawn from ``occurring``."""
    if min(masking.mask, masking.same) < 0 or masking.mask + masking.same > 1 + 1e-9:
        raise Refused(f"{masking.mask} of the words masked and {masking.same} the same are more than all; at most 1")
    words = (tokens != PAD) & (tokens != CLS) & (tokens != SEP)
    number = np.maximum(1, np.rint(masking.share * (tokens != PAD).sum(1))).astype(int)
    number = np.minimum(number, words.sum(1))
    order = np.argsort(np.where(words, generator.random(tokens.shape), np.inf), 1)[:, : number.max(initial=0)]
    selected = np.arange(order.shape[1]) < number[:, None]
    order = np.sort(np.where(selected, order, tokens.shape[1]), 1)  # in reading order
    positions = np.where(selected, order, 0)
    truth = np.take_along_axis(tokens, positions, 1)
    kind = generator.random(order.shape)
    random = occurring[generator.integers(len(occurring), size=order.shape)]
    replaced = np.where(kind < masking.mask, MASK, np.where(kind < masking.mask + masking.same, truth, random))
    inputs = tokens.copy()
    rows = np.nonzero(selected)[0]
    inputs[rows, positions[selected]] = replaced[selected]
    return Masked(inputs, positions, np.where(selected, truth, IGNORED))
