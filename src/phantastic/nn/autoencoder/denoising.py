"""The denoising autoencoder: restore an image from a damaged copy (Vincent et al. 2008)."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Denoiser(Protocol):
    """What the objective needs of a model."""

    def reconstruct_logits(self, images: Tensor, /) -> Tensor: ...
    def log_likelihood(self, outputs: Tensor, images: Tensor, /) -> Tensor: ...


def occlude(
    images: Float[Tensor, "batch channels rows columns"], generator: torch.Generator
) -> Float[Tensor, "batch channels rows columns"]:
    """Set one random rectangle per image to 0, its corners uniform and inclusive (Higgins et al. 2018, App. A.1)."""
    inside = []
    for length in images.shape[2:]:
        corners = torch.randint(length, (2, len(images), 1), generator=generator, device=generator.device)
        places = torch.arange(length, device=generator.device)
        inside.append((places >= corners.amin(0)) & (places <= corners.amax(0)))
    rows, columns = inside
    rectangle = (rows[:, :, None] & columns[:, None, :])[:, None]
    return images * ~rectangle


def denoising(
    model: Denoiser,
    images: Float[Tensor, "batch ..."],
    generator: torch.Generator,
    damage: Callable[[Tensor, torch.Generator], Tensor] = occlude,
) -> dict[str, Tensor]:
    """-log p(x|x̃), the log-likelihood of the whole image given the model's output for the damaged one."""
    outputs = model.reconstruct_logits(damage(images, generator))
    return {"loss": -model.log_likelihood(outputs, images).mean()}
