"""What the study measures: each published simulation under one noise, held against what really happened."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from phantastic.inference import published
from phantastic.inference.generation import generate
from phantastic.inference.learn import invert
from phantastic.inference.model import LogPrecision, Model
from phantastic.inference.published.simulation import Simulation, bump
from phantastic.inference.result import Result, Trajectory
from phantastic.inference.smoother import Smoothed, smooth
from phantastic.inference.unknowns import Scheme
from phantastic.measures.gaussian import NORMAL, rms
from phantastic.systems.filtering.study import FilteringRecipe

Found = dict[str, float]
FREE = {"A21": -0.5, "C1_1": 0.125}  # the parameters that are learned, with the values that made the data
VARIANTS = ("states_params_precisions", "known_input", "states_params_fixedprec")
ORDERS = range(1, 9)
WIDTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LORENZ = (1, 16, 32, 64)  # bins, counted from 1, at which the published error is known


@dataclass(frozen=True)
class Linear:
    """The linear system under one noise: what happened, and the experiment that perceives it."""

    truth: Trajectory
    experiment: Simulation

    @property
    def y(self) -> Tensor:
        return self.truth.v[1]


@dataclass(frozen=True)
class Drawn:
    """What happened where the model's own prior drew the causes, and what each scheme believes."""

    truth: Trajectory
    beliefs: Mapping[str, Result | Smoothed]


def orders_of(recipe: FilteringRecipe) -> tuple[int, int]:
    return recipe.states_order, min(recipe.causes_order, recipe.states_order)


def linear(recipe: FilteringRecipe, seed: int) -> Linear:
    """Data of the linear system, driven by a bump at bin 12, and the model that knows all but the bump."""
    simulation = published.setup("convolution", "state_estimation")
    V, W = math.exp(recipe.sensory_log_precision), math.exp(recipe.state_log_precision)
    model = replace(simulation.model.with_level(1, V=V, W=W), smoothness=recipe.smoothness)
    world = replace(simulation.process.with_level(1, V=V), smoothness=recipe.smoothness)
    causes = bump(recipe.bins, 12, 4)
    truth = generate(world, causes, orders=orders_of(recipe), seed=seed)
    return Linear(truth, simulation.changed(model=model, process=world, causes=causes, orders=orders_of(recipe)))


def deconvolved(system: Linear) -> Result:
    """Beliefs about states and the cause, all else known."""
    return system.experiment.run(system.y)


def tuned(system: Linear, orders: tuple[int, int], width: float) -> Result:
    """The same data perceived at other embedding orders, or by a model that takes the noise to be of another width."""
    model = replace(system.experiment.model, smoothness=width)
    return invert(model, system.y, orders=orders)


def learned(recipe: FilteringRecipe, system: Linear, variant: str, scheme: Scheme = "spm12") -> Result:
    """States, two parameters and (but for the variant with fixed ones) the log-precisions from the same data."""
    simulation = published.setup("triple", variant)
    V, W = math.exp(recipe.sensory_log_precision), math.exp(recipe.state_log_precision)
    fixed = variant == "states_params_fixedprec"
    first = {"V": V, "W": W} if fixed else {"V": LogPrecision(recipe.sensory_log_precision, 0.0)}
    model = replace(simulation.model.with_level(1, **first), smoothness=recipe.smoothness)
    prior = system.experiment.causes if simulation.prior_u is not None else None
    return invert(model, system.y, prior_u=prior, orders=orders_of(recipe), iterations=recipe.steps, scheme=scheme)


def estimates(result: Result, model: Model) -> dict[str, tuple[float, float]]:
    """Posterior mean and standard deviation of the learned parameters."""
    assert result.parameter_covariance is not None
    names = [str(symbol) for symbol in model.symbols("parameters")]
    deviations = result.parameter_covariance.diagonal().sqrt()
    return {name: (float(result.parameters[names.index(name)]), float(deviations[i])) for i, name in enumerate(FREE)}


def triple(variant: str) -> Model:
    """The model of a published variant, for its names."""
    return published.setup("triple", variant).model


def orbit(seed: int) -> Result:
    """Lorenz's orbit found again from a wrong start."""
    return published.setup("lorenz", "state_estimation").run(seed=seed)


def wells(drive: float, seed: int) -> Result:
    """The double well, pushed from side to side."""
    simulation = published.setup("double_well", "state_estimation")
    return simulation.changed(causes=simulation.causes * (drive / 8)).run(seed=seed)


def square(error: Tensor) -> float:
    return float(error.pow(2).sum())


def inside(mean: Tensor, truth: Tensor, covariance: Tensor) -> float:
    """The share of the truth that lies in the 90% intervals."""
    deviation = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    return float(((mean - truth).abs() <= NORMAL * deviation).double().mean())


