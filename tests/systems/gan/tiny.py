"""The claims on the images of the study `gan`: they hold of data, and of a dead generator they cannot."""

from collections.abc import Mapping
from math import log
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from phantastic.declare.measure import Measure, summarise
from phantastic.declare.verdicts import judge
from phantastic.systems.gan import experiment as gan
from phantastic.systems.gan.study import STUDY, GameRecipe
from phantastic.world import dsprites


def data(count: int) -> torch.Tensor:
    chosen = np.random.default_rng(0).integers(dsprites.SIZES, size=(count, len(dsprites.SIZES)))
    return torch.from_numpy(dsprites.render(chosen)).unsqueeze(1).float()


def verdicts(images: torch.Tensor) -> dict[str, str]:
    """The ledger where, under two seeds, a GAN makes ``images`` and a VAE grey pictures of data."""
    found: dict[str, Measure] = {}
    for kind, made in {"gan": images, "vae": 0.8 * data(500)}.items():
        pictured = gan.pictured(made, np.random.default_rng(0))
        found |= {f"image.{kind}.{name}": summarise([measure.value] * 2) for name, measure in pictured.items()}
    wanted = {"gan.shapes", "gan.places", "gan.sharp"}
    return {f.claim.id: f.verdict for f in judge(STUDY.claims(), found, "quick") if f.claim.id in wanted}


def test_the_claims_hold_of_a_gan_that_makes_data() -> None:
    assert verdicts(data(2_000)) == {"gan.shapes": "holds", "gan.places": "holds", "gan.sharp": "holds"}


def test_a_dead_generator_makes_no_shape_and_is_not_called_sharp() -> None:
    networks = gan.build(GameRecipe(), 0)
    last = networks["image_generator"].get_submodule("decoder.conv4")
    nn.init.constant_(last.get_parameter("bias"), -30.0)
    for network in networks.values():
        network.eval()
    black = gan.made(networks, "image", 100, 0, torch.device("cpu"))["gan"]
    assert black.max() < 0.1
    assert gan.pictured(black, np.random.default_rng(0))["shapes"].value == 0
    assert verdicts(black) == {"gan.shapes": "fails", "gan.places": "fails", "gan.sharp": "untested"}


def test_one_shape_over_and_over_is_not_data() -> None:
    assert verdicts(data(1).expand(500, -1, -1, -1)) == {
        "gan.shapes": "holds", "gan.places": "fails", "gan.sharp": "holds",
    }  # fmt: skip


def test_the_discriminator_steps_first_and_both_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    def train(
        run: object, stage: str, modules: object, optimisers: Mapping[str, Optimizer], losses, *, steps, rate=None
    ):
        if "-gan" in stage:
            assert list(optimisers) == ["discriminator", "loss"]
            rates.extend(rate(step) for step in range(steps))

    monkeypatch.setattr(gan, "train", train)
    networks, device = gan.build(GameRecipe(), 0), torch.device("cpu")
    run: Any = SimpleNamespace(device=device)
    batch = gan.points_of(gan.MIXTURES["ring"], 4, 0, device)
    gan.play(run, 0, "ring", networks, batch, 8, rate=1.0, vae_rate=1.0, penalty=0.1)
    assert rates == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_a_game_in_equilibrium_is_at_minus_log_four_over_its_last_tenth() -> None:
    """Theorem 1 of Goodfellow et al. (2014): there V = -log 4, and nowhere else is the deviation 0."""
    points = [{"step": step, "value": -log(4) if step > 90 else -0.1} for step in range(10, 101, 5)]
    run: Any = SimpleNamespace(curve=lambda stage: points if stage == "seed0/ring-gan" else [])
    assert gan.settled(run, 0, "ring") == pytest.approx({"ring.gan.value": -log(4), "ring.gan.value.deviation": 0})
    points[-2:] = [{"step": 95, "value": -0.5 * log(4)}, {"step": 100, "value": -1.1 * log(4)}]
    assert gan.settled(run, 0, "ring")["ring.gan.value.deviation"] == pytest.approx(-0.2)


