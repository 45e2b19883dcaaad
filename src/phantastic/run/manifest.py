"""Run folders seen from outside: which there are, what made them, what came out.

Everything here is read without PyTorch, so that listing and comparing runs is instant.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from phantastic.declare.claims import Finding, Measure
from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest

FORMAT = 1
MANIFEST = "manifest.json"


class Manifest(Struct):
    """What made a run: enough to repeat it."""

    format: int
    study: str
    preset: str
    recipe: dict[str, Any]
    version: str
    versions: dict[str, str]
    machine: str
    device: str
    threads: int
    revision: str
    started: str
    seconds: float = 0.0
    finished: bool = False
    precision: Literal["", "float32", "bfloat16"] = ""

    def __post_init__(self) -> None:
        if not self.precision:  # made before there was "auto": the recipe says what ran
            self.precision = "bfloat16" if self.recipe.get("precision") == "bfloat16" else "float32"


def read(folder: Path) -> Manifest:
    """The manifest of a run folder; raises `Refused` when there is none, or it is damaged or of another format."""
    if not (folder / MANIFEST).exists():
        raise Refused(f"{folder} is not a run folder: it holds no {MANIFEST}; runs are listed by `phantastic ls`")
    manifest = files.read_json(folder / MANIFEST, Manifest, "the run")
    if manifest.format != FORMAT:
        raise Refused(f"{folder / MANIFEST}: format {manifest.format} is not known here (this is format {FORMAT})")
    return manifest


def measures(folder: Path) -> dict[str, Measure]:
    """What the run measured; empty before it is finished."""
    path = folder / "measures.json"
    return files.read_json(path, dict[str, Measure], "the run") if path.exists() else {}


def findings(folder: Path) -> list[Finding]:
    """The run's ledger; empty before it is finished."""
    path = folder / "claims.json"
    return files.read_json(path, list[Finding], "the run") if path.exists() else []


def listed(root: Path, study: str = "*") -> list[Path]:
    """The run folders under ``root``, of one study or of all."""
    return sorted(path.parent for path in root.glob(f"{study}/*/{MANIFEST}"))


def located(word: str, root: Path) -> Path | None:
    """The run folder that a user's word names: a path, or study/name under ``root``."""
    return next((path for path in (Path(word), root / word) if os.path.isfile(path / MANIFEST)), None)


def find(word: str, root: Path) -> Path:
    """As `located`; raises `Refused` with the nearest run when there is none."""
    folder = located(word, root)
    if folder is None and os.path.exists(word):
        raise Refused(f"{word} is not a run folder: it holds no {MANIFEST}; runs are listed by `phantastic ls`")
    if folder is None:
        names = [path.relative_to(root).as_posix() for path in listed(root)]
        hint = nearest(word, names) if names else f"; there are no runs under {root}"
        raise Refused(f"no run '{word}'{hint}")
    return folder


def newest(study: str, root: Path) -> Path | None:
    """The finished run of a study that was begun last; damaged ones are passed over."""
    found = []
    for folder in listed(root, study):
        with suppress(Refused):
            entry = read(folder)
            found += [(entry.started, folder)] if entry.finished else []
    return max(found)[1] if found else None
