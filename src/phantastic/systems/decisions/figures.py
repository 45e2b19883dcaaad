"""The pictures of decisions: a matrix with its measures, ROC curves, calibration, prevalence, costs."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import altair as alt
import numpy as np
from numpy import ndarray
from scipy.special import expit, ndtri
from sklearn.metrics import precision_recall_curve, roc_curve

from phantastic.declare.i18n import Text
from phantastic.ground.randomness import numpy_generator
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.decisions import calibration, confusion, detection, measure, prevalence
from phantastic.systems.decisions.confusion import Counts, Share, Value
from phantastic.systems.decisions.drawing import coloured, curve, diagonal, dots, rows, side_by_side, title, x, y
from phantastic.systems.decisions.shapes import Pictures
from phantastic.systems.decisions.study import DecisionsRecipe

NAMES = {
    "accuracy": Text("accuracy", "正解率"),
    "precision": Text("precision (PPV)", "適合率(PPV)"),
    "recall": Text("recall, sensitivity", "再現率(感度)"),
    "specificity": Text("specificity", "特異度"),
    "npv": Text("negative predictive value", "陰性的中率"),
    "false_alarms": Text("false-alarm rate", "誤警報率"),
    "prevalence": Text("prevalence", "有病率"),
    "f": Text("F", "F 値"),
    "micro_f": Text("micro precision, recall, F", "マイクロ適合率・再現率・F 値"),
    "macro_precision": Text("macro precision", "マクロ適合率"),
    "macro_recall": Text("macro recall", "マクロ再現率"),
    "macro_f": Text("macro F", "マクロ F 値"),
    "balanced_accuracy": Text("balanced accuracy", "均衡正解率"),
    "youden": Text("Youden's J", "ヨーデンの J"),
    "mcc": Text("Matthews correlation (MCC)", "マシューズ相関係数(MCC)"),
    "kappa": Text("Cohen's κ", "コーエンの κ"),
    "lr_plus": Text("positive likelihood ratio", "陽性尤度比"),
    "lr_minus": Text("negative likelihood ratio", "陰性尤度比"),
    "odds_ratio": Text("diagnostic odds ratio", "診断オッズ比"),
}
BELOW_ZERO = ("youden", "mcc", "kappa")
NETWORK, SCALED, BAYES = (
    Text("network", "ネットワーク"),
    Text("network, its temperature set", "ネットワーク(温度を調整)"),
    Text("Bayes' rule", "ベイズの規則"),
)


def written(value: Value, share: Share | None = None) -> str:
    """A fraction with its decimals (of a share as it was counted), a number, or that there is none."""
    if share and share.total:
        return f"{share.some}/{share.total} = {share.some / share.total:.4f}"
    if value is None:
        return str(Text("undefined (0/0)", "定義できない(0/0)"))
    if isinstance(value, Fraction) and value.denominator > 1 and value.denominator < 10**6:
        return f"{value.numerator}/{value.denominator} = {float(value):.4f}"
    return "∞" if value == float("inf") else f"{float(value):.4f}" if value != int(value) else f"{int(value)}"


def confusion_matrix(table: Counts, beta: float = 1.0, examined: bool = False) -> Figure:
    """The counts as cells, and beside them every measure between 0 and 1, with its exact interval where it has one."""
    two, size = len(table) == 2, len(table)
    corners = [[Text("hit, TP", "的中 TP"), Text("miss, FN", "見落とし FN")],
               [Text("false alarm, FP", "誤警報 FP"), Text("rejection, TN", "正棄却 TN")]]  # fmt: skip
    there = (Text("yes", "あり"), Text("no", "なし")) if two else [str(k + 1) for k in range(size)]
    names = [str(name) for name in there]
    cells = [
        {"truth": names[i], "said": names[j], "share": count / sum(row), "count": str(count),
         "name": str(corners[i][j]) if two else ""}
        for i, row in enumerate(table) for j, count in enumerate(row)
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=cells)).encode(
        x=alt.X("said:N", title=str(Text("answered", "答え")), sort=names, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("truth:N", title=str(Text("true", "真の値")), sort=names),
    )
    ink = alt.condition(alt.datum.share > 0.6, alt.value("white"), alt.value(BLACK))
    shade = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#f4f6f8", BLUE]), legend=None)
    edge = 105 if two else max(34, min(80, 420 // size))
    left = alt.layer(
        base.mark_rect(stroke="white", strokeWidth=3).encode(color=shade),
        base.mark_text(fontSize=20 if two else 13, dy=-6 if two else 0).encode(text="count:N", color=ink),
        base.mark_text(fontSize=11, dy=16).encode(text="name:N", color=ink),
    ).properties(width=edge * size, height=edge * size)
    values = confusion.binary(table, beta) if two else confusion.several(table, beta)
    shares, points = confusion.shares(table) if two else {}, []
    for name, value in values.items():
        if name in ("lr_plus", "lr_minus", "odds_ratio") or (two and name in ("prevalence", "false_alarms")):
            continue
        low, high = (shares[name].interval or (None, None)) if name in shares else (None, None)
        label = f"F{beta:g}" if name == "f" else str(NAMES[name])
        points.append(
            {"name": label, "x": None if value is None else float(value), "low": low, "high": high,
             "label": written(value, shares.get(name)), "at": 1.04}
        )  # fmt: skip
    floor = min([0.0, *(point["x"] for point in points if point["x"] is not None)])
    scale = alt.Scale(domain=[floor, 1], nice=False)
    across = alt.X("x:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
    drawn = alt.Chart(alt.Data(values=points)).encode(
        y=alt.Y("name:N", title=None, sort=[each["name"] for each in points], axis=alt.Axis(labelLimit=260))
    )
    right = alt.layer(
        drawn.mark_rule(strokeWidth=2, color=SKY).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        drawn.mark_point(filled=True, size=70, opacity=1, color=BLUE).encode(x=across),
        drawn.mark_text(align="left", x=268, fontSize=11).encode(text="label:N"),
    ).properties(width=260, height=max(210, 21 * len(points)))
    wording = Text(
        "A confusion matrix and its measures. Lines: exact 95% intervals (Clopper & Pearson) of those that count some "
        "cases among others.",
        "混同行列とその指標。線は、割合である指標の正確な 95% 信頼区間(クロッパー・ピアソン)。",
    )
    lecture = Text(
        " The exam question: 27/30, 13/14, 13/15 and 26/29; the lecture shows .900, .928, .866, .896, cut behind the "
        "third decimal.",
        "試験問題:27/30、13/14、13/15、26/29。講義の表示 .900、.928、.866、.896 は小数第 4 位以下を切り捨てている。",
    )
    chart = alt.hconcat(left, right, spacing=40).resolve_scale(color="independent", y="independent")
    return Figure(str(wording) + (str(lecture) if examined else ""), chart)


def roc(recipe: DecisionsRecipe, logits: ndarray, test: Pictures) -> Figure:
    """Theory's curves with simulated observers on them; the same in z; the network's beside Bayes'."""
    generator, colours = numpy_generator(recipe.seed, "decisions/drawn"), (SKY, GREEN, BLUE)
    false = np.concatenate([[1e-9], np.linspace(0.002, 0.998, 250), [1 - 1e-9]])
    kinds, lines, seen = [], [], []
    for d in (0.5, recipe.sensitivity, 2 * recipe.sensitivity):
        kinds.append(f"d′ = {d:g}, AUC = {float(detection.area(d)):.3f}")
        lines += rows(false, detection.curve(d, false), which=kinds[-1])
        h, f = detection.rates(d, np.linspace(-0.9, 0.9, 7))
        half = max(recipe.trials // 2, 1)
        seen += rows(generator.binomial(half, f) / half, generator.binomial(half, h) / half, which=kinds[-1])
    axes: dict[str, Any] = {
        "x": x(Text("false-alarm rate F", "誤警報率 F")),
        "y": y(Text("hit rate H", "的中率 H")),
    }
    colour = coloured(kinds, colours)
    size = {"width": 230, "height": 230}
    left = alt.layer(diagonal(), *(each.encode(**axes, color=colour) for each in (curve(lines), dots(seen))))
    z = np.linspace(-2.2, 2.2, 2)
    slope = f"1/σ = {1 / recipe.spread:.2f}"
    names = [
        str(Text("σ = 1: slope 1", "σ = 1:傾き 1")),
        str(Text(f"σ = {recipe.spread:g}: slope {slope}", f"σ = {recipe.spread:g}:傾き {slope}")),
    ]
    straight, points = [], []
    for name, sigma in zip(names, (1.0, recipe.spread), strict=True):
        straight += rows(z, (recipe.sensitivity + z) / sigma, which=name)
        criteria, count = recipe.sensitivity / 2 + np.linspace(-1, 1, 5), 20_000
        evidence = recipe.sensitivity + sigma * generator.standard_normal(count), generator.standard_normal(count)
        hit, alarm = (np.array([(each > c).mean() for c in criteria]) for each in evidence)
        points += rows(ndtri(alarm), ndtri(hit), which=name)
    wide, high = alt.Scale(domain=[-2.2, 2.2], nice=False), alt.Scale(domain=[-1.5, 4.0], nice=False)
    axes = {"x": x("z(F)", wide), "y": y("z(H)", high), "color": coloured(names, (BLUE, VERMILION))}
    middle = alt.layer(curve(straight, clip=True).encode(**axes), dots(points, clip=True).encode(**axes))
    told = {SCALED: logits, BAYES: test.evidence}
    lines = []
    for name, scores in told.items():
        f, h, _ = roc_curve(test.signal, scores)
        kept = np.unique(np.linspace(0, len(f) - 1, 400).astype(int))
        area = detection.mann_whitney(scores[test.signal == 1], scores[test.signal == 0])
        lines += rows(f[kept], h[kept], which=f"{name if name is BAYES else NETWORK}: AUC = {area:.3f}")
    kinds = list(dict.fromkeys(row["which"] for row in lines))
    axes = {
        "x": x(Text("false-alarm rate F", "誤警報率 F")),
        "y": y(Text("hit rate H", "的中率 H")),
        "color": coloured(kinds, (VERMILION, BLACK)),
    }
    right = alt.layer(diagonal(), curve(lines).encode(**axes))
    caption = Text(
        f"Left: the ROC curves of signal detection theory, and simulated observers of {recipe.trials} trials with "
        "criteria from lax to strict: the criterion moves along the curve, d′ to another. Middle: in z a curve is a "
        "line, whose slope tells the ratio of the standard deviations. Right: hearts among ellipses, by a network and "
        "by Bayes' rule, which nobody beats.",
        f"左:信号検出理論の ROC 曲線と、判断基準の異なる模擬の観察者({recipe.trials} 試行)。"
        "基準が変わると曲線の上を動き、d′ が変わると別の曲線に移る。"
        "中央:z に変換すると直線になり、傾きは標準偏差の比を表す。"
        "右:楕円の中のハートを見分けるネットワークとベイズの規則(これを超えるものはない)。",
    )
    return Figure(str(caption), side_by_side(*(panel.properties(**size) for panel in (left, middle, right))))


def bars(told: Mapping[str, tuple[ndarray, ndarray]], colours: Sequence[str]) -> Any:
    """A reliability diagram: by bin, how often it happened, with exact intervals, against the mean forecast."""
    points = []
    for name, (p, signal) in told.items():
        counts, forecast, happened = calibration.reliability(p, signal, calibration.in_bins(p, 10))
        for n, mean, share in zip(counts, forecast, happened, strict=True):
            low, high = confusion.clopper_pearson(round(float(n * share)), int(n))
            points.append({"x": float(mean), "y": float(share), "low": low, "high": high, "which": name, "at": 0})
    axes: dict[str, Any] = {"x": x(Text("forecast", "予測確率")), "color": coloured(list(told), colours)}
    often = str(Text("how often it happened", "実際の割合"))
    ends = alt.Chart(alt.Data(values=points)).mark_rule(strokeWidth=2, opacity=0.6).encode(**axes)
    ends = ends.encode(y=alt.Y("low:Q", title=often, scale=alt.Scale(domain=[0, 1], nice=False)), y2="high:Q")
    lines = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(**axes, y=y(often))
    return alt.layer(diagonal(), ends, lines)


def calibrated(logits: ndarray, scaled: ndarray, test: Pictures) -> Figure:
    """Reliability of network, scaled network and Bayes; and each forecast beside the true posterior."""
    truth = expit(test.evidence)
    told = {str(NETWORK): expit(logits), str(SCALED): expit(scaled), str(BAYES): truth}
    colours = (VERMILION, BLUE, BLACK)
    errors = {
        f"{name}: ECE = {calibration.ece(p, test.signal):.3f}, Brier = {calibration.brier(p, test.signal):.3f}": (
            p,
            test.signal,
        )
        for name, p in told.items()
    }
    left = bars(errors, colours).properties(width=280, height=280)
    some = slice(0, 500)
    points = [row for name, p in list(told.items())[:2] for row in rows(truth[some], p[some], which=name)]
    axes: dict[str, Any] = {
        "x": x(Text("true posterior", "真の事後確率")),
        "y": y(Text("forecast of the network", "ネットワークの予測確率")),
        "color": coloured(list(told)[:2], colours[:2]),
    }
    right = alt.layer(diagonal(), dots(points, size=16, opacity=0.45).encode(**axes)).properties(width=280, height=280)
    caption = Text(
        "Is a heart there? Left: how often it was, by forecast; bars are exact 95% intervals. The network is surer "
        "than it may be, and one number, the temperature, mends that. Right: what calibration does not show. The "
        "scaled forecasts are right on average and still far from the posterior of each picture.",
        "ハートはあるか。左:予測確率ごとの、実際にあった割合(縦線は正確な 95% 信頼区間)。ネットワークは自信過剰で、"
        "温度という一つの数で直る。右:較正では見えないもの。温度を調整した予測は平均としては正しいが、一枚ごとの事後確率からは"
        "遠い。",
    )
    return Figure(str(caption), side_by_side(left, right))


def rarity(logits: Mapping[str, ndarray], sets: Mapping[str, Pictures], rare: float) -> Figure:
    """What a yes is worth by prevalence; precision against recall at two prevalences; the ROC at both."""
    pi = np.logspace(-3.3, np.log10(0.99), 120)
    names = {
        "casscells": Text("a disease (Casscells 1978)", "ある病気(Casscells 1978)"),
        "eddy": Text("mammography (Eddy 1982)", "乳房 X 線検査(Eddy 1982)"),
        "cabs": Text("the cab (Tversky & Kahneman 1982)", "タクシー(Tversky & Kahneman 1982)"),
    }
    lines, points = [], []
    for name, label in names.items():
        rate, hit, false, *_ = measure.NEGLECTED[name]
        hit, false = float(hit), float(false)
        lines += rows(pi, prevalence.positive_predictive_value(pi, hit, false), which=str(label))
        here = float(rate)
        points += rows([here], [prevalence.positive_predictive_value(here, hit, false)], which=str(label))
    scale = alt.Scale(type="log", domain=[5e-4, 1], nice=False)
    axes: dict[str, Any] = {
        "x": x(Text("prevalence π", "有病率 π"), scale, values=[0.001, 0.01, 0.1, 1], format="~g"),
        "y": y(Text("p(there | yes)", "p(あり | 陽性)")),
        "color": coloured(list(names.values()), (BLUE, ORANGE, GREEN)),
    }
    left = alt.layer(curve(lines).encode(**axes), dots(points, size=90, shape="diamond").encode(**axes))
    kinds = [f"π = {value:g}" for value in (0.5, rare)]
    found, theory, roc_lines = [], [], []
    for which, name, share in zip(kinds, ("test", "rare"), (0.5, rare), strict=True):
        precision, recall, _ = precision_recall_curve(sets[name].signal, logits[name])
        kept = np.unique(np.linspace(0, len(recall) - 1, 300).astype(int))
        kept = kept[recall[kept] > 0.02]
        found += rows(recall[kept], precision[kept], which=which)
        f, h, _ = roc_curve(sets["test"].signal, logits["test"])
        some = np.unique(np.linspace(1, len(f) - 1, 200).astype(int))
        some = some[h[some] > 0.02]
        value = prevalence.positive_predictive_value(share, h[some], f[some])
        theory += rows(h[some], value, which=which)
        f, h, _ = roc_curve(sets[name].signal, logits[name])
        some = np.unique(np.linspace(0, len(f) - 1, 300).astype(int))
        roc_lines += rows(f[some], h[some], which=which)
    colour = coloured(kinds, (BLUE, VERMILION))
    axes = {"x": x(Text("recall", "再現率")), "y": y(Text("precision", "適合率"))}
    middle = alt.layer(
        curve(found).encode(**axes, color=colour),
        curve(theory, strokeDash=[2, 4], strokeWidth=3, opacity=0.8, color=BLACK).encode(**axes, detail="which:N"),
    )
    axes = {"x": x(Text("false-alarm rate", "誤警報率")), "y": y(Text("recall = hit rate", "再現率 = 的中率"))}
    right = alt.layer(diagonal(), curve(roc_lines).encode(**axes, color=colour))
    caption = Text(
        "What a yes is worth hangs on how rare the thing is. Left: three cases in which people neglect the base rate "
        "(diamonds), and the same tests at other prevalences. Middle: the network's precision and recall fall where "
        "hearts are rare, as Bayes' rule foretells from its ROC at π = 0.5 (dotted). Right: the ROC stays.",
        "「あり」という答えの価値は、それがどれだけまれかによる。左:人が基準率を無視する三つの例(ひし形)と、同じ検査を別の"
        "有病率で用いた場合。中央:ハートがまれになると、ネットワークの適合率・再現率曲線は下がる。π = 0.5 での ROC から"
        "ベイズの規則が予測するとおりである(点線)。右:ROC は変わらない。",
    )
    size = {"width": 230, "height": 230}
    return Figure(str(caption), side_by_side(*(panel.properties(**size) for panel in (left, middle, right))))


def costs(d: float, dear: float) -> Figure:
    """What decisions cost by criterion, and where theory has the cheapest; ``dear``: what a miss costs at last."""
    criteria, lines, points, kinds = np.linspace(-3, 3, 241), [], [], []
    for pi, miss in ((0.5, 1.0), (0.1, 1.0), (0.1, dear)):
        name = Text(f"π = {pi:g}, a miss costs {miss:g}", f"π = {pi:g}、見落としの損失 {miss:g}")
        kinds.append(str(name))
        scale = 1 / min(pi * miss, 1 - pi)  # of the cheaper of always yes and always no
        lines += rows(criteria, scale * detection.cost(*detection.rates(d, criteria), pi, 1.0, miss), which=kinds[-1])
        best = float(np.log(detection.best_criterion(pi, 1.0, miss)) / d)
        points += rows([best], [scale * detection.cost(*detection.rates(d, best), pi, 1.0, miss)], which=kinds[-1])
    span, high = alt.Scale(domain=[-3, 3], nice=False), alt.Scale(domain=[0, 2], nice=False)
    heading = Text("cost (always the same answer = 1)", "損失(常に同じ答えなら 1)")
    axes: dict[str, Any] = {
        "x": x(Text("criterion c", "判断基準 c"), span, tickCount=7),
        "y": y(heading, high),
        "color": coloured(kinds, (BLUE, VERMILION, GREEN), orient="right"),
    }
    chart = alt.layer(curve(lines, clip=True).encode(**axes), dots(points, size=110, shape="diamond").encode(**axes))
    caption = Text(
        f"What it costs to say yes above a criterion, for d′ = {d:g}; a false alarm costs 1. Diamonds: the criterion "
        "at which the likelihood ratio is β = (1 − π) C_fp / (π C_fn). What is rare and "
        "harmless is seldom reported; the dearer a miss, the less is enough for a yes.",
        f"ある基準を超えたら「あり」と答えるときの損失(d′ = {d:g}、誤警報の損失は 1)。ひし形:尤度比が "
        "β = (1 − π) C_fp / (π C_fn) となる基準。"
        "まれで無害なものはめったに報告されず、見落としの損失が大きいほど、少ない証拠で「あり」と答える。",
    )
    return Figure(str(caption), chart.properties(width=380, height=240, title=title("")))
