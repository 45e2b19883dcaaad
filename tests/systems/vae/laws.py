"""Laws of the VAE family: what is exactly known of its bound, its linear members and its objectives."""

from math import log, pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from phantastic.ground.randomness import initialised, numpy_generator, torch_generator
from phantastic.nn.autoencoder.denoising import denoising, occlude
from phantastic.nn.autoencoder.elbo import (
    energy_form,
    evidence_form,
    expected_log_prior,
    reconstruction_form,
)
from phantastic.nn.autoencoder.model import VAE, DenoisingAutoencoder, Discriminator, LinearVAE, he_initialised
from phantastic.nn.autoencoder.vae import vae
from phantastic.nn.distributions import Gaussian, kl_to_standard, log_density, sample
from phantastic.systems.vae.objectives.annealed_capacity import annealed_capacity, capacity_at
from phantastic.systems.vae.objectives.beta_tcvae import beta_tcvae
from phantastic.systems.vae.objectives.beta_vae import beta_vae, warm_up
from phantastic.systems.vae.objectives.factor_vae import factor_vae, permute_dimensions


def noise(step: int = 0) -> torch.Generator:
    return torch_generator(0, "noise", step)


def small(channels: int = 1, size: int = 32, seed: int = 0) -> tuple[VAE, Tensor]:
    with initialised(seed, "model"):
        model = VAE(channels, size, latent=4, hidden=(32,), width=8)
    return model, torch.rand(6, channels, size, size, generator=torch_generator(seed, "images"))


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters())))


