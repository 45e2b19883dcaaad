"""A tiny run that is stopped at a stage and then goes on."""

from pathlib import Path

import pytest

from phantastic.declare.measure import Measure
from phantastic.declare.recipe import compose
from phantastic.declare.study import Study
from phantastic.ground.errors import Stopped
from phantastic.run.execute import execute
from phantastic.run.folder import Run


def halted(study: Study, folder: Path, stage: str) -> tuple[list[str], dict[str, Measure]]:
    """Stop where ``stage`` ends the name of what is trained, go on; what was trained afterwards, and the measures."""
    recipe = compose(study.recipe, study.presets, "tiny", {"device": "cpu"})
    run = Run.create(study, recipe, "tiny", folder)

    def stop(event: str) -> None:
        if run.clock.name.endswith(stage):
            raise Stopped

    run.clock.watch = stop
    with pytest.raises(Stopped):
        execute(run)
    stages: list[str] = []
    run.clock.watch = lambda event: stages.append(run.clock.name) if run.clock.steps else None
    execute(run)
    run.close()
    return stages, run.measures()
