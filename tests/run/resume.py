"""Whatever happens to a run, it ends in the bits of a run to which nothing happened, or says why it cannot."""

import json
import re
import shutil
import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random

import pytest
from forks import Forks
from sabotage import LEFT

RUN = ("run", "toy", "--preset", "tiny", "--checkpoint-every", "0")
RESUME = ("resume", "toy/tiny-seed0", "--checkpoint-every", "0")
KILLS = 12


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    server = Forks()
    yield server
    server.close()


def bits(folder: Path) -> dict[str, str]:
    """What must be equal between two runs of a recipe."""
    return {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "metrics.jsonl", "measures.json")
    }


def content(folder: Path) -> dict[str, str]:
    """Every file of a run folder but the lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in paths}


def latest(folder: Path) -> dict:
    return json.loads((folder / "LATEST").read_text())


@pytest.fixture(scope="module")
def undisturbed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bits of a run that was left alone."""
    home = tmp_path_factory.mktemp("undisturbed")
    status, said = forks.call(home, *RUN)
    assert status == 0, said
    return bits(home / "runs/toy/tiny-seed0")


@pytest.fixture(scope="module")
def interrupted(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a run that died in its second stage; copied, not used."""
    home = tmp_path_factory.mktemp("interrupted")
    status, said = forks.call(home, *RUN, die_at=1, since="mirror-00000010")
    assert status == -signal.SIGKILL, said
    found = latest(home / "runs/toy/tiny-seed0")
    assert (found["stage"], found["step"]) == ("mirror", 9)
    return home


@pytest.fixture
def damaged(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of the interrupted run's folder, to be damaged."""
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs/toy/tiny-seed0"


def finish(forks: Forks, home: Path) -> None:
    status, said = forks.call(home, *RESUME, publish=False)
    assert status == 0, said


# --- death


def done(folder: Path) -> int:
    """How many steps the checkpoints of a run hold; the toy's two stages have 30 each."""
    if not (folder / "LATEST").exists():
        return 0
    found = latest(folder)
    return 30 * len(found["finished"]) + found["step"]


def test_killed_wherever_it_stands(forks: Forks, undisturbed: dict[str, str], tmp_path: Path) -> None:
    """Each time a few steps further on, wherever it has got to when the signal arrives."""
    random = Random(13)
    kills, folder = 0, tmp_path / "runs/toy/tiny-seed0"
    for attempt in range(KILLS * 4):
        child = forks.start(tmp_path, *(RESUME if folder.exists() else RUN))
        while not (folder / "manifest.json").exists():
            time.sleep(0.001)
        goal = done(folder) + random.randrange(5)
        while done(folder) < min(goal, 60):
            time.sleep(0.001)
        child.kill()
        status = child.wait()
        kills += status == -signal.SIGKILL
        assert status in (0, -signal.SIGKILL), child.said()
        if kills >= KILLS:
            break
        if status == 0:
            assert bits(folder) == undisturbed
            folder.rename(tmp_path / f"finished-{attempt}")
    assert kills >= KILLS
    finish(forks, tmp_path)
    assert bits(folder) == undisturbed
    assert not list(folder.glob("checkpoints/*.safetensors"))


def test_killed_at_every_moment_of_writing_a_checkpoint(
    forks: Forks, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    """Each death leaves what the next process begins with: the log is trimmed, a step logged, a checkpoint and the
    times are written; where the next step is logged no moment is left."""
    folder, wrecks = tmp_path / "runs/toy/tiny-seed0", set()
    status, said = forks.call(tmp_path, *RUN, die_at=1, since="fit-00000003")
    for moment in count(1):
        assert status == -signal.SIGKILL, said
        status, said = forks.call(tmp_path, *RESUME, die_at=moment, leave_at=["metrics.jsonl", 3])
        if status == LEFT:
            break
        names = sorted(path.name for path in (folder / "checkpoints").iterdir())
        wrecks.add((len(names), any(name.endswith(".part") for name in names), checkpoint(folder).name == names[-1]))
    # with one checkpoint; beside it half a new one, a whole one that LATEST does not name, an old one that it did
    assert wrecks >= {(1, False, True), (2, True, True), (2, False, False), (2, False, True)}
    finish(forks, tmp_path)
    assert bits(folder) == undisturbed


def test_killed_while_finishing(forks: Forks, tmp_path: Path) -> None:
    """The last writes of a run: its results and measures, the merged model, LATEST, manifest."""
    status, said = forks.call(tmp_path, *RUN, "--set", "steps=1", "--name", "short", publish=False)
    assert status == 0, said
    wanted, wrecks = bits(tmp_path / "runs/toy/short"), set()
    for moment in count(1, 4):
        folder = tmp_path / f"runs/toy/short-{moment}"
        short = ("--set", "steps=1", "--name", folder.name)
        status, said = forks.call(tmp_path, *RUN, *short, die_at=moment, since="error", publish=False)
        if status == 0:
            break
        assert status == -signal.SIGKILL, said
        names = ("results/error.0.json", "measures.json", "model.safetensors")
        wrecks.add(tuple((folder / name).exists() for name in names))
        status, said = forks.call(tmp_path, "resume", str(folder), publish=False)
        assert status == 0, said
        assert bits(folder) == wanted
    assert wrecks == {(False,) * 3, (True, False, False), (True, True, False), (True,) * 3}  # in this order


# --- stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_saves_the_step_in_progress(
    forks: Forks, undisturbed: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "runs/toy/tiny-seed0"
    log = folder / "metrics.jsonl"
    child = forks.start(tmp_path, "run", "toy", "--preset", "tiny", "--set", "steps=100000", "--set", "width=64")
    while not (log.exists() and log.read_bytes().count(b"\n") >= 2):
        time.sleep(0.005)
    child.kill(number)
    assert child.wait() == 130
    assert f"phantastic resume {folder.relative_to(tmp_path)}" in child.said()
    assert "Traceback" not in child.said()
    said = re.search(r"Stopped at stage fit, step (\d+); nothing is lost", child.said())
    assert said is not None
    assert latest(folder)["step"] == int(said[1])  # the very step at which it stopped
    assert json.loads(log.read_bytes().splitlines()[-1])["step"] <= int(said[1])


def test_stopped_run_goes_on_to_the_same_bits(forks: Forks, undisturbed: dict[str, str], tmp_path: Path) -> None:
    child = forks.start(tmp_path, *RUN)
    while not (tmp_path / "runs/toy/tiny-seed0/metrics.jsonl").exists():
        time.sleep(0.001)
    child.kill(signal.SIGINT)
    assert child.wait() == 130, child.said()
    finish(forks, tmp_path)
    assert bits(tmp_path / "runs/toy/tiny-seed0") == undisturbed


def test_one_process_owns_a_run(forks: Forks, tmp_path: Path) -> None:
    folder = tmp_path / "runs/toy/tiny-seed0"
    child = forks.start(tmp_path, "run", "toy", "--preset", "tiny", "--set", "steps=100000")
    while not (folder / "metrics.jsonl").exists():
        time.sleep(0.001)
    status, said = forks.call(tmp_path, *RESUME)
    assert (status, "in use by another" in said) == (2, True)
    status, said = forks.call(tmp_path, *RUN, "--name", "tiny-seed0")
    assert (status, "holds a run already" in said) == (2, True)
    child.kill()
    child.wait()


# --- disks


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        ({"full": "mirror-"}, "the disk is full"),
        ({"full": "LATEST"}, "the disk is full"),
        ({"full": "metrics.jsonl"}, "the disk is full"),
        ({"full": "stages.json"}, "the disk is full"),
        ({"full": "model.safetensors"}, "the disk is full"),
        ({"full": "manifest.json"}, "the disk is full"),
        ({"read_only": True}, "read-only"),
        ({"largest_file": 2000}, "files this large are not allowed"),
    ],
)
def test_a_disk_that_takes_no_more(
    forks: Forks, undisturbed: dict[str, str], damaged: Path, trouble: dict, word: str
) -> None:
    home = damaged.parents[2]
    shutil.copytree(damaged, home / "before")
    status, said = forks.call(home, *RESUME, **trouble)
    assert status in (1, 2), said
    assert word in said
    assert str(damaged.relative_to(home)) in said  # names the file
    assert "Traceback" not in said
    assert done(damaged) >= done(home / "before")  # the last checkpoint is intact, as the bits show
    finish(forks, home)
    assert bits(damaged) == undisturbed


