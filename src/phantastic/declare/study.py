"""What a study is, and the register of them all.

A system's ``study.py`` only *declares* (recipe, presets, papers) and imports nothing heavy, so listing and refusing are
instant; the module named by ``experiment`` holds what is run. The register finds systems by their folder.
"""

import pkgutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from phantastic.declare import references
from phantastic.declare.claims import Claim, read_claims
from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe
from phantastic.ground.errors import Refused, nearest

if TYPE_CHECKING:
    from phantastic.run.experiment import Experiment


class Study(Struct, frozen=True):
    """A recipe type with presets, the papers it implements and the module that runs it.

    ``experiment`` names a module and its final `Experiment`, with a colon between. Where ``applications`` is not empty,
    that has ``apply``; where ``fits`` is not empty, ``fit``.
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
    applications: dict[str, Text] = field(default_factory=dict)
    """What ``phantastic apply`` takes: option name -> help."""
    fits: dict[str, Text] = field(default_factory=dict)
    """What ``phantastic fit`` takes: option name -> help."""
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


def register() -> dict[str, Study]:
    """All studies by name, in the order of the systems' folders."""
    from phantastic import systems

    found: dict[str, Study] = {}
    for module in pkgutil.iter_modules(systems.__path__):
        name = f"phantastic.systems.{module.name}.study"
        if find_spec(name) is None:  # a library that other systems' studies call
            continue
        declaration = import_module(name)
        found |= {study.name: study for study in declaration.STUDIES}
    return found


def find(name: str) -> Study:
    """The study of that name; raises `Refused` with the nearest one."""
    studies = register()
    if name not in studies:
        raise Refused(f"unknown study '{name}'{nearest(name, studies)}")
    return studies[name]
