"""Pa, ta, ka, ba, da, ga, heard and seen to be spoken: stops of which one lies between two others for both senses.

A stop has a place (lips, ridge, velum) and a voicing. Heard is where the burst's energy lies and the second formant
comes from, low for lips, high for the velum, between for the ridge (Delattre, Liberman & Cooper 1955), and after how
long the voice sets in (Lisker & Abramson 1964). Seen is how far the lips are apart before the release: closed for
lips, open for the others, which look much alike (Summerfield 1987); voicing is not seen. Both cues of place are noisy
by known standard deviations, heard = HEARD[place] + σ ε and seen = SEEN[place] + σ' ε', so the observer is known who
multiplies what each sense leaves possible: `ideal_observer`. A heard labial excludes the velum, a seen velar excludes
the lips; the ridge is consistent with both (McGurk & MacDonald 1976).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import sounds
from phantastic.world.canvas import Array, Stage
from phantastic.world.sounds import RATE

LABIAL, ALVEOLAR, VELAR = PLACES = range(3)
NAMES = ("p", "t", "k", "b", "d", "g")  # 3 voiced + place
SECONDS, SIZE, FRAMES = 1.0, 32, 8
HEARD, SIGMA_HEARD = (
    np.array([0.0, 0.6, 1.0]),
    np.array([0.25, 0.25, 0.25]),
)  # 0 is the first of LOCI, 1 the last, in log
SEEN, SIGMA_SEEN = np.array([0.0, 1.0, 1.3]), np.array([0.08, 0.25, 0.25])  # lips: closed they hardly vary
LOCI = (720.0, 3000.0)  # hertz: the second formant's locus of lips and velum
VOICING = (0.07, 0.01)  # seconds from release to voice, unvoiced and voiced
VOWEL = (700.0, 1200.0, 2500.0)  # hertz: the formants of a
GLIDE = 0.06  # seconds that the second formant takes
HEARABLE, VISIBLE = (-0.75, 1.6), (-0.4, 2.0)  # cues beyond, which are rare, lie on the edge


class Syllables(NamedTuple):
    """What was spoken; `seen` and `heard` are the cues, `shown` and `sounded` whether there was any."""

    frames: UInt8[np.ndarray, "n frames size size 3"]
    sound: Float32[np.ndarray, "n samples"]
    spoken: Int[np.ndarray, " n"]  # counts NAMES; where sight and sound differ, what sounded
    seen: Float[np.ndarray, " n"]
    heard: Float[np.ndarray, " n"]
    voiced: Bool[np.ndarray, " n"]
    shown: Bool[np.ndarray, " n"]
    sounded: Bool[np.ndarray, " n"]


def render(
    seed: int,
    purpose: str,
    indices: Iterable[int] | Int[np.ndarray, " n"],
    dub: tuple[int, int] | None = None,
    alone: str | float = 0.0,
) -> Syllables:
    """Syllables by their numbers: one hangs on (seed, purpose, number) alone, its ε not on `dub` and `alone`.

    `dub` gives the place that is heard and the one that is seen; else both are the one that is drawn. With `alone`
    "heard" no face is shown, with "seen" there is no sound; a number is the probability of each of these.
    Raises Refused where they are none of that.
    """
    if dub is not None and not set(dub) <= set(PLACES):
        raise Refused(f"dub = {dub}; allowed: two places, each of 0 (lips), 1 (ridge) and 2 (velum)")
    if alone not in ("heard", "seen") and (isinstance(alone, str) or not 0 <= alone <= 0.5):
        raise Refused(f"alone = {alone!r}; allowed: 'heard', 'seen' or a probability of at most .5")
    numbers = [int(index) for index in indices]
    frames = np.empty((len(numbers), FRAMES, SIZE, SIZE, 3), np.uint8)
    sound = np.empty((len(numbers), round(SECONDS * RATE)), np.float32)
    rows = []
    for row, number in enumerate(numbers):
        generator = numpy_generator(seed, purpose, number)
        place, voiced = int(generator.integers(3)), bool(generator.integers(2))
        noise, u = generator.standard_normal(2), generator.random(5)
        by_ear, by_eye = dub or (place, place)
        heard = float(np.clip(HEARD[by_ear] + SIGMA_HEARD[by_ear] * noise[0], *HEARABLE))
        seen = float(np.clip(SEEN[by_eye] + SIGMA_SEEN[by_eye] * noise[1], *VISIBLE))
        given = alone if isinstance(alone, str) else "seen" if u[0] < alone else "heard" if u[0] > 1 - alone else ""
        when = 0.35 + 0.2 * u[1]
        frames[row] = mouth(seen if given != "heard" else None, when, u[2:4], generator)
        sound[row] = voice(heard if given != "seen" else None, voiced, when, 100 + 100 * u[4], generator)
        rows.append((3 * voiced + by_ear, seen, heard, voiced, given != "heard", given != "seen"))
    spoken, seen, heard, *flags = np.array(rows, float).reshape(-1, 6).T
    return Syllables(frames, sound, spoken.astype(int), seen, heard, *(flag > 0 for flag in flags))


def mouth(
    gap: float | None, when: float, where: np.ndarray, generator: np.random.Generator
) -> UInt8[np.ndarray, "frames size size 3"]:
    """Two lips, `gap` apart until the release, then open for the vowel; no face at all where it is None."""
    stage = Stage((np.arange(FRAMES) + 0.5) * (SECONDS / FRAMES), SIZE, np.full(3, 0.4))
    if gap is not None:
        x, y = 0.2 * where - 0.1
        opens = np.clip((stage.times - when) / 0.15, 0, 1)
        apart = (0.12 + 0.25 * (gap + (2.0 - gap) * opens)).astype(np.float32)  # of each lip from the middle

        def skin(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(0.95 - np.hypot(u, v)), np.array([0.85, 0.65, 0.5], np.float32)

        def inside(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(np.minimum(0.45 - np.abs(u), apart[:, None, None] - np.abs(v))), np.zeros(3, np.float32)

        def lip(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(np.minimum(0.5 - np.abs(u), 0.12 - np.abs(v))), np.array([0.75, 0.1, 0.2], np.float32)

        stage.paint(x, y, 0.95, skin)
        stage.paint(x, y, 0.75, inside)
        stage.paint(x, y + apart, 0.55, lip)
        stage.paint(x, y - apart, 0.55, lip)
    return stage.developed(3, 0.04, generator)


def voice(
    locus: float | None, voiced: bool, when: float, pitch: float, generator: np.random.Generator
) -> Float32[np.ndarray, " samples"]:
    """A burst about the locus, breath, then a vowel whose second formant comes from there; silence where it is None."""
    times = np.arange(round(SECONDS * RATE)) / RATE - when
    total = 0.01 * generator.standard_normal(len(times), np.float32)
    if locus is None:
        return total
    hertz = LOCI[0] * (LOCI[1] / LOCI[0]) ** locus
    burst = np.exp(-np.maximum(times, 0) / 0.015) * (times >= 0)
    total += sounds.resonance(burst * generator.standard_normal(len(times)), hertz, 0.2 * hertz)
    sets_in = VOICING[int(voiced)]
    breath = np.clip(times / 0.01, 0, 1) * np.clip((sets_in - times) / 0.01, 0, 1)
    total += 0.1 * sounds.resonance(breath * generator.standard_normal(len(times)), VOWEL[1], 600.0)
    swell = np.clip((times - sets_in) / 0.02, 0, 1) * np.clip((0.4 - times) / 0.05, 0, 1)
    second = VOWEL[1] + (hertz - VOWEL[1]) * np.clip(1 - times / GLIDE, 0, 1)
    for harmonic in pitch * np.arange(1, int(4000 / pitch)):
        loud = sum(1 / (1 + np.square((harmonic - formant) / 100)) for formant in (VOWEL[0], second, VOWEL[2]))
        total += (0.05 * swell * loud * np.sin(2 * np.pi * harmonic * times)).astype(np.float32)
    return total


def ideal_observer(
    seen: Float[np.ndarray, " n"],
    heard: Float[np.ndarray, " n"],
    voiced: Bool[np.ndarray, " n"],
    shown: Bool[np.ndarray, " n"],
    sounded: Bool[np.ndarray, " n"],
) -> Float[np.ndarray, "n 6"]:
    """The posterior of each of NAMES by Bayes' rule, all as frequent, of the cues that there are."""

    def surprise(cue: np.ndarray, means: np.ndarray, sigmas: np.ndarray, given: np.ndarray) -> np.ndarray:
        away = np.square((np.asarray(cue, float)[:, None] - means) / sigmas) / 2 + np.log(sigmas)
        return np.where(np.asarray(given, bool)[:, None], away, 0)

    logs = -surprise(seen, SEEN, SIGMA_SEEN, shown) - surprise(heard, HEARD, SIGMA_HEARD, sounded)
    places = np.exp(logs - logs.max(1, keepdims=True))
    places /= places.sum(1, keepdims=True)
    share = np.where(sounded, voiced, 0.5)[:, None]  # of the voiced
    return np.concatenate([(1 - share) * places, share * places], 1)
