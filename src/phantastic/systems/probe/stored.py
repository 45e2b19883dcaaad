"""Vectors of words from a file: one array per sentence, as the public probing programs write them.

An array's name is the sentence's number, counted from 0; it is [layers, tokens, hidden], or [tokens, hidden] of one
layer. HDF5 (``.hdf5``, ``.h5``; with the extra ``data``), NumPy's ``.npz`` and safetensors hold the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused

ENDINGS = (".hdf5", ".h5", ".npz", ".safetensors")
EXPECTED = "one array [layers, tokens, hidden] per sentence, named 0, 1, 2, … (.hdf5, .h5, .npz or .safetensors)"


def read(path: str | Path, tokens: Sequence[int], layer: int = 0) -> list[Float32[ndarray, "tokens hidden"]]:
    """One layer, counted from 0, of the vectors of sentences that have so many ``tokens``.

    Raises `Refused` naming the file, and the sentence that is missing or whose array has another number of tokens, no
    such layer, another size of vectors than the first, or other things than numbers.
    """
    with opened(path) as (names, array_of):
        numbered = sum(name.isascii() and name.isdigit() for name in names)
        if numbered != len(tokens):
            raise Refused(f"{str(path)!r} holds {numbered} sentences; expected {len(tokens)}: {EXPECTED}")
        vectors: list[ndarray] = []
        for number, count in enumerate(tokens):
            where = f"{str(path)!r}, sentence {number} (counted from 0)"
            if str(number) not in names:
                raise Refused(f"{where} is missing; expected an array named '{number}'")
            shape, array = array_of(str(number))
            hidden = vectors[0].shape[1] if vectors else "hidden"
            if len(shape) not in (2, 3) or shape[-2] != count or (vectors and shape[-1] != hidden) or not shape[-1]:
                raise Refused(f"{where} has an array {list(shape)}; expected [layers, {count} tokens, {hidden}]")
            layers = shape[0] if len(shape) == 3 else 1
            if not 0 <= layer < layers:
                raise Refused(f"{where} has no layer {layer}; it has {layers}, counted from 0")
            values = array[layer] if len(shape) == 3 else array[:]
            if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
                raise Refused(f"{where} holds what is no finite number ({values.dtype})")
            vectors.append(values.astype(np.float32))
        return vectors


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[list[str], Callable[[str], tuple[tuple[int, ...], Any]]]]:
    """The names of a file's arrays, and what gives an array's shape and the array, to be sliced."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise Refused(f"{str(path)!r} is not of a kind that is read; expected {EXPECTED}")
    path = regular_file(path, EXPECTED)
    try:
        with {".npz": opened_npz, ".safetensors": opened_safetensors}.get(path.suffix.lower(), opened_hdf5)(path) as it:
            yield it
    except Refused:
        raise
    except Exception as error:  # a damaged file can raise nearly anything within these libraries
        raise Refused(f"{str(path)!r} is damaged ({error}); expected {EXPECTED}") from error


@contextmanager
def opened_npz(path: Path) -> Iterator[tuple[list[str], Callable[[str], tuple[tuple[int, ...], Any]]]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        yield list(arrays), lambda name: ((array := arrays[name]).shape, array)


@contextmanager
def opened_safetensors(path: Path) -> Iterator[tuple[list[str], Callable[[str], tuple[tuple[int, ...], Any]]]]:
    from safetensors import safe_open

    with safe_open(path, "np") as arrays:
        yield list(arrays.keys()), lambda name: (tuple((part := arrays.get_slice(name)).get_shape()), part)


@contextmanager
def opened_hdf5(path: Path) -> Iterator[tuple[list[str], Callable[[str], tuple[tuple[int, ...], Any]]]]:
    try:
        import h5py
    except ImportError:
        raise Refused("reading HDF5 needs h5py; install it with: pip install 'phantastic[data]'") from None

    def array_of(name: str) -> tuple[tuple[int, ...], Any]:
        array = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
        if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
            raise Refused(f"{str(path)!r}: '{name}' is no array in this file; expected {EXPECTED}")
        return array.shape or (), array

    with h5py.File(path, "r") as file:
        yield list(file), array_of
