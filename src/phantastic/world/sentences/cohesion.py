"""Cohesive texts: sentences of the grammar that speak of the same things again (Halliday & Hasan 1976, Cohesion in
English). English alone; no floor is computed of them.

A text of some sentences has one topic and its own participants: for every kind and number one noun, of any topic, and
one name.
*Reiteration*: a noun is the participant of its kind with probability `AGAIN`; so too, from a choice of the text's own,
are verbs and adjectives (a lexical chain). *Reference*: a participant that the sentence before named is, half of the
time, a pronoun that agrees with it in number, case and kind. *Conjunction*: a sentence may begin with what relates it
to the one before: "but" where one of the two is denied, "also" where their first verb is the same, "then" where their
first noun is.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world.sentences.derivation import draw, tables, written
from phantastic.world.sentences.grammar import Grammar

BLOCK = 256  # texts that are drawn together, from one generator
SENTENCES = 8  # in a text
AGAIN = 0.9  # how often a word is the text's own
OWN = {"N", "Name", "Adj", "IV", "TV", "IVneg", "TVneg", "Vpart"}  # kinds of word that a text has its own of
SHE = {"mary", "hana"}
PRONOUNS = {"it": ("it", "it"), "they": ("they", "them"), "she": ("she", "her"), "he": ("he", "him")}
CONNECTIVES = ("but", "also", "then")
NEW_WORDS = tuple(dict.fromkeys([*(form for pair in PRONOUNS.values() for form in pair), *CONNECTIVES]))


class Cohesive(NamedTuple):
    """Texts: sentence i is ``words[starts[i]:starts[i + 1]]``, text k the sentences from ``SENTENCES`` k on. Words are
    places in ``vocabulary``: the grammar's, then `NEW_WORDS`. ``topics`` has an element per text."""

    vocabulary: tuple[str, ...]
    words: Int[np.ndarray, " words"]
    starts: Int[np.ndarray, " bounds"]
    topics: Int[np.ndarray, " texts"]

    def text(self, sentence: int) -> str:
        """The sentence, its words apart from each other by one space."""
        return " ".join(self.vocabulary[word] for word in self.words[self.starts[sentence] : self.starts[sentence + 1]])


def vocabulary(grammar: Grammar) -> tuple[str, ...]:
    """The words that such texts have."""
    return (*grammar.sides["english"].vocabulary, *NEW_WORDS)


