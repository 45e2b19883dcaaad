"""Sounds of things at 16 kHz: what is struck, rolls, breaks, whistles or blows, and how it arrives at two ears.

A struck thing is a sum of damped modes, sum_k a_k exp(-d_k t) sin(2π f_k t). Its form sets the ratios of the
frequencies f_k, which fall as it grows (f ~ 1/size, all lengths scaled alike); its material sets the damping
d_k = d_0 + π f_k tan φ by internal friction φ (Wildes & Richards 1988; van den Doel & Pai 1998). The head is a sphere:
sounds arrive by Woodworth's delays and through the shadow filter of Brown & Duda (1998).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.signal import lfilter

RATE = 16_000  # Hz
FUNDAMENTAL = 440.0  # Hz, of a wooden thing of size 1
SUPPORT = 4.0  # 1/s: damping by what a thing rests on
BLOCK = 128  # samples
HEAD, SPEED = 0.0875, 343.0  # metres, metres per second
SHADOW = 2 * SPEED / HEAD  # 1/s, the corner of the head's shadow


class Material(NamedTuple):
    """What a thing is made of, and the form it usually has."""

    name: str
    ja: str
    ratios: tuple[float, ...]  # of the modes' frequencies to the lowest
    pitch: float  # of the lowest mode, relative to wood of the same size
    friction: float  # tan φ
    contact: float  # seconds that a blow lasts: a soft blow leaves the high modes silent


# Ratios: a free bar, a free circular plate, a glass (f ~ n² for n = 2, 3, ...), a membrane (Fletcher & Rossing 1998)
MATERIALS: tuple[Material, ...] = (
    Material("wood", "木", (1, 2.756, 5.404, 8.933), 1.0, 0.02, 3e-4),
    Material("metal", "金属", (1, 1.730, 2.328, 3.906, 4.110, 6.301), 1.0, 0.002, 1e-4),
    Material("glass", "ガラス", (1, 2.25, 4, 6.25, 9), 1.4, 0.005, 1e-4),
    Material("rubber", "ゴム", (1, 1.594, 2.136, 2.296, 2.653), 0.4, 0.15, 2e-3),
)
WOOD, METAL, GLASS, RUBBER = range(len(MATERIALS))
BELL = (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0)  # hum, prime, tierce, quint, nominal and above (Rossing & Perrin 1987)

_MODES = max(len(material.ratios) for material in MATERIALS)
_RATIOS = np.array([material.ratios + (np.inf,) * (_MODES - len(material.ratios)) for material in MATERIALS])


def modes(
    frequencies: Float[np.ndarray, "n modes"],
    dampings: Float[np.ndarray, "n modes"],
    amplitudes: Float[np.ndarray, "n modes"],
    seconds: float,
) -> Float32[np.ndarray, "n samples"]:
    """Damped modes: hertz, 1/s; those above 0.45 of the rate stay silent."""
    blocks = -(-round(seconds * RATE) // BLOCK)
    audible = frequencies < 0.45 * RATE
    exponent = np.where(audible, 2j * np.pi * np.where(audible, frequencies, 0) - dampings, 0) / RATE
    # exp(z (B i + j)) = exp(z B i) exp(z j): one product of two small matrices for each sound
    outer = (
        np.exp(exponent[:, None, :] * (BLOCK * np.arange(blocks))[:, None]) * np.where(audible, amplitudes, 0)[:, None]
    )
    inner = np.exp(exponent[:, :, None] * np.arange(BLOCK))
    sound = np.matmul(outer.astype(np.complex64), inner.astype(np.complex64)).imag
    return np.ascontiguousarray(sound).reshape(len(frequencies), -1)[:, : round(seconds * RATE)]


def decays(material: Int[np.ndarray, " n"], size: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """The modes' frequencies (hertz, infinite where there is none) and dampings (1/s) of struck things, [n, modes]."""
    pitch, friction = (np.array([getattr(kind, key) for kind in MATERIALS])[material] for key in ("pitch", "friction"))
    frequencies = (FUNDAMENTAL * pitch / size)[:, None] * _RATIOS[material]
    return frequencies, SUPPORT + np.pi * friction[:, None] * np.where(np.isfinite(frequencies), frequencies, 0)


