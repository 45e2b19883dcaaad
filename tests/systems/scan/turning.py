"""Turning a code: what a turn must not change, and that it finds axes it was not told."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from phantastic.nn.autoencoder.model import VAE
from phantastic.nn.distributions import Gaussian, kl_to_standard
from phantastic.systems.scan.turning import rotation_of, sensitivity, turn


def loss(m: np.ndarray, beta: float) -> float:
    """The noise's share of the objective at its best variances, found here by minimising over each."""
    variances = np.geomspace(1e-4, 1, 4000)
    per_latent = m.diagonal(axis1=1, axis2=2)[..., None] * variances + beta / 2 * (variances - np.log(variances))
    return float(per_latent.min(-1).sum(1).mean())


@pytest.mark.parametrize("seed", range(5))
def test_factors_that_change_different_pixels_are_found(seed):
    """M = Q diag Qᵀ with one Q for all images: U is Q, up to order and sign, even where the diagonals' means agree."""
    generator = np.random.default_rng(seed)
    q = ortho_group.rvs(5, random_state=seed)
    strength = generator.uniform(5, 500, (60, 5))
    strength *= 200 / strength.mean(0)
    m = np.einsum("ik,nk,jk->nij", q, strength, q)
    mixing = np.abs(rotation_of(m, 60.0).T @ q)
    assert np.all(np.sort(mixing.max(1)) > np.cos(np.deg2rad(2.5)))
    assert set(mixing.argmax(1)) == set(range(5))


def test_two_latents_agree_with_the_closed_form():
    """For one image the best U are the eigenvectors of M (Hadamard's inequality)."""
    for degrees in (-40, -17, 3, 30, 44):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        q = np.array([[c, -s], [s, c]])
        assert np.allclose(rotation_of(q @ np.diag([300.0, 40.0]) @ q.T[None], 50.0), q, atol=0.01)


def test_a_turn_lowers_what_the_noise_costs_and_comes_to_rest():
    generator = np.random.default_rng(1)
    roots = ortho_group.rvs(6, random_state=1) * generator.uniform(2, 20, (40, 1, 6)) + generator.normal(
        size=(40, 6, 6)
    )
    m = roots @ roots.transpose(0, 2, 1)
    u = rotation_of(m, 10.0)
    assert np.allclose(u.T @ u, np.eye(6))
    turned = u.T @ m @ u
    assert loss(turned, 10.0) < loss(m, 10.0) - 5
    assert np.abs(rotation_of(turned, 10.0) - np.eye(6)).max() < 0.1


def test_sensitivity_of_a_linear_decoder_is_its_gram_matrix():
    weight = torch.randn(4, 30, dtype=torch.float64)
    m = sensitivity(lambda codes: codes @ weight, torch.randn(7, 4, dtype=torch.float64))
    assert np.allclose(m, (weight @ weight.T).numpy())


def test_a_turn_changes_no_picture():
    """What the mean code draws, and the means' share of the KL term, are as before; the latents are not."""
    torch.manual_seed(0)
    vae = VAE(3, 32, 6, hidden=(32,))
    with torch.no_grad():  # a code in use
        vae.encoder.head.weight.mul_(30)
        vae.decoder.dense1.weight.mul_(10)
    images = torch.rand(8, 3, 32, 32)

    def seen() -> tuple[torch.Tensor, torch.Tensor, Gaussian]:
        with torch.no_grad():
            q = vae.encode(images)
            means = Gaussian(q.mean, torch.zeros_like(q.mean))
            return vae.decode(q.mean), kl_to_standard(means).sum(1), q

    picture, information, q = seen()
    u = turn(vae, vae.decode, q.mean, beta=1.0)
    assert np.abs(u - np.eye(6)).max() > 0.1
    after, kept, turned = seen()
    assert torch.allclose(after, picture, atol=1e-4)
    assert torch.allclose(kept, information, rtol=1e-4)
    assert torch.allclose(turned.mean, q.mean @ torch.from_numpy(u).float(), atol=1e-4)
    assert torch.allclose(turned.log_variance.sum(1), q.log_variance.sum(1), atol=1e-4)  # the shares add up to one


def test_each_new_latent_takes_the_uncertainty_of_those_that_enter_it():
    """By their shares of it, which are the squares of its column of U: a turn of 30 degrees takes 3/4 and 1/4."""
    q = np.array([[np.sqrt(3), -1], [1, np.sqrt(3)]]) / 2
    root = torch.from_numpy(np.diag([30.0, 4.0]) @ q.T).float()
    vae = VAE(3, 32, 2, hidden=(32,))
    with torch.no_grad():
        vae.encoder.head.weight.zero_()
        vae.encoder.head.bias.copy_(torch.tensor([1.0, 2.0, -8.0, -4.0]))
    u = turn(vae, lambda codes: codes @ root.T, torch.zeros(3, 2), beta=10.0)
    assert np.allclose(u, q)
    means, log_variances = vae.encoder.head.bias.detach().chunk(2)
    assert means.tolist() == pytest.approx((np.array([1, 2]) @ q).tolist(), rel=1e-5)
    assert log_variances.tolist() == pytest.approx([-7, -5], rel=1e-5)


def test_strong_images_decide_where_beta_is_high_and_many_where_it_is_low():
    """Far above what is seen a turn gains by the square of that, Σ M_ii² / β²; far below, by its logarithm. Here one
    image of strength 100 lies along the axes, and three of strength 1 are turned by 30 degrees."""
    v = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    m = np.stack([np.diag([100.0, 0.0]), *[np.outer(v, v)] * 3])
    assert np.allclose(np.abs(rotation_of(m, 1e4)), np.eye(2))
    assert np.allclose(rotation_of(m, 1e-4)[:, 0], v)
