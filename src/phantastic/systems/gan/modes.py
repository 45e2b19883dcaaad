"""The study `modes`: a judge of a fixed generator, then GANs and a VAE on two mixtures of points."""

from collections.abc import Mapping
from typing import Any, final

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.autoencoder.vae import vae
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.gan import mixtures
from phantastic.systems.gan.game import Batch, answer, play, settled
from phantastic.systems.gan.model import PointDiscriminator, PointGenerator, PointVAE
from phantastic.systems.gan.modes_figures import judged, scattered
from phantastic.systems.gan.objective import optimal_discriminator, value
from phantastic.systems.gan.study import ModesRecipe

MIXTURES = {"ring": mixtures.ring(), "grid": mixtures.grid()}
GAMES = ("gan", "r1")  # without the penalty, and with it
NOISE = 2  # dimensions of the noise and of the VAE's code (PacGAN, VEEGAN)
START = 0.02  # the variance that a VAE begins with, as a share of the data's
FASTER = 10.0  # times the step size of its networks: one log-variance has further to go than any weight
REAL, MADE = (-0.5, 0.7), (0.5, 1.2)  # mean and sd of the data and of the generator in the game with a fixed generator


class FixedGenerator(nn.Module):
    """A generator that does not learn: N(mean, sd²) on a line."""

    noise = 1

    def forward(self, noise: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        return MADE[0] + MADE[1] * noise


# --- training


def build(seed: int) -> dict[str, nn.Module]:
    """Every network of the study by name, as it begins; the games with and without the penalty begin alike."""
    networks: dict[str, nn.Module] = {}
    with initialised(seed, "judge"):
        networks["judge"] = PointDiscriminator(1)
    for name, mixture in MIXTURES.items():
        for game in GAMES:
            with initialised(seed, name):
                networks[f"{name}_{game}_generator"] = PointGenerator(NOISE, 2)
                networks[f"{name}_{game}_discriminator"] = PointDiscriminator(2)
                networks[f"{name}_{game}_judge"] = PointDiscriminator(2)
        with initialised(seed, f"{name} vae"):
            networks[f"{name}_vae"] = PointVAE(NOISE, 2, START * mixtures.variance(mixture))
    return networks


def points_of(mixture: mixtures.Mixture, count: int, seed: int, device: torch.device) -> Batch:
    return lambda step: mixtures.draw(mixture, count, torch_generator(seed, "points", step, device))


def real_line(count: int, seed: int, device: torch.device) -> Batch:
    def draw(step: int) -> Float[Tensor, "count 1"]:
        generator = torch_generator(seed, "points", step, device)
        return REAL[0] + REAL[1] * torch.randn((count, 1), generator=generator, device=device)

    return draw


def explain(run: Run[ModesRecipe], seed: int, name: str, model: PointVAE, batch: Batch) -> None:
    """Train a VAE on the batches of the games; its step size falls as theirs does."""
    recipe = run.recipe
    networks = [parameter for key, parameter in model.named_parameters() if key != "log_variance"]
    groups = [{"params": networks}, {"params": [model.log_variance], "lr": FASTER * recipe.vae_rate}]
    optimiser = {"loss": torch.optim.Adam(groups, recipe.vae_rate, fused=True)}

    def losses(step: int) -> Mapping[str, Tensor]:
        return vae(model, batch(step), torch_generator(seed, "noise", step, run.device))

    falling = level_and_linear(recipe.steps, 2)
    train(run, f"seed{seed}/{name}-vae", {"vae": model}, optimiser, losses, steps=recipe.steps, rate=falling)


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
    """``count`` samples of either generator and of the VAE, from the same noise (the VAE adds its own)."""
    generator = torch_generator(seed, "sample", 0, device)
    noise = torch.randn((count, NOISE), generator=generator, device=device)
    model: Any = networks[f"{name}_vae"]
    means = model.decode(noise)
    spread = (0.5 * model.log_variance).exp() * torch.randn(means.shape, generator=generator, device=device)
    return {game: networks[f"{name}_{game}_generator"](noise) for game in GAMES} | {"vae": means + spread}


def measured(
    recipe: ModesRecipe, networks: Mapping[str, nn.Module], seed: int, device: torch.device
) -> dict[str, Measure]:
    """Everything measured on the trained networks of one seed."""
    measures = {
        name: Measure(number, [number]) for name, number in verdicts(networks["judge"], device).measures().items()
    }
    for name, mixture in MIXTURES.items():
        for kind, points in made(networks, name, recipe.sample, seed, device).items():
            modes, good = mixtures.coverage(mixture, points)
            measures[f"{name}.{kind}.modes"] = Measure(float(modes), [float(modes)])
            measures[f"{name}.{kind}.quality"] = over_items(good, numpy_generator(seed, "measure/bootstrap"), mean)
    return measures


# --- the study


@final
class Modes(Experiment[ModesRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[ModesRecipe], recipe: ModesRecipe, seed: int) -> Scores:
        """Play every game, let a new judge answer what it came to, then measure."""
        networks: dict[str, Any] = {name: network.to(run.device) for name, network in build(seed).items()}
        line = real_line(recipe.batch, seed, run.device)
        answer(run, seed, "judge", networks["judge"], FixedGenerator(), line, recipe.steps, rate=recipe.rate)
        values: dict[str, float] = {}
        for name, mixture in MIXTURES.items():
            batch = points_of(mixture, recipe.batch, seed, run.device)
            for game in GAMES:
                stage = f"{name}-{game}"
                players = {role: networks[f"{name}_{game}_{role}"] for role in ("generator", "discriminator")}
                penalty = recipe.penalty if game == "r1" else 0.0
                play(run, seed, stage, players, batch, recipe.steps, rate=recipe.rate, penalty=penalty)
                judge, generator, half = (
                    networks[f"{name}_{game}_judge"],
                    players["generator"],
                    max(1, recipe.steps // 2),
                )
                answer(run, seed, f"{stage}-judge", judge, generator, batch, half, rate=recipe.rate)
                for kind, of in (("value", stage), ("answered", f"{stage}-judge")):
                    key = f"{name}.{game}.{kind}"
                    values[key], values[f"{key}.deviation"] = settled(run, seed, of)
            explain(run, seed, name, networks[f"{name}_vae"], batch)
        scores = run.once(f"seed{seed}", lambda: measured(recipe, networks, seed, run.device), dict[str, Measure])
        return {**scores, **values}

    def networks(self, run: Run[ModesRecipe]) -> dict[str, nn.Module]:
        """The trained networks of the first seed, in evaluation mode."""
        seed, networks = run.recipe.seed, build(run.recipe.seed)
        run.load(f"seed{seed}/judge", {"judge": networks["judge"]})
        for name in MIXTURES:
            for game in GAMES:
                players = {role: networks[f"{name}_{game}_{role}"] for role in ("generator", "discriminator")}
                run.load(f"seed{seed}/{name}-{game}", players)
                run.load(f"seed{seed}/{name}-{game}-judge", {"judge": networks[f"{name}_{game}_judge"]})
            run.load(f"seed{seed}/{name}-vae", {"vae": networks[f"{name}_vae"]})
        return {name: network.to(run.device) for name, network in networks.items()}

    @torch.no_grad()
    def lesion_measures(self, run: Run[ModesRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """V of every game in nats, before either judge, and modes and quality; 500 points."""
        seed, device = run.recipe.seed, run.device
        measures = {"judge.error": verdicts(networks["judge"], device).measures()["judge.error"]}
        for name, mixture in MIXTURES.items():
            real = mixtures.draw(mixture, 500, torch_generator(seed, "measure/data", 0, device))
            samples = made(networks, name, len(real), seed, device)
            for game in GAMES:
                for kind, role in (("value", "discriminator"), ("answered", "judge")):
                    judge = networks[f"{name}_{game}_{role}"]
                    measures[f"{name}.{game}.{kind}"] = float(value(judge(real), judge(samples[game])))
            for kind, points in samples.items():
                modes, good = mixtures.coverage(mixture, points)
                measures[f"{name}.{kind}.modes"], measures[f"{name}.{kind}.quality"] = float(modes), mean(good)
        return measures

    def figures(self, run: Run[ModesRecipe]) -> dict[str, Figure]:
        """The judge and the points of the first seed."""
        seed, device, networks = run.recipe.seed, run.device, self.networks(run)
        points = {}
        for name, mixture in MIXTURES.items():
            data = mixtures.draw(mixture, 600, torch_generator(seed, "figure", 0, device))
            points[name] = {"data": data, **made(networks, name, 600, seed, device)}
        return {
            "game": judged(msgspec.structs.asdict(verdicts(networks["judge"], device))),
            "mixtures": scattered(points, run.measures()),
        }
