"""Stages and the time left: the table, a clock that runs slow or is stopped, what is shown, what Ctrl-C says."""

import json
import re
import runpy
import signal
import sys
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from drawn import drawn

from phantastic.cli import attended
from phantastic.cli.attended import stoppable
from phantastic.declare.i18n import speaking, words
from phantastic.declare.study import Study
from phantastic.ground import files
from phantastic.ground.errors import Refused, Stopped
from phantastic.run import stages
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.run.stages import Clock, Stage, expected, general, label
from phantastic.show import progress

SCRIPT = Path(__file__).parents[2] / "benchmarks/support/times.py"
TABLE = [
    Stage("classifier", 25, 1200),
    Stage("seed0/denoiser", 50, 1500),
    Stage("seed0/visual", 340, 7500),
    Stage("seed0/visual: measures", 60),
    Stage("seed0/scan", 40, 5000),
]


# --- the table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "TIMES.toml").write_text(
        '[scan.quick]\n"classifier" = { seconds = 25, steps = 1200 }\n'
        '"seed/visual" = { seconds = 270.5, steps = 6000 }\n'
        '"seed: measures" = { seconds = 3.0 }\n"compared: measures" = { seconds = 1.0 }\n'
    )
    return tmp_path


def test_the_table_repeats_the_stages_of_a_seed(folder: Path) -> None:
    assert expected(folder, "scan", "quick", [7, 8]) == [
        Stage("classifier", 25, 1200), Stage("seed7/visual", 270.5, 6000), Stage("seed7: measures", 3),
        Stage("seed8/visual", 270.5, 6000), Stage("seed8: measures", 3), Stage("compared: measures", 1),
    ]  # fmt: skip
    assert expected(folder, "scan", "full", [0]) == expected(folder, "vae", "quick", [0]) == []
    assert expected(folder / "absent", "scan", "quick", [0]) == []


@pytest.mark.parametrize("name", ["seed0/visual", "seed12/scan: measures", "seed3", "seed3: measures"])
def test_names_for_the_table_and_for_people(name: str) -> None:
    assert general(name) == re.sub(r"\d+", "", name)
    assert label(name, 3).removeprefix("measuring: ") == name.removesuffix(": measures")
    assert label("seed0/visual", 1) == "visual"
    assert label("seed0", 1) == "seed0"
    assert label("seed0/scan: measures", 1) == "measuring: scan"
    with speaking("ja"):
        assert label("seed0/scan: measures", 1) == "測定: scan"


# --- a clock in a time of our own


class World(NamedTuple):
    """A machine on which the table's seconds take ``slow`` times as long, and the time there."""

    folder: Path
    now: list[float]

    def clock(self) -> Clock:
        return Clock(self.folder, TABLE)

    def pass_by(self, seconds: float) -> None:
        self.now[0] += seconds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    now = [1000.0]
    monkeypatch.setattr(stages, "monotonic", lambda: now[0])
    return World(tmp_path, now)


