"""`phantastic apply decisions`: a confusion matrix, or scores with labels, judged by every measure."""

from pathlib import Path
from typing import Any

import altair as alt
from jaxtyping import Float, Int
from numpy import ndarray
from sklearn.metrics import precision_recall_curve, roc_curve

from phantastic.data import table
from phantastic.declare.i18n import Text
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.show.figure import BLUE, VERMILION, Figure, write
from phantastic.systems.decisions import calibration, confusion, detection, prevalence
from phantastic.systems.decisions.confusion import Counts, Value
from phantastic.systems.decisions.drawing import coloured, curve, diagonal, rows, side_by_side, x, y
from phantastic.systems.decisions.figures import NAMES, bars, confusion_matrix, written
from phantastic.systems.decisions.study import DecisionsApply

Cells = list[list[Any]]
EXPECTED = "a CSV file with the columns score and label"


def apply(folder: Path, request: DecisionsApply) -> list[str]:
    """Judge what was asked for, write a table and a figure into ``folder``; the lines that say what came out."""
    if (request.confusion is None) == (request.scores is None):
        raise Refused("apply decisions: give either --confusion TP,FN,FP,TN or --scores FILE.csv")
    if request.confusion is not None:
        matrix = confusion.parsed(request.confusion)
        name = f"confusion-{'-'.join(str(count) for row in matrix for count in row)}"[:80]
        lines, cells = judged(matrix, request.beta, request.prevalence)
        figure = confusion_matrix(matrix, request.beta)
    else:
        scores, labels = read(str(request.scores))
        name = Path(str(request.scores)).stem or "scores"
        lines, cells = ranked(scores, labels, request.prevalence)
        figure = drawn(scores, labels, request.prevalence)
    stem = folder / name
    target = stem.with_name(f"{stem.name}.csv")
    files.write_csv(target, [["measure", "value", "low", "high"], *cells])
    return [*lines, str(target), *map(str, write(figure, stem))]


# --- a matrix


def judged(matrix: Counts, beta: float, pi: float | None) -> tuple[list[str], Cells]:
    """Every measure in words, with its exact interval where it has one, and as rows of a table."""
    two = len(matrix) == 2
    values = dict(confusion.binary(matrix, beta) if two else confusion.several(matrix, beta))
    shares = confusion.shares(matrix) if two else {}
    if not two:
        total, agreed = sum(map(sum, matrix)), sum(row[k] for k, row in enumerate(matrix))
        shares["accuracy"] = confusion.Share(agreed, total)
    lines: list[str] = []
    cells: Cells = []
    for name, value in values.items():
        told = shares[name].interval if name in shares else None
        label = Text(f"F, β = {beta:g}", f"F 値(β = {beta:g})") if name == "f" else NAMES[name]
        ends = f" [{told.low:.4f}, {told.high:.4f}]" if told else ""
        lines.append(f"{label}: {written(value, shares.get(name))}{ends}")
        cells.append([name, cell(value), *(f"{end:.9g}" for end in told or ())])
    if not two:
        for k in range(len(matrix)):
            each = confusion.binary(confusion.one_against_rest(matrix, k), beta)
            parts = [f"{NAMES[name]} {written(each[name])}" for name in ("precision", "recall", "f")]
            lines.append(str(Text(f"class {k + 1}: ", f"クラス {k + 1}: ")) + "; ".join(parts))
            cells += [[f"class{k + 1}.{name}", cell(each[name])] for name in ("precision", "recall", "f")]
    lines.append(
        str(
            Text(
                "[…]: exact 95% interval (Clopper & Pearson), of measures that count some cases among others",
                "[…]:割合である指標の正確な 95% 信頼区間(クロッパー・ピアソン)",
            )
        )
    )
    if pi is not None:
        if not two:
            raise Refused("--prevalence takes a matrix of two classes, or scores")
        worth = at_prevalence(pi, float(values["recall"] or 0), float(values["false_alarms"] or 0))
        return lines + worth[0], cells + worth[1]
    return lines, cells


def cell(value: Value) -> str:
    return "" if value is None else f"{float(value):.9g}"


