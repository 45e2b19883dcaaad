"""The log-mel front end against a plain one in NumPy, and against what is known of sines and of energy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data import spectrogram
from phantastic.ground.errors import Refused

RATE = 16_000


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def plain(sound: np.ndarray, bands: int, hop: int) -> np.ndarray:
    """Frame by frame and triangle by triangle, in float64."""
    window, size = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399), 1024
    corner = 700 * (np.exp(np.linspace(0, 1127 * np.log(1 + 8000 / 700), bands + 2) / 1127) - 1)
    frames = -(-len(sound) // hop)
    padded = np.concatenate([np.zeros(400), sound, np.zeros(frames * hop - len(sound) + 400)])
    rows = []
    for frame in range(frames):
        middle = 400 + frame * hop + hop // 2
        magnitude = np.abs(np.fft.fft(padded[middle - 200 : middle + 200] * window, size))[: size // 2 + 1]
        row = []
        for band in range(bands):
            total = 0.0
            for place, value in enumerate(magnitude):
                mel = np.log(1 + place * RATE / size / 700)
                low, peak, high = np.log(1 + corner[band : band + 3] / 700)
                total += value * max(0.0, min((mel - low) / (peak - low), (high - mel) / (high - peak)))
            row.append(np.log(total + 0.01))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("hop", [160, 320])
def test_equal_to_a_plain_implementation(hop):
    sound = noise(611) * 0.1
    got = spectrogram.log_mel(sound, bands=128, hop=hop / RATE).numpy()
    np.testing.assert_allclose(got, plain(sound.double().numpy(), 128, hop), atol=2e-4)


@pytest.mark.parametrize("bands", [40, 128])
@pytest.mark.parametrize("frequency", [150.0, 440.0, 1000.0, 3000.0, 7000.0])
def test_a_sine_peaks_in_its_band(bands, frequency):
    sound = torch.sin(2 * torch.pi * frequency * torch.arange(RATE) / RATE)
    levels = spectrogram.log_mel(sound, bands=bands)[50]
    edges = spectrogram.edges(bands, RATE)
    nearest = int((edges[1:-1] - frequency).abs().argmin())
    assert abs(int(levels.argmax()) - nearest) <= 1


def test_energy_is_kept():  # Parseval
    sound = noise(3, 4000)
    spectrum = spectrogram.magnitudes(sound, 0.01, RATE, 1024).double().square()
    power = (spectrum[..., 0] + spectrum[..., -1] + 2 * spectrum[..., 1:-1].sum(-1)) / 1024
    window = torch.hamming_window(400, periodic=False, dtype=torch.float64)
    for frame in range(25):
        piece = torch.nn.functional.pad(sound.double(), (120, 400))[:, 160 * frame : 160 * frame + 400]
        torch.testing.assert_close(power[:, frame], (piece * window).square().sum(-1), rtol=1e-4, atol=1e-4)


@given(st.integers(1, 256), st.sampled_from([8_000, 16_000, 44_100]))
def test_every_band_hears_something(bands, rate):
    weights = spectrogram.filters(bands, rate, spectrogram.bins_for(bands, rate) // 2 + 1)
    assert (weights.sum(0) > 0).all()
    assert 0 <= weights.min() <= weights.max() <= 1


def test_the_triangles_add_up_to_one_between_the_first_and_last_peak():
    weights = spectrogram.filters(64, RATE, 2049)
    edges, places = spectrogram.edges(64, RATE), torch.linspace(0, RATE / 2, 2049, dtype=torch.float64)
    between = (places >= edges[1]) & (places <= edges[-2])
    torch.testing.assert_close(weights.sum(1)[between], torch.ones(int(between.sum())))


def test_one_frame_a_hop_whatever_the_shape():
    assert spectrogram.log_mel(noise(2, 3, 32_000)).shape == (2, 3, 200, 128)
    assert spectrogram.log_mel(noise(32_001), bands=40, hop=0.02).shape == (101, 40)
    together = spectrogram.log_mel(noise(4, 2, 3200))
    torch.testing.assert_close(together[2, 1], spectrogram.log_mel(noise(4, 2, 3200)[2, 1]), rtol=0, atol=1e-4)


def test_silence_is_the_offset_and_ten_times_louder_is_log_ten_more():
    assert torch.equal(spectrogram.log_mel(torch.zeros(1600)), torch.full((10, 128), 0.01).log())
    loud = noise(16_000) * 100
    torch.testing.assert_close(
        spectrogram.log_mel(10 * loud) - spectrogram.log_mel(loud),
        torch.full((100, 128), np.log(10.0)),
        atol=1e-3,
        rtol=0,
    )


@pytest.mark.parametrize(
    "arguments", [{"bands": 0}, {"bands": 1000}, {"hop": 0.0}, {"hop": 2.0}, {"hop": float("nan")}]
)
def test_refusals(arguments):
    with pytest.raises(Refused, match="allowed"):
        spectrogram.log_mel(noise(1600), **arguments)
    with pytest.raises(Refused, match="shorter"):
        spectrogram.log_mel(noise(100))
