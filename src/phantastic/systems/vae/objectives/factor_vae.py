"""FactorVAE: the total correlation of the codes is penalised (Kim & Mnih 2018, Algorithm 2).

A discriminator tells codes from codes whose dimensions were shuffled across the batch, which have the same marginals
and no dependence. Where it is optimal, its log-odds are log q(z) / Π q(z_j), whose mean is the total correlation.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from phantastic.nn.autoencoder.elbo import LatentVariableModel, terms
from phantastic.nn.distributions import sample


def factor_vae(
    model: LatentVariableModel,
    discriminator: nn.Module,
    images: Float[Tensor, "batch ..."],
    others: Float[Tensor, "batch ..."],
    generator: torch.Generator,
    *,
    gamma: float,
) -> dict[str, Tensor]:
    """``loss`` for the VAE and ``discriminator`` for the discriminator, each with its own optimiser.

    -E_q[log p(x|z)] + KL(q(z|x) ‖ N(0, I)) + γ TC(z). ``others`` is a second, independent batch, whose shuffled codes
    the discriminator learns from. Neither loss leaves gradients in the other's network.
    """
    _, codes, reconstruction, kl = terms(model, images, generator)
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    logits = functional_call(discriminator, frozen, codes)
    total_correlation = (logits[:, 0] - logits[:, 1]).mean()
    with torch.no_grad():
        shuffled = permute_dimensions(sample(model.encode(others), generator), generator)
    judged = discriminator(torch.cat([codes.detach(), shuffled]))
    truth = torch.arange(2, device=judged.device).repeat_interleave(len(codes))
    return {
        "loss": reconstruction + kl + gamma * total_correlation,
        "discriminator": cross_entropy(judged, truth),
        "reconstruction": reconstruction,
        "kl": kl,
        "total_correlation": total_correlation,
    }


def permute_dimensions(
    codes: Float[Tensor, "batch latent"], generator: torch.Generator
) -> Float[Tensor, "batch latent"]:
    """Shuffle every latent across the batch, each by its own permutation (Kim & Mnih 2018, Algorithm 1)."""
    keys = torch.rand(codes.shape, generator=generator, device=generator.device)
    return codes.gather(0, keys.argsort(0))
