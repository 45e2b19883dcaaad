"""Derivations drawn from the grammar, a whole block at a time, and the same derivations written in a language.

Nodes are numbered generation by generation: parents come before their children, and all sentences of a block grow
together, so that a few hundred array operations make some thousand sentences.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world.sentences.grammar import Grammar
from phantastic.world.sentences.written import Written

BLOCK = 1024  # documents that are drawn together, from one generator
SENTENCES = 2  # in a document


@dataclass(frozen=True)
class Derivations:
    """Derivation trees. A node has a rule or, where it is a leaf, an entry of the lexicon; the other is -1."""

    grammar: Grammar
    topic: Int[np.ndarray, " sentences"]
    symbol: Int[np.ndarray, " nodes"]
    rule: Int[np.ndarray, " nodes"]
    entry: Int[np.ndarray, " nodes"]
    sentence: Int[np.ndarray, " nodes"]
    children: Int[np.ndarray, "nodes children"]  # the nodes below, -1 where there is none
    generations: tuple[int, ...]  # the first node of each generation, and the number of nodes

    def __len__(self) -> int:
        return len(self.topic)

    @cached_property
    def english(self) -> Written:
        """The sentences in English."""
        return written(self, "english")

    @cached_property
    def japanese(self) -> Written:
        """The same sentences in Japanese."""
        return written(self, "japanese")


@lru_cache(maxsize=4)
def tables(grammar: Grammar) -> tuple[np.ndarray, np.ndarray]:
    """For rules, and for entries by topic: row + cumulated probability, a row being the alternatives of one symbol.

    Ascending as a whole, so that one binary search for row + u, u uniform, makes every choice at once.
    """
    rules = _cumulated(grammar.probability, grammar.parent)
    entries = [_cumulated(row, grammar.entry_symbol) for row in grammar.emission]
    return rules, np.concatenate([row + topic * len(grammar.symbols) for topic, row in enumerate(entries)])


def _cumulated(probability: np.ndarray, row: np.ndarray) -> np.ndarray:
    top = np.empty(len(row))
    for number in np.unique(row):
        mask = row == number
        running = np.cumsum(probability[mask])
        running[running == running[-1]] = 1  # exactly: rounding leaves no gap below the next row
        top[mask] = number + running
    return top


def draw(grammar: Grammar, topic: Int[np.ndarray, " sentences"], generator: np.random.Generator) -> Derivations:
    """One derivation per topic given."""
    rules, entries = tables(grammar)
    first_lexical = len(grammar.symbols) - len(grammar.lexical)
    symbol = np.full(len(topic), grammar.place[grammar.start])
    sentence = np.arange(len(topic))
    layers: list[tuple[np.ndarray, ...]] = []
    nodes = 0
    while len(symbol) or not layers:
        nodes += len(symbol)
        u = np.minimum(generator.random(len(symbol)), 1 - 1e-9)  # symbol + u must not round up to the next row
        leaf = symbol >= first_lexical
        inner = ~leaf
        rule, entry = np.full(len(symbol), -1), np.full(len(symbol), -1)
        rule[inner] = np.searchsorted(rules, symbol[inner] + u[inner], side="right")
        row = topic[sentence[leaf]] * len(grammar.symbols) + symbol[leaf]
        entry[leaf] = np.searchsorted(entries, row + u[leaf], side="right") % len(grammar.entries)
        offspring = np.where(leaf[:, None], -1, grammar.children[rule])
        present = offspring >= 0
        numbered = np.full(offspring.shape, -1)
        numbered[present] = nodes + np.arange(np.count_nonzero(present))
        layers.append((symbol, rule, entry, sentence, numbered))
        sentence = np.repeat(sentence, present.sum(1))
        symbol = offspring[present]
    first = tuple(np.cumsum([0, *(len(layer[0]) for layer in layers)]).tolist())
    symbol, rule, entry, sentence, children = (np.concatenate(column) for column in zip(*layers, strict=True))
    return Derivations(grammar, topic, symbol, rule, entry, sentence, children, first)


def documents(grammar: Grammar, seed: int, purpose: str, first: int, count: int) -> Derivations:
    """Documents ``first`` to ``first + count - 1`` of an endless corpus: two sentences each, 2k and 2k + 1 of the
    result, about one topic, all topics being equally likely.

    A document depends on (seed, purpose, its number) alone. Raises `Refused` for a negative number.
    """
    if first < 0 or count < 0:
        raise Refused(f"documents are counted from 0: got first {first}, count {count}")
    blocks = []
    for block in range(first // BLOCK, -(-(first + count) // BLOCK) if count else 0):
        generator = numpy_generator(seed, purpose, block)
        topic = np.repeat(generator.integers(grammar.topics, size=BLOCK), SENTENCES)
        derivations = draw(grammar, topic, generator)
        low, high = max(first - block * BLOCK, 0), min(first + count - block * BLOCK, BLOCK)
        sentences = np.arange(low * SENTENCES, high * SENTENCES)
        blocks.append(derivations if (low, high) == (0, BLOCK) else chosen(derivations, sentences))
    return joined(grammar, blocks)


def chosen(derivations: Derivations, sentences: Int[np.ndarray, " chosen"]) -> Derivations:
    """Some of the sentences, each at most once, in ascending order."""
    place = np.full(len(derivations), -1)
    place[sentences] = np.arange(len(sentences))
    keep = place[derivations.sentence] >= 0
    number = np.append(np.cumsum(keep) - 1, -1)  # the last for -1, no child
    first = tuple(int(number[node - 1]) + 1 if node else 0 for node in derivations.generations)
    return Derivations(
        derivations.grammar,
        derivations.topic[sentences],
        derivations.symbol[keep],
        derivations.rule[keep],
        derivations.entry[keep],
        place[derivations.sentence[keep]],
        number[derivations.children[keep]],
        first,
    )


def joined(grammar: Grammar, parts: list[Derivations]) -> Derivations:
    """The sentences of several blocks, one block after the other; generation by generation as in one block."""
    if not parts:
        return draw(grammar, np.zeros(0, int), np.random.default_rng(0))
    level = np.concatenate([np.repeat(np.arange(len(p.generations) - 1), np.diff(p.generations)) for p in parts])
    order = np.argsort(level, kind="stable")
    number = np.full(len(level) + 1, -1)  # the last for -1, no child
    number[order] = np.arange(len(level))
    nodes = np.cumsum([0, *(len(part.rule) for part in parts)])
    sentences = np.cumsum([0, *(len(part) for part in parts)])
    below = [np.where(part.children < 0, -1, part.children + at) for part, at in zip(parts, nodes[:-1], strict=True)]
    return Derivations(
        grammar,
        np.concatenate([part.topic for part in parts]),
        np.concatenate([part.symbol for part in parts])[order],
        np.concatenate([part.rule for part in parts])[order],
        np.concatenate([part.entry for part in parts])[order],
        np.concatenate([part.sentence + at for part, at in zip(parts, sentences[:-1], strict=True)])[order],
        number[np.concatenate(below)[order]],
        tuple(np.cumsum([0, *np.bincount(level)]).tolist()),
    )


def written(derivations: Derivations, language: str) -> Written:
    """The sentences in "english" or "japanese", with their trees."""
    grammar, side = derivations.grammar, derivations.grammar.sides[language]
    inner = np.flatnonzero(derivations.rule >= 0)
    rule = derivations.rule[inner]
    column = side.child[rule]
    child = np.where(column >= 0, np.take_along_axis(derivations.children[inner], np.maximum(column, 0), axis=1), -1)
    quoted = side.quoted[rule]

    nodes = len(derivations.rule)
    size = np.zeros(nodes + 1, int)  # the last for -1, no child
    leaves = np.flatnonzero(derivations.entry >= 0)
    size[leaves] = side.word[derivations.entry[leaves]] >= 0
    spoken = (quoted >= 0).sum(1)
    bounds = np.searchsorted(inner, derivations.generations)
    below = list(itertools.pairwise(bounds))
    for low, high in reversed(below):
        size[inner[low:high]] = spoken[low:high] + size[child[low:high]].sum(1)

    starts = np.concatenate([[0], np.cumsum(size[: len(derivations)])])
    start = np.full(nodes + 1, -1)
    start[: len(derivations)] = starts[:-1]
    offset = np.cumsum((quoted >= 0) + size[child], axis=1)
    offset = np.concatenate([np.zeros((len(inner), 1), int), offset[:, :-1]], axis=1)
    at = np.empty_like(offset)  # where each slot begins
    for low, high in below:
        at[low:high] = offset[low:high] + start[inner[low:high], None]
        start[child[low:high]] = at[low:high]
    start[-1] = -1

    total = starts[-1]
    words, tags, numbers = np.full(total, -1), np.full(total, -1), np.full(total, -1)
    leaves = leaves[size[leaves] > 0]
    places = start[leaves]
    words[places] = side.word[derivations.entry[leaves]]
    tags[places] = grammar.symbol_tag[derivations.symbol[leaves]]
    numbers[places] = grammar.symbol_number[derivations.symbol[leaves]]
    rows, columns = np.nonzero(quoted >= 0)
    words[at[rows, columns]] = quoted[rows, columns]
    tags[at[rows, columns]] = side.quoted_tag[quoted[rows, columns]]

    # Heads rise from the leaves; then every slot but the head's depends on the head word of its governor.
    head = np.full(nodes + 1, -1)
    head[leaves] = places
    slot_head = np.where(quoted >= 0, at, -1)
    index = np.arange(len(inner))
    for low, high in reversed(below):
        heads = head[child[low:high]]
        slot_head[low:high] = np.where(child[low:high] >= 0, heads, slot_head[low:high])
        head[inner[low:high]] = slot_head[low:high][index[: high - low], side.head[rule[low:high]]]
    sentence = np.repeat(np.arange(len(derivations)), np.diff(starts))
    heads, relations = np.zeros(total, int), np.zeros(total, int)
    depends = (slot_head >= 0) & (side.relation[rule] > 0)
    rows, columns = np.nonzero(depends)
    dependents = slot_head[rows, columns]
    heads[dependents] = slot_head[rows, side.governor[rule[rows], columns]] - starts[sentence[dependents]] + 1
    relations[dependents] = side.relation[rule[rows], columns]
    return Written(
        grammar=grammar,
        language=language,
        vocabulary=side.vocabulary,
        topics=derivations.topic,
        words=words,
        starts=starts,
        heads=heads,
        relations=relations,
        tags=tags,
        numbers=numbers,
        node_starts=start[:-1],
        node_sizes=size[:-1],
        derivations=derivations,
    )
