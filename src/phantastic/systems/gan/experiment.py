"""The study `gan`: a judge of a fixed generator, then a GAN and a VAE on two mixtures of points and on dSprites."""

from collections.abc import Callable, Mapping
from math import log, pi
from typing import Any, final

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.autoencoder.model import VAE, he_initialised
from phantastic.nn.autoencoder.vae import vae
from phantastic.nn.distributions import Gaussian, gaussian
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.gan import mixtures
from phantastic.systems.gan.figures import judged, scattered, side_by_side
from phantastic.systems.gan.model import (
    ImageDiscriminator,
    ImageGenerator,
    Perceptron,
    PointDiscriminator,
    PointGenerator,
)
from phantastic.systems.gan.objective import adversarial, optimal_discriminator, value
from phantastic.systems.gan.shapes import grey, holds_shape, places
from phantastic.systems.gan.study import GameRecipe
from phantastic.world import dsprites

MIXTURES = {"ring": mixtures.ring(), "grid": mixtures.grid()}
WHITE = 0.0425  # share of white pixels in dSprites
SCARCE = 0.1  # where fewer of the samples hold a shape, their grey pixels say nothing
NOISE = 2  # dimensions of the noise and of the VAE's code, for points (PacGAN, VEEGAN)
MOMENTUM = (0.5, 0.999)  # of Adam in either player (Radford et al. 2016)
REAL, MADE = (-0.5, 0.7), (0.5, 1.2)  # mean and sd of the data and of the generator in the game with a fixed generator
Batch = Callable[[int], Tensor]


