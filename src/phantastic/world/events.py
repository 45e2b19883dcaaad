"""Clips of two seconds in which things happen, seen and heard, with controlled information about what happened.

Each class of event belongs to one atom of the partial information decomposition (Williams & Beer 2010) of its label
about sight and sound: *redundant* (either sense tells), *visual* or *auditory* (that sense alone tells) or *synergy*
(neither sense alone tells anything, both together tell all). In every clip a lamp climbs or sinks, large or small, of
wood or metal, and flashes on or off the beat; a voice of four strokes rises or falls, of a large or small thing, of
wood or metal, on or off the beat. Each of these eight facts is a fair coin of its own, so whether sight and sound
agree in one of them is an exclusive or: 0 bits from either sense, 1 bit from both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, Int8, UInt8

from phantastic.ground.errors import Refused, nearest
from phantastic.ground.randomness import numpy_generator
from phantastic.world import sounds
from phantastic.world.canvas import Stage
from phantastic.world.event_types import ACTS, DEPTH, OFFSTAGE, SCENERY, SECONDS, Act, Event, carrier
from phantastic.world.sounds import RATE

REDUNDANT = {"bounces": "弾む", "rolls": "転がる", "collides": "ぶつかる", "breaks": "割れる"}
VISUAL = {
    "looms": "迫ってくる",
    "spins": "回る",
    "drifts": "漂う",
    "dims": "暗くなる",
    "climbs": "昇る",
    "looks large": "大きく見える",
    "looks metal": "金属に見える",
    "flashes late": "遅れて光る",
}
AUDITORY = {
    "siren": "サイレン",
    "bell": "鐘",
    "wind": "風",
    "birdsong": "鳥の声",
    "pitch rises": "音が高くなる",
    "sounds large": "大きく聞こえる",
    "sounds metal": "金属に聞こえる",
    "strikes late": "遅れて鳴る",
}
SYNERGY = {
    "pitch follows motion": "音の高さが動きに合う",
    "sounds its size": "音が大きさに合う",
    "sounds its material": "音が材質に合う",
    "in step": "音と光がそろう",
}
CLASSES: tuple[str, ...] = (*REDUNDANT, *VISUAL, *AUDITORY, *SYNERGY)
CLASSES_JA: tuple[str, ...] = tuple({**REDUNDANT, **VISUAL, **AUDITORY, **SYNERGY}.values())
_ENDS = np.cumsum([0, len(REDUNDANT), len(VISUAL), len(AUDITORY), len(SYNERGY)]).tolist()
GROUPS: dict[str, tuple[int, ...]] = {
    name: tuple(range(_ENDS[place], _ENDS[place + 1]))
    for place, name in enumerate(("redundant", "visual", "auditory", "synergy"))
}
FACTS: tuple[str, ...] = ("direction", "size", "material", "beat")  # of the lamp and, each of its own, of the voice
PRESENT = 0.25  # probability of each event that may be absent
WIDE = np.pi / 3  # azimuth of the stage's right edge, radians


@dataclass(frozen=True)
class World:
    """How clips are seen and heard. Noise is white and Gaussian, by its standard deviation (white, and a full
    amplitude, are 1). The sound lags the sight by `asynchrony` seconds; what is seen and heard is heard `conflict` half
    widths of the picture to the right of where it is seen (with two ears)."""

    size: int = 64  # pixels
    frames: int = 8
    channels: int = 3  # RGB, or 1: grey
    ears: int = 1
    visual_noise: float = 0.04
    auditory_noise: float = 0.01
    asynchrony: float = 0.0
    conflict: float = 0.0


class Clips(NamedTuple):
    """Clips with what is true of them; `facts` are those of the lamp and of the voice, columns as in FACTS."""

    frames: UInt8[np.ndarray, "n frames size size channels"]
    sound: Float32[np.ndarray, "n ears samples"]
    labels: Float32[np.ndarray, "n classes"]
    facts: Int8[np.ndarray, "n 2 facts"]
    events: tuple[tuple[Event, ...], ...]


def render(
    world: World,
    seed: int,
    purpose: str,
    indices: Iterable[int] | Int[np.ndarray, " n"],
    dub: tuple[str | None, str | None] | None = None,
) -> Clips:
    """Clips by their numbers: what happens in one hangs on (seed, purpose, number) alone, not on the batch or `world`.

    With `dub`, of the redundant classes exactly the first is seen and exactly the second heard (None: none is).
    Raises Refused where a setting of `world` is out of range or `dub` names no redundant class.
    """
    check(world, dub)
    numbers = [int(index) for index in indices]
    shape = (len(numbers), world.frames, world.size, world.size, world.channels)
    clips = Clips(
        np.empty(shape, np.uint8),
        np.empty((len(numbers), world.ears, round(SECONDS * RATE)), np.float32),
        np.empty((len(numbers), len(CLASSES)), np.float32),
        np.empty((len(numbers), 2, len(FACTS)), np.int8),
        (),
    )
    events = []
    for row, number in enumerate(numbers):
        generator = numpy_generator(seed, purpose, number)
        facts = generator.integers(0, 2, (2, len(FACTS)), np.int8)
        present = generator.random(len(ACTS)) < PRESENT
        chances = generator.random((len(ACTS) + 1, 8)).tolist()
        seen, heard = present.copy(), present.copy()
        if dub is not None:
            for sense, name in ((seen, dub[0]), (heard, dub[1])):
                sense[: len(REDUNDANT)] = [other == name for other in REDUNDANT]
        acts = {name: ACTS[name](chances[place]) for place, name in enumerate(ACTS) if seen[place] or heard[place]}
        lamp, voice = carrier(facts, chances[-1])
        visible = [acts[name] for name, shown in zip(ACTS, seen, strict=True) if shown]
        audible = [acts[name] for name, sounded in zip(ACTS, heard, strict=True) if sounded]
        wall = 0.35 + 0.25 * generator.random(3)
        clips.frames[row] = picture([*visible, lamp], wall, world, numpy_generator(seed, f"{purpose}/sight", number))
        clips.sound[row] = sounded([*audible, voice], world, numpy_generator(seed, f"{purpose}/sound", number))
        clips.labels[row] = labels(seen | heard, facts)
        clips.facts[row] = facts
        events.append(tuple(act.event for act in (*acts.values(), lamp, voice)))
    return clips._replace(events=tuple(events))


def labels(present: np.ndarray, facts: Int8[np.ndarray, "2 facts"]) -> Float32[np.ndarray, " classes"]:
    """The label of each class, from which events are there (in the order of ACTS) and the facts of lamp and voice."""
    occurs = dict(zip(ACTS, present, strict=True))
    sight, sound = facts
    return np.array(
        [occurs[name] for name in REDUNDANT]
        + [occurs[name] for name in SCENERY]
        + [*sight]
        + [occurs[name] for name in OFFSTAGE]
        + [*sound]
        + [*(sight == sound)],
        np.float32,
    )


def check(world: World, dub: tuple[str | None, str | None] | None) -> None:
    bounds: dict[str, tuple[float, float]] = {
        "size": (16, 1024),
        "frames": (1, 256),
        "visual_noise": (0, 10),
        "auditory_noise": (0, 10),
        "asynchrony": (-SECONDS, SECONDS),
        "conflict": (-2, 2),
    }
    for name, (low, high) in bounds.items():
        value = getattr(world, name)
        if not low <= value <= high:
            raise Refused(f"the world's {name} is {value}; allowed: {low} to {high}")
    if world.channels not in (1, 3) or world.ears not in (1, 2):
        raise Refused(f"{world.channels} channels and {world.ears} ears; allowed: 1 or 3 channels, 1 or 2 ears")
    if world.conflict and world.ears == 1:
        raise Refused("one ear hears no place: a conflict of places needs ears=2")
    for name in dub or ():
        if name is not None and name not in REDUNDANT:
            raise Refused(f"'{name}' is not both seen and heard{nearest(name, REDUNDANT)}")


def picture(acts: list[Act], wall: np.ndarray, world: World, generator: np.random.Generator) -> np.ndarray:
    """The frames of these events, from back to front: each shows the middle of its share of the clip."""
    stage = Stage((np.arange(world.frames) + 0.5) * (SECONDS / world.frames), world.size, wall)
    for act in sorted(acts, key=lambda act: DEPTH.index(act.event.name) if act.paint else -1):
        if act.paint:
            act.paint(stage)
    return stage.developed(world.channels, world.visual_noise, generator)


def sounded(acts: list[Act], world: World, generator: np.random.Generator) -> np.ndarray:
    """The sound of these events at each ear."""
    total = np.zeros((world.ears, round(SECONDS * RATE)), np.float32)
    lag = round(world.asynchrony * RATE)
    for act in acts:
        if act.voice is None:
            continue
        sound, x = act.voice(generator)
        if world.ears == 2:
            offset = world.conflict if act.event.sense != "sound" else 0
            sound = sounds.ears(sound, np.clip(WIDE * (x + offset), -np.pi / 2, np.pi / 2))
        if lag >= 0:
            total[:, lag:] += sound[..., : total.shape[1] - lag]
        else:
            total[:, :lag] += sound[..., -lag:]
    if world.auditory_noise:
        total += np.float32(world.auditory_noise) * generator.standard_normal(total.shape, np.float32)
    return total
