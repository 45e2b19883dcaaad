"""What a linear model's data say exactly: the Gaussian posterior over whole trajectories, from all data at once.

Such a model is linear in the white noise e ~ N(0, I) behind its smooth innovations: data are y = m + A e, what is asked
for is B e. Gaussian conditioning gives e | y ~ N(A⁺ (y - m), I - A⁺ A); nothing is factorised, and nothing is cut off
but what `generate` itself cuts off. Beside it stands dynamic expectation maximisation (`invert`), which sees the data
of a bin through a few derivatives, and no other bin.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.generalised import noise_kernel
from phantastic.inference.generation import Noise, generate
from phantastic.inference.model import LogPrecision, Model
from phantastic.inference.result import Covariance, Levels

SMALLEST = 1e-8  # singular values below this share of the largest carry nothing but rounding
SILENT = 16.0  # log-precision from which there is no noise, as in `smooth_noise`
NONLINEAR = 1e-6  # of the largest response to all noises together


@dataclass(frozen=True)
class Smoothed:
    """Exact beliefs at each bin given all data: means of states x and causes v by level, [bins, components], and their
    covariances."""

    x: Levels
    v: Levels
    covariance: Covariance


def unit_noises(model: Model, bins: int) -> Noise:
    """``noise_z1``, ...: what each element of the white noise does to each innovation, [elements, bins, channels]."""
    series = {}
    for letter, sizes in (("z", model.outputs), ("w", [len(level.states) for level in model.levels])):
        for number, (level, size) in enumerate(zip(model.levels, sizes, strict=True), start=1):
            precision = level.V if letter == "z" else level.W
            if isinstance(precision, LogPrecision):
                raise Refused(f"level {number} learns its precision; the exact smoother needs one that is known")
            scale = torch.as_tensor(precision, dtype=torch.float64).expand(size)
            heard = [channel for channel in range(size) if scale[channel].log() < SILENT - 1e-12]
            kernel = noise_kernel(bins, model.smoothness if level.smoothness is None else level.smoothness)
            part = torch.zeros(len(heard), bins, bins, size, dtype=torch.float64)
            for row, channel in enumerate(heard):
                part[row, :, :, channel] = kernel * scale[channel].rsqrt()
            series[f"noise_{letter}{number}"] = part.reshape(len(heard) * bins, bins, size)
    starts, total = {}, 0
    for name, part in series.items():
        starts[name], total = total, total + len(part)
    noise = {}
    for name, part in series.items():
        full = torch.zeros(total, *part.shape[1:], dtype=torch.float64)
        full[starts[name] : starts[name] + len(part)] = part
        if full.shape[-1]:
            noise[name] = full
    return noise


def smooth(
    model: Model, y: Float64[Tensor, "bins outputs"], *, causes: Tensor | None = None, orders: tuple[int, int] = (6, 2)
) -> Smoothed:
    """The exact posterior of a linear model's states and causes, from data of all bins.

    causes: expected ones of the last level [bins, causes], zero without. Raises `Refused` for a model that is not
    linear in its noises, that learns anything, or whose precisions depend on states.
    """
    if model.free or model.state_dependent:
        raise Refused(
            "the exact smoother needs a model of known parameters and precisions; this one learns or varies some"
        )
    bins = len(y)
    exogenous = torch.zeros(bins, model.nc, dtype=torch.float64) if causes is None else causes
    noise = unit_noises(model, bins)
    expected = generate(model, exogenous, orders=orders)
    moved = generate(model, exogenous, orders=orders, noise=noise)
    together = generate(model, exogenous, orders=orders, noise={name: each.sum(0) for name, each in noise.items()})

    def responses(kind: str, number: int) -> Tensor:
        """What each element of the noise does, [elements, bins, components]."""
        without, by_element = (
            getattr(expected, kind)[number],
            getattr(moved, kind)[number] - getattr(expected, kind)[number],
        )
        apart = (by_element.sum(0) + without - getattr(together, kind)[number]).abs().max()
        if apart > NONLINEAR * by_element.sum(0).abs().max().clamp(min=1e-12):
            raise Refused(
                "the exact smoother needs a model that is linear in its noises; this one is not: use `invert`"
            )
        return by_element

    data = responses("v", 1).flatten(1)
    left, size, right = torch.linalg.svd(data, full_matrices=False)
    seen = size > SMALLEST * size.max()
    left, size, right = left[:, seen], size[seen], right[seen]
    element = left @ ((right @ (y - expected.v[1]).flatten()) / size)  # the posterior mean of the white noise

    means: dict[str, Levels] = {}
    spread: dict[str, Tensor] = {}
    for kind, first in (("x", 1), ("v", 2)):
        numbers = [number for number in getattr(expected, kind) if number >= first]
        parts = {number: responses(kind, number) for number in numbers}
        means[kind] = {
            number: getattr(expected, kind)[number] + torch.tensordot(element, part, 1)
            for number, part in parts.items()
        }
        every = torch.cat(list(parts.values()), -1) if parts else data.new_zeros(len(data), bins, 0)
        unseen = every - torch.tensordot(left, torch.tensordot(left.mT, every, 1), 1)
        spread[kind] = torch.einsum("ebi,ebj->bij", unseen, unseen)
    return Smoothed(means["x"], means["v"], Covariance(spread["x"], spread["v"]))
