"""The listener's log-precisions as modules, so that a lesion can act on them."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from phantastic.systems.filtering.model import Model


class LevelPrecision(nn.Module):
    """Log-precisions of one level: of its outputs (V), then of its states (W); `silence` leaves a precision of 1."""

    unit_axis = -1
    log_precision: Tensor

    def __init__(self, V: Tensor, W: Tensor):
        super().__init__()
        self.outputs, self.units = len(V), len(V) + len(W)
        self.register_buffer("log_precision", torch.cat([V, W]))

    def forward(self) -> Float64[Tensor, " units"]:
        return self.log_precision


class Precisions(nn.Module):
    """The levels of a model with numbers for precisions, as ``level1``, ``level2``, ..."""

    def __init__(self, model: Model):
        super().__init__()
        for number, (level, channels) in enumerate(zip(model.levels, model.outputs, strict=True), start=1):
            if channels + len(level.states):
                V, W = (
                    torch.as_tensor(given, dtype=torch.float64).log().expand(size)  # type: ignore[arg-type]
                    for given, size in ((level.V, channels), (level.W, len(level.states)))
                )
                self.add_module(f"level{number}", LevelPrecision(V, W))

    def applied(self, model: Model) -> Model:
        """``model`` with the precisions that the levels give now."""
        for name, level in self.named_children():
            assert isinstance(level, LevelPrecision)
            V, W = level().exp().tensor_split([level.outputs])
            model = model.with_level(int(name.removeprefix("level")), V=V, **({"W": W} if len(W) else {}))
        return model