def seen(recipe: FilteringRecipe, system: Linear) -> Found:
    """Deconvolution: how near the beliefs come, and what embedding and smoothness do for them."""
    belief, truth = deconvolved(system), system.truth
    cause, states = truth.v[2], truth.x[1]
    first_order = tuned(system, (1, min(1, recipe.causes_order)), recipe.smoothness)
    white = tuned(system, orders_of(recipe), 0.0)
    return {
        "cause.peak": float(belief.v[2].max()),
        "cause.peak.error": abs(float(belief.v[2].max() - cause.max())),
        "cause.error": square(belief.v[2] - cause),
        "cause.explained": 1 - square(belief.v[2] - cause) / square(cause),
        "cause.inside": inside(belief.v[2], cause, belief.covariance.v),
        "states.error": square(belief.x[1] - states),
        "states.explained": 1 - square(belief.x[1] - states) / square(states),
        "states.inside": inside(belief.x[1], states, belief.covariance.x),
        "cause.error.one": square(first_order.v[2] - cause),
        "cause.error.white": square(white.v[2] - cause),
    }


@lru_cache(maxsize=4)
def drawn(recipe: FilteringRecipe, seed: int) -> Drawn:
    """The linear system driven by causes that its own prior draws, perceived by DEM and by the exact smoother."""
    model = linear(recipe, seed).experiment.model
    truth = generate(model, torch.zeros(recipe.bins, 1, dtype=torch.float64), orders=orders_of(recipe), seed=seed)
    n = recipe.states_order
    return Drawn(
        truth,
        {
            "dem": invert(model, truth.v[1], orders=orders_of(recipe)),
            "dem_full": invert(model, truth.v[1], orders=(n, n)),
            "exact": smooth(model, truth.v[1], orders=orders_of(recipe)),
        },
    )


def covered(recipe: FilteringRecipe, seed: int) -> Found:
    """How often 90% intervals hold what the prior drew, and how far off the means are."""
    system, measures = drawn(recipe, seed), {}
    for name, belief in system.beliefs.items():
        for what, mean, truth, covariance in (
            ("causes", belief.v[2], system.truth.v[2], belief.covariance.v),
            ("states", belief.x[1], system.truth.x[1], belief.covariance.x),
        ):
            measures[f"drawn.{name}.{what}.inside"] = inside(mean, truth, covariance)
            measures[f"drawn.{name}.{what}.error"] = rms(mean - truth)
    return measures


def triples(recipe: FilteringRecipe, system: Linear) -> Found:
    """Learning: parameters, whether their intervals hold the truth, free energy and log-precisions."""
    measures: Found = {}
    runs: Sequence[tuple[str, str, Scheme]] = [
        ("learned", VARIANTS[0], "spm12"),
        ("corrected", VARIANTS[0], "corrected"),
        ("known", VARIANTS[1], "spm12"),
        ("fixed", VARIANTS[2], "spm12"),
    ]
    for name, variant, scheme in runs:
        result = learned(recipe, system, variant, scheme)
        posterior = estimates(result, triple(variant))
        for parameter, (mean, deviation) in posterior.items():
            short = parameter.replace("_", "")
            measures[f"{name}.{short}"] = mean
            measures[f"{name}.{short}.sd"] = deviation
            measures[f"{name}.{short}.deviation"] = mean / FREE[parameter] - 1
            measures[f"{name}.{short}.error"] = abs(mean - FREE[parameter])
            measures[f"{name}.{short}.inside"] = float(abs(mean - FREE[parameter]) <= NORMAL * deviation)
        F = result.free_energy
        measures[f"{name}.rise"] = float(F[-1] - F[0])
        measures[f"{name}.rising"] = float((F.diff() > 0).double().mean())
        if variant != VARIANTS[2]:
            measures[f"{name}.drift"] = abs(float(result.log_precisions[0]) - recipe.sensory_log_precision)
    return measures


def nonlinear(recipe: FilteringRecipe, seed: int) -> Found:
    """Lorenz's orbit, and the double well whose side is not seen."""
    belief = orbit(seed)
    assert belief.process is not None
    errors = (belief.x[1] - belief.process.x[1]).abs().amax(-1)
    measures = {f"lorenz.error.{bin}": float(errors[bin - 1]) for bin in LORENZ}
    measures["lorenz.left"] = measures["lorenz.error.32"] / measures["lorenz.error.1"]
    belief = wells(recipe.drive, seed)
    assert belief.process is not None
    x, truth = belief.x[1], belief.process.x[1]
    return measures | {
        "well.error": rms(x - truth),
        "well.size.error": rms(x.abs() - truth.abs()),
        "well.wrong": float((x.sign() != truth.sign()).double().mean()),
        "well.response.error": rms(belief.v[1] - belief.process.v[1]),
    }


@lru_cache(maxsize=8)
def swept(recipe: FilteringRecipe, seed: int) -> dict[str, list[float]]:
    """Summed squared error of the cause over embedding orders n (with d <= 2) and over the assumed width of noise."""
    system = linear(recipe, seed)

    def error(orders: tuple[int, int], width: float) -> float:
        return square(tuned(system, orders, width).v[2] - system.truth.v[2])

    return {
        "orders": [error((n, min(n, recipe.causes_order)), recipe.smoothness) for n in ORDERS],
        "widths": [error(orders_of(recipe), width) for width in WIDTHS],
    }
