"""The study `filtering`: the published simulations under the noise of every seed, measured and drawn."""

from collections.abc import Mapping
from dataclasses import replace
from typing import final

from torch import nn

from phantastic.inference.circuit import message_passing
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.filtering import figures as pictures
from phantastic.systems.filtering import joint, joint_figures, learning_figures, measure
from phantastic.systems.filtering.measure import Found
from phantastic.systems.filtering.study import FilteringRecipe


def tried(recipe: FilteringRecipe, seed: int) -> Found:
    """Everything under the noise of one seed."""
    system = measure.linear(recipe, seed)
    known = measure.seen(recipe, system) | measure.covered(recipe, seed)
    known |= measure.triples(recipe, system) | measure.nonlinear(recipe, seed)
    return known | joint.compared(recipe, seed)


@final
class Filtering(Experiment[FilteringRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[FilteringRecipe], recipe: FilteringRecipe, seed: int) -> Scores:
        """One perception of everything."""
        return run.once(f"seed{seed}", lambda: tried(recipe, seed), dict[str, float])

    def networks(self, run: Run[FilteringRecipe]) -> dict[str, nn.Module]:
        """The log-precisions of the linear system's model; nothing is trained."""
        recipe = run.recipe
        return {"precision": Precisions(measure.linear(recipe, recipe.seed).experiment.model).eval()}

    def lesion_measures(self, run: Run[FilteringRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """Squared error of the cause and the states that these precisions infer under the first seed's noise."""
        recipe, precisions = run.recipe, networks["precision"]
        assert isinstance(precisions, Precisions)
        system = measure.linear(recipe, recipe.seed)
        damaged = system.experiment.changed(model=precisions.imposed(system.experiment.model))
        measures = measure.seen(recipe, replace(system, experiment=damaged))
        return {name: measures[name] for name in ("cause.error", "states.error")}

    def figures(self, run: Run[FilteringRecipe]) -> dict[str, Figure]:
        """Message passing, deconvolution, embedding, learning in steps and in a flow, two nonlinear systems."""
        recipe = run.recipe
        system = measure.linear(recipe, recipe.seed)
        return {
            "message-passing": message_passing(system.experiment.model),
            "deconvolution": pictures.deconvolution(system),
            "coverage": pictures.coverage(measure.drawn(recipe, recipe.seed)),
            "embedding": pictures.embedding(recipe),
            "learning": learning_figures.learning(recipe, system, run.measures()),
            "traces": joint_figures.traces(recipe),
            "lorenz": pictures.lorenz(recipe.seed),
            "double-well": pictures.double_well(recipe),
        }

    def equations(self, run: Run[FilteringRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        learned, chaotic, hidden = ("triple", "states_params_precisions"), "lorenz", "double_well"
        return printed(learned, (chaotic, "state_estimation"), (hidden, "state_estimation"))
