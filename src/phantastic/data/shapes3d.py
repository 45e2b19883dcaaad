"""The published 3D Shapes file (Burgess & Kim 2018), `3dshapes.h5`, where a user has it: 480,000 RGB images, 64x64."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused

FACTORS = {
    "floor_hue": "床の色相",
    "wall_hue": "壁の色相",
    "object_hue": "物体の色相",
    "scale": "大きさ",
    "shape": "形",
    "orientation": "向き",
}
SIZES = (10, 10, 10, 8, 4, 15)
IMAGES = 10 * 10 * 10 * 8 * 4 * 15


@dataclass(frozen=True)
class Shapes3D:
    """The file, opened; images are read when they are asked for (all of them are 5.9 GB)."""

    path: Path
    stored: Any  # h5py.Dataset, uint8[n, 64, 64, 3]
    labels: Float[np.ndarray, "n 6"]  # as published
    factors: Int[np.ndarray, "n 6"]  # a label's rank among the values that occur in its column
    names: tuple[str, ...] = tuple(FACTORS)

    def __len__(self) -> int:
        return len(self.factors)

    def images(self, indices: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 64 64 3"]:
        """Images in the order of `indices`, which may repeat. Raises Refused where that part of the file is damaged."""
        rows, back = np.unique(np.asarray(indices, np.int64), return_inverse=True)  # HDF5 reads rising rows only
        if not len(rows):
            return np.empty((0, 64, 64, 3), np.uint8)
        try:
            return self.stored[rows][back]
        except OSError as error:
            raise Refused(f"{str(self.path)!r}: 'images' is damaged between rows {rows[0]} and {rows[-1]}") from error


def load(path: str | Path) -> Shapes3D:
    """Open the file, or a smaller one in the same format.

    Raises Refused naming the file and the key at fault (absent, truncated, of another shape or type), or the extra to
    install where h5py is missing.
    """
    try:
        import h5py
    except ImportError:
        raise Refused("reading 3D Shapes needs h5py; install it with: pip install 'phantastic[data]'") from None
    path = regular_file(path, "the published 3D Shapes .h5")
    try:
        file = h5py.File(path, "r")
    except (OSError, ValueError) as error:
        raise Refused(
            f"{str(path)!r} is not a whole HDF5 file ({error}); expected the published 3D Shapes .h5"
        ) from error
    try:
        stored = array(file, "images", np.dtype(np.uint8), (64, 64, 3))
        table = array(file, "labels", np.dtype(np.float64), (6,))
        if len(stored) != len(table):
            raise Refused(f"'images' has {len(stored)} rows, but 'labels' {len(table)}")
        labels = table[:]
        return Shapes3D(path, stored, labels, ranks(labels))
    except Refused as error:
        file.close()
        raise Refused(f"{str(path)!r}: {error}") from None
    except Exception as error:  # a damaged file can raise nearly anything within h5py
        file.close()
        raise Refused(f"{str(path)!r} is damaged ({error}); expected the published 3D Shapes .h5") from error


def array(file: Any, key: str, dtype: np.dtype, item: tuple[int, ...]) -> Any:
    """The data set `key` of the file, once it is what it should be and lies in this file."""
    import h5py

    if not isinstance(file.get(key, getlink=True, default=None), h5py.HardLink) or not isinstance(
        file[key], h5py.Dataset
    ):
        keys = ", ".join(sorted(map(str, file))[:8])
        raise Refused(f"the array '{key}' is missing (it holds: {keys}); expected images and labels")
    stored = file[key]
    if stored.external or stored.is_virtual:
        raise Refused(f"'{key}' keeps its numbers in another file; expected them in this one")
    rows = stored.shape[0] if stored.shape else 0
    if stored.dtype != dtype or stored.shape[1:] != item or not 1 <= rows <= IMAGES:
        raise Refused(
            f"'{key}' is {stored.dtype}{list(stored.shape or ())}; expected {dtype}, 1 to {IMAGES} rows of {list(item)}"
        )
    return stored


def ranks(labels: Float[np.ndarray, "n 6"]) -> Int[np.ndarray, "n 6"]:
    """Each column's values numbered from the smallest; the published descriptions differ on the values themselves."""
    factors = np.empty(labels.shape, np.int64)
    for position, (name, size) in enumerate(zip(FACTORS, SIZES, strict=True)):
        values, factors[:, position] = np.unique(labels[:, position], return_inverse=True)
        if len(values) > size or not np.isfinite(values).all():
            raise Refused(
                f"'labels' has {len(values)} values of '{name}' or one that is no number; expected at most {size}"
            )
    return factors
