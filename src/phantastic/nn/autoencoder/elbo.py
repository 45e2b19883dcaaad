"""The evidence lower bound, in its three forms, and the terms that every objective is made of.

    ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) ‖ p(z))          reconstruction and complexity
            = E_q[log p(x, z)] + H[q(z|x)]                 energy and entropy
            = log p(x) - KL(q(z|x) ‖ p(z|x))               evidence and the error of inference

The third is tractable only where the posterior is, as in `LinearVAE`. p(z) is N(0, I); everything is in nats.
"""

from math import log, pi
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.nn.distributions import Gaussian, kl_to_standard, sample


@runtime_checkable
class LatentVariableModel(Protocol):
    """What an objective needs of a model."""

    def encode(self, images: Tensor, /) -> Gaussian: ...
    def decode(self, codes: Tensor, /) -> Tensor: ...
    def log_likelihood(self, outputs: Tensor, images: Tensor, /) -> Tensor: ...


class Terms(NamedTuple):
    """One pass through a model: the posterior, one sample of it, and the two terms of the first form."""

    q: Gaussian
    codes: Float[Tensor, "batch latent"]
    reconstruction: Float[Tensor, ""]  # the batch mean of -log p(x|z)
    kl: Float[Tensor, ""]  # the batch mean of KL(q(z|x) ‖ N(0, I))


def terms(model: LatentVariableModel, images: Float[Tensor, "batch ..."], generator: torch.Generator) -> Terms:
    """Encode, sample once per image, decode (Kingma & Welling 2014, Eq. 10 with L = 1)."""
    q = model.encode(images)
    codes = sample(q, generator)
    reconstruction = -model.log_likelihood(model.decode(codes), images).mean()
    return Terms(q, codes, reconstruction, kl_to_standard(q).sum(1).mean())


def reconstruction_form(expected_log_likelihood: Float[Tensor, " batch"], q: Gaussian) -> Float[Tensor, " batch"]:
    """E_q[log p(x|z)] - KL(q ‖ N(0, I))."""
    return expected_log_likelihood - kl_to_standard(q).sum(1)


def energy_form(expected_log_joint: Float[Tensor, " batch"], q: Gaussian) -> Float[Tensor, " batch"]:
    """E_q[log p(x, z)] + H[q]."""
    return expected_log_joint + 0.5 * (log(2 * pi) + 1 + q.log_variance).sum(1)


def evidence_form(
    log_evidence: Float[Tensor, " batch"],
    q: Gaussian,
    posterior_mean: Float[Tensor, "batch latent"],
    posterior_covariance: Float[Tensor, "latent latent"],
) -> Float[Tensor, " batch"]:
    """log p(x) - KL(q ‖ p(z|x)) for a Gaussian posterior of full covariance."""
    precision = posterior_covariance.inverse()
    difference = posterior_mean - q.mean
    distance = ((difference @ precision) * difference).sum(1) + (q.log_variance.exp() * precision.diagonal()).sum(1)
    volume = torch.logdet(posterior_covariance) - q.log_variance.sum(1)
    return log_evidence - 0.5 * (distance - q.mean.shape[1] + volume)


def expected_log_prior(q: Gaussian) -> Float[Tensor, " batch"]:
    """E_q[log N(z; 0, I)]: what the energy form adds to E_q[log p(x|z)]."""
    return -0.5 * (log(2 * pi) + q.mean.square() + q.log_variance.exp()).sum(1)
