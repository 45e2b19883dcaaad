"""Training the parts that deal in symbols: SCAN itself, its operators, and the models it is held against."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.autoencoder.model import VAE
from phantastic.nn.distributions import Gaussian
from phantastic.run.folder import Run
from phantastic.run.rates import level_and_linear
from phantastic.run.train import train
from phantastic.systems.scan.baselines import JMVAE, JointVAE, TrELBO
from phantastic.systems.scan.concepts import Vocabulary, draw_operations
from phantastic.systems.scan.model import Recombinator, SymbolVAE
from phantastic.systems.scan.objective import recombination_loss, scan_loss
from phantastic.systems.scan.rooms import Rooms, as_input
from phantastic.systems.scan.study import ScanRecipe
from phantastic.systems.scan.visual import COOLING, Pool, adam


class Lessons(NamedTuple):
    """Concepts with images they are true of: concepts int[c, factors], images uint8[c, pairs, 3, size, size]."""

    concepts: np.ndarray
    images: Tensor

    def rows(self, pairs: int, seed: int, purpose: str, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """A batch: which concept, and which of its first ``pairs`` images."""
        generator = numpy_generator(seed, purpose, step)
        return generator.integers(len(self.concepts), size=count), generator.integers(pairs, size=count)


def draw_concepts(vocabulary: Vocabulary, recipe: ScanRecipe) -> tuple[np.ndarray, np.ndarray]:
    """The concepts taught and the concepts held out, int[n, factors] each."""
    drawn = vocabulary.draw(recipe.concepts + recipe.test_concepts, numpy_generator(recipe.seed, "concepts"))
    return drawn[: recipe.concepts], drawn[recipe.concepts :]


def draw_lessons(rooms: Rooms, concepts: np.ndarray, pairs: int, seed: int) -> Lessons:
    """``pairs`` random rooms for each concept."""
    generator = numpy_generator(seed, "lessons")
    factors = rooms.vocabulary.complete(np.repeat(concepts, pairs, axis=0), generator)
    images = rooms.observe(factors, generator)
    return Lessons(concepts, images.unflatten(0, (len(concepts), pairs)))


@torch.no_grad()
def perceive(vae: VAE | JointVAE, images: Tensor) -> Gaussian:
    """q(z_x|x) of uint8 images [n, 3, size, size]."""
    device = next(vae.parameters()).device
    parts = [vae.encode(as_input(part.to(device))) for part in images.split(512)]
    return Gaussian(torch.cat([part.mean for part in parts]), torch.cat([part.log_variance for part in parts]))


def at(q: Gaussian, rows: Tensor) -> Gaussian:
    """Some rows of a batch of Gaussians."""
    return Gaussian(q.mean[rows], q.log_variance[rows])


@torch.no_grad()
def sayable(seen: Gaussian, encode: Callable[[Tensor], Gaussian], vocabulary: Vocabulary) -> Gaussian:
    """What words can say of what is seen: a latent of which no word alone knows anything is left open.

    The yaw of a room is known of an image and of no word; an operator has one map for all latents and would learn from
    it that what the first operand knows is to be forgotten.
    """
    words = encode(torch.eye(vocabulary.width, device=seen.mean.device))
    known = (words.log_variance < math.log(0.5)).any(0)
    if not known.any():  # words that have learned nothing restrict nothing
        return seen
    return Gaussian(*(torch.where(known, part, 0.0) for part in seen))


def train_scan(
    run: Run,
    recipe: ScanRecipe,
    vocabulary: Vocabulary,
    lessons: Lessons,
    vae: VAE,
    seed: int,
    name: str,
    pairs: int,
    *,
    reverse: bool = False,
) -> SymbolVAE:
    """The symbol VAE, grounded in what ``vae`` sees of the lessons' images; ``reverse`` gives SCAN_R."""
    with initialised(seed, name):
        symbols = SymbolVAE(vocabulary.width, recipe.hidden, recipe.latent).to(run.device)
    seen = perceive(vae, lessons.images.flatten(0, 1))
    codes = torch.from_numpy(vocabulary.khot(lessons.concepts)).to(run.device)
    optimiser = adam(symbols, recipe.symbol_rate)
    available = lessons.images.shape[1]

    def losses(step: int) -> dict[str, Tensor]:
        concept, image = lessons.rows(pairs, seed, f"{name} batch", step, recipe.symbol_batch)
        posterior = at(seen, torch.from_numpy(concept * available + image).to(run.device))
        noise = torch_generator(seed, f"{name} noise", step, run.device)
        return scan_loss(
            symbols,
            codes[concept],
            posterior,
            noise,
            beta=recipe.symbol_beta,
            grounding=recipe.grounding,
            reverse=reverse,
        )

    steps = recipe.symbol_steps
    rate = level_and_linear(steps, COOLING)
    train(run, f"seed{seed}/{name}", {name: symbols}, {"loss": optimiser}, losses, steps=steps, rate=rate)
    return symbols.requires_grad_(False)


