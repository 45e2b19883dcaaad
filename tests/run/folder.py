"""A run folder from its beginning to its end: its name, what is noted and when, what is refused and left as it is."""

import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toys.study import TOY, ToyRecipe

from phantastic.declare.recipe import compose
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.run import folder as module
from phantastic.run import manifest, stages
from phantastic.run.checkpoint import pack
from phantastic.run.folder import Run
from phantastic.run.lock import begin, locked

pytestmark = pytest.mark.usefixtures("toy")
TINY = ToyRecipe(steps=30, precision="float32", threads=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is not asked at every beginning, nor the disk waited for: nothing here is about a crash."""
    monkeypatch.setattr(module, "git_revision", lambda: "")
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(TOY, TINY, "tiny", tmp_path / "runs", "one")


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


# --- its name


@pytest.mark.parametrize("name", ["a", "7", "-", "_", "n" * 80, "a b", "v1.2,c=3+d-", "山田 太郎", "a.b c=d"])
def test_what_can_name_a_folder(tmp_path: Path, name: str) -> None:
    run = Run.create(TOY, TINY, "tiny", tmp_path, name)
    run.close()
    assert run.folder == tmp_path / "toy" / name
    assert run.root == tmp_path
    with pytest.raises(Refused) as refusal:
        Run.create(TOY, TINY, "tiny", tmp_path, name)
    assert str(refusal.value).startswith(f"{run.folder} holds a run already; choose another --name, or: phantastic res")


@pytest.mark.parametrize("name", ["n" * 81, "a ", " a", ".a", "=a", "a.", "a/b", "a\tb", "a:b", "é" * 90])
def test_what_can_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        Run.create(TOY, TINY, "tiny", tmp_path, name)
    shown = repr(name[:80])
    assert str(refusal.value) == (
        f"--name {shown} cannot name a folder; take up to 80 letters, digits, spaces, - and _"
    )
    assert not list(tmp_path.iterdir())


def test_names_that_nobody_chose_are_counted(tmp_path: Path) -> None:
    for wanted in ("quick-seed7", "quick-seed7-2", "quick-seed7-3"):
        folder, lock = begin(tmp_path / "deep/base", "quick-seed7", named=False)
        lock.release()
        assert folder == tmp_path / "deep/base" / wanted
    recipe = compose(TOY.recipe, TOY.presets, "quick", {"seed": 7})
    run = Run.create(TOY, recipe, "quick", tmp_path)
    run.close()
    assert run.folder == tmp_path / "toy/quick-seed7"


def test_a_folder_without_a_run_is_taken_and_one_in_use_or_a_file_is_not(tmp_path: Path) -> None:
    """A process that died between the folder and its manifest leaves the name to be had."""
    (tmp_path / "begun").mkdir()
    folder, lock = begin(tmp_path, "begun", named=True)
    assert folder == tmp_path / "begun"
    with pytest.raises(Refused, match="in use by another phantastic process; wait for it or use another run"):
        begin(tmp_path, "begun", named=True)
    lock.release()
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="choose another --name"):
        begin(tmp_path, "file", named=True)
    with pytest.raises(Refused, match=r"cannot write .*file.under: .*intact"):
        begin(tmp_path / "file", "under", named=False)


def test_of_a_name_that_was_just_taken_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest of the other process appears while this one waits for the folder's lock."""
    (tmp_path / "mine").mkdir()

    def late(folder: Path) -> object:
        (folder / manifest.MANIFEST).write_text("{}")
        return locked(folder)

    monkeypatch.setattr("phantastic.run.lock.locked", late)
    with pytest.raises(Refused, match="holds a run already"):
        begin(tmp_path, "mine", named=True)


def test_a_beginning_that_fails_leaves_its_name_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_json", lambda path, value: (_ for _ in ()).throw(Refused("full")))
        with pytest.raises(Refused) as refusal:
            Run.create(TOY, TINY, "tiny", tmp_path, "mine")
    Run.create(TOY, TINY, "tiny", tmp_path, "mine").close()
    assert str(refusal.value) == "full"  # kept so long, and the lock of that try with it


# --- what is noted


def test_what_made_a_run_is_noted_when_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "threads_of", lambda wanted: 3 if wanted == 0 else wanted)
    recipe = compose(TOY.recipe, TOY.presets, "tiny", {"threads": 0, "width": 4, "seeds": 2, "precision": "bfloat16"})
    run = Run.create(TOY, recipe, "tiny", tmp_path)
    made = manifest.read(run.folder)
    run.close()
    assert (made.study, made.preset, made.threads, made.precision) == ("toy", "tiny", 3, "bfloat16")
    assert made.changed == ["width"]  # what moves a claim
    assert made.recipe == manifest.plain(recipe)
    assert (made.finished, made.seconds, made.artefacts, made.networks) == (False, 0, [], {})
    begun = datetime.fromisoformat(made.started)
    assert begun.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - begun) < timedelta(minutes=1)
    assert {"python", "torch", "numpy", "msgspec", "safetensors"} <= made.versions.keys()
    assert run.checkpoint_seconds == 30
    assert list(run.seeds) == [0, 1]