def impacts(
    material: Int[np.ndarray, " n"], size: Float[np.ndarray, " n"], strength: Float[np.ndarray, " n"], seconds: float
) -> Float32[np.ndarray, "n samples"]:
    """Things struck at time 0; `material` counts MATERIALS, `strength` bounds the amplitude."""
    frequencies, dampings = decays(material, size)
    contact = np.array([kind.contact for kind in MATERIALS])[material, None]
    amplitudes = 1 / (1 + np.square(2 * np.pi * frequencies * contact))
    return modes(frequencies, dampings, strength[:, None] * amplitudes / amplitudes.sum(1, keepdims=True), seconds)


def mix(
    sounds: Float[np.ndarray, "n samples"], onsets: Float[np.ndarray, " n"], seconds: float
) -> Float32[np.ndarray, " total"]:
    """Sounds laid over one another from their onsets on (in seconds, before 0 too), cut to 0 .. `seconds`."""
    total = np.zeros(round(seconds * RATE), np.float32)
    for sound, first in zip(sounds, np.rint(onsets * RATE).astype(int), strict=True):
        start, stop = max(first, 0), min(first + len(sound), len(total))
        if start < stop:
            total[start:stop] += sound[start - first : stop - first]
    return total


def tone(frequency: Float[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    """A sine whose frequency follows a course in hertz."""
    return np.sin(2 * np.pi / RATE * np.cumsum(frequency)).astype(np.float32)


def resonance(
    sound: Float[np.ndarray, " samples"], frequency: float, bandwidth: float
) -> Float32[np.ndarray, " samples"]:
    """A two-pole filter: hertz and hertz; gain about 1 at `frequency`."""
    radius = np.exp(-np.pi * bandwidth / RATE)
    turn = 2 * np.pi * frequency / RATE
    gain = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * turn) + radius**2)
    return np.asarray(lfilter([gain], [1, -2 * radius * np.cos(turn), radius**2], sound), np.float32)


def rolling(
    speed: Float[np.ndarray, " samples"], size: float, generator: np.random.Generator
) -> Float32[np.ndarray, " samples"]:
    """Something round of a size rolls over a rough floor: the noise of contact, coloured by the floor, louder with
    speed (in turns per second) and waxing once a turn, since nothing is quite round (van den Doel, Kry & Pai 2001)."""
    grit = generator.standard_normal(len(speed), np.float32)
    turns = np.cumsum(speed) / RATE
    waxing = 0.6 + 0.4 * np.cos(2 * np.pi * turns)
    return resonance(grit * (np.sqrt(speed) * waxing).astype(np.float32), 180 / size, 250 / size)


def ears(
    sound: Float[np.ndarray, " samples"], azimuth: float | Float[np.ndarray, " samples"]
) -> Float32[np.ndarray, "2 samples"]:
    """The sound at the left and the right ear; `azimuth` in radians to the right of straight ahead, within ±π/2,
    constant or moving. Everything is late by the time from the head's surface to its centre, 0.26 ms."""
    shaded = np.asarray(lfilter([1.0, 1.0], [1 + 2 * RATE / SHADOW, 1 - 2 * RATE / SHADOW], sound), np.float32)
    both = np.empty((2, len(sound)), np.float32)
    for ear, side in enumerate((-1, 1)):
        toward = side * np.asarray(azimuth, np.float32)  # from -π/2 (behind the head) to π/2 (at the ear)
        alpha = 1.05 + 0.95 * np.cos(1.2 * (np.pi / 2 - toward))
        filtered = shaded + alpha * (sound - shaded)
        delay = HEAD / SPEED * (1 - np.where(toward > 0, np.sin(toward), toward))
        both[ear] = _delayed(filtered, np.asarray(RATE * delay))
    return both


def _delayed(sound: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The sound late by a number of samples (at least 0, below 16), between samples by Lagrange's cubic."""
    place = np.arange(16, len(sound) + 16, dtype=np.float64) - samples
    before = np.floor(place).astype(np.int64)
    s = (place - before).astype(np.float32)
    padded = np.concatenate([np.zeros(16, np.float32), sound, np.zeros(2, np.float32)])
    total = padded[before - 1] * (-s * (s - 1) * (s - 2) / 6)
    total += padded[before] * ((s + 1) * (s - 1) * (s - 2) / 2)
    total += padded[before + 1] * (-(s + 1) * s * (s - 2) / 2)
    total += padded[before + 2] * ((s + 1) * s * (s - 1) / 6)
    return total
