"""Forward and reverse KL of one Gaussian to a mixture, and mean field: descent, quadrature and closed form agree."""

from math import log, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phantastic.ground.errors import Refused
from phantastic.systems.vae.divergence import (
    Mixture,
    by_quadrature,
    crossing,
    curvature_in_mean,
    descend,
    forward_kl,
    grounding,
    minimise,
    moment_match,
    optima,
    pairwise_forward_kl,
    pairwise_reverse_kl,
    reverse_kl,
    two_modes,
)
from phantastic.systems.vae.mean_field import covariance_kl, fit_covariance, mean_field

STARTS = [(0.0, 1.0), (0.0, 3.0), (-4.0, 1.0), (1.0, 0.5), (3.0, 2.0)]
IMAGES = Mixture((-1.6, -1.0, 1.2), (0.25, 0.25, 0.25), (1 / 3, 1 / 3, 1 / 3))
float64 = torch.float64


def test_forward_kl_covers_both_modes():
    p = two_modes(3.0)
    exact = moment_match(p)
    assert exact == pytest.approx((0, sqrt(10), 0.461995), abs=1e-6)
    (scanned,) = optima(p, by_quadrature(p, "forward"))
    assert scanned == pytest.approx(exact, abs=1e-6)
    for fit in descend(forward_kl(p), STARTS).fits:
        assert fit == pytest.approx(exact, abs=2e-5)


def test_reverse_kl_locks_on_one_mode_unless_it_starts_between_them():
    p = two_modes(3.0)
    left, right, centre = optima(p, by_quadrature(p, "reverse"))
    assert left == pytest.approx((-2.9843, 1.0234, 0.68877), abs=1e-4)
    assert right == pytest.approx((2.9843, 1.0234, 0.68877), abs=1e-4)
    assert centre == pytest.approx((0, 2.7438, 0.84062), abs=1e-4)
    for fit, end in zip(descend(reverse_kl(p), STARTS).fits, [centre, centre, left, right, right], strict=True):
        assert fit == pytest.approx(end, abs=2e-5)
    assert curvature_in_mean(reverse_kl(p), 0.0, centre.sd) == pytest.approx(0.133, abs=1e-3)
    assert curvature_in_mean(by_quadrature(p, "reverse"), 0.0, centre.sd) == pytest.approx(0.1328, abs=1e-4)
    at = torch.tensor([right.mean, right.sd], dtype=float64)
    assert float(by_quadrature(p, "forward")(at[0], at[1])) == pytest.approx(7.8595, abs=1e-3)


@pytest.mark.parametrize(("half_distance", "sd", "value"), [(1.0, 1.3937, 0.01089), (2.0, 2.0470, 0.22651)])
def test_reverse_kl_does_not_lock_on_near_modes(half_distance, sd, value):
    p = two_modes(half_distance)
    (only,) = optima(p, by_quadrature(p, "reverse"))
    assert only == pytest.approx((0, sd, value), abs=5e-5)
    for fit in descend(reverse_kl(p), STARTS).fits:
        assert fit == pytest.approx(only, abs=2e-5)


def test_the_mode_becomes_the_better_optimum_at_2_8():
    assert len(optima(two_modes(2.4), reverse_kl(two_modes(2.4)))) == 1
    assert len(optima(two_modes(2.5), reverse_kl(two_modes(2.5)))) == 3
    assert crossing() == pytest.approx(2.8001, abs=1e-4)


def test_a_locked_fit_pays_for_the_weight_it_ignores():
    p = Mixture((-3.0, 3.0), (1.0, 1.0), (0.7, 0.3))
    assert moment_match(p) == pytest.approx((-1.2, 2.925748, 0.466189), abs=1e-6)
    best, other = optima(p, by_quadrature(p, "reverse"))
    assert best == pytest.approx((-2.9905, 1.0147, 0.35403), abs=1e-4)
    assert other == pytest.approx((2.9734, 1.0379, 1.19668), abs=1e-4)
    far = Mixture((-4.0, 4.0), (0.5, 1.0), (0.5, 0.5))
    assert moment_match(far) == pytest.approx((0, 4.077377, 1.058880), abs=1e-6)
    for fit in optima(far, by_quadrature(far, "reverse")):
        assert (abs(fit.mean), fit.divergence) == pytest.approx((4, log(2)), abs=1e-4)


@pytest.mark.parametrize(
    ("objective", "mean", "sd"),
    [
        (pairwise_forward_kl(IMAGES), -0.466667, 1.229386),
        (pairwise_reverse_kl(IMAGES), -0.466667, 0.25),
        (reverse_kl(IMAGES), -1.2993, 0.3808),
        (grounding(IMAGES, weight=10.0, beta=1.0), -0.40758, 1.20403),
    ],
    ids=["forward", "reverse by pairs", "reverse to the mixture", "grounding"],
)
def test_a_concept_of_three_images(objective, mean, sd):
    best = optima(IMAGES, objective)[0]
    assert best[:2] == pytest.approx((mean, sd), abs=5e-5)
    assert descend(objective, [(-2.0, 0.5)]).fits[0] == pytest.approx(best, abs=2e-5)


