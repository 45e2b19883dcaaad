"""The visual module: a β-VAE whose reconstruction is judged by a denoising autoencoder (β-VAE_DAE).

    loss = ‖J(x̂) − J(x)‖² + β KL(q(z_x|x) ‖ N(0, I))

J is the whole denoising autoencoder up to its last nonlinearity (Higgins et al. 2018, Fig. 2 and App. A.1).

Where the paper holds β for hundreds of thousands of steps, here it moves for thousands: low, middling, high, low. At
first no latent costs enough to fall silent before it has found something; a factor that found none would settle in a
stronger one's latent for good. In the middle every factor keeps latents: β is below twice the variance of J(x) along
each of them (Rolinek, Zietlow & Martius 2019), and some of what they do together keeps latents too. At the peak a
latent costs more than anything but the factors' own effects is worth (β above twice the variance along the strongest
interaction, still below twice that along the weakest factor): the others fall silent. As β falls for good, the codes
grow exact. Meanwhile the latents are turned onto the factors (see `turning`).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from phantastic.ground.precision import autocast
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.autoencoder.denoising import denoising
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder
from phantastic.nn.distributions import kl_to_standard, sample
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.systems.scan.rooms import Rooms, as_input
from phantastic.systems.scan.study import ScanRecipe
from phantastic.systems.scan.turning import turn

# Shares of the steps at which β bends, and where it then stands between its lowest (0) and its highest (1), on a
# logarithmic scale: low until the first latents have found something, middling, at its peak, and lowest for good.
STAGES = 0.08, 0.14, 0.22, 0.3, 0.65, 0.92
HEIGHTS = 0.15, 0.54, 0.54, 1, 1, 0
TURNS = 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5  # shares of the steps after which the latents are turned
TURNED_BY = 128  # images
COOLING = 5  # step sizes fall to zero over the last fifth of every training of this study
WATCHED = 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.85  # shares of the steps after which a look is taken


class Pool:
    """Images without symbols, rendered once and kept in memory; batches are drawn from it with replacement."""

    def __init__(self, rooms: Rooms, count: int, seed: int, device: torch.device):
        self.factors, images = rooms.draw(count, seed, "pool")
        self.images = images.to(device)
        self.seed = seed

    def rows(self, purpose: str, step: int, count: int) -> Tensor:
        """Row numbers of one batch."""
        chosen = numpy_generator(self.seed, purpose, step).integers(len(self.images), size=count)
        return torch.from_numpy(chosen).to(self.images.device)

    def batch(self, purpose: str, step: int, count: int) -> Tensor:
        """float32 images [count, 3, size, size] of one batch."""
        return as_input(self.images[self.rows(purpose, step, count)])


def adam(module: torch.nn.Module, rate: float) -> torch.optim.Adam:
    """Adam in one fused kernel over all parameters."""
    return torch.optim.Adam(module.parameters(), rate, fused=True)


def train_denoiser(run: Run, recipe: ScanRecipe, pool: Pool, seed: int) -> DenoisingAutoencoder:
    """The denoising autoencoder J, frozen."""
    with initialised(seed, "denoiser"):
        denoiser = DenoisingAutoencoder(3, recipe.size, recipe.code).to(run.device)
    optimiser = adam(denoiser, recipe.denoising_rate)

    def losses(step: int) -> dict[str, Tensor]:
        images = pool.batch("denoiser batch", step, recipe.batch)
        return denoising(denoiser, images, torch_generator(seed, "denoiser damage", step, run.device))

    steps = recipe.denoising_steps
    train(
        run,
        f"seed{seed}/denoiser",
        {"denoiser": denoiser},
        {"loss": optimiser},
        losses,
        steps=steps,
        rate=level_and_linear(steps, COOLING),
    )
    return denoiser.requires_grad_(False)


@torch.no_grad()
def features(denoiser: DenoisingAutoencoder, pool: Pool, precision: str) -> Tensor:
    """J(x) of every image of the pool, computed and kept in ``precision``: it is needed at every step and never
    changes."""
    kind = getattr(torch, precision)
    with autocast(pool.images.device, precision):
        parts = [denoiser.reconstruct_logits(as_input(part)).to(kind) for part in pool.images.split(512)]
    return torch.cat(parts)


def beta_at(recipe: ScanRecipe, step: int) -> float:
    """β at a training step, between ``beta`` and ``beta_peak``; geometric wherever it moves."""
    height = float(np.interp(step / recipe.visual_steps, STAGES, HEIGHTS))
    return recipe.beta * (recipe.beta_peak / recipe.beta) ** height


def train_visual(
    run: Run,
    recipe: ScanRecipe,
    pool: Pool,
    denoiser: DenoisingAutoencoder,
    targets: Callable[[], Tensor],
    seed: int,
    name: str,
    watch: Callable[[VAE], None] = lambda vae: None,
) -> VAE:
    """The visual module ``visual``, or ``entangled``: the same with a constant, nearly absent β (for SCAN_U).

    ``targets`` gives J(x) of the pool; it is called only if the stage has not been finished. ``watch`` is shown the
    module as it learns.
    """
    steps = recipe.visual_steps if name == "visual" else recipe.entangled_steps
    with initialised(seed, name):
        vae = VAE(3, recipe.size, recipe.latent, hidden=(256,)).to(run.device)
    awaken(vae)
    stage = f"seed{seed}/{name}"
    wanted = targets() if stage not in run.checkpoints.latest.finished else pool.images
    optimiser = adam(vae, recipe.visual_rate)
    at = {max(1, round(share * steps)): partial(watch, vae) for share in WATCHED}
    turns = {round(share * steps) for share in TURNS} if name == "visual" and recipe.turning else set()

    def see(codes: Tensor) -> Tensor:
        return denoiser.reconstruct_logits(torch.sigmoid(vae.decode(codes)))

    def losses(step: int) -> dict[str, Tensor]:
        rows = pool.rows(f"{name} batch", step, recipe.batch)
        beta = beta_at(recipe, step) if name == "visual" else recipe.beta_entangled
        if step in turns:
            with autocast(run.device, "float32"):
                images = pool.batch(f"{name} turn", step, TURNED_BY)
                codes = sample(vae.encode(images), torch_generator(seed, f"{name} turn", step, run.device))
                turn(vae, see, codes, beta)
        posterior = vae.encode(as_input(pool.images[rows]))
        codes = sample(posterior, torch_generator(seed, f"{name} noise", step, run.device))
        reconstruction = (see(codes) - wanted[rows].float()).square().sum() / len(rows)
        kl = kl_to_standard(posterior).sum(1).mean()
        return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}

    rate = level_and_linear(steps, COOLING)
    train(run, stage, {name: vae}, {"loss": optimiser}, losses, steps=steps, rate=rate, at=at)
    return vae.requires_grad_(False)


@torch.no_grad()
def awaken(vae: VAE) -> None:
    """Begin with every latent in use: means five times as far apart as usual, and a posterior sd of e^-2.

    A latent that begins as noise is ignored by the decoder before a weak factor can make use of it.
    """
    means, log_variances = vae.encoder.head.weight.chunk(2)[0], vae.encoder.head.bias.chunk(2)[1]
    means.mul_(5)
    log_variances.fill_(-4)
