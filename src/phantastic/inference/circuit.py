"""The message passing that a model implies, as a graph of error units and state units, and its picture.

Friston (2008), figure 4, and Bastos et al. (2012), drawn as there: errors red, predictions black, the precision that
neuromodulators set blue. Each area holds error units (superficial pyramidal cells) that
compare what it believes with what is predicted, and state units (deep pyramidal cells) that hold beliefs. Prediction
errors ascend from superficial layers, predictions descend from deep ones.
"""

import math
from dataclasses import dataclass
from typing import Literal

import altair as alt
import sympy
import torch

from phantastic.declare.i18n import Text
from phantastic.inference.model import Level, LogPrecision, Model
from phantastic.show.figure import BLACK, BLUE, VERMILION, Figure

ERROR, PREDICTION, OWN, GAIN = "error", "prediction", "own", "gain"
_PLACES = {"v": (0.0, 0.0), "z": (0.0, 1.0), "x": (1.0, 0.0), "w": (1.0, 1.0)}  # within an area: left or right, depth


@dataclass(frozen=True)
class Unit:
    """A population: ``kind`` z, w (errors on outputs or causes, on states), v (data, causes) or x (states)."""

    kind: Literal["z", "w", "v", "x"]
    area: int
    size: int
    log_precision: str = ""

    @property
    def name(self) -> str:
        return "y" if (self.kind, self.area) == ("v", 1) else f"{self.kind}{self.area}"


@dataclass(frozen=True)
class Message:
    """What one population sends another: its ``error``, a ``prediction``, or its ``own`` value to be compared."""

    source: Unit
    target: Unit
    what: str

    @property
    def extrinsic(self) -> bool:
        """It travels between areas."""
        return self.source.area != self.target.area


def circuit(model: Model) -> tuple[list[Unit], list[Message]]:
    """Populations and messages, area by area from the senses; messages go where a function depends on their source."""
    units: dict[tuple[str, int], Unit] = {}
    for area, (level, channels) in enumerate(zip(model.levels, model.outputs, strict=True), start=1):
        if channels:
            units["v", area] = Unit("v", area, channels)
            units["z", area] = Unit("z", area, channels, _precision(level.V, level.log_V))
        if states := len(level.states):
            units["x", area] = Unit("x", area, states)
            units["w", area] = Unit("w", area, states, _precision(level.W, level.log_W))
    messages = []
    for (kind, area), unit in units.items():
        if kind not in "zw":
            continue
        own = units["v" if kind == "z" else "x", area]
        messages.append(Message(own, unit, OWN))
        if own.name != "y":  # data are given: no error moves them
            messages.append(Message(unit, own, ERROR))
        level = model.levels[area - 1]
        for source, symbols in (("x", list(level.states)), ("v", list(level.causes))):
            sender = units.get((source, area + (source == "v")))
            if sender and sender is not own and _depends(level, kind, symbols):
                messages += [Message(sender, unit, PREDICTION), Message(unit, sender, ERROR)]
    return list(units.values()), messages


def _depends(level: Level, kind: str, symbols: list) -> bool:
    functions = level.response if kind == "z" else level.flow
    return callable(functions) or any(sympy.sympify(expression).free_symbols & set(symbols) for expression in functions)


def _precision(precision: object, logs: object) -> str:
    """The log-precision as a label: a number, a range, or a sign that it is learned or depends on states."""
    if logs is not None:
        return "h(x, v)"
    if isinstance(precision, LogPrecision):
        return "?"
    values = torch.as_tensor(precision, dtype=torch.float64).log()
    low, high = float(values.min()), float(values.max())
    return f"{low:.3g}".replace("-", "−") if high - low < 1e-9 else f"{low:.3g} … {high:.3g}".replace("-", "−")