def test_a_blind_judge_is_wrong_by_half_the_total_variation() -> None:
    """|1/2 - p / (p + q)| under the mixture is a quarter of ∫|p - q|; of N(±1/2, 1) that is 2 (2Φ(1/2) - 1)."""
    x = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    p, q = gan.normal(x, -0.5, 1.0), gan.normal(x, 0.5, 1.0)
    columns = (x, p, q, torch.full_like(x, 0.5), p / (p + q))
    found = gan.Verdicts(*(column.tolist() for column in columns)).measures()
    assert found["judge.error"] == pytest.approx(0.5 * (2 * NormalDist().cdf(0.5) - 1), abs=1e-6)
    assert found["judge.value"] == pytest.approx(-log(4), abs=1e-6)


def test_points_of_the_vae_have_the_spread_that_it_learned() -> None:
    """Where the decoder says the same of all codes, they are a Gaussian of the learned variance."""
    networks: dict[str, nn.Module] = {
        "flat_generator": gan.PointGenerator(2, 2),
        "flat_vae": (vae := gan.PointVAE(2, 2)),
    }
    nn.init.zeros_(vae.decoder.head.weight)
    nn.init.constant_(vae.decoder.head.bias, 3.0)
    nn.init.constant_(vae.log_variance, log(4))
    points = gan.made(networks, "flat", 4000, 0, torch.device("cpu"))["vae"]
    assert points.mean(0).tolist() == pytest.approx([3, 3], abs=0.15)
    assert points.std(0).tolist() == pytest.approx([2, 2], rel=0.05)


def test_the_games_play_with_their_own_rates_noise_and_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both players take Adam's steps with the momentum of Radford et al. (2016); the VAE has a rate of its own."""
    stages: dict[str, Any] = {}
    calls: list[tuple] = []

    def train(run: object, stage: str, modules: Any, optimisers: Any, losses: Any, *, steps: int, rate: Any = None):
        stages[stage] = (modules, optimisers, losses, steps)

    monkeypatch.setattr(gan, "train", train)
    monkeypatch.setattr(gan, "adversarial", lambda *given, penalty=0.0: calls.append((*given, penalty)))
    monkeypatch.setattr(gan, "vae", lambda *given: calls.append(given))
    networks, device = gan.build(GameRecipe(), 0), torch.device("cpu")
    run: Any = SimpleNamespace(device=device, recipe=GameRecipe(point_batch=9, point_rate=0.125, point_steps=7))
    batch = gan.points_of(gan.MIXTURES["grid"], 4, 0, device)
    gan.play(run, 5, "grid", networks, batch, 8, rate=0.5, vae_rate=0.25, penalty=3.0)
    gan.judge(run, 5, networks["judge"])
    assert {stage: each[3] for stage, each in stages.items()} == {
        "seed5/grid-gan": 8, "seed5/grid-vae": 8, "seed5/judge": 7,
    }  # fmt: skip

    def stepped(stage: str, name: str) -> tuple:
        (group,) = stages[stage][1][name].param_groups
        return {id(parameter) for parameter in group["params"]}, group["lr"], group["betas"]

    def own(name: str) -> set[int]:
        return {id(parameter) for parameter in networks[name].parameters()}

    for name, player in (("loss", "grid_generator"), ("discriminator", "grid_discriminator")):
        assert stepped("seed5/grid-gan", name) == (own(player), 0.5, (0.5, 0.999))
    assert stepped("seed5/grid-vae", "loss")[:2] == (own("grid_vae"), 0.25)
    assert stepped("seed5/judge", "discriminator")[:2] == (own("judge"), 0.125)
    for stage in stages:
        for step in (2, 3):
            stages[stage][2](step)
    for first, second in (calls[:2], calls[2:4]):
        data = -2 if len(first) == 3 else 2
        assert torch.equal(first[data], batch(2))
        assert torch.equal(second[data], batch(3))
        assert not torch.equal(*(torch.randn(3, generator=call[data + 1]) for call in (first, second)))
    assert calls[0][-1] == 3
    assert calls[4][2].shape == (9, 1)


def test_the_judge_sees_the_data_and_a_generator_of_known_gaussians() -> None:
    """Data N(-.5, .7²), made N(.5, 1.2²); every step draws anew."""
    batch = gan.real_line(40_000, 0, torch.device("cpu"))
    made = gan.FixedGenerator()(torch.randn(40_000, 1, generator=torch.Generator().manual_seed(0)))
    for points, mean, sd in ((batch(0), -0.5, 0.7), (made, 0.5, 1.2)):
        assert float(points.mean()) == pytest.approx(mean, abs=0.02)
        assert float(points.std()) == pytest.approx(sd, rel=0.02)
    assert not torch.equal(batch(0), batch(1))
    assert not torch.equal(batch(0), gan.real_line(40_000, 1, torch.device("cpu"))(0))
    found = gan.verdicts(nn.Linear(1, 1), torch.device("cpu"))
    x = np.array(found.x)
    for column, mean, sd in ((found.data, -0.5, 0.7), (found.made, 0.5, 1.2)):
        p = np.array(column)
        assert np.trapezoid(p, x) == pytest.approx(1, abs=1e-4)
        assert np.trapezoid(p * x, x) == pytest.approx(mean, abs=1e-3)
        assert np.trapezoid(p * (x - mean) ** 2, x) == pytest.approx(sd**2, rel=1e-3)


