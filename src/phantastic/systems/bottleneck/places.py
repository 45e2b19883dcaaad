"""Where was it? Models that point at the source of a flash and of a burst, and how they weigh the two (`world.cues`).

A model answers with a distribution over places, for the flash's source and for the burst's; its response is the mean of
each. Held against it is the ideal observer of the same cues (`cues.ideal_observer`), and people: Ernst & Banks (2002)
and Alais & Burr (2004) for the weights, Körding et al. (2007) for cues far apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float16, Int, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy

from phantastic.data.spectrogram import log_mel
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer, Sense
from phantastic.systems.bottleneck.study import IntegrationRecipe
from phantastic.world import cues

CENTRES = torch.linspace(-0.6, 0.6, 25)  # places that are told apart; sources lie between -.5 and .5
SIGMAS = (0.03, 0.06, 0.12)  # reliabilities of either cue that weights are measured at
VENTRILOQUIST = (0.04, 0.12)  # sight reliable, hearing less so, as in life
LIGHT, LOUDNESS = (57.0, 17.0), (0.86, 1.21)  # mean and sd of pixels and of log-mel energies of trials
BANDS, HOP = 32, 0.02
# standard deviation of positions as they begin: here the place of a patch is the answer, and at .02, as published, it
# takes thousands of steps to be seen beside what is in the patch
POSITION_SCALE = 0.5
CHUNK = 256
Array = np.ndarray


class Trials(NamedTuple):
    """Trials in memory; ``cues`` has what was shown, without frames and sounds."""

    frames: UInt8[Tensor, "n time height width 3"]
    spectrograms: Float16[Tensor, "n time bands 3"]
    cues: cues.Cues

    def inputs(self, rows: Int[Tensor, " batch"] | slice, senses: Sequence[str]) -> dict[str, Tensor]:
        """What a model with these senses takes. Hearing has both ears and their difference."""
        inputs = {}
        if "spectrogram" in senses:
            ears = (self.spectrograms[rows].float() - LOUDNESS[0]) / LOUDNESS[1]
            inputs["spectrogram"] = torch.cat([ears, 2 * (ears[..., :1] - ears[..., 1:])], -1)
        if "rgb" in senses:
            inputs["rgb"] = (self.frames[rows].float() - LIGHT[0]) / LIGHT[1]
        return inputs


def render(setting: cues.Setting, seed: int, purpose: str, count: int) -> Trials:
    """Trials by number; the same numbers have the same sources and noise under other settings."""
    frames, spectrograms, shown = [], [], []
    for first in range(0, count, CHUNK):
        trials = cues.render(setting, seed, purpose, range(first, min(count, first + CHUNK)))
        frames.append(torch.from_numpy(trials.frames))
        heard = log_mel(torch.from_numpy(trials.sound), bands=BANDS, hop=HOP)
        spectrograms.append(heard.permute(0, 2, 3, 1).half())
        shown.append(trials._replace(frames=trials.frames[:, :0], sound=trials.sound[..., :0]))
    together = cues.Cues(*(np.concatenate(part) for part in zip(*shown, strict=True)))
    return Trials(torch.cat(frames), torch.cat(spectrograms), together)


def architectures(recipe: IntegrationRecipe) -> dict[str, Architecture]:
    """Fusion in the middle through a bottleneck, late fusion, each sense alone."""
    both = {
        "spectrogram": Sense.of((round(cues.SECONDS / HOP), BANDS), (10, 16)),
        "rgb": Sense.of((4, 32, 32), (4, 8, 8)),
    }

    def build(senses: dict[str, Sense], fusion_layer: int) -> Architecture:
        return Architecture(
            senses,
            layers=recipe.layers,
            width=recipe.width,
            heads=recipe.heads,
            hidden=4 * recipe.width,
            classes=2 * len(CENTRES),
            fusion_layer=fusion_layer,
            bottlenecks=recipe.bottlenecks,
            position_scale=POSITION_SCALE,
        )

    fused = {"bottleneck": build(both, recipe.layers // 3), "late": build(both, recipe.layers)}
    return fused | {name: build({name: both[name]}, recipe.layers) for name in ("rgb", "spectrogram")}


def training(recipe: IntegrationRecipe, common: float) -> cues.Setting:
    """What is learned from: cues of all reliabilities; in a share of trials of one source, else of two."""
    spread = (recipe.sharpest, recipe.bluntest)
    return cues.Setting(sigma_seen=spread, sigma_heard=spread, common=common)


def loss_of(logits: Float[Tensor, "batch _"], sources: Float[Tensor, "batch 2"]) -> Float[Tensor, ""]:
    """Cross-entropy of the places of both sources, nats; a source between two places is shared between them."""
    step = float(CENTRES[1] - CENTRES[0])
    place = ((sources - CENTRES[0]) / step).clamp(0, len(CENTRES) - 1.001)
    low = place.floor().long()
    share = place - low
    target = torch.zeros(*sources.shape, len(CENTRES))
    target.scatter_(2, low[..., None], 1 - share[..., None]).scatter_add_(2, low[..., None] + 1, share[..., None])
    guesses = logits.float().unflatten(1, (2, -1))
    return cross_entropy(guesses.transpose(1, 2), target.to(logits.device).transpose(1, 2))


@torch.no_grad()
def respond(model: FusionTransformer, trials: Trials) -> Float[Array, "n 2"]:
    """The mean of the model's distribution, for the source of the flash and that of the burst."""
    senses = tuple(model.architecture.senses)
    parts = [
        model(**trials.inputs(slice(first, first + CHUNK), senses)).cpu()
        for first in range(0, len(trials.frames), CHUNK)
    ]
    return (torch.cat(parts).unflatten(1, (2, -1)).softmax(-1) @ CENTRES).double().numpy()


# --- measures


def ideal(trials: Trials, common: float) -> Float[Array, "n 2"]:
    shown = trials.cues
    return cues.ideal_observer(shown.seen, shown.heard, shown.sigma_seen, shown.sigma_heard, common)[0]


def weight(responses: Float[Array, " n"], trials: Trials) -> float:
    """The weight of sight: of the two coefficients of a regression of responses on the cues, its share."""
    shown = trials.cues
    design = np.stack([shown.seen, shown.heard, np.ones(len(responses))], 1)
    seen, heard, _ = np.linalg.lstsq(design, responses, rcond=None)[0]
    return float(seen / (seen + heard))


def spread(responses: Float[Array, " n"], trials: Trials) -> float:
    """Root mean squared distance of responses from the source."""
    return float(np.sqrt(np.mean((responses - trials.cues.sources[:, 0]) ** 2)))
