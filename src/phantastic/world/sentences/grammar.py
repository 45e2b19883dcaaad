"""A synchronous probabilistic context-free grammar, compiled from text to arrays (see grammar.toml for the notation).

One derivation is written in two languages. Features are multiplied out, so that what is left is a plain context-free
grammar: its probabilities, entropies and posteriors can be computed exactly.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused, nearest
from phantastic.world.sentences import lexicon
from phantastic.world.sentences.lexicon import LANGUAGES, Words

SLOTS = 5  # the most children that a rule has


class Slot(NamedTuple):
    """A child of a rule, in one language: a symbol, or a quoted word; what it depends on (the place of a sister)."""

    name: str
    quoted: bool
    relation: str  # "" for the head
    governor: int


class Rule(NamedTuple):
    """A rule with its features multiplied out; ``sides`` gives the children in the order of each language."""

    parent: str
    probability: float
    sides: tuple[tuple[Slot, ...], ...]

    @property
    def children(self) -> list[str]:
        """Each symbol that the rule produces, once for both languages, in the order of the first."""
        first, second = ([slot.name for slot in side if not slot.quoted] for side in self.sides)
        return first + list((Counter(second) - Counter(first)).elements())


def slots(text: str, line: str) -> tuple[Slot, ...]:
    """The children on one side of a rule."""
    tokens = []
    for token in text.split():
        match = re.fullmatch(r"('(?P<word>[^']+)'|(?P<symbol>[\w.-]+))(:(?P<relation>[a-z:]+))?(?P<to>[<>])?", token)
        if match is None:
            raise Refused(f"grammar rule {line!r}: {token!r} is not Symbol, Symbol:relation or 'word':relation")
        name = match["word"] or match["symbol"]
        tokens.append((name, match["word"] is not None, match["relation"] or "", match["to"]))
    heads = [place for place, (_, _, relation, _) in enumerate(tokens) if not relation]
    if len(heads) != 1 or tokens[heads[0]][1] or len(tokens) > SLOTS:
        raise Refused(
            f"grammar rule {line!r}: each language needs one symbol without :relation, and at most {SLOTS} children"
        )
    governors = [place + {"<": -1, ">": 1}[to] if to else heads[0] for place, (*_, to) in enumerate(tokens)]
    if not all(0 <= place < len(tokens) for place in governors):
        raise Refused(f"grammar rule {line!r}: nothing stands where < or > points")
    return tuple(
        Slot(name, quoted, relation, place)
        for (name, quoted, relation, _), place in zip(tokens, governors, strict=True)
    )


def multiplied_out(rules: str, variables: dict) -> dict[str, list[tuple[float, tuple[tuple[Slot, ...], ...]]]]:
    """Weighted rules by parent, with a value in place of every variable."""
    domains = {name: _domain(table) for name, table in variables.items()}
    by_parent: dict[str, list[tuple[float, tuple[tuple[Slot, ...], ...]]]] = {}
    for line in filter(None, (line.strip() for line in rules.splitlines())):
        match = re.fullmatch(r"(?P<weight>[\d.]+)\s+(?P<parent>\S+)\s*->\s*(?P<first>.+?)(\|\|(?P<second>.+))?", line)
        if match is None:
            raise Refused(f"grammar rule {line!r} is not: weight Parent -> children || children")
        sides = tuple(slots(side, line) for side in (match["first"], match["second"] or match["first"]))
        symbols = [match["parent"], *(slot.name for side in sides for slot in side if not slot.quoted)]
        parts = [part.removesuffix("-") for symbol in symbols for part in symbol.split(".")[1:]]
        used = [name for name in domains if name in parts]
        bound = set(match["parent"].split(".")[1:])
        for values in product(*(domains[name] for name in used)):
            assignment = dict(zip(used, values, strict=True))
            weight = float(match["weight"])
            for name in used:
                if name not in bound:
                    weight *= _weight(variables[name], assignment)(assignment[name])
            try:
                written = tuple(
                    tuple(slot if slot.quoted else slot._replace(name=_filled(slot.name, assignment)) for slot in side)
                    for side in sides
                )
            except IndexError:  # less than depth 0
                continue
            if weight > 0:
                by_parent.setdefault(_filled(match["parent"], assignment), []).append((weight, written))
    return by_parent


def _domain(table: dict | list) -> list[str]:
    if isinstance(table, list):
        return table
    if "given" in table:
        return list(dict.fromkeys(value for row in table.values() if isinstance(row, dict) for value in row))
    return list(table)


def _weight(table: dict, assignment: dict[str, str]):
    row = table[assignment[table["given"]]] if "given" in table else table
    return lambda value: row.get(value, 0.0)


def _filled(symbol: str, assignment: dict[str, str]) -> str:
    name, *parts = symbol.split(".")
    for place, part in enumerate(parts):
        if part.endswith("-"):
            level = int(assignment[part[:-1]]) - 1
            if level < 0:
                raise IndexError
            parts[place] = str(level)
        else:
            parts[place] = assignment.get(part, part)
    return ".".join([name, *parts])


def useful(
    rules: dict[str, list[tuple[float, tuple[tuple[Slot, ...], ...]]]], words: Words, start: str
) -> Iterator[Rule]:
    """The rules that a sentence can use, with their weights normalised; the others (a verb that no word can be) go."""
    productive = set(words)
    names = {symbol.split(".")[0] for symbol in (*rules, *words)}
    for parent, options in rules.items():
        for name in {
            slot.name.split(".")[0] for _, sides in options for side in sides for slot in side if not slot.quoted
        }:
            if name not in names:
                raise Refused(f"grammar rule of {parent}: nothing makes '{name}'{nearest(name, names)}")
    while True:
        more = {
            parent
            for parent, options in rules.items()
            if parent not in productive and any(_productive(option, productive) for _, option in options)
        }
        if not more:
            break
        productive |= more
    if start not in productive:
        raise Refused(f"the grammar makes no sentence: '{start}' ends in no words")
    agenda, reached = [start], {start}
    while agenda:
        parent = agenda.pop()
        options = [(weight, sides) for weight, sides in rules.get(parent, []) if _productive(sides, productive)]
        total = sum(weight for weight, _ in options)
        for weight, sides in options:
            rule = Rule(parent, weight / total, sides)
            yield rule
            for child in rule.children:
                if child not in reached:
                    reached.add(child)
                    agenda.append(child)


def _productive(sides: tuple[tuple[Slot, ...], ...], productive: set[str]) -> bool:
    return all(slot.quoted or slot.name in productive for side in sides for slot in side)


@dataclass(frozen=True)
class Side:
    """A grammar as one language writes it. Arrays over rules have a column per slot, in the order of the language."""

    vocabulary: tuple[str, ...]
    word: Int[np.ndarray, " entries"]  # the word of each entry of the lexicon, -1 where it has none
    child: Int[np.ndarray, "rules slots"]  # which of the rule's children stands here, -1 for a quoted word or nothing
    quoted: Int[np.ndarray, "rules slots"]  # the quoted word that stands here, or -1
    quoted_tag: Int[np.ndarray, " vocabulary"]  # the part of speech of a word where it is quoted
    governor: Int[np.ndarray, "rules slots"]  # the slot that this one depends on; the head points at itself
    relation: Int[np.ndarray, "rules slots"]
    head: Int[np.ndarray, " rules"]

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each word stands in the vocabulary."""
        return {word: place for place, word in enumerate(self.vocabulary)}


