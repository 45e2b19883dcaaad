"""The eye follows a target of the user's: its path is read, brought to bins, followed and written.

beliefs    o' = atan x - o,  x' = (v - x) / 2      the target is drawn to a place v that nobody foretells
world      o' = tanh a - o / 16                    v is the target itself; both see [o; atan v - o]
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sympy
import torch
from jaxtyping import Float64
from numpy import ndarray

from phantastic.data import table
from phantastic.data.gaze import binned, filled, following
from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest
from phantastic.inference import Level, Model, Result
from phantastic.inference.action import act
from phantastic.show.figure import write
from phantastic.systems.movement.pursuit_figures import followed
from phantastic.systems.movement.study import PursuitApply

EXPECTED = "a CSV file with the columns time, x, y or x, y"
FEWEST, MOST = 48, 512  # bins


class Path2D(NamedTuple):
    """A target's path as it was read; ``time`` counts samples where the file has none."""

    time: Float64[ndarray, " n"]
    points: Float64[ndarray, "n 2"]
    timed: bool
    missing: int
    longest: int


def read(path: str) -> Path2D:
    """The path in a file; missing samples are interpolated. Raises `Refused` with the file, the line and the column."""
    sheet = table.read(path, EXPECTED)
    if sheet.header:
        sheet = sheet._replace(names=[name.lower() for name in sheet.names])
        for name in "xy":
            if name not in sheet.names:
                raise Refused(f"{path!r} has no column '{name}'{nearest(name, sheet.names)}; expected {EXPECTED}")
    elif len(sheet.names) in (2, 3):
        sheet = sheet._replace(names=["x", "y"] if len(sheet.names) == 2 else ["time", "x", "y"])
    else:
        raise Refused(f"{path!r} has {len(sheet.names)} columns and no header; expected {EXPECTED}")
    timed = "time" in sheet.names
    points = np.stack([sheet.numbers(name, missing=True) for name in "xy"], 1)
    time = sheet.numbers("time") if timed else np.arange(len(points), dtype=float)
    for line, earlier, later in zip(sheet.lines[1:], time, time[1:], strict=False):
        if not later > earlier:
            raise Refused(f"{path!r}, line {line}, column 'time': {later:g} does not come after {earlier:g}")
    if max(np.max(np.abs(each), where=~np.isnan(each), initial=0.0) for each in (points, time)) > 1e100:
        raise Refused(f"{path!r} holds numbers beyond 1e100; rescale them")
    missing = int(np.isnan(points).any(1).sum())
    if len(points) - missing < 8 or 2 * missing > len(points):
        raise Refused(
            f"{path!r}: x or y is missing in {missing} of {len(points)} rows; at least 8, and half, must be there"
        )
    points, missing, longest = filled(time, points)
    return Path2D(time, points, timed, missing, longest)


def width_of_bins(path: Path2D, asked: float | None) -> float:
    """How long a bin is in the file's time: as asked, or as far apart as the samples are; longer for long paths."""
    span = float(path.time[-1] - path.time[0])
    width = float(np.median(np.diff(path.time))) if asked is None else asked
    if asked is None and span / width > MOST - 1:
        width = span / (MOST - 1)
    bins = int(span / width * (1 + 1e-9)) + 1 if span / width < 1e9 else 10**9
    if not FEWEST <= bins <= MOST:
        raise Refused(
            f"apply pursuit: {path.time[-1] - path.time[0]:g} in bins of {width:g} are {bins} bins; allowed: {FEWEST} "
            f"to {MOST}. Give a --bin from {span / (MOST - 1):.3g} to {span / (FEWEST - 1):.3g}"
        )
    return width


