"""Tasks whose labels are the same in both languages, because both write the same derivations.

``topic``: which of the six a sentence is about; only content words tell it. ``subject``: of what kind the main clause
speaks, of a person, an animal, a thing or a place; a bag of words finds most of them.
``tagging``: the universal part of speech of each word.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused, nearest
from phantastic.tuning.tasks import SPARE, Example, Task
from phantastic.world import sentences
from phantastic.world.sentences import LANGUAGES, Derivations, Written

NAMES = ("topic", "subject", "tagging")
SUBJECTS = ("person", "animal", "thing", "place")


def subjects(derivations: Derivations) -> Int[np.ndarray, " sentences"]:
    """What the subject of the first main clause is, as a place in `SUBJECTS`."""
    grammar = derivations.grammar
    kinds = [symbol.split(".") for symbol in grammar.symbols]
    of_symbol = np.array([SUBJECTS.index(parts[1]) if parts[0] == "VP" else -1 for parts in kinds])
    of_node = of_symbol[derivations.symbol]
    phrases = np.flatnonzero(of_node >= 0)
    # nodes are numbered generation by generation: the first of a sentence is that of its (first) main clause
    sentence, first = np.unique(derivations.sentence[phrases], return_index=True)
    assert np.array_equal(sentence, np.arange(len(derivations)))
    return of_node[phrases[first]]


def examples(name: str, written: Written) -> list[Example]:
    """Every sentence with its label, for one of the tasks in `NAMES`."""
    if name not in NAMES:
        raise Refused(f"there is no task '{name}' in two languages{nearest(name, NAMES)}")
    indices = range(len(written))
    if name == "tagging":
        return [Example(tuple(written.forms(index)), written.tags[written.span(index)].tolist()) for index in indices]
    labels = written.topics if name == "topic" else subjects(written.derivations)
    return [Example((written.text(index),), int(labels[index])) for index in indices]


@lru_cache(maxsize=16)
def in_language(name: str, language: str, seed: int, train: int, test: int) -> Task:
    """A task in one of the two languages; in the other the examples are the same sentences, translated."""
    if language not in LANGUAGES:
        raise Refused(f"there is no language '{language}'{nearest(language, LANGUAGES)}")
    grammar = sentences.grammar()
    labels = {"topic": grammar.topics, "subject": len(SUBJECTS), "tagging": len(grammar.tags)}
    known, new = drawn(seed, train, test)
    learned, tested = (examples(name, getattr(part, language)) for part in (known, new.derivations))
    kept = [tested[index] for index in new.kept]
    return Task(name, "tags" if name == "tagging" else "class", labels[name], ("accuracy",), learned[:train], kept)


class New(NamedTuple):
    """Derivations, and those of them whose sentences are in neither language among those learned from."""

    derivations: Derivations
    kept: list[int]


@lru_cache(maxsize=4)
def drawn(seed: int, train: int, test: int) -> tuple[Derivations, New]:
    """Sentences to learn from and to be tested on."""
    grammar = sentences.grammar()
    known, new = (
        sentences.documents(grammar, seed, f"transfer {split}", 0, -(-count // 2))
        for split, count in (("train", train), ("test", 2 * test + SPARE))
    )
    read = {getattr(known, name).text(index) for name in LANGUAGES for index in range(train)}
    kept = [index for index in range(len(new)) if read.isdisjoint(getattr(new, name).text(index) for name in LANGUAGES)]
    if len(kept) < test:
        raise Refused(
            f"of {len(new)} test sentences {len(kept)} are not learned from; {test} are needed: learn from fewer"
        )
    return known, New(new, kept[:test])


def chance(task: Task) -> float:
    """The accuracy on the test examples of the answer that is most frequent in the training examples."""
    train, test = (np.hstack([np.asarray(example.target) for example in part]) for part in (task.train, task.test))
    return float((test == np.bincount(train).argmax()).mean())