def test_what_is_left_beside_the_results_is_noted_once_and_at_once(run: Run) -> None:
    run.close()
    reading = Run.open(run.folder)
    for _ in range(2):
        assert reading.artefact("codes") == run.folder / "codes"
    assert manifest.read(run.folder).artefacts == ["codes"]
    before = (run.folder / manifest.MANIFEST).stat().st_mtime_ns
    reading.artefact("codes")
    assert (run.folder / manifest.MANIFEST).stat().st_mtime_ns == before


def test_who_reads_a_run_waits_for_its_owner_to_note_what_it_leaves(run: Run) -> None:
    reading = Run.open(run.folder)
    owner = threading.Timer(0.1, run.close)
    owner.start()
    reading.artefact("codes")
    owner.join()
    assert manifest.read(run.folder).artefacts == ["codes"]


def test_where_something_is_written(run: Run) -> None:
    assert run.destination(None, "codes.csv") == run.folder / "codes.csv"
    assert run.destination("elsewhere/mine.CSV", "others.csv") == Path("elsewhere/mine.CSV")
    with pytest.raises(Refused, match=r"^--to mine\.txt: this is written as \.csv$"):
        run.destination("mine.txt", "others.csv")
    assert run.manifest.artefacts == ["codes.csv"]  # what lies elsewhere does not come along
    run.close()


# --- the training curve


def test_the_curve_is_of_a_stage_or_of_all_and_a_torn_line_is_no_part_of_it(run: Run) -> None:
    assert run.curve() == []
    for stage, step in (("fit", 1), ("fits", 1), ("fit", 2)):
        run.log(stage, step, {"loss": 0.5 * step})
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write('{"stage": "fit", "step": 3')
    assert run.curve() == [*run.curve("fit")[:1], *run.curve("fits"), *run.curve("fit")[1:]]
    assert run.curve("fit") == [{"stage": "fit", "step": step, "loss": 0.5 * step} for step in (1, 2)]
    run.close()


def test_of_the_stage_in_progress_what_came_after_its_checkpoint_is_forgotten(run: Run) -> None:
    for stage, step in (("fit", 9), ("mirror", 3), ("mirror", 4), ("mirror", 5)):
        run.log(stage, step, {})
    run.trim_log("mirror", 4)
    assert [(point["stage"], point["step"]) for point in run.curve()] == [("fit", 9), ("mirror", 3), ("mirror", 4)]
    (run.folder / "metrics.jsonl").write_text('{"stage": "mir')  # all that was logged is torn
    run.trim_log("mirror", 4)
    run.log("mirror", 5, {})
    assert [point["step"] for point in run.curve()] == [5]
    run.close()


@pytest.mark.parametrize("line", ['{"stage": "fit"}', '{"step": 3}', '{"stage": 1, "step": 3}', "[]", "{"])
def test_a_damaged_line_is_named_when_the_run_is_opened_and_the_folder_stays_free(run: Run, line: str) -> None:
    run.close()
    (run.folder / "metrics.jsonl").write_text('{"stage": "fit", "step": 1}\n' + line + "\n")
    before = content(run.folder)
    refusals = []
    for _ in range(2):  # the first time the lock was given back
        with pytest.raises(Refused, match=r"metrics\.jsonl, line 2 is damaged \(.+\); nothing was changed") as refusal:
            Run.open(run.folder, writing=True)
        refusals.append(refusal)
    assert content(run.folder) == before


@pytest.mark.parametrize("finished", [True, False])
def test_times_that_are_damaged_are_named_when_the_run_is_opened(run: Run, finished: bool) -> None:
    run.manifest.finished = finished
    run.close()
    (run.folder / "stages.json").write_text("{")
    with pytest.raises(Refused, match=r"stages\.json is damaged"):
        Run.open(run.folder, writing=True)


