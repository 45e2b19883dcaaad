"""What is made of codes where no datum has its own."""

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phantastic.nn.autoencoder.model import VAE, Autoencoder
from phantastic.nn.autoencoder.plain import reconstructing
from phantastic.systems.vae.holes import along, codes_of, drawn, holes


class Column(Autoencoder):
    """Codes of one number: the column in which a square has its middle; beyond the picture there is none."""

    def __init__(self) -> None:
        super().__init__(1, 64, 1, (4,), 4)

    def encode(self, images: Tensor) -> Tensor:
        return torch.stack([(image[0] > 0.5).nonzero().double().mean(0)[1] for image in images])[:, None].float()

    def decode(self, codes: Tensor) -> Tensor:
        images = torch.full((len(codes), 1, 64, 64), -9.0)
        for image, (middle,) in zip(images, codes.tolist(), strict=True):
            if 10 <= middle <= 54:
                image[0, 20:30, round(middle) - 5 : round(middle) + 5] = 9.0
        return images


def squares(columns: Tensor) -> Tensor:
    return (Column().decode(columns[:, None].float()) > 0).float()


def test_of_a_code_without_holes_all_is_whole_and_beyond_its_data_nothing() -> None:
    """A Gaussian of codes near 32 stays among them. Of codes at 10.5 and at 52.5, half each, it draws beyond the
    picture (10 to 54), as often as N(31.5, 21²) does; what lies between two of them is whole."""
    near = 30 + torch.arange(200) % 5
    found = holes(Column(), squares(near), 0)
    assert [found[name].value for name in ("sampled", "between", "restored")] == [1, 1, 1]
    far = torch.where(torch.arange(400) % 2 > 0, 11, 53)
    found = holes(Column(), squares(far), 0)
    assert (found["between"].value, found["restored"].value) == (1, 1)
    spread = NormalDist(31.5, 21)
    assert found["sampled"].value == pytest.approx(spread.cdf(54) - spread.cdf(10), abs=0.07)
    assert found["sampled"].low is not None


def test_a_vae_is_asked_for_its_prior_and_an_autoencoder_for_the_gaussian_of_its_codes() -> None:
    codes = (
        torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[3.0, 2.0], [0.0, 1.0]]) + 7
    )
    plain, vae = Autoencoder(1, 64, 2, (4,), 4), VAE(1, 64, 2, (4,), 4)
    made = drawn(plain, codes, 20_000, 0)
    assert made.mean(0).tolist() == pytest.approx(codes.mean(0).tolist(), abs=0.1)
    torch.testing.assert_close(torch.cov(made.T), torch.cov(codes.T), rtol=0.05, atol=0.05)
    prior = drawn(vae, codes, 20_000, 0)
    torch.testing.assert_close(torch.cov(prior.T), torch.eye(2), rtol=0, atol=0.05)
    assert prior.mean(0).tolist() == pytest.approx([0, 0], abs=0.05)
    assert torch.equal(prior, drawn(vae, codes, 20_000, 0))


def test_latents_that_carry_nothing_do_not_stop_the_drawing() -> None:
    codes = torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.0, 1.0])
    made = drawn(Autoencoder(1, 64, 3, (4,), 4), codes, 50, 0)
    assert made.isfinite().all()
    assert made[:, 1].abs().max() < 1e-3


def test_the_way_between_two_codes_is_straight() -> None:
    ends = torch.tensor([[0.0, 4.0], [1.0, 2.0]])
    assert along(ends, 3).tolist() == [[0, 4], [0.5, 3], [1, 2]]


def test_a_plain_autoencoder_pays_for_the_error_alone() -> None:
    """log 2 a pixel where nothing is known; and of a VAE the mean is the code."""
    model = Autoencoder(1, 64, 2, (4,), 4)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert reconstructing(model, torch.ones(3, 1, 64, 64))["loss"].item() == pytest.approx(4096 * np.log(2), rel=1e-5)
    assert codes_of(model, torch.ones(3, 1, 64, 64)).tolist() == [[0, 0]] * 3
    vae: Any = VAE(1, 64, 2, (4,), 4)
    images = torch.rand(5, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(codes_of(vae, images), vae.encode(images).mean)
