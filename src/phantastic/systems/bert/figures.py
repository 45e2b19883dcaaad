"""The pictures of the study `bert`: learning against the floor, masked words, attention, agreement."""

from collections.abc import Mapping, Sequence
from math import sqrt

import altair as alt
import numpy as np
import torch
from jaxtyping import Bool, Float

from phantastic.declare.i18n import Text
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Language
from phantastic.show.figure import BLACK, BLUE, ORANGE, VERMILION, Figure
from phantastic.systems.bert.agreement import Agreement
from phantastic.systems.bert.reading import Sentences, best_words, likely_words, read, sentences_of

EXAMPLES = {  # shown in the figures, for each language
    "english": ("the knights near the tower [MASK] a dragon .", "the farmer feeds the cow . the [MASK] runs ."),
    "japanese": ("塔 の近く の 騎士 は 竜 を [MASK] 。", "農夫 は 牛 を 養う 。 [MASK] は 走る 。"),
}
MODEL, BEST = Text("BERT", "BERT"), Text("the best reader there can be", "可能な最良の読み手")
SHOWN = 8  # words of a prediction
SEEN = 0.005  # a probability that can be seen as a bar


def learning(points: Sequence[Mapping[str, float]]) -> Figure:
    """Masked loss and next-sentence accuracy on the test pairs by training step, each with the best that can be."""
    names = [str(MODEL), str(BEST)]
    colour = alt.Color(
        "which:N",
        title=None,
        scale=alt.Scale(domain=names, range=[BLUE, VERMILION]),
        legend=alt.Legend(orient="bottom"),
    )
    dash = alt.StrokeDash("which:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]))
    panels = []
    for key, best, title, top in (
        ("masked.loss", "masked.floor", Text("loss, nats per masked word", "損失(ナット/隠した語)"), None),
        ("next.accuracy", "next.bayes", Text("next sentence: share right", "次文予測の正答率"), 1.0),
    ):
        rows = [
            {"step": point["step"], "value": point[name], "which": which}
            for point in points
            for name, which in ((key, names[0]), (best, names[1]))
        ]
        domain = alt.Undefined if top is None else [0.4, top]
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_line(point=alt.OverlayMarkDef(size=18))
            .encode(
                x=alt.X(
                    "step:Q",
                    title=str(Text("training step", "学習ステップ")),
                    scale=alt.Scale(type="symlog"),
                    axis=alt.Axis(values=[10**power for power in range(7)], labelExpr="format(datum.value, ',')"),
                ),
                y=alt.Y("value:Q", title=str(title), scale=alt.Scale(domain=domain, zero=top is None)),
                color=colour,
                strokeDash=dash,
            )
        )
        panels.append(chart.properties(width=300, height=220))
    loss, excess, floor = (points[-1][f"masked.{name}"] for name in ("loss", "excess", "floor"))
    caption = Text(
        f"Learning to read from both sides. Left: surprise at masked words of new sentences; it ends at "
        f"{loss:.2f} nats, {excess:+.0%} of the {floor:.2f} nats that the grammar itself leaves open (dashed: the "
        "exact posterior on the same inputs). Right: telling whether the second sentence follows the first; dashed: "
        "Bayes' rule.",
        f"両側から読むことの学習。左:新しい文の隠された語への驚き。最後は {loss:.2f} ナットで、"
        f"文法そのものに残る不確かさ {floor:.2f} ナット(破線:同じ入力での正確な事後分布)との差は {excess:+.0%}。"
        "右:第 2 文が第 1 文の続きかどうかの判断。破線はベイズの規則による最良の正答率。",
    )
    return Figure(str(caption), alt.hconcat(*panels).resolve_scale(color="shared"))


def cloze(model: Model, language: Language) -> Figure:
    """What the model expects at a masked place, beside the exact posterior; one panel for each example."""
    panels = []
    for text in EXAMPLES[language.name]:
        sentences = sentences_of(language, text, "figure")
        (likely,), (best,) = likely_words(model, language, sentences), best_words(language, sentences)
        panels.append(expected(likely, best, text))
    caption = Text(
        "What stands at [MASK]? Blue: the probabilities that BERT gives; orange: the exact posterior, from the grammar "
        "by Bayes' rule.",
        "[MASK] には何が入るか。青:BERT の与える確率。橙:文法からベイズの規則で求めた正確な事後確率。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def expected(likely: Mapping[str, float], best: Mapping[str, float], text: str) -> alt.Chart:
    names = [str(MODEL), str(BEST)]
    highest = {word: max(p.get(word, 0.0) for p in (likely, best)) for word in dict.fromkeys([*likely, *best])}
    order = sorted(highest, key=lambda word: -(best or likely).get(word, 0.0))
    order = [word for word in order if highest[word] > SEEN][:SHOWN] or order[:SHOWN]
    rows = [
        {"word": word, "p": round(p.get(word, 0.0), 5), "which": name}
        for name, p in zip(names, (likely, best), strict=True)
        for word in order
    ]
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("word:N", sort=order, title=None, axis=alt.Axis(labelLimit=200)),
            yOffset=alt.YOffset("which:N", sort=names),
            x=alt.X("p:Q", title=str(Text("probability", "確率")), axis=alt.Axis(tickCount=5)),
            color=alt.Color(
                "which:N",
                title=None,
                scale=alt.Scale(domain=names, range=[BLUE, ORANGE]),
                legend=alt.Legend(orient="bottom", labelLimit=260),
            ),
        )
    )
    return bars.properties(width=260, height=24 * len(order), title=text)


