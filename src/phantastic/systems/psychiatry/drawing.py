"""How charts are put together here, and the picture of a fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, PURPLE, SKY, VERMILION, Figure
from phantastic.systems.psychiatry.fit import Posterior

if TYPE_CHECKING:
    from phantastic.systems.psychiatry.behaviour import Sheet

Rows = list[dict[str, Any]]
GROUPS = (BLUE, VERMILION, GREEN, PURPLE, SKY)
HEADING: dict[str, Any] = {"fontSize": 12, "fontWeight": "normal", "anchor": "middle"}
TRACES = 4  # people whose behaviour is drawn beside the fit
NAMED = 12  # people who have room for their names under the axis


def rows(x: Any, y: Any, **fields: Any) -> Rows:
    """Points of a curve as Vega takes them."""
    return [{"x": float(a), "y": float(b), **fields} for a, b in zip(x, y, strict=True)]


def title(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, **HEADING)


def coloured(names: Sequence[str], colours: Sequence[str], field: str = "which", **legend: Any) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(colours))
    legend = {"orient": "bottom", "labelLimit": 400, "columns": 2, "symbolOpacity": 1} | legend
    return alt.Color(f"{field}:N", title=None, scale=scale, legend=alt.Legend(**legend))


def curve(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_line(**mark)


def dots(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_point(**({"filled": True, "opacity": 1, "size": 28} | mark))


def fitted(sheet: "Sheet", posterior: Posterior, marked: Sequence[bool], follows: Sequence[bool]) -> Figure:
    """Behaviour and what the fitted simulator makes of it, and everyone's parameters with their intervals: of those
    who follow, hollow where the table has a mark."""
    names = list(dict.fromkeys(group or str(Text("people", "人")) for group in sheet.groups))
    group_of = [group or names[0] for group in sheet.groups]
    colour = coloured(names, [GROUPS[k % len(GROUPS)] for k in range(len(names))])
    panels = []
    for k in range(min(TRACES, len(sheet.people))):
        observed = (sheet.data.weight[k] > 0).tolist()
        x = range(1, len(observed) + 1)
        data = [r for r, here in zip(rows(x, sheet.data.mean[k], which=group_of[k]), observed, strict=True) if here]
        line = curve(rows(x, posterior.predicted[k], which=group_of[k]), color=BLACK, strokeWidth=1.5, opacity=0.6)
        bins = alt.Scale(domain=[0.5, len(observed) + 0.5], nice=False)
        ax = alt.X("x:Q", title=str(Text("sample", "標本")), scale=bins, axis=alt.Axis(tickMinStep=1, tickCount=6))
        ay = alt.Y("y:Q", title=str(Text("recorded", "記録値")), scale=alt.Scale(zero=False))
        layers = alt.layer(line.encode(x=ax, y=ay), dots(data, size=20).encode(x=ax, y=ay, color=colour))
        name = (sheet.people[k] or names[0]) + (str(Text(" (marked)", "(要注意)")) if marked[k] else "")
        panels.append(
            layers.properties(
                width=240,
                height=110,
                title=title(name),
            )
        )
    low, high = posterior.interval()
    estimates = []
    order = [row for row in posterior.mean[:, 0].argsort().tolist() if follows[row]]
    people = [sheet.people[row] or names[0] for row in order]
    if len(order) <= NAMED:
        across = alt.X("who:N", title=None, sort=people, axis=alt.Axis(labelAngle=0, labelOverlap=False, grid=False))
    else:
        symbol = sheet.task.parameters[0].symbol
        across = alt.X(
            "x:Q",
            title=str(Text(f"people, in the order of {symbol}", f"人({symbol} の順)")),
            scale=alt.Scale(domain=[0.4, len(order) + 0.6], nice=False),
            axis=alt.Axis(tickMinStep=1, tickCount=6, grid=False),
        )
    for k, parameter in enumerate(sheet.task.parameters):
        values = [
            {
                "x": place,
                "who": people[place - 1],
                "y": float(posterior.mean[row, k]),
                "low": float(low[row, k]),
                "high": float(high[row, k]),
                "which": group_of[row],
                "marked": marked[row],
            }
            for place, row in enumerate(order, start=1)
        ]
        base = alt.Chart(alt.Data(values=values)).encode(x=across, color=colour)
        ay = alt.Y("low:Q", title=parameter.symbol, scale=alt.Scale(zero=False))
        layers = alt.layer(
            base.mark_rule(strokeWidth=1.5).encode(y=ay, y2="high:Q"),
            base.transform_filter("!datum.marked").mark_point(filled=True, size=30, opacity=1).encode(y="y:Q"),
            base.transform_filter("datum.marked").mark_point(fill="white", size=34, opacity=1).encode(y="y:Q"),
        )
        estimates.append(layers.properties(width=240, height=130, title=title(str(parameter.text))))
    caption = Text(
        "Behaviour (dots) and what the simulator with the inferred parameters does (lines); below, each person's "
        "parameters with their 95% intervals, in one order. "
        "Hollow: the table says why these numbers are not to be believed as they stand.",
        "行動データ(点)と、推定したパラメータによるシミュレーション(線)。下は各人のパラメータと 95% 区間で、"
        "並び順は共通。白抜きは、そのまま信じてはならない人(理由は表に)。",
    )
    chart = alt.vconcat(alt.concat(*panels, columns=2), alt.hconcat(*estimates))
    return Figure(str(caption), chart.resolve_scale(color="shared"))