def message_passing(model: Model) -> Figure:
    """The graph of ``model``: areas from left to right, superficial layers above deep ones."""
    units, messages = circuit(model)
    wide, high, step, top = 150, 150, 280, 60  # pixels: within an area, between layers, between areas, margin

    def place(unit: Unit) -> tuple[float, float]:
        across, up = _PLACES[unit.kind]
        return 70 + (unit.area - 1) * step + across * wide, top + 25 + up * high

    words = {
        ERROR: str(Text("prediction errors (forward)", "予測誤差(順方向)")),
        PREDICTION: str(Text("predictions (backward)", "予測(逆方向)")),
        OWN: str(Text("the area's own belief or data", "その領野自身の信念・データ")),
        GAIN: str(Text("precision (neuromodulation)", "精度(神経修飾)")),
    }
    lines, heads = [], []
    for message in messages:
        (x, y), (x2, y2) = place(message.source), place(message.target)
        length = math.hypot(x2 - x, y2 - y)
        ux, uy = (x2 - x) / length, (y2 - y) / length
        aside = 7  # messages back and forth run side by side
        x, y = x + 19 * ux - aside * uy, y + 19 * uy + aside * ux
        x2, y2 = x2 - 24 * ux - aside * uy, y2 - 24 * uy + aside * ux
        angle = math.degrees(math.atan2(ux, uy))  # clockwise from upwards
        lines.append({"x": x, "y": y, "x2": x2, "y2": y2, "which": words[message.what]})
        heads.append({"x": x2, "y": y2, "angle": angle, "which": words[message.what]})
    nodes, tags = [], []
    for unit in units:
        x, y = place(unit)
        superficial = unit.kind in "zw"
        nodes.append({"x": x, "y": y, "name": unit.name, "layer": "error" if superficial else "state"})
        count = str(Text(f"{unit.size} units", f"{unit.size} ユニット"))
        tags.append({"x": x, "y": y + (77 if superficial else -29), "text": f"{count}"})
        if unit.log_precision:
            tags.append({"x": x, "y": y + 62, "text": f"ln Π = {unit.log_precision}"})
            lines.append({"x": x, "y": y + 54, "x2": x, "y2": y + 29, "which": words[GAIN]})
            heads.append({"x": x, "y": y + 29, "angle": 180.0, "which": words[GAIN]})
    areas = sorted({unit.area for unit in units})
    kinds = {unit.area: {u.kind for u in units if u.area == unit.area} for unit in units}
    last = wide if "x" in kinds[areas[-1]] else 60
    width, height = 70 + (areas[-1] - 1) * step + last + 70, top + high + 145
    boxes, titles = [], []
    for area in areas:
        left = 70 + (area - 1) * step - 48
        right = left + 96 + (wide if "x" in kinds[area] else 0)
        boxes.append({"x": left, "x2": right, "y": top - 32, "y2": top + high + 118})
        name = str(Text(f"level {area}", f"第 {area} 階層"))
        name += str(Text(" (senses)", "(感覚)")) if area == 1 else ""
        titles.append({"x": left + 4, "y": top + high + 128, "text": name})
    layers = [
        {"x": 8, "y": top + 25 + high, "text": str(Text("superficial: error units", "浅層:誤差ユニット"))},
        {"x": 8, "y": top + 25, "text": str(Text("deep: state units", "深層:状態ユニット"))},
    ]
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, height], nice=False), axis=None)
    scale = alt.Scale(domain=list(words.values()), range=[VERMILION, BLACK, "#999999", BLUE])
    legend = alt.Legend(orient="top", labelLimit=300, symbolType="stroke", symbolOpacity=1, columns=2)
    colour, same = (alt.Color("which:N", title=None, scale=scale, legend=shown) for shown in (legend, None))

    def chart(values: list) -> alt.Chart:
        return alt.Chart(alt.Data(values=values))

    fill = alt.Color("layer:N", scale=alt.Scale(domain=["error", "state"], range=[VERMILION, BLACK]), legend=None)
    picture = (
        alt.layer(
            chart(boxes).mark_rect(color="#f3f3f3", cornerRadius=10).encode(x=x, x2="x2:Q", y=y, y2="y2:Q"),
            chart(lines).mark_rule(strokeWidth=1.6).encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=colour),
            chart(heads)
            .mark_point(shape="triangle-up", filled=True, size=60, opacity=1)
            .encode(x=x, y=y, color=same, angle=alt.Angle("angle:Q", scale=None)),
            chart(nodes)
            .mark_point(shape="triangle-up", filled=True, size=1500, opacity=1)
            .encode(x=x, y=y, color=fill),
            chart(nodes).mark_text(color="white", fontSize=13, fontWeight="bold", dy=5).encode(x=x, y=y, text="name:N"),
            chart(tags).mark_text(fontSize=10.5, color="#333333").encode(x=x, y=y, text="text:N"),
            chart(titles).mark_text(align="left", fontSize=12, fontWeight="bold").encode(x=x, y=y, text="text:N"),
            chart(layers).mark_text(angle=270, fontSize=11, color="#555555").encode(x=x, y=y, text="text:N"),
        )
        .resolve_scale(color="independent")
        .properties(width=width, height=height)
    )
    caption = Text(
        "Message passing in the model, drawn from its declaration. Error units in superficial layers (z: errors on "
        "what a level sends down, w: on the motion of its states) receive predictions from deep layers of their own "
        "and the next level; state units (x: hidden states, v: causes) move so as to lower the errors they receive, "
        "weighed by their precision Π, the gain that neuromodulators set. Triangles: pyramidal cells. A line is there "
        "only where a function of the model depends on its source.",
        "モデルの宣言から描いたメッセージ伝達。浅層の誤差ユニット(z:下の階層へ送る信号の誤差、w:状態の運動の誤差)は、"
        "同じ階層と一つ上の階層の深層から予測を受け取る。深層の状態ユニット(x:隠れ状態、v:原因)は、精度 Π で"
        "重みづけられた誤差を減らすように動く。精度は神経修飾物質が定めるゲイン。三角形は錐体細胞。線は、モデルの関数が送り手に依存する場合にだけ引かれる。",
    )
    return Figure(str(caption), picture)
