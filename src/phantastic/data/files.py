"""Files and folders that a person named, before anything reads them."""

import os
from pathlib import Path

from phantastic.ground.errors import Refused


def regular_file(path: str | Path, expected: str) -> Path:
    """The path of a file that exists and is a file (a link to one counts); anything else is Refused."""
    if not os.path.isfile(path):  # unlike Path.is_file, it raises for no name whatever
        state = "is not a file" if os.path.lexists(path) else "does not exist"
        raise Refused(f"{str(path)!r} {state}; expected {expected}")
    return Path(path)


def names_in(path: Path) -> list[str]:
    """The names of all that a folder holds, sorted, or Refused where it may not be listed."""
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise Refused(f"the folder {str(path)!r} cannot be listed ({error.strerror})") from error


def folder(path: str | Path, expected: str) -> Path:
    """The path of a folder that exists, or Refused."""
    if not os.path.isdir(path):
        state = "is not a folder" if os.path.lexists(path) else "does not exist"
        raise Refused(f"{str(path)!r} {state}; expected {expected}")
    return Path(path)
