"""Tasks whose labels are the same in both languages, because both write the same derivations.

``topic``: which of the six a sentence is about; only content words tell it. ``subject``: of what kind the main clause
speaks, of a person, an animal, a thing or a place; that takes the words and the order in which a language puts them.
``tagging``: the universal part of speech of each word.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused, nearest
from phantastic.tuning.tasks import Example, Task
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
    splits = []
    for split, count in (("train", train), ("test", test)):
        drawn = sentences.documents(grammar, seed, f"transfer {split}", 0, -(-count // 2))
        splits.append(examples(name, getattr(drawn, language))[:count])
    return Task(name, "tags" if name == "tagging" else "class", labels[name], ("accuracy",), *splits)


def chance(task: Task) -> float:
    """The accuracy on the test examples of the answer that is most frequent in the training examples."""
    train, test = (np.hstack([np.asarray(example.target) for example in part]) for part in (task.train, task.test))
    return float((test == np.bincount(train).argmax()).mean())
