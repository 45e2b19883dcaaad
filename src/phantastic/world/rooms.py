"""Rooms with one object in them: the world of SCAN (Higgins et al. 2018, made there with DeepMind Lab).

Four factors are named (identity, object colour, wall colour, floor colour); five vary without a name (the object's
rotation and place, the camera's yaw, the light). Every image is rendered from its own numbers alone, in perspective.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from phantastic.ground.errors import Refused
from phantastic.world.objects import FOOTPRINTS, OBJECT, OBJECTS, STICK, TRIM, Array, Lamp, Mask, Surface, View
from phantastic.world.palette import PALETTE, RGB

FACTORS: tuple[str, ...] = ("identity", "object colour", "wall colour", "floor colour")
FACTORS_JA: tuple[str, ...] = ("種類", "物の色", "壁の色", "床の色")
_COLOURS, _COLOURS_JA = tuple(en for en, _, _ in PALETTE), tuple(ja for _, ja, _ in PALETTE)
VALUES: tuple[tuple[str, ...], ...] = (("hat", "ice lolly", "suitcase"), _COLOURS, _COLOURS, _COLOURS)
VALUES_JA: tuple[tuple[str, ...], ...] = (
    ("帽子", "アイスキャンディー", "スーツケース"),
    _COLOURS_JA,
    _COLOURS_JA,
    _COLOURS_JA,
)
SIZES: tuple[int, ...] = tuple(len(values) for values in VALUES)

NUISANCES: tuple[str, ...] = ("object rotation", "camera yaw", "object left-right", "object depth", "light")
# Radians in the room, counter-clockwise from above; radians to the right; metres to the right of the line of sight;
# metres beyond the mean distance; from dim (5% darker, in sRGB) with the lamp more behind the camera to bright (5%
# lighter) with the lamp more to the left. The object is wholly in view throughout.
NUISANCE_LOW = np.array([-0.9, -0.12, -0.10, -0.18, -1.0])
NUISANCE_HIGH = np.array([0.9, 0.12, 0.10, 0.18, 1.0])

WALLS, FLOOR, SKIRTING = 3, 4, 5  # materials, after those of the objects
MATERIALS = 6

# The walls fill .52 of the image on average, the floor .28, the object .20: unequal on purpose. A beta-VAE gives each
# surface latents of its own only where surfaces differ in weight; between two of one weight, its objective barely
# changes when their latents are turned into each other, as in a principal component analysis of equal variances
# (Rolinek, Zietlow & Martius 2019). (Seen by hue, as SCAN sees them, a surface's weight is its area; how
# bright it is does not enter.) The room is small for that: at the ends of the ranges an object reaches up to .16 m into
# a wall; it is drawn whole, in front of it. The three objects are of nearly one height and breadth: where an identity
# covers what another leaves open, its effect depends on the colours of all surfaces, and such an effect entangles them.
EYE, DISTANCE = 1.10, 2.40  # height of the eye, and how far ahead the object stands, metres
BACK, SIDE = 3.0, 1.2  # from the eye to the back wall and to either side wall, metres
HORIZON, SPAN = 0.28, 1.04  # share of the image above the eye's height; width and height of the image at distance 1
LINES = 4  # lines of sight per pixel column
PIXELS = 160_000  # rendered at once: what the processor's cache holds
SPOTLIGHT = 1.0, 0.72, 0.8  # on object, walls and floor
MATERIAL = 0.58, 1.0, 0.78  # felt, ice and leather: how much light each identity's surface returns
SKIRTING_HEIGHT = 0.10  # metres of white board at the foot of the walls: it draws the room's edges
FIXED = {STICK: (235, 205, 150), SKIRTING: (235, 235, 235)}  # materials of one colour in every room
SHADOW = 0.55  # share of the floor's light that is lost under the middle of an object
TRIM_SHADE = 0.3  # bands, straps and feathers are a dark shade of the object's colour: its hue, another value


def draw_nuisance(n: int, generator: np.random.Generator) -> Float[np.ndarray, "n 5"]:
    """`n` independent draws, uniform between NUISANCE_LOW and NUISANCE_HIGH; columns and units as in NUISANCES."""
    return generator.uniform(NUISANCE_LOW, NUISANCE_HIGH, (n, len(NUISANCES)))


def render(
    factors: Int[np.ndarray, "n 4"], nuisance: Float[np.ndarray, "n 5"], size: int = 64
) -> UInt8[np.ndarray, "n size size 3"]:
    """Images in sRGB; columns as in FACTORS and NUISANCES. An image is the same in whatever batch it is rendered.

    Raises Refused for a factor or nuisance out of range (naming row, column and range), a wrong shape or type, and a
    size under 16.
    """
    factors, nuisance = np.asarray(factors), np.asarray(nuisance)
    if factors.ndim != 2 or factors.shape[1] != 4 or factors.dtype.kind not in "iu":
        raise Refused(f"factors must be integers of shape [n, 4] ({', '.join(FACTORS)}), not {_told(factors)}")
    n = len(factors)
    if nuisance.shape != (n, 5) or nuisance.dtype.kind not in "iuf":
        raise Refused(f"nuisance must be numbers of shape [{n}, 5] ({', '.join(NUISANCES)}), not {_told(nuisance)}")
    if size < 16:
        raise Refused(f"size must be at least 16 pixels, not {size}")
    _refuse_outside("factors", factors, FACTORS, np.zeros(4, int), np.array(SIZES) - 1)
    _refuse_outside("nuisance", nuisance, NUISANCES, NUISANCE_LOW, NUISANCE_HIGH)

    images = np.empty((n, size, size, 3), np.uint8)
    chunk = max(PIXELS // size**2, 1)
    for identity in range(len(OBJECTS)):
        rows = np.flatnonzero(factors[:, 0] == identity)
        for start in range(0, len(rows), chunk):
            batch = rows[start : start + chunk]
            images[batch] = _render(identity, factors[batch, 1:], nuisance[batch].astype(np.float32), size)
    return images


def _told(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"


def _refuse_outside(what: str, table: np.ndarray, columns: Sequence[str], low: np.ndarray, high: np.ndarray) -> None:
    # The margin admits a bound that was rounded to float32; NaN is outside.
    outside = np.argwhere(~((table >= low - 1e-6) & (table <= high + 1e-6)))
    if len(outside):
        row, column = outside[0]
        raise Refused(
            f"{what}, row {row}, column {column} ({columns[column]}): {table[row, column]} is not in "
            f"[{low[column]:.6g}, {high[column]:.6g}]"
        )


def _render(identity: int, colours: np.ndarray, nuisance: Array, size: int) -> np.ndarray:
    """Images [n, size, size, 3] of one identity; colours are [n, 3] palette indices: object, wall, floor."""
    rotation, yaw, x, depth, light = nuisance.T[:, :, None]
    z, turn, cos_yaw, sin_yaw = DISTANCE + depth, rotation + yaw, np.cos(yaw), np.sin(yaw)
    pixel = SPAN / size
    places = (np.arange(LINES * size, dtype=np.float32) + 0.5) / LINES - size / 2
    slope = pixel * np.ascontiguousarray(places.reshape(size, 1, LINES).transpose(2, 1, 0))

    # The lamp hangs above, left of and behind the camera, fixed to the room: the camera's yaw turns it in the image.
    azimuth, level, power = 0.62 + 0.22 * light, 0.62, (1 + 0.10 * light) / 1.10
    lamp = Lamp(-level * np.sin(azimuth), 0.785, -level * np.cos(azimuth), power)
    seen_lamp = lamp._replace(x=lamp.x * cos_yaw - lamp.z * sin_yaw, z=lamp.x * sin_yaw + lamp.z * cos_yaw)
    view = View(slope, x, z, np.cos(turn), np.sin(turn), seen_lamp, EYE, HORIZON * size, pixel)

    canvas = _Canvas(len(colours), size)
    with np.errstate(divide="ignore", invalid="ignore"):  # rows mean nothing where a line of sight misses
        surfaces = OBJECTS[identity](view)
    for surface in surfaces:
        canvas.paint(surface)
    walls, distance = _walls(view, lamp, cos_yaw, sin_yaw)
    board = view.row(SKIRTING_HEIGHT, distance)
    canvas.paint(walls._replace(top=board, material=SKIRTING))
    canvas.paint(walls._replace(bottom=np.minimum(board + 1, walls.bottom)))
    first = int(walls.bottom.min()) - 2
    canvas.fill(first, _floor(view, lamp, FOOTPRINTS[identity], np.arange(first, size)), FLOOR)

    colour = np.empty((MATERIALS, len(colours), 3), np.float32)
    colour[[OBJECT, WALLS, FLOOR]] = RGB[colours.T] * np.array(SPOTLIGHT, np.float32)[:, None, None]
    colour[TRIM] = TRIM_SHADE * colour[OBJECT]
    colour[OBJECT] *= MATERIAL[identity]
    for material, rgb in FIXED.items():
        colour[material] = rgb
    return canvas.develop(colour)


def _walls(view: View, lamp: Lamp, cos_yaw: Array, sin_yaw: Array) -> tuple[Surface, Array]:
    """Each line of sight meets the back wall or a side wall, whichever is nearer, at the distance given beside it; the
    corners are a little darker."""
    right, ahead = view.slope * cos_yaw + sin_yaw, cos_yaw - view.slope * sin_yaw
    to_back, to_side = BACK / ahead, SIDE / np.maximum(np.abs(right), 1e-6)
    distance, back = np.minimum(to_back, to_side), to_back < to_side
    from_corner = np.where(back, SIDE - np.abs(distance * right), BACK - distance * ahead)
    shade = np.where(back, lamp.shade(0, 0, -1), lamp.shade(-np.sign(right), 0, 0))
    shade = shade * (1 - 0.10 * np.square(np.maximum(1 - from_corner / 0.5, 0)))
    foot = view.row(0, distance)
    return Surface(np.full_like(foot, -1), foot, np.ones(foot.shape, bool), shade, WALLS), distance


def _floor(view: View, lamp: Lamp, footprint: tuple[float, float], rows: np.ndarray) -> Array:
    """Brightness of the floor, [rows, images, columns]: softly darker where the object hides the room's light."""
    rise = (rows.astype(np.float32) + 0.5 - view.horizon) * view.pixel
    distance = (view.eye / np.maximum(rise, 0.05))[:, None, None]
    right, ahead = distance * view.slope.mean(0) - view.x, distance - view.z
    length, depth = footprint[0] + 0.25, footprint[1] + 0.25
    p, q = (view.cos * right + view.sin * ahead) / length, (view.cos * ahead - view.sin * right) / depth
    return lamp.shade(0, 1, 0) * (1 - SHADOW * np.maximum(1 - p * p - q * q, 0))


