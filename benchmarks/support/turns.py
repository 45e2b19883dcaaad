"""Contenders that take turns, each in a process of its own: work per second of the processor and of the clock, ratios.

In one process, the heap that one contender leaves decides how often the kernel must hand pages to the next.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch

from phantastic.ground import precision
from phantastic.ground.allocator import keep_freed_memory

Turn = Callable[[int], object]


def runnable(contenders: Mapping[str, Any]) -> dict[str, Any]:
    """The contenders without those in bfloat16 where the processor does not multiply it."""
    able, why = precision.hardware("cpu")
    if able:
        return dict(contenders)
    print(f"contenders in bfloat16 are left out, which is not in hardware here: {why}")
    return {name: each for name, each in contenders.items() if "bfloat16" not in name}


def compare(
    contenders: Mapping[str, tuple[Callable[[], Turn], bool]],
    rounds: int,
    units: int,
    unit: str,
    base: str,
    threads: int,
) -> None:
    """Print the throughput of each contender, and its ratio to ``base`` in the same round.

    contenders: what makes, in its process, what a turn runs (which is given the turn's number), and whether freed
    memory is kept there; elsewhere the C library does as it does by itself. units: of work in a turn. The first round
    is for warming up. PyTorch must not have started threads before.
    """
    forked, pipes = get_context("fork"), {}
    for name, (make, kept) in contenders.items():
        pipes[name], end = forked.Pipe()
        forked.Process(target=work, args=(end, make, kept, threads), daemon=True).start()
        end.close()
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(turn)
            cpu, wall = pipe.recv()
            if turn:
                speeds[name].append((units / cpu, units / wall))
    print(f"{'':20s} {f'{unit} per CPU-second':>21s}   per second   ratio to {base} (CPU, wall)")
    for name, each in speeds.items():
        by_cpu, by_wall = (statistics.median(column) for column in zip(*each, strict=True))
        pairs = list(zip(each, speeds[base], strict=True))
        ratios = [statistics.median(one[clock] / other[clock] for one, other in pairs) for clock in (0, 1)]
        print(f"{name:20s} {by_cpu:21,.0f} {by_wall:12,.0f} {ratios[0]:14.2f} {ratios[1]:8.2f}")


def work(pipe: Connection, make: Callable[[], Turn], kept: bool, threads: int) -> None:
    """The process of one contender: a turn whenever a number comes, and back its seconds by processor and by clock."""
    torch.set_num_threads(threads)
    if kept:
        keep_freed_memory()
    run = make()
    while True:
        try:
            turn = pipe.recv()
        except EOFError:  # all turns are taken
            return
        cpu, wall = time.process_time(), time.perf_counter()
        run(turn)
        pipe.send((time.process_time() - cpu, time.perf_counter() - wall))
