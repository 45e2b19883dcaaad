"""Data-parallel training: the processes that ``torchrun`` started work on one run as one.

Each computes its share of every batch, and gradients are averaged before each step of an optimiser, so that all hold
the same weights. Process 0 owns the run folder and speaks for all; what ends one process ends them all, with one
message. A process that is alone pays nothing and computes the same bits.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from phantastic.ground.errors import Refused, Stopped

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributed.distributed_c10d import Store
    from torch.optim import Optimizer

WAIT = timedelta(days=7)  # for one another: process 0 may measure for hours
LOST = "another process of this run was killed; `phantastic resume` goes on with the run"
store: "Store | None" = None  # where a process says why it ends; None: this one is alone


def rank() -> int:
    """The number of this process."""
    return int(os.environ["RANK"]) if store else 0


def size() -> int:
    """How many processes work together."""
    return int(os.environ["WORLD_SIZE"]) if store else 1


# --- together, one after the other, apart


@contextmanager
def one_voice() -> Iterator[None]:
    """Process 0 alone prints and gives an exit status; of the others only errors that nobody expected are seen."""
    if os.environ.get("RANK", "0") == "0" or os.environ.get("WORLD_SIZE", "1") == "1":
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), suppress(SystemExit):
        yield


@contextmanager
def together() -> Iterator[None]:
    """Within it the processes that ``torchrun`` started are one: what ends one is raised in all as `Refused`, or as
    `Stopped`. Raises `Refused` when they cannot reach each other.
    """
    global store
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, number, count = next(rendezvous("env://", timeout=WAIT))
        distributed.init_process_group(backend, store=store, rank=number, world_size=count, timeout=WAIT)
    except (RuntimeError, ValueError) as error:
        raise Refused(f"the processes that torchrun started cannot reach each other: {error}") from error
    try:
        yield
    except Exception as error:
        if store:
            text = str(error) if isinstance(error, Refused | Stopped) else repr(error)
            with suppress(RuntimeError):  # the store's owner may have gone
                store.compare_set("end", "", f"{type(error).__name__} {text}")
        raise


def meet(flag: bool = False) -> bool:
    """Wait for all; whether any of them raised its flag. Raises what ended a process that does not come."""
    if store is None:
        return flag
    import torch

    return bool(total(torch.tensor([int(flag)])))


def total(tensor: "Tensor") -> "Tensor":
    """The sum over the processes, in place. Raises what ended a process that does not come."""
    from torch import distributed

    try:
        distributed.all_reduce(tensor)
    except RuntimeError as error:
        with suppress(RuntimeError):
            if store and store.check(["end"]):
                kind, _, text = store.get("end").decode().partition(" ")
                raise (Stopped if kind == Stopped.__name__ else Refused)(text) from None
        raise Refused(LOST) from error
    return tensor


@contextmanager
def in_turn() -> Iterator[bool]:
    """Process 0 goes through the block first and the others when it is out, each alone; whether this is process 0."""
    global store
    first, shared = rank() == 0, store
    if not first:
        meet()
    store = None
    try:
        yield first
    finally:
        store = shared
    if first:
        meet()


def told(text: str) -> str:
    """What process 0 tells the others, once in a run."""
    if store is None:
        return text
    if rank() == 0:
        store.set("told", text)
    meet()
    return store.get("told").decode()


def part() -> bool:
    """The others end here, and process 0 goes on alone; whether this is process 0."""
    global store
    first = rank() == 0
    if store:
        from torch import distributed

        meet()
        distributed.destroy_process_group()
        store = None
    return first


# --- one batch, one step


def share(count: int) -> tuple[slice, float]:
    """This process's rows of a batch, and the weight of their mean loss: the mean of the weighted losses over the
    processes is the mean over the batch. Raises `Refused` when there are not rows enough for all.
    """
    if count < size():
        raise Refused(
            f"a batch of {count} is too small for {size()} processes; start at most {count} "
            "(torchrun --nproc-per-node), or take a larger batch"
        )
    first, last = (count * number // size() for number in (rank(), rank() + 1))
    return slice(first, last), size() * (last - first) / count


def average(tensors: "Sequence[Tensor]") -> "list[Tensor]":
    """Each tensor's mean over the processes; every process has as many of the same shapes."""
    if store is None:
        return list(tensors)
    import torch

    means = total(torch.cat([tensor.flatten() for tensor in tensors])) / size()
    parts = means.split([tensor.numel() for tensor in tensors])
    return [mean.view_as(tensor) for mean, tensor in zip(parts, tensors, strict=True)]


def average_gradients(optimiser: "Optimizer") -> None:
    """Average the gradients of an optimiser's parameters; all processes have gradients of the same ones."""
    if store:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            gradient.copy_(mean)


def device(name: str) -> "torch.device":
    """The device called ``name``; of GPUs each process has its own. Raises `Refused` when there are not enough."""
    import torch

    if name != "cuda" or store is None:
        return torch.device(name)
    number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= count:
        raise Refused(f"device 'cuda': {count} GPUs are here; start at most as many processes, or take --device cpu")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)
