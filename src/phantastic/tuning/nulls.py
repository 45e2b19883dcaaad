"""When to say that a text does not answer (Devlin et al. 2019, section 4.3).

"None" is the span that begins and ends at [CLS], of score s_null = S · C + E · C; the best other has
s_ij = max over j ≥ i of S · Tᵢ + E · Tⱼ. It is given where s_ij > s_null + τ, with the τ that is best, by F1, on
questions that were held out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from phantastic.data.text_metrics import best_answer
from phantastic.nn.language.model import Model
from phantastic.tuning import finetune
from phantastic.tuning.tasks import Answer, Example, Task
from phantastic.tuning.texts import Reader


class Said(NamedTuple):
    """Answers to the test's questions, "" for none: with the τ settled on ``dev``, with τ = 0, and never none."""

    threshold: float
    best: list[str]
    zero: list[str]
    never: list[str]


def said(model: Model, task: Task, reader: Reader) -> Said:
    margins, spans = found(model, reader, task.test)
    known_margins, known_spans = found(model, reader, task.dev)
    correct = [f1(span, example) for span, example in zip(known_spans, task.dev, strict=True)]
    silent = [f1("", example) for example in task.dev]
    tau = threshold(known_margins, np.array(correct), np.array(silent))
    at = (tau, 0.0, -np.inf)
    return Said(tau, *(given(margins, spans, least) for least in at))


def found(
    model: Model, reader: Reader, examples: Sequence[Example]
) -> tuple[Float[np.ndarray, " examples"], list[str]]:
    """s_ij - s_null of each example's best span, and its text."""
    spans = finetune.predictions(model, "span", finetune.encode(reader, "span", examples))
    texts = [example.texts[1][span.first : span.last] for example, span in zip(examples, spans, strict=True)]
    return np.array([span.margin for span in spans]), texts


def given(margins: Float[np.ndarray, " examples"], spans: Sequence[str], least: float) -> list[str]:
    return [span if margin > least else "" for margin, span in zip(margins, spans, strict=True)]


def f1(text: str, example: Example) -> float:
    assert isinstance(example.target, Answer)
    right = example.target
    return best_answer(text, [right.text, *right.also] if right.text else [])[1]


def threshold(
    margins: Float[np.ndarray, " examples"],
    answering: Float[np.ndarray, " examples"],
    silent: Float[np.ndarray, " examples"],
) -> float:
    """The τ at which the sum is largest of ``answering`` (of those whose margin is above it) and ``silent`` (of the
    others): halfway between two margins, or 1 beyond all; of those that are equally good the one nearest to 0."""
    values = np.unique(margins)
    options = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1], [0.0]])
    order = np.argsort(margins, kind="stable")
    gain = np.concatenate([[0.0], np.cumsum((silent - answering)[order])])  # of being silent on the first so many
    totals = gain[np.searchsorted(margins[order], options, side="right")]
    best = np.flatnonzero(np.isclose(totals, totals.max()))
    return float(options[best[np.argmin(np.abs(options[best]))]])
