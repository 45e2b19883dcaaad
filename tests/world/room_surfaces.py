"""The rooms' surfaces by numbers worked out by hand: how bright each is, and where bands, straps and grooves lie.

Light that a surface returns: √(power (.55 + .56 cosine)), with power 1/1.1 in the middle of the range of lights; the
lamp's direction is (-.62 sin .62, .785, -.62 cos .62).
"""

from math import cos, sin, sqrt

import numpy as np
import pytest

from phantastic.world import rooms
from phantastic.world.palette import RGB

SIZE = 128
PIXEL = 1.04 / SIZE
HORIZON = 0.28 * SIZE
FINE = 4  # times as many pixels, where what is looked at is flat to the eye
AMBIENT, UP = sqrt(0.55 / 1.1), sqrt((0.55 + 0.56 * 0.785) / 1.1)
BACK_WALL, RIGHT_WALL = (sqrt((0.55 + 0.56 * 0.62 * part) / 1.1) for part in (cos(0.62), sin(0.62)))


def seen(identity: int, **nuisance: float) -> np.ndarray:
    """Sixteen rooms, each of one colour all over, [colours, rows, columns, 3]."""
    colours = np.arange(16)
    columns = ("rotation", "yaw", "x", "depth", "light")
    values = np.tile([nuisance.get(name, 0.0) for name in columns], (16, 1))
    return rooms.render(np.stack([np.full(16, identity), colours, colours, colours], 1), values, SIZE)


def flat(identity: int, height: float, distance: float) -> np.ndarray:
    """One row of a red and of a blue room in fine pixels: what lies at a height and a distance."""
    colours = np.array([0, 10])
    images = rooms.render(np.stack([np.full(2, identity), *[colours] * 3], 1), np.zeros((2, 5)), FINE * SIZE)
    return images[:, int(FINE * row(height, distance))] / RGB[colours][:, None]


def row(height: float, distance: float) -> float:
    return HORIZON + (1.10 - height) / distance / PIXEL


def column(x: float, distance: float) -> float:
    return 64 + x / distance / PIXEL


def test_walls_and_floor_are_as_bright_as_the_lamp_and_their_spotlights_make_them():
    image = seen(2)
    for (r, c), light in (
        ((2, 1), 0.72 * AMBIENT),  # the left wall, turned away from the lamp
        ((2, 126), 0.72 * RIGHT_WALL),
        ((2, 55), 0.72 * BACK_WALL),
        ((126, 1), 0.80 * UP),
    ):
        np.testing.assert_array_equal(image[:, r, c], np.floor(light * RGB.astype(float) + 0.5), f"row {r}, column {c}")


@pytest.mark.parametrize(
    ("identity", "height", "distance", "share"),
    [(0, 0.06, 1.93, 0.58), (0, 1.04, 2.35, 0.97 * 0.58), (2, 0.96, 2.25, 0.78)],
)
def test_what_lies_flat_on_an_object_is_lit_from_above(identity: int, height: float, distance: float, share: float):
    """The hat's brim and crown, the suitcase's lid: felt returns .58 of the light, leather .78."""
    np.testing.assert_allclose(flat(identity, height, distance)[:, FINE * 64], share * UP, atol=0.01)


def test_the_front_of_a_suitcase_faces_the_lamp_as_the_back_wall_does_and_has_two_straps():
    image = seen(2)[:, round(row(0.4, 2.12)), :]
    light = image[:, :, 0] / RGB[:, :1]
    np.testing.assert_allclose(image[:, 64], 0.78 * BACK_WALL * RGB, atol=1)
    inside = [c for c in range(128) if abs(c + 0.5 - 64) * PIXEL * 2.12 < 0.47]
    for c in inside:
        p = (c + 0.5 - 64) * PIXEL * 2.12
        depth = abs(abs(p) - 0.32) - 0.11
        if abs(depth) > 0.02:  # no edge
            expected = (0.3 if depth < 0 else 0.78) * BACK_WALL
            np.testing.assert_allclose(light[:, c], expected, atol=0.02, err_msg=f"{p:.2f} m from the middle")


def test_the_straps_go_over_the_lid_of_a_suitcase():
    line = flat(2, 0.96, 2.25)
    for p, share in ((-0.40, 0.3), (-0.32, 0.3), (0.25, 0.3), (0.32, 0.3), (-0.45, 0.78), (-0.15, 0.78), (0.15, 0.78)):
        found = line[:, int(FINE * column(p, 2.25))]
        np.testing.assert_allclose(found, share * UP, atol=0.02, err_msg=f"at {p} m")


