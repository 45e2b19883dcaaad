"""What happens in a clip happens as it would: balls fall, wheels roll, discs loom, tones rise, light is above."""

from itertools import pairwise

import numpy as np
import pytest

from phantastic.ground.randomness import numpy_generator
from phantastic.world import event_types
from phantastic.world.canvas import FLOOR, Stage
from phantastic.world.sounds import FUNDAMENTAL, RATE

TIMES = np.arange(0, 2, 0.02)
SIZE = 128
PLACES = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1  # of columns to the right; rows downwards


def chances(number: int, **fixed: float) -> list[float]:
    """Eight draws, some of which (u0, u1, ...) are fixed."""
    drawn = numpy_generator(number, "course").random(8).tolist()
    for name, value in fixed.items():
        drawn[int(name[1])] = value
    return drawn


def painted(act: event_types.Act, colour: float = 0.0, times: np.ndarray = TIMES) -> np.ndarray:
    """Brightness of the act alone on an even wall, [frames, rows, columns]."""
    stage = Stage(times, SIZE, np.zeros(3))
    stage.pixels[:] = colour
    assert act.paint is not None
    act.paint(stage)
    return stage.pixels.mean(-1)


# --- the stage


def test_light_comes_from_above():
    """The wall is the lighter the higher, and the floor, which is below it, darker than any of it."""
    wall = np.array([0.8, 0.5, 0.3])
    rows = Stage(np.zeros(1), 64, wall).pixels[0, :, 0] / wall
    above = -PLACES[::2] - 1 / SIZE > FLOOR
    assert np.ptp(rows, axis=1).max() < 1e-6  # no channel is favoured
    shade = rows[:, 0]
    assert (np.diff(shade[above]) < 0).all()
    assert np.ptp(shade[~above]) == 0
    assert shade[~above].max() < 0.7 * shade[above].min()


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_the_nearest(channels: int):
    stage = Stage(np.zeros(2), 16, np.zeros(3))
    stage.pixels[:] = numpy_generator(0, "levels").random(stage.pixels.shape)
    wanted = stage.pixels if channels == 3 else stage.pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
    levels = stage.developed(channels, 0.0, numpy_generator(0, "noise"))
    assert np.abs(levels - 255 * wanted).max() <= 0.5 + 1e-4


# --- seen


@pytest.mark.parametrize("number", range(4))
def test_a_ball_loses_the_same_share_of_its_speed_at_every_bounce(number: int):
    """Between two hits it is in the air for as long as its speed allows: twice the speed over gravity; the first fall
    takes √(2h/g). So the pauses shrink by one ratio, and the first of them is twice the fall times that ratio."""
    drawn = chances(number, u2=0.0, u3=0.0, u4=0.2)
    hits = np.array(event_types.bounces(drawn).event.onsets)
    fall = hits[0] - 0.05  # held for .05 s
    pauses = np.diff(hits)
    assert len(pauses) >= 3
    ratio = pauses[1:] / pauses[:-1]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert pauses[0] == pytest.approx(2 * fall * ratio[0])
    assert 0.6 <= ratio[0] <= 0.8


@pytest.mark.parametrize("number", range(4))
def test_a_ball_falls_and_flies_in_parabolas(number: int):
    act = event_types.bounces(chances(number, u0=0.9, u6=0.5))
    image = painted(act)
    shown = image.sum(2)
    middle = (shown * -PLACES).sum(1) / shown.sum(1)  # the ball's height
    hits = (np.array(act.event.onsets) / 0.02).astype(int)
    curves = [np.diff(middle[a + 3 : b - 2], 2).mean() / 0.02**2 for a, b in pairwise(hits[:3])]
    assert act.event.y is not None
    assert act.event.size is not None
    start = round((act.event.onsets[0] - 0.2) / 0.02)
    falling = np.diff(middle[start : hits[0] - 1], 2).mean() / 0.02**2
    np.testing.assert_allclose(curves, falling, rtol=0.15)  # one gravity
    assert falling < 0
    assert middle[0] == pytest.approx(act.event.y, abs=0.05)  # a part may be above the picture


@pytest.mark.parametrize("way", [0.2, 0.7])
def test_a_wheel_rolls_without_slipping(way: float):
    """Its spokes turn by the way that it goes over its radius: clockwise to the right."""
    act = event_types.rolls(chances(1, u0=0.9, u1=1.0, u2=0.0, u3=0.5, u4=way))
    radius = act.event.size
    assert radius is not None
    times = np.arange(0.5, 1.3, 0.01)
    image = painted(act, times=times)
    covered = image > 0.01
    centre = (covered.sum(1) * PLACES).sum(1) / covered.sum((1, 2))
    velocity = np.polyfit(times, centre, 1)[0]
    assert np.sign(velocity) == (1 if way < 0.5 else -1)
    phase = []
    for frame, x in zip(image, centre, strict=True):
        u, v = PLACES[None] - x, -PLACES[:, None] - (FLOOR + radius)
        ring = np.abs(np.hypot(u, v) - 0.5 * radius) < 0.25 * radius
        spokes = frame * ring * np.exp(2j * np.arctan2(v, u))  # they repeat after half a turn
        phase.append(np.angle(spokes.sum()) / 2)
    turning = np.polyfit(times, np.unwrap(phase, period=np.pi), 1)[0]
    assert turning == pytest.approx(-velocity / radius, rel=0.05)


