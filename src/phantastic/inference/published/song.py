"""Birdsong: categories from a chaotic syrinx, a hierarchy of two attractors, and what omitted chirps evoke.

Kiebel, Daunizeau & Friston (2009) PLoS Comput Biol 5:e1000464; Friston & Kiebel (2009) Phil Trans R Soc B 364:1211.
"""

import math

import sympy
import torch
from torch import Tensor

from phantastic.inference.model import Level, Model
from phantastic.inference.published.simulation import Simulation

SONGS = {"songA": (32.0, 2.0), "songB": (26.0, 8 / 3), "songC": (16.0, 8 / 3)}
OMISSION = 85  # from this bin (counted from 0) the omitted song is silent


def category_model() -> Model:
    """A Lorenz syrinx whose two parameters are the causes: the category of the song."""
    x, v1, v2 = sympy.symbols("x1:4"), *sympy.symbols("v1 v2")
    matrix = sympy.Matrix([[-10, 10, 0], [v1 - 4 - x[2], -1, 0], [x[1], 0, -v2]])
    first = Level(
        states=dict(zip(x, (0.9, 0.8, 2.0), strict=True)),
        causes=[v1, v2],
        flow=list(matrix * sympy.Matrix(x) / 16),
        response=[x[1], x[2]],
        V=math.exp(4),
        W=math.exp(4),
    )
    return Model([first, Level(V=math.exp(-2))], smoothness=1.0)


def hierarchical_model(
    first: tuple[float, ...] = (1.0, 1.0, 8.0),
    second: tuple[float, ...] = (1.0, 1.0, 8.0),
    log_precisions: tuple[float, float, float, float] = (1.0, 8.0, 8.0, 8.0),
) -> Model:
    """A slow Lorenz attractor that drives a fast one; initial states of both and log-precisions V1, W1, V2, W2."""
    x, s, v = sympy.symbols("x1:4"), sympy.symbols("s1:4"), sympy.Symbol("v")
    V1, W1, V2, W2 = (math.exp(value) for value in log_precisions)
    syrinx = sympy.Matrix([[-10, 10, 0], [v - 4 - x[2], -1, 0], [x[1], 0, -sympy.Rational(8, 3)]])
    centre = sympy.Matrix([[-10, 10, 0], [32 - s[2], -1, 0], [s[1], 0, -sympy.Rational(8, 3)]])
    return Model(
        [
            Level(
                states=dict(zip(x, first, strict=True)),
                causes=[v],
                flow=list(syrinx * sympy.Matrix(x) / 16),
                response=[x[1], x[2]],
                V=V1,
                W=W1,
            ),
            Level(
                states=dict(zip(s, second, strict=True)),
                flow=list(centre * sympy.Matrix(s) / 128),
                response=[s[2]],
                V=V2,
                W=W2,
            ),
            Level(),
        ],
        smoothness=1.0,
    )


def _category(song: str) -> Simulation:
    t = torch.arange(1, 65, dtype=torch.float64)
    onset = torch.special.ndtr((t - 8) / 2)[:, None]
    causes = onset * torch.tensor(SONGS[song], dtype=torch.float64)
    world = category_model().with_level(1, V=2 * math.exp(4), W=2 * math.exp(4)).with_level(2, V=math.exp(16))
    return Simulation("invert", category_model(), world, causes, orders=(4, 2))


_TRUE = hierarchical_model((0.9, 0.8, 30.0), (0.9, 0.8, 30.0))
_NONE = torch.zeros(128, 0, dtype=torch.float64)
_RATE = math.exp(-2)


def _hierarchical(structure: bool = True, dynamics: bool = True) -> Simulation:
    model = hierarchical_model()
    if not structure:
        model = Model([model.levels[0], Level(V=1.0)], smoothness=1.0)
    return Simulation(
        "invert", model, _TRUE, _NONE, orders=(6, 2) if dynamics else (1, 2), data_orders=(6, 2), rate=_RATE
    )


def _silence(y: Tensor) -> Tensor:
    return torch.cat([y[..., :OMISSION, :], torch.zeros_like(y[..., OMISSION:, :])], -2)


def _omission(
    log_precisions: tuple[float, float, float, float] = (2.0, 8.0, 8.0, 8.0), full: bool = False
) -> Simulation:
    model = hierarchical_model((1.0, 1.0, 32.0), (1.0, 1.0, 8.0), log_precisions)
    world = _TRUE.with_level(1, V=math.exp(2))
    return Simulation("invert", model, world, _NONE, rate=_RATE, edit=None if full else _silence)


RUNS = {
    "birdsong": {song: (lambda song=song: _category(song)) for song in SONGS},
    "hierarchical_song": {
        "canonical": _hierarchical,
        "no_structural_priors": lambda: _hierarchical(structure=False),
        "no_dynamical_priors": lambda: _hierarchical(dynamics=False),
    },
    "song_omission": {
        "full_song": lambda: _omission(full=True),
        "omission_normal": _omission,
        "omission_highprior": lambda: _omission((2.0, 8.0, 16.0, 16.0)),
        "omission_lowprior_MMNattenuated": lambda: _omission((2.0, 8.0, 2.0, 2.0)),
        "omission_hallucination": lambda: _omission((-2.0, 8.0, 2.0, 2.0)),
    },
}
