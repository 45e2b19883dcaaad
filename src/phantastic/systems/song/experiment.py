"""The study `song`: the published simulations under the noise of every seed, measured and drawn."""

from collections.abc import Mapping

from torch import nn

from phantastic.inference.circuit import message_passing
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.song import figures as pictures
from phantastic.systems.song import measure
from phantastic.systems.song.study import SongRecipe


def recipe_of(run: Run) -> SongRecipe:
    assert isinstance(run.recipe, SongRecipe)
    return run.recipe


def run(run: Run) -> None:
    """Every listener under the noise of each seed."""
    recipe = recipe_of(run)
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    found = [run.once(f"seed{seed}", lambda seed=seed: measure.every(recipe, seed)) for seed in seeds]
    run.record({name: [each[name] for each in found] for name in found[0]})


def models(run: Run) -> dict[str, nn.Module]:
    """The log-precisions of the normal listener, level by level; nothing is trained."""
    return {"precision": Precisions(measure.listener_model(recipe_of(run), "omission")).eval()}


def lesion_measures(run: Run, models: Mapping[str, nn.Module]) -> dict[str, float]:
    """The response to the omission and what is heard in the silence, by a listener with these precisions."""
    recipe, precisions = recipe_of(run), models["precision"]
    assert isinstance(precisions, Precisions)
    model = precisions.imposed(measure.listener_model(recipe, "omission"))
    return measure.evoked(recipe, measure.broken(recipe, model, recipe.seed))


def figures(run: Run) -> dict[str, Figure]:
    """The message passing of the listener, recognition, priors, omission, and every noise."""
    recipe = recipe_of(run)
    return {
        "message-passing": message_passing(measure.listener_model(recipe, "omission")),
        "recognition": pictures.recognition(recipe),
        "priors": pictures.priors(recipe),
        "omission": pictures.omission(recipe),
        "listeners": pictures.listeners(run.measures()),
    }


def equations(run: Run) -> dict[str, list[str]]:
    """The equations of the published models, for the report."""
    return printed(("birdsong", "songA"), ("hierarchical_song", "canonical"))
