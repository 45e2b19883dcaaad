"""Doing what is left of a run: no terminal and no signals, so that a verb, a page or a worker may be the caller."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from phantastic.declare.measure import Measure, across
from phantastic.declare.recipe import compose
from phantastic.declare.study import Study
from phantastic.ground.allocator import keep_freed_memory
from phantastic.ground.errors import Refused
from phantastic.run import manifest, shelf
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run


@contextmanager
def owned(run: Run[Any]) -> Iterator[Run[Any]]:
    """The run with its number of threads set, closed afterwards whatever happens."""
    torch.set_num_threads(run.manifest.threads)  # here and nowhere else: a resumed run gives the same bits
    keep_freed_memory()
    try:
        yield run
    except BaseException:
        with suppress(Refused):  # what went wrong first is what the user must read
            run.close()
        raise
    run.close()


def execute(run: Run[Any]) -> None:
    """Every seed of a run that is open for writing, then what all seeds give together; recorded in measures.json.

    ``run.clock.watch`` is told of its progress, ``run.show`` of its pictures. Raises `Stopped` where ``run.stop`` was
    set while something was trained, and `Refused`.
    """
    shelf.fetch(run, lambda study, preset: made(run, study, preset))
    experiment: Experiment[Any] = run.study.load()
    recipe = run.recipe
    seeds = [measured(experiment.one_seed(run, recipe, seed)) for seed in run.seeds]
    run.record(across(seeds) | measured(experiment.overall(run, recipe, seeds)))


def made(run: Run[Any], study: Study, preset: str) -> Path:
    """Run another study for a network that this run needs; where it was begun before, it goes on."""
    recipe = compose(study.recipe, study.presets, preset, {"seed": run.recipe.seed, "device": run.manifest.device})
    name = f"{preset}-seed{run.recipe.seed}-shelf"
    folder = run.root / study.name / name
    begun = (folder / manifest.MANIFEST).exists()
    other = Run.open(folder, writing=True) if begun else Run.create(study, recipe, preset, run.root, name)
    other.stop, other.clock.watch, other.checkpoint_seconds = run.stop, run.clock.watch, run.checkpoint_seconds
    try:
        if not other.manifest.finished:
            execute(other)
            other.finish()
    finally:
        other.close()
    return folder


def measured(scores: Scores) -> dict[str, Measure]:
    """Numbers as measures: of one seed a number has no interval."""

    def measure(score: Measure | float) -> Measure:
        return score if isinstance(score, Measure) else Measure(float(score), [float(score)])

    return {name: measure(score) for name, score in scores.items()}
