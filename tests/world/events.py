"""Clips of events: the same in every batch, true to their labels and times, each sense by its own facts alone."""

from dataclasses import replace

import numpy as np
import pytest

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import event_types, events
from phantastic.world.canvas import FLOOR, Stage
from phantastic.world.events import CLASSES, GROUPS, REDUNDANT, World
from phantastic.world.sounds import RATE

SMALL = World(size=32, visual_noise=0.0, auditory_noise=0.0)
FIELDS = ("frames", "sound", "labels", "facts")


def same(a: events.Clips, b: events.Clips) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS) and a.events == b.events


@pytest.mark.parametrize(
    "world", [World(), World(size=32, frames=16, channels=1, ears=2, asynchrony=-0.1, conflict=0.3)]
)
def test_a_clip_is_the_same_in_every_batch(world):
    clips = events.render(world, 3, "clips", range(12))
    assert clips.frames.shape == (12, world.frames, world.size, world.size, world.channels)
    assert clips.sound.shape == (12, world.ears, 32_000)
    assert clips.labels.shape == (12, 24)
    assert np.isfinite(clips.sound).all()
    assert same(clips, events.render(world, 3, "clips", range(12)))
    alone = events.render(world, 3, "clips", [7])
    assert all(np.array_equal(getattr(alone, name)[0], getattr(clips, name)[7]) for name in FIELDS)
    assert alone.events[0] == clips.events[7]
    for other in (events.render(world, 4, "clips", [7]), events.render(world, 3, "others", [7])):
        assert not np.array_equal(other.frames[0], clips.frames[7])
        assert not np.array_equal(other.sound[0], clips.sound[7])
    assert events.render(world, 3, "clips", []).frames.shape[0] == 0


def test_every_class_has_a_name_in_each_language_and_one_group():
    assert len(CLASSES) == len(set(CLASSES)) == len(set(events.CLASSES_JA)) == 24
    assert sorted(column for columns in GROUPS.values() for column in columns) == list(range(24))


def test_labels_say_what_happened():
    clips = events.render(SMALL, 0, "labels", range(60))
    for label, facts, happened in zip(clips.labels, clips.facts, clips.events, strict=True):
        names = {event.name for event in happened}
        assert {"lamp", "voice"} <= names
        for name in event_types.ACTS:
            assert label[CLASSES.index(name)] == (name in names)
        (lamp,), (voice,) = ([event for event in happened if event.name == name] for name in ("lamp", "voice"))
        assert label[CLASSES.index("climbs")] == (lamp.y < 0) == facts[0, 0]
        assert label[CLASSES.index("looks large")] == (lamp.size > 0.2)
        assert label[CLASSES.index("looks metal")] == (lamp.material == "metal")
        assert label[CLASSES.index("sounds large")] == (voice.size > 1)
        assert label[CLASSES.index("sounds its material")] == (lamp.material == voice.material)
        assert label[CLASSES.index("in step")] == (lamp.onsets == voice.onsets)
        assert all(0 <= onset < 2 for event in happened for onset in event.onsets)


def drawn(facts: np.ndarray, world: World = SMALL) -> tuple[np.ndarray, np.ndarray]:
    """The picture and the sound of lamp and voice by themselves."""
    lamp, voice = event_types.carrier(facts, [0.4] * 8)
    generator = numpy_generator(0, "alone")
    return events.picture([lamp], np.full(3, 0.4), world, generator), events.sounded([voice], world, generator)


@pytest.mark.parametrize("fact", range(4))
def test_each_sense_has_facts_of_its_own(fact):
    facts = np.array([[0, 1, 0, 1], [1, 0, 0, 1]], np.int8)
    frames, sound = drawn(facts)
    seen, heard = facts.copy(), facts.copy()
    seen[0, fact] ^= 1
    heard[1, fact] ^= 1
    assert not np.array_equal(drawn(seen)[0], frames)
    assert np.array_equal(drawn(seen)[1], sound)
    assert np.array_equal(drawn(heard)[0], frames)
    assert not np.array_equal(drawn(heard)[1], sound)


def test_knobs_change_how_it_is_sensed_not_what_happens():
    plain = events.render(replace(SMALL, ears=2), 0, "knobs", range(8))
    for world in (
        replace(SMALL, size=64, frames=16, channels=1),
        replace(SMALL, visual_noise=0.3),
        replace(SMALL, auditory_noise=0.3),
        replace(SMALL, ears=2, asynchrony=0.2, conflict=-0.5),
    ):
        other = events.render(world, 0, "knobs", range(8))
        assert np.array_equal(other.labels, plain.labels)
        assert other.events == plain.events
    assert np.array_equal(other.frames, plain.frames)


def test_the_sound_lags_by_the_asynchrony():
    clips = [events.render(replace(SMALL, asynchrony=lag), 0, "lag", range(6)).sound for lag in (-0.25, 0.0, 0.25)]
    np.testing.assert_array_equal(clips[2][..., 4000:], clips[1][..., :-4000])
    np.testing.assert_array_equal(clips[0][..., :-4000], clips[1][..., 4000:])
    assert not clips[2][..., :4000].any()


def test_a_conflict_moves_what_is_heard():
    def lateral(conflict: float) -> np.ndarray:
        sound = events.render(replace(SMALL, ears=2, conflict=conflict), 0, "conflict", range(10), (None, None)).sound
        power = np.square(np.abs(np.fft.rfft(sound)))[..., 4000:12000].sum(-1)  # above 2 kHz
        return 10 * np.log10(power[:, 1] / power[:, 0])

    assert (lateral(0.5) > lateral(0.0)).all()
    assert (lateral(0.0) > lateral(-0.5)).all()