# --- the networks


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 64), (3, 32)])
def test_networks_take_dsprites_and_rooms(channels, size):
    model, images = small(channels, size)
    q = model.encode(images)
    assert q.mean.shape == q.log_variance.shape == (6, 4)
    assert model.decode(q.mean).shape == images.shape
    autoencoder = DenoisingAutoencoder(channels, size)
    assert autoencoder.reconstruct_logits(images).shape == images.shape
    sites = {name for name, module in autoencoder.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    assert {"encoder.conv1", "encoder.conv3", "encoder.head", "decoder.dense1"} <= sites


def test_the_bernoulli_likelihood_is_that_of_every_pixel():
    model, images = small()
    logits = torch.randn(images.shape, generator=noise())
    probability = logits.double().sigmoid()
    by_pixel = images * probability.log() + (1 - images) * (1 - probability).log()
    torch.testing.assert_close(model.log_likelihood(logits, images).double(), by_pixel.sum((1, 2, 3)))


def test_weights_begin_so_that_rectified_layers_keep_the_size_of_their_signals():
    """He et al. (2015), equation 10: of n inputs, half of which a ReLU lets through, weights have variance 2 / n."""
    with initialised(0, "model"):
        model = VAE(1, 32, latent=4, hidden=(128, 128), width=32)
    biases = [layer.bias.detach().clone() for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    he_initialised(model)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    for layer, bias in zip(layers, biases, strict=True):
        inputs = layer.weight[0].numel()
        if layer.weight.numel() > 4000:
            assert float(layer.weight.detach().var()) == pytest.approx(2 / inputs, rel=0.06)
        assert torch.equal(layer.bias, bias)
    x = torch.randn(500, 128, generator=noise())
    passed = x.relu() @ model.encoder.get_parameter("dense2.weight").detach().T
    assert float(passed.square().mean()) == pytest.approx(1, abs=0.15)


# --- the objectives


def test_beta_one_is_the_vae_to_the_bit():
    model, images = small()
    plain, weighted = vae(model, images, noise()), beta_vae(model, images, noise(), beta=1.0)
    assert plain.keys() == weighted.keys()
    assert all(torch.equal(plain[name], weighted[name]) for name in plain)
    both = zip(gradients(plain["loss"], model), gradients(weighted["loss"], model), strict=True)
    assert all(torch.equal(one, other) for one, other in both)


@pytest.mark.parametrize("step", [0, 250, 500, 4000])
def test_beta_and_warm_up_weigh_the_divergence(step):
    model, images = small()
    terms = beta_vae(model, images, noise(), beta=4.0 * warm_up(step, 1000))
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 4 * min(step / 1000, 1) * terms["kl"])
    assert [warm_up(step, 10) for step in (0, 5, 10, 99)] == [0, 0.5, 1, 1]
    assert warm_up(0, 0) == 1


def test_tcvae_with_beta_one_is_a_vae_whatever_the_weights():
    """The three parts telescope to log q(z|x) - log p(z), one sample's worth of the divergence."""
    model, images = small()
    for sampling in ("stratified", "weighted"):
        terms = beta_tcvae(model, images, noise(), beta=1.0, size=1000, sampling=sampling)
        q = model.encode(images)
        codes = sample(q, noise())
        standard = Gaussian(torch.zeros_like(codes), torch.zeros_like(codes))
        drawn = (log_density(codes, q) - log_density(codes, standard)).sum(1).mean()
        torch.testing.assert_close(terms["loss"], terms["reconstruction"] + drawn)


class Fixed(nn.Module):
    """Posteriors of unit variance at given means and a likelihood of given nats; the images do not matter."""

    def __init__(self, means: Tensor, fit: float = 0.0):
        super().__init__()
        self.means, self.fit = nn.Parameter(means), fit

    def encode(self, images: Tensor) -> Gaussian:
        return Gaussian(self.means, torch.zeros_like(self.means))

    def decode(self, codes: Tensor) -> Tensor:
        return codes

    def log_likelihood(self, outputs: Tensor, images: Tensor) -> Tensor:
        return outputs.new_full((len(outputs),), self.fit)


def tcvae(means: Tensor, beta: float, size: int = 1000, **options: str) -> dict[str, float]:
    terms = beta_tcvae(Fixed(means, -3.0), torch.zeros(len(means), 1), noise(), beta=beta, size=size, **options)  # type: ignore[arg-type]
    return {name: float(value.detach()) for name, value in terms.items()}


def test_in_the_tcvae_beta_weighs_the_total_correlation_alone():
    """Of one latent there is none, so that β is idle, whatever the latent tells and however far it is from N(0, 1)."""
    one = torch.linspace(-8, 9, 6)[:, None]
    plain, weighted = tcvae(one, 1.0), tcvae(one, 7.0)
    assert plain == weighted
    assert plain["mutual_information"] > 1
    assert plain["dimensionwise_kl"] > 1
    assert plain["total_correlation"] == 0
    two = torch.cat([one, one], 1)  # the second latent says what the first did
    found = [tcvae(two, beta) for beta in (0.0, 1.0, 7.0)]
    assert found[0]["total_correlation"] > 1
    for beta, terms in zip((0.0, 1.0, 7.0), found, strict=True):
        rest = 3 + terms["mutual_information"] + terms["dimensionwise_kl"]
        assert terms["loss"] == pytest.approx(rest + beta * terms["total_correlation"], rel=1e-5)


def test_the_tcvae_weighs_its_batch_as_a_part_of_the_data():
    """Weighted sampling takes log N off log q(z), and off each marginal; where all posteriors are one, nothing is told,
    which stratified sampling, the default, sees."""
    means = torch.randn(6, 3, generator=noise(1))
    few, many = (tcvae(means, 2.0, size, sampling="weighted") for size in (100, 2000))
    assert many["mutual_information"] - few["mutual_information"] == pytest.approx(log(20), abs=1e-4)
    assert many["total_correlation"] - few["total_correlation"] == pytest.approx(2 * log(20), abs=1e-4)
    assert many["dimensionwise_kl"] - few["dimensionwise_kl"] == pytest.approx(-3 * log(20), abs=1e-4)
    same = tcvae(torch.ones(6, 3), 2.0)
    assert same["mutual_information"] == pytest.approx(0, abs=1e-5)
    assert same["total_correlation"] == pytest.approx(0, abs=1e-5)


def test_capacity_binds_the_batch_mean_and_not_each_image():
    model = Fixed(torch.tensor([[0.0], [2.0]]))  # KL 0 and 2 nats: neither is 1, their mean is
    options = {"gamma": 100.0, "capacity": 2.0, "steps": 1000}
    terms = annealed_capacity(model, torch.zeros(2, 1), noise(), 500, **options)
    assert terms["capacity"] == 1
    assert terms["kl"] == 1
    assert terms["loss"] == 0
    assert annealed_capacity(model, torch.zeros(2, 1), noise(), 0, **options)["loss"] == 100
    assert annealed_capacity(model, torch.zeros(2, 1), noise(), 5000, **options)["loss"] == 100
    assert [capacity_at(step, 25.0, 100) for step in (0, 50, 100, 1000)] == [0, 12.5, 25, 25]


@pytest.mark.parametrize("step", [0, 250, 499, 501, 750, 10_000])
def test_the_distance_from_the_capacity_costs_gamma_a_nat_on_either_side(step):
    """The batch's mean KL is 1 nat and C = step / 500 up to 2; what is reconstructed costs what it costs."""
    model = Fixed(torch.tensor([[0.0], [2.0]]), fit=-3.0)
    terms = annealed_capacity(model, torch.zeros(2, 1), noise(), step, gamma=30.0, capacity=2.0, steps=1000)
    assert float(terms["loss"].detach()) == pytest.approx(3 + 30 * abs(1 - min(step / 500, 2)), rel=1e-5)
    (slope,) = torch.autograd.grad(terms["loss"], model.means)
    pulled = -1 if step > 500 else 1  # up where C lies above
    torch.testing.assert_close(slope, pulled * 30 * model.means.detach() / 2)


@pytest.mark.parametrize("name", ["vae", "beta", "capacity", "factor", "tcvae"])
def test_every_objective_is_determined_by_its_generator_and_runs_in_bfloat16(name):
    model, images = small()
    with initialised(0, "discriminator"):
        discriminator = Discriminator(4, hidden=16, layers=2)
    objective = {
        "vae": lambda: vae(model, images, noise()),
        "beta": lambda: beta_vae(model, images, noise(), beta=4.0),
        "capacity": lambda: annealed_capacity(model, images, noise(), 3, gamma=10.0, capacity=5.0, steps=10),
        "factor": lambda: factor_vae(model, discriminator, images, images.flip(0), noise(), gamma=6.4),
        "tcvae": lambda: beta_tcvae(model, images, noise(), beta=6.0, size=100),
    }[name]
    first, again = objective(), objective()
    assert next(iter(first)) == "loss"
    assert all(value.shape == () and torch.equal(value, again[key]) for key, value in first.items())
    with torch.autocast("cpu", torch.bfloat16):
        halved = objective()
    assert halved["loss"].dtype == torch.float32
    assert torch.isclose(halved["loss"], first["loss"], rtol=0.01)
    halved["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


# --- FactorVAE


def test_permuting_dimensions_keeps_the_marginals_and_breaks_the_dependence():
    shared = torch.randn(4000, 1, generator=noise(1))
    codes = shared + 0.3 * torch.randn(4000, 3, generator=noise(2))
    shuffled = permute_dimensions(codes, noise(3))
    assert torch.equal(shuffled.sort(0).values, codes.sort(0).values)
    assert torch.corrcoef(codes.T)[0, 1] > 0.85
    assert (torch.corrcoef(shuffled.T) - torch.eye(3)).abs().max() < 0.06  # 4 standard errors
    assert (torch.corrcoef(torch.cat([codes, shuffled], 1).T)[:3, 3:]).abs().max() < 0.06


class Mirror(Fixed):
    """Each image is its posterior's mean, of standard deviation ½."""

    def __init__(self):
        super().__init__(torch.zeros(1))

    def encode(self, images: Tensor) -> Gaussian:
        return Gaussian(images, torch.full_like(images, 2 * log(0.5)))


class Judge(nn.Module):
    """A discriminator that keeps what it was shown and says how large the first latent is."""

    def __init__(self):
        super().__init__()
        self.shown: list[Tensor] = []

    def forward(self, codes: Tensor) -> Tensor:
        self.shown.append(codes.detach())
        return torch.stack([codes[:, 0], torch.zeros(len(codes))], 1)


def test_factor_vae_judges_the_batch_and_shuffles_another():
    """The batch must not be shuffled itself: a code would then stand beside its own dimensions (Kim & Mnih 2018)."""
    images, others = (torch.randn(50, 3, generator=noise(step)) + 9 * step for step in (1, 2))
    judge, generator = Judge(), noise()
    terms = factor_vae(Mirror(), judge, images, others, noise(), gamma=1.0)
    codes = sample(Mirror().encode(images), generator)
    second = sample(Mirror().encode(others), generator)
    alone, both = judge.shown
    assert torch.equal(alone, codes)
    assert torch.equal(both[:50], codes)
    assert torch.equal(both[50:].sort(0).values, second.sort(0).values)
    assert not torch.equal(both[50:], second)
    torch.testing.assert_close(terms["total_correlation"], codes[:, 0].mean())  # log-odds of "a code, not shuffled"
    odds = torch.cat([codes[:, 0], -both[50:, 0]])
    torch.testing.assert_close(terms["discriminator"], -odds.sigmoid().log().mean())


def test_factor_vae_trains_each_network_on_its_own_loss_only():
    model, images = small()
    with initialised(0, "discriminator"):
        discriminator = Discriminator(4, hidden=16, layers=2)
    terms = factor_vae(model, discriminator, images, images.flip(0), noise(), gamma=6.4)
    terms["loss"].backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad(set_to_none=True)
    terms["discriminator"].backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())
    total = terms["reconstruction"] + terms["kl"] + 6.4 * terms["total_correlation"]
    torch.testing.assert_close(terms["loss"], total)


def test_the_density_ratio_of_a_trained_discriminator_is_the_total_correlation():
    """Two Gaussians with correlation ρ have a total correlation of -log(1 - ρ²)/2 = 0.5108 nats at ρ = .8."""
    rho, batch = 0.8, 2000

    class Correlated(Fixed):
        """Posteriors that are points of a correlated Gaussian."""

        def __init__(self, step: int):
            drawn = torch.randn(batch, 2, generator=torch_generator(0, "codes", step))
            mixed = torch.stack([drawn[:, 0], rho * drawn[:, 0] + (1 - rho**2) ** 0.5 * drawn[:, 1]], 1)
            super().__init__(mixed)

        def encode(self, images: Tensor) -> Gaussian:
            return Gaussian(self.means, torch.full_like(self.means, -40.0))

    with initialised(0, "discriminator"):
        discriminator = Discriminator(2, hidden=48, layers=2)
    optimiser = torch.optim.Adam(discriminator.parameters(), 3e-3)
    estimates = []
    for step in range(300):
        model = Correlated(step)
        images = torch.zeros(batch, 1)
        terms = factor_vae(model, discriminator, images, images, noise(step), gamma=1.0)
        optimiser.zero_grad()
        terms["discriminator"].backward()
        optimiser.step()
        estimates.append(float(terms["total_correlation"].detach()))
    assert np.mean(estimates[-100:]) == pytest.approx(-0.5 * log(1 - rho**2), abs=0.03)


# --- the bound, where everything is known


def linear(pixels: int, latent: int, seed: int) -> LinearVAE:
    model = LinearVAE(pixels, latent).double()
    rng = torch_generator(seed, "parameters")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return model


@settings(deadline=None, max_examples=60)
@given(pixels=st.integers(1, 6), latent=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_the_three_forms_agree_and_lie_below_the_evidence(pixels, latent, seed):
    model = linear(pixels, latent, seed)
    x = 3 * torch.randn(5, pixels, generator=torch_generator(seed, "x"), dtype=torch.float64)
    with torch.no_grad():
        q = model.encode(x)
        fit = model.expected_log_likelihood(x, q)
        evidence = model.log_evidence(x)
        first = reconstruction_form(fit, q)
        second = energy_form(fit + expected_log_prior(q), q)
        third = evidence_form(evidence, q, *model.posterior(x))
    scale = 1 + first.abs().max()
    assert (first - second).abs().max() <= 1e-10 * scale
    assert (first - third).abs().max() <= 1e-10 * scale
    assert (first <= evidence + 1e-10 * scale).all()


def test_the_bound_is_tight_at_the_posterior_and_nowhere_else():
    model = linear(5, 3, 0)
    with torch.no_grad():
        model.decoder.weight.copy_(torch.linalg.qr(model.decoder.weight)[0] * 2)  # then the posterior is diagonal
        x = torch.randn(4, 5, generator=noise(), dtype=torch.float64)
        mean, covariance = model.posterior(x)
        exact = Gaussian(mean, covariance.diagonal().log().expand_as(mean))
        gap = model.log_evidence(x) - reconstruction_form(model.expected_log_likelihood(x, exact), exact)
        assert gap.abs().max() < 1e-12
        shifted = Gaussian(mean + 0.1, exact.log_variance)
        gap = model.log_evidence(x) - reconstruction_form(model.expected_log_likelihood(x, shifted), shifted)
        torch.testing.assert_close(gap, (0.5 * 0.01 / covariance.diagonal()).sum().expand(4))


def test_the_sampled_objective_estimates_the_bound():
    model = linear(5, 3, 1)
    with torch.no_grad():
        x = torch.randn(8, 5, generator=noise(), dtype=torch.float64).repeat(500, 1)
        q = model.encode(x)
        exact = -reconstruction_form(model.expected_log_likelihood(x, q), q).mean()
        estimates = torch.stack([vae(model, x, noise(step))["loss"] for step in range(20)])
    assert abs(float(estimates.mean() - exact)) < 4 * float(estimates.std() / 20**0.5)


def data(eigenvalues: list[float], count: int = 400) -> tuple[Tensor, Tensor]:
    """Points whose sample covariance (over ``count``) has exactly these eigenvalues, and its eigenvectors' columns."""
    rng = numpy_generator(0, "data")
    raw = rng.standard_normal((count, len(eigenvalues)))
    white = np.linalg.qr(raw - raw.mean(0))[0] * count**0.5
    rotation = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))[0]
    return torch.from_numpy(white * np.sqrt(eigenvalues) @ rotation.T), torch.from_numpy(rotation)


