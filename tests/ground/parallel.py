"""What processes that work together say to each other, with the others played by hand."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module

import pytest
import torch
from torch import distributed

from phantastic.ground import parallel
from phantastic.ground.errors import Refused, Stopped


class Store:
    """Where processes leave words for each other."""

    def __init__(self, **said: str):
        self.said = said

    def check(self, keys: list[str]) -> bool:
        return all(key in self.said for key in keys)

    def get(self, key: str) -> bytes:
        return self.said[key].encode()

    def set(self, key: str, value: str) -> None:
        self.said[key] = value

    def compare_set(self, key: str, expected: str, value: str) -> None:
        if self.said.get(key, "") == expected:
            self.said[key] = value


@pytest.fixture
def among(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """This process is one of several; what is summed gets ``others`` added."""

    def begin(rank: int = 0, size: int = 2, others: float = 0.0, **said: str) -> Store:
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank % 2))
        monkeypatch.setenv("WORLD_SIZE", str(size))
        store = Store(**said)
        monkeypatch.setattr(parallel, "store", store)
        monkeypatch.setattr(distributed, "all_reduce", lambda tensor: tensor.copy_(tensor + others))
        return store

    return begin


# --- one voice


@pytest.mark.parametrize(
    ("rank", "size", "heard"), [(None, None, True), ("0", "2", True), ("1", "2", False), ("3", "1", True)]
)
def test_of_several_the_first_speaks_and_one_alone_whatever_its_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: str | None, size: str | None, heard: bool
) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    def speak() -> None:
        with parallel.one_voice():
            print("out")
            print("err", file=sys.stderr)
            raise SystemExit(2)

    if heard:
        with pytest.raises(SystemExit):
            speak()
    else:
        speak()
    assert capsys.readouterr() == (("out\n", "err\n") if heard else ("", ""))


# --- together


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two processes that find each other."""
    store = Store()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(parallel, "store", None)
    monkeypatch.setattr(
        import_module("torch.distributed.rendezvous"), "rendezvous", lambda *_, **how: iter([(store, 1, 2)])
    )
    asked: dict[str, object] = {}
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **how: asked.update(how))
    store.asked = asked  # type: ignore[attr-defined]
    return store


def test_processes_wait_for_days(met: Store) -> None:
    with parallel.together():
        assert parallel.store is met
    assert (met.asked["rank"], met.asked["world_size"]) == (1, 2)  # type: ignore[attr-defined]
    assert met.asked["timeout"] >= timedelta(days=1)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("disk full"), "Refused disk full"),
        (Stopped("at 3"), "Stopped at 3"),
        (ZeroDivisionError("zero"), "ZeroDivisionError ZeroDivisionError('zero')"),
    ],
)
def test_the_first_cause_is_what_all_are_told(met: Store, error: Exception, said: str) -> None:
    for each in (error, ValueError("later")):
        with pytest.raises(type(each)), parallel.together():
            raise each
    assert met.said == {"end": said}


def test_processes_that_do_not_find_each_other_say_so(met: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object, **how: object) -> None:
        raise ValueError("no address")

    monkeypatch.setattr(import_module("torch.distributed.rendezvous"), "rendezvous", fail)
    with (
        pytest.raises(Refused, match=r"^the processes that torchrun started cannot reach each other: no address$"),
        parallel.together(),
    ):
        pytest.fail("they met")


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ({"end": "Refused disk full"}, Refused, "disk full"),
        ({"end": "Stopped at step 3"}, Stopped, "at step 3"),
        ({"end": "ValueError ValueError('x')"}, Refused, "ValueError('x')"),
        ({}, Refused, "another process of this run was killed; `phantastic resume` goes on with the run"),
    ],
)
def test_what_ended_another_is_raised_here(
    among: Callable[..., Store], monkeypatch: pytest.MonkeyPatch, said: dict[str, str], kind: type, text: str
) -> None:
    among(**said)

    def lost(tensor: torch.Tensor) -> None:
        raise RuntimeError("connection closed")

    monkeypatch.setattr(distributed, "all_reduce", lost)
    with pytest.raises(kind) as ended:
        parallel.meet()
    assert type(ended.value) is kind
    assert str(ended.value) == text


