"""The equations of a model as they are printed: LaTeX for papers, MathML for pages."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import sympy

Equation = tuple[str, str, int | str, sympy.Expr]
"""Which function (g, ln Π or f), its level's number, its row or its state, and the expression."""


def equations(
    number: int, response: Sequence[sympy.Expr], precision: Sequence[sympy.Expr], states: Sequence, flow: Sequence
) -> Iterator[Equation]:
    """Every equation of a level: what it sends down, how precise that is where it depends, how its states move."""
    for name, rows in (("g", response), ("ln Π", precision)):
        for row, expression in enumerate(rows, start=1):
            yield name, str(number), row, printable(expression)
    for state, expression in zip(states, flow, strict=False):
        yield "f", str(number), str(state), printable(expression)


def printable(expression: sympy.Expr) -> sympy.Expr:
    """With four digits, and a condition in brackets: [x < 1/2] is 1 where it is true, else 0 (Iverson)."""
    shorter: dict[Any, Any] = {number: sympy.Float(number, 4) for number in expression.atoms(sympy.Float)}
    for piece in expression.atoms(sympy.Piecewise):
        cases: Any = piece.args
        if [value for value, _ in cases] == [1, 0]:
            shorter[piece] = sympy.Symbol(f"[{cases[0][1]}]")
    return expression.xreplace(shorter)  # type: ignore[return-value]


def latex(lines: Iterator[Equation]) -> str:
    """One aligned block."""
    rows = []
    for function, number, name, expression in lines:
        if function == "f":
            left = rf"\dot{{{sympy.latex(sympy.Symbol(str(name)))}}}"
        else:
            left = {"g": "g", "ln Π": r"\ln\Pi"}[function] + f"^{{({number})}}_{{{name}}}"
        rows.append(f"{left} &= {sympy.latex(expression)}")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def mathml(lines: Iterator[Equation]) -> list[str]:
    """A ``math`` element for each equation."""
    elements = []
    for function, number, name, expression in lines:
        if function == "f":
            rate = f"<mrow><mi>d</mi>{_presented(sympy.Symbol(str(name)))}</mrow>"
            left = f"<mfrac>{rate}<mrow><mi>d</mi><mi>t</mi></mrow></mfrac>"
        else:
            level = f"<mrow><mo>(</mo><mn>{number}</mn><mo>)</mo></mrow>"
            left = f"<msubsup><mi>{function}</mi><mn>{name}</mn>{level}</msubsup>"
        elements.append(f'<math display="block"><mrow>{left}<mo>=</mo>{_presented(expression)}</mrow></math>')
    return elements


def _presented(expression: sympy.Expr) -> str:
    """Presentation MathML. (SymPy leaves what a name holds unescaped, and writes a hyphen for minus.)"""
    names = {s: sympy.Symbol(f"N{i}N") for i, s in enumerate(expression.free_symbols) if "<" in str(s) or ">" in str(s)}
    text = sympy.mathml(expression.xreplace(names), printer="presentation").replace("<mo>-</mo>", "<mo>−</mo>")
    for name, stand_in in names.items():
        text = text.replace(str(stand_in), escape(str(name)))
    return text
