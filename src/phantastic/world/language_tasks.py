"""Tasks cut from the grammar of `phantastic.world.sentences`, with labels that follow from the derivations.

The six kinds of task that language models are tuned on: is a sentence acceptable (CoLA), do two say the same (MRPC),
does one follow from the other (MNLI), how much do they have in common (STS-B), where in a text is the answer (SQuAD),
and which part of speech is each word. A task depends on (grammar, seed, purpose) alone; n examples are the first n of
any larger number, and their labels take turns, so that all are equally frequent. Words stand apart by one space.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from phantastic.ground.randomness import numpy_generator
from phantastic.world.sentences import PAD, Grammar, documents, topic_likelihood
from phantastic.world.sentences.derivation import Derivations
from phantastic.world.sentences.edit import Node, renumbered, same_word, spoken, trees
from phantastic.world.sentences.meaning import (
    content,
    denied,
    exchanged,
    passive,
    places,
    plain,
    replaced,
    transitive,
    turned_round,
    weaker,
)
from phantastic.world.sentences.written import Written

BLOCK = 64  # documents looked at together
QUESTION_WORDS = ("what", "where", "?")  # the only words of a task that the grammar does not have
ENTAILMENT = ("entailment", "neutral", "contradiction")


class Texts(NamedTuple):
    """Sentences or pairs of them, with a class number or a score each."""

    sentences: list[tuple[str, ...]]
    labels: list[int] | list[float]
    classes: tuple[str, ...]  # empty for a score


class MinimalPair(NamedTuple):
    """A sentence, and the same with one word that no longer agrees."""

    good: str
    bad: str
    place: int  # of the word, counted from 0
    kind: str  # "verb" or "determiner"
    attractors: int  # nouns of the other number between subject and verb; 0 for a determiner


class Answered(NamedTuple):
    """A question, a text, and which of the text's words answer it: from ``start`` to before ``stop``."""

    question: str
    context: str
    start: int
    stop: int

    @property
    def answer(self) -> str:
        """The answer as it stands in the text."""
        return " ".join(self.context.split()[self.start : self.stop])

    @property
    def start_character(self) -> int:
        """The character of the text at which it begins, as in SQuAD."""
        return sum(len(word) + 1 for word in self.context.split()[: self.start])


class Tagged(NamedTuple):
    """A sentence's words and the part of speech of each, as places in ``Grammar.tags``."""

    words: list[str]
    tags: list[int]


def _blocks(grammar: Grammar, seed: int, purpose: str) -> Iterator[tuple[Derivations, np.random.Generator]]:
    """Documents and a generator that depends on the block alone, without end."""
    block = 0
    while True:
        derivations = documents(grammar, seed, purpose, block * BLOCK, BLOCK)
        yield derivations, numpy_generator(seed, f"{purpose}: edits", block)
        block += 1


def _drawn(grammar: Grammar, seed: int, purpose: str) -> Iterator[tuple[Node, int, np.random.Generator]]:
    """Sentence after sentence, with its topic."""
    for derivations, generator in _blocks(grammar, seed, purpose):
        for root, topic in zip(trees(derivations), derivations.topic.tolist(), strict=True):
            yield root, topic, generator


def _text(grammar: Grammar, root: Node) -> str:
    return " ".join(spoken(grammar, root))


def minimal_pairs(grammar: Grammar, seed: int, purpose: str, count: int) -> list[MinimalPair]:
    """Sentences in each of which one verb, auxiliary or determiner changes its number; the two kinds take turns.

    Of the verbs of a sentence the one with most attractors is taken. The bad sentence has probability 0 under the
    grammar whatever the topic: the chart looks at each.
    """
    return list(islice(_minimal_pairs(grammar, seed, purpose), count))


def _minimal_pairs(grammar: Grammar, seed: int, purpose: str) -> Iterator[MinimalPair]:
    flips = _flips(grammar)
    turn = 0
    for derivations, generator in _blocks(grammar, seed, purpose):
        for kind, pair in _impossible(grammar, _flipped(derivations.english, flips, generator)):
            if kind == ("verb", "determiner")[turn % 2]:
                turn += 1
                yield pair


def _flips(grammar: Grammar) -> dict[str, dict[int, int]]:
    """Each word that agrees, and its form in the other number."""
    place = grammar.sides["english"].place
    by_symbol: dict[str, list[str]] = {}
    for symbol, word, _ in grammar.entries:
        by_symbol.setdefault(symbol, []).append(word)
    verbs = [
        pair
        for symbol, words in by_symbol.items()
        if symbol.split(".")[0] in ("IV", "TV", "Say", "Be", "Do") and symbol.endswith(".sg")
        for pair in zip(words, by_symbol[symbol.removesuffix("sg") + "pl"], strict=True)
    ]
    determiners = [("this", "these"), ("every", "all"), ("a", "many")]
    return {
        kind: {place[a]: place[b] for pair in pairs for a, b in (pair, pair[::-1])}
        for kind, pairs in (("verb", verbs), ("determiner", determiners))
    }


