"""Active inference with precisions that depend on beliefs: attention and sensory attenuation (Feldman & Friston 2010;
Brown, Adams, Parees, Edwards & Friston 2013, Cogn Process 14:411)."""

from torch import Tensor

from phantastic.inference.action import Agent
from phantastic.inference.generation import Noise
from phantastic.inference.model import Model
from phantastic.inference.result import Result


def attenuate(
    model: Model,
    process: Model,
    exogenous: Tensor,
    *,
    prior_u: Tensor | None = None,
    orders: tuple[int, int] = (6, 2),
    noise: Noise | None = None,
    seed: int | None = None,
) -> Result:
    """As `act`, where the model's log-precisions ``log_V`` and ``log_W`` may be functions of its states and causes.

    Beliefs then also move to where their precision suits the size of their errors. As in SPM's ALAP, beliefs have no
    prior of their own, the entropy is left out of the free energy, and so are errors whose log-precision at the start
    is 8 or more.
    """
    agent = Agent(model, process, exogenous, prior_u, orders, noise, seed, shrinkage=0.0)
    g = agent.g
    precision = agent.precision(agent.functions(g.full(agent.init().u)[..., 0, :]))
    included = (precision.log() < 8 - 1e-12).double()[..., None]
    return agent.result(agent.run(), included.expand(*included.shape[:-1], g.n), False)