@pytest.mark.parametrize("raised", [0, 1])
def test_a_flag_is_seen_whoever_raised_it(among: Callable[..., Store], raised: int) -> None:
    among(others=raised)
    assert parallel.meet() == bool(raised)
    assert parallel.meet(True)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_goes_alone_and_before_the_others(
    among: Callable[..., Store], monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    store, order = among(rank), []
    monkeypatch.setattr(parallel, "meet", lambda: order.append("meet"))
    with parallel.in_turn() as first:
        order.append("block")
        assert (parallel.store, parallel.rank(), parallel.size()) == (None, 0, 1)
    assert first == (rank == 0)
    assert order == (["block", "meet"] if rank == 0 else ["meet", "block"])
    assert parallel.store is store


def test_the_others_are_told_what_the_first_says(among: Callable[..., Store]) -> None:
    assert among(0).said == {}
    assert parallel.told("folder") == "folder"
    assert among(1, told="of the first").said == {"told": "of the first"}
    assert parallel.told("mine") == "of the first"


@pytest.mark.parametrize("rank", [0, 1])
def test_where_they_part_the_first_is_alone(
    among: Callable[..., Store], monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    among(rank)
    left: list[str] = []
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: left.append("left"))
    assert parallel.part() == (rank == 0)
    assert (left, parallel.store, parallel.size()) == (["left"], None, 1)


# --- one batch, one step


def test_a_batch_may_have_as_many_rows_as_there_are_processes_and_no_fewer(among: Callable[..., Store]) -> None:
    among(2, size=3)
    assert parallel.share(3) == (slice(2, 3), 1.0)
    assert parallel.share(7) == (slice(4, 7), 3 * 3 / 7)
    with pytest.raises(Refused) as refusal:
        parallel.share(2)
    assert str(refusal.value) == (
        "a batch of 2 is too small for 3 processes; start at most 2 (torchrun --nproc-per-node), or take a larger batch"
    )


def test_the_mean_of_two_is_half_their_sum(among: Callable[..., Store]) -> None:
    """The other process has 4 wherever this one has 0, 1, ..."""
    among(others=4.0)
    tensors = [torch.tensor(0.0), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5.0])]
    means = parallel.average(tensors)
    assert [mean.tolist() for mean in means] == [2.0, [[2.5, 3.0], [3.5, 4.0]], [4.5]]


def test_gradients_are_averaged_where_there_are_any(among: Callable[..., Store]) -> None:
    with_one, without = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    with_one.grad = torch.tensor([2.0, 6.0])
    optimiser = torch.optim.SGD([{"params": [without]}, {"params": [with_one]}], 1.0)
    parallel.average_gradients(optimiser)
    assert with_one.grad.tolist() == [2, 6]  # alone
    among(others=4.0)
    parallel.average_gradients(optimiser)
    assert with_one.grad.tolist() == [3, 5]
    assert without.grad is None


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Two GPUs, and which was chosen."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


def test_each_process_has_a_gpu_of_its_own(
    among: Callable[..., Store], gpus: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its number on its own machine."""
    among(3, size=4)
    assert parallel.device("cuda") == torch.device("cuda", 1)
    assert gpus == [1]
    assert parallel.device("cpu") == torch.device("cpu")
    monkeypatch.setitem(os.environ, "LOCAL_RANK", "2")
    with pytest.raises(Refused) as refusal:
        parallel.device("cuda")
    assert str(refusal.value) == (
        "device 'cuda': 2 GPUs are here; start at most as many processes, or take --device cpu"
    )
    assert gpus == [1]
