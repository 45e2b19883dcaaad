"""Handwriting by a sequence of attracting places, and its observation in another (Friston, Mattout & Kilner 2011)."""

import math

import sympy
import torch
from torch import Tensor

from phantastic.inference.model import Level, Model
from phantastic.inference.published.eye import lotka_volterra, softmax
from phantastic.inference.published.simulation import Simulation

PLACES = ((1.0, 1.0), (1.1, 1.2), (1.0, 0.4), (1.0, 1.0), (1.4, 0.9), (0.9, 1.0))
_MASS, _FRICTION = (4, 2), (8, 4)
BINS = 256
VIOLATED = 131  # bins before the forces are turned round


def arm_models() -> tuple[Model, Model]:
    """Beliefs and world of an arm with two joints, felt (angles, rates) and seen (elbow, hand)."""
    t1, t2, w1, w2, v = sympy.symbols("t1 t2 w1 w2 v")
    q, a, c = sympy.symbols("q1:7"), sympy.symbols("a1 a2"), sympy.symbols("c1 c2")
    elbow = sympy.Matrix([sympy.cos(t1), sympy.sin(t1)])
    hand = elbow + sympy.Matrix([-sympy.cos(t1 + t2), -sympy.sin(t1 + t2)])
    angles = {t1: math.pi / 2, t2: math.pi / 2, w1: 0.0, w2: 0.0}
    response = [t1, t2, w1, w2, *elbow, *hand]
    weights = softmax(q, sympy.Integer(2))
    goal = sympy.Matrix([sum(w * place[i] for w, place in zip(weights, PLACES, strict=True)) for i in (0, 1)])
    force = (goal - hand) / 2
    reach, turn = hand - elbow, sympy.Matrix([[0, -1], [1, 0]])
    torques = [(force.T * reach * reach.T * turn * elbow)[0], (force.T * turn * reach)[0]]
    believed = [
        (torque - (t - math.pi / 2) / 16 - k * w) / m
        for torque, t, w, k, m in zip(torques, (t1, t2), (w1, w2), _FRICTION, _MASS, strict=True)
    ]
    moved = [
        (action + cause - (t - math.pi / 2) / 4 - k * w) / m
        for action, cause, t, w, k, m in zip(a, c, (t1, t2), (w1, w2), _FRICTION, _MASS, strict=True)
    ]
    course = [sympy.Rational(4, 5) * f for f in lotka_volterra(q, sympy.Rational(1, 2))]
    model = Model(
        [
            Level(
                states={**angles, **dict(zip(q, [-1.0] + [-4.0] * 5, strict=True))},
                causes=[v],
                flow=[w1, w2, *believed, *course],
                response=response,
                V=math.exp(4),
                W=math.exp(8),
            ),
            Level(V=math.exp(8)),
        ]
    )
    process = Model(
        [
            Level(
                states=angles,
                causes=c,
                actions=dict.fromkeys(a, 0.0),
                flow=[w1, w2, *moved],
                response=response,
                V=math.exp(16),
                W=math.exp(16),
            ),
            Level(V=math.exp(16)),
        ],
        gain=math.exp(4) * torch.tensor([1.0] * 4 + [0.0] * 4, dtype=torch.float64),
    )
    return model, process


def _action() -> Simulation:
    model, process = arm_models()
    return Simulation("act", model, process, torch.zeros(BINS, 2, dtype=torch.float64), orders=(4, 2))


def observed(actions: Tensor) -> Simulation:
    """Somebody else's arm is moved by ``actions`` [bins, 2]; it is seen, not felt.

    The observer starts without a place in mind: all attractor states are 0. (The published description leaves their
    start open; this one gives the agreement with the actor that is reported, the actor's own start gives a better.)
    """
    model, process = arm_models()
    states = model.levels[0].states
    nowhere = dict.fromkeys(list(states)[-len(PLACES) :], 0.0)
    precision = torch.tensor([math.exp(-8)] * 4 + [math.exp(8)] * 4, dtype=torch.float64)
    return Simulation(
        "act",
        model.with_level(1, V=precision, states={**states, **nowhere}),
        Model(process.levels, gain=0.0),
        actions,
        orders=(4, 2),
    )


def _observation(violated: bool = False) -> Simulation:
    actions = _action().run().a[2]
    if violated:
        actions = torch.cat([actions[:VIOLATED], -actions[VIOLATED:]])
    return observed(actions)


RUNS = {
    "observe": {
        "action": _action,
        "observation": _observation,
        "observation_violation": lambda: _observation(violated=True),
    }
}
