"""What the figures of movement have in common: traces over time, paths in the plane."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from phantastic.declare.i18n import Text

Rows = list[dict[str, Any]]
BIN = Text("time (bins)", "時間(ビン)")


def heading(text: str, anchor: Any = "middle") -> alt.TitleParams:
    """The title of a panel."""
    return alt.TitleParams(text, fontSize=12, fontWeight="normal", anchor=anchor)


def course(values: Sequence[float], which: str, start: int = 1, **fields: Any) -> Rows:
    """A trace, bin by bin from ``start``."""
    return [{"t": t, "y": float(y), "which": which, **fields} for t, y in enumerate(values, start=start)]


def coloured(names: Sequence[str], colours: Sequence[str], columns: int = 4) -> alt.Color:
    """The colour of each name, and the legend below."""
    scale = alt.Scale(domain=list(names), range=list(colours))
    legend = alt.Legend(labelLimit=320, symbolType="stroke", symbolOpacity=1, orient="bottom", columns=columns)
    return alt.Color("which:N", title=None, scale=scale, legend=legend)


def lines(
    values: Rows,
    title: str,
    colour: Any,
    y: Sequence[float] | None = None,
    dash: alt.StrokeDash | None = None,
    width: int = 300,
    height: int = 110,
) -> alt.Chart:
    """Traces over time. colour: `coloured`, or a value; y: the ends of the vertical axis; dash: what breaks a line."""
    times = [row["t"] for row in values]
    scale = alt.Scale(domain=list(y), nice=False) if y else alt.Scale(zero=False)
    span = alt.Scale(domain=[min(times), max(times)], nice=False)
    encoding: dict[str, Any] = {
        "x": alt.X("t:Q", title=str(BIN), scale=span, axis=alt.Axis(tickCount=8, format="d")),
        "y": alt.Y("y:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5)),
        "color": colour,
        "detail": "each:N",
    }
    if dash is not None:
        encoding["strokeDash"] = dash
    chart = alt.Chart(alt.Data(values=values)).mark_line(strokeWidth=1.6, clip=True)
    return chart.encode(**encoding).properties(width=width, height=height)


def moments(marks: Sequence[tuple[float, str]], first: float, last: float) -> list[alt.Chart]:
    """Vertical lines at these bins, in these colours, under traces from bin ``first`` to ``last``."""
    x = alt.X("t:Q", scale=alt.Scale(domain=[first, last], nice=False))
    return [
        alt.Chart(alt.Data(values=[{"t": t}])).mark_rule(strokeDash=[4, 3], strokeWidth=1.3, color=colour).encode(x=x)
        for t, colour in marks
    ]


def path(
    values: Rows,
    colour: alt.Color,
    titles: tuple[str, str],
    span: tuple[Sequence[float], Sequence[float]],
    width: int = 240,
    height: int = 240,
    stroke: float = 1.8,
    opacity: float = 1.0,
) -> alt.Chart:
    """Paths in the plane (fields x, y, t, which) with the given ends of both axes."""
    across, up = (alt.Scale(domain=list(ends), nice=False) for ends in span)
    chart = alt.Chart(alt.Data(values=values)).mark_line(strokeWidth=stroke, opacity=opacity, clip=True)
    return chart.encode(
        x=alt.X("x:Q", title=titles[0], scale=across, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=titles[1], scale=up, axis=alt.Axis(tickCount=5)),
        order="t:Q",
        color=colour,
    ).properties(width=width, height=height)


def plane(rows: Sequence[Sequence[float]], which: str) -> Rows:
    """The points of a path in the plane."""
    return [{"x": row[0], "y": row[1], "t": t, "which": which} for t, row in enumerate(rows, start=1)]


def ends(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """The ends of an axis around these values."""
    low, high = min(values), max(values)
    margin = share * ((high - low) or 1.0)
    return low - margin, high + margin
