"""The D-step: beliefs about states and causes follow the gradient of free energy as time moves on (Friston 2008, 2010).

    du~/dt = D u~ - dE/du' P E - dW/du / 2,

integrated over each bin by local linearisation, together with the data and the prior means, which only shift.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.linearise import expm1, polynomial, step
from phantastic.inference.prediction_errors import Geometry

_ASCENTS = 64  # steps in one bin of a model without hidden states, at most
_ENOUGH = 0.25  # of what a step promises, to be kept (Armijo): a step that only just gains leaps from wall to wall
_ROUNDING = 1e-14  # of the energy: below it a gain is not seen
_SETTLED = 1e-20  # nats that another step would gain, from which on none is made
_UNSETTLED = 1e-3  # nats that another step would gain, from which on the belief is not one to go by


class MeanField(NamedTuple):
    """What uncertain parameters add: their covariance [..., p, p] and the functions' derivatives by them."""

    learning: Any
    covariance: Tensor


def initial(geometry: Geometry, functions: Any) -> Tensor:
    """Generalised means at the start, [..., n, m]: initial states, and the causes they imply from the top down."""
    from phantastic.inference.generation import stack_initial

    model = geometry.model
    x = stack_initial([value for level in model.levels for value in level.states.values()])
    top = torch.as_tensor(model.levels[-1].initial, dtype=torch.float64)
    v = torch.cat(
        [top.new_zeros(*top.shape[:-1], geometry.nv - geometry.nc), top.expand(*top.shape[:-1], geometry.nc)], -1
    )
    x, v = _together(x, v)
    for _ in model.levels[:-1]:
        below = functions(torch.cat([x, v], -1))["value"][..., geometry.ny : geometry.ne] + v  # rows subtract v itself
        v, x = _together(
            torch.cat(
                [
                    below[..., : geometry.nv - geometry.nc],
                    v[..., geometry.nv - geometry.nc :].expand(*below.shape[:-1], -1),
                ],
                -1,
            ),
            x,
        )
    first = torch.cat([x, v], -1)
    return torch.cat([first[..., None, :], first.new_zeros(*first.shape[:-1], geometry.n - 1, geometry.m)], -2)


