"""What a network is tuned on: the six tasks of the grammar, or tasks of a GLUE folder, all in one form."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from phantastic.data import glue, superglue
from phantastic.data.files import folder as existing_folder
from phantastic.data.text_metrics import MEASURES
from phantastic.ground.errors import Refused
from phantastic.world import language_tasks, sentences

Kind = Literal["class", "score", "span", "tags"]
GRAMMAR = ("acceptability", "paraphrase", "entailment", "similarity", "questions", "tagging")
SPARE = 64  # test examples beyond twice the number, in place of those that are learned from
GLUE = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI")
SUPERGLUE = ("BoolQ", "CB")  # RTE, which both have, is read in the format it is found in
SUPERGLUE_AX = ("AX-b", "AX-g")
SQUAD, CONLL = FURTHER = ("SQuAD-2.0", "CoNLL-2003")  # read by `tuning.further`


class Answer(NamedTuple):
    """A span of the second text: its first character, and its text, which is empty where the text does not answer;
    ``also``: other texts that are as right."""

    start: int
    text: str
    also: tuple[str, ...] = ()


class Example(NamedTuple):
    """One text, two, or (for tags) words; with a class, a score, an answer or a tag for each word."""

    texts: tuple[str, ...]
    target: int | float | Answer | Sequence[int]


class Task(NamedTuple):
    """A task with its examples to learn from and to be measured on.

    ``labels`` is the number of classes or tags, 1 for a score; ``measures`` are official ones of
    `phantastic.data.text_metrics`, the first being the one to compare by. ``also``: what else is asked of the network
    that learned it (MNLI's mismatched sentences, the diagnostic sets), with the same ``train``. ``dev``: where some
    questions have no answer, those by which it is settled when none is given (`tuning.nulls`).
    """

    name: str
    kind: Kind
    labels: int
    measures: tuple[str, ...]
    train: list[Example]
    test: list[Example]
    also: tuple["Task", ...] = ()
    dev: tuple[Example, ...] = ()


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
        learned, measured = apart(splits[0], splits[1], test_count)
        return Task(name, kind, max(1, len(train.classes)), measures, learned, measured)

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
    answered = apart(questions[0], questions[1], test, slice(1, None))
    labelled = apart(tagged[0], tagged[1], test, None)
    return (
        texts("acceptability", "class", ("matthews", "accuracy")),
        texts("paraphrase", "class", ("f1", "accuracy")),
        texts("entailment", "class", ("accuracy",)),
        texts("similarity", "score", ("pearson", "spearman")),
        Task("questions", "span", 2, ("f1", "exact"), answered[0], answered[1]),
        Task("tagging", "tags", len(grammar.tags), ("accuracy",), labelled[0], labelled[1]),
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
    """Those tasks of GLUE, and of SuperGLUE those in the same form, that a folder holds, the first ``train`` and
    ``test`` rows of each; 0 means all. Raises `Refused` where there is none, and for a row that is not as released."""
    place = existing_folder(folder, f"a folder that holds folders {', '.join((*GLUE, *SUPERGLUE, *FURTHER))}, or some")
    found = tuple(
        of_glue(name, place, train, test) if not in_lines(name, place) else of_superglue(name, place, train, test)
        for name in (*GLUE, *SUPERGLUE)
        if (place / name).is_dir()
    )
    if not found:
        raise Refused(
            f"{folder!r} holds none of the folders {', '.join((*GLUE, *SUPERGLUE, *FURTHER))}; each is to hold "
            "train.tsv and dev.tsv, of SuperGLUE train.jsonl and val.jsonl, SQuAD-2.0 train-v2.0.json and "
            "dev-v2.0.json, CoNLL-2003 eng.train and eng.testb"
        )
    return found


def in_lines(name: str, place: Path) -> bool:
    """Whether a task stands there as SuperGLUE releases it."""
    return name in superglue.TASKS and (name in SUPERGLUE or superglue.path_of(name, "train", place).is_file())


def of_glue(name: str, place: Path, train: int, test: int) -> Task:
    classes, development = glue.TASKS[name].classes, "dev_matched" if name == "MNLI" else "dev"
    learned, measured = (
        examples(glue.load(name, split, place), most) for split, most in (("train", train), (development, test))
    )
    kind: Kind = "class" if classes else "score"
    task = Task(name, kind, max(1, len(classes)), MEASURES[name], learned, measured)
    if name != "MNLI":
        return task
    mismatched = examples(glue.load(name, "dev_mismatched", place), test)
    also = [task._replace(name="MNLI-mm", test=mismatched)]
    if diagnostic(place):
        split = glue.load("AX", "test", place)
        if split.labels is not None:
            also.append(task._replace(name="AX", measures=MEASURES["AX"], test=examples(split, 0)))
    return task._replace(also=tuple(also))


def of_superglue(name: str, place: Path, train: int, test: int) -> Task:
    learned, measured = (
        examples(superglue.load(name, split, place), most) for split, most in (("train", train), ("dev", test))
    )
    task = Task(name, "class", len(superglue.TASKS[name].classes), MEASURES[name], learned, measured)
    if name != "RTE":
        return task
    others = {each: superglue.load(each, "test", place) for each in SUPERGLUE_AX if (place / each).is_dir()}
    also = (
        task._replace(name=each, measures=MEASURES[each], test=examples(split, 0))
        for each, split in others.items()
        if split.labels is not None
    )
    return task._replace(also=tuple(also))


def diagnostic(place: Path) -> bool:
    return any((place / name).is_dir() for name in glue.FOLDERS["AX"])


def lacking(folder: str) -> tuple[list[str], list[str]]:
    """GLUE's tasks that a folder does not hold, and folders in it that are none of the tasks that are read."""
    place = Path(folder)
    read = {*GLUE, *SUPERGLUE, *SUPERGLUE_AX, *FURTHER, *glue.FOLDERS["AX"]}
    others = sorted(each.name for each in place.iterdir() if each.is_dir() and each.name not in read)
    absent = [name for name in GLUE if not (place / name).is_dir()]
    return absent + ([] if diagnostic(place) else ["AX"]), [name for name in others if not name.startswith(".")]


def examples(split: glue.Examples, most: int) -> list[Example]:
    if split.labels is None:
        raise Refused(f"{split.source} has no labels; they are needed to learn and to measure")
    pairs = zip(split.sentences, split.labels, strict=True)
    return [Example(texts, label) for texts, label in pairs][: most or None]


def unlabelled(task: str, folder: str) -> list[glue.Examples]:
    """The test sets that the leaderboard marks, where the folder holds them; of MNLI three."""
    place = Path(folder)
    if in_lines(task, place):
        return [superglue.load(task, "test", place)] if superglue.path_of(task, "test", place).is_file() else []
    splits = ("test_matched", "test_mismatched") if task == "MNLI" else ("test",)
    found = [glue.load(task, split, place) for split in splits if (place / task / f"{split}.tsv").is_file()]
    return [*found, glue.load("AX", "test", place)] if task == "MNLI" and diagnostic(place) else found


def write_submission(predictions: Sequence[Any], examples: glue.Examples, folder: Path) -> Path:
    """As the leaderboard takes it."""
    if examples.source.endswith(".jsonl"):
        return superglue.write_submission(predictions, examples, folder)
    mismatched = examples.source.endswith("mismatched.tsv")
    return glue.write_submission(examples.task, predictions, examples, folder, mismatched=mismatched)
