"""What a study is, and the register of them all.

A system's ``study.py`` only *declares* (recipe, presets, papers) and imports nothing heavy, so listing and refusing are
instant; the module named by ``experiment`` holds what is run. The register finds systems by their folder.
"""

import pkgutil
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from phantastic.declare import references
from phantastic.declare.claims import Claim, read_claims
from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe
from phantastic.declare.request import Request
from phantastic.ground.errors import Refused, nearest

if TYPE_CHECKING:
    from phantastic.run.experiment import Experiment


class Study(Struct, frozen=True):
    """A recipe type with presets, the papers it implements and the module that runs it.

    ``experiment`` names a module and its final `Experiment`, with a colon between. Where ``apply`` is given, that has
    the method ``apply``; where ``fit`` is given, ``fit``.
    """

    name: str
    title: Text
    lecture: Text
    papers: tuple[str, ...]
    """Keys of the bibliography."""
    recipe: type[Recipe]
    presets: dict[str, Recipe]
    minutes: dict[str, float]
    """Measured minutes on two cores, by preset; a preset that is absent has not been measured."""
    experiment: str
    measures: tuple[str, ...] = ()
    """What it measures, see `claims.names`."""
    apply: type[Request] | None = None
    """What ``phantastic apply`` takes."""
    fit: type[Request] | None = None
    """What ``phantastic fit`` takes."""
    bibliography: Path = references.FILE
    """The BibTeX file of its papers; a study from outside this package brings its own."""

    @property
    def folder(self) -> Path:
        """The system's folder in the package, where README.md and CLAIMS.toml stand."""
        module = self.experiment.partition(":")[0]
        return Path(str(import_module(module.rpartition(".")[0]).__file__)).parent

    def claims(self) -> list[Claim]:
        """The entries of the system's CLAIMS.toml whose id begins with the study's name and a dot."""
        return [claim for claim in read_claims(self.folder / "CLAIMS.toml") if claim.id.startswith(f"{self.name}.")]

    def cited(self) -> list[references.Paper]:
        """Its papers; raises `Refused` for a key that is not in the bibliography, and for a damaged one."""
        return [references.find(key, self.bibliography) for key in self.papers]

    def load(self) -> "Experiment[Any]":
        """Import the experiment, and PyTorch with it."""
        module, _, name = self.experiment.partition(":")
        return getattr(import_module(module), name)()


def systems() -> list[str]:
    """The systems that declare studies, in the order of their folders."""
    package = import_module("phantastic.systems")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [name for name in names if find_spec(f"phantastic.systems.{name}.study")]


def declared(system: str) -> dict[str, Study]:
    """The studies of one system; raises `Refused` naming a declaration that cannot be imported."""
    try:
        declaration = import_module(f"phantastic.systems.{system}.study")
        return {study.name: study for study in declaration.STUDIES}
    except Exception as error:
        raise Refused(f"the studies of systems/{system} cannot be read: {type(error).__name__}: {error}") from error


def register() -> dict[str, Study]:
    """All studies by name; a broken declaration takes no other study with it (see `faults`)."""
    studies: dict[str, Study] = {}
    for system in systems():
        with suppress(Refused):
            studies |= declared(system)
    return studies


def faults() -> list[str]:
    """What is wrong with the declarations that cannot be read."""
    messages = []
    for system in systems():
        try:
            declared(system)
        except Refused as fault:
            messages.append(str(fault))
    return messages


def find(name: str) -> Study:
    """The study of that name, no other system being asked where its own is called so; raises `Refused` with the
    nearest one."""
    if name in systems() and name in (own := declared(name)):
        return own[name]
    studies = register()
    if name not in studies:
        raise Refused("; ".join([f"unknown study '{name}'{nearest(name, studies)}", *faults()]))
    return studies[name]
