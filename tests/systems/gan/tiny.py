"""The claims of the studies `gan` and `modes`: they hold of data, and of a dead generator they cannot."""

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
from phantastic.systems.gan import game, gan, mixtures, modes
from phantastic.systems.gan.study import GAME, MODES, GameRecipe, ModesRecipe
from phantastic.world import dsprites


def data(count: int) -> torch.Tensor:
    chosen = np.random.default_rng(0).integers(dsprites.SIZES, size=(count, len(dsprites.SIZES)))
    return torch.from_numpy(dsprites.render(chosen)).unsqueeze(1).float()


def verdicts(images: torch.Tensor) -> dict[str, str]:
    """The ledger where, under two seeds, a GAN makes ``images`` and a VAE grey pictures of data or of nothing."""
    found: dict[str, Measure] = {}
    for kind, made in {"gan": images, "vae": torch.cat([0.8 * data(250), torch.zeros(250, 1, 64, 64)])}.items():
        pictured = gan.pictured(made, 0)
        found |= {f"image.{kind}.{name}": summarise([measure.value] * 2) for name, measure in pictured.items()}
    wanted = {"gan.shapes", "gan.places", "gan.sharp"}
    return {f.claim.id: f.verdict for f in judge(GAME.claims(), found, "quick") if f.claim.id in wanted}


def test_the_claims_hold_of_a_gan_that_makes_data() -> None:
    assert verdicts(data(2_000)) == {"gan.shapes": "holds", "gan.places": "holds", "gan.sharp": "holds"}


def test_a_dead_generator_makes_no_shape_and_is_not_called_sharp() -> None:
    networks = gan.build(GameRecipe(), 0)
    last = networks["generator"].get_submodule("decoder.conv4")
    nn.init.constant_(last.get_parameter("bias"), -30.0)
    for network in networks.values():
        network.eval()
    black = gan.made(networks, 100, 0, torch.device("cpu"))["gan"]
    assert black.max() < 0.1
    assert gan.pictured(black, 0)["shapes"].value == 0
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
        assert list(optimisers) == ["discriminator", "loss"]
        rates.extend(rate(step) for step in range(steps))

    monkeypatch.setattr(game, "train", train)
    networks, device = modes.build(0), torch.device("cpu")
    run: Any = SimpleNamespace(device=device)
    batch = modes.points_of(modes.MIXTURES["ring"], 4, 0, device)
    players = {role: networks[f"ring_gan_{role}"] for role in ("generator", "discriminator")}
    game.play(run, 0, "ring-gan", players, batch, 8, rate=1.0, penalty=0.1)
    assert rates == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_a_game_in_equilibrium_is_at_minus_log_four_over_its_last_tenth() -> None:
    """Theorem 1 of Goodfellow et al. (2014): there V = -log 4, and nowhere else is the deviation 0."""
    points = [{"step": step, "value": -log(4) if step > 90 else -0.1} for step in range(10, 101, 5)]
    run: Any = SimpleNamespace(curve=lambda stage: points if stage == "seed0/ring-gan" else [])
    assert game.settled(run, 0, "ring-gan") == pytest.approx((-log(4), 0))
    points[-2:] = [{"step": 95, "value": -0.5 * log(4)}, {"step": 100, "value": -1.1 * log(4)}]
    assert game.settled(run, 0, "ring-gan")[1] == pytest.approx(-0.2)


def test_a_blind_judge_is_wrong_by_half_the_total_variation() -> None:
    """|1/2 - p / (p + q)| under the mixture is a quarter of ∫|p - q|; of N(±1/2, 1) that is 2 (2Φ(1/2) - 1)."""
    x = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    p, q = modes.normal(x, -0.5, 1.0), modes.normal(x, 0.5, 1.0)
    columns = (x, p, q, torch.full_like(x, 0.5), p / (p + q))
    found = modes.Verdicts(*(column.tolist() for column in columns)).measures()
    assert found["judge.error"] == pytest.approx(0.5 * (2 * NormalDist().cdf(0.5) - 1), abs=1e-6)
    assert found["judge.value"] == pytest.approx(-log(4), abs=1e-6)