def live(world: World, clock: Clock, slow: float, table: list[Stage], step: int = 0) -> Iterator[tuple[float, Clock]]:
    """Do the stages of ``table`` that are left, a tenth of each before it begins; yields some hundred times a stage.

    A training begins at ``step`` if it is the first.
    """
    for stage in table:
        seconds = slow * stage.seconds
        for _ in range(10 if stage.steps else 0):
            world.pass_by(seconds / 100)
            yield world.now[0], clock
        with clock.stage(stage.name, stage.steps, step):
            if not stage.steps:
                for _ in range(100):
                    world.pass_by(seconds / 100)
                    yield world.now[0], clock
            while step < stage.steps:
                world.pass_by(0.9 * seconds / stage.steps)
                step += 1
                if step % (stage.steps // 100) == 0:
                    clock.point(stage.name, step, 1.0)
                    yield world.now[0], clock
        step = 0
        yield world.now[0], clock


@pytest.mark.parametrize("slow", [1 / 3, 1.0, 3.0])
def test_the_time_left_falls_as_the_time_goes_by(world: World, slow: float) -> None:
    """After the first stage: the whole run ends within a few percent of when it was said to, whenever it is asked."""
    told = [(now, clock.left(), len(clock.finished)) for now, clock in live(world, world.clock(), slow, TABLE)]
    whole = slow * sum(stage.seconds for stage in TABLE)
    assert told[0][1] == pytest.approx(whole / slow, rel=0.01)  # nothing is known yet of this machine
    ends = [now + left for now, left, done in told if done and left is not None]
    assert max(ends) - min(ends) < 0.03 * whole
    assert ends[-1] == pytest.approx(world.now[0])
    early = [now + left for now, left, done in told[20:] if not done and left is not None]  # a tenth of the first stage
    assert max(early) - min(early) < 0.03 * whole


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("killed", [True, False])
def test_the_time_left_survives_a_resume(world: World, stage: int, killed: bool) -> None:
    """Stopped, or killed long after the last checkpoint, in the middle of a stage."""
    kept, clock = 0, world.clock()
    for _ in live(world, clock, 3.0, TABLE):
        if len(clock.finished) == stage and clock.inside and clock.elapsed() >= 1.5 * TABLE[stage].seconds:
            break
    before, spent = clock.left(), clock.total()
    if clock.steps:
        kept = clock.step
    if clock.steps or not killed:
        clock.save()
    assert before is not None
    world.pass_by(10_000)  # until it is resumed
    clock, now = world.clock(), world.now[0]
    told = [(now, clock.left())] + [(now, clock.left()) for now, clock in live(world, clock, 3.0, TABLE[stage:], kept)]
    again = 3.0 * TABLE[stage].seconds * (0.1 if kept else 0.5)  # what is done a second time
    ends = [now + left for now, left in told if left is not None]
    assert len(ends) == len(told)
    assert ends[0] == pytest.approx(now + before + again, rel=0.02)
    assert max(ends) - min(ends) < 0.03 * 3.0 * sum(stage.seconds for stage in TABLE)
    assert ends[-1] == pytest.approx(world.now[0])
    assert [each.name for each in clock.finished] == [each.name for each in TABLE]
    if kept or not killed:
        assert clock.total() == pytest.approx(spent + world.now[0] - now)


def test_what_the_table_does_not_know_is_not_said(world: World) -> None:
    clock = world.clock()
    assert (clock.count(), clock.left()) == (5, 515)
    with clock.stage("classifier", 2400):
        assert (clock.count(), clock.left()) == (5, 540)  # twice the steps
        assert clock.stage_left() is None
        world.pass_by(10)
        clock.point("classifier", 600)
        assert clock.stage_left() == 30
    with clock.stage("seed0/visual", 7500):  # passes one over
        assert (clock.count(), clock.left()) == (0, None)
        world.pass_by(10)
        clock.point("seed0/visual", 750)
        assert clock.stage_left() == 90
    assert (clock.count(), clock.left()) == (0, None)


def test_what_happens_within_a_stage_belongs_to_it(world: World) -> None:
    clock = world.clock()
    with clock.stage("classifier", 2):
        world.pass_by(1)
        with clock.stage("look: measures"):
            world.pass_by(2)
        with clock.stage("part", 4):
            clock.point("part", 4)
        assert clock.step == 0
    world.pass_by(3)
    with clock.stage("seed0/denoiser", 1):
        pass
    assert clock.finished == [Stage("classifier", 3, 2), Stage("seed0/denoiser", 3, 1)]
    assert stages.read(world.folder).finished == clock.finished


def test_a_stage_whose_result_was_lost_is_not_counted_twice(world: World) -> None:
    """Its end was noted, then the process died before the result was written."""
    for _ in live(world, world.clock(), 1.0, TABLE[:2]):
        pass
    clock = world.clock()
    with clock.stage("seed0/denoiser", 1500, 1000):
        world.pass_by(10)
        assert clock.count() == 5
    assert [stage.name for stage in clock.finished] == ["classifier", "seed0/denoiser"]
    assert [stage.seconds for stage in clock.finished] == pytest.approx([25, 60])


@pytest.mark.parametrize("lost", [0.0, 20.0])
def test_what_a_stop_cost_says_nothing_of_the_speed(world: World, lost: float) -> None:
    """A training of 40 seconds, and what was done twice; its end was noted, but not its last third saved."""
    files.write_json(world.folder / "stages.json", stages.Times([Stage("classifier", 40 + lost, 1200, lost)]))
    clock = world.clock()
    with clock.stage("classifier", 1200, 800):
        assert clock.stage_left() == pytest.approx(40 / (2 / 3) * (1 / 3))
    assert clock.finished[0].seconds == pytest.approx(40 + lost)


# --- runs


def test_the_stages_of_a_run_add_up_to_its_time(runs: Path, toy) -> None:
    for name, seeds in (("one", 1), ("three", 3)):
        run = Run.open(runs / name)
        finished = stages.read(run.folder).finished
        assert len(finished) == 3 * seeds
        assert [stage.steps for stage in finished[:3]][:2] == [run.recipe.steps] * 2
        assert 0 < sum(stage.seconds for stage in finished) <= run.manifest.seconds
        rows = stages.minutes(run.folder, run.manifest)
        assert rows[-1][0] == "the rest"
        assert sum(float(row[2]) for row in rows) == pytest.approx(run.manifest.seconds, abs=0.05 * len(rows))


def test_a_finished_run_takes_no_more_time(phantastic, runs: Path) -> None:
    before = (runs / "one/manifest.json").read_bytes(), (runs / "one/stages.json").read_bytes()
    assert phantastic("resume", runs / "one").exit_code == 0
    assert ((runs / "one/manifest.json").read_bytes(), (runs / "one/stages.json").read_bytes()) == before


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_where_the_minutes_went_is_shown(phantastic, runs: Path, lang: str) -> None:
    word = words()
    said = phantastic("show", runs / "three", "--lang", lang).output
    assert phantastic("resume", runs / "three", "--lang", lang).exit_code == 0
    page = (runs / "three/report.html").read_text()
    for text in (said, page):
        assert word["minutes_title"] in text
        for name in ("seed0/fit", "seed2/mirror", label("error/1: measures", 3)):
            assert name in text
    assert len(re.findall(r"<td class=\"number\">\d+%</td>", page)) == 10
    (runs / "three/stages.json").unlink()  # a run of an earlier version
    assert word["minutes_title"] not in phantastic("show", runs / "three", "--lang", lang).output


def test_damage_is_named(phantastic, runs: Path) -> None:
    for name, verb in (("half", "resume"), ("one", "show")):
        (runs / name / "stages.json").write_text("{")
        result = phantastic(verb, runs / name)
        assert (result.exit_code, "stages.json is damaged" in result.output) == (2, True)


# --- what is shown


def test_lines_where_there_is_no_terminal(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for lang in ("en", "ja"):
        with speaking(lang):
            (world.folder / "stages.json").unlink(missing_ok=True)
            clock = world.clock()
            clock.watch = progress.lines(clock, 1)
            with clock.stage("classifier", 1200):
                world.pass_by(25)
                clock.point("classifier", 600, 1.0)
                world.pass_by(25)
                clock.point("classifier", 1200, 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "stage 1 of 5: classifier  8 min 35 s left in all",
        "stage 1 of 5: classifier  step 1200/1200  loss 0.5  took 50 s  16 min 20 s left in all",
        "段階1/5: classifier  全体の残り8分35秒",
        "段階1/5: classifier  ステップ 1200/1200  損失 0.5  所要50秒  全体の残り16分20秒",
    ]


def test_every_stage_is_announced_and_points_only_every_ten_seconds(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: world.now[0]))
    clock = world.clock()
    clock.watch = progress.lines(clock, 1)
    for name, steps in (("classifier", 1200), ("seed0/denoiser", 1500)):
        with clock.stage(name, steps):
            for step, seconds in ((100, 4), (200, 5.5), (300, 1), (400, 9)):
                world.pass_by(seconds)
                clock.point(name, step)
    said = [re.sub("  .*", "", line.replace("  step", " step")) for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "stage 1 of 5: classifier", "stage 1 of 5: classifier step 300/1200", "stage 1 of 5: classifier step 400/1200",
        "stage 2 of 5: denoiser", "stage 2 of 5: denoiser step 300/1500", "stage 2 of 5: denoiser step 400/1500",
    ]  # fmt: skip


def test_a_run_without_a_table_says_what_it_knows(phantastic, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    known = phantastic("run", "toy", "--preset", "tiny", "--set", "steps=3").stderr
    assert re.search(r"^stage 2 of 3: mirror  step 2/3  loss \S+  \d+ s left in all$", known, re.M)
    assert re.search(r"^stage 3 of 3: measuring: error/0  0 s left in all$", known, re.M)
    alone = phantastic("run", "toy", "--preset", "quick", "--set", "steps=3").stderr
    assert re.search(r"^stage 1: seed0/fit  step 2/3  loss \S+  0 s left in this stage$", alone, re.M)
    assert " of " not in alone
    assert "in all" not in alone
    japanese = phantastic("run", "toy", "--preset", "tiny", "--set", "steps=3", "--lang", "ja").stderr
    assert re.search(r"^段階3/3: 測定: error/0  所要0秒  全体の残り0秒$", japanese, re.M)


def test_bars(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock = world.clock()
    bars = progress.Bars(clock, 1)
    clock.watch = bars.watch

    with clock.stage("classifier", 1200):
        world.pass_by(12.5)
        clock.point("classifier", 600, 1.5)
        assert re.search(r"^1/5 classifier ━.* 600/1200 loss 1.5 *$", drawn(bars), re.M)
        assert "8 min 22 s left in all" in drawn(bars)
    assert "classifier" not in drawn(bars)  # its line stands above
    with clock.stage("unknown: measures"):
        assert re.search(r"^2 measuring: unknown ━", drawn(bars), re.M)
        assert "left" not in drawn(bars)


# --- Ctrl-C


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_ctrl_c_says_where_and_what_goes_on(phantastic, home: Path, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal of twenty columns the command stands in a line of its own, which is never broken."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    monkeypatch.setenv("TERM", "xterm")

    def stop(run: Run) -> None:
        shown = run.clock.watch

        def watch(event: stages.Event) -> None:
            shown(event)
            if run.clock.step == 5 and not stopped:
                stopped.append(run)
                signal.raise_signal(signal.SIGINT)

        stopped: list[Run] = []
        run.clock.watch = watch

    monkeypatch.setattr(attended, "execute", lambda run: (stop(run), execute(run)))
    result = phantastic("run", "toy", "--preset", "tiny", "--name", "a long name of a run", "--lang", lang)
    assert result.exit_code == 130
    assert "Error" not in result.stderr
    text = words()["stopped_saved"].format(stage="fit", step=5)
    assert result.stderr.endswith(f"{text}\nphantastic resume 'runs/toy/a long name of a run'\n")
    folder = home / "runs/toy/a long name of a run"
    latest = json.loads((folder / "LATEST").read_text())
    assert (latest["stage"], latest["step"]) == ("fit", 5)
    assert stages.read(folder).current.share == pytest.approx(5 / 30)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_ctrl_c_elsewhere_promises_no_more_than_is_true(runs: Path, toy, lang: str) -> None:
    word = words()

    def said(name: str, steps: int) -> str:
        run = Run.open(runs / "half")
        stage = run.clock.stage(name, steps) if name else nullcontext()
        with pytest.raises(Stopped) as stop, stoppable(run), stage:
            raise KeyboardInterrupt
        text, command = str(stop.value).splitlines()
        assert command == f"phantastic resume {runs / 'half'}"
        return text

    assert said("", 0) == word["stopped_before"]
    assert said("mirror", 30) == word["stopped_within"].format(stage="mirror")  # a second Ctrl-C: at once
    measuring = word["measuring"].format(stage="operators")
    assert said("seed0/operators: measures", 0) == word["stopped_within"].format(stage=measuring)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_waits_for_the_step_and_the_second_does_not(runs: Path, toy, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def asked_twice(run: Run, done: list[str]) -> None:
        signal.raise_signal(number)
        done.append("first")
        assert run.stop.is_set()
        signal.raise_signal(number)
        done.append("second")

    for training, heard in ((True, ["first"]), (False, [])):
        run, done = Run.open(runs / "half"), []
        run.stop.training = training
        with pytest.raises(Stopped), stoppable(run):
            asked_twice(run, done)
        assert done == heard
        assert signal.getsignal(number) == before


def test_an_unexpected_error_says_what_goes_on_and_a_refusal_only_why(
    runs: Path, toy, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.open(runs / "half")
    with pytest.raises(MemoryError), stoppable(run):
        raise MemoryError
    assert capsys.readouterr().err.splitlines()[-1] == f"phantastic resume {runs / 'half'}"
    with pytest.raises(Refused), stoppable(run):
        raise Refused("diverged")
    assert capsys.readouterr().err == ""


# --- the script that writes the table


def test_times_are_written_from_a_run(runs: Path, toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(SCRIPT))
    home = tmp_path / "system"
    home.mkdir()
    monkeypatch.setattr(Study, "folder", home)
    (home / "TIMES.toml").write_text('[other.quick]\n"a" = { seconds = 1.0 }\n')
    path = script["update"](runs / "one")
    found = tomllib.loads(path.read_text())
    assert list(found) == ["other", "toy"]
    assert list(found["toy"]["tiny"]) == ["fit", "mirror", "error/0: measures"]
    assert found["toy"]["tiny"]["fit"].keys() == {"seconds", "steps"}
    assert found["toy"]["tiny"]["fit"]["steps"] == 30
    written = path.read_text()
    script["update"](runs / "one")
    assert path.read_text() == written
    assert [stage.name for stage in expected(home, "toy", "tiny", [0])] == ["fit", "mirror", "error/0: measures"]
    seeds = [Stage("seed0/fit", 2, 5), Stage("seed1/fit", 5, 5, lost=1)]
    assert script["measured"](seeds) == {"seed/fit": {"seconds": 3, "steps": 5}}
    manifest = json.loads((runs / "three/manifest.json").read_text())
    manifest["recipe"]["steps"] -= 1
    (runs / "three/manifest.json").write_text(json.dumps(manifest))
    for name, reason in (("half", "not finished"), ("three", "differs from the preset quick in steps")):
        with pytest.raises(Refused, match=reason):
            script["update"](runs / name)
