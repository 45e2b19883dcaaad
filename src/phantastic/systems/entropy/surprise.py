"""Bayesian surprise: how far a datum moves a belief, KL(posterior || prior) (Itti & Baldi 2009), beside Shannon's.

The belief is about one chance θ, Beta(a, b); a frame of pixels says ``yes`` so many times and ``no`` so many. Shannon's
surprise is -log of the frame's probability under the belief. The two come apart: snow on a screen is improbable frame
by frame, and nothing is learned from it. All in nats.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

MEMORY = 0.7  # what a belief keeps of its counts from frame to frame, so that it can learn anew


class Beta(NamedTuple):
    """A belief about a chance: density θ^(a-1) (1-θ)^(b-1) / B(a, b)."""

    a: Float64[Tensor, "*batch"]
    b: Float64[Tensor, "*batch"]

    def log_norm(self) -> Float64[Tensor, "*batch"]:
        """log B(a, b)"""
        return torch.lgamma(self.a) + torch.lgamma(self.b) - torch.lgamma(self.a + self.b)

    def learned(self, yes: Tensor, no: Tensor) -> "Beta":
        """The posterior: counts are added."""
        return Beta(self.a + yes, self.b + no)

    def faded(self, memory: float) -> "Beta":
        """The same mean, less sure."""
        return Beta(memory * self.a, memory * self.b)


def shannon(belief: Beta, yes: Tensor, no: Tensor) -> Float64[Tensor, "*batch"]:
    """-log ∫ θ^yes (1-θ)^no p(θ) dθ = log B(a, b) - log B(a + yes, b + no), of this very frame."""
    return belief.log_norm() - belief.learned(yes, no).log_norm()


def bayesian(prior: Beta, posterior: Beta) -> Float64[Tensor, "*batch"]:
    """KL(posterior || prior)."""
    a, b = posterior.a - prior.a, posterior.b - prior.b
    moved = a * torch.digamma(posterior.a) + b * torch.digamma(posterior.b)
    return moved - (a + b) * torch.digamma(posterior.a + posterior.b) + prior.log_norm() - posterior.log_norm()


def watched(
    yes: Float64[Tensor, "viewers frames"], pixels: int, memory: float = MEMORY
) -> tuple[Float64[Tensor, "viewers frames"], Float64[Tensor, "viewers frames"]]:
    """Shannon's and Bayesian surprise at every frame, for viewers who begin with an even belief, Beta(1, 1)."""
    one = torch.ones_like(yes[:, 0])
    belief, by_shannon, by_bayes = Beta(one, one), [], []
    for count in yes.T:
        belief = belief.faded(memory)
        by_shannon.append(shannon(belief, count, pixels - count))
        learned = belief.learned(count, pixels - count)
        by_bayes.append(bayesian(belief, learned))
        belief = learned
    return torch.stack(by_shannon, -1), torch.stack(by_bayes, -1)
