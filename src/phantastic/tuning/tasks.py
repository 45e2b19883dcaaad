"""What a network is tuned on: the six tasks of the grammar, or tasks of a GLUE folder, all in one form."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from phantastic.data import glue
from phantastic.data.files import folder as existing_folder
from phantastic.data.text_metrics import MEASURES
from phantastic.ground.errors import Refused
from phantastic.world import language_tasks, sentences

Kind = Literal["class", "score", "span", "tags"]
GRAMMAR = ("acceptability", "paraphrase", "entailment", "similarity", "questions", "tagging")
SPARE = 64  # test examples beyond twice the number, in place of those that are learned from
GLUE = ("CoLA", "SST-2", "MRPC", "RTE", "WNLI", "STS-B")


class Answer(NamedTuple):
    """A span of the second text: its first character, and its text."""

    start: int
    text: str


class Example(NamedTuple):
    """One text, two, or (for tags) words; with a class, a score, an answer or a tag for each word."""

    texts: tuple[str, ...]
    target: int | float | Answer | Sequence[int]


class Task(NamedTuple):
    """A task with its examples to learn from and to be measured on.

    ``labels`` is the number of classes or tags, 1 for a score; ``measures`` are official ones of
    `phantastic.data.text_metrics`, the first being the one to compare by.
    """

    name: str
    kind: Kind
    labels: int
    measures: tuple[str, ...]
    train: list[Example]
    test: list[Example]


@lru_cache(maxsize=4)
def of_grammar(seed: int, train: int, test: int) -> tuple[Task, ...]:
    """The six tasks of `phantastic.world.language_tasks`; which examples there are depends on the seed. No sentence to
    be tested on (of questions: no text) stands among those to learn from."""
    grammar, test_count = sentences.grammar(), test
    counts = (("train", train), ("test", 2 * test + SPARE))

    def texts(name: str, kind: Kind, measures: tuple[str, ...]) -> Task:
        cut = getattr(language_tasks, name)
        train, held = (cut(grammar, seed, f"{name} {split}", count) for split, count in counts)
        splits = [
            [Example(texts, label) for texts, label in zip(part.sentences, part.labels, strict=True)]
            for part in (train, held)
        ]
        return Task(name, kind, max(1, len(train.classes)), measures, *apart(*splits, test_count))

    questions = [
        [
            Example((question.question, question.context), Answer(question.start_character, question.answer))
            for question in language_tasks.questions(grammar, seed, f"questions {split}", count)
        ]
        for split, count in counts
    ]
    tagged = [
        [
            Example(tuple(sentence.words), sentence.tags)
            for sentence in language_tasks.tagging(grammar, seed, f"tagging {split}", count)
        ]
        for split, count in counts
    ]
    return (
        texts("acceptability", "class", ("matthews", "accuracy")),
        texts("paraphrase", "class", ("f1", "accuracy")),
        texts("entailment", "class", ("accuracy",)),
        texts("similarity", "score", ("pearson", "spearman")),
        Task("questions", "span", 2, ("f1", "exact"), *apart(*questions, test, slice(1, None))),
        Task("tagging", "tags", len(grammar.tags), ("accuracy",), *apart(*tagged, test, None)),
    )


def apart(
    train: list[Example], test: list[Example], count: int, compared: slice | None = slice(None)
) -> tuple[list[Example], list[Example]]:
    """The first ``count`` test examples of which none of the ``compared`` texts (None: all words together) is among
    those to learn from. Raises `Refused` where there are fewer."""

    def of(example: Example) -> list[object]:
        return [tuple(example.texts)] if compared is None else list(example.texts[compared])

    known = {text for example in train for text in of(example)}
    new = [example for example in test if known.isdisjoint(of(example))]
    if len(new) < count:
        raise Refused(
            f"of {len(test)} test examples {len(new)} are not learned from; {count} are needed: learn from fewer"
        )
    return train, new[:count]


def of_folder(folder: str, train: int, test: int) -> tuple[Task, ...]:
    """Those of CoLA, SST-2, MRPC, RTE, WNLI and STS-B that a folder holds, the first ``train`` and ``test`` rows of
    each; 0 means all. Raises `Refused` where there is none, and for a row that is not as released."""
    place = existing_folder(folder, f"a folder that holds folders {', '.join(GLUE)}, or some of them")
    tasks = []
    for name in GLUE:
        if (place / name).is_dir():
            splits = [glue.load(name, split, place) for split in ("train", "dev")]
            classes = glue.TASKS[name].classes
            kind: Kind = "class" if classes else "score"
            parts = (examples(split, most) for split, most in zip(splits, (train, test), strict=True))
            tasks.append(Task(name, kind, max(1, len(classes)), MEASURES[name], *parts))
    if not tasks:
        raise Refused(f"{folder!r} holds none of the folders {', '.join(GLUE)}; each is to hold train.tsv and dev.tsv")
    return tuple(tasks)


def examples(split: glue.Examples, most: int) -> list[Example]:
    if split.labels is None:
        raise Refused(f"{split.source} has no labels; they are needed to learn and to measure")
    pairs = zip(split.sentences, split.labels, strict=True)
    return [Example(texts, label) for texts, label in pairs][: most or None]


def unlabelled(task: str, folder: str) -> glue.Examples | None:
    """The test set that the leaderboard marks, where the folder holds it."""
    return glue.load(task, "test", folder) if (Path(folder) / task / "test.tsv").is_file() else None
