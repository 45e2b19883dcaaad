"""Run folders seen from outside: which there are, which a word names, which is the newest, and what is no run."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from toys.study import ToyRecipe

from phantastic.declare.measure import Measure
from phantastic.declare.study import register
from phantastic.ground.errors import Refused
from phantastic.run import manifest

pytestmark = pytest.mark.usefixtures("toy")
Lay = Callable[..., Path]


@pytest.fixture
def lay(home: Path) -> Lay:
    """Lays the manifest of a run of the toy into runs/, altered as told."""

    def one(name: str, **changes: object) -> Path:
        recipe = manifest.plain(ToyRecipe(precision="float32", threads=1))
        began = "2026-01-01T00:00:00+00:00"
        made = manifest.Manifest(2, "toy", "tiny", recipe, "0", {}, "machine", "cpu", 1, "", began)
        folder = Path("runs/toy") / name
        folder.mkdir(parents=True)
        (folder / manifest.MANIFEST).write_text(json.dumps(msgspec.to_builtins(made) | changes))
        return folder

    return one


@pytest.mark.parametrize("artefacts", [["/etc/passwd"], ["../other"], ["a/../../b"], ["fine", "/x"]])
def test_what_a_manifest_names_lies_within_its_run(lay: Lay, artefacts: list[str]) -> None:
    folder = lay("one", artefacts=artefacts)
    with pytest.raises(Refused) as refusal:
        manifest.read(folder)
    assert str(refusal.value) == (
        f"{folder / 'manifest.json'} is damaged: {artefacts[-1]} is outside the run; nothing was changed"
    )


@pytest.mark.parametrize("number", [-1, 0, 3])
def test_another_format_is_refused_by_both_numbers(lay: Lay, number: int) -> None:
    with pytest.raises(Refused, match=rf"format {number} is not known here \(this is format 2\)"):
        manifest.read(lay("one", format=number))


@pytest.mark.parametrize(("threads", "possible"), [(1, True), (1024, True), (0, False), (1025, False)])
def test_threads_are_from_1_to_1024(lay: Lay, threads: int, possible: bool) -> None:
    folder = lay("one", threads=threads)
    if possible:
        assert manifest.read(folder).threads == threads
    else:
        with pytest.raises(Refused, match="is damaged"):
            manifest.read(folder)


def test_a_run_that_is_not_finished_says_how_to_finish_it(lay: Lay) -> None:
    assert manifest.finished(lay("two", finished=True)).finished
    with pytest.raises(Refused) as refusal:
        manifest.finished(lay("one 1"))
    assert str(refusal.value) == ("runs/toy/one 1 is not finished; finish it with: phantastic resume 'runs/toy/one 1'")


def test_runs_are_listed_in_order_of_all_studies_or_of_one(lay: Lay) -> None:
    for name in ("b", "a", "c"):
        lay(name)
    Path("runs/other/x").mkdir(parents=True)
    Path("runs/other/x/manifest.json").write_text("{}")
    Path("runs/toy/no-run").mkdir()
    names = [folder.as_posix() for folder in manifest.listed(Path("runs"))]
    assert names == ["runs/other/x", "runs/toy/a", "runs/toy/b", "runs/toy/c"]
    assert [folder.name for folder in manifest.listed(Path("runs"), "toy")] == ["a", "b", "c"]
    assert manifest.listed(Path("nowhere")) == []


def test_runs_are_in_order_whatever_order_the_disk_gives(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        lay(name)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: sorted(glob(self, pattern), reverse=True))
    assert [folder.name for folder in manifest.listed(Path("runs"))] == ["a", "b", "c"]


def test_a_word_is_a_path_before_it_is_a_name_under_the_root(lay: Lay) -> None:
    folder = lay("one")
    root = Path("runs")
    assert manifest.find("toy/one", root) == manifest.find("runs/toy/one", Path("elsewhere")) == folder
    Path("toy/one").mkdir(parents=True)
    Path("toy/one/manifest.json").write_text("{}")
    assert manifest.find("toy/one", root) == Path("toy/one")
    assert manifest.located("toy/two", root) is None


@pytest.mark.parametrize(
    ("word", "root", "said"),
    [
        ("toy/onne", "runs", "no run 'toy/onne'; did you mean 'toy/one'?"),
        ("xyz", "runs", "no run 'xyz'; allowed: toy/one"),
        ("toy/one", "empty", "no run 'toy/one'; there are no runs under empty"),
        ("runs", "runs", "runs is not a run folder: it holds no manifest.json; runs are listed by `phantastic ls`"),
    ],
)
def test_what_names_no_run_is_refused_with_what_does(lay: Lay, word: str, root: str, said: str) -> None:
    lay("one")
    with pytest.raises(Refused) as refusal:
        manifest.find(word, Path(root))
    assert str(refusal.value) == said


def test_a_folder_without_a_manifest_is_refused_with_where_to_look(home: Path) -> None:
    with pytest.raises(Refused) as refusal:
        manifest.read(Path("runs"))
    assert str(refusal.value).endswith("it holds no manifest.json; runs are listed by `phantastic ls`")


def test_the_newest_run_is_the_finished_one_that_was_begun_last(lay: Lay) -> None:
    root = Path("runs")
    assert manifest.newest("toy", root) is None
    lay("c", finished=True, started="2026-01-01T00:00:00+00:00")
    last = lay("a", finished=True, started="2026-01-03T00:00:00+00:00")
    lay("d", finished=True, started="2026-01-02T00:00:00+00:00", preset="quick")
    lay("b", finished=False, started="2026-01-04T00:00:00+00:00")
    (lay("e") / "manifest.json").write_text("{")
    assert manifest.newest("toy", root) == last
    quick = manifest.newest("toy", root, lambda made: made.preset == "quick")
    assert quick == root / "toy/d"
    assert manifest.newest("toy", root, lambda made: made.preset == "full") is None


def test_a_command_says_where_the_runs_are_unless_that_is_the_default() -> None:
    assert manifest.elsewhere(Path("runs")) == ()
    assert manifest.elsewhere(Path("my runs")) == ("--root", "my runs")


def test_what_a_run_holds_is_read_whether_it_is_finished_or_not(lay: Lay) -> None:
    for finished in (False, True):
        folder = lay(f"run {finished}", finished=finished)
        assert (manifest.measures(folder), manifest.findings(folder)) == ({}, [])
        manifest.store(folder, manifest.MEASURES, {"a": Measure(1.0, [1.0])}, 2)
        manifest.store(folder, manifest.CLAIMS, [], 2)
        assert manifest.measures(folder) == {"a": Measure(1.0, [1.0])}


def test_a_run_goes_on_in_the_format_it_was_begun_in(tmp_path: Path) -> None:
    """The first has the bare value, the second seals it."""
    for number, keys in ((1, {"a"}), (2, {"sha256", "value"})):
        manifest.store(tmp_path, "x.json", {"a": 1}, number)
        assert json.loads((tmp_path / "x.json").read_text()).keys() == keys
        assert manifest.stored(tmp_path, "x.json", dict[str, int], number) == {"a": 1}


def test_the_keys_that_name_networks() -> None:
    found = {name: manifest.network_fields(study.recipe) for name, study in register().items()}
    assert found["probe"] == ["model"]
    assert found["kl"] == found["bert"] == manifest.network_fields(ToyRecipe) == []
