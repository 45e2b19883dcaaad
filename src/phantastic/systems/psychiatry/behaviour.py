"""Behaviour from CSV files: eye traces and matched forces of one person or many, and the templates of such files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from phantastic.data import table
from phantastic.data.table import Table
from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import torch_generator
from phantastic.systems.psychiatry import paradigm
from phantastic.systems.psychiatry.fit import Data, repeated
from phantastic.systems.psychiatry.paradigm import COLUMNS, STILL
from phantastic.systems.psychiatry.study import CYCLE, REACH
from phantastic.systems.psychiatry.tasks import MOST_FORCE, Task, looking, matching, pressing, watch

BINS = 64  # of the task
FEWEST = 16  # bins with a sample without which a trace is not worth a fit
COARSEST = 4.0  # bins between samples
MOST_LEVELS = 24
COMMON = ("person", "group", "trial")


class Sheet(NamedTuple):
    """A file's people with the group of each ("" without one), their data for the task, remarks on the file, and how
    many samples lie between those that are independent (0: they come in no order)."""

    people: list[str]
    groups: list[str]
    task: Task
    data: Data
    notes: list[Text]
    spacing: int = 1


class Rows(NamedTuple):
    """The rows of one recording: a person's trial."""

    person: str
    group: str
    at: list[int]


def recordings(sheet: Table, allowed: tuple[str, ...]) -> list[Rows]:
    """The rows by person and trial, in the order of the file. Raises `Refused` for columns that are not known and for
    a person in two groups."""
    if not sheet.header:
        raise Refused(f"{sheet.path!r} has no header; the columns are called {', '.join(allowed)} (see --template)")
    for name in sheet.names:
        if name not in (*allowed, *COMMON):
            raise Refused(
                f"{sheet.path!r} has a column '{name}' that nothing is made of{nearest(name, (*allowed, *COMMON))}"
            )
    if not sheet.lines:
        raise Refused(f"{sheet.path!r} has a header and no rows")
    columns = [sheet.texts(name) if name in sheet.names else [""] * len(sheet.lines) for name in COMMON]
    rows: dict[tuple[str, str], Rows] = {}
    groups: dict[str, str] = {}
    for at, (person, group, trial) in enumerate(zip(*columns, strict=True)):
        if groups.setdefault(person, group) != group:
            raise Refused(
                f"{sheet.path!r}, line {sheet.lines[at]}, column 'group': person '{person}' is in group "
                f"'{group}' here and in '{groups[person]}' before"
            )
        rows.setdefault((person, trial), Rows(person, group, [])).at.append(at)
    return list(rows.values())


def gathered(rows: list[Rows], samples: list[Float64[ndarray, " samples"]]) -> tuple:
    """People, groups and the data of all trials of each."""
    people = list(dict.fromkeys(each.person for each in rows))
    most = max(sum(each.person == person for each in rows) for person in people)
    trials = torch.full((len(people), most, len(samples[0])), torch.nan, dtype=torch.float64)
    used = dict.fromkeys(people, 0)
    for each, values in zip(rows, samples, strict=True):
        trials[people.index(each.person), used[each.person]] = torch.from_numpy(values)
        used[each.person] += 1
    groups = {each.person: each.group for each in rows}
    return people, [groups[person] for person in people], trials


# --- eye traces


