"""What lies in a latent space where no datum has its code.

A VAE is asked for what its prior draws. A plain autoencoder has no prior: it is given the best Gaussian there is, of
the mean and the covariance of its codes of images (as Ghosh et al. 2020 do), and its samples may still fall into holes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.measures.shapes import holds_shape
from phantastic.nn.autoencoder.model import VAE, Autoencoder

AT_ONCE = 512  # images in a pass


@torch.no_grad()
def codes_of(model: VAE | Autoencoder, images: Float[Tensor, "n 1 64 64"]) -> Float[Tensor, "n latent"]:
    """The code of each image; of a VAE the mean of its posterior."""
    parts = [model.encode(portion) for portion in images.split(AT_ONCE)]
    return torch.cat([part if isinstance(part, Tensor) else part.mean for part in parts])


@torch.no_grad()
def drawn(
    model: VAE | Autoencoder, codes: Float[Tensor, "n latent"], count: int, seed: int
) -> Float[Tensor, "count latent"]:
    """Codes to make new images of: from N(0, I) for a VAE, else from the Gaussian of the codes of images."""
    generator = torch_generator(seed, "measure/sampled", 0, codes.device)
    noise = torch.randn((count, model.latent), generator=generator, device=codes.device)
    if isinstance(model, VAE):
        return noise
    covariance = torch.atleast_2d(torch.cov(codes.double().T))
    root = torch.linalg.cholesky(covariance + 1e-9 * covariance.trace() * torch.eye(model.latent).to(covariance))
    return codes.mean(0) + (noise.double() @ root.T).to(codes)


@torch.no_grad()
def images_of(model: VAE | Autoencoder, codes: Float[Tensor, "n latent"]) -> Float[Tensor, "n 1 64 64"]:
    """What is made of codes, in [0, 1]."""
    return torch.cat([torch.sigmoid(model.decode(portion)) for portion in codes.split(AT_ONCE)])


def holes(model: VAE | Autoencoder, images: Float[Tensor, "n 1 64 64"], seed: int) -> dict[str, Measure]:
    """The shares of new images (``sampled``), of those halfway between the codes of two images (``between``), and of
    reconstructions (``restored``, what the other two can be at best) that hold one shape, as every datum does."""
    codes = codes_of(model, images)
    made = {
        "sampled": drawn(model, codes, len(codes), seed),
        "between": (codes + codes.roll(1, 0)) / 2,  # images are in no order
        "restored": codes,
    }
    return {
        name: over_items(holds_shape(images_of(model, at)), numpy_generator(seed, "measure/bootstrap"), mean)
        for name, at in made.items()
    }


def along(ends: Float[Tensor, "2 latent"], steps: int) -> Float[Tensor, "steps latent"]:
    """Codes on the straight line from one to the other."""
    share = torch.linspace(0, 1, steps).to(ends)[:, None]
    return (1 - share) * ends[0] + share * ends[1]
