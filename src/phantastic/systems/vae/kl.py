"""The study `kl`: what forward and reverse KL make of two modes, and of a correlation. Nothing here is random."""

from collections.abc import Mapping, Sequence
from math import exp, log, pi, sqrt
from typing import Any, final

import altair as alt
import msgspec
import numpy as np
import torch
from torch import nn

from phantastic.declare.i18n import Text
from phantastic.run.experiment import Experiment, Scores
from phantastic.run.folder import Run
from phantastic.show.figure import BLACK, BLUE, ORANGE, VERMILION, Figure
from phantastic.systems.vae import divergence as kl
from phantastic.systems.vae.divergence import Direction, Fit
from phantastic.systems.vae.mean_field import fit_covariance, mean_field
from phantastic.systems.vae.study import DivergenceRecipe

# Optima to four decimals, for ½ N(±3, 1) and (the last) ½ N(±2, 1): mean, sd, divergence in nats.
FORWARD, REVERSE, CENTRE = Fit(0, sqrt(10), 0.4620), Fit(2.9843, 1.0234, 0.6888), Fit(0, 2.7438, 0.8406)
UNLOCKED = Fit(0, 2.0470, 0.2265)
CROSSING = 2.8
STARTS = (-1.5, -0.75, -0.2, 0.0, 0.2, 0.75, 1.5)  # means that descent starts from, in half distances; the sd is 1
DISTANCES = np.linspace(1, 4, 31)
Distances = list[tuple[float, list[Fit]]]  # the optima of reverse KL by half the distance of the modes
SHOWN = 150  # steps of a descent that are drawn; it has arrived by then
DIRECTIONS: tuple[Direction, Direction] = "forward", "reverse"
FORWARD_NAME, REVERSE_NAME = Text("forward, KL(p||q)", "順方向 KL(p||q)"), Text("reverse, KL(q||p)", "逆方向 KL(q||p)")


class TwoModes(msgspec.Struct):
    """What was found for ½ N(±m, 1)."""

    forward: list[Fit]
    reverse: list[Fit]
    forward_ends: list[Fit]
    reverse_ends: list[Fit]
    forward_path: list[list[float]]
    reverse_path: list[list[float]]
    curvature: float


def two_modes(recipe: DivergenceRecipe) -> TwoModes:
    """The optima in both directions, by quadrature and by descent from several starts, with the path of the means."""
    p, starts = kl.two_modes(recipe.half_distance), [(share * recipe.half_distance, 1.0) for share in STARTS]
    forward, reverse = kl.optima(p, kl.by_quadrature(p, "forward")), kl.optima(p, kl.by_quadrature(p, "reverse"))
    descents = [kl.descend(objective, starts, recipe.steps) for objective in (kl.forward_kl(p), kl.reverse_kl(p))]
    middle = min(reverse, key=lambda fit: abs(fit.mean))
    curvature = kl.curvature_in_mean(kl.reverse_kl(p), 0.0, middle.sd)
    forward_ends, reverse_ends = (list(descent.fits) for descent in descents)
    forward_path, reverse_path = (descent.path[: SHOWN + 1, :, 0].tolist() for descent in descents)
    return TwoModes(list(forward), list(reverse), forward_ends, reverse_ends, forward_path, reverse_path, curvature)


def followed() -> Distances:
    """The optima of reverse KL while the modes move apart."""
    distances = []
    for half_distance in DISTANCES.tolist():
        p = kl.two_modes(half_distance)
        distances.append((half_distance, list(kl.optima(p, kl.by_quadrature(p, "reverse")))))
    return distances


def off(fits: Sequence[Fit], truth: Fit) -> float:
    """The largest error of any of the three numbers; the sign of a mean does not count."""
    return max(abs(abs(value) - wanted) for fit in fits for value, wanted in zip(fit, truth, strict=True))


def correlated(recipe: DivergenceRecipe) -> torch.Tensor:
    return torch.tensor([[1, recipe.correlation], [recipe.correlation, 1]], dtype=torch.float64)


