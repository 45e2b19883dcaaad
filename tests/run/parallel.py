"""Several processes that `torchrun` started do what one does: the same result, one owner of the folder, one end."""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Child
from ranks import Ranks
from safetensors.numpy import load_file

from phantastic.ground import parallel
from phantastic.ground.errors import Refused

TOY = ("run", "toy", "--preset", "tiny", "--checkpoint-every", "0")
FUSION = ("run", "fusion", "--preset", "tiny", "--checkpoint-every", "0", "--set", "batch=15", "--set", "mixup=0.5")
FEW = ("--set", "points=2", "--set", "numbers=[2]", "--set", "test_clips=32")
FOLDER = Path("runs/toy/tiny-seed0")
LONG = ("--set", "steps=20000", "--set", "width=64")


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    server = Ranks()
    yield server
    server.close()


def bits(folder: Path) -> dict[str, str]:
    names = ("model.safetensors", "metrics.jsonl", "measures.json")
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}


def values(folder: Path) -> dict[str, float]:
    return {name: m["value"] for name, m in json.loads((folder / "measures.json").read_text())["value"].items()}


@pytest.fixture(scope="module")
def alone(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy's run by one process, in its home."""
    home = tmp_path_factory.mktemp("alone")
    status, said = ranks.call(home, *TOY, publish=False)
    assert status == 0, said
    return home


def ended(children: list[Child], ranks: Ranks, status: int) -> str:
    """What process 0 said; it alone speaks and gives the exit status."""
    (first, said), *others = ranks.end(children)
    assert (first, others) == (status, [(0, "")] * len(others)), said
    assert "Traceback" not in said
    assert said.count("Error") == (status == 2)
    return said


# --- the same result


def test_shares_of_a_batch_equal_the_whole_batch(ranks: Ranks, tmp_path: Path) -> None:
    """Of 15 clips one process has 7 and the other 8; the second time they are killed on the way."""
    status, said = ranks.call(tmp_path, *FUSION, *FEW, "--name", "one", publish=False)
    assert status == 0, said
    ended(ranks.begin(tmp_path, *FUSION, *FEW, "--name", "two"), ranks, 0)
    one, two, killed = (tmp_path / "runs/fusion" / name for name in ("one", "two", "killed"))
    weights = load_file(two / "model.safetensors")
    for name, value in load_file(one / "model.safetensors").items():
        np.testing.assert_allclose(weights[name], value, rtol=0, atol=1e-5, err_msg=name)
    assert values(two) == pytest.approx(values(one), rel=0, abs=1e-5)
    ended(
        ranks.begin(tmp_path, *FUSION, *FEW, "--name", "killed", each=({"die_at": 1, "since": "-00000002"}, {})),
        ranks,
        -signal.SIGKILL,
    )
    assert json.loads((killed / "LATEST").read_text())["step"] == 1
    ended(ranks.begin(tmp_path, "resume", "fusion/killed"), ranks, 0)
    assert bits(killed) == bits(two)


def test_a_study_that_does_not_split_gives_the_same_bits(ranks: Ranks, alone: Path, tmp_path: Path) -> None:
    ended(ranks.begin(tmp_path, *TOY), ranks, 0)
    assert bits(tmp_path / FOLDER) == bits(alone / FOLDER)


def test_a_study_without_networks_gives_the_same_measures(ranks: Ranks, tmp_path: Path) -> None:
    words = ("run", "entropy", "--preset", "tiny", "--set", "seeds=2", "--name")
    status, said = ranks.call(tmp_path, *words, "one", publish=False)
    assert status == 0, said
    ended(ranks.begin(tmp_path, *words, "two"), ranks, 0)
    one, two = (tmp_path / "runs/entropy" / name for name in ("one", "two"))
    assert values(one) == values(two)


def test_a_process_that_is_alone_computes_what_it_did() -> None:
    tensors = [torch.ones(2), torch.zeros(1)]
    assert all(same is given for same, given in zip(parallel.average(tensors), tensors, strict=True))
    assert parallel.share(7) == (slice(0, 7), 1.0)
    assert (parallel.rank(), parallel.size(), parallel.meet(), parallel.meet(True)) == (0, 1, False, True)
    assert parallel.device("cuda") == torch.device("cuda")


@pytest.mark.parametrize(("rows", "processes"), [(15, 2), (4, 3)])
def test_weighted_shares_make_the_mean(monkeypatch: pytest.MonkeyPatch, rows: int, processes: int) -> None:
    batch, means = torch.randn(rows, generator=torch.Generator().manual_seed(0)), []
    monkeypatch.setattr(parallel, "size", lambda: processes)
    for number in range(processes):
        monkeypatch.setattr(parallel, "rank", lambda number=number: number)
        part, weight = parallel.share(rows)
        means.append(weight * batch[part].mean())
    torch.testing.assert_close(torch.stack(means).mean(), batch.mean())
    with pytest.raises(Refused, match=f"a batch of {processes - 1} is too small for {processes} processes"):
        parallel.share(processes - 1)


# --- one end


def test_a_signal_to_one_stops_all_after_the_same_step(ranks: Ranks, tmp_path: Path) -> None:
    children = ranks.begin(tmp_path, *TOY[:-2], *LONG)
    while not (tmp_path / FOLDER / "metrics.jsonl").exists():
        time.sleep(0.01)
    children[0].kill(signal.SIGTERM)
    said = ended(children, ranks, 130)
    step = json.loads((tmp_path / FOLDER / "LATEST").read_text())["step"]
    assert f"Stopped at stage fit, step {step}; nothing is lost. Go on with:\nphantastic resume {FOLDER}\n" in said


def test_killed_and_stopped_runs_go_on_to_the_same_bits(ranks: Ranks, alone: Path, tmp_path: Path) -> None:
    ended(ranks.begin(tmp_path, *TOY, each=({"die_at": 1, "since": "fit-00000010"}, {})), ranks, -signal.SIGKILL)
    shutil.copytree(tmp_path, tmp_path / "killed")
    before = (tmp_path / FOLDER / "metrics.jsonl").stat().st_size
    children = ranks.begin(tmp_path, "resume", "toy/tiny-seed0", "--checkpoint-every", "0")
    while (tmp_path / FOLDER / "metrics.jsonl").stat().st_size <= before:
        time.sleep(0.001)
    children[1].kill(signal.SIGINT)
    ended(children, ranks, 130)
    ended(ranks.begin(tmp_path, "resume", "toy/tiny-seed0"), ranks, 0)
    assert bits(tmp_path / FOLDER) == bits(alone / FOLDER)
    # and a damaged folder is refused to both, and left as it is
    latest = json.loads((tmp_path / "killed" / FOLDER / "LATEST").read_text())
    checkpoint = tmp_path / "killed" / FOLDER / latest["progress"]["file"]
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in (tmp_path / "killed" / FOLDER).rglob("*.*") if path.is_file()}
    said = ended(ranks.begin(tmp_path / "killed", "resume", "toy/tiny-seed0"), ranks, 2)
    assert f"{checkpoint.name} is damaged" in said
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    ("words", "each", "message"),
    [
        (TOY, ({}, {"words": ["--set", "steps=-1"]}), "steps"),  # as where machines differ
        (TOY, ({"full": "fit-00000003"}, {}), "the disk is full"),
        ((*TOY, "--set", "scale=1e38"), ({}, {}), "training diverged"),
    ],
)
def test_a_refusal_ends_all_with_one_message(
    ranks: Ranks, tmp_path: Path, words: tuple[str, ...], each: tuple[dict, ...], message: str
) -> None:
    assert message in ended(ranks.begin(tmp_path, *words, each=each), ranks, 2)