def _flipped(
    written: Written, flips: dict[str, dict[int, int]], generator: np.random.Generator
) -> list[tuple[np.ndarray, MinimalPair]]:
    pairs = []
    attractors = written.attractors()
    for number in range(len(written)):
        span = written.span(number)
        words, between = written.words[span].tolist(), attractors[span]
        kind = ("verb", "determiner")[number % 2]
        where = [place for place, word in enumerate(words) if word in flips[kind]]
        if kind == "verb":
            where = [place for place in where if between[place] >= 0]
            where = [place for place in where if between[place] == max(between[where])]
        if where:
            place = where[int(generator.integers(len(where)))]
            bad = np.array([flips[kind][word] if at == place else word for at, word in enumerate(words)])
            text = " ".join(written.vocabulary[word] for word in bad)
            count = int(between[place]) if kind == "verb" else 0
            pairs.append((bad, MinimalPair(written.text(number), text, place, kind, count)))
    return pairs


def _impossible(grammar: Grammar, flipped: list[tuple[np.ndarray, MinimalPair]]) -> Iterator[tuple[str, MinimalPair]]:
    table = np.full((len(flipped), max(len(words) for words, _ in flipped)), PAD)
    for row, (words, _) in enumerate(flipped):
        table[row, : len(words)] = words
    wrong = topic_likelihood(grammar, "english", table).sum(1) == 0
    return ((pair.kind, pair) for (_, pair), is_wrong in zip(flipped, wrong, strict=True) if is_wrong)


