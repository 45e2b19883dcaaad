"""The rooms against what must be true of them: areas, perspective, colours, and a second renderer that marches rays."""

from colorsys import rgb_to_hsv

import numpy as np
import pytest
from numpy.typing import ArrayLike

from phantastic.ground.errors import Refused
from phantastic.world import rooms
from phantastic.world.palette import RGB

RED, TURQUOISE = rooms.VALUES[1].index("red"), rooms.VALUES[1].index("turquoise")
PIXEL = rooms.SPAN / 64
IDENTITIES = range(3)


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    factors = np.stack([generator.integers(0, size, n) for size in rooms.SIZES], axis=1)
    return factors, rooms.draw_nuisance(n, generator)


def still(n: int, **columns: ArrayLike) -> np.ndarray:
    """Nuisance that is zero but for the named columns."""
    nuisance = np.zeros((n, 5))
    for name, values in columns.items():
        nuisance[:, ("rotation", "yaw", "x", "depth", "light").index(name)] = values
    return nuisance


def shares(identity: int, nuisance: np.ndarray, columns: tuple[int, ...] = (1,)) -> np.ndarray:
    """How much green each pixel gains when the named surfaces turn from red to turquoise, [n, 64, 64]: 218 times their
    brightness apart from their spotlights where they cover it, but less on an object's trim."""
    red = np.tile([identity, RED, RED, RED], (len(nuisance), 1))
    before = rooms.render(red, nuisance)[..., 1].astype(int)
    gain = np.zeros(before.shape)
    for column in columns:
        after = red.copy()
        after[:, column] = TURQUOISE
        gain += (rooms.render(after, nuisance)[..., 1] - before) / rooms.SPOTLIGHT[column - 1]
    gain *= 218 / (RGB[TURQUOISE] - RGB[RED])[1]
    return gain.round().astype(int)


@pytest.fixture
def no_skirting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wall and floor meet, so that what shows neither is the object."""
    monkeypatch.setattr(rooms, "SKIRTING_HEIGHT", 0.0)


@pytest.fixture
def any_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects may face any way, not only those that the learner sees."""
    monkeypatch.setattr(rooms, "NUISANCE_LOW", np.r_[0, rooms.NUISANCE_LOW[1:]])
    monkeypatch.setattr(rooms, "NUISANCE_HIGH", np.r_[2 * np.pi, rooms.NUISANCE_HIGH[1:]])


def test_every_value_has_two_names():
    assert rooms.FACTORS == ("identity", "object colour", "wall colour", "floor colour")
    assert rooms.SIZES == (3, 16, 16, 16)
    assert len(rooms.FACTORS_JA) == 4
    for english, japanese, size in zip(rooms.VALUES, rooms.VALUES_JA, rooms.SIZES, strict=True):
        assert len(set(english)) == len(set(japanese)) == size
    assert rooms.VALUES[0] == ("hat", "ice lolly", "suitcase")
    assert rooms.VALUES_JA[1][rooms.VALUES[1].index("red")] == "赤"


@pytest.mark.parametrize("size", [32, 64, 80])
def test_an_image_is_the_same_in_every_batch(size: int):
    factors, nuisance = drawn(300)
    images = rooms.render(factors, nuisance, size)
    assert images.shape == (300, size, size, 3)
    assert images.dtype == np.uint8
    order = np.random.default_rng(1).permutation(300)
    np.testing.assert_array_equal(rooms.render(factors[order], nuisance[order], size), images[order])
    for row in range(0, 300, 9):
        alone = rooms.render(factors[row : row + 1], nuisance[row : row + 1], size)
        np.testing.assert_array_equal(alone[0], images[row])
    assert rooms.render(factors[:0], nuisance[:0], size).shape == (0, size, size, 3)


