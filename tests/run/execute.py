"""Doing what is left of a run: its threads, its end whatever happens, and the runs that are made for its networks."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from toys.experiment import Toy
from toys.study import TOY, ToyRecipe

from phantastic.declare.measure import Measure
from phantastic.declare.recipe import compose
from phantastic.ground.errors import Refused, Stopped
from phantastic.run import execute as module
from phantastic.run import manifest
from phantastic.run.execute import execute, made, measured, owned
from phantastic.run.folder import Run

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("phantastic.run.folder.git_revision", lambda: "")
    monkeypatch.setattr("os.fsync", lambda number: None)  # nothing here is about a crash
    recipe = ToyRecipe(steps=2, seed=3, precision="float32", threads=1, device="cpu")
    return Run.create(TOY, recipe, "tiny", tmp_path, "run")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset has two steps."""
    recipe = ToyRecipe(steps=2, precision="float32", threads=1)
    monkeypatch.setitem(TOY.presets, "tiny", recipe)


def test_a_run_has_the_threads_it_began_with_and_keeps_what_it_frees(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(module, "keep_freed_memory", lambda: kept.append("kept"))
    run.manifest.threads = 2
    with owned(run):
        assert (torch.get_num_threads(), kept) == (2, ["kept"])
    torch.set_num_threads(1)


@pytest.mark.parametrize("error", [None, Stopped, KeyboardInterrupt, MemoryError, Refused])
def test_whatever_happens_the_run_is_closed_and_the_time_noted(run: Run, error: type[BaseException] | None) -> None:
    def work() -> None:
        with owned(run):
            run.clock.since -= 50
            if error:
                raise error

    if error:
        with pytest.raises(error):
            work()
    else:
        work()
    assert manifest.read(run.folder).seconds >= 50
    Run.open(run.folder, writing=True).close()


def test_what_went_wrong_first_is_what_is_said(run: Run, tmp_path: Path) -> None:
    def work() -> None:
        with owned(run):
            run.folder.rename(tmp_path / "elsewhere")
            raise Refused("first")

    with pytest.raises(Refused, match=r"^first$"):
        work()
    again = Run.open(tmp_path / "elsewhere", writing=True)
    with pytest.raises(Refused, match="was moved or deleted"), owned(again):
        again.folder.rename(tmp_path / "gone")


def test_a_number_is_a_measure_without_an_interval() -> None:
    told = Measure(1.0, [0.5, 1.5], 0.25, 1.75)
    assert measured({"a": 1, "b": told}) == {"a": Measure(1.0, [1.0]), "b": told}


def test_what_all_seeds_give_stands_beside_what_each_gave(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And before it, where both give it."""
    asked: list[Sequence[Mapping[str, Measure]]] = []

    def overall(self: Toy, run: Run, recipe: ToyRecipe, seeds: Sequence[Mapping[str, Measure]]) -> dict[str, float]:
        asked.append(seeds)
        return {"count": len(seeds), "x": 7.0}

    monkeypatch.setattr(Toy, "one_seed", lambda self, run, recipe, seed: {"seed": seed, "x": 2.0 * seed})
    monkeypatch.setattr(Toy, "overall", overall)
    run.recipe = ToyRecipe(seed=3, seeds=2)
    execute(run)
    assert asked == [[measured({"seed": seed, "x": 2.0 * seed}) for seed in (3, 4)]]
    assert {name: (m.value, m.each) for name, m in run.measures().items()} == {
        "seed": (3.5, [3.0, 4.0]), "x": (7.0, [7.0]), "count": (2.0, [2.0]),
    }  # fmt: skip
    run.close()


def test_a_network_is_made_under_the_seed_of_the_run_that_needs_it_and_once(
    run: Run, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run.clock.watch = told.append
    run.checkpoint_seconds = 7.0
    used: list[float] = []
    monkeypatch.setattr(module, "execute", lambda other: (used.append(other.checkpoint_seconds), execute(other)))
    folder = made(run, TOY, "tiny")
    assert folder == run.root / "toy/tiny-seed3-shelf"
    left = manifest.read(folder)
    assert left.finished
    assert left.recipe == manifest.plain(compose(TOY.recipe, TOY.presets, "tiny", {"seed": 3, "device": "cpu"}))
    assert used == [7.0]
    assert told.count("end") == 3
    before = (folder / "manifest.json").read_bytes()
    assert made(run, TOY, "tiny") == folder
    assert used == [7.0]
    assert (folder / "manifest.json").read_bytes() == before
    run.close()


def test_a_network_whose_making_was_stopped_goes_on(run: Run, short: None) -> None:
    run.stop.set()
    with pytest.raises(Stopped):
        made(run, TOY, "tiny")
    folder = run.root / "toy/tiny-seed3-shelf"
    assert not manifest.read(folder).finished
    Run.open(folder, writing=True).close()  # it was given back
    run.stop.clear()
    made(run, TOY, "tiny")
    assert manifest.read(folder).finished
    assert Run.open(folder).weights("fit")
    run.close()


def test_the_preset_that_is_asked_for_is_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module.shelf, "fetch", lambda run, make: make(TOY, "quick"))
    monkeypatch.setattr(module, "made", lambda run, study, preset: asked.append(f"{study.name}:{preset}"))
    execute(run)
    assert asked == ["toy:quick"]
    run.close()


def test_no_signal_is_touched(run: Run) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with owned(run):
        execute(run)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
