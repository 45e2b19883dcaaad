"""Every random draw comes from (seed, purpose, step).

A run that was killed at step 13 and resumed at step 13 draws at step 14 what it would have drawn anyway, and neither
logging nor evaluation can shift what training draws, because nothing shares a generator.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Int64


def derive(seed: int, purpose: str, step: int = 0) -> int:
    """A 63-bit seed for one purpose at one step; distinct arguments give independent streams."""
    digest = blake2b(f"{seed}\0{purpose}\0{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def numpy_generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A fresh NumPy generator for (seed, purpose, step)."""
    return np.random.default_rng(derive(seed, purpose, step))


def torch_generator(seed: int, purpose: str, step: int = 0, device: str | torch.device = "cpu") -> torch.Generator:
    """A fresh PyTorch generator for (seed, purpose, step) on ``device``."""
    return torch.Generator(device).manual_seed(derive(seed, purpose, step))


@contextmanager
def initialised(seed: int, purpose: str) -> Iterator[None]:
    """Within it, modules built by PyTorch initialise from (seed, purpose); the global generator is left as it was.

    PyTorch's layers draw their initial weights from the global CPU generator and take no other, hence the fork.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, purpose) % 2**63)
        yield


class Epochs:
    """The rows of a batch by step: of ``items`` each once an epoch, in an order that hangs on (seed, purpose, epoch).

    Where there are fewer items than a batch, an epoch is one step; else the last, smaller batch is left out.
    """

    def __init__(self, items: int, batch: int, seed: int, purpose: str):
        self.items, self.batch, self.seed, self.purpose = items, batch, seed, purpose
        self.steps = max(1, items // batch)
        self.epoch, self.order = -1, np.empty(0, np.int64)

    def __call__(self, step: int) -> Int64[np.ndarray, " batch"]:
        epoch, place = divmod(step, self.steps)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, numpy_generator(self.seed, self.purpose, epoch).permutation(self.items)
        return self.order[place * self.batch : (place + 1) * self.batch]
