"""The study `vae`: members of the family trained on the same batches of dSprites, and held against the same factors."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.data import folders
from phantastic.declare.measure import Measure, resampled
from phantastic.ground import files
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.measures import disentanglement
from phantastic.measures.bootstrap import mean, over_items
from phantastic.nn.autoencoder.denoising import denoising, occlude
from phantastic.nn.autoencoder.model import VAE, Autoencoder, DenoisingAutoencoder, Discriminator, he_initialised
from phantastic.nn.autoencoder.plain import reconstructing
from phantastic.nn.distributions import Gaussian, kl_to_standard, sample
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.show.figure import Figure, write
from phantastic.systems.vae.curve import EPOCH, PUBLISHED, from_curve
from phantastic.systems.vae.holes import holes
from phantastic.systems.vae.objectives.annealed_capacity import annealed_capacity
from phantastic.systems.vae.objectives.beta_tcvae import beta_tcvae
from phantastic.systems.vae.objectives.beta_vae import beta_vae, warm_up
from phantastic.systems.vae.objectives.factor_vae import factor_vae
from phantastic.systems.vae.study import FamilyApply, FamilyRecipe
from phantastic.systems.vae.vae_figures import against_limits, learning, new_images, pictures, traversals
from phantastic.world import dsprites

AT_ONCE = 512  # images in a pass without gradients
LOOKED_AT = 1_000  # images that new ones are counted beside
Member = VAE | DenoisingAutoencoder | Autoencoder


# --- training


def build(recipe: FamilyRecipe, objective: str, seed: int) -> dict[str, nn.Module]:
    """The member's model under its own name and, for FactorVAE, its discriminator; the VAEs all begin alike."""
    with initialised(seed, "model"):
        if objective == "denoising":
            return {objective: DenoisingAutoencoder(1, dsprites.SIZE)}
        if objective == "autoencoder":
            return {objective: he_initialised(Autoencoder(1, dsprites.SIZE, recipe.latent))}
        model = he_initialised(VAE(1, dsprites.SIZE, recipe.latent))  # as in the published runs behind `full`
        judge = {"discriminator": Discriminator(recipe.latent)} if objective == "factor" else {}
        return {objective: model, **judge}


def losses(
    recipe: FamilyRecipe,
    objective: str,
    seed: int,
    modules: Mapping[str, nn.Module],
    data: dsprites.DSprites,
    device: torch.device,
) -> Callable[[int], Mapping[str, Tensor]]:
    """The objective as a function of the step; batches and noise are the same for every member."""
    model: Any = modules[objective]
    batches = dsprites.Batches(data, recipe.batch, seed, "shuffle", device)
    others = dsprites.Batches(data, recipe.batch, seed, "shuffle/others", device)

    def noise(step: int) -> torch.Generator:
        return torch_generator(seed, "noise", step, device)

    match objective:
        case "vae" | "beta":  # with a weight of 1, `beta_vae` is `vae` to the bit
            beta = recipe.beta if objective == "beta" else 1.0
            return lambda step: beta_vae(model, batches(step), noise(step), beta=beta * warm_up(step, recipe.warm_up))
        case "capacity":
            gamma, capacity, steps = recipe.capacity_weight, recipe.capacity, recipe.capacity_steps
            return lambda step: annealed_capacity(
                model, batches(step), noise(step), step, gamma=gamma, capacity=capacity, steps=steps
            )
        case "factor":
            judge, gamma = modules["discriminator"], recipe.factor_weight
            return lambda step: factor_vae(model, judge, batches(step), others(step), noise(step), gamma=gamma)
        case "tcvae":
            return lambda step: beta_tcvae(model, batches(step), noise(step), beta=recipe.tc_weight, size=len(data))
        case "autoencoder":
            return lambda step: reconstructing(model, batches(step))
        case _:
            return lambda step: denoising(model, batches(step), noise(step))


def fit(run: Run[FamilyRecipe], objective: str, seed: int, data: dsprites.DSprites) -> Member:
    """The member, trained (or loaded, where that was done before)."""
    recipe = run.recipe
    modules = {name: module.to(run.device) for name, module in build(recipe, objective, seed).items()}
    optimisers = {"loss": torch.optim.Adam(modules[objective].parameters(), recipe.learning_rate, fused=True)}
    if objective == "factor":  # momentum as in Kim & Mnih (2018, appendix A)
        optimisers["discriminator"] = torch.optim.Adam(
            modules["discriminator"].parameters(), recipe.discriminator_rate, (0.5, 0.9), fused=True
        )
    per_step = losses(recipe, objective, seed, modules, data, run.device)
    train(run, f"seed{seed}/{objective}", modules, optimisers, per_step, steps=recipe.steps)
    model: Any = modules[objective]
    return model


# --- measures


