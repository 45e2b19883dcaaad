"""The study `force_matching`: pressing needs attenuation, and attenuation makes one's own force feel weak."""

from collections.abc import Mapping
from typing import final

from msgspec import Struct
from torch import nn

from phantastic.inference.precision import Precisions
from phantastic.inference.published import force, printed
from phantastic.inference.published.simulation import Simulation
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.psychiatry import apply, behaviour, force_matching_figures, measure
from phantastic.systems.psychiatry.measure import ATTENUATIONS, PRESSED, deviations, vector
from phantastic.systems.psychiatry.simulate import intending, press, pressed
from phantastic.systems.psychiatry.study import BehaviourFit, ForceRecipe

PUBLISHED = (6.0, 2.0)  # attenuation and delusion of the published runs


def weaker(recipe: ForceRecipe, delusion: float) -> tuple[float, float]:
    """Attenuation and compensation of a person who lost ``delusion`` of the former and gained as much of the latter."""
    return max(recipe.attenuation - delusion, 0.0), delusion


class Hands(Struct):
    """The numbers, and time courses by name."""

    found: dict[str, float]
    courses: dict[str, list]


def hands(recipe: ForceRecipe) -> Hands:
    """Forces over attenuation, matched forces of both people, forces that are not there; and time courses."""
    measures, _ = measure.attenuated(tuple(map(float, ATTENUATIONS)), 0.0)
    measures |= measure.matched(recipe.attenuation, 0.0, "normal")
    measures |= measure.matched(*weaker(recipe, recipe.delusion), "delusional")
    if (recipe.attenuation, recipe.delusion) == PUBLISHED:
        measures |= deviations(measures, PRESSED)
    measures["illusion.left"] = measures["delusional.illusion"] / measures["normal.illusion"]
    people = [(recipe.attenuation, 0.0), weaker(recipe, recipe.delusion), weaker(recipe, recipe.strong)]
    h, D = (vector(*column) for column in zip(*people, strict=True))
    presses = press(h, D, vector(1, 1, 1), force.kept_noise("force"))
    opposing, sure = measure.opposed(presses)
    for k, who in enumerate(("normal", "delusional", "strong")):
        measures |= {f"false.{who}.force": float(opposing[k]), f"false.{who}.sure": float(sure[k])}
    courses = {key: part.tolist() for key, part in presses._asdict().items()}
    alone = force.pressing(recipe.attenuation, 0.0)
    replay = force.replayed(alone, force.matched(alone.run())[..., None]).run()
    felt = float(replay.x[1][32:, 1].max())
    measures["replay.internal"], measures["replay.external"] = float(replay.x[1][:32, 0].max()), felt
    return Hands(measures, courses)


def pressing(recipe: ForceRecipe) -> Simulation:
    """Both people press with an intended force of 1."""
    people = zip((recipe.attenuation, 0.0), weaker(recipe, recipe.delusion), strict=True)
    h, D = (vector(*column) for column in people)
    return intending(h, D, vector(1, 1)).changed(noise=force.kept_noise("force"))


@final
class ForceMatching(Experiment[ForceRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[ForceRecipe], recipe: ForceRecipe, seed: int) -> Scores:
        """Everything is deterministic: the noise of the world is that of the published runs."""
        return run.once("hands", lambda: hands(recipe), Hands).found

    def networks(self, run: Run[ForceRecipe]) -> dict[str, nn.Module]:
        """The log-precisions of both people at once, normal and delusional; nothing is trained. That of the senses is
        what is added to their state-dependent one."""
        return {"precision": Precisions(pressing(run.recipe).model).eval()}

    def lesion_measures(self, run: Run[ForceRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """The own force at its peak, and by how much the one that feels equal is smaller, of both people with these
        precisions."""
        precisions, experiment = networks["precision"], pressing(run.recipe)
        assert isinstance(precisions, Precisions)
        own, equal = pressed(experiment.changed(model=precisions.imposed(experiment.model)).run()).peak()
        measures = {}
        for k, who in enumerate(("normal", "delusional")):
            measures |= {f"{who}.own": float(own[k]), f"{who}.illusion": float(own[k] - equal[k])}
        return measures

    def figures(self, run: Run[ForceRecipe]) -> dict[str, Figure]:
        """Force over attenuation, matching against equality, and what is felt while pressing."""
        recipe = run.recipe
        stored = run.result("hands", Hands)
        return {
            "attenuation": force_matching_figures.attenuation(stored.found),
            "matching": force_matching_figures.matching(stored.found, recipe),
            "courses": force_matching_figures.courses(stored.courses, recipe),
        }

    def equations(self, run: Run[ForceRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("attenuation", "self_hE+6"))

    def fit(self, request: BehaviourFit) -> list[str]:
        """--data FILE.csv or --template FILE.csv: attenuation and compensation from forces."""
        return apply.fit("force_matching", request, behaviour.forces, behaviour.forces_template)
