"""Active inference: perception and action follow the same free energy, in a world of their own (Friston et al. 2010).

The world (process) and the beliefs about it (model) move together through each bin:

    dx/dt = f(x, v, a) + w,        y = g(x, v, a) + z                      the process
    du~/dt = D u~ - dE/du' P E,    da/dt = -dE/da' G E                      perception and action

Action knows prediction errors through the ``gain`` G of the process, and only those of the senses. What the process
does by itself within a bin (inputs that shift, states that run on) enters as a short exact recurrence; see `generate`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.divergence import astray, deviations, first, refusal
from phantastic.inference.filter import initial
from phantastic.inference.generalised import embed_last
from phantastic.inference.generation import Course, Noise, World, stack_initial
from phantastic.inference.linearise import step
from phantastic.inference.model import LogPrecision, Model, Prior
from phantastic.inference.prediction_errors import Geometry
from phantastic.inference.result import (
    Covariance,
    Parts,
    Result,
    beliefs,
    constant,
    covariance,
    log_likelihood,
)
from phantastic.inference.unknowns import check_series

_SHRINKAGE = math.exp(-8)  # prior precision of states and causes, and of action, as in SPM's ADEM
_RELUCTANCE = math.exp(-2)


def act(
    model: Model,
    process: Model,
    exogenous: Tensor,
    *,
    prior_u: Tensor | None = None,
    orders: tuple[int, int] = (6, 2),
    noise: Noise | None = None,
    seed: int | None = None,
) -> Result:
    """Perception of, and action upon, ``process``, which ``exogenous`` causes [..., bins, causes] drive.

    prior_u: prior mean of the model's last causes [..., bins, causes] (0): what the agent expects, and so brings about.
    noise: arrays ``noise_z1``, ``noise_w1``, ... of the process; others are drawn from ``seed`` with its precisions, or
    are zero without one. Any of these, precisions, initial states and parameters may have leading axes of subjects.
    Raises `Refused` where the two do not fit together, and where beliefs or world diverge, naming the bin, the subject
    and the level.
    """
    if model.state_dependent:
        raise Refused("the model's precision depends on its states: use `attenuate`")
    agent = Agent(model, process, exogenous, prior_u, orders, noise, seed, _SHRINKAGE)
    included = torch.ones(agent.g.rows, agent.g.n, dtype=torch.float64)
    return agent.result(agent.run(), included, True)


class State(NamedTuple):
    """All that a bin hands to the next: beliefs [..., nu], the world's states [..., nx], the latest actions [..., na]
    (as many as there are orders, the present one last), and the world's generalised outputs of the bin before."""

    bin: int
    u: Tensor
    x: Tensor
    actions: tuple[Tensor, ...]
    v: Tensor | None


class Info(NamedTuple):
    """A bin as it went: beliefs u and action a at its start, the senses y in generalised coordinates [..., n, ny], the
    world's outputs v and states x."""

    u: Tensor
    a: Tensor
    y: Tensor
    v: Tensor
    x: Tensor