def covariances(recipe: DivergenceRecipe) -> dict[str, float]:
    """The variances a factorised Gaussian takes by descent, how far off the closed form, and what a full one leaves."""
    p, measures = correlated(recipe), {}
    for direction in DIRECTIONS:
        fitted, exact = fit_covariance(p, direction, "factorised"), mean_field(p, direction)
        measures[f"mean_field.{direction}.variance"] = float(fitted.covariance[0, 0])
        measures[f"mean_field.{direction}.kl"] = fitted.divergence
        measures[f"mean_field.{direction}.error"] = float((fitted.covariance - exact.covariance).abs().max())
        measures[f"full.{direction}.kl"] = fit_covariance(p, direction, "full").divergence
    return measures


# --- figures


def fits_and_descent(recipe: DivergenceRecipe, result: TwoModes) -> Figure:
    p, (forward, reverse) = kl.two_modes(recipe.half_distance), (str(FORWARD_NAME), str(REVERSE_NAME))
    reach = 2 * recipe.half_distance + 3
    x = torch.linspace(-reach, reach, 401, dtype=torch.float64)
    candidates = [(forward, fit, True) for fit in result.forward[:1]]
    best = result.reverse[0].divergence
    candidates += [(reverse, fit, fit.divergence < best + 1e-6) for fit in result.reverse]
    density = p.log_density(x).exp().tolist()
    target = [{"x": at, "density": value} for at, value in zip(x.tolist(), density, strict=True)]
    curves = [
        {
            "x": at,
            "density": exp(-0.5 * ((at - fit.mean) / fit.sd) ** 2) / (fit.sd * sqrt(2 * pi)),
            "q": name,
            "fit": f"{name} {number}",
            "optimum": kind(lowest),
        }
        for number, (name, fit, lowest) in enumerate(candidates)
        for at in x.tolist()
    ]
    colour = alt.Color("q:N", title=None, scale=alt.Scale(domain=[forward, reverse], range=[BLUE, VERMILION]))
    dashes = alt.Scale(domain=[kind(True), kind(False)], range=[[1, 0], [4, 3]])
    dash = alt.StrokeDash("optimum:N", title=None, scale=dashes)
    across = alt.X("x:Q", title="x")
    height = alt.Y("density:Q", title=str(Text("density", "確率密度")))
    fits = alt.layer(
        alt.Chart(alt.Data(values=target)).mark_area(color=BLACK, opacity=0.15).encode(x=across, y=height),
        alt.Chart(alt.Data(values=curves))
        .mark_line()
        .encode(x=across, y=height, color=colour, strokeDash=dash, detail="fit:N"),
    ).properties(width=340, height=230)
    paths = [
        {"step": step, "mean": value, "q": name, "start": start}
        for name, path in ((forward, result.forward_path), (reverse, result.reverse_path))
        for step, means in enumerate(path)
        for start, value in enumerate(means)
    ]
    descents = (
        alt.Chart(alt.Data(values=paths))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title=str(Text("step of gradient descent", "勾配降下のステップ"))),
            y=alt.Y("mean:Q", title=str(Text("mean of q", "q の平均"))),
            color=colour,
            detail=["start:N", "q:N"],
        )
        .properties(width=240, height=230)
    )
    m = f"{recipe.half_distance:g}"
    caption = Text(
        f"One Gaussian q for two modes p = ½N(−{m}, 1) + ½N({m}, 1), grey. Forward KL covers both modes; reverse KL "
        "settles on one of them, or in the middle, depending on where descent starts (right).",
        f"二つの峰をもつ p = ½N(−{m}, 1) + ½N({m}, 1)(灰色)を一つの正規分布 q で近似する。順方向 KL は両方の峰を覆い、"
        "逆方向 KL は出発点によってどちらか一方の峰か中央に落ち着く(右)。",
    )
    return Figure(str(caption), alt.hconcat(fits, descents))


