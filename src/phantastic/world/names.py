"""Sentences of the grammar with the names of persons, places and organisations, each word tagged (CoNLL-2003's task).

A name stands where the grammar has a name, or in place of "the farmer" or "the barn": before it there is no article. No
word tells by itself what it is. The same words name a person (one or two words), a place (one, or one and a place's
noun: "hana hall") and an organisation (one and "club", "guild" or "crew"): the grammar's own names, its nouns, which
elsewhere are just nouns, and invented ones. Of those a test has others, which were in no text before.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from phantastic.ground.randomness import numpy_generator
from phantastic.world.language_tasks import Tagged, document_trees
from phantastic.world.sentences.edit import Node
from phantastic.world.sentences.grammar import Grammar

TYPES = ("PER", "LOC", "ORG")  # tags: 0 is O, 1 + 2 i is B- and 2 + 2 i is I- of the i-th type
OUTSIDE = 0
TAGS = 1 + 2 * len(TYPES)
SUFFIXES = ("club", "guild", "crew")
INVENTED = 120  # names to learn from, and as many for the test
NAMED = {"person": 1 / 3, "place": 1 / 2}  # how often a name stands where the grammar has a noun of the class


def names(grammar: Grammar, seed: int, purpose: str, count: int, *, new: bool = False) -> list[Tagged]:
    """Sentences that have a name; ``new``: half of the invented words are others than without."""
    return list(islice(_names(grammar, seed, purpose, new), count))


def _names(grammar: Grammar, seed: int, purpose: str, new: bool) -> Iterator[Tagged]:
    for roots, _, generator in document_trees(grammar, seed, purpose):
        for root in roots:
            pairs = list(_tagged(grammar, root, generator, new))
            if any(tag for _, tag in pairs):
                yield Tagged(*map(list, zip(*pairs, strict=True)))


def _tagged(grammar: Grammar, node: Node, generator: np.random.Generator, new: bool) -> Iterator[tuple[str, int]]:
    """The words of a tree, as `sentences.edit.spoken` has them, but for names, and their tags."""
    kind = "person" if node.kind == "Name" else node.features[0] if node.kind == "Base" else ""
    if node.kind == "Name" or (kind in NAMED and node.features[1] == "sg" and generator.random() < NAMED[kind]):
        type_, words = _name(grammar, kind, generator, new)
        yield from ((word, 1 + 2 * TYPES.index(type_) + (place > 0)) for place, word in enumerate(words))
    elif node.rule < 0:
        yield from ((word, OUTSIDE) for word in [grammar.entries[node.entry][1]] if word)
    else:
        children = list(node.children)
        for slot in grammar.rules[node.rule].sides[0]:
            if slot.quoted:
                yield slot.name, OUTSIDE
            else:
                place = next(place for place, child in enumerate(children) if child.symbol == slot.name)
                yield from _tagged(grammar, children.pop(place), generator, new)


def _name(grammar: Grammar, kind: str, generator: np.random.Generator, new: bool) -> tuple[str, list[str]]:
    def drawn(among: tuple[str, ...]) -> str:
        return among[int(generator.integers(len(among)))]

    def word() -> str:
        which = int(generator.integers(3))
        if which < 2:
            return drawn(nouns(grammar) if which else given(grammar))
        return drawn(invented(grammar)[int(new and generator.random() < 0.5)])

    longer = generator.random() < 0.5
    if kind == "place":
        return "LOC", [word(), drawn(nouns(grammar, "place"))] if longer else [word()]
    if generator.random() < 1 / 3:
        return "ORG", [word(), drawn(SUFFIXES)]
    return "PER", [word(), word()] if longer else [word()]


@lru_cache(maxsize=8)
def nouns(grammar: Grammar, kind: str = "") -> tuple[str, ...]:
    """The grammar's nouns in the singular, of one class or of all."""
    named = [(symbol.split("."), english) for symbol, english, _ in grammar.entries]
    return tuple(word for parts, word in named if parts[0] == "N" and parts[2] == "sg" and kind in ("", parts[1]))


@lru_cache(maxsize=4)
def given(grammar: Grammar) -> tuple[str, ...]:
    """The names that the grammar has."""
    return tuple(english for symbol, english, _ in grammar.entries if symbol.startswith("Name"))


@lru_cache(maxsize=4)
def invented(grammar: Grammar) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of two or three syllables that are no words of the grammar: to learn from, and for the test."""
    generator, known = numpy_generator(0, "invented names"), set(grammar.sides["english"].vocabulary)
    found: dict[str, None] = {}
    while len(found) < 2 * INVENTED:
        syllables = int(generator.integers(2, 4))
        letters = [alphabet[int(generator.integers(len(alphabet)))] for _ in range(syllables) for alphabet in LETTERS]
        if (name := "".join(letters)) not in known:
            found[name] = None
    every = tuple(found)
    return every[:INVENTED], every[INVENTED:]


LETTERS = ("bdfghklmnprst", "aeiou")  # of a syllable; each begins, and each follows, in words of the grammar