@pytest.mark.parametrize("number", range(4))
def test_a_disc_that_looms_is_as_large_as_it_is_near(number: int):
    """Its radius is 1 / distance, and that falls evenly: at every moment radius / growth is the time to contact, which
    lies beyond the end of the clip (Lee 1976)."""
    act = event_types.looms(chances(number, u1=0.5, u2=0.4))
    radius = np.sqrt((painted(act, 1.0) < 0.5).sum((1, 2)) / np.pi) * 2 / SIZE
    late = TIMES > 1
    nearness = np.polyfit(TIMES[late], 1 / radius[late], 1)
    contact = -nearness[1] / nearness[0]
    assert 2.05 < contact < 2.6
    np.testing.assert_allclose(1 / radius[late], np.polyval(nearness, TIMES[late]), rtol=0.1)
    assert radius[-1] > 2 * radius[TIMES < 1][-1]
    assert act.event.size == pytest.approx(radius[-1] * (contact - TIMES[-1]) / (contact - 2), rel=0.12)


def test_the_light_goes_down_by_more_than_half_and_comes_back():
    for number in range(4):
        act = event_types.dims(chances(number))
        light = painted(act, 0.5).mean((1, 2)) / 0.5
        (when,) = act.event.onsets
        assert (light[when > TIMES] == 1).all()
        assert 0.3 < light.min() < 0.5
        assert light[-1] == 1
        assert TIMES[light < 1][0] == pytest.approx(when, abs=0.03)


def test_a_bar_that_spins_turns_at_its_speed():
    for number, sign in ((0, 1), (1, -1)):
        drawn = chances(number, u0=0.5, u1=0.3, u2=0.2, u3=0.2 if sign > 0 else 0.7)
        act = event_types.spins(drawn)
        image = painted(act)
        u, v = PLACES[None] - act.event.x, -PLACES[:, None] - act.event.y
        phase = [np.angle((frame * np.exp(2j * np.arctan2(v, u))).sum()) / 2 for frame in image]
        turning = np.polyfit(TIMES, np.unwrap(phase, period=np.pi), 1)[0]
        assert turning == pytest.approx(sign * (2 + 3 * 0.2), rel=0.02)


# --- heard


def strokes(facts: tuple[int, int, int, int], number: int = 0) -> tuple[np.ndarray, list[float]]:
    """The voice of these facts alone, and when it strikes."""
    _, voice = event_types.carrier(np.array([(0, 0, 0, 0), facts], np.int8), chances(number, u3=0.5))
    assert voice.voice is not None
    return voice.voice(numpy_generator(0, "voice"))[0], list(voice.event.onsets)


def pitch(sound: np.ndarray, onset: float) -> float:
    """The lowest mode after a stroke, in hertz."""
    part = sound[round(onset * RATE) : round((onset + 0.12) * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * RATE))
    loud = np.flatnonzero(spectrum > 0.5 * spectrum.max())
    return (loud[0] + np.argmax(spectrum[loud[0] : loud[0] + 400])) / 8


@pytest.mark.parametrize(("rises", "ratio"), [(1, 2.0), (0, 0.5)])
@pytest.mark.parametrize("large", [0, 1])
def test_the_voice_rises_or_falls_by_an_octave(rises: int, ratio: float, large: int):
    """A struck thing's pitch is 1 / its size, in even steps from stroke to stroke; a large thing lies lower."""
    sound, onsets = strokes((rises, large, 0, 0))
    found = [pitch(sound, onset) for onset in onsets]
    assert found[-1] / found[0] == pytest.approx(ratio, rel=0.03)
    np.testing.assert_allclose(np.diff(np.log2(found)), np.log2(ratio) / 3, atol=0.03)
    assert np.sqrt(found[0] * found[-1]) == pytest.approx(FUNDAMENTAL / (1.6 if large else 0.55), rel=0.03)


@pytest.mark.parametrize(("late", "expected"), [(0, [0.125, 0.625, 1.125, 1.625]), (1, [0.375, 0.875, 1.375, 1.875])])
def test_strokes_are_on_the_beat_or_a_quarter_of_a_second_off(late: int, expected: list[float]):
    sound, onsets = strokes((0, 0, 0, late))
    assert onsets == expected
    power = np.square(sound).reshape(-1, 80).sum(1)  # 5 ms
    begins = np.flatnonzero(power[1:] > 30 * power[:-1] + 1e-3)
    assert ((begins + 1) * 0.005).tolist() == pytest.approx(expected, abs=0.006)


def test_metal_rings_on_and_wood_does_not():
    left = [np.square(strokes((0, 0, metal, 0))[0][round(0.5 * RATE) : round(0.6 * RATE)]).sum() for metal in (0, 1)]
    assert left[1] > 100 * left[0]
