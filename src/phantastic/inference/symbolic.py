"""SymPy expressions compiled to functions of a point and of constants, batched over subjects, and kept on disk.

The compiled text is plain arithmetic. One subject is computed with Python's own floats, many times faster than
tensors of one element; many subjects (or bins) are computed with tensors that hold one number for each. A cached text
is parsed and checked node by node before it runs, so that a damaged or foreign file is compiled anew, never executed.
"""

import ast
import json
import math
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import sympy
import torch
from jaxtyping import Float64
from sympy.printing.pycode import PythonCodePrinter
from torch import Tensor

_FORMAT = "2"  # raised when the meaning of the cached text changes
_NAMES = ("exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "atan", "asin", "acos", "sqrt", "erf")
_MATH: dict[str, Callable] = {
    **{name: getattr(math, name) for name in _NAMES},
    "abs": abs,
    "sign": lambda value: float((value > 0) - (value < 0)),
    "where": lambda condition, yes, no: yes if condition else no,
}
_TORCH: dict[str, Callable] = {
    **{name: getattr(torch, name) for name in (*_NAMES, "abs", "sign")},
    "where": lambda condition, yes, no: torch.where(condition, _number(yes), _number(no)),
}
FUNCTIONS = frozenset((*_NAMES, "Abs", "sign", "Piecewise"))
_NODES = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Return, ast.Tuple, ast.List),
    *(ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop, ast.Call, ast.Name, ast.Constant),
    ast.expr_context,
)


def _number(value: "float | Tensor") -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


class Program:
    """Several arrays of expressions, laid one after the other, as two functions: of the constants, and of both.

    ``compiled`` is plain data: ``shapes`` by name, the flat positions of the entries that only the constants change
    (``constant_at``) and of those that the point changes (``varying_at``), and the ``source`` of both functions.
    """

    def __init__(self, compiled: dict[str, Any]):
        self.shapes: dict[str, list[int]] = compiled["shapes"]
        self.at: tuple[list[int], list[int]] = (compiled["constant_at"], compiled["varying_at"])
        self.size = sum(math.prod(shape) for shape in self.shapes.values())
        tree = ast.parse(compiled["source"])
        for node in ast.walk(tree):
            calls = isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _MATH)
            if calls or not isinstance(node, _NODES):
                raise ValueError("not the text of a model")
        self._functions = []
        for names in (_MATH, _TORCH):
            namespace: dict[str, Any] = dict(names)
            exec(compile(tree, "<model>", "exec"), namespace)  # only arithmetic: checked above
            self._functions.append((namespace["constant"], namespace["varying"]))

    def bind(self, constants: Sequence[float | Tensor]) -> "Bound":
        """The arrays as a function of the point alone."""
        return Bound(self, constants)

    def entries(self, which: int, *groups: Sequence[float | Tensor]) -> Tensor:
        """The constant (0) or varying (1) entries, [..., entries]; an overflow or a division by zero gives NaN."""
        if any(isinstance(value, Tensor) for group in groups for value in group):
            values = self._functions[1][which](*([_number(value) for value in group] for group in groups))
            return torch.stack(torch.broadcast_tensors(*map(_number, values)), -1)
        try:
            return torch.tensor(self._functions[0][which](*groups), dtype=torch.float64)
        except (ArithmeticError, ValueError):
            return torch.full((len(self.at[which]),), math.nan, dtype=torch.float64)


class Bound:
    """A program with its constants' values: ``bound(point)`` gives the arrays there, by name, each [..., *shape].

    ``constants``: a number, or a tensor that broadcasts against the point's leading axes, for each constant symbol.
    ``affine``: the slope does not depend on the point.
    """

    def __init__(self, program: Program, constants: Sequence[float | Tensor]):
        self.program, self.constants = program, list(constants)
        start = math.prod(program.shapes.get("value", [0]))  # the slope follows the value
        stop = start + math.prod(program.shapes.get("slope", [0]))
        self.affine = not any(start <= at < stop for at in program.at[1])
        entries = program.entries(0, self.constants) if program.at[0] else torch.zeros(0, dtype=torch.float64)
        self._template = entries.new_zeros(*entries.shape[:-1], program.size)
        self._template[..., program.at[0]] = entries
        self._at = torch.tensor(program.at[1], dtype=torch.long)
        self.batch = torch.broadcast_shapes(*(c.shape for c in self.constants if isinstance(c, Tensor)))

    def __call__(self, point: Float64[Tensor, "... coordinates"]) -> dict[str, Tensor]:
        flat = self._template
        if self.program.at[1]:
            rows = point.tolist() if point.ndim == 1 else point.unbind(-1)
            entries = self.program.entries(1, rows, self.constants)
            batch = torch.broadcast_shapes(entries.shape[:-1], flat.shape[:-1])
            flat = flat.expand(*batch, -1).index_copy(-1, self._at, entries.expand(*batch, -1))
        arrays, start = {}, 0
        for name, shape in self.program.shapes.items():
            stop = start + math.prod(shape)
            arrays[name] = flat[..., start:stop].reshape(*flat.shape[:-1], *shape)
            start = stop
        return arrays


