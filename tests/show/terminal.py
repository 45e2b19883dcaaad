"""What the verbs print, in whole: tables and lines as a user sees them."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from toys.study import TOY, ToyRecipe

from phantastic.declare.claims import Claim
from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.declare.verdicts import Finding
from phantastic.ground import files
from phantastic.lesion import Row
from phantastic.lesion.kinds import Site
from phantastic.run import manifest
from phantastic.run.folder import Run
from phantastic.show import terminal
from phantastic.show.doctor import Check

pytestmark = pytest.mark.usefixtures("toy")
Said = Callable[[], list[list[str]]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The lines of standard output that hold words, each cut into its cells."""

    def lines() -> list[list[str]]:
        printed = capsys.readouterr().out.splitlines()
        return [re.split(r" {2,}", line.strip()) for line in printed if re.search(r"[^\s─╶╴━]", line)]

    return lines


def test_what_others_wrote_is_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("a [bold]b[/] :smile: \x1b[31m")
    terminal.note("n\x07\n")
    terminal.table(
        ["x"],
        [
            [
                "[red]1[/]\x1b",
            ],
            [terminal.verdict("holds")],
        ],
    )
    out, err = capsys.readouterr()
    assert out.startswith("a [bold]b[/] :smile: \ufffd[31m\n")
    assert "[red]1[/]\ufffd" in out
    assert "✓ holds" in out
    assert err == "n\ufffd\n\n"


def test_where_there_is_no_terminal_lines_have_a_width_of_their_own() -> None:
    stream = io.StringIO()
    assert terminal.console(stream).width == 110
    terminal.console(stream).print("word " * 40)
    assert max(map(len, stream.getvalue().splitlines())) in range(100, 111)
    tty = SimpleNamespace(isatty=lambda: True, write=lambda text: None, flush=lambda: None)
    assert terminal.console(tty).options.max_width != 110  # type: ignore[arg-type]


def test_studies_with_their_presets_and_minutes(said: Said) -> None:
    terminal.studies([TOY])
    head, row = said()
    assert head == ["study", "lecture", "paper", "presets"]
    assert row == ["toy", "Fitting a curve", "Lecture 0: regression", "gauss1809", "tiny (0.02 min), quick (not timed)"]
    assert terminal.presets(replace(TOY, minutes={"tiny": 90.0, "quick": 1e6})) == [
        "tiny (90 min)",
        "quick (1e+06 min)",
    ]


def test_a_study_in_whole(said: Said) -> None:
    terminal.study(TOY)
    lines = said()
    assert lines[:4] == [
        ["toy: Fitting a curve"],
        ["lecture: Lecture 0: regression"],
        ["paper: Gauss, C. F. (1809). Theoria motus <corporum>. Perthes & Besser"],
        ["presets: tiny (0.02 min), quick (not timed)"],
    ]
    assert lines[4:6] == [["Recipe"], ["parameter", "tiny", "quick", "allowed", "meaning"]]
    rows = {line[0]: line[1:] for line in lines[6:] if len(line) == 5}
    assert rows["learning_rate η"] == ["0.01", "0.01", "number above 0 to 1 1/step", "step size of Adam"]
    assert rows["steps"] == ["30", "25", "integer from 1 to 1000000", "training steps of each stage"]
    assert lines[-2:] == [["What apply takes"], ["phantastic apply toy --at …", "where the curve is read (number)"]]


