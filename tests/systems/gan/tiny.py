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

from phantastic.declare.claims import Measure, judge
from phantastic.systems.gan import experiment as gan
from phantastic.systems.gan.study import STUDY, GameRecipe
from phantastic.world import dsprites


def data(count: int) -> torch.Tensor:
    chosen = np.random.default_rng(0).integers(dsprites.SIZES, size=(count, len(dsprites.SIZES)))
    return torch.from_numpy(dsprites.render(chosen)).unsqueeze(1).float()


def verdicts(images: torch.Tensor) -> dict[str, str]:
    """The ledger where a GAN makes ``images`` and a VAE grey pictures of data."""
    found: dict[str, Measure] = {}
    for kind, made in {"gan": images, "vae": 0.8 * data(500)}.items():
        pictured = gan.pictured(made, np.random.default_rng(0))
        found |= {f"image.{kind}.{name}": measure for name, measure in pictured.items()}
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
