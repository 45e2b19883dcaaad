"""What the verbs print: tables on standard output, notes on standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from msgspec import to_builtins
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from phantastic.declare.i18n import SYMBOLS, duration, words
from phantastic.declare.measure import Measure
from phantastic.declare.parameter import parameters
from phantastic.declare.request import Request
from phantastic.declare.study import Study
from phantastic.declare.verdicts import Finding
from phantastic.ground.errors import Refused, printable
from phantastic.run import manifest, stages

if TYPE_CHECKING:
    from phantastic.lesion import Row, Site
    from phantastic.show.doctor import Check

PLAIN_WIDTH = 110  # columns where the output is not a terminal
# beside the words, for those who see them
COLOURS = {"holds": "green", "fails": "bold red", "undecided": "magenta", "untested": "yellow"}


def console(stream: TextIO | None = None) -> Console:
    """A console that prints text as it is: a bracket is a bracket."""
    output = sys.stdout if stream is None else stream
    width = None if output.isatty() else PLAIN_WIDTH
    return Console(file=output, width=width, markup=False, emoji=False, highlight=False)


def heading(text: str) -> None:
    console().print(f"\n{text}", style="bold")


def note(text: str) -> None:
    """A remark that is no result: on standard error."""
    print(printable(text), file=sys.stderr)


def say(text: str) -> None:
    """A line of output."""
    print(printable(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under columns; long cells wrap."""
    grid = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else printable(str(cell)) for cell in row))
    console().print(grid)


# --- studies and runs


def studies(entries: Iterable[Study]) -> None:
    """Studies with their lectures, papers and presets with measured minutes."""
    word = words()
    rows = []
    for entry in entries:
        papers = "; ".join(entry.papers)  # by key: to read the bibliography takes a tenth of the time of this list
        rows.append((entry.name, str(entry.title), str(entry.lecture), papers, ", ".join(presets(entry))))
    table([word["study"], "", word["lecture"], word["paper"], word["presets"]], rows)


def presets(entry: Study) -> list[str]:
    """The presets' names with their measured minutes."""
    times = {name: f"{minutes:g} {words()['minutes']}" for name, minutes in entry.minutes.items()}
    return [f"{name} ({times.get(name, words()['not_timed'])})" for name in entry.presets]


def runs(root: Path) -> None:
    """Every run under ``root``; a damaged one is named as such."""
    word = words()
    rows = []
    for folder in manifest.listed(root):
        try:
            entry = manifest.read(folder)
        except Refused:
            rows.append((folder, "", word["damaged"], "", ""))
            continue
        state = word["finished" if entry.finished else "unfinished"]
        rows.append((folder, entry.preset, state, entry.started, duration(entry.seconds)))
    heading(word["runs"])
    if rows:
        table([word["run"], word["preset"], word["state"], word["started"], word["time"]], rows)
    else:
        say(word["no_runs"])


def study(entry: Study) -> None:
    """A study's parameters, their bounds and their values at each preset."""
    word = words()
    heading(f"{entry.name}: {entry.title}")
    say(f"{word['lecture']}: {entry.lecture}")
    for paper in entry.cited():
        say(f"{word['paper']}: {paper.reference}")
    say(f"{word['presets']}: {', '.join(presets(entry))}")
    parameter_table(entry, {name: to_builtins(recipe) for name, recipe in entry.presets.items()})
    if entry.apply:
        applications(entry)
    if entry.fit:
        fits(entry)


def applications(entry: Study) -> None:
    """What ``phantastic apply`` takes for this study."""
    heading(words()["applications"])
    if entry.apply is None:
        say(words()["nothing_to_apply"])
    else:
        options(f"apply {entry.name}", entry.apply)


def fits(entry: Study) -> None:
    """What ``phantastic fit`` takes for this study."""
    heading(words()["fits"])
    assert entry.fit is not None
    options(f"fit {entry.name}", entry.fit)


def options(verb: str, request: type[Request]) -> None:
    """Each option of a verb, of a number also what is allowed."""
    for option in parameters(request):
        bounds = f" ({option.allowed} {option.unit}".rstrip() + ")" if option.kind == "number" else ""
        say(f"  phantastic {verb} --{option.name} …   {option.text}{bounds}")