def fit(model: LinearVAE, x: Tensor, beta: float) -> None:
    """Maximise the exact bound, its divergence weighted by β."""
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=3000, max_eval=4000, tolerance_grad=1e-9,
                                  tolerance_change=1e-14, history_size=30, line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> Tensor:
        optimiser.zero_grad()
        q = model.encode(x)
        loss = -(model.expected_log_likelihood(x, q) - beta * kl_to_standard(q).sum(1)).mean()
        loss.backward()
        return loss

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]


def test_the_linear_vae_is_probabilistic_pca():
    """Tipping & Bishop (1999): at the optimum σ² is the mean of the eigenvalues left out, and
    log p = -(D log 2π + Σ log λ kept + (D - k) log σ² + D)/2 per point; there the bound is tight."""
    eigenvalues, kept = [9.0, 4.0, 2.0, 0.7, 0.5, 0.3], 3
    x, _ = data(eigenvalues)
    model = linear(6, kept, 2)
    fit(model, x, beta=1.0)
    left = sum(eigenvalues[kept:]) / 3
    best = -0.5 * (6 * log(2 * pi) + sum(map(log, eigenvalues[:kept])) + 3 * log(left) + 6)
    with torch.no_grad():
        q = model.encode(x)
        bound = float(reconstruction_form(model.expected_log_likelihood(x, q), q).mean())
        evidence = float(model.log_evidence(x).mean())
    assert bound == pytest.approx(best, abs=1e-3)
    assert evidence == pytest.approx(best, abs=1e-3)
    assert float(model.log_noise.exp().detach()) == pytest.approx(left, rel=1e-3)


