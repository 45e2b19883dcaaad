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
    found = of_symbol[derivations.symbol]
    phrases = np.flatnonzero(found >= 0)
    # nodes are numbered generation by generation: the first of a sentence is that of its (first) main clause
    sentence, first = np.unique(derivations.sentence[phrases], return_index=True)
    assert np.array_equal(sentence, np.arange(len(derivations)))
    return found[phrases[first]]


def examples(name: str, written: Written) -> list[Example]:
    """Every sentence with its label, for one of the tasks in `NAMES`."""
    if name not in NAMES:
        raise Refused(f"there is no task '{name}' in two languages{nearest(name, NAMES)}")
    count = range(len(written))
    if name == "tagging":
        return [Example(tuple(written.forms(one)), written.tags[written.span(one)].tolist()) for one in count]
    labels = written.topics if name == "topic" else subjects(written.derivations)
    return [Example((written.text(one),), int(labels[one])) for one in count]


@lru_cache(maxsize=16)
def in_language(name: str, language: str, seed: int, train: int, test: int) -> Task:
    """A task in one of the two languages; in the other the examples are the same sentences, translated."""
    if language not in LANGUAGES:
        raise Refused(f"there is no language '{language}'{nearest(language, LANGUAGES)}")
    known = sentences.grammar()
    labels = {"topic": known.topics, "subject": len(SUBJECTS), "tagging": len(known.tags)}
    splits = []
    for split, count in (("train", train), ("test", test)):
        drawn = sentences.documents(known, seed, f"transfer {split}", 0, -(-count // 2))
        splits.append(examples(name, getattr(drawn, language))[:count])
    return Task(name, "tags" if name == "tagging" else "class", labels[name], ("accuracy",), *splits)


def chance(task: Task) -> float:
    """The accuracy on the test examples of the answer that is most frequent in the training examples."""
    said, asked = (np.hstack([np.asarray(example.target) for example in part]) for part in (task.train, task.test))
    return float((asked == np.bincount(said).argmax()).mean())
