"""Checkpoints: safetensors files and one JSON pointer, ``LATEST``, which moves last.

``LATEST`` names the weights of every finished stage and the one checkpoint of the stage in progress, each with its
SHA-256, so a torn or altered file is found before it is used. Nothing is ever unpickled.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from msgspec import Struct, field
from torch import Tensor, nn
from torch.optim import Optimizer

from phantastic.ground import files, parallel
from phantastic.ground.errors import Refused


class Entry(Struct, frozen=True):
    """A file under the run folder and its SHA-256."""

    file: str
    sha256: str


class Latest(Struct):
    """The content of ``LATEST``."""

    recipe: dict[str, Any]
    finished: dict[str, Entry] = field(default_factory=dict)
    stage: str = ""
    step: int = 0
    progress: Entry | None = None


def pack(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """``module/parameter`` -> a contiguous copy on the CPU."""
    return {
        f"{name}/{key}": value.detach().cpu().contiguous().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def unpack(tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module], source: Path) -> None:
    """Copy packed weights into modules; raises `Refused` when names or shapes do not fit."""
    for name, module in modules.items():
        state = {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise Refused(f"{source} does not fit the module '{name}' of this recipe: {error}") from None


def pack_optimisers(optimisers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    """``optimiser/name/parameter index/buffer`` -> tensor."""
    return {
        f"optimiser/{name}/{index}/{key}": value.detach().cpu().contiguous().clone()
        for name, optimiser in optimisers.items()
        for index, state in optimiser.state_dict()["state"].items()
        for key, value in state.items()
    }


def unpack_optimisers(tensors: Mapping[str, Tensor], optimisers: Mapping[str, Optimizer]) -> None:
    """Put the buffers back, in their parameters' memory layout: fused kernels walk both in step."""
    for name, optimiser in optimisers.items():
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        for index, parameter in enumerate(parameters):
            prefix = f"optimiser/{name}/{index}/"
            for key in [key for key in tensors if key.startswith(prefix)]:
                value = tensors[key]
                if value.shape == parameter.shape:
                    value = torch.empty_like(parameter, requires_grad=False).copy_(value)
                optimiser.state[parameter][key.removeprefix(prefix)] = value


class Checkpoints:
    """The checkpoints of one run folder."""

    def __init__(self, folder: Path, recipe: dict[str, Any]):
        self.folder = folder
        self.pointer = folder / "LATEST"
        self.latest = Latest(recipe)
        if self.pointer.exists():
            self.latest = files.read_json(self.pointer, Latest, "the run")
            recorded = self.latest.recipe
            differing = sorted(key for key in recipe | recorded if recipe.get(key) != recorded.get(key))
            if differing:
                raise Refused(
                    f"{self.pointer} belongs to another recipe than manifest.json: they differ in "
                    f"{', '.join(differing)}; nothing was changed"
                )
            for entry in self.entries():
                if Path(entry.file).is_absolute() or ".." in Path(entry.file).parts:
                    raise Refused(f"{self.pointer} is damaged: {entry.file} is outside the run; nothing was changed")

    def entries(self) -> list[Entry]:
        """Every file that ``LATEST`` names."""
        progress = [self.latest.progress] if self.latest.progress else []
        return list(dict.fromkeys([*self.latest.finished.values(), *progress]))

    def verify(self) -> None:
        """Read every file that ``LATEST`` names; raises `Refused` naming a missing or damaged one."""
        for entry in self.entries():
            self.read(entry)

    def save(self, stage: str, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Checkpoint the stage in progress after ``step`` steps."""
        before = self.latest.progress
        entry = self.write(f"checkpoints/{slug(stage)}-{step:08d}.safetensors", tensors)
        self.move(Latest(self.latest.recipe, self.latest.finished, stage, step, entry))
        if before and before.file != entry.file:
            (self.folder / before.file).unlink(missing_ok=True)

    def finish(self, stage: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep the final weights of a stage; its checkpoint in progress goes."""
        with parallel.in_turn() as first:
            if not first:
                self.latest = files.read_json(self.pointer, Latest, "the run")
                return
            before = self.latest.progress
            entry = self.write(f"checkpoints/{slug(stage)}.safetensors", tensors)
            self.move(Latest(self.latest.recipe, self.latest.finished | {stage: entry}))
            if before:
                (self.folder / before.file).unlink(missing_ok=True)

    def write(self, name: str, tensors: Mapping[str, Tensor]) -> Entry:
        data = safetensors.torch.save(dict(tensors))
        files.write(self.folder / name, data)
        return Entry(name, sha256(data).hexdigest())

    def move(self, latest: Latest) -> None:
        files.write_json(self.pointer, latest)
        self.latest = latest

    def read(self, entry: Entry) -> dict[str, Tensor]:
        """The tensors of an entry; raises `Refused` naming a missing or damaged file."""
        path = self.folder / entry.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refused(f"checkpoint {path} cannot be read: {error.strerror}; nothing was changed") from None
        if sha256(data).hexdigest() != entry.sha256:
            raise Refused(
                f"checkpoint {path} is damaged (its SHA-256 is not the one in LATEST); nothing was changed. "
                "Restore the file from a copy, or start a new run"
            )
        try:
            return safetensors.torch.load(data)
        except safetensors.SafetensorError as error:
            raise Refused(f"checkpoint {path} is not a safetensors file: {error}") from None


def slug(stage: str) -> str:
    """A stage name as a file name."""
    return stage.replace("/", ".")
