"""The pictures of the study `transfer`."""

from collections.abc import Mapping

import altair as alt
import numpy as np
from torch.nn.functional import normalize

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.transfer.distilling import NETWORKS, TASKS
from phantastic.systems.transfer.nearest import Bitext, Dictionary, averages, dictionary, states
from phantastic.systems.transfer.tasks import NAMES
from phantastic.world.sentences import lexicon

GREY = "#999999"
STARTS = {
    "fresh": (Text("untrained", "事前学習なし"), ORANGE),
    "mlm": (Text("MLM", "MLM"), SKY),
    "tlm": (Text("MLM + TLM", "MLM + TLM"), BLUE),
}
PLACES = {
    "english": (Text("English", "英語"), SKY),
    "zero-shot": (Text("Japanese, tuned on English (zero-shot)", "日本語(英語だけで微調整:ゼロショット)"), VERMILION),
    "japanese": (Text("Japanese, tuned on Japanese", "日本語(日本語で微調整)"), GREEN),
}
TASK = {
    "topic": Text("topic of a sentence", "文の話題"),
    "subject": Text("what the subject is", "主語の種類"),
    "tagging": Text("parts of speech", "品詞"),
    "acceptability": Text("acceptability\n(Matthews)", "容認性\n(マシューズ相関)"),
    "questions": Text("questions\n(F1)", "質問応答\n(F1)"),
    "tags": Text("tagging\n(accuracy)", "品詞付与\n(正答率)"),
    "macro": Text("mean", "平均"),
}
STUDENT = {
    "teacher": (Text("teacher", "教師"), GREY),
    "distilled": (Text("half of its layers, distilled", "半分の層、蒸留"), BLUE),
    "masked": (Text("half of its layers, masked words alone", "半分の層、マスク語のみ"), SKY),
    "random": (Text("half as deep, begun at random, distilled", "半分の深さ、乱数から、蒸留"), GREEN),
    "cut": (Text("half of its layers, not trained further", "半分の層、追加学習なし"), ORANGE),
}


def ends(measure: Measure) -> dict[str, float]:
    low, high = measure.ends
    return {"value": measure.value, "low": low, "high": high}


def palette(names: Mapping[str, tuple[Text, str]]) -> alt.Scale:
    return alt.Scale(domain=[str(name) for name, _ in names.values()], range=[colour for _, colour in names.values()])