def test_nuisance_fills_its_ranges_and_follows_its_generator():
    draws = rooms.draw_nuisance(4000, np.random.default_rng(5))
    np.testing.assert_array_equal(draws, rooms.draw_nuisance(4000, np.random.default_rng(5)))
    assert draws.shape == (4000, 5)
    assert ((draws >= rooms.NUISANCE_LOW) & (draws <= rooms.NUISANCE_HIGH)).all()
    reach = (draws.max(0) - draws.min(0)) / (rooms.NUISANCE_HIGH - rooms.NUISANCE_LOW)
    assert (reach > 0.99).all()
    assert (np.abs(np.corrcoef(draws.T) - np.eye(5)) < 0.06).all()


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_surfaces_differ_in_area_and_each_is_seen(identity: int):
    nuisance = rooms.draw_nuisance(200, np.random.default_rng(2))
    wall, floor = ((shares(identity, nuisance, (column,)) > 52).mean((1, 2)) for column in (2, 3))
    of_object = (shares(identity, nuisance, (2, 3)) < 52).mean((1, 2))
    assert wall.mean() > 1.3 * floor.mean() > 1.3**2 * of_object.mean()
    assert min(wall.mean() - 0.30, floor.mean() - 0.20, of_object.mean() - 0.12) > 0
    assert min(wall.min() - 0.40, floor.min() - 0.18, of_object.min() - 0.09) > 0


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_object_is_always_wholly_in_view(identity: int):
    corners = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    ranges = rooms.NUISANCE_LOW[1:] + corners * (rooms.NUISANCE_HIGH - rooms.NUISANCE_LOW)[1:]
    turns = np.repeat(np.linspace(rooms.NUISANCE_LOW[0], rooms.NUISANCE_HIGH[0], 24), len(corners))
    image = shares(identity, np.column_stack([turns, np.tile(ranges, (24, 1))]))
    frame = np.ones((64, 64), bool)
    frame[1:-1, 1:-1] = False
    assert not image[:, frame].any()


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_surfaces_meet_only_at_their_edges(identity: int):
    nuisance = rooms.draw_nuisance(100, np.random.default_rng(3))
    masks = np.stack([shares(identity, nuisance, (column,)) > 10 for column in (1, 2, 3)])
    shared = masks.sum(0) > 1
    assert shared.mean() < 0.12
    # A pixel that two surfaces share has one of one surface alone among its neighbours: it is an edge, not an area.
    alone = np.pad(~shared, ((0, 0), (1, 1), (1, 1)))
    around = np.any([alone[:, r : r + 64, c : c + 64] for r in range(3) for c in range(3)], axis=0)
    assert around.all()


def test_a_colour_changes_only_its_own_surface():
    factors, nuisance = drawn(60)
    for column in (1, 2, 3):
        other = factors.copy()
        other[:, column] = (other[:, column] + 1 + np.arange(60) % 15) % 16
        changed = (rooms.render(factors, nuisance) != rooms.render(other, nuisance)).any(-1)
        for identity in IDENTITIES:
            rows = factors[:, 0] == identity
            surface = shares(identity, nuisance[rows], (column,)) != 0
            assert (changed[rows] & surface).sum() > 0.9 * surface.sum()
            assert (changed[rows] & ~surface).mean() < 0.002


@pytest.mark.parametrize(("identity", "least"), [(0, 0.02), (1, 0.05), (2, 0.05)])
@pytest.mark.usefixtures("any_rotation")
def test_rotation_shows(identity: int, least: float):
    turns = np.linspace(0, 2 * np.pi, 13)
    images = rooms.render(np.tile([identity, 0, 6, 12], (13, 1)), still(13, rotation=turns)).astype(int)
    assert np.abs(images[0] - images[-1]).max() <= 2  # a full turn comes back
    moved = (np.abs(images[1:] - images[:-1]).max(-1) > 20).mean((1, 2))
    assert moved.min() > least / 4
    assert moved.max() > least
    opposite = (np.abs(images[:7] - images[6:]).max(-1) > 20).mean((1, 2))
    assert (opposite > 0.004).all() or identity == 2  # a suitcase has no front and back


