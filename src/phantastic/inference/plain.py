"""Models declared as plain functions of tensors: the same arrays as compiled expressions, by `torch.func`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import jacrev, vmap

if TYPE_CHECKING:
    from phantastic.inference.model import Model


class PlainFunctions:
    """Stands in for `symbolic.Program`: ``bind`` gives a function of the point (x, v, a) that returns the arrays."""

    affine = False

    def __init__(self, model: Model, residual: bool, learning: bool):
        self.model, self.residual, self.learning = model, residual, learning
        names = model.symbols("parameters")
        self.free = [names.index(symbol) for symbol in model.free]

    def bind(self, constants: Sequence[float | Tensor]) -> PlainFunctions:
        values = [torch.as_tensor(constant, dtype=torch.float64) for constant in constants]
        nothing = torch.zeros(0, dtype=torch.float64)
        self.constants = torch.stack(torch.broadcast_tensors(*values), -1) if values else nothing
        self.batch = self.constants.shape[:-1]
        return self

    def __call__(self, point: Tensor) -> dict[str, Tensor]:
        batch = torch.broadcast_shapes(point.shape[:-1], self.constants.shape[:-1])
        points = point.expand(*batch, -1).reshape(-1, point.shape[-1])
        constants = self.constants.expand(*batch, -1).reshape(len(points), -1)
        arrays = vmap(self._arrays)(points, constants)
        return {name: value.reshape(*batch, *value.shape[1:]) for name, value in arrays.items()}

    def _arrays(self, point: Tensor, constants: Tensor) -> dict[str, Tensor]:
        if not self.learning:
            return {"value": self._rows(point, constants), "slope": jacrev(self._rows)(point, constants)}
        by_parameter = jacrev(self._rows, 1)
        mixed = jacrev(by_parameter)(point, constants).movedim(-1, 1)
        return {
            "by_parameter": by_parameter(point, constants)[:, self.free],
            "slope_by_parameter": mixed[..., self.free],
        }

    def _rows(self, point: Tensor, constants: Tensor) -> Tensor:
        model = self.model
        x, v, a = point.split([model.nx, model.nv, model.na])
        responses, flows = [], []
        offsets = {"states": 0, "causes": 0, "actions": 0, "parameters": 0}
        for level in model.levels[:-1]:
            arguments = []
            for kind, values in (("states", x), ("causes", v), ("actions", a), ("parameters", constants)):
                size = len(getattr(level, kind))
                if kind != "actions" or size:
                    arguments.append(values[offsets[kind] : offsets[kind] + size])
                offsets[kind] += size
            responses.append(level.response(*arguments))  # type: ignore[operator]
            flows += [level.flow(*arguments)] if level.states else []  # type: ignore[operator]
        rows = torch.cat([*responses, v.new_zeros(model.nc)])
        if self.residual:
            rows = rows - torch.cat([v.new_zeros(model.ny), v])
        return torch.cat([rows, *flows])
