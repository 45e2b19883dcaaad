"""How charts are put together here."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from phantastic.show.figure import BLACK

Rows = list[dict[str, Any]]
UNIT = alt.Scale(domain=[0, 1], nice=False)


def rows(x: Any, y: Any, **fields: Any) -> Rows:
    """Points of a curve as Vega takes them, in this order."""
    return [{"x": float(a), "y": float(b), "at": k, **fields} for k, (a, b) in enumerate(zip(x, y, strict=True))]


def curve(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_line(**mark).encode(order="at:Q")


def dots(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_point(**({"filled": True, "opacity": 1, "size": 40} | mark))


def diagonal(values: Sequence[float] = (0, 1)) -> alt.Chart:
    """What chance gives, or what a true forecast does."""
    line = curve(rows(values, values), color=BLACK, strokeDash=[4, 3], strokeWidth=1, opacity=0.7)
    return line.encode(x="x:Q", y="y:Q")


def x(title: object, scale: alt.Scale = UNIT, **axis: Any) -> alt.X:
    axis = {"tickCount": 5} | axis
    return alt.X("x:Q", title=str(title), scale=scale, axis=alt.Axis(**axis))


def y(title: object, scale: alt.Scale = UNIT, **axis: Any) -> alt.Y:
    axis = {"tickCount": 5} | axis
    return alt.Y("y:Q", title=str(title), scale=scale, axis=alt.Axis(**axis))


def coloured(names: Sequence[object], colours: Sequence[str], **legend: Any) -> alt.Color:
    scale = alt.Scale(domain=list(map(str, names)), range=list(colours))
    key: dict[str, Any] = {"orient": "bottom", "columns": 1, "labelLimit": 400, "symbolOpacity": 1} | legend
    return alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(**key))


def title(text: object) -> alt.TitleParams:
    return alt.TitleParams(str(text), fontSize=12, fontWeight="normal")


def side_by_side(*panels: Any) -> alt.HConcatChart:
    return alt.hconcat(*panels, spacing=34).resolve_scale(color="independent", shape="independent")