@pytest.mark.usefixtures("any_rotation")
def test_a_hat_turns_in_itself():
    outline = shares(0, still(7, rotation=np.arange(7) * 0.9)) > 60
    assert (outline[0] ^ outline[1:]).mean() < 0.02  # only its feather hides other parts of it


@pytest.mark.usefixtures("no_skirting")
def test_the_lamp_and_the_object_stay_in_the_room_when_the_camera_turns():
    yaws = np.array([-0.12, -0.06, 0.0, 0.06, 0.12])
    gain = shares(2, still(5, rotation=0.6, yaw=yaws))  # a suitcase: its two sides have one brightness each
    sides = [set(np.bincount(image[image > 150 * rooms.MATERIAL[2]]).argsort()[-2:]) for image in gain]
    assert all(side == sides[0] for side in sides)
    crown = shares(0, still(5, yaw=yaws))[:, 28, 20:44]  # a hat: brightest towards the lamp, behind the camera's left
    brightest = crown.argmax(1)
    assert (np.diff(brightest) >= 0).all()
    assert brightest[-1] > brightest[0]


@pytest.mark.usefixtures("no_skirting")
def test_corners_are_a_tenth_darker_and_half_a_metre_from_them_nothing_is():
    """On the back wall, seen past the object; from the corner's distance, known by the line of sight."""
    row = shares(1, still(1), (2,))[0, 2].astype(float)
    slope = (np.arange(64) + 0.5 - 32) * PIXEL
    back = np.abs(slope) * rooms.BACK < rooms.SIDE - 0.1
    from_corner = rooms.SIDE - np.abs(slope[back]) * rooms.BACK
    dimmed = row[back] / row[back].max()
    np.testing.assert_allclose(dimmed, 1 - 0.1 * np.maximum(1 - from_corner / 0.5, 0) ** 2, atol=0.012)
    assert dimmed.min() < 0.94


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_object_takes_light_from_the_floor_under_it_and_from_no_other(identity: int):
    """Softly: the nearer to its middle the darker, and not at all beyond a quarter of a metre from it."""
    floor, *others = (shares(identity, still(1), (column,))[0] for column in (3, 1, 2))
    rows, columns = np.nonzero((floor > 60) & (np.abs(others).sum(0) == 0))  # no edges
    distance = rooms.EYE / ((rows + 0.5 - rooms.HORIZON * 64) * PIXEL)
    right, ahead = distance * (columns + 0.5 - 32) * PIXEL, distance - rooms.DISTANCE
    length, depth = ((0.55, 0.55), (0.48, 0.26), (0.48, 0.28))[identity]
    away = (right / (length + 0.25)) ** 2 + (ahead / (depth + 0.25)) ** 2
    light = floor[rows, columns] / floor.max()
    assert light[away > 1.1].min() > 0.97
    slope, middle = np.polyfit(away[away < 0.95], light[away < 0.95], 1)
    assert middle == pytest.approx(1 - rooms.SHADOW, abs=0.04)  # what would be seen under its middle
    assert middle + slope == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("turn", [0.5, -0.7])
