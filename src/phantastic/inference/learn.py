"""Dynamic expectation maximisation: states (D), parameters (E) and precisions (M) of one set of data (Friston 2008).

Two readings of the M-step are offered. ``scheme="spm12"`` is SPM12's (r7771): a log-precision whose prior variance is
0 is taken as flat, and the curvature leaves the gradient out. ``scheme="corrected"`` is that of SPM's later versions:
such a log-precision is fixed, and the curvature is exact.
"""

import math

import torch
from torch import Tensor

from phantastic.inference.divergence import astray, deviations, refusal
from phantastic.inference.filter import MeanField, by_parameter, follow, initial, ridge
from phantastic.inference.linearise import ascend, inverse
from phantastic.inference.model import Model
from phantastic.inference.result import Parts, Result, beliefs, covariance
from phantastic.inference.unknowns import Scheme, Unknowns, indicator, prior_precision


def invert(
    model: Model,
    y: Tensor,
    *,
    prior_u: Tensor | None = None,
    orders: tuple[int, int] = (6, 2),
    iterations: int = 8,
    scheme: Scheme = "spm12",
    rate: float = 1.0,
) -> Result:
    """Beliefs about what caused the data ``y`` [..., bins, channels].

    prior_u: prior mean of the last level's causes [..., bins, causes] (0). orders: embedding orders of states and of
    causes. iterations: at most so many E- and M-steps, where parameters or precisions are learned. rate: how fast
    beliefs about states ascend, in units of their own curvature. Leading axes of y, prior_u, initial states,
    parameters and precisions are subjects; each learns for as long as it would alone, and its last free energy is
    repeated until all are done. A step of learning under which beliefs diverge has a free energy of minus infinity and
    is taken back. Raises `Refused` for data that do not fit or are not finite, and where beliefs diverge from the
    start, naming the bin, the subject and the level.
    """
    return _Inversion(model, y, prior_u, orders, scheme, rate).run(iterations)


