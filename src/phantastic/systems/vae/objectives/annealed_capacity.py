"""The VAE of controlled capacity: the divergence is drawn towards C nats, and C grows (Burgess et al. 2018, Eq. 8)."""

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.nn.autoencoder.elbo import LatentVariableModel, terms


def annealed_capacity(
    model: LatentVariableModel,
    images: Float[Tensor, "batch ..."],
    generator: torch.Generator,
    step: int,
    *,
    gamma: float,
    capacity: float,
    steps: int,
) -> dict[str, Tensor]:
    """-E_q[log p(x|z)] + γ |KL - C|, of the batch's mean KL: single images may lie above or below C.

    C grows linearly with the training step, from 0 to ``capacity`` nats at ``steps``.
    """
    _, _, reconstruction, kl = terms(model, images, generator)
    allowed = capacity_at(step, capacity, steps)
    return {
        "loss": reconstruction + gamma * (kl - allowed).abs(),
        "reconstruction": reconstruction,
        "kl": kl,
        "capacity": kl.new_tensor(allowed),
    }


def capacity_at(step: int, capacity: float, steps: int) -> float:
    """C in nats at a training step."""
    return capacity * min(step / steps, 1.0)
