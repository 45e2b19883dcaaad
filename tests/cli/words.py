"""The verbs in whole lines: what each says, where, and with which status it ends."""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from toys.study import TOY

from phantastic import __version__
from phantastic.cli import attended, common
from phantastic.declare.i18n import words
from phantastic.ground.errors import Refused, Stopped
from phantastic.run import manifest
from phantastic.run.folder import Run

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not waited for: nothing here is about a crash."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


# --- errors


@pytest.fixture
def failing(home: Path) -> Callable[[BaseException], Result]:
    """A verb that ends in an error."""

    def call(error: BaseException) -> Result:
        @click.group(cls=common.Verbs)
        def group() -> None: ...

        @group.command()
        def verb() -> None:
            raise error

        return CliRunner().invoke(group, ["verb"])

    return call


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Refused("no \x1b[31m"), 2, "Error: no \ufffd[31m\n"),
        (Stopped("Stopped there.\nphantastic resume x"), 130, "Stopped there.\nphantastic resume x\n"),
        (Stopped(), 130, "Stopped.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (OSError(errno.ENOSPC, "No space", "a.json"), 1, "Error: a.json: the disk is full; free some space, "
         "then `phantastic resume` the run\n"),
        (OSError(errno.EIO, "Input/output error", "a.json"), 1, "Error: a.json: Input/output error\n"),
        (OSError(errno.EIO, "Input/output error"), 1, "Error: Input/output error\n"),
        (OSError("odd"), 1, "Error: odd\n"),
    ],
)  # fmt: skip
def test_an_error_is_one_message_and_a_status(
    failing: Callable[[BaseException], Result], error: BaseException, status: int, said: str
) -> None:
    result = failing(error)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", said)