class _Inversion(Unknowns):
    """What one call of `invert` holds between its steps; every quantity may have subjects in front."""

    def __init__(
        self,
        model: Model,
        y: Tensor,
        prior_u: Tensor | None,
        orders: tuple[int, int],
        scheme: Scheme,
        rate: float,
    ):
        super().__init__(model, y, prior_u, orders)
        self.scheme: Scheme = scheme
        self.rate = rate

    def run(self, iterations: int) -> Result:
        size = len(self.priors)
        prior_p = torch.diag(torch.tensor([1 / prior.variance for prior in self.priors], dtype=torch.float64))
        prior_h = prior_precision([c.prior.variance for c in self.components], self.scheme)
        h0 = torch.tensor([c.prior.mean for c in self.components], dtype=torch.float64)
        functions = self.bound(prior_p.new_zeros(size))
        shapes = [self.data.shape[:-3], self.fixed.shape[:-1], functions.batch, initial(self.g, functions).shape[:-2]]
        batch = torch.broadcast_shapes(*shapes)
        e, h, C_p = prior_p.new_zeros(*batch, size), h0.expand(*batch, -1), prior_p.new_zeros(*batch, size, size)
        learns = bool(size or self.components)
        log_time_p = torch.tensor(4.0 if functions.affine else 0.0, dtype=torch.float64)
        log_time_h, steps = torch.tensor(4.0, dtype=torch.float64), torch.tensor(8)
        best: dict[str, Tensor] = {}
        history: dict[str, list[Tensor]] = {"F": [], "e": [], "h": []}
        done = torch.tensor(False)
        for _ in range(iterations if learns else 1):
            stats = self.expect(e, h, C_p)
            deviation = stats.pop("deviation")
            wrong = astray(deviation, stats.pop("deviation_at_start"))
            if bool((diverged := wrong.flatten(-2).any(-1)).any()):
                if not best:
                    raise refusal(self.model, deviation, wrong)
                stats = {key: _choose(diverged, best[key], value) for key, value in stats.items()}
            C_h, sum_dh = prior_h.new_zeros(*batch, *prior_h.shape), torch.zeros(())
            h_used = h
            if self.components:
                h, h_used, C_h, sum_dh = self.maximise(stats, h, h0, prior_h, log_time_h, steps)
            C_p_new = inverse(stats["ic"] + prior_p) if size else C_p
            parts = self.parts(
                stats, self.precision(h_used)[..., None, :], e, C_p_new, prior_p, h_used - h0, C_h, prior_h
            )
            F = parts["accuracy"] - parts["complexity"]
            F = torch.where(diverged, -math.inf, F)
            F = torch.where(done, history["F"][-1], F) if history["F"] else F
            new = {
                "F": F,
                "e": e,
                "C_p": C_p_new,
                "h": h,
                "C_h": C_h,
                **parts,
                **stats,
                "precision": self.precision(h_used),
            }
            improved = (best["F"] < F) & ~done if best else torch.ones_like(F, dtype=torch.bool)
            best = {**best, **{k: _choose(improved, value, best[k]) for k, value in new.items()}} if best else new
            log_time_p = torch.where(improved, (log_time_p + 0.5).clamp(max=4), (log_time_p - 2).clamp(max=-2))
            log_time_h = torch.where(improved, (log_time_h + 0.5).clamp(max=4), (log_time_h - 2).clamp(max=-2))
            steps = torch.where(improved, steps, 1)
            h, C_p, dp = best["h"], best["C_p"], torch.zeros_like(best["e"])
            if size:
                gradient = best["dFdp"] - (prior_p @ best["e"][..., None])[..., 0]
                dp = ascend(gradient, best["dFdpp"] - prior_p, log_time_p)
                best["moved"] = _choose(improved, best["e"] + dp, best["moved"]) if "moved" in best else best["e"] + dp
            e = best.get("moved", best["e"])
            for key, value in (("F", F), ("e", e), ("h", h)):
                history[key].append(value)
            small = dp.abs().sum(-1) <= math.exp(-4) * e.abs().sum(-1)
            done = done | (small & (sum_dh.abs() <= math.exp(-4))) & improved | (log_time_p < -8)
            if bool(done.all()):
                break
        return self.result(best, history)

    def expect(self, e: Tensor, h: Tensor, C_p: Tensor) -> dict[str, Tensor]:
        """The D-step, and the statistics of all bins that the other steps need."""
        g, functions, precision = self.g, self.bound(e), self.precision(h)
        field = MeanField(self.bound(e, learning=True), C_p) if self.priors else None
        start = initial(g, functions)
        w = follow(g, functions, self.data, start, precision, field, self.rate)
        arrays = self.bound(e, bins=True)(w[..., 0, :])
        slope = arrays["slope"]
        errors = g.errors(self.data, w, arrays["value"], slope)
        curvature = g.curvature(slope, precision[..., None, :])
        C_u = inverse(curvature + ridge(g)) * self.unknown()
        batch = torch.broadcast_shapes(errors.shape[:-2], C_u.shape[:-2])
        stats = {"w": w, "errors": errors, "C_u": C_u.expand(*batch, -1, -1)}
        start_errors = self.data[..., :1, :] - functions(start[..., 0, :])["value"][..., None, None, :]
        stats["deviation"] = deviations(errors, precision[..., None, :])
        stats["deviation_at_start"] = deviations(start_errors, precision[..., None, :]).amax(-2)
        if not (self.priors or self.components):
            return stats
        S, flat = g.dense_precision(precision)[..., None, :, :], errors.flatten(-2)
        E_u = -g.dense(slope)
        spread = E_u @ C_u @ E_u.mT
        if self.priors:
            by = self.bound(e, learning=True, bins=True)(w[..., 0, :])
            E_p = -by_parameter(w, by["by_parameter"], by["slope_by_parameter"]).flatten(-2).mT
            mixed = by["slope_by_parameter"]
            eye = torch.eye(g.n, dtype=torch.float64)
            E_up = -torch.einsum("ij,...rak->...kirja", eye, mixed).flatten(-4, -3).flatten(-2)[..., g.used]
            weighed = S[..., None, :, :] @ E_up
            first = torch.einsum("...ab,...krb,...ra->...k", C_u, weighed, E_u)
            second = torch.einsum("...ab,...krb,...lra->...kl", C_u, weighed, E_up)
            stats["dFdp"] = (-first / 2 - ((E_p.mT @ S) @ flat[..., None])[..., 0]).sum(-2)
            stats["ic"] = (E_p.mT @ S @ E_p).sum(-3)
            stats["dFdpp"] = -second.sum(-3) / 2 - stats["ic"]
            spread = spread + E_p @ C_p[..., None, :, :] @ E_p.mT
        stats["scatter"] = (spread + flat[..., :, None] * flat[..., None, :]).sum(-3)
        return stats

    def maximise(
        self, stats: dict[str, Tensor], h: Tensor, h0: Tensor, prior: Tensor, log_time: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The M-step: log-precisions after it, before its last step, their covariance, and their whole change."""
        g, start, active = self.g, h, torch.ones(stats["errors"].shape[:-3], dtype=torch.bool)
        unit = [g.dense_precision(indicator(g.rows, c.rows)) for c in self.components]
        h_used, C_h = h, torch.zeros_like(prior)
        for i in range(int(steps.max())):
            S = inverse(g.dense_precision(self.precision(h)))
            excess = stats["scatter"] - self.bins * S
            P = torch.stack([h[..., k, None, None].exp() * Q for k, Q in enumerate(unit)], -3)
            gradient = -0.5 * torch.einsum("...kab,...ba->...k", P, excess)
            PS = P @ S[..., None, :, :]
            curvature = -0.5 * self.bins * torch.einsum("...kab,...lba->...kl", PS, PS)
            if self.scheme == "corrected":
                curvature = curvature + torch.diag_embed(gradient)
            gradient = gradient - ((h - h0) @ prior)
            curvature = curvature - prior
            change = ascend(gradient, curvature, log_time).clamp(-2, 2)
            h_used = _choose(active, h, h_used)
            C_h = _choose(active, -inverse(curvature), C_h)
            h = _choose(active, h + change, h)
            stop = ((gradient * change).sum(-1) < math.exp(-4)) | (change.abs().sum(-1) < math.exp(-4))
            active = active & ~stop & (i + 1 < steps)
            if not bool(active.any()):
                break
        return h, h_used, C_h, (h - start).sum(-1)

    def result(self, best: dict[str, Tensor], history: dict[str, list[Tensor]]) -> Result:
        means = [torch.as_tensor(value, dtype=torch.float64) for value in self.model.parameters]
        past = torch.stack(torch.broadcast_tensors(*history["e"]), -2)
        parameters, free = [], {at: i for i, at in enumerate(self.free)}
        for at, mean in enumerate(means):
            parameters.append(mean + history["e"][-1][..., free[at]] if at in free else mean)
        stacked = torch.stack(torch.broadcast_tensors(*parameters), -1) if parameters else torch.zeros(0)
        prior = torch.tensor([p.mean for p in self.priors], dtype=torch.float64)
        precision = best["precision"][..., None, :].expand(*best["errors"].shape[:-2], -1)
        return Result(
            *beliefs(self.g, best["w"], best["errors"], self.y),
            a={},
            covariance=covariance(self.g, best["C_u"]),
            free_energy=torch.stack(history["F"], -1),
            parts=Parts(best["accuracy"], best["complexity"], best["entropy"]),
            precision=precision,
            parameters=stacked,
            log_precisions=best["h"],
            parameter_covariance=best["C_p"],
            log_precision_covariance=best["C_h"],
            parameter_history=past + prior,
            log_precision_history=torch.stack(torch.broadcast_tensors(*history["h"]), -2),
        )


def _choose(where: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    extra = max(yes.ndim, no.ndim) - where.ndim
    return torch.where(where[(..., *[None] * extra)], yes, no)
