"""The task that people's eyes were given, as their file tells it: how fast and far, when, how long, hidden where."""

from typing import NamedTuple

from phantastic.data.table import Table
from phantastic.ground.errors import Refused
from phantastic.systems.psychiatry.study import CYCLE, REACH

STILL = CYCLE // 2  # bins before the target sets out
COLUMNS = ("period", "amplitude", "start", "cycles", "occluder")
CYCLES = (1.0, 8.0)  # that are simulated


class Paradigm(NamedTuple):
    """In the file's own units: the target's ``period``, ``amplitude`` and the time at which it sets out; how many
    cycles it then goes through, and from where on it is hidden (at or beyond the amplitude: never)."""

    period: float = CYCLE
    amplitude: float = REACH
    start: float = STILL
    cycles: float = 1.5
    occluder: float = 0.5

    @property
    def bins(self) -> int:
        """Of the simulation: 32 a cycle, after half a cycle of rest."""
        return STILL + round(CYCLE * self.cycles)

    @property
    def edge(self) -> float:
        """Where the occluder begins, in the simulator's units."""
        return self.occluder / self.amplitude * REACH


def read(sheet: Table, period: float | None, amplitude: float | None) -> Paradigm:
    """From columns that have the same number in every row; what has no column is as in the published task, but for
    ``period`` and ``amplitude``, which may be given beside the file.

    Raises `Refused` naming file, line and column: for a number that changes, that contradicts what is given beside the
    file, or that no simulated eye was given.
    """
    found = {}
    for name in COLUMNS:
        if name in sheet.names:
            values = sheet.numbers(name)
            if (values != values[0]).any():
                line = sheet.lines[int((values != values[0]).argmax())]
                raise Refused(
                    f"{sheet.path!r}, line {line}, column '{name}': the task is one for all rows, and this one differs "
                    f"from {values[0]:g} before; give each task a file of its own"
                )
            found[name] = float(values[0])
    for name, value in (("period", period), ("amplitude", amplitude)):
        if value is not None and found.setdefault(name, value) != value:
            raise Refused(
                f"{sheet.path!r}, column '{name}' says {found[name]:g} and --{name} says {value:g}; leave out one"
            )
    cycle, reach = found.get("period", CYCLE), found.get("amplitude", REACH)
    task = Paradigm(cycle, reach, start=cycle / 2, occluder=reach / REACH / 2)._replace(**found)
    where = f"{sheet.path!r}, line {sheet.lines[0]}, column"
    for name, value in (("period", cycle), ("amplitude", reach)):
        if value <= 0:
            raise Refused(f"{where} '{name}': {value:g} is not possible; allowed: above 0")
    if not CYCLES[0] <= task.cycles <= CYCLES[1]:
        raise Refused(
            f"{where} 'cycles': {task.cycles:g} is not possible; allowed: {CYCLES[0]:g} to {CYCLES[1]:g} cycles from "
            "where the target sets out; cut the recording there"
        )
    if task.occluder < 0:
        raise Refused(
            f"{where} 'occluder': {task.occluder:g} is on the side to which the target sets out first, where none is "
            "simulated; allowed: from 0; if the task was mirrored, mirror eye and occluder"
        )
    return task