def kind(lowest: bool) -> str:
    return str(Text("global optimum", "大域的な最適解")) if lowest else str(Text("local optimum", "局所的な最適解"))


def by_distance(distances: Sequence[tuple[float, Sequence[Fit]]], crossing: float) -> Figure:
    points = [
        {"m": m, "mean": fit.mean, "optimum": kind(fit.divergence < fits[0].divergence + 1e-6)}
        for m, fits in distances
        for fit in fits
    ]
    ends = [{"m": m, "mean": sign * m, "side": sign} for m in (DISTANCES[0], DISTANCES[-1]) for sign in (-1, 1)]
    across = str(Text("half the distance between the modes", "峰の間隔の半分"))
    x = alt.X("m:Q", title=across, scale=alt.Scale(domain=[float(end) for end in DISTANCES[[0, -1]]]))
    y = alt.Y("mean:Q", title=str(Text("mean of the reverse fit", "逆方向 KL の最適解の平均")))
    colours = alt.Scale(domain=[kind(True), kind(False)], range=[VERMILION, ORANGE])
    dots = (
        alt.Chart(alt.Data(values=points))
        .mark_point(filled=True, opacity=1, size=40)
        .encode(
            x=x,
            y=y,
            color=alt.Color("optimum:N", title=None, scale=colours),
            shape=alt.Shape(
                "optimum:N", title=None, scale=alt.Scale(domain=colours.domain, range=["circle", "diamond"])
            ),
        )
    )
    lines = alt.Chart(alt.Data(values=ends)).mark_line(color=BLACK, opacity=0.3, strokeWidth=1)
    rule = alt.Chart(alt.Data(values=[{"m": crossing}])).mark_rule(strokeDash=[4, 3]).encode(x="m:Q")
    caption = Text(
        "The optima of reverse KL while the modes move apart (grey: where the modes are). Up to a half distance of 2.4 "
        f"there is only the centre; from {crossing:.2f} (dashed) a single mode is the better fit, and the centre stays "
        "a local optimum.",
        f"峰の間隔と逆方向 KL の最適解(灰色の線は峰の位置)。間隔の半分が 2.4 までは中央だけが最適解であり、"
        f"{crossing:.2f}(破線)から一方の峰がより良い近似になる。中央はその後も局所的な最適解として残る。",
    )
    layers = alt.layer(lines.encode(x=x, y=y, detail="side:N"), rule, dots)
    return Figure(str(caption), layers.properties(width=420, height=260))


def ellipses(recipe: DivergenceRecipe) -> Figure:
    p = correlated(recipe)
    target = Text("target", "目標の分布")
    full = Text("full covariance, either direction", "共分散の制限なし(両方向とも)")
    fields: list[tuple[Text, Direction]] = [
        (Text(f"mean field, {name.en}", f"平均場近似、{name.ja}"), direction)
        for name, direction in zip((FORWARD_NAME, REVERSE_NAME), DIRECTIONS, strict=True)
    ]
    gaussians = [(target, p), *((name, mean_field(p, direction).covariance) for name, direction in fields)]
    gaussians.append((full, fit_covariance(p, "reverse", "full").covariance))
    angle = torch.linspace(0, 2 * pi, 121, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()])
    points: list[dict[str, Any]] = [
        {"x": x, "y": y, "order": order, "which": str(name)}
        for name, covariance in gaussians
        for order, (x, y) in enumerate((2 * torch.linalg.cholesky(covariance) @ circle).T.tolist())
    ]
    names = [str(name) for name, _ in gaussians]
    axis = alt.Scale(domain=[-2.4, 2.4])
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(clip=True)
        .encode(
            x=alt.X("x:Q", title="z1", scale=axis),
            y=alt.Y("y:Q", title="z2", scale=axis),
            order="order:Q",
            color=alt.Color(
                "which:N",
                title=None,
                scale=alt.Scale(domain=names, range=[BLACK, BLUE, VERMILION, ORANGE]),
                legend=alt.Legend(labelLimit=300),
            ),
            strokeDash=alt.StrokeDash(
                "which:N",
                title=None,
                legend=None,
                scale=alt.Scale(domain=names, range=[[1, 0], [1, 0], [1, 0], [5, 5]]),
            ),
            strokeWidth=alt.StrokeWidth("which:N", legend=None, scale=alt.Scale(domain=names, range=[4, 2, 2, 2])),
        )
    )
    lost = -0.5 * log(1 - recipe.correlation**2)
    caption = Text(
        f"A Gaussian with correlation {recipe.correlation:g} and what a factorised one makes of it (two standard "
        f"deviations). Reverse KL takes the conditional variances, {1 - recipe.correlation**2:.2g}, and is too narrow; "
        f"forward KL takes the marginal ones. Both lose {lost:.2f} nats; a full covariance loses none.",
        f"相関 {recipe.correlation:g} の正規分布を、変数ごとに独立な正規分布で近似する(標準偏差 2 個分の等高線)。"
        f"逆方向 KL は条件付き分散 {1 - recipe.correlation**2:.2g} をとって狭くなりすぎ、順方向 KL は周辺分散をとる。"
        f"どちらも {lost:.2f} nat を失い、共分散を制限しなければ何も失わない。",
    )
    return Figure(str(caption), chart.properties(width=300, height=300))


