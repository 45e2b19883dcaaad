"""Data from a model: its stochastic differential equations integrated in generalised coordinates, bin by bin."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.divergence import first
from phantastic.inference.generalised import embed, shift, smooth_noise
from phantastic.inference.linearise import polynomial, step
from phantastic.inference.model import Model
from phantastic.inference.result import Trajectory, by_level

Noise = Mapping[str, Tensor]


def innovations(
    model: Model, exogenous: Tensor, orders: int, noise: Noise | None, seed: int | None
) -> tuple[Tensor, Tensor]:
    """z~ (outputs of all levels, the last with the exogenous causes) and w~, [..., bins, orders, channels].

    ``noise``: arrays ``noise_z1``, ``noise_w1``, ... [..., bins, channels]; what is absent is drawn from ``seed``, or
    is zero without a seed. Raises `Refused` for a name or a shape that does not fit.
    """
    noise, bins = dict(noise or {}), exogenous.shape[-2]
    parts: dict[str, list[Tensor]] = {"z": [], "w": []}
    sizes = {"z": model.outputs, "w": [len(level.states) for level in model.levels]}
    for letter, name in (("z", "V"), ("w", "W")):
        for number, (level, size) in enumerate(zip(model.levels, sizes[letter], strict=True), start=1):
            series = noise.pop(key := f"noise_{letter}{number}", None)
            if series is not None:
                series = torch.as_tensor(series, dtype=torch.float64)
                if series.shape[-2:] != (bins, size):
                    raise Refused(f"{key} is {list(series.shape)}; it must be [..., {bins} bins, {size} channels]")
            elif seed is None or not size:
                series = exogenous.new_zeros(bins, size)
            else:
                precision = torch.as_tensor(getattr(level, name), dtype=torch.float64)
                width = model.smoothness if level.smoothness is None else level.smoothness
                series = smooth_noise(precision.expand(*precision.shape[:-1], size), bins, width, seed, key)
            parts[letter].append(series)
    if noise:
        raise Refused(f"there is no noise called '{next(iter(noise))}' in a model of {len(model.levels)} levels")
    parts["z"][-1] = parts["z"][-1] + exogenous
    return tuple(  # type: ignore[return-value]
        embed(torch.cat([p.expand(*_batch(ps), -1, -1) for p in ps], -1), orders) for ps in parts.values()
    )


def _batch(tensors: list[Tensor]) -> torch.Size:
    return torch.broadcast_shapes(*(t.shape[:-2] for t in tensors))


class Course(NamedTuple):
    """Derivatives k, each divided by rate^k: of the data [length - 1, ..., n, ny] from k = 1, and of what drives the
    states at order 0 [length, ..., nx] from k = 0; and their recurrence [..., length, length] for `linearise.step`.

    powers: of the flow's slope, each divided by that of the rate, [powers, ..., nx, nx].
    """

    data: Tensor
    forcing: Tensor
    recurrence: Tensor
    powers: Tensor
    rate: float


class World:
    """A process: what its states x (order 0) and actions make of the innovations, and how it will move on."""

    def __init__(self, model: Model, exogenous: Tensor, orders: int, noise: Noise | None, seed: int | None):
        self.model, self.n = model, orders
        self.z, self.w = innovations(model, exogenous, orders, noise, seed)
        self.functions = model.dynamics(residual=False).bind(model.parameters)
        self.nx, self.nv, self.ny, self.na = model.nx, model.nv, model.ny, model.na
        self.no = self.ny + self.nv
        # Inputs shift to nothing within one pass of the orders at each level; from there the flow repeats itself.
        passing = orders * (len(model.levels) - 1)
        self.length = passing + 1 + self.nx
        self._driven = passing if self.nv == model.nc else passing + self.nx  # levels in between never cease to send
        self._ahead = torch.linalg.matrix_exp(shift(orders))  # Taylor's series over one bin
        k = torch.arange(self.nx)
        self._law, self._count = polynomial(self.length), torch.diag(k + 1.0)
        self._apart = (k[:, None] - k - 1).clamp(min=0)

    def start(self) -> Tensor:
        """The initial states [..., nx], of all subjects."""
        x = stack_initial([x for level in self.model.levels for x in level.states.values()])
        batch = torch.broadcast_shapes(x.shape[:-1], self.functions.batch, self.z.shape[:-3], self.w.shape[:-3])
        return x.expand(*batch, -1)

    def observe(self, bin: int, x: Tensor, a: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Generalised outputs v~ [..., n, no] and states x~ [..., n, nx], and the slope there.

        x: states now [..., nx]; a: generalised actions [..., n, na]; before: v~ of the bin before. Where an output
        depends on a cause itself, its higher orders know the cause's as the bin before foretold them, as in SPM.
        """
        no, z, w = self.no, self.z[..., bin, :, :], self.w[..., bin, :, :]
        v, arrays = z[..., 0, :].expand(*x.shape[:-1], -1), {}
        for _ in self.model.levels[:-1]:  # from the top down
            arrays = self.functions(torch.cat([x, v[..., self.ny :], a[..., 0, :]], -1))
            v = arrays["value"][..., :no] + z[..., 0, :]
        by_x, by_v, by_a = (part.mT for part in arrays["slope"].split([self.nx, self.nv, self.na], -1))
        from_actions = a @ by_a  # of every order, but for what the states themselves add
        outputs, motion = from_actions[..., :no] + z, from_actions[..., no:] + w
        if before is not None:
            outputs = outputs + self._ahead @ before[..., self.ny :] @ by_v[..., :no]
        motion = motion + outputs[..., self.ny :] @ by_v[..., no:]
        flow = by_x[..., no:] + by_x[..., self.ny : no] @ by_v[..., no:]
        states = [x, arrays["value"][..., no:] + w[..., 0, :]]
        for order in range(1, self.n - 1):
            states.append(_times(states[order], flow) + motion[..., order, :])
        x = torch.stack(states[: self.n], -2)
        outputs = torch.cat([v[..., None, :], (outputs + x @ by_x[..., :no])[..., 1:, :]], -2)
        return outputs, x, arrays["slope"]

    def course(self, bin: int, v: Tensor, x: Tensor, slope: Tensor) -> Course:
        """How data and states run on within the bin by themselves.

        After the inputs have shifted out, the derivatives obey the characteristic polynomial of the flow's own slope,
        so the finite list continues itself exactly.
        """
        n, nx, ny, no, driven = self.n, self.nx, self.ny, self.no, self._driven
        by = slope[..., : nx + self.nv].mT
        own = torch.cat([by[..., no:], by[..., ny:no]], -1)
        rate = max(1.0, float(own[..., :nx, :nx].abs().sum(-2).max())) if nx else 1.0
        scale = (1 / rate) ** torch.arange(self.length, dtype=torch.float64).reshape(-1, *[1] * x.ndim)
        powers = _powers(own[..., :nx, :nx].mT / rate, max(nx, n - 1))

        z, w = (innovation[..., bin, :, :].expand(*x.shape[:-2], -1, -1) for innovation in (self.z, self.w))
        inputs = torch.nn.functional.pad(torch.cat([w, z[..., ny:], z[..., :ny]], -1), (0, 0, 0, driven))
        inputs = inputs.unfold(-2, n, 1).movedim(-3, 0).mT  # what is left after each shift, [driven + 1, ..., n, :]
        points = [_moved(torch.cat([x, v[..., ny:]], -1))]  # derivatives of states and causes, from the first on
        for k in range(1, driven):
            change = points[-1] @ own + inputs[k, ..., : nx + self.nv]
            points.append(torch.cat([change[..., :nx], _moved(change[..., nx:])], -1))
        point, inputs = torch.stack(points) * scale[1 : driven + 1], inputs[1:] * scale[1 : driven + 1]
        forcing = torch.cat(
            [
                x[None, ..., 1, :] if n > 1 else torch.zeros_like(x[None, ..., 0, :]),
                (point[..., nx:] @ by[..., nx:, no:] + inputs[..., :nx])[..., 0, :],
                x.new_zeros(self.length - 1 - driven, *x.shape[:-2], nx),
            ]
        )
        sent = [v[None, ..., :ny], point @ by[..., :ny] + inputs[..., nx + self.nv :]]
        if driven < self.length - 1:
            sent.append(point[-1, ..., :nx] @ powers[1 : nx + 1].mT @ by[..., :nx, :ny])
        data = _moved(torch.cat(sent)[:-1]) / rate
        return Course(data, forcing, self._recurrence(powers, rate), powers, rate)

    def _recurrence(self, powers: Tensor, rate: float) -> Tensor:
        nx = self.nx
        law = (self._law * rate).repeat(*powers.shape[1:-2], 1, 1)
        if nx:
            sums = powers[1 : nx + 1].diagonal(dim1=-2, dim2=-1).sum(-1).movedim(0, -1)  # of the eigenvalues' powers
            newton = sums[..., self._apart].tril(-1) + self._count
            coefficients = torch.linalg.solve_triangular(newton, sums[..., None], upper=False)
            law[..., -nx:, -1:] += rate * coefficients.flip(-2)
        return law

    def trajectory(self, outputs: list[Tensor], states: list[Tensor]) -> Trajectory:
        """What happened, from order-0 outputs and states of every bin."""
        sizes = [len(level.states) for level in self.model.levels]
        v, x = torch.stack(outputs, -2), torch.stack(states, -2)
        return Trajectory(
            x=by_level(x, sizes),
            v=by_level(v, self.model.outputs),
            z=by_level(self.z[..., 0, :], self.model.outputs),
            w=by_level(self.w[..., 0, :], sizes),
        )


