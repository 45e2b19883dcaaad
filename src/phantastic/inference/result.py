"""What a scheme returns: trajectories by level, covariances, parameters and free energy with its parts."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.inference.model import Model
from phantastic.inference.prediction_errors import Geometry

Levels = dict[int, Float64[Tensor, "... bins components"]]


@dataclass(frozen=True)
class Trajectory:
    """What really happened: ``v[1]`` are the data, ``v[2]``... the causes, ``x`` the states, z and w their noise."""

    x: Levels
    v: Levels
    z: Levels
    w: Levels


@dataclass(frozen=True)
class Covariance:
    """Conditional covariances of all states and of all causes (from the first level up), [..., bins, k, k]."""

    x: Float64[Tensor, "... bins states states"]
    v: Float64[Tensor, "... bins causes causes"]


@dataclass(frozen=True)
class Parts:
    """Free energy F = accuracy - complexity, in nats, [...]; ``entropy`` of the states is part of the complexity.

    accuracy: expected log-likelihood of the data; complexity: divergence of the beliefs from their priors.
    """

    accuracy: Tensor
    complexity: Tensor
    entropy: Tensor


@dataclass(frozen=True)
class Result:
    """Beliefs at each bin, before the update that the bin's data drive; level 1 is the sensory one.

    Of a model without hidden states, in which nothing joins the bins, they are those that the bin's own data leave.

    x, v: conditional means of states and causes (``v[1]``: predicted response); z, w: prediction errors on outputs
    and causes, and on states; a: action, by the process's last level. Arrays [..., bins, components], float64.
    free_energy: after each E-step [..., iterations]. parameters: posterior means [..., parameters] in the order of
    ``model.symbols("parameters")``; log_precisions: [..., components], V of each level first, then W; their
    ``*_covariance`` of the learned ones, and ``*_history`` [..., iterations, ·].
    precision: of every row of errors (outputs, causes, states) [..., bins, rows].
    """

    x: Levels
    v: Levels
    z: Levels
    w: Levels
    a: Levels
    covariance: Covariance
    free_energy: Float64[Tensor, "... iterations"]
    parts: Parts
    precision: Float64[Tensor, "... bins rows"]
    parameters: Tensor
    log_precisions: Tensor
    process: Trajectory | None = None
    parameter_covariance: Tensor | None = None
    log_precision_covariance: Tensor | None = None
    parameter_history: Tensor | None = None
    log_precision_history: Tensor | None = None

    def weighted_errors(self) -> dict[str, Levels]:
        """Prediction errors times the square root of their precision: the simulated responses of superficial units.

        ``{"z": {level: array}, "w": {level: array}}``, each [..., bins, components].
        """
        root, start = self.precision.sqrt(), 0
        weighted: dict[str, Levels] = {"z": {}, "w": {}}
        for name, levels in (("z", self.z), ("w", self.w)):
            for level, errors in levels.items():
                weighted[name][level] = errors * root[..., start : start + errors.shape[-1]]
                start += errors.shape[-1]
        return weighted


def by_level(flat: Tensor, sizes: list[int], first: int = 1) -> Levels:
    """[..., components of all levels] -> those of each level; levels without any are left out."""
    parts = flat.split(sizes, -1)
    return {number: part for number, part in enumerate(parts, start=first) if part.shape[-1]}


def beliefs(geometry: Geometry, w: Tensor, errors: Tensor, y: Tensor) -> tuple[Levels, Levels, Levels, Levels]:
    """The trajectories x, v, z, w of `Result`, from generalised means and errors [..., bins, n, ·] and the data."""
    model: Model = geometry.model
    states = [len(level.states) for level in model.levels]
    mean, error = w[..., 0, :], errors[..., 0, :]
    z = by_level(error[..., : geometry.ne], model.outputs)
    v = {1: y - z[1]} | by_level(mean[..., geometry.nx :], model.outputs[1:], first=2)
    x = by_level(mean[..., : geometry.nx], states)
    return x, v, z, by_level(error[..., geometry.ne :], states)


def covariance(geometry: Geometry, posterior: Tensor) -> Covariance:
    """Order-0 blocks of the posterior covariance of the coordinates [..., bins, nu, nu]."""
    nx, m = geometry.nx, geometry.m
    return Covariance(posterior[..., :nx, :nx], posterior[..., nx:m, nx:m])


def log_likelihood(
    geometry: Geometry, errors: Tensor, precision: Tensor, included: Tensor
) -> Float64[Tensor, "... rows"]:
    """Log-density of generalised errors [..., n, rows], by row, without the constant.

    precision: [..., rows]; included: 0 or 1 for every order of every row, [..., rows, n].
    """
    R = sum(mask[:, None, None] * R for mask, R in zip(geometry.masks, geometry.R, strict=True))
    masked = R * included[..., None, :] * included[..., :, None] + torch.diag_embed(1 - included)
    counted = errors.mT * included
    square = ((counted[..., None, :] @ R)[..., 0, :] * counted).sum(-1) * precision
    return 0.5 * (included.sum(-1) * precision.log() + torch.linalg.slogdet(masked).logabsdet - square)


def constant(geometry: Geometry) -> float:
    """The normalisation of the data's density that SPM counts, per bin."""
    return 0.5 * geometry.n * geometry.ny * math.log(2 * math.pi)
