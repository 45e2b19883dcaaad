"""A linear system driven by an unknown bump: states and causes, then parameters and precisions as well.

Friston, Trujillo-Barreto & Daunizeau (2008) DEM: a variational treatment of dynamic systems, NeuroImage 41:849.
"""

import math

import sympy

from phantastic.inference.model import Level, LogPrecision, Model, Prior
from phantastic.inference.published.simulation import Simulation, bump, kept_noise

BINS = 32


def linear_model(free: tuple[str, ...] = (), **level: object) -> Model:
    """dx/dt = A x + B v, y = C x with two states and four channels; ``free`` parameters have the prior N(0, exp(8)).

    Parameters are A, then C, then B, column by column.
    """
    x1, x2, v = sympy.symbols("x1 x2 v")
    A, C, B = sympy.symbols("A11 A21 A12 A22"), sympy.symbols("C1:5_1 C1:5_2"), sympy.symbols("B1 B2")
    output = [[0.125] * 4, [math.sqrt(2) / 8 * math.cos(math.pi * (2 * k + 1) / 8) for k in range(4)]]
    values = [-0.25, -0.5, 1.0, -0.25, *output[0], *output[1], 1.0, 0.0]
    parameters = {
        s: Prior(0.0, math.exp(8)) if str(s) in free else value for s, value in zip([*A, *C, *B], values, strict=True)
    }
    first = Level(
        states={x1: 0.0, x2: 0.0},
        causes=[v],
        flow=[A[0] * x1 + A[2] * x2 + B[0] * v, A[1] * x1 + A[3] * x2 + B[1] * v],
        response=[C[k] * x1 + C[k + 4] * x2 for k in range(4)],
        parameters=parameters,
        **{"V": math.exp(8), "W": math.exp(8), **level},  # type: ignore[arg-type]
    )
    return Model([first, Level(V=1.0)])


def _world() -> Model:
    return linear_model(W=2 * math.exp(16)).with_level(2, V=math.exp(16))


def _convolution() -> Simulation:
    return Simulation("invert", linear_model(), _world(), bump(BINS, 12, 4), noise=kept_noise("deconvolution"))


def _triple(known: bool = False, precisions: bool = True, parameters: bool = True) -> Simulation:
    senses = LogPrecision(8.0, 0.0) if parameters else LogPrecision(0.0, 1.0)  # with known parameters both are learned
    level = {"V": senses, "W": LogPrecision(0.0, 1.0)} if precisions else {}
    model = linear_model(("A21", "C1_1") if parameters else (), **level)
    model = model.with_level(2, V=math.exp(16)) if known else model
    causes = bump(BINS, 12, 4)
    prior = causes if known else None
    noise = kept_noise("deconvolution")
    return Simulation("invert", model, _world(), causes, prior_u=prior, iterations=32, noise=noise)


RUNS = {
    "convolution": {"state_estimation": _convolution},
    "triple": {
        "states_params_precisions": _triple,
        "known_input": lambda: _triple(known=True),
        "states_params_fixedprec": lambda: _triple(precisions=False),
        "states_precisions": lambda: _triple(parameters=False),
    },
}
