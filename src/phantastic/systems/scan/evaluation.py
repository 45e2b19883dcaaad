"""What is measured on SCAN and its baselines: sym2img, img2sym, the operators, and how disentangled the codes are."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from phantastic.declare.measure import Measure, summarise
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.measures.bootstrap import mean, over_items
from phantastic.measures.disentanglement import dci, grouped_mig, mig
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder
from phantastic.nn.distributions import Gaussian, sample
from phantastic.systems.scan.baselines import JointVAE
from phantastic.systems.scan.concepts import OPEN, OPERATORS, Vocabulary
from phantastic.systems.scan.measure import Classifier, accuracy, distance, diversity, imagine_and_read, values_of
from phantastic.systems.scan.model import Recombinator, SymbolVAE
from phantastic.systems.scan.rooms import Rooms
from phantastic.systems.scan.study import ScanRecipe
from phantastic.systems.scan.symbolic import Operations, at, perceive, sayable

FACTORS = ("identity", "object", "wall", "floor")


class Mind(NamedTuple):
    """What sees, imagines and names: a visual module with the symbols grounded in it."""

    vae: VAE | JointVAE
    encode: Callable[[Tensor], Gaussian]  # symbols -> q(z_y|y)
    symbols: Callable[[Tensor], Tensor]  # codes -> logits of symbols
    decode: Callable[[Tensor], Tensor]  # codes -> images in [0, 1]


def grounded(vae: VAE, denoiser: DenoisingAutoencoder, symbols: SymbolVAE) -> Mind:
    """SCAN."""
    return Mind(vae, symbols.encode, symbols.decode, imagery(vae, denoiser))


def imagery(vae: VAE, denoiser: DenoisingAutoencoder) -> Callable[[Tensor], Tensor]:
    """Codes -> images: what is imagined passes through the denoiser, as what it was trained to match did."""
    return lambda codes: torch.sigmoid(denoiser.reconstruct_logits(torch.sigmoid(vae.decode(codes))))


def joined(model: Any) -> Mind:
    """JMVAE or TrELBO."""
    return Mind(
        model,
        model.encode_symbols,
        lambda codes: model.symbols(codes).float(),
        lambda codes: torch.sigmoid(model.decoder(codes).float()),
    )


class Setting(NamedTuple):
    """What every measure of a run shares: the rooms, test items and the judge."""

    rooms: Rooms
    concepts: np.ndarray  # taught
    held_out: np.ndarray  # never taught
    factors: np.ndarray
    images: Tensor
    classifier: Classifier

    @property
    def vocabulary(self) -> Vocabulary:
        return self.rooms.vocabulary


@torch.no_grad()
def imagined(scene: Setting, model: Mind, recipe: ScanRecipe, seed: int, prefix: str) -> dict[str, Measure]:
    """sym2img: accuracy, diversity and both in one on the concepts taught and on those held out; all intervals here are
    over resampled concepts, rooms or operations, the same ones for every model."""
    measures: dict[str, Measure] = {}
    device = next(model.vae.parameters()).device
    for name, concepts in (("", scene.concepts), (".held_out", scene.held_out)):
        noise = torch_generator(seed, f"imagine{name}", device=device)

        def imagine(rows: np.ndarray, noise: torch.Generator = noise) -> Tensor:
            return model.decode(sample(model.encode(torch.from_numpy(scene.vocabulary.khot(rows)).to(device)), noise))

        labels = imagine_and_read(concepts, imagine, scene.classifier, recipe.samples)
        measures[f"{prefix}sym2img.accuracy{name}"] = over(accuracy(concepts, labels), seed, "concepts")
        measures[f"{prefix}sym2img.diversity{name}"] = mean_diversity(concepts, labels, scene.vocabulary, seed)
        away = distance(concepts, labels, scene.vocabulary.sizes)
        measures[f"{prefix}sym2img.distance{name}"] = over(away, seed, "concepts")
    return measures


def over(items: np.ndarray, seed: int, kind: str) -> Measure:
    """The mean over items of a kind, with an interval."""
    return over_items(items, numpy_generator(seed, f"bootstrap {kind}"), mean)


def mean_diversity(concepts: np.ndarray, labels: np.ndarray, vocabulary: Vocabulary, seed: int) -> Measure:
    """Mean over the concepts that leave something open; 0 if none does."""
    if not (concepts == OPEN).any():
        return Measure(0.0, [0.0])
    each = diversity(concepts, labels, vocabulary.sizes)
    return over(each[np.isfinite(each)], seed, "concepts that leave something open")


@torch.no_grad()
def both_ways(scene: Setting, model: Mind, recipe: ScanRecipe, seed: int, prefix: str) -> dict[str, Measure]:
    """sym2img and img2sym."""
    measures = imagined(scene, model, recipe, seed, prefix)
    logits = name_images(scene, model, seed)
    right = values_of(logits, scene.vocabulary.blocks) == scene.factors
    measures |= {
        f"{prefix}img2sym.{name}": over(hits, seed, "rooms") for name, hits in zip(FACTORS, right.T, strict=True)
    }
    measures[f"{prefix}img2sym.accuracy"] = over(right.mean(1), seed, "rooms")
    # How many factors the concepts it utters for an image name: the flatter, the more of the hierarchy it uses.
    uttered = torch.bernoulli(torch.sigmoid(logits), generator=torch_generator(seed, "utter", device=logits.device))
    named = torch.stack([uttered[:, block].amax(1) for block in scene.vocabulary.blocks], dim=1).sum(1).long()
    share = np.bincount(named.cpu().numpy(), minlength=5)[1:5] / max(1, int((named > 0).sum()))
    seen = share[share > 0]
    measures[f"{prefix}img2sym.diversity"] = summarise([np.log(4) + (seen * np.log(seen)).sum()])
    return measures


def name_images(scene: Setting, model: Mind, seed: int) -> Tensor:
    """Logits of the symbols for every test room: z ~ q(z_x|x), then p(y|z)."""
    posterior = perceive(model.vae, scene.images)
    noise = torch_generator(seed, "name", device=posterior.mean.device)
    return model.symbols(sample(posterior, noise))


@torch.no_grad()
def recombined(
    scene: Setting, model: Mind, operators: Recombinator, tests: Operations, recipe: ScanRecipe, seed: int
) -> dict[str, Measure]:
    """Accuracy and diversity of each operator on held-out results, the first operand given as symbol and as image."""
    vocabulary = scene.vocabulary
    device = next(operators.parameters()).device
    measures = {}
    first, second = (
        model.encode(torch.from_numpy(vocabulary.khot(part)).to(device)) for part in (tests.first, tests.second)
    )
    operator = torch.from_numpy(tests.operator).to(device)
    complete = np.flatnonzero((tests.first >= 0).all(axis=1))
    cases = {"": (first, second, operator, tests)}
    if len(complete):
        rooms = scene.rooms.observe(tests.first[complete], numpy_generator(seed, "test operands"))
        seen = sayable(perceive(model.vae, rooms), model.encode, vocabulary)
        rows = torch.from_numpy(complete).to(device)
        imaged = tests.where(np.isin(np.arange(len(tests.operator)), complete))
        cases["image."] = (seen, at(second, rows), operator[rows], imaged)
    for kind, (a, b, chosen, operations) in cases.items():
        result = operators(a, b, chosen)
        noise = torch_generator(seed, f"recombine {kind}", device=device)
        labels = []
        for _ in range(recipe.samples):
            labels.append(scene.classifier.read(model.decode(sample(result, noise))))
        read = np.stack(labels, axis=1)
        for index, name in enumerate(OPERATORS):
            rows = operations.operator == index
            if rows.any():
                key = f"operators.{kind}{name.lower().replace(' ', '_')}"
                measures[f"{key}.accuracy"] = over(accuracy(operations.result[rows], read[rows]), seed, key)
                measures[f"{key}.diversity"] = mean_diversity(operations.result[rows], read[rows], vocabulary, seed)
    return measures


def disentangled(scene: Setting, vae: VAE, seed: int) -> dict[str, list[float]]:
    """DCI disentanglement, MIG and grouped MIG of the mean codes, each on four quarters of the test rooms.

    A hue may take two latents, which plain MIG counts as a failure; grouped MIG compares the best latent of a factor
    with the best of those that mainly carry other factors.
    """
    codes = perceive(vae, scene.images).mean.cpu().numpy()
    quarters = np.array_split(numpy_generator(seed, "quarters").permutation(len(codes)), 4)
    return {
        "dci": [dci(codes[rows], scene.factors[rows])[0] for rows in quarters],
        "mig": [mig(codes[rows], scene.factors[rows]) for rows in quarters],
        "grouped_mig": [grouped_mig(codes[rows], scene.factors[rows]) for rows in quarters],
    }