class Grammar:
    """A compiled grammar. ``symbols`` lists those with rules first, then those of the lexicon (``lexical``)."""

    def __init__(self, text: dict, words: Words):
        self.start, self.labels, self.tag_of = text["start"], text["labels"], text["tags"]
        self.rules = list(useful(multiplied_out(text["rules"], text["variables"]), words, self.start))
        parents = list(dict.fromkeys(rule.parent for rule in self.rules))
        used = {child for rule in self.rules for child in rule.children}
        self.lexical = sorted(used - set(parents))
        self.symbols = [*parents, *self.lexical]
        self.place = {symbol: place for place, symbol in enumerate(self.symbols)}
        self.rules.sort(key=lambda rule: self.place[rule.parent])
        self.topics = len(next(iter(words.values())))

        self.entries = [
            (symbol, en, ja)
            for symbol in self.lexical
            for en, ja in dict.fromkeys((en, ja) for by_topic in words[symbol] for en, ja, _ in by_topic)
        ]
        index = {entry: place for place, entry in enumerate(self.entries)}
        self.emission = np.zeros((self.topics, len(self.entries)))  # P(entry | its symbol, topic)
        for symbol in self.lexical:
            for topic, entries in enumerate(words[symbol]):
                for en, ja, weight in entries:
                    self.emission[topic, index[symbol, en, ja]] += weight / sum(weight for *_, weight in entries)
        self.entry_symbol = np.array([self.place[symbol] for symbol, _, _ in self.entries])

        self.parent = np.array([self.place[rule.parent] for rule in self.rules])
        self.probability = np.array([rule.probability for rule in self.rules])
        self.children = np.full((len(self.rules), SLOTS), -1)
        for row, rule in enumerate(self.rules):
            for column, child in enumerate(rule.children):
                self.children[row, column] = self.place[child]
        self.relations = ("root", *sorted({s.relation for r in self.rules for side in r.sides for s in side} - {""}))
        self.tags = tuple(sorted(set(self.tag_of.values())))
        self.sides = {language: self._side(number) for number, language in enumerate(LANGUAGES)}

    def _side(self, number: int) -> Side:
        quoted_words = {slot.name for rule in self.rules for slot in rule.sides[number] if slot.quoted}
        vocabulary = tuple(sorted((quoted_words | {entry[1 + number] for entry in self.entries}) - {""}))
        at = {word: place for place, word in enumerate(vocabulary)}
        child, quoted, governor, relation = (np.full((len(self.rules), SLOTS), -1) for _ in range(4))
        head = np.zeros(len(self.rules), int)
        for row, rule in enumerate(self.rules):
            remaining = list(rule.children)
            for column, slot in enumerate(rule.sides[number]):
                if slot.quoted:
                    quoted[row, column] = at[slot.name]
                else:  # the k-th of several equal children is the k-th in both languages
                    child[row, column] = remaining.index(slot.name)
                    remaining[child[row, column]] = ""
                governor[row, column] = slot.governor
                if slot.relation:
                    relation[row, column] = self.relations.index(slot.relation)
                else:
                    head[row] = column
        word = np.array([at.get(entry[1 + number], -1) for entry in self.entries])
        tag = np.array([self.tags.index(self.tag_of[name]) if name in quoted_words else -1 for name in vocabulary])
        return Side(vocabulary, word, child, quoted, tag, governor, relation, head)

    @cached_property
    def symbol_tag(self) -> Int[np.ndarray, " symbols"]:
        """The part of speech (a place in ``tags``) of a symbol of the lexicon, -1 for the others."""
        names = [self.tag_of.get(symbol.split(".")[0]) for symbol in self.symbols]
        return np.array([-1 if name is None else self.tags.index(name) for name in names])

    @cached_property
    def symbol_number(self) -> Int[np.ndarray, " symbols"]:
        """0 for a singular symbol, 1 for a plural one, -1 for one without number."""
        marks = [next((part for part in symbol.split(".") if part in ("sg", "pl")), "") for symbol in self.symbols]
        return np.array([{"sg": 0, "pl": 1, "": -1}[mark] for mark in marks])


@lru_cache(maxsize=4)
def grammar(nonce: int | None = None) -> Grammar:
    """The grammar of grammar.toml and lexicon.toml; with ``nonce``, a seed, in Jabberwocky."""
    text = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text(encoding="utf-8"))
    return Grammar(text, lexicon.words() if nonce is None else lexicon.words(lexicon.nonce(nonce)))
