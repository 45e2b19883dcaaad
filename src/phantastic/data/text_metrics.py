"""The official measures of language benchmarks, each a number from 0 to 1 (correlations: from -1 to 1)."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from phantastic.ground.errors import Refused

MEASURES = {  # of each task of GLUE and SuperGLUE, the first to compare by
    "CoLA": ("matthews",),
    "SST-2": ("accuracy",),
    "MRPC": ("f1", "accuracy"),
    "STS-B": ("pearson", "spearman"),
    "QQP": ("f1", "accuracy"),
    "MNLI": ("accuracy",),
    "QNLI": ("accuracy",),
    "RTE": ("accuracy",),
    "WNLI": ("accuracy",),
    "AX": ("matthews",),
    "BoolQ": ("accuracy",),  # of SuperGLUE, as is CB
    "CB": ("f1_macro", "accuracy"),
    "AX-b": ("matthews",),
    "AX-g": ("accuracy",),
}


def measure(name: str, predicted: Sequence[float], true: Sequence[float]) -> float:
    """One of "accuracy", "f1" (of class 1), "f1_macro" (mean over the classes), "matthews", "pearson", "spearman".

    A correlation where one side never varies is 0, as is F1 without a true or predicted 1. Raises `Refused` where
    the two have different lengths or nothing in them.
    """
    from scipy import stats
    from sklearn import metrics

    guess, gold = np.asarray(predicted), np.asarray(true)
    if guess.shape != gold.shape or guess.ndim != 1 or not len(gold):
        raise Refused(f"{name} compares as many predictions as labels: got {guess.shape} and {gold.shape}")
    if not np.isfinite(guess.astype(float)).all():
        raise Refused(f"{name}: prediction {int(np.flatnonzero(~np.isfinite(guess.astype(float)))[0])} is not finite")
    if name == "accuracy":
        return float((guess == gold).mean())
    if name in ("f1", "f1_macro"):
        kind = "macro" if name == "f1_macro" else "binary"
        return float(metrics.f1_score(gold, guess, average=kind, zero_division=0.0))  # pyright: ignore[reportArgumentType]
    if np.ptp(guess) == 0 or np.ptp(gold) == 0:
        return 0.0
    if name == "matthews":
        return float(metrics.matthews_corrcoef(gold, guess))
    correlation = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[name]
    return float(correlation(guess, gold).statistic)


def glue_measures(task: str, predicted: Sequence[float], true: Sequence[float]) -> dict[str, float]:
    """The official measures of a GLUE task."""
    return {name: measure(name, predicted, true) for name in MEASURES[task]}


def ngrams_shared(written: Sequence[str], wanted: Sequence[str]) -> Int[np.ndarray, "texts 10"]:
    """What BLEU counts of each text, words apart by spaces: n-grams of 1 to 4 words that it shares with the one that is
    wanted, how many it has, and the lengths of both."""
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize="none", effective_order=True)
    scores = (bleu.sentence_score(text, [reference]) for text, reference in zip(written, wanted, strict=True))
    return np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores])


def bleu(counted: Int[np.ndarray, "texts 10"]) -> float:
    """Of a corpus, from 0 to 1 (Papineni et al. 2002), not smoothed; ``counted`` by `ngrams_shared`."""
    from sacrebleu.metrics.bleu import BLEU

    total = counted.sum(0).tolist()
    return BLEU.compute_bleu(total[:4], total[4:8], *total[8:]).score / 100


def normalised(answer: str) -> str:
    """An answer as SQuAD compares it: lower case, no punctuation, no article, single spaces."""
    lower = "".join(letter for letter in answer.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", lower).split())


def exact_match(predicted: str, gold: str) -> float:
    """1 where the two answers are the same after normalisation, else 0."""
    return float(normalised(predicted) == normalised(gold))


def token_f1(predicted: str, gold: str) -> float:
    """F1 of the words that two answers share; an answer without words is right only against another such."""
    guess, true = normalised(predicted).split(), normalised(gold).split()
    if not guess or not true:
        return float(guess == true)
    shared = sum((Counter(guess) & Counter(true)).values())
    return 2 * shared / (len(guess) + len(true))


def best_answer(predicted: str, answers: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 against the best of several right answers; no right answer means that "" is right.

    Answers that normalisation leaves nothing of do not count (evaluate-v2.0.py).
    """
    gold = [answer for answer in answers if normalised(answer)] or [""]
    return max(exact_match(predicted, answer) for answer in gold), max(token_f1(predicted, answer) for answer in gold)


def squad_measures(
    predicted: Mapping[str, str],
    answers: Mapping[str, Sequence[str]],
    no_answer: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """The official measures of SQuAD 1.1 and 2.0, by question id.

    "exact" and "f1"; where some questions have no answer also those of either kind ("answerable_exact",
    "unanswerable_f1", ...); with ``no_answer``, the probability that there is none, also "best_exact" and "best_f1": at
    the threshold above which a prediction counts as "" that is best on these very questions. Raises `Refused` where a
    question has no prediction or a prediction no question.
    """
    for ids, others, what in ((answers, predicted, "prediction"), (predicted, answers, "question")):
        lacking = next((key for key in ids if key not in others), None)
        if lacking is not None:
            raise Refused(f"there is no {what} for id {lacking!r}")
    if not answers:
        raise Refused("there are no questions to be measured on")
    keys = list(answers)
    scores = np.array([best_answer(predicted[key], answers[key]) for key in keys])
    answerable = np.array([bool(answers[key]) for key in keys])
    measures = {"exact": scores[:, 0].mean(), "f1": scores[:, 1].mean()}
    if not answerable.all():
        for kind, mask in (("answerable", answerable), ("unanswerable", ~answerable)):
            if mask.any():
                measures |= {f"{kind}_exact": scores[mask, 0].mean(), f"{kind}_f1": scores[mask, 1].mean()}
    if no_answer is not None:
        order = np.argsort([no_answer[key] for key in keys], kind="stable")
        # Raising the threshold past one question after the other keeps its prediction in place of "".
        as_predicted = np.where(
            answerable[:, None], scores, np.array([[-1.0 * bool(predicted[key])] * 2 for key in keys])
        )
        totals = (~answerable).sum() + np.concatenate([[[0.0, 0.0]], np.cumsum(as_predicted[order], axis=0)])
        measures |= {"best_exact": totals[:, 0].max() / len(keys), "best_f1": totals[:, 1].max() / len(keys)}
    return {name: float(value) for name, value in measures.items()}
