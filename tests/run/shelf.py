"""Networks between studies: found among the runs, made where there is none, or a folder; and noted with their hash."""

from collections.abc import Callable
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
        ("bert/unfinished", "phantastic resume"),
        ("bert/bare", "leaves no network"),
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
    with pytest.raises(Refused, match="another network than when"):
        shelf.fetch(again, nothing_is_made)
    again.close()


def test_a_network_that_is_not_there_is_refused_by_its_key(probing) -> None:
    run = probing("no/such/folder")
    with pytest.raises(Refused, match=r"model = 'no/such/folder' does not exist"):
        shelf.fetch(run, nothing_is_made)
    run.close()


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
