"""Data from a model: its stochastic differential equations integrated in generalised coordinates, bin by bin."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from phantastic.errors import Refused
from phantastic.systems.filtering.generalised import embed, shift, smooth_noise
from phantastic.systems.filtering.linearise import polynomial, step
from phantastic.systems.filtering.model import Model
from phantastic.systems.filtering.result import Trajectory, by_level

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
            given = noise.pop(key := f"noise_{letter}{number}", None)
            if given is not None:
                given = torch.as_tensor(given, dtype=torch.float64)
                if given.shape[-2:] != (bins, size):
                    raise Refused(f"{key} is {list(given.shape)}; it must be [..., {bins} bins, {size} channels]")
            elif seed is None or not size:
                given = exogenous.new_zeros(bins, size)
            else:
                precision = torch.as_tensor(getattr(level, name), dtype=torch.float64)
                width = model.smoothness if level.smoothness is None else level.smoothness
                given = smooth_noise(precision.expand(*precision.shape[:-1], size), bins, width, seed, key)
            parts[letter].append(given)
    if noise:
        raise Refused(f"there is no noise called '{next(iter(noise))}' in a model of {len(model.levels)} levels")
    parts["z"][-1] = parts["z"][-1] + exogenous
    return tuple(  # type: ignore[return-value]
        embed(torch.cat([p.expand(*_batch(ps), -1, -1) for p in ps], -1), orders) for ps in parts.values()
    )


def _batch(tensors: list[Tensor]) -> torch.Size:
    return torch.broadcast_shapes(*(t.shape[:-2] for t in tensors))


class Course(NamedTuple):
    """Derivatives k = 0 ... length - 1, each divided by rate^k: of the data [k, ..., n, ny] (from k = 1), and of what
    drives the states at order 0 [k, ..., nx]; and their recurrence [..., length, length] for `linearise.step`."""

    data: Tensor
    forcing: Tensor
    recurrence: Tensor
    rate: float


class World:
    """A process: what its states x (order 0) and actions make of the innovations, and how it will move on."""

    def __init__(self, model: Model, exogenous: Tensor, orders: int, noise: Noise | None, seed: int | None):
        self.model, self.n = model, orders
        self.z, self.w = innovations(model, exogenous, orders, noise, seed)
        self.functions = model.dynamics(residual=False).bind(model.parameters)
        self.nx, self.nv, self.ny = model.nx, model.nv, model.ny
        self.no = self.ny + self.nv
        # Inputs shift to nothing within one pass of the orders at each level; from there the flow repeats itself.
        self.length = orders * (len(model.levels) - 1) + 1 + self.nx
        self._shift = shift(orders)
        self._ahead = torch.linalg.matrix_exp(self._shift)  # Taylor's series over one bin

    def observe(self, bin: int, x: Tensor, a: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Generalised outputs v~ [..., n, no] and states x~ [..., n, nx], and the slope there.

        x: states now [..., nx]; a: generalised actions [..., n, na]; before: v~ of the bin before. Where an output
        depends on a cause itself, its higher orders know the cause's as the bin before foretold them, as in SPM.
        """
        z, w = self.z[..., bin, :, :], self.w[..., bin, :, :]
        batch = torch.broadcast_shapes(z.shape[:-2], x.shape[:-1], a.shape[:-2])
        x, a, v = x.expand(*batch, -1), a.expand(*batch, -1, -1), z[..., 0, :].expand(*batch, -1)
        arrays: dict[str, Tensor] = {}
        for _ in self.model.levels[:-1]:  # from the top down
            arrays = self.functions(torch.cat([x, v[..., self.ny :], a[..., 0, :]], -1))
            v = arrays["value"][..., : self.no] + z[..., 0, :]
        slope = arrays["slope"]
        send, flow = slope[..., : self.no, :].mT, slope[..., self.no :, :].mT
        foretold = z.new_zeros(self.n, self.nv) if before is None else self._ahead @ before[..., self.ny :]
        foretold = foretold.expand(*batch, -1, -1)
        outputs, states = [v], [x, arrays["value"][..., self.no :] + w[..., 0, :]]
        for order in range(1, self.n):
            x, known = states[order], a[..., order, :]
            v = _times(torch.cat([x, foretold[..., order, :], known], -1), send) + z[..., order, :]
            outputs.append(v)
            states.append(_times(torch.cat([x, v[..., self.ny :], known], -1), flow) + w[..., order, :])
        return torch.stack(outputs, -2), torch.stack(states[: self.n], -2), slope

    def course(self, bin: int, v: Tensor, x: Tensor, slope: Tensor) -> "Course":
        """How data and states run on within the bin by themselves.

        After the inputs have shifted out, the derivatives obey the characteristic polynomial of the flow's own slope,
        so the finite list continues itself exactly.
        """
        D, nx, no = self._shift, self.nx, self.no
        flow = slope[..., no:, :nx]
        rate = max(1.0, float(flow.abs().sum(-1).max())) if nx else 1.0
        D, slope = D / rate, slope[..., : nx + self.nv].mT / rate
        drive = slope[..., nx:, no:] * rate
        z, w = self.z[..., bin, :, :], self.w[..., bin, :, :]
        data, forcing = (
            [torch.zeros_like(v[..., : self.ny])],
            [x[..., 1, :] if self.n > 1 else torch.zeros_like(x[..., 0, :])],
        )
        dv, dx = D @ v, D @ x
        for k in range(1, self.length):
            data.append(dv[..., : self.ny])
            forcing.append((dv[..., :1, self.ny :] @ drive)[..., 0, :])
            change = torch.cat([dx, dv[..., self.ny :]], -1) @ slope
            dv, dx = self._shift @ change[..., :no], change[..., no:]
            if k < self.n:  # later, the innovations have shifted out
                z, w = D @ z, D @ w
                forcing[-1] = forcing[-1] + w[..., 0, :]
                dv, dx = dv + D @ z, dx + w / rate
        return Course(torch.stack(data), torch.stack(forcing), self._recurrence(flow / rate, rate), rate)

    def _recurrence(self, flow: Tensor, rate: float) -> Tensor:
        law = (polynomial(self.length) * rate).expand(*flow.shape[:-2], -1, -1)
        if not self.nx:
            return law
        eye = torch.eye(self.nx, dtype=torch.float64)
        power, coefficients = eye.expand_as(flow), []  # Faddeev and Le Verrier
        for k in range(1, self.nx + 1):
            product = flow @ power
            c = -product.diagonal(dim1=-2, dim2=-1).sum(-1) / k
            coefficients.insert(0, c)
            power = product + c[..., None, None] * eye
        closing = torch.nn.functional.pad(-rate * torch.stack(coefficients, -1), (self.length - self.nx, 0))
        return torch.cat([law[..., :-1], (law[..., -1] + closing)[..., None]], -1)

    def start(self) -> Tensor:
        """The initial states [..., nx]."""
        return stack_initial([x for level in self.model.levels for x in level.states.values()])

    def trajectory(self, outputs: list[Tensor], states: list[Tensor]) -> Trajectory:
        """What happened, from order-0 outputs and states of every bin."""
        sizes = [len(level.states) for level in self.model.levels]
        v, x = torch.stack(outputs, -2), torch.stack(states, -2)
        return Trajectory(
            by_level(x, sizes), by_level(v, self.model.outputs),
            by_level(self.z[..., 0, :], self.model.outputs), by_level(self.w[..., 0, :], sizes),
        )  # fmt: skip


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
    the model's precisions, or are zero without one. Raises `Refused` where the process diverges, naming the bin.
    """
    world = World(model, torch.as_tensor(causes, dtype=torch.float64), orders[0] + 1, noise, seed)
    x, v, outputs, states = world.start(), None, [], []
    none = x.new_zeros(world.n, model.na)
    for bin in range(world.z.shape[-3]):
        v, motion, slope = world.observe(bin, x, none, v)
        outputs.append(v[..., 0, :])
        states.append(motion[..., 0, :])
        v = torch.cat([v[..., :-1, :], torch.zeros_like(v[..., -1:, :])], -2)  # here SPM leaves out the last order
        course = world.course(bin, v, motion, slope)
        x = motion[..., 0, :] + step(
            slope[..., world.no :, : world.nx], course.forcing.movedim(0, -2), course.recurrence
        )
        if not bool(x.isfinite().all()):
            raise Refused(f"the process diverges at bin {bin + 1}: its states are no longer finite")
    return world.trajectory(outputs, states)
