"""What the two players of a generative adversarial network minimise (Goodfellow et al. 2014).

The value of the game is V = E_p[log D(x)] + E_q[log(1 - D(x))], p the data and q the generator's samples. D raises it.
For a fixed generator its best answer is D* = p / (p + q), and there V = -log 4 + 2 JSD(p ‖ q).
"""

from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid

from phantastic.ground.precision import autocast

# The share of a batch at which the penalty is paid: its mean is the same, and its second derivative costs a third of a
# step at the whole batch
STEEP = 0.25


@runtime_checkable
class Generator(Protocol):
    """What the objective needs of a generator: the width of its noise, and samples from noise."""

    noise: int

    def __call__(self, noise: Tensor, /) -> Tensor: ...


class Round(Mapping[str, Tensor]):
    """One round of the game (Algorithm 1): what both players minimise, by name.

    The generator's ``loss`` is computed when it is first asked for, so that, once the discriminator has made its step,
    the generator plays against the discriminator as it then is.
    """

    def __init__(self, loss: Callable[[], Tensor], **terms: Tensor):
        self.loss, self.terms = loss, terms

    def __getitem__(self, name: str) -> Tensor:
        if name == "loss" and name not in self.terms:
            self.terms[name] = self.loss()
        return self.terms[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(("loss", *self.terms)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def adversarial(
    model: Generator,
    discriminator: nn.Module,
    data: Float[Tensor, "batch ..."],
    generator: torch.Generator,
    *,
    penalty: float = 0.0,
) -> Mapping[str, Tensor]:
    """``loss`` for the generator and ``discriminator`` for the discriminator, each with its own optimiser.

    The generator's is the non-saturating -E[log D(G(z))] (Sec. 3), the discriminator's -V, where ``generator`` draws
    the noise z ~ N(0, I), plus ``penalty`` / 2 times the `steepness` at a quarter of the batch (`STEEP`). The
    discriminator steps first (see `Round`); neither leaves gradients in the other's network. ``value`` is V in nats,
    before either step.
    """
    noise = torch.randn((len(data), model.noise), generator=generator, device=generator.device)
    samples, data = model(noise), data.detach()
    game_value = value(discriminator(data), discriminator(samples.detach()))
    discriminator_loss = -game_value
    if penalty:
        penalised = data[: ceil(STEEP * len(data))].requires_grad_()
        discriminator_loss = discriminator_loss + penalty / 2 * steepness(discriminator(penalised), penalised)
    reduced = torch.is_autocast_enabled(samples.device.type)
    arithmetic = autocast(samples.device, "bfloat16" if reduced else "float32")  # as it is now, for later

    def loss() -> Tensor:
        frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
        with arithmetic:
            return -logsigmoid(functional_call(discriminator, frozen, samples)).mean()

    return Round(loss, discriminator=discriminator_loss, value=game_value.detach())


def steepness(logits: Float[Tensor, "batch 1"], data: Float[Tensor, "batch ..."]) -> Float[Tensor, ""]:
    """R1, E_p[‖∇ logit(x)‖²], the squared slope of the judgement at the data (Mescheder, Geiger & Nowozin 2018, Eq. 9).

    Where data and samples do not overlap, as black and white images and grey ones, the best discriminator is a cliff
    that gives a generator no direction; with this penalty there is a slope, and the game converges (their Theorem 4.1).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), data, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()


def value(data_logits: Float[Tensor, "batch 1"], made_logits: Float[Tensor, "batch 1"]) -> Float[Tensor, ""]:
    """V = E_p[log D] + E_q[log(1 - D)] in nats, from log-odds (Eq. 1)."""
    return logsigmoid(data_logits).mean() + logsigmoid(-made_logits).mean()


def optimal_discriminator(p: Float[Tensor, " points"], q: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
    """D* = p / (p + q) from the densities of data and samples at the same points (Proposition 1)."""
    return p / (p + q)
