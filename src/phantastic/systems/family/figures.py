"""The pictures of the study `family`: who sees what, who scores what, who comes from whom."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
from jaxtyping import Bool
from torch import Tensor

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.family.ancestry import FAMILY

NAMES = {
    "bert": Text("BERT", "BERT"),
    "dynamic": Text("BERT, dynamic masks", "BERT、動的マスク"),
    "roberta": Text("RoBERTa (no NSP)", "RoBERTa(次文予測なし)"),
    "xlnet": Text("XLNet", "XLNet"),
    "gpt": Text("GPT", "GPT"),
    "elmo": Text("ELMo", "ELMo"),
    "elmo-last": Text("ELMo, top layer", "ELMo、最上層のみ"),
    "skip-gram": Text("skip-gram", "skip-gram"),
    "untrained": Text("untrained", "未学習"),
    "majority": Text("commonest class", "最も多いクラス"),
    "frequency": Text("frequency of words", "語の頻度"),
}
TASKS = {
    "acceptability": Text("acceptability (Matthews)", "容認性(マシューズ相関)"),
    "paraphrase": Text("paraphrase (F1)", "言い換え(F1)"),
    "entailment": Text("entailment (accuracy)", "含意関係(正答率)"),
    "similarity": Text("similarity (Pearson)", "類似度(ピアソン相関)"),
    "ranking": Text("which sentence answers (accuracy)", "答えを含む文(正答率)"),
    "questions": Text("questions (F1)", "質問応答(F1)"),
    "average": Text("mean of the five", "5 課題の平均"),
}
USES = {
    "tuned": (Text("all weights tuned", "全体を微調整"), BLUE),
    "features": (Text("states as they are + LSTM", "状態をそのまま使う + LSTM"), ORANGE),
    "majority": (Text("baseline", "ベースライン"), BLACK),
}
VIEWS = {
    ("skip-gram", "alone"): Text("skip-gram", "skip-gram"),
    ("elmo", "forward"): Text("ELMo, forwards", "ELMo、前向き"),
    ("elmo", "backward"): Text("ELMo, backwards", "ELMo、後ろ向き"),
    ("gpt", "states"): Text("GPT", "GPT"),
    ("roberta", "states"): Text("BERT, RoBERTa", "BERT・RoBERTa"),
    ("xlnet", "content"): Text("XLNet, content stream", "XLNet、内容ストリーム"),
    ("xlnet", "query"): Text("XLNet, query stream", "XLNet、クエリストリーム"),
}


def row(measure: Measure, **names: object) -> dict[str, object]:
    low, high = measure.ends
    return {"value": measure.value, "low": low, "high": high, **names}


def points(
    rows: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    title: str,
    colour: alt.Color,
    uses: Sequence[str],
    **size: int,
) -> Any:
    """Values with their intervals, a line for each of ``which``; ``uses`` below one another on it."""
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        y=alt.Y("which:N", sort=list(order), title=None, axis=alt.Axis(labelLimit=200)),
        yOffset=alt.YOffset("use:N", sort=list(uses)),
        color=colour,
    )
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))
    rules = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    return (rules + base.mark_point(filled=True, size=60, opacity=1).encode(x=x)).properties(**size)


def scores(measures: Mapping[str, Measure]) -> Figure:
    """Every member on every task, tuned and as it is."""
    uses = [str(name) for name, _ in USES.values()]
    scale = alt.Scale(domain=uses, range=[colour for _, colour in USES.values()])
    panels = []
    for task in ("acceptability", "questions"):
        rows = []
        for name, label in NAMES.items():
            for use in ("tuned", "features"):
                if f"{use}.{name}.{task}" in measures:
                    measure = measures[f"{use}.{name}.{task}"]
                    rows.append(row(measure, which=str(label), use=str(USES[use][0])))
        if f"majority.{task}" in measures:
            rows.append(row(measures[f"majority.{task}"], which=str(NAMES["majority"]), use=str(USES["majority"][0])))
        colour = alt.Color("use:N", title=None, scale=scale, legend=alt.Legend(orient="top", labelLimit=260))
        order = [str(label) for label in NAMES.values()]
        panels.append(points(rows, order, str(TASKS[task]), colour, uses, width=210, height=300))
    caption = Text(
        "The members after reading the same texts equally often: all weights tuned on a task, or their states read as "
        "they are by a mix of the layers and an LSTM. Lines: 95% intervals.",
        "同じ文章を同じ回数だけ読んだ各モデル。課題で全体を微調整した場合と、状態をそのまま層の混合と LSTM で読む場合。"
        "線は 95% 区間。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def surprise(measures: Mapping[str, Measure]) -> Figure:
    """One hidden word of new texts."""
    sides = {
        "both": (Text("sees both sides", "両側を見る"), BLUE),
        "left": (Text("sees the left side", "左側だけを見る"), VERMILION),
        "none": (Text("baseline", "ベースライン"), BLACK),
    }
    side: dict[str, str] = dict.fromkeys(("bert", "dynamic", "roberta", "xlnet"), "both")
    side |= {"gpt": "left", "elmo": "left"}
    names = [name for name in NAMES if f"surprise.{name}" in measures]
    rows = [
        row(measures[f"surprise.{name}"], which=str(NAMES[name]), use="", side=str(sides[side.get(name, "none")][0]))
        for name in names
    ]
    colour = alt.Color(
        "side:N",
        title=None,
        scale=alt.Scale(domain=[str(name) for name, _ in sides.values()], range=[c for _, c in sides.values()]),
        legend=alt.Legend(orient="top", labelLimit=260),
    )
    title = str(Text("surprise at one hidden word (nats)", "隠された 1 語への驚き(ナット)"))
    chart = points(rows, [str(NAMES[name]) for name in names], title, colour, ("",), width=420, height=220)
    caption = Text(
        "How surprised each is at one word of a new text that it is not shown. BERT and XLNet see the words on both "
        "sides, GPT and ELMo's forward half those on the left, so compare within a colour. Lines: 95% intervals.",
        "新しい文章の 1 語を隠したときの驚き。BERT と XLNet は両側の語を、GPT と ELMo の前向き側は左側の語だけを見る。"
        "同じ色どうしで比べること。線は 95% 区間。",
    )
    return Figure(str(caption), chart)


def together(measures: Mapping[str, Measure]) -> Figure:
    """MT-DNN against ST-DNN on every task."""
    kinds = {
        "st-dnn": (Text("each task by itself (ST-DNN)", "課題ごとに別々(ST-DNN)"), SKY),
        "mt-dnn": (Text("all tasks at once (MT-DNN)", "全課題を同時に(MT-DNN)"), GREEN),
        "majority": (NAMES["majority"], BLACK),
    }
    names = [task for task in TASKS if f"mt-dnn.{task}" in measures]
    rows = [
        row(measures[f"{kind}.{task}"], which=str(TASKS[task]), use=str(label))
        for task in names
        for kind, (label, _) in kinds.items()
        if f"{kind}.{task}" in measures
    ]
    uses = [str(name) for name, _ in kinds.values()]
    colour = alt.Color(
        "use:N",
        title=None,
        scale=alt.Scale(domain=uses, range=[c for _, c in kinds.values()]),
        legend=alt.Legend(orient="top", labelLimit=260),
    )
    title = str(Text("score on new examples", "新しい例での成績"))
    chart = points(rows, [str(TASKS[task]) for task in names], title, colour, uses, width=420, height=240)
    caption = Text(
        "One network with a head for each task, against a network for each, after as many batches of every task from "
        "the same BERT. Black: who always says the commonest class; of similarity that is 0. Lines: 95% intervals.",
        "課題ごとに出力層をもつ 1 つのネットワークと、課題ごとに別々のネットワーク。どちらも同じ BERT から始め、"
        "各課題で同じ数のミニバッチを学習した。黒は常に最も多いクラスを答える場合(類似度では 0)。線は 95% 区間。",
    )
    return Figure(str(caption), chart)


def masks(found: Mapping[tuple[str, str], Bool[Tensor, "n n"]], words: Sequence[str], order: Sequence[int]) -> Figure:
    """Which words each position has seen."""
    panels = []
    sees = str(Text("word that is seen", "見られる語"))
    state = str(Text("state of", "状態の位置"))
    for key, title in VIEWS.items():
        rows = [{"i": i, "j": j, "seen": bool(found[key][i, j])} for i in range(len(words)) for j in range(len(words))]
        labels = "[" + ",".join(f"'{word}'" for word in words) + "][datum.value]"
        axis: Any = {"labelExpr": labels, "ticks": False}
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_rect(stroke="white")
            .encode(
                x=alt.X("j:O", title=sees, axis=alt.Axis(labelAngle=-45, **axis)),
                y=alt.Y("i:O", title=state if not len(panels) % 4 else None, axis=alt.Axis(**axis)),
                color=alt.Color("seen:N", legend=None, scale=alt.Scale(domain=[True, False], range=[BLUE, "#e8e8e8"])),
            )
        )
        panels.append(chart.properties(width=130, height=130, title=str(title)))
    turns = ", ".join(words[place] for place in order)
    caption = Text(
        f"Blue: the state at the word on the left hangs on the word below, as the gradients of the trained networks "
        f"tell. A query of XLNet sees the words before it in the order ({turns}) and never its own; BERT's states see "
        "theirs, so the word must be hidden from them.",
        f"青:左の語の位置の状態が、下の語に依存する(学習済みネットワークの勾配から求めた)。XLNet のクエリは、順序"
        f"({turns})で自分より前の語だけを見て、自分自身の語は決して見ない。BERT の状態は自分の語も見るので、"
        "その語を隠す必要がある。",
    )
    return Figure(str(caption), alt.vconcat(alt.hconcat(*panels[:4]), alt.hconcat(*panels[4:])))


def family() -> Figure:
    """The models in the order in which they appeared, and on what each builds."""
    kinds = {
        "network": (Text("takes over its network", "ネットワークを受け継ぐ"), BLUE, [1, 0]),
        "idea": (Text("takes up its idea", "考え方を受け継ぐ"), ORANGE, [5, 4]),
    }
    place = {each.name: number for number, each in enumerate(FAMILY)}
    rows = [
        {"name": each.name, "month": each.month, "place": place[each.name], "height": each.height} for each in FAMILY
    ]
    edges = [
        {
            "place": place[ancestor.name],
            "height": FAMILY[place[ancestor.name]].height,
            "to": place[each.name],
            "up": each.height,
            "kind": str(kinds[ancestor.kind][0]),
        }
        for each in FAMILY
        for ancestor in each.ancestors
    ]
    x = alt.X("place:Q", axis=None, scale=alt.Scale(domain=[-0.5, len(FAMILY) - 0.5]))
    y = alt.Y("height:Q", axis=None, scale=alt.Scale(domain=[-0.5, 4.5]))
    domain = [str(name) for name, _, _ in kinds.values()]
    colour, dash = ({"domain": domain, "range": [kind[number] for kind in kinds.values()]} for number in (1, 2))
    lines = (
        alt.Chart(alt.Data(values=edges))
        .mark_rule(strokeWidth=2)
        .encode(
            x=x,
            y=y,
            x2="to:Q",
            y2="up:Q",
            strokeDash=alt.StrokeDash("kind:N", title=None, scale=alt.Scale(**dash)),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(**colour), legend=alt.Legend(orient="top", labelLimit=260)
            ),
        )
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, y=y)
    layers: list[Any] = [lines, base.mark_point(filled=True, size=70, color=BLACK, opacity=1)]
    for field, shift, size in (("name:N", -13, 13), ("month:N", 14, 10)):
        halo = base.mark_text(dy=shift, fontSize=size, stroke="white", strokeWidth=5, strokeJoin="round")
        layers += [halo.encode(text=field), base.mark_text(dy=shift, fontSize=size).encode(text=field)]
    caption = Text(
        "The models in the order in which their papers appeared, and on what each builds by its own account. GPT-2 "
        "comes from GPT, not from BERT.",
        "論文が現れた順に並べた各モデルと、論文自身が述べる受け継ぎの関係。GPT-2 は BERT ではなく GPT から来ている。",
    )
    return Figure(str(caption), alt.layer(*layers).properties(width=720, height=320))
