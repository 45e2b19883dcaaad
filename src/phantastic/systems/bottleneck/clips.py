"""Clips as the models take them, rendered or the user's own: frames and log-mel spectrograms, standardised."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float16, Int, UInt8
from torch import Tensor

from phantastic.data.audioset import audioset, by_folder
from phantastic.data.audiovisual import blended, mixing, mixup
from phantastic.data.clips import Listing, load
from phantastic.data.files import folder
from phantastic.data.spectrogram import log_mel
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import Epochs, numpy_generator
from phantastic.systems.bottleneck.model import Architecture, Sense
from phantastic.systems.bottleneck.study import FusionRecipe
from phantastic.world import events

LIGHT, LOUDNESS = (107.0, 42.0), (-0.25, 1.2)  # mean and sd of pixels and of log-mel energies of quiet clips
CHUNK = 256  # clips whose sounds are held at once


class Corpus(NamedTuple):
    """Clips in memory."""

    frames: UInt8[Tensor, "n time height width 3"]
    spectrograms: Float16[Tensor, "n time bands"]
    labels: Float[Tensor, "n classes"]

    def inputs(self, rows: Int[Tensor, " batch"] | slice, senses: Sequence[str]) -> dict[str, Tensor]:
        """What a model with these senses takes of some clips."""
        inputs = {}
        if "rgb" in senses:
            inputs["rgb"] = (self.frames[rows].float() - LIGHT[0]) / LIGHT[1]
        if "spectrogram" in senses:
            inputs["spectrogram"] = ((self.spectrograms[rows].float() - LOUDNESS[0]) / LOUDNESS[1])[..., None]
        return inputs


def corpus(recipe: FusionRecipe, seed: int, part: str, count: int) -> Corpus:
    """The clips of a part, "train" or "test": rendered, or all usable ones of the recipe's folder; which of these were
    left out, and why, is told on the terminal. Raises `Refused` naming what is missing or damaged."""
    if not recipe.data:
        return render(recipe, seed, f"fusion/{part}", count)
    listed = listing(recipe, part)
    loaded, report = load(
        listed, Path(recipe.data) / part, seconds=recipe.seconds, frames=recipe.frames, size=recipe.size
    )
    print(f"{part}: " + "; ".join(report.lines()), file=sys.stderr)
    sound = torch.from_numpy(loaded.sound)
    parts = [log_mel(chunk, bands=recipe.bands, hop=recipe.hop).half() for chunk in sound.split(CHUNK)]
    return Corpus(torch.from_numpy(loaded.frames), torch.cat(parts), torch.from_numpy(loaded.labels))


def listing(recipe: FusionRecipe, part: str) -> Listing:
    """What a part of the recipe's folder should hold: by AudioSet's class_labels_indices.csv and train.csv or test.csv,
    where these are there, else by a folder for each class."""
    root = folder(recipe.data, "a folder with train and test in it")
    labels = root / "class_labels_indices.csv"
    if labels.exists():
        return audioset(root / f"{part}.csv", labels)
    listed = by_folder(root / part)
    if part == "test" and listed.classes != (expected := by_folder(root / "train").classes):
        odd = sorted(set(listed.classes) ^ set(expected))[0]
        raise Refused(f"{recipe.data!r}: train and test must hold the same classes; only one of them holds {odd!r}")
    return listed


def classes_of(recipe: FusionRecipe) -> tuple[str, ...]:
    return listing(recipe, "train").classes if recipe.data else events.CLASSES


def groups_of(recipe: FusionRecipe) -> dict[str, tuple[int, ...]]:
    """Classes by what their labels ask of the senses, which is known of rendered clips only."""
    return {} if recipe.data else events.GROUPS


def render(recipe: FusionRecipe, seed: int, purpose: str, count: int) -> Corpus:
    """Clips of the recipe's world; a clip hangs on (seed, purpose, its number) alone."""
    world = events.World(
        recipe.size, recipe.frames, visual_noise=recipe.visual_noise, auditory_noise=recipe.auditory_noise
    )
    parts = []
    for first in range(0, count, CHUNK):
        clips = events.render(world, seed, purpose, range(first, min(count, first + CHUNK)))
        parts.append(converted(clips, recipe))
    return Corpus(*(torch.cat(part) for part in zip(*parts, strict=True)))


