"""Laws of the adversarial game: the best discriminator, the value at equilibrium, who learns from which loss."""

from math import exp, log, pi

import pytest
import torch
from torch import Tensor

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.systems.gan.mixtures import coverage, draw, grid, ring
from phantastic.systems.gan.model import ImageDiscriminator, ImageGenerator, PointDiscriminator, PointGenerator
from phantastic.systems.gan.objective import adversarial, optimal_discriminator, steepness, value

X = torch.linspace(-16, 16, 1281, dtype=torch.float64)
STEP = float(X[1] - X[0])


def noise(step: int = 0) -> torch.Generator:
    return torch_generator(0, "noise", step)


def normal(mean: float, sd: float) -> Tensor:
    return (-0.5 * ((X - mean) / sd) ** 2).exp() / (sd * (2 * pi) ** 0.5)


def game(p: Tensor, q: Tensor, logits: Tensor) -> Tensor:
    """V by quadrature."""
    log_odds = torch.nn.functional.logsigmoid
    return STEP * (p * log_odds(logits) + q * log_odds(-logits)).sum()


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence by quadrature, in nats."""
    middle = (p + q) / 2
    return STEP / 2 * (p * (p / middle).log() + q * (q / middle).log()).sum()


PAIRS = [(normal(0, 1), normal(1.5, 1)), (0.5 * normal(-3, 1) + 0.5 * normal(3, 1), normal(0, 2))]


def test_at_equality_the_value_is_minus_log_four():
    same = torch.zeros(10, 1)
    assert float(value(same, same)) == pytest.approx(-log(4), abs=1e-6)
    p = PAIRS[0][0]
    assert (optimal_discriminator(p, p) == 0.5).all()
    assert float(game(p, p, torch.zeros_like(p))) == pytest.approx(-log(4), abs=1e-9)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_no_discriminator_beats_the_optimal_one(p, q):
    best = optimal_discriminator(p, q).logit()
    reached = game(p, q, best)
    assert float(reached) == pytest.approx(float(-log(4) + 2 * divergence(p, q)), abs=1e-9)
    for step in range(20):
        other = best + 0.3 * torch.randn(X.shape, generator=noise(step), dtype=torch.float64)
        assert game(p, q, other) < reached


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_a_trained_discriminator_is_the_optimal_one(p, q):
    with initialised(0, "discriminator"):
        discriminator = PointDiscriminator(1, hidden=32, layers=2)
    points, p32, q32 = X[:, None].float(), p.float(), q.float()
    optimiser = torch.optim.Adam(discriminator.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        loss = -game(p32, q32, discriminator(points)[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        logits = discriminator(points)[:, 0]
    where = p + q > 1e-2
    assert (logits.sigmoid() - optimal_discriminator(p, q))[where].abs().max() < 0.05
    assert float(game(p32, q32, logits)) == pytest.approx(float(-log(4) + 2 * divergence(p, q)), abs=1e-3)


def test_a_discriminator_trained_on_samples_is_the_optimal_one():
    """The objective itself, on batches: data N(0, 1), a generator fixed at N(1.5, 1); D* = sigmoid(1.125 - 1.5 x)."""

    class Shift(torch.nn.Module):
        noise = 1

        def forward(self, drawn: Tensor) -> Tensor:
            return drawn + 1.5

    with initialised(0, "discriminator"):
        discriminator = PointDiscriminator(1, hidden=32, layers=1)
    optimiser = torch.optim.Adam(discriminator.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
    for step in range(400):
        data = torch.randn(2000, 1, generator=torch_generator(0, "data", step))
        loss = adversarial(Shift(), discriminator, data, noise(step))["discriminator"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    places = torch.linspace(-2, 3.5, 50)[:, None]
    with torch.no_grad():
        learnt = discriminator(places).sigmoid()
    assert (learnt - (1.125 - 1.5 * places).sigmoid()).abs().max() < 0.05


def test_each_player_learns_from_its_own_loss_only():
    with initialised(0, "gan"):
        model, discriminator = PointGenerator(3, 2, 16, 2), PointDiscriminator(2, 16, 2)
    terms = adversarial(model, discriminator, torch.randn(8, 2, generator=noise()), noise())
    assert list(terms) == ["loss", "discriminator", "value"]
    assert terms["value"] == -terms["discriminator"].detach()
    terms["loss"].backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad(set_to_none=True)
    terms["discriminator"].backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_the_generator_plays_against_the_discriminator_that_has_stepped():
    """Goodfellow et al. (2014), Algorithm 1. SGD, not fused Adam, tells autograd of weights that changed under it."""
    with initialised(0, "gan"):
        model, discriminator = PointGenerator(3, 2, 16, 2), PointDiscriminator(2, 16, 2)
    player = torch.optim.SGD(discriminator.parameters(), 1.0)
    data = torch.randn(8, 2, generator=noise())
    before = float(adversarial(model, discriminator, data, noise())["loss"].detach())
    terms = adversarial(model, discriminator, data, noise())
    terms["discriminator"].backward()
    player.step()
    after = float(adversarial(model, discriminator, data, noise())["loss"].detach())
    assert float(terms["loss"].detach()) == after != before
    terms["loss"].backward()


def test_the_generator_learns_most_where_it_fools_least():
    """Non-saturating: where D(G(z)) = d the gradient in the logit is -(1 - d); that of log(1 - d) is -d."""

    class Point(torch.nn.Module):
        noise = 2

        def __init__(self, place: float):
            super().__init__()
            self.place = torch.nn.Parameter(torch.tensor([[place]]))

        def forward(self, drawn: Tensor) -> Tensor:
            return self.place.expand(len(drawn), 1)

    discriminator = torch.nn.Linear(1, 1)
    with torch.no_grad():
        discriminator.weight.fill_(2.0)
        discriminator.bias.fill_(0.0)
    for place in (-10.0, -1.0, 0.0, 3.0):
        model = Point(place)
        adversarial(model, discriminator, torch.zeros(5, 1), noise())["loss"].backward()
        d = 1 / (1 + exp(-2 * place))
        assert model.place.grad is not None
        assert model.place.grad.item() == pytest.approx(-2 * (1 - d), rel=1e-4)


class Place(torch.nn.Module):
    """A generator of one point, its only parameter."""

    noise = 1

    def __init__(self):
        super().__init__()
        self.place = torch.nn.Parameter(torch.tensor([[1.0]]))

    def forward(self, drawn: Tensor) -> Tensor:
        return self.place + torch.zeros(len(drawn), 1)


@pytest.mark.parametrize(("penalty", "least", "most"), [(0.0, 0.3, 1.5), (1.0, 0.0, 0.01)])
def test_the_penalty_makes_the_dirac_game_converge(penalty, least, most):
    """Mescheder et al. (2018), Sec. 2: the data are the point 0, D(x) = ψx; without a penalty the players circle it,
    hardly nearer after 500 steps."""
    model, discriminator = Place(), torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        discriminator.weight.fill_(1.0)
    players = {"discriminator": torch.optim.SGD(discriminator.parameters(), 0.1),
               "loss": torch.optim.SGD(model.parameters(), 0.1)}  # fmt: skip
    for _ in range(500):
        terms = adversarial(model, discriminator, torch.zeros(1, 1), noise(), penalty=penalty)
        for name, player in players.items():
            player.zero_grad()
            terms[name].backward()
            player.step()
    assert least <= float(torch.hypot(model.place, discriminator.weight).detach()) <= most


def test_the_penalty_is_the_squared_slope_at_the_data_and_the_discriminator_s_alone():
    discriminator, model = torch.nn.Linear(3, 1), PointGenerator(2, 3, 8, 1)
    data = torch.randn(6, 3, generator=noise())
    slope = float(discriminator.weight.detach().square().sum())
    leaf = data.clone().requires_grad_()
    assert float(steepness(discriminator(leaf), leaf).detach()) == pytest.approx(slope)
    plain = adversarial(model, discriminator, data, noise())
    punished = adversarial(model, discriminator, data, noise(), penalty=4.0)
    assert list(punished) == list(plain)
    assert torch.equal(punished["loss"], plain["loss"])
    assert torch.equal(punished["value"], plain["value"])
    assert float((punished["discriminator"] - plain["discriminator"]).detach()) == pytest.approx(2 * slope, rel=1e-4)


def test_the_first_images_are_as_white_as_the_data_and_depend_on_the_noise():
    with initialised(0, "gan"):
        model = ImageGenerator(10, 1, 64, 0.04)
    with torch.no_grad():
        made = model(torch.randn(64, 10, generator=noise()))
    assert made.mean() == pytest.approx(0.04, abs=0.04)
    assert made.std(0).mean() > 0.002, "two samples differ"


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 32)])
def test_image_networks_fit_each_other(channels, size):
    with initialised(0, "gan"):
        model, discriminator = ImageGenerator(10, channels, size), ImageDiscriminator(channels, size)
    images = torch.rand(4, channels, size, size, generator=noise())
    terms = adversarial(model, discriminator, images, noise())
    (terms["loss"] + terms["discriminator"]).backward()
    assert all(parameter.grad is not None for parameter in [*model.parameters(), *discriminator.parameters()])
    made = model(torch.randn(4, 10, generator=noise()))
    assert made.shape == images.shape
    assert 0 <= made.min() <= made.max() <= 1


def test_coverage_counts_modes_and_quality():
    eight, many = ring(), grid()
    assert eight.centres.shape == (8, 2)
    assert eight.centres.norm(dim=1).allclose(torch.ones(8))
    assert many.centres.shape == (25, 2)
    assert many.centres.abs().max() == 4
    for mixture in (eight, many):
        found, good = coverage(mixture, draw(mixture, 20_000, noise()))
        assert found == len(mixture.centres)
        assert good.mean() == pytest.approx(1 - torch.tensor(-4.5).exp().item(), abs=0.004)  # Rayleigh within 3 sd
    one = draw(eight._replace(centres=eight.centres[:1]), 100, noise())
    assert coverage(eight, one)[0] == 1
    found, good = coverage(eight, torch.zeros(10, 2))
    assert (found, good.tolist()) == (0, [False] * 10)


def test_the_penalty_is_paid_at_a_quarter_of_the_batch_rounded_up():
    """Where the judgement is x² / 2 its slope is x: 1 in the first quarter of the batch, 10 in the rest."""

    class Bowl(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().sum(1, keepdim=True) / 2

    for count, paid in ((8, 2), (9, 3), (5, 2)):
        for steep in (paid - 1, paid):
            points = torch.full((count, 1), 10.0)
            points[:steep] = 1.0
            plain, punished = (
                adversarial(Place(), Bowl(), points, noise(), penalty=weight)["discriminator"] for weight in (0.0, 2.0)
            )
            expected = (steep + 100 * (paid - steep)) / paid
            assert float((punished - plain).detach()) == pytest.approx(expected, rel=1e-4)


def test_discriminators_of_images_leak_a_fifth():
    """Radford et al. (2016)."""
    with initialised(0, "gan"):
        found = ImageDiscriminator(1, 32)
    leaks = [module for module in found.modules() if isinstance(module, torch.nn.LeakyReLU)]
    assert leaks
    assert all(leak(torch.tensor(-1.0)) == pytest.approx(-0.2) for leak in leaks)


def test_noise_and_points_of_a_mixture_are_spread_evenly_around_their_modes():
    """The ring of VEEGAN: eight modes on the unit circle with an sd of .01; the grid: 25, two apart, with .05."""
    for mixture, sd in ((ring(), 0.01), (grid(), 0.05)):
        points = draw(mixture, 20_000, noise())
        nearest = torch.cdist(points, mixture.centres).argmin(1)
        assert (torch.bincount(nearest) - 20_000 / len(mixture.centres)).abs().max() < 5 * (20_000 / 8) ** 0.5
        assert float((points - mixture.centres[nearest]).std()) == pytest.approx(sd, rel=0.02)
    apart = torch.cdist(grid().centres, grid().centres).fill_diagonal_(9.0)
    assert apart.min() == 2
    assert grid().centres.mean(0).tolist() == [0, 0]
