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
from phantastic.systems.psychiatry.check import Check, bounded, check
from phantastic.systems.psychiatry.cohort import compare, level
from phantastic.systems.psychiatry.fit import Posterior, infer
from phantastic.systems.psychiatry.study import BehaviourFit

SHOWN = 20  # people that are printed; all are in the table
SILENT = 0.7  # share of the prior's standard deviation above which the data say little
NOBODY = Text("all", "全員")
RECORDED = (Text("offset", "ずれ"), Text("gain", "利得"), Text("latency", "遅れ"))  # of the recording


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
    whole = infer(sheet.task.simulate, sheet.data, sheet.task.prior, recording=sheet.task.recording)
    checked = check(sheet.data, whole, sheet.task.prior, sheet.spacing)
    marks = marked(sheet, whole, checked)
    if not bool(checked.follows.any()):
        raise Refused(
            f"{request.data!r}: {sheet.people[0] or NOBODY}{' and everybody else' if len(sheet.people) > 1 else ''} "
            f"{marks[0][0].en}; at least one person's behaviour must be that of the task: see the columns, "
            "the unit, the origin (0 is the middle) and the side, and begin with --template"
        )
    posterior = whole.first(len(sheet.task.parameters))
    stem = Path(request.data).with_suffix("")
    stem = stem.with_name(f"{stem.name}-fit")
    target = stem.with_name(f"{stem.name}.csv")
    written(sheet, whole, checked, marks, target)
    pictures = write(drawing.fitted(sheet, posterior, [bool(each) for each in marks], checked.follows.tolist()), stem)
    lines = [str(note) for note in sheet.notes] + people(sheet, posterior, checked, marks)
    lines += groups(sheet, posterior, checked)
    return [*lines, str(target), *map(str, pictures)]


def marked(sheet: Sheet, posterior: Posterior, checked: Check) -> list[list[Text]]:
    """What keeps each person's numbers from being believed as they stand; nothing for most people."""
    names = [each.symbol for each in sheet.task.parameters] + [str(each) for each in RECORDED]
    prior = sheet.task.recording.with_prior(sheet.task.prior) if sheet.task.recording else sheet.task.prior
    beyond = bounded(posterior, prior)
    marks = []
    for row in range(len(sheet.people)):
        own: list[Text] = []
        if not bool(checked.follows[row]):
            noise = min(float(checked.noise[row]), 1.0)
            share, least = f"{noise:.0%}", noise == 1
            own.append(
                Text(
                    f"does not follow the target (noise is {share}{' or more' * least} of the variance): "
                    "nothing is inferred",
                    f"標的を追っていない(雑音が分散の {share}{'以上' * least}):推定しない",
                )
            )
        else:
            if not bool(checked.described[row]):
                p = f"{float(checked.p[row]):.3f}"
                own.append(
                    Text(
                        f"the model does not describe what is left over (p = {p}): intervals are too narrow",
                        f"残差をモデルが説明しない(p = {p}):区間は狭すぎる",
                    )
                )
            ends = [each for each, here in zip(names, beyond[row].tolist(), strict=False) if here]
            if ends:
                which = ", ".join(ends)
                own.append(
                    Text(
                        f"at a bound or with an interval across it: {which}; only a bound can be told",
                        f"上限・下限にある、または区間がそれを越える:{which}。わかるのは限界だけ",
                    )
                )
        marks.append(own)
    return marks


def interval(mean: float, low: float, high: float) -> str:
    rounded = (round(each, 2) + 0.0 for each in (mean, low, high))  # no −0.00
    return "{:.2f} [{:.2f}, {:.2f}]".format(*rounded)


