"""What a scheme does not know of a model: states, parameters and precisions, and the functions where they stand."""

import math
from typing import Literal

import torch
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.linearise import log_determinant
from phantastic.inference.model import Model, Prior
from phantastic.inference.prediction_errors import Geometry
from phantastic.inference.result import constant, log_likelihood

Scheme = Literal["spm12", "corrected"]
PRECISE = math.exp(16)  # from here on SPM takes a quantity as known


def check_series(what: str, series: Tensor, channels: int, bins: int | None = None) -> Tensor:
    """A finite float64 tensor [..., bins, channels], or a refusal that names the bin and the channel."""
    series = torch.as_tensor(series, dtype=torch.float64)
    if series.ndim < 2 or series.shape[-1] != channels or bins not in (None, series.shape[-2]):
        wanted = f"[..., {bins or 'bins'}, {channels}]"
        raise Refused(
            f"{what} has shape {list(series.shape)}; it must be {wanted}: time first, then {channels} channels"
        )
    bad = ~series.isfinite()
    if bool(bad.any()):
        *subject, bin, channel = bad.nonzero()[0].tolist()
        who = f" of subject {subject[0] + 1}" if subject else ""
        raise Refused(
            f"{what} is {series[bad][0]} at bin {bin + 1}, channel {channel + 1}{who}; every sample must be finite"
        )
    return series


def prior_precision(variances: list[float], scheme: Scheme) -> Tensor:
    """Precisions of Gaussian priors; a variance of 0 is flat or fixed, see the head of this file."""
    flat = [0.0 if v == 0 and scheme == "spm12" else 1 / max(v, math.exp(-32)) for v in variances]
    return torch.diag(torch.tensor(flat, dtype=torch.float64))


class Unknowns:
    """A model at its data: every quantity may have subjects in front.

    Raises `Refused` for data that do not fit or are not finite.
    """

    def __init__(self, model: Model, y: Tensor, prior_u: Tensor | None, orders: tuple[int, int]):
        y = check_series("the data y", y, model.ny)
        if prior_u is not None:
            prior_u = check_series("prior_u", prior_u, model.nc, y.shape[-2])
        self.model, self.y = model, y
        self.g = Geometry(model, orders)
        self.data = self.g.data(y, prior_u)
        self.bins = y.shape[-2]
        self.program = model.dynamics(residual=True)
        self.priors = [v for level in model.levels for v in level.parameters.values() if isinstance(v, Prior)]
        self.learning = model.learning() if self.priors else None
        names = model.symbols("parameters")
        self.free = [names.index(symbol) for symbol in model.free]
        self.components = self.g.components()
        self.fixed = self.g.precisions()

    def bound(self, e: Tensor, learning: bool = False, bins: bool = False):
        """The functions where parameters deviate by ``e`` from their prior means, with or without a place for bins."""
        values = list(self.model.parameters)
        for i, at in enumerate(self.free):
            values[at] = values[at] + e[..., i]
        values = [float(v) if isinstance(v, Tensor) and not v.ndim else v for v in values]
        if bins:
            values = [v[..., None] if isinstance(v, Tensor) else v for v in values]
        program = self.learning if learning else self.program
        assert program is not None
        return program.bind(values)

    def precision(self, h: Tensor) -> Tensor:
        """Precision of every row [..., rows]."""
        precision = self.fixed.expand(*torch.broadcast_shapes(self.fixed.shape[:-1], h.shape[:-1]), -1).clone()
        for i, component in enumerate(self.components):
            precision[..., component.rows] += h[..., i, None].exp()
        return precision

    def unknown(self) -> Tensor:
        """0 in the rows and columns of u~ that count as known, 1 elsewhere; [..., 1, nu, nu].

        SPM12 takes a state's order as known where the precision of its error is exp(16) or more, temporal precision
        included; of causes it looks up the rows from ny n onward, order by order, and so does this (it matters to the
        entropy of models with such a precision, and to nothing else).
        """
        g = self.g
        noisy = (self.row_diagonal() < PRECISE * (1 - 1e-12)).double().mT  # [..., n, rows]
        first, last = g.ny * g.n, g.ny * g.n + g.nv * g.d
        causes = noisy[..., : g.ne].flatten(-2)[..., first:last].unflatten(-1, (g.d, g.nv))
        causes = torch.nn.functional.pad(causes, (0, 0, 0, g.n - g.d))
        unknown = torch.cat([noisy[..., g.ne :], causes], -1).flatten(-2)[..., g.used]
        return (unknown[..., None] * unknown[..., None, :])[..., None, :, :]

    def row_diagonal(self) -> Tensor:
        """The fixed precision of every order of every row, [..., rows, n]."""
        g = self.g
        temporal = sum(mask[:, None] * R.diagonal() for mask, R in zip(g.masks, g.R, strict=True))
        return temporal * self.fixed[..., None]

    def parts(
        self,
        stats: dict[str, Tensor],
        precision: Tensor,
        e: Tensor,
        C_p: Tensor,
        prior_p: Tensor,
        dh: Tensor,
        C_h: Tensor,
        prior_h: Tensor,
    ) -> dict[str, Tensor]:
        """The parts of free energy [...]; errors whose fixed precision is exp(16) or more do not count.

        stats: ``errors`` [..., bins, n, rows] and ``C_u`` [..., bins, nu, nu]. precision: [..., bins or 1, rows]. e,
        dh: deviations of parameters and log-precisions from their prior means, with covariances and prior precisions.
        """
        g = self.g
        included = (self.row_diagonal() < PRECISE * (1 - 1e-12)).double()
        rows = log_likelihood(g, stats["errors"], precision, included[..., None, :, :])
        accuracy = (rows[..., : g.ny].sum(-1) - constant(g)).sum(-1)
        entropy = log_determinant(stats["C_u"]).sum(-1) / 2
        prior = rows[..., g.ny :].sum((-1, -2))
        if self.priors:
            prior = prior - (e @ prior_p * e).sum(-1) / 2 + log_determinant(C_p @ prior_p) / 2
        if self.components:
            prior = prior - (dh @ prior_h * dh).sum(-1) / 2 + log_determinant(C_h @ prior_h) / 2
        return {"accuracy": accuracy, "complexity": -prior - entropy, "entropy": entropy}


def indicator(size: int, rows: slice) -> Tensor:
    indicator = torch.zeros(size, dtype=torch.float64)
    indicator[rows] = 1
    return indicator
