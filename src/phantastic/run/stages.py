"""Where the minutes of a run go: its stages in order, each with its seconds, and from them the time that is left.

A stage is a training, or a computation whose result `run.once` keeps. What happens within a stage belongs to it, and
what happens between two belongs to the one that ends next. What a stage took elsewhere stands in the TIMES.toml beside
the system; how fast this machine is, against that table, shows as the run goes on.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Literal

import msgspec
from msgspec import Struct, field

from phantastic.declare.i18n import words
from phantastic.ground import files
from phantastic.run.manifest import Manifest

FILE, TABLE = "stages.json", "TIMES.toml"
MEASURES = ": measures"  # ends the name of a computation: a training may have the same one
KNOWN = 0.03  # of the first stage: from there on its speed says how fast this machine is

Event = Literal["begin", "point", "end"]


class Stage(Struct, omit_defaults=True):
    """A finished stage, or what a table expects of one: wall-clock seconds, and steps where it is a training."""

    name: str
    seconds: float
    steps: int = 0
    lost: float = 0.0
    """The part of these seconds that a stop cost: what was done twice."""


class Current(Struct, omit_defaults=True):
    """The stage in progress: seconds since the one before ended, and how they were spent."""

    seconds: float = 0.0
    lost: float = 0.0
    """As in `Stage`."""
    before: float = 0.0
    """Before the first step."""
    trained: float = 0.0
    """In steps."""
    share: float = 0.0
    """The share of the steps that is done."""


class Times(Struct):
    """The content of stages.json."""

    finished: list[Stage] = field(default_factory=list)
    current: Current = field(default_factory=Current)


def read(folder: Path) -> Times:
    """The times of a run; none for a run that has not kept them. Raises `Refused` naming a damaged file."""
    path = folder / FILE
    return files.read_json(path, Times, "the run") if path.exists() else Times()


def expected(folder: Path, study: str, preset: str, seeds: Sequence[int]) -> list[Stage]:
    """The stages of a run by the TIMES.toml in a system's ``folder``, those of a seed once for each; [] where it has
    none for this preset.
    """
    path = folder / TABLE
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    entries = tables.get(study, {}).get(preset, {})
    table = [msgspec.convert({"name": name} | entry, Stage) for name, entry in entries.items()]
    block = [stage for stage in table if re.match(r"seed\b", stage.name)]
    end = table.index(block[-1]) + 1 if block else 0

    def of(seed: int, part: Sequence[Stage]) -> list[Stage]:
        return [Stage(re.sub(r"^seed\b", f"seed{seed}", each.name), each.seconds, each.steps) for each in part]

    # what stands between the stages of a seed is done once, with the first
    repeated = [stage for number, seed in enumerate(seeds) for stage in of(seed, block if number else table[:end])]
    return repeated + table[end:]


def general(name: str) -> str:
    """The name of a stage as a table has it: without the number of its seed."""
    return re.sub(r"^seed\d+\b", "seed", name)


def label(name: str, seeds: int) -> str:
    """The name of a stage for people: without the seed where there is but one, and saying when it measures."""
    bare = name.removesuffix(MEASURES)
    stage = re.sub(r"^seed\d+/", "", bare) if seeds == 1 else bare
    return words()["measuring"].format(stage=stage) if name != bare else stage


def minutes(folder: Path, made: Manifest) -> list[tuple[str, str, str, str]]:
    """Where the minutes of a run went, as text: each finished stage with its steps, its seconds and its share; last,
    what came after them.
    """
    finished, seeds = read(folder).finished, made.recipe.get("seeds", 1)
    known = sum(stage.seconds for stage in finished)
    rows = [(label(stage.name, seeds), str(stage.steps or ""), stage.seconds) for stage in finished]
    if finished and made.finished:
        rows.append((words()["rest"], "", made.seconds - known))
    whole = sum(seconds for *_, seconds in rows) or 1.0
    return [(name, steps, f"{seconds:.1f}", f"{seconds / whole:.0%}") for name, steps, seconds in rows]


def scaled(entry: Stage, steps: int) -> float:
    """The seconds a table expects of a stage with so many steps."""
    return entry.seconds * steps / entry.steps if entry.steps and steps else entry.seconds


class Clock:
    """Times the stages of a run and says how long the rest takes.

    ``table`` is what is expected; as soon as the run does not keep to it, nothing is said of the whole. ``watch`` is
    called when a stage begins, at every logged point of a training, and when a stage ends.
    """

    def __init__(self, folder: Path, table: Sequence[Stage], closed: bool = False):
        self.path, self.table, self.closed = folder / FILE, table, closed
        times = Times() if closed else read(folder)
        self.finished, self.current = times.finished, times.current
        self.name, self.step, self.steps = "", 0, 0
        self.loss: float | None = None
        self.inside = False
        self.since = monotonic()  # the last stage ended, or this process began; current.seconds count from there
        self.at = 0.0  # the last point of the training in progress, or where it began; 0: nothing is trained
        self.watch: Callable[[Event], None] = lambda event: None

    @contextmanager
    def stage(self, name: str, steps: int = 0, step: int = 0) -> Iterator[None]:
        """Time what is done within as a stage: a training that is at ``step`` of ``steps``, or (0) a computation.

        Its end is noted before what it gave is saved. If the process dies in between, the stage is begun again.
        """
        if self.inside or self.closed:
            yield
            return
        for again in [stage for stage in self.finished if stage.name == name]:
            self.finished.remove(again)
            self.current.seconds += again.seconds
            self.current.trained += again.seconds - again.lost
        now, current = monotonic(), self.current
        if step:  # it goes on, after what comes before the first step was done again
            current.lost += now - self.since
            current.share = step / steps
        else:
            self.current = Current(current.seconds, lost=current.seconds, before=now - self.since)
        self.name, self.step, self.steps, self.loss = name, step, steps, None
        self.at = now if steps else 0.0
        self.inside = True
        try:
            self.watch("begin")
            yield
        finally:  # the name stays when it is left in haste: so one can say where
            self.inside = False
        ended = Stage(name, self.elapsed(), steps, self.current.lost)
        self.current, self.since, self.at = Current(), monotonic(), 0.0
        self.finished.append(ended)
        self.save()
        self.watch("end")
        self.name = ""

    def point(self, name: str, step: int, loss: float | None = None) -> None:
        """The training ``name`` has done ``step`` steps; one that is part of another stage is passed over."""
        if not self.inside or name != self.name:
            return
        now = monotonic()
        self.current.trained += now - self.at
        self.current.share = step / self.steps
        self.step, self.at = step, now
        self.loss = self.loss if loss is None else loss
        self.watch("point")

    def elapsed(self) -> float:
        """Seconds since the last stage ended, those of earlier processes included."""
        return self.current.seconds + monotonic() - self.since

    def total(self) -> float:
        """Seconds spent on the run."""
        return sum(stage.seconds for stage in self.finished) + self.elapsed()

    def save(self) -> None:
        """Write stages.json; raises `Refused` when it cannot be written."""
        current = msgspec.structs.replace(self.current, seconds=self.elapsed())
        files.write_json(self.path, Times(self.finished, current))

    # --- what is left

    def count(self) -> int:
        """How many stages the run has; 0 where the table does not know, or the run has left it."""
        names = [stage.name for stage in self.finished] + ([self.name] if self.inside else [])
        return len(self.table) if names == [stage.name for stage in self.table[: len(names)]] else 0

    def left(self) -> float | None:
        """Seconds that the whole run still needs; None where the table does not know.

        The table's seconds for what is to come, times this machine's seconds over the table's for what is done. Of the
        stage in progress the steps done count, and the same share of what came before the first.
        """
        table, done = self.table, len(self.finished)
        if not self.count() or done == len(table):
            return 0.0 if self.count() else None
        spent = sum(stage.seconds - stage.lost for stage in self.finished)
        known = sum(scaled(entry, stage.steps) for entry, stage in zip(table, self.finished, strict=False))
        whole = scaled(table[done], self.steps if self.inside else 0)
        share, trained, now = self.current.share, self.current.trained, monotonic()
        before = self.current.before if self.at or share else now - self.since
        factor = spent / known if known else 1.0
        if before > factor * whole:  # it takes longer than it should
            factor = (spent + before + trained) / (known + whole)
        elif known or share >= KNOWN:
            factor = (spent + share * before + trained) / (known + share * whole)
        remaining = (1 - share) * max(0.0, factor * whole - before)
        if self.at:
            remaining -= now - self.at
        elif share:  # a resumed training, before it goes on
            remaining += max(0.0, before - (now - self.since))
        return max(0.0, remaining) + factor * sum(entry.seconds for entry in table[done + 1 :])

    def stage_left(self) -> float | None:
        """Seconds that the training in progress still needs; None where nothing is known of it."""
        share, trained = self.current.share, self.current.trained
        if not (self.inside and self.at and share and trained):
            return None
        return max(0.0, trained / share * (1 - share) - (monotonic() - self.at))
