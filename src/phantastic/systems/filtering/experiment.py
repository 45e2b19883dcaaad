"""The study `filtering`: the published simulations under the noise of every seed, measured and drawn."""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from phantastic.inference.circuit import message_passing
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.filtering import figures as pictures
from phantastic.systems.filtering import learning_figures, measure
from phantastic.systems.filtering.measure import Found
from phantastic.systems.filtering.study import FilteringRecipe


def recipe_of(run: Run) -> FilteringRecipe:
    assert isinstance(run.recipe, FilteringRecipe)
    return run.recipe


def tried(recipe: FilteringRecipe, seed: int) -> Found:
    """Everything under the noise of one seed."""
    made = measure.linear(recipe, seed)
    return measure.seen(recipe, made) | measure.triples(recipe, made) | measure.nonlinear(recipe, seed)


def run(run: Run) -> None:
    """One perception of everything for each seed."""
    recipe = recipe_of(run)
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    found = [run.once(f"seed{seed}", lambda seed=seed: tried(recipe, seed)) for seed in seeds]
    run.record({name: [each[name] for each in found] for name in found[0]})


def models(run: Run) -> dict[str, nn.Module]:
    """The log-precisions of the linear system's model; nothing is trained."""
    recipe = recipe_of(run)
    return {"precision": Precisions(measure.linear(recipe, recipe.seed).experiment.model).eval()}


def lesion_measures(run: Run, models: Mapping[str, nn.Module]) -> dict[str, float]:
    """Squared error of the cause and the states that these precisions infer under the first seed's noise."""
    recipe, precisions = recipe_of(run), models["precision"]
    assert isinstance(precisions, Precisions)
    made = measure.linear(recipe, recipe.seed)
    damaged = made.experiment.changed(model=precisions.imposed(made.experiment.model))
    found = measure.seen(recipe, replace(made, experiment=damaged))
    return {name: found[name] for name in ("cause.error", "states.error")}


def figures(run: Run) -> dict[str, Figure]:
    """The message passing of the model, deconvolution, embedding, learning, Lorenz's orbit, the double well."""
    recipe = recipe_of(run)
    made = measure.linear(recipe, recipe.seed)
    return {
        "message-passing": message_passing(made.experiment.model),
        "deconvolution": pictures.deconvolution(made),
        "embedding": pictures.embedding(recipe),
        "learning": learning_figures.learning(recipe, made, run.measures()),
        "lorenz": pictures.lorenz(recipe.seed),
        "double-well": pictures.double_well(recipe),
    }


def equations(run: Run) -> dict[str, list[str]]:
    """The equations of the published models, for the report."""
    learned, chaotic, hidden = ("triple", "states_params_precisions"), "lorenz", "double_well"
    return printed(learned, (chaotic, "state_estimation"), (hidden, "state_estimation"))
