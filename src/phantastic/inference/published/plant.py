"""Movement from prediction: a plaid that is held still, a cued movement, and its perturbation.

Friston, Daunizeau, Kilner & Kiebel (2010) Action and behavior: a free-energy formulation, Biol Cybern 102:227.
"""

import math
from collections.abc import Sequence
from typing import Literal

import sympy
import torch

from phantastic.inference.model import Level, Model
from phantastic.inference.published.simulation import Simulation, bump

_PLANT = ((-1 / 8, 4 / 8), (-2 / 8, -1 / 8))
_POSITION = sympy.symbols("x1 x2")


def plant_models(
    response: Sequence[sympy.Expr],
    prior_precision: float,
    gain: float,
    smoothness: float,
    action_gain: float = 1.0,
) -> tuple[Model, Model]:
    """Beliefs and world of a damped oscillator whose two states x1 and x2 are seen through ``response``."""
    (x1, x2), (v, a, strength) = _POSITION, sympy.symbols("v a strength")
    flow = [row[0] * x1 + row[1] * x2 for row in _PLANT]
    model = Level(
        states={x1: 0.0, x2: 0.0},
        causes=[v],
        flow=[flow[0] + v, flow[1]],
        response=response,
        V=math.exp(4),
        W=math.exp(8),
    )
    world = Level(
        states={x1: 0.0, x2: 0.0},
        causes=[v],
        actions={a: 0.0},
        flow=[flow[0] + v + strength * a, flow[1]],
        response=response,
        parameters={strength: action_gain},
        V=math.exp(16),
        W=math.exp(16),
    )
    return (
        Model([model, Level(V=prior_precision)], smoothness=smoothness),
        Model([world, Level(V=math.exp(16))], smoothness=smoothness, gain=gain),
    )


def plaid(points: int = 4) -> list[sympy.Expr]:
    """Luminances of a plaid at ``points`` x ``points`` places, a row after the other.

    Two gratings of two cycles under a Gaussian window a sixth of the field wide; x1 moves the plaid along a row, x2
    across them, by an eighth of the field each. (The published description leaves the size of the window open; with
    this one the published movement and action come out to the digits that are given.)
    """

    def grating(position: sympy.Symbol) -> list[sympy.Expr]:
        places = [k - sympy.Rational(points, 2) - position * points / 8 for k in range(1, points + 1)]
        return [sympy.exp(-18 * (s / points) ** 2) * sympy.cos(4 * sympy.pi * s / points) for s in places]

    along, across = (grating(position) for position in _POSITION)
    return [column * row for row in across for column in along]


def cosines(channels: int) -> list[sympy.Expr]:
    """The two states through the first two columns of the orthonormal cosine transform, divided by 8."""
    waves = [math.sqrt(2 / channels) * math.cos(math.pi * (2 * k + 1) / (2 * channels)) for k in range(channels)]
    return [(_POSITION[0] / math.sqrt(channels) + wave * _POSITION[1]) / 8 for wave in waves]


def _visual(tight: bool) -> Simulation:
    model, process = plant_models(plaid(), math.exp(16 if tight else -8), math.exp(2), 1.0)
    return Simulation("act", model, process, bump(64, 12, 16), orders=(4, 2))


def _movement(scheme: Literal["act", "attenuate"], strength: float = 1.0, perturbed: bool = False) -> Simulation:
    model, process = plant_models(cosines(4), math.exp(16), math.exp(8), 0.5, strength)
    causes = -bump(64, 18, 4) / 2 if perturbed else torch.zeros(64, 1, dtype=torch.float64)
    return Simulation(scheme, model, process, causes, bump(64, 12, 16), (4, 2))


RUNS = {
    "visual": {"flat_priors": lambda: _visual(False), "tight_priors": lambda: _visual(True)},
    "motor": {"canonical": lambda: _movement("act")},
    "attractor_motor": {
        "canonical": lambda: _movement("attenuate"),
        "double_motor_gain": lambda: _movement("attenuate", strength=2.0),
        "late_perturbation": lambda: _movement("attenuate", perturbed=True),
    },
}
