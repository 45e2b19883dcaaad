"""A heart or an ellipse in noise: a decision whose true posterior is known, and a network that learns to make it.

A dSprite of any size and orientation stands in the middle, every pixel with normal noise of its own. The pictures
without noise are few (240 of each shape), so that Bayes' rule is a sum over them: the ideal observer of signal known
but for its size and orientation.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from scipy.special import logit, logsumexp
from torch import nn

from phantastic.ground.randomness import initialised, numpy_generator
from phantastic.world import dsprites

NOISE, SIGNAL = 1, 2  # ellipse, heart: rows of dsprites.SHAPES
MIDDLE, SEEN, WIDE = 16, 32, 16  # the place of the sprite, how many pixels around it are seen, and in how many cells


class Pictures(NamedTuple):
    """Pictures, whether a heart is there, and the ideal observer's log likelihood ratio of it."""

    pixels: Float32[ndarray, "n pixels"]
    signal: Int[ndarray, " n"]
    evidence: Float[ndarray, " n"]

    def logits(self, prevalence: float) -> Float[ndarray, " n"]:
        """The true posterior log odds where hearts have this prevalence."""
        return self.evidence + logit(prevalence)


@cache
def templates() -> Float32[ndarray, "2 240 pixels"]:
    """The pictures without noise, of ellipse and heart."""
    sizes, turns = np.meshgrid(np.arange(6), np.arange(40), indexing="ij")
    rows = []
    for shape in (NOISE, SIGNAL):
        factors = np.full((240, 5), MIDDLE)
        factors[:, 0], factors[:, 1], factors[:, 2] = shape, sizes.ravel(), turns.ravel()
        images = dsprites.render(factors)
        middle = slice((dsprites.SIZE - SEEN) // 2, (dsprites.SIZE + SEEN) // 2)
        assert images.sum() == images[:, middle, middle].sum(), "the sprite is seen whole"
        cells = images[:, middle, middle].reshape(240, WIDE, SEEN // WIDE, WIDE, SEEN // WIDE)
        rows.append(cells.mean((2, 4)).reshape(240, -1))
    return np.stack(rows).astype(np.float32)


def evidence(pixels: Float32[ndarray, "n pixels"], noise: float) -> Float[ndarray, " n"]:
    """log p(picture | heart) − log p(picture | ellipse), each a sum over sizes and orientations."""
    ellipse, heart = (
        logsumexp((pixels @ each.T - np.square(each).sum(1) / 2).astype(float) / noise**2, axis=1)
        for each in templates()
    )
    return heart - ellipse


def draw(count: int, prevalence: float, noise: float, seed: int, purpose: str) -> Pictures:
    """Pictures with hearts at this prevalence, in pixel noise of this standard deviation."""
    generator = numpy_generator(seed, f"decisions/{purpose}")
    signal = (generator.random(count) < prevalence).astype(int)
    pixels = templates()[signal, generator.integers(240, size=count)]
    pixels = pixels + np.float32(noise) * generator.standard_normal(pixels.shape, np.float32)
    return Pictures(pixels, signal, evidence(pixels, noise))


def network(width: int, seed: int) -> nn.Sequential:
    """One hidden layer from pixels to the log odds of a heart."""
    with initialised(seed, "decisions/network"):
        return nn.Sequential(nn.Linear(WIDE * WIDE, width), nn.ReLU(), nn.Linear(width, 1))


def answers(model: nn.Module, pixels: Float32[ndarray, "n pixels"]) -> Float[ndarray, " n"]:
    """The network's log odds."""
    with torch.no_grad():
        device = next(model.parameters()).device
        return model(torch.from_numpy(pixels).to(device))[:, 0].double().cpu().numpy()
