"""The study `scan`: from images alone to words, imagined rooms and operators on concepts, and what came of each."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import final

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from phantastic.declare.measure import Measure, resampled
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.run.train import train
from phantastic.show.figure import Figure
from phantastic.systems.scan import apply, figures
from phantastic.systems.scan.concepts import Vocabulary
from phantastic.systems.scan.evaluation import (
    Setting,
    both_ways,
    disentangled,
    grounded,
    imagery,
    imagined,
    joined,
    recombined,
)
from phantastic.systems.scan.measure import Classifier
from phantastic.systems.scan.model import Recombinator, SymbolVAE
from phantastic.systems.scan.rooms import Rooms, as_input
from phantastic.systems.scan.study import ScanApply, ScanRecipe
from phantastic.systems.scan.symbolic import (
    draw_concepts,
    draw_held_out,
    draw_lessons,
    train_joint,
    train_operators,
    train_scan,
)
from phantastic.systems.scan.visual import Pool, adam, features, train_denoiser, train_visual


def learned(run: Run[ScanRecipe], recipe: ScanRecipe, seed: int) -> dict[str, Measure]:
    """Train everything under one seed and measure it."""
    scene = setting(run, recipe)
    taught, tests = draw_held_out(scene.vocabulary, recipe.test_concepts, 20 * recipe.test_concepts, seed)
    pool = Pool(scene.rooms, recipe.images, seed, run.device)
    run.show("rooms", lambda: figures.seen(pool.images))
    denoiser = train_denoiser(run, recipe, pool, seed)

    def watch(vae: VAE) -> None:
        decode = imagery(vae, denoiser)
        run.show("latents", lambda: figures.latents(vae, decode, scene.rooms, seed))

    targets = cache(partial(features, denoiser, pool, run.manifest.precision))
    visual = train_visual(run, recipe, pool, denoiser, targets, seed, "visual", watch)
    train_classifier(run, recipe, scene.classifier, pool)
    lessons = draw_lessons(scene.rooms, scene.concepts, recipe.pairs, seed)
    teach = partial(train_scan, run, recipe, scene.vocabulary, lessons)
    symbols = teach(visual, seed, "scan", recipe.pairs)
    scan = grounded(visual, denoiser, symbols)

    def imagine(operators: Recombinator | None) -> None:
        run.show("imagined", lambda: figures.imagined(scan, operators, scene.rooms, scene.concepts, tests, seed))

    imagine(None)
    operators = train_operators(run, recipe, scene.rooms, symbols, visual, taught, seed)
    imagine(operators)

    def once(name: str, compute: Callable[[], dict[str, Measure]]) -> dict[str, Measure]:
        return run.once(f"seed{seed}/{name}", compute, dict[str, Measure])

    measures = once("scan", lambda: both_ways(scene, scan, recipe, seed, ""))
    measures |= once("operators", lambda: recombined(scene, scan, operators, tests, recipe, seed))
    for pairs in recipe.few:
        fewer = grounded(visual, denoiser, teach(visual, seed, f"scan-{pairs}", pairs))
        measures |= once(f"pairs-{pairs}", partial(imagined, scene, fewer, recipe, seed, f"pairs{pairs}."))
    measures |= {f"pairs{recipe.pairs}.{key}": value for key, value in measures.items() if key.startswith("sym2img")}

    reversed_scan = grounded(visual, denoiser, teach(visual, seed, "scan_r", recipe.pairs, reverse=True))
    measures |= once("scan_r", lambda: both_ways(scene, reversed_scan, recipe, seed, "scan_r."))
    entangled = train_visual(run, recipe, pool, denoiser, targets, seed, "entangled")
    entangled_scan = grounded(entangled, denoiser, teach(entangled, seed, "scan_u", recipe.pairs))
    measures |= once("scan_u", lambda: both_ways(scene, entangled_scan, recipe, seed, "scan_u."))
    for name in ("jmvae", "trelbo") if recipe.baselines else ():
        model = train_joint(run, recipe, scene.vocabulary, lessons, pool, seed, name)
        measures |= once(name, lambda model=model, name=name: both_ways(scene, joined(model), recipe, seed, f"{name}."))

    for name, vae in (("visual", visual), ("entangled", entangled)):
        parts = run.once(f"seed{seed}/{name}-parts", partial(disentangled, scene, vae, seed), dict[str, list[float]])
        measures |= {f"{name}.{key}": resampled(float(np.mean(values)), values) for key, values in parts.items()}
    return measures


def setting(run: Run[ScanRecipe], recipe: ScanRecipe) -> Setting:
    """The concepts and test rooms of a run, and the classifier that judges all of its seeds (trained, if it was)."""
    recipe = msgspec.structs.replace(recipe, seed=run.first_seed)  # all seeds are taught the same concepts
    rooms = Rooms(recipe.size, recipe.colours)
    refuse_impossible(recipe, rooms.vocabulary)
    factors, images = rooms.draw(recipe.test_images, recipe.seed, "test rooms")
    with initialised(recipe.seed, "classifier"):
        classifier = Classifier(recipe.size, rooms.vocabulary).to(run.device)
    if "classifier" in run.checkpoints.latest.finished:
        run.load("classifier", {"classifier": classifier})
        classifier.requires_grad_(False)
    return Setting(rooms, *draw_concepts(rooms.vocabulary, recipe), factors, images, classifier)


def refuse_impossible(recipe: ScanRecipe, vocabulary: Vocabulary) -> None:
    """Raise `Refused` for what the bounds of single parameters cannot rule out."""
    wanted = recipe.concepts + recipe.test_concepts
    if wanted > vocabulary.concepts:
        raise Refused(
            f"concepts + test_concepts = {wanted}, but colours = {recipe.colours} gives {vocabulary.concepts} "
            "different concepts; take fewer concepts or more colours"
        )
    if max(recipe.few, default=0) > recipe.pairs:
        raise Refused(f"few = {list(recipe.few)}: each is at most pairs = {recipe.pairs}, of which they are a part")


def train_classifier(run: Run[ScanRecipe], recipe: ScanRecipe, classifier: Classifier, pool: Pool) -> None:
    """Teach the judge the ground truth of the first seed's images, if it has not been taught."""
    if "classifier" in run.checkpoints.latest.finished:
        return
    labels = torch.from_numpy(pool.factors).to(run.device)
    optimiser = adam(classifier, recipe.classifier_rate)

    def losses(step: int) -> dict[str, Tensor]:
        rows = pool.rows("classifier batch", step, recipe.batch)
        noise = torch_generator(recipe.seed, "classifier noise", step, run.device)
        return {"loss": classifier.loss(roughened(as_input(pool.images[rows]), noise), labels[rows])}

    train(run, "classifier", {"classifier": classifier}, {"loss": optimiser}, losses, steps=recipe.classifier_steps)
    classifier.requires_grad_(False)


