"""The β-TCVAE: of the three parts of the divergence only the total correlation weighs β (Chen et al. 2018, Eq. 4).

    E[KL(q(z|x) ‖ p(z))] = I(z; n) + KL(q(z) ‖ Π q(z_j)) + Σ KL(q(z_j) ‖ p(z_j))
                           mutual information, total correlation, dimension-wise divergence

All three need the aggregate q(z) = 1/N Σ_n q(z|n) over the whole data set, which is estimated from a batch by a
weighted sum of its posteriors. The estimate of q(z) is unbiased under stratified sampling and far too small under
weighted sampling; its logarithm is biased under both. `against_exact` shows by how much.
"""

from math import log
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.nn.autoencoder.elbo import LatentVariableModel, terms
from phantastic.nn.distributions import Gaussian, log_density, sample

Sampling = Literal["stratified", "weighted"]


def beta_tcvae(
    model: LatentVariableModel,
    images: Float[Tensor, "batch ..."],
    generator: torch.Generator,
    *,
    beta: float,
    size: int,
    sampling: Sampling = "stratified",
) -> dict[str, Tensor]:
    """-E_q[log p(x|z)] + I(z; n) + β TC + Σ KL(q(z_j) ‖ p(z_j)); ``size`` is the number of images in the data set."""
    q, codes, reconstruction, kl = terms(model, images, generator)
    parts = decompose(codes, q, q, log_weights(len(codes), size, sampling).to(codes))
    return {
        "loss": reconstruction + parts.mutual_information + beta * parts.total_correlation + parts.dimensionwise_kl,
        "reconstruction": reconstruction,
        "kl": kl,
        **parts._asdict(),
    }


class Parts(NamedTuple):
    """The three parts of E[KL(q(z|x) ‖ N(0, I))], in nats."""

    mutual_information: Float[Tensor, ""]
    total_correlation: Float[Tensor, ""]
    dimensionwise_kl: Float[Tensor, ""]


def decompose(
    codes: Float[Tensor, "batch latent"],
    own: Gaussian,
    support: Gaussian,
    log_weights: Float[Tensor, "#batch support"],
) -> Parts:
    """The parts at ``codes`` drawn from ``own`` (row by row), with q(z) = Σ_m exp(log_weights) q(z|m) over ``support``.

    With weights 1/N over the whole data set, the parts are exact up to the finite number of codes.
    """
    each = log_density(codes[:, None], Gaussian(support.mean[None], support.log_variance[None]))
    joint = torch.logsumexp(log_weights + each.sum(2), 1)
    marginals = torch.logsumexp(log_weights[..., None] + each, 1).sum(1)
    conditional = log_density(codes, own).sum(1)
    standard = Gaussian(torch.zeros_like(codes), torch.zeros_like(codes))
    prior = log_density(codes, standard).sum(1)
    return Parts((conditional - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean())


def log_weights(batch: int, size: int, sampling: Sampling) -> Float[Tensor, "batch batch"]:
    """log w[i, j], the weight of image j's posterior in the estimate of q(z_i), where z_i was drawn for image i.

    ``weighted``: 1 / (N B) for all (Chen et al. 2018, Eq. 5). ``stratified`` (appendix C.2): image i is in the batch
    because z_i came from it, so it stands for itself alone, 1/N. The M = B - 1 others are a sample of the other N - 1
    images and share the rest, 1 - 1/N: each 1/M, but the last 1/M - 1/N. Here the last is the image after i. Rows sum
    to 1. (The code published with the paper puts these weights into two columns instead of two diagonals.)

    Raises `Refused` for a batch of fewer than 2 images or more than the data set has.
    """
    if not 2 <= batch <= size:
        raise Refused(f"a batch of {batch} from a data set of {size} images; use 2 to {size} images per batch")
    if sampling == "weighted":
        return torch.full((batch, batch), -log(size * batch))
    others = batch - 1
    weights = torch.full((batch, batch), 1 / others, dtype=torch.float64)
    places = torch.arange(batch)
    weights[places, places] = 1 / size
    weights[places, (places + 1) % batch] = 1 / others - 1 / size
    return weights.log()


def against_exact(
    q: Gaussian, batch: int, batches: int, generator: torch.Generator, sampling: Sampling = "stratified"
) -> tuple[Parts, Parts]:
    """(estimate, exact): the parts as training sees them, and by summing over all of ``q`` [size, latent].

    Both are means over ``batches`` batches drawn without replacement and over the same codes. Needs batch * size *
    latent numbers of memory; meant for small data sets.
    """
    size = len(q.mean)
    uniform = q.mean.new_full((1, size), -log(size))
    weights = log_weights(batch, size, sampling).to(q.mean)
    estimates, exacts = [], []
    for _ in range(batches):
        chosen = torch.randperm(size, generator=generator, device=generator.device)[:batch]
        own = Gaussian(q.mean[chosen], q.log_variance[chosen])
        codes = sample(own, generator)
        estimates.append(torch.stack(decompose(codes, own, own, weights)))
        exacts.append(torch.stack(decompose(codes, own, q, uniform)))
    return Parts(*torch.stack(estimates).mean(0)), Parts(*torch.stack(exacts).mean(0))
