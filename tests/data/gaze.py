"""Gain and lag on traces whose answer is known; gaps and bins."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data.gaze import binned, filled, following
from phantastic.ground.randomness import numpy_generator, torch_generator


def wander(*shape: int) -> torch.Tensor:
    """Smooth random paths [..., bins, axes]."""
    steps = torch.randn(*shape, generator=torch_generator(0, "test/gaze"), dtype=torch.float64)
    return steps.cumsum(-2).cumsum(-2)


@given(st.integers(-8, 8), st.floats(0.05, 3))
def test_a_shifted_and_scaled_copy_has_that_gain_and_lag(lag: int, gain: float) -> None:
    path = wander(140, 2)
    target, eye = path[20:120], gain * path[20 - lag : 120 - lag]
    found = following(eye, target)
    assert float(found.correlation) == pytest.approx(1, abs=0.02)
    assert float(found.lag) == pytest.approx(lag, abs=0.5)
    inner = following(eye[1:-1], target[1:-1])
    assert float(inner.gain) == pytest.approx(gain, rel=0.05)


@pytest.mark.parametrize("lag", [0.0, 0.3, 2.5, -1.75])
def test_lags_between_bins(lag: float) -> None:
    t = torch.arange(256, dtype=torch.float64)[:, None]
    eye, target = torch.sin(2 * math.pi * (t - lag) / 64), torch.sin(2 * math.pi * t / 64)
    found = following(eye, target, 12)
    assert float(found.lag) == pytest.approx(lag, abs=0.05)
    assert float(found.gain) == pytest.approx(1, abs=0.02)


def test_a_batch_is_its_subjects() -> None:
    eyes, target = wander(3, 80, 2), wander(80, 2)
    together = following(eyes, target)
    for number, eye in enumerate(eyes):
        for one, other in zip(following(eye, target), together, strict=True):
            assert float(one) == pytest.approx(float(other[number]), abs=1e-12)


def test_what_stands_still_has_no_lag_and_a_steady_target_none_but_0() -> None:
    still, moving = torch.zeros(64, 2, dtype=torch.float64), wander(64, 2)
    assert float(following(still, moving).gain) == 0
    assert math.isnan(float(following(still, moving).lag))
    assert math.isnan(float(following(moving, still).gain))
    steady = torch.arange(64, dtype=torch.float64)[:, None]
    assert float(following(0.5 * steady, steady).lag) == 0
    assert float(following(0.5 * steady, steady).gain) == pytest.approx(0.5)


def test_gaps_in_a_line_are_filled_by_the_line() -> None:
    time = np.sort(numpy_generator(0, "test/gaze").uniform(0, 10, 40))
    line = np.stack([2 * time + 1, -time], 1)
    broken = line.copy()
    broken[[3, 4, 5, 20], [0, 1, 0, 1]] = np.nan
    whole, missing, longest = filled(time, broken)
    assert (missing, longest) == (4, 3)
    assert whole == pytest.approx(line)
    ends = broken.copy()
    ends[:2] = np.nan
    assert filled(time, ends)[0][0] == pytest.approx(ends[2])


@given(st.floats(0.5, 20))
def test_bins_of_a_line_lie_on_the_line(width: float) -> None:
    time = np.arange(0, 100.0)
    at, path = binned(time, time[:, None] * 3 - 7, width)
    assert np.diff(at) == pytest.approx(width)
    assert -1e-9 < time[-1] - at[-1] < width * 1.001
    inside = (at > width) & (at < 99 - width)
    assert path[inside, 0] == pytest.approx(at[inside] * 3 - 7, abs=1e-6)
    same, _ = binned(time, time[:, None], 1.0)
    assert same.tolist() == time.tolist()
