"""The study `song`: the published simulations under the noise of every seed, measured and drawn."""

from collections.abc import Mapping
from typing import final

from torch import nn

from phantastic.inference.circuit import message_passing
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.song import figures as pictures
from phantastic.systems.song import measure
from phantastic.systems.song.study import SongRecipe


@final
class Song(Experiment[SongRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[SongRecipe], recipe: SongRecipe, seed: int) -> Scores:
        """Every listener under the noise of the seed."""
        return run.once(f"seed{seed}", lambda: measure.every(recipe, seed), dict[str, float])

    def networks(self, run: Run[SongRecipe]) -> dict[str, nn.Module]:
        """The log-precisions of the normal listener, level by level; nothing is trained."""
        return {"precision": Precisions(measure.listener_model(run.recipe, "omission")).eval()}

    def lesion_measures(self, run: Run[SongRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """The response to the omission and what is heard in the silence, by a listener with these precisions."""
        recipe, precisions = run.recipe, networks["precision"]
        assert isinstance(precisions, Precisions)
        model = precisions.imposed(measure.listener_model(recipe, "omission"))
        return measure.evoked(recipe, measure.broken(recipe, model, recipe.seed))

    def figures(self, run: Run[SongRecipe]) -> dict[str, Figure]:
        """The message passing of the listener, recognition, priors, omission, and every noise."""
        recipe = run.recipe
        return {
            "message-passing": message_passing(measure.listener_model(recipe, "omission")),
            "recognition": pictures.recognition(recipe),
            "priors": pictures.priors(recipe),
            "omission": pictures.omission(recipe),
            "listeners": pictures.listeners(run.measures()),
        }

    def equations(self, run: Run[SongRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("birdsong", "songA"), ("hierarchical_song", "canonical"))
