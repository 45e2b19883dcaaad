"""The tasks of SuperGLUE (Wang et al. 2019, NeurIPS) that are pairs of texts with a class: a JSON object in a line.

RTE is GLUE's in another format. AX-b and AX-g are asked of what learned RTE. The others (COPA, MultiRC, ReCoRD, WiC,
WSC) choose among texts, or point into them, and are not read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phantastic.data.files import folder as existing_folder
from phantastic.data.glue import Examples
from phantastic.data.text import field, lines_of
from phantastic.ground.errors import Refused, nearest


class Task(NamedTuple):
    """The keys of the two texts, and the classes in the order in which they are counted."""

    texts: tuple[str, str]
    classes: tuple[str | bool, ...]


_NLI = ("entailment", "not_entailment")
TASKS = {
    "BoolQ": Task(("question", "passage"), (False, True)),
    "CB": Task(("premise", "hypothesis"), ("entailment", "neutral", "contradiction")),
    "RTE": Task(("premise", "hypothesis"), _NLI),
    "AX-b": Task(("sentence1", "sentence2"), _NLI),
    "AX-g": Task(("premise", "hypothesis"), _NLI),
}
UNREAD = ("COPA", "MultiRC", "ReCoRD", "WiC", "WSC")
SPLITS = {"train": "train.jsonl", "dev": "val.jsonl", "test": "test.jsonl"}


def path_of(task: str, split: str, folder: Path) -> Path:
    """Where a split stands; the diagnostic sets have one file, of the task's name."""
    return folder / task / (f"{task}.jsonl" if task.startswith("AX") else SPLITS[split])


def load(task: str, split: str, folder: str | Path) -> Examples:
    """A split ("train", "dev", "test") from a folder that holds the task's, as SuperGLUE releases it.

    Raises `Refused` for a task that is not read, naming the file and line of a row that is not as released.
    """
    if task not in TASKS:
        unread = f"; {task} is no class of two texts" if task in UNREAD else nearest(task, TASKS)
        raise Refused(f"SuperGLUE's '{task}' is not read{unread}; read are {', '.join(TASKS)}")
    if split not in SPLITS:
        raise Refused(f"there is no split '{split}'{nearest(split, SPLITS)}")
    path = path_of(task, split, existing_folder(folder, f"a folder with the files of {task}"))
    sentences, labels, indices = [], [], []
    for number, line in enumerate(lines_of(path, f"{task}'s {split} set as SuperGLUE releases it"), 1):
        where = f"{str(path)!r}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise Refused(f"{where}: {error}; expected a JSON object") from None
        texts = tuple(field(row, key, str, where) for key in TASKS[task].texts)
        if not all(text.strip() for text in texts):
            raise Refused(f"{where}: one of {', '.join(TASKS[task].texts)} is empty")
        sentences.append(texts)
        indices.append(str(field(row, "idx", int, where)))
        if "label" in row:
            labels.append(_label(task, row["label"], where))
    if labels and len(labels) != len(sentences):
        raise Refused(
            f"{str(path)!r}: {len(labels)} of {len(sentences)} rows have a 'label'; all or none are to have one"
        )
    return Examples(task, str(path), sentences, labels or None, indices, [])


def _label(task: str, label: Any, where: str) -> int:
    classes = TASKS[task].classes
    if type(label) is not type(classes[0]) or label not in classes:
        raise Refused(f"{where}: 'label' is {label!r}; allowed: {', '.join(map(json.dumps, classes))}")
    return classes.index(label)


def write_submission(predictions: Sequence[int], examples: Examples, folder: str | Path) -> Path:
    """The file that the leaderboard takes: a line of idx and label for each example."""
    if len(predictions) != len(examples.indices):
        raise Refused(f"{len(predictions)} predictions for {len(examples.indices)} examples of {examples.task}")
    classes = TASKS[examples.task].classes
    rows = zip(examples.indices, predictions, strict=True)
    lines = [json.dumps({"idx": int(index), "label": classes[value]}) for index, value in rows]
    path = existing_folder(folder, "a folder to write the submission into") / f"{examples.task}.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path
