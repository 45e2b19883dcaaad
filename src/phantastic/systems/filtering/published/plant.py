"""Movement from prediction: a plaid that is held still, a cued movement, and its perturbation.

Friston, Daunizeau, Kilner & Kiebel (2010) Action and behavior: a free-energy formulation, Biol Cybern 102:227.
"""

import math
from typing import Literal

import sympy
import torch

from phantastic.systems.filtering.model import Level, Model
from phantastic.systems.filtering.published.experiment import Experiment, bump

_PLANT = ((-1 / 8, 4 / 8), (-2 / 8, -1 / 8))


def plant_models(
    response: torch.Tensor,
    prior_precision: float,
    gain: float,
    smoothness: float,
    action_gain: float = 1.0,
) -> tuple[Model, Model]:
    """Beliefs and world of a damped oscillator whose two states are seen through ``response`` [channels, 2]."""
    x1, x2, v, a, strength = sympy.symbols("x1 x2 v a strength")
    flow = [row[0] * x1 + row[1] * x2 for row in _PLANT]
    sense = [float(row[0]) * x1 + float(row[1]) * x2 for row in response]
    model = Level(
        states={x1: 0.0, x2: 0.0}, causes=[v], flow=[flow[0] + v, flow[1]], response=sense, V=math.exp(4), W=math.exp(8)
    )
    world = Level(
        states={x1: 0.0, x2: 0.0}, causes=[v], actions={a: 0.0}, flow=[flow[0] + v + strength * a, flow[1]],
        response=sense, parameters={strength: action_gain}, V=math.exp(16), W=math.exp(16),
    )  # fmt: skip
    return (
        Model([model, Level(V=prior_precision)], smoothness=smoothness),
        Model([world, Level(V=math.exp(16))], smoothness=smoothness, gain=gain),
    )


def plaid() -> torch.Tensor:
    """Luminance of 4 x 4 points of a plaid by the position of its two gratings, [16, 2]."""
    grating = torch.cos(math.pi * (2 * torch.arange(4, dtype=torch.float64) + 1) / 8) / math.sqrt(2)
    one = torch.full((4,), 0.5, dtype=torch.float64)
    return torch.stack([torch.outer(one, grating).flatten(), torch.outer(grating, one).flatten()], -1)


def cosines(channels: int, columns: int) -> torch.Tensor:
    """The first columns of the orthonormal cosine transform."""
    k = torch.arange(channels, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi * (2 * k + 1) * torch.arange(columns) / (2 * channels)) * math.sqrt(2 / channels)
    basis[:, 0] /= math.sqrt(2)
    return basis


def _visual(tight: bool) -> Experiment:
    model, process = plant_models(plaid(), math.exp(16 if tight else -8), math.exp(2), 1.0)
    return Experiment("act", model, process, bump(64, 12, 16), orders=(4, 2))


def _movement(scheme: Literal["act", "attenuate"], strength: float = 1.0, perturbed: bool = False) -> Experiment:
    model, process = plant_models(cosines(4, 2) / 8, math.exp(16), math.exp(8), 0.5, strength)
    causes = -bump(64, 18, 4) / 2 if perturbed else torch.zeros(64, 1, dtype=torch.float64)
    return Experiment(scheme, model, process, causes, bump(64, 12, 16), (4, 2))


RUNS = {
    "visual": {"flat_priors": lambda: _visual(False), "tight_priors": lambda: _visual(True)},
    "motor": {"canonical": lambda: _movement("act")},
    "attractor_motor": {
        "canonical": lambda: _movement("attenuate"),
        "double_motor_gain": lambda: _movement("attenuate", strength=2.0),
        "late_perturbation": lambda: _movement("attenuate", perturbed=True),
    },
}