def people(sheet: Sheet, posterior: Posterior, checked: Check, marks: list[list[Text]]) -> list[str]:
    """A line for each person, with the marks that they have; for parameters on which the data say little, a remark."""
    low, high = posterior.interval()
    lines = []
    for row, (person, group) in enumerate(zip(sheet.people, sheet.groups, strict=True)):
        who = " ".join(filter(None, [person or str(NOBODY), f"({group})" if group else ""]))
        values = [
            f"{each.symbol} = {interval(*(float(end[row, k]) for end in (posterior.mean, low, high)))}"
            for k, each in enumerate(sheet.task.parameters)
        ]
        noise, share = math.exp(-float(posterior.noise[row]) / 2), f"{float(checked.noise[row]):.1%}"
        values.append(str(Text(f"noise {noise:.3g}, {share} of the variance", f"雑音 {noise:.3g}(分散の {share})")))
        shown = values if bool(checked.follows[row]) else []
        lines.append(f"{who}: {'; '.join([*shown, *map(str, marks[row])])}")
    if len(lines) > SHOWN:
        more = len(lines) - SHOWN
        hidden = sum(map(bool, marks[SHOWN:]))
        if hidden:
            more_marked = Text(f"{hidden} of the rest are marked, in the table", f"残りのうち {hidden} 人に注記(表)")
            lines.append(str(more_marked))
        lines = [
            *lines[:SHOWN],
            *lines[SHOWN + more :],
            str(Text(f"… and {more} more, in the table", f"ほか {more} 人は表に")),
        ]
    share = (posterior.deviation[checked.follows] / sheet.task.prior.deviation).median(0).values
    for each, left in zip(sheet.task.parameters, share.tolist(), strict=True):
        if left > SILENT:
            note = Text(
                f"{each.symbol} ({each.text.en}): these data say little of it; what is shown is mostly the prior",
                f"{each.symbol}({each.text.ja}):このデータからはほとんどわからない。値は主に事前分布による",
            )
            lines.append(str(note))
    return lines


def groups(sheet: Sheet, posterior: Posterior, checked: Check) -> list[str]:
    """The difference of each group's mean from the first group's, where both have two people or more who follow."""
    kept = [g if follows else "" for g, follows in zip(sheet.groups, checked.follows.tolist(), strict=True)]
    names = [name for name in dict.fromkeys(kept) if name and kept.count(name) > 1]
    lines = []
    levels = {}
    for name in names:
        rows = torch.tensor([group == name for group in kept])
        levels[name] = level(Posterior(*(each[rows] for each in posterior)), sheet.task.prior)
    for name in names[1:]:
        size = kept.count(name) + kept.count(names[0])
        for each, d in zip(sheet.task.parameters, compare(levels[name], levels[names[0]], size), strict=True):
            lines.append(f"{name} − {names[0]}: {each.symbol} {interval(*d)}")
    return lines


def written(sheet: Sheet, posterior: Posterior, checked: Check, marks: list[list[Text]], target: Path) -> None:
    """The table of everyone: mean, ends of the 95% interval and posterior standard deviation of each parameter, empty
    where nobody follows; then offset, gain and latency of the recording, and what the checks found."""
    low, high = posterior.interval()
    names = [f"{name}{ending}" for name in sheet.task.names for ending in ("", "_low", "_high", "_sd")]
    size, recorded = len(sheet.task.names), [text.en for text in RECORDED] if sheet.task.recording else []
    rows: list[list[object]] = []
    for row, (person, group) in enumerate(zip(sheet.people, sheet.groups, strict=True)):
        cells: list[object] = [person, group]
        for k in range(size):
            cells += [float(each[row, k]) for each in (posterior.mean, low, high, posterior.deviation)]
        cells += posterior.mean[row, size:].tolist()
        if not bool(checked.follows[row]):
            cells[2:] = [""] * (len(cells) - 2)
        noise = math.exp(-float(posterior.noise[row]) / 2)
        numbers = [noise, float(checked.noise[row]), float(posterior.free_energy[row])]
        numbers += [float(checked.evidence[row]), float(checked.p[row]), float(sheet.data.weight[row].sum())]
        rows.append([*cells, *numbers, "; ".join(map(str, marks[row]))])
    ends = ["noise_sd", "noise_share", "free_energy", "evidence", "p", "samples", "mark"]
    behaviour.write_rows(target, ["person", "group", *names, *recorded, *ends], rows)