class _Canvas:
    """Brightness by material, [material, row, image x column], painted from front to back."""

    def __init__(self, n: int, size: int):
        self.n, self.size = n, size
        self.light = np.zeros((MATERIALS, size, n * size), np.float32)
        self.open = np.ones((size, n * size), np.float32)  # the share of each pixel that nothing covers yet
        self.centres = np.arange(size, dtype=np.float32)[:, None] + 0.5

    def paint(self, surface: Surface) -> None:
        """Cover what is still open; an edge is as soft as it climbs within a pixel column, so it shows no stairs."""
        share = surface.inside.mean(0, dtype=np.float32)
        hit = share > 0
        if not hit.any():
            return
        top, top_width = _edge(surface.top, surface.inside)
        bottom, bottom_width = _edge(surface.bottom, surface.inside)
        first = max(int(np.floor((top - top_width / 2)[hit].min())), 0)
        last = min(int(np.ceil((bottom + bottom_width / 2)[hit].max())) + 1, self.size)
        if first >= last:
            return
        covered = _ramp(self.centres[first:last], top, top_width, share)
        covered -= _ramp(self.centres[first:last], bottom, bottom_width, share)
        np.maximum(covered, 0, out=covered)
        covered *= self.open[first:last]
        self.open[first:last] -= covered
        covered *= np.broadcast_to(surface.shade, surface.inside.shape).mean(0).ravel()
        self.light[surface.material, first:last] += covered

    def fill(self, first: int, shade: Array, material: int) -> None:
        """Give what is still open, from a row downwards, to one material of brightness [rows, images, columns]."""
        np.multiply(self.open[first:], shade.reshape(-1, self.n * self.size), out=self.light[material, first:])

    def develop(self, colour: Array) -> np.ndarray:
        """Images [n, size, size, 3] from each material's colour, [material, images, 3]."""
        images = np.empty((self.n, self.size, self.size, 3), np.uint8)
        by_column = np.repeat(colour, self.size, axis=1)
        for channel in range(3):
            total = self.light[0] * by_column[0, :, channel]
            for material in range(1, len(colour)):
                total += self.light[material] * by_column[material, :, channel]
            total += 0.5
            images[..., channel] = total.reshape(self.size, self.n, self.size).transpose(1, 0, 2)
        return images


def _edge(rows: Array, inside: Mask) -> tuple[Array, Array]:
    """Where an edge runs in each pixel column, in rows, and how many rows it climbs there, at least one."""
    low = np.where(inside, rows, np.float32(1e4)).min(0)
    high = np.where(inside, rows, np.float32(-1e4)).max(0)
    return (low + high) / 2, np.maximum((high - low) * (LINES / (LINES - 1)), 1)


def _ramp(centres: Array, edge: Array, width: Array, share: Array) -> Array:
    """The part of each pixel, up to `share`, below an edge `width` rows high: [rows, image x column]."""
    scale = (share / width).ravel()
    ramp = centres * scale
    ramp += share.ravel() / 2 - edge.ravel() * scale
    np.maximum(ramp, 0, out=ramp)
    return np.minimum(ramp, share.ravel(), out=ramp)
