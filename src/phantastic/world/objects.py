"""The three objects of the rooms, as a column caster sees them.

A pixel column is a vertical plane through the eye. It cuts each surface here in one run of rows, whose two ends follow
from where the plane enters and leaves the object's footprint and from the object's height there. So an object costs a
few numbers per column instead of a ray per pixel, and its perspective is exact.
Axes: x to the right, y up, z ahead of the eye, in metres; the image plane is upright, so verticals stay vertical.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]  # float32 when it runs
Mask = NDArray[np.bool_]
OBJECT, TRIM, STICK = 0, 1, 2  # materials


class Lamp(NamedTuple):
    """A distant lamp: the unit vector towards it, and its power; [images, 1] each."""

    x: Array
    y: float
    z: Array
    power: Array

    def shade(self, x: Array | float, y: Array | float, z: Array | float) -> Array:
        """Brightness of a matt surface with unit normal (x, y, z), as a share of its colour's sRGB values.

        Ambient light and Lambert's cosine law, then a gamma of 2: light and colour multiply, so each gets its own root.
        """
        return np.sqrt(self.power * (0.55 + 0.56 * np.maximum(self.x * x + self.y * y + self.z * z, 0)))


class View(NamedTuple):
    """What an object is seen by; arrays broadcast to [lines of sight in a pixel column, images, pixel columns]."""

    slope: Array  # x/z of a line of sight
    x: Array  # place of the object's axis
    z: Array
    cos: Array  # of the object's rotation against the camera
    sin: Array
    lamp: Lamp
    eye: float  # its height over the floor
    horizon: float  # row at the height of the eye
    pixel: float  # rise y/z of one row

    def row(self, height: Array | float, distance: Array) -> Array:
        """Image row, counted from the upper edge, of a point at a height and a distance z."""
        return self.rise_row((height - self.eye) / distance)

    def rise_row(self, rise: Array) -> Array:
        """Image row of a line of sight that rises by y/z."""
        return self.horizon - rise / self.pixel


class Surface(NamedTuple):
    """One visible surface: rows top to bottom where it is `inside`; [lines of sight, images, columns], or broadcast."""

    top: Array
    bottom: Array
    inside: Mask
    shade: Array
    material: int


class Box(NamedTuple):
    """A rotated rectangle on the floor as the lines of sight cross it."""

    near: Array  # distance at which it is entered, and left
    far: Array
    inside: Mask
    long: Mask  # entered through a long side
    along: Array  # a line of sight at distance t is at (along t - p, across t - q) from the axis
    across: Array
    p: Array
    q: Array
    side: Array  # brightness of the upright wall that is entered

    def place(self, t: Array) -> Array:
        """Signed distance from the axis, along the length, at distance t."""
        return self.along * t - self.p


def _box(view: View, length: float, depth: float) -> Box:
    """A rectangle of half sides `length` and `depth`, by the slab method (Kay and Kajiya 1986)."""
    along, p = view.cos * view.slope + view.sin, view.cos * view.x + view.sin * view.z
    across, q = view.cos - view.sin * view.slope, view.cos * view.z - view.sin * view.x
    along = np.where(np.abs(along) < 1e-5, np.float32(1e-5), along)
    across = np.where(np.abs(across) < 1e-5, np.float32(1e-5), across)
    p_half, q_half = length / np.abs(along), depth / np.abs(across)
    p_middle, q_middle = p / along, q / across
    near = np.maximum(p_middle - p_half, q_middle - q_half)
    far = np.minimum(p_middle + p_half, q_middle + q_half)
    long = q_middle - q_half > p_middle - p_half
    end, face = -np.sign(along), -np.sign(across)
    side = np.where(
        long,
        view.lamp.shade(-face * view.sin, 0, face * view.cos),
        view.lamp.shade(end * view.cos, 0, end * view.sin),
    )
    return Box(near, far, near < far, long, along, across, p, q, side)


def _cylinder(view: View, radius: float) -> tuple[Array, Array, Mask, Array]:
    """An upright cylinder about the axis: distances of entry and exit, where it is met, brightness of its wall."""
    a = 1 + view.slope * view.slope
    middle = (view.slope * view.x + view.z) / a
    square = middle * middle - (view.x * view.x + view.z * view.z - radius * radius) / a
    half = np.sqrt(np.maximum(square, 0))
    near = middle - half
    side = view.lamp.shade((near * view.slope - view.x) / radius, 0, (near - view.z) / radius)
    return near, middle + half, square > 0, side


def _feather(
    view: View, reach: float, centre: float, length: float, width: float, lean: float
) -> tuple[Array, Array, Mask]:
    """A flat leaning ellipsoid, its face turned outwards, `reach` from the axis: top row, bottom row, where it is met.

    With its axes scaled to a unit sphere about w, a line of sight u = a + b s of rise s touches it where
    (u.w)^2 = (u.u)(w.w - 1), a quadratic in s.
    """
    along, up = float(np.sin(lean)), float(np.cos(lean))
    right, lift, ahead = view.x + reach * view.cos, centre - view.eye, view.z + reach * view.sin
    aa = ab = aw = bb = bw = ww = np.float32(0)
    for x, y, z, radius in (
        (view.cos, 0.0, view.sin, 0.04),
        (-view.sin * up, -along, view.cos * up, width),
        (-view.sin * along, up, view.cos * along, length),
    ):
        a, b = (x * view.slope + z) / radius, y / radius
        w = (x * right + y * lift + z * ahead) / radius
        aa, ab, aw, bb, bw, ww = aa + a * a, ab + a * b, aw + a * w, bb + b * b, bw + b * w, ww + w * w
    square, half, constant = bw * bw - bb * (ww - 1), aw * bw - ab * (ww - 1), aw * aw - aa * (ww - 1)
    discriminant = half * half - square * constant
    root = np.sqrt(np.maximum(discriminant, 0))
    first, second = view.rise_row((-half + root) / square), view.rise_row((-half - root) / square)
    return np.minimum(first, second), np.maximum(first, second), discriminant > 0


# Every object is listed from front to back. Where two of its surfaces meet, the hinder one reaches a row under the
# other: otherwise the wall behind would shine through the seam between two soft edges.


def hat(view: View) -> list[Surface]:
    """A top hat: a brim, a crown, a band, and a feather that shows which way the hat is turned."""
    brim, crown, lift, height = 0.55, 0.40, 0.06, 1.04
    up = view.lamp.shade(0, 1, 0)
    near, far, inside, side = _cylinder(view, crown)
    top, rim, foot = view.row(height, far), view.row(height, near), view.row(lift, near)
    f_top, f_bottom, f_inside = _feather(view, reach=crown + 0.03, centre=0.96, length=0.34, width=0.105, lean=0.35)
    # The feather's plane touches the crown; to an eye behind that plane, only what rises above the crown shows.
    behind = view.cos * view.x + view.sin * view.z > -crown
    f_bottom = np.where(inside & behind, np.minimum(f_bottom, top), f_bottom)
    b_near, b_far, b_inside, b_side = _cylinder(view, brim)
    edge = view.row(lift, b_near)
    return [
        Surface(f_top, f_bottom, f_inside & (f_top < f_bottom), up, TRIM),
        Surface(view.row(lift + 0.36, near), foot, inside, side, TRIM),
        Surface(rim, foot, inside, side, OBJECT),
        Surface(top, rim + 1, inside, 0.97 * up, OBJECT),
        Surface(view.row(lift, b_far), edge, b_inside, up, OBJECT),
        Surface(edge - 1, view.row(0, b_near), b_inside, b_side, OBJECT),
    ]


def ice_lolly(view: View) -> list[Surface]:
    """An ice lolly on a stick: a slab with a domed top, two grooves, and a bite out of one shoulder."""
    length, depth, base, shoulder, tip = 0.48, 0.26, 0.20, 0.76, 1.21
    slab = _box(view, length, depth)

    def top(t: Array) -> Array:
        p, q = slab.place(t), slab.across * t - slab.q
        dome = np.maximum((1 - np.square(p / length)) * (1 - 0.4 * np.square(q / depth)), 0)
        height = shoulder + (tip - shoulder) * np.sqrt(dome)
        bite = 0.20**2 - np.square(p - 0.44)
        bitten = np.minimum(height, 0.98 - np.sqrt(np.maximum(bite, 0)))
        return view.row(np.where(bite > 0, bitten, height), t)

    edge, bottom = top(slab.near), view.row(base, slab.near)
    skyline = edge
    for share in (0.25, 0.5, 0.75, 1.0):
        skyline = np.minimum(skyline, top(slab.near + share * (slab.far - slab.near)))
    groove = slab.inside & slab.long & (np.abs(np.abs(slab.place(slab.near)) - 0.19) < 0.04)
    near, _, inside, round_side = _cylinder(view, 0.09)
    return [
        Surface(view.row(0.84, slab.near), view.row(base + 0.14, slab.near), groove, 0.84 * slab.side, OBJECT),
        Surface(edge, bottom, slab.inside, slab.side, OBJECT),
        Surface(skyline, edge + 1, slab.inside, view.lamp.shade(0, 1, 0), OBJECT),
        Surface(view.row(base, near) - 1, view.row(0, near), inside, round_side, STICK),
    ]


def suitcase(view: View) -> list[Surface]:
    """A suitcase: a box with two straps around it and a handle on top."""
    height, strap, half_strap = 0.96, 0.32, 0.11
    up = view.lamp.shade(0, 1, 0)
    case = _box(view, 0.48, 0.28)
    top, rim, bottom = view.row(height, case.far), view.row(height, case.near), view.row(0, case.near)
    strapped = case.inside & case.long & (np.abs(np.abs(case.place(case.near)) - strap) < half_strap)
    handle = _box(view, 0.22, 0.05)
    under = view.row(height + 0.12, handle.near)
    posts = handle.inside & ~(handle.long & (np.abs(handle.place(handle.near)) < 0.14))
    surfaces = [
        Surface(view.row(height + 0.20, handle.far), under, handle.inside, up, TRIM),
        Surface(under - 1, view.row(height, handle.near), posts, case.side, TRIM),
        Surface(rim, bottom, strapped, case.side, TRIM),
    ]
    for place in (-strap, strap):  # over the top
        middle, half = (case.p + place) / case.along, half_strap / np.abs(case.along)
        start, stop = np.maximum(case.near, middle - half), np.minimum(case.far, middle + half)
        over = case.inside & (start < stop)
        surfaces.append(Surface(view.row(height, stop), view.row(height, start), over, up, TRIM))
    return [
        *surfaces,
        Surface(rim, bottom, case.inside, case.side, OBJECT),
        Surface(top, rim + 1, case.inside, up, OBJECT),
    ]


OBJECTS = (hat, ice_lolly, suitcase)
FOOTPRINTS = ((0.55, 0.55), (0.48, 0.26), (0.48, 0.28))  # half length and half depth, metres, of what shades the floor