def zero_shot(measures: Mapping[str, Measure]) -> Figure:
    """Accuracy in both languages, a panel for each task."""
    panels = []
    for task in NAMES:
        rows = [
            ends(measures[f"{task}.{start}.{place}"]) | {"start": str(name), "place": str(title)}
            for start, (name, _) in STARTS.items()
            for place, (title, _) in PLACES.items()
        ]
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X(
                "start:N", sort=[str(name) for name, _ in STARTS.values()], title=None, axis=alt.Axis(labelAngle=0)
            ),
            xOffset=alt.XOffset("place:N", sort=[str(title) for title, _ in PLACES.values()]),
        )
        bars = base.mark_bar().encode(
            y=alt.Y(
                "value:Q",
                scale=alt.Scale(domain=[0, 1]),
                title=str(Text("accuracy on new sentences", "新しい文での正答率")) if not panels else None,
            ),
            color=alt.Color(
                "place:N", title=None, scale=palette(PLACES), legend=alt.Legend(orient="top", labelLimit=330)
            ),
        )
        whiskers = base.mark_rule(color=BLACK).encode(y="low:Q", y2="high:Q")
        guess = alt.Chart(alt.Data(values=[{"y": measures[f"{task}.chance"].value}])).mark_rule(
            strokeDash=[4, 4], color=BLACK
        )
        chart = bars + whiskers + guess.encode(y="y:Q")
        panels.append(chart.properties(width=250, height=220, title=str(TASK[task])))
    caption = Text(
        "Learned in English, asked in Japanese, though the two languages share no word. Networks that have read masked "
        "words of both languages, one at a time (MLM), or also sentences beside their translations (MLM + TLM), are "
        "tuned on English examples alone. Green: what tuning on Japanese gives. Dashed: always the most frequent "
        "answer. Lines: 95% intervals.",
        "英語で学び、日本語で問われる。2 つの言語に共通の語はない。両言語のマスク語を別々に読んだネットワーク(MLM)と、"
        "対訳文も並べて読んだネットワーク(MLM + TLM)を、英語の例だけで微調整する。緑は日本語で微調整した場合。"
        "破線は最も多い答えを常に答えた場合。縦線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="shared"))


def examples(known: Dictionary) -> list[tuple[int, int]]:
    """A person and an animal of each topic, as places in the dictionary."""
    places = []
    for topic in lexicon.source()["topic"].values():
        for kind in ("person", "animal"):
            pair = topic[kind][0].split()[:2]
            if all(word in words for word, words in zip(pair, known.words, strict=True)):
                places.append((known.words[0].index(pair[0]), known.words[1].index(pair[1])))
    return places


def words(networks: Mapping[str, Model], languages: tuple[Language, Language], text: Bitext, layer: int) -> Figure:
    """How close some words are to those of the other language, a matrix for each network."""
    known = dictionary(text)
    rows, columns = map(list, zip(*examples(known), strict=True))
    english, japanese = [known.words[0][row] for row in rows], [known.words[1][column] for column in columns]
    cosines = {}
    for name, network in networks.items():
        first, second = (
            normalize(averages(states(network, language, sentences), sentences, side)[layer], dim=-1)
            for language, sentences, side in zip(languages, text.words, known.words, strict=True)
        )
        cosines[name] = (first[rows] @ second[columns].T).numpy()
    most = max(float(cosine.max()) for cosine in cosines.values())
    shades = alt.Scale(domain=[0, most], clamp=True, range=["#ffffff", BLUE], interpolate="rgb")
    shade = alt.Color("cosine:Q", title=str(Text("cosine", "コサイン")), scale=shades)
    bare = {"title": None, "ticks": False, "domain": False, "labelLimit": 120, "labelOverlap": False}
    panels = []
    for name, cosine in cosines.items():
        cells = [
            {"en": english[a], "ja": japanese[b], "cosine": round(float(value), 3), "same": a == b}
            for (a, b), value in np.ndenumerate(cosine)
        ]
        base = alt.Chart(alt.Data(values=cells)).encode(
            x=alt.X("ja:N", sort=japanese, axis=alt.Axis(labelAngle=-60, **bare)),
            y=alt.Y("en:N", sort=english, axis=alt.Axis(**bare)),
        )
        frames = base.transform_filter("datum.same").mark_rect(filled=False, stroke=VERMILION, strokeWidth=1.5)
        size = {"width": 24 * len(japanese), "height": 22 * len(english)}
        panels.append((base.mark_rect().encode(color=shade) + frames).properties(**size, title=str(STARTS[name][0])))
    caption = Text(
        "How close words are to those of the other language: cosine of the mean states of each word, the languages "
        "being read by themselves. Framed: words that say the same. MLM has read both languages, MLM + TLM also "
        "sentences beside their translations; neither was told which words correspond.",
        "語と他言語の語との近さ:各言語を別々に読んだときの、各語の平均状態のコサイン。枠は同じ意味の語。"
        "MLM は両言語を、MLM + TLM はさらに対訳文を並べて読んだ。どの語が対応するかは、どちらにも教えていない。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def layers(measures: Mapping[str, Measure], count: int) -> Figure:
    """The share of sentences and of words whose translation is the nearest, by layer."""
    panels = []
    for what, title in (
        ("retrieval", Text("sentences whose translation is nearest", "翻訳が最も近い文の割合")),
        ("words", Text("words nearest to one that says the same", "同じ意味の語が最も近い語の割合")),
    ):
        rows = [
            ends(measures[f"{start}.{what}.layer{layer}"]) | {"layer": layer, "start": str(name)}
            for start, (name, _) in STARTS.items()
            for layer in range(count + 1)
        ]
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X(
                "layer:O", title=str(Text("layer (0: embeddings)", "層(0 は埋め込み)")), axis=alt.Axis(labelAngle=0)
            ),
            color=alt.Color("start:N", title=None, scale=palette(STARTS), legend=alt.Legend(orient="top")),
        )
        lines = base.mark_line(point=alt.OverlayMarkDef(size=50)).encode(
            y=alt.Y("value:Q", title=str(title), axis=alt.Axis(format="%"))
        )
        whiskers = base.mark_rule().encode(y="low:Q", y2="high:Q")
        panels.append((whiskers + lines).properties(width=280, height=220))
    caption = Text(
        "Without any tuning: is a sentence's translation nearest to it among all, and is a word nearest "
        "to one that says the same, among all words? By layer; both directions; lines: 95% intervals.",
        "微調整なしで:文の翻訳は、すべての候補の中で最も近いか。語に最も近い他言語の語は、同じ意味か。"
        "層ごと、両方向。縦線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="shared"))


def students(measures: Mapping[str, Measure], seconds: Mapping[str, float]) -> Figure:
    """Scores of the teacher and of all students; what the teacher and the distilled student cost."""
    tasks = [*TASKS, "macro"]
    labels = {task: str(TASK["tags" if task == "tagging" else task]) for task in tasks}
    rows = [
        ends(measures[f"{name}.{task}"]) | {"task": labels[task], "network": str(STUDENT[name][0])}
        for name in NETWORKS
        for task in tasks
    ]
    order = [str(STUDENT[name][0]) for name in NETWORKS]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "task:N",
            sort=list(labels.values()),
            title=None,
            axis=alt.Axis(labelAngle=0, labelExpr="split(datum.label, '\\n')"),
        ),
        xOffset=alt.XOffset("network:N", sort=order),
    )
    colour = alt.Color(
        "network:N",
        title=None,
        sort=order,
        scale=palette(STUDENT),
        legend=alt.Legend(orient="top", columns=2, labelLimit=320),
    )
    bars = base.mark_bar().encode(
        y=alt.Y("value:Q", title=str(Text("score on new examples", "新しい例での成績"))), color=colour
    )
    whiskers = base.mark_rule(color=BLACK).encode(y="low:Q", y2="high:Q")
    panels = [(bars + whiskers).properties(width=430, height=230)]
    weights = {name: measures[f"{name}.weights"].value / 1e3 for name in seconds}
    for title, values, scale in (
        (Text("weights (thousands)", "重みの数(千)"), weights, 1.0),
        (Text("CPU ms for a pair of sentences", "文対あたりの CPU 時間(ミリ秒)"), seconds, 1e3),
    ):
        costs = [{"network": str(STUDENT[name][0]), "value": scale * value} for name, value in values.items()]
        cost = alt.Chart(alt.Data(values=costs)).encode(
            x=alt.X("network:N", sort=order, title=None, axis=None), y=alt.Y("value:Q", title=str(title))
        )
        number = cost.mark_text(dy=-8).encode(text=alt.Text("value:Q", format=".3~g"))
        panels.append((cost.mark_bar().encode(color=colour) + number).properties(width=80, height=230))
    caption = Text(
        "A student of half the teacher's depth. It begins as every other layer of the teacher and learns to say what "
        "the teacher says (blue); beside it, the same without the teacher's words, the same from a random beginning, "
        "and the bare half. Right: what both cost. Lines: 95% intervals.",
        "教師の半分の深さの生徒。教師の層を一つおきに受け継ぎ、教師の答え方を学ぶ(青)。比較:教師の答えなしの学習、"
        "乱数からの出発、半分にしただけの場合。右は両者の費用。縦線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="shared"))
