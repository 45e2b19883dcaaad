"""Contenders that take turns in one process: work per second of the processor and of the clock, and ratios."""

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from phantastic import precision
from phantastic.memory import MMAP_THRESHOLD, TRIM_THRESHOLD, keep_freed_memory


def allocator(kept: bool) -> None:
    """Keep freed memory, or do with it what glibc does by default once it has seen blocks of 8 MB."""
    if kept:
        keep_freed_memory()
    elif platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 9 * 2**20)
        libc.mallopt(TRIM_THRESHOLD, 18 * 2**20)
        libc.malloc_trim(0)


def runnable(contenders: Mapping[str, Any]) -> dict[str, Any]:
    """The contenders without those in bfloat16 where the processor does not multiply it."""
    able, why = precision.hardware("cpu")
    if able:
        return dict(contenders)
    print(f"contenders in bfloat16 are left out, which is not in hardware here: {why}")
    return {name: each for name, each in contenders.items() if "bfloat16" not in name}


def compare(
    contenders: Mapping[str, tuple[Callable[[int], object], bool]], rounds: int, units: int, unit: str, base: str
) -> None:
    """Print the throughput of each contender, and its ratio to ``base`` in the same round.

    contenders: what a turn runs (it is given the turn's number), and whether freed memory is kept. units: of work in a
    turn. The first round is for warming up.
    """
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, (run, kept) in contenders.items():
            allocator(kept)
            cpu, wall = time.process_time(), time.perf_counter()
            run(turn)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn:
                speeds[name].append((units / cpu, units / wall))
    print(f"{'':20s} {f'{unit} per CPU-second':>21s}   per second   ratio to {base} (CPU, wall)")
    for name, each in speeds.items():
        by_cpu, by_wall = (statistics.median(column) for column in zip(*each, strict=True))
        pairs = list(zip(each, speeds[base], strict=True))
        ratios = [statistics.median(one[clock] / other[clock] for one, other in pairs) for clock in (0, 1)]
        print(f"{name:20s} {by_cpu:21,.0f} {by_wall:12,.0f} {ratios[0]:14.2f} {ratios[1]:8.2f}")
