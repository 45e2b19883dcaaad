"""The study `occlusion`: a target that is hidden, that turns unexpectedly, whose frequency is unknown."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.inference.published.experiment import Experiment
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.psychiatry import apply, behaviour, eye_figures, measure
from phantastic.systems.psychiatry.measure import FOLLOWED, deviations, vector
from phantastic.systems.psychiatry.simulate import watched, watching
from phantastic.systems.psychiatry.study import OcclusionRecipe

PUBLISHED = (4.0, 0.0, 4.0)  # the log-precisions of the published runs


def recipe_of(run: Run) -> OcclusionRecipe:
    assert isinstance(run.recipe, OcclusionRecipe)
    return run.recipe


def people(recipe: OcclusionRecipe) -> dict[str, Any]:
    """The numbers of both people in three tasks, and their traces."""
    settings = (recipe.control, recipe.reduced, recipe.senses)
    found, runs = measure.followed(*settings)
    if settings == PUBLISHED:
        found |= deviations(found, FOLLOWED)
    traces = {name: {key: part.tolist() for key, part in each._asdict().items()} for name, each in runs.items()}
    return {"found": found, "traces": traces}


def doses(recipe: OcclusionRecipe) -> dict[str, list[float]]:
    return measure.by_dose(recipe.control, recipe.reduced, recipe.senses, recipe.doses)


def run(run: Run) -> None:
    """Both people in the three tasks, and those between them in two; nothing is random."""
    recipe = recipe_of(run)
    found = run.once("people", lambda: people(recipe))["found"]
    run.once("doses", lambda: doses(recipe))
    run.record({name: [value] for name, value in found.items()})


def models(run: Run) -> dict[str, nn.Module]:
    """The log-precisions of both people at once, control and reduced; nothing is trained."""
    return {"precision": Precisions(behind(recipe_of(run)).model).eval()}


def behind(recipe: OcclusionRecipe) -> Experiment:
    """Both people follow a target that goes behind the occluder."""
    both = vector(recipe.senses, recipe.senses)
    return watching("fig1_occluded_highprec", vector(recipe.control, recipe.reduced), both)


def lesion_measures(run: Run, models: Mapping[str, nn.Module]) -> dict[str, float]:
    """Distance of eye and target, of both people with these precisions."""
    precisions, experiment = models["precision"], behind(recipe_of(run))
    assert isinstance(precisions, Precisions)
    pursuit = watched(experiment.changed(model=precisions.imposed(experiment.model)).run())
    return dict(zip(("control", "reduced"), measure.rms(pursuit).tolist(), strict=True))


def figures(run: Run) -> dict[str, Figure]:
    """Eye and target behind the occluder, at the unexpected turn; the learned frequency; distance by precision."""
    recipe = recipe_of(run)
    stored, steps = run.once("people", lambda: people(recipe)), run.once("doses", lambda: doses(recipe))
    traces, found = stored["traces"], stored["found"]
    return {
        "occlusion": eye_figures.occluded(traces["occluded"], found, recipe),
        "reversal": eye_figures.turned(traces["reversal"], found, recipe),
        "frequency": eye_figures.learned(traces["frequency"], recipe),
        "precision": eye_figures.doses(steps),
    }


def fit(request: Mapping[str, str]) -> list[str]:
    """--data FILE.csv [--period P] [--amplitude A], or --template FILE.csv: precisions from eye traces."""
    period = apply.positive(request, "period", behaviour.CYCLE)
    amplitude = apply.positive(request, "amplitude", behaviour.REACH)
    return apply.fit(
        "occlusion", request, lambda: behaviour.eyes(request["data"], period, amplitude), behaviour.eyes_template
    )


def equations(run: Run) -> dict[str, list[str]]:
    """The equations of the published models, for the report."""
    return printed(("occlusion", "fig1_occluded_highprec"))
