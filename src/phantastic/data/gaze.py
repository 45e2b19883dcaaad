"""Traces of eyes and targets: gaps filled, brought to even bins; and what a clinician measures, gain and lag."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor


def filled(
    time: Float64[ndarray, " n"], path: Float64[ndarray, "n axes"]
) -> tuple[Float64[ndarray, "n axes"], int, int]:
    """The path with missing samples (NaN in any axis) interpolated linearly in time, held at the ends; how many were
    missing, and the most in a row. At least one sample must be there."""
    missing = np.isnan(path).any(1)
    complete = np.stack([np.interp(time, time[~missing], axis[~missing]) for axis in path.T], 1)
    edges = np.diff(np.concatenate([[0], missing.astype(int), [0]]))
    runs = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    return complete, int(missing.sum()), int(runs.max(initial=0))


def binned(
    time: Float64[ndarray, " n"], path: Float64[ndarray, "n axes"], width: float
) -> tuple[Float64[ndarray, " bins"], Float64[ndarray, "bins axes"]]:
    """Even bins of this width from the first sample to the last: their times and the path there.

    Linear interpolation; where a bin is wider than the samples lie apart, the mean over the bin.
    """
    bins = int((time[-1] - time[0]) / width * (1 + 1e-9)) + 1
    at = time[0] + width * np.arange(bins)
    samples = max(1, round(width / float(np.median(np.diff(time)))))
    within = width * ((np.arange(samples) + 0.5) / samples - 0.5)
    points = at[:, None] + within
    return at, np.stack([np.interp(points, time, axis).mean(1) for axis in path.T], 1)


class Following(NamedTuple):
    """How an eye follows, [...]: gain (1: as fast as the target), lag in bins (above 0: the eye is late) and the
    correlation of the velocities at that lag."""

    gain: Tensor
    lag: Tensor
    correlation: Tensor


def correlations(
    eye: Float64[Tensor, "... bins axes"], target: Float64[Tensor, "... bins axes"], furthest: int
) -> tuple[Tensor, Tensor]:
    """Cross-correlation (uncentred, all axes together) of the velocities, and the slope of the eye's on the target's,
    at lags -furthest ... furthest, [..., lags]."""
    bins = eye.shape[-2]
    eye_velocity, target_velocity = (torch.gradient(path, dim=-2)[0] for path in torch.broadcast_tensors(eye, target))
    coefficients, slopes = [], []
    for lag in range(-furthest, furthest + 1):
        late = eye_velocity[..., max(lag, 0) : bins + min(lag, 0), :]
        early = target_velocity[..., max(-lag, 0) : bins - max(lag, 0), :]
        product, power = (late * early).sum((-1, -2)), (early**2).sum((-1, -2))
        coefficients.append(product / (power * (late**2).sum((-1, -2))).sqrt())
        slopes.append(product / power)
    return torch.stack(coefficients, -1), torch.stack(slopes, -1)


def following(
    eye: Float64[Tensor, "... bins axes"], target: Float64[Tensor, "... bins axes"], furthest: int | None = None
) -> Following:
    """Gain and lag of smooth pursuit: the eye's velocity against the target's, both in the same unit of angle.

    Velocities are central differences. The lag is where their cross-correlation is largest, within ``furthest`` bins
    (an eighth of the recording) either way, refined by the parabola through the peak and its neighbours; the gain is
    the least-squares slope of the eye's on the target's velocity at the peak. Saccades are not taken out. NaN where
    target or eye stand still. A target of constant velocity has no lag: it comes out as 0. At least 16 bins.
    """
    furthest = eye.shape[-2] // 8 if furthest is None else furthest
    correlation, slope = correlations(eye, target, furthest)
    lags = torch.arange(-furthest, furthest + 1)
    peak = (correlation - 1e-9 * lags.abs()).argmax(-1, keepdim=True)
    left, middle, right = (correlation.gather(-1, (peak + step).clamp(0, 2 * furthest)) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    inside = (peak > 0) & (peak < 2 * furthest) & (bend < -1e-9)
    shift = torch.where(inside, (left - right) / (2 * torch.where(inside, bend, -1.0)), 0.0)
    peak_correlation = middle[..., 0]
    lag = torch.where(peak_correlation.isnan(), peak_correlation, (peak - furthest + shift)[..., 0])
    return Following(slope.gather(-1, peak)[..., 0], lag, peak_correlation)
