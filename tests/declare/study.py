"""What a study is: its claims, its papers, its experiment; and who is asked for it."""

from pathlib import Path

import pytest
from toys.experiment import Toy
from toys.study import TOY

from phantastic import systems
from phantastic.declare import study
from phantastic.declare.study import Study
from phantastic.ground.errors import Refused


def test_the_claims_of_a_study_are_those_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another study of the folder may have a name that begins alike."""
    entry = (TOY.folder / "CLAIMS.toml").read_text(encoding="utf-8").split("\n\n")[0]
    ids = ("toy.a", "toys.b", "toy", "other.toy.c", "toy.d.e")
    (tmp_path / "CLAIMS.toml").write_text("\n\n".join(entry.replace("toy.fits", name) for name in ids), "utf-8")
    monkeypatch.setattr(Study, "folder", tmp_path)
    assert [claim.id for claim in TOY.claims()] == ["toy.a", "toy.d.e"]


def test_a_study_knows_its_folder_its_papers_and_its_experiment() -> None:
    assert TOY.folder == Path(__file__).parents[1] / "support/toys"
    assert [paper.key for paper in TOY.cited()] == ["gauss1809"]
    assert isinstance(TOY.load(), Toy)
    assert study.find("entropy").folder == Path(study.__file__).parents[1] / "systems/entropy"


def test_studies_come_in_the_order_of_their_folders() -> None:
    folders = [each.folder.name for each in study.register().values()]
    assert folders == sorted(folders)
    assert study.systems() == sorted(study.systems())
    assert set(folders) == set(study.systems())
    assert study.faults() == []


def test_a_folder_that_declares_nothing_is_no_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/__init__.py").write_text("")
    before = study.systems()
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(tmp_path)])
    assert study.systems() == before


def test_an_unknown_study_is_refused_with_the_nearest_and_nothing_more() -> None:
    with pytest.raises(Refused) as refusal:
        study.find("trnsformer")
    assert str(refusal.value) == "unknown study 'trnsformer'; did you mean 'transformer'?"
