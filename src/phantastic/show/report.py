"""A run folder as one self-contained HTML page: no script, no network, fonts and figures within."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from phantastic.declare.i18n import SYMBOLS, duration, language, words
from phantastic.declare.parameter import parameters
from phantastic.declare.recipe import differing
from phantastic.declare.verdicts import Finding, judge
from phantastic.ground import files
from phantastic.ground.errors import command
from phantastic.run import manifest, stages
from phantastic.run.manifest import Manifest, elsewhere
from phantastic.show import figure, terminal
from phantastic.show.figure import BLUE, VERMILION, Figure
from phantastic.show.fonts import font_face

if TYPE_CHECKING:
    from phantastic.lesion import Row
    from phantastic.lesion.seeds import Answers, Lesioned
    from phantastic.run.folder import Run

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


class Picture(NamedTuple):
    """A figure as the page embeds it."""

    name: str
    caption: str
    type: str
    data: str


def publish(run: "Run") -> list[Finding]:
    """Judge the study's claims on the run's measures; write claims.json, figures/ and report.html.

    Raises `Refused` when the run has no measures yet or the folder cannot be written; nothing is then half-written.
    """
    findings = judge(run.study.claims(), run.measures(), run.manifest.preset, run.changed())
    manifest.store(run.folder, manifest.CLAIMS, findings, run.manifest.format)
    figures: dict[str, Figure] = run.study.load().figures(run)
    curves = training_curves(run.curve())
    if curves is not None:
        figures = figures | {"curves": curves}
    pictures = [picture(run.folder, name, drawn) for name, drawn in figures.items()]
    files.write(run.folder / "report.html", page(run, findings, pictures))
    return findings


class Growing:
    """The report while its run goes on: called with a name and how to draw it, it shows all pictures so far, the last
    one first, on a page that renews itself."""

    def __init__(self, run: "Run"):
        self.run = run
        self.pictures: dict[str, Picture] = {}

    def __call__(self, name: str, draw: Callable[[], Figure]) -> None:
        word, page = words(), self.run.folder / "report.html"
        if not self.pictures:
            terminal.note(f"{word['watch']}: {page}")
        self.pictures.pop(name, None)
        self.pictures = {name: picture(self.run.folder, name, draw()), **self.pictures}
        values = {"lang": language(), "word": word, "study": self.run.study}
        files.write(page, rendered("growing.html", values, list(self.pictures.values())))


def picture(folder: Path, name: str, drawn: Figure) -> Picture:
    """Write a figure into the run's figures/, as the page embeds it."""
    path = figure.write(drawn, folder / "figures" / name)[0]
    return Picture(name, drawn.caption, TYPES[path.suffix], base64.b64encode(path.read_bytes()).decode())


