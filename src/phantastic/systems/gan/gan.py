"""The study `gan`: a GAN and a VAE on dSprites."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.measures.shapes import covered, grey, holds_shape, places
from phantastic.nn.autoencoder.model import VAE, he_initialised
from phantastic.nn.autoencoder.vae import vae
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.gan.game import Batch, play, settled
from phantastic.systems.gan.gan_figures import side_by_side
from phantastic.systems.gan.model import ImageDiscriminator, ImageGenerator
from phantastic.systems.gan.objective import value
from phantastic.systems.gan.study import GameRecipe
from phantastic.world import dsprites

WHITE = 0.0425  # share of white pixels in dSprites
SCARCE = 0.1  # where fewer of the samples hold a shape, their grey pixels say nothing
AT_ONCE = 500  # samples in a pass


# --- training


def build(recipe: GameRecipe, seed: int) -> dict[str, nn.Module]:
    """Every network of the study by name, as it begins."""
    with initialised(seed, "model"):
        return {
            "generator": ImageGenerator(recipe.latent, 1, dsprites.SIZE, WHITE),
            "discriminator": ImageDiscriminator(1, dsprites.SIZE),
            "vae": he_initialised(VAE(1, dsprites.SIZE, recipe.latent)),  # as in the study `vae`
        }


def explain(run: Run[GameRecipe], seed: int, model: VAE, batch: Batch) -> None:
    """Train a VAE on the batches of the game; its step size falls as the players' does."""
    recipe = run.recipe
    optimiser = {"loss": torch.optim.Adam(model.parameters(), recipe.vae_rate, fused=True)}

    def losses(step: int) -> Mapping[str, Tensor]:
        return vae(model, batch(step), torch_generator(seed, "noise", step, run.device))

    falling = level_and_linear(recipe.steps, 2)
    train(run, f"seed{seed}/vae", {"vae": model}, optimiser, losses, steps=recipe.steps, rate=falling)


# --- measures


@torch.no_grad()
def made(networks: Mapping[str, nn.Module], count: int, seed: int, device: torch.device) -> dict[str, Tensor]:
    """``count`` samples of the generator and of the VAE, from the same noise."""
    network: Any = networks["generator"]
    model: Any = networks["vae"]
    noise = torch.randn((count, network.noise), generator=torch_generator(seed, "sample", 0, device), device=device)
    portions = noise.split(AT_ONCE)
    return {
        "gan": torch.cat([network(portion) for portion in portions]),
        "vae": torch.cat([torch.sigmoid(model.decode(portion)) for portion in portions]),
    }


def measured(
    recipe: GameRecipe, networks: Mapping[str, nn.Module], seed: int, device: torch.device
) -> dict[str, Measure]:
    """Everything measured on the trained networks of one seed."""
    samples = made(networks, recipe.sample, seed, device)
    return {
        f"image.{kind}.{name}": measure
        for kind, images in samples.items()
        for name, measure in pictured(images, seed).items()
    }


def pictured(images: Float[Tensor, "n 1 rows columns"], seed: int) -> dict[str, Measure]:
    """The share of images that hold a shape; of those that do, their places and their share of grey pixels.

    Where hardly any image holds a shape, grey is not measured: a black picture has none and shows nothing. Intervals
    are over resampled images.
    """
    valid = holds_shape(images)
    shaped = images[torch.from_numpy(valid).to(images.device)]

    def resample(items: np.ndarray, statistic: Any = mean) -> Measure:
        return over_items(items, numpy_generator(seed, "measure/bootstrap"), statistic)

    nothing = Measure(0.0, [0.0], 0.0, 0.0)
    measures = {"shapes": resample(valid), "places": resample(places(shaped), covered) if len(shaped) else nothing}
    return measures | {"grey": resample(grey(shaped))} if valid.mean() >= SCARCE else measures


# --- the study


@final
class Game(Experiment[GameRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[GameRecipe], recipe: GameRecipe, seed: int) -> Scores:
        """Play the game, train the VAE, then measure."""
        networks: dict[str, Any] = {name: network.to(run.device) for name, network in build(recipe, seed).items()}
        images = dsprites.Batches(dsprites.part(recipe.images, recipe.seed), recipe.batch, seed, "shuffle", run.device)
        players = {role: networks[role] for role in ("generator", "discriminator")}
        play(run, seed, "gan", players, images, recipe.steps, rate=recipe.rate, penalty=recipe.penalty)
        explain(run, seed, networks["vae"], images)
        scores = run.once(f"seed{seed}", lambda: measured(recipe, networks, seed, run.device), dict[str, Measure])
        last, deviation = settled(run, seed, "gan")
        return {**scores, "image.gan.value": last, "image.gan.value.deviation": deviation}

    def networks(self, run: Run[GameRecipe]) -> dict[str, nn.Module]:
        """The trained networks of the first seed, in evaluation mode."""
        seed, networks = run.recipe.seed, build(run.recipe, run.recipe.seed)
        run.load(f"seed{seed}/gan", {role: networks[role] for role in ("generator", "discriminator")})
        run.load(f"seed{seed}/vae", {"vae": networks["vae"]})
        return {name: network.to(run.device) for name, network in networks.items()}

    @torch.no_grad()
    def lesion_measures(self, run: Run[GameRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """V of the game in nats, and images that hold a shape; 32 images."""
        seed, device = run.recipe.seed, run.device
        factors = numpy_generator(seed, "measure/data").integers(dsprites.SIZES, size=(32, len(dsprites.SIZES)))
        real = dsprites.as_batch(dsprites.render(factors), device)
        samples, discriminator = made(networks, len(real), seed, device), networks["discriminator"]
        measures = {f"image.{kind}.shapes": mean(holds_shape(images)) for kind, images in samples.items()}
        return measures | {"image.gan.value": float(value(discriminator(real), discriminator(samples["gan"])))}

    def figures(self, run: Run[GameRecipe]) -> dict[str, Figure]:
        """The images of the first seed."""
        seed, device, networks = run.recipe.seed, run.device, self.networks(run)
        factors = numpy_generator(seed, "figure").integers(dsprites.SIZES, size=(24, len(dsprites.SIZES)))
        data = dsprites.as_batch(dsprites.render(factors), device)
        model: Any = networks["vae"]
        with torch.no_grad():
            reconstructed = torch.sigmoid(model.decode(model.encode(data).mean))
        images = {"data": data, "reconstructed": reconstructed, **made(networks, 24, seed, device)}
        return {"samples": side_by_side(images, run.measures())}
