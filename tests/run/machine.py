"""What is noted of a machine: its cores, the device, the versions of libraries and of the source."""

import os
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from phantastic.ground.errors import Refused
from phantastic.run import machine


def test_a_machine_in_words() -> None:
    assert machine.described() == (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (3, 3), (4, 4), (64, 4)])
def test_threads_are_those_asked_for_or_the_cores_and_at_most_four(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert machine.threads_of(0) == threads
    assert machine.threads_of(7) == 7
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.threads_of(0) == 2  # where cores are not told apart


@pytest.mark.parametrize("available", [True, False])
def test_a_device(monkeypatch: pytest.MonkeyPatch, available: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert machine.resolve_device("auto") == ("cuda" if available else "cpu")
    assert machine.resolve_device("cpu") == "cpu"
    if available:
        assert machine.resolve_device("cuda") == "cuda"
    else:
        with pytest.raises(Refused) as refusal:
            machine.resolve_device("cuda")
        assert str(refusal.value) == "device 'cuda': PyTorch finds no CUDA GPU here; allowed: auto, cpu"


def test_versions_are_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.library_versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == str(torch.__version__)
    assert list(found) == ["python", "torch", "numpy", "scikit-learn", "safetensors", "msgspec", "altair"]
    monkeypatch.setattr(machine, "LIBRARIES", ("no such library", "numpy"))
    assert list(machine.library_versions()) == ["python", "numpy"]


def test_the_revision_of_the_source_says_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the source, wherever one stands; none where the source is no tree of git, or there is no git."""
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    file = source / "machine.py"
    file.write_text("1")
    monkeypatch.setattr(machine, "__file__", str(file))
    monkeypatch.chdir(elsewhere)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # as where a hook runs the tests
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert machine.git_revision() == ""
    who = ["-c", "user.name=a", "-c", "user.email=a@e.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=source, check=True)
    whole = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True).stdout
    assert machine.git_revision() == whole[:12]
    file.write_text("2")
    assert machine.git_revision() == f"{whole[:12]}-dirty"
    monkeypatch.setenv("PATH", "")
    assert machine.git_revision() == ""
