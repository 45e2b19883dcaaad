"""The study `plaid`: a pushed stimulus is seen to move or held still, and an expected movement is made."""

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import nn

from phantastic.declare.recipe import changed
from phantastic.inference import Model, Result
from phantastic.inference.generation import generate
from phantastic.inference.precision import Precisions
from phantastic.inference.published import printed, setup
from phantastic.inference.published.simulation import Simulation, bump
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.systems.movement import plaid_figures as pictures
from phantastic.systems.movement.study import PlaidRecipe

Traces = dict[str, list]
SEEN, MADE = ("flat", "tight"), ("expected", "stronger", "perturbed")
PUBLISHED = {
    "flat.action": 0.015,
    "flat.movement": 1.99,
    "tight.action": 1.05,
    "tight.movement": 0.18,
    "expected.action": 1.02,
    "stronger.action": 0.51,
}


def experiment(recipe: PlaidRecipe, name: str) -> Simulation:
    """One of the simulations `SEEN` and `MADE`."""
    if name in SEEN:
        base = setup("visual", f"{name}_priors")
        base = base.changed(model=base.model.with_level(2, V=math.exp(getattr(recipe, name))))
    else:
        run = {"expected": "canonical", "stronger": "double_motor_gain", "perturbed": "late_perturbation"}[name]
        base = setup("attractor_motor", run)
        if name == "stronger":
            base = base.changed(process=base.process.with_parameters(strength=recipe.strength))
        if name == "perturbed":
            base = base.changed(causes=recipe.push * bump(64, 18, 4))
    return base.changed(model=base.model.with_level(1, V=math.exp(recipe.senses), W=math.exp(recipe.motion)))


def traces(base: Simulation, result: Result) -> Traces:
    """What the figures and the measures need."""
    assert result.process is not None
    signals = {
        "true": result.process.x[1],
        "believed": result.x[1],
        "action": result.a[2][:, 0],
        "cause": base.causes[:, 0],
        "believed_cause": result.v[2][:, 0],
        "sense": result.process.v[1],
    }
    return {name: signal.tolist() for name, signal in signals.items()}


def simulated(run: Run[PlaidRecipe]) -> dict[str, Traces]:
    """All five simulations, made once."""
    recipe = run.recipe

    def made(name: str) -> Traces:
        base = experiment(recipe, name)
        return traces(base, base.run())

    return {name: run.once(name, lambda name=name: made(name), Traces) for name in SEEN + MADE}


def peak(values: list) -> float:
    return float(torch.tensor(values, dtype=torch.float64).abs().max())


def first(rows: list) -> list[float]:
    """The first state, which is pushed."""
    return [row[0] for row in rows]


def difference(one: list, other: list) -> float:
    """The largest difference between two movements, all states."""
    return peak((torch.tensor(one, dtype=torch.float64) - torch.tensor(other, dtype=torch.float64)).tolist())


@final
class Plaid(Experiment[PlaidRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[PlaidRecipe], recipe: PlaidRecipe, seed: int) -> Scores:
        """The two that are seen and the three that are made."""
        simulations, measures = simulated(run), {}
        for name, signals in simulations.items():
            opposing = [value for value in signals["action"] if name in MADE or value < 0]  # the push is positive
            measures[f"{name}.action"] = peak([0.0, *opposing])
            measures[f"{name}.movement"] = peak(first(signals["true"]))
            measures[f"{name}.believed"] = peak(first(signals["believed"]))
        measures["tight.share"] = measures["tight.movement"] / measures["flat.movement"]
        measures["stronger.difference"] = difference(simulations["expected"]["true"], simulations["stronger"]["true"])
        base = experiment(recipe, "perturbed")
        passive = generate(base.process, base.causes, orders=base.orders)
        measures["perturbed.passive"] = float(passive.x[1].abs().max())
        measures["perturbed.difference"] = difference(simulations["expected"]["true"], simulations["perturbed"]["true"])
        if recipe.push:
            measures["perturbed.share"] = measures["perturbed.difference"] / measures["perturbed.passive"]
        if not changed(recipe, PlaidRecipe()):
            measures |= {f"{name}.deviation": measures[name] / value - 1 for name, value in PUBLISHED.items()}
        return measures

    def networks(self, run: Run[PlaidRecipe]) -> dict[str, nn.Module]:
        """The precisions of beliefs under the tight prior, which lesions reach."""
        return {"precision": Precisions(experiment(run.recipe, "tight").model).eval()}

    def lesion_measures(self, run: Run[PlaidRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """What is done about the push, and what moves, with these precisions."""
        precisions = networks["precision"]
        assert isinstance(precisions, Precisions)
        base = experiment(run.recipe, "tight")
        model: Model = precisions.imposed(base.model)
        signals = traces(base, base.changed(model=model).run())
        states = {name: peak(first(signals[key])) for name, key in (("movement", "true"), ("believed", "believed"))}
        return {"action": peak(signals["action"])} | states

    def figures(self, run: Run[PlaidRecipe]) -> dict[str, Figure]:
        """The plaid as it is seen, what is believed and done of it, and the movements that are made."""
        simulations = simulated(run)
        return {
            "plaid": pictures.frames({name: simulations[name] for name in SEEN}),
            "priors": pictures.priors({name: simulations[name] for name in SEEN}),
            "movements": pictures.movements({name: simulations[name] for name in MADE}, run.recipe.strength),
        }

    def equations(self, run: Run[PlaidRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("visual", "tight_priors"), ("attractor_motor", "canonical"))