def acceptability(grammar: Grammar, seed: int, purpose: str, count: int) -> Texts:
    """Is this a sentence? Half have a verb or determiner that does not agree, each without its better half."""
    pairs = minimal_pairs(grammar, seed, purpose, count)  # verb, determiner, verb, ...: labels change every two
    labels = [1 - place // 2 % 2 for place in range(count)]
    sentences = [(pair.good if label else pair.bad,) for pair, label in zip(pairs, labels, strict=True)]
    return Texts(sentences, labels, ("unacceptable", "acceptable"))


def paraphrase(grammar: Grammar, seed: int, purpose: str, count: int) -> Texts:
    """Do the two say the same? One is the other in the passive, or with a coordination turned round; where they do not
    say the same, roles are exchanged as well (the nouns are then the same), or one content word is another."""
    sentences: list[tuple[str, ...]] = []
    for root, topic, generator in _drawn(grammar, seed, purpose):
        if len(sentences) == count:
            break
        tree: Node | None = root
        if len(sentences) % 2 == 0:
            tree = exchanged(grammar, root) if generator.random() < 0.5 else None
            where = places(grammar, root, topic)
            if tree is None and where:
                tree = replaced(grammar, root, topic, [where[int(generator.integers(len(where)))]], generator)
        forms = [form for change in (passive, turned_round) if tree and (form := change(grammar, tree))]
        if forms:
            pair = (_text(grammar, root), _text(grammar, forms[int(generator.integers(len(forms)))]))
            sentences.append(pair if generator.random() < 0.5 else pair[::-1])
    return Texts(sentences, [place % 2 for place in range(count)], ("different", "same"))


def entailment(grammar: Grammar, seed: int, purpose: str, count: int) -> Texts:
    """Does the second follow from the first? By monotonicity: leaving out a modifier, a member of a coordination or an
    agent weakens a sentence ("every", "most", "not" and what is said or thought aside).

    Entailment: the second is weaker. Contradiction: it denies what follows. Neutral: the first is weaker, or the second
    is (or denies) what would follow if a noun or verb were another.
    """
    sentences: list[tuple[str, ...]] = []
    for root, topic, generator in _drawn(grammar, seed, purpose):
        if len(sentences) == count:
            break
        options = weaker(grammar, root)
        kind = ENTAILMENT[len(sentences) % 3]
        first, second = root, options[int(generator.integers(len(options)))] if options else None
        if kind == "contradiction":
            second = denied(grammar, second or root)
        elif kind == "neutral" and second is not None:
            draw = generator.random()
            if draw < 1 / 3:
                first, second = second, root
            elif where := places(grammar, second, topic, {"N", "Name", "IV"}):
                second = replaced(grammar, second, topic, [where[int(generator.integers(len(where)))]], generator)
            if content(grammar, second) <= content(grammar, first):  # it may follow after all
                continue
            second = (denied(grammar, second) if draw > 2 / 3 else None) or second
        if second is not None:
            sentences.append((_text(grammar, first), _text(grammar, second)))
    return Texts(sentences, [place % 3 for place in range(count)], ENTAILMENT)


def similarity(grammar: Grammar, seed: int, purpose: str, count: int) -> Texts:
    """How much do the two have in common? 5 (1 - k/K) where k of K content words differ; the wording (voice, order)
    does not count, and changes in half of the pairs that allow it."""
    sentences: list[tuple[str, ...]] = []
    scores: list[float] = []
    for root, topic, generator in _drawn(grammar, seed, purpose):
        if len(sentences) == count:
            break
        where = places(grammar, root, topic)
        if len(where) < 2:
            continue
        number = int(generator.integers(len(where) + 1))
        chosen = [where[place] for place in generator.choice(len(where), number, replace=False)]
        tree = replaced(grammar, root, topic, chosen, generator)
        forms = [form for change in (passive, turned_round) if (form := change(grammar, tree))]
        if forms and generator.random() < 0.5:
            tree = forms[int(generator.integers(len(forms)))]
        sentences.append((_text(grammar, root), _text(grammar, tree)))
        scores.append(5 * (1 - number / len(where)))
    return Texts(sentences, scores, ())


def questions(grammar: Grammar, seed: int, purpose: str, count: int) -> list[Answered]:
    """Questions about one sentence of a document, answered by a span of words: who or what does it (the subject), to
    whom or what (the object), and where. The verb asked about stands nowhere else in the document."""
    return list(islice(_questions(grammar, seed, purpose), count))


def _questions(grammar: Grammar, seed: int, purpose: str) -> Iterator[Answered]:
    for (first, second), _, generator in document_trees(grammar, seed, purpose):
        asked = int(generator.integers(2))
        options = list(askable(grammar, (first, second)[asked]))
        if options:
            question, start, stop, verb = options[int(generator.integers(len(options)))]
            before = len(spoken(grammar, first)) if asked else 0
            words = spoken(grammar, first) + spoken(grammar, second)
            if occurrences(grammar, verb, words) == 1:
                yield Answered(" ".join(question), " ".join(words), before + start, before + stop)


def document_trees(
    grammar: Grammar, seed: int, purpose: str
) -> Iterator[tuple[tuple[Node, Node], int, np.random.Generator]]:
    """Document after document: its two sentences, and its topic."""
    for derivations, generator in _blocks(grammar, seed, purpose):
        roots = trees(derivations)
        for pair, topic in zip(
            zip(roots[0::2], roots[1::2], strict=True), derivations.topic[0::2].tolist(), strict=True
        ):
            yield pair, topic, generator


def occurrences(grammar: Grammar, verb: Node, words: list[str]) -> int:
    """How often a verb stands among words, in either number."""
    forms = {form for number in ("sg", "pl") for form in spoken(grammar, renumbered(grammar, verb, number))}
    return sum(word in forms for word in words)


def askable(grammar: Grammar, root: Node) -> Iterator[tuple[list[str], int, int, Node]]:
    """Question, the answer's first word and the word after its last, and the verb."""
    predicate = root.descend("Main", "VP", "Predicate")
    action = predicate.descend("Action") if predicate else None
    main = root.descend("Main")
    if main is None or predicate is None or action is None or len(main.children[1].children) != 1:
        return
    subject, verb = main.children[0], action.children[0]
    who = spoken(grammar, subject)
    yield [_asking(subject), *spoken(grammar, main.children[1]), "?"], 0, len(who), verb
    do = "does" if verb.features[-1] == "sg" else "do"
    base = spoken(grammar, same_word(grammar, verb, ".".join([f"{verb.kind}neg", *verb.features[:-1]])))
    doing = [do, *who, *base]
    parts = transitive(root) if plain(root) else None
    if parts:
        start = len(who) + 1
        yield [_asking(parts[3]), *doing, "?"], start, start + len(spoken(grammar, parts[3])), verb
    where = predicate.descend("Where")
    if where is not None and where.children[0].kind == "In":
        rest = [word for child in action.children[1:] for word in spoken(grammar, child)]
        start = len(who) + len(spoken(grammar, action))
        yield ["where", *doing, *rest, "?"], start, start + len(spoken(grammar, where)), verb


def _asking(phrase: Node) -> str:
    return "who" if phrase.features[0] == "person" else "what"


def tagging(grammar: Grammar, seed: int, purpose: str, count: int) -> list[Tagged]:
    """The universal part of speech of every word ("that" is a pronoun, a conjunction or a determiner)."""
    written = documents(grammar, seed, purpose, 0, -(-count // 2)).english
    return [Tagged(written.forms(number), written.tags[written.span(number)].tolist()) for number in range(count)]