@pytest.mark.parametrize("trouble", [{"read_only": True}, {"full": ""}])
def test_nowhere_to_begin(forks: Forks, tmp_path: Path, trouble: dict) -> None:
    status, said = forks.call(tmp_path, *RUN, **trouble)
    assert status in (1, 2), said
    assert "cannot write runs/toy/tiny-seed0/manifest.json" in said
    assert "Traceback" not in said


# --- damage


def flip(path: Path, where: str) -> None:
    """Change a bit in the middle of a file's header, or of its tensors: these can be read all the same."""
    data = bytearray(path.read_bytes())
    tensors = 8 + int.from_bytes(data[:8], "little")
    data[tensors // 2 if where == "header" else (tensors + len(data)) // 2] ^= 1
    path.write_bytes(bytes(data))


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def checkpoint(folder: Path) -> Path:
    return folder / latest(folder)["progress"]["file"]


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def spoil_middle_line(folder: Path) -> None:
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(b"".join([*lines[:2], b'{"stage": "fit", "st\n', *lines[2:]]))


DAMAGE = {
    "a name in the checkpoint": (lambda f: flip(checkpoint(f), "header"), "mirror-"),
    "a weight in the checkpoint": (lambda f: flip(checkpoint(f), "tensors"), "mirror-"),
    "a weight of a finished stage": (lambda f: flip(f / "checkpoints/fit.safetensors", "tensors"), "fit.safetensors"),
    "half a checkpoint": (lambda f: halve(checkpoint(f)), "mirror-"),
    "no checkpoint": (lambda f: checkpoint(f).unlink(), "mirror-"),
    "LATEST is no JSON": (lambda f: (f / "LATEST").write_text("{"), "LATEST"),
    "LATEST is empty": (lambda f: (f / "LATEST").write_text(""), "LATEST"),
    "LATEST leads outside": (lambda f: rewrite(f / "LATEST", "checkpoints/mirror", "../../mirror"), "outside the run"),
    "LATEST of another recipe": (lambda f: rewrite(f / "LATEST", '"width": 16', '"width": 17'), "width"),
    "manifest of another recipe": (
        lambda f: rewrite(f / "manifest.json", '"learning_rate": 0.01', '"learning_rate": 0.02'),
        "learning_rate",
    ),
    "manifest is no JSON": (lambda f: (f / "manifest.json").write_bytes(b"\xff\x00{"), "manifest.json"),
    "manifest lacks a key": (lambda f: rewrite(f / "manifest.json", '"threads": 1,\n "rev', '"rev'), "manifest.json"),
    "manifest of another format": (lambda f: rewrite(f / "manifest.json", '"format": 2', '"format": 99'), "99"),
    "recipe out of bounds": (lambda f: rewrite(f / "manifest.json", '"steps": 30', '"steps": -1'), "steps"),
    "unknown study": (lambda f: rewrite(f / "manifest.json", '"study": "toy"', '"study": "tooy"'), "'toy'"),
    "stages.json is no JSON": (lambda f: (f / "stages.json").write_text("{"), "stages.json"),
    "a line of the log": (spoil_middle_line, "metrics.jsonl, line 3"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_nothing_is_overwritten(forks: Forks, damaged: Path, kind: str) -> None:
    spoil, named = DAMAGE[kind]
    spoil(damaged)
    before = content(damaged)
    status, said = forks.call(damaged.parents[2], *RESUME)
    assert status == 2, said
    assert named in said
    assert "Traceback" not in said
    assert content(damaged) == before


def test_a_torn_last_line_of_the_log_is_forgotten(forks: Forks, undisturbed: dict[str, str], damaged: Path) -> None:
    with open(damaged / "metrics.jsonl", "a") as file:
        file.write('{"stage": "mirror", "ste')
    finish(forks, damaged.parents[2])
    assert bits(damaged) == undisturbed


def test_weights_of_another_recipe_are_refused(forks: Forks, damaged: Path) -> None:
    """Both LATEST and its files come from a run with a wider network, and claim to be of this recipe."""
    home = damaged.parents[2]
    status, said = forks.call(home, *RUN, "--set", "width=17", "--name", "wide", die_at=1, since="mirror-00000010")
    assert status == -signal.SIGKILL, said
    shutil.rmtree(damaged / "checkpoints")
    shutil.copytree(home / "runs/toy/wide/checkpoints", damaged / "checkpoints")
    shutil.copyfile(home / "runs/toy/wide/LATEST", damaged / "LATEST")
    rewrite(damaged / "LATEST", '"width": 17', '"width": 16')
    status, said = forks.call(home, *RESUME)
    assert status == 2, said
    assert "does not fit the module" in said
    assert "Traceback" not in said


# --- the law: one recipe, one result


def test_checkpoints_do_not_change_the_result(forks: Forks, undisturbed: dict[str, str], tmp_path: Path) -> None:
    for words in (["--checkpoint-every", "1000"], ["--name", "経路 with spaces", "--lang", "ja"]):
        status, said = forks.call(tmp_path, "run", "toy", "--preset", "tiny", *words, publish=False)
        assert status == 0, said
    assert bits(tmp_path / "runs/toy/tiny-seed0") == bits(tmp_path / "runs/toy/経路 with spaces") == undisturbed


def test_seed_changes_the_result(forks: Forks, undisturbed: dict[str, str], tmp_path: Path) -> None:
    status, said = forks.call(tmp_path, "run", "toy", "--preset", "tiny", "--seed", "1", publish=False)
    assert status == 0, said
    other = bits(tmp_path / "runs/toy/tiny-seed1")
    assert all(other[name] != undisturbed[name] for name in other)
