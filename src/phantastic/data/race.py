"""RACE (Lai et al. 2017): reading comprehension with four options, from the released folders of JSON files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phantastic.data.files import folder as existing_folder
from phantastic.data.files import names_in
from phantastic.data.text import field, hub, json_of
from phantastic.data.text_metrics import measure
from phantastic.ground.errors import Refused, nearest

LEVELS, SPLITS, LETTERS = ("middle", "high"), ("train", "dev", "test"), "ABCD"
EXPECTED = "a RACE article (JSON: article, questions, options, answers)"


class Choice(NamedTuple):
    """A question about an article, with four options; a "_" in the question stands for the option."""

    id: str  # as in "high1.txt/0"
    level: str
    article: str
    question: str
    options: tuple[str, ...]
    answer: int  # 0 to 3

    def filled(self, option: int) -> str:
        """The question with an option in its gap or, where it has none, behind it."""
        if "_" in self.question:
            return self.question.replace("_", self.options[option])
        return f"{self.question} {self.options[option]}"


def load(folder: str | Path, split: str) -> list[Choice]:
    """All questions of a split: FOLDER/split/middle/*.txt, then FOLDER/split/high/*.txt (one of them may be missing).

    Raises `Refused` naming the file and the question of what is not as released.
    """
    if split not in SPLITS:
        raise Refused(f"RACE has no split '{split}'{nearest(split, SPLITS)}")
    place = existing_folder(Path(folder) / split, "RACE as released: train, dev and test, each with middle and high")
    choices = []
    for level in LEVELS:
        if (place / level).is_dir():
            names = [name for name in names_in(place / level) if name.endswith(".txt")]
            for name in sorted(names, key=lambda name: (len(name), name)):
                path = place / level / name
                article = json_of(path, EXPECTED)
                choices += _questions(article, repr(str(path)), f"{level}{name}", level)
    if not choices:
        raise Refused(f"{str(place)!r} holds no article; expected middle/*.txt and high/*.txt")
    return choices


def _questions(holder: Any, where: str, name: str, level: str) -> list[Choice]:
    article = field(holder, "article", str, where)
    columns = [field(holder, key, list, where) for key in ("questions", "options", "answers")]
    if len({len(column) for column in columns}) != 1 or not columns[0]:
        counts = ", ".join(
            f"{len(column)} {key}" for key, column in zip(("questions", "options", "answers"), columns, strict=True)
        )
        raise Refused(f"{where}: {counts}; expected as many of each, and at least one")
    return [
        _choice(question, options, answer, article, f"{where}, question {number}", f"{name}/{number}", level)
        for number, (question, options, answer) in enumerate(zip(*columns, strict=True))
    ]


def _choice(question: Any, options: Any, answer: Any, article: str, where: str, key: str, level: str) -> Choice:
    if not isinstance(question, str) or not isinstance(options, list) or len(options) != len(LETTERS):
        raise Refused(f"{where}: expected a question and four options")
    if not all(isinstance(option, str) for option in options):
        raise Refused(f"{where}: an option is not a text")
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS:
        raise Refused(f"{where}: the answer is {answer!r}; allowed: A, B, C, D")
    return Choice(key, level, article, question, tuple(options), LETTERS.index(answer))


def load_hub(split: str, level: str) -> list[Choice]:
    """A split of "middle" or "high" through the package `datasets`."""
    if level not in LEVELS:
        raise Refused(f"RACE has no level '{level}'{nearest(level, LEVELS)}")
    choices = []
    for number, row in enumerate(hub("ehovy/race", level, split.replace("dev", "validation"))):
        where = f"ehovy/race {level} {split}, row {number}"
        article = field(row, "article", str, where)
        key = f"{row.get('example_id', level)}/{number}"
        choices.append(_choice(row["question"], row["options"], row["answer"], article, where, key, level))
    return choices


def evaluate(choices: Sequence[Choice], predicted: Mapping[str, int]) -> dict[str, float]:
    """Accuracy over all questions and by level; predictions are options by question id.

    Raises `Refused` where a question has no prediction.
    """
    lacking = next((choice.id for choice in choices if choice.id not in predicted), None)
    if lacking:
        raise Refused(f"there is no prediction for question {lacking!r}")
    groups = {"accuracy": list(choices)} | {level: [c for c in choices if c.level == level] for level in LEVELS}
    return {
        name: measure("accuracy", [predicted[c.id] for c in group], [c.answer for c in group])
        for name, group in groups.items()
        if group
    }
