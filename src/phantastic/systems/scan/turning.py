"""Turning a β-VAE's code until each latent holds one factor.

Which way the axes of the code point is settled by the posterior's noise alone: prior, means and decoder are as good in
any other turn of the axes, but q(z|x) is a diagonal Gaussian. Let J be the Jacobian of what is seen with respect to the
code, and M = JᵀJ. Noise of variances σ_i² costs an image Σ_i σ_i² M_ii, and in the KL term β/2 Σ_i (σ_i² - log σ_i²);
the best variances are σ_i² = 1 / (1 + 2 M_ii / β). What then depends on the turn U is

    β/2 Σ_i log(1 + 2/β (Uᵀ M U)_ii),

least where the columns of J are orthogonal (Rolinek, Zietlow & Martius 2019). Two factors that change different pixels
have such columns in every image, so one U makes all M diagonal. Gradient descent follows the same force, but a turn
changes the loss by little, and two latents that began halfway between two factors turn back slowly, or fold first.
Here U is taken at once, by Jacobi rotations of two latents at a time.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phantastic.nn.autoencoder.model import VAE

STEP = 0.2  # of the central differences, in prior standard deviations
ANGLES = np.deg2rad(np.arange(-45, 46))
SWEEPS = 4  # over all pairs of latents


@torch.no_grad()
def turn(vae: VAE, see: Callable[[Tensor], Tensor], codes: Float[Tensor, "images latent"], beta: float) -> np.ndarray:
    """Turn the latents of ``vae`` as its objective asks at ``codes``; returns U, float[latent, latent].

    ``see`` gives what the reconstruction is judged by, [images, ...], for codes. The means of codes turn exactly, and
    with them the decoder, so that nothing that is drawn changes; each log-variance becomes the mean of those that
    enter the new latent, weighted by its share of them.
    """
    rotation = rotation_of(sensitivity(see, codes), beta)
    u = torch.from_numpy(rotation).to(codes)
    head, entry = vae.encoder.head, vae.decoder.get_parameter("dense1.weight")
    for part in (head.weight, head.bias):
        means, log_variances = part.chunk(2)
        part.copy_(torch.cat([u.T @ means, u.T.square() @ log_variances]))
    entry.copy_(entry @ u)
    return rotation


def sensitivity(see: Callable[[Tensor], Tensor], codes: Float[Tensor, "images latent"]) -> np.ndarray:
    """M = JᵀJ of ``see`` at every code, by central differences, float64[images, latent, latent]."""
    columns = [
        (see(codes + STEP * axis) - see(codes - STEP * axis)).flatten(1) / (2 * STEP)
        for axis in torch.eye(codes.shape[1]).to(codes)
    ]
    jacobian = torch.stack(columns, dim=1)
    return (jacobian @ jacobian.mT).double().cpu().numpy()


def rotation_of(m: np.ndarray, beta: float) -> np.ndarray:
    """The rotation U, float64[latent, latent], that minimises the mean over images of Σ_i log(1 + 2/β (Uᵀ M U)_ii).

    To a degree: each pair of latents turns by whole degrees, of at most 45, so that no two of them change places.
    """
    m, size = m.copy(), m.shape[1]
    u = np.eye(size)
    cos, sin = np.cos(ANGLES)[:, None], np.sin(ANGLES)[:, None]
    for i, j in list(combinations(range(size), 2)) * SWEEPS:
        mean, half, cross = (m[:, i, i] + m[:, j, j]) / 2, (m[:, i, i] - m[:, j, j]) / 2, m[:, i, j]
        swing = (cos**2 - sin**2) * half + 2 * sin * cos * cross
        cost = (np.log1p(2 / beta * (mean + swing)) + np.log1p(2 / beta * (mean - swing))).mean(1)
        best = cost.argmin()
        c, s = cos[best, 0], sin[best, 0]
        pair = np.array([[c, -s], [s, c]])
        u[:, [i, j]] = u[:, [i, j]] @ pair
        m[:, :, [i, j]] = m[:, :, [i, j]] @ pair
        m[:, [i, j]] = pair.T @ m[:, [i, j]]
    return u