def test_a_judge_s_probability_is_the_sigmoid_of_its_logit() -> None:
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, 2.0)
    nn.init.constant_(network.bias, -1.0)
    found = gan.verdicts(network, torch.device("cpu"))
    expected = 1 / (1 + np.exp(1 - 2 * np.array(found.x)))
    assert found.learned == pytest.approx(expected.tolist(), abs=1e-6)


def test_of_grey_pictures_only_those_with_a_shape_count() -> None:
    """A third of the pictures is black and has nothing to be grey; with fewer than a tenth nothing is said."""
    grey = 0.8 * data(40)
    share = float((grey > 0).double().mean())
    mixed = torch.cat([grey, torch.zeros(20, 1, 64, 64)])
    found = gan.pictured(mixed, np.random.default_rng(0))
    assert found["shapes"].value == pytest.approx(2 / 3)
    assert found["grey"].value == pytest.approx(share)
    assert found["places"].value == gan.places(grey)
    for shapes, told in ((10, True), (9, False)):
        images = torch.cat([grey[:shapes], torch.zeros(100 - shapes, 1, 64, 64)])
        assert ("grey" in gan.pictured(images, np.random.default_rng(0))) == told


def test_samples_are_drawn_in_portions_and_pictures_are_probabilities() -> None:
    """The same noise for both; beyond one portion of 500; of logits the sigmoid."""
    networks = gan.build(GameRecipe(latent=3), 0)
    device = torch.device("cpu")
    few, many = (gan.made(networks, "ring", count, 0, device)["gan"] for count in (501, 1200))
    assert (len(few), len(many)) == (501, 1200)
    assert len(many.unique(dim=0)) == 1200
    vae: Any = networks["image_vae"].eval()
    pictures = gan.made(networks, "image", 4, 0, device)
    noise = torch.randn((4, 3), generator=gan.torch_generator(0, "sample", 0, device))
    with torch.no_grad():
        torch.testing.assert_close(pictures["vae"], vae.decode(noise).sigmoid())
    assert not torch.equal(pictures["vae"], gan.made(networks, "image", 4, 1, device)["vae"])


def test_lesions_are_measured_by_the_value_of_each_game(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that gives log-odds of 2 to all that is data and -1 to all that is made; quality and modes by mixture."""
    monkeypatch.setattr(gan, "made", lambda networks, name, count, *_: {
        "gan": torch.full((count, 1, 64, 64), -5.0) if name == "image" else torch.full((count, 2), -5.0),
        "vae": (data(count) if name == "image" else gan.MIXTURES[name].centres[torch.arange(count) % 4]),
    })  # fmt: skip

    class Odds(nn.Module):
        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            return torch.where((seen == -5.0).flatten(1).all(1), -1.0, 2.0)[:, None]

    networks: dict[str, nn.Module] = {f"{name}_discriminator": Odds() for name in ("ring", "grid", "image")}
    run: Any = SimpleNamespace(recipe=GameRecipe(), device=torch.device("cpu"))
    found = STUDY.load().lesion_measures(run, {"judge": nn.Linear(1, 1)} | networks)
    right = -log(1 + np.exp(-2)) - log(1 + np.exp(-1))
    for name in ("ring", "grid", "image"):
        assert found[f"{name}.gan.value"] == pytest.approx(right)
    for name in ("ring", "grid"):
        assert (found[f"{name}.gan.modes"], found[f"{name}.gan.quality"]) == (0, 0)
        assert (found[f"{name}.vae.modes"], found[f"{name}.vae.quality"]) == (4, 1)
    assert (found["image.gan.shapes"], found["image.vae.shapes"]) == (0, 1)


def test_the_variance_of_points_begins_at_a_hundredth() -> None:
    assert float(gan.PointVAE(2, 2).log_variance.exp().detach()) == pytest.approx(0.01)
