"""The run folder: everything that came out of one recipe.

``runs/<study>/<name>/`` holds manifest.json, metrics.jsonl, stages.json, measures.json, claims.json, results/
(intermediate results that need not be computed twice), figures/, checkpoints/, LATEST and, once finished,
model.safetensors.
"""

import math
import re
import threading
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import filelock
import msgspec
import torch
from torch import nn

from phantastic import __version__
from phantastic.declare.measure import Measure
from phantastic.declare.recipe import Recipe, changed, validated
from phantastic.declare.study import Study, find
from phantastic.ground import files, parallel, precision
from phantastic.ground.errors import Refused, command
from phantastic.run import stages
from phantastic.run.checkpoint import Checkpoints, Latest, slug, unpack
from phantastic.run.lock import begin, locked
from phantastic.run.machine import described, git_revision, library_versions, resolve_device, threads_of
from phantastic.run.manifest import FORMAT, MANIFEST, MEASURES, Manifest, store, stored
from phantastic.run.manifest import read as read_manifest

if TYPE_CHECKING:
    from phantastic.show.figure import Figure

R = TypeVar("R", bound=Recipe)
T = TypeVar("T")
MODEL = "model.safetensors"


class Stop(threading.Event):
    """Set from anywhere: what is ``training`` is saved, and `Stopped` is raised."""

    training = False


