"""The β-VAE: the divergence from the prior weighs β times as much (Higgins et al. 2017, Eq. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.nn.autoencoder.elbo import LatentVariableModel, terms


def beta_vae(
    model: LatentVariableModel, images: Float[Tensor, "batch ..."], generator: torch.Generator, *, beta: float
) -> dict[str, Tensor]:
    """-E_q[log p(x|z)] + β KL(q(z|x) ‖ N(0, I)). With β = 1 it is the VAE to the bit."""
    _, _, reconstruction, kl = terms(model, images, generator)
    return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}


def warm_up(step: int, steps: int) -> float:
    """A weight for β that grows linearly from 0 at step 0 to 1 at ``steps`` and stays there (Bowman et al. 2016)."""
    return min(step / steps, 1.0) if steps else 1.0
