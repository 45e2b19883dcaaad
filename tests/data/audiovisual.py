"""Augmentation, by what it leaves alone and how often it does what."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from phantastic.data import audiovisual
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator


def draws(step: int = 0) -> np.random.Generator:
    return numpy_generator(0, "augment", step)


def test_masks_are_whole_rows_and_columns_of_zeros():
    spectrogram = torch.ones(200, 3, 60, 40)
    masked = audiovisual.spec_augment(spectrogram, draws(), bands=10, time=8, times=2)
    assert (spectrogram == 1).all()
    assert torch.equal(masked[:, 0], masked[:, 2])
    gone = masked[:, 0] == 0
    bands, times = gone.all(1), gone.all(2)
    assert torch.equal(gone, bands[:, None, :] | times[:, :, None])
    assert 0 <= bands.sum(1).min() < bands.sum(1).max() == 10
    assert 8 < times.sum(1).max() <= 16
    assert bands.sum(1).double().mean() == pytest.approx(5, abs=0.7)
    assert (bands.diff(dim=1).sum(1) <= 2).all()  # one stretch
    assert not torch.equal(masked[0], masked[1])
    assert torch.equal(masked, audiovisual.spec_augment(spectrogram, draws(), bands=10, time=8, times=2))


def test_no_mask_changes_nothing():
    spectrogram = torch.randn(3, 20, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(audiovisual.spec_augment(spectrogram, draws(), bands=0, time=0), spectrogram)
    assert torch.equal(audiovisual.spec_augment(spectrogram, draws(), bands=0, times=0, time=5), spectrogram)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 2.0])
def test_mixing_weights_follow_the_beta_distribution(alpha):
    weight, partner = audiovisual.mixing(2000, alpha, draws())
    assert kstest(weight.numpy(), beta(alpha, alpha).cdf).pvalue > 0.001
    assert sorted(partner.tolist()) == list(range(2000))


def test_a_mixture_of_clips_is_the_mixture_of_their_labels():
    weight, partner = torch.tensor([1.0, 0.25, 0.5]), torch.tensor([1, 2, 0])
    clips, labels = torch.randn(3, 2, 4), torch.eye(3)
    mixed = audiovisual.mixup(clips, weight, partner)
    assert torch.equal(mixed[0], clips[0])
    torch.testing.assert_close(mixed[1], 0.25 * clips[1] + 0.75 * clips[2])
    assert audiovisual.mixup(labels, weight, partner).tolist() == [[1, 0, 0], [0, 0.25, 0.75], [0.5, 0, 0.5]]


def test_smoothing_keeps_the_total_of_a_single_label():
    smoothed = audiovisual.smooth(torch.eye(4), 0.3)
    torch.testing.assert_close(smoothed.sum(1), torch.ones(4))
    assert smoothed[0].tolist() == pytest.approx([0.775, 0.075, 0.075, 0.075])


def test_refusals():
    spectrogram = torch.zeros(2, 20, 10)
    for wrong in ({"bands": 11}, {"time": 21}, {"bands": -1}, {"times": -1}):
        with pytest.raises(Refused, match="mask"):
            audiovisual.spec_augment(spectrogram, draws(), **{"bands": 2, "time": 2, **wrong})
    for alpha in (0.0, -1.0, float("nan")):
        with pytest.raises(Refused, match="alpha"):
            audiovisual.mixing(4, alpha, draws())
    with pytest.raises(Refused, match="smoothing"):
        audiovisual.smooth(torch.eye(2), 1.5)
