"""Scenes put together: what hides what, when frames are seen, where sounds come from, how often things happen."""

from dataclasses import replace

import numpy as np
import pytest

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import events, sounds
from phantastic.world.canvas import FLOOR, Stage
from phantastic.world.event_types import ACTS, Act, Event
from phantastic.world.events import CLASSES, REDUNDANT, World
from phantastic.world.sounds import RATE

SILENT = World(size=16, frames=4, visual_noise=0.0, auditory_noise=0.0)
FRONT_TO_BACK = ("dims", "lamp", "breaks", "rolls", "bounces", "collides", "spins", "drifts", "looms")


def test_the_nearer_hides_the_farther_and_the_light_goes_down_over_all():
    def filling(name: str, level: float) -> Act:
        def paint(stage: Stage) -> None:
            stage.pixels[:] = level

        return Act(Event(name, "sight", (0.0,)), paint)

    acts = [filling(name, place / 10) for place, name in enumerate(FRONT_TO_BACK)]
    for place in range(len(acts)):
        for order in (acts[place:], acts[place:][::-1]):
            frames = events.picture(order, np.ones(3), SILENT, numpy_generator(0, "noise"))
            assert (np.abs(frames - 25.5 * place) <= 0.5).all()


@pytest.mark.parametrize("frames", [1, 4, 10])
def test_a_frame_is_of_the_middle_of_its_share_of_two_seconds(frames: int):
    seen: list[np.ndarray] = []
    act = Act(Event("lamp", "sight", (0.0,)), lambda stage: seen.append(stage.times))
    events.picture([act], np.ones(3), replace(SILENT, frames=frames), numpy_generator(0, "noise"))
    share = 2 / frames
    np.testing.assert_allclose(seen[0], [share * number + share / 2 for number in range(frames)])


def click(sense: str, x: float, world: World) -> np.ndarray:
    sound = np.zeros(2 * RATE, np.float32)
    sound[1000] = 1
    act = Act(Event("click", sense, (0.0,)), voice=lambda _: (sound, x))
    return events.sounded([act], world, numpy_generator(0, "noise"))


@pytest.mark.parametrize("conflict", [0.0, 0.4, -0.9, 2.0])
@pytest.mark.parametrize("x", [-1.0, 0.2, 1.0])
def test_the_picture_s_edge_is_sixty_degrees_to_the_side(x: float, conflict: float):
    """So a conflict of one half width turns what is seen and heard by sixty degrees, at most to the ear itself."""
    world = replace(SILENT, ears=2, conflict=conflict)
    alone = np.zeros(2 * RATE, np.float32)
    alone[1000] = 1
    for sense, place in (("both", x + conflict), ("sound", x)):
        azimuth = np.clip(np.deg2rad(60 * place), -np.pi / 2, np.pi / 2)
        np.testing.assert_allclose(click(sense, x, world), sounds.ears(alone, azimuth), atol=1e-6)
    one_ear = click("both", x, SILENT)
    assert one_ear.shape == (1, 2 * RATE)
    assert np.flatnonzero(one_ear).tolist() == [1000]


@pytest.mark.parametrize("lag", [-2.0, -0.05, 0.0, 0.05, 2.0])
def test_what_lags_beyond_the_clip_is_cut_off(lag: float):
    found = click("both", 0.0, replace(SILENT, asynchrony=lag))
    place = 1000 + round(lag * RATE)
    assert np.flatnonzero(found).tolist() == ([place] if 0 <= place < 2 * RATE else [])


def test_an_event_that_may_be_absent_is_there_in_every_fourth_clip():
    clips = events.render(replace(SILENT, frames=1), 0, "often", range(70))
    assert len(ACTS) == 12
    share = clips.labels[:, [CLASSES.index(name) for name in ACTS]].mean()
    assert share == pytest.approx(0.25, abs=0.045)
    for happened in clips.events:  # the last two are those of every clip
        assert [event.name for event in happened[-2:]] == ["lamp", "voice"]