@pytest.mark.parametrize("beta", [1.0, 2.0, 4.0])
def test_beta_keeps_a_direction_only_if_its_variance_exceeds_beta_times_the_noise(beta):
    eigenvalues, variance = [8.0, 5.0, 3.0, 1.5, 0.6], 1.0
    x, _ = data(eigenvalues)
    model = linear(5, 5, 3)
    with torch.no_grad():
        model.log_noise.fill_(log(variance))
        model.log_noise.requires_grad_(False)
    fit(model, x, beta)
    weight = model.decoder.weight.detach()
    strengths = torch.linalg.svdvals(weight).square()
    # a kept direction has |w|² = λ - βσ², as in probabilistic PCA with βσ² in the place of σ²
    expected = torch.tensor([max(value - beta * variance, 0.0) for value in eigenvalues], dtype=torch.float64)
    torch.testing.assert_close(strengths, expected, atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        divergence = kl_to_standard(model.encode(x)).mean(0)
    assert int((divergence > 1e-3).sum()) == sum(value > beta * variance for value in eigenvalues)


# --- the denoising autoencoder


def test_occlusion_blackens_one_rectangle_and_nothing_else():
    images = torch.rand(300, 3, 16, 12, generator=noise()) + 0.5
    damaged = occlude(images, noise(1))
    changed = damaged != images
    assert (damaged[changed] == 0).all()
    inside = changed.any(1)
    assert torch.equal(changed, inside[:, None].expand_as(changed))  # all channels alike
    rows, columns = inside.any(2), inside.any(1)
    assert torch.equal(inside, rows[:, :, None] & columns[:, None, :])
    assert rows.any(1).all()
    assert ((rows.int().diff(dim=1) == 1).sum(1) <= 1).all()  # one piece along each axis
    # two uniform corners a, b of n places enclose E|a - b| + 1 = (n² - 1)/(3n) + 1 of them
    assert rows.sum(1).double().mean() == pytest.approx((16**2 - 1) / 48 + 1, abs=0.9)
    assert columns.sum(1).double().mean() == pytest.approx((12**2 - 1) / 36 + 1, abs=0.7)


def test_the_linear_denoiser_is_the_wiener_filter():
    """With noise of variance s² the best linear denoiser is C (C + s² I)⁻¹, C the data's covariance."""
    eigenvalues, variance = [4.0, 1.0, 0.25], 0.5
    points, _ = data([*eigenvalues, variance, variance, variance], count=200)
    rotation = torch.linalg.eigh(points.T @ points)[1]
    parts = points @ rotation.flip(1)  # uncorrelated columns, by falling variance: 4, 1, then noise and .25
    order = torch.tensor([0, 1, 5, 2, 3, 4])
    x, added = parts[:, order[:3]], parts[:, order[3:]]
    turn = torch.linalg.qr(torch.randn(3, 3, generator=noise(), dtype=torch.float64))[0]
    x = x @ turn.T  # so that C is not diagonal; the noise is white, and exactly uncorrelated with x

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(3, 3, bias=False).double()
            nn.init.zeros_(self.map.weight)

        def reconstruct_logits(self, images: Tensor) -> Tensor:
            return self.map(images)

        def log_likelihood(self, outputs: Tensor, images: Tensor) -> Tensor:
            return -0.5 * (outputs - images).square().sum(1)

    model = Linear()
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = denoising(model, x, noise(), damage=lambda images, _: images + added)["loss"]
        loss.backward()
        return loss

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    covariance = x.T @ x / len(x)
    wiener = covariance @ (covariance + variance * torch.eye(3, dtype=torch.float64)).inverse()
    torch.testing.assert_close(model.map.weight.detach(), wiener, atol=1e-5, rtol=1e-5)


def test_the_denoiser_learns_to_restore():
    with initialised(0, "denoiser"):
        model = DenoisingAutoencoder(1, 32)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    images = torch.zeros(16, 1, 32, 32)
    images[:, :, 8:24, 8:24] = 1
    losses = []
    for step in range(40):
        loss = denoising(model, images, noise(step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.25 * losses[0]
