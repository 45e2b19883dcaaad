"""Augmentation of clips: masks on spectrograms, mixtures of clips and of their labels, label smoothing.

Every draw comes from the generator passed in: numpy_generator(seed, purpose, step).
"""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from phantastic.ground.errors import Refused


def spec_augment(
    spectrogram: Float[Tensor, "clips *channels time bands"],
    generator: np.random.Generator,
    bands: int = 48,
    time: int = 48,
    times: int = 4,
) -> Float[Tensor, "clips *channels time bands"]:
    """SpecAugment without its warping of time (Park et al. 2019, section 2), with MBT's numbers: in each clip one mask
    of up to `bands` mel bands and `times` masks of up to `time` frames are 0, the mean of a standardised spectrogram.

    Raises Refused where a mask could be larger than the spectrogram.
    """
    clips, (frames, height) = len(spectrogram), spectrogram.shape[-2:]
    if not 0 <= bands <= height or not 0 <= time <= frames or times < 0:
        raise Refused(
            f"masks of {bands} bands and {times} times {time} frames on a spectrogram of {frames} frames and {height} "
            "bands; a mask may be as large as the spectrogram"
        )
    hidden = masked(clips, 1, bands, height, generator)[:, None, :]
    hidden = hidden | masked(clips, times, time, frames, generator)[:, :, None]
    hidden = hidden.reshape(clips, *(1,) * (spectrogram.ndim - 3), frames, height)
    return spectrogram.masked_fill(torch.from_numpy(hidden).to(spectrogram.device), 0)


def masked(clips: int, masks: int, longest: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """Which of `length` places `masks` stretches cover: of a length uniform in 0 .. longest, placed uniformly."""
    width = generator.integers(0, longest + 1, (clips, masks, 1))
    start = generator.integers(0, length - width + 1)
    places = np.arange(length)
    return np.any((places >= start) & (places < start + width), axis=1)


def mixing(
    clips: int, alpha: float, generator: np.random.Generator
) -> tuple[Float[Tensor, " clips"], Int64[Tensor, " clips"]]:
    """For each clip a weight λ ~ Beta(α, α) and the clip that it is mixed with. Raises Refused unless α > 0."""
    if not alpha > 0:
        raise Refused(f"mixup's alpha is {alpha}; allowed: numbers above 0")
    partner = torch.from_numpy(generator.permutation(clips))
    return torch.from_numpy(generator.beta(alpha, alpha, clips)).float(), partner


def mixup(x: Tensor, weight: Float[Tensor, " clips"], partner: Int64[Tensor, " clips"]) -> Tensor:
    """λ x + (1 - λ) x[partner], clip by clip (Zhang et al. 2018, equation 1); inputs and labels alike.

    Modality mixup (Nagrani et al. 2021, section 4.2) is a λ of its own for each modality, with the same partner; each
    modality's logits are then compared with the labels mixed by that λ.
    """
    return blended(x, x[partner.to(x.device)], weight)


def blended(x: Tensor, others: Tensor, weight: Float[Tensor, " clips"]) -> Tensor:
    """λ x + (1 - λ) others, clip by clip."""
    weight = weight.to(x.device, x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
    return weight * x + (1 - weight) * others


def smooth(labels: Float[Tensor, "clips classes"], epsilon: float) -> Float[Tensor, "clips classes"]:
    """Label smoothing (Szegedy et al. 2016, section 7): (1 - ε) y + ε / classes."""
    if not 0 <= epsilon <= 1:
        raise Refused(f"label smoothing is {epsilon}; allowed: 0 to 1")
    return (1 - epsilon) * labels + epsilon / labels.shape[-1]
