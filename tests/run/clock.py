"""A clock worked out by hand: what is counted, what a stop costs, what is left when it takes longer than it should."""

from pathlib import Path

import pytest

from phantastic.ground import files
from phantastic.ground.errors import Stopped
from phantastic.run import stages
from phantastic.run.manifest import Manifest
from phantastic.run.stages import Clock, Current, Stage, Times, expected

TABLE = [Stage("a", 100, 10), Stage("b", 50), Stage("c", 200, 100)]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [1000.0]
    monkeypatch.setattr(stages, "monotonic", lambda: time[0])
    return time


def kept(folder: Path, *finished: Stage, current: Current | None = None) -> None:
    files.write_json(folder / "stages.json", Times(list(finished), current or Current()))


def made(seconds: float, finished: bool, seeds: int = 1) -> Manifest:
    recipe = {"seeds": seeds}
    return Manifest(2, "toy", "tiny", recipe, "", {}, "", "cpu", 1, "", "", seconds, finished)


# --- where the minutes went


def test_minutes_are_shares_of_the_whole(tmp_path: Path) -> None:
    kept(tmp_path, Stage("seed0/a", 30, 10), Stage("seed0/b: measures", 60))
    assert stages.minutes(tmp_path, made(120, True)) == [
        ("a", "10", "30.0", "25%"), ("measuring: b", "", "60.0", "50%"), ("the rest", "", "30.0", "25%"),
    ]  # fmt: skip
    assert stages.minutes(tmp_path, made(120, False, seeds=2)) == [
        ("seed0/a", "10", "30.0", "33%"), ("measuring: seed0/b", "", "60.0", "67%"),
    ]  # fmt: skip


def test_minutes_of_a_run_that_kept_none_or_took_none(tmp_path: Path) -> None:
    assert stages.minutes(tmp_path, made(120, True)) == []
    kept(tmp_path, Stage("a", 0, 1))
    assert stages.minutes(tmp_path, made(0, False)) == [("a", "1", "0.0", "0%")]


def test_what_stands_before_and_between_the_stages_of_a_seed_is_done_once(tmp_path: Path) -> None:
    """And a name that only begins like a seed's is none."""
    (tmp_path / "TIMES.toml").write_text(
        "[toy.tiny]\n" + "".join(f'"{n}" = {{ seconds = 1 }}\n' for n in ("x", "seed/a", "y", "seed: b", "seedling"))
    )
    names = [stage.name for stage in expected(tmp_path, "toy", "tiny", [3, 4])]
    assert names == ["x", "seed3/a", "y", "seed3: b", "seed4/a", "seed4: b", "seedling"]


# --- what is counted


def test_a_stage_counts_from_the_end_of_the_one_before_and_over_stops(tmp_path: Path, now: list[float]) -> None:
    """8 s of it in one process, 3 of them before the first step; then 2 s to load, and 12 s."""
    clock = Clock(tmp_path, TABLE)
    now[0] += 3
    stopped = clock.stage("a", 10)
    stopped.__enter__()
    now[0] += 5
    clock.point("a", 4, 0.5)
    clock.point("a", 4)
    assert clock.loss == 0.5  # one that is not said is the one before
    clock.save()
    assert stages.read(tmp_path).current == Current(8, before=3, trained=5, share=0.4)
    now[0] += 99
    clock = Clock(tmp_path, TABLE)
    assert clock.total() == 8
    now[0] += 2
    with clock.stage("a", 10, 4):
        now[0] += 12
        clock.point("a", 10)
        assert clock.current.trained == 17
    assert clock.finished == [Stage("a", 22, 10, lost=2)]
    assert clock.total() == 22
    now[0] += 4
    assert clock.total() == 26


def test_every_stop_costs_what_is_done_again_after_it(tmp_path: Path, now: list[float]) -> None:
    kept(tmp_path, current=Current(20, lost=1, before=3, trained=16, share=0.5))
    for lost in (6, 11):
        clock = Clock(tmp_path, TABLE)
        now[0] += 5
        clock.stage("a", 10, 5).__enter__()
        assert clock.current.lost == lost
        clock.save()