def _together(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    batch = torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    return a.expand(*batch, -1), b.expand(*batch, -1)


def ridge(geometry: Geometry) -> Tensor:
    """The smallest prior precision that SPM gives the coordinates."""
    return geometry.nu * torch.finfo(torch.float64).eps * torch.eye(geometry.nu, dtype=torch.float64)


def mean_field(geometry: Geometry, field: MeanField, w: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient [..., nu] and curvature [..., nu, nu] of W(u) = tr(C_p E_p' P E_p), without SPM's factor one half."""
    arrays = field.learning(w[..., 0, :])
    by, slope_by = arrays["by_parameter"], arrays["slope_by_parameter"]
    errors = -by_parameter(w, by, slope_by)  # [..., p, n, rows]
    weighed = geometry.weigh(errors, precision[..., None, :])
    mixed = (field.covariance @ weighed.flatten(-2)).unflatten(-1, weighed.shape[-2:])
    gradient = -torch.einsum("...pjr,...rcp->...jc", mixed, slope_by)
    pairs = [
        torch.einsum("...kl,...rak,...r,...rbl->...ab", field.covariance, slope_by, precision * mask, slope_by)
        for mask in geometry.masks
    ]
    return geometry.flat(gradient), geometry.temporal_product(pairs)


def uncertainty(geometry: Geometry, field: MeanField, w: Tensor, precision: Tensor) -> Tensor:
    """W(u) = tr(C_p E_p' P E_p) itself, [...]."""
    arrays = field.learning(w[..., 0, :])
    errors = by_parameter(w, arrays["by_parameter"], arrays["slope_by_parameter"])
    weighed = geometry.weigh(errors, precision[..., None, :])
    return (field.covariance @ weighed.flatten(-2) * errors.flatten(-2)).sum((-2, -1))


def by_parameter(w: Tensor, by: Tensor, slope_by: Tensor) -> Tensor:
    """Derivatives of predictions by parameters in every order, [..., p, n, rows]."""
    higher = torch.einsum("...rcp,...jc->...pjr", slope_by, w[..., 1:, :])
    return torch.cat([by.mT[..., None, :], higher], -2)


def follow(
    geometry: Geometry,
    functions: Any,
    data: Tensor,
    start: Tensor,
    precision: Tensor,
    field: MeanField | None = None,
    rate: float = 1.0,
) -> Tensor:
    """Generalised means before each bin's update, [..., bins, n, m]; without hidden states those that suit its data.

    data: [..., bins, n, rows]; start: [..., n, m]; precision: [..., rows]; rate: of the ascent. Where they diverge
    they are not finite.
    """
    run = _settle if not geometry.nx else _follow_affine if functions.affine else _follow
    batch = [start.shape[:-2], data.shape[:-3], precision.shape[:-1], functions.batch]
    batch += [field.covariance.shape[:-2], field.learning.batch] if field is not None else []
    start = start.expand(*torch.broadcast_shapes(*batch), -1, -1)
    return geometry.full(run(geometry, functions, data, start, precision, field, rate))


def _settle(
    geometry: Geometry,
    functions: Any,
    data: Tensor,
    start: Tensor,
    precision: Tensor,
    field: MeanField | None,
    rate: float,
) -> Tensor:
    """Without hidden states nothing joins the bins: as in SPM each begins anew and ascends on its own data.

    Gauss-Newton steps; one that gains less than a quarter of what it promises is taken back and halved. It gains by
    lowering the energy E' P E / 2 + u' u ridge / 2 (+ W / 4) or what another step would gain: the ascent is that of a
    response linear about u (as in DEM), so in higher orders of motion it does not end where the energy does. A model
    that is affine needs one. ``rate`` has no part in where they end. Raises `Refused` where they have
    not ended after 64 of them.
    """
    small = ridge(geometry)
    begin = geometry.flat(start)

    def at(u: Tensor, bin: int) -> tuple[Tensor, Tensor, Tensor]:
        w = geometry.full(u)
        arrays = functions(w[..., 0, :])
        slope = arrays["slope"]
        errors = geometry.errors(data[..., bin, :, :], w, arrays["value"], slope)
        weighed = geometry.weigh(errors, precision)
        ascent = geometry.back(weighed, slope) - small[0, 0] * u
        curvature = geometry.curvature(slope, precision) + small
        energy = (errors * weighed).sum((-2, -1)) / 2 + small[0, 0] * u.square().sum(-1) / 2
        if field is not None:
            gradient, extra = mean_field(geometry, field, w, precision)
            ascent, curvature = ascent - gradient / 2, curvature + extra / 2
            energy = energy + uncertainty(geometry, field, w, precision) / 4
        return energy, ascent, curvature

    path = []
    for bin in range(data.shape[-3]):
        u = begin
        energy, ascent, curvature = at(u, bin)
        length = torch.ones_like(energy)
        for _ in range(_ASCENTS):
            change = torch.linalg.solve(curvature, ascent[..., None])[..., 0]
            gain = (ascent * change).sum(-1)
            active = gain > _SETTLED
            if not bool(active.any()):
                break
            moved = u + length[..., None] * change
            new = at(moved, bin)
            lower = new[0] <= energy - _ENOUGH * length * gain + _ROUNDING * energy.abs()
            left = (new[1] * torch.linalg.solve(new[2], new[1][..., None])[..., 0]).sum(-1)
            nearer = left <= (1 - _ENOUGH * length) * gain
            better = (lower | nearer) & active  # a subject stops where it would alone
            u = torch.where(better[..., None], moved, u)
            energy = torch.where(better, new[0], energy)
            ascent = torch.where(better[..., None], new[1], ascent)
            curvature = torch.where(better[..., None, None], new[2], curvature)
            length = torch.where(better, (2 * length).clamp(max=1), length / 2)
        else:
            gain = (ascent * torch.linalg.solve(curvature, ascent[..., None])[..., 0]).sum(-1)
            if bool((gain > _UNSETTLED).any()):
                who = f" of subject {int(gain.reshape(-1).argmax()) + 1}" if gain.ndim else ""
                raise Refused(
                    f"beliefs do not settle at bin {bin + 1}{who}: after {_ASCENTS} steps another one would still gain "
                    f"{float(gain.max()):.1g} nats. Lower a precision, use a response that is less curved, or start "
                    "nearer to the data (`initial` of the last level)"
                )
        path.append(u)
    return torch.stack(torch.broadcast_tensors(*path), -2)


def _follow(
    geometry: Geometry,
    functions: Any,
    data: Tensor,
    start: Tensor,
    precision: Tensor,
    field: MeanField | None,
    rate: float,
) -> Tensor:
    u, path, small, recurrence = geometry.flat(start), [], ridge(geometry), polynomial(geometry.n)
    shifted = [data]
    for _ in range(geometry.n - 1):
        shifted.append(torch.nn.functional.pad(shifted[-1][..., 1:, :], (0, 0, 0, 1)))
    for bin in range(data.shape[-3]):
        path.append(u)
        w = geometry.full(u)
        arrays = functions(w[..., 0, :])
        slope = arrays["slope"]
        errors = geometry.errors(data[..., bin, :, :], w, arrays["value"], slope)
        stack = torch.stack([errors, *(later[..., bin, :, :].expand_as(errors) for later in shifted[1:])])
        forcing = geometry.back(geometry.weigh(stack, precision), slope)
        curvature = geometry.curvature(slope, precision) + small
        ascent = forcing[0] - small[0, 0] * u
        if field is not None:
            gradient, extra_curvature = mean_field(geometry, field, w, precision)
            ascent, curvature = ascent - gradient / 2, curvature + extra_curvature / 2
        flow = rate * ascent + (geometry.D @ u[..., None])[..., 0]
        forcing = torch.cat([flow[None], rate * forcing[1:]]).movedim(0, -2)
        u = u + step(geometry.D - rate * curvature, forcing, recurrence)
    return torch.stack(torch.broadcast_tensors(*path), -2)


def _follow_affine(
    geometry: Geometry,
    functions: Any,
    data: Tensor,
    start: Tensor,
    precision: Tensor,
    field: MeanField | None,
    rate: float,
) -> Tensor:
    """The same for functions that are affine in states and causes: one matrix exponential serves every bin."""
    zero, eye = torch.zeros_like(start), torch.eye(geometry.nu, dtype=torch.float64)
    arrays = functions(zero[..., 0, :])
    slope = arrays["slope"]
    curvature = geometry.curvature(slope, precision) + ridge(geometry)
    constant = torch.nn.functional.pad(-arrays["value"][..., None, :], (0, 0, 0, geometry.n - 1))
    offset = geometry.back(geometry.weigh(constant, precision), slope)
    # The flow of one unit of each coordinate; the last order has no error of its own, so this is not the curvature.
    units, slopes = geometry.full(eye).expand(*slope.shape[:-2], -1, -1, -1), slope[..., None, :, :]
    no_data = zero.new_zeros(geometry.n, geometry.rows)
    errors = geometry.errors(no_data, units, (units[..., :1, :] @ slopes.mT)[..., 0, :], slopes)
    ascent = geometry.back(geometry.weigh(errors, precision[..., None, :]), slope[..., None, :, :]).mT - ridge(geometry)
    if field is not None:
        gradient, extra_curvature = mean_field(geometry, field, zero, precision)
        offset, curvature, ascent = offset - gradient / 2, curvature + extra_curvature / 2, ascent - extra_curvature / 2
    rows = [*range(geometry.ny), *range(geometry.ne - geometry.nc, geometry.ne)]  # those that data ever fill
    inputs = torch.eye(geometry.n * len(rows), dtype=torch.float64).reshape(-1, geometry.n, len(rows))
    basis = zero.new_zeros(len(inputs), geometry.n, geometry.rows).index_copy(-1, torch.tensor(rows), inputs)
    drive = geometry.back(geometry.weigh(basis, precision[..., None, :]), slope[..., None, :, :]).mT
    change = _propagators(geometry.D - rate * curvature, rate * drive, len(rows))
    held = change[..., : geometry.nu]  # what a constant flow comes to in one bin
    observed = data[..., rows].flatten(-2)
    driven = observed @ change[..., geometry.nu :].mT + (held @ (rate * offset[..., None])).mT
    transition, u, path = eye + held @ (geometry.D + rate * ascent), geometry.flat(start), []
    for bin in range(data.shape[-3]):
        path.append(u)
        u = (transition @ u[..., None])[..., 0] + driven[..., bin, :]
    return torch.stack(torch.broadcast_tensors(*path), -2)


def _propagators(jacobian: Tensor, drive: Tensor, width: int) -> Tensor:
    """[..., nu, nu + inputs]: one bin's change by a constant flow, and by inputs of which each order drives the last.

    ``drive`` [..., nu, inputs]: generalised inputs, order by order, ``width`` in each; every order is the rate of
    change of the one before.
    """
    size, inputs = jacobian.shape[-1], drive.shape[-1]
    batch = torch.broadcast_shapes(jacobian.shape[:-2], drive.shape[:-2])
    joint = jacobian.new_zeros(*batch, 2 * size + inputs, 2 * size + inputs)
    joint[..., :size, :size] = jacobian
    joint[..., :size, size : 2 * size] = torch.eye(size, dtype=torch.float64)
    joint[..., :size, 2 * size :] = drive
    below = torch.arange(2 * size, 2 * size + inputs - width)
    joint[..., below, below + width] = 1
    return expm1(joint)[..., :size, size:]