def rendered(template: str, values: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """A page of templates/; the glyphs it needs beyond Latin are embedded."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(
        values, pictures=[picture._replace(data="") for picture in pictures], font=""
    )
    return environment.get_template(template).render(values, pictures=pictures, font=Markup(font_face(text)))


def page(run: "Run", findings: Sequence[Finding], pictures: Sequence[Picture]) -> str:
    """The report."""
    values: dict[str, Any] = {
        "lang": language(),
        "word": words(),
        "symbols": SYMBOLS,
        "study": run.study,
        "manifest": run.manifest,
        "about": about(run.manifest),
        "findings": findings,
        "measures": run.measures(),
        "parameters": parameters(run.study.recipe),
        "commands": commands(run),
        "equations": equations(run),
        "minutes": stages.minutes(run.folder, run.manifest),
    }
    return rendered("report.html", values, pictures)


def about(made: Manifest) -> str:
    """One sentence on what made the run."""
    return words()["about_run"].format(
        study=made.study,
        preset=made.preset,
        seed=made.recipe["seed"],
        seeds=made.recipe["seeds"],
        date=made.started[:10],
        time=duration(made.seconds),
    )


def equations(run: "Run") -> dict[str, list[Markup]]:
    """The equations of the run's models, as MathML under the names of the models; none where a study offers none."""
    return {name: [Markup(line) for line in lines] for name, lines in run.study.load().equations(run).items()}


def commands(run: "Run[Any]") -> list[tuple[str, str]]:
    """What a reader can do with the run: a sentence and the command, to be given where the run was begun."""
    word, study, made = words(), run.study, run.manifest
    root = run.root
    name = f"{made.study}/{run.folder.name}" if root == Path("runs") else str(run.folder)
    actions = [
        (word["do_repeat"], command("run", made.study, "--preset", made.preset, *settings(run), *elsewhere(root))),
        (word["do_compare"], f"{command('compare', name)} {made.study}/…"),
        (word["do_export"], command("export", name)),
    ]
    if run.checkpoints.latest.finished:  # networks were trained
        actions.append((word["do_lesion"], command("lesion", name, "--list")))
    for option in parameters(study.apply) if study.apply else ():
        with_run = command("apply", study.name, "--run", name)
        actions.append((f"{word['do_apply']}: {option.text}", f"{with_run} --{option.name} …"))
    for option in parameters(study.fit) if study.fit else ():
        actions.append((f"{word['do_fit']}: {option.text}", f"{command('fit', study.name)} --{option.name} …"))
    return actions


def settings(run: "Run[Any]") -> list[str]:
    """What gives the run's recipe back from its preset: ``--set`` and ``key=value`` for all that differs."""
    known = {parameter.name: parameter for parameter in parameters(run.study.recipe)}
    differ = differing(run.recipe, run.study.presets.get(run.manifest.preset))
    return [word for key in differ for word in ("--set", f"{key}={known[key].written(getattr(run.recipe, key))}")]


def training_curves(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """What the stages logged: a row of small panels per stage, one per scalar, a line per seed."""
    word = words()
    panels: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for point in points:
        repetition = re.fullmatch(r"seed(\d+)/(.+)", point["stage"])
        seed, stage = repetition.groups() if repetition else ("", point["stage"])
        for quantity, value in point.items():
            if quantity not in ("stage", "step"):
                values = panels.setdefault(stage, {}).setdefault(quantity, [])
                values.append({"seed": seed, "step": point["step"], "value": value})
    seeds = {value["seed"] for stage in panels.values() for values in stage.values() for value in values}
    colour = alt.Color("seed:N", title=word["seed"]) if len(seeds) > 1 else alt.value(BLUE)

    def panel(quantity: str, values: list[dict[str, Any]]) -> alt.Chart:
        lines = alt.Chart(alt.Data(values=values), title=title(quantity)).mark_line(strokeWidth=1.5)
        x = alt.X("step:Q", title=word["step"], axis=alt.Axis(tickCount=4, format="~s"))
        y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
        return lines.encode(x=x, y=y, color=colour).properties(width=170, height=100)

    rows = [
        alt.concat(*(panel(quantity, values) for quantity, values in stage.items()), columns=4, title=name)
        for name, stage in panels.items()
    ]
    return Figure(word["curves_caption"], alt.vconcat(*rows)) if rows else None


def title(text: str) -> alt.TitleParams:
    """The title of a small panel."""
    return alt.TitleParams(text, anchor="middle", fontSize=12, fontWeight="normal")


def publish_lesion(folder: Path, sites: Sequence[str], kind: str, lesioned: "Lesioned") -> list[Path]:
    """Write a dose curve into the run's lesions/ as CSV, SVG and PNG, and the answers behind it, where there are any,
    as CSV; the files' paths."""
    stem = folder / "lesions" / lesion_name(sites, kind)
    tables = {stem.name: curve_table(lesioned.rows)}
    if lesioned.answers:
        tables[f"{stem.name}-answers"] = answer_table(lesioned.answers)
    paths = [stem.with_name(f"{name}.csv") for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        files.write_csv(path, table)
    return [*paths, *figure.write(dose_curves(sites, kind, lesioned.rows), stem)]


def lesion_name(sites: Sequence[str], kind: str) -> str:
    """All sites and the kind; where that is too long for a file, the first site and a number for all of them."""
    named = "+".join(sites)
    if len(named) > 180:
        named = f"{sites[0]}+{len(sites) - 1}-{sha256(named.encode()).hexdigest()[:8]}"
    return f"{named}-{kind}"


def curve_table(rows: "Sequence[Row]") -> list[list[Any]]:
    """A line per measure and dose."""
    table: list[list[Any]] = [["measure", "dose", "sham", "mean", "low", "high", "each"]]
    for row in rows:
        low, high = ("" if bound is None else bound for bound in (row.low, row.high))
        table.append([row.measure, row.dose, int(row.sham), row.mean, low, high, " ".join(map(repr, row.each))])
    return table


def answer_table(answers: "Sequence[Answers]") -> list[list[Any]]:
    """A line per seed, dose, repeat and item."""
    table: list[list[Any]] = [["seed", "dose", "sham", "repeat", "item", *answers[0].items]]
    for each in answers:
        for item, row in enumerate(zip(*each.items.values(), strict=True)):
            table.append([each.seed, each.dose, int(each.sham), each.repeat, item, *row])
    return table


def dose_curves(sites: Sequence[str], kind: str, rows: "Sequence[Row]") -> Figure:
    """A panel per measure: its curve with the interval, and the sham lesion."""
    word, panels = words(), []
    for name in dict.fromkeys(row.measure for row in rows):
        chosen = [row for row in rows if row.measure == name]
        values = [
            {"dose": row.dose, "mean": row.mean, "sham": row.sham, "low": low, "high": high}
            for row in chosen
            for low, high in [row.summary.ends]
        ]
        base = alt.Chart(alt.Data(values=values), title=title(name))
        curve, control = base.transform_filter("!datum.sham"), base.transform_filter("datum.sham")
        x, y = alt.X("dose:Q", title=word["dose"]), alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False))
        layers = alt.layer(
            curve.mark_area(opacity=0.2, color=BLUE).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q"),
            curve.mark_line(color=BLUE, point={"filled": True, "color": BLUE}).encode(x=x, y=y),
            control.mark_point(shape="cross", angle=45, size=80, color=VERMILION).encode(x=x, y=y),
        )
        panels.append(layers.properties(width=200, height=140))
    most, seeds = (each(len(row.each) for row in rows) for each in (max, min))  # of a sham there is one per seed
    caption = word["lesion_caption"].format(repeats=most)
    if seeds > 1:
        caption = word["lesion_caption_seeds"].format(seeds=seeds, repeats=most // seeds)
    lines = wrap(f"{' + '.join(sites)}: {kind}", 90, break_long_words=False, break_on_hyphens=False)
    heading = lines if len(lines) > 1 else lines[0]
    return Figure(caption, alt.concat(*panels, columns=3, title=alt.TitleParams(heading, subtitle=caption)))
