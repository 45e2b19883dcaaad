"""The pictures of the study `ablations`: the four figures of the lecture."""

from collections.abc import Mapping, Sequence

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.ablations.conditions import CURVE, DIRECTIONS, MASKINGS, TASKS

TASK = {
    "acceptability": Text("acceptability (Matthews)", "容認性(マシューズ相関)"),
    "paraphrase": Text("paraphrase (F1)", "言い換え(F1)"),
    "entailment": Text("entailment (accuracy)", "含意関係(正答率)"),
    "questions": Text("questions (F1)", "質問応答(F1)"),
    "tagging": Text("tagging (accuracy)", "品詞付与(正答率)"),
}
DIRECTION = {
    "full": (Text("both sides, next sentences", "両側+次文予測"), BLUE),
    "no-nsp": (Text("both sides, no next sentences", "両側、次文予測なし"), SKY),
    "ltr": (Text("left to right, no next sentences", "左から右、次文予測なし"), VERMILION),
    "ltr-lstm": (Text("the same + BiLSTM", "同左 + BiLSTM"), ORANGE),
}
USES = {
    "questions.tuned": Text("questions, fine-tuned", "質問応答、微調整"),
    "tagging.tuned": Text("tagging, fine-tuned", "品詞付与、微調整"),
    "tagging.features": Text("tagging, features only", "品詞付与、特徴のみ"),
}


def row(measure: Measure, **names: object) -> dict[str, object]:
    low, high = measure.ends
    return {"value": measure.value, "low": low, "high": high, **names}


def masking(measures: Mapping[str, Measure]) -> Figure:
    """Devlin et al. (2019), Table 8, as points with intervals: a panel for each use."""
    panels = []
    for use, title in USES.items():
        rows = [
            row(measures[f"masking.{name}.{use}"], which=name.replace("-", " / "), ours=name == "80-10-10")
            for name in MASKINGS
        ]
        heading = None if panels else str(Text("% [MASK] / same / random", "マスク / 元の語 / 無作為(%)"))
        base = alt.Chart(alt.Data(values=rows)).encode(
            y=alt.Y("which:N", sort=[name.replace("-", " / ") for name in MASKINGS], title=heading)
        )
        colour = alt.Color("ours:N", legend=None, scale=alt.Scale(domain=[True, False], range=[VERMILION, BLUE]))
        marks = base.mark_point(filled=True, size=70, opacity=1).encode(
            x=alt.X(
                "value:Q", title=str(Text("score", "成績")), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)
            ),
            color=colour,
        )
        lines = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour)
        panels.append((lines + marks).properties(width=200, height=150, title=str(title)))
    caption = Text(
        "How the chosen words are shown while the network is pre-trained: as [MASK], as they are, or as random words. "
        "Red: BERT's 80 / 10 / 10. [MASK] never occurs in a task; where the network is tuned it can adapt, where its "
        "features are used as they are it cannot. Lines: 95% intervals.",
        "事前学習で、選ばれた語をどう見せるか:[MASK] にする、そのまま見せる、無作為な語にする。"
        "赤は BERT の 80 / 10 / 10。"
        "課題には [MASK] は現れない。微調整すれば適応できるが、特徴をそのまま使う場合は適応できない。線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def size(measures: Mapping[str, Measure], weights: Mapping[str, int]) -> Figure:
    """Devlin et al. (2019), Table 6: masked loss and tasks by the number of weights."""
    panels = []
    titles = {"loss": Text("surprise at a masked word (nats)", "隠された語への驚き(ナット)")}
    titles |= {task: TASK[task] for task in TASKS["size"]}
    for key, title in titles.items():
        rows = [
            row(measures[f"size.{number}.{key}"], weights=count, which=name)
            for number, (name, count) in enumerate(weights.items(), 1)
        ]
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X(
                "weights:Q",
                scale=alt.Scale(type="log", nice=False, padding=30),
                title=str(Text("weights", "重みの数")),
                axis=alt.Axis(format="~s", tickCount=3),
            ),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), title=str(title)),
        )
        whiskers = base.mark_rule(color=BLUE).encode(y=alt.Y("low:Q", title=str(title)), y2="high:Q")
        side = {"align": "left", "dx": 4} if key == "loss" else {"align": "right", "dx": -6}  # off the line
        names = base.mark_text(dy=-10, fontSize=9, **side).encode(text="which:N")
        chart = base.mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE, size=45)) + whiskers + names
        panels.append(chart.properties(width=260, height=200))
    caption = Text(
        "Larger is better: networks of four sizes (layers × width) after the same number of training steps. "
        "Bars: 95% intervals.",
        "大きいほどよい:4 通りの大きさ(層の数 × 幅)のネットワークを、同じステップ数だけ学習した結果。縦線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def direction(measures: Mapping[str, Measure], moments: Sequence[int]) -> Figure:
    """Devlin et al. (2019), Figure 5: what tuning makes of the network after so many steps of pre-training."""
    names = {"full": Text("masked words, both sides", "両側を読む(マスク)"), "ltr": Text("left to right", "左から右")}
    rows = [
        row(measures[f"curve.{name}.{'last' if step == moments[-1] else number}"], step=step, which=str(title))
        for name, title in names.items()
        for number, step in enumerate(moments, 1)
    ]
    scale = alt.Scale(domain=[str(title) for title in names.values()], range=[BLUE, VERMILION])
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("step:Q", title=str(Text("steps of pre-training", "事前学習のステップ数"))),
        y=alt.Y("value:Q", scale=alt.Scale(zero=False), title=str(TASK[CURVE])),
        color=alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(orient="top", labelLimit=300)),
    )
    lines = base.mark_line(point=alt.OverlayMarkDef(size=40))
    whiskers = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=str(TASK[CURVE])), y2="high:Q")
    caption = Text(
        "Reading from both sides against reading from left to right, by the step of pre-training from which the "
        "network is tuned. A masked network predicts only 15% of the words of a batch. Bars: 95% intervals.",
        "両側を読む場合と左から右へ読む場合。横軸は、微調整を始めるまでの事前学習のステップ数。"
        "マスクを使うネットワークは、ミニバッチの語の 15% しか予測しない。縦線は 95% 区間。",
    )
    return Figure(str(caption), (whiskers + lines).properties(width=420, height=240))


