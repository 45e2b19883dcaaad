"""A run as a folder to hand in: all of it comes along, and what is written about it can be read as it was meant."""

import csv
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from phantastic.declare.claims import Claim
from phantastic.declare.i18n import Text, words
from phantastic.declare.measure import Measure
from phantastic.declare.verdicts import Finding
from phantastic.ground.errors import Refused
from phantastic.lesion import Row
from phantastic.lesion.seeds import Lesioned
from phantastic.run import manifest
from phantastic.run.folder import Run
from phantastic.show import export, report
from phantastic.show.figure import BLUE, VERMILION

pytestmark = pytest.mark.usefixtures("toy")


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table (GitHub's rules: a backslash goes before a bar or a backslash)."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    parts = re.findall(r"((?:\\.|[^|\\])*)\|", line)[1:]
    return [re.sub(r"\\([\\|])", r"\1", cell.strip()) for cell in parts]


def table(card: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    part = card.split(f"## {heading}\n\n", 1)[1].split("\n\n", 1)[0]
    first, dashes, *rows = (cells(line) for line in part.splitlines())
    assert set(dashes) == {"---"}
    assert {len(row) for row in rows} == {len(first)}
    return rows


def test_all_of_a_run_is_exported_but_its_lock_and_links(runs: Path, home: Path) -> None:
    """Its results, its figures, lesions that were made since, and what it left beside them."""
    folder = runs / "one"
    rows = [Row("error_fit", dose, 0.5, 0.25, 0.75, [0.25, 0.75]) for dose in (0.0, 1.0)]
    report.publish_lesion(folder, ["fit[0]"], "silence", Lesioned(rows, []))
    run = Run.open(folder)
    (run.artefact("imagined")).mkdir()
    (folder / "imagined/deep").mkdir()
    (folder / "imagined/deep/picture.png").write_bytes(b"a picture")
    run.artefact("codes.csv").write_text("1,2\n")
    (home / "secret").mkdir()
    (home / "secret/key").write_text("of somebody")
    for link in (folder / "results/key", folder / "imagined/secret"):
        link.symlink_to(home / "secret/key" if link.name == "key" else home / "secret")
    (folder / "notes.txt").write_text("not of the run")
    export.export(folder, home / "out")
    exported, whole = content(home / "out"), content(folder)
    own = {"recipe.toml", "README.md", "notebook.ipynb"}
    left = {".lock", "notes.txt", "results/key", "imagined/secret/key"}
    assert set(exported) == set(whole) - left | own
    assert {"lesions/fit[0]-silence.csv", "imagined/deep/picture.png", "codes.csv"} <= set(exported)
    assert all(exported[name] == whole[name] for name in set(exported) - own)
    assert tomllib.loads(exported["recipe.toml"].decode()) == Run.open(folder).manifest.recipe


def test_what_is_there_is_not_exported_onto(runs: Path, home: Path) -> None:
    (home / "out").mkdir()
    with pytest.raises(Refused, match="is there already"):
        export.export(runs / "one", home / "out")
    with pytest.raises(Refused, match="is not finished"):
        export.export(runs / "half", home / "other")
    assert not (home / "other").exists()


def test_a_bar_or_a_line_break_stays_within_its_cell_of_the_card(runs: Path) -> None:
    """Statements hold p(x|z) and evidence what it likes; unescaped, they would spill into the next cells."""
    folder = runs / "one"
    made = manifest.read(folder)
    claim = Claim("toy.bar", Text("log p(x|z) ≥ 0\nof |x|", "|x|"), "Fig. 1", ("tiny",), "at_least", ("a|b",))
    findings = [Finding(claim, "holds", "a\\|b = 1; required ≥ 0"), Finding(claim, "fails", "||")]
    manifest.store(folder, manifest.CLAIMS, findings, made.format)
    manifest.store(folder, manifest.MEASURES, {"c": Measure(2.0, [2.0], 1.0, 3.0)}, made.format)
    card, word = export.model_card(Run.open(folder).study, folder, made), words()
    assert table(card, word["ledger"]) == [
        ["✓ holds", "log p(x|z) ≥ 0 of |x| (Fig. 1)", "a\\|b = 1; required ≥ 0"],
        ["× fails", "log p(x|z) ≥ 0 of |x| (Fig. 1)", "||"],
    ]
    assert table(card, word["measures"]) == [["`c`", "2 [1, 3]"]]
    recipe = {row[0].strip("`"): row for row in table(card, word["recipe"])}
    assert recipe["learning_rate"][1:] == ["η", "0.01 1/step", "step size of Adam"]


def test_a_cell_of_the_card_is_no_html() -> None:
    assert export.cell('<img src="x"> & |\\') == '&lt;img src="x"&gt; &amp; \\|\\\\'
    assert export.cell("one\ntwo") == "one two"


@pytest.mark.parametrize(("each", "shams", "numbers"), [(6, 2, ["2", "3"]), (4, 1, ["4"]), (4, 4, ["4", "1"])])
def test_a_dose_curve_says_how_many_seeds_and_repeats_it_has(each: int, shams: int, numbers: list[str]) -> None:
    """Of a sham there is one value for each seed, of a dose so many for each seed as there are repeats."""
    rows = [
        Row("error", 1.0, 1.0, 0.5, 1.5, [1.0] * each),
        Row("error", 1.0, 1.0, None, None, [1.0] * shams, sham=True),
    ]
    caption = report.dose_curves(["net"], "noise", rows).caption
    assert [number for number in re.findall(r"\d+", caption) if number != "95"] == numbers


def test_a_dose_curve_is_written_to_the_bit(tmp_path: Path) -> None:
    rows = [
        Row("error", 0.0, 1 / 3, None, None, [1 / 3]),
        Row("error", 0.5, 0.1 + 0.2, -1e-17, 1e300, [0.1, 0.2, 0.3000000000000001]),
        Row('a "b", c', 1.0, 2.0, 1.0, 3.0, [2.0], sham=True),
    ]
    path, *pictures = report.publish_lesion(tmp_path, ["net[0]"], "noise", Lesioned(rows, []))
    assert path == tmp_path / "lesions/net[0]-noise.csv"
    assert [picture.suffix for picture in pictures] == [".svg", ".png"]
    with open(path, newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    for row, wanted in zip(found, rows, strict=True):
        bounds = [float(row[name]) if row[name] else None for name in ("low", "high")]
        each = [float(word) for word in row["each"].split()]
        read = (row["measure"], float(row["dose"]), float(row["mean"]), *bounds, each, bool(int(row["sham"])))
        assert Row(*read) == wanted


def test_the_sham_lesion_is_a_cross_beside_the_curve(tmp_path: Path) -> None:
    """A blue dot for each dose, a vermilion cross for each sham, none of them for the other."""
    rows = [Row("error", dose, 1 - dose, 0.9 - dose, 1.1 - dose, [1 - dose]) for dose in (0.0, 0.25, 0.5, 1.0)]
    rows += [Row("error", dose, 1.0, None, None, [1.0], sham=True) for dose in (0.5, 1.0)]
    svg = report.publish_lesion(tmp_path, ["net"], "noise", Lesioned(rows, []))[1].read_text()
    marks = re.findall(r'<path [^>]*aria-roledescription="(?:point|circle)"[^>]*>', svg)
    colours = Counter(colour for mark in marks for colour in (BLUE, VERMILION) if colour.lower() in mark.lower())
    assert colours == {BLUE: 4, VERMILION: 2}
