"""What the pictures of entropy have in common: curves, dots, colours and logarithmic axes."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from phantastic.declare.i18n import Text

Rows = list[dict[str, Any]]
NATS = Text("nats", "nat")
HEADING: dict[str, Any] = {"fontSize": 12, "fontWeight": "normal"}


def rows(x: Any, y: Any, **fields: Any) -> Rows:
    """Points of a curve as Vega takes them."""
    return [{"x": float(a), "y": float(b), **fields} for a, b in zip(x, y, strict=True)]


def coloured(names: Sequence[str], colours: Sequence[str], symbol: str = "stroke", **legend: Any) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(colours))
    key = alt.Legend(labelLimit=300, symbolType=symbol, symbolOpacity=1, **legend)
    return alt.Color("which:N", title=None, scale=scale, legend=key)


def powers(title: str, low: float, high: float, axis: str, form: str = "~g", digits: Sequence[float] = (1,)) -> Any:
    """A logarithmic axis with a line at each power of ten, or at these multiples of it."""
    orders = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [digit * 10.0**order for order in orders for digit in digits]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return (alt.X if axis == "x" else alt.Y)(
        f"{axis}:Q", title=title, scale=scale, axis=alt.Axis(values=ticks, format=form)
    )


def curve(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_line(**mark)


def dots(values: Rows, **mark: Any) -> alt.Chart:
    return alt.Chart(alt.Data(values=values)).mark_point(**({"filled": True, "opacity": 1, "size": 28} | mark))