class Operations(NamedTuple):
    """Applications of the operators: which one [n], two operands and the result, int[n, factors] each."""

    operator: np.ndarray
    first: np.ndarray
    second: np.ndarray
    result: np.ndarray

    def where(self, keep: np.ndarray) -> "Operations":
        return Operations(*(part[keep] for part in self))


def draw_held_out(vocabulary: Vocabulary, count: int, training: int, seed: int) -> tuple[Operations, Operations]:
    """``training`` operations to learn from and ``count`` to test on; no test result is the result of a lesson."""
    tests = Operations(*draw_operations(vocabulary, count, numpy_generator(seed, "held-out operations")))
    lessons = Operations(*draw_operations(vocabulary, training, numpy_generator(seed, "operations")))
    held = {tuple(row) for row in tests.result}
    taught = lessons.where(np.array([tuple(row) not in held for row in lessons.result]))
    if not len(taught.operator):
        raise Refused(f"test_concepts = {count} leaves no operation to learn from; take fewer, or more colours")
    return taught, tests


def train_operators(
    run: Run, recipe: ScanRecipe, rooms: Rooms, symbols: SymbolVAE, vae: VAE, lessons: Operations, seed: int
) -> Recombinator:
    """The operators, taught by examples whose operands are symbols or, where all is named, an image of it."""
    with initialised(seed, "operators"):
        operators = Recombinator(recipe.operator_hidden).to(run.device)
    vocabulary = rooms.vocabulary
    complete = np.flatnonzero((lessons.first >= 0).all(axis=1))
    seen = perceive(vae, rooms.observe(lessons.first[complete], numpy_generator(seed, "operand images")))
    images = sayable(seen, symbols.encode, vocabulary)
    place = np.full(len(lessons.operator), -1)
    place[complete] = np.arange(len(complete))
    with torch.no_grad():
        first, second, target = (
            symbols.encode(torch.from_numpy(vocabulary.khot(part)).to(run.device))
            for part in (lessons.first, lessons.second, lessons.result)
        )
    optimiser = adam(operators, recipe.operator_rate)

    def losses(step: int) -> dict[str, Tensor]:
        generator = numpy_generator(seed, "operator batch", step)
        rows = generator.integers(len(lessons.operator), size=recipe.batch)
        seen = torch.from_numpy((place[rows] >= 0) & (generator.random(recipe.batch) < 0.5)).to(run.device)[:, None]
        picture = at(images, torch.from_numpy(np.maximum(place[rows], 0)).to(run.device))
        chosen = torch.from_numpy(rows).to(run.device)
        named = at(first, chosen)
        operand = Gaussian(*(torch.where(seen, a, b) for a, b in zip(picture, named, strict=True)))
        operator = torch.from_numpy(lessons.operator[rows]).to(run.device)
        return recombination_loss(operators, operand, at(second, chosen), operator, at(target, chosen))

    stage, steps = f"seed{seed}/operators", recipe.operator_steps
    rate = level_and_linear(steps, COOLING)
    train(run, stage, {"operators": operators}, {"loss": optimiser}, losses, steps=steps, rate=rate)
    return operators.requires_grad_(False)


def train_joint(
    run: Run, recipe: ScanRecipe, vocabulary: Vocabulary, lessons: Lessons, pool: Pool, seed: int, name: str
) -> JMVAE | TrELBO:
    """JMVAE or TrELBO on the same lessons and the same images without symbols; half of each batch is either."""
    with initialised(seed, name):
        kind = JMVAE if name == "jmvae" else TrELBO
        model = kind(recipe.size, vocabulary, recipe.hidden, recipe.latent).to(run.device)
    codes = torch.from_numpy(vocabulary.khot(lessons.concepts)).to(run.device)
    images = lessons.images.to(run.device)
    optimiser = adam(model, recipe.joint_rate)
    half = recipe.batch // 2
    weight = {"alpha": recipe.alpha} if name == "jmvae" else {"gamma": recipe.gamma}

    def losses(step: int) -> dict[str, Tensor]:
        concept, image = lessons.rows(images.shape[1], seed, f"{name} batch", step, half)
        unpaired = pool.batch(f"{name} images", step, half)
        noise = torch_generator(seed, f"{name} noise", step, run.device)
        return model.loss(as_input(images[concept, image]), codes[concept], unpaired, noise, **weight)

    steps = recipe.joint_steps
    rate = level_and_linear(steps, COOLING)
    train(run, f"seed{seed}/{name}", {name: model}, {"loss": optimiser}, losses, steps=steps, rate=rate)
    return model.requires_grad_(False)
