"""What an eye tracker makes of people, and traces of people who do not follow the target."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.randomness import torch_generator
from phantastic.systems.psychiatry.fit import delayed
from phantastic.systems.psychiatry.study import CYCLE, REACH

if TYPE_CHECKING:
    from phantastic.systems.psychiatry.study import SchizophreniaRecipe

Traces = Float64[Tensor, "people bins"]
ASTRAY = ("wandering", "flat", "mirrored")
WANDER = CYCLE / 8  # bins: the width of the Gaussian by which a wandering eye is smooth, as smooth as the target


def recorded(traces: Traces, recipe: "SchizophreniaRecipe", seed: int, purpose: str) -> Traces:
    """The traces with the recipe's offset, gain and latency, each of them one way or the other: offset + gain s(t −
    latency), or −offset, 1 / gain, −latency."""
    sign = 2.0 * torch.randint(2, (3, len(traces)), generator=torch_generator(seed, f"{purpose}/recording")) - 1
    offset, gain, latency = sign[0] * recipe.offset * REACH, recipe.gain ** sign[1].double(), sign[2] * recipe.latency
    return offset[:, None] + gain[:, None] * delayed(traces, latency.double())


def astray(traces: Traces, target: Float64[Tensor, " bins"], seed: int) -> dict[str, Traces]:
    """Eyes that wander about, smooth and as far as the target; that stay; that go to the other side."""
    people, bins = traces.shape
    reach = int(4 * WANDER)
    weights = torch.exp(-((torch.arange(-reach, reach + 1).double() / WANDER) ** 2) / 2)
    generator = torch_generator(seed, "astray/wandering")
    drawn = torch.randn(people, 1, bins + 2 * reach, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.conv1d(drawn, weights[None, None])[:, 0]
    size = target.square().mean().sqrt() / smooth.square().mean(-1, keepdim=True).sqrt()
    return {"wandering": size * smooth, "flat": torch.zeros_like(traces), "mirrored": -traces}


def unlike(traces: Traces, target: Float64[Tensor, " bins"]) -> Tensor:
    """The plain rule to compare with: a correlation with the target of less than a half; [people]."""
    apart = traces - traces.mean(-1, keepdim=True)
    along = target - target.mean()
    return apart @ along < 0.5 * apart.norm(dim=-1) * along.norm()
