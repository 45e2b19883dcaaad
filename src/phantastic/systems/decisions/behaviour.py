"""`phantastic fit decisions`: from somebody's answers, trial by trial, to d′ and criterion with intervals."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import altair as alt
import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.special import ndtri

from phantastic.data import table
from phantastic.declare.i18n import Text
from phantastic.declare.measure import LEVEL, Interval
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.show.figure import PALETTE, Figure, write
from phantastic.systems.decisions import detection, ratings
from phantastic.systems.decisions.answers import binary
from phantastic.systems.decisions.drawing import coloured, curve, diagonal, dots, rows, x, y
from phantastic.systems.decisions.study import DecisionsFit

EXPECTED = "a CSV file with the columns signal and answer"
HALF = float(ndtri((1 + LEVEL) / 2))
MOST = 12  # ratings at most, from 1 or 0
DRAWN = 6  # people in the figure


class Person(NamedTuple):
    """Answers counted by category, from surely not to surely, without and with the signal."""

    name: str
    noise: Int[ndarray, " k"]
    signal: Int[ndarray, " k"]


class Estimate(NamedTuple):
    """A parameter's symbol, its value and its 95% interval."""

    symbol: str
    value: float
    interval: Interval


def fit(request: DecisionsFit) -> list[str]:
    """Write the template or fit the answers that were asked for; the lines that say what came out."""
    if (request.data is None) == (request.template is None):
        raise Refused("fit decisions: give either --data FILE.csv or --template FILE.csv, a file to fill in")
    if request.data is None:
        target = Path(str(request.template))
        if target.exists() or target.is_symlink():
            raise Refused(f"--template {target}: there is something of that name already; choose another")
        files.write_csv(target, [["person", "signal", "answer"], *simulated()])
        return [str(target)]
    people = read(request.data)
    found = {person.name: estimates(person) for person in people}
    stem = Path(request.data).with_suffix("")
    stem = stem.with_name(f"{stem.name}-fit")
    target = stem.with_name(f"{stem.name}.csv")
    cells = [
        [name, each.symbol, *(f"{value:.9g}" for value in (each.value, *each.interval))]
        for name, every in found.items()
        for each in every
    ]
    files.write_csv(target, [["person", "parameter", "value", "low", "high"], *cells])
    everyone = str(Text("all", "全員"))
    lines = [
        f"{name or everyone}: "
        + "; ".join(f"{e.symbol} = {e.value:.2f} [{e.interval.low:.2f}, {e.interval.high:.2f}]" for e in every)
        for name, every in found.items()
    ]
    return [*lines, str(target), *map(str, write(drawn(people, found), stem))]


def simulated() -> Iterator[list[object]]:
    """Two people of 100 trials, d′ = 1.5: one says yes or no as it comes, the other seldom yes."""
    for name, c in (("A", 0.0), ("B", 0.8)):
        generator = numpy_generator(0, f"decisions/template/{name}")
        for trial in range(100):
            evidence = 1.5 * (trial % 2) + generator.standard_normal()
            yield [name, trial % 2, int(evidence > 0.75 + c)]


def read(path: str) -> list[Person]:
    """Everyone's answers. Raises `Refused` naming file, line and column of a signal that is neither 0 nor 1, an answer
    that is no whole number from 0 to `MOST`, and a person who had no trial with the signal, or none without."""
    sheet = table.read(path, EXPECTED)
    signal, answer = sheet.numbers("signal"), sheet.numbers("answer")
    signal = binary(path, sheet, "signal", signal)
    for line, value in zip(sheet.lines, answer, strict=True):
        if value != int(value) or not 0 <= value <= MOST:
            raise Refused(
                f"{path!r}, line {line}, column 'answer': {value:g} is not possible; allowed: 0 (no) and 1 (yes), or "
                f"ratings in whole numbers up to {MOST}, the surer of the signal the higher"
            )
    names = sheet.texts("person") if "person" in sheet.names else [""] * len(answer)
    low, high = int(answer.min()), int(answer.max())
    if low == high:
        raise Refused(f"{path!r}, column 'answer': every answer is {low}, which tells nothing of signal and noise")
    people = []
    for name in dict.fromkeys(names):
        own = np.array([each == name for each in names])
        counts = [np.bincount(answer[own & (signal == k)].astype(int) - low, minlength=high - low + 1) for k in (0, 1)]
        for kind, count in zip(("without", "with"), counts, strict=True):
            if not count.sum():
                raise Refused(f"{path!r}: person {name!r} has no trial {kind} the signal; both kinds are needed")
        people.append(Person(name, *counts))
    return people


def estimates(person: Person) -> list[Estimate]:
    """Of yes and no d′ and c; of ratings the area under their ROC, and d_a, μ and σ of the binormal model where there
    is one most likely."""
    signals, noises = int(person.signal.sum()), int(person.noise.sum())
    if len(person.signal) == 2:
        told = detection.yes_no(person.signal[1], signals, person.noise[1], noises)
        pairs = ("d′", told.d, told.d_error), ("c", told.c, told.c_error)
        return [estimate(symbol, float(value), float(error)) for symbol, value, error in pairs]
    area, error = detection.of_ratings(person.signal, person.noise)
    found = [Estimate("AUC", area, detection.area_interval(area, error, signals, noises))]
    try:
        best = ratings.fit(person.signal, person.noise)
    except Refused:
        return found
    errors = np.sqrt(np.diag(best.covariance))
    ends = np.exp(np.log(best.sigma) + HALF * np.array([-1, 1]) * errors[1])
    return [
        *found,
        estimate("d_a", *best.distance),
        estimate("μ", best.mean, float(errors[0])),
        Estimate("σ", best.sigma, Interval(float(ends[0]), float(ends[1]))),
    ]


def estimate(symbol: str, value: float, error: float) -> Estimate:
    return Estimate(symbol, value, Interval(value - HALF * error, value + HALF * error))


def drawn(people: list[Person], found: dict[str, list[Estimate]]) -> Figure:
    """Everyone's answers as points of an ROC, and the curve that was fitted to them."""
    false = np.concatenate([[1e-6], np.linspace(0.002, 0.998, 200), [1 - 1e-6]])
    kinds, lines, points = [], [], []
    for person in people[:DRAWN]:
        told = {each.symbol: each.value for each in found[person.name]}
        first = next(iter(told))
        kinds.append(f"{person.name or Text('all', '全員')}: {first} = {told[first]:.2f}")
        hit, alarm = (np.cumsum(each[::-1])[:-1] / each.sum() for each in (person.signal, person.noise))
        points += rows(alarm, hit, which=kinds[-1])
        distance, sigma = told.get("d′", told.get("μ")), told.get("σ", 1.0)
        if distance is not None:
            lines += rows(false, detection.curve(distance, false, sigma), which=kinds[-1])
    axes = {
        "x": x(Text("false-alarm rate", "誤警報率")),
        "y": y(Text("hit rate", "的中率")),
        "color": coloured(kinds, PALETTE[: len(kinds)], orient="right"),
    }
    chart = alt.layer(diagonal(), curve(lines).encode(**axes), dots(points, size=70).encode(**axes))
    caption = Text(
        "Answers as points (of ratings one for each criterion), and the ROC curve of the most likely observer.",
        "答えを表す点(評定では基準ごとに一つ)と、最も尤もらしい観察者の ROC 曲線。",
    )
    return Figure(str(caption), chart.properties(width=300, height=300))