def test_points_of_the_vae_have_the_spread_that_it_learned() -> None:
    """Where the decoder says the same of all codes, they are a Gaussian of the learned variance."""
    networks, vae = modes.build(0), modes.PointVAE(2, 2, 4.0)
    nn.init.zeros_(vae.decoder.head.weight)
    nn.init.constant_(vae.decoder.head.bias, 3.0)
    points = modes.made(networks | {"ring_vae": vae}, "ring", 4000, 0, torch.device("cpu"))["vae"]
    assert points.mean(0).tolist() == pytest.approx([3, 3], abs=0.15)
    assert points.std(0).tolist() == pytest.approx([2, 2], rel=0.05)


def test_the_games_play_with_their_own_rates_noise_and_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both players take Adam's steps with the momentum of Radford et al. (2016); the VAE has a rate of its own, and its
    variance ten times that; the judges see the same batches, and R1 is paid in its own games alone."""
    stages: dict[str, Any] = {}
    calls: list[tuple] = []

    def train(run: object, stage: str, modules: Any, optimisers: Any, losses: Any, *, steps: int, rate: Any = None):
        stages[stage] = (modules, optimisers, losses, steps)

    monkeypatch.setattr(game, "train", train)
    monkeypatch.setattr(modes, "train", train)
    monkeypatch.setattr(game, "adversarial", lambda *given, penalty=0.0: calls.append((*given, penalty)))
    monkeypatch.setattr(modes, "vae", lambda *given: calls.append(given))
    monkeypatch.setattr(modes, "settled", lambda *_: (0.0, 0.0))
    built = modes.build(5)
    monkeypatch.setattr(modes, "build", lambda seed: built if seed == 5 else pytest.fail("another seed"))
    recipe = ModesRecipe(batch=9, rate=0.125, steps=8, penalty=3.0, vae_rate=0.0625)
    run: Any = SimpleNamespace(device=torch.device("cpu"), recipe=recipe, once=lambda *_: {})
    modes.Modes().one_seed(run, recipe, 5)
    assert {stage: each[3] for stage, each in stages.items()} == {"seed5/judge": 8} | {
        f"seed5/{name}-{kind}": 4 if kind.endswith("judge") else 8
        for name in ("ring", "grid") for kind in ("gan", "gan-judge", "r1", "r1-judge", "vae")
    }  # fmt: skip

    def stepped(stage: str, name: str) -> list[tuple]:
        groups = stages[stage][1][name].param_groups
        return [({id(parameter) for parameter in group["params"]}, group["lr"], group["betas"]) for group in groups]

    def own(name: str) -> set[int]:
        return {id(parameter) for parameter in built[name].parameters()}

    for kind in ("gan", "r1"):
        for key, player in (("loss", "generator"), ("discriminator", "discriminator")):
            assert stepped(f"seed5/grid-{kind}", key) == [(own(f"grid_{kind}_{player}"), 0.125, (0.5, 0.999))]
        assert stepped(f"seed5/grid-{kind}-judge", "discriminator")[0][:2] == (own(f"grid_{kind}_judge"), 0.125)
    assert [group[1] for group in stepped("seed5/grid-vae", "loss")] == [0.0625, 0.625]
    variance: Any = built["grid_vae"]
    assert stepped("seed5/grid-vae", "loss")[1][0] == {id(variance.log_variance)}

    def called(stage: str, step: int) -> tuple:
        stages[f"seed5/{stage}"][2](step)
        return calls.pop()

    for stage, paid in (("grid-gan", 0), ("grid-r1", 3), ("grid-gan-judge", 0), ("grid-r1-judge", 0), ("judge", 0)):
        assert called(stage, 2)[-1] == paid
    for stage, data in (("grid-gan", 2), ("grid-r1", 2), ("grid-r1-judge", 2), ("grid-vae", 1)):
        first, second = called(stage, 2), called(stage, 3)
        batch = modes.points_of(modes.MIXTURES["grid"], 9, 5, run.device)
        assert torch.equal(first[data], batch(2))
        assert torch.equal(second[data], batch(3))
        assert not torch.equal(*(torch.randn(3, generator=call[data + 1]) for call in (first, second)))
    assert called("grid-r1-judge", 0)[0] is built["grid_r1_generator"]
    assert called("judge", 4)[2].shape == (9, 1)


def test_games_with_and_without_the_penalty_begin_alike_and_their_judges_too() -> None:
    networks = modes.build(3)
    for role in ("generator", "discriminator", "judge"):
        one, other = (networks[f"grid_{kind}_{role}"].state_dict() for kind in ("gan", "r1"))
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert not torch.equal(one["head.weight"], networks[f"ring_gan_{role}"].state_dict()["head.weight"])
    judge, player = (networks[f"grid_gan_{role}"].state_dict()["head.weight"] for role in ("judge", "discriminator"))
    assert not torch.equal(judge, player)


def test_the_judge_sees_the_data_and_a_generator_of_known_gaussians() -> None:
    """Data N(-.5, .7²), made N(.5, 1.2²); every step draws anew."""
    batch = modes.real_line(40_000, 0, torch.device("cpu"))
    made = modes.FixedGenerator()(torch.randn(40_000, 1, generator=torch.Generator().manual_seed(0)))
    for points, mean, sd in ((batch(0), -0.5, 0.7), (made, 0.5, 1.2)):
        assert float(points.mean()) == pytest.approx(mean, abs=0.02)
        assert float(points.std()) == pytest.approx(sd, rel=0.02)
    assert not torch.equal(batch(0), batch(1))
    assert not torch.equal(batch(0), modes.real_line(40_000, 1, torch.device("cpu"))(0))
    found = modes.verdicts(nn.Linear(1, 1), torch.device("cpu"))
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
    found = modes.verdicts(network, torch.device("cpu"))
    expected = 1 / (1 + np.exp(1 - 2 * np.array(found.x)))
    assert found.learned == pytest.approx(expected.tolist(), abs=1e-6)


def test_of_grey_pictures_only_those_with_a_shape_count() -> None:
    """A third of the pictures is black and has nothing to be grey; with fewer than a tenth nothing is said."""
    grey = 0.8 * data(40)
    share = float((grey > 0).double().mean())
    mixed = torch.cat([grey, torch.zeros(20, 1, 64, 64)])
    found = gan.pictured(mixed, 0)
    assert found["shapes"].value == pytest.approx(2 / 3)
    assert found["grey"].value == pytest.approx(share)
    assert found["places"].value == gan.covered(gan.places(grey))
    for shapes, told in ((10, True), (9, False)):
        images = torch.cat([grey[:shapes], torch.zeros(100 - shapes, 1, 64, 64)])
        assert ("grey" in gan.pictured(images, 0)) == told


def test_samples_are_drawn_in_portions_and_pictures_are_probabilities() -> None:
    """The same noise for both; beyond one portion of 500; of logits the sigmoid."""
    device = torch.device("cpu")
    networks = {name: network.eval() for name, network in gan.build(GameRecipe(latent=3), 0).items()}
    many = gan.made(networks, 501, 0, device)["gan"]
    assert len(many.flatten(1).unique(dim=0)) == 501
    vae: Any = networks["vae"]
    pictures = gan.made(networks, 4, 0, device)
    noise = torch.randn((4, 3), generator=gan.torch_generator(0, "sample", 0, device))
    with torch.no_grad():
        torch.testing.assert_close(pictures["vae"], vae.decode(noise).sigmoid())
        torch.testing.assert_close(pictures["gan"], networks["generator"](noise))
    assert not torch.equal(pictures["vae"], gan.made(networks, 4, 1, device)["vae"])


class Odds(nn.Module):
    """A judge that gives log-odds of 2 to all that is data and -1 to all that is made."""

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.where((seen == -5.0).flatten(1).all(1), -1.0, 2.0)[:, None]


RIGHT = -log(1 + np.exp(-2)) - log(1 + np.exp(-1))


def test_lesions_are_measured_by_the_value_of_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    black = torch.full((32, 1, 64, 64), -5.0)
    monkeypatch.setattr(gan, "made", lambda networks, count, *_: {"gan": black, "vae": data(count)})
    run: Any = SimpleNamespace(recipe=GameRecipe(), device=torch.device("cpu"))
    found = GAME.load().lesion_measures(run, {"discriminator": Odds()})
    assert found["image.gan.value"] == pytest.approx(RIGHT)
    assert (found["image.gan.shapes"], found["image.vae.shapes"]) == (0, 1)


def test_lesions_of_points_are_measured_by_both_judges_modes_and_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(networks: object, name: str, count: int, *_: object) -> dict[str, torch.Tensor]:
        nothing = torch.full((count, 2), -5.0)
        return {"gan": nothing, "r1": nothing, "vae": modes.MIXTURES[name].centres[torch.arange(count) % 4]}

    monkeypatch.setattr(modes, "made", made)
    names = [
        f"{name}_{kind}_{role}"
        for name in ("ring", "grid")
        for kind in ("gan", "r1")
        for role in ("discriminator", "judge")
    ]
    run: Any = SimpleNamespace(recipe=ModesRecipe(), device=torch.device("cpu"))
    found = MODES.load().lesion_measures(run, {"judge": nn.Linear(1, 1)} | dict.fromkeys(names, Odds()))
    for name in ("ring", "grid"):
        for kind in ("gan", "r1"):
            assert found[f"{name}.{kind}.value"] == found[f"{name}.{kind}.answered"] == pytest.approx(RIGHT)
            assert (found[f"{name}.{kind}.modes"], found[f"{name}.{kind}.quality"]) == (0, 0)
        assert (found[f"{name}.vae.modes"], found[f"{name}.vae.quality"]) == (4, 1)


def test_the_variance_of_points_begins_at_a_fiftieth_of_the_data_s() -> None:
    """Of a ring of radius 1 half a unit along either axis, of a grid from -4 to 4 in steps of 2 eight."""
    networks: Any = modes.build(0)
    for name, variance in (("ring", 0.5), ("grid", 8.0)):
        assert mixtures.variance(modes.MIXTURES[name]) == pytest.approx(variance, rel=1e-3)
        assert float(networks[f"{name}_vae"].log_variance.exp().detach()) == pytest.approx(variance / 50, rel=1e-3)


def points(
    modes_found: Mapping[str, int], quality: Mapping[str, float], answered: Mapping[str, float]
) -> dict[str, str]:
    """The ledger on the grid where, under five seeds that differ a little, this came out."""
    found: dict[str, Measure] = {}
    for kind in ("gan", "r1", "vae"):
        found[f"grid.{kind}.modes"] = summarise([float(modes_found[kind])] * 5)
        found[f"grid.{kind}.quality"] = summarise([quality[kind] + 0.01 * seed for seed in range(5)])
    for kind, nats in answered.items():
        found[f"grid.{kind}.answered"] = summarise([nats + 0.01 * seed for seed in range(5)])
        for name in ("ring", "grid"):
            each = [(nats + 0.01 * seed) / -log(4) - 1 for seed in range(5)]
            found[f"{name}.{kind}.answered.deviation"] = summarise(each)
    wanted = {"modes.lost", "modes.penalty", "modes.equilibrium"}
    return {f.claim.id: f.verdict for f in judge(MODES.claims(), found, "quick") if f.claim.id in wanted}


def test_a_dead_generator_does_not_pass_for_one_that_loses_modes() -> None:
    alive = {"gan": 17, "r1": 25, "vae": 25}, {"gan": 0.8, "r1": 0.8, "vae": 0.6}, {"gan": -0.9, "r1": -1.35}
    assert points(*alive) == {"modes.lost": "holds", "modes.penalty": "holds", "modes.equilibrium": "holds"}
    dead = {"gan": 0, "r1": 0, "vae": 25}, {"gan": 0.0, "r1": 0.0, "vae": 0.6}, {"gan": -0.04, "r1": -0.04}
    assert points(*dead) == {"modes.lost": "fails", "modes.penalty": "fails", "modes.equilibrium": "fails"}
    whole = {"gan": 25, "r1": 25, "vae": 25}, {"gan": 0.8, "r1": 0.8, "vae": 0.6}, {"gan": -1.3, "r1": -1.35}
    assert points(*whole)["modes.lost"] == "fails"
