"""The study `pursuit`: a target on a circle turns back when the eye expects it to, or later."""

import math
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from phantastic.data.gaze import following
from phantastic.declare.recipe import changed
from phantastic.ground.errors import Refused
from phantastic.inference import Result
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed, setup
from phantastic.inference.published.simulation import Simulation
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.movement import pursuit_figures as pictures
from phantastic.systems.movement import target
from phantastic.systems.movement.study import PursuitApply, PursuitRecipe

Traces = dict[str, list]
Rows = list[dict[str, Any]]
SETTLED = 16  # bins after which the eye has caught up with the target
FURTHEST = 12  # bins within which the lag is sought; the target takes about 52 to go round
DIALS = {"senses": (0.0, 8.0), "motion": (4.0, 12.0), "prior": (-4.0, 8.0)}


def experiment(recipe: PursuitRecipe, delay: int, **changed: float) -> Simulation:
    """The eye expects the target to turn back half-way; it does so ``delay`` bins later.

    changed: log-precisions other than the recipe's.
    """
    half = recipe.bins // 2
    if half + recipe.delay > recipe.bins - 16:
        raise Refused(
            f"delay = {recipe.delay}: of {recipe.bins} bins fewer than 16 are left after the late reversal; "
            f"allowed here: 1 to {recipe.bins - 16 - half}, or more bins"
        )
    logs: dict[str, float] = {name: getattr(recipe, name) for name in DIALS} | changed
    base = setup("pursuit", "expected_reversal")
    model = base.model.with_level(1, V=math.exp(logs["senses"]), W=math.exp(logs["motion"]))
    bins = torch.arange(recipe.bins)[:, None]
    expected, true = (torch.where(bins < at, 1.0, -1.0).double() for at in (half, half + delay))
    return base.changed(model=model.with_level(2, V=math.exp(logs["prior"])), prior_u=expected, causes=true)


def angles(result: Result) -> tuple[Tensor, Tensor]:
    """Where the eye points and where the target is, as angles [bins, 2]."""
    assert result.process is not None
    states = result.process.x[1]
    return states[:, :2], torch.atan(states[:, 2:4])


def traces(result: Result) -> Traces:
    """What the figures show."""
    eye, aim = angles(result)
    signals = {"eye": eye, "target": aim, "error": result.z[1], "action": result.a[2], "cause": result.v[2][:, 0]}
    return {name: signal.tolist() for name, signal in signals.items()}


def measured(signals: Mapping[str, list], recipe: PursuitRecipe, delay: int) -> dict[str, float]:
    """Peaks from the expected reversal on (their bins count from 1), and gain and lag before and after it."""
    values = {name: torch.tensor(value, dtype=torch.float64) for name, value in signals.items()}
    half = recipe.bins // 2
    distance = (values["eye"] - values["target"]).norm(dim=-1)
    courses = {
        "error": values["error"].abs().amax(-1),
        "distance": distance,
        "action": values["action"].abs().amax(-1),
    }
    measures = {}
    for name, course in courses.items():
        measures[name] = float(course[half:].max())
        measures[f"{name}.bin"] = int(course[half:].argmax()) + half + 1
    for name, part in (("", slice(SETTLED, half)), (".turned", slice(half + delay, None))):
        tracking = following(
            values["eye"][part], values["target"][part], min(FURTHEST, (recipe.bins - half - delay) // 2)
        )
        measures |= {f"gain{name}": float(tracking.gain), f"lag{name}": float(tracking.lag)}
    return measures


def both(run: Run[PursuitRecipe]) -> dict[str, Traces]:
    """The traces at the expected and at the unexpected reversal, simulated once."""
    recipe = run.recipe
    delays = {"expected": 0, "unexpected": recipe.delay}
    return {
        name: run.once(name, lambda delay=delay: traces(experiment(recipe, delay).run()), Traces)
        for name, delay in delays.items()
    }


def dialled(recipe: PursuitRecipe) -> Rows:
    """Peak errors, gain and lag by each log-precision, the others as in the recipe. What diverges is left out."""
    rows = []
    for dial, (low, high) in DIALS.items():
        for value in torch.linspace(low, high, recipe.points).tolist():
            for name, delay in (("expected", 0), ("unexpected", recipe.delay)):
                try:
                    result = experiment(recipe, delay, **{dial: value}).run()
                except Refused:
                    continue
                measures = measured(traces(result), recipe, delay)
                rows.append({"dial": dial, "value": value, "which": name} | measures)
    return rows


def recipe_is_published(recipe: PursuitRecipe) -> bool:
    """Are these the settings of the published simulation?"""
    return not set(changed(recipe, PursuitRecipe())) - {"points"}


@final
class Pursuit(Experiment[PursuitRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[PursuitRecipe], recipe: PursuitRecipe, seed: int) -> Scores:
        """Both reversals, and the dials."""
        reversals = both(run)
        if recipe.points:
            run.once("dials", lambda: dialled(recipe), Rows)
        measures = {}
        for name, delay in (("expected", 0), ("unexpected", recipe.delay)):
            measures |= {f"{name}.{key}": value for key, value in measured(reversals[name], recipe, delay).items()}
        if recipe_is_published(recipe):
            for name, error, bin in (("expected", 0.21, 65), ("unexpected", 0.59, 77)):
                measures[f"{name}.error.deviation"] = measures[f"{name}.error"] / error - 1
                measures[f"{name}.bin.difference"] = abs(measures[f"{name}.error.bin"] - bin)
        return measures

    def networks(self, run: Run[PursuitRecipe]) -> dict[str, nn.Module]:
        """The precisions of the eye's beliefs, which lesions reach."""
        return {"precision": Precisions(experiment(run.recipe, 0).model).eval()}

    def lesion_measures(self, run: Run[PursuitRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """What pursuit at the late reversal comes to with these precisions."""
        recipe, precisions = run.recipe, networks["precision"]
        assert isinstance(precisions, Precisions)
        late = experiment(recipe, recipe.delay)
        measures = measured(traces(late.changed(model=precisions.imposed(late.model)).run()), recipe, recipe.delay)
        return {name: measures[name] for name in ("error", "distance", "action", "gain", "gain.turned")}

    def figures(self, run: Run[PursuitRecipe]) -> dict[str, Figure]:
        """Both reversals, gain and lag, and the dials."""
        recipe, reversals = run.recipe, both(run)
        half = recipe.bins // 2
        figures = {
            "reversal": pictures.reversal(reversals, half, recipe.delay),
            "gain": pictures.gain(reversals["expected"], slice(SETTLED, half), FURTHEST),
        }
        if recipe.points:
            figures["dials"] = pictures.dials(run.result("dials", Rows), recipe)
        return figures

    def equations(self, run: Run[PursuitRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("pursuit", "expected_reversal"))

    def apply(self, run: Run[PursuitRecipe], request: PursuitApply) -> list[str]:
        """--target FILE.csv [--bin LENGTH] [--prior LOG-PRECISION]: the eye follows the user's own target."""
        recipe = run.recipe
        return target.apply(run.artefact("targets"), recipe.senses, recipe.motion, request)