def test_the_shadow_is_turned_as_the_object_is(turn: float):
    """Of a thing long and narrow, turned counter-clockwise from above, the shadow is longest along (cos, sin)."""
    size = 64
    slope = np.broadcast_to((np.arange(size) + 0.5 - size / 2) * rooms.SPAN / size, (1, 1, size))
    cos, sin = (np.full((1, 1), value) for value in (np.cos(turn), np.sin(turn)))
    lamp = rooms.Lamp(np.zeros((1, 1)), 1.0, np.zeros((1, 1)), np.ones((1, 1)))
    place = np.zeros((1, 1)), np.full((1, 1), 2.4)
    view = rooms.View(slope, *place, cos, sin, lamp, rooms.EYE, rooms.HORIZON * size, rooms.SPAN / size)
    rows = np.arange(30, size)
    light = rooms._floor(view, lamp, (0.5, 0.0), rows)[:, 0]
    dark = light.max() - light
    ahead = np.broadcast_to(rooms.EYE / ((rows + 0.5 - view.horizon) * view.pixel)[:, None], dark.shape)
    right = ahead * slope[0]
    weight = dark * ahead**3  # of the floor's area that a pixel shows
    points = np.stack([right, ahead - 2.4])
    spread = (weight * points[:, None] * points[None]).sum((2, 3)) / weight.sum()
    longest = np.linalg.eigh(spread)[1][:, -1]
    assert longest[1] / longest[0] == pytest.approx(np.tan(turn), abs=0.05)


def test_a_lolly_has_two_grooves_that_are_a_sixth_darker():
    """Upright, on its face, as far from its middle to either side."""
    face = shares(1, still(1))[0, 34, 20:44].astype(float)  # within its edges
    plain = np.median(face)
    grooves = 20 + np.flatnonzero(face < 0.95 * plain)
    left, right = grooves[grooves < 32], grooves[grooves >= 32]
    assert min(len(left), len(right)) >= 2
    assert (31.5 - left).mean() == pytest.approx((right - 31.5).mean(), abs=1)
    assert face.min() == pytest.approx(0.84 * plain, rel=0.03)


def brightness(column: int, rows: slice, columns: slice, lights: np.ndarray) -> np.ndarray:
    """Mean brightness of a surface of a room with a suitcase, apart from its spotlight, by light, away from edges."""
    found = shares(2, still(len(lights), light=lights), (column,))[:, rows, columns] / 218
    assert (np.ptp(found, axis=(1, 2)) < 0.02).all()
    return found.mean((1, 2))


def cosines(lights: np.ndarray) -> np.ndarray:
    """Between the lamp and the normals of right wall, floor and back wall, in units of the ambient light, [3, lights].

    Brightness is the root of the light that a surface returns: ambient light and, by Lambert's law, the cosine times
    the lamp's. The left wall is turned away from the lamp and has none but ambient light.
    """
    top, bottom = slice(0, 10), slice(58, 64)
    left = brightness(2, top, slice(0, 2), lights)
    others = (2, top, slice(62, 64)), (3, bottom, slice(0, 3)), (2, top, slice(26, 38))
    return np.square([brightness(*other, lights) / left for other in others]) - 1


