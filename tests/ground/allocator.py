"""Freed memory stays with the process, so that asking for it again costs nothing."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from phantastic.ground import allocator

SCRIPT = """
import resource, sys
import numpy as np
from phantastic.ground.allocator import keep_freed_memory
assert not sys.argv[1:] or keep_freed_memory()
for count in range(40):
    if count == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    several = [np.ones(2**20) for _ in range(6)]  # 8 MB each
    del several
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere there is nothing to set")
def test_memory_that_was_freed_is_not_fetched_again():
    faults = [
        int(subprocess.run([sys.executable, "-c", SCRIPT, *argument], capture_output=True, check=True).stdout)
        for argument in ([], ["keep"])
    ]
    assert faults[0] > 20 * 1000
    assert faults[1] < 100


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: pytest.fail("the C library was asked"))
    assert not allocator.keep_freed_memory()


@pytest.mark.parametrize("takes", [{-1, -3}, {-1}, {-3}, set()])
def test_it_is_done_where_both_thresholds_are_taken(monkeypatch: pytest.MonkeyPatch, takes: set[int]) -> None:
    library = SimpleNamespace(mallopt=lambda which, value: int(which in takes))
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.39"))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: library)
    assert allocator.keep_freed_memory() == (len(takes) == 2)
