"""CSV files of the user's own: columns by name, or by position where there is no header.

A first row that holds a word is the header; without one the columns are called 1, 2, .... Empty lines count for nothing
and so do rows of empty cells before and after the others; between them such a row is a missing sample.
"""

import csv
import io
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused, nearest

MISSING = frozenset(("", ".", "NA", "N/A", "NaN", "nan", "null"))  # how spreadsheets and eye trackers write it


class Table(NamedTuple):
    """The cells of a CSV file, row by row, and the line of the file that each row ends in."""

    path: str
    names: list[str]
    header: bool
    rows: list[list[str]]
    lines: list[int]

    def texts(self, name: str) -> list[str]:
        """The cells of a column as they are written. Raises `Refused` with the nearest name."""
        if name not in self.names:
            raise Refused(f"{self.path!r} has no column '{name}'{nearest(name, self.names)}")
        if self.names.count(name) > 1:
            raise Refused(f"{self.path!r} has several columns '{name}'; give each its own name")
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def numbers(self, name: str, missing: bool = False) -> Float64[ndarray, " rows"]:
        """The column called ``name`` as finite numbers; where ``missing`` is allowed, such cells are NaN.

        Raises `Refused` naming the file, the line and the column of what is no number.
        """
        values = []
        for line, cell in zip(self.lines, self.texts(name), strict=True):
            absent = missing and cell in MISSING
            value = math.nan if absent else number(cell)
            if value is None or not (absent or math.isfinite(value)):
                raise Refused(f"{self.path!r}, line {line}, column '{name}': {cell!r} is not a finite number")
            values.append(value)
        return np.array(values, dtype=float)


def number(cell: str) -> float | None:
    """The number in a cell, None where there is none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def read(path: str, expected: str) -> Table:
    """A CSV file in UTF-8, with or without a header. ``expected`` says in messages what it should have been.

    Raises `Refused` naming the file and the line where it is absent, empty or no table.
    """
    try:
        text = regular_file(path, expected).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path!r} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from None
    except OSError as error:
        raise Refused(f"{path!r} cannot be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise Refused(f"{path!r}, line {reader.line_num}: {error}; expected {expected}") from None
    full = [position for position, (_, row) in enumerate(rows) if any(row)]
    if not full:
        raise Refused(f"{path!r} is empty; expected {expected}")
    rows = [(line, row) for line, row in rows[full[0] : full[-1] + 1] if len(row) > 1 or any(row)]
    first = rows[0][1]
    header = any(number(cell) is None and cell not in MISSING for cell in first)
    names = first if header else [str(position) for position in range(1, len(first) + 1)]
    for line, row in rows[header:]:
        if len(row) != len(names):
            raise Refused(f"{path!r}, line {line}: {len(row)} cells where the first row has {len(names)}")
    return Table(path, names, header, [row for _, row in rows[header:]], [line for line, _ in rows[header:]])
