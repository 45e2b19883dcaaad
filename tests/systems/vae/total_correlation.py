"""The minibatch estimates of q(z) against what they estimate: by enumeration, and beside exact values."""

from itertools import combinations, permutations
from math import log

import pytest
import torch

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import torch_generator
from phantastic.nn.distributions import Gaussian, kl_to_standard, log_density, sample
from phantastic.systems.vae.objectives.beta_tcvae import Parts, against_exact, decompose, log_weights

N, D, BATCH = 20_000, 5, 64


@pytest.mark.parametrize(("batch", "size"), [(2, 2), (2, 100), (3, 3), (4, 5), (64, 64), (64, 737_280)])
def test_stratified_weights_sum_to_one_in_every_row(batch, size):
    weights = log_weights(batch, size, "stratified").exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(batch, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(weights.diagonal(), torch.full((batch,), 1 / size, dtype=torch.float64))
    assert (weights > 0).all()


def test_no_image_of_the_batch_is_favoured():
    """Every row is the row above, moved by one; the code published with the paper fills whole columns instead."""
    weights = log_weights(6, 50, "stratified")
    assert all(torch.equal(weights[i].roll(1), weights[(i + 1) % 6]) for i in range(6))
    torch.testing.assert_close(weights.exp().sum(0), torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize(("size", "batch"), [(3, 2), (4, 3), (5, 3), (5, 4), (5, 5), (6, 4)])
def test_the_stratified_estimate_of_q_is_unbiased(size, batch):
    """For z drawn for image n, the mean over all batches that hold n, in all orders, is 1/N Σ q(z|m), exactly."""
    densities = torch.rand(size, generator=torch_generator(0, "densities"), dtype=torch.float64)  # q(z|m), any z
    weights = log_weights(batch, size, "stratified").exp()
    for image in range(size):
        rest = [other for other in range(size) if other != image]
        for place in range(batch):
            estimates = [
                weights[place] @ densities[[*order[:place], image, *order[place:]]]
                for chosen in combinations(rest, batch - 1)
                for order in permutations(chosen)
            ]
            torch.testing.assert_close(torch.stack(estimates).mean(), densities.mean(), atol=1e-14, rtol=1e-14)


def test_the_weighted_estimate_of_q_is_too_small():
    """Its weights sum to 1/N in each row: what stands for the whole data set is weighed as one image."""
    weights = log_weights(BATCH, N, "weighted").exp()
    torch.testing.assert_close(weights.sum(1), torch.full((BATCH,), 1 / N))


@pytest.mark.parametrize(("batch", "size"), [(1, 10), (0, 10), (11, 10)])
def test_impossible_batches_are_refused(batch, size):
    with pytest.raises(Refused, match=f"a batch of {batch}"):
        log_weights(batch, size, "stratified")


def posteriors(correlation: float, sd: float, size: int = 4000) -> tuple[Gaussian, Parts]:
    """``size`` posteriors whose aggregate is N(0, R), R with ``correlation`` between all pairs, and its limit's parts.

    For size -> ∞: I = ½ log(|R| / sd^2D), TC = -½ log|R|, and no dimension-wise divergence (marginals N(0, 1)).
    """
    aggregate = torch.full((D, D), correlation, dtype=torch.float64).fill_diagonal_(1.0)
    spread = torch.linalg.cholesky(aggregate - sd**2 * torch.eye(D, dtype=torch.float64))
    drawn = torch.randn(size, D, generator=torch_generator(0, "means"), dtype=torch.float64)
    means = drawn @ spread.T
    volume = float(torch.logdet(aggregate))
    limit = Parts(*map(torch.tensor, (0.5 * volume - D * log(sd), -0.5 * volume, 0.0)))
    return Gaussian(means, torch.full_like(means, 2 * log(sd))), limit


@pytest.fixture(scope="module")
def compared() -> dict[str, tuple[Parts, Parts]]:
    q, _ = posteriors(0.0, 0.3, N)
    return {
        sampling: against_exact(q, BATCH, 4, torch_generator(0, "batches"), sampling)  # pyright: ignore
        for sampling in ("stratified", "weighted")
    }


def test_exact_parts_add_up_and_approach_the_aggregate_gaussian():
    for correlation in (0.0, 0.5):
        q, limit = posteriors(correlation, 0.5)
        _, exact = against_exact(q, BATCH, 8, torch_generator(0, "batches"))
        assert float(sum(exact)) == pytest.approx(float(kl_to_standard(q).sum(1).mean()), abs=0.25)  # 512 codes
        # a mixture of N kernels is a little rougher than its limit, jointly more than in its marginals
        assert float(exact.mutual_information) == pytest.approx(float(limit.mutual_information), abs=0.1)
        assert float(exact.total_correlation) == pytest.approx(float(limit.total_correlation), abs=0.1)
        assert float(exact.dimensionwise_kl) == pytest.approx(0.0, abs=0.1)


def test_the_biases_are_what_they_are_known_to_be(compared):
    """log is concave, so an unbiased q̂(z) gives a log that is too small: more so the fewer images lie near z, hence
    more in the joint than in the marginals. The mutual information comes out too large, the total correlation too
    small. The weighted estimate of q is too small by about N on top, once in the joint and D times in the marginals.
    """
    stratified, exact = compared["stratified"]
    weighted, same = compared["weighted"]
    assert all(torch.equal(one, other) for one, other in zip(exact, same, strict=True))
    assert exact.mutual_information < log(N)
    assert exact.mutual_information + 0.5 < stratified.mutual_information < log(N)
    assert stratified.total_correlation < exact.total_correlation - 0.5
    assert log(N) < weighted.mutual_information < log(N * BATCH)
    assert weighted.total_correlation > exact.total_correlation + (D - 2) * log(N)
    for estimate in (stratified, weighted):  # whatever the weights, the sum is the divergence at these codes
        torch.testing.assert_close(sum(estimate), sum(exact))


def test_the_bias_falls_as_the_batch_grows():
    q, _ = posteriors(0.0, 0.3)
    errors = []
    for batch, batches in ((16, 12), (64, 3), (192, 1)):
        estimate, exact = against_exact(q, batch, batches, torch_generator(0, "batches"))
        errors.append(float(estimate.mutual_information - exact.mutual_information))
    assert errors[0] > errors[1] > errors[2] > 0


def test_a_batch_of_everything_needs_no_estimate_in_the_limit():
    """With the whole data set as the batch, only the weights of the own and the next image differ from 1/N."""
    q, _ = posteriors(0.3, 0.5)
    few = Gaussian(q.mean[:500], q.log_variance[:500])
    codes = sample(few, torch_generator(0, "codes"))
    uniform = torch.full((1, 500), -log(500), dtype=torch.float64)
    exact = decompose(codes, few, few, uniform)
    estimate = decompose(codes, few, few, log_weights(500, 500, "stratified"))
    torch.testing.assert_close(torch.stack(estimate), torch.stack(exact), atol=5e-3, rtol=0)


def test_decompose_is_the_plain_sum():
    q, _ = posteriors(0.4, 0.5)
    few = Gaussian(q.mean[:7], q.log_variance[:7])
    codes = sample(few, torch_generator(0, "codes"))
    parts = decompose(codes, few, few, torch.full((1, 7), -log(7), dtype=torch.float64))
    joint = torch.zeros(7, dtype=torch.float64)
    marginals = torch.zeros(7, D, dtype=torch.float64)
    for i in range(7):
        for m in range(7):
            density = log_density(codes[i], Gaussian(few.mean[m], few.log_variance[m]))
            joint[i] += density.sum().exp() / 7
            marginals[i] += density.exp() / 7
    own = log_density(codes, few).sum(1)
    torch.testing.assert_close(parts.mutual_information, (own - joint.log()).mean())
    torch.testing.assert_close(parts.total_correlation, (joint.log() - marginals.log().sum(1)).mean())
