"""The VAE: the negative evidence lower bound (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014)."""

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.nn.autoencoder.elbo import LatentVariableModel, terms


def vae(
    model: LatentVariableModel, images: Float[Tensor, "batch ..."], generator: torch.Generator
) -> dict[str, Tensor]:
    """-E_q[log p(x|z)] + KL(q(z|x) ‖ N(0, I))."""
    _, _, reconstruction, kl = terms(model, images, generator)
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
