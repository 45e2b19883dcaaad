"""The Helmholtz machine and its wake-sleep algorithm (Dayan et al. 1995; Hinton et al. 1995).

Binary units in three layers, top h2, hidden h1, pixels x. Generative weights make p(x, h) = p(h2) p(h1|h2) p(x|h1),
recognition weights q(h|x) = q(h1|x) q(h2|h1); the units of a layer are independent given the layer before. Learning is
local:

    wake    h ~ q(h|x), x from the world:  Δ generative weight ∝ (unit below) − p(unit below), times the unit above
    sleep   x, h ~ p(x, h), a fantasy:     Δ recognition weight ∝ (unit above) − q(unit above), times the unit below

The wake phase descends the free energy F(x) = E_q[log q(h|x) − log p(x, h)] = −log p(x) + KL(q(h|x) ‖ p(h|x)) in the
generative weights. The sleep phase descends the other divergence, KL(p(h|x) ‖ q(h|x)), and of fantasies rather than of
what is there. The layers are small enough for all of this to be enumerated, in nats.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from phantastic.systems.vae.bars import every


def softplus(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(1 + exp x), to the last bit; PyTorch's own is x above 20, and so off by up to 2e-9."""
    return -logsigmoid(-x)


def log_bernoulli(logits: Float[Tensor, "given units"], states: Float[Tensor, "states units"]) -> Float[Tensor, "g s"]:
    """The log-probability of each state of a layer, given each input of it."""
    return logits @ states.T - softplus(logits).sum(-1, keepdim=True)


def drawn(logits: Float[Tensor, "batch units"], generator: torch.Generator) -> Float[Tensor, "batch units"]:
    return torch.bernoulli(torch.sigmoid(logits), generator=generator)


class HelmholtzMachine(nn.Module):
    """Pixels, hidden and top units, weights down and weights up; the top unit's bias comes from one always on."""

    def __init__(self, pixels: int, hidden: int, top: int):
        super().__init__()
        self.prior = nn.Linear(1, top, bias=False)
        self.generate1 = nn.Linear(top, hidden)
        self.generate0 = nn.Linear(hidden, pixels)
        self.recognise1 = nn.Linear(pixels, hidden)
        self.recognise2 = nn.Linear(hidden, top)

    def generative(self) -> Iterator[nn.Parameter]:
        for layer in (self.prior, self.generate1, self.generate0):
            yield from layer.parameters()

    def recognition(self) -> Iterator[nn.Parameter]:
        for layer in (self.recognise1, self.recognise2):
            yield from layer.parameters()

    def recognise(self, x: Float[Tensor, "batch pixels"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """h1 and h2 ~ q(h|x), bottom up."""
        h1 = drawn(self.recognise1(x), generator)
        return h1, drawn(self.recognise2(h1), generator)

    def fantasise(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """x, h1 and h2 ~ p(x, h), top down."""
        h2 = drawn(self.prior(self._on()).expand(count, -1), generator)
        h1 = drawn(self.generate1(h2), generator)
        return drawn(self.generate0(h1), generator), h1, h2

    def _on(self) -> Tensor:
        return torch.ones_like(self.prior.weight[:1, :1])


# --- learning


def surprise(logits: Float[Tensor, "batch units"], states: Float[Tensor, "batch units"]) -> Float[Tensor, ""]:
    """−log p of a layer's states, the batch's mean. Its slope in the weights is the delta rule: the layer before was
    drawn and is given, so nothing is carried back through it."""
    return (softplus(logits) - states * logits).sum(-1).mean()


def wake(machine: HelmholtzMachine, x: Float[Tensor, "batch pixels"], generator: torch.Generator) -> Float[Tensor, ""]:
    """What the generative weights are to make smaller: −log p(x, h) of what recognition makes of the world."""
    with torch.no_grad():
        h1, h2 = machine.recognise(x, generator)
    top = machine.prior(machine._on()).expand(len(x), -1)
    return surprise(top, h2) + surprise(machine.generate1(h2), h1) + surprise(machine.generate0(h1), x)


def sleep(machine: HelmholtzMachine, count: int, generator: torch.Generator) -> Float[Tensor, ""]:
    """What the recognition weights are to make smaller: −log q(h|x) of fantasies, whose causes are known."""
    with torch.no_grad():
        x, h1, h2 = machine.fantasise(count, generator)
    return surprise(machine.recognise1(x), h1) + surprise(machine.recognise2(h1), h2)


# --- by enumeration


class Enumerated(NamedTuple):
    """log p(x, h) and log q(h|x) of every state h = (h1, h2)."""

    log_p: Float[Tensor, "images h1 h2"]
    log_q: Float[Tensor, "images h1 h2"]

    @property
    def evidence(self) -> Float[Tensor, " images"]:
        """log p(x)."""
        return self.log_p.logsumexp((1, 2))

    @property
    def free_energy(self) -> Float[Tensor, " images"]:
        return (self.log_q.exp() * (self.log_q - self.log_p)).sum((1, 2))

    @property
    def inference_error(self) -> Float[Tensor, " images"]:
        """KL(q(h|x) ‖ p(h|x))."""
        posterior = self.log_p - self.evidence[:, None, None]
        return (self.log_q.exp() * (self.log_q - posterior)).sum((1, 2))


def causes(machine: HelmholtzMachine) -> tuple[Tensor, Tensor, Tensor]:
    """Every h1, every h2, and log p(h1, h2), [h1, h2]."""
    like = machine.prior.weight
    h1, h2 = every(machine.generate1.out_features).to(like), every(machine.prior.out_features).to(like)
    return h1, h2, log_bernoulli(machine.generate1(h2), h1).T + log_bernoulli(machine.prior(machine._on()), h2)


def enumerated(machine: HelmholtzMachine, x: Float[Tensor, "images pixels"]) -> Enumerated:
    h1, h2, above = causes(machine)
    pixels = log_bernoulli(machine.generate0(h1), x).T
    upwards = log_bernoulli(machine.recognise1(x), h1)
    return Enumerated(pixels[:, :, None] + above, upwards[:, :, None] + log_bernoulli(machine.recognise2(h1), h2))


class Fantasies:
    """All that a machine can fantasise, each with its probability: what the sleep phase descends, exactly.

    The generative weights are those of the moment when it was made; recognition weights may change.
    """

    @torch.no_grad()
    def __init__(self, machine: HelmholtzMachine):
        self.h1, self.h2, above = causes(machine)
        self.joint = above.exp()  # p(h1, h2)
        logits = machine.generate0(self.h1)
        self.x = every(logits.shape[1]).to(logits)
        hidden = self.joint.sum(1)  # p(h1)
        given = log_bernoulli(logits, self.x).exp_()  # p(x|h1), [h1, x]
        self.p = hidden @ given  # p(x)
        self.on = given.T @ (hidden[:, None] * self.h1)  # p(x, a unit of h1 is on), [x, unit]
        noise = (softplus(logits) - logits * torch.sigmoid(logits)).sum(1)  # entropy of p(x|h1)
        self.disorder = float(torch.special.entr(self.joint).sum() + hidden @ noise - torch.special.entr(self.p).sum())

    def divergence(self, machine: HelmholtzMachine) -> Float[Tensor, ""]:
        """The mean of KL(p(h|x) ‖ q(h|x)) over fantasies x ~ p(x)."""
        logits = machine.recognise1(self.x)
        first = (self.p * softplus(logits).sum(1)).sum() - (self.on * logits).sum()
        second = -(self.joint * log_bernoulli(machine.recognise2(self.h1), self.h2)).sum()
        return first + second - self.disorder
