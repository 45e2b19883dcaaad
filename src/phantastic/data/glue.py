"""The nine GLUE tasks and the diagnostic set AX (Wang et al. 2019) from the files as they are released, and the files
that the leaderboard takes.

Quotes are letters like any other: nothing is unquoted. MRPC and STS-B are also read as they were first published
(msr_paraphrase_*.txt, sts-*.csv); MRPC then has no development set, and its labelled test set stands in for it.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phantastic.data.files import folder as existing_folder
from phantastic.data.text import field, hub, lines_of
from phantastic.ground.errors import Refused, nearest


class Task(NamedTuple):
    """What a task's files call its columns, and its classes in the order in which they are counted."""

    sentences: tuple[str, ...]  # one text column, or two
    label: str
    classes: tuple[str, ...]  # empty for a score
    key: str  # the column that numbers the rows
    submission: str
    hub: tuple[str, tuple[str, ...]]  # the configuration on the hub, its text columns


_NLI = ("entailment", "not_entailment")
_MNLI = ("entailment", "neutral", "contradiction")
TASKS = {
    "CoLA": Task(("sentence",), "label", ("0", "1"), "index", "CoLA", ("cola", ("sentence",))),
    "SST-2": Task(("sentence",), "label", ("0", "1"), "index", "SST-2", ("sst2", ("sentence",))),
    "MRPC": Task(
        ("#1 String", "#2 String"), "Quality", ("0", "1"), "index", "MRPC", ("mrpc", ("sentence1", "sentence2"))
    ),
    "STS-B": Task(("sentence1", "sentence2"), "score", (), "index", "STS-B", ("stsb", ("sentence1", "sentence2"))),
    "QQP": Task(
        ("question1", "question2"), "is_duplicate", ("0", "1"), "id", "QQP", ("qqp", ("question1", "question2"))
    ),
    "MNLI": Task(
        ("sentence1", "sentence2"),
        "gold_label",
        _MNLI,
        "index",
        "MNLI-m",
        ("mnli", ("premise", "hypothesis")),
    ),
    "QNLI": Task(("question", "sentence"), "label", _NLI, "index", "QNLI", ("qnli", ("question", "sentence"))),
    "RTE": Task(("sentence1", "sentence2"), "label", _NLI, "index", "RTE", ("rte", ("sentence1", "sentence2"))),
    "WNLI": Task(
        ("sentence1", "sentence2"), "label", ("0", "1"), "index", "WNLI", ("wnli", ("sentence1", "sentence2"))
    ),
    "AX": Task(  # asked of what learned MNLI
        ("sentence1", "sentence2"), "label", _MNLI, "index", "AX", ("ax", ("premise", "hypothesis"))
    ),
}
SPLITS = ("train", "dev", "test")
AX_SPLITS = ("test",)
MNLI_SPLITS = ("train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched")
FIRST_PUBLISHED = {  # the names of the files
    "MRPC": {
        "train": ("msr_paraphrase_train.txt",),
        "dev": ("msr_paraphrase_test.txt",),
        "test": ("msr_paraphrase_test.txt",),
    },
    "STS-B": {split: (f"sts-{split}.csv",) for split in SPLITS},
    "AX": {"test": ("diagnostic-full.tsv", "diagnostic.tsv", "AX.tsv")},
}
FOLDERS = {"AX": ("AX", "diagnostic")}  # where a task's files stand, if not in a folder of its name
_AX_FULL = {"Premise": "sentence1", "Hypothesis": "sentence2", "Label": "label"}  # the columns of the labelled one
_STS_COLUMNS = ("genre", "filename", "year", "old_index", "score", "sentence1", "sentence2")  # sts-*.csv has no header


class Examples(NamedTuple):
    """A split of a task. A label is the number of a class, or a score from 0 to 5; None for an unlabelled test set."""

    task: str
    source: str
    sentences: list[tuple[str, ...]]  # one text or two
    labels: list[int] | list[float] | None
    indices: list[str]  # as the file numbers its rows; the place in the file where it does not
    damaged: list[str]  # rows left out, where that was asked for: "line 7: ..."


def known(task: str, split: str) -> Task:
    """The task, or Refused with the nearest name."""
    if task not in TASKS:
        raise Refused(f"there is no GLUE task '{task}'{nearest(task, TASKS)}")
    splits = {"MNLI": MNLI_SPLITS, "AX": AX_SPLITS}.get(task, SPLITS)
    if split not in splits:
        raise Refused(f"{task} has no split '{split}'{nearest(split, splits)}")
    return TASKS[task]


def load(task: str, split: str, folder: str | Path | None = None, *, skip_damaged: bool = False) -> Examples:
    """A split from a folder that holds the task's files, or a folder of the task's name that does; without one, through
    the package `datasets`.

    Raises `Refused` naming the file and the line of a row that is not as released. With ``skip_damaged`` such rows are
    left out and listed (the released QQP holds a few).
    """
    columns = known(task, split)
    if folder is None:
        return _from_hub(task, split)
    path = _file(task, split, existing_folder(folder, f"a folder with the files of {task}"))
    if path.suffix == ".csv":
        return _sts(path, skip_damaged)
    expected = f"{task}'s {split} set as GLUE releases it (tab-separated)"
    lines = lines_of(path, expected)
    if task == "CoLA" and split != "test":
        names, first = ["source", "label", "mark", "sentence"], 1
    else:
        names, first = [_AX_FULL.get(name, name) if task == "AX" else name for name in lines[0].split("\t")], 2
    wanted = (
        list(columns.sentences)
        if split.startswith("test") and columns.label not in names
        else [*columns.sentences, columns.label]
    )
    _columns(path, names, wanted)
    return _rows(task, path, names, lines[first - 1 :], first, columns.label in names, skip_damaged)


