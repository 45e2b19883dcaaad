"""The published dSprites file, where a user has it: `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`.

The arrays are read as plain numbers behind their headers: nothing is unpickled (the file's `metadata` entry, which is
a pickle, is left alone), and the images are packed as they are decompressed, which takes 0.4 GB and not 3.
"""

import math
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO

import numpy as np

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused
from phantastic.world.dsprites import IMAGES, SIZE, SIZES, VALUES, DSprites

CHUNK = 4096  # images decompressed at a time


def load(path: str | Path) -> DSprites:
    """The images and factors of the file, or of a smaller one in the same format, in its order.

    Raises Refused naming the file, and the key where it is at fault: absent, truncated, of another shape or type.
    """
    path = regular_file(path, "the published dSprites .npz")
    try:
        with zipfile.ZipFile(path) as archive:
            classes = np.concatenate(list(blocks(archive, "latents_classes", np.dtype(np.int64), (6,))))
            values = np.concatenate(list(blocks(archive, "latents_values", np.dtype(np.float64), (6,))))
            factors = agreeing(classes, values)
            packed, filled = np.empty((len(factors), SIZE * SIZE // 8), np.uint8), 0
            for images in blocks(archive, "imgs", np.dtype(np.uint8), (SIZE, SIZE), len(factors)):
                if images.max() > 1:
                    raise Refused("'imgs' holds values above 1; expected 0 and 1")
                packed[filled : filled + len(images)] = np.packbits(images.reshape(len(images), -1), axis=1)
                filled += len(images)
    except Refused as error:
        raise Refused(f"{str(path)!r}: {error}") from None
    except Exception as error:  # a damaged file can raise nearly anything within zipfile and NumPy
        raise Refused(f"{str(path)!r} is damaged ({error}); expected the published dSprites .npz") from error
    return DSprites(packed, factors)


def blocks(
    archive: zipfile.ZipFile, key: str, dtype: np.dtype, item: tuple[int, ...], count: int | None = None
) -> Iterator[np.ndarray]:
    """The array `key`, CHUNK rows at a time, `count` in all where that is given; nothing is read beyond its shape."""
    if f"{key}.npy" not in archive.namelist():
        keys = ", ".join(sorted(name.removesuffix(".npy") for name in archive.namelist())[:8])
        raise Refused(f"the key '{key}' is missing (it holds: {keys}); expected imgs, latents_classes, latents_values")
    with archive.open(f"{key}.npy") as stream:
        rows = header(stream, key, dtype, item, count)
        row_bytes = dtype.itemsize * math.prod(item)
        for start in range(0, rows, CHUNK):
            wanted = min(CHUNK, rows - start)
            data = stream.read(wanted * row_bytes)
            if len(data) < wanted * row_bytes:
                raise Refused(f"'{key}' ends after {start + len(data) // row_bytes} of its {rows} rows")
            yield np.frombuffer(data, dtype).reshape(wanted, *item)
        if stream.read(1):  # reading to the end also checks the sum that the archive keeps of it
            raise Refused(f"'{key}' goes on after its {rows} rows")


def header(
    stream: IO[bytes] | BufferedIOBase, key: str, dtype: np.dtype, item: tuple[int, ...], count: int | None
) -> int:
    """The number of rows that an array's header gives, once the header is what it should be."""
    if np.lib.format.read_magic(stream) != (1, 0):  # as published; later versions allow headers of gigabytes
        raise Refused(f"'{key}' is not a NumPy array of format version 1.0")
    shape, by_columns, stored = np.lib.format.read_array_header_1_0(stream)
    rows = shape[0] if shape else 0
    if stored != dtype or by_columns or shape[1:] != item or not 1 <= rows <= IMAGES or rows != (count or rows):
        wanted = f"{count or f'n, at most {IMAGES},'} rows of shape {list(item)}"
        raise Refused(
            f"'{key}' is {stored}{list(shape)}{' by columns' if by_columns else ''}; expected {dtype}, {wanted}"
        )
    return rows


def agreeing(classes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The factors [n, 5] without the colour, which is always white, if both tables say the same."""
    if len(classes) != len(values):
        raise Refused(f"'latents_classes' has {len(classes)} rows, but 'latents_values' {len(values)}")
    factors = classes[:, 1:]
    if (factors < 0).any() or (factors >= SIZES).any():
        row = np.flatnonzero(((factors < 0) | (factors >= SIZES)).any(axis=1))[0]
        raise Refused(f"'latents_classes' is {factors[row].tolist()} in row {row}; expected each below {list(SIZES)}")
    expected = np.stack([table[column] for table, column in zip(VALUES, factors.T, strict=True)], axis=1)
    apart = np.flatnonzero(~np.isclose(expected, values[:, 1:], atol=1e-6).all(axis=1))
    if apart.size:
        raise Refused(
            f"'latents_values' is {values[apart[0], 1:].tolist()} in row {apart[0]}; "
            f"expected {expected[apart[0]].tolist()}, as 'latents_classes' has it"
        )
    return np.ascontiguousarray(factors)