def attention(model: Model, language: Language, text: str) -> Figure:
    """Where each head of each layer looks, for one text: a row of panels for each layer."""
    sentences = sentences_of(language, text, "figure")
    tokens, weights = attended(model, language, sentences)
    return Figure(attention_caption(text), head_panels(tokens, weights))


def attention_caption(text: str) -> str:
    caption = Text(
        f"Attention in “{text}”: a row of a panel is a word that looks, a column a word it looks at; the darker, the "
        "larger the weight. The weights of a row sum to one.",
        f"「{text}」での注意。各図の行は見る語、列は見られる語。濃いほど重みが大きい。各行の重みの和は 1。",
    )
    return str(caption)


@torch.no_grad()
def attended(
    model: Model, language: Language, sentences: Sentences
) -> tuple[list[str], Float[np.ndarray, "layers heads words words"]]:
    """The tokens of a text and the weights of every head."""
    batch = read(language, sentences)
    device = next(model.parameters()).device
    result = model(
        batch.input_ids.to(device),
        attention_mask=batch.attention_mask.to(device),
        token_type_ids=batch.token_type_ids.to(device),
        output_attentions=True,
    )
    assert result.attentions is not None
    weights = torch.stack([layer[0] for layer in result.attentions if isinstance(layer, torch.Tensor)])
    return [language.wordpiece.vocabulary[int(token)] for token in batch.input_ids[0]], weights.float().cpu().numpy()


def head_panels(tokens: Sequence[str], weights: np.ndarray) -> alt.TopLevelMixin:
    """A small matrix for every layer and head; places keep words that occur twice apart."""
    side = max(90, 12 * len(tokens))
    label = "['" + "','".join(word.replace("'", "\\'") for word in tokens) + "'][datum.value]"
    shade, rows = alt.Scale(domain=[0, 1], range=["#ffffff", BLUE], interpolate="rgb"), []
    for layer, of_layer in enumerate(weights):
        panels = []
        for head, matrix in enumerate(of_layer):
            values = [{"q": q, "k": k, "w": round(float(weight), 3)} for (q, k), weight in np.ndenumerate(matrix)]
            heading = str(Text(f"layer {layer + 1}, head {head + 1}", f"第 {layer + 1} 層 ヘッド {head + 1}"))
            axis = {"labelExpr": label, "title": None, "labelFontSize": 9, "ticks": False, "labelOverlap": False}
            chart = (
                alt.Chart(alt.Data(values=values))
                .mark_rect()
                .encode(
                    x=alt.X("k:O", axis=alt.Axis(labelAngle=-60, **axis) if layer == len(weights) - 1 else None),
                    y=alt.Y("q:O", axis=alt.Axis(**axis) if head == 0 else None),
                    color=alt.Color("w:Q", scale=shade, legend=None),
                )
            )
            panels.append(chart.properties(width=side, height=side, title=alt.Title(heading, fontSize=10)))
        rows.append(alt.hconcat(*panels, spacing=8))
    return alt.vconcat(*rows, spacing=8)


def agreement(items: Agreement, right: Bool[np.ndarray, " items"]) -> Figure:
    """Share of verbs whose right form is the more probable one, by attractors and by distance."""
    panels = []
    for values, title, most in (
        (
            items.attractors,
            Text("attractors (nouns of the other number between)", "誘引子(間にある、数の異なる名詞)"),
            2,
        ),
        (items.distance, Text("words from subject to verb", "主語から動詞までの語数"), 10),
    ):
        rows = []
        groups = np.minimum(values, most)
        for group in np.unique(groups):
            chosen = right[groups == group]
            low, high = wilson(int(chosen.sum()), len(chosen))
            name = f"{group}+" if group == most else str(group)
            rows.append({"group": name, "share": float(chosen.mean()), "low": low, "high": high, "n": len(chosen)})
        order = [row["group"] for row in rows]
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X("group:N", sort=order, title=str(title), axis=alt.Axis(labelAngle=0))
        )
        points = base.mark_point(filled=True, size=60, color=BLUE).encode(
            y=alt.Y(
                "share:Q",
                title=str(Text("right form preferred", "正しい形を選んだ割合")),
                scale=alt.Scale(domain=[0, 1]),
            )
        )
        bars = base.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q")
        counts = base.mark_text(color="#666666", fontSize=9, baseline="bottom").encode(y=alt.value(-3), text="n:Q")
        chance = (
            alt.Chart(alt.Data(values=[{"share": 0.5}])).mark_rule(color=BLACK, strokeDash=[4, 4]).encode(y="share:Q")
        )
        panels.append((chance + bars + points + counts).properties(width=260, height=200))
    caption = Text(
        "Agreement: one verb is masked; is the form that agrees with its subject more probable than the other? With "
        "95% intervals (Wilson) and numbers of sentences; dashed: chance.",
        "一致:動詞を 1 つ隠し、主語と一致する形のほうが確率が高いかを見る。"
        "95% 区間(Wilson)と文の数つき。破線は偶然の水準。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% score interval of a share (Wilson 1927)."""
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - reach, middle + reach