def _file(task: str, split: str, folder: Path) -> Path:
    names = [f"{split}.tsv", *FIRST_PUBLISHED.get(task, {}).get(split, ())]
    parents = [*(folder / name for name in FOLDERS.get(task, (task,))), folder]
    places = [parent / name for parent in parents for name in names]
    for path in places:
        if path.is_file():
            return path
    raise Refused(f"{str(folder)!r} holds no {split} set of {task}; expected {' or '.join(names)} in it or in {task}/")


def _columns(path: Path, names: list[str], wanted: list[str]) -> None:
    for name in wanted:
        if names.count(name) != 1:
            state = "no column" if name not in names else "several columns"
            raise Refused(f"{str(path)!r}, line 1: {state} '{name}'{nearest(name, names)}")


def _rows(
    task: str, path: Path, names: list[str], lines: list[str], first: int, labelled: bool, skip_damaged: bool
) -> Examples:
    columns = TASKS[task]
    texts = [names.index(name) for name in columns.sentences]
    examples = Examples(task, str(path), [], [] if labelled else None, [], [])
    for number, line in enumerate(lines, first):
        cells = line.split("\t")
        try:
            if len(cells) != len(names):
                raise ValueError(f"{len(cells)} cells where there are {len(names)} columns ({', '.join(names)})")
            sentences = tuple(cells[place] for place in texts)
            empty = next(
                (name for name, text in zip(columns.sentences, sentences, strict=True) if not text.strip()), None
            )
            if empty:
                raise ValueError(f"'{empty}' is empty")
            label = _label(columns, cells[names.index(columns.label)]) if labelled else None
        except ValueError as error:
            if not skip_damaged:
                raise Refused(f"{str(path)!r}, line {number}: {error}") from None
            examples.damaged.append(f"line {number}: {error}")
            continue
        examples.sentences.append(sentences)
        if examples.labels is not None:
            examples.labels.append(label)  # pyright: ignore[reportArgumentType]
        examples.indices.append(cells[names.index(columns.key)] if columns.key in names else str(number - first))
    return examples


def _label(task: Task, cell: str) -> int | float:
    if task.classes:
        if cell not in task.classes:
            raise ValueError(f"'{task.label}' is {cell!r}; allowed: {', '.join(task.classes)}")
        return task.classes.index(cell)
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 5:
        raise ValueError(f"the similarity is {cell!r}; allowed: 0 to 5")
    return value


def _sts(path: Path, skip_damaged: bool) -> Examples:
    """sts-*.csv: tab-separated too; without a header as first published, or with one (sentence1, .., similarity)."""
    lines = lines_of(path, "the STS benchmark (tab-separated)")
    first = 1 + ("sentence1" in lines[0].split("\t"))
    if first == 2:
        names = [{"similarity": "score", "": "index"}.get(name, name) for name in lines[0].split("\t")]
    else:  # two columns of sources may follow, in some rows only
        names = [str(name) for name in _STS_COLUMNS]
        lines = ["\t".join(line.split("\t")[: len(names)]) for line in lines]
    _columns(path, names, ["sentence1", "sentence2", "score"])
    return _rows("STS-B", path, names, lines[first - 1 :], first, True, skip_damaged)


def _from_hub(task: str, split: str) -> Examples:
    columns = TASKS[task]
    configuration, texts = columns.hub
    rows = hub("nyu-mll/glue", configuration, split.replace("dev", "validation"))
    examples = Examples(task, f"nyu-mll/glue {configuration} {split}", [], [], [], [])
    labels: list[float] = []
    for number, row in enumerate(rows):
        where = f"{examples.source}, row {number}"
        examples.sentences.append(tuple(field(row, text, str, where) for text in texts))
        labels.append(row["label"])
        examples.indices.append(str(row.get("idx", number)))
    hidden = all(label == -1 for label in labels)
    return examples._replace(labels=None if hidden else labels)


def write_submission(
    task: str, predictions: Sequence[float], examples: Examples, folder: str | Path, *, mismatched: bool = False
) -> Path:
    """The file that the leaderboard takes for a task (``MNLI-mm.tsv`` where ``mismatched``): index and prediction.

    Predictions are numbers of classes, or scores, which are cut to 0..5. Raises `Refused` where their number is not
    that of the examples, or one of them is no class.
    """
    columns = known(task, "test_matched" if task == "MNLI" else "test")
    if len(predictions) != len(examples.indices) or examples.task != task:
        raise Refused(f"{len(predictions)} predictions for {len(examples.indices)} examples of {examples.task}")
    name = "MNLI-mm" if mismatched and task == "MNLI" else columns.submission
    lines = ["index\tprediction"]
    for index, value in zip(examples.indices, predictions, strict=True):
        if not math.isfinite(value):
            raise Refused(f"{task}, index {index}: the prediction {value} is not a finite number")
        if not columns.classes:
            lines.append(f"{index}\t{min(max(float(value), 0.0), 5.0):.3f}")
        elif value not in range(len(columns.classes)):
            raise Refused(f"{task}, index {index}: {value} is no class; allowed: 0 to {len(columns.classes) - 1}")
        else:
            lines.append(f"{index}\t{columns.classes[int(value)]}")
    path = existing_folder(folder, "a folder to write the submission into") / f"{name}.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path
