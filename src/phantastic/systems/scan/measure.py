"""Accuracy and diversity of what SCAN imagines and names (Higgins et al. 2018, Sec. 4).

A classifier trained on the ground truth of the rooms is the judge. Accuracy: the share of the *named* factors that it
reads off a sample as they were named. Diversity: the divergence of its label histogram over the *open* factors from the
flat prior, in nats (lower is better: what was not named must vary). Either alone can be had for nothing: the same room
again and again is accurate, any room at all is diverse. `distance` is both in one number.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from phantastic.nn.convolution import ConvEncoder
from phantastic.systems.scan.concepts import OPEN, Vocabulary


class Classifier(nn.Module):
    """Images [batch, 3, size, size] -> logits over every factor's values [batch, width]."""

    def __init__(self, size: int, vocabulary: Vocabulary):
        super().__init__()
        self.encoder = ConvEncoder(3, size, vocabulary.width)
        self.blocks = vocabulary.blocks

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images).float()

    def loss(self, images: Tensor, factors: Tensor) -> Tensor:
        """Cross-entropy summed over factors, nats per image; ``factors`` int[batch, factors]."""
        logits = self(images)
        return sum(
            (cross_entropy(logits[:, b], factors[:, i]) for i, b in enumerate(self.blocks)), logits.new_zeros(())
        )

    @torch.no_grad()
    def read(self, images: Tensor) -> np.ndarray:
        """The most probable value of each factor, int[batch, factors]."""
        return values_of(self(images), self.blocks)


def values_of(logits: Tensor, blocks: list[slice]) -> np.ndarray:
    """The largest entry of each block, int[batch, factors]."""
    return torch.stack([logits[:, block].argmax(1) for block in blocks], dim=1).cpu().numpy()


def accuracy(concepts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of named factors read as named, by concept [n]; ``labels`` int[n, samples, factors]."""
    named = concepts != OPEN
    right = (labels == concepts[:, None]).mean(axis=1)
    return (right * named).sum(1) / named.sum(1)


def diversity(concepts: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """KL(label histogram ‖ flat) over the open factors, nats, by concept [n]; NaN where nothing is open."""
    result = np.full((len(concepts), len(sizes)), np.nan)
    for row, factor in zip(*np.nonzero(concepts == OPEN), strict=True):
        share = np.bincount(labels[row, :, factor], minlength=sizes[factor]) / labels.shape[1]
        seen = share[share > 0]
        result[row, factor] = np.log(sizes[factor]) + (seen * np.log(seen)).sum()
    open_factors = (concepts == OPEN).sum(1)
    return np.where(open_factors > 0, np.nansum(result, axis=1) / np.maximum(open_factors, 1), np.nan)


def distance(concepts: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """How far what is imagined is from the concept's extension, by concept [n], 0 to 1: the total variation between the
    label histogram of a factor and what the concept says of it, the one value that it names or, where it is open, all
    alike; mean over the factors. On named factors this is 1 - `accuracy`."""
    each = np.empty(concepts.shape)
    for factor, size in enumerate(sizes):
        share = (labels[:, :, factor, None] == np.arange(size)).mean(1)
        one, named = concepts[:, factor, None] == np.arange(size), concepts[:, factor, None] != OPEN
        each[:, factor] = np.abs(share - np.where(named, one, 1 / size)).sum(1) / 2
    return each.mean(1)


def imagine_and_read(
    concepts: np.ndarray, imagine: Callable[[np.ndarray], Tensor], classifier: Classifier, samples: int
) -> np.ndarray:
    """Labels of ``samples`` imagined images per concept, int[n, samples, factors].

    ``imagine`` takes concepts int[m, factors] and returns one image per row.
    """
    repeated = np.repeat(concepts, samples, axis=0)
    parts = [classifier.read(imagine(repeated[start : start + 512])) for start in range(0, len(repeated), 512)]
    return np.concatenate(parts).reshape(len(concepts), samples, -1)
