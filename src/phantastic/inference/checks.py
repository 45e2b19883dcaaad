"""What a model may not be: refusals that name the level and the symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy
import torch

from phantastic.ground.errors import Refused
from phantastic.inference.symbolic import FUNCTIONS

if TYPE_CHECKING:
    from phantastic.inference.model import Level, Model


def check(model: Model) -> None:
    """Raises `Refused` for a misfit of shapes, an unknown symbol or a precision that is not positive."""
    levels = model.levels
    if len(levels) < 2:
        raise Refused("a model needs at least two levels: one with functions, and above it the prior on its causes")
    if callable(levels[-1].response) or callable(levels[-1].flow) or levels[-1].response or levels[-1].states:
        raise Refused(f"level {len(levels)} is the last: it has a precision V only, no states and no functions")
    owners: dict[Any, int] = {}
    for number, level in enumerate(levels, start=1):
        for symbol in [*level.states, *level.causes, *level.actions, *level.parameters]:
            if symbol in owners:
                raise Refused(f"level {number}: '{symbol}' already stands for something in level {owners[symbol]}")
            owners[symbol] = number
        if number < len(levels):
            _functions(number, level, model)
    for number, (level, channels) in enumerate(zip(levels, model.outputs, strict=True), start=1):
        below = f"the {channels} causes of level {number - 1}" if number > 1 else "the data"
        if 1 < number < len(levels) and not callable(level.response) and len(level.response) != channels:
            raise Refused(
                f"level {number}: {len(level.response)} expressions in its response g, but {below} need {channels}"
            )
        for name, size, logs in (("V", channels, level.log_V), ("W", len(level.states), level.log_W)):
            if logs is not None and len(logs) != size:
                raise Refused(f"level {number}: log_{name} has {len(logs)} expressions where {size} are needed")
            _precision(f"level {number}: the precision {name}", getattr(level, name), size)
        if not (smoothness := level.smoothness if level.smoothness is not None else model.smoothness) >= 0:
            raise Refused(f"level {number}: the smoothness is {smoothness}; it is a width in bins, 0 or more")


def _functions(number: int, level: Level, model: Model) -> None:
    if callable(level.flow) or callable(level.response):
        if not (callable(level.flow) or not level.states) or not callable(level.response):
            raise Refused(f"level {number}: flow and response must both be expressions or both be functions")
        return
    if len(level.flow) != len(level.states):
        raise Refused(f"level {number}: {len(level.flow)} expressions in its flow f for {len(level.states)} states")
    if not level.response:
        raise Refused(f"level {number}: it has no response g, so it says nothing to the level below")
    symbols = {*level.states, *level.causes, *level.actions, *level.parameters}
    for name in ("flow", "response", "log_V", "log_W"):
        for row, expression in enumerate(getattr(level, name) or (), start=1):
            expression = sympy.sympify(expression)
            for symbol in sorted(expression.free_symbols - symbols, key=str):
                raise Refused(
                    f"level {number}: unknown symbol '{symbol}' in row {row} of its {name}; declare it as a state, "
                    f"a cause, an action or a parameter of that level"
                )
            for function in expression.atoms(sympy.Function):
                if function.func.__name__ not in FUNCTIONS:
                    raise Refused(
                        f"level {number}: unknown function '{function.func.__name__}' in row {row} of its {name}; "
                        f"allowed: {', '.join(sorted(FUNCTIONS))}"
                    )


def _precision(what: str, precision: Any, channels: int) -> None:
    if not isinstance(precision, float | int | torch.Tensor):
        if not (precision.floor >= 0 and precision.variance >= 0):
            raise Refused(
                f"{what} is learned with floor {precision.floor} and variance {precision.variance}; both are 0 or more"
            )
        return
    values = torch.as_tensor(precision, dtype=torch.float64)
    if values.ndim and values.shape[-1] not in (1, channels):
        raise Refused(f"{what} has {values.shape[-1]} channels where {channels} are needed")
    if not bool((values > 0).all()):
        raise Refused(f"{what} is {values.min():g}; a precision must be positive")