def eyes(path: str, period: float | None = None, amplitude: float | None = None) -> Sheet:
    """Columns ``time`` and ``eye``, and perhaps person, group and trial; an empty or NaN ``eye`` is a missing sample.

    The task is that of the columns period, amplitude, start, cycles and occluder where there are any (`Paradigm`);
    without, time 0 is half a cycle before the target sets out. ``period`` is that of the target in the unit of
    ``time``, ``amplitude`` its amplitude in the unit of ``eye``. Recordings at another rate than 32 samples a cycle are
    resampled: faster ones by the mean of each bin, slower ones by a cubic spline that bridges no gap, where each bin
    counts for as many samples as it had. Raises `Refused` naming file, line and column.
    """
    sheet = table.read(path, "a CSV file with the columns time and eye")
    rows = recordings(sheet, ("time", "eye", *COLUMNS))
    task = paradigm.read(sheet, period, amplitude)
    bins = task.bins
    time = (sheet.numbers("time") - task.start) / task.period * CYCLE + STILL
    eye = sheet.numbers("eye", missing=True) / task.amplitude * REACH
    samples, rates, missing, outside = [], set(), 0, 0
    for each in rows:
        at = np.array(each.at)
        for before, here in zip(each.at, each.at[1:], strict=False):
            if time[here] <= time[before]:
                raise Refused(
                    f"{path!r}, line {sheet.lines[here]}, column 'time': {sheet.texts('time')[here]} is not "
                    f"after the sample before it; is the column 'person' or 'trial' missing?"
                )
        inside = (time[at] > 0.5) & (time[at] < bins + 0.5)
        outside += int((~inside & np.isfinite(eye[at])).sum())
        missing += int(np.isnan(eye[at][inside]).sum())
        values, spacing = binned(time[at][inside], eye[at][inside], bins)
        who = f"{path!r}, lines {sheet.lines[at[0]]} to {sheet.lines[at[-1]]}"
        if spacing > COARSEST:
            raise Refused(
                f"{who}: a sample every {spacing:.3g} bins; at least one in {COARSEST:g} is needed, of which "
                f"a cycle of the target (--period {task.period:g}) has {CYCLE}"
            )
        if np.isfinite(values).sum() < FEWEST:
            raise Refused(
                f"{who}: {np.isfinite(values).sum()} of the {bins} bins of the task have a sample; at least "
                f"{FEWEST} are needed (the target sets out at time {task.start:g}, and its "
                f"cycle takes {task.period:g}; see --period)"
            )
        samples.append(values)
        rates.add(round(spacing, 3))
    people, groups, trials = gathered(rows, samples)
    data = repeated(trials)
    coarse = max(rates)
    if coarse > 1:  # neighbouring bins share their samples
        data = Data(data.mean, data.weight / coarse, data.within / coarse)
    notes = _remarks(rates, missing, outside)
    return Sheet(people, groups, looking(task), data, notes, max(1, round(coarse)))


def binned(
    time: Float64[ndarray, " rows"], eye: Float64[ndarray, " rows"], bins: int = BINS
) -> tuple[Float64[ndarray, " bins"], float]:
    """The trace at t = 1 ... bins (NaN: missing), and the bins between samples. Samples at whole t stay as they are."""
    values = np.full(bins, np.nan)
    if len(time) < 2:
        return values, 1.0
    spacing = float(np.median(np.diff(time)))
    nearest_bin = np.rint(time).astype(int) - 1
    seen = np.isfinite(eye)
    if np.abs(time - np.rint(time)).max() < 0.01 and spacing > 0.99:
        values[nearest_bin[seen]] = eye[seen]
        if spacing < 1.01:
            return values, 1.0
    if spacing <= 0.75:
        for bin in range(bins):
            here = seen & (nearest_bin == bin)
            centre = bin + 1
            if here.sum() * spacing >= 0.5 and abs(time[here].mean() - centre) < 0.2:  # seen, and not at one end only
                values[bin] = eye[here].mean()
        return values, spacing
    return splined(time[seen], eye[seen], 1.5 * spacing, bins), spacing


def splined(
    time: Float64[ndarray, " rows"], eye: Float64[ndarray, " rows"], gap: float, bins: int = BINS
) -> Float64[ndarray, " bins"]:
    """The trace at t = 1 ... bins by a cubic spline through each stretch without a gap; outside of them missing."""
    from scipy.interpolate import CubicSpline

    values, t = np.full(bins, np.nan), np.arange(1.0, bins + 1)
    for stretch in np.split(np.arange(len(time)), np.flatnonzero(np.diff(time) > gap) + 1):
        if len(stretch) >= 4:
            within = (t >= time[stretch[0]] - 1e-6) & (t <= time[stretch[-1]] + 1e-6)
            values[within] = CubicSpline(time[stretch], eye[stretch])(t[within])
    return values


def _remarks(rates: set[float], missing: int, outside: int) -> list[Text]:
    notes = []
    if rates != {1.0}:
        frequencies = " / ".join(f"{CYCLE / rate:.4g}" for rate in sorted(rates))
        note = Text(
            f"resampled from {frequencies} to {CYCLE} samples per cycle of the target",
            f"標的の 1 周期あたり {frequencies} 標本から {CYCLE} 標本に再標本化した",
        )
        notes.append(note)
    if missing:
        notes.append(Text(f"{missing} missing samples have no weight", f"欠測 {missing} 標本は計算に入らない"))
    if outside:
        note = Text(
            f"{outside} samples outside of the task are left out",
            f"課題の時間の外にある {outside} 標本は使わない",
        )
        notes.append(note)
    return notes


# --- forces


