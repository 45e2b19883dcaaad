"""Dose curves: what is measured, or computed, under a lesion by dose, with a sham lesion as the control."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct
from torch import nn

from phantastic.declare.measure import Measure, summarise
from phantastic.ground.errors import Refused
from phantastic.lesion.kinds import Sites, checked, damage

MOST_DOSES = 1000
T = TypeVar("T")


class Row(Struct, frozen=True):
    """One measure at one dose: the mean over repeats, its 95% interval and the repeats; in `sham` rows nothing was
    damaged. For several seeds see `seeds.over_seeds`."""

    measure: str
    dose: float
    mean: float
    low: float | None
    high: float | None
    each: list[float]
    sham: bool = False

    @property
    def summary(self) -> Measure:
        """Mean, interval and repeats."""
        return Measure(self.mean, self.each, self.low, self.high)


class Found(NamedTuple, Generic[T]):
    """What was computed under one draw of a lesion."""

    dose: float
    sham: bool
    repeat: int
    value: T


def by_dose(
    compute: Callable[[], T],
    models: Mapping[str, nn.Module],
    site: Sites,
    kind: str,
    doses: Sequence[float],
    repeats: int,
    seed: int,
) -> list[Found[T]]:
    """What is computed with the models at every dose, and last under a sham lesion of the highest one.

    ``compute`` works with ``models`` as they are and must be deterministic. Repeat r is `damage` with ``seed`` + r, at
    every dose. What is not random is computed once: dose 0, the sham, and the kind ``scale``. Raises `Refused`, before
    anything is computed, as `checked` does and for no doses or no repeats.
    """
    for dose in doses:
        checked(models, site, kind, dose)
    if not doses or repeats < 1:
        raise Refused(f"{len(doses)} doses with {repeats} repeats are nothing to measure; give at least one of each")
    results = []
    for dose, sham in [*((dose, False) for dose in dict.fromkeys(doses)), (max(doses), True)]:
        for repeat in range(1 if sham or dose == 0 or kind == "scale" else repeats):
            with damage(models, site, kind, dose, seed + repeat, sham):
                results.append(Found(dose, sham, repeat, compute()))
    return results


def curve(
    measure: Callable[[], Mapping[str, float]],
    models: Mapping[str, nn.Module],
    site: Sites,
    kind: str,
    doses: Sequence[float],
    repeats: int,
    seed: int,
) -> list[Row]:
    """Measures by dose and under the sham, see `by_dose`; rows are grouped by measure."""
    conditions: dict[tuple[float, bool], list[Mapping[str, float]]] = {}
    for result in by_dose(measure, models, site, kind, doses, repeats, seed):
        conditions.setdefault((result.dose, result.sham), []).append(result.value)
    rows = []
    for (dose, sham), values in conditions.items():
        for name in values[0]:
            summary = summarise([value[name] for value in values])
            rows.append(Row(name, dose, summary.value, summary.low, summary.high, summary.each, sham))
    order = {name: position for position, name in enumerate(dict.fromkeys(row.measure for row in rows))}
    return sorted(rows, key=lambda row: order[row.measure])


def parse_doses(text: str) -> list[float]:
    """Doses from ``start:stop:step`` (the stop included where a step meets it), numbers, or both, with commas between.

    Sorted, each once. Raises `Refused` for anything else, doses outside [0, 1] or more than a thousand.
    """
    doses: set[float] = set()
    example = "write it as 0:1:0.2, as 0,0.5,1 or as one number, from 0 (intact) to 1"
    for part in text.split(","):
        try:
            numbers = [Decimal(word) for word in part.split(":")]
            first, last, step = numbers if len(numbers) > 1 else (numbers[0], numbers[0], Decimal(1))
            if not 0 <= first <= last <= 1 or step <= 0:
                raise ValueError
            steps = (last - first) / step
        except (ArithmeticError, ValueError):
            raise Refused(f"doses '{text}': '{part.strip()}' is not possible; {example}") from None
        if steps >= MOST_DOSES - len(doses):
            raise Refused(f"doses '{text}' are more than {MOST_DOSES}; {example}")
        doses |= {float(first + index * step) for index in range(int(steps) + 1)}
    return sorted(doses)
