"""How good the answers are, by each task's official measures, with intervals over resampled test examples."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from phantastic.data import text_metrics
from phantastic.declare.measure import Measure, summarise
from phantastic.measures.bootstrap import over_items
from phantastic.tuning import entities
from phantastic.tuning.tasks import Answer, Task

DRAWS = 300  # of a bootstrap
Some = Int[np.ndarray, " examples"]
Numbers = Float[np.ndarray, " examples"]


def correlation(guess: Numbers, true: Numbers) -> float:
    """Pearson's; 0 where one side never varies."""
    if np.ptp(guess) == 0 or np.ptp(true) == 0:
        return 0.0
    return float(np.corrcoef(guess, true)[0, 1])


def matthews(guess: Numbers, true: Numbers) -> float:
    """Of any number of classes (Gorodkin 2004): the correlation of what class each is said to be with what it is."""
    said, is_ = (values[:, None] == np.unique(np.concatenate([guess, true])) for values in (guess, true))
    said, is_ = said - said.mean(0), is_ - is_.mean(0)
    spread = np.sqrt((said**2).sum() * (is_**2).sum())
    return float((said * is_).sum() / spread) if spread else 0.0


def f1_macro(guess: Numbers, true: Numbers) -> float:
    """The mean over the classes that occur of F1."""
    classes = np.unique(np.concatenate([guess, true]))
    return float(np.mean([FAST["f1"](1.0 * (guess == each), 1.0 * (true == each)) for each in classes]))


# as `text_metrics.measure`, two orders of magnitude faster: a bootstrap asks hundreds of times
FAST: dict[str, Callable[[Numbers, Numbers], float]] = {
    "accuracy": lambda guess, true: float((guess == true).mean()),
    "f1": lambda guess, true: float(2 * (guess * true).sum() / max(1.0, (guess + true).sum())),
    "f1_macro": f1_macro,
    "matthews": matthews,
    "pearson": correlation,
    "spearman": lambda guess, true: correlation(rankdata(guess), rankdata(true)),
}


def scores(task: Task, answers: Sequence[Any], generator: np.random.Generator | None = None) -> dict[str, Measure]:
    """Each of the task's measures; without a generator, without an interval."""
    return {name: measured(valuation(task, name, answers), len(answers), generator) for name in task.measures}


def measured(value: Callable[[Some], float], count: int, generator: np.random.Generator | None) -> Measure:
    rows = np.arange(count)
    return summarise([value(rows)]) if generator is None else over_items(rows, generator, value, DRAWS)


def valuation(task: Task, name: str, answers: Sequence[Any]) -> Callable[[Some], float]:
    """The measure as a function of the examples that count."""
    if task.kind in ("class", "score"):
        guess, true = np.array(answers, float), np.array([example.target for example in task.test], float)
        return lambda rows: FAST[name](guess[rows], true[rows])
    if task.kind == "tags" and name in entities.MEASURES:
        return entities.valuation(task, name, answers)
    if task.kind == "span":
        what, _, part = name.partition("_")
        column = ("exact", "f1").index(what)
        correct = [
            text_metrics.best_answer(text, texts_of(each.target))[column]
            for text, each in zip(answers, task.test, strict=True)
        ]
        there = np.array([bool(texts_of(example.target)) for example in task.test])
        totals = {"": np.ones(len(correct)), "answerable": there, "unanswerable": ~there}[part]
        correct = correct * totals
    else:  # words beyond what the network can read have no tag, and count as wrong
        correct = [
            sum(guess == tag for guess, tag in zip(tags, tags_of(example.target), strict=False))
            for tags, example in zip(answers, task.test, strict=True)
        ]
        totals = np.array([len(example.texts) for example in task.test])
    hits = np.array(correct, float)
    return lambda rows: float(hits[rows].sum() / max(1, totals[rows].sum()))


def texts_of(target: Any) -> list[str]:
    """The right answers, none where the text does not answer."""
    assert isinstance(target, Answer)
    return [target.text, *target.also] if target.text else []


def tags_of(target: Any) -> Sequence[int]:
    assert isinstance(target, Sequence)
    return target
