"""What a sentence of the grammar can be turned into, and what that does to its meaning.

Each function takes the tree of a sentence and returns another, or None where the sentence is not of the kind.
"""

from collections.abc import Iterator

import numpy as np

from phantastic.world.sentences.edit import (
    Node,
    changed,
    deeper,
    english,
    leaf,
    make,
    others,
    renumbered,
    same_word,
    spoken,
)
from phantastic.world.sentences.grammar import Grammar

DEFINITE = {"the", "this", "that", "these", "those"}
_PATH = ("Main", "VP", "Predicate", "Action")
CONTENT = {"N", "Name", "Adj", "IV", "TV", "IVneg", "TVneg", "Vpart", "Say", "Quickly", "Often"}


def plain(root: Node) -> tuple[Node, Node, Node] | None:
    """Clause, subject and action of a sentence that is a subject and an action, nothing else."""
    main, phrase, action = (root.descend(*path) for path in (_PATH[:1], _PATH[:2], _PATH))
    if main is None or phrase is None or action is None:
        return None
    alone = len(phrase.children) == len(phrase.children[0].children) == 1
    return (main, main.children[0], action) if alone else None


def transitive(root: Node) -> tuple[Node, Node, Node, Node] | None:
    """Clause, subject, verb and object of a plain sentence."""
    parts = plain(root)
    if parts is None or len(parts[2].children) != 2:
        return None
    main, subject, action = parts
    verb, wrapped = action.children
    return main, subject, verb, wrapped.children[0]


def _said(grammar: Grammar, subject: Node, predicate: Node) -> Node:
    """A clause of a subject and a predicate that agrees with it."""
    level = predicate.features[-1]
    phrase = make(grammar, ".".join(["VP", *predicate.features]), predicate)
    return make(grammar, f"Main.{level}", subject, phrase)


def passive(grammar: Grammar, root: Node) -> Node | None:
    """The passive of a transitive sentence: the same meaning."""
    parts = transitive(root)
    if parts is None:
        return None
    main, subject, verb, patient = parts
    actor, kind, _ = verb.features
    number, level = patient.features[1:]
    agent = make(grammar, f"By.{actor}.{level}", make(grammar, f"Object.{actor}.{level}", subject))
    verbal = make(grammar, f"Passive.{kind}.{level}", same_word(grammar, verb, f"Vpart.{actor}.{kind}"), agent)
    be = leaf(grammar, f"Be.{number}", "is" if number == "sg" else "are")
    predicate = make(grammar, f"Predicate.{kind}.{number}.{level}", be, verbal)
    return changed(root, main, _said(grammar, patient, predicate))


def without_agent(grammar: Grammar, root: Node) -> Node | None:
    """A passive sentence without its "by" phrase: it follows."""
    phrase, verbal = root.descend("Main", "VP"), root.descend("Main", "VP", "Predicate", "Passive")
    if phrase is None or verbal is None or len(phrase.children) != 1 or len(verbal.children) != 2:
        return None
    return changed(root, verbal, make(grammar, verbal.symbol, verbal.children[0]))


def turned_round(grammar: Grammar, root: Node) -> Node | None:
    """The members of the outermost coordination, of noun phrases or sentences, in the other order: the same meaning."""
    for node in root.nodes():
        if node.kind in ("NP", "Pair") and len(node.children) == 3:
            first, link, second = node.children
            if spoken(grammar, first) == spoken(grammar, second):
                return None
            return changed(root, node, make(grammar, node.symbol, second, link, first))
    return None


def exchanged(grammar: Grammar, root: Node) -> Node | None:
    """Who did it and to whom it was done, the other way round, where the two are of one class: another meaning."""
    parts = transitive(root)
    if parts is None:
        return None
    main, subject, verb, patient = parts
    kind, number, level = patient.features
    if subject.features[0] != kind or spoken(grammar, subject) == spoken(grammar, patient):
        return None
    agreeing = renumbered(grammar, verb, number)
    wrapped = make(grammar, f"Object.{kind}.{level}", subject)
    action = make(grammar, f"Action.{kind}.{number}.{level}", agreeing, wrapped)
    predicate = make(grammar, f"Predicate.{kind}.{number}.{level}", action)
    return changed(root, main, _said(grammar, patient, predicate))


