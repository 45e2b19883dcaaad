"""One game between a generator and a discriminator, and its value at the end."""

from collections.abc import Callable, Mapping
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from phantastic.ground.randomness import torch_generator
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.systems.gan.objective import adversarial

MOMENTUM = (0.5, 0.999)  # of Adam in either player (Radford et al. 2016)
Batch = Callable[[int], Tensor]


def play(
    run: Run[Any],
    seed: int,
    name: str,
    players: Mapping[str, nn.Module],
    batch: Batch,
    steps: int,
    *,
    rate: float,
    penalty: float,
) -> None:
    """Train ``players``, a ``generator`` and a ``discriminator``, against each other in the stage ``name``.

    ``rate`` is the step size of either player; over the last half of the game it falls to zero in a straight line.
    """
    game: dict[str, Any] = dict(players)
    optimisers = {  # in the order in which they step
        key: torch.optim.Adam(game[role].parameters(), rate, MOMENTUM, fused=True)
        for key, role in (("discriminator", "discriminator"), ("loss", "generator"))
    }

    def turn(step: int) -> Mapping[str, Tensor]:
        noise = torch_generator(seed, "noise", step, run.device)
        return adversarial(game["generator"], game["discriminator"], batch(step), noise, penalty=penalty)

    train(run, f"seed{seed}/{name}", game, optimisers, turn, steps=steps, rate=level_and_linear(steps, 2))


def answer(
    run: Run[Any],
    seed: int,
    name: str,
    judge: nn.Module,
    generator: nn.Module,
    batch: Batch,
    steps: int,
    *,
    rate: float,
) -> None:
    """Train the discriminator ``judge`` alone, against a ``generator`` that stands still, in the stage ``name``."""
    still: Any = generator
    optimiser = {"discriminator": torch.optim.Adam(judge.parameters(), rate, fused=True)}

    def turn(step: int) -> Mapping[str, Tensor]:
        return adversarial(still, judge, batch(step), torch_generator(seed, f"{name}/noise", step, run.device))

    train(run, f"seed{seed}/{name}", {"judge": judge}, optimiser, turn, steps=steps)


def settled(run: Run[Any], seed: int, name: str) -> tuple[float, float]:
    """V in nats over the last tenth of the stage ``name``, and how far it is from the -log 4 of the equilibrium."""
    points = run.curve(f"seed{seed}/{name}")
    last = float(np.mean([point["value"] for point in points if point["step"] > 0.9 * points[-1]["step"]]))
    return last, last / -log(4) - 1
