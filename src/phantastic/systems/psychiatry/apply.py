"""`phantastic fit`: from a file of behaviour to each person's parameters, printed, written and drawn."""

import math
from collections.abc import Callable
from pathlib import Path

import torch

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused
from phantastic.show.figure import write
from phantastic.systems.psychiatry import behaviour, drawing
from phantastic.systems.psychiatry.behaviour import Sheet
from phantastic.systems.psychiatry.cohort import compare, level
from phantastic.systems.psychiatry.fit import Posterior, infer
from phantastic.systems.psychiatry.study import BehaviourFit

SHOWN = 20  # people that are printed; all are in the table
SILENT = 0.7  # share of the prior's standard deviation above which the data say little
NOBODY = Text("all", "全員")


def fit(study: str, request: BehaviourFit, read: Callable[[str], Sheet], template: Callable[[Path], None]) -> list[str]:
    """Write the template or fit the data that were asked for; the lines that say what came out."""
    if (request.data is None) == (request.template is None):
        raise Refused(f"fit {study}: give either --data FILE.csv or --template FILE.csv, a file to fill in")
    if request.data is None:
        target = Path(str(request.template))
        if target.exists() or target.is_symlink():
            raise Refused(f"--template {target}: there is something of that name already; choose another")
        template(target)
        return [str(target)]
    sheet = read(request.data)
    posterior = infer(sheet.task.simulate, sheet.data, sheet.task.prior)
    stem = Path(request.data).with_suffix("")
    stem = stem.with_name(f"{stem.name}-fit")
    target = stem.with_name(f"{stem.name}.csv")
    written(sheet, posterior, target)
    pictures = write(drawing.fitted(sheet, posterior), stem)
    lines = [str(note) for note in sheet.notes] + people(sheet, posterior) + groups(sheet, posterior)
    return [*lines, str(target), *map(str, pictures)]


def interval(mean: float, low: float, high: float) -> str:
    rounded = (round(each, 2) + 0.0 for each in (mean, low, high))  # no −0.00
    return "{:.2f} [{:.2f}, {:.2f}]".format(*rounded)


def people(sheet: Sheet, posterior: Posterior) -> list[str]:
    """A line for each person; for parameters on which the data say little, a remark."""
    low, high = posterior.interval()
    lines = []
    for row, (person, group) in enumerate(zip(sheet.people, sheet.groups, strict=True)):
        who = " ".join(filter(None, [person or str(NOBODY), f"({group})" if group else ""]))
        values = [
            f"{each.symbol} = {interval(*(float(end[row, k]) for end in (posterior.mean, low, high)))}"
            for k, each in enumerate(sheet.task.parameters)
        ]
        noise = str(Text("noise", "雑音"))
        lines.append(f"{who}: {'; '.join(values)}; {noise} {math.exp(-float(posterior.noise[row]) / 2):.3g}")
    if len(lines) > SHOWN:
        more = len(lines) - SHOWN
        lines = [*lines[:SHOWN], str(Text(f"… and {more} more, in the table", f"ほか {more} 人は表に"))]
    share = (posterior.deviation / sheet.task.prior.deviation).median(0).values
    for each, left in zip(sheet.task.parameters, share.tolist(), strict=True):
        if left > SILENT:
            note = Text(
                f"{each.symbol} ({each.text.en}): these data say little of it; what is shown is mostly the prior",
                f"{each.symbol}({each.text.ja}):このデータからはほとんどわからない。値は主に事前分布による",
            )
            lines.append(str(note))
    return lines


def groups(sheet: Sheet, posterior: Posterior) -> list[str]:
    """The difference of each group's mean from the first group's, where both have two people or more."""
    names = [name for name in dict.fromkeys(sheet.groups) if name and sheet.groups.count(name) > 1]
    lines = []
    levels = {}
    for name in names:
        rows = torch.tensor([group == name for group in sheet.groups])
        levels[name] = level(Posterior(*(each[rows] for each in posterior)), sheet.task.prior)
    for name in names[1:]:
        size = sheet.groups.count(name) + sheet.groups.count(names[0])
        for each, d in zip(sheet.task.parameters, compare(levels[name], levels[names[0]], size), strict=True):
            lines.append(f"{name} − {names[0]}: {each.symbol} {interval(*d)}")
    return lines


def written(sheet: Sheet, posterior: Posterior, target: Path) -> None:
    """The table of everyone: mean, ends of the 95% interval and posterior standard deviation of each parameter."""
    low, high = posterior.interval()
    names = [f"{name}{ending}" for name in sheet.task.names for ending in ("", "_low", "_high", "_sd")]
    rows: list[list[object]] = []
    for row, (person, group) in enumerate(zip(sheet.people, sheet.groups, strict=True)):
        cells: list[object] = [person, group]
        for k in range(len(sheet.task.names)):
            cells += [float(each[row, k]) for each in (posterior.mean, low, high, posterior.deviation)]
        noise = math.exp(-float(posterior.noise[row]) / 2)
        rows.append([*cells, noise, float(posterior.free_energy[row]), float(sheet.data.weight[row].sum())])
    behaviour.write_rows(target, ["person", "group", *names, "noise_sd", "free_energy", "samples"], rows)
