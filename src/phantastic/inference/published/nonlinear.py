"""Two nonlinear systems: a chaotic orbit that is found again, and a double well whose side cannot be known.

Friston (2008) Hierarchical models in the brain; Friston, Trujillo-Barreto & Daunizeau (2008) NeuroImage 41:849.
"""

import math
from dataclasses import replace

import sympy
import torch

from phantastic.inference.model import Level, Model
from phantastic.inference.published.simulation import Simulation


def lorenz_model(start: tuple[float, float, float] = (1.0, 1.0, 16.0)) -> Model:
    """Lorenz's attractor, of which one channel, the sum of its three states, is seen."""
    x, v, P = sympy.symbols("x1:4"), sympy.Symbol("v"), sympy.symbols("P1:4")
    matrix = sympy.Matrix([[-P[0], P[0], 0], [P[2] - x[2], -1, -x[0]], [x[1], x[0], P[1]]])
    first = Level(
        states=dict(zip(x, start, strict=True)),
        causes=[v],
        flow=list(matrix * sympy.Matrix(x) / 32),
        response=[sympy.Add(*x)],
        parameters=dict(zip(P, (18.0, -4.0, 46.92), strict=True)),
        V=1.0,
        W=math.exp(16),
    )
    return Model([first, Level(V=math.exp(16))], smoothness=1 / 8)


def double_well_model() -> Model:
    """One state in two wells; the response is its square, so that its sign cannot be seen."""
    x, v = sympy.symbols("x v")
    first = Level(
        states={x: 1.0},
        causes=[v],
        flow=[(16 * x / (1 + x**2) - x / 2 + 2 * v) / 8],
        response=[x**2 / 16],
        V=math.exp(2),
        W=math.exp(16),
    )
    return Model([first, Level(V=1 / 8)])


def _lorenz() -> Simulation:
    # SPM's demonstration asks for a quadratic expansion whose result depends on a finite difference; here derivatives
    # are exact, and both of its names mean the scheme as it is written down.
    causes = torch.zeros(64, 1, dtype=torch.float64)
    return Simulation("invert", lorenz_model(), lorenz_model((0.9, 0.8, 30.0)), causes)


def _double_well() -> Simulation:
    t = torch.arange(1, 65, dtype=torch.float64)
    model = double_well_model()
    world = replace(model, levels=[model.levels[0], replace(model.levels[1], V=math.exp(16))])
    return Simulation("invert", model, world, 8 * torch.sin(math.pi * t / 16)[:, None])


RUNS = {
    "lorenz": {"state_estimation": _lorenz, "state_estimation_linear0": _lorenz},
    "double_well": {"state_estimation": _double_well},
}
