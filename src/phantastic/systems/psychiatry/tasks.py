"""What is inferred from which behaviour: each task's parameters, beliefs about them beforehand, simulator."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.inference.published.eye import occluded
from phantastic.systems.psychiatry.fit import Prior, Recording, Simulator
from phantastic.systems.psychiatry.paradigm import Paradigm
from phantastic.systems.psychiatry.simulate import follow, press

OCCLUDED = "fig1_occluded_highprec"  # the published run that everyone follows, each with precisions of their own
MOST_FORCE = 4.5  # the highest intention that is simulated: with more of it the hand hardly presses harder


class Parameter(NamedTuple):
    """A number that differs between people."""

    name: str
    symbol: str
    text: Text


class Task(NamedTuple):
    """A task: what is inferred, from what prior, through which simulator, and what recording may have done to it."""

    parameters: tuple[Parameter, ...]
    prior: Prior
    simulate: Simulator
    recording: Recording | None = None

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.parameters]


def beliefs(mean: list[float], deviation: list[float], low: list[float], high: list[float], noise: float) -> Prior:
    """A prior; ``noise`` is the standard deviation that is expected of the measurement, within a factor of 2 or so."""
    numbers = (torch.tensor(each, dtype=torch.float64) for each in (mean, deviation, low, high))
    return Prior(*numbers, noise=-2 * math.log(noise), noise_deviation=1.5)


def watch(theta: Float64[Tensor, "people 2"]) -> Float64[Tensor, "people 64"]:
    """Eye traces, for log W2 and log V1."""
    return follow(OCCLUDED, theta[:, 0], theta[:, 1]).eye


EYES = Task(
    (
        Parameter("motion", "log W2", Text("precision of the expected motion", "予期する運動の精度")),
        Parameter("senses", "log V1", Text("precision of the senses", "感覚の精度")),
    ),
    beliefs([2.5, 4.0], [1.75, 0.6], [-2.0, 2.0], [7.0, 6.0], noise=0.03),
    watch,
    Recording(offset=0.1, gain=0.1, latency=1.5),  # a tenth of the target's amplitude; a twentieth of its cycle
)


def looking(paradigm: Paradigm) -> Task:
    """Following a target in a task of one's own."""
    default = Paradigm()
    if (paradigm.bins, round(paradigm.edge, 6)) == (default.bins, default.occluder):
        return EYES
    simulation = occluded(paradigm.cycles, paradigm.edge)
    return EYES._replace(simulate=lambda theta: follow(simulation, theta[:, 0], theta[:, 1]).eye)


HAND = (
    Parameter("attenuation", "h", Text("sensory attenuation", "感覚減衰")),
    Parameter("delusion", "D", Text("compensation in prior beliefs", "事前信念による補償")),
)
HAND_PRIOR = beliefs([4.5, 1.0], [1.25, 1.25], [0.0, -1.0], [6.6, 4.5], noise=0.08)


def pressing(intended: Float64[Tensor, " levels"]) -> Task:
    """Pressing with each intended force: the force made at each, then the outside force felt as equal to it."""

    def simulate(theta: Float64[Tensor, "people 2"]) -> Float64[Tensor, "people samples"]:
        return torch.cat(_levels(theta, intended), -1)

    return Task(HAND, HAND_PRIOR, simulate)


def equal_forces(
    theta: Float64[Tensor, "people 2"], targets: Float64[Tensor, " levels"]
) -> Float64[Tensor, "people levels"]:
    """The own force that feels equal to each force from outside, for h and D: between those at simulated intentions."""
    intended = torch.cat([torch.linspace(0, 2, 9, dtype=torch.float64)[1:], torch.tensor([2.5, 3.0, MOST_FORCE])])
    own, equal = _levels(theta, intended)
    zero = torch.zeros_like(own[:, :1])  # without an intention no force, and none to match
    return interpolated(torch.cat([zero, equal], -1), torch.cat([zero, own], -1), targets)


def matching(targets: Float64[Tensor, " levels"]) -> Task:
    """Matching forces from outside, when nobody knows with which intention. These tell of h and hardly anything of D,
    which is taken for what makes up for the attenuation that lacks from 6, as in the published people."""

    def simulate(theta: Float64[Tensor, "people 1"]) -> Float64[Tensor, "people levels"]:
        return equal_forces(torch.cat([theta, (6 - theta).clamp(0, 4)], -1), targets)

    mean, deviation, low, high, noise, spread = HAND_PRIOR
    prior = Prior(mean[:1], deviation[:1], low[:1], high[:1], noise, spread)
    return Task(HAND[:1], prior, simulate)


def _levels(theta: Tensor, intended: Tensor) -> tuple[Tensor, Tensor]:
    people, levels = len(theta), len(intended)
    wide = theta.repeat_interleave(levels, 0)
    own, equal = press(wide[:, 0], wide[:, 1], intended.repeat(people)).peak()
    return own.unflatten(0, (people, levels)), equal.unflatten(0, (people, levels))


def interpolated(
    x: Float64[Tensor, "people knots"], y: Float64[Tensor, "people knots"], at: Float64[Tensor, " levels"]
) -> Float64[Tensor, "people levels"]:
    """y at the given x by cubics between the knots, with the slopes of the parabola through each and its neighbours;
    beyond the ends straight on."""
    x = x.cummax(-1).values + 1e-6 * torch.arange(x.shape[-1])  # a curve that bends back is not followed there
    width = x.diff(dim=-1)
    rise = y.diff(dim=-1) / width
    middle = (rise[:, 1:] * width[:, :-1] + rise[:, :-1] * width[:, 1:]) / (width[:, 1:] + width[:, :-1])
    slope = torch.cat([rise[:, :1], middle, rise[:, -1:]], -1)
    left = (torch.searchsorted(x.contiguous(), at.expand(len(x), -1).contiguous()) - 1).clamp(0, x.shape[-1] - 2)
    span, start = width.gather(-1, left), y.gather(-1, left)
    share = (at - x.gather(-1, left)) / span
    inside = share.clamp(0, 1)
    first, last = slope.gather(-1, left) * span, slope.gather(-1, left + 1) * span
    change = y.gather(-1, left + 1) - start
    bend = (2 * inside - 3) * inside * inside
    cubic = start - bend * change + inside * (1 - inside) * ((1 - inside) * first - inside * last)
    return cubic + (share - inside) * torch.where(share > 1, last, first)
