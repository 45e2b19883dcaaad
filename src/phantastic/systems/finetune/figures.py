"""The pictures of the study `finetune`."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, YELLOW, Figure

STARTS = {
    "pretrained": (Text("pre-trained", "事前学習あり"), BLUE),
    "compared": (Text("pre-trained, then similarity first", "事前学習のあと、まず類似度"), SKY),
    "fresh": (Text("same network, not pre-trained", "同じネットワーク、事前学習なし"), ORANGE),
    "static": (Text("mean of static word vectors", "静的な単語ベクトルの平均"), GREEN),
    "silent": (Text("always “no answer”", "つねに「答えなし」"), VERMILION),
    "dictionary": (Text("each word's usual tag", "各語の最頻のタグ"), YELLOW),
    "alone": (Text("pre-trained, each word alone", "事前学習あり、語を 1 つずつ"), PURPLE),
}
TASKS = {
    "average": Text("average", "平均"),
    "acceptability": Text("acceptability", "容認性判断"),
    "paraphrase": Text("paraphrase", "言い換え"),
    "entailment": Text("entailment", "含意関係"),
    "similarity": Text("similarity", "類似度"),
    "questions": Text("question answering", "質問応答"),
    "tagging": Text("tagging", "品詞付与"),
    "unanswered": Text("answerable or not", "答えの有無"),
    "names": Text("names", "固有表現"),
}
MEASURES = {
    "matthews": Text("Matthews correlation", "マシューズ相関係数"),
    "accuracy": Text("accuracy", "正答率"),
    "f1": Text("F1", "F1"),
    "f1_macro": Text("F1, mean of classes", "F1(クラスの平均)"),
    "score": Text("mean of all", "全課題の平均"),
    "pearson": Text("Pearson correlation", "ピアソン相関係数"),
}


def named(task: str) -> str:
    return str(TASKS[task]) if task in TASKS else task


def shown() -> dict[str, Any]:
    return {"domain": [str(name) for name, _ in STARTS.values()], "range": [colour for _, colour in STARTS.values()]}


def scores(
    tasks: Sequence[tuple[str, str]],
    measures: Mapping[str, Measure],
    absent: Sequence[str] = (),
    unread: Sequence[str] = (),
) -> Figure:
    """The first official measure of every task, by how the network began; of a person's folder it is said which tasks
    are absent, and which folders in it are no task that is read."""
    rows, order = [], []
    for task, name in tasks:
        label = f"{named(task)}\n{MEASURES[name]}"
        order.append(label)
        for start, (title, _) in STARTS.items():
            measure = measures.get(f"{task}.{start}.{name}")
            if measure is not None:
                low, high = measure.ends
                rows.append({"task": label, "start": str(title), "value": measure.value, "low": low, "high": high})
    domain = shown()["domain"]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "task:N",
            sort=order,
            title=None,
            axis=alt.Axis(labelAngle=0, labelExpr="split(datum.label, '\\n')", labelLimit=150),
        ),
        xOffset=alt.XOffset("start:N", sort=domain),
    )
    bars = base.mark_bar().encode(
        y=alt.Y("value:Q", title=str(Text("score on new examples", "新しい例での成績"))),
        color=alt.Color(
            "start:N",
            title=None,
            sort=domain,
            scale=alt.Scale(**shown()),
            legend=alt.Legend(orient="top", labelLimit=320, columns=4),
        ),
    )
    whiskers = base.mark_rule(color="#333333").encode(y="low:Q", y2="high:Q")
    caption = Text(
        "What pre-training is worth. The same network, tuned on a few examples of each task: begun from what it "
        "learned by reading, or from nothing (two sentences also from what it learned when it was tuned on their "
        "similarity); and a linear reading of static word vectors, which do not change with "
        "the words around them (a mean of vectors cannot say where an answer stands). Where questions may have no "
        "answer, also what is had by always saying so; for names, what each word tells by itself. Bars: 95% intervals.",
        "事前学習の価値。同じネットワークを各課題の少数の例で微調整する。読んで学んだ状態から始めた場合と、"
        "何も学んでいない状態から始めた場合(2 文の課題では、類似度で微調整した状態から始めた場合も)。"
        "周囲の語によって変わらない静的な単語ベクトルを線形に読む場合も示す"
        "(ベクトルの平均からは、答えの位置は分からない)。答えのない質問を含む課題ではつねに「答えなし」と言う場合、"
        "固有表現では語を 1 つずつ見た場合も添える。縦線は 95% 区間。",
    )
    lines = [str(caption)]
    if absent:
        lines.append(str(Text("The folder does not hold: ", "フォルダーにないもの:")) + ", ".join(absent) + ".")
    if unread:
        lines.append(
            str(Text("Not read, since no such task is known: ", "読まれなかったもの(未知の課題):"))
            + ", ".join(unread)
            + "."
        )
    return Figure(" ".join(lines), (bars + whiskers).properties(width=110 * len(tasks), height=240))


def smoothed(points: Sequence[Mapping[str, Any]], most: int = 30) -> list[dict[str, float]]:
    """Means of consecutive points, so that at most ``most`` are left."""
    parts = [part for part in np.array_split(np.arange(len(points)), min(most, len(points))) if len(part)]
    return [
        {name: float(np.mean([points[place][name] for place in part])) for name in ("step", "loss")} for part in parts
    ]


def tuning(curves: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> Figure:
    """Loss by step of fine-tuning, a panel for each task."""
    panels = []
    for task in dict.fromkeys(task for task, _ in curves):
        rows = [
            {"step": point["step"], "loss": point["loss"], "start": str(STARTS[start][0])}
            for (of, start), points in curves.items()
            if of == task
            for point in smoothed(points)
        ]
        pair = {key: values[:2] for key, values in shown().items()}
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_line()
            .encode(
                x=alt.X("step:Q", title=str(Text("step of fine-tuning", "微調整のステップ"))),
                y=alt.Y("loss:Q", title=str(Text("loss", "損失"))),
                color=alt.Color(
                    "start:N", title=None, scale=alt.Scale(**pair), legend=alt.Legend(orient="top", labelLimit=320)
                ),
            )
        )
        panels.append(chart.properties(width=210, height=140, title=named(task)))
    caption = Text(
        "How fast a task is learned, on its training examples (cross-entropy in nats; for a score, the squared error).",
        "課題を学ぶ速さ。学習例での損失(交差エントロピー、単位はナット。得点を答える課題では二乗誤差)。",
    )
    return Figure(str(caption), alt.concat(*panels, columns=3))
