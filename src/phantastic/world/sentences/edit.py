"""Derivations of single sentences as trees that can be taken apart and put together in another way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from phantastic.ground.errors import Refused
from phantastic.world.sentences.derivation import Derivations
from phantastic.world.sentences.grammar import Grammar
from phantastic.world.sentences.lexicon import LANGUAGES


@dataclass(frozen=True)
class Node:
    """A symbol with what it produces: children by a rule, or an entry of the lexicon; the other of the two is -1."""

    symbol: str
    rule: int
    entry: int
    children: tuple["Node", ...]

    @property
    def kind(self) -> str:
        """The symbol without its features."""
        return self.symbol.split(".")[0]

    @property
    def features(self) -> list[str]:
        """What follows the symbol's name."""
        return self.symbol.split(".")[1:]

    def nodes(self) -> Iterator["Node"]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def descend(self, *kinds: str) -> "Node | None":
        """The node reached through children of these kinds, one after the other, None where there is no such path."""
        node: Node | None = self
        for kind in kinds:
            node = next((child for child in node.children if child.kind == kind), None) if node else None
        return node


def trees(derivations: Derivations) -> list[Node]:
    """The tree of every sentence."""
    names, rule, entry = derivations.grammar.symbols, derivations.rule.tolist(), derivations.entry.tolist()
    symbol, below = derivations.symbol.tolist(), derivations.children.tolist()
    nodes: list[Node | None] = [None] * len(rule)
    for place in range(len(rule) - 1, -1, -1):  # children have the higher numbers
        children = tuple(node for child in below[place] if child >= 0 and (node := nodes[child]))
        nodes[place] = Node(names[symbol[place]], rule[place], entry[place], children)
    return [node for node in nodes[: len(derivations)] if node]


@lru_cache(maxsize=4)
def _rules(grammar: Grammar) -> dict[tuple[str, tuple[str, ...]], int]:
    return {(rule.parent, tuple(rule.children)): place for place, rule in enumerate(grammar.rules)}


def make(grammar: Grammar, symbol: str, *children: Node) -> Node:
    """The symbol over these children. Raises `Refused` where no rule says so."""
    rule = _rules(grammar).get((symbol, tuple(child.symbol for child in children)))
    if rule is None:
        raise Refused(f"no rule makes {symbol} of {', '.join(child.symbol for child in children)}")
    return Node(symbol, rule, -1, children)


def leaf(grammar: Grammar, symbol: str, english: str) -> Node:
    """The entry of a lexical symbol with this English word."""
    for place in _entries(grammar).get(symbol, []):
        if grammar.entries[place][1] == english:
            return Node(symbol, -1, place, ())
    raise Refused(f"no word {english!r} is a {symbol}")


def english(grammar: Grammar, node: Node) -> str:
    """The English word of a leaf."""
    return grammar.entries[node.entry][1]


def spoken(grammar: Grammar, node: Node, language: str = "english") -> list[str]:
    """The words of a tree."""
    number = LANGUAGES.index(language)
    if node.rule < 0:
        word = grammar.entries[node.entry][1 + number]
        return [word] if word else []
    children = list(node.children)
    words = []
    for slot in grammar.rules[node.rule].sides[number]:
        if slot.quoted:
            words.append(slot.name)
        else:
            place = next(place for place, child in enumerate(children) if child.symbol == slot.name)
            words += spoken(grammar, children.pop(place), language)
    return words


def changed(node: Node, old: Node, new: Node) -> Node:
    """The tree with one node, found by identity, in place of another of the same symbol."""
    if node is old:
        return new
    children = tuple(changed(child, old, new) for child in node.children)
    return (
        node if all(a is b for a, b in zip(children, node.children, strict=True)) else replace(node, children=children)
    )


def others(grammar: Grammar, node: Node, topic: int) -> list[Node]:
    """The other words that this leaf could be in this topic."""
    same = np.flatnonzero((grammar.entry_symbol == grammar.place[node.symbol]) & (grammar.emission[topic] > 0))
    word = english(grammar, node)
    return [Node(node.symbol, -1, int(place), ()) for place in same if grammar.entries[place][1] != word]


def same_word(grammar: Grammar, node: Node, symbol: str) -> Node:
    """Another form of a leaf's word: the entries of all its forms stand in one order."""
    old, new = (_entries(grammar)[name] for name in (node.symbol, symbol))
    return Node(symbol, -1, new[old.index(node.entry)], ())


@lru_cache(maxsize=4)
def _entries(grammar: Grammar) -> dict[str, list[int]]:
    entries: dict[str, list[int]] = {}
    for place, (symbol, _, _) in enumerate(grammar.entries):
        entries.setdefault(symbol, []).append(place)
    return entries


def renumbered(grammar: Grammar, node: Node, number: str) -> Node:
    """A verb phrase, agreeing with a subject of this number ("sg" or "pl")."""
    if node.kind not in ("VP", "Predicate", "Action", "IV", "TV", "Be", "Do", "Say"):
        return node
    symbol = ".".join([node.kind, *(number if part in ("sg", "pl") else part for part in node.features)])
    if node.rule < 0:
        return same_word(grammar, node, symbol)
    return make(grammar, symbol, *(renumbered(grammar, child, number) for child in node.children))


def deeper(grammar: Grammar, node: Node) -> Node:
    """The same phrase where one more level of recursion would be allowed."""
    if node.rule < 0:
        return node
    features = [str(int(part) + 1) if part.isdigit() else part for part in node.features]
    return make(grammar, ".".join([node.kind, *features]), *(deeper(grammar, child) for child in node.children))