def denied(grammar: Grammar, root: Node) -> Node | None:
    """The negation of a plain sentence whose subject is definite: both cannot be true."""
    parts = plain(root)
    if parts is None or not refers(grammar, parts[1], DEFINITE):
        return None
    main, subject, action = parts
    kind, number, level = action.features
    verb, *rest = action.children
    negative = same_word(grammar, verb, ".".join([f"{verb.kind}neg", *verb.features[:-1]]))
    do = leaf(grammar, f"Do.{number}", "does" if number == "sg" else "do")
    verbal = make(grammar, f"Negated.{kind}.{level}", negative, *rest)
    predicate = make(grammar, f"Predicate.{kind}.{number}.{level}", do, verbal)
    return changed(root, main, _said(grammar, subject, predicate))


def places(grammar: Grammar, root: Node, topic: int, kinds: set[str] = CONTENT) -> list[Node]:
    """The content words in whose place the topic has others."""
    return [node for node in root.nodes() if node.kind in kinds and others(grammar, node, topic)]


def replaced(grammar: Grammar, root: Node, topic: int, nodes: list[Node], generator: np.random.Generator) -> Node:
    """Other words of the same kind and topic in place of ``nodes``: another meaning."""
    for node in nodes:
        options = others(grammar, node, topic)
        root = changed(root, node, options[int(generator.integers(len(options)))])
    return root


def refers(grammar: Grammar, phrase: Node, determiners: set[str] = DEFINITE | {"a"}) -> bool:
    """Whether a noun phrase speaks of something by name or with one of these determiners, not of "every" or "most"."""
    first = next((node for node in phrase.nodes() if node.kind in ("Det", "Name")), None)
    return first is not None and (first.kind == "Name" or english(grammar, first) in determiners)


def content(grammar: Grammar, root: Node) -> set[str]:
    """The nouns, names, adjectives, adverbs, prepositions and intransitive verbs of a sentence: what stays the same
    word in every voice and number."""
    kinds = {"N", "Name", "Adj", "IV", "Often", "Quickly", "In"}
    return {grammar.entries[node.entry][2] for node in root.nodes() if node.kind in kinds}


def upward(grammar: Grammar, node: Node) -> Iterator[Node]:
    """The nodes where leaving something out keeps a sentence true: not below a negation or what is said or thought, and
    not within a noun phrase that does not refer ("every old cow sleeps" does not make every cow sleep)."""
    if node.kind in ("Negated", "Sub") or (node.kind == "NP" and not refers(grammar, node)):
        return
    yield node
    for child in node.children:
        yield from upward(grammar, child)


def weaker(grammar: Grammar, root: Node) -> list[Node]:
    """What follows from the sentence: an adjective, adverb, prepositional phrase, relative clause, agent or a member of
    a coordination of predicates or sentences left out."""
    voices = [root, passive(grammar, root)]
    weakened = [short for voice in voices if voice and (short := without_agent(grammar, voice))]
    for node in upward(grammar, root):
        kinds = [child.kind for child in node.children]
        remaining: list[Node] = []
        if kinds in (["Base", "PP"], ["Base", "RC"]):
            remaining = [node.children[0]]
        elif kinds == ["Adj", "N"]:
            remaining = [node.children[1]]
        elif kinds in (["Often", "Action"], ["Action", "Quickly"]):
            remaining = [child for child in node.children if child.kind == "Action"]
        elif kinds == ["Action", "Where"]:
            remaining = [deeper(grammar, node.children[0])]
        elif kinds == ["Predicate", "And", "Predicate"]:
            remaining = [deeper(grammar, node.children[0]), deeper(grammar, node.children[2])]
        elif node.kind == "Pair":
            weakened += [make(grammar, root.symbol, deeper(grammar, node.children[place])) for place in (0, 2)]
        weakened += [changed(root, node, make(grammar, node.symbol, child)) for child in remaining]
    return weakened