class Agent:
    """A model in a process: `init` gives the first state, `step` the next one; nothing is kept in between."""

    def __init__(
        self,
        model: Model,
        process: Model,
        exogenous: Tensor,
        prior_u: Tensor | None,
        orders: tuple[int, int],
        noise: Noise | None,
        seed: int | None,
        shrinkage: float,
    ):
        _fit(model, process)
        self.g = g = Geometry(model, orders)
        exogenous = check_series("exogenous", exogenous, process.nc)
        if prior_u is not None:
            prior_u = check_series("prior_u", prior_u, model.nc, exogenous.shape[-2])
        self.world = World(process, exogenous, g.n, noise, seed)
        self.functions = model.dynamics(residual=True).bind(model.parameters)
        self.fixed = g.precisions()
        self.data = g.data(exogenous.new_zeros(exogenous.shape[-2], g.ny), prior_u, every_order=True)
        gain = torch.as_tensor(process.gain, dtype=torch.float64)
        gain = gain.expand(*gain.shape[:-1], g.ny)
        self.gain = torch.nn.functional.pad(gain, (0, g.rows - g.ny))
        self.prior = shrinkage * g.temporal_product(
            [torch.eye(g.m, dtype=torch.float64)],
        )
        self.bins = exogenous.shape[-2]

    def init(self) -> State:
        """The state before the first bin."""
        g, world = self.g, self.world
        start = [self.functions.batch, world.functions.batch, self.fixed.shape[:-1], self.gain.shape[:-1]]
        start += [self.data.shape[:-3], world.z.shape[:-3], world.w.shape[:-3], world.start().shape[:-1]]
        u = g.flat(initial(g, self.functions))
        batch = torch.broadcast_shapes(u.shape[:-1], *start)
        a = stack_initial([a for level in world.model.levels for a in level.actions.values()])
        return State(0, u.expand(*batch, -1), world.start().expand(*batch, -1), (a.expand(*batch, -1),), None)

    def step(self, state: State) -> tuple[State, Info]:
        """One bin: the world is observed, and then world, beliefs and action move on together."""
        bin, u, x, actions, before = state
        v, x_true, slope = self.world.observe(bin, x, embed_last(actions, self.g.n), before)
        y = v[..., : self.g.ny]
        dx, du, da = self.change(bin, u, actions[-1], y, v, x_true, slope)
        later = (*actions, actions[-1] + da)[-self.g.n :]
        info = Info(u, actions[-1], y, v[..., 0, :], x_true[..., 0, :])
        return State(bin + 1, u + du, x_true[..., 0, :] + dx, later, v), info

    def run(self) -> list[Info]:
        """All bins, from the first."""
        state, infos = self.init(), []
        for _ in range(self.bins):
            state, info = self.step(state)
            infos.append(info)
        return infos

    def change(
        self, bin: int, u: Tensor, a: Tensor, y: Tensor, v_true: Tensor, x_true: Tensor, slope_true: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What one bin does to the world's states, to beliefs and to action."""
        g = self.g
        w = g.full(u)
        arrays = self.functions(w[..., 0, :])
        slope, precision = arrays["slope"], self.precision(arrays)
        course = self.world.course(bin, v_true, x_true, slope_true)
        by_action = self.by_action(slope_true, course)
        prior = self.data[..., bin, :, :]
        errors = g.errors(_pad(y, g.rows) + prior, w, arrays["value"], slope)
        change = torch.cat([course.data, by_action])
        stack = errors.new_zeros(1 + len(change), *errors.shape)  # errors, how they run on, how they answer to action
        stack[0], stack[1:, ..., : g.ny] = errors, change
        prior = prior * g.early  # within the bin, prior means move as far as causes have orders
        for k in range(1, min(g.d, len(course.data) + 1)):
            stack[k, ..., : g.n - k, :] += prior[..., k:, :] / course.rate**k
        weighed = g.weigh(stack, precision)
        back = g.back(weighed, slope)
        length, nx, na = 1 + len(course.data), self.world.nx, len(by_action)
        flow = back[0] + ((g.D - self.prior) @ u[..., None])[..., 0]
        if "log_precision" in arrays:
            flow = flow + self.towards_precision(arrays, (weighed[0] * errors).sum(-2))

        gained = g.weigh(stack[length:], self.gain)
        to_action = -torch.einsum("a...jr,k...jr->...ka", gained, stack[:length])
        among = -torch.einsum("a...jr,b...jr->...ab", gained, stack[length:]) - _RELUCTANCE * torch.eye(
            na, dtype=torch.float64
        )
        curvature = g.curvature(slope, precision) + self.prior
        blocks = {
            (0, 0): slope_true[..., self.world.no :, :nx],
            (0, 2): slope_true[..., self.world.no :, nx + self.world.nv :],
            (1, 1): g.D - curvature,
            (1, 2): back[length:].movedim(0, -1),
            (2, 1): g.back(gained, slope).movedim(0, -2),
            (2, 2): among,
        }
        edges = [0, nx, nx + g.nu, nx + g.nu + na]
        jacobian = u.new_zeros(*stack.shape[1:-2], edges[-1], edges[-1])
        for (i, j), block in blocks.items():
            jacobian[..., edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = block
        forcing = u.new_zeros(*stack.shape[1:-2], length, edges[-1])
        forcing[..., :nx] = course.forcing.movedim(0, -2)
        forcing[..., nx : edges[2]] = torch.cat([flow[None], back[1:length]]).movedim(0, -2)
        forcing[..., edges[2] :] = to_action
        forcing[..., 0, edges[2] :] -= _RELUCTANCE * a
        return step(jacobian, forcing, course.recurrence).split([nx, g.nu, na], -1)  # type: ignore[return-value]

    def precision(self, arrays: dict[str, Tensor]) -> Tensor:
        """Precision of every row [..., rows]."""
        return self.fixed * arrays["log_precision"].exp() if "log_precision" in arrays else self.fixed

    def towards_precision(self, arrays: dict[str, Tensor], squares: Tensor) -> Tensor:
        """How beliefs move to precisions that suit the errors: the gradient by order-0 states and causes, [..., nu]."""
        g = self.g
        pull = -0.5 * ((squares - g.n)[..., None, :] @ arrays["log_precision_slope"])
        return g.flat(torch.nn.functional.pad(pull, (0, 0, 0, g.n - 1)))

    def by_action(self, slope: Tensor, course: Course) -> Tensor:
        """How generalised data respond to each action, [actions, ..., n, ny]."""
        nx, no, ny, n = self.world.nx, self.world.no, self.g.ny, self.g.n
        moving, sending = slope[..., no:, nx + self.world.nv :], slope[..., :ny, nx + self.world.nv :]
        rates = (course.rate ** torch.arange(n - 1, dtype=torch.float64)).reshape(-1, *[1] * slope.ndim)
        response = slope[..., :ny, :nx] @ (course.powers[: n - 1] * rates) @ moving
        return torch.cat([sending[None], response]).movedim(0, -2).movedim(-1, 0).transpose(-2, -1)

    def result(self, infos: list[Info], included: Tensor, count_entropy: bool) -> Result:
        """Everything about all bins at once. included: 0 or 1 for every order of every row, [..., rows, n]."""
        g = self.g
        us, actions, senses, outputs, states = (torch.broadcast_tensors(*series) for series in zip(*infos, strict=True))
        w, y = g.full(torch.stack(us, -2)), torch.stack(senses, -3)
        values = [v[..., None] if isinstance(v, Tensor) and v.ndim else v for v in g.model.parameters]
        arrays = g.model.dynamics(residual=True).bind(values)(w[..., 0, :])
        precision = self.fixed[..., None, :]
        if "log_precision" in arrays:
            precision = precision * arrays["log_precision"].exp()
        errors = g.errors(_pad(y, g.rows) + self.data, w, arrays["value"], arrays["slope"])
        self.check(w, y, deviations(errors, precision))
        rows = log_likelihood(g, errors, precision, included[..., None, :, :])
        accuracy = rows[..., : g.ny].sum((-1, -2)) - self.bins * constant(g)
        prior = rows[..., g.ny :].sum((-1, -2))
        spread, entropy = self.posterior(arrays["slope"], precision)
        entropy = entropy if count_entropy else torch.zeros_like(prior)
        parameters = [torch.as_tensor(value, dtype=torch.float64) for value in g.model.parameters]
        return Result(
            *beliefs(g, w, errors, y[..., 0, :]),
            a={len(self.world.model.levels): torch.stack(actions, -2)},
            covariance=spread,
            free_energy=(accuracy + prior + entropy)[..., None],
            parts=Parts(accuracy, -prior - entropy, entropy),
            precision=precision.expand(*errors.shape[:-2], -1),
            parameters=torch.stack(torch.broadcast_tensors(*parameters), -1)
            if parameters
            else torch.zeros(0, dtype=torch.float64),
            log_precisions=torch.zeros(0, dtype=torch.float64),
            process=self.world.trajectory(list(outputs), list(states)),
        )

    def check(self, w: Tensor, y: Tensor, deviation: Tensor) -> None:
        """Refuses beliefs that diverge, or a world that does while beliefs are still finite."""
        wrong = astray(deviation, deviation[..., 0, :])
        if not bool(wrong.any()):
            return
        bin, subject, where = first(wrong)
        finite = (s.isfinite().flatten(-2).all(-1).expand(wrong.shape[:-1]) for s in (w, y))
        believed, felt = (s.reshape(-1, self.bins)[subject, bin] for s in finite)
        if bool(believed & ~felt):
            raise Refused(f"the process diverges at {where}: its outputs (level 1) are no longer finite")
        raise refusal(self.g.model, deviation, wrong)

    def posterior(self, slope: Tensor, precision: Tensor) -> tuple[Covariance, Tensor]:
        """Covariances of states and causes at every bin, and the entropy of all coordinates summed over the bins.

        A few bins at a time, so that a cohort needs no more memory than its trajectories.
        """
        chunk = max(1, 4096 // max(1, math.prod(slope.shape[:-3])))
        spreads, entropy = [], torch.zeros((), dtype=torch.float64)
        precision = precision.expand(*slope.shape[:-2], -1)
        for slopes, precisions in zip(slope.split(chunk, -3), precision.split(chunk, -2), strict=True):
            root = torch.linalg.cholesky(self.g.curvature(slopes, precisions) + self.prior)
            spreads.append(covariance(self.g, torch.cholesky_inverse(root)))
            entropy = entropy - root.diagonal(dim1=-2, dim2=-1).log().sum((-1, -2))
        return Covariance(*(torch.cat([getattr(s, name) for s in spreads], -3) for name in ("x", "v"))), entropy


def _pad(y: Tensor, rows: int) -> Tensor:
    return torch.nn.functional.pad(y, (0, rows - y.shape[-1]))


def _fit(model: Model, process: Model) -> None:
    if model.ny != process.ny:
        raise Refused(f"the model predicts {model.ny} channels at level 1, the process sends {process.ny}")
    if not process.na:
        raise Refused("no level of the process has an action")
    if process.nx and model.na:
        raise Refused("actions belong to the process; the model has causes in their place")
    for number, level in enumerate([*model.levels, *process.levels]):
        learned = [level.V, level.W, *level.parameters.values()]
        if any(isinstance(value, Prior | LogPrecision) for value in learned):
            raise Refused(
                f"level {number % len(model.levels) + 1}: nothing is learned while acting; give numbers, not priors"
            )