class Run(Generic[R]):
    """An open run folder, owned by this process (a lock) unless opened for reading."""

    def __init__(self, folder: Path, study: Study, recipe: R, manifest: Manifest):
        self.folder, self.study, self.recipe, self.manifest = folder, study, recipe, manifest
        self.first_seed = recipe.seed  # also of a view `under` another seed: what all seeds share hangs on it
        self.checkpoints = Checkpoints(folder, manifest.recipe)
        # a run made on a GPU is read on any machine
        self.device = parallel.device(manifest.device if torch.cuda.is_available() else "cpu")
        self.checkpoint_seconds = 30.0
        # what is to be seen while the run goes on: a figure's name, and how to draw it
        self.show: Callable[[str, Callable[[], Figure]], None] = lambda name, draw: None
        self.lock: filelock.BaseFileLock | None = None
        self.clock = self.new_clock()
        self.stop = Stop()

    @classmethod
    def create(cls, study: Study, recipe: Recipe, preset: str, root: Path, name: str = "") -> "Run[Any]":
        """A new folder under ``root``/<study>/; raises `Refused` if a run of that name is there or it is no name."""
        if parallel.rank():
            return cls.open(Path(parallel.told("")))
        if name and not re.fullmatch(r"[\w-]([\w .,=+-]{0,78}[\w+-])?", name):
            raise Refused(f"--name {name[:80]!r} cannot name a folder; take up to 80 letters, digits, spaces, - and _")
        device = resolve_device(recipe.device)
        manifest = Manifest(
            format=FORMAT,
            study=study.name,
            preset=preset,
            recipe=msgspec.to_builtins(recipe),
            version=__version__,
            versions=library_versions(),
            machine=described(),
            device=device,
            threads=threads_of(recipe.threads),
            revision=git_revision(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            precision=precision.resolve(recipe.precision, device),
            changed=changed(recipe, study.presets.get(preset)),
        )
        folder, lock = begin(root / study.name, name or f"{preset}-seed{recipe.seed}", named=bool(name))
        try:
            files.write_json(folder / MANIFEST, manifest)
            run: Run[Any] = cls(folder, study, recipe, manifest)  # pyright: ignore[reportArgumentType]
        except BaseException:
            lock.release()
            raise
        run.lock = lock
        parallel.told(str(folder))
        return run

    @classmethod
    def open(cls, folder: Path, *, writing: bool = False) -> "Run[Any]":
        """An existing run; raises `Refused` naming what is missing, damaged or of another version."""
        manifest = read_manifest(folder)
        study = find(manifest.study)
        recipe = validated(study.recipe, manifest.recipe, str(folder / MANIFEST))
        if writing and not manifest.finished:
            resolve_device(manifest.device)
        run: Run[Any] = cls(folder, study, recipe, manifest)  # pyright: ignore[reportArgumentType]
        run.adopt_networks()
        if writing:
            with parallel.in_turn() as first:
                if first:
                    run.lock = locked(folder)
                try:  # damage is found now, before anything runs or is written
                    run.checkpoints = Checkpoints(folder, manifest.recipe)  # again: its owner may just have moved on
                    run.checkpoints.verify()
                    run.curve()
                    stages.read(folder)
                    run.clock = run.new_clock()
                except Refused:
                    run.release()
                    raise
                if first:
                    files.sweep(folder)
        return run

    @property
    def root(self) -> Path:
        """The folder of the runs, in which this one lies under its study."""
        return self.folder.parent.parent

    @property
    def seeds(self) -> range:
        """The seeds of all repetitions."""
        return range(self.first_seed, self.first_seed + self.recipe.seeds)

    def under(self, seed: int) -> "Run[R]":
        """The run as one of its seeds has it: those who ask for the first seed by ``recipe.seed`` get this one."""
        view = copy(self)
        view.recipe = msgspec.structs.replace(self.recipe, seed=seed)
        return view

    def new_clock(self) -> stages.Clock:
        """A clock that goes on from the folder's stages.json; it stands still once the run is finished."""
        table = stages.expected(self.study.folder, self.study.name, self.manifest.preset, self.seeds)
        return stages.Clock(self.folder, table, self.manifest.finished)

    def close(self) -> None:
        """Note the time spent, if the run is not finished, and release the folder."""
        if self.lock is not None:
            try:
                self.refuse_ghost()
                if not self.manifest.finished:
                    self.manifest.seconds = self.clock.total()
                    self.clock.save()
                files.write_json(self.folder / MANIFEST, self.manifest)
            finally:
                self.release()

    def refuse_ghost(self) -> None:
        """Raise `Refused` where the folder was moved or deleted meanwhile: it is not to be made anew."""
        if not parallel.rank() and not (self.folder / MANIFEST).exists():
            raise Refused(f"{self.folder} was moved or deleted while it was in use; what was to be saved there is lost")

    def release(self) -> None:
        """Let others own the folder."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    # --- the training curve

    def log(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Append one point of the training curve to metrics.jsonl."""
        point = msgspec.json.encode({"stage": stage, "step": step} | values)
        files.append(self.folder / "metrics.jsonl", point.decode())

    def curve(self, stage: str | None = None) -> list[dict[str, Any]]:
        """The points of metrics.jsonl (of one stage); a torn last line is left out."""
        path = self.folder / "metrics.jsonl"
        points = []
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True) if path.exists() else [], start=1):
            if line.endswith(b"\n"):
                try:
                    point = msgspec.json.decode(line, type=dict[str, Any])
                    if not isinstance(point.get("stage"), str) or not isinstance(point.get("step"), int):
                        raise msgspec.ValidationError("it names no stage and step")
                    points.append(point)
                except (msgspec.DecodeError, RecursionError) as error:
                    raise Refused(f"{path}, line {number} is damaged ({error}); nothing was changed") from None
        return [point for point in points if stage in (None, point["stage"])]

    def trim_log(self, stage: str, step: int) -> None:
        """Forget points that a killed process logged after its last checkpoint: they will be logged again."""
        points = self.curve()
        kept = [point for point in points if point["stage"] != stage or point["step"] <= step]
        if points or (self.folder / "metrics.jsonl").exists():
            lines = b"".join(msgspec.json.encode(point) + b"\n" for point in kept)
            files.write(self.folder / "metrics.jsonl", lines)

    # --- results

    def once(self, name: str, compute: Callable[[], Any], kind: type[T]) -> T:
        """The result of ``compute`` as a ``kind``, kept in results/ so that a resumed run does not compute it again.

        A run that is open for reading computes nothing: see `result`.
        """
        path = self.folder / name_of(name)
        with parallel.in_turn():
            if not path.exists() and self.lock is not None:
                with self.clock.stage(name + stages.MEASURES):
                    result = compute()
                    self.refuse_ghost()  # before the stage's end is noted in it
                store(self.folder, name_of(name), result, self.manifest.format)
        return self.result(name, kind)

    def result(self, name: str, kind: type[T]) -> T:
        """What `once` kept; raises `Refused` where it is missing, damaged or of another kind."""
        return stored(self.folder, name_of(name), kind, self.manifest.format)

    def record(self, measures: Mapping[str, Measure]) -> None:
        """Write measures.json; what is not a number was not measured, and claims on it are untested."""
        summary = {name: m for name, m in measures.items() if all(map(math.isfinite, (m.value, *m.each)))}
        store(self.folder, MEASURES, summary, self.manifest.format)

    def measures(self) -> dict[str, Measure]:
        """What `record` wrote."""
        return stored(self.folder, MEASURES, dict[str, Measure], self.manifest.format)

    def changed(self) -> list[str]:
        """In what the recipe is another than its preset, see `recipe.changed`."""
        if self.manifest.format == 1:
            return changed(self.recipe, self.study.presets.get(self.manifest.preset))
        return self.manifest.changed

    def adopt_networks(self) -> None:
        """The recipe names the folders in which its networks were found."""
        folders = {field: network.folder for field, network in self.manifest.networks.items()}
        self.recipe = msgspec.structs.replace(self.recipe, **folders)

    def artefact(self, name: str) -> Path:
        """A folder or file under the run for what it leaves beside its results; `export` copies it along."""
        if name not in self.manifest.artefacts:
            self.manifest.artefacts.append(name)
            if self.lock is None:  # open for reading, as when stimuli are applied
                with locked(self.folder, seconds=10):
                    files.write_json(self.folder / MANIFEST, self.manifest)
        return self.folder / name

    def destination(self, to: str | None, name: str) -> Path:
        """Where something is written: where ``--to`` says, else among the artefacts as ``name``. Raises `Refused` for
        another kind of file than that."""
        path = Path(to) if to else self.artefact(name)
        if path.suffix.lower() != Path(name).suffix:
            raise Refused(f"--to {path}: this is written as {Path(name).suffix}")
        return path

    def finish(self) -> None:
        """Merge the finished stages into model.safetensors and let ``LATEST`` point there; the checkpoints go, and the
        clock stops."""
        latest = self.checkpoints.latest
        parts = {entry.file for entry in latest.finished.values()} - {MODEL}
        if parts:
            merged = {
                f"{stage}/{key}": value for stage in latest.finished for key, value in self.weights(stage).items()
            }
            entry = self.checkpoints.write(MODEL, merged)
            self.checkpoints.move(Latest(latest.recipe, dict.fromkeys(latest.finished, entry)))
        for path in (self.folder / "checkpoints").glob("*.safetensors"):  # also what a killed process left behind
            path.unlink(missing_ok=True)
        self.manifest.seconds = self.clock.total()
        self.manifest.finished = self.clock.closed = True

    def weights(self, stage: str) -> dict[str, torch.Tensor]:
        """The final weights of a finished stage, ``module/parameter`` -> tensor."""
        finished = self.checkpoints.latest.finished
        if stage not in finished:
            raise Refused(
                f"{self.folder} has no finished stage '{stage}'; finish it with: {command('resume', self.folder)}"
            )
        tensors = self.checkpoints.read(finished[stage])
        if finished[stage].file != MODEL:
            return tensors
        return {key.removeprefix(f"{stage}/"): value for key, value in tensors.items() if key.startswith(f"{stage}/")}

    def load(self, stage: str, modules: Mapping[str, nn.Module]) -> None:
        """Put a finished stage's weights into ``modules``, in evaluation mode."""
        unpack(self.weights(stage), modules, self.folder)
        for module in modules.values():
            module.eval()


def name_of(result: str) -> str:
    """Where a result is kept."""
    return f"results/{slug(result)}.json"
