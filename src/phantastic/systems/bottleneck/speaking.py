"""What was said? Stops heard and seen to be spoken (`world.syllables`); then the sound of one on the lips of another.

The models learn from syllables whose sound and sight agree; of some there is only sound, of some only sight. A heard
labial excludes the velum and a seen velar the lips, while the ridge between is consistent with both: who multiplies
what the senses leave possible answers with what neither said (McGurk & MacDonald 1976; Massaro 1987). A velar on the
lips of a labial leaves little between. Late fusion, which adds up the logits of the senses, is that product.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float16, UInt8
from msgspec import Struct
from torch import Tensor
from torch.nn.functional import cross_entropy

from phantastic.data.spectrogram import log_mel
from phantastic.ground.randomness import numpy_generator
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer, Sense
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.study import IntegrationRecipe
from phantastic.world import syllables
from phantastic.world.syllables import ALVEOLAR, LABIAL, NAMES, PLACES, VELAR, Syllables

LIGHT, LOUDNESS = (104.0, 69.0), (0.0, 1.0)  # about the mean and sd of pixels and log-mel energies
BANDS, HOP = 32, 0.02
ALONE = 0.2  # probability, in training, that there is only sight, and that there is only sound
CHUNK = 256
DRAWS = 200
DUBBED = (LABIAL, VELAR)  # what is heard and what is seen
Array = np.ndarray


class Speech(NamedTuple):
    """Syllables in memory; ``cues`` has what was spoken, without frames and sounds."""

    frames: UInt8[Tensor, "n time height width 3"]
    spectrograms: Float16[Tensor, "n time bands"]
    cues: Syllables

    def inputs(self, rows: Tensor | slice) -> dict[str, Tensor]:
        return {
            "spectrogram": ((self.spectrograms[rows].float() - LOUDNESS[0]) / LOUDNESS[1])[..., None],
            "rgb": (self.frames[rows].float() - LIGHT[0]) / LIGHT[1],
        }


def render(seed: int, purpose: str, count: int, dub: tuple[int, int] | None = None, alone: str | float = 0.0) -> Speech:
    """Syllables by number; the same numbers have the same noise, whatever is dubbed or absent."""
    frames, spectrograms, spoken = [], [], []
    for first in range(0, count, CHUNK):
        part = syllables.render(seed, purpose, range(first, min(count, first + CHUNK)), dub, alone)
        frames.append(torch.from_numpy(part.frames))
        spectrograms.append(log_mel(torch.from_numpy(part.sound), bands=BANDS, hop=HOP).half())
        spoken.append(part._replace(frames=part.frames[:, :0], sound=part.sound[:, :0]))
    together = Syllables(*(np.concatenate(part) for part in zip(*spoken, strict=True)))
    return Speech(torch.cat(frames), torch.cat(spectrograms), together)


def architectures(recipe: IntegrationRecipe) -> dict[str, Architecture]:
    """Fusion in the middle through a bottleneck, and late fusion."""
    senses = {
        "spectrogram": Sense.of((round(syllables.SECONDS / HOP), BANDS), (10, 16), channels=1),
        "rgb": Sense.of((syllables.FRAMES, syllables.SIZE, syllables.SIZE), (syllables.FRAMES, 8, 8)),
    }

    def build(fusion_layer: int) -> Architecture:
        return Architecture(
            senses,
            layers=recipe.layers,
            width=recipe.width,
            heads=recipe.heads,
            hidden=4 * recipe.width,
            classes=len(NAMES),
            fusion_layer=fusion_layer,
            bottlenecks=recipe.bottlenecks,
        )

    return {"bottleneck": build(recipe.layers // 3), "late": build(recipe.layers)}


def loss_of(model: FusionTransformer, speech: Speech, rows: Tensor) -> Float[Tensor, ""]:
    """Cross-entropy of what was spoken, nats."""
    logits = model(**speech.inputs(rows))
    return cross_entropy(logits.float(), torch.from_numpy(speech.cues.spoken)[rows].to(logits.device))


@torch.no_grad()
def answers(model: FusionTransformer, speech: Speech) -> Float[Array, "n 6"]:
    """Logits."""
    count = len(speech.frames)
    parts = [model(**speech.inputs(slice(first, first + CHUNK))).cpu() for first in range(0, count, CHUNK)]
    return torch.cat(parts).double().numpy()


class Spoken(Struct):
    """The shares of places in answers to the dubbed syllable, by observer ("bottleneck", "late", "ideal") and by what
    there was of it ("both", "hearing", "sight"); and what is measured."""

    shares: dict[str, dict[str, list[float]]]
    judgement: Judgement


def judged(models: Mapping[str, FusionTransformer], recipe: IntegrationRecipe, seed: int) -> Spoken:
    """Models by name, and the ideal observer of the same cues, on the same syllables.

    ``accuracy``: of syllables whose senses agree. ``between``: of a labial heard on the lips of a velar, the share of
    answers that is the alveolar of the heard voicing. ``alone``: how often the same sound with no face, the same face
    with no sound, or at least one of them, is called alveolar (of either voicing, which sight does not tell).
    ``reverse``: ``between`` for a velar on the lips of a labial. ``short``: by how much of ``between`` a model falls
    short of the ideal observer.
    """

    def given(dub: tuple[int, int] | None, alone: str | float = 0.0) -> tuple[Syllables, dict[str, Array]]:
        speech = render(seed, "integration/spoken", recipe.test_trials, dub, alone)
        said = {name: answers(model, speech).argmax(1) for name, model in models.items()}
        shown = speech.cues
        best = syllables.ideal_observer(shown.seen, shown.heard, shown.voiced, shown.shown, shown.sounded)
        return shown, said | {"ideal": best.argmax(1)}

    agreeing, right = given(None)
    dubbed, both = given(DUBBED)
    turned, reverse = given((VELAR, LABIAL))
    (_, hearing), (_, sight) = given(DUBBED, "heard"), given(DUBBED, "seen")
    items: dict[str, Array] = {}
    for name in both:
        items[f"accuracy.{name}"] = right[name] == agreeing.spoken
        items[f"between.{name}"] = both[name] == 3 * dubbed.voiced + ALVEOLAR
        items[f"reverse.{name}"] = reverse[name] == 3 * turned.voiced + ALVEOLAR
        by_ear, by_eye = hearing[name] % 3 == ALVEOLAR, sight[name] % 3 == ALVEOLAR
        items |= {f"alone.hearing.{name}": by_ear, f"alone.sight.{name}": by_eye}
        items[f"alone.either.{name}"] = by_ear | by_eye
    for name in models:
        items[f"short.{name}"] = items["between.ideal"].astype(float) - items[f"between.{name}"]
    generator = numpy_generator(seed, "integration/spoken/bootstrap")
    samples = generator.integers(recipe.test_trials, size=(DRAWS, recipe.test_trials))
    told = {f"syllable.{name}": float(values.mean()) for name, values in items.items()}
    draws = {f"syllable.{name}": values[samples].mean(1).tolist() for name, values in items.items()}
    conditions = {"hearing": hearing, "sight": sight, "both": both}
    shares = {
        name: {
            condition: [float((said[name] % 3 == place).mean()) for place in PLACES]
            for condition, said in conditions.items()
        }
        for name in both
    }
    return Spoken(shares, Judgement(told, draws))
