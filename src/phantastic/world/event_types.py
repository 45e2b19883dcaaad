"""What can happen in a clip of two seconds: each event with its course, how it is painted and how it sounds.

Each takes eight numbers drawn uniformly from [0, 1) and nothing else, so that no event's course hangs on another's.
(They are plain floats: NumPy's would turn the arrays that they meet into float64.)
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int8

from phantastic.world import sounds
from phantastic.world.canvas import FLOOR, Array, Shape, Stage, look
from phantastic.world.sounds import GLASS, MATERIALS, METAL, RATE, WOOD

SECONDS = 2.0
Chances = Sequence[float]
BEATS = np.arange(4) * 0.5 + 0.125  # seconds; off the beat is a quarter of a second later


class Event(NamedTuple):
    """What happened: when (seconds), where at first (stage units), with what. None where it has no such thing."""

    name: str
    sense: str  # "both", "sight" or "sound"
    onsets: tuple[float, ...]
    x: float | None = None
    y: float | None = None
    material: str | None = None
    size: float | None = None


Heard = tuple[np.ndarray, float | np.ndarray]  # a sound and its place from left (-1) to right, which may move


class Act(NamedTuple):
    """One event, ready to be painted and sounded."""

    event: Event
    paint: Callable[[Stage], None] | None = None
    voice: Callable[[np.random.Generator], Heard] | None = None


def struck(
    material: int, sizes: np.ndarray, strengths: np.ndarray, onsets: np.ndarray
) -> Float32[np.ndarray, " samples"]:
    """Blows on things of one material, 0.6 s of each (metal 1.2 s)."""
    kinds = np.full(len(sizes), material)
    return sounds.mix(sounds.impacts(kinds, sizes, strengths, 1.2 if material == METAL else 0.6), onsets, SECONDS)


def burst(count: int, decay: float, generator: np.random.Generator) -> Float32[np.ndarray, "count samples"]:
    """White noise that dies away, to 1/e in `decay` seconds, and ends after eight times as long."""
    fading = np.exp(-np.arange(round(8 * decay * RATE), dtype=np.float32) / (decay * RATE))
    return fading * generator.standard_normal((count, len(fading)), np.float32)


def bounces(u: Chances) -> Act:
    """A ball falls and bounces, each time slower by the same ratio."""
    material, radius = int(u[0] * len(MATERIALS)), 0.14 + 0.08 * u[1]
    held, fall, keeps = 0.05 + 0.25 * u[2], 0.35 + 0.1 * u[3], 0.6 + 0.2 * u[4]
    height = 1.3 + 0.2 * u[5]
    speed = 2 * height / fall * keeps ** np.arange(12)  # on arrival
    hits = held + fall + np.concatenate([[0], np.cumsum(2 * fall * keeps ** np.arange(1, 12))])
    x, drift = 1.6 * u[6] - 0.8, 0.3 * (u[7] - 0.5)
    floor = FLOOR + radius

    def paint(stage: Stage) -> None:
        since = stage.times[:, None] - hits
        flight = np.clip((since >= 0).sum(1) - 1, 0, 11)
        t = np.take_along_axis(since, flight[:, None], 1)[:, 0]
        rebound = np.maximum(keeps * speed[flight] * t - height / fall**2 * t * t, 0)
        first = height - height / fall**2 * np.square(np.maximum(stage.times - held, 0))
        y = floor + np.where(stage.times < hits[0], first, rebound)
        stage.paint(x + drift * stage.times, y, 1.1 * radius, disc(stage, material, radius))

    onsets = hits[:6][hits[:6] < SECONDS]

    def voice(generator: np.random.Generator) -> Heard:
        strengths = 0.6 * keeps ** np.arange(len(onsets))
        ringing = struck(material, np.full(len(onsets), 4 * radius), strengths, onsets)
        thuds = sounds.mix(0.5 * strengths[:, None] * burst(len(onsets), 0.02, generator), onsets, SECONDS)
        return ringing + sounds.resonance(thuds, 1500.0, 2500.0), x + drift * hits[0]

    return Act(
        Event("bounces", "both", tuple(onsets.tolist()), x, floor + height, MATERIALS[material].name, radius),
        paint,
        voice,
    )


def rolls(u: Chances) -> Act:
    """A wheel rolls across the floor and out of the picture."""
    material, radius = int(u[0] * len(MATERIALS)), 0.15 + 0.1 * u[1]
    start, lasts, way = 0.1 + 0.25 * u[2], 1.2 + 0.4 * u[3], 1.0 if u[4] < 0.5 else -1.0
    travel = 2 + 2 * radius

    def paint(stage: Stage) -> None:
        along = (stage.times - start) / lasts
        x = way * travel * (along - 0.5)
        turn = (-x / radius)[:, None, None]
        shown = ((along > 0) & (along < 1)).astype(float)

        def wheel(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            turned = turn[shown > 0]
            distance = np.hypot(u, v)
            spokes = np.cos(2 * (np.arctan2(v, u) - turned)) > 0
            colour = look(material, u, v, radius) * np.where(spokes & (distance < 0.8 * radius), 0.15, 1.0)[..., None]
            return stage.soft(radius - distance), colour

        stage.paint(x, FLOOR + radius, 1.1 * radius, wheel, shown)

    def voice(generator: np.random.Generator) -> Heard:
        times = np.arange(round(SECONDS * RATE), dtype=np.float32) / RATE
        along = np.clip((times - start) / lasts, 0, 1)
        envelope = np.minimum(1, 8 * along) * np.minimum(1, 8 * (1 - along))
        turns = np.full(len(times), travel / lasts / (2 * np.pi * radius), np.float32)
        sound = 1.2 * envelope * sounds.rolling(turns, 4 * radius, generator)
        return sound.astype(np.float32), way * travel * (along - 0.5)

    event = Event("rolls", "both", (start,), -way, FLOOR + radius, MATERIALS[material].name, radius)
    return Act(event, paint, voice)


def collides(u: Chances) -> Act:
    """Two blocks fly at each other, meet with a bang and fall back."""
    kinds, half = np.array([int(chance * len(MATERIALS)) for chance in u[:2]]), 0.14 + 0.06 * u[2]
    when, x, y, speed = 0.5 + 0.8 * u[3], u[4] - 0.5, 0.8 * u[5] - 0.3, 0.9 + 0.5 * u[6]

    def paint(stage: Stage) -> None:
        since = stage.times - when
        apart = half + speed * np.where(since < 0, -since, 0.5 * since)
        fallen = y - 0.6 * np.square(np.maximum(since, 0))
        for side, material in zip((-1, 1), kinds, strict=True):
            stage.paint(x + side * apart, fallen, 1.1 * half, block(stage, int(material), half))

    def voice(generator: np.random.Generator) -> Heard:
        ringing = sounds.impacts(kinds, np.full(2, 8 * half), np.full(2, 0.5), 1.2).sum(0)
        bang = 2 * sounds.resonance(burst(1, 0.03, generator)[0], 150.0, 200.0)
        onset = np.array([when])
        return sounds.mix(ringing[None], onset, SECONDS) + sounds.mix(bang[None], onset, SECONDS), x

    names = "+".join(MATERIALS[kind].name for kind in kinds)
    return Act(Event("collides", "both", (when,), x, y, names, half), paint, voice)


def breaks(u: Chances) -> Act:
    """A glass stands on the floor and bursts into splinters that fly apart and fall."""
    when, x, half = 0.4 + 0.9 * u[0], 1.5 * u[1] - 0.75, 0.16 + 0.06 * u[2]
    turns = 2 * np.pi * (u[3] + np.arange(9) / 9)
    speeds = 1.3 + 0.7 * np.sin(7 * turns + 9 * u[4])

    def paint(stage: Stage) -> None:
        intact = (stage.times < when).astype(float)
        tall = 1.8 * half

        def vase(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            narrow = half * (0.65 + 0.35 * v / tall)
            return stage.soft(np.minimum(narrow - np.abs(u), tall - np.abs(v))), look(GLASS, u, v, tall)

        stage.paint(x, FLOOR + tall, 1.1 * tall, vase, intact)
        since = np.maximum(stage.times - when, 0)
        for turn, speed in zip(turns, speeds, strict=True):
            fly_x = x + speed * np.cos(turn) * since
            fly_y = FLOOR + tall + (0.8 + speed * np.sin(turn)) * since - 2.5 * since**2
            stage.paint(fly_x, np.maximum(fly_y, FLOOR - 0.1), 0.09, block(stage, GLASS, 0.06), 1 - intact)

    def voice(generator: np.random.Generator) -> Heard:
        later = np.sort(generator.exponential(0.12, 14))
        tinkle = struck(GLASS, generator.uniform(0.18, 0.5, 14), 0.22 * np.exp(-later / 0.4), when + later)
        return tinkle + sounds.mix(0.35 * burst(1, 0.03, generator), np.array([when]), SECONDS), x

    return Act(Event("breaks", "both", (when,), x, FLOOR + 1.8 * half, "glass", half), paint, voice)


def looms(u: Chances) -> Act:
    """A dark disc comes nearer at a constant speed: its radius grows as 1/(time to contact)."""
    contact, x, y, last = 2.1 + 0.4 * u[0], 1.2 * u[1] - 0.6, 0.9 * u[2] - 0.3, 0.4 + 0.2 * u[3]

    def paint(stage: Stage) -> None:
        radius = (last * (contact - SECONDS) / (contact - stage.times)).astype(np.float32)[:, None, None]

        def shade(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(radius - np.hypot(u, v)), np.array([0.06, 0.05, 0.08], np.float32)

        stage.paint(x, y, float(radius.max()), shade)

    return Act(Event("looms", "sight", (0.0,), x, y, None, last), paint)


def spins(u: Chances) -> Act:
    """A yellow bar turns on the spot."""
    x, y, speed = 1.4 * u[0] - 0.7, u[1] - 0.3, (2 + 3 * u[2]) * (1 if u[3] < 0.5 else -1)

    def paint(stage: Stage) -> None:
        turn = (speed * stage.times + 2 * np.pi * u[4]).astype(np.float32)[:, None, None]

        def bar(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            along, across = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
            return stage.soft(np.minimum(0.3 - np.abs(along), 0.05 - np.abs(across))), np.array(
                [0.95, 0.85, 0.1], np.float32
            )

        stage.paint(x, y, 0.33, bar)

    return Act(Event("spins", "sight", (0.0,), x, y, None, 0.3), paint)


def drifts(u: Chances) -> Act:
    """A bubble floats sideways."""
    x, y, speed, radius = 1.2 * u[0] - 0.6, 0.8 * u[1] - 0.1, 0.35 * (1 if u[2] < 0.5 else -1), 0.14 + 0.06 * u[3]

    def paint(stage: Stage) -> None:
        def bubble(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(0.045 - np.abs(np.hypot(u, v) - radius)), np.array([0.95, 0.55, 0.95], np.float32)

        since = stage.times - 1
        stage.paint(x + speed * since, y + 0.12 * np.sin(4 * since + 6 * u[4]), radius + 0.08, bubble)

    return Act(Event("drifts", "sight", (0.0,), x, y, None, radius), paint)


def dims(u: Chances) -> Act:
    """The light goes down and comes back."""
    when, lasts = 0.2 + 0.8 * u[0], 0.6 + 0.3 * u[1]

    def paint(stage: Stage) -> None:
        dark = np.clip(6 * np.minimum(stage.times - when, when + lasts - stage.times), 0, 1)
        stage.pixels *= (1 - 0.6 * dark).astype(np.float32)[:, None, None, None]

    return Act(Event("dims", "sight", (when,)), paint)


def siren(u: Chances) -> Act:
    """A tone that wails up and down."""
    start, centre, x = 0.6 * u[0], 600 + 300 * u[1], 2 * u[2] - 1

    def voice(_: np.random.Generator) -> Heard:
        times = np.arange(round(SECONDS * RATE), dtype=np.float32) / RATE
        envelope = np.clip(20 * np.minimum(times - start, start + 1.4 - times), 0, 1)
        return 0.12 * envelope * sounds.tone(centre * 2 ** (0.4 * np.sin(2 * np.pi * 2.5 * times))), x

    return Act(Event("siren", "sound", (start,), x), voice=voice)


def bell(u: Chances) -> Act:
    """One stroke of a church bell."""
    when, prime, x = 0.1 + u[0], 500 + 400 * u[1], 2 * u[2] - 1

    def voice(_: np.random.Generator) -> Heard:
        ratios = np.array(sounds.BELL)
        sound = sounds.modes(
            (prime * ratios)[None], (1 + 1.2 * ratios)[None], 0.3 / len(ratios) * np.ones((1, len(ratios))), 2.0
        )
        return sounds.mix(sound, np.array([when]), SECONDS), x

    return Act(Event("bell", "sound", (when,), x), voice=voice)


def wind(u: Chances) -> Act:
    """A gust."""
    middle, centre, x = 0.7 + 0.6 * u[0], 500 + 500 * u[1], 2 * u[2] - 1

    def voice(generator: np.random.Generator) -> Heard:
        times = np.arange(round(SECONDS * RATE), dtype=np.float32) / RATE
        gust = np.exp(-0.5 * np.square((times - middle) / 0.4))
        noise = generator.standard_normal(len(times), np.float32)
        return 0.5 * gust * sounds.resonance(noise, centre, 300.0), x

    return Act(Event("wind", "sound", (middle,), x), voice=voice)


def birdsong(u: Chances) -> Act:
    """A few falling chirps."""
    start, centre, x, notes = 0.1 + 0.5 * u[0], 3000 + 1500 * u[1], 2 * u[2] - 1, 4 + int(3 * u[3])
    onsets = start + (0.14 + 0.06 * u[4]) * np.arange(notes)

    def voice(_: np.random.Generator) -> Heard:
        along = np.linspace(0, 1, round(0.09 * RATE), dtype=np.float32)
        chirp = 0.15 * np.sin(np.pi * along) * sounds.tone(centre * (1.25 - 0.5 * along))
        return sounds.mix(np.tile(chirp, (notes, 1)), onsets, SECONDS), x

    return Act(Event("birdsong", "sound", tuple(onsets.tolist()), x), voice=voice)


def carrier(facts: Int8[np.ndarray, "2 facts"], u: Chances) -> tuple[Act, Act]:
    """The lamp, by its facts alone, and the voice, by its own alone."""
    (climbs, large, metal, off), (rises, loud, rings, late) = facts
    x, radius, look_of = 1.4 * u[0] - 0.7, 0.27 if large else 0.13, METAL if metal else WOOD
    flashes = BEATS + 0.25 * off
    low, high = -0.45 + 0.1 * u[1], 0.45 + 0.15 * u[2]

    def paint(stage: Stage) -> None:
        along = stage.times / SECONDS
        y = low + (high - low) * (along if climbs else 1 - along)
        lit = np.exp(-np.square((stage.times[:, None] - flashes) / 0.08)).max(1).astype(np.float32)

        def halo(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft(0.1 - np.abs(np.abs(u) + np.abs(v) - 1.25 * radius - 0.12)), np.ones(3, np.float32)

        def lamp(u: Array, v: Array) -> tuple[Array, np.ndarray]:
            return stage.soft((1.25 * radius - np.abs(u) - np.abs(v)) / 2**0.5), look(look_of, u, v, radius)

        stage.paint(x, y, 1.3 * radius, lamp)
        stage.paint(x, y, 1.25 * radius + 0.25, halo, lit)

    kind = METAL if rings else WOOD
    size = (1.6 if loud else 0.55) * 2 ** (0.15 * (u[3] - 0.5))
    strokes = BEATS + 0.25 * late

    def voice(_: np.random.Generator) -> Heard:
        octaves = np.linspace(-0.5, 0.5, len(strokes)) * (1 if rises else -1)
        return struck(kind, size / 2**octaves, np.full(len(strokes), 0.5), strokes), x

    event = Event("lamp", "sight", tuple(flashes.tolist()), x, low if climbs else high, MATERIALS[look_of].name, radius)
    return Act(event, paint), Act(
        Event("voice", "both", tuple(strokes.tolist()), x, None, MATERIALS[kind].name, size), voice=voice
    )


def disc(stage: Stage, material: int, radius: float) -> Shape:
    return lambda u, v: (stage.soft(radius - np.hypot(u, v)), look(material, u, v, radius))


def block(stage: Stage, material: int, half: float) -> Shape:
    return lambda u, v: (stage.soft(half - np.maximum(np.abs(u), np.abs(v))), look(material, u, v, half))


ACTS: dict[str, Callable[[Chances], Act]] = {  # seen and heard, seen only, heard only
    **{"bounces": bounces, "rolls": rolls, "collides": collides, "breaks": breaks},
    **{"looms": looms, "spins": spins, "drifts": drifts, "dims": dims},
    **{"siren": siren, "bell": bell, "wind": wind, "birdsong": birdsong},
}
SCENERY, OFFSTAGE = tuple(ACTS)[4:8], tuple(ACTS)[8:]
DEPTH = ("looms", "drifts", "spins", "collides", "bounces", "rolls", "breaks", "lamp", "dims")
