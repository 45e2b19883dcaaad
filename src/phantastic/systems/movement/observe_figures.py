"""The pictures of handwriting: the trajectory, the attractor states behind it, and what a violation evokes."""

from collections.abc import Mapping, Sequence

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.inference.published.handwriting import PLACES
from phantastic.show.figure import BLACK, BLUE, ORANGE, VERMILION, Figure
from phantastic.systems.movement.drawing import BIN, coloured, course, ends, heading, lines, moments, path, plane

TITLES = {
    "action": Text("action", "行為"),
    "observation": Text("observation", "観察"),
    "violation": Text("observation, violated", "観察(違反)"),
}


def writing(conditions: Mapping[str, Mapping[str, list]], half: int) -> Figure:
    """Where the hand is and where it is predicted, with the attracting places; the violation begins at the diamond."""
    true, predicted = str(Text("hand", "手")), str(Text("predicted", "予測"))
    place = str(Text("attracting place", "引きつける場所"))
    colour = coloured([true, predicted, place], ["#9a9a9a", VERMILION, ORANGE])
    positions = [row for traces in conditions.values() for row in traces["hand"]]
    span = tuple(ends([*(row[axis] for row in positions), *(place[axis] for place in PLACES)]) for axis in (0, 1))
    places = [{"x": x, "y": y, "which": place} for x, y in dict.fromkeys(PLACES)]
    panels = []
    for name, traces in conditions.items():
        line = path(plane(traces["hand"], true), colour, ("x", "y"), (span[0], span[1]), 230, 260, 3)
        dots = alt.Chart(alt.Data(values=plane(traces["predicted"], predicted))).mark_point(
            filled=True, size=9, opacity=1
        )
        marks = alt.Chart(alt.Data(values=places)).mark_point(shape="cross", size=80, filled=True, opacity=1)
        layers = [line, *(chart.encode(x="x:Q", y="y:Q", color=colour) for chart in (marks, dots))]
        if name == "violation":
            turning_point = [{"x": traces["hand"][half - 1][0], "y": traces["hand"][half - 1][1]}]
            point = alt.Chart(alt.Data(values=turning_point)).mark_point(
                shape="diamond", size=110, filled=True, opacity=1, color=BLUE
            )
            layers.append(point.encode(x="x:Q", y="y:Q"))
        panels.append(alt.layer(*layers).properties(title=heading(str(TITLES[name]))))
    caption = Text(
        "Handwriting without a motor command: a sequence of attracting places draws the expected hand along, and "
        "action makes the expectation true. The same beliefs predict the hand of another. Right: from the diamond on, "
        "the observed movement is turned round.",
        "運動指令のない手書き。引きつける場所が順に入れ替わり、予想される手を引いていき、行為がその予想を実現する。"
        "同じ信念が他者の手を予測する。右:菱形以降、観察される運動の向きが逆になる。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def intentions(conditions: Mapping[str, Mapping[str, list]], correlations: Sequence[float], half: int) -> Figure:
    """The attractor states of all three runs as strips, and those of action against those of observation."""
    strips = []
    low, high = -6.0, 2.0
    for name, traces in conditions.items():
        cells = [
            {"t": t, "state": state, "y": min(max(y, low), high)}
            for t, row in enumerate(traces["sequence"], start=1)
            for state, y in enumerate(row, start=1)
            if t % 2
        ]
        scale = alt.Scale(domain=[low, high], range=["#ffffff", BLUE], interpolate="rgb")
        legend = alt.Legend(title=str(Text("its value", "その値")), gradientLength=90)
        base = alt.Chart(alt.Data(values=[cell | {"next": cell["t"] + 2.2} for cell in cells])).mark_rect()
        strip = base.encode(
            x=alt.X(
                "t:Q",
                title=str(BIN) if name == "violation" else None,
                scale=alt.Scale(domain=[1, len(traces["sequence"])], nice=False),
                axis=alt.Axis(format="d"),
            ),
            x2="next:Q",
            y=alt.Y("state:O", title=str(Text("attractor state", "アトラクター状態"))),
            color=alt.Color("y:Q", scale=scale, legend=legend),
        )
        marks = [(half + 0.5, VERMILION)] if name == "violation" else []
        title = heading(str(TITLES[name]), "start")
        layers = alt.layer(strip, *moments(marks, 1, len(traces["sequence"])))
        strips.append(layers.properties(width=380, height=85, title=title))
    pairs = [
        {"x": x, "y": y}
        for one, other in zip(conditions["action"]["sequence"], conditions["observation"]["sequence"], strict=True)
        for x, y in zip(one, other, strict=True)
    ]
    span = ends([value for pair in pairs for value in pair.values()])
    scatter = (
        alt.Chart(alt.Data(values=pairs))
        .mark_point(filled=True, size=8, color=BLUE, opacity=0.35)
        .encode(
            x=alt.X(
                "x:Q",
                title=str(Text("attractor states in action", "行為時のアトラクター状態")),
                scale=alt.Scale(domain=list(span), nice=False),
            ),
            y=alt.Y(
                "y:Q",
                title=str(Text("attractor states in observation", "観察時のアトラクター状態")),
                scale=alt.Scale(domain=list(span), nice=False),
            ),
        )
        .properties(width=230, height=230, title=heading(f"r = {min(correlations):.2f} … {max(correlations):.2f}"))
    )
    caption = Text(
        "The six attractor states, winner after winner: what the writer intends, and what the observer believes the "
        "writer intends (mirror neurons). Right: the same states in action and in observation, all bins. After the "
        "violation the sequence is lost.",
        "6 つのアトラクター状態が順に勝つ。書き手の意図と、観察者が推論する書き手の意図(ミラーニューロン)。"
        "右:行為時と観察時の同じ状態(全ビン)。違反の後は系列が失われる。",
    )
    return Figure(str(caption), alt.hconcat(alt.vconcat(*strips), scatter))


def violation(conditions: Mapping[str, Mapping[str, list]], half: int) -> Figure:
    """The precision-weighted errors on the motion of the joints, around the violation."""
    names = {key: str(TITLES[key]) for key in ("observation", "violation")}
    window = slice(half - 32, half + 64)
    values = []
    for key, name in names.items():
        magnitude = [sum(error**2 for error in row) ** 0.5 for row in conditions[key]["joints"]]
        values += course(magnitude[window], name, window.start + 1)
    colour = coloured(list(names.values()), [BLACK, VERMILION])
    title = str(Text("|√Π ε| of the joints' motion", "関節の運動の |√Π ε|"))
    last = max(row["t"] for row in values)
    chart = lines(values, title, colour, ends([0.0, *(row["y"] for row in values)]), width=460, height=200)
    caption = Text(
        "The response to a violated expectation: precision-weighted prediction errors, the simulated response of "
        "superficial pyramidal cells, on the motion of the joints. The seen movement is turned round at the "
        "dashed line. The lawful movement has its own brief response, where the next place is settled.",
        "予想の違反への応答:関節の運動に対する精度重みづけ予測誤差(浅層錐体細胞の応答の模擬)。"
        "破線の時点で、見えている運動の向きが逆になる。違反のない運動にも、次の場所が決まる際に短い応答がある。",
    )
    return Figure(str(caption), alt.layer(*moments([(half + 0.5, "#999999")], window.start + 1, last), chart))