def test_a_stop_is_told_in_the_users_language(
    failing: Callable[[BaseException], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert failing(KeyboardInterrupt()).stderr == "中断した。\n"


def test_what_nobody_expected_is_not_hidden(failing: Callable[[BaseException], Result]) -> None:
    assert isinstance(failing(ZeroDivisionError()).exception, ZeroDivisionError)


def test_who_reads_no_further_is_no_error(failing: Callable[[BaseException], Result]) -> None:
    result = failing(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert (result.exit_code, result.stderr) == (1, "")


def test_streams_that_are_closed_are_opened_on_nothing_and_odd_letters_end_no_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open(tmp_path / "out", "w", encoding="ascii") as ascii_only:
        monkeypatch.setattr(sys, "stdout", ascii_only)
        monkeypatch.setattr(sys, "stderr", None)
        common.open_streams()
        print("a心")
        print("nowhere", file=sys.stderr)
        assert sys.stderr.name == os.devnull
        sys.stderr.close()
    assert (tmp_path / "out").read_text() == "a?\n"


# --- options


def test_what_every_option_is_unless_it_is_said(phantastic: Invoke) -> None:
    said = " ".join(phantastic("run", "--help").output.split())
    for word in (
        "--preset TEXT Where the parameters start from. [default: quick]",
        "--checkpoint-every SECONDS Time between checkpoints; 0: after every step. [default: 30.0;",
        "--root PATH Folder of the runs. [default: runs]",
        "--lang [en|ja] Language; the locale's if not given.",
        "--set KEY=VALUE Change a parameter (repeatable).",
        "--device [auto|cpu|cuda] Where networks run.",
    ):
        assert word in said, said
    said = " ".join(phantastic("lesion", "--help").output.split())
    for word in ("[default: 0:1:0.2]", "[default: 5; 1<=x<=1000]", "[default: 0; 0<=x<=2147483647]"):
        assert word in said
    assert phantastic("--version").output == f"phantastic, version {__version__}\n"
    assert phantastic("-h").output == phantastic("--help").output


def test_waiting_threads_sleep_unless_it_is_said(phantastic: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    for before, after in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        monkeypatch.setenv("OMP_WAIT_POLICY", before) if before else monkeypatch.delenv("OMP_WAIT_POLICY")
        phantastic("cite", "toy")
        assert os.environ["OMP_WAIT_POLICY"] == after


def test_what_is_said_by_option_counts_over_settings_and_these_over_a_file(
    phantastic: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[dict, float, bool]] = []

    def attend(run: Run, every: float, as_json: bool) -> None:
        told.append((run.manifest.recipe, every, as_json))
        run.close()

    monkeypatch.setattr(attended, "attend", attend)
    (home / "mine.toml").write_text("seed = 1\nwidth = 5\nsteps = 7\n")
    phantastic("run", "toy", "--recipe", "mine.toml", "--set", "seed=2", "--set", "width=6", "--seed", 3, "--json")
    recipe, every, as_json = told[0]
    assert [recipe[key] for key in ("seed", "width", "steps", "seeds")] == [3, 6, 7, 3]
    assert (every, as_json) == (30.0, True)
    phantastic("run", "toy", "--preset", "tiny", "--set", "seed=2", "--seed", 0, "--checkpoint-every", 0)
    assert (told[1][0]["seed"], *told[1][1:]) == (0, 0.0, False)
    phantastic("resume", "toy/tiny-seed0", "--checkpoint-every", "7", "--json")
    assert told[2][1:] == (7.0, True)


def test_nan_is_no_time(phantastic: Invoke) -> None:
    result = phantastic("run", "toy", "--checkpoint-every", "nan")
    assert (result.exit_code, "nan is not a number of seconds" in result.stderr) == (2, True)


# --- verbs


def test_a_finished_run_says_what_came_out(phantastic: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = phantastic("resume", "toy/one", "--json")
    *_, time, report, summary = result.stdout.splitlines()
    assert report == "report: runs/toy/one/report.html"
    assert time.startswith("time: ")
    assert result.stderr == f"{words()['done_already']}\n"
    made, told = manifest.read(runs / "one"), json.loads(summary)
    assert told["seconds"] == round(made.seconds, 3)
    assert list(told) == ["run", "seconds", "measures", "claims"]
    assert told["measures"] == {name: m.value for name, m in manifest.measures(runs / "one").items()}
    assert told["claims"] == {"toy.fits": "holds", "toy.perfect": "fails", "toy.ordered": "untested"}
    assert summary.isascii()
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    assert phantastic("resume", "toy/one").stdout.splitlines()[-1] == report


def test_applying_says_which_run_is_missing_and_which_is_of_another_study(
    phantastic: Invoke, runs: Path, home: Path
) -> None:
    result = phantastic("apply", "toy", "--at", "1", "--root", "my runs")
    assert result.stderr == (
        "Error: there is no finished run of 'toy' under my runs; make one with: phantastic run toy --root 'my runs'\n"
    )
    path = runs / "one" / manifest.MANIFEST
    path.write_text(path.read_text().replace('"study": "toy"', '"study": "other"'))
    result = phantastic("apply", "toy", "--at", "1", "--run", "toy/one")
    assert (result.exit_code, result.stderr) == (2, "Error: runs/toy/one is a run of 'other', not of 'toy'\n")


def test_fitting(phantastic: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    from toys.experiment import Toy

    result = phantastic("fit", "toy")
    assert (result.exit_code, result.stderr) == (
        2, "Error: 'toy' infers nothing from behaviour; studies that do: none\n",
    )  # fmt: skip
    able = replace(TOY, fit=TOY.apply)
    other = replace(TOY, name="other")
    studies = {"toy": able, "other": other}
    monkeypatch.setattr("phantastic.declare.study.register", lambda: studies)
    assert "studies that do: toy\n" in phantastic("fit", "other").stderr
    assert phantastic("fit", "toy").output.splitlines()[-1].startswith("  phantastic fit toy --at …")
    monkeypatch.setattr(Toy, "fit", lambda self, request: [f"at {request.at}", "done"])
    assert phantastic("fit", "toy", "--at", "2").output == "at 2.0\ndone\n"
    assert phantastic("fit", "toy", "--att", "2").stderr.startswith("Error: fit toy: unknown option '--att'")


def test_verbs_that_need_more_say_what(phantastic: Invoke, runs: Path) -> None:
    for line, said in {
        "compare toy/one": "compare takes two runs or more; they are listed by `phantastic ls`",
        "lesion toy/one": "lesion takes --site and --kind; `phantastic lesion RUN --list` shows them",
        "lesion toy/one --site fit[0]": "lesion takes --site and --kind; `phantastic lesion RUN --list` shows them",
        "show toy/onne": "no study and no run 'toy/onne'; did you mean 'toy/one'?",
        "rnu": "unknown verb 'rnu'; did you mean 'run'?",
    }.items():
        result = phantastic(*line.split())
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_what_is_exported_goes_where_it_is_said(phantastic: Invoke, runs: Path, home: Path) -> None:
    assert phantastic("export", "toy/one").output == "written: toy-one\n"
    assert phantastic("export", "toy/one", "--to", "a/b", "--lang", "ja").output == "保存先: a/b\n"
    assert (home / "toy-one/recipe.toml").read_bytes() == (home / "a/b/recipe.toml").read_bytes()


def test_a_broken_study_and_a_damaged_run_are_named_beside_the_others(
    phantastic: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phantastic.declare.study.faults", lambda: ["systems/x cannot be read"])
    result = phantastic("ls")
    assert result.stderr == "systems/x cannot be read\n"
    assert result.stdout.index("gauss1809") < result.stdout.index("runs/toy/one")
    (runs / "three/claims.json").write_text("{")
    result = phantastic("ledger")
    assert (result.exit_code, "claims.json is damaged" in result.stderr) == (0, True)


def test_a_study_is_meant_before_a_run_of_its_name(phantastic: Invoke, runs: Path, home: Path) -> None:
    (home / "toy").mkdir()
    (home / "toy/manifest.json").write_text("{")
    assert common.target("toy", Path("runs")) == (TOY, None)
    assert common.target("toy/one", Path("runs")) == (TOY, runs.relative_to(home) / "one")


# --- somebody sits before it


@pytest.fixture
def begun(toy: object, home: Path) -> Run:
    run = Run.create(TOY, TOY.presets["tiny"], "tiny", Path("runs"), "run")
    run.clock.name, run.clock.step = "fit", 5
    return run


@pytest.mark.parametrize(("stage", "step", "saved"), [("fit", 5, True), ("fit", 4, False), ("mirror", 5, False)])
@pytest.mark.parametrize("kind", [Stopped, KeyboardInterrupt])
def test_nothing_is_lost_only_where_the_very_step_was_saved(
    begun: Run, stage: str, step: int, saved: bool, kind: type[BaseException]
) -> None:
    begun.checkpoints.save(stage, step, {})
    with pytest.raises(Stopped) as stop, attended.stoppable(begun):
        raise kind
    text = (
        "Stopped at stage fit, step 5; nothing is lost." if saved and kind is Stopped else "Stopped at stage fit; what"
    )
    assert str(stop.value).startswith(text)
    assert str(stop.value).endswith("Go on with:\nphantastic resume runs/toy/run")
    begun.close()


def test_signals_are_heard_only_while_somebody_sits_before_it(begun: Run) -> None:
    def quiet(number: int, frame: object) -> None: ...

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, quiet) for number in numbers}
    try:
        with attended.stoppable(begun):
            assert all(signal.getsignal(number) is not quiet for number in numbers)
        assert all(signal.getsignal(number) is quiet for number in numbers)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    begun.close()


def test_pictures_grow_only_while_a_run_goes_on(
    phantastic: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    monkeypatch.setattr(attended.report, "Growing", lambda run: shown.append(run.folder) or run.show)
    phantastic("resume", "toy/one")
    assert shown == []
    assert phantastic("resume", "toy/half").exit_code == 0
    assert [folder.name for folder in shown] == ["half"]
