"""Courses over time, with their intervals: what the figures of several systems are made of."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.declare.i18n import words
from phantastic.measures.gaussian import NORMAL

Rows = list[dict[str, Any]]


def trace(values: Float64[Tensor, " bins"], which: str, deviation: Tensor | None = None) -> Rows:
    """One component over bins 1, 2, ..., with its 90% interval where there is a standard deviation."""
    half = NORMAL * deviation if deviation is not None else torch.zeros_like(values)
    return [
        {"x": t, "y": y, "low": y - h, "high": y + h, "which": which}
        for t, (y, h) in enumerate(zip(values.tolist(), half.tolist(), strict=True), start=1)
    ]


def points(x: Sequence[float], y: Sequence[float], which: str) -> Rows:
    return [{"x": float(a), "y": float(b), "which": which} for a, b in zip(x, y, strict=True)]


def coloured(names: Sequence[str], colours: Sequence[str], **legend: Any) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(colours))
    drawn: dict[str, Any] = {"labelLimit": 300, "symbolType": "stroke", "symbolOpacity": 1, "orient": "bottom"}
    return alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(**(drawn | legend)))


def line(rows: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows)).mark_line(**mark)


def dots(rows: Rows, **mark: Any) -> alt.Chart:
    usual: dict[str, Any] = {"filled": True, "opacity": 1, "size": 24}
    return alt.Chart(alt.Data(values=rows)).mark_point(**(usual | mark))


def band(rows: Rows, title: str, **mark: Any) -> alt.Chart:
    """The intervals of traces; the axis has the title that the lines' axis has."""
    usual: dict[str, Any] = {"opacity": 0.2}
    y = alt.Y("low:Q", title=title)
    return alt.Chart(alt.Data(values=rows)).mark_area(**(usual | mark)).encode(y=y, y2="high:Q")


def heading(text: str, **more: Any) -> alt.TitleParams:
    return alt.TitleParams(text, fontSize=12, fontWeight="normal", **more)


def over_time(first: int, last: int) -> alt.X:
    scale = alt.Scale(domain=[first, last], nice=False)
    return alt.X("x:Q", title=words()["time_bins"], scale=scale, axis=alt.Axis(tickCount=6, format="d"))
