"""Many people at once in the two tasks of the clinic: following a target with the eye, and pressing with a hand.

The people are the simulated ones of Adams, Perrinet & Friston (2012) and Brown, Adams, Parees, Edwards & Friston (2013)
with precisions of their own, one number each; everything else is as published.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.inference import Result, published
from phantastic.inference.generation import Noise
from phantastic.inference.published import force
from phantastic.inference.published.simulation import Simulation, bump

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


def follow(run: str | Simulation, motion: People, senses: People) -> Pursuit:
    """The published run ``run`` of occlusion, or another simulation of it, by people with these log-precisions.

    motion: log W2, of the expected motion of the target; senses: log V1, of what the eye sees and of where it is felt
    to be. Raises `Refused` for an unknown run and where someone's beliefs diverge.
    """
    parts = [_follow(run, *part) for part in zip(motion.split(PART), senses.split(PART), strict=True)]
    return Pursuit(*map(torch.cat, zip(*parts, strict=True)))


def watching(run: str | Simulation, motion: People, senses: People) -> Simulation:
    """The run ``run`` of occlusion, as people with these log-precisions see it; that of the senses may differ
    between their channels [people, channels]."""
    experiment = published.setup("occlusion", run) if isinstance(run, str) else run
    V = senses.exp().reshape(len(senses), -1)
    return experiment.changed(model=experiment.model.with_level(2, W=motion.exp()[:, None]).with_level(1, V=V))


def _follow(run: str | Simulation, motion: People, senses: People) -> Pursuit:
    return watched(watching(run, motion, senses).run())


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


def intending(attenuation: People, delusion: People, intended: People) -> Simulation:
    """The published press, as people with these log-precisions and intentions do it."""
    course = intended[:, None, None] * bump(32, 16, 16)
    return force.pressing(attenuation, delusion).changed(prior_u=torch.cat([course, torch.zeros_like(course)], -1))


def _press(attenuation: People, delusion: People, intended: People, noise: Noise | None) -> Press:
    return pressed(intending(attenuation, delusion, intended).run(noise=noise or {}))


def pressed(result: Result) -> Press:
    """What people make and feel."""
    assert result.process is not None
    return Press(
        result.process.x[1][..., 0],
        result.x[1][..., 0],
        result.covariance.x[..., 0, 0].sqrt(),
        result.x[1][..., 1],
        result.covariance.x[..., 1, 1].sqrt(),
    )
