"""Run folders seen from outside: which there are, what made them, what came out.

Everything here is read without PyTorch, so that listing and comparing runs is instant.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from phantastic.declare.measure import Measure
from phantastic.declare.parameter import parameters
from phantastic.declare.recipe import Recipe
from phantastic.declare.verdicts import Finding
from phantastic.ground import files
from phantastic.ground.errors import Refused, command, nearest

FORMAT = 2  # 1: results and measures without checksums
MANIFEST, MEASURES, CLAIMS = "manifest.json", "measures.json", "claims.json"
T = TypeVar("T")


class Network(Struct, frozen=True):
    """A trained network that a run took: the folder in which it lay, and its hash (see `shelf`)."""

    folder: str
    sha256: str


class Manifest(Struct):
    """What made a run: enough to repeat it."""

    format: int
    study: str
    preset: str
    recipe: dict[str, Any]
    version: str
    versions: dict[str, str]
    machine: str
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Meta(ge=1, le=1024)]
    revision: str
    started: str
    seconds: float = 0.0
    finished: bool = False
    precision: Literal["", "float32", "bfloat16"] = ""
    changed: list[str] = field(default_factory=list)
    """Keys in which the recipe differs from its preset, those that move no claim (`recipe.NEUTRAL`) left out."""
    artefacts: list[str] = field(default_factory=list)
    """What the run leaves beside its results: names under its folder."""
    networks: dict[str, Network] = field(default_factory=dict)
    """By the recipe's key."""

    def __post_init__(self) -> None:
        if not self.precision:  # made before there was "auto": the recipe says what ran
            self.precision = "bfloat16" if self.recipe.get("precision") == "bfloat16" else "float32"


def read(folder: Path) -> Manifest:
    """The manifest of a run folder; raises `Refused` when there is none, or it is damaged or of another format."""
    if not (folder / MANIFEST).exists():
        raise Refused(f"{folder} is not a run folder: it holds no {MANIFEST}; runs are listed by `phantastic ls`")
    manifest = files.read_json(folder / MANIFEST, Manifest, "the run")
    outside = [name for name in manifest.artefacts if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise Refused(f"{folder / MANIFEST} is damaged: {outside[0]} is outside the run; nothing was changed")
    if not 1 <= manifest.format <= FORMAT:
        raise Refused(f"{folder / MANIFEST}: format {manifest.format} is not known here (this is format {FORMAT})")
    return manifest


def finished(folder: Path) -> Manifest:
    """As `read`; raises `Refused` also for a run that is not finished."""
    manifest = read(folder)
    if not manifest.finished:
        raise Refused(f"{folder} is not finished; finish it with: {command('resume', folder)}")
    return manifest


def stored(folder: Path, name: str, kind: type[T], format: int) -> T:
    """A file of results of a run; raises `Refused` where it is absent, damaged, altered or of another kind."""
    read = files.read_json if format == 1 else files.read_sealed
    return read(folder / name, kind, "the run")


def store(folder: Path, name: str, value: Any, format: int) -> None:
    """Write such a file; a run goes on in the format that it was begun in."""
    write = files.write_json if format == 1 else files.write_sealed
    write(folder / name, value)


def measures(folder: Path) -> dict[str, Measure]:
    """What the run measured; empty before it is finished."""
    return stored(folder, MEASURES, dict[str, Measure], read(folder).format) if (folder / MEASURES).exists() else {}


def findings(folder: Path) -> list[Finding]:
    """The run's ledger; empty before it is finished."""
    return stored(folder, CLAIMS, list[Finding], read(folder).format) if (folder / CLAIMS).exists() else []


def plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as a manifest holds it."""
    return msgspec.json.decode(msgspec.json.encode(recipe))


def network_fields(recipe: type[Recipe]) -> list[str]:
    """The keys that name a trained network."""
    return [parameter.name for parameter in parameters(recipe) if parameter.network]


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


def newest(study: str, root: Path, wanted: Callable[[Manifest], bool] = lambda made: True) -> Path | None:
    """The finished run of a study, such as is wanted, that was begun last; damaged ones are passed over."""
    candidates = []
    for folder in listed(root, study):
        with suppress(Refused):
            entry = read(folder)
            candidates += [(entry.started, folder)] if entry.finished and wanted(entry) else []
    return max(candidates)[1] if candidates else None


def elsewhere(root: Path) -> tuple[str, ...]:
    """What a command about runs under ``root`` must say; nothing where that is the default."""
    return () if root == Path("runs") else ("--root", str(root))