def test_a_run_of_a_gpu_needs_none_once_it_is_finished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run.manifest.device = "cuda"
    run.close()
    with pytest.raises(Refused, match="no CUDA GPU"):
        Run.open(run.folder, writing=True)
    run.manifest.finished = True
    files.write_json(run.folder / manifest.MANIFEST, run.manifest)
    again = Run.open(run.folder, writing=True)
    again.close()
    assert again.device == torch.device("cpu")


# --- who owns it


def test_what_the_owner_did_last_is_seen_by_who_comes_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saves a step, ends a stage and goes while the next one is already opening the folder."""

    def last(folder: Path) -> object:
        with run.clock.stage("fit", 9):
            pass
        run.checkpoints.save("mirror", 9, {"a": torch.zeros(1)})
        run.close()
        return locked(folder)

    monkeypatch.setattr(module, "locked", last)
    after = Run.open(run.folder, writing=True)
    assert (after.checkpoints.latest.stage, after.checkpoints.latest.step) == ("mirror", 9)
    assert [stage.name for stage in after.clock.finished] == ["fit"]
    after.close()


def test_closing_notes_the_time_of_a_run_that_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with run.clock.stage("fit", 9):
        pass
    run.clock.since -= 50
    run.close()
    assert manifest.read(run.folder).seconds == pytest.approx(50, abs=5)
    assert stages.read(run.folder).current.seconds == pytest.approx(50, abs=5)
    again = Run.open(run.folder, writing=True)
    again.clock.since -= 50
    again.close()
    assert manifest.read(run.folder).seconds == pytest.approx(100, abs=5)


def test_what_was_computed_for_a_folder_that_went_is_not_kept(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was moved or deleted while it was in use; what was to be saved there is lost"):
        run.once("kept", lambda: run.folder.rename(tmp_path / "elsewhere") and 1, int)
    assert not run.folder.exists()
    run.release()


# --- its end


@pytest.fixture
def ended(run: Run) -> Callable[[], dict[str, nn.Linear]]:
    """Two stages whose names begin alike, finished, and the run with them."""

    def end() -> dict[str, nn.Linear]:
        networks = {name: nn.Linear(2, 1) for name in ("fit", "fits", "fit/more")}
        for name, network in networks.items():
            run.checkpoints.finish(name, pack({"net": network}))
        run.checkpoints.write("checkpoints/left.safetensors", {})
        run.clock.since -= 50
        run.finish()
        return networks

    return end


def test_a_finished_run_is_one_file_of_weights(run: Run, ended: Callable[[], dict[str, nn.Linear]]) -> None:
    networks = ended()
    assert sorted(path.name for path in run.folder.rglob("*.safetensors")) == ["model.safetensors"]
    assert len(load_file(run.folder / "model.safetensors")) == 6
    for stage in ("fit", "fits"):
        assert run.weights(stage).keys() == {"net/weight", "net/bias"} | (
            {"more/net/weight", "more/net/bias"} if stage == "fit" else set()
        )
    for stage, network in networks.items():
        found = nn.Linear(2, 1)
        run.load(stage, {"net": found})
        assert torch.equal(found.weight, network.weight)
        assert not found.training
    assert run.checkpoints.latest.recipe == run.manifest.recipe
    before = content(run.folder)
    run.finish()
    assert content(run.folder) == before
    run.close()


def test_at_its_end_the_clock_of_a_run_stops(run: Run, ended: Callable[[], dict[str, nn.Linear]]) -> None:
    ended()
    seconds = run.manifest.seconds
    assert seconds == pytest.approx(50, abs=5)
    run.clock.since -= 50
    with run.clock.stage("figures"):
        pass
    run.close()
    made = manifest.read(run.folder)
    assert (made.finished, made.seconds) == (True, seconds)
    assert not stages.read(run.folder).finished


def test_a_stage_that_is_not_there_is_refused_with_what_to_do(run: Run) -> None:
    with pytest.raises(Refused) as refusal:
        run.weights("fit")
    assert str(refusal.value) == (
        f"{run.folder} has no finished stage 'fit'; finish it with: phantastic resume {run.folder}"
    )
    run.close()


def test_a_recipe_that_was_changed_says_so_in_every_format(run: Run) -> None:
    """The first noted it nowhere: it follows from the preset as it stands."""
    run.close()
    path = run.folder / manifest.MANIFEST
    path.write_text(re.sub(r'"width": \d+', '"width": 5', path.read_text()))
    assert Run.open(run.folder).changed() == []  # as it was noted
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    assert Run.open(run.folder).changed() == ["width"]