def test_what_was_spent_on_a_stage_that_is_begun_anew_is_lost(tmp_path: Path, now: list[float]) -> None:
    kept(tmp_path, current=Current(20, before=3, trained=16, share=0.5))
    clock = Clock(tmp_path, TABLE)
    with clock.stage("a", 10):
        assert clock.current == Current(20, lost=20)
        now[0] += 10
    assert clock.finished == [Stage("a", 30, 10, lost=20)]


def test_a_stage_is_noted_before_its_end_is_told_and_its_name_stays_when_it_is_left_in_haste(
    tmp_path: Path, now: list[float]
) -> None:
    clock, told = Clock(tmp_path, TABLE), []
    clock.watch = lambda event: told.append((event, clock.name, len(stages.read(tmp_path).finished)))
    with clock.stage("a", 10):
        clock.point("a", 3)
        clock.point("another", 4)
    assert told == [("begin", "a", 0), ("point", "a", 0), ("end", "a", 1)]
    assert (clock.name, clock.inside) == ("", False)

    def leave() -> None:
        with clock.stage("b"):
            raise Stopped

    with pytest.raises(Stopped):
        leave()
    assert (clock.name, clock.inside) == ("b", False)
    assert [stage.name for stage in clock.finished] == ["a"]


def test_a_closed_clock_stands_still(tmp_path: Path, now: list[float]) -> None:
    """Whatever the file holds: a finished run is looked at, not timed."""
    (tmp_path / "stages.json").write_text("{")
    clock = Clock(tmp_path, TABLE, closed=True)
    with clock.stage("a", 10):
        assert not clock.inside
    assert clock.finished == []
    assert (tmp_path / "stages.json").read_text() == "{"


# --- what is left


def test_a_twentieth_of_the_first_stage_shows_how_fast_this_machine_is(tmp_path: Path, now: list[float]) -> None:
    """Thrice as slow as the table's; a fiftieth says nothing yet."""
    clock = Clock(tmp_path, [Stage("a", 100, 100), Stage("b", 50)])
    with clock.stage("a", 100):
        now[0] += 6
        clock.point("a", 2)
        assert clock.left() == 98 + 50
        now[0] += 9
        clock.point("a", 5)
        assert clock.left() == pytest.approx(3 * (95 + 50))


def test_what_takes_longer_than_it_should_is_said_to_end_now_and_the_rest_to_be_slower(
    tmp_path: Path, now: list[float]
) -> None:
    """250 s where the table has 100 + 50: then all is slower by that, and this stage about to end."""
    kept(tmp_path, Stage("a", 100, 10))
    clock = Clock(tmp_path, TABLE)
    with clock.stage("b"):
        now[0] += 30
        assert clock.left() == 20 + 200
        now[0] += 120
        assert clock.left() == pytest.approx(250 / 150 * 200)


def test_on_a_slow_machine_a_stage_has_its_slow_time(tmp_path: Path, now: list[float]) -> None:
    """Twice as slow as the table: after 60 of 100 seconds 40 are left, and twice what comes after."""
    kept(tmp_path, Stage("a", 230, 10, lost=30))
    clock = Clock(tmp_path, TABLE)
    now[0] += 60
    assert clock.left() == pytest.approx(40 + 400)


def test_nothing_is_left_where_a_step_is_overdue(tmp_path: Path, now: list[float]) -> None:
    kept(tmp_path, Stage("a", 100, 10), Stage("b", 50))
    clock = Clock(tmp_path, TABLE)
    with clock.stage("c", 100):
        now[0] += 100
        clock.point("c", 50)
        assert (clock.left(), clock.stage_left()) == (100, 100)
        now[0] += 500
        assert (clock.left(), clock.stage_left()) == (0, 0)
    assert (clock.left(), clock.stage_left(), clock.count()) == (0, None, 3)


def test_a_training_that_was_stopped_has_to_come_to_its_first_step_again(tmp_path: Path, now: list[float]) -> None:
    """300 s of loading, where this machine is else ten times as fast as the table's: 410 s where it has 1000 + 100."""
    kept(tmp_path, Stage("a", 100, 10), current=Current(310, before=300, trained=10, share=0.5))
    clock = Clock(tmp_path, [Stage("a", 1000, 10), Stage("b", 100, 100), Stage("c", 200)])
    assert clock.left() == pytest.approx(300 + 410 / 1100 * 200)
    now[0] += 100
    assert clock.left() == pytest.approx(200 + 410 / 1100 * 200)
