"""What the C library does with memory that a training step has freed."""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more on 64 bits
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the process keep what it frees in blocks of up to 32 MB, instead of handing it back to the kernel.

    Every training step frees its activations and the next one asks for the same again; by default glibc returns them
    in between, and the kernel clears them page by page, a quarter of the time of a step of a small convolutional
    network. Memory in use does not grow beyond the largest step's. Returns whether it was done: elsewhere than on glibc
    nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(TRIM_THRESHOLD, NEVER))
