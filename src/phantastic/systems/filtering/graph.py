"""The message passing that a model implies, as a graph of neuronal units (Friston 2008; Bastos et al. 2012).

Deep units hold expectations, superficial units hold prediction errors. An error is driven by the expectation it is
about and by what predicts it; an expectation is driven by every error in which it takes part. Predictions descend and
errors ascend; which of them exist follows from the model's own functions. Errors on what level i sends down count as
level i's, as in the papers.
"""

from typing import Literal, NamedTuple

import altair as alt
import sympy

from phantastic.figure import BLUE, VERMILION
from phantastic.systems.filtering.model import Functions, Level, Model

Kind = Literal["superficial", "deep"]


class Unit(NamedTuple):
    """A population: errors (superficial) or expectations (deep) of outputs, causes or states of one level."""

    name: str
    kind: Kind
    level: int


class Message(NamedTuple):
    """``source`` drives ``target``; a prediction descends or stays, a prediction error ascends or stays."""

    source: str
    target: str
    content: Literal["prediction", "error"]


class Graph(NamedTuple):
    units: list[Unit]
    messages: list[Message]


def message_graph(model: Model) -> Graph:
    """The graph of a model of any depth; functions of tensors count as depending on everything they are given."""
    units, messages = [], []
    last = len(model.levels)
    for number, level in enumerate(model.levels, start=1):
        below = f"v{number - 1}" if number > 1 else "y"
        if model.outputs[number - 1]:
            units.append(Unit(f"ε {below}", "superficial", number))
            if number > 1:
                messages.append(Message(f"v{number - 1}", f"ε {below}", "prediction"))
        if number == last:
            continue
        if level.states:
            units += [Unit(f"x{number}", "deep", number), Unit(f"ε x{number}", "superficial", number)]
            messages.append(Message(f"x{number}", f"ε x{number}", "prediction"))  # its motion is what is predicted
        if level.causes:
            units.append(Unit(f"v{number}", "deep", number))
        predicted = [(level.response, f"ε {below}"), *([(level.flow, f"ε x{number}")] if level.states else [])]
        for functions, error in predicted:
            for symbols, name in ((level.states, f"x{number}"), (level.causes, f"v{number}")):
                message = Message(name, error, "prediction")
                if _depends(functions, level, symbols) and message not in messages:
                    messages.append(message)
    messages += [Message(m.target, m.source, "error") for m in messages]
    return Graph(units, messages)


def _depends(functions: Functions, level: Level, symbols: object) -> bool:
    if callable(functions):
        return bool(symbols)
    used = set().union(*(sympy.sympify(e).free_symbols for e in functions)) if functions else set()
    return bool(used & set(symbols))  # type: ignore[call-overload]


def picture(
    model: Model, words: tuple[str, str, str, str] = ("superficial", "deep", "prediction", "error")
) -> alt.TopLevelMixin:
    """The graph drawn level by level; ``words`` for the two kinds of units and of messages, in the page's language."""
    graph = message_graph(model)
    kinds = dict(zip(("superficial", "deep", "prediction", "error"), words, strict=True))
    place = {}
    for unit in graph.units:
        own = [u.name for u in graph.units if (u.level, u.kind) == (unit.level, unit.kind)]
        place[unit.name] = (2 * unit.level + own.index(unit.name) * 0.8, 1.0 if unit.kind == "superficial" else 0.0)
    nodes = [{"x": place[u.name][0], "y": place[u.name][1], "unit": u.name, "kind": kinds[u.kind]} for u in graph.units]
    lines = []
    for index, message in enumerate(graph.messages):
        aside = 0.05 if message.content == "error" else -0.05  # the two directions run beside one another
        for end in (message.source, message.target):
            x, y = place[end]
            lines.append({"x": x + aside, "y": y, "edge": index, "content": kinds[message.content]})
    colour = alt.Scale(domain=list(words[2:]), range=[BLUE, VERMILION])
    base_x, base_y = alt.X("x:Q", axis=None), alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.4, 1.4]))
    edges = alt.Chart(alt.Data(values=lines)).mark_line(strokeWidth=1.5, opacity=0.7).encode(
        base_x, base_y, detail="edge:N", color=alt.Color("content:N", scale=colour, title=None)
    )  # fmt: skip
    shape = alt.Scale(domain=list(words[:2]), range=["triangle-up", "circle"])
    points = alt.Chart(alt.Data(values=nodes)).mark_point(size=1400, filled=True, color="white", stroke="#333333")
    units = points.encode(base_x, base_y, shape=alt.Shape("kind:N", scale=shape, title=None))
    labels = alt.Chart(alt.Data(values=nodes)).mark_text(fontSize=11).encode(base_x, base_y, text="unit:N")
    return alt.layer(edges, units, labels).properties(width=150 * len(model.levels), height=180)
