"""Courses over time: bins from 1, the width of a 90% interval, and what an axis says."""

import pytest
import torch

from phantastic.measures.gaussian import NORMAL, rms
from phantastic.show import traces


def test_a_trace_counts_its_bins_from_one_and_has_its_interval() -> None:
    values, deviation = torch.tensor([1.0, 2.0]).double(), torch.tensor([0.0, 2.0]).double()
    assert traces.trace(values, "a") == [
        {"x": x, "y": y, "low": y, "high": y, "which": "a"} for x, y in ((1, 1.0), (2, 2.0))
    ]
    _, second = traces.trace(values, "a", deviation)
    assert (second["low"], second["high"]) == pytest.approx((2 - 3.28970725, 2 + 3.28970725))


def test_nine_tenths_of_a_gaussian_lie_within_the_interval() -> None:
    assert torch.special.ndtr(torch.tensor(NORMAL, dtype=torch.float64)).item() == pytest.approx(0.95, abs=1e-12)
    assert rms(torch.tensor([[3.0, 4.0], [0.0, 0.0]])) == 2.5


def test_points_go_in_pairs() -> None:
    assert traces.points([1, 2], [3, 4], "b") == [
        {"x": 1.0, "y": 3.0, "which": "b"},
        {"x": 2.0, "y": 4.0, "which": "b"},
    ]
    with pytest.raises(ValueError):
        traces.points([1], [1, 2], "b")


def test_charts_draw_what_they_are_given() -> None:
    rows = traces.points([1, 2], [3, 4], "b")
    line, dots, band = traces.line(rows, strokeDash=[2]), traces.dots(rows, size=9), traces.band(rows, "y", color="red")
    assert all(chart.to_dict()["data"]["values"] == rows for chart in (line, dots, band))
    assert [chart.to_dict()["mark"]["type"] for chart in (line, dots, band)] == ["line", "point", "area"]
    assert dots.to_dict()["mark"] == {"type": "point", "filled": True, "opacity": 1, "size": 9}
    assert band.to_dict()["mark"] == {"type": "area", "opacity": 0.2, "color": "red"}
    encoding = band.to_dict()["encoding"]
    assert (encoding["y"]["field"], encoding["y2"]["field"], encoding["y"]["title"]) == ("low", "high", "y")
    axis = traces.over_time(1, 20).to_dict()
    assert (axis["field"], axis["title"], axis["scale"]) == ("x", "time (bins)", {"domain": [1, 20], "nice": False})
    colour = traces.coloured(["a", "b"], ["red", "blue"], orient="top").to_dict()
    assert colour["scale"] == {"domain": ["a", "b"], "range": ["red", "blue"]}
    assert (colour["legend"]["orient"], colour["legend"]["symbolType"]) == ("top", "stroke")
    assert traces.heading("what", dy=3).to_dict() == {"text": "what", "fontSize": 12, "fontWeight": "normal", "dy": 3}