def test_grounding_in_closed_form():
    """Setting the derivatives to zero: mean = w m / (w + beta s^2), and s^4 beta + s^2 (w - beta) = w E(x - mean)^2."""
    best = descend(grounding(IMAGES, 10.0, 1.0), [(0.0, 1.0)]).fits[0]
    m, s = IMAGES.moments()
    variance = best.sd**2
    assert best.mean == pytest.approx(10 * m / (10 + variance), abs=1e-5)
    assert variance**2 + 9 * variance == pytest.approx(10 * (s**2 + (m - best.mean) ** 2), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(
    means=st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    sds=st.tuples(st.floats(0.3, 2), st.floats(0.3, 2)),
    weight=st.floats(0.05, 0.95),
    along=st.floats(0, 1),
    wide=st.floats(0, 1),
)
def test_both_ways_to_a_divergence_agree_and_none_is_negative(means, sds, weight, along, wide):
    """For any q as wide as the scan goes: from half the narrowest component to twice the whole."""
    p = Mixture(means, sds, (weight, 1 - weight))
    narrowest, widest = min(sds) / 2, 2 * p.moments()[1]
    at = torch.tensor(
        [means[0] + along * (means[1] - means[0]), narrowest + wide * (widest - narrowest)], dtype=float64
    )
    for by_expectation, direction in ((forward_kl(p), "forward"), (reverse_kl(p), "reverse")):
        value = float(by_expectation(at[0], at[1]))
        assert value == pytest.approx(float(by_quadrature(p, direction)(at[0], at[1])), abs=1e-7)
        assert value > -1e-9
    best = moment_match(p)
    assert best.divergence <= float(forward_kl(p)(at[0], at[1])) + 1e-9


def test_the_path_begins_at_the_starts():
    path = descend(forward_kl(two_modes(1.0)), STARTS, steps=5).path
    assert path.shape == (6, 5, 2)
    torch.testing.assert_close(path[0], torch.tensor(STARTS, dtype=float64))


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.9])
def test_mean_field_is_too_narrow_backwards_and_marginal_forwards(correlation):
    covariance = torch.tensor([[2.0, correlation * sqrt(2)], [correlation * sqrt(2), 1.0]], dtype=float64)
    lost = -0.5 * log(1 - correlation**2)  # the mutual information of the two, in either direction
    expected = {"reverse": covariance.diagonal() * (1 - correlation**2), "forward": covariance.diagonal()}
    for direction, variances in expected.items():
        exact = mean_field(covariance, direction)
        torch.testing.assert_close(exact.covariance, variances.diag())
        assert exact.divergence == pytest.approx(lost, abs=1e-12)
        factorised = fit_covariance(covariance, direction, "factorised")
        torch.testing.assert_close(factorised.covariance, exact.covariance, atol=1e-4, rtol=0)
        assert factorised.divergence == pytest.approx(lost, abs=1e-7)
        full = fit_covariance(covariance, direction, "full")
        torch.testing.assert_close(full.covariance, covariance, atol=1e-4, rtol=0)
        assert full.divergence == pytest.approx(0, abs=1e-7)


def test_covariance_kl_is_that_of_torch():
    a = torch.tensor([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]], dtype=float64)
    b = torch.eye(3, dtype=float64) + 0.2
    q, p = (torch.distributions.MultivariateNormal(torch.zeros(3, dtype=float64), c) for c in (a, b))
    assert float(covariance_kl(a, b)) == pytest.approx(float(torch.distributions.kl_divergence(q, p)), abs=1e-12)


def test_descent_is_adams_with_a_rate_that_falls_on_a_cosine():
    """Under a constant slope Adam moves by its rate, whatever the slope: n steps go n/2 and a half times the rate.

    Where the slope is as small as Adam's ε = 1e-8 (Kingma & Ba 2015, Algorithm 1) a step is half of that.
    """
    for slope in (1e-3, 1.0, -1e4):
        path = minimise(lambda at, slope=slope: slope * at.sum(), torch.zeros(3, dtype=float64), 20, 0.1)
        steps = -path.diff(dim=0) * torch.tensor(slope).sign()
        falling = 0.05 * (1 + torch.cos(torch.pi * torch.arange(20, dtype=float64) / 20))
        torch.testing.assert_close(steps, falling[:, None].expand(20, 3), rtol=2e-5, atol=0)
        assert float(-path[-1].mean()) * (1 if slope > 0 else -1) == pytest.approx(0.1 * 10.5, rel=1e-4)
    flat = minimise(lambda at: 1e-8 * at.sum(), torch.zeros(1, dtype=float64), 1, 0.1)
    assert float(flat[-1]) == pytest.approx(-0.05, rel=1e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_descent_leaves_what_is_fitted_already(direction):
    """The slope of either divergence vanishes where q = p, and nowhere near it."""
    p = torch.eye(2, dtype=float64)
    assert torch.equal(fit_covariance(p, direction, "full").covariance, p)
    assert fit_covariance(4 * p, direction, "factorised", steps=5).divergence > 0.1


def test_what_is_no_distribution_is_refused():
    for means, sds, weights, message in [
        ((0.0,), (1.0, 1.0), (1.0,), "one mean, one sd and one weight"),
        ((0.0,), (0.0,), (1.0,), "sds above 0"),
        ((float("nan"),), (1.0,), (1.0,), "means are finite"),
        ((0.0, 1.0), (1.0, 1.0), (0.7, 0.7), "sum to 1"),
        ((0.0, 1.0), (1.0, 1.0), (1.5, -0.5), "above 0"),
    ]:
        with pytest.raises(Refused, match=message):
            Mixture(means, sds, weights)
    with pytest.raises(Refused, match="too narrow"):
        moment_match(Mixture((-1000.0, 1000.0), (1e-3, 1e-3), (0.5, 0.5)))
    with pytest.raises(Refused, match="sd above 0"):
        descend(forward_kl(two_modes(1.0)), [(0.0, 0.0)])
    with pytest.raises(Refused, match="positive-definite"):
        mean_field(torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=float64), "reverse")
