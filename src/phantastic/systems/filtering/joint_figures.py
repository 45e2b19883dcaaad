"""The picture of generalised filtering: parameters and their traces through time, beside the steps of DEM."""

from collections.abc import Sequence

import altair as alt
import torch

from phantastic.declare.i18n import Text
from phantastic.measures.gaussian import NORMAL
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure
from phantastic.show.traces import Rows, coloured, heading, line, points
from phantastic.systems.filtering import joint
from phantastic.systems.filtering.joint import Both
from phantastic.systems.filtering.study import FilteringRecipe

_NAMES = {"A11": "A11", "A21": "A21", "C1_1": "C11", "C1_2": "C12"}
_GF, _DEM = Text("generalised filtering", "一般化フィルタリング"), Text("DEM", "DEM")
_SHADES = (BLUE, VERMILION, GREEN, ORANGE)


def traces(recipe: FilteringRecipe) -> Figure:
    """Means and traces of the linear system's parameters by the first noise, the estimates, the double well's gain."""
    linear, wells = joint.linear(recipe, recipe.seed), joint.wells(recipe, recipe.seed)
    names = list(_NAMES.values())
    panels = {
        Text(
            "parameters; dashed: E-steps of DEM; thin: true", "パラメータ(破線:DEM の E ステップ、細線:真値)"
        ): _course(linear, names, _SHADES),
        Text("their traces φ′ (per bin)", "その痕跡 φ′(ビンあたり)"): _traces(linear, names),
        Text("error of the estimates, 90% intervals", "推定の誤差と 90% 区間"): _estimates(linear),
        Text("double well: gain, in units of the true one", "二重井戸の利得(真値を 1 とする)"): _course(
            wells, [str(Text("gain", "利得"))], (BLUE,)
        ),
    }
    drawn = [panel.properties(width=335, height=190, title=heading(str(title))) for title, panel in panels.items()]
    caption = Text(
        "Learning without a mean field. Above: in generalised filtering parameters move along with the states, bin by "
        "bin; their motion, the trace, gathers the gradients of free energy, until what they say cancels over the data "
        "and each pass repeats the last one. DEM makes one step after each pass. Below: DEM treats states and "
        "parameters as independent, so that its intervals are far too narrow; those of generalised filtering know "
        "that states can explain a parameter away.",
        "平均場近似のない学習。上:一般化フィルタリングではパラメータが状態とともにビンごとに動く。その運動(痕跡)は"
        "自由エネルギーの勾配を蓄え、やがて勾配がデータ全体で打ち消し合い、毎回同じ動きを繰り返すようになる。"
        "DEM は一巡ごとに一歩進む。下:DEM は状態とパラメータを独立とみなすため、区間が狭すぎる。"
        "一般化フィルタリングの区間は、パラメータの効果を状態でも説明できることを織り込んでいる。",
    )
    rows = [alt.hconcat(*drawn[i : i + 2], spacing=28).resolve_scale(color="independent") for i in (0, 2)]
    return Figure(str(caption), alt.vconcat(*rows, spacing=24).resolve_scale(color="independent"))


def _passes(count: int, bins: int) -> list[float]:
    return (torch.arange(count * bins, dtype=torch.float64) / bins).tolist()


def _course(both: Both, names: Sequence[str], shades: Sequence[str]) -> alt.LayerChart | alt.FacetChart:
    """Means at every bin of every pass, and those of DEM after every E-step."""
    path = both.filtered.parameters
    x = alt.X("x:Q", title=str(Text("passes through the data", "データを通した回数")))
    times = _passes(*path.shape[:2])
    moved = [r for i, name in enumerate(names) for r in points(times, path[..., i].flatten().tolist(), name)]
    history = both.dem.parameter_history
    assert history is not None
    steps = history[: len(path) + 1]
    stepped = [r for i, name in enumerate(names) for r in points(range(len(steps)), steps[:, i].tolist(), name)]
    y, colour = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False)), coloured(names, shades)
    truth = [{"y": value, "which": name} for name, value in zip(names, both.real.values(), strict=True)]
    level = alt.Chart(alt.Data(values=truth)).mark_rule(strokeWidth=1, opacity=0.6).encode(y=y, color=colour)
    return alt.layer(
        level,
        line(moved).encode(x=x, y=y, color=colour),
        line(stepped, strokeDash=[5, 3], strokeWidth=1.4).encode(x=x, y=y, color=colour),
    )


def _traces(both: Both, names: Sequence[str]) -> alt.Chart:
    path = both.filtered.traces
    x = alt.X("x:Q", title=str(Text("passes through the data", "データを通した回数")))
    times = _passes(*path.shape[:2])
    rows = [r for i, name in enumerate(names) for r in points(times, path[..., i].flatten().tolist(), name)]
    return line(rows, strokeWidth=1.2).encode(x=x, y=alt.Y("y:Q", title=None), color=coloured(names, _SHADES))


def _estimates(both: Both) -> alt.LayerChart | alt.FacetChart:
    rows: Rows = []
    for word, belief, shift in ((_GF, both.filtered.belief, -0.12), (_DEM, both.dem, 0.12)):
        means, deviations = both.parameters(belief)
        for i, (mean, sd, real) in enumerate(zip(means.tolist(), deviations.tolist(), both.real.values(), strict=True)):
            error, half = mean - real, NORMAL * sd
            rows.append({"x": i + shift, "y": error, "low": error - half, "high": error + half, "which": str(word)})
    names = list(_NAMES.values())
    spell = " : ".join(f"datum.value == {i} ? '{name}'" for i, name in enumerate(names)) + " : ''"
    axis = alt.Axis(values=list(range(len(names))), labelExpr=spell, grid=False)
    x = alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(domain=[-0.5, len(names) - 0.5], nice=False))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, color=coloured([str(_GF), str(_DEM)], (BLUE, VERMILION)))
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=BLACK, strokeDash=[5, 3]).encode(y="y:Q")
    y = alt.Y("y:Q", title=None)
    return alt.layer(
        zero,
        base.mark_rule(strokeWidth=2.2).encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
        base.mark_point(filled=True, size=36, opacity=1).encode(y=y),
    )
