"""Exact inference in the grammar by a chart: Baker's (1979) inside-outside algorithm, with uncertain words.

The inside pass gives the probability of the evidence; its derivative by the lexical evidence is the outside probability
(Eisner 2016, "Inside-outside and forward-backward algorithms are just backprop"). A word may be known, masked, or seen
through noise; the chart sums over all sentences of that length.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch import Tensor

from phantastic.world.sentences.grammar import Grammar

MASK = -2  # in place of a word: nothing is known of it


class Binary(NamedTuple):
    """A grammar as one language writes it, in rules of two children: inside[s] = closure @ (lexical + rules)[s]."""

    symbols: int
    start: int
    lexical: Int[Tensor, " lexical"]  # the symbols that words come from
    emission: Float64[
        Tensor, "topics lexical vocabulary"
    ]  # P(word | symbol, topic), less than 1 in all where it may be silent
    combine: Tensor  # sparse [symbols, pairs]: the probability of each rule, by its pair of children
    left: Int[Tensor, " pairs"]
    right: Int[Tensor, " pairs"]
    closure: Float64[Tensor, "symbols symbols"]  # what chains of unary rules make of a symbol: sum of all powers


@lru_cache(maxsize=8)
def binary(grammar: Grammar, language: str) -> Binary:
    """The rules in pairs: longer ones through intermediate symbols, silent children left out."""
    side = grammar.sides[language]
    place = dict(grammar.place)
    silent = np.zeros(len(grammar.symbols))  # P(the symbol has no word here); no topic changes it
    np.add.at(silent, grammar.entry_symbol, np.where(side.word < 0, grammar.emission[0], 0))
    pairs: dict[tuple[int, int], dict[int, float]] = {}
    unary: dict[tuple[int, int], float] = {}

    def paired(parent: int, children: list[str], probability: float) -> None:
        if len(children) == 1:
            key = (parent, place[children[0]])
            unary[key] = unary.get(key, 0.0) + probability
            return
        rest = children[1]
        if len(children) > 2:
            rest = " ".join(children[1:])
            if rest not in place:
                place[rest] = len(place)
                paired(place[rest], children[1:], 1.0)
        rules = pairs.setdefault((place[children[0]], place[rest]), {})
        rules[parent] = rules.get(parent, 0.0) + probability

    number = list(grammar.sides).index(language)
    for rule in grammar.rules:
        options: list[list[tuple[str, float]]] = []
        for slot in rule.sides[number]:
            name = f"'{slot.name}'" if slot.quoted else slot.name
            if name not in place:
                place[name] = len(place)
            quiet = 0.0 if slot.quoted else float(silent[place[name]])
            voiced = [(name, 1.0)] if quiet < 1 - 1e-9 else []  # its emission carries the weight
            options.append(voiced + ([("", quiet)] if quiet else []))
        for option in product(*options):
            children = [name for name, _ in option if name]
            weight = rule.probability * float(np.prod([quiet for _, quiet in option]))
            paired(place[rule.parent], children, weight)

    lexical = [symbol for symbol in grammar.lexical if silent[place[symbol]] < 1 - 1e-9]
    lexical += [symbol for symbol in place if symbol.startswith("'") and " " not in symbol]
    row = {place[symbol]: number for number, symbol in enumerate(lexical)}
    emission = np.zeros((len(lexical), len(side.vocabulary), grammar.topics))
    spoken = np.flatnonzero(side.word >= 0)
    rows = [row[symbol] for symbol in grammar.entry_symbol[spoken]]
    np.add.at(emission, (np.array(rows), side.word[spoken]), grammar.emission[:, spoken].T)
    for symbol in lexical[len(lexical) - sum(s.startswith("'") for s in lexical) :]:
        emission[row[place[symbol]], side.place[symbol[1:-1]]] = 1

    chain = torch.eye(len(place), dtype=torch.float64)
    for (parent, child), probability in unary.items():
        chain[parent, child] -= probability
    entries = [(parent, column, p) for column, rules in enumerate(pairs.values()) for parent, p in rules.items()]
    at = torch.tensor([[parent for parent, _, _ in entries], [column for _, column, _ in entries]])
    combine = torch.sparse_coo_tensor(
        at, torch.tensor([p for *_, p in entries], dtype=torch.float64), (len(place), len(pairs)), check_invariants=True
    ).coalesce()
    return Binary(
        len(place),
        place[grammar.start],
        torch.tensor([place[symbol] for symbol in lexical]),
        torch.from_numpy(np.ascontiguousarray(emission.transpose(2, 0, 1))),
        combine,
        torch.tensor([left for left, _ in pairs]),
        torch.tensor([right for _, right in pairs]),
        torch.linalg.inv(chain),
    )


def inside(rules: Binary, evidence: Float64[Tensor, "lexical words sentences"]) -> Float64[Tensor, " sentences"]:
    """The probability of the evidence; ``evidence[l, i]`` is that of what is known of word i, given symbol l."""
    _, words, sentences = evidence.shape
    leaves = evidence.new_zeros(rules.symbols, words, sentences).index_copy(0, rules.lexical, evidence)
    spans = {1: _closed(rules, leaves)}  # by length: [symbols, starts, sentences]
    for length in range(2, words + 1):
        starts = words - length + 1
        total = evidence.new_zeros(len(rules.left), starts, sentences)
        for split in range(1, length):
            left = spans[split][:, :starts].index_select(0, rules.left)
            total = total + left * spans[length - split][:, split : split + starts].index_select(0, rules.right)
        parents = torch.sparse.mm(rules.combine, total.flatten(1)).view(-1, starts, sentences)
        spans[length] = _closed(rules, parents)
    return spans[words][rules.start, 0]


def _closed(rules: Binary, table: Tensor) -> Tensor:
    return (rules.closure @ table.flatten(1)).view_as(table)


def likelihood(
    rules: Binary,
    words: Int[Tensor, "sentences words"],
    topic: Int[Tensor, " sentences"],
    noise: float = 0.0,
    size: int | None = None,
) -> Float64[Tensor, "lexical words sentences"]:
    """Evidence from words as read, all of one length; MASK says nothing.

    With ``noise``, a word as read is the true one with probability 1 - noise, else one of ``size`` words (the
    vocabulary), all equally likely.
    """
    vocabulary = rules.emission.shape[2]
    table = torch.cat([rules.emission, rules.emission.sum(2, keepdim=True)], 2)
    known = table[topic[:, None], :, torch.where(words == MASK, vocabulary, words)]  # [sentences, words, lexical]
    blurred = (1 - noise) * known + noise / (size or vocabulary) * table[topic, None, :, vocabulary]
    return torch.where((words == MASK)[:, :, None], known, blurred).permute(2, 1, 0)


class Posterior(NamedTuple):
    """What the chart knows of sentences of one length, each with one topic."""

    probability: Float64[Tensor, " sentences"]  # of the evidence
    outside: Float64[Tensor, "lexical words sentences"]  # of the evidence but for word i, with symbol l there


def posterior(rules: Binary, evidence: Float64[Tensor, "lexical words sentences"]) -> Posterior:
    """Inside and outside probabilities."""
    evidence = evidence.detach().requires_grad_()
    probability = inside(rules, evidence)
    (outside,) = torch.autograd.grad(probability.sum(), evidence)
    return Posterior(probability.detach(), outside)
