"""What all tests share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run beside one another; read when PyTorch is loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent / "support"))

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch):
    """The toy is the only study there is."""
    import phantastic.study
    from toys.study import TOY

    monkeypatch.setattr(phantastic.study, "register", lambda: {TOY.name: TOY})
    return TOY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, in English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path
