"""Take the ledgers of finished runs into the READMEs: python tools/ledger.py RUN [RUN ...]

A run must have been made with the recipe of its preset. Its ledger, judged by today's claims, is written to
`ledgers/STUDY.json` beside the system (what was measured, without the bootstrap's draws) and from there between
`<!-- ledger:STUDY -->` and `<!-- /ledger -->` in the system's README; its verdicts are counted in the studies' table.
`tests/house/ledgers.py` holds what is written there against the presets and the claims as they are.
"""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phantastic.declare.i18n import SYMBOLS, language, speaking, words
from phantastic.declare.measure import Measure
from phantastic.declare.recipe import NEUTRAL
from phantastic.declare.study import Study, register
from phantastic.declare.verdicts import Finding, Verdict, judge
from phantastic.ground.errors import Refused
from phantastic.run import manifest
from phantastic.show.export import cell

ROOT = Path(__file__).parents[1]


class Row(Struct):
    """A claim by its id, the verdict, and the evidence in both languages."""

    id: str
    verdict: Verdict
    en: str
    ja: str


class Ledger(Struct):
    """How a study's run came out."""

    study: str
    preset: str
    recipe: dict[str, Any]
    date: str
    machine: str
    precision: str
    seconds: int
    rows: list[Row]
    measures: dict[str, Measure]


def taken(folder: Path) -> Ledger:
    """The ledger of a run; raises `Refused` where its recipe is not that of its preset."""
    made = manifest.finished(folder)
    study = register()[made.study]
    if differing := [*made.changed, *differences(study, made.preset, made.recipe)]:
        raise Refused(f"{folder} was not made with the recipe of '{made.preset}': {', '.join(differing)} differ")
    measures, by_language = manifest.measures(folder), {}
    for spoken in ("en", "ja"):
        with speaking(spoken):
            by_language[spoken] = judge(study.claims(), measures, made.preset)
    rows = [
        Row(en.claim.id, en.verdict, en.evidence, ja.evidence)
        for en, ja in zip(by_language["en"], by_language["ja"], strict=True)
    ]
    bare = {name: msgspec.structs.replace(measure, draws=[]) for name, measure in measures.items()}
    date, seconds = made.started[:10], round(made.seconds)
    return Ledger(made.study, made.preset, made.recipe, date, made.machine, made.precision, seconds, rows, bare)


def differences(study: Study, preset: str, recipe: dict[str, Any]) -> list[str]:
    """The keys in which a recipe differs from that of the shipped preset; how many seeds there are counts."""
    shipped, neutral = manifest.plain(study.presets[preset]), set(NEUTRAL) - {"seed", "seeds"}
    return [key for key in shipped if recipe.get(key) != shipped[key] and key not in neutral]


def place(study: Study) -> Path:
    return study.folder / "ledgers" / f"{study.name}.json"


def findings(ledger: Ledger, study: Study, language: str) -> list[Finding]:
    claims = {claim.id: claim for claim in study.claims()}
    return [Finding(claims[row.id], row.verdict, getattr(row, language)) for row in ledger.rows]


def block(ledger: Ledger, study: Study) -> str:
    """What stands in a README, in the language that is spoken."""
    word = words()
    seeds = ledger.recipe.get("seeds", 1)
    last = ledger.recipe["seed"] + seeds - 1
    seeds = f"{word['seed']} {ledger.recipe['seed']}" + (f"–{last}" if seeds > 1 else "")
    parts = [f"`{ledger.preset}`", ledger.date, seeds, ledger.precision, ledger.machine, f"{ledger.seconds} s"]
    head = f"| {word['verdict']} | {word['claim']} | {word['evidence']} |"
    lines = ["; ".join(parts), "", head, "| --- | --- | --- |"]
    for finding in findings(ledger, study, language()):
        claim, verdict = finding.claim, f"{SYMBOLS[finding.verdict]} {word[finding.verdict]}"
        told = f"{cell(claim.statement)} (`{claim.id}`; {cell(claim.origin)})"
        lines.append(f"| {verdict} | {told} | {cell(finding.evidence)} |")
    return "\n".join(lines)


def written(text: str, study: str, block: str) -> str:
    """A page with the block of a study in its place."""
    marks = rf"(<!-- ledger:{study} -->\n).*?(\n<!-- /ledger -->)"
    if not re.search(marks, text, re.DOTALL):
        raise Refused(f"there is no <!-- ledger:{study} --> ... <!-- /ledger --> in the README")
    return re.sub(marks, lambda found: f"{found[1]}{block}{found[2]}", text, flags=re.DOTALL)


def counted(text: str, ledger: Ledger) -> str:
    """The table of studies with the numbers of this ledger: holds, fails, undecided or untested; and what it is of."""
    verdicts = [row.verdict for row in ledger.rows]
    counts = [verdicts.count("holds"), verdicts.count("fails")]
    counts.append(len(verdicts) - sum(counts))
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.startswith(f"| [`{ledger.study}`]("):
            cells = line.split(" | ")
            cells[2:5] = map(str, counts)
            cells[6] = f"`{ledger.preset}`, {ledger.date} |\n"
            lines[number] = " | ".join(cells)
    return "".join(lines)


def main(folders: list[str]) -> None:
    for folder in folders:
        ledger = taken(Path(folder))
        study = register()[ledger.study]
        place(study).parent.mkdir(exist_ok=True)
        place(study).write_bytes(msgspec.json.format(msgspec.json.encode(ledger), indent=1) + b"\n")
        pages = {study.folder / "README.md": "en", ROOT / "README.md": "en", ROOT / "README.ja.md": "ja"}
        if (japanese := study.folder / "README.ja.md").exists():
            pages[japanese] = "ja"
        for page, spoken in pages.items():
            text = page.read_text(encoding="utf-8")
            if f"<!-- ledger:{study.name} -->" in text or page.parent == study.folder:
                with speaking(spoken):
                    text = written(text, study.name, block(ledger, study))
            page.write_text(counted(text, ledger) if page.parent == ROOT else text, encoding="utf-8")
        print(f"{ledger.study}: {', '.join(f'{row.id} {row.verdict}' for row in ledger.rows)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or sys.exit(__doc__))
    except Refused as refusal:
        sys.exit(f"Error: {refusal}")
