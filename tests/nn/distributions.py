"""Gaussians against PyTorch's own; the networks of autoencoders by hand; units and weights of modules by a table."""

from math import log, pi

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.nn.functional import linear

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.autoencoder.denoising import denoising, occlude
from phantastic.nn.autoencoder.elbo import energy_form, evidence_form, expected_log_prior, reconstruction_form, terms
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder, Discriminator, LinearVAE
from phantastic.nn.autoencoder.vae import vae
from phantastic.nn.distributions import Gaussian, gaussian, kl, kl_to_standard, log_density, sample
from phantastic.nn.units import units_of, weights_of


def drawn(purpose: str, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch_generator(1, purpose), dtype=torch.float64)


def known(q: Gaussian) -> Normal:
    return Normal(q.mean, q.log_variance.exp().sqrt())


Q = Gaussian(drawn("mean", 5, 3), drawn("log variance", 5, 3))
P = Gaussian(drawn("another mean", 5, 3), drawn("another log variance", 5, 3))
STANDARD = Normal(torch.zeros(5, 3, dtype=torch.float64), 1.0)


def test_divergences_and_densities_are_those_of_normal_distributions():
    torch.testing.assert_close(kl(Q, P), kl_divergence(known(Q), known(P)))
    torch.testing.assert_close(kl_to_standard(Q), kl_divergence(known(Q), STANDARD))
    z = drawn("z", 5, 3)
    torch.testing.assert_close(log_density(z, Q), known(Q).log_prob(z))


def test_outputs_are_means_then_log_variances_in_single_precision():
    outputs = drawn("outputs", 4, 6).bfloat16()
    q = gaussian(outputs)
    assert q.mean.dtype == q.log_variance.dtype == torch.float32
    assert torch.equal(q.mean, outputs[:, :3].float())
    assert torch.equal(q.log_variance, outputs[:, 3:].float())


def test_samples_scatter_as_they_should_and_carry_the_gradient():
    q = Gaussian(torch.full((40_000, 2), 3.0), torch.tensor([0.0, 2 * log(0.1)]).expand(40_000, 2))
    q = Gaussian(q.mean.requires_grad_(), q.log_variance.clone().requires_grad_())
    z = sample(q, torch_generator(0, "samples"))
    np.testing.assert_allclose(z.detach().mean(0), 3, atol=0.02)
    np.testing.assert_allclose(z.detach().std(0), [1, 0.1], rtol=0.02)
    assert torch.equal(z, sample(q, torch_generator(0, "samples")))
    z.sum().backward()
    assert q.mean.grad is not None
    assert (q.mean.grad == 1).all()
    torch.testing.assert_close(q.log_variance.grad, 0.5 * (z - 3).detach())  # half of the noise, scaled


def test_the_terms_of_the_bound():
    torch.testing.assert_close(
        expected_log_prior(Q), -(STANDARD.entropy() + 0.5 * (Q.mean**2 + Q.log_variance.exp() - 1)).sum(1)
    )
    likelihood = drawn("likelihood", 5)
    torch.testing.assert_close(
        reconstruction_form(likelihood, Q), likelihood - kl_divergence(known(Q), STANDARD).sum(1)
    )
    torch.testing.assert_close(energy_form(likelihood, Q), likelihood + known(Q).entropy().sum(1))
    root = drawn("root", 3, 3)
    covariance = root @ root.T + torch.eye(3)
    each = MultivariateNormal(Q.mean, torch.diag_embed(Q.log_variance.exp()))
    expected = likelihood - kl_divergence(each, MultivariateNormal(P.mean, covariance))
    torch.testing.assert_close(evidence_form(likelihood, Q, P.mean, covariance), expected)


