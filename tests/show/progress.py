"""Progress as it is seen: lines and bars, stage by stage, with the time that is left."""

import io
import re
import sys
from pathlib import Path

import pytest
from drawn import drawn
from rich.console import Console

from phantastic.declare.i18n import speaking
from phantastic.run import stages
from phantastic.run.stages import Clock, Stage
from phantastic.show import progress

TABLE = [Stage("seed0/a", 100, 10), Stage("seed0/b: measures", 50)]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [1000.0]
    monkeypatch.setattr(stages, "monotonic", lambda: time[0])
    return time


def live(clock: Clock, now: list[float]) -> None:
    """Two stages of 80 and 40 seconds."""
    with clock.stage("seed0/a", 10):
        now[0] += 80
        clock.point("seed0/a", 10, 0.123456)
    with clock.stage("seed0/b: measures"):
        now[0] += 40


def test_where_there_is_no_terminal_each_stage_has_its_lines(
    tmp_path: Path, now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(tmp_path, TABLE)
    with progress.progress(clock, 1) as clock.watch:
        live(clock, now)
    assert capsys.readouterr() == (
        "",
        "stage 1 of 2: a  2 min 30 s left in all\n"
        "stage 1 of 2: a  step 10/10  loss 0.1235  took 1 min 20 s  40 s left in all\n"
        "stage 2 of 2: measuring: b  40 s left in all\n"
        "stage 2 of 2: measuring: b  took 40 s  0 s left in all\n",
    )


def test_in_a_terminal_each_finished_stage_leaves_a_line(
    tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    stream = io.StringIO()
    monkeypatch.setattr(progress, "console", lambda where: Console(file=stream, width=100, force_terminal=False))
    clock = Clock(tmp_path, TABLE)
    with progress.progress(clock, 1) as clock.watch:
        live(clock, now)
    lines = [line.rstrip() for line in stream.getvalue().splitlines() if line.strip()]
    assert lines[:2] == ["1/2 a  10/10  loss 0.1235  1 min 20 s", "2/2 measuring: b  40 s"]


def test_a_bar_is_of_the_stage_in_progress_in_the_language_of_who_began_it(
    tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock = Clock(tmp_path, [])
    with speaking("ja"):
        bars = progress.Bars(clock, 1)
    clock.watch = bars.watch

    with clock.stage("seed0/a", 10):
        assert [(task.completed, task.total) for task in bars.tasks] == [(0, 10)]
        now[0] += 20
        clock.point("seed0/a", 4, 2.0)
        assert [(task.completed, task.total) for task in bars.tasks] == [(4, 10)]
        assert re.search(r"^1 a ━.* 4/10 loss 2 *\n *この段階の残り30秒", drawn(bars), re.M)
    assert not bars.tasks
    with clock.stage("seed0/b: measures"):
        assert [task.total for task in bars.tasks] == [None]  # the bar pulses
    assert not bars.tasks


def test_the_time_left_is_of_all_where_it_is_known_and_else_of_the_stage(tmp_path: Path, now: list[float]) -> None:
    clock = Clock(tmp_path, [])
    assert progress.remaining(clock) == ""
    with clock.stage("a", 10):
        now[0] += 20
        clock.point("a", 5)
        assert progress.remaining(clock) == "20 s left in this stage"
    known = Clock(tmp_path / "other", TABLE)
    assert progress.remaining(known) == "2 min 30 s left in all"
    assert progress.loss_of(known) == ""
