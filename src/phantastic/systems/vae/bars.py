"""A small world known to the last bit: bars in one orientation (Hinton, Dayan, Frey & Neal 1995).

First the orientation is drawn, vertical twice as often as horizontal, then each bar of that orientation is there with
probability 0.2. Only few of all images are patterns that this process makes; of each the probability is known.
"""

from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

VERTICAL, BAR = 2 / 3, 0.2


class World(NamedTuple):
    """Every pattern there can be, as pixels of 0 and 1, with its probability."""

    patterns: Float64[Tensor, "patterns pixels"]
    probabilities: Float64[Tensor, " patterns"]

    @property
    def entropy(self) -> float:
        """In nats: no model of the world can tell it in less."""
        return float(torch.special.entr(self.probabilities).sum())

    def divergence(self, log_p: Float64[Tensor, " patterns"]) -> float:
        """KL(world ‖ model) in nats, of the model's log-probabilities of the patterns."""
        return float((self.probabilities * (self.probabilities.log() - log_p)).sum())

    def draw(self, count: int, generator: torch.Generator) -> Float64[Tensor, "count pixels"]:
        rows = torch.multinomial(self.probabilities, count, replacement=True, generator=generator)
        return self.patterns[rows]

    def independent(self) -> Float64[Tensor, " patterns"]:
        """Log-probabilities under the best model that knows no cause: every pixel for itself, as often on as here."""
        on = self.probabilities @ self.patterns
        return self.patterns @ on.log() + (1 - self.patterns) @ (1 - on).log()


def bars(size: int) -> World:
    """Images of ``size`` by ``size`` pixels; none and all of the bars look the same in both orientations."""
    found: dict[tuple[float, ...], float] = {}
    for there in every(size).double():
        likelihood = prod(BAR if bar else 1 - BAR for bar in there.tolist())
        image = there.expand(size, size)
        for share, pixels in ((VERTICAL, image), (1 - VERTICAL, image.T)):
            key = tuple(pixels.reshape(-1).tolist())
            found[key] = found.get(key, 0.0) + share * likelihood
    return World(
        torch.tensor(list(found), dtype=torch.float64), torch.tensor(list(found.values()), dtype=torch.float64)
    )


def every(units: int) -> Float64[Tensor, "states units"]:
    """All states of so many binary units, one a row."""
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * units).reshape(-1, units)
