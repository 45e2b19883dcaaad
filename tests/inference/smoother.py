"""The exact smoother: Gaussian conditioning known in closed form, coverage, and what it refuses."""

import math
from dataclasses import replace

import pytest
import sympy
import torch

from phantastic.ground.errors import Refused
from phantastic.inference.generation import generate
from phantastic.inference.model import Level, Model, Prior
from phantastic.inference.published.deconvolution import linear_model
from phantastic.inference.smoother import smooth, unit_noises

BINS = 24


def static(smoothness: float) -> Model:
    """y = C v + z: three channels of two causes."""
    v1, v2 = sympy.symbols("v1 v2")
    first = Level(causes=[v1, v2], response=[v1, v1 + 2 * v2, 0.5 * v2], V=4.0)
    return Model([first, Level(V=torch.tensor([1.0, 0.25]).double())], smoothness=smoothness)


def test_without_states_and_with_white_noise_each_bin_is_the_conjugate_posterior():
    model, C = static(0.0), torch.tensor([[1.0, 0], [1, 2], [0, 0.5]]).double()
    expected = torch.linspace(-1, 1, 2 * BINS).double().reshape(BINS, 2)
    y = generate(model, expected, seed=3).v[1]
    found = smooth(model, y, causes=expected)
    precision = 4 * C.T @ C + torch.diag(torch.tensor([1.0, 0.25]).double())
    covariance = torch.linalg.inv(precision)
    mean = expected + 4 * (y - expected @ C.T) @ C @ covariance
    torch.testing.assert_close(found.v[2], mean, atol=1e-9, rtol=0)
    torch.testing.assert_close(found.covariance.v, covariance.expand(BINS, 2, 2), atol=1e-9, rtol=0)


def test_smooth_noise_is_conditioned_on_as_one_gaussian():
    """One cause seen through noise of the same width: K Kᵀ being the correlation over time of both, the posterior mean
    is the data times the share of variance that is the cause's, whatever the width."""
    v = sympy.Symbol("v")
    model = Model([Level(causes=[v], response=[v], V=1.0), Level(V=0.25)], smoothness=0.7)
    y = generate(model, torch.zeros(BINS, 1).double(), seed=1).v[1]
    found = smooth(model, y)
    torch.testing.assert_close(found.v[2], y * 4 / 5, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.covariance.v, torch.full((BINS, 1, 1), 4 / 5).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("smoothness", [0.3, 0.5, 1.0])
def test_errors_are_as_large_as_the_posterior_says(smoothness: float):
    """Over draws from the model itself, errors over their deviations have variance 1; 90% lie in the intervals."""
    model = replace(linear_model(), smoothness=smoothness)
    z: dict[str, list[torch.Tensor]] = {"x": [], "v": []}
    for seed in range(30):
        truth = generate(model, torch.zeros(BINS, 1).double(), seed=seed)
        found = smooth(model, truth.v[1])
        for kind, number, covariance in (("x", 1, found.covariance.x), ("v", 2, found.covariance.v)):
            error = getattr(truth, kind)[number] - getattr(found, kind)[number]
            spread = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=1e-12).sqrt()
            z[kind].append((error / spread)[2:])
    for scaled in (torch.stack(each) for each in z.values()):
        assert float(scaled.square().mean()) == pytest.approx(1, abs=0.25)
        assert float((scaled.abs() < 1.645).double().mean()) == pytest.approx(0.9, abs=0.05)


def test_the_noises_are_those_that_are_drawn():
    """Their covariance over elements is K Kᵀ over the precision; a level without noise has none."""
    noise = unit_noises(linear_model(W=2 * math.exp(16)), BINS)
    covariance = torch.einsum("ebc,edf->bcdf", noise["noise_z1"], noise["noise_z1"])
    torch.testing.assert_close(covariance[5, 2, 5, 2], torch.tensor(math.exp(-8)).double())
    assert float(covariance[5, 2, 5, 1]) == 0
    assert float(noise["noise_w1"].abs().max()) == 0
    assert len(noise["noise_z1"]) == 5 * BINS  # four channels and the cause


def test_what_it_cannot_do_is_refused():
    x, v = sympy.symbols("x v")
    bent = Model([Level(states={x: 0.1}, causes=[v], flow=[v - x**3], response=[x], V=1.0, W=1.0), Level(V=1.0)])
    with pytest.raises(Refused, match="linear in its noises"):
        smooth(bent, torch.zeros(BINS, 1).double())
    with pytest.raises(Refused, match="learns or varies"):
        smooth(linear_model(("A21",)), torch.zeros(BINS, 4).double())
    assert isinstance(linear_model(("A21",)).levels[0].parameters[sympy.Symbol("A21")], Prior)