def at_prevalence(pi: float, hit: float, false: float) -> tuple[list[str], Cells]:
    """What yes and no are worth elsewhere, by Bayes' rule."""
    said = pi * hit + (1 - pi) * false
    yes = prevalence.positive_predictive_value(pi, hit, false) if said > 0 else None
    no = prevalence.negative_predictive_value(pi, hit, false) if said < 1 else None
    lines = [
        str(Text(f"at prevalence {pi:g}: p(there | yes) = ", f"有病率 {pi:g} では p(あり | 陽性) = ")) + written(yes),
        str(Text(f"at prevalence {pi:g}: p(not there | no) = ", f"有病率 {pi:g} では p(なし | 陰性) = ")) + written(no),
    ]
    return lines, [[f"ppv at {pi:g}", cell(yes)], [f"npv at {pi:g}", cell(no)]]


# --- scores


def read(path: str) -> tuple[Float[ndarray, " n"], Int[ndarray, " n"]]:
    """The columns ``score`` and ``label``. Raises `Refused` naming file, line and column of what is no number, of a
    label that is neither 0 nor 1, and where one of the two never occurs."""
    sheet = table.read(path, EXPECTED)
    scores, labels = sheet.numbers("score"), sheet.numbers("label")
    return scores, binary(path, sheet, "label", labels)


def binary(path: str, sheet: table.Table, name: str, values: Float[ndarray, " n"]) -> Int[ndarray, " n"]:
    """A column of 0 and 1, of which both occur; raises `Refused` naming the line."""
    for line, value in zip(sheet.lines, values, strict=True):
        if value not in (0, 1):
            raise Refused(f"{path!r}, line {line}, column '{name}': {value:g} is neither 0 nor 1")
    for wanted in (0, 1):
        if wanted not in values:
            raise Refused(f"{path!r}, column '{name}': no row has {wanted}; both 0 and 1 are needed")
    return values.astype(int)


def ranked(scores: Float[ndarray, " n"], labels: Int[ndarray, " n"], pi: float | None) -> tuple[list[str], Cells]:
    """Area and its interval, average precision, the threshold of the largest J; calibration where scores may be
    probabilities; and what a yes is worth at another prevalence."""
    n, m = int(labels.sum()), int((1 - labels).sum())
    area = detection.mann_whitney(scores[labels == 1], scores[labels == 0])
    error = detection.hanley_mcneil(area, n, m)
    low, high = detection.area_interval(area, error, n, m)
    precision, base = prevalence.average_precision(scores, labels), n / (n + m)
    false, hit, thresholds = roc_curve(labels, scores)
    best = int((hit - false).argmax())
    most = hit[best] - false[best]
    lines = [
        Text(f"{n + m} cases, {n} with label 1", f"{n + m} 例、うちラベル 1 は {n} 例"),
        Text(
            f"area under the ROC: {area:.4f} [{low:.4f}, {high:.4f}] (Hanley & McNeil); what sees nothing has 0.5",
            f"ROC 曲線下面積: {area:.4f} [{low:.4f}, {high:.4f}](ハンリー・マクニール)。何も見なければ 0.5",
        ),
        Text(
            f"average precision: {precision:.4f}; what sees nothing has the prevalence, {base:.4f}",
            f"平均適合率: {precision:.4f}。何も見なければ有病率 {base:.4f}",
        ),
        Text(
            f"largest J = H − F: {most:.4f}, saying yes from score {thresholds[best]:.6g} on "
            f"(H = {hit[best]:.4f}, F = {false[best]:.4f})",
            f"J = H − F の最大値: {most:.4f}(スコア {thresholds[best]:.6g} 以上を「あり」とするとき。"
            f"H = {hit[best]:.4f}、F = {false[best]:.4f})",
        ),
    ]
    cells: Cells = [
        ["area", f"{area:.9g}", f"{low:.9g}", f"{high:.9g}"],
        ["average_precision", f"{precision:.9g}"],
        ["youden", f"{most:.9g}"],
        ["threshold", f"{thresholds[best]:.9g}"],
    ]
    found = list(map(str, lines))
    if scores.min() >= 0 and scores.max() <= 1:
        found, cells = found + [str(each) for each in probabilities(scores, labels, cells)], cells
    else:
        found.append(
            str(
                Text(
                    "scores beyond 0 to 1 are no probabilities: no Brier score and no calibration",
                    "スコアが 0〜1 の外にあり確率ではないので、ブライアスコアと較正は求めない",
                )
            )
        )
    if pi is not None:
        worth = at_prevalence(pi, float(hit[best]), float(false[best]))
        return found + worth[0], cells + worth[1]
    return found, cells


