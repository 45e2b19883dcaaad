"""Generalised filtering: states, parameters and log-precisions in one flow, none independent of another (Friston,
Stephan, Li & Daunizeau 2010, Math Probl Eng 2010:621670).

Time-invariant quantities b = (p, h) have motion, too, a priori slow: with precision kappa around no motion at all. So

    du~/dt = D u~ - dF/du,   db/dt = b',   db'/dt = -dF/db - kappa b',

a second-order flow of which b' is the trace: what the gradients of free energy have left behind. It minimises Action,
the sum of F over the data, whose Laplace approximation has the curvature over all unknowns at once,

    F = E' P E / 2 - ln|P| / 2 + ln|d2L/d(u, p)2| / 2,

so that no mean-field terms are left: an uncertain parameter matters only as far as states do not explain it away.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.inference.divergence import astray, deviations, refusal
from phantastic.inference.filter import by_parameter, initial, ridge
from phantastic.inference.linearise import inverse, polynomial, step
from phantastic.inference.model import Model
from phantastic.inference.result import Parts, Result, beliefs, covariance
from phantastic.inference.unknowns import Unknowns, indicator, prior_precision

SETTLED = 0.05  # conditional standard deviations that a pass must move something to be followed by another


@dataclass(frozen=True)
class Filtered:
    """What `generalised_filter` returns: beliefs, and what moved while it went through the data.

    belief: with parameters and log-precisions averaged over bins, each bin weighed with what it tells; its free energy
    and histories are of every pass. parameters [passes, bins, p] and log_precisions [passes, bins, h]: means at each
    bin; traces [passes, bins, p + h]: their motion b'; slopes [passes, bins, p + h]: dF/db of each bin. In the first
    pass only states move.
    """

    belief: Result
    parameters: Float64[Tensor, "passes bins p"]
    log_precisions: Float64[Tensor, "passes bins h"]
    traces: Float64[Tensor, "passes bins b"]
    slopes: Float64[Tensor, "passes bins b"]


@dataclass
class _Bin:
    """What one bin says where beliefs stand. ``_p``: by parameters; the columns of errors are order by order."""

    errors: Tensor  # [n, rows]
    C_u: Tensor  # [nu, nu], of the states where the parameters are known
    states_by_p: Tensor  # -du/dp [nu, p]: how states would follow a parameter
    told: Tensor  # [b, b]: precision that the bin adds to parameters and log-precisions, see `look`
    slope: Tensor  # dF/d(u, b)
    curvature: Tensor  # d2F/d(u, b)2 [nu + b, nu + b], without what mixes log-precisions with the rest
    forcing: Tensor  # -dF/d(u, b) by later data, [orders, nu + b]; log-precisions are pushed at bins only


def generalised_filter(
    model: Model,
    y: Tensor,
    *,
    prior_u: Tensor | None = None,
    orders: tuple[int, int] = (6, 2),
    passes: int = 16,
) -> Filtered:
    """Beliefs about what caused the data ``y`` [bins, channels], by at most ``passes`` through them.

    Arguments as for `invert`, of one subject. A log-precision of prior variance 0 is known. kappa is the number of
    bins, in units of the conditional precision: b comes as near as 1/e to where it goes in one pass. A pass in which
    beliefs diverge is taken back, and kappa doubled. Free energy has, as everywhere, the sign of log evidence. Raises
    `Refused` for data that do not fit, more than one subject, a model without hidden states or whose precisions depend
    on them, and where beliefs diverge at the prior means.
    """
    return _Filtering(model, y, prior_u, orders).run(passes)


class _Filtering(Unknowns):
    def __init__(self, model: Model, y: Tensor, prior_u: Tensor | None, orders: tuple[int, int]):
        if not model.nx or model.state_dependent:
            wrong = "precisions that depend on states" if model.state_dependent else "no hidden states"
            raise Refused(
                f"the model has {wrong}; generalised filtering moves hidden states of known or learned precision: "
                f"use `{'attenuate' if model.state_dependent else 'invert'}`"
            )
        super().__init__(model, y, prior_u, orders)
        if self.data.ndim > 3 or self.fixed.ndim > 1:
            raise Refused(
                f"the data y have shape {list(self.y.shape)}, the precisions {list(self.fixed.shape)}; generalised "
                "filtering takes one subject, [bins, channels] and [channels]: call it once for each"
            )
        self.np, self.nh = len(self.priors), len(self.components)
        self.prior_p = torch.diag(torch.tensor([1 / p.variance for p in self.priors], dtype=torch.float64))
        self.prior_h = prior_precision([c.prior.variance for c in self.components], "corrected")
        self.prior = torch.block_diag(self.prior_p, self.prior_h)
        self.h0 = torch.tensor([c.prior.mean for c in self.components], dtype=torch.float64)
        self.masks = [indicator(self.g.rows, c.rows) for c in self.components]
        shifted = [self.data]
        for _ in range(self.g.n - 1):
            shifted.append(torch.nn.functional.pad(shifted[-1][:, 1:], (0, 0, 0, 1)))
        self.later = torch.stack(shifted[1:], 1) if len(shifted) > 1 else self.data[:, None][:, :0]

    def run(self, passes: int) -> Filtered:
        b = torch.cat([self.h0.new_zeros(self.np), self.h0])
        rest, kappa = torch.zeros_like(b), float(self.bins)
        best = self.walk(b, rest, None, kappa)  # nothing moves but states: what the data say where the priors stand
        if bool((wrong := astray(best["deviation"], best["start"])).any()):
            raise refusal(self.model, best["deviation"], wrong)
        history = [best]
        for _ in range(passes if len(b) else 0):
            new = self.walk(best["b_end"], best["trace_end"], best["C_b"], kappa)
            if bool(astray(new["deviation"], new["start"]).any()):
                best, kappa = {**best, "trace_end": rest}, 2 * kappa  # parameters moved faster than states can follow
                continue
            moved = (new["b_end"] - best["b_end"]).abs() / new["C_b"].diagonal().sqrt()
            best = new
            history.append(new)
            if bool((moved < SETTLED).all()):
                break
        return self.result(best, history)

    def walk(self, b: Tensor, trace: Tensor, C_b: Tensor | None, kappa: float) -> dict[str, Any]:
        """One pass through the data. C_b: conditional covariance of b, of the pass before; without it b stays."""
        g, recurrence = self.g, polynomial(self.g.n)
        start = initial(g, self.bound(b[: self.np]))
        u, nu, size = g.flat(start), g.nu, len(b)
        zero, eye = b.new_zeros(size, size), torch.eye(size, dtype=torch.float64)
        C_p = C_b[: self.np, : self.np] if C_b is not None else torch.zeros_like(self.prior_p)
        kept: dict[str, list[Tensor]] = {
            name: [] for name in ("u", "b", "trace", "errors", "C_u", "r", "told", "slope")
        }
        for bin in range(self.bins):
            at = self.look(bin, u, b, C_p)
            now = (u, b, trace, at.errors, at.C_u, at.states_by_p, at.told, at.slope[nu:])
            for values, value in zip(kept.values(), now, strict=True):
                values.append(value)
            # Of q = (u, b, b') the last moves in units of the conditional covariance: one in all bins together.
            metric = self.bins * C_b if C_b is not None else zero
            still = trace.new_zeros(g.n - 1, size)
            J = torch.block_diag(g.D, torch.cat([torch.cat([zero, eye], -1), torch.cat([zero, -kappa * eye], -1)]))
            J[:nu, : nu + size] -= at.curvature[:nu]
            J[nu + size :, : nu + size] -= metric @ at.curvature[nu:]
            flow = torch.cat([g.D @ u - at.slope[:nu], trace, -metric @ at.slope[nu:] - kappa * trace])
            pushed = torch.cat([at.forcing[:, :nu], still, at.forcing[:, nu:] @ metric.mT], -1)
            change = step(J, torch.cat([flow[None], pushed]), recurrence)
            u, b, trace = (old + new for old, new in zip((u, b, trace), change.split([nu, size, size]), strict=True))
            if not bool(change.isfinite().all()):
                lost = torch.full((self.bins, g.rows), torch.nan, dtype=torch.float64)
                lost[: bin + 1] = deviations(torch.stack(kept["errors"]), self.precision(kept["b"][0][self.np :]))
                lost[-1] = torch.nan
                return {"F": torch.tensor(-math.inf, dtype=torch.float64), "deviation": lost, "start": lost[0]}
        return self.weigh_up({name: torch.stack(values) for name, values in kept.items()}, start, b, trace)

    def look(self, bin: int, u: Tensor, b: Tensor, C_p: Tensor) -> _Bin:
        """Slope and curvature of F by all unknowns at one bin."""
        g, p, h = self.g, b[: self.np], b[self.np :]
        w, precision = g.full(u), self.precision(h)
        arrays = self.bound(p)(w[0])
        errors = g.errors(self.data[bin], w, arrays["value"], arrays["slope"])
        P, E = g.dense_precision(precision), errors.flatten()
        by_u = -g.dense(arrays["slope"])  # dE/du
        by_p, by_up = self.slopes(w, p)
        by_h = [g.dense_precision(h[i].exp() * mask) for i, mask in enumerate(self.masks)]  # dP/dh
        A = by_u.mT @ P @ by_u + ridge(g)
        C_u = inverse(A)
        r = C_u @ by_u.mT @ P @ by_p
        unexplained = by_p - by_u @ r  # of a parameter's errors, what states cannot explain away
        spread = by_u @ C_u @ by_u.mT + unexplained @ C_p @ unexplained.mT
        by_both = by_u @ C_u - unexplained @ C_p @ r.mT
        small = ridge(g)[0, 0] * u
        # dF/d(u, p, h): the gradient of E' P E / 2 and of half the log-determinant of the joint curvature.
        slope_u = by_u.mT @ P @ E + small + torch.einsum("kea,ek->a", by_up, P @ unexplained @ C_p)
        slope_p = by_p.mT @ P @ E + torch.einsum("kea,ea->k", by_up, P @ by_both) + self.prior_p @ p / self.bins
        # Expected curvature, with what states (and parameters) explain away taken off, as in restricted likelihood.
        left = [Q @ (inverse(P) - spread) for Q in by_h]
        told_h = (
            torch.stack([(L * M.mT).sum() / 2 for L in left for M in left]).reshape(self.nh, self.nh)
            if left
            else self.prior_h
        )
        told = torch.block_diag(by_p.mT @ P @ unexplained, told_h)
        scatter = torch.outer(E, E) + spread
        share = [h[i].exp() * mask / precision for i, mask in enumerate(self.masks)]
        slope_h = torch.stack([(Q * scatter).sum() / 2 for Q in by_h]) if self.nh else h
        if self.nh:
            slope_h = slope_h - g.n * torch.stack(share).sum(-1) / 2
        curved_h = torch.diag(slope_h + g.n * torch.stack(share).sum(-1) / 2) if self.nh else self.prior_h
        slope_h = slope_h + self.prior_h @ (h - self.h0) / self.bins
        pull = torch.einsum("kea,ef,lfb,kl->ab", by_up, P - P @ by_u @ C_u @ by_u.mT @ P, by_up, C_p)
        both = torch.cat([by_u, by_p], -1)
        curvature = both.mT @ P @ both + torch.block_diag(ridge(g) + pull, self.prior_p / self.bins)
        curvature = torch.block_diag(curvature, curved_h + self.prior_h / self.bins)
        forcing = torch.nn.functional.pad(-self.later[bin].flatten(-2) @ (P @ both), (0, self.nh))
        slope = torch.cat([slope_u, slope_p, slope_h])
        return _Bin(errors, C_u, r, told, slope, curvature, forcing)

    def slopes(self, w: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """dE/dp [n rows, p] and d2E/dp du [p, n rows, nu]."""
        g = self.g
        if not self.np:
            return w.new_zeros(g.n * g.rows, 0), w.new_zeros(0, g.n * g.rows, g.nu)
        by = self.bound(p, learning=True)(w[0])
        first = -by_parameter(w, by["by_parameter"], by["slope_by_parameter"]).flatten(-2).mT
        mixed = torch.einsum("ij,rak->kirja", torch.eye(g.n, dtype=torch.float64), by["slope_by_parameter"])
        return first, -mixed.flatten(-4, -3).flatten(-2)[..., g.used]

    def weigh_up(self, kept: dict[str, Tensor], start: Tensor, b: Tensor, trace: Tensor) -> dict[str, Any]:
        """Free energy of a pass, averages of what is time-invariant, and their conditional covariances."""
        size = self.np
        told = kept["told"] + self.prior / self.bins
        C_b = inverse(told.sum(0)) if len(b) else self.prior
        mean = C_b @ (told @ kept["b"][..., None]).sum(0)[:, 0]
        p, h, C_p, C_h = mean[:size], mean[size:], C_b[:size, :size], C_b[size:, size:]
        precision = self.precision(kept["b"][:, size:])
        stats = {"errors": kept["errors"], "C_u": kept["C_u"] * self.unknown()}
        parts = self.parts(stats, precision, p, C_p, self.prior_p, h - self.h0, C_h, self.prior_h)
        first = self.data[:1] - self.bound(p)(start[0])["value"]
        return {
            **kept,
            **parts,
            "F": parts["accuracy"] - parts["complexity"],
            "p": p,
            "h": h,
            "C_p": C_p,
            "C_h": C_h,
            "C_b": C_b,
            "b_end": b,
            "trace_end": trace,
            "precision": precision,
            "deviation": deviations(kept["errors"], precision),
            "start": deviations(first, precision[0]).amax(-2),
        }

    def result(self, best: dict[str, Any], history: list[dict[str, Any]]) -> Filtered:
        means = torch.tensor([prior.mean for prior in self.priors], dtype=torch.float64)
        parameters = [torch.as_tensor(v, dtype=torch.float64) for v in self.model.parameters]
        for i, at in enumerate(self.free):
            parameters[at] = means[i] + best["p"][i]
        joint = best["C_u"] + best["r"] @ best["C_p"] @ best["r"].mT  # states and parameters are uncertain together
        belief = Result(
            *beliefs(self.g, self.g.full(best["u"]), best["errors"], self.y),
            a={},
            covariance=covariance(self.g, joint),
            free_energy=torch.stack([each["F"] for each in history]),
            parts=Parts(best["accuracy"], best["complexity"], best["entropy"]),
            precision=best["precision"],
            parameters=torch.stack(parameters) if parameters else torch.zeros(0),
            log_precisions=best["h"],
            parameter_covariance=best["C_p"],
            log_precision_covariance=best["C_h"],
            parameter_history=torch.stack([each["p"] for each in history]) + means,
            log_precision_history=torch.stack([each["h"] for each in history]),
        )
        path, traces, slopes = (torch.stack([each[name] for each in history]) for name in ("b", "trace", "slope"))
        return Filtered(belief, means + path[..., : self.np], path[..., self.np :], traces, slopes)
