"""How events look: the brush against a plain renderer, materials, and the course of each thing that is seen."""

import numpy as np
import pytest

from phantastic.ground.randomness import numpy_generator
from phantastic.world import event_types
from phantastic.world.canvas import FLOOR, Stage, look
from phantastic.world.sounds import GLASS, METAL, RUBBER, WOOD

SIZE = 96
STEP = 2 / SIZE
PLACES = (np.arange(SIZE) + 0.5) * STEP - 1  # of columns to the right; rows downwards
TIMES = np.arange(0, 2, 0.04)


def chances(number: int, **fixed: float) -> list[float]:
    """Eight draws, some of which (u0, u1, ...) are fixed."""
    drawn = numpy_generator(number, "sights").random(8).tolist()
    for name, value in fixed.items():
        drawn[int(name[1])] = value
    return drawn


def painted(act: event_types.Act, times: np.ndarray = TIMES) -> np.ndarray:
    """The act alone in the dark, [frames, rows, columns, colours]."""
    stage = Stage(times, SIZE, np.zeros(3))
    assert act.paint is not None
    act.paint(stage)
    return stage.pixels


def middle(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the light is on average, to the right and upwards, frame by frame."""
    total = light.sum((1, 2))
    return light.sum(1) @ PLACES / total, -light.sum(2) @ PLACES / total


# --- the brush


@pytest.mark.parametrize("reach", [0.05, 0.3, 0.9, 1.6])
def test_a_shape_is_painted_as_if_every_pixel_were_looked_at(reach: float):
    """Wherever it is, in part or wholly outside too, over what is there, as far as its opacity goes."""
    generator = numpy_generator(0, "brush")
    x, y, alpha = 4 * generator.random((3, 40)) - 2
    alpha = np.clip(alpha, 0, 1)
    stage = Stage(np.zeros(40), SIZE, np.array([0.3, 0.6, 0.9]))
    before = stage.pixels.copy()

    def cover(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.clip(1 - np.maximum(np.abs(u), 2 * np.abs(v + 0.2 * u)) / reach, 0, 1)

    def colour(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.stack(np.broadcast_arrays(0.5 + 0.1 * u, 0.5 - 0.2 * v, 0.25), -1)

    stage.paint(x, y, reach, lambda u, v: (cover(u, v), colour(u, v)), alpha)
    u, v = PLACES - x[:, None, None], -PLACES[:, None] - y[:, None, None]
    share = (alpha[:, None, None] * cover(u, v))[..., None]
    np.testing.assert_allclose(stage.pixels, (1 - share) * before + share * colour(u, v), atol=2e-5)


def test_an_edge_covers_of_a_pixel_what_lies_within_it():
    stage = Stage(np.zeros(1), SIZE, np.zeros(3))
    assert stage.soft(np.array([-STEP, -STEP / 2, 0.0, STEP / 4, STEP / 2, 1.0])).tolist() == [0, 0, 0.5, 0.75, 1, 1]
    for radius in (0.05, 0.2, 0.5):
        stage.pixels[:] = 0
        stage.paint(0.013, -0.007, 1.1 * radius, lambda u, v, r=radius: (stage.soft(r - np.hypot(u, v)), np.ones(3)))
        assert stage.pixels[..., 0].sum() * STEP**2 == pytest.approx(np.pi * radius**2, rel=0.01)


def test_shapes_are_as_large_as_they_say():
    stage = Stage(np.zeros(1), SIZE, np.zeros(3))
    u, v = PLACES[None, None], -PLACES[None, :, None]
    for make, area in ((event_types.disc, np.pi), (event_types.block, 4)):
        assert make(stage, WOOD, 0.4)(u, v)[0].sum() * STEP**2 == pytest.approx(area * 0.16, rel=0.01)


def test_materials_look_like_themselves():
    r = 0.2
    u, v = np.meshgrid(np.linspace(-r, r, 81), np.linspace(r, -r, 81))
    shades = {material: look(material, u, v, r) for material in (WOOD, METAL, GLASS, RUBBER)}
    red, green, blue = (np.array([shades[m].mean((0, 1))[c] for m in (WOOD, METAL, GLASS, RUBBER)]) for c in range(3))
    assert red[0] > green[0] > blue[0]  # brown
    assert red[1] < green[1] < blue[1]  # steel
    assert red[2] < 0.7 * green[2] == pytest.approx(0.7 * blue[2])
    assert red[3] > 3 * max(green[3], blue[3])
    light = {material: shade[..., 1] / shade[40, 40, 1] for material, shade in shades.items()}
    assert np.ptp(light[RUBBER]) == 0  # dull
    row, column = np.unravel_index(light[METAL].argmax(), u.shape)
    assert (u[row, column], v[row, column]) == pytest.approx((-0.3 * r, 0.3 * r), abs=r / 40)  # the lamp is left above
    away = np.hypot(u + 0.3 * r, v - 0.3 * r)
    shine = light[METAL] - light[METAL].min()
    assert shine[np.abs(away - 0.4 * r) < r / 80].mean() == pytest.approx(shine.max() / np.e, rel=0.05)
    assert light[METAL].max() / light[METAL].min() == pytest.approx(1.85 / 0.85, rel=0.01)
    at = np.hypot(u, v)
    assert light[GLASS][np.abs(at - r) < r / 80].mean() == pytest.approx(1.15 / 0.65, rel=0.01)  # a bright rim
    assert (np.diff(light[GLASS][40, 40:]) > 0).all()
    line = look(WOOD, np.zeros(2000), np.linspace(0, 20 * r, 2000), r)[:, 0]
    crossings = np.count_nonzero(np.diff(line > line.mean()))
    assert crossings / 2 == pytest.approx(20 * 9 / (2 * np.pi), abs=1)  # its grain
    assert line.max() / line.min() == pytest.approx(1.35 / 0.65, rel=0.01)
    slope = look(WOOD, np.linspace(0, 100 * r, 2000), np.linspace(0, -20 * r, 2000), r)
    assert np.ptp(slope, axis=0).max() < 1e-3  # along which nothing changes


# --- what happens


@pytest.mark.parametrize("number", range(3))
def test_two_blocks_meet_and_fall_back_half_as_fast(number: int):
    act = event_types.collides(chances(number, u0=0.3, u1=0.8, u3=0.5, u4=0.5, u5=0.5))
    (when,), half, height = act.event.onsets, act.event.size, act.event.y
    assert (when, act.event.x, act.event.material) == (pytest.approx(0.9), pytest.approx(0), "metal+rubber")
    times = np.arange(when - 0.4, when + 0.4, 0.04)
    stage = painted(act, times)
    there = stage.max(-1) > 0.3
    columns = there.any(1)
    left, right = (
        np.array([PLACES[np.flatnonzero(frame & (side * PLACES > 0))].mean() for frame in columns]) for side in (-1, 1)
    )
    np.testing.assert_allclose(left, -right, atol=STEP)
    apart = right - half
    before, after = times < when - 0.01, times > when + 0.01
    speed = -np.polyfit(times[before], apart[before], 1)[0]
    assert speed == pytest.approx(0.9 + 0.5 * chances(number)[6], rel=0.05)
    assert np.polyfit(times[after], apart[after], 1)[0] == pytest.approx(speed / 2, rel=0.06)
    np.testing.assert_allclose(apart[before], speed * (when - times[before]), atol=1.5 * STEP)
    np.testing.assert_allclose(there.sum((1, 2)) * STEP**2, 2 * (2 * half) ** 2, rtol=0.13)
    fallen = -(there.sum(2) @ PLACES) / there.sum((1, 2)) - height
    np.testing.assert_allclose(fallen, -0.6 * np.maximum(times - when, 0) ** 2, atol=STEP)
    frame = stage[0]
    assert frame[:, PLACES < 0, 2].sum() > frame[:, PLACES < 0, 0].sum()  # metal on the left, rubber on the right
    assert frame[:, PLACES > 0, 2].sum() < frame[:, PLACES > 0, 0].sum()


@pytest.mark.parametrize("number", range(3))
def test_a_glass_stands_on_the_floor_until_it_flies_apart(number: int):
    act = event_types.breaks(chances(number, u0=0.4, u1=0.5))
    (when,), half = act.event.onsets, act.event.size
    assert (when, act.event.x, act.event.material) == (pytest.approx(0.76), pytest.approx(0), "glass")
    times = np.array([0.0, when - 0.01, *(when + np.arange(1, 7) * 0.04)])
    light = painted(act, times).mean(-1)
    there = light > 0.1
    assert np.array_equal(light[0], light[1])
    rows = np.flatnonzero(there[0].any(1))
    tall = 1.8 * half
    assert -PLACES[rows[-1]] == pytest.approx(FLOOR, abs=1.5 * STEP)
    assert -PLACES[rows[0]] == pytest.approx(FLOOR + 2 * tall, abs=1.5 * STEP)
    assert act.event.y == pytest.approx(FLOOR + tall)
    widths = there[0].sum(1)[rows] * STEP
    assert widths[1] == pytest.approx(2 * half, abs=2.5 * STEP)  # wide above, narrow below
    assert widths[-2] == pytest.approx(0.6 * half, abs=2.5 * STEP)
    x, y = middle(light[2:])
    since = times[2:] - when
    curve = np.polyfit(since, y, 2)
    assert curve[0] == pytest.approx(-2.5, abs=0.6)  # they fall, two and a half times the square of the time
    assert curve[2] == pytest.approx(FLOOR + tall, abs=0.03)  # from where the glass was
    spread = np.sqrt((light[2:].sum(1) * (PLACES - x[:, None]) ** 2).sum(1) / light[2:].sum((1, 2)))
    assert (np.diff(spread) > 0.01).all()
    late = painted(act, np.array([when + 1.2]))[0].mean(-1)
    assert not late[-PLACES > FLOOR + 0.4].any()  # all lie low
    assert not late[-PLACES < FLOOR - 0.1 - 0.06 - STEP].any()  # but none below the floor's front


def test_a_bubble_is_a_ring_that_floats_sideways_and_bobs():
    for way, sign in ((0.2, 1), (0.7, -1)):
        act = event_types.drifts(chances(5, u0=0.5, u1=0.5, u2=way))
        light = painted(act).mean(-1)
        x, y = middle(light)
        np.testing.assert_allclose(x, sign * 0.35 * (TIMES - 1), atol=0.01)
        assert act.event.x == pytest.approx(0, abs=1e-9)
        bobbing = np.stack([np.sin(4 * TIMES), np.cos(4 * TIMES), np.ones(len(TIMES))], 1)
        fit, *_ = np.linalg.lstsq(bobbing, y, rcond=None)
        assert np.hypot(*fit[:2]) == pytest.approx(0.12, rel=0.05)
        assert fit[2] == pytest.approx(act.event.y, abs=0.01)
        at = np.hypot(PLACES - x[20], -PLACES[:, None] - y[20])
        assert light[20][at < act.event.size - 0.06].max(initial=0) == 0
        ring = light[20] > 0.5 * light[20].max()
        assert at[ring].mean() == pytest.approx(act.event.size, abs=0.01)
        assert np.ptp(at[ring]) == pytest.approx(0.09, abs=0.03)
        assert 0.14 <= act.event.size <= 0.2


def test_a_bar_is_six_tenths_long_and_a_tenth_wide_and_starts_at_any_angle():
    act = event_types.spins(chances(6, u0=0.5, u1=0.3, u4=0.0))
    light = painted(act, np.array([0.0]))[0].max(-1)
    assert light.sum() * STEP**2 / light.max() == pytest.approx(0.06, rel=0.03)
    assert (light > 0.1).sum(1).max() * STEP == pytest.approx(0.6, abs=2 * STEP)  # along x
    upright = painted(event_types.spins(chances(6, u0=0.5, u1=0.3, u4=0.25)), np.array([0.0]))[0].max(-1)
    assert (upright > 0.1).sum(0).max() * STEP == pytest.approx(0.6, abs=2 * STEP)


def test_a_wheel_comes_in_at_one_side_and_leaves_at_the_other():
    for way, sign in ((0.2, 1), (0.7, -1)):
        act = event_types.rolls(chances(7, u2=0.4, u3=0.5, u4=way))
        (start,), lasts = act.event.onsets, 1.4
        assert (start, np.sign(act.event.x)) == (pytest.approx(0.2), -sign)
        light = painted(act).mean(-1)
        seen = light.any((1, 2))
        assert TIMES[seen][0] == pytest.approx(start, abs=0.06)
        assert TIMES[seen][-1] == pytest.approx(start + lasts, abs=0.06)
        around = painted(act, start + lasts / 2 + np.array([-0.2, 0.2]))
        xs, _ = middle((around.max(-1) > 0.02).astype(float))
        speed = sign * (2 + 2 * act.event.size) / lasts  # from wholly outside to wholly outside
        assert (xs[1] - xs[0]) / 0.4 == pytest.approx(speed, rel=0.03)
        halfway = painted(act, np.array([start + lasts / 2]))
        x, y = middle((halfway.max(-1) > 0.02).astype(float))
        assert (x[0], y[0]) == pytest.approx((0, FLOOR + act.event.size), abs=0.02)


# --- the lamp


def lamp(facts: tuple[int, int, int, int], **fixed: float) -> event_types.Act:
    return event_types.carrier(np.array([facts, (0, 0, 0, 0)], np.int8), chances(8, u0=0.5, **fixed))[0]


@pytest.mark.parametrize("climbs", [0, 1])
def test_the_lamp_climbs_or_sinks_evenly_through_the_picture(climbs: int):
    act = lamp((climbs, 0, 0, 0), u1=0.4, u2=0.6)
    x, y = middle((painted(act).max(-1) > 0.05).astype(float))
    low, high = -0.45 + 0.1 * 0.4, 0.45 + 0.15 * 0.6
    course = low + (high - low) * TIMES / 2
    np.testing.assert_allclose(y, course if climbs else course[0] + course[-1] - course + STEP, atol=0.03)
    np.testing.assert_allclose(x, 0, atol=0.01)
    assert act.event.y == pytest.approx(low if climbs else high)


@pytest.mark.parametrize(("off", "first"), [(0, 0.125), (1, 0.375)])
def test_the_lamp_flashes_on_the_beat_or_off_it(off: int, first: float):
    """Its halo lights up to the full and is down to 1/e in eight hundredths of a second."""
    act = lamp((1, 0, 0, off))
    flashes = np.array(act.event.onsets)
    np.testing.assert_allclose(flashes, first + np.arange(4) / 2)
    times = np.array([*flashes, *(flashes + 0.08), *(flashes + 0.25)])[:-1]
    light = painted(act, times).min(-1)  # white, as no part of the lamp is
    halo = light.reshape(len(times), -1).max(1)
    np.testing.assert_allclose(halo[:4], 1, atol=0.01)
    np.testing.assert_allclose(halo[4:8], 1 / np.e, atol=0.08)
    assert halo[8:].max() < 0.3


@pytest.mark.parametrize(("large", "radius"), [(0, 0.13), (1, 0.27)])
def test_the_lamp_is_a_rhombus_of_its_size_and_material(large: int, radius: float):
    for metal in (0, 1):
        act = lamp((1, large, metal, 1))
        assert act.event.size == radius
        assert act.event.material == ("metal" if metal else "wood")
        image = painted(act, np.array([0.0]))[0]
        there = image.max(-1) > 0.2
        assert there.sum() * STEP**2 == pytest.approx(2 * (1.25 * radius) ** 2, rel=0.08)
        assert abs(there.sum(0).max() - there.sum(1).max()) <= 1
        assert (image[..., 2].sum() > image[..., 0].sum()) == bool(metal)  # steel is bluish, wood brown