def roughened(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images blurred and all a little noisy: the judge must read soft samples as well as sharp rooms."""
    half = len(images) // 2
    soft = torch.nn.functional.avg_pool2d(images[:half], 3, stride=1, padding=1, count_include_pad=False)
    mixed = torch.cat([soft, images[half:]]).contiguous(memory_format=torch.channels_last)
    return mixed + 0.03 * torch.randn(mixed.shape, generator=generator, device=mixed.device)


@final
class Scan(Experiment[ScanRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[ScanRecipe], recipe: ScanRecipe, seed: int) -> Scores:
        return learned(run, recipe, seed)

    def overall(self, run: Run[ScanRecipe], recipe: ScanRecipe, seeds: Sequence[Mapping[str, Measure]]) -> Scores:
        """How well the judge of all seeds reads the test rooms."""
        scene = setting(run, recipe)
        read = scene.classifier.read(as_input(scene.images.to(run.device)))
        return {"classifier.accuracy": float((read == scene.factors).mean())}

    def networks(self, run: Run[ScanRecipe]) -> dict[str, nn.Module]:
        """The visual module, the denoiser, the symbols and the operators of the first seed, trained."""
        recipe = run.recipe
        vocabulary = Rooms(recipe.size, recipe.colours).vocabulary
        modules: dict[str, nn.Module] = {
            "visual": VAE(3, recipe.size, recipe.latent, hidden=(256,)),
            "denoiser": DenoisingAutoencoder(3, recipe.size, recipe.code),
            "scan": SymbolVAE(vocabulary.width, recipe.hidden, recipe.latent),
            "operators": Recombinator(recipe.operator_hidden),
        }
        for name, module in modules.items():
            run.load(f"seed{recipe.seed}/{name}", {name: module})
            module.to(run.device).requires_grad_(False)
        return modules

    def lesion_measures(self, run: Run[ScanRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """sym2img and img2sym accuracy with these models on a part of the test items."""
        recipe = run.recipe
        scene = setting(run, recipe)
        scene = scene._replace(
            concepts=scene.concepts[:40],
            held_out=scene.held_out[:20],
            images=scene.images[:400],
            factors=scene.factors[:400],
        )
        model = grounded(networks["visual"], networks["denoiser"], networks["scan"])  # pyright: ignore[reportArgumentType]
        measures = both_ways(scene, model, recipe, recipe.seed, "")
        return {name: measures[name].value for name in ("sym2img.accuracy", "sym2img.diversity", "img2sym.accuracy")}

    def figures(self, run: Run[ScanRecipe]) -> dict[str, Figure]:
        return figures.figures(run, self.networks(run))

    def apply(self, run: Run[ScanRecipe], request: ScanApply) -> list[str]:
        return apply.apply(run, lambda: self.networks(run), request)