def forces(path: str) -> Sheet:
    """Either ``intended``, ``own`` and ``matched``: the force one is told to press with, the one that is made, and the
    outside force that feels equal to it. Or ``target`` and ``own``: an outside force and the own one that feels equal.

    Perhaps person, group and trial; empty or NaN is missing; one unit of force is the simulator's, about a newton.
    Raises `Refused` naming file, line and column.
    """
    sheet = table.read(path, "a CSV file with the columns intended, own and matched, or target and own")
    first = "target" if "target" in sheet.names else "intended"
    kept = ("own",) if first == "target" else ("own", "matched")
    rows = recordings(sheet, (first, *kept))
    level = sheet.numbers(first)
    columns = [sheet.numbers(name, missing=True) for name in kept]
    most = 3.0 if first == "target" else MOST_FORCE
    for at, value in enumerate(level):
        if not 0 < value <= most:
            raise Refused(
                f"{path!r}, line {sheet.lines[at]}, column '{first}': {sheet.texts(first)[at]} is not "
                f"possible; the simulated hand takes from above 0 to {most:g}; rescale"
            )
    levels = np.unique(level)
    if len(levels) > MOST_LEVELS:
        raise Refused(
            f"{path!r}, column '{first}': {len(levels)} different forces; at most {MOST_LEVELS} can be, round them"
        )
    rows, samples = _rounds(rows, np.searchsorted(levels, level), len(levels), columns)
    people, groups, trials = gathered(rows, samples)
    for person, own in zip(people, trials, strict=True):
        if not bool(own.isfinite().any()):
            who = f" of '{person}'" if person else ""
            raise Refused(f"{path!r}: no force{who} in {' or '.join(kept)}; all of them are missing")
    missing = int(sum(np.isnan(column).sum() for column in columns))
    at = torch.from_numpy(levels)
    task = matching(at) if first == "target" else pressing(at)
    return Sheet(people, groups, task, repeated(trials), _remarks({1.0}, missing, 0), spacing=0)


def _rounds(
    rows: list[Rows], place: ndarray, levels: int, columns: list[Float64[ndarray, " rows"]]
) -> tuple[list[Rows], list[Float64[ndarray, " samples"]]]:
    """Each person's rows as rounds in which a force comes once: the nth time in the nth round."""
    rounds: dict[tuple[str, int], tuple[Rows, ndarray]] = {}
    times: dict[tuple[str, int], int] = {}
    for each in rows:
        for at in each.at:
            nth = times[each.person, place[at]] = times.get((each.person, place[at]), -1) + 1
            empty = np.full(levels * len(columns), np.nan)
            _, values = rounds.setdefault((each.person, nth), (each, empty))
            for number, column in enumerate(columns):
                values[number * levels + place[at]] = column[at]
    return [recording for recording, _ in rounds.values()], [values for _, values in rounds.values()]


# --- templates


def write_rows(path: Path, header: list[str], rows: list[list[object]]) -> None:
    """A CSV file; numbers with six digits."""
    written = [[f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    files.write_csv(path, [header, *written])


def noisy(behaviour: Float64[torch.Tensor, "people samples"], size: float) -> Float64[torch.Tensor, "people samples"]:
    """As it would be measured; always the same."""
    drawn = torch.randn(behaviour.shape, generator=torch_generator(0, "template"), dtype=torch.float64)
    return behaviour + size * drawn


def eyes_template(path: Path) -> None:
    """Traces of two simulated people, a control and one with reduced prior precision, with a few samples missing; the
    task is the published one."""
    task = list(paradigm.Paradigm())
    traces = noisy(watch(torch.tensor([[4.0, 4.0], [1.0, 4.0]], dtype=torch.float64)), 0.02).tolist()
    rows: list[list[object]] = []
    for person, group, trace in zip(("A", "B"), ("control", "patient"), traces, strict=True):
        for bin, eye in enumerate(trace):
            rows.append([person, group, 1, bin + 1, "" if bin in (20, 21, 22) else float(eye), *task])
    write_rows(path, ["person", "group", "trial", "time", "eye", *COLUMNS], rows)


def forces_template(path: Path) -> None:
    """Four intended forces of two simulated people, a control and one with failing attenuation."""
    intended = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    pressed = noisy(pressing(intended).simulate(torch.tensor([[6.0, 0.0], [4.0, 2.0]], dtype=torch.float64)), 0.05)
    rows: list[list[object]] = []
    for person, group, (own, equal) in zip(
        ("A", "B"), ("control", "patient"), pressed.unflatten(1, (2, 4)), strict=True
    ):
        rows += [[person, group, 1, *map(float, row)] for row in zip(intended, own, equal, strict=True)]
    write_rows(path, ["person", "group", "trial", "intended", "own", "matched"], rows)
