"""CelebA (Liu, Luo, Wang & Tang 2015), where a user has it: `img_align_celeba/` beside its list of 40 attributes.

The list is the published `list_attr_celeba.txt` (the number of pictures; the attributes' names; a row per picture) or
the widespread `list_attr_celeba.csv` (a header that begins with `image_id`; a row per picture). Attributes are 1 or -1.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int8, UInt8

from phantastic.data.files import folder, names_in, regular_file
from phantastic.data.folders import picture
from phantastic.ground.errors import Refused

ATTRIBUTES = 40
LONGEST = 2**27  # bytes; the published list has 2**25
SIGNS = {"1": 1, "-1": -1}
FIRST = {".txt": 3, ".csv": 2}  # the line of the first picture


@dataclass(frozen=True)
class CelebA:
    """The list, and where its pictures lie; they are read when they are asked for."""

    folder: Path
    files: tuple[str, ...]
    attributes: Int8[np.ndarray, "n 40"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def images(self, indices: Int[np.ndarray, " b"], size: int = 64) -> UInt8[np.ndarray, "b size size 3"]:
        """The middle squares of the pictures (178x218 pixels), resized. Raises Refused naming a damaged one."""
        chosen = [picture(self.folder / self.files[row], size) for row in indices]
        return np.stack(chosen) if chosen else np.empty((0, size, size, 3), np.uint8)


def load(path: str | Path) -> CelebA:
    """Read the list in the folder `path` and see that each picture it names is there.

    Raises Refused naming the file and line of a malformed row, or the picture that is missing.
    """
    root = folder(path, "a folder that holds img_align_celeba/ and list_attr_celeba.txt or .csv")
    pictures = folder(root / "img_align_celeba", "the folder of CelebA's pictures")
    if os.path.isdir(pictures / "img_align_celeba"):  # as some archives unpack
        pictures = pictures / "img_align_celeba"
    listing = root / "list_attr_celeba.txt"
    if not os.path.exists(listing) and os.path.exists(listing.with_suffix(".csv")):
        listing = listing.with_suffix(".csv")
    names, files, attributes = parse(regular_file(listing, "CelebA's list of attributes, as .txt or .csv"))
    present = set(names_in(pictures))
    for line, file in enumerate(files, start=FIRST[listing.suffix]):
        if file not in present:
            raise Refused(f"{str(listing)!r}, line {line}: the picture {file!r} is missing from {str(pictures)!r}")
    return CelebA(pictures, files, attributes, names)


def parse(listing: Path) -> tuple[tuple[str, ...], tuple[str, ...], Int8[np.ndarray, "n 40"]]:
    """The names of the attributes, the pictures' files and their attributes."""
    commas = listing.suffix == ".csv"
    cells = [line.split(",") if commas else line.split() for line in lines_of(listing)]
    first = FIRST[listing.suffix]
    if len(cells) < first:
        raise Refused(f"{str(listing)!r} ends at line {len(cells)}; expected a header and a row for each picture")
    names = [name.strip() for name in (cells[0][1:] if commas else cells[1])]
    if len(set(names)) != ATTRIBUTES or len(names) != ATTRIBUTES:
        raise Refused(
            f"{str(listing)!r}, line {first - 1}: {len(set(names))} different names; expected {ATTRIBUTES} attributes"
        )
    rows = cells[first - 1 :]
    if not commas and cells[0] != [str(len(rows))]:
        count = " ".join(cells[0])[:40]
        raise Refused(
            f"{str(listing)!r}, line 1: the number of pictures is given as {count!r}; {len(rows)} rows follow"
        )
    attributes = np.empty((len(rows), ATTRIBUTES), np.int8)
    for line, row in enumerate(rows, start=first):
        signs = [SIGNS.get(sign.strip(), 0) for sign in row[1:]]
        if len(signs) != ATTRIBUTES or 0 in signs:
            raise Refused(
                f"{str(listing)!r}, line {line}: expected a picture and {ATTRIBUTES} times 1 or -1, "
                f"got {' '.join(row)[:60]!r}"
            )
        attributes[line - first] = signs
    return tuple(names), tuple(row[0].strip() for row in rows), attributes


def lines_of(listing: Path) -> list[str]:
    """The lines of the list, without blank ones at its end."""
    if listing.stat().st_size > LONGEST:
        raise Refused(f"{str(listing)!r} is larger than {LONGEST:,} bytes; expected CelebA's list of attributes")
    try:
        data = listing.read_bytes()
    except OSError as error:
        raise Refused(f"{str(listing)!r} cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{str(listing)!r}, line {line}: not text in UTF-8") from None