def test_what_a_study_takes(said: Said) -> None:
    terminal.applications(replace(TOY, apply=None))
    assert said() == [["What apply takes"], ["this study takes no stimuli"]]
    terminal.fits(replace(TOY, fit=TOY.apply))
    assert said() == [["What fit takes"], ["phantastic fit toy --at …", "where the curve is read (number)"]]
    terminal.study(replace(TOY, apply=None, fit=TOY.apply))
    lines = said()
    assert ["What apply takes"] not in lines
    assert ["What fit takes"] in lines


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is not asked at every beginning, nor the disk waited for."""
    monkeypatch.setattr("phantastic.run.folder.git_revision", lambda: "")
    monkeypatch.setattr("os.fsync", lambda number: None)


def laid(name: str, finished: bool = False, **recipe: object) -> Path:
    """A run of the toy as it lies on disk, without training."""
    run = Run.create(TOY, ToyRecipe(precision="float32", threads=1, **recipe), "tiny", Path("runs"), name)  # type: ignore[arg-type]
    run.close()
    run.manifest.finished, run.manifest.seconds, run.manifest.started = finished, 3725.0, "2026-01-02T03:04:05+00:00"
    files.write_json(run.folder / manifest.MANIFEST, run.manifest)
    return run.folder


def test_runs_with_their_state_and_time(home: Path, said: Said) -> None:
    terminal.runs(Path("runs"))
    assert said() == [["Runs"], ["no runs yet; begin with: phantastic run STUDY"]]
    laid("b", finished=True)
    laid("a")
    (laid("c") / manifest.MANIFEST).write_text("{")
    terminal.runs(Path("runs"))
    assert said() == [
        ["Runs"],
        ["run", "preset", "state", "started", "time"],
        ["runs/toy/a", "tiny", "unfinished", "2026-01-02T03:04:05+00:00", "1 h 2 min"],
        ["runs/toy/b", "tiny", "finished", "2026-01-02T03:04:05+00:00", "1 h 2 min"],
        ["runs/toy/c", "damaged"],
    ]


def test_a_run_in_whole(home: Path, said: Said) -> None:
    folder = laid("one", finished=True, width=7)
    manifest.store(folder, manifest.MEASURES, {"a": Measure(0.123456, [0.1]), "b": Measure(2, [2], 1.00005, 3)}, 2)
    files.write_json(
        folder / "stages.json", {"finished": [{"name": "fit", "seconds": 3000, "steps": 30}], "current": {}}
    )
    terminal.run(TOY, folder)
    lines = said()
    text = " ".join(" ".join(line) for line in lines)
    assert text.startswith(
        "runs/toy/one: Fitting a curve preset: tiny; state: finished; started: 2026-01-02T03:04:05+00:00; "
        "time: 1 h 2 min "
    )
    assert "device: cpu; threads: 1; networks learn in: float32; python " in text
    assert ["parameter", "value", "allowed", "meaning"] in lines
    assert ["width", "7", "integer from 1 to 512", "units of the hidden layer"] in lines
    for block in (
        [["Measures"], ["measure", "mean", "95% interval"], ["a", "0.1235"], ["b", "2", "1 … 3"]],
        [
            ["Where the minutes went"], ["stage", "steps", "seconds", "share"], ["fit", "30", "3000.0", "81%"],
            ["the rest", "725.0", "19%"],
        ],
        [["Ledger of claims"], ["this study makes no claims"]],
    ):  # fmt: skip
        place = lines.index(block[0])
        assert lines[place : place + len(block)] == block
    half = laid("half")
    terminal.run(TOY, half)
    lines = said()
    assert lines[-2:] == [["Ledger of claims"], ["not judged yet; finish the run first"]]
    assert ["Measures"] not in lines
    assert ["Where the minutes went"] not in lines


CLAIM = Claim("toy.a", Text("It is so.", "そうだ。"), "Fig. 1", ("tiny",), "at_least", ("a",), 1.0)


def test_the_ledger_in_whole(said: Said) -> None:
    terminal.ledger(
        [Finding(CLAIM, "fails", "a = 0"), Finding(replace(CLAIM, published="0.9"), "untested", "why")], "none"
    )
    assert said() == [
        ["Ledger of claims"], ["verdict", "claim"],
        ["× fails", "It is so."], ["a = 0"], ["toy.a (Fig. 1)"],
        ["– untested", "It is so."], ["why"], ["toy.a (Fig. 1; published: 0.9)"],
    ]  # fmt: skip
    terminal.ledger([], "none")
    assert said() == [["Ledger of claims"], ["none"]]


def test_the_ledger_of_a_study_is_that_of_its_newest_run_or_untested(home: Path, said: Said) -> None:
    terminal.study_ledger(TOY, None, Path("runs"))
    lines = said()
    assert lines[0] == ["toy: –"]
    assert lines.count(["no finished run yet; make one with: phantastic run toy"]) == 3
    folder = laid("one", finished=True)
    manifest.store(folder, manifest.CLAIMS, [Finding(CLAIM, "holds", "a = 2")], 2)
    terminal.study_ledger(TOY, None, Path("runs"))
    assert said()[:4] == [["toy: runs/toy/one"], ["Ledger of claims"], ["verdict", "claim"], ["✓ holds", "It is so."]]
    terminal.study_ledger(TOY, laid("half"), Path("runs"))
    assert said()[-1] == ["not judged yet; finish the run first"]


def test_runs_side_by_side(home: Path, said: Said) -> None:
    one, two = laid("one", width=7), laid("two", width=8)
    manifest.store(one, manifest.MEASURES, {"a": Measure(1.0, [1.0]), "b": Measure(2.0, [2.0], 1.0, 3.0)}, 2)
    manifest.store(two, manifest.MEASURES, {"c": Measure(4.0, [4.0])}, 2)
    manifest.store(two, manifest.CLAIMS, [Finding(CLAIM, "holds", "")], 2)
    made = manifest.read(two)
    made.preset = "old"
    made.recipe |= {"gone": 1}
    files.write_json(two / manifest.MANIFEST, made)
    terminal.comparison([one, two])
    names = ["runs/toy/one", "runs/toy/two"]
    assert said() == [
        ["What differs in the recipes"], ["parameter", *names], ["preset", "tiny", "old"], ["width", "7", "8"],
        ["gone", "1"],
        ["Measures (mean, 95% interval)"], ["measure", *names], ["a", "1"], ["b", "2", "1 … 3"], ["c", "4"],
        ["Ledger of claims"], ["claim", *names], ["toy.a", "✓ holds"],
    ]  # fmt: skip
    terminal.comparison([one, one])
    assert said()[:2] == [["What differs in the recipes"], ["the recipes are equal"]]


def test_sites_doses_and_checks(said: Said) -> None:
    import torch

    terminal.sites([Site("net", torch.nn.Linear(3, 2), 2, -1)])
    assert said()[1] == ["net", "2", "6", "sever, noise, silence, scale"]
    rows = [Row("error", 0.25, 1.0, 0.5, 1.5, [1.0]), Row("error", 1.0, 2.0, None, None, [2.0], sham=True)]
    terminal.lesion(rows)
    assert said() == [
        ["measure", "dose", "mean", "95% interval"], ["error", "0.25", "1", "0.5 … 1.5"], ["error", "1 (sham)", "2"],
    ]  # fmt: skip
    terminal.examination([Check("GPU", True, "none"), Check("folder", False, "full")])
    assert said() == [["check", "found"], ["✓ ok", "GPU", "none"], ["× problem", "folder", "full"]]


@pytest.mark.parametrize(("name", "colour"), [("holds", "green"), ("fails", "bold red"), ("untested", "yellow")])
def test_a_verdict_has_a_colour_beside_its_word_and_is_never_broken(name: str, colour: str) -> None:
    text = terminal.verdict(name)
    assert (text.style, text.no_wrap) == (colour, True)


def test_an_interval_of_one_end_is_none() -> None:
    assert terminal.shown(Measure(1.23456, [1.0], 0.5, None)) == ("1.235", "")
    assert terminal.shown(Measure(1e-7, [1.0], -1e9, 1e9)) == ("1e-07", "-1e+09 … 1e+09")
