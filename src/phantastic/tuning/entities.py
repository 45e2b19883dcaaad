"""Names in sentences: how good tags are as names, and what can be known of them word by word (CoNLL-2003).

A name counts where its first word, its last and its type are right. Tags are numbered as in `data.conll2003`.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from phantastic.data.conll2003 import OUTSIDE, Entity, entities
from phantastic.tuning.tasks import Example, Task

MEASURES = ("f1", "recall_new", "recall_ordinary")


def valuation(
    task: Task, name: str, answers: Sequence[Sequence[int]]
) -> Callable[[Int[np.ndarray, " examples"]], float]:
    """F1 of the names, 2 right / (said + there); or of some names alone the share that is found: of those with a word
    that no sentence to learn from has ("new"), of those all of whose words are there mostly no names ("ordinary")."""
    usual = dictionary(task.train)

    def counted(entity: Entity, words: Sequence[str]) -> bool:
        own = words[entity.start : entity.stop]
        if name == "recall_new":
            return any(word not in usual for word in own)
        return name == "f1" or all(usual.get(word, 1) == OUTSIDE for word in own)

    right, said, there = [], [], []
    for example, tags in zip(task.test, answers, strict=True):
        asked = {each for each in entities(tags_of(example)) if counted(each, example.texts)}
        guess = entities(tags)
        right.append(len(asked & guess))
        said.append(len(guess))
        there.append(len(asked))
    hits, guesses, names = (np.array(each, float) for each in (right, said, there))
    if name == "f1":
        return lambda rows: float(2 * hits[rows].sum() / max(1.0, (guesses + names)[rows].sum()))
    return lambda rows: float(hits[rows].sum() / max(1.0, names[rows].sum()))


def tags_of(example: Example) -> Sequence[int]:
    assert isinstance(example.target, Sequence)
    return [int(tag) for tag in example.target]  # pyright: ignore[reportArgumentType]


def dictionary(examples: Sequence[Example]) -> dict[str, int]:
    """The most frequent tag of every word."""
    counts: dict[str, Counter[int]] = {}
    for example in examples:
        for word, tag in zip(example.texts, tags_of(example), strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    return {word: max(sorted(of), key=of.__getitem__) for word, of in counts.items()}


def looked_up(task: Task) -> list[list[int]]:
    """The baseline that looks up each word's usual tag; one that it does not know is taken for a name of one word, of
    the most frequent type: in the grammar every such word is part of one."""
    usual = dictionary(task.train)
    firsts = Counter(tag for example in task.train for tag in tags_of(example) if tag % 2)
    unknown = max(sorted(firsts), key=firsts.__getitem__) if firsts else OUTSIDE
    return [[usual.get(word, unknown) for word in example.texts] for example in task.test]


def alone(task: Task) -> Task:
    """The same task without context: every word is a text of its own; as many examples to learn from as before."""

    def apart(examples: Sequence[Example]) -> list[Example]:
        return [
            Example((word,), [tag])
            for example in examples
            for word, tag in zip(example.texts, tags_of(example), strict=True)
        ]

    return task._replace(train=apart(task.train)[: len(task.train)], test=apart(task.test))


def together(task: Task, answers: Sequence[Sequence[int]]) -> list[list[int]]:
    """What was said of single words, by the task's sentences."""
    tags = iter(answers)
    return [[tag for _ in example.texts for tag in next(tags)[:1] or [OUTSIDE]] for example in task.test]