def test_the_handle_is_an_arch_two_tenths_high():
    """Over the lid, between -.22 and .22 m, with a gap of .28 m under it."""
    light = seen(2)[0, ..., 0] / RGB[0, 0]
    wall = light[2, 64]
    at = light[:, 64] < 0.9 * wall
    top = np.flatnonzero(at[:50])[0]
    assert top == pytest.approx(row(1.16, 2.45), abs=1.5)
    under = top + np.flatnonzero(~at[top:50])
    assert under[0] == pytest.approx(row(1.08, 2.35), abs=1.5)
    bar = np.flatnonzero(light[round(row(1.12, 2.35))] < 0.35)
    assert bar[0] == pytest.approx(column(-0.22, 2.35), abs=1.5)
    assert bar[-1] == pytest.approx(column(0.22, 2.35) - 1, abs=1.5)
    post = light[round(row(1.03, 2.35))]
    dark = np.flatnonzero(post < 0.35)
    gap = np.flatnonzero(np.diff(dark) > 3)
    assert len(gap) == 1
    assert (dark[gap[0] + 1] - dark[gap[0]] - 1.5) * PIXEL * 2.35 == pytest.approx(0.28, abs=0.03)


def test_a_hat_s_band_is_of_its_colour_darkened_and_reaches_to_thirty_six_centimetres():
    image = seen(0)[..., 64, 0] / RGB[:, :1]
    crown = image[:, round(row(0.7, 2.0))]
    for height, share in ((0.10, 0.3 / 0.58), (0.38, 0.3 / 0.58), (0.46, 1.0), (0.9, 1.0)):
        np.testing.assert_allclose(image[:, round(row(height, 2.0) - 0.5)], share * crown, atol=0.02)
    np.testing.assert_allclose(crown, 0.58 * BACK_WALL, atol=0.02)  # its middle faces the camera


@pytest.mark.parametrize("x", [-0.1, 0.0, 0.1])
def test_a_crown_s_light_goes_with_it(x: float):
    """Its side towards the lamp is as far to the left of its middle wherever it stands."""
    crown = seen(0, x=x)[0, round(row(0.75, 2.05)), :, 0] / RGB[0, 0] / 0.58
    for part in (-0.8, -0.4, 0.0, 0.4, 0.8):  # in radii; where a line of sight meets it, its normal
        normal = np.array([part, -sqrt(1 - part**2)])
        place = x + 0.4 * part, 2.4 + 0.4 * normal[1]
        cosine = 0.62 * -(sin(0.62) * normal[0] + cos(0.62) * normal[1])
        expected = sqrt((0.55 + 0.56 * max(cosine, 0)) / 1.1)
        assert crown[int(column(*place))] == pytest.approx(expected, abs=0.025)


def test_a_lolly_s_grooves_lie_nineteen_centimetres_beside_its_middle():
    """Each eight centimetres wide, from .34 to .84 m above the floor, .84 as bright as the face, whose ice is white."""
    image = seen(1)[..., 0] / RGB[:, None, :1]
    for height, share in ((0.42, 0.84), (0.75, 0.84), (0.27, 1.0)):
        line = image[:, round(row(height, 2.14) - 0.5)]
        np.testing.assert_allclose(line[:, 64], BACK_WALL, atol=0.01)
        for p in (-0.19, 0.19):
            np.testing.assert_allclose(line[:, int(column(p, 2.14))], share * BACK_WALL, atol=0.01)
        for p in (-0.30, -0.10, 0.10):
            np.testing.assert_allclose(line[:, int(column(p, 2.14))], BACK_WALL, atol=0.01)


def test_a_lolly_is_bitten_at_its_right_shoulder():
    """A bite of twenty centimetres about (.44, .98) m: there the wall shows, and on the left it does not."""
    light = seen(1)[0, ..., 0] / RGB[0, 0]
    r = round(row(0.86, 2.2))
    wall = light[2, 64]
    assert light[r, int(column(0.42, 2.2))] == pytest.approx(wall, rel=0.15)
    assert light[r, int(column(-0.42, 2.2))] == pytest.approx(BACK_WALL, abs=0.02)
    assert wall < 0.8 * BACK_WALL


def test_boards_and_sticks_have_colours_of_their_own():
    image = seen(1)
    stick = image[:, round(row(0.1, 2.31)), 64].astype(float)
    assert np.ptp(stick, axis=0).max() <= 1
    np.testing.assert_allclose(stick[0], BACK_WALL * np.array([235, 205, 150]), rtol=0.03)
    board = image[:, round(row(0.05, 1.2 / (63.5 * PIXEL))), 0].astype(float)  # at the left wall
    np.testing.assert_allclose(board, np.full((16, 3), 235 * AMBIENT), rtol=0.03)


def test_nuisances_keep_to_their_published_ranges():
    assert rooms.NUISANCE_LOW.tolist() == [-0.9, -0.12, -0.10, -0.18, -1.0]
    assert rooms.NUISANCE_HIGH.tolist() == [0.9, 0.12, 0.10, 0.18, 1.0]
    colours = np.zeros((2, 4), int)
    for column_of in range(5):
        for bound in (rooms.NUISANCE_LOW, rooms.NUISANCE_HIGH):
            table = np.zeros((2, 5))
            table[1, column_of] = bound[column_of] * (1 + 1e-3)
            with pytest.raises(rooms.Refused, match=rooms.NUISANCES[column_of]):
                rooms.render(colours, table)