def test_the_lamp_hangs_above_to_the_left_and_behind():
    right, floor, back = cosines(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    length = np.sqrt(right**2 + floor**2 + back**2)
    np.testing.assert_allclose(length, length.mean(), rtol=0.06)  # a direction is of length 1, under every light
    height, azimuth = floor / length, np.arctan2(right, back)  # from behind the camera to its left
    np.testing.assert_allclose(height, height.mean(), rtol=0.04)
    assert (height > 0.5**0.5).all()  # rather above than to the side
    assert ((azimuth > 0) & (azimuth < np.pi / 2)).all()
    assert (np.diff(azimuth) > 0).all()  # the brighter the more to the left


def test_light_goes_from_a_twentieth_darker_to_a_twentieth_lighter():
    """On the floor, over which the lamp hangs as high under every light; in sRGB."""
    floor = brightness(3, slice(58, 64), slice(0, 3), np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(floor / floor[1], [0.95, 1, 1.05], atol=0.008)


@pytest.mark.parametrize("rotation", [0.6, -0.6])
def test_of_two_walls_of_a_suitcase_the_left_one_is_lit_more_and_both_share_the_lamp(rotation: float):
    """They stand at a right angle: the squares of their cosines make up the horizontal part of the lamp's direction."""
    image = shares(2, still(1, rotation=rotation))[0, 47] / 218 / rooms.MATERIAL[2]
    (dark,) = brightness(2, slice(0, 10), slice(0, 2), np.zeros(1))  # ambient light alone
    plain = image[image > 0.9 * dark]  # no strap
    left, right = np.median(plain[:5]), np.median(plain[-5:])
    assert left > right > 0.98 * dark
    horizontal = np.hypot(*cosines(np.zeros(1))[[0, 2]])
    np.testing.assert_allclose(np.hypot((left / dark) ** 2 - 1, (right / dark) ** 2 - 1), horizontal, rtol=0.04)


def test_an_upright_cylinder_is_brightest_where_it_is_turned_to_the_lamp():
    crown = shares(0, still(1))[0, 28].astype(float)
    lit = np.flatnonzero(crown > 0.98 * crown.max())
    place = (lit.mean() - 31.5) * PIXEL * (rooms.DISTANCE - 0.35) / 0.40  # in radii: the sine of the angle
    right, _, back = cosines(np.zeros(1))
    assert place == pytest.approx(-np.sin(np.arctan2(right, back))[0], abs=0.15)


@pytest.mark.usefixtures("any_rotation")
def test_a_suitcase_turned_half_around_is_the_same():
    halves = rooms.render(np.tile([2, 3, 6, 12], (2, 1)), still(2, rotation=[0.7, 0.7 + np.pi])).astype(int)
    assert np.abs(halves[0] - halves[1]).max() <= 2


def test_width_shrinks_with_distance_as_in_perspective():
    depths = np.linspace(rooms.NUISANCE_LOW[3], rooms.NUISANCE_HIGH[3], 7)
    gain = shares(0, still(7, depth=depths), (1,))
    away = rooms.DISTANCE + depths
    tangent = 0.55 / np.sqrt(away**2 - 0.55**2)  # half the brim's width on the image plane: the two lines that touch it
    columns = np.count_nonzero((gain > 90).any(1), axis=-1)
    assert np.abs(columns - 2 * tangent / PIXEL).max() < 1.6
    assert (np.diff((gain > 90).sum((1, 2))) < 0).all()  # the nearer the larger
    lowest = 63 - np.flip((gain > 90).any(2), axis=1).argmax(1)
    contact = rooms.HORIZON * 64 + rooms.EYE / (away - 0.55) / PIXEL
    assert np.abs(lowest + 1 - contact).max() < 1.1  # and the lower it stands in the image


def test_the_object_moves_with_its_place_and_not_with_the_yaw():
    def middle(nuisance: np.ndarray) -> np.ndarray:
        return (shares(0, nuisance) > 60).any(1) @ np.arange(64) / (shares(0, nuisance) > 60).any(1).sum(-1) - 31.5

    x = np.array([-0.10, 0.0, 0.10])
    np.testing.assert_allclose(middle(still(3, x=x)), x / rooms.DISTANCE / PIXEL, atol=0.8)
    np.testing.assert_allclose(middle(still(3, yaw=[-0.12, 0, 0.12])), 0, atol=0.6)


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("yaw", [-0.12, -0.07, 0.0, 0.1, 0.12])
def test_walls_stand_where_the_camera_must_see_them(yaw: float):
    gain = shares(0, still(1, yaw=yaw), (2,))[0].astype(float)
    beside = np.r_[0:12, 52:64]
    height = gain[:, beside].sum(0) / gain[0, beside]  # in rows, the edge's part of a pixel counted as such
    slope = (beside + 0.5 - 32) * PIXEL
    direction = np.arctan(slope) + yaw
    to_back, to_side = rooms.BACK / np.cos(direction), rooms.SIDE / np.abs(np.sin(direction))
    ahead = np.minimum(to_back, to_side) * np.cos(direction - yaw)  # distance along the line of sight
    np.testing.assert_allclose(height, rooms.HORIZON * 64 + rooms.EYE / ahead / PIXEL, atol=0.35)


def solid(identity: int, p: np.ndarray, y: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Whether a point is inside an object: along its length, up, along its depth, in metres."""
    around = np.hypot(p, q)
    if identity == 0:
        g, h = q, y - 0.96
        lean = 0.35
        leaf = (
            ((p - 0.43) / 0.04) ** 2
            + ((g * np.cos(lean) - h * np.sin(lean)) / 0.105) ** 2
            + ((h * np.cos(lean) + g * np.sin(lean)) / 0.34) ** 2
        )
        return ((around < 0.55) & (y < 0.06)) | ((around < 0.40) & (y < 1.04)) | (leaf < 1)
    if identity == 1:
        dome = (1 - (p / 0.48) ** 2) * (1 - 0.4 * (q / 0.26) ** 2)
        height = 0.76 + 0.45 * np.sqrt(np.maximum(dome, 0))
        bite = 0.04 - (p - 0.44) ** 2
        height = np.where(bite > 0, np.minimum(height, 0.98 - np.sqrt(np.maximum(bite, 0))), height)
        slab = (np.abs(p) < 0.48) & (np.abs(q) < 0.26) & (y > 0.20) & (y < height)
        return slab | ((around < 0.09) & (y < 0.20))
    box = (np.abs(p) < 0.48) & (np.abs(q) < 0.28) & (y < 0.96)
    hoop = (np.abs(p) < 0.22) & (np.abs(q) < 0.05) & (y < 1.16) & ~((np.abs(p) < 0.14) & (y < 1.08))
    return box | hoop


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.usefixtures("any_rotation")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_outlines_agree_with_marching_rays_through_the_solids(identity: int):
    nuisance = rooms.draw_nuisance(3, np.random.default_rng(7 + identity)).astype(np.float32)
    background = shares(identity, nuisance, (2, 3))
    halves = (np.arange(128, dtype=np.float32) + 0.5) / 2
    along, down = np.meshgrid(halves - 32, halves - rooms.HORIZON * 64)
    distance = np.arange(1.56, 3.24, 0.012, dtype=np.float32)[:, None, None]
    for (rotation, yaw, x, depth, _), image in zip(nuisance, background, strict=True):
        right, ahead = distance * along * PIXEL - x, distance - rooms.DISTANCE - depth
        y = rooms.EYE - distance * down * PIXEL
        cos, sin = np.cos(rotation + yaw), np.sin(rotation + yaw)
        hit = (solid(identity, cos * right + sin * ahead, y, cos * ahead - sin * right) & (y > 0)).any(0)
        cover = hit.reshape(64, 2, 64, 2).mean((1, 3))
        assert (image[cover == 1] > 90).mean() < 0.01
        assert (image[cover == 0] < 90).mean() < 0.005
        assert abs((image < 90).mean() - cover.mean()) < 0.01


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB values in 0..255 under D65."""
    linear = np.where(rgb <= 0.04045 * 255, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 0.008856))
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def hue(rgb: np.ndarray) -> np.ndarray:
    """Hue angles of colours [..., 3], degrees: what stays when the light scales all three channels."""
    return 360 * np.array([rgb_to_hsv(*colour)[0] for colour in rgb.reshape(-1, 3)]).reshape(rgb.shape[:-1])


def turn(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The angle between two hues, degrees."""
    return np.abs((one - other + 180) % 360 - 180)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_two_hues_differ_more_than_one_under_two_lights(identity: int):
    # Hues, because the light moves a colour's lightness and chroma as far as between two neighbours.
    nuisance = still(48, rotation=0.6, light=np.repeat([-1.0, 0.0, 1.0], 16))
    same = np.eye(16, dtype=bool)
    for column in (1, 2, 3):
        factors = np.tile([identity, RED, RED, RED], (48, 1))
        factors[:, column] = np.tile(np.arange(16), 3)
        surface = shares(identity, nuisance[:1], (column,))[0] > 90
        seen = rooms.render(factors, nuisance)[:, surface].mean(1).reshape(3, 16, 3)
        apart = turn(hue(seen)[:, :, None, None], hue(seen))  # light, colour, light, colour
        assert np.where(same[:, None], np.inf, apart).min() > 20 * np.where(same[:, None], apart, 0).max()
        by_eye = np.linalg.norm(lab(seen)[:, :, None] - lab(seen)[:, None], axis=-1)  # light, colour, colour
        assert np.where(same, np.inf, by_eye).min() > 5  # twice a just noticeable difference


def test_colours_can_be_read_off_the_pixels_by_hue_alone():
    factors, nuisance = drawn(200, seed=4)
    images = rooms.render(factors, nuisance).astype(float)
    for identity in IDENTITIES:
        rows = np.flatnonzero(factors[:, 0] == identity)
        for column in (1, 2, 3):
            surface = shares(identity, nuisance[rows], (column,)) > 90
            seen = np.stack([images[row][mask].mean(0) for row, mask in zip(rows, surface, strict=True)])
            nearest = turn(hue(seen)[:, None], hue(RGB)).argmin(1)
            np.testing.assert_array_equal(nearest, factors[rows, column])


@pytest.mark.usefixtures("no_skirting")
@pytest.mark.parametrize("identity", [0, 2])
def test_trim_stands_out_and_has_the_hue_of_its_object(identity: int):
    nuisance = still(16, rotation=0.6)
    factors = np.tile([identity, RED, RED, RED], (16, 1))
    factors[:, 1] = np.arange(16)
    covered, gain = shares(identity, nuisance[:1], (2, 3))[0] == 0, shares(identity, nuisance[:1])[0]
    trim = covered & (gain < 80)  # it gains less than the rest of the object
    assert trim.sum() > 8
    images = rooms.render(factors, nuisance) / 255
    body, band = images[:, covered & (gain > 100)].mean(1), images[:, trim].mean(1)
    assert (np.linalg.norm(lab(255 * body) - lab(255 * band), axis=-1) > 20).all()
    assert turn(hue(body), hue(band)).max() < 4


def test_a_white_board_of_its_height_runs_along_the_foot_of_every_wall(monkeypatch: pytest.MonkeyPatch):
    nuisance, beside = rooms.draw_nuisance(40, np.random.default_rng(8)), np.r_[0:8, 56:64]  # where no object stands
    with_board = shares(0, nuisance, (2,))[:, :, beside].astype(float)
    factors = np.tile([0, RED, RED, RED], (40, 1))
    others = np.tile([2, TURQUOISE, TURQUOISE, TURQUOISE], (40, 1))
    images, other = (rooms.render(each, nuisance)[:, :, beside].astype(int) for each in (factors, others))
    monkeypatch.setattr(rooms, "SKIRTING_HEIGHT", 0.0)
    covered = (shares(0, nuisance, (2,))[:, :, beside] - with_board) / with_board[:, :1]
    slope = (beside + 0.5 - 32) * PIXEL
    direction = np.arctan(slope) + nuisance[:, 1:2]
    along = np.minimum(rooms.BACK / np.cos(direction), rooms.SIDE / np.abs(np.sin(direction)))
    ahead = along * np.cos(direction - nuisance[:, 1:2])  # distance along the line of sight
    np.testing.assert_allclose(covered.sum(1), 0.10 / ahead / PIXEL, atol=0.2)
    board = covered > 0.97
    assert board.sum() > 400
    assert np.ptp(images, axis=-1)[board].max() < 12  # white
    assert np.abs(images - other)[board].max() < 8  # whatever the colours of the room


def test_a_lolly_has_a_stick_of_wood_whatever_its_colour():
    seen = rooms.render(np.tile([1, 0, 6, 6], (16, 1)) + np.eye(4, dtype=int)[1] * np.arange(16)[:, None], still(16))
    stick = np.ptp(seen.astype(int), axis=0).max(-1) == 0  # what no colour of the object changes
    wood = stick & (turn(hue(seen[0] / 255), hue(np.array(rooms.FIXED[rooms.STICK]) / 255)) < 6)
    assert wood.sum() >= 12


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (0, 0, 3, ["factors", "row 0", "identity", "3 is not in [0, 2]"]),
        (1, 2, 16, ["factors", "row 1", "wall colour", "16 is not in [0, 15]"]),
        (1, 3, -1, ["factors", "row 1", "floor colour", "-1 is not in [0, 15]"]),
    ],
)
def test_a_factor_out_of_range_is_refused(row: int, column: int, value: int, words: list[str]):
    factors, nuisance = drawn(2)
    factors[row, column] = value
    with pytest.raises(Refused) as refusal:
        rooms.render(factors, nuisance)
    assert all(word in str(refusal.value) for word in words)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (1, 0.5, ["row 1", "camera yaw", "0.5 is not in [-0.12, 0.12]"]),
        (0, np.nan, ["row 1", "object rotation", "nan"]),
        (4, np.inf, ["row 1", "light", "inf is not in [-1, 1]"]),
    ],
)
def test_nuisance_out_of_range_is_refused(column: int, value: float, words: list[str]):
    factors, nuisance = drawn(2)
    nuisance[1, column] = value
    with pytest.raises(Refused) as refusal:
        rooms.render(factors, nuisance)
    assert all(word in str(refusal.value) for word in words)


def test_bounds_belong_to_the_ranges_in_either_precision():
    factors, _ = drawn(2)
    bounds = np.stack([rooms.NUISANCE_LOW, rooms.NUISANCE_HIGH])
    images = rooms.render(factors, bounds)
    np.testing.assert_array_equal(rooms.render(factors.astype(np.uint8), bounds.astype(np.float32)), images)


@pytest.mark.parametrize(
    ("factors", "nuisance", "size", "words"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 5)), 64, "shape [n, 4]"),
        (np.zeros(4, int), np.zeros((1, 5)), 64, "shape [n, 4]"),
        (np.zeros((2, 4)), np.zeros((2, 5)), 64, "not float64"),
        (np.zeros((2, 4), int), np.zeros((3, 5)), 64, "shape [2, 5]"),
        (np.zeros((2, 4), int), np.zeros((2, 5), complex), 64, "numbers"),
        (np.zeros((2, 4), int), np.zeros((2, 5)), 8, "at least 16"),
    ],
)
def test_wrong_tables_are_refused(factors: np.ndarray, nuisance: np.ndarray, size: int, words: str):
    with pytest.raises(Refused) as refusal:
        rooms.render(factors, nuisance, size)
    assert words in str(refusal.value)


@pytest.mark.parametrize("size", [16, 64])
def test_no_more_is_drawn_at_once_than_the_cache_holds(size: int, monkeypatch: pytest.MonkeyPatch):
    """In portions of one kind of object; an image that is larger than that is drawn by itself."""
    factors, nuisance = drawn(60)
    whole, portions, draw = rooms.render(factors, nuisance, size), [], rooms._render

    def counted(identity: int, colours: np.ndarray, nuisance: np.ndarray, size: int) -> np.ndarray:
        portions.append(len(colours))
        return draw(identity, colours, nuisance, size)

    monkeypatch.setattr(rooms, "_render", counted)
    for pixels, most in ((7 * size**2, 7), (8 * size**2 - 1, 7), (size**2 - 1, 1), (60 * size**2, 60)):
        portions.clear()
        monkeypatch.setattr(rooms, "PIXELS", pixels)
        np.testing.assert_array_equal(rooms.render(factors, nuisance, size), whole)
        kinds = np.bincount(factors[:, 0])
        assert portions == [min(most, kind - done) for kind in kinds for done in range(0, kind, most)]
