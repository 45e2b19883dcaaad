"""The picture of learning: parameters, precisions and free energy over E-steps, and estimates under every noise."""

from collections.abc import Mapping

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.measures.gaussian import NORMAL
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, VERMILION, Figure
from phantastic.show.traces import Rows, coloured, heading, line, points
from phantastic.systems.filtering import measure
from phantastic.systems.filtering.measure import FREE, Linear
from phantastic.systems.filtering.study import FilteringRecipe

_STEP = Text("E-step", "E ステップ")
_NAMES = {"A21": "A21", "C1_1": "C11"}


def learning(recipe: FilteringRecipe, system: Linear, measures: Mapping[str, Measure]) -> Figure:
    """Triple estimation under the first noise above, the two parameters under every noise below."""
    results = {
        "SPM12": measure.learned(recipe, system, measure.VARIANTS[0]),
        str(Text("corrected", "修正版")): measure.learned(recipe, system, measure.VARIANTS[0], "corrected"),
    }
    x = alt.X("x:Q", title=str(_STEP), axis=alt.Axis(tickCount=6, format="d"))
    dash = alt.StrokeDash(
        "scheme:N",
        title=None,
        scale=alt.Scale(domain=list(results), range=[[1, 0], [3, 3]]),
        legend=alt.Legend(orient="bottom", symbolType="stroke", symbolStrokeColor=BLACK),
    )

    def over_steps(curves: dict[str, list[float]], scheme: str) -> Rows:
        return [r | {"scheme": scheme} for name, y in curves.items() for r in points(range(1, len(y) + 1), y, name)]

    parameters, precisions, energies = [], [], []
    labels = [str(Text("sensory, ln Π(z)", "感覚 ln Π(z)")), str(Text("states, ln Π(w)", "状態 ln Π(w)"))]
    for scheme, result in results.items():
        assert result.parameter_history is not None
        assert result.log_precision_history is not None
        history = result.parameter_history
        parameters += over_steps({_NAMES[p]: history[:, i].tolist() for i, p in enumerate(FREE)}, scheme)
        h = result.log_precision_history
        precisions += over_steps({word: h[:, i].tolist() for i, word in enumerate(labels)}, scheme)
        energies += over_steps({"F": result.free_energy.tolist()}, scheme)
    y = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False))
    truth = [{"y": value, "which": _NAMES[p]} for p, value in FREE.items()]
    true_precision = [{"y": recipe.sensory_log_precision, "which": labels[0]}]
    colour = coloured(list(_NAMES.values()), (BLUE, VERMILION))

    def level(rows: list, shade: alt.Color) -> alt.Chart:
        return alt.Chart(alt.Data(values=rows)).mark_rule(strokeWidth=1, opacity=0.7).encode(y="y:Q", color=shade)

    first = alt.layer(level(truth, colour), line(parameters).encode(x=x, y=y, color=colour, strokeDash=dash))
    colour = coloured(labels, (GREEN, ORANGE))
    second = alt.layer(level(true_precision, colour), line(precisions).encode(x=x, y=y, color=colour, strokeDash=dash))
    third = line(energies, color=BLACK).encode(x=x, y=y, strokeDash=dash)
    titles = (
        Text("parameters; thin: true values", "パラメータ(細線:真値)"),
        Text("log-precisions; thin: true value", "対数精度(細線:真値)"),
        Text("free energy F (nats)", "自由エネルギー F(nat)"),
    )
    above = alt.hconcat(
        *(
            panel.properties(width=235, height=180, title=heading(str(title)))
            for panel, title in zip((first, second, third), titles, strict=True)
        ),
        spacing=24,
    ).resolve_scale(color="independent", strokeDash="independent")
    below = alt.hconcat(*(_forest(p, measures) for p in FREE), spacing=30)
    caption = Text(
        "Learning states, parameters and precisions from the same data. Above: E-steps under the first noise, by "
        "SPM12's scheme and by the corrected one, which holds the sensory log-precision where its prior variance of 0 "
        "says. "
        "Below: estimates under every noise with their 90% intervals. Learning the precisions brings the parameters "
        "near the truth; the intervals are much too narrow, because the scheme treats states and parameters as "
        "independent.",
        "同じデータから状態・パラメータ・精度を同時に学習する。上:最初のノイズでの E ステップ(SPM12 の方式と、"
        "事前分散 0 の感覚対数精度を固定する修正版)。下:各ノイズでの推定値と 90% 区間。精度も学習すると"
        "パラメータは真値に近づく。ただし、状態とパラメータを独立とみなす近似のため、区間は狭すぎる。",
    )
    return Figure(str(caption), alt.vconcat(above, below, spacing=26).resolve_scale(color="independent"))


def _forest(parameter: str, measures: Mapping[str, Measure]) -> alt.LayerChart | alt.FacetChart:
    """Estimates of one parameter under every noise: precisions learned, known input, precisions fixed."""
    variants = {
        "learned": Text("precisions learned", "精度も学習"),
        "known": Text("and the input known", "さらに入力が既知"),
        "fixed": Text("precisions fixed", "精度は固定"),
    }
    short = parameter.replace("_", "")
    rows: Rows = []
    for i, (variant, word) in enumerate(variants.items()):
        means, deviations = (measures[f"{variant}.{short}{end}"].each for end in ("", ".sd"))
        for seed, (mean, sd) in enumerate(zip(means, deviations, strict=True)):
            rows.append(
                {
                    "y": mean,
                    "low": mean - NORMAL * sd,
                    "high": mean + NORMAL * sd,
                    "which": str(word),
                    "x": seed + 1 + 0.22 * (i - 1),
                }
            )
    count = len(measures[f"learned.{short}"].each)
    colour = coloured([str(word) for word in variants.values()], (BLUE, GREEN, VERMILION))
    ticks = alt.Axis(values=list(range(1, count + 1)) if count <= 20 else list(range(5, count + 1, 5)), format="d")
    x = alt.X(
        "x:Q", title=str(Text("noise", "ノイズ")), axis=ticks, scale=alt.Scale(domain=[0.4, count + 0.6], nice=False)
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colour)
    true = (
        alt.Chart(alt.Data(values=[{"y": FREE[parameter]}])).mark_rule(color=BLACK, strokeDash=[5, 3]).encode(y="y:Q")
    )
    title = str(Text(f"{_NAMES[parameter]}; dashed: true value", f"{_NAMES[parameter]}(破線:真値)"))
    scale = alt.Scale(zero=False)
    layers = alt.layer(
        true,
        base.mark_rule(strokeWidth=2.2).encode(y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q"),
        base.mark_point(filled=True, size=24, opacity=1).encode(y=alt.Y("y:Q", title=None, scale=scale)),
    )
    return layers.properties(width=372, height=180, title=heading(title))
