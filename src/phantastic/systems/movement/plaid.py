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
    shown = {
        "true": result.process.x[1], "believed": result.x[1], "action": result.a[2][:, 0], "cause": base.causes[:, 0],
        "believed_cause": result.v[2][:, 0], "sense": result.process.v[1],
    }  # fmt: skip
    return {name: value.tolist() for name, value in shown.items()}


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
        shown, found = simulated(run), {}
        for name, each in shown.items():
            against = [value for value in each["action"] if name in MADE or value < 0]  # the push is positive
            found[f"{name}.action"], found[f"{name}.movement"] = peak([0.0, *against]), peak(first(each["true"]))
            found[f"{name}.believed"] = peak(first(each["believed"]))
        found["tight.share"] = found["tight.movement"] / found["flat.movement"]
        found["stronger.difference"] = difference(shown["expected"]["true"], shown["stronger"]["true"])
        base = experiment(recipe, "perturbed")
        passive = generate(base.process, base.causes, orders=base.orders)
        found["perturbed.passive"] = float(passive.x[1].abs().max())
        found["perturbed.difference"] = difference(shown["expected"]["true"], shown["perturbed"]["true"])
        if recipe.push:
            found["perturbed.share"] = found["perturbed.difference"] / found["perturbed.passive"]
        if not changed(recipe, PlaidRecipe()):
            found |= {f"{name}.deviation": found[name] / value - 1 for name, value in PUBLISHED.items()}
        return found

    def networks(self, run: Run[PlaidRecipe]) -> dict[str, nn.Module]:
        """The precisions of beliefs under the tight prior, which lesions reach."""
        return {"precision": Precisions(experiment(run.recipe, "tight").model).eval()}

    def lesion_measures(self, run: Run[PlaidRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """What is done about the push, and what moves, with these precisions."""
        precisions = networks["precision"]
        assert isinstance(precisions, Precisions)
        base = experiment(run.recipe, "tight")
        model: Model = precisions.imposed(base.model)
        found = traces(base, base.changed(model=model).run())
        states = {name: peak(first(found[key])) for name, key in (("movement", "true"), ("believed", "believed"))}
        return {"action": peak(found["action"])} | states

    def figures(self, run: Run[PlaidRecipe]) -> dict[str, Figure]:
        """The plaid as it is seen, what is believed and done of it, and the movements that are made."""
        shown = simulated(run)
        return {
            "plaid": pictures.frames({name: shown[name] for name in SEEN}),
            "priors": pictures.priors({name: shown[name] for name in SEEN}),
            "movements": pictures.movements({name: shown[name] for name in MADE}, run.recipe.strength),
        }

    def equations(self, run: Run[PlaidRecipe]) -> dict[str, list[str]]:
        """The equations of the published models, for the report."""
        return printed(("visual", "tight_priors"), ("attractor_motor", "canonical"))
