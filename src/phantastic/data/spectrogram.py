"""Log-mel spectrograms as audio transformers take them: 25 ms Hamming windows every 10 ms, 128 mel bands, 16 kHz.

The front end of AST and MBT (Gong, Chung & Glass 2021, section 2.1; Nagrani et al. 2021, section 4.1): magnitudes in
triangular bands, equally wide in mel = 1127 ln(1 + f / 700 Hz), under a logarithm with an offset (Hershey et al. 2017).
"""

from functools import lru_cache
from math import ceil, log2

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from phantastic.ground.errors import Refused

RATE = 16_000  # Hz
WINDOW = 0.025  # seconds
OFFSET = 0.01  # so that silence is log(.01)


def log_mel(
    waveform: Float[Tensor, "*batch samples"], bands: int = 128, hop: float = 0.01, rate: int = RATE
) -> Float32[Tensor, "*batch time bands"]:
    """Natural logarithms, one frame for each `hop` seconds begun, its window centred on that stretch.

    Raises Refused where the waveform is shorter than a hop, or hop and bands are out of range.
    """
    if not 0 < hop <= 1 or not 1 <= bands <= 512:
        raise Refused(f"{bands} mel bands every {hop} s; allowed: 1 to 512 bands, a hop of at most 1 s")
    spectrum = magnitudes(waveform, hop, rate, bins_for(bands, rate))
    return (spectrum @ filters(bands, rate, spectrum.shape[-1]).to(spectrum.device) + OFFSET).log()


def magnitudes(
    waveform: Float[Tensor, "*batch samples"], hop: float, rate: int, size: int
) -> Float32[Tensor, "*batch time bins"]:
    """|STFT| by Fourier transforms of `size` samples: a Hamming window of WINDOW seconds, zeros around the waveform."""
    samples, step, length = waveform.shape[-1], round(hop * rate), round(WINDOW * rate)
    if samples < step or step < 1:
        raise Refused(f"a sound of {samples} samples at {rate} Hz is shorter than a hop of {hop} s")
    size = max(size, length)
    frames = ceil(samples / step)
    before = (size - step) // 2  # a frame's middle is the middle of its hop
    after = (frames - 1) * step + size - before - samples
    window = torch.hamming_window(length, periodic=False, device=waveform.device)
    padded = torch.nn.functional.pad(waveform.float().reshape(-1, samples), (before, after))
    spectrum = torch.stft(padded, size, step, length, window, center=False, return_complex=True).abs()
    return spectrum.transpose(-1, -2).reshape(*waveform.shape[:-1], frames, -1)


def mel(hertz: Tensor) -> Tensor:
    """1127 ln(1 + f / 700 Hz) (O'Shaughnessy 1987)."""
    return 1127 * (1 + hertz / 700).log()


def edges(bands: int, rate: int) -> Float[Tensor, " bands_and_two"]:
    """Where bands begin, peak and end, hertz: band k has its peak at entry k + 1 and is 0 at the entries beside it."""
    top = float(mel(torch.tensor(rate / 2, dtype=torch.float64)))
    return 700 * ((torch.linspace(0, top, bands + 2, dtype=torch.float64) / 1127).exp() - 1)


def bins_for(bands: int, rate: int) -> int:
    """The smallest power of two, as the size of a Fourier transform, with which every band holds a bin."""
    narrowest = float(edges(bands, rate)[2])  # width of the lowest band
    return 2 ** max(ceil(log2(rate / narrowest)), ceil(log2(WINDOW * rate)))


@lru_cache
def filters(bands: int, rate: int, bins: int) -> Float32[Tensor, "bins bands"]:
    """Triangles of height 1, straight in mel, over the bins of a Fourier transform from 0 Hz to half the rate."""
    places = mel(torch.linspace(0, rate / 2, bins, dtype=torch.float64))[:, None]
    corners = mel(edges(bands, rate))
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    return torch.minimum((places - low) / (middle - low), (high - places) / (high - middle)).clamp_min(0).float()
