"""Smooth pursuit: a target on a circle that turns, and a target behind an occluder.

Adams, Perrinet & Friston (2012) Smooth pursuit and visual occlusion, PLoS ONE 7:e47502.
"""

import math
from collections.abc import Sequence

import sympy
import torch

from phantastic.inference.model import Level, Model, Number
from phantastic.inference.published.simulation import Simulation

RATE = 2 * math.pi / 32  # of the occluded target, per bin
_PRECISE = math.exp(4)


def lotka_volterra(a: Sequence[sympy.Symbol], speed: sympy.Expr) -> list[sympy.Expr]:
    """Competition that visits the attractors one after the other; the sign of ``speed`` is the direction."""
    size = len(a)
    sigma = [1 / (1 + sympy.exp(-s)) for s in a]
    flow = []
    for i in range(size):
        inhibition = sum(sigma[j] for j in range(size) if j != i)
        flow.append(speed * (sigma[i - 1] - sigma[(i + 1) % size]) - inhibition - a[i] / 8 + 1)
    return flow


def softmax(a: Sequence[sympy.Symbol], gain: sympy.Expr) -> list[sympy.Expr]:
    weights = [sympy.exp(gain * s) for s in a]
    return [w / sum(weights) for w in weights]


def pursuit_models() -> tuple[Model, Model]:
    """Beliefs and world of an eye that follows a target through eight places on a circle."""
    o1, o2, x1, x2, v, a1, a2 = sympy.symbols("o1 o2 x1 x2 v a1 a2")
    a = sympy.symbols("q1:9")
    weights = softmax(a, sympy.Rational(1, 2))
    places = [(math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)) for k in range(1, 9)]
    target = [
        (sum(w * place[i] for w, place in zip(weights, places, strict=True)) - x) / 2 for i, x in enumerate((x1, x2))
    ]
    states = {o1: 0.0, o2: 0.0, x1: 0.0, x2: 0.0, **dict(zip(a, [-2.0] + [-6.0] * 7, strict=True))}
    response = [o1, o2, sympy.atan(x1) - o1, sympy.atan(x2) - o2]
    course = [*target, *lotka_volterra(a, v)]
    model = Model(
        [
            Level(
                states=states,
                causes=[v],
                flow=[sympy.atan(x1) - o1, sympy.atan(x2) - o2, *course],
                response=response,
                V=math.exp(4),
                W=math.exp(8),
            ),
            Level(V=math.exp(2)),
        ],
        smoothness=1.0,
    )
    process = Model(
        [
            Level(
                states=states,
                causes=[v],
                actions={a1: 0.0, a2: 0.0},
                flow=[sympy.tanh(a1) - o1 / 16, sympy.tanh(a2) - o2 / 16, *course],
                response=response,
                V=math.exp(16),
                W=math.exp(16),
            ),
            Level(V=math.exp(16)),
        ],
        smoothness=1.0,
        gain=math.exp(-2) * torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64),
    )
    return model, process


def occlusion_models(
    occluder: bool = True, W2: Number = _PRECISE, V3: Number = _PRECISE, edge: float = 0.5
) -> tuple[Model, Model]:
    """Beliefs and world of an eye that follows a target; it cannot be seen where it is beyond ``edge``.

    W2: precision of the expected motion of the target, which is lowered in simulated schizophrenia. V3: precision of
    its expected frequency. Numbers, or tensors [subjects, 1].
    """
    o1, o2, x, v, k1, k2, w, a = sympy.symbols("o1 o2 x v k1 k2 w a")
    visible = sympy.Piecewise((1, x < sympy.nsimplify(edge)), (0, True)) if occluder else sympy.Integer(1)
    response = [o1, o2, *[sympy.exp(-((k - x + o1) ** 2)) * visible for k in range(-8, 9)]]
    model = Model(
        [
            Level(
                states={o1: 0.0, o2: 0.0, x: 0.0},
                causes=[v],
                flow=[o2, (v - o1) / 4 - o2 / 2, v - x],
                response=response,
                V=math.exp(4),
                W=math.exp(4),
            ),
            Level(
                states={k1: 0.0, k2: 0.0},
                causes=[w],
                flow=[k2 * w / 8, -k1 * w / 8],
                response=[k1],
                V=math.exp(4),
                W=W2,
            ),
            Level(V=V3),
        ]
    )
    process = Model(
        [
            Level(
                states={o1: 0.0, o2: 0.0, x: 0.0},
                causes=[v],
                actions={a: 0.0},
                flow=[o2, a / 4 - o2 / 8, v - x],
                response=response,
                V=math.exp(16),
                W=math.exp(16),
            ),
            Level(V=math.exp(16)),
        ],
        gain=math.exp(4) * torch.tensor([1.0] * 2 + [0.0] * 17, dtype=torch.float64),
    )
    return model, process


def _pursuit(delay: int = 0) -> Simulation:
    model, process = pursuit_models()
    expected = torch.ones(128, 1, dtype=torch.float64)
    expected[64:] = -1
    causes = torch.ones(128, 1, dtype=torch.float64)
    causes[64 + delay :] = -1
    return Simulation("act", model, process, causes, prior_u=expected, orders=(4, 1))


def _occlusion(
    *, precise: bool = True, occluder: bool = True, reversal: bool = False, learn: bool = False
) -> Simulation:
    bins = 128 if learn else 64
    model, process = occlusion_models(occluder, math.exp(4) if precise else 1.0, math.exp(-4) if learn else math.exp(4))
    t = torch.arange(1, bins + 1, dtype=torch.float64)[:, None]
    causes = torch.where(t > 16, torch.sin(RATE * t), 0.0)
    if reversal:
        causes = torch.where(t >= 50, -causes, causes)
    expected = torch.full((bins, 1), RATE / 8 if learn else 8 * RATE, dtype=torch.float64)
    return Simulation("act", model, process, causes, prior_u=expected, orders=(4, 1))


def occluded(cycles: float, edge: float) -> Simulation:
    """The published task with another number of cycles from where the target sets out, and another occluder."""
    published = _occlusion()
    bins = 16 + round(32 * cycles)
    t = torch.arange(1, bins + 1, dtype=torch.float64)[:, None]
    model, process = occlusion_models(W2=_PRECISE, edge=edge)
    return published.changed(
        model=model,
        process=process,
        causes=torch.where(t > 16, torch.sin(RATE * t), 0.0),
        prior_u=torch.full((bins, 1), 8 * RATE, dtype=torch.float64),
    )


RUNS = {
    "pursuit": {"expected_reversal": _pursuit, "unexpected_delay16": lambda: _pursuit(16)},
    "occlusion": {
        "fig1_occluded_highprec": _occlusion,
        "fig3_occluded_lowprec": lambda: _occlusion(precise=False),
        "fig4_reversal_highprec": lambda: _occlusion(occluder=False, reversal=True),
        "fig4_reversal_lowprec": lambda: _occlusion(precise=False, occluder=False, reversal=True),
        "fig5_learnfreq_highprec": lambda: _occlusion(occluder=False, learn=True),
        "fig6_learnfreq_lowprec": lambda: _occlusion(precise=False, occluder=False, learn=True),
    },
}
