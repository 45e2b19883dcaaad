"""What beliefs may not become: prediction errors that are no longer finite, or beyond any that could be explained.

Perception lowers free energy, so that errors stay near those of the belief it starts with. Where an unstable scheme
runs away, they grow without end; among the published runs they never reach twenty times those of the start.
"""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.model import Model

BEYOND = 1e5  # times the largest error at the start, or one standard deviation where that is more


def deviations(errors: Float64[Tensor, "... n rows"], precision: Tensor) -> Float64[Tensor, "... rows"]:
    """Prediction errors of order 0 in standard deviations, NaN where one of any order is not finite."""
    size = errors[..., 0, :].abs() * precision.sqrt()
    return torch.where(errors.isfinite().all(-2), size, torch.nan)


def astray(size: Float64[Tensor, "... bins rows"], start: Tensor) -> Bool[Tensor, "... bins rows"]:
    """Which errors are too large. start: those of the belief at the start, [..., rows]."""
    return ~(size <= BEYOND * start.amax(-1)[..., None, None].clamp(min=1))


def first(bad: Bool[Tensor, "... bins rows"]) -> tuple[int, int, str]:
    """Bin and subject where something is ``bad`` first, counted from 0, and both in words, counted from 1."""
    bin, subject, _ = bad.reshape(-1, *bad.shape[-2:]).movedim(1, 0).nonzero()[0].tolist()
    return bin, subject, f"bin {bin + 1}" + (f" of subject {subject + 1}" if bad.ndim > 2 else "")


def refusal(model: Model, size: Float64[Tensor, "... bins rows"], bad: Bool[Tensor, "... bins rows"]) -> Refused:
    """Names the bin, the subject and the level where errors first went astray, and the largest of them there."""
    bin, subject, where = first(bad)
    worst = size.reshape(-1, *size.shape[-2:])[subject, bin]
    row = int(worst.nan_to_num(torch.inf).argmax())
    level, name = _rows(model)[row]
    value = f"{float(worst[row]):.0e} standard deviations" if bool(worst[row].isfinite()) else "no longer finite"
    return Refused(
        f"the model diverges at {where}: the prediction error of {name} of level {level} is {value}. "
        "Lower a precision, shorten the time constants or use fewer embedding orders"
    )


def _rows(model: Model) -> list[tuple[int, str]]:
    """The level and the name of what each row of errors predicts: outputs, causes, states."""
    names = [f"channel {k}" for k in range(1, model.ny + 1)] + [f"'{s}'" for s in model.symbols("causes")]
    outputs = [number for number, size in enumerate(model.outputs, start=1) for _ in range(size)]
    states = [(number, f"'{s}'") for number, level in enumerate(model.levels, start=1) for s in level.states]
    return [*zip(outputs, names, strict=True), *states]
