"""Where was it? A flash and a burst of noise, whose places are cues of known reliability, in agreement or conflict.

A source at x sends a cue to each sense: seen = x + σ_seen ε, heard = x + σ_heard ε', and each cue shows its σ: the
flash is a blob the wider the less reliable it is (Alais & Burr 2004), the burst lies in noise of its own at each ear,
the louder the less reliable. The rendering adds little to either σ, so the observer is known who weighs each cue by
1/σ² (Ernst & Banks 2002) and asks whether both have one cause (Körding et al. 2007): `ideal_observer`. Places are in
half widths of the picture, from -1 to 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import sounds
from phantastic.world.canvas import Array, Stage
from phantastic.world.events import WIDE
from phantastic.world.sounds import RATE

SECONDS = 1.0
RANGE = 0.5  # sources lie uniformly between -RANGE and RANGE
EDGE = 0.95  # cues beyond it, rare, come from there
LASTS = 0.2  # seconds of the burst


@dataclass(frozen=True)
class Setting:
    """What trials are like. Each trial draws its two σ, uniform in their logarithms, from the ranges. With probability
    `common` flash and burst have one source, else two; `conflict` is added to where the burst is heard, half of it
    taken from where the flash is seen; the sound lags by `asynchrony` seconds."""

    size: int = 32  # pixels
    frames: int = 4
    sigma_seen: tuple[float, float] = (0.02, 0.2)
    sigma_heard: tuple[float, float] = (0.02, 0.2)
    common: float = 1.0
    conflict: float = 0.0
    asynchrony: float = 0.0
    visual_noise: float = 0.04


class Cues(NamedTuple):
    """Trials; `sources` are the places of the flash's and of the burst's source."""

    frames: UInt8[np.ndarray, "n frames size size 3"]
    sound: Float32[np.ndarray, "n 2 samples"]
    sources: Float32[np.ndarray, "n 2"]
    seen: Float32[np.ndarray, " n"]
    heard: Float32[np.ndarray, " n"]
    sigma_seen: Float32[np.ndarray, " n"]
    sigma_heard: Float32[np.ndarray, " n"]
    common: Bool[np.ndarray, " n"]


def render(setting: Setting, seed: int, purpose: str, indices: Iterable[int] | Int[np.ndarray, " n"]) -> Cues:
    """Trials by their numbers: one hangs on (seed, purpose, number) and the setting alone, not on the batch, and its
    sources and the two ε not on the setting's σ, conflict or asynchrony. Raises Refused where one is out of range."""
    check(setting)
    numbers = [int(index) for index in indices]
    frames = np.empty((len(numbers), setting.frames, setting.size, setting.size, 3), np.uint8)
    sound = np.empty((len(numbers), 2, round(SECONDS * RATE)), np.float32)
    values = np.empty((len(numbers), 7), np.float32)
    for row, number in enumerate(numbers):
        generator = numpy_generator(seed, purpose, number)
        u, (noise_seen, noise_heard) = generator.random(8), generator.standard_normal(2)
        common = u[0] < setting.common
        sources = RANGE * (2 * u[1:3] - 1)
        sources[1] = sources[0] if common else sources[1]
        low, high = np.log(np.array([setting.sigma_seen, setting.sigma_heard])).T
        sigmas = np.exp(low + (high - low) * u[3:5])
        places = sources + sigmas * (noise_seen, noise_heard) + setting.conflict * np.array([-0.5, 0.5])
        places = np.clip(places, -EDGE, EDGE)
        when, y, wall = 0.3 + 0.4 * u[5], 0.3 * (2 * u[6] - 1), np.full(3, 0.2 + 0.1 * u[7])
        frames[row] = flash(places[0], y, sigmas[0], when, wall, setting, generator)
        sound[row] = burst(places[1], sigmas[1], when + setting.asynchrony, generator)
        values[row] = *sources, *places, *sigmas, common
    seen, heard, sigma_seen, sigma_heard = values[:, 2:6].T.copy()
    return Cues(frames, sound, values[:, :2], seen, heard, sigma_seen, sigma_heard, values[:, 6] > 0)