def test_noise_has_its_standard_deviation():
    for noise in (0.02, 0.1):
        quiet, loud = (
            events.render(replace(SMALL, auditory_noise=level, visual_noise=level), 0, "noise", range(6))
            for level in (0.0, noise)
        )
        assert np.std(loud.sound - quiet.sound) == pytest.approx(noise, rel=0.02)
        middle = (quiet.frames > 100) & (quiet.frames < 155)  # far from where levels are cut off
        assert np.std((loud.frames / 255.0 - quiet.frames / 255.0)[middle]) == pytest.approx(noise, rel=0.03)


def test_a_dub_is_seen_as_one_and_heard_as_another():
    def dubbed(seen: str | None, heard: str | None) -> events.Clips:
        return events.render(World(size=32), 1, "dub", range(10), (seen, heard))

    mixed, first, second = dubbed("bounces", "breaks"), dubbed("bounces", "bounces"), dubbed("breaks", "breaks")
    assert np.array_equal(mixed.frames, first.frames)
    assert np.array_equal(mixed.sound, second.sound)
    assert np.array_equal(first.labels[:, :4], np.tile([1, 0, 0, 0], (10, 1)))
    assert np.array_equal(mixed.labels[:, :4], np.tile([1, 0, 0, 1], (10, 1)))
    assert not dubbed(None, None).labels[:, :4].any()
    assert len({labels.tobytes() for labels in (each.labels[:, 4:] for each in (mixed, first, second))}) == 1


@pytest.mark.parametrize("name", REDUNDANT)
def test_it_sounds_from_the_moment_that_it_is_seen(name):
    for number in range(6):
        act = event_types.ACTS[name](numpy_generator(number, "moment").random(8).tolist())
        assert act.voice is not None
        sound, _ = act.voice(numpy_generator(0, "moment"))
        first = round(act.event.onsets[0] * RATE)
        assert np.abs(sound[: first - 1]).max(initial=0) == 0
        assert np.abs(sound[first : first + RATE // 20]).max() > 0.01


def test_a_ball_touches_the_floor_when_it_sounds():
    times = np.arange(0, 2, 0.01)
    for number in range(5):
        act = event_types.bounces(numpy_generator(number, "ball").random(8).tolist())
        black = Stage(times, 64, np.zeros(3))
        assert act.paint is not None
        act.paint(black)
        rows = black.pixels.max((2, 3)) > 0.1
        lowest = 63 - rows[:, ::-1].argmax(1)
        ground = (1 - FLOOR) * 32
        for onset in act.event.onsets[:3]:
            assert abs(lowest[round(onset / 0.01)] - ground) <= 2
        between = round((act.event.onsets[0] + act.event.onsets[1]) / 2 / 0.01)
        assert lowest[between] < ground - 5


def test_frames_of_any_size_show_the_same_scene():
    small, large = (
        events.render(replace(SMALL, size=size), 0, "scale", range(5)).frames.astype(float) for size in (32, 64)
    )
    averaged = large.reshape(5, 8, 32, 2, 32, 2, 3).mean((3, 5))
    assert np.abs(averaged - small).mean() < 3
    grey = events.render(replace(SMALL, channels=1), 0, "scale", range(5)).frames[..., 0]
    unclipped = small.max(-1) < 255
    assert np.abs(small @ [0.299, 0.587, 0.114] - grey)[unclipped].max() < 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 8}, {"frames": 0}, {"channels": 2}, {"ears": 0}, {"visual_noise": -1},
        {"auditory_noise": float("nan")}, {"asynchrony": 3.0}, {"conflict": 0.2},
    ],
)  # fmt: skip
def test_worlds_that_cannot_be(wrong):
    with pytest.raises(Refused, match="ears=2" if "conflict" in wrong else "allowed"):
        events.render(World(**wrong), 0, "wrong", [0])


def test_a_dub_of_something_else_is_refused():
    with pytest.raises(Refused, match="did you mean 'bounces'"):
        events.render(World(), 0, "wrong", [0], ("bounce", None))


def test_a_clip_costs_what_is_in_it(monkeypatch: pytest.MonkeyPatch):
    """Each event that is seen is painted once and each that is heard is sounded once, and no other."""
    done: list[tuple[str, str]] = []

    def counted(name: str, act: event_types.Act) -> event_types.Act:
        def paint(stage: Stage) -> None:
            done.append((name, "painted"))

        def voice(generator: np.random.Generator) -> event_types.Heard:
            done.append((name, "sounded"))
            return np.zeros(2 * RATE, np.float32), 0.0

        return act._replace(paint=act.paint and paint, voice=act.voice and voice)

    for name, make in event_types.ACTS.items():
        monkeypatch.setitem(event_types.ACTS, name, lambda u, name=name, make=make: counted(name, make(u)))
    for dub in (None, ("bounces", "breaks"), ("rolls", "rolls"), (None, "collides"), (None, None)):
        for number in range(5):
            done.clear()
            clip = events.render(SMALL, 0, "cost", [number], dub)
            happened = {event.name: event.sense for event in clip.events[0][:-2]}  # the last are lamp and voice
            expected = []
            for place, (sense, verb) in enumerate((("sight", "painted"), ("sound", "sounded"))):
                names = {name for name, found in happened.items() if found in (sense, "both")}
                if dub:
                    names = names - set(REDUNDANT) | {dub[place]} - {None}
                expected += [(name, verb) for name in names]
            assert sorted(done) == sorted(expected)
