"""Generalised filtering beside dynamic expectation maximisation: what each learns from the same data.

The linear system is that of the comparison of Friston, Stephan, Li & Daunizeau (2010), after SPM12's DEM_demo_LAP: four
parameters and both log-precisions are unknown. Of the double well the gain of the response and its precision are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy
import torch
from torch import Tensor

from phantastic.inference import published
from phantastic.inference.generalised_filtering import Filtered, generalised_filter
from phantastic.inference.generation import generate
from phantastic.inference.learn import invert
from phantastic.inference.model import LogPrecision, Model, Prior
from phantastic.inference.published.deconvolution import linear_model
from phantastic.inference.published.simulation import bump
from phantastic.inference.result import Result, Trajectory
from phantastic.measures.gaussian import NORMAL, rms
from phantastic.systems.filtering.study import FilteringRecipe

FREE = ("A11", "A21", "C1_1", "C1_2")
SMOOTH, MOVING = 1.0, math.exp(6)  # the demonstration's noise: its width, and the precision of that of the states
UNSURE = LogPrecision(6.0, 0.25)
PASSES = 12


@dataclass(frozen=True)
class Both:
    """One set of data as both schemes see it; ``real``: the values of what is learned, parameters first."""

    truth: Trajectory
    real: Mapping[str, float]
    filtered: Filtered
    dem: Result
    where: tuple[int, ...]  # of the learned parameters among all

    @property
    def beliefs(self) -> dict[str, Result]:
        return {"gf": self.filtered.belief, "dem": self.dem}

    def parameters(self, belief: Result) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of the learned ones."""
        assert belief.parameter_covariance is not None
        return belief.parameters[list(self.where)], belief.parameter_covariance.diagonal().sqrt()


def _both(recipe: FilteringRecipe, model: Model, truth: Trajectory, real: Mapping[str, float]) -> Both:
    names = [str(symbol) for symbol in model.symbols("parameters")]
    return Both(
        truth,
        real,
        generalised_filter(model, truth.v[1], passes=min(PASSES, recipe.steps)),
        invert(model, truth.v[1], iterations=recipe.steps, scheme="corrected"),
        tuple(names.index(str(symbol)) for symbol in model.free),
    )


@lru_cache(maxsize=2)
def linear(recipe: FilteringRecipe, seed: int) -> Both:
    """States, cause, four parameters and two log-precisions of the linear system."""
    V = math.exp(recipe.sensory_log_precision)
    world = replace(linear_model(V=V, W=MOVING).with_level(2, V=math.exp(16)), smoothness=SMOOTH)
    model = replace(linear_model(FREE, V=UNSURE, W=UNSURE), smoothness=SMOOTH)
    truth = generate(world, bump(recipe.bins, 12, 4), seed=seed)
    values = dict(zip(map(str, world.symbols("parameters")), world.parameters, strict=True))
    return _both(recipe, model, truth, {name: float(values[name]) for name in FREE})


@lru_cache(maxsize=2)
def wells(recipe: FilteringRecipe, seed: int) -> Both:
    """State, cause, gain of the response (in units of the true one) and sensory log-precision of the double well."""
    simulation = published.setup("double_well", "state_estimation")
    first = simulation.model.levels[0]
    c = sympy.Symbol("c")
    seen = replace(first, response=[c * g for g in first.response], parameters={c: Prior(0.0, math.exp(8))})  # type: ignore[union-attr]
    model = replace(simulation.model, levels=[replace(seen, V=LogPrecision(0.0, 1.0)), simulation.model.levels[1]])
    truth = generate(simulation.process, simulation.causes * (recipe.drive / 8), seed=seed)
    return _both(recipe, model, truth, {"c": 1.0})


def compared(recipe: FilteringRecipe, seed: int) -> dict[str, float]:
    """Errors of states, cause and parameters, and how often 90% intervals hold them, by both schemes."""
    measures = {}
    for system, both in (("linear", linear(recipe, seed)), ("wells", wells(recipe, seed))):
        real = torch.tensor([*both.real.values()], dtype=torch.float64)
        for scheme, belief in both.beliefs.items():
            name = f"{scheme}.{system}"
            mean, deviation = both.parameters(belief)
            measures[f"{name}.parameters.error"] = rms(mean - real)
            measures[f"{name}.parameters.sd"] = float(deviation.mean())
            measures[f"{name}.parameters.inside"] = float(((mean - real).abs() <= NORMAL * deviation).double().mean())
            states, causes = belief.covariance.x, belief.covariance.v
            for what, a, b, spread in (
                ("states", belief.x[1], both.truth.x[1], states),
                ("cause", belief.v[2], both.truth.v[2], causes),
            ):
                half = NORMAL * spread.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
                measures[f"{name}.{what}.error"] = rms(a - b)
                measures[f"{name}.{what}.inside"] = float(((a - b).abs() <= half).double().mean())
        measures[f"gf.{system}.rest"] = rms(both.filtered.traces[-1])
    measures["gf.known.difference"] = known(recipe, seed)
    return measures


def known(recipe: FilteringRecipe, seed: int) -> float:
    """How far apart both schemes are in the double well where nothing is learned."""
    simulation = published.setup("double_well", "state_estimation")
    truth = generate(simulation.process, simulation.causes * (recipe.drive / 8), seed=seed)
    a = generalised_filter(simulation.model, truth.v[1]).belief
    return float((a.x[1] - invert(simulation.model, truth.v[1]).x[1]).abs().max())
