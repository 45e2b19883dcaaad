"""What the two players of a generative adversarial network minimise (Goodfellow et al. 2014).

The value of the game is V = E_p[log D(x)] + E_q[log(1 - D(x))], p the data and q the generator's samples. D raises it.
For a fixed generator its best answer is D* = p / (p + q), and there V = -log 4 + 2 JSD(p ‖ q).
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid


@runtime_checkable
class Generator(Protocol):
    """What the objective needs of a generator: the width of its noise, and samples from noise."""

    noise: int

    def __call__(self, noise: Tensor, /) -> Tensor: ...


def adversarial(
    model: Generator, discriminator: nn.Module, data: Float[Tensor, "batch ..."], generator: torch.Generator
) -> dict[str, Tensor]:
    """``loss`` for the generator and ``discriminator`` for the discriminator, each with its own optimiser.

    The generator's is the non-saturating -E[log D(G(z))] (Sec. 3), the discriminator's -V, where ``generator`` draws
    the noise z ~ N(0, I). Both are taken at the same weights, and neither leaves gradients in the other's network.
    ``value`` is V in nats.
    """
    noise = torch.randn((len(data), model.noise), generator=generator, device=generator.device)
    made = model(noise)
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    fooled = functional_call(discriminator, frozen, made)
    judged = value(discriminator(data), discriminator(made.detach()))
    return {"loss": -logsigmoid(fooled).mean(), "discriminator": -judged, "value": judged.detach()}


def value(data_logits: Float[Tensor, "batch 1"], made_logits: Float[Tensor, "batch 1"]) -> Float[Tensor, ""]:
    """V = E_p[log D] + E_q[log(1 - D)] in nats, from log-odds (Eq. 1)."""
    return logsigmoid(data_logits).mean() + logsigmoid(-made_logits).mean()


def optimal_discriminator(p: Float[Tensor, " points"], q: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
    """D* = p / (p + q) from the densities of data and samples at the same points (Proposition 1)."""
    return p / (p + q)
