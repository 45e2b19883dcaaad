"""Questions answered by a span of a text: SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018), from the released JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from phantastic.data.text import field, hub, json_of
from phantastic.data.text_metrics import squad_measures
from phantastic.ground.errors import Refused, nearest

EXPECTED = "SQuAD 1.1 or 2.0 (JSON)"
_HUB = {"1.1": "rajpurkar/squad", "2.0": "rajpurkar/squad_v2"}


class Answer(NamedTuple):
    """A span of the context: its text, and the character at which it starts."""

    text: str
    start: int


class Question(NamedTuple):
    """A question about a text. Without answers (SQuAD 2.0 only) the text does not answer it."""

    id: str
    question: str
    context: str
    title: str
    answers: tuple[Answer, ...]


def load(path: str | Path) -> list[Question]:
    """All questions of a file, in its order.

    Raises `Refused` naming the file and the place in it (data[3].paragraphs[0].qas[2]) of what is not as released: a
    missing or empty field, an answer that is not the text at its start, an id used twice.
    """
    questions: list[Question] = []
    ids: set[str] = set()
    holder = json_of(path, EXPECTED)
    for i, article in enumerate(field(holder, "data", list, repr(str(path)))):
        where = f"{str(path)!r}, data[{i}]"
        for j, paragraph in enumerate(field(article, "paragraphs", list, where)):
            at = f"{where}.paragraphs[{j}]"
            context = field(paragraph, "context", str, at)
            for k, entry in enumerate(field(paragraph, "qas", list, at)):
                questions.append(_question(entry, context, article.get("title", ""), f"{at}.qas[{k}]", ids))
    if not questions:
        raise Refused(f"{str(path)!r} holds no question; expected {EXPECTED}")
    return questions


def _question(entry: dict, context: str, title: str, where: str, ids: set[str]) -> Question:
    key, question = field(entry, "id", str, where), field(entry, "question", str, where)
    if key in ids:
        raise Refused(f"{where}: the id {key!r} was used before")
    ids.add(key)
    if not question.strip():
        raise Refused(f"{where}: the question is empty")
    impossible = "is_impossible" in entry and field(entry, "is_impossible", bool, where)
    answers = []
    for number, answer in enumerate(field(entry, "answers", list, where)):
        at = f"{where}.answers[{number}]"
        answers.append(
            _checked(Answer(field(answer, "text", str, at), field(answer, "answer_start", int, at)), context, at)
        )
    if impossible == bool(answers):
        state = "cannot be answered but has answers" if impossible else "has no answer and is not marked is_impossible"
        raise Refused(f"{where}: the question {state}")
    return Question(key, question, context, title, tuple(answers))


def _checked(answer: Answer, context: str, where: str) -> Answer:
    span = context[answer.start : answer.start + len(answer.text)] if answer.start >= 0 else ""
    if not answer.text or span != answer.text:
        raise Refused(
            f"{where}: {answer.text!r} does not stand at character {answer.start} of the context ({span!r} does)"
        )
    return answer


def load_hub(version: str, split: str) -> list[Question]:
    """SQuAD "1.1" or "2.0", split "train" or "dev", through the package `datasets`."""
    if version not in _HUB:
        raise Refused(f"there is no SQuAD {version}{nearest(version, _HUB)}")
    name = _HUB[version]
    questions = []
    for number, row in enumerate(hub(name, None, split.replace("dev", "validation"))):
        where = f"{name} {split}, row {number}"
        columns = field(row, "answers", dict, where)
        pairs = zip(field(columns, "text", list, where), field(columns, "answer_start", list, where), strict=True)
        context = field(row, "context", str, where)
        answers = tuple(_checked(Answer(text, start), context, where) for text, start in pairs)
        questions.append(Question(row["id"], row["question"], context, row.get("title", ""), answers))
    return questions


def evaluate(
    questions: Sequence[Question], predicted: Mapping[str, str], no_answer: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The official measures, see `squad_measures`: predictions by question id, "" where there is no answer."""
    answers = {question.id: [answer.text for answer in question.answers] for question in questions}
    return squad_measures(predicted, answers, no_answer)


def write_predictions(predicted: Mapping[str, str], path: str | Path) -> Path:
    """The file that the official evaluation takes."""
    Path(path).write_text(json.dumps(dict(predicted), ensure_ascii=False), encoding="utf-8")
    return Path(path)
