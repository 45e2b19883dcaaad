"""The register of studies: one broken declaration breaks one system, and says so."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phantastic import systems
from phantastic.declare import study
from phantastic.ground.errors import Refused


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "study.py").write_text("STUDIES = (1 / 0,)\n")
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(tmp_path)])
    yield
    for name in [name for name in sys.modules if name.startswith("phantastic.systems.broken")]:
        del sys.modules[name]


def test_a_broken_declaration_takes_no_other_study_with_it(broken: None) -> None:
    assert {"scan", "kl", "bert"} <= set(study.register())
    assert study.find("scan").name == "scan"
    (fault,) = study.faults()
    assert "systems/broken" in fault
    assert "ZeroDivisionError: division by zero" in fault
    with pytest.raises(Refused, match=r"unknown study 'skan'; did you mean 'scan'\?; .*systems/broken"):
        study.find("skan")
    with pytest.raises(Refused, match="systems/broken cannot be read"):
        study.find("broken")


def test_a_study_is_found_without_asking_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    declared = study.declared
    monkeypatch.setattr(study, "declared", lambda system: (asked.append(system), declared(system))[1])
    assert study.find("scan").name == "scan"
    assert asked == ["scan"]
    assert study.find("kl").name == "kl"
