"""Gain and lag on traces whose answer is known; gaps and bins."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data.gaze import binned, correlations, filled, following
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


def test_bins_by_hand() -> None:
    """Ten samples a second into bins of .3 s, which begin at the first sample: each the mean of its three thirds."""
    time = np.arange(10) / 10 + 5
    path = np.stack([np.arange(10.0), np.arange(10.0) ** 2], 1)
    at, found = binned(time, path, 0.3)
    assert at == pytest.approx([5, 5.3, 5.6, 5.9])  # the last sample ends a bin's width exactly, and has one
    thirds = [(0, 0, 1), (2, 3, 4), (5, 6, 7), (8, 9, 9)]  # held at the ends
    assert found[:, 0] == pytest.approx([np.mean(each) for each in thirds])
    assert found[:, 1] == pytest.approx([np.mean(np.square(each)) for each in thirds])
    for samples in (4, 7, 8, 15):  # .3 / .1 is a little less than 3
        steps = np.arange(samples) / 10
        assert len(binned(steps, steps[:, None], 0.1)[0]) == samples
    at, found = binned(time, path, 0.05)  # finer than the samples: straight lines between them
    assert len(at) == 19
    assert found[1::2, 1] == pytest.approx((path[1:, 1] + path[:-1, 1]) / 2)
    assert len(binned(np.array([0.0, 1.0, 1.9]), np.zeros((3, 1)), 1.0)[0]) == 2


@pytest.mark.parametrize(
    ("gaps", "missing", "longest"),
    [([], 0, 0), ([0], 1, 1), ([9], 1, 1), ([2, 3, 7], 3, 2), ([0, 1, 2, 8, 9], 5, 3), ([1, 3, 5], 3, 1)],
)
def test_gaps_are_counted_and_the_longest_is_told(gaps: list[int], missing: int, longest: int) -> None:
    path = np.stack([np.arange(10.0), np.arange(10.0)], 1)
    path[gaps, 1] = np.nan  # in one axis only
    whole, count, run = filled(np.arange(10.0), path)
    assert (count, run) == (missing, longest)
    there = [place for place in range(10) if place not in gaps]
    assert whole[:, 1] == pytest.approx(np.clip(np.arange(10), there[0], there[-1]))
    assert whole[:, 0] == pytest.approx(whole[:, 1])


def test_velocities_correlate_as_the_sums_say() -> None:
    """Central differences, uncentred, both axes together; above 0 the eye is late."""
    eye, target = wander(40, 2), wander(40, 2).flip(0)
    eye_velocity, target_velocity = (np.gradient(path.numpy(), axis=0) for path in (eye, target))
    found, slopes = correlations(eye, target, 3)
    assert found.shape == slopes.shape == (7,)
    for lag in range(-3, 4):
        pairs = [(eye_velocity[at + lag], target_velocity[at]) for at in range(40) if 0 <= at + lag < 40]
        product = sum(float(e @ t) for e, t in pairs)
        power, other = sum(float(t @ t) for _, t in pairs), sum(float(e @ e) for e, _ in pairs)
        assert float(found[lag + 3]) == pytest.approx(product / math.sqrt(power * other))
        assert float(slopes[lag + 3]) == pytest.approx(product / power)


def test_a_lag_is_looked_for_within_an_eighth_of_the_recording() -> None:
    path = wander(400, 2)[100:]
    for lag, within in ((9, True), (14, False)):
        target, eye = path[20:100], path[20 - lag : 100 - lag]  # 80 bins: ten either way
        found = float(following(eye, target).lag)
        assert abs(found) <= 10.5
        assert (abs(found - lag) < 0.5) == within
        assert float(following(eye, target, 16).lag) == pytest.approx(lag, abs=0.5)
        assert float(following(target, eye, 16).lag) == pytest.approx(-lag, abs=0.5)
