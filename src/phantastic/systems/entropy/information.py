"""Surprise, entropy, information and divergence of discrete distributions, in nats (Shannon 1948; Kullback & Leibler).

A distribution is a float64 tensor that sums to 1 over its last axis; axes before that are a batch. A joint
distribution of X and Y has X on the last axis but one and Y on the last, and sums to 1 over both. Whatever is not a
distribution is Refused.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused

TOLERANCE = 1e-9


def surprise(probability: Float64[Tensor, "*any"]) -> Float64[Tensor, "*any"]:
    """-log p of an event, elementwise; infinite where p = 0. Raises `Refused` for a p outside [0, 1]."""
    if not bool(((probability >= 0) & (probability <= 1 + TOLERANCE)).all()):
        raise Refused("surprise is of probabilities: numbers from 0 to 1")
    return -probability.log()


def entropy(p: Float64[Tensor, "*batch outcomes"]) -> Float64[Tensor, "*batch"]:
    """H(X) = -sum p log p, the surprise to expect (Shannon 1948, section 6); outcomes of probability 0 add nothing."""
    return torch.special.entr(distribution(p)).sum(-1)


def conditional_entropy(joint: Float64[Tensor, "*batch x y"]) -> Float64[Tensor, "*batch"]:
    """H(Y|X): the entropy of Y for each x, averaged over x (Shannon 1948, section 6)."""
    marginal = distribution(joint, axes=2).sum(-1, keepdim=True)
    conditional = torch.where(marginal > 0, joint / marginal, joint)  # an x that never is has no y
    return (marginal[..., 0] * torch.special.entr(conditional).sum(-1)).sum(-1)


def divergence(p: Float64[Tensor, "*batch outcomes"], q: Float64[Tensor, "*batch outcomes"]) -> Float64[Tensor, "*b"]:
    """KL(p || q) = sum p log(p / q): infinite where q rules out what p allows; 0 only where p = q."""
    distribution(p)
    distribution(q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def information(joint: Float64[Tensor, "*batch x y"]) -> Float64[Tensor, "*batch"]:
    """I(X; Y) = KL(p(x, y) || p(x) p(y)): what either tells of the other (Shannon 1948, section 12)."""
    distribution(joint, axes=2)
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return divergence(joint.flatten(-2), independent.flatten(-2))


def distribution(p: Float64[Tensor, "*any"], axes: int = 1) -> Float64[Tensor, "*any"]:
    """``p`` as it is; raises `Refused` unless it is at least 0 and sums to 1 over the last ``axes`` axes."""
    totals = p.detach().flatten(-axes).sum(-1) if p.ndim >= axes else torch.zeros(1)
    if not bool((p >= 0).all()) or not bool(((totals - 1).abs() <= TOLERANCE).all()):
        worst = float(totals.flatten()[(totals.flatten() - 1).abs().argmax()])
        raise Refused(f"not a distribution: expected numbers of at least 0 that sum to 1; the sum is {worst:.9g}")
    return p
