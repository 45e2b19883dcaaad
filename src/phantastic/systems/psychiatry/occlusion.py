"""The study `occlusion`: a target that is hidden, that turns unexpectedly, whose frequency is unknown."""

from collections.abc import Mapping
from functools import partial
from typing import final

from msgspec import Struct
from torch import nn

from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.inference.published.simulation import Simulation
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.psychiatry import apply, behaviour, measure, occlusion_figures
from phantastic.systems.psychiatry.measure import FOLLOWED, deviations, vector
from phantastic.systems.psychiatry.simulate import watched, watching
from phantastic.systems.psychiatry.study import OcclusionFit, OcclusionRecipe

Doses = dict[str, list[float]]
PUBLISHED = (4.0, 0.0, 4.0)  # the log-precisions of the published runs


class People(Struct):
    """The numbers of both people in three tasks, and their traces by task."""

    found: dict[str, float]
    traces: dict[str, dict[str, list]]


def people(recipe: OcclusionRecipe) -> People:
    settings = (recipe.control, recipe.reduced, recipe.senses)
    measures, runs = measure.followed(*settings)
    if settings == PUBLISHED:
        measures |= deviations(measures, FOLLOWED)
    traces = {name: {key: part.tolist() for key, part in pursuit._asdict().items()} for name, pursuit in runs.items()}
    return People(measures, traces)


def doses(recipe: OcclusionRecipe) -> Doses:
    return measure.by_dose(recipe.control, recipe.reduced, recipe.senses, recipe.doses)


def behind(recipe: OcclusionRecipe) -> Simulation:
    """Both people follow a target that goes behind the occluder."""
    both = vector(recipe.senses, recipe.senses)
    return watching("fig1_occluded_highprec", vector(recipe.control, recipe.reduced), both)


@final
class Occlusion(Experiment[OcclusionRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[OcclusionRecipe], recipe: OcclusionRecipe, seed: int) -> Scores:
        """Both people in the three tasks, and those between them in two; nothing is random."""
        measures = run.once("people", lambda: people(recipe), People).found
        run.once("doses", lambda: doses(recipe), Doses)
        return measures

    def networks(self, run: Run[OcclusionRecipe]) -> dict[str, nn.Module]:
        """The log-precisions of both people at once, control and reduced; nothing is trained."""
        return {"precision": Precisions(behind(run.recipe).model).eval()}

    def lesion_measures(self, run: Run[OcclusionRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Distance of eye and target, of both people with these precisions."""
        precisions, experiment = networks["precision"], behind(run.recipe)
        assert isinstance(precisions, Precisions)
        pursuit = watched(experiment.changed(model=precisions.imposed(experiment.model)).run())
        return dict(zip(("control", "reduced"), measure.rms(pursuit).tolist(), strict=True))

    def figures(self, run: Run[OcclusionRecipe]) -> dict[str, Figure]:
        """Eye and target behind the occluder, at the unexpected turn; the learned frequency; distance by precision."""
        recipe, stored, steps = run.recipe, run.result("people", People), run.result("doses", Doses)
        traces, measures = stored.traces, stored.found
        return {
            "occlusion": occlusion_figures.occluded(traces["occluded"], measures, recipe),
            "reversal": occlusion_figures.turned(traces["reversal"], measures, recipe),
            "frequency": occlusion_figures.learned(traces["frequency"], recipe),
            "precision": occlusion_figures.doses(steps),
        }

    def equations(self, run: Run[OcclusionRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("occlusion", "fig1_occluded_highprec"))

    def fit(self, request: OcclusionFit) -> list[str]:
        """--data FILE.csv [--period P] [--amplitude A], or --template FILE.csv: precisions from eye traces."""
        read = partial(behaviour.eyes, period=request.period, amplitude=request.amplitude)
        return apply.fit("occlusion", request, read, behaviour.eyes_template)
