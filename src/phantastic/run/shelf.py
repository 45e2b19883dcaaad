"""Networks between studies: what a recipe calls a network is a run, one that is made for it, or a folder.

``bert/quick-seed0`` is a run; ``bert:quick`` one of that study at that preset, as it stands there, under the same seed,
and the first time made; anything else a folder in the Hugging Face layout. The shelf is the folder of the runs itself.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phantastic.declare.recipe import compose
from phantastic.declare.study import Study, register
from phantastic.ground import files
from phantastic.ground.errors import Refused, command
from phantastic.run import manifest

if TYPE_CHECKING:
    from phantastic.run.folder import Run

PRETRAINED = "pretrained"  # the artefact of a run that is a network in the Hugging Face layout


def network(word: str, root: Path, seed: int, make: Callable[[Study, str], Path]) -> Path:
    """The folder of a network that a recipe names; ``make`` runs a study at a preset and gives the run's folder.

    Raises `Refused` for a run that is not finished or leaves no network, and for an unknown study or preset.
    """
    name, separator, preset = word.partition(":")
    if separator and (study := register().get(name)):
        return trained(standing(study, preset, root, seed) or make(study, preset))
    run = manifest.located(word, root)
    return trained(run) if run else Path(word).expanduser()


def trained(run: Path) -> Path:
    """The network that a finished run left."""
    made = manifest.read(run)
    if not made.finished:
        raise Refused(f"the network of {run} is not finished; finish it with: {command('resume', run)}")
    if not (run / PRETRAINED).is_dir():
        raise Refused(f"{run} leaves no network; runs of 'bert' do, and folders in the Hugging Face layout are taken")
    return run / PRETRAINED


def standing(study: Study, preset: str, root: Path, seed: int) -> Path | None:
    """A finished run of the preset as it is today under that seed, the one begun last."""
    anywhere = {"device": "", "threads": 0}
    wanted = manifest.plain(compose(study.recipe, study.presets, preset, {"seed": seed})) | anywhere
    return manifest.newest(study.name, root, lambda made: made.recipe | anywhere == wanted)


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    hasher = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        hasher.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


def fetch(run: "Run[Any]", make: Callable[[Study, str], Path]) -> None:
    """Find the networks of a run's recipe and note them in its manifest, each with its hash; one that is there already
    must be what it was. Raises `Refused` as `network` does, and where a network is another than when the run began."""
    for field in manifest.network_fields(run.study.recipe):
        word = run.manifest.recipe[field]
        if not word:
            continue
        known = run.manifest.networks.get(field)
        folder = Path(known.folder) if known else network(word, run.root, run.recipe.seed, make)
        if not folder.is_dir():
            raise Refused(f"{field} = {word!r} does not exist; expected a run, STUDY:PRESET or a model's folder")
        now = digest(folder)
        if known and known.sha256 != now:
            raise Refused(f"{field}: {folder} is another network than when {run.folder} was begun; nothing was changed")
        run.manifest.networks[field] = manifest.Network(str(folder), now)
    run.adopt_networks()
    if run.manifest.networks:
        files.write_json(run.folder / manifest.MANIFEST, run.manifest)
