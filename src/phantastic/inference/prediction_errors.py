"""Prediction errors in generalised coordinates, and their precision-weighted products with their own derivatives.

For one bin the coordinates u~ = (x~, v~) are kept as ``w`` [..., n, m]: order by order, states before causes, with
zeros where the causes have no more orders. A prediction error has ``rows``: outputs, causes of each level, states.
With the slope K [rows, m] of the functions, and L that picks the states,

    E[0] = data[0] - value(w[0]),   E[j] = data[j] - K w[j],   plus x[j + 1] in the rows of the states (Friston 2008),
    -dE/du = 1 (x) K - D (x) L,

so that every product below is a sum of a few Kronecker products of a temporal and an instantaneous matrix.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.inference.generalised import embed, shift, temporal_precision
from phantastic.inference.model import LogPrecision, Model


class Component(NamedTuple):
    """A learned log-precision: its prior and the rows it scales."""

    name: str
    prior: LogPrecision
    rows: slice


class Geometry:
    """Sizes, index sets and temporal precisions of a model at (n, d) embedding orders of states and causes."""

    def __init__(self, model: Model, orders: tuple[int, int]):
        self.model = model
        self.d = min(orders[1], orders[0]) + 1
        self.n = orders[0] + 1
        self.nx, self.nv, self.ny, self.nc = model.nx, model.nv, model.ny, model.nc
        self.m, self.ne = self.nx + self.nv, self.ny + self.nv
        self.rows = self.ne + self.nx
        widths = self._by_row(
            [model.smoothness if level.smoothness is None else level.smoothness for level in model.levels]
        )
        self.widths = sorted(set(widths))
        self.masks = [torch.tensor([float(w == width) for w in widths], dtype=torch.float64) for width in self.widths]
        self.R = [temporal_precision(self.n, width) for width in self.widths]
        used = torch.zeros(self.n, self.m, dtype=torch.bool)
        used[:, : self.nx] = True
        used[: self.d] = True
        self.used = used.flatten().nonzero()[:, 0]  # flat positions of the coordinates that exist
        self.nu = len(self.used)
        self.early = (torch.arange(self.n) < self.d).double()[:, None]  # the orders that causes have
        order, column = self.used // self.m, self.used % self.m
        size = self.n * self.m
        self._pairs = ((order[:, None] * self.n + order) * self.m**2 + column[:, None] * self.m + column).flatten()
        D = shift(self.n)
        temporal = [T for R in self.R for T in (R, -R @ D, -D.T @ R, D.T @ R @ D)]
        self._temporal = torch.stack([T.flatten() for T in temporal], -1)
        self.D = torch.kron(D, torch.eye(self.m, dtype=torch.float64)).reshape(size, size)[self.used][:, self.used]

    def _by_row(self, levels: list) -> list:
        model = self.model
        rows = [value for value, size in zip(levels, model.outputs, strict=True) for _ in range(size)]
        return rows + [value for value, level in zip(levels, model.levels, strict=True) for _ in level.states]

    def precisions(self) -> Float64[Tensor, "... rows"]:
        """The fixed precision of every row (of a learned one its floor)."""
        return stack_levels(
            self.model, "V", self.model.outputs, "W", [len(level.states) for level in self.model.levels]
        )

    def components(self) -> list[Component]:
        """The learned log-precisions: V from the first level up, then W."""
        components, start = [], 0
        sizes = [self.model.outputs, [len(level.states) for level in self.model.levels]]
        for letter, widths in zip("VW", sizes, strict=True):
            for number, (level, size) in enumerate(zip(self.model.levels, widths, strict=True), start=1):
                prior = getattr(level, letter)
                if isinstance(prior, LogPrecision) and size:
                    components.append(Component(f"{letter}{number}", prior, slice(start, start + size)))
                start += size
        return components

    def data(self, y: Tensor, prior_u: Tensor | None, every_order: bool = False) -> Float64[Tensor, "... bins n rows"]:
        """What is compared with predictions: y~, and the prior mean of the last causes with its sign turned.

        As in SPM, the prior mean has as many orders as the causes in perception, and all n (``every_order``) in action.
        """
        data = y.new_zeros(*y.shape[:-1], self.n, self.rows)
        data[..., : self.ny] = embed(y, self.n)
        if prior_u is not None:
            data = data.expand(*torch.broadcast_shapes(y.shape[:-2], prior_u.shape[:-2]), *data.shape[-3:]).clone()
            orders = self.n if every_order else self.d
            data[..., :orders, self.ne - self.nc : self.ne] = -embed(prior_u, orders)
        return data

    def errors(self, data: Tensor, w: Tensor, value: Tensor, slope: Tensor) -> Float64[Tensor, "... n rows"]:
        predicted = torch.cat([value[..., None, :], w[..., 1:, :] @ slope.mT], -2)
        motion = torch.cat([w[..., 1:, : self.nx], predicted[..., -1:, self.ne :]], -2)  # the last order has no error
        return torch.cat([data[..., : self.ne] - predicted[..., : self.ne], motion - predicted[..., self.ne :]], -1)

    def weigh(self, errors: Tensor, precision: Tensor) -> Float64[Tensor, "... n rows"]:
        """Errors times their precision, R (x) diag(precision)."""
        if len(self.R) == 1:
            return self.R[0] @ errors * precision[..., None, :]
        return sum(R @ errors * (mask * precision)[..., None, :] for R, mask in zip(self.R, self.masks, strict=True))  # type: ignore[return-value]

    def back(self, weighed: Tensor, slope: Tensor) -> Float64[Tensor, "... nu"]:
        """-(dE/du)' times weighed errors: the direction in which the coordinates lower them."""
        result = weighed @ slope
        moved = torch.cat([result[..., :1, : self.nx], result[..., 1:, : self.nx] - weighed[..., :-1, self.ne :]], -2)
        return self.flat(torch.cat([moved, result[..., self.nx :]], -1))

    def curvature(self, slope: Tensor, precision: Tensor) -> Float64[Tensor, "... nu nu"]:
        """(dE/du)' precision (dE/du)."""
        blocks = []
        for mask in self.masks:
            p = precision * mask if len(self.masks) > 1 else precision
            weighed = slope * p[..., None]
            motion = torch.nn.functional.pad(weighed[..., self.ne :, :].mT, (0, self.nv))
            states = torch.diag_embed(torch.nn.functional.pad(p[..., self.ne :], (0, self.nv)))
            shape = torch.broadcast_shapes(motion.shape, states.shape)
            blocks += [b.expand(shape) for b in (weighed.mT @ slope, motion, motion.mT, states)]
        return self._kronecker(self._temporal, torch.stack(blocks, -3))

    def temporal_product(self, instant: list[Tensor]) -> Float64[Tensor, "... nu nu"]:
        """Sum of R (x) instant over the smoothnesses, for matrices [..., m, m] that are weighed already."""
        return self._kronecker(self._temporal[:, ::4], torch.stack(instant, -3))

    def dense_precision(self, precision: Tensor) -> Float64[Tensor, "... n*rows n*rows"]:
        """The precision of all errors, order by order."""
        size = self.n * self.rows
        by_row = (
            sum(mask[:, None, None] * R for mask, R in zip(self.masks, self.R, strict=True))
            * precision[..., None, None]
        )
        return torch.diag_embed(by_row.movedim(-3, -1)).transpose(-3, -2).reshape(*precision.shape[:-1], size, size)

    def dense(self, slope: Tensor) -> Float64[Tensor, "... n*rows nu"]:
        """-dE/du."""
        eye, states = torch.eye(self.n, dtype=torch.float64), torch.zeros(self.rows, self.m, dtype=torch.float64)
        states[self.ne :, : self.nx] = torch.eye(self.nx, dtype=torch.float64)
        jacobian = torch.einsum("ij,...ra->...irja", eye, slope) - torch.einsum("ij,ra->irja", shift(self.n), states)
        return jacobian.flatten(-4, -3).flatten(-2)[..., self.used]

    def _kronecker(self, temporal: Tensor, blocks: Tensor) -> Tensor:
        product = temporal @ blocks.flatten(-2)
        return product.flatten(-2)[..., self._pairs].unflatten(-1, (self.nu, self.nu))

    def flat(self, w: Tensor) -> Float64[Tensor, "... nu"]:
        """[..., n, m] -> the coordinates that exist."""
        return w.flatten(-2)[..., self.used]

    def full(self, u: Tensor) -> Float64[Tensor, "... n m"]:
        """The coordinates that exist -> [..., n, m], zero elsewhere."""
        return u.new_zeros(*u.shape[:-1], self.n * self.m).index_copy(-1, self.used, u).unflatten(-1, (self.n, self.m))


def stack_levels(model: Model, first: str, outputs: list[int], second: str, states: list[int]) -> Tensor:
    """Precisions of all levels, one per row [..., rows]."""
    parts = []
    for name, sizes in ((first, outputs), (second, states)):
        for level, size in zip(model.levels, sizes, strict=True):
            precision = getattr(level, name)
            value = torch.as_tensor(
                precision.floor if isinstance(precision, LogPrecision) else precision, dtype=torch.float64
            )
            parts.append(value.expand(*value.shape[:-1], size))
    batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*batch, -1) for part in parts], -1)