def tasks(measures: Mapping[str, Measure]) -> Figure:
    """Devlin et al. (2019), Table 5: what is lost without next sentences, and without the right context."""
    domain = [str(name) for name, _ in DIRECTION.values()]
    labels = {task: str(TASK[task]) for task in TASKS["direction"]}
    rows = [
        row(measures[f"direction.{name}.{task}"], task=label, which=str(DIRECTION[name][0]))
        for name in DIRECTIONS
        for task, label in labels.items()
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("task:N", sort=list(labels.values()), title=None, axis=alt.Axis(labelAngle=0, labelLimit=170)),
        xOffset=alt.XOffset("which:N", sort=domain),
    )
    colours = alt.Scale(domain=domain, range=[colour for _, colour in DIRECTION.values()])
    bars = base.mark_bar().encode(
        y=alt.Y("value:Q", title=str(Text("score on new examples", "新しい例での成績"))),
        color=alt.Color(
            "which:N", title=None, sort=domain, scale=colours, legend=alt.Legend(orient="top", labelLimit=260)
        ),
    )
    whiskers = base.mark_rule(color=BLACK).encode(y="low:Q", y2="high:Q")
    caption = Text(
        "What is lost without next-sentence prediction, and without the words to the right; a bidirectional LSTM on "
        "top of the left-to-right network gives some of them back. Bars: 95% intervals.",
        "次文予測をやめると何が失われるか、右側の文脈を見ないと何が失われるか。左から右へ読むネットワークの上に"
        "双方向 LSTM をのせると、一部が取り戻される。縦線は 95% 区間。",
    )
    return Figure(str(caption), (bars + whiskers).properties(width=170 * len(labels), height=240))