def parameter_table(entry: Study, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """A study's parameters: their values in each column, what is allowed, what they mean."""
    word = words()
    rows = []
    for parameter in parameters(entry.recipe):
        values = [column.get(parameter.name, "") for column in columns.values()]
        name = f"{parameter.name} {parameter.symbol}".strip()
        rows.append((name, *values, f"{parameter.allowed} {parameter.unit}".strip(), str(parameter.text)))
    heading(word["recipe"])
    table([word["parameter"], *columns, word["allowed"], word["meaning"]], rows)


def run(entry: Study, folder: Path) -> None:
    """A run: what made it, its recipe, its measures and its ledger."""
    word = words()
    made = manifest.read(folder)
    heading(f"{folder}: {entry.title}")
    say(
        f"{word['preset']}: {made.preset}; {word['state']}: {word['finished' if made.finished else 'unfinished']}; "
        f"{word['started']}: {made.started}; {word['time']}: {duration(made.seconds)}\n"
        f"{made.machine}; {word['device']}: {made.device}; {word['threads']}: {made.threads}; "
        f"{word['precision']}: {made.precision}; "
        + ", ".join(f"{name} {number}" for name, number in made.versions.items())
    )
    parameter_table(entry, {word["value"]: made.recipe})
    if measures := manifest.measures(folder):
        heading(word["measures"])
        table([word["measure"], word["mean"], word["interval"]], [(name, *shown(m)) for name, m in measures.items()])
    if rows := stages.minutes(folder, made):
        heading(word["minutes_title"])
        table([word["stage"], word["steps"], word["seconds"], word["share"]], rows)
    ledger(manifest.findings(folder), word["no_claims"] if made.finished else word["not_judged"])


def shown(measure: Measure) -> tuple[str, str]:
    """Mean and interval as text."""
    if measure.low is None or measure.high is None:
        return f"{measure.value:.4g}", ""
    return f"{measure.value:.4g}", f"{measure.low:.4g} … {measure.high:.4g}"


def comparison(folders: Sequence[Path]) -> None:
    """Runs side by side: where the recipes differ, the measures, the verdicts."""
    word = words()
    made = [manifest.read(folder) for folder in folders]
    recipes = [{"study": entry.study, "preset": entry.preset} | entry.recipe for entry in made]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    rows = [(key, *(recipe.get(key, "") for recipe in recipes)) for key in keys]
    rows = [row for row in rows if len(set(map(str, row[1:]))) > 1]
    heading(word["difference"])
    table([word["parameter"], *map(str, folders)], rows) if rows else say(word["same"])
    measures = [manifest.measures(folder) for folder in folders]
    names = dict.fromkeys(name for each in measures for name in each)
    heading(f"{word['measures']} ({word['mean']}, {word['interval']})")
    table(
        [word["measure"], *map(str, folders)],
        [(name, *("  ".join(shown(each[name])) if name in each else "" for each in measures)) for name in names],
    )
    verdicts = [{finding.claim.id: finding.verdict for finding in manifest.findings(folder)} for folder in folders]
    claims = dict.fromkeys(claim for each in verdicts for claim in each)
    heading(word["ledger"])
    table(
        [word["claim"], *map(str, folders)],
        [(claim, *(verdict(each[claim]) if claim in each else "" for each in verdicts)) for claim in claims],
    )


# --- the ledger


def verdict(name: str) -> Text:
    """The verdict by symbol and word."""
    return Text(f"{SYMBOLS[name]} {words()[name]}", style=COLOURS[name], no_wrap=True)


def ledger(findings: Sequence[Finding], otherwise: str) -> None:
    """The claims, each with its verdict and the numbers behind it; ``otherwise`` where there are none."""
    word = words()
    rows = []
    for finding in findings:
        claim = finding.claim
        text = f"{claim.statement}\n{finding.evidence}\n{claim.id} ({claim.origin})"
        rows.append((verdict(finding.verdict), text))
    heading(word["ledger"])
    table([word["verdict"], word["claim"]], rows) if rows else say(otherwise)


def study_ledger(entry: Study, folder: Path | None, root: Path) -> None:
    """The ledger of a run, of the study's newest run, or of claims that no run has tested."""
    word = words()
    folder = folder or manifest.newest(entry.name, root)
    heading(f"{entry.name}: {folder or '–'}")
    if folder:
        ledger(manifest.findings(folder), word["not_judged"])
    else:
        reason = word["not_run"].format(study=entry.name)
        ledger([Finding(claim, "untested", reason) for claim in entry.claims()], word["no_claims"])


# --- lesions and the machine


def sites(places: "Sequence[Site]") -> None:
    """Where a model can be damaged, and how."""
    word = words()
    rows = [(place.name, place.units, place.connections, ", ".join(place.kinds)) for place in places]
    table([word["site"], word["units"], word["connections"], word["kinds"]], rows)


def lesion(rows: "Sequence[Row]") -> None:
    """Measures by dose, the sham lesion last."""
    word = words()
    sham = f" ({word['sham']})"
    cells = [(row.measure, f"{row.dose:g}{sham if row.sham else ''}", *shown(row.summary)) for row in rows]
    table([word["measure"], word["dose"], word["mean"], word["interval"]], cells)


def examination(checks: "Sequence[Check]") -> None:
    """What the doctor found."""
    word = words()
    passed, failed = Text(f"✓ {word['doctor_ok']}"), Text(f"× {word['doctor_problem']}", style="bold red")
    rows = [(passed if check.ok else failed, check.name, check.found) for check in checks]
    table(["", word["check"], word["found"]], rows)