def test_the_linear_vae_is_gaussian_through_and_through():
    with initialised(0, "linear"):
        model = LinearVAE(4, 2).double()
    with torch.no_grad():
        model.log_noise.fill_(0.7)
        model.log_variance.copy_(torch.tensor([0.3, -0.4]))
        x = drawn("x", 6, 4)
        W, b, s2 = model.decoder.weight, model.decoder.bias, model.log_noise.exp()
        joint = torch.cat([torch.cat([torch.eye(2), W.T], 1), torch.cat([W, W @ W.T + s2 * torch.eye(4)], 1)])
        marginal = joint[2:, 2:]
        torch.testing.assert_close(model.log_evidence(x), MultivariateNormal(b, marginal).log_prob(x))
        mean, covariance = model.posterior(x)  # of z given x: by conditioning the joint distribution
        gain = joint[:2, 2:] @ marginal.inverse()
        torch.testing.assert_close(mean, (x - b) @ gain.T)
        torch.testing.assert_close(covariance, torch.eye(2, dtype=torch.float64) - gain @ joint[2:, :2])
        means = drawn("means", 6, 4)
        torch.testing.assert_close(model.log_likelihood(means, x), Normal(means, s2.sqrt()).log_prob(x).sum(1))
        q = model.encode(x)
        torch.testing.assert_close(q.mean, linear(x, model.encoder.weight, model.encoder.bias))
        torch.testing.assert_close(q.log_variance, torch.tensor([[0.3, -0.4]]).double().expand(6, 2))
        many = q.mean + q.log_variance.exp().sqrt() * torch.tensor([[[1.0, 1]], [[1, -1]], [[-1, 1]], [[-1, -1]]])
        exact = model.log_likelihood(model.decode(many.flatten(0, 1)), x.repeat(4, 1)).view(4, 6).mean(0)
        torch.testing.assert_close(model.expected_log_likelihood(x, q), exact)  # a quadratic form needs no more points


def test_the_loss_of_the_vae_is_what_an_image_costs():
    with initialised(0, "vae"):
        model = VAE(1, 32, 3, (8,), 4)
    images = torch.rand(5, 1, 32, 32, generator=torch_generator(0, "images"))
    found = vae(model, images, torch_generator(0, "noise"))
    q, codes, reconstruction, divergence = terms(model, images, torch_generator(0, "noise"))
    logits = model.decode(codes)
    by_pixel = images * logits.sigmoid().log() + (1 - images) * (-logits).sigmoid().log()
    assert codes.shape == q.mean.shape == (5, 3)
    torch.testing.assert_close(reconstruction, -by_pixel.sum() / 5)
    torch.testing.assert_close(divergence, kl_to_standard(q).sum() / 5)
    torch.testing.assert_close(found["loss"], reconstruction + divergence)
    assert (found["reconstruction"], found["kl"]) == (reconstruction, divergence)


def shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for name, parameter in network.named_parameters() if name.endswith("weight")]


