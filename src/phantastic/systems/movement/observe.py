"""The study `observe`: an arm writes, and the same beliefs see the movement done by another, lawful and violated."""

import math
from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from phantastic.inference import Model, Result
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed, setup
from phantastic.inference.published.handwriting import observed
from phantastic.inference.published.simulation import Simulation
from phantastic.measures.gaussian import correlations
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.movement import observe_figures as pictures
from phantastic.systems.movement.study import ObserveRecipe

Traces = dict[str, list]
ARM, HAND = 4, slice(6, 8)  # states of the joints come before those of the sequence; channels in which the hand is seen
AFTER = 16  # bins after the violation in which its response is measured


def writing(recipe: ObserveRecipe) -> Simulation:
    """The arm acts."""
    base = setup("observe", "action")
    model = base.model.with_level(1, V=math.exp(recipe.senses), W=math.exp(recipe.motion))
    return base.changed(model=model, causes=torch.zeros(recipe.bins, 2, dtype=torch.float64))


def watching(recipe: ObserveRecipe, actions: Float64[Tensor, "bins 2"]) -> Simulation:
    """The actions move somebody else's arm, which is seen and not felt."""
    base = observed(actions)
    seen = torch.tensor([recipe.felt] * 4 + [recipe.seen] * 4, dtype=torch.float64).exp()
    return base.changed(model=base.model.with_level(1, V=seen, W=math.exp(recipe.motion)))


def traces(result: Result) -> Traces:
    """What the figures and the measures need."""
    assert result.process is not None
    weighted = result.weighted_errors()
    signals = {
        "hand": result.process.v[1][:, HAND],
        "predicted": result.v[1][:, HAND],
        "sequence": result.x[1][:, ARM:],
        "joints": weighted["w"][1][:, :ARM],
        "action": result.a[2],
    }
    return {name: signal.tolist() for name, signal in signals.items()}


def acted(run: Run[ObserveRecipe]) -> dict[str, Traces]:
    """Action, its observation, and the observation of the same action turned round half-way; simulated once."""
    recipe = run.recipe
    action = run.once("action", lambda: traces(writing(recipe).run()), Traces)
    actions = torch.tensor(action["action"], dtype=torch.float64)
    half = recipe.bins // 2
    conditions = {"action": action}
    for name, movement in (("observation", actions), ("violation", torch.cat([actions[:half], -actions[half:]]))):
        conditions[name] = run.once(name, lambda movement=movement: traces(watching(recipe, movement).run()), Traces)
    return conditions


def alike(one: list, other: list) -> Float64[Tensor, " states"]:
    """Correlation over time of each attractor state with itself in another run."""
    return correlations(*(torch.tensor(each, dtype=torch.float64) for each in (one, other)))


def rms(rows: list) -> float:
    return float(torch.tensor(rows, dtype=torch.float64).square().sum(-1).mean().sqrt())


def apart(signals: Mapping[str, list]) -> float:
    """Root mean square distance of the predicted from the true hand, in units of the writing's larger side."""
    hand, predicted = (torch.tensor(signals[name], dtype=torch.float64) for name in ("hand", "predicted"))
    size = (hand.amax(0) - hand.amin(0)).max()
    return float((hand - predicted).square().sum(-1).mean().sqrt() / size)


@final
class Observe(Experiment[ObserveRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[ObserveRecipe], recipe: ObserveRecipe, seed: int) -> Scores:
        """Write, watch, and watch the violation."""
        half, conditions = recipe.bins // 2, acted(run)
        lawful = alike(conditions["action"]["sequence"], conditions["observation"]["sequence"])
        violated = alike(conditions["action"]["sequence"][half:], conditions["violation"]["sequence"][half:])
        measures = {
            "correlation.lowest": float(lawful.min()),
            "correlation.highest": float(lawful.max()),
            "correlation.mean": float(lawful.mean()),
            "violation.correlation.highest": float(violated.max()),
        }
        for name, signals in conditions.items():
            measures[f"{name}.hand.error"] = apart(signals)
            measures[f"{name}.response"] = rms(signals["joints"][half : half + AFTER])
        return measures

    def networks(self, run: Run[ObserveRecipe]) -> dict[str, nn.Module]:
        """The precisions of the writer's beliefs, which lesions reach."""
        return {"precision": Precisions(writing(run.recipe).model).eval()}

    def lesion_measures(self, run: Run[ObserveRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """What is left of the writing: its likeness to the intact one, its size, and how far the hand is from where it
        is predicted."""
        recipe, precisions = run.recipe, networks["precision"]
        assert isinstance(precisions, Precisions)
        base = writing(recipe)
        model: Model = precisions.imposed(base.model)
        damaged, intact = traces(base.changed(model=model).run()), acted(run)["action"]
        hands = [torch.tensor(each["hand"], dtype=torch.float64) for each in (damaged, intact)]
        deviation = [(hand - hand.mean(0)) for hand in hands]
        likeness = (deviation[0] * deviation[1]).sum() / (deviation[0].norm() * deviation[1].norm())
        size = deviation[0].norm() / deviation[1].norm()
        return {"likeness": float(likeness), "size": float(size), "hand.error": apart(damaged)}

    def figures(self, run: Run[ObserveRecipe]) -> dict[str, Figure]:
        """The writing, the attractor states, the response to the violation."""
        half, conditions = run.recipe.bins // 2, acted(run)
        correlations = alike(conditions["action"]["sequence"], conditions["observation"]["sequence"]).tolist()
        return {
            "writing": pictures.writing(conditions, half),
            "intentions": pictures.intentions(conditions, correlations, half),
            "violation": pictures.violation(conditions, half),
        }

    def equations(self, run: Run[ObserveRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("observe", "action"))
