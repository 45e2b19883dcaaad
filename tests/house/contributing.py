"""CONTRIBUTING.md, followed to the letter, gives a system that passes what every system must pass."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from phantastic import systems
from phantastic.declare import references, study
from phantastic.declare.claims import names
from phantastic.lesion import damage, sites
from phantastic.run.folder import Run

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", TEXT, re.M | re.S))


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("systems") / "blocking"
    folder.mkdir()
    for name, text in (PARTS | {"__init__.py": ""}).items():
        (folder / name).write_text(text, encoding="utf-8")
    known = references.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "__path__", [*systems.__path__, str(folder.parent)])
        patch.setattr(references, "read", lambda file: known(file) | known(folder / "references.bib"))
        yield
    for name in [name for name in sys.modules if name.startswith("phantastic.systems.blocking")]:
        del sys.modules[name]


@pytest.fixture
def phantastic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    from click.testing import CliRunner

    from phantastic.cli.main import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return lambda *words: CliRunner().invoke(cli, words, catch_exceptions=False)


def test_it_stands_where_the_steps_say() -> None:
    assert list(PARTS) == ["study.py", "references.bib", "experiment.py", "CLAIMS.toml", "README.md"]


def test_the_new_system_goes_through_every_verb(added: None, phantastic: Callable[..., Result]) -> None:
    assert "blocking" in phantastic("ls").output
    assert "Rescorla, R. A.; Wagner, A. R. (1972)" in phantastic("show", "blocking").output
    result = phantastic("run", "blocking", "--preset", "quick", "--set", "threads=1")
    assert result.exit_code == 0, result.output
    assert "✓ holds" in result.output
    assert "over 5 seeds" in result.output
    assert "✓ 成立" in phantastic("ledger", "blocking", "--lang", "ja").output
    lesion = phantastic("lesion", "blocking/quick-seed0", "--site", "blocked", "--kind", "sever", "--dose", "0,1")
    assert lesion.exit_code == 0, lesion.output
    assert phantastic("export", "blocking/quick-seed0", "--to", "handed-in").exit_code == 0
    assert "rescorla1972" in phantastic("cite", "blocking").output


def test_the_science_is_right(added: None, tmp_path: Path) -> None:
    """After n trials V of a lone cue is 1 − (1 − αβ)^n; of two that begin together each takes half."""
    blocking = study.find("blocking")
    run = Run.create(blocking, blocking.presets["tiny"], "tiny", tmp_path)
    one = blocking.load().one_seed(run, run.recipe, 0)
    n, rate = run.recipe.trials, run.recipe.rate
    assert float(one["control.strength"]) == pytest.approx((1 - (1 - 2 * rate) ** n) / 2, abs=0.1)  # pyright: ignore
    assert float(one["blocked.strength"]) == pytest.approx((1 - rate) ** n / 2, abs=0.1)  # pyright: ignore
    networks = blocking.load().networks(run)
    assert [place.name for place in sites(networks)] == ["blocked", "control"]
    whole = blocking.load().lesion_measures(run, networks)
    with damage(networks, "control", "scale", 1, 0):
        assert blocking.load().lesion_measures(run, networks) == {"blocked": whole["blocked"], "control": 0}
    assert all(any(names(p).fullmatch(name) for p in blocking.measures) for name in one)
    run.close()
