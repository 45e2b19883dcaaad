"""The pictures of the plaid: its frames, what is believed and done, and movements that are made."""

from collections.abc import Mapping

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.movement.drawing import coloured, course, ends, heading, lines

TITLES = {
    "flat": Text("flat prior", "平坦な事前分布"),
    "tight": Text("tight prior", "狭い事前分布"),
    "expected": Text("an expected movement", "予想された運動"),
    "perturbed": Text("perturbed late", "後半で乱された運動"),
}
FRAMES = (1, 6, 9, 12, 15, 18, 21, 24, 30, 40)


def frames(simulations: Mapping[str, Mapping[str, list]]) -> Figure:
    """The 4 x 4 luminances that are seen, at some bins, under both priors."""
    brightest = max(abs(value) for traces in simulations.values() for row in traces["sense"] for value in row)
    cells, labels = [], []
    for row, (name, traces) in enumerate(simulations.items()):
        labels.append({"x": -0.6, "y": 5 * row + 2, "text": str(TITLES[name])})
        for column, frame in enumerate(FRAMES):
            if row == 0:
                labels.append({"x": 5 * column + 2, "y": -0.7, "text": str(frame)})
            for place, value in enumerate(traces["sense"][frame - 1]):
                x, y = 5 * column + place % 4, 5 * row + place // 4
                cells.append({"x": x, "x2": x + 1, "y": y, "y2": y + 1, "value": value / brightest})
    side, width, height = 13, 5 * len(FRAMES), 5 * len(simulations)
    scale = alt.Scale(domain=[-1, 1], range=["#000000", "#ffffff"])
    across = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-8, width], nice=False))
    down = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, -1.5], nice=False))
    squares = (
        alt.Chart(alt.Data(values=cells))
        .mark_rect()
        .encode(x=across, x2="x2:Q", y=down, y2="y2:Q", color=alt.Color("value:Q", scale=scale, legend=None))
    )
    text = alt.Chart(alt.Data(values=labels))
    beside = text.transform_filter("datum.x < 0").mark_text(align="right", fontSize=12)
    above = text.transform_filter("datum.x >= 0").mark_text(fontSize=11)
    layers = [squares, *(mark.encode(x=across, y=down, text="text:N") for mark in (beside, above))]
    caption = Text(
        "What the eye receives of a plaid of two gratings that is pushed at bin 12 (numbers: bins). With a flat prior "
        "the plaid moves and is seen to; with a tight prior on stillness the eye moves along, and holds it still.",
        "2 つの格子を重ねた模様(プレイド)から眼が受け取るもの。ビン 12 で力が加わる(数字はビン)。"
        "事前分布が平坦なら模様は動いて見え、静止という狭い事前分布のもとでは眼が動いて模様を静止させる。",
    )
    return Figure(str(caption), alt.layer(*layers).properties(width=side * (width + 8), height=side * (height + 1.5)))


def priors(simulations: Mapping[str, Mapping[str, list]]) -> Figure:
    """States, true and believed; the push, true and believed, and the action."""
    kinds = [str(Text("true", "真の状態")), str(Text("believed", "信念"))]
    states = [str(Text("state x1", "状態 x1")), str(Text("state x2", "状態 x2"))]
    causes = [
        str(Text("push v, true", "力 v(真)")),
        str(Text("push v, believed", "力 v(信念)")),
        str(Text("action a", "行為 a")),
    ]
    panels = []
    state_ends = ends([value for traces in simulations.values() for row in traces["true"] for value in row])
    cause_ends = ends(
        [v for traces in simulations.values() for key in ("cause", "action", "believed_cause") for v in traces[key]]
    )
    for name, traces in simulations.items():
        rows = []
        for kind, key in zip(kinds, ("true", "believed"), strict=True):
            for state, trace in zip(states, zip(*traces[key], strict=True), strict=True):
                rows += course(trace, state, each=f"{kind}{state}", kind=kind)
        dash = alt.StrokeDash(
            "kind:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=[[1, 0], [5, 4]]),
            legend=alt.Legend(orient="bottom", symbolType="stroke"),
        )
        top = lines(rows, str(Text("states", "状態")), coloured(states, [BLUE, SKY]), state_ends, dash, 280, 150)
        rows = [
            row
            for label, key in zip(causes, ("cause", "believed_cause", "action"), strict=True)
            for row in course(traces[key], label)
        ]
        colour = coloured(causes, [BLACK, ORANGE, VERMILION], 2)
        down = lines(rows, str(Text("cause and action", "原因と行為")), colour, cause_ends, width=280, height=130)
        title = heading(str(TITLES[name]))
        panels.append(alt.vconcat(top.properties(title=title), down).resolve_scale(color="independent"))
    caption = Text(
        "The same push, two priors. With a flat prior its cause is believed, and nothing is done about it; with a "
        "tight prior it is not believed, and action cancels it: what is not expected is not allowed to happen.",
        "同じ力に対する 2 つの事前分布。平坦なら原因が認められ、何も行われない。狭ければ原因は認められず、行為が力を"
        "打ち消す。予想されないことは起こらないようにされる。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="independent"))


def movements(simulations: Mapping[str, Mapping[str, list]], strength: float) -> Figure:
    """States and action of an expected movement, with a stronger plant, and under a perturbation."""
    titles = TITLES | {"stronger": Text(f"motor gain × {strength:g}", f"運動器官の利得 × {strength:g}")}
    states = [str(Text("state x1", "状態 x1")), str(Text("state x2", "状態 x2"))]
    forces = [
        str(Text("expected cause v", "予想された原因 v")),
        str(Text("action a", "行為 a")),
        str(Text("push", "加えられた力")),
    ]
    state_ends = ends([value for traces in simulations.values() for row in traces["true"] for value in row])
    cause_ends = ends(
        [v for traces in simulations.values() for key in ("cause", "action", "believed_cause") for v in traces[key]]
    )
    panels = []
    for name, traces in simulations.items():
        rows = [
            row
            for state, trace in zip(states, zip(*traces["true"], strict=True), strict=True)
            for row in course(trace, state)
        ]
        top = lines(rows, str(Text("movement", "運動")), coloured(states, [BLUE, SKY]), state_ends, None, 210, 130)
        rows = [
            row
            for label, key in zip(forces, ("believed_cause", "action", "cause"), strict=True)
            for row in course(traces[key], label)
        ]
        colour = coloured(forces, [GREEN, VERMILION, BLACK], 3)
        down = lines(rows, str(Text("cause and action", "原因と行為")), colour, cause_ends, None, 210, 130)
        title = heading(str(titles[name]))
        panels.append(alt.vconcat(top.properties(title=title), down).resolve_scale(color="independent"))
    caption = Text(
        "A movement that is expected at bin 12 is made: action fulfils what the prior predicts of the senses. A plant "
        "twice as strong, or a push at bin 18, changes the action and leaves the movement as it is.",
        "ビン 12 で予想された運動が実行される。行為は、事前分布が感覚について予測したことを実現する。運動器官の利得を"
        "変えても、ビン 18 で力を加えても、変わるのは行為であり、運動は変わらない。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="shared"))
