"""The hierarchical dynamic model, declared once, level by level (Friston 2008, PLoS Comput Biol 4:e1000211).

Level i:  v_(i-1) = g_i(x_i, v_i) + z_i,   dx_i/dt = f_i(x_i, v_i) + w_i,   with v_0 = y, the data;
          z_i has precision V_i, w_i has precision W_i, both are smooth Gaussian noise of the given width.
The last level has no functions: its V is the precision of the prior on the causes v_(L-1) around their prior mean.

In the project's arrays the causes that enter level i carry the number of the level that sends them, i + 1, as in the
papers' figures: ``v[1]`` is the predicted response, ``v[2]`` what enters level 1, and so on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy
import torch
from torch import Tensor

from phantastic.ground.errors import Refused, nearest
from phantastic.inference import equations, symbolic
from phantastic.inference.checks import check
from phantastic.inference.plain import PlainFunctions

Number = float | Tensor
Functions = Sequence[sympy.Expr] | Callable[..., Tensor]


@dataclass(frozen=True)
class Prior:
    """A parameter that is learned: Gaussian prior with ``mean`` and ``variance``."""

    mean: float
    variance: float


@dataclass(frozen=True)
class LogPrecision:
    """A precision that is learned: ``floor`` + exp(h), where h has a Gaussian prior with ``mean`` and ``variance``.

    A ``variance`` of 0 means what it means to the scheme chosen (see `learn`): SPM12 takes it as flat.
    """

    mean: float
    variance: float = 1.0
    floor: float = 1.0


@dataclass(frozen=True)
class Level:
    """One level. Symbols are SymPy's; with functions of tensors they are plain names.

    states: initial value of each hidden state x. causes: the names of the v that enter from the level above.
    actions: initial value of each action (in a process only). flow: f, one expression per state, or a function
    (x, v, p) -> [states], with actions (x, v, a, p). response: g, one per output channel, or such a function.
    parameters: value or prior of every other symbol. V, W: precisions, a number or a tensor [..., channels].
    log_V, log_W: log-precisions as expressions in x, v and parameters (state-dependent precision; see `attenuate`).
    initial: value of the causes that the last level sends at the start. smoothness: width of the noise, in bins.
    A number may differ between subjects: a tensor [subjects] where a number is asked for, [subjects, 1] for V or W.
    """

    states: Mapping[Any, Number] = field(default_factory=dict)
    causes: Sequence[Any] = ()
    actions: Mapping[Any, Number] = field(default_factory=dict)
    flow: Functions = ()
    response: Functions = ()
    parameters: Mapping[Any, Number | Prior] = field(default_factory=dict)
    V: Number | LogPrecision = 1.0
    W: Number | LogPrecision = 1.0
    log_V: Sequence[sympy.Expr] | None = None
    log_W: Sequence[sympy.Expr] | None = None
    initial: Number = 0.0
    smoothness: float | None = None


@dataclass(frozen=True)
class Model:
    """``levels`` from the senses upwards, the last without functions; ``smoothness`` of every noise, in bins.

    gain (of a process): precision with which action weighs prediction errors, [..., channels].
    Raises `Refused` naming level and symbol when shapes misfit, a symbol is unknown or a precision is not positive.
    """

    levels: Sequence[Level]
    smoothness: float = 0.5
    gain: Number = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        check(self)

    # Sizes: outputs y, causes v (all levels), hidden states x, causes of the last level, actions.
    @cached_property
    def outputs(self) -> list[int]:
        """Channels that each level sends down: ny, then the causes of level 1, of level 2, ..."""
        below = self.levels[0]
        first = len(below.response) if not callable(below.response) else self._length(0, below.response)
        return [first, *(len(level.causes) for level in self.levels[:-1])]

    @property
    def ny(self) -> int:
        return self.outputs[0]

    @cached_property
    def nv(self) -> int:
        return sum(self.outputs[1:])

    @cached_property
    def nx(self) -> int:
        return sum(len(level.states) for level in self.levels)

    @property
    def nc(self) -> int:
        return self.outputs[-1]

    @cached_property
    def na(self) -> int:
        return sum(len(level.actions) for level in self.levels)

    def symbols(self, kind: str) -> list:
        """All ``states``, ``causes``, ``actions`` or ``parameters``, from the first level up."""
        return [symbol for level in self.levels for symbol in getattr(level, kind)]

    @cached_property
    def free(self) -> list:
        """The parameters that are learned."""
        return [s for level in self.levels for s, value in level.parameters.items() if isinstance(value, Prior)]

    @cached_property
    def parameters(self) -> list[Number]:
        """The value, or the prior mean, of each parameter."""
        values = [value for level in self.levels for value in level.parameters.values()]
        return [value.mean if isinstance(value, Prior) else value for value in values]

    def with_level(self, number: int, **changes: Any) -> "Model":
        """This model with the fields of level ``number`` (1: the senses) changed, as in ``with_level(2, W=1.0)``."""
        if not 1 <= number <= len(self.levels):
            raise Refused(f"there is no level {number}: the model has levels 1 to {len(self.levels)}")
        levels = list(self.levels)
        levels[number - 1] = replace(levels[number - 1], **changes)
        return replace(self, levels=levels)

    def with_parameters(self, **values: "Number | Prior") -> "Model":
        """This model with the named parameters changed; nothing is compiled anew."""
        names = {str(symbol) for symbol in self.symbols("parameters")}
        for name in values:
            if name not in names:
                raise Refused(f"the model has no parameter '{name}'{nearest(name, names)}")
        levels = [
            replace(level, parameters={s: values.get(str(s), value) for s, value in level.parameters.items()})
            for level in self.levels
        ]
        return replace(self, levels=levels)

    def dynamics(self, residual: bool) -> Any:
        """The compiled functions of (x, v, a) with their first derivatives: arrays ``value`` and ``slope``.

        Rows: the outputs of levels 1 to L-1, the causes of the last level (zero), then the flows. With ``residual``
        the causes themselves are subtracted from the rows that predict them, as prediction errors need it.
        State-dependent log-precisions of all rows come as ``log_precision`` and ``log_precision_slope``.
        """
        if self.plain:
            return PlainFunctions(self, residual, learning=False)
        rows, point = self._rows(residual), self._point()
        logs = self._log_rows() if self.state_dependent else []

        def build() -> symbolic.Arrays:
            arrays = {"value": (rows, (len(rows),)), "slope": _derivative(rows, point)}
            if logs:
                arrays |= {"log_precision": (logs, (len(logs),)), "log_precision_slope": _derivative(logs, point)}
            return arrays

        return symbolic.program("dynamics", [*rows, *logs], point, self.symbols("parameters"), build)

    def learning(self) -> Any:
        """By the free parameters: ``by_parameter`` [rows, free] and ``slope_by_parameter`` [rows, point, free]."""
        if self.plain:
            return PlainFunctions(self, True, learning=True)
        rows, point, free = self._rows(True), self._point(), self.free

        def build() -> symbolic.Arrays:
            mixed = [_diff(row, s, p) for row in rows for s in point for p in free]
            return {
                "by_parameter": _derivative(rows, free),
                "slope_by_parameter": (mixed, (len(rows), len(point), len(free))),
            }

        return symbolic.program(f"learning {free}", rows, point, self.symbols("parameters"), build)

    @cached_property
    def state_dependent(self) -> bool:
        """Some precision is a function of the states."""
        return any(level.log_V is not None or level.log_W is not None for level in self.levels)

    @cached_property
    def plain(self) -> bool:
        """Declared as functions of tensors."""
        return any(callable(level.flow) or callable(level.response) for level in self.levels)

    def latex(self) -> list[str]:
        """The equations of each level, as LaTeX (one aligned block per level)."""
        return [equations.latex(lines) for lines in self._equations()]

    def mathml(self) -> list[str]:
        """All equations, as MathML (one ``math`` element per equation)."""
        return [line for lines in self._equations() for line in equations.mathml(lines)]

    def _equations(self) -> Iterator[Iterator[equations.Equation]]:
        for number, level in enumerate(self.levels[:-1], start=1):
            yield equations.equations(
                number, _expressions(level.response), level.log_V or [], [*level.states], _expressions(level.flow)
            )

    def _point(self) -> list[sympy.Symbol]:
        return [*self.symbols("states"), *self.symbols("causes"), *self.symbols("actions")]

    def _rows(self, residual: bool) -> list[sympy.Expr]:
        responses = [g for level in self.levels[:-1] for g in _expressions(level.response)]
        rows = [*responses, *[sympy.Integer(0)] * self.nc]
        if residual:
            for index, cause in enumerate(self.symbols("causes")):
                rows[self.ny + index] -= cause
        return rows + [f for level in self.levels for f in _expressions(level.flow)]

    def _log_rows(self) -> list[sympy.Expr]:
        """Log-precisions that depend on the state; 0 in rows whose precision is a number."""
        declared = [(level.log_V, size) for level, size in zip(self.levels, self.outputs, strict=True)]
        declared += [(level.log_W, len(level.states)) for level in self.levels]
        return [sympy.sympify(e) for logs, size in declared for e in (logs if logs is not None else [0] * size)]

    def _length(self, index: int, function: Callable[..., Tensor]) -> int:
        return len(function(*probe(self, index)))


def probe(model: Model, index: int) -> list[Tensor]:
    """Arguments (x, v, [a], p) at which the functions of a level given as tensors are tried: its initial states."""
    level = model.levels[index]
    groups = [[_first(value) for value in level.states.values()], [0.0] * len(level.causes)]
    groups += [[_first(value) for value in level.actions.values()]] if level.actions else []
    groups.append([value.mean if isinstance(value, Prior) else _first(value) for value in level.parameters.values()])
    return [torch.tensor(group, dtype=torch.float64) for group in groups]


def _first(value: Number) -> float:
    return float(torch.as_tensor(value).reshape(-1)[0])


def _derivative(
    rows: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]
) -> tuple[list[sympy.Expr], tuple[int, ...]]:
    return [_diff(row, s) for row in rows for s in symbols], (len(rows), len(symbols))


def _diff(row: sympy.Expr, *symbols: sympy.Symbol) -> sympy.Expr:
    """All symbols stand for real numbers: the slope of |x| is the sign of x, and that of a sign is 0."""
    if not row.has(sympy.Abs, sympy.sign):
        return row.diff(*symbols)  # type: ignore[return-value]
    real: dict[Any, Any] = {s: sympy.Dummy(real=True) for s in row.free_symbols | {*symbols}}
    of_reals: Any = row.xreplace(real)
    slope = of_reals.diff(*(real[s] for s in symbols)).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    return slope.xreplace({stand_in: s for s, stand_in in real.items()})


def _expressions(functions: Functions) -> list[sympy.Expr]:
    return [] if callable(functions) else [sympy.sympify(f) for f in functions]