def test_the_published_denoiser_and_judge():
    """Higgins et al. (2018), appendix A.1; Kim & Mnih (2018), appendix A."""
    model = DenoisingAutoencoder(3, 64)
    assert shapes(model.encoder) == [(32, 3, 4, 4), (32, 32, 4, 4), (64, 32, 4, 4), (64, 64, 4, 4), (100, 1024)]
    assert shapes(model.decoder) == [(1024, 100), (64, 64, 4, 4), (64, 32, 4, 4), (32, 32, 4, 4), (32, 3, 4, 4)]
    kinds = {type(network.activation) for network in (model.encoder, model.decoder)}
    assert kinds == {nn.ELU}
    judge = Discriminator(10)
    assert shapes(judge) == [(1000, 10), *[(1000, 1000)] * 5, (2, 1000)]
    small = Discriminator(3, 5, 2)
    x = codes = torch.randn(7, 3, generator=torch_generator(0, "codes"))
    weights = dict(small.named_parameters())
    for layer in ("dense1", "dense2"):
        x = linear(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"])
        x = torch.where(x > 0, x, 0.2 * x)
    torch.testing.assert_close(small(codes), linear(x, weights["head.weight"], weights["head.bias"]))


def test_a_denoiser_is_shown_the_damage_and_judged_by_the_whole():
    images = torch.rand(3, 1, 4, 4, generator=torch_generator(0, "images"))

    class Model:
        def reconstruct_logits(self, shown: torch.Tensor) -> torch.Tensor:
            assert torch.equal(shown, images / 2)
            return shown

        def log_likelihood(self, outputs: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
            assert torch.equal(outputs, images / 2)
            assert torch.equal(judged, images)
            return torch.tensor([1.0, 2.0, 6.0])

    assert float(denoising(Model(), images, torch_generator(0, "x"), lambda x, _: x / 2)["loss"]) == -3


def test_occlusions_have_uniform_corners():
    """Of n rows, both corners are in one with 1/n; the first row is covered where one of the corners is in it."""
    hidden = occlude(torch.ones(6000, 2, 4, 5), torch_generator(0, "occlusion")) == 0
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    rows, columns = hidden[:, 0].any(2), hidden[:, 0].any(1)
    assert torch.equal(hidden[:, 0], rows[:, :, None] & columns[:, None, :])
    for covered, n in ((rows, 4), (columns, 5)):
        length = covered.sum(1)
        assert float((length == 1).double().mean()) == pytest.approx(1 / n, abs=0.02)
        assert float((length == n).double().mean()) == pytest.approx(2 / n**2, abs=0.02)
        assert float(covered[:, 0].double().mean()) == pytest.approx(1 - (1 - 1 / n) ** 2, abs=0.02)
        assert float(covered[:, -1].double().mean()) == pytest.approx(1 - (1 - 1 / n) ** 2, abs=0.02)
    assert abs(np.corrcoef(rows.sum(1), columns.sum(1))[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("module", "units", "axis", "weights"),
    [
        (nn.Linear(3, 5), 5, -1, {"weight": (5, 3)}),
        (nn.Conv1d(2, 4, 3), 4, -2, {"weight": (4, 2, 3)}),
        (nn.ConvTranspose1d(2, 4, 3), 4, -2, {"weight": (2, 4, 3)}),
        (nn.Conv2d(2, 4, 3), 4, -3, {"weight": (4, 2, 3, 3)}),
        (nn.ConvTranspose2d(2, 4, 3), 4, -3, {"weight": (2, 4, 3, 3)}),
        (nn.Conv3d(2, 4, 3), 4, -4, {"weight": (4, 2, 3, 3, 3)}),
        (nn.ConvTranspose3d(2, 4, 3), 4, -4, {"weight": (2, 4, 3, 3, 3)}),
        (nn.Embedding(9, 6), 6, -1, {"weight": (9, 6)}),
        (nn.GRU(3, 5), 5, -1, {"weight_ih_l0": (15, 3), "weight_hh_l0": (15, 5)}),
        (nn.RNNCell(3, 5), 5, -1, {"weight_ih": (5, 3), "weight_hh": (5, 5)}),
        (
            nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2), 4, -1,
            {
                f"weight_{source}_l{layer}{way}": shape
                for layer, inputs in ((0, 3), (1, 4)) for way in ("", "_reverse")
                for source, shape in (("ih", (20, inputs)), ("hh", (20, 2)), ("hr", (2, 5)))
            },
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)  # fmt: skip
def test_units_their_axis_and_the_weights_that_lead_to_them(module, units, axis, weights):
    assert units_of(module) == (units, axis)
    assert {name: tuple(parameter.shape) for name, parameter in weights_of(module).items()} == weights


def test_the_standard_normal_s_density_at_its_mean():
    at = torch.zeros(1, 1)
    assert float(log_density(at, Gaussian(at, at))) == pytest.approx(-0.5 * log(2 * pi))
    assert units_of(nn.ReLU()) is None
    assert units_of(nn.LayerNorm(3)) is None
