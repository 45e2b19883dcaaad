"""Networks between studies: found among the runs, made where there is none, or a folder; and noted with their hash."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from phantastic.declare.recipe import compose
from phantastic.declare.study import Study, find
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.run import manifest, shelf
from phantastic.run.folder import Run

BERT, PROBE = find("bert"), find("probe")


def left(root: Path, name: str, *, finished: bool = True, network: bool = True, **changes: object) -> Path:
    """A run of bert at tiny as it lies on disk, with a network of one byte."""
    recipe = compose(BERT.recipe, BERT.presets, "tiny", dict(changes))
    run = Run.create(BERT, recipe, "tiny", root, name)
    run.manifest.finished = finished
    if network:
        files.write(run.artefact("pretrained") / "model.safetensors", b"1")
    run.close()
    return run.folder


def nothing_is_made(study: Study, preset: str) -> Path:
    pytest.fail(f"{study.name} at {preset} was run")


def test_a_run_a_preset_and_a_folder(tmp_path: Path) -> None:
    run = left(tmp_path, "mine")
    network = run / "pretrained"
    for word in ("bert/mine", str(run), "bert:tiny"):
        assert shelf.network(word, tmp_path, 0, nothing_is_made) == network
    assert shelf.network(str(network), tmp_path, 0, nothing_is_made) == network


def test_only_a_run_of_the_preset_as_it_stands_under_the_same_seed_will_do(tmp_path: Path) -> None:
    left(tmp_path, "other-seed", seed=1)
    left(tmp_path, "other-recipe", steps=9)
    left(tmp_path, "unfinished", finished=False)
    asked: list[tuple[str, str]] = []

    def make(study: Study, preset: str) -> Path:
        asked.append((study.name, preset))
        return left(tmp_path, "made")

    found = shelf.network("bert:tiny", tmp_path, 0, make)
    assert asked == [("bert", "tiny")]
    assert found == tmp_path / "bert/made/pretrained"
    assert shelf.network("bert:tiny", tmp_path, 0, nothing_is_made) == found
    assert shelf.network("bert:tiny", tmp_path, 1, nothing_is_made) == tmp_path / "bert/other-seed/pretrained"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("bert/unfinished", "the network of .*/bert/unfinished is not finished; finish it with: phantastic resume "),
        ("bert/bare", "bare leaves no network; runs of 'bert' do, and folders in the Hugging Face layout are taken"),
        ("bert:tyni", "did you mean 'tiny'"),
    ],
)
def test_what_gives_no_network_is_refused(tmp_path: Path, word: str, message: str) -> None:
    left(tmp_path, "unfinished", finished=False)
    left(tmp_path, "bare", network=False)
    with pytest.raises(Refused, match=message):
        shelf.network(word, tmp_path, 0, nothing_is_made)


@pytest.fixture
def probing(tmp_path: Path) -> Callable[[str], Run]:
    def begin(word: str) -> Run:
        return Run.create(PROBE, replace(PROBE.presets["tiny"], model=word), "tiny", tmp_path)

    return begin


def test_what_was_taken_stands_in_the_manifest_and_must_stay_what_it_was(tmp_path: Path, probing) -> None:
    network = left(tmp_path, "mine") / "pretrained"
    run = probing("bert/mine")
    shelf.fetch(run, nothing_is_made)
    assert run.recipe.model == str(network)
    run.close()
    noted = manifest.read(run.folder)
    assert noted.recipe["model"] == "bert/mine"
    assert noted.networks == {"model": manifest.Network(str(network), shelf.digest(network))}
    assert Run.open(run.folder).recipe.model == str(network)
    files.write(network / "model.safetensors", b"2")
    again = Run.open(run.folder, writing=True)
    with pytest.raises(Refused) as refusal:
        shelf.fetch(again, nothing_is_made)
    again.close()
    assert str(refusal.value) == (
        f"model: {network} is another network than when {run.folder} was begun; nothing was changed"
    )


def test_a_network_that_is_not_there_is_refused_by_its_key(probing) -> None:
    run = probing("no/such/folder")
    with pytest.raises(Refused) as refusal:
        shelf.fetch(run, nothing_is_made)
    run.close()
    expected = "expected a run, STUDY:PRESET or a model's folder"
    assert str(refusal.value) == f"model = 'no/such/folder' does not exist; {expected}"


def test_what_was_taken_is_on_disk_before_anything_is_learned_from_it(tmp_path: Path, probing) -> None:
    """So that a run that is killed goes on with the same network, whatever the word names by then."""
    network = left(tmp_path, "mine") / "pretrained"
    run = probing("bert:tiny")
    shelf.fetch(run, nothing_is_made)
    assert manifest.read(run.folder).networks["model"].folder == str(network)
    left(tmp_path, "newer")
    shelf.fetch(run, nothing_is_made)
    assert run.recipe.model == str(network)
    run.close()


def test_a_recipe_may_name_no_network(tmp_path: Path, probing) -> None:
    run = probing("")
    before = (run.folder / manifest.MANIFEST).stat().st_mtime_ns
    shelf.fetch(run, nothing_is_made)
    assert run.manifest.networks == {}
    assert (run.folder / manifest.MANIFEST).stat().st_mtime_ns == before
    run.close()


def test_threads_and_devices_make_no_other_network(tmp_path: Path) -> None:
    left(tmp_path, "older")
    path = left(tmp_path, "mine", threads=3, device="cpu") / manifest.MANIFEST
    path.write_text(path.read_text().replace('"started": "20', '"started": "29'))
    assert shelf.network("bert:tiny", tmp_path, 0, nothing_is_made) == tmp_path / "bert/mine/pretrained"


def test_a_word_that_names_no_study_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for word, folder in (("~/model", tmp_path / "model"), ("C:model", Path("C:model")), ("a/b", Path("a/b"))):
        assert shelf.network(word, tmp_path, 0, nothing_is_made) == folder


def test_the_hash_is_over_all_files_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever order the disk gives; it stands in manifests, so it may never be another."""
    contents = {"b": b"2", "a": b"1", "c/d": b"3"}
    for name, data in contents.items():
        files.write(tmp_path / name, data)
    wanted = sha256(b"a\x001b\x002c/d\x003").hexdigest()
    assert shelf.digest(tmp_path) == wanted
    found = sorted(tmp_path.rglob("*"), reverse=True)
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: iter(found))
    assert shelf.digest(tmp_path) == wanted


def test_names_and_contents_make_the_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bc")
    one = shelf.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "ab")
    (tmp_path / "ab").write_bytes(b"c")
    assert shelf.digest(tmp_path) != one


def test_contents_that_change_places_make_another_hash(tmp_path: Path) -> None:
    """The same bytes in the same order under other names are another network; so is one file cut in two."""
    digests = set()
    for number, contents in enumerate(({"a": b"xy"}, {"b": b"xy"}, {"a": b"x", "b": b"y"}, {"c/a": b"xy"})):
        for name, data in contents.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        digests.add(shelf.digest(tmp_path / str(number)))
    assert len(digests) == 4