def follow(points: Float64[ndarray, "bins 2"], senses: float, motion: float, prior: float) -> Result:
    """An eye that follows these points (within -1 ... 1). Arguments: log-precisions, the last that of v around 0."""
    o1, o2, x1, x2, v1, v2, a1, a2 = sympy.symbols("o1 o2 x1 x2 v1 v2 a1 a2")
    start = points[0].tolist()
    angle = {o: math.atan(place) for o, place in zip((o1, o2), start, strict=True)}
    model = Model(
        [
            Level(
                states={**angle, x1: start[0], x2: start[1]},
                causes=[v1, v2],
                flow=[sympy.atan(x1) - o1, sympy.atan(x2) - o2, (v1 - x1) / 2, (v2 - x2) / 2],
                response=[o1, o2, sympy.atan(x1) - o1, sympy.atan(x2) - o2],
                V=math.exp(senses),
                W=math.exp(motion),
            ),
            Level(V=math.exp(prior)),
        ],
        smoothness=1.0,
    )
    process = Model(
        [
            Level(
                states=angle,
                causes=[v1, v2],
                actions={a1: 0.0, a2: 0.0},
                flow=[sympy.tanh(a1) - o1 / 16, sympy.tanh(a2) - o2 / 16],
                response=[o1, o2, sympy.atan(v1) - o1, sympy.atan(v2) - o2],
                V=math.exp(16),
                W=math.exp(16),
            ),
            Level(V=math.exp(16)),
        ],
        smoothness=1.0,
        gain=math.exp(-2) * torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64),
    )
    return act(model, process, torch.from_numpy(points), orders=(4, 1))


def apply(folder: Path, senses: float, motion: float, request: PursuitApply) -> list[str]:
    """Read, follow, write the eye's path and a figure into ``folder``; the lines that say what came out."""
    source = request.target
    path = read(source)
    width = width_of_bins(path, request.bin)
    time, points = binned(path.time, path.points, width)
    low, high = points.min(0), points.max(0)
    middle, scale = (low + high) / 2, float((high - low).max()) / 2
    if not scale > 0:
        raise Refused(f"{source!r}: the target does not move; there is nothing to follow")
    places = (points - middle) / scale
    result = follow(places, senses, motion, request.prior)
    assert result.process is not None
    eye = result.process.x[1]
    tracking = following(eye, torch.atan(torch.from_numpy(places)))
    seen = middle + scale * torch.tan(eye.clamp(-1.5, 1.5)).numpy()
    distance = np.linalg.norm(seen - points, axis=1)
    rows = [[f"{cell:.9g}" for cell in row] for row in np.column_stack([time, points, seen, distance])]
    stem = folder / (Path(source).stem or "target")
    written = stem.with_name(f"{stem.name}-eye.csv")
    files.write_csv(written, [["time", "target_x", "target_y", "eye_x", "eye_y", "distance"], *rows])
    gain, lag = float(tracking.gain), float(tracking.lag)
    unit = f" ({lag * width:.4g})" if path.timed else ""
    summary = Text(f"gain {gain:.3f}, lag {lag:.2f} bins{unit}", f"利得 {gain:.3f}、遅れ {lag:.2f} ビン{unit}")
    drawn = followed(Path(source).name, time.tolist(), points.tolist(), seen.tolist(), str(summary), path.timed)
    lines = [*described(source, path, time, width), str(summary)]
    rms = math.sqrt(float((distance**2).mean()))
    distances = Text(
        f"distance of the eye from the target: {rms:.4g} rms, {distance.max():.4g} at most",
        f"眼と標的の距離: 二乗平均平方根 {rms:.4g}、最大 {distance.max():.4g}",
    )
    return [*lines, str(distances), str(written), *map(str, write(drawn, stem.with_name(f"{stem.name}-eye")))]


def described(name: str, path: Path2D, time: Float64[ndarray, " bins"], width: float) -> list[str]:
    """What was read, what was filled in, and how it was brought to bins."""
    count, bins = len(path.time), len(time)
    lines = [Text(f"{name}: {count} samples", f"{name}: {count} 標本")]
    if path.missing:
        note = Text(
            f"{path.missing} missing samples interpolated, at most {path.longest} in a row",
            f"欠損 {path.missing} 標本を補間(連続で最大 {path.longest})",
        )
        lines.append(note)
    if bins == count and np.allclose(time, path.time, rtol=0, atol=0.01 * width):
        lines.append(Text(f"each sample is a bin ({width:.4g})", f"1 標本を 1 ビンとする({width:.4g})"))
    else:
        spacing = np.median(np.diff(path.time))
        note = Text(
            f"resampled to {bins} bins of {width:.4g}; samples were {spacing:.4g} apart",
            f"幅 {width:.4g} の {bins} ビンに再標本化(標本の間隔 {spacing:.4g})",
        )
        lines.append(note)
    return [str(line) for line in lines]