@final
class Divergence(Experiment[DivergenceRecipe]):
    """See `study.py`."""

    def one_seed(self, run: Run[DivergenceRecipe], recipe: DivergenceRecipe, seed: int) -> Scores:
        """Fit by descent and by quadrature, follow the optima while the modes move apart, and fit a correlation."""
        result = run.once("two-modes", lambda: two_modes(recipe), TwoModes)
        run.once("distances", followed, Distances)
        crossing = run.once("crossing", kl.crossing, float)
        near = kl.two_modes(2.0)
        measures = {
            "forward.mean": result.forward[0].mean,
            "forward.sd": result.forward[0].sd,
            "forward.kl": result.forward[0].divergence,
            "reverse.mean": abs(result.reverse[0].mean),
            "reverse.sd": result.reverse[0].sd,
            "reverse.kl": result.reverse[0].divergence,
            "centre.curvature": result.curvature,
            "unlocked.error": off(kl.optima(near, kl.by_quadrature(near, "reverse")), UNLOCKED),
            "crossing": crossing,
            "crossing.deviation": crossing / CROSSING - 1,
            **covariances(recipe),
        }
        if recipe.half_distance == 3:
            every = [*result.reverse, *result.reverse_ends]
            locked, centred = [fit for fit in every if abs(fit.mean) > 1], [fit for fit in every if abs(fit.mean) <= 1]
            measures |= {
                "forward.error": off([*result.forward, *result.forward_ends], FORWARD),
                "reverse.error": off(locked, REVERSE),
                "centre.error": off(centred, CENTRE),
            }
        return measures

    def networks(self, run: Run[DivergenceRecipe]) -> dict[str, nn.Module]:
        """None: there is no network here, so there is nothing to damage."""
        return {}

    def lesion_measures(self, run: Run[DivergenceRecipe], networks: Mapping[str, nn.Module]) -> dict[str, float]:
        """The divergence at either optimum, in nats; no lesion reaches it."""
        p = kl.two_modes(run.recipe.half_distance)
        lowest = kl.optima(p, kl.by_quadrature(p, "reverse"))[0]
        return {"forward.kl": kl.moment_match(p).divergence, "reverse.kl": lowest.divergence}

    def figures(self, run: Run[DivergenceRecipe]) -> dict[str, Figure]:
        """The two fits and how descent gets there, the optima by distance, mean field against full covariance."""
        recipe = run.recipe
        result, distances = run.result("two-modes", TwoModes), run.result("distances", Distances)
        return {
            "two-modes": fits_and_descent(recipe, result),
            "distance": by_distance(distances, run.result("crossing", float)),
            "mean-field": ellipses(recipe),
        }
