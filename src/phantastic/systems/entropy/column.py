"""A column of the user's numbers: its entropy, the surprise of each value, and its maximum-entropy fits.

Numbers with few distinct values are outcomes as they are, others are sorted into bins of equal width. The fits have
the mean, and the mean and variance, of the outcomes, and claim nothing else. Because they share these moments, the
entropy that the data lack is their divergence from the fit: what the column tells beyond its mean and variance.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from phantastic.data import table
from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest
from phantastic.show.figure import write
from phantastic.systems.entropy.entropy_figures import fitted
from phantastic.systems.entropy.maxent import maximum_entropy
from phantastic.systems.entropy.study import EntropyApply

EXPECTED = "a CSV file with a column of numbers"


class Column(NamedTuple):
    """Numbers and the lines of the file they stand in."""

    name: str
    values: Float64[ndarray, " n"]
    lines: list[int]


class Outcomes(NamedTuple):
    """Distinct values, or bins by their middle (``width`` > 0), with shares and fits; entropies in nats."""

    x: Float64[ndarray, " m"]
    width: float
    counts: Float64[ndarray, " m"]
    by_mean: Float64[ndarray, " m"]
    by_variance: Float64[ndarray, " m"]

    @property
    def shares(self) -> Float64[ndarray, " m"]:
        return self.counts / self.counts.sum()

    def surprise(self) -> Float64[ndarray, " m"]:
        """-log of each share; infinite in an empty bin."""
        with np.errstate(divide="ignore"):
            return 0 - np.log(self.shares)  # of a certainty 0, not -0


def entropy_of(p: Float64[ndarray, " m"]) -> float:
    return float(torch.special.entr(torch.from_numpy(p)).sum()) + 0.0  # of a certainty 0, not -0


def read(path: str, name: str | None = None) -> Column:
    """The column called ``name``, or the only one. Raises `Refused` that names the file, the line and what is there."""
    sheet = table.read(path, EXPECTED)
    if name is None and len(sheet.names) > 1:
        raise Refused(f"{path!r} has {len(sheet.names)} columns; name one with --column{nearest('', sheet.names)}")
    name = sheet.names[0] if name is None else name
    values = sheet.numbers(name)
    if len(values) < 2:
        raise Refused(f"{path!r} has fewer than 2 numbers in column '{name}'; an entropy needs more")
    return Column(name, values, sheet.lines)


def sort(values: Float64[ndarray, " n"], bins: int) -> tuple[Outcomes, list[int]]:
    """The outcomes, and which of them each value is. Raises `Refused` where the range is beyond float64."""
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):
        raise Refused(f"numbers from {low:g} to {high:g} span more than can be computed with; rescale them")
    distinct, index = np.unique(values, return_inverse=True)
    width = 0.0
    if len(distinct) > bins:
        width = (high - low) / bins
        index = np.minimum((values - low) / (high - low) * bins, bins - 1).astype(int)
        distinct = low + width * (np.arange(bins) + 0.5)
    counts = np.bincount(index, minlength=len(distinct)).astype(float)
    if (counts > 0).sum() == 2 and len(counts) > 2:  # only the two ends: no mean and variance but these two have it
        index = np.minimum(index, 1)
        distinct, counts = distinct[counts > 0], counts[counts > 0]
    by_mean, by_variance = (fit(distinct, counts / counts.sum(), order) for order in (1, 2))
    return Outcomes(distinct, width, counts, by_mean, by_variance), index.tolist()


def fit(x: Float64[ndarray, " m"], shares: Float64[ndarray, " m"], order: int) -> Float64[ndarray, " m"]:
    """The maximum-entropy distribution over the outcomes x with the first ``order`` moments of the shares."""
    if len(x) <= order:  # so few outcomes that the moments leave nothing open
        return shares
    unit = torch.from_numpy((x - x[0]) / (x[-1] - x[0]))
    features = torch.stack([unit**power for power in range(1, order + 1)])
    return maximum_entropy(features, features @ torch.from_numpy(shares)).probabilities.numpy()


def apply(folder: Path, bins: int, request: EntropyApply) -> list[str]:
    """Read, fit, write a table and a figure into ``folder``; the lines that say what came out."""
    column = read(request.data, request.column)
    outcomes, index = sort(column.values, bins)
    header = ["value", "count", "share", "surprise", "maxent_mean", "maxent_mean_variance"]
    columns = (
        outcomes.x,
        outcomes.counts,
        outcomes.shares,
        outcomes.surprise(),
        outcomes.by_mean,
        outcomes.by_variance,
    )
    rows = [[f"{cell:.9g}" for cell in row] for row in zip(*columns, strict=True)]
    stem = folder / (Path(request.data).stem or "column")
    target = stem.with_name(f"{stem.name}.csv")
    files.write_csv(target, [header, *rows])
    drawn = fitted(column.name, outcomes.x, outcomes.width, outcomes.shares, outcomes.by_mean, outcomes.by_variance)
    written = write(drawn, stem)
    return [*described(column, outcomes, index), str(target), *map(str, written)]


def described(column: Column, outcomes: Outcomes, index: list[int]) -> list[str]:
    """What came out, in words: outcomes, entropy, the most surprising value, the entropies of the fits."""
    surprise = outcomes.surprise()
    rarest = max(range(len(index)), key=lambda row: surprise[index[row]])
    own, mean, variance = map(entropy_of, (outcomes.shares, outcomes.by_mean, outcomes.by_variance))
    bits, most, missing = own / math.log(2), math.log(len(outcomes.x)), max(0.0, variance - own)  # a divergence
    n, m = len(index), len(outcomes.x)
    value, line, nats = column.values[rarest], column.lines[rarest], surprise[index[rarest]]
    bins = Text(f"bins of width {outcomes.width:.4g}", f"個の階級(幅 {outcomes.width:.4g})")
    kind = bins if outcomes.width else Text("distinct values", "種類の値")
    lines = (
        Text(f"{column.name}: {n} numbers, {m} {kind.en}", f"{column.name}: {n} 個の数値、{m} {kind.ja}"),
        Text(
            f"entropy, the surprise to expect: {own:.4f} nats ({bits:.4f} bits); with nothing known: {most:.4f} nats",
            f"エントロピー(驚きの平均): {own:.4f} nat({bits:.4f} ビット)。何もわからないときは {most:.4f} nat",
        ),
        Text(
            f"the most surprising value: {value:g} (line {line}), {nats:.4f} nats",
            f"最も驚きの大きい値: {value:g}({line} 行目)、{nats:.4f} nat",
        ),
        Text(f"maximum entropy with its mean: {mean:.4f} nats", f"平均だけから決まる最大エントロピー: {mean:.4f} nat"),
        Text(
            f"maximum entropy with its mean and variance: {variance:.4f} nats; beyond these the column tells "
            f"{missing:.4f} nats",
            f"平均と分散から決まる最大エントロピー: {variance:.4f} nat。データがそれ以外に語る情報: {missing:.4f} nat",
        ),
    )
    return [str(line) for line in lines]
