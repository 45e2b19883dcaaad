"""The measures of a confusion matrix, exact: fractions where counts allow it, and None where a measure is 0/0.

Rows are what was there, columns what was answered; of two classes the first is the positive one, so that a matrix read
row by row is TP, FN, FP, TN. A measure that divides something by nothing is infinite; nothing by nothing is undefined,
and is called so rather than 0.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from scipy.special import betaincinv

from phantastic.declare.measure import LEVEL, Interval
from phantastic.ground.errors import Refused

Value = Fraction | float | None
Counts = Sequence[Sequence[int]]


class Share(NamedTuple):
    """So many of so many, the one counted among the other."""

    some: int
    total: int

    @property
    def value(self) -> Value:
        return ratio(self.some, self.total)

    @property
    def interval(self) -> Interval | None:
        return clopper_pearson(self.some, self.total) if self.total else None


def ratio(a: Any, b: Any) -> Value:
    """a / b; infinite where b alone is 0, undefined (None) where both are, and where either is undefined."""
    if a is None or b is None or (math.isinf(a) and math.isinf(b)):
        return None
    if b == 0:
        return None if a == 0 else math.copysign(math.inf, a)
    return 0.0 if math.isinf(b) else a / (b if isinstance(a, float) else Fraction(b))


def clopper_pearson(count: int, total: int, level: float = LEVEL) -> Interval:
    """The interval that covers a binomial probability at least so often, whatever it is (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return Interval(low, high)


def checked(table: Counts) -> list[list[int]]:
    """The matrix with whole numbers. Raises `Refused` where it is not square, has fewer than two classes, holds a
    negative or broken count, or a class that was never there."""
    size = len(table)
    if size < 2 or any(len(row) != size for row in table):
        raise Refused(
            "a confusion matrix has as many rows as columns, two or more; read row by row, two classes are TP,FN,FP,TN"
        )
    for row, counts in enumerate(table, start=1):
        for count in counts:
            if count != int(count) or count < 0:
                raise Refused(f"row {row} of the confusion matrix holds {count}; allowed: whole numbers from 0")
        if not any(counts):
            raise Refused(
                f"row {row} of the confusion matrix is empty: class {row} was never there, so that nothing can be said "
                "of how it is recognised; leave the class out"
            )
    return [[int(count) for count in row] for row in table]


def parsed(text: str) -> list[list[int]]:
    """``13,2,1,14`` as a matrix, row by row (rows may be parted by ``;``); raises `Refused` as `checked` does."""
    cells = [cell.strip() for cell in text.replace(";", ",").split(",")]
    for cell in cells:
        if not cell.removeprefix("-").isdecimal():
            raise Refused(f"--confusion {text}: {cell!r} is no whole number; give counts row by row, as in 13,2,1,14")
    size = math.isqrt(len(cells))
    rows = [row.split(",") for row in text.split(";")]
    if size * size != len(cells) or (len(rows) > 1 and any(len(row) != len(rows) for row in rows)):
        raise Refused(
            f"--confusion {text}: {len(cells)} counts make no square matrix; two classes take 4 (TP,FN,FP,TN), three 9"
        )
    counts = [int(cell) for cell in cells]
    return checked([counts[size * row : size * (row + 1)] for row in range(size)])


def shares(table: Counts) -> dict[str, Share]:
    """The measures of two classes that count some cases among others, which have an exact interval."""
    (tp, fn), (fp, tn) = table
    return {
        "accuracy": Share(tp + tn, tp + fn + fp + tn),
        "precision": Share(tp, tp + fp),
        "recall": Share(tp, tp + fn),
        "specificity": Share(tn, tn + fp),
        "npv": Share(tn, tn + fn),
        "false_alarms": Share(fp, fp + tn),
        "prevalence": Share(tp + fn, tp + fn + fp + tn),
    }


def f_score(table: Counts, beta: float = 1.0) -> Value:
    """F_β = (1 + β²) TP / ((1 + β²) TP + β² FN + FP): the harmonic mean of precision and recall for β = 1 (van
    Rijsbergen 1979)."""
    (tp, fn), (fp, _) = table
    weight = Fraction(beta) ** 2
    return ratio((1 + weight) * tp, (1 + weight) * tp + weight * fn + fp)


def binary(table: Counts, beta: float = 1.0) -> dict[str, Value]:
    """All measures of two classes by name; exact fractions but for MCC, a root."""
    (tp, fn), (fp, tn) = table
    found = {name: share.value for name, share in shares(table).items()}
    hit, correct = found["recall"], found["specificity"]
    both = None if hit is None or correct is None else Fraction(hit) + Fraction(correct) - 1
    return found | {
        "f": f_score(table, beta),
        "balanced_accuracy": None if both is None else (both + 1) / 2,
        "youden": both,
        "mcc": correlation(table),
        "kappa": kappa(table),
        "lr_plus": ratio(hit, found["false_alarms"]),
        "lr_minus": ratio(1 - hit if hit is not None else None, correct),
        "odds_ratio": ratio(tp * tn, fn * fp),
    }


def kappa(table: Counts) -> Value:
    """Agreement beyond chance, of any number of classes (Cohen 1960)."""
    total, agreed = sum(map(sum, table)), sum(row[k] for k, row in enumerate(table))
    by_chance = sum(sum(row) * sum(other[k] for other in table) for k, row in enumerate(table))
    return ratio(agreed * total - by_chance, total * total - by_chance)


def correlation(table: Counts) -> Value:
    """Matthews's correlation coefficient, of any number of classes (Gorodkin 2004)."""
    total, agreed = sum(map(sum, table)), sum(row[k] for k, row in enumerate(table))
    truth, said = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    shared = agreed * total - sum(a * b for a, b in zip(truth, said, strict=True))
    spread = (total**2 - sum(a * a for a in truth)) * (total**2 - sum(b * b for b in said))
    return shared / math.sqrt(spread) if spread else None


def one_against_rest(table: Counts, which: int) -> list[list[int]]:
    """Two classes of many: this one, and all others."""
    total, tp = sum(map(sum, table)), table[which][which]
    fn, fp = sum(table[which]) - tp, sum(row[which] for row in table) - tp
    return [[tp, fn], [fp, total - tp - fn - fp]]


def several(table: Counts, beta: float = 1.0) -> dict[str, Value]:
    """Measures of any number of classes. Micro counts cases, so that precision, recall and F are all accuracy; macro is
    the mean over classes, undefined where a class has none."""
    every = [binary(one_against_rest(table, k), beta) for k in range(len(table))]

    def macro(name: str) -> Value:
        values = [each[name] for each in every]
        return None if None in values else sum(value for value in values if value is not None) / len(values)

    accuracy = ratio(sum(row[k] for k, row in enumerate(table)), sum(map(sum, table)))
    return {
        "accuracy": accuracy,
        "micro_f": accuracy,
        "macro_precision": macro("precision"),
        "macro_recall": macro("recall"),
        "macro_f": macro("f"),
        "balanced_accuracy": macro("recall"),
        "mcc": correlation(table),
        "kappa": kappa(table),
    }