def _powers(matrix: Tensor, most: int) -> Tensor:
    """The powers 0 ... most, [most + 1, ..., k, k]."""
    powers = torch.stack([torch.eye(matrix.shape[-1], dtype=torch.float64).expand_as(matrix), matrix])
    while len(powers) <= most:
        powers = torch.cat([powers, powers[1:] @ powers[-1]])
    return powers[: most + 1]


def _moved(w: Tensor) -> Tensor:
    """The derivative D w of generalised coordinates [..., n, k]."""
    return torch.nn.functional.pad(w[..., 1:, :], (0, 0, 0, 1))


def _times(vector: Tensor, matrix: Tensor) -> Tensor:
    return (vector[..., None, :] @ matrix)[..., 0, :]


def stack_initial(values: list) -> Tensor:
    """Numbers, or tensors [subjects], as one tensor [..., values]."""
    tensors = [torch.as_tensor(value, dtype=torch.float64) for value in values]
    return torch.stack(torch.broadcast_tensors(*tensors), -1) if tensors else torch.zeros(0, dtype=torch.float64)


def generate(
    model: Model,
    causes: Tensor,
    *,
    orders: tuple[int, int] = (6, 2),
    noise: Noise | None = None,
    seed: int | None = None,
) -> Trajectory:
    """Data from ``model`` driven by ``causes`` [..., bins, causes of the last level].

    noise: arrays ``noise_z1``, ``noise_w1``, ... [..., bins, channels] to be used; others are drawn from ``seed`` with
    the model's precisions, or are zero without one. Any of these, initial states and parameters may have leading axes
    of subjects. Raises `Refused` where the process diverges, naming the bin, the subject and the level.
    """
    world = World(model, torch.as_tensor(causes, dtype=torch.float64), orders[0] + 1, noise, seed)
    x, v, outputs, states = world.start(), None, [], []
    no_action = x.new_zeros(*x.shape[:-1], world.n, model.na)
    for bin in range(world.z.shape[-3]):
        v, motion, slope = world.observe(bin, x, no_action, v)
        outputs.append(v[..., 0, :])
        states.append(motion[..., 0, :])
        v = torch.cat([v[..., :-1, :], torch.zeros_like(v[..., -1:, :])], -2)  # here SPM leaves out the last order
        course = world.course(bin, v, motion, slope)
        x = motion[..., 0, :] + step(
            slope[..., world.no :, : world.nx], course.forcing.movedim(0, -2), course.recurrence
        )
    trajectory = world.trajectory(outputs, states)
    for kind, levels in (("states", trajectory.x), ("outputs", trajectory.v)):
        for number, array in levels.items():
            if not bool((finite := array.isfinite()).all()):
                raise Refused(f"the process diverges at {first(~finite)[2]}: {kind} of level {number} are not finite")
    return trajectory
