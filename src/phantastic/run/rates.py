"""How the step size goes over a training: shares of each optimiser's own step size, by step (the first is 0)."""

import math
from collections.abc import Callable, Iterable

from torch.optim import Optimizer

Rate = Callable[[int], float]


def warm_and_linear(steps: int, warmup: float) -> Rate:
    """Up in a straight line over the share ``warmup`` of all steps, then down to zero (Devlin et al. 2019, A.2)."""
    rising = max(1, round(warmup * steps))
    return lambda step: min((step + 1) / rising, (steps - step) / max(1, steps - rising))


def warm_and_cosine(steps: int, warmup: float) -> Rate:
    """Up in a straight line, then half a cosine down to zero (Nagrani et al. 2021, section 4.2)."""
    rising = max(1, round(warmup * steps))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    return rate


def warm_and_root(warmup: int) -> Rate:
    """Up in a straight line over ``warmup`` steps, then as the inverse square root (Vaswani et al. 2017, Eq. 3)."""
    return lambda step: min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5)


def level_and_linear(steps: int, parts: int) -> Rate:
    """Level, then down to zero in a straight line over the last of so many ``parts`` of the steps."""
    return lambda step: min(1.0, parts * (steps - step) / steps)


class Peaks:
    """The step sizes that optimisers begin with, and shares of them."""

    def __init__(self, optimisers: Iterable[Optimizer]):
        self.groups = [(group, group["lr"]) for optimiser in optimisers for group in optimiser.param_groups]

    def scale(self, share: float) -> None:
        for group, peak in self.groups:
            group["lr"] = peak * share