def texts(grammar: Grammar, seed: int, purpose: str, first: int, count: int) -> Cohesive:
    """Texts ``first`` to ``first + count - 1`` of an endless corpus, each of `SENTENCES` sentences.

    A text depends on (seed, purpose, its number) alone. Raises `Refused` for a negative number.
    """
    if first < 0 or count < 0:
        raise Refused(f"texts are counted from 0: got first {first}, count {count}")
    words, sizes, topics = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0, int)]
    for number in range(first // BLOCK, -(-(first + count) // BLOCK) if count else 0):
        block = _block(grammar, seed, purpose, number)
        low, high = max(first - number * BLOCK, 0), min(first + count - number * BLOCK, BLOCK)
        bounds = block.starts[low * SENTENCES : high * SENTENCES + 1]
        words.append(block.words[bounds[0] : bounds[-1]])
        sizes.append(np.diff(bounds))
        topics.append(block.topics[low:high])
    starts = np.append(0, np.cumsum(np.concatenate(sizes)))
    return Cohesive(vocabulary(grammar), np.concatenate(words), starts, np.concatenate(topics))


def _block(grammar: Grammar, seed: int, purpose: str, number: int) -> Cohesive:
    generator = numpy_generator(seed, f"{purpose}: cohesive", number)
    topics = generator.integers(grammar.topics, size=BLOCK)
    derivations = draw(grammar, np.repeat(topics, SENTENCES), generator)
    leaves = np.flatnonzero(derivations.entry >= 0)
    kinds = np.array([symbol.split(".")[0] in OWN for symbol in grammar.symbols])
    leaves = leaves[kinds[derivations.symbol[leaves]] & (generator.random(len(leaves)) < AGAIN)]
    text = derivations.sentence[leaves] // SENTENCES
    derivations.entry[leaves] = _own(grammar, topics, generator)[text, derivations.symbol[leaves]]
    side = written(derivations, "english")
    sentence = np.repeat(np.arange(len(side)), np.diff(side.starts))
    words, kept = _referred(grammar, side, sentence, generator)
    begun, connective = _related(grammar, side, sentence, generator)
    order = np.argsort(np.append(np.arange(len(words))[kept], side.starts[begun] - 0.5), kind="stable")
    sizes = np.bincount(sentence[kept], minlength=len(side)) + np.bincount(begun, minlength=len(side))
    return Cohesive(
        vocabulary(grammar),
        np.append(words[kept], connective)[order],
        np.append(0, np.cumsum(sizes)),
        topics,
    )


def _own(grammar: Grammar, topics: np.ndarray, generator: np.random.Generator) -> Int[np.ndarray, "texts symbols"]:
    """Of each text the entry of its own for each symbol of the lexicon; the forms of a word go together."""
    _, entries = tables(grammar)
    count = len(grammar.symbols)
    stems = [_stem(symbol) for symbol in grammar.symbols]
    u = generator.random((len(topics), count))[:, [stems.index(stem) for stem in stems]]
    lexical = count - len(grammar.lexical) + np.arange(len(grammar.lexical))
    found = np.full((len(topics), count), -1)
    anywhere = generator.integers(grammar.topics, size=(len(topics), len(lexical)))
    nouns = np.array([grammar.symbols[symbol].startswith("N.") for symbol in lexical])
    rows = np.where(nouns, anywhere, topics[:, None]) * count + lexical
    found[:, lexical] = np.searchsorted(entries, rows + u[:, lexical], side="right") % len(grammar.entries)
    return found


def _stem(symbol: str) -> str:
    """One name for all the forms of a verb; of nouns each number has its own participant."""
    kind, *features = symbol.split(".")
    if kind == "Vpart":
        return ".".join(["TV", *features])
    kind = kind.removesuffix("neg")
    return ".".join([kind, *(part for part in features if kind not in ("IV", "TV") or part not in ("sg", "pl"))])


def _referred(grammar: Grammar, side, sentence: np.ndarray, generator: np.random.Generator):
    """The words with pronouns in place of nouns, and which words are left: a determiner goes with its noun."""
    place = {word: number for number, word in enumerate(vocabulary(grammar))}
    tag = np.array(grammar.tags)[side.tags]
    relation = np.array(grammar.relations)[side.relations]
    noun = np.isin(tag, ("NOUN", "PROPN"))
    governor = np.where(side.heads > 0, side.starts[sentence] + side.heads - 1, -1)
    dependents = np.bincount(governor[governor >= 0], minlength=len(side.words))
    before = np.arange(len(side.words)) - 1
    determined = (tag[before] == "DET") & (governor[before] == np.arange(len(side.words)))
    alone = np.where(tag == "PROPN", dependents == 0, determined & (dependents == 1))
    named = np.zeros((len(side), len(side.vocabulary)), bool)
    named[sentence[noun], side.words[noun]] = True
    before_named = (sentence % SENTENCES > 0) & named[sentence - 1, side.words]
    subject, object_ = relation == "nsubj", relation == "obj"
    chosen = noun & alone & before_named & (subject | object_) & (generator.random(len(noun)) < 0.5)
    gender = np.where(generator.random((len(side) // SENTENCES, len(side.vocabulary))) < 0.5, "she", "he")
    for word, number in side.grammar.sides["english"].place.items():
        if word in {entry[1] for entry in grammar.entries if entry[0] == "Name.sg"}:
            gender[:, number] = "she" if word in SHE else "he"
    persons = [entry[1] for entry in grammar.entries if entry[0] in ("N.person.sg", "Name.sg")]
    person = np.isin(np.array(side.vocabulary), persons)
    words, kept = side.words.copy(), np.ones(len(side.words), bool)
    for at in np.flatnonzero(chosen):
        if side.numbers[at] == 1:
            pronoun = "they"
        elif person[side.words[at]]:
            pronoun = str(gender[sentence[at] // SENTENCES, side.words[at]])
        else:
            pronoun = "it"
        words[at] = place[PRONOUNS[pronoun][int(not subject[at])]]
        kept[at - 1] = tag[at] == "PROPN"
    return words, kept


def _related(grammar: Grammar, side, sentence: np.ndarray, generator: np.random.Generator):
    """Which sentences begin with a connective, and with which (as a place in `vocabulary`)."""
    tag = np.array(grammar.tags)[side.tags]

    def first(mask: np.ndarray) -> np.ndarray:
        found = np.full(len(side), -1)
        places = np.flatnonzero(mask)[::-1]
        found[sentence[places]] = side.words[places]
        return found

    denied = np.zeros(len(side), bool)
    denied[sentence[side.words == side.vocabulary.index("not")]] = True
    verb, noun = first(tag == "VERB"), first(np.isin(tag, ("NOUN", "PROPN")))
    relations = [denied != np.roll(denied, 1), (verb >= 0) & (verb == np.roll(verb, 1)), noun == np.roll(noun, 1)]
    which = np.select(relations, [0, 1, 2], -1)
    begun = np.flatnonzero((which >= 0) & (np.arange(len(side)) % SENTENCES > 0) & (generator.random(len(side)) < 0.5))
    return begun, len(side.vocabulary) + len(NEW_WORDS) - len(CONNECTIVES) + which[begun]