Arrays = dict[str, tuple[list[sympy.Expr], tuple[int, ...]]]  # entries in row-major order, and shape
_programs: dict[tuple, Program] = {}


def program(
    what: str,
    rows: Sequence[sympy.Expr],
    point: Sequence[sympy.Symbol],
    constants: Sequence[sympy.Symbol],
    build: Callable[[], Arrays],
) -> Program:
    """The compiled arrays that ``build`` makes of ``rows`` (``what`` names the making), in memory, on disk or anew.

    The cache lies in the user's cache folder under a hash of the expressions; where it cannot be read or written,
    they are compiled.
    """
    memory = (what, tuple(rows), tuple(point), tuple(constants))
    if memory not in _programs:
        text = [_FORMAT, sympy.__version__, what, *map(sympy.srepr, rows), *map(str, point), "|", *map(str, constants)]
        key = blake2b("\n".join(text).encode(), digest_size=16).hexdigest()
        _programs[memory] = _cached(key) or _fresh(key, build(), point, constants)
    return _programs[memory]


def _path(key: str) -> Path:
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "phantastic" / "models" / f"{key}.json"


def _cached(key: str) -> Program | None:
    """What was compiled before; nothing where the file is not, bit for bit, what was written: its text is executed."""
    try:
        digest, _, text = _path(key).read_text("utf-8").partition("\n")
        return Program(json.loads(text)) if digest == _digest(text) else None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SyntaxError, RecursionError):
        return None


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _fresh(key: str, arrays: Arrays, point: Sequence[sympy.Symbol], constants: Sequence[sympy.Symbol]) -> Program:
    compiled = _compile(arrays, point, constants)
    try:
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")  # two processes may compile the same model at once
        text = json.dumps(compiled)
        temporary.write_text(f"{_digest(text)}\n{text}", "utf-8")
        temporary.replace(path)
    except (OSError, RuntimeError):
        pass
    return Program(compiled)


def _compile(arrays: Arrays, point: Sequence[sympy.Symbol], constants: Sequence[sympy.Symbol]) -> dict[str, Any]:
    flat: list[Any] = [sympy.sympify(entry) for entries, _ in arrays.values() for entry in entries]
    moving = set(point)
    varying_at = [i for i, entry in enumerate(flat) if entry.free_symbols & moving]
    constant_at = [i for i, entry in enumerate(flat) if entry != 0 and not entry.free_symbols & moving]
    names = {s: sympy.Symbol(f"w{i}") for i, s in enumerate(point)}
    names |= {s: sympy.Symbol(f"p{i}") for i, s in enumerate(constants)}
    source = [
        *_function("constant", ["p"], [flat[i].xreplace(names) for i in constant_at], len(point), len(constants)),
        *_function("varying", ["w", "p"], [flat[i].xreplace(names) for i in varying_at], len(point), len(constants)),
    ]
    shapes = {name: list(shape) for name, (_, shape) in arrays.items()}
    return {"shapes": shapes, "constant_at": constant_at, "varying_at": varying_at, "source": "\n".join(source)}


def _function(name: str, arguments: list[str], entries: list[sympy.Expr], *counts: int) -> list[str]:
    shared, reduced = sympy.cse(entries, symbols=sympy.numbered_symbols("c"), order="none")
    printer = _Printer({"fully_qualified_modules": False})

    def write(expression: Any) -> str:
        return str(printer.doprint(expression))

    unpack = [
        f"    ({''.join(f'{letter}{i}, ' for i in range(count))}) = {letter}"
        for letter, count in zip("wp", counts, strict=True)
        if letter in arguments and count
    ]
    body = [f"    {symbol} = {write(expression)}" for symbol, expression in shared]
    head = f"def {name}({', '.join(arguments)}):"
    return [head, *unpack, *body, f"    return [{', '.join(map(write, reduced))}]"]


class _Printer(PythonCodePrinter):
    """Numbers as floats; cases as ``where``, which both floats and tensors understand."""

    def _print(self, expr: Any, **settings: Any) -> str:
        if isinstance(expr, sympy.Expr) and expr.is_number and not expr.is_Integer:
            return f"({float(expr)!r})"
        return super()._print(expr, **settings)

    def _print_sign(self, e: Any) -> str:
        return f"sign({self._print(e.args[0])})"

    def _print_Piecewise(self, expr: Any) -> Any:
        text = "0.0"
        for value, condition in reversed(expr.args):
            value = self._print(value)
            text = value if condition == sympy.true else f"where({self._print(condition)}, {value}, {text})"
        return text