def test_walls_are_between_a_third_and_three_fifths_bright_and_each_of_its_own_colour():
    clips = events.render(replace(SILENT, frames=1), 0, "walls", range(70), (None, None))
    dark = {"looms", "spins", "drifts", "dims"}
    plain = [not dark & {event.name for event in happened} for happened in clips.events]
    level = clips.frames[plain, 0, 0, 0] / 255 / (0.9 + 0.1 * 15 / 16)  # the upper left corner, lit from above
    assert 0.345 < level.min() < 0.41
    assert 0.54 < level.max() < 0.605
    assert np.abs(np.corrcoef(level.T) - np.eye(3)).max() < 0.7
    floor = clips.frames[plain, 0, -1, 0] / 255
    rows = 1 - (np.arange(16) + 0.5) / 8
    assert rows[-1] < FLOOR
    np.testing.assert_allclose(floor, 0.55 * level, atol=0.01)


def test_a_world_of_which_nothing_is_said():
    assert World() == World(64, 8, 3, 1, visual_noise=0.04, auditory_noise=0.01, asynchrony=0.0, conflict=0.0)
    usual = World()
    quiet = replace(usual, visual_noise=0.0, auditory_noise=0.0)
    loud, still = (events.render(world, 0, "noise", range(3)) for world in (usual, quiet))
    assert np.std(loud.sound - still.sound) == pytest.approx(0.01, rel=0.03)
    middle = (still.frames > 60) & (still.frames < 190)
    assert np.std((loud.frames.astype(float) - still.frames)[middle]) / 255 == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("size", 16, 1024, 1), ("frames", 1, 256, 1), ("visual_noise", 0, 10, 0.1), ("auditory_noise", 0, 10, 0.1),
        ("asynchrony", -2, 2, 0.1), ("conflict", -2, 2, 0.1),
    ],
)  # fmt: skip
def test_settings_reach_as_far_as_they_say(name: str, low: float, high: float, step: float):
    world = World(ears=2)
    for value in (low, high):
        events.check(replace(world, **{name: value}), None)
    for value in (low - step, high + step, float("nan")):
        with pytest.raises(Refused, match=f"{name} is .*; allowed: {low:g}.* to {high:g}"):
            events.check(replace(world, **{name: value}), None)


def test_one_ear_or_two_and_grey_or_colours_and_no_conflict_for_one_ear():
    for channels, ears in ((1, 1), (3, 1), (1, 2), (3, 2)):
        events.check(World(channels=channels, ears=ears), None)
    for channels, ears in ((0, 1), (2, 1), (4, 1), (3, 0), (3, 3)):
        with pytest.raises(Refused, match=f"{channels} channels and {ears} ears"):
            events.check(World(channels=channels, ears=ears), None)
    for conflict in (-0.1, 0.1):
        with pytest.raises(Refused, match="ears=2"):
            events.check(World(conflict=conflict), None)


def test_a_dub_names_what_is_seen_and_what_is_heard():
    for name in REDUNDANT:
        events.check(World(), (name, None))
        events.check(World(), (None, name))
    for wrong in ((None, "siren"), ("looms", None), ("rolls", "bell")):
        with pytest.raises(Refused, match="not both seen and heard"):
            events.check(World(), wrong)
    seen, heard = (events.render(SILENT, 2, "dub", range(4), dub) for dub in (("rolls", None), (None, "rolls")))
    neither = events.render(SILENT, 2, "dub", range(4), (None, None))
    assert np.array_equal(seen.sound, neither.sound)
    assert not np.array_equal(seen.frames, neither.frames)
    assert np.array_equal(heard.frames, neither.frames)
    assert not np.array_equal(heard.sound, neither.sound)
    assert (seen.labels[:, 1] == heard.labels[:, 1]).all()
    assert seen.labels[:, 1].all()