class FixedGenerator(nn.Module):
    """A generator that does not learn: N(mean, sd²) on a line."""

    noise = 1

    def forward(self, noise: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        return MADE[0] + MADE[1] * noise


class PointVAE(nn.Module):
    """A VAE of points with the generator's network as decoder and one learned variance: p(x|z) = N(f(z), s²I)."""

    def __init__(self, latent: int, dimensions: int, hidden: int = 128, layers: int = 3):
        super().__init__()
        self.latent = latent
        self.encoder = Perceptron(dimensions, 2 * latent, hidden, layers)
        self.decoder = Perceptron(latent, dimensions, hidden, layers)
        # s² begins far below the variance of the data, or the code would stay unused (Lucas et al. 2019)
        self.log_variance = nn.Parameter(torch.tensor(log(0.01)))

    def encode(self, points: Float[Tensor, "batch dimensions"]) -> Gaussian:
        return gaussian(self.encoder(points))

    def decode(self, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch dimensions"]:
        return self.decoder(codes)

    def log_likelihood(
        self, means: Float[Tensor, "batch d"], points: Float[Tensor, "batch d"]
    ) -> Float[Tensor, " batch"]:
        """Gaussian log p(x|z), nats."""
        squared = (points - means).square() / self.log_variance.exp()
        return -0.5 * (log(2 * pi) + self.log_variance + squared).sum(1)


# --- training


def build(recipe: GameRecipe, seed: int) -> dict[str, nn.Module]:
    """Every network of the study by name, as it begins."""
    networks: dict[str, nn.Module] = {}
    with initialised(seed, "model"):
        networks["judge"] = PointDiscriminator(1)
        for name in MIXTURES:
            networks[f"{name}_generator"] = PointGenerator(NOISE, 2)
            networks[f"{name}_discriminator"] = PointDiscriminator(2)
            networks[f"{name}_vae"] = PointVAE(NOISE, 2)
        networks["image_generator"] = ImageGenerator(recipe.latent, 1, dsprites.SIZE, WHITE)
        networks["image_discriminator"] = ImageDiscriminator(1, dsprites.SIZE)
        networks["image_vae"] = he_initialised(VAE(1, dsprites.SIZE, recipe.latent))  # as in the study `vae`
    return networks


def points_of(mixture: mixtures.Mixture, count: int, seed: int, device: torch.device) -> Batch:
    return lambda step: mixtures.draw(mixture, count, torch_generator(seed, "points", step, device))


def real_line(count: int, seed: int, device: torch.device) -> Batch:
    def draw(step: int) -> Float[Tensor, "count 1"]:
        generator = torch_generator(seed, "points", step, device)
        return REAL[0] + REAL[1] * torch.randn((count, 1), generator=generator, device=device)

    return draw


def play(
    run: Run[GameRecipe],
    seed: int,
    name: str,
    networks: Mapping[str, nn.Module],
    batch: Batch,
    steps: int,
    *,
    rate: float,
    vae_rate: float,
    penalty: float,
) -> None:
    """Train ``name``_generator against ``name``_discriminator, and ``name``_vae on the same batches.

    ``rate`` is the step size of either player; over the last half of the game it falls to zero in a straight line.
    """

    def noise(step: int) -> torch.Generator:
        return torch_generator(seed, "noise", step, run.device)

    game: dict[str, Any] = {role: networks[f"{name}_{role}"] for role in ("generator", "discriminator")}
    players = {  # in the order in which they step
        key: torch.optim.Adam(game[role].parameters(), rate, MOMENTUM, fused=True)
        for key, role in (("discriminator", "discriminator"), ("loss", "generator"))
    }

    def turn(step: int) -> Mapping[str, Tensor]:
        return adversarial(game["generator"], game["discriminator"], batch(step), noise(step), penalty=penalty)

    train(run, f"seed{seed}/{name}-gan", game, players, turn, steps=steps, rate=level_and_linear(steps, 2))
    model: Any = networks[f"{name}_vae"]
    optimiser = {"loss": torch.optim.Adam(model.parameters(), vae_rate, fused=True)}

    def vae_losses(step: int) -> Mapping[str, Tensor]:
        return vae(model, batch(step), noise(step))

    train(run, f"seed{seed}/{name}-vae", {"vae": model}, optimiser, vae_losses, steps=steps)


def judge(run: Run[GameRecipe], seed: int, network: nn.Module) -> None:
    """Train a discriminator against a generator that stands still."""
    recipe, generator = run.recipe, FixedGenerator()
    batch = real_line(recipe.point_batch, seed, run.device)
    optimiser = {"discriminator": torch.optim.Adam(network.parameters(), recipe.point_rate, fused=True)}

    def turn(step: int) -> Mapping[str, Tensor]:
        return adversarial(generator, network, batch(step), torch_generator(seed, "noise", step, run.device))

    train(run, f"seed{seed}/judge", {"judge": network}, optimiser, turn, steps=recipe.point_steps)


# --- measures


class Verdicts(msgspec.Struct):
    """A judge on a line against the best judge there is (Goodfellow et al. 2014, Proposition 1)."""

    x: list[float]
    data: list[float]
    made: list[float]
    learned: list[float]
    optimal: list[float]

    def measures(self) -> dict[str, float]:
        """V of either judge in nats, and their mean distance under an even mixture of data and samples."""
        x, p, q, d, best = (np.array(column) for column in msgspec.structs.astuple(self))
        learned, optimum = (float(np.trapezoid(p * np.log(j) + q * np.log(1 - j), x)) for j in (d, best))
        return {
            "judge.value": learned,
            "judge.optimum": optimum,
            "judge.value.deviation": learned / optimum - 1,
            "judge.error": float(np.trapezoid((p + q) / 2 * np.abs(d - best), x)),
        }


@torch.no_grad()
def verdicts(network: nn.Module, device: torch.device) -> Verdicts:
    x = torch.linspace(-6, 6, 601, dtype=torch.float64)
    p, q = (normal(x, *shape) for shape in (REAL, MADE))
    learned = torch.sigmoid(network(x.float()[:, None].to(device))[:, 0].double().cpu())
    return Verdicts(*(column.tolist() for column in (x, p, q, learned, optimal_discriminator(p, q))))


def normal(x: Float64[Tensor, " n"], mean: float, sd: float) -> Float64[Tensor, " n"]:
    return torch.distributions.Normal(mean, sd).log_prob(x).exp()


@torch.no_grad()
def made(
    networks: Mapping[str, nn.Module], name: str, count: int, seed: int, device: torch.device
) -> dict[str, Tensor]:
    """``count`` samples of the generator and of the VAE, from the same noise (for points the VAE adds its own)."""
    generator = torch_generator(seed, "sample", 0, device)
    network: Any = networks[f"{name}_generator"]
    model: Any = networks[f"{name}_vae"]
    noise = torch.randn((count, network.noise), generator=generator, device=device)
    parts: dict[str, list[Tensor]] = {"gan": [], "vae": []}
    for portion in noise.split(500):
        parts["gan"].append(network(portion))
        outputs = model.decode(portion)
        if isinstance(model, VAE):
            parts["vae"].append(torch.sigmoid(outputs))
        else:
            spread = torch.randn(outputs.shape, generator=generator, device=device)
            parts["vae"].append(outputs + (0.5 * model.log_variance).exp() * spread)
    return {key: torch.cat(part) for key, part in parts.items()}


def measured(
    recipe: GameRecipe, networks: Mapping[str, nn.Module], seed: int, device: torch.device
) -> dict[str, Measure]:
    """Everything measured on the trained networks of one seed."""
    generator = numpy_generator(seed, "measure/bootstrap")
    measures = {
        name: Measure(number, [number]) for name, number in verdicts(networks["judge"], device).measures().items()
    }
    for name, mixture in MIXTURES.items():
        for kind, points in made(networks, name, recipe.sample, seed, device).items():
            modes, share = mixtures.coverage(mixture, points)
            draws = generator.binomial(recipe.sample, share, size=500) / recipe.sample
            measures[f"{name}.{kind}.modes"] = Measure(float(modes), [float(modes)])
            measures[f"{name}.{kind}.quality"] = resampled(share, draws.tolist())
    for kind, images in made(networks, "image", recipe.sample, seed, device).items():
        measures |= {f"image.{kind}.{name}": measure for name, measure in pictured(images, generator).items()}
    return measures


def pictured(images: Float[Tensor, "n 1 rows columns"], generator: np.random.Generator) -> dict[str, Measure]:
    """The share of images that hold a shape; of those that do, their places and their share of grey pixels.

    Where hardly any image holds a shape, grey is not measured: a black picture has none and shows nothing.
    """
    valid = holds_shape(images)
    shaped = images[torch.from_numpy(valid).to(images.device)]
    coverage = places(shaped)
    measures = {"shapes": over_items(valid, generator, mean), "places": Measure(coverage, [coverage])}
    return measures | {"grey": over_items(grey(shaped), generator, mean)} if valid.mean() >= SCARCE else measures


def settled(run: Run[GameRecipe], seed: int, name: str) -> dict[str, float]:
    """V over the last tenth of a game, and how far it is from the -log 4 of the equilibrium."""
    points = run.curve(f"seed{seed}/{name}-gan")
    last = float(np.mean([point["value"] for point in points if point["step"] > 0.9 * points[-1]["step"]]))
    return {f"{name}.gan.value": last, f"{name}.gan.value.deviation": last / -log(4) - 1}


# --- the study


@final
class Game(Experiment[GameRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[GameRecipe], recipe: GameRecipe, seed: int) -> Scores:
        """Play every game, then measure."""
        networks = {name: network.to(run.device) for name, network in build(recipe, seed).items()}
        judge(run, seed, networks["judge"])
        for name, mixture in MIXTURES.items():
            batch = points_of(mixture, recipe.point_batch, seed, run.device)
            steps, rate, penalty = recipe.point_steps, recipe.point_rate, recipe.point_penalty
            play(run, seed, name, networks, batch, steps, rate=rate, vae_rate=rate, penalty=penalty)
        images = dsprites.Batches(dsprites.part(recipe.images, recipe.seed), recipe.batch, seed, "shuffle", run.device)
        steps, rate, penalty = recipe.image_steps, recipe.image_rate, recipe.image_penalty
        play(run, seed, "image", networks, images, steps, rate=rate, vae_rate=recipe.vae_rate, penalty=penalty)
        scores = run.once(f"seed{seed}", lambda: measured(recipe, networks, seed, run.device), dict[str, Measure])
        measures: dict[str, Measure | float] = {**scores}
        for name in (*MIXTURES, "image"):
            measures |= settled(run, seed, name)
        return measures

    def networks(self, run: Run[GameRecipe]) -> dict[str, nn.Module]:
        """The trained networks of the first seed, in evaluation mode."""
        seed, networks = run.recipe.seed, build(run.recipe, run.recipe.seed)
        run.load(f"seed{seed}/judge", {"judge": networks["judge"]})
        for name in (*MIXTURES, "image"):
            run.load(
                f"seed{seed}/{name}-gan", {role: networks[f"{name}_{role}"] for role in ("generator", "discriminator")}
            )
            run.load(f"seed{seed}/{name}-vae", {"vae": networks[f"{name}_vae"]})
        return {name: network.to(run.device) for name, network in networks.items()}

    @torch.no_grad()
    def lesion_measures(self, run: Run[GameRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """V of every game in nats, modes and quality of points, images that hold a shape; 500 points, 32 images."""
        seed, device = run.recipe.seed, run.device
        judgement = verdicts(networks["judge"], device).measures()
        measures = {"judge.error": judgement["judge.error"]}
        data = {
            name: mixtures.draw(mixture, 500, torch_generator(seed, "measure/data", 0, device))
            for name, mixture in MIXTURES.items()
        }
        factors = numpy_generator(seed, "measure/data").integers(dsprites.SIZES, size=(32, len(dsprites.SIZES)))
        data["image"] = dsprites.as_batch(dsprites.render(factors), device)
        for name, real in data.items():
            samples = made(networks, name, len(real), seed, device)
            discriminator = networks[f"{name}_discriminator"]
            measures[f"{name}.gan.value"] = float(value(discriminator(real), discriminator(samples["gan"])))
            for kind, sample in samples.items():
                if name == "image":
                    measures[f"image.{kind}.shapes"] = mean(holds_shape(sample))
                else:
                    modes, measures[f"{name}.{kind}.quality"] = mixtures.coverage(MIXTURES[name], sample)
                    measures[f"{name}.{kind}.modes"] = float(modes)
        return measures

    def figures(self, run: Run[GameRecipe]) -> dict[str, Figure]:
        """The judge, the points and the images of the first seed."""
        seed, device, networks = run.recipe.seed, run.device, self.networks(run)
        points = {}
        for name, mixture in MIXTURES.items():
            data = mixtures.draw(mixture, 600, torch_generator(seed, "figure", 0, device))
            points[name] = {"data": data, **made(networks, name, 600, seed, device)}
        factors = numpy_generator(seed, "figure").integers(dsprites.SIZES, size=(24, len(dsprites.SIZES)))
        data = dsprites.as_batch(dsprites.render(factors), device)
        model: Any = networks["image_vae"]
        with torch.no_grad():
            reconstructed = torch.sigmoid(model.decode(model.encode(data).mean))
        images = {"data": data, "reconstructed": reconstructed, **made(networks, "image", 24, seed, device)}
        return {
            "game": judged(msgspec.structs.asdict(verdicts(networks["judge"], device))),
            "mixtures": scattered(points, run.measures()),
            "samples": side_by_side(images, run.measures()),
        }
