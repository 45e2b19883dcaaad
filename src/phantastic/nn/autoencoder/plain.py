"""The plain autoencoder: restore an image from its code (Rumelhart, Hinton & Williams 1986)."""

from jaxtyping import Float
from torch import Tensor

from phantastic.nn.autoencoder.model import Autoencoder


def reconstructing(model: Autoencoder, images: Float[Tensor, "batch ..."]) -> dict[str, Tensor]:
    """-log p(x|z), z the code of x: the first term of the VAE's bound alone, without noise on the code."""
    return {"loss": -model.log_likelihood(model.decode(model.encode(images)), images).mean()}
