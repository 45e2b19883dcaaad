"""Many people at once in the two tasks of the clinic: following a target with the eye, and pressing with a hand.

The people are the simulated ones of Adams, Perrinet & Friston (2012) and Brown, Adams, Parees, Edwards & Friston (2013)
with precisions of their own, one number each; everything else is as published.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.systems.filtering import Model, Result, published
from phantastic.systems.filtering.generate import Noise
from phantastic.systems.filtering.published import force
from phantastic.systems.filtering.published.experiment import Experiment, bump

PART = 250  # people simulated at a time, so that memory does not grow with the cohort
People = Float64[Tensor, " people"]


class Pursuit(NamedTuple):
    """Positions of the eye, of the target and of where it is believed to be, and the expected frequency of its motion
    (8 times its angular velocity), over time."""

    eye: Float64[Tensor, "people bins"]
    target: Float64[Tensor, "people bins"]
    believed: Float64[Tensor, "people bins"]
    frequency: Float64[Tensor, "people bins"]


class Press(NamedTuple):
    """The force that the hand makes, the one perceived as one's own with its standard deviation, and the one perceived
    as coming from outside with its own, over time."""

    own: Float64[Tensor, "people bins"]
    perceived: Float64[Tensor, "people bins"]
    doubt: Float64[Tensor, "people bins"]
    external: Float64[Tensor, "people bins"]
    external_doubt: Float64[Tensor, "people bins"]

    def peak(self) -> tuple[People, People]:
        """The highest own force, and the force that is reported as equal to it at that moment."""
        own, moment = self.own.max(-1)
        equal = self.perceived - force.CONFIDENCE * self.doubt
        return own, equal.gather(-1, moment[:, None])[:, 0]


def crowd(model: Model, people: int) -> Model:
    """The model with the same initial states and actions for each person."""
    zero = torch.zeros(people, dtype=torch.float64)
    for number, level in enumerate(model.levels, start=1):
        states = {symbol: value + zero for symbol, value in level.states.items()}
        actions = {symbol: value + zero for symbol, value in level.actions.items()}
        model = model.with_level(number, states=states, actions=actions)
    return model


def together(experiment: Experiment, people: int, noise: Noise | None = None) -> Result:
    """The run of everyone; a model, prior or cause may differ between people."""
    causes = experiment.causes.expand(people, *experiment.causes.shape[-2:])
    models = {"model": crowd(experiment.model, people), "process": crowd(experiment.process, people)}
    return experiment.changed(causes=causes, **models).run(noise=noise)


def follow(run: str, motion: People, senses: People) -> Pursuit:
    """The published run ``run`` of occlusion by people with these log-precisions.

    motion: log W2, of the expected motion of the target; senses: log V1, of what the eye sees and of where it is felt
    to be. Raises `Refused` for an unknown run and where someone's beliefs diverge.
    """
    parts = [_follow(run, *part) for part in zip(motion.split(PART), senses.split(PART), strict=True)]
    return Pursuit(*map(torch.cat, zip(*parts, strict=True)))


def watching(run: str, motion: People, senses: People) -> Experiment:
    """The published run ``run`` of occlusion, as people with these log-precisions see it."""
    experiment = published.setup("occlusion", run)
    model = experiment.model.with_level(2, W=motion.exp()[:, None]).with_level(1, V=senses.exp()[:, None])
    return experiment.changed(model=model)


def _follow(run: str, motion: People, senses: People) -> Pursuit:
    return watched(together(watching(run, motion, senses), len(motion)))


def watched(result: Result) -> Pursuit:
    """What can be seen of people's pursuit."""
    assert result.process is not None
    eye, target = result.process.x[1][..., 0], result.process.x[1][..., 2]
    return Pursuit(eye, target, result.x[1][..., 2], result.v[3][..., 0])


def press(attenuation: People, delusion: People, intended: People, noise: Noise | None = None) -> Press:
    """Pressing with the ``intended`` force; ``noise`` of the world is none by default.

    attenuation: how far the senses' log-precision falls while one presses (h); delusion: what is added to the
    log-precisions of prior beliefs (D). Raises `Refused` where someone's beliefs diverge.
    """
    several = (each.split(4 * PART) for each in (attenuation, delusion, intended))
    parts = [_press(h, D, v, noise) for h, D, v in zip(*several, strict=True)]
    return Press(*map(torch.cat, zip(*parts, strict=True)))


def intending(attenuation: People, delusion: People, intended: People) -> Experiment:
    """The published press, as people with these log-precisions and intentions do it."""
    course = intended[:, None, None] * bump(32, 16, 16)
    return force.pressing(attenuation, delusion).changed(prior_u=torch.cat([course, torch.zeros_like(course)], -1))


def _press(attenuation: People, delusion: People, intended: People, noise: Noise | None) -> Press:
    return pressed(together(intending(attenuation, delusion, intended), len(intended), noise or {}))


def pressed(result: Result) -> Press:
    """What people make and feel."""
    assert result.process is not None
    return Press(
        result.process.x[1][..., 0], result.x[1][..., 0], result.covariance.x[..., 0, 0].sqrt(),
        result.x[1][..., 1], result.covariance.x[..., 1, 1].sqrt(),
    )  # fmt: skip