def converted(clips: events.Clips, recipe: FusionRecipe) -> Corpus:
    """Clips with one ear, as the models take them."""
    sound = torch.from_numpy(clips.sound[:, 0])
    return Corpus(
        torch.from_numpy(clips.frames),
        log_mel(sound, bands=recipe.bands, hop=recipe.hop).half(),
        torch.from_numpy(clips.labels),
    )


def batch(
    corpus: Corpus, recipe: FusionRecipe, senses: Sequence[str], seed: int, step: int, part: slice = slice(None)
) -> tuple[dict[str, Tensor], dict[str, Float[Tensor, "batch classes"]]]:
    """The clips of a training step, or a part of them, and the labels of each sense: every clip comes once an epoch, in
    random order.

    With mixup each sense of a clip is mixed with that of one other clip by a weight of its own, and so are the labels
    that its logits are held against (modality mixup; Nagrani et al. 2021, section 4.2).
    """
    rows = torch.from_numpy(Epochs(len(corpus.labels), recipe.batch, seed, "order")(step))
    inputs, labels = corpus.inputs(rows[part], senses), corpus.labels[rows]
    targets = dict.fromkeys(senses, labels[part])
    if recipe.mixup:
        generator = numpy_generator(seed, "mixup", step)
        mixes = [mixing(len(rows), recipe.mixup, generator) for _ in senses]
        partner = mixes[0][1]
        for sense, (weight, _) in zip(senses, mixes, strict=True):
            others = corpus.inputs(rows[partner[part]], (sense,))[sense]  # only this part is read
            inputs[sense] = blended(inputs[sense], others, weight[part])
            targets[sense] = mixup(labels, weight, partner)[part]
    return inputs, targets


def senses_of(recipe: FusionRecipe) -> dict[str, Sense]:
    """How the recipe cuts clips into tokens; hearing first, as in the published program."""
    if not recipe.data and recipe.seconds != events.SECONDS:
        raise Refused(f"seconds = {recipe.seconds:g}: rendered clips have {events.SECONDS:g} s; the key is for data")
    frames = round(recipe.seconds / recipe.hop)
    return {
        "spectrogram": Sense.of((frames, recipe.bands), (recipe.patch_time, recipe.patch_bands), channels=1),
        "rgb": Sense.of((recipe.frames, recipe.size, recipe.size), (recipe.tubelet, recipe.patch, recipe.patch)),
    }


def architectures(recipe: FusionRecipe) -> dict[str, Architecture]:
    """Every model of the study by name: each way of fusing at each layer, late fusion, other numbers of bottlenecks at
    the middle layer, each sense alone. What they have in common is in the recipe."""
    both, layers, classes = senses_of(recipe), recipe.layers, len(classes_of(recipe))

    def build(senses: dict[str, Sense] = both, **changes: Any) -> Architecture:
        settings: dict[str, Any] = {"fusion_layer": layers, "bottlenecks": recipe.bottlenecks} | changes
        return Architecture(
            senses,
            layers=layers,
            width=recipe.width,
            heads=recipe.heads,
            hidden=4 * recipe.width,
            classes=classes,
            stochastic_depth=recipe.stochastic_depth,
            **settings,
        )

    plans = {"late": build()}
    for layer in fused_layers(recipe):
        plans[f"bottleneck{layer}"] = build(fusion_layer=layer)
        plans[f"vanilla{layer}"] = build(fusion_layer=layer, fusion="vanilla")
    for number in recipe.numbers:
        if number != recipe.bottlenecks:
            plans[f"tokens{number}"] = build(fusion_layer=middle(recipe), bottlenecks=number)
    return plans | {name: build({name: both[name]}, fusion="vanilla") for name in ("rgb", "spectrogram")}


def fused_layers(recipe: FusionRecipe) -> list[int]:
    """The fusion layers before late fusion, evenly spread, early fusion among them."""
    return sorted({int(layer) for layer in np.linspace(0, recipe.layers, recipe.points)[:-1].round()})


def middle(recipe: FusionRecipe) -> int:
    """The fusion layer half way between early and late."""
    layers = fused_layers(recipe)
    return min(layers, key=lambda layer: (abs(2 * layer - recipe.layers), layer))
