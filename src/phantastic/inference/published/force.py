"""Sensory attenuation and the force-matching illusion.

Brown, Adams, Parees, Edwards & Friston (2013) Active inference, sensory attenuation and illusions, Cogn Process 14:411.
"""

import math

import sympy
import torch
from torch import Tensor

from phantastic.inference.model import Level, Model, Number
from phantastic.inference.published.simulation import Simulation, bump, kept_noise
from phantastic.inference.result import Result

CONFIDENCE = 1.694  # standard deviations below the perceived force that are matched (the demonstration's constant)


def force_models(attenuation: Number = 6.0, delusion: Number = 0.0) -> tuple[Model, Model]:
    """Beliefs and world of a hand that can press, and be pressed by another force.

    attenuation: how far the log-precision of the senses falls with intended and perceived force of one's own.
    delusion: what compensates for failing attenuation: added to the log-precisions of prior beliefs. Numbers or tensors
    [subjects].
    """
    x1, x2, v1, v2, h, x, v, a = sympy.symbols("x1 x2 v1 v2 h x v a")
    more = torch.as_tensor(delusion, dtype=torch.float64)[..., None]
    model = Model(
        [
            Level(
                states={x1: 0.0, x2: 0.0},
                causes=[v1, v2],
                flow=[v1 - x1 / 4, v2 - x2 / 4],
                response=[x1, x1 + x2],
                parameters={h: attenuation},
                log_V=[8 - h * sympy.tanh(v1 + x1)] * 2,
                W=torch.exp(4 + more),
            ),
            Level(V=torch.cat([torch.exp(6 + more), torch.ones_like(more)], -1)),
        ]
    )
    process = Model(
        [
            Level(
                states={x: 0.0},
                causes=[v],
                actions={a: 0.0},
                flow=[sympy.tanh(a) - x / 4],
                response=[x, v + x],
                V=math.exp(8),
                W=math.exp(8),
            ),
            Level(V=math.exp(16)),
        ],
        gain=torch.tensor([1.0, 0.0], dtype=torch.float64),
    )
    return model, process


def pressing(attenuation: Number = 6.0, delusion: Number = 0.0, force: float = 1.0, bins: int = 32) -> Simulation:
    """An intention to press: a prior belief in an own force, a bump of height ``force`` around bin 16."""
    model, process = force_models(attenuation, delusion)
    intended = torch.cat([force * bump(bins, 16, 16), torch.zeros(bins, 1, dtype=torch.float64)], -1)
    noise = kept_noise("force") if bins == 32 else None
    causes = torch.zeros(bins, 1, dtype=torch.float64)
    return Simulation("attenuate", model, process, causes, intended, (4, 2), noise=noise)


def replayed(experiment: Simulation, force: Tensor) -> Simulation:
    """The same hand for twice the time; in the second half ``force`` [bins, 1] presses from outside."""
    nothing = torch.zeros_like(force)
    intended = torch.cat([experiment.prior_u, torch.zeros_like(experiment.prior_u)])  # type: ignore[arg-type]
    return experiment.changed(causes=torch.cat([nothing, force]), prior_u=intended, noise=None)


def matched(result: Result) -> Tensor:
    """The own force that a person would report as equal, over time [..., bins]: perceived, with a margin for doubt."""
    perceived, doubt = result.x[1][..., 0], result.covariance.x[..., 0, 0].sqrt()
    return perceived - CONFIDENCE * doubt


def _replay(perceived: bool, delusion: float = 0.0, force: float = 1.0) -> Simulation:
    alone = pressing(6.0 - delusion, delusion, force)
    first = alone.run()
    outside = matched(first)[..., None] if perceived else first.process.x[1]  # type: ignore[union-attr]
    return replayed(alone, outside)


RUNS = {
    "attenuation": {
        **{f"self_hE{h:+d}": (lambda h=h: pressing(float(h))) for h in range(-4, 7)},
        "fig4_replay_true": lambda: _replay(perceived=False),
        "fig5_replay_perceived": lambda: _replay(perceived=True),
        **{f"fig6_normal_F{F:g}": (lambda F=F: pressing(6.0, 0.0, F)) for F in (0.5, 1.0, 1.5, 2.0)},
        **{f"fig6_delusion_F{F:g}": (lambda F=F: pressing(4.0, 2.0, F)) for F in (0.5, 1.0, 1.5, 2.0)},
        "fig7_delusion_D4_self": lambda: pressing(2.0, 4.0, 2.0),
        "fig7_delusion_D4_replay": lambda: _replay(perceived=True, delusion=4.0, force=2.0),
    }
}