class Sprites:
    """dSprites as the intervention scores draw on it (see `measure.FactorDataset`): an image is named by its factors.

    Where more images would be drawn than there are, all are coded once and then looked up.
    """

    sizes = dsprites.SIZES

    def __init__(self, model: VAE, device: torch.device, drawn: int):
        self.model, self.device = model, device
        self.known: np.ndarray | None = None
        if drawn > dsprites.IMAGES:
            portions = np.array_split(np.arange(dsprites.IMAGES), dsprites.IMAGES // AT_ONCE)
            self.known = np.concatenate([self.encode(dsprites.factors_of(portion)) for portion in portions])

    def images(self, factors: Int[np.ndarray, "n 5"], generator: np.random.Generator) -> Int[np.ndarray, "n 5"]:
        return factors

    @torch.no_grad()
    def encode(self, factors: Int[np.ndarray, "n 5"]) -> Float[np.ndarray, "n latent"]:
        """Posterior means."""
        if self.known is not None:
            return self.known[dsprites.index(factors)]
        return self.model.encode(dsprites.as_batch(dsprites.render(factors), self.device)).mean.cpu().numpy()


class Coded(NamedTuple):
    """What a VAE makes of images, on the CPU: codes, and the two terms of its bound for every image, in nats."""

    q: Gaussian
    codes: Float[Tensor, "n latent"]
    reconstruction: Float[np.ndarray, " n"]
    kl: Float[np.ndarray, " n"]


def test_images(count: int, seed: int) -> tuple[Int[np.ndarray, "n 5"], np.ndarray]:
    """Factors drawn uniformly, and their images."""
    factors = numpy_generator(seed, "measure/images").integers(dsprites.SIZES, size=(count, len(dsprites.SIZES)))
    return factors, dsprites.render(factors)


@torch.no_grad()
def coded(model: VAE, images: Float[Tensor, "n 1 64 64"], seed: int) -> Coded:
    """One pass over images; one code is drawn for each from (seed, "measure/noise")."""
    parts = []
    for number, portion in enumerate(images.split(AT_ONCE)):
        q = model.encode(portion)
        codes = sample(q, torch_generator(seed, "measure/noise", number, portion.device))
        log_likelihood = model.log_likelihood(model.decode(codes), portion)
        parts.append((q.mean, q.log_variance, codes, -log_likelihood, kl_to_standard(q).sum(1)))
    mean, log_variance, codes, reconstruction, kl = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return Coded(Gaussian(mean, log_variance), codes, reconstruction.double().numpy(), kl.double().numpy())


@torch.no_grad()
def restored(
    model: DenoisingAutoencoder | Autoencoder, images: Float[Tensor, "n 1 64 64"], seed: int
) -> Float[np.ndarray, " n"]:
    """-log p(x|z) of images, or -log p(x|x̃) of images of which a rectangle was hidden, nats per image."""
    parts = []
    for number, portion in enumerate(images.split(AT_ONCE)):
        if isinstance(model, Autoencoder):
            logits = model.decode(model.encode(portion))
        else:
            hidden = occlude(portion, torch_generator(seed, "measure/noise", number, portion.device))
            logits = model.reconstruct_logits(hidden)
        parts.append(-model.log_likelihood(logits, portion).cpu())
    return torch.cat(parts).double().numpy()


def gaussian_total_correlation(codes: Float[np.ndarray, "n d"]) -> float:
    """Total correlation in nats of a Gaussian with the covariance of the codes (Locatello et al. 2019, section 5.2)."""
    covariance = np.cov(codes.T)
    return float(0.5 * (np.log(covariance.diagonal()).sum() - np.linalg.slogdet(covariance)[1]))


def measured(recipe: FamilyRecipe, name: str, model: Member, seed: int, device: torch.device) -> dict[str, Measure]:
    """Everything measured on one trained member. What is measured image by image is resampled alike for all members;
    the votes of the two scores are not the same ones, and are drawn apart."""
    factors, images = test_images(recipe.sample, seed)
    batch, generator = dsprites.as_batch(images, device), numpy_generator(seed, "measure/bootstrap")
    if not isinstance(model, VAE):
        error = {"reconstruction": over_items(restored(model, batch, seed), generator, mean)}
        return error | (holes(model, batch[:LOOKED_AT], seed) if isinstance(model, Autoencoder) else {})
    result = coded(model, batch, seed)
    means, codes = result.q.mean.double().numpy(), result.codes.double().numpy()

    apart = numpy_generator(seed, f"measure/bootstrap/{name}")

    def accuracy(score: float) -> Measure:
        tested = recipe.votes // 2
        return resampled(score, (apart.binomial(tested, score, size=500) / tested).tolist())

    votes = {"train_votes": recipe.votes, "eval_votes": recipe.votes // 2}
    sprites = Sprites(model, device, 3 * 64 * (recipe.votes + recipe.votes // 2))  # images in the votes of both scores
    factor_score = disentanglement.factor_vae_score(
        sprites.encode, sprites, seed, variance_images=recipe.sample, **votes
    )
    single = {
        "active_units": disentanglement.active_units(means),
        "mig": disentanglement.mig(means, factors),
        "grouped_mig": disentanglement.grouped_mig(means, factors),
        "sap": disentanglement.sap(means, factors),
        "modularity": disentanglement.modularity(means, factors),
        "explicitness": disentanglement.explicitness(means, factors),
    }
    trees = disentanglement.dci(means, factors, train=recipe.dci_sample, test=recipe.dci_sample // 2)
    single |= dict(zip(("dci_disentanglement", "dci_completeness", "dci_informativeness"), trees, strict=True))
    return {
        "reconstruction": over_items(result.reconstruction, generator, mean),
        "kl": over_items(result.kl, generator, mean),
        "total_correlation": over_items(codes, generator, gaussian_total_correlation),
        "factor_vae_score": accuracy(factor_score),
        "beta_vae_score": accuracy(disentanglement.beta_vae_score(sprites.encode, sprites, seed, **votes)),
        **{name: Measure(float(value), [float(value)]) for name, value in single.items()},
        **holes(model, batch[:LOOKED_AT], seed),
    }


# --- the study


@final
class Family(Experiment[FamilyRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[FamilyRecipe], recipe: FamilyRecipe, seed: int) -> Scores:
        """Train every member, then measure it."""
        data = dsprites.part(recipe.images, recipe.seed)
        measures: dict[str, Measure | float] = {}
        for objective in recipe.objectives:
            compute = partial(measured, recipe, objective, fit(run, objective, seed, data), seed, run.device)
            scores = run.once(f"seed{seed}/{objective}", compute, dict[str, Measure])
            curve = from_curve(run, objective, seed)
            measures |= {f"{objective}.{name}": score for name, score in (scores | curve).items()}
        return measures

    def networks(self, run: Run[FamilyRecipe]) -> dict[str, nn.Module]:
        """The trained members of the first seed by objective, in evaluation mode."""
        recipe, members = run.recipe, {}
        for objective in recipe.objectives:
            modules = build(recipe, objective, recipe.seed)
            run.load(f"seed{recipe.seed}/{objective}", modules)
            members[objective] = modules[objective].to(run.device)
        return members

    def lesion_measures(self, run: Run[FamilyRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Reconstruction error and KL, in nats per image, and MIG, on 256 images."""
        factors, images = test_images(256, run.recipe.seed)
        batch, measures = dsprites.as_batch(images, run.device), {}
        for objective, model in networks.items():
            if isinstance(model, DenoisingAutoencoder | Autoencoder):
                measures[f"{objective}.reconstruction"] = mean(restored(model, batch, 0))
            elif isinstance(model, VAE):
                result = coded(model, batch, 0)
                measures[f"{objective}.reconstruction"] = mean(result.reconstruction)
                measures[f"{objective}.kl"] = mean(result.kl)
                measures[f"{objective}.mig"] = disentanglement.mig(result.q.mean.numpy(), factors)
        return measures

    def figures(self, run: Run[FamilyRecipe]) -> dict[str, Figure]:
        """Training curves, measures, reconstructions, and a traversal of every VAE, of the first seed."""
        seed, members = run.recipe.seed, self.networks(run)
        vaes = {objective: model for objective, model in members.items() if isinstance(model, VAE)}
        batch = dsprites.as_batch(test_images(512, seed)[1], run.device)
        heart = dsprites.as_batch(dsprites.render(np.array([[2, 4, 5, 16, 16]])), run.device)
        figures = {
            "learning": learning({name: run.curve(f"seed{seed}/{name}") for name in vaes}, PUBLISHED, EPOCH),
            "measures": against_limits(run.measures(), list(vaes)),
            "reconstructions": pictures(members, batch[:10], ()),
        }
        spaces = {name: model for name, model in members.items() if isinstance(model, VAE | Autoencoder)}
        ends = dsprites.as_batch(dsprites.render(np.array([[2, 4, 5, 4, 4], [0, 4, 5, 27, 27]])), run.device)
        figures["holes"] = new_images(spaces, batch, ends, seed, run.measures())
        for objective, model in vaes.items():
            per_latent = kl_to_standard(coded(model, batch, 0).q).mean(0).numpy()
            figures[f"traversal-{objective}"] = traversals(objective, model, heart, per_latent)
        return figures

    def apply(self, run: Run[FamilyRecipe], request: FamilyApply) -> list[str]:
        """--look FOLDER: the codes and reconstructions of the user's pictures, written into the run's looks/."""
        loaded = folders.load(request.look, dsprites.SIZE, channels=1)
        batch = torch.from_numpy(loaded.images).permute(0, 3, 1, 2).float().to(run.device) / 255
        members = self.networks(run)
        table = [["file", "model", "reconstruction", "kl", *(f"z{i}" for i in range(1, run.recipe.latent + 1))]]
        for objective, model in members.items():
            if isinstance(model, VAE):
                result = coded(model, batch, 0)
                for row, name in enumerate(loaded.names):
                    codes = [f"{value:.6g}" for value in result.q.mean[row].tolist()]
                    terms = f"{result.reconstruction[row]:.6g}", f"{result.kl[row]:.6g}"
                    table.append([name, objective, *terms, *codes])
        stem = run.artefact("looks") / (Path(request.look).resolve().name or "pictures")
        files.write_csv(stem.with_name(f"{stem.name}.csv"), table)
        grid = pictures(members, batch, loaded.names)
        return [str(stem.with_name(f"{stem.name}.csv")), *map(str, write(grid, stem))]