def probabilities(p: Float[ndarray, " n"], labels: Int[ndarray, " n"], cells: Cells) -> list[Text]:
    """Brier score and its parts, ECE beside what chance alone would give; their rows are added to ``cells``."""
    parts = calibration.murphy(p, labels, calibration.in_bins(p))
    score, error = calibration.brier(p, labels), calibration.ece(p, labels)
    chance = calibration.ece_if_true(p, numpy_generator(0, "decisions/chance"))
    numbers = {"brier": score, **parts._asdict(), "ece": error, "ece_by_chance": chance}
    cells += [[name, f"{value:.9g}"] for name, value in numbers.items()]
    return [
        Text(
            f"Brier score: {score:.4f} = reliability {parts.reliability:.4f} − resolution {parts.resolution:.4f} + "
            f"uncertainty {parts.uncertainty:.4f} + within bins {parts.within:.4f}",
            f"ブライアスコア: {score:.4f} = 信頼度 {parts.reliability:.4f} − 分離度 {parts.resolution:.4f} + "
            f"不確実性 {parts.uncertainty:.4f} + 階級内 {parts.within:.4f}",
        ),
        Text(
            f"expected calibration error: {error:.4f}; by chance alone, were every forecast true: {chance:.4f}",
            f"期待較正誤差(ECE): {error:.4f}。予測がすべて正しくても偶然に生じる値: {chance:.4f}",
        ),
    ]


def drawn(scores: Float[ndarray, " n"], labels: Int[ndarray, " n"], pi: float | None) -> Figure:
    """ROC, precision and recall (also at another prevalence), and reliability where scores may be probabilities."""
    false, hit, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    base = float(labels.mean())
    area = detection.mann_whitney(scores[labels == 1], scores[labels == 0])
    size = {"width": 240, "height": 240}
    axes = {"x": x(Text("false-alarm rate", "誤警報率")), "y": y(Text("hit rate", "的中率"))}
    name = f"AUC = {area:.3f}"
    first = alt.layer(
        diagonal(), curve(rows(false, hit, which=name)).encode(**axes, color=coloured([name], (BLUE,)))
    ).properties(**size)
    kinds = [str(Text(f"as in the file, π = {base:.3g}", f"ファイルのまま、π = {base:.3g}"))]
    lines = rows(recall[recall > 0], precision[recall > 0], which=kinds[0])
    if pi is not None:
        kinds.append(str(Text(f"by Bayes' rule, π = {pi:g}", f"ベイズの規則による、π = {pi:g}")))
        there = hit > 0
        lines += rows(hit[there], prevalence.positive_predictive_value(pi, hit[there], false[there]), which=kinds[1])
    axes = {"x": x(Text("recall", "再現率")), "y": y(Text("precision", "適合率"))}
    second = curve(lines).encode(**axes, color=coloured(kinds, (BLUE, VERMILION))).properties(**size)
    panels: list[Any] = [first, second]
    if scores.min() >= 0 and scores.max() <= 1:
        key = f"ECE = {calibration.ece(scores, labels):.3f}"
        panels.append(bars({key: (scores, labels)}, (BLUE,)).properties(**size))
    caption = Text(
        "Left: the ROC. Then precision against recall. Last, where scores may be probabilities: how often the label "
        "was 1, by score, with exact 95% intervals.",
        "左:ROC 曲線。次に適合率と再現率。スコアが確率とみなせるときは最後に、スコアごとのラベル 1 の割合(縦線は正確な "
        "95% 信頼区間)。",
    )
    return Figure(str(caption), side_by_side(*panels))