def check(setting: Setting) -> None:
    for name in ("sigma_seen", "sigma_heard"):
        low, high = getattr(setting, name)
        if not 0 < low <= high <= 1:
            raise Refused(f"{name} is {low} to {high}; allowed: two numbers above 0 and at most 1, the smaller first")
    bounds = {
        "size": (16, 1024),
        "frames": (1, 256),
        "common": (0, 1),
        "conflict": (-1, 1),
        "asynchrony": (-0.3, 0.3),
        "visual_noise": (0, 10),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(setting, name) <= high:
            raise Refused(f"{name} is {getattr(setting, name)}; allowed: {low} to {high}")


def flash(
    x: float, y: float, sigma: float, when: float, wall: np.ndarray, setting: Setting, generator: np.random.Generator
) -> UInt8[np.ndarray, "frames size size 3"]:
    """A blob of light of standard deviation .05 + σ, for about a quarter of a second."""
    stage = Stage((np.arange(setting.frames) + 0.5) * (SECONDS / setting.frames), setting.size, wall)
    width = 0.05 + float(sigma)

    def blob(u: Array, v: Array) -> tuple[Array, np.ndarray]:
        return np.exp(-(np.square(u) + np.square(v)) / (2 * width**2)), np.ones(3, np.float32)

    brightness = 0.8 * np.exp(-np.square((stage.times - when) / 0.15))
    stage.paint(x, y, 4 * width, blob, brightness)
    return stage.developed(3, setting.visual_noise, generator)


def burst(x: float, sigma: float, when: float, generator: np.random.Generator) -> Float32[np.ndarray, "2 samples"]:
    """White noise of standard deviation .2 from one place, in white noise of .4 σ that differs between the ears."""
    source = np.zeros(round(SECONDS * RATE), np.float32)
    first, length = round(when * RATE), round(LASTS * RATE)
    hull = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.005 * RATE)).astype(np.float32)
    noise = 0.2 * hull * generator.standard_normal(length, np.float32)
    start, stop = max(first, 0), min(first + length, len(source))
    source[start:stop] = noise[start - first : stop - first]
    both = sounds.ears(source, WIDE * x)
    return both + np.float32(0.4 * sigma) * generator.standard_normal(both.shape, np.float32)


def ideal_observer(
    seen: Float[np.ndarray, " n"],
    heard: Float[np.ndarray, " n"],
    sigma_seen: Float[np.ndarray, " n"],
    sigma_heard: Float[np.ndarray, " n"],
    common: float = 1.0,
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """The posterior means of the sources of flash and burst, and the probability that they are one (Körding et al.
    2007, equations 2 to 5, with the prior uniform over ±RANGE; by sums over a fine grid)."""
    seen, heard, sigma_seen, sigma_heard = (
        np.asarray(cue, float)[:, None] for cue in (seen, heard, sigma_seen, sigma_heard)
    )
    grid = np.linspace(-RANGE, RANGE, 2001)
    sight = np.exp(-0.5 * np.square((seen - grid) / sigma_seen)) / sigma_seen
    sound = np.exp(-0.5 * np.square((heard - grid) / sigma_heard)) / sigma_heard
    joint = sight * sound

    def mean(likelihood: np.ndarray) -> np.ndarray:
        return likelihood @ grid / np.maximum(likelihood.sum(1), 1e-300)

    one_cause, two_causes = common * joint.mean(1), (1 - common) * sight.mean(1) * sound.mean(1)
    p_common = one_cause / np.maximum(one_cause + two_causes, 1e-300)
    fused = mean(joint)
    apart = np.stack([mean(sight), mean(sound)], 1)
    return p_common[:, None] * fused[:, None] + (1 - p_common[:, None]) * apart, p_common
