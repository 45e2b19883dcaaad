"""The pictures of the study `probe`: trees, layers, controls, ranks."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import torch

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.run.folder import Run
from phantastic.show.figure import BLACK, BLUE, ORANGE, Figure
from phantastic.systems.probe.arcs import arcs
from phantastic.systems.probe.measure import geometry
from phantastic.systems.probe.study import ProbeRecipe
from phantastic.systems.probe.subject import networks, sentences_of, vectors_of
from phantastic.systems.probe.trees import distances, spanning_tree

TRAINED, UNTRAINED = Text("trained", "学習済み"), Text("untrained", "未学習")
CHAIN = Text("words in a row", "単語の連鎖")
SHARE, RANKS = Text("UUAS", "UUAS"), Text("rank of the probe", "プローブの階数")
CONTROLS = {
    "best": Text("best layer", "最良の層"),
    "pieces": Text("words read in pieces, best layer", "語を部分に切って読む、最良の層"),
    "jabberwocky": Text("… of invented words", "… 造語の文"),
    "untrained": Text("untrained network", "未学習のネットワーク"),
    "projected": Text("word vectors, random LSTM", "単語ベクトルと無作為な LSTM"),
    "decayed": Text("word vectors, neighbours blurred in", "単語ベクトルと近隣の重み付き平均"),
    "words": Text("word vectors alone", "単語ベクトルのみ"),
    "linear": CHAIN,
    "random": Text("random vectors", "無作為なベクトル"),
    "control": Text("best layer, control trees", "最良の層、対照課題の木"),
    "star": Text("… without any word: a star", "… 単語を見ない星形"),
}
# BERT-Base, layer 7, on the Penn Treebank (Hewitt & Manning 2019, figure 5)
PUBLISHED = {
    1: 0.266,
    2: 0.389,
    4: 0.509,
    8: 0.659,
    16: 0.742,
    32: 0.780,
    64: 0.795,
    128: 0.799,
    256: 0.797,
    512: 0.797,
}


def figures(run: Run[ProbeRecipe]) -> dict[str, Figure]:
    """All figures of a finished run."""
    measures = run.measures()
    pictures = {"trees": trees(run), "layers": layers(measures), "controls": controls(measures)}
    return pictures | ({"ranks": ranks(measures)} if any(name.startswith("rank") for name in measures) else {})


@torch.no_grad()
def trees(run: Run[ProbeRecipe]) -> Figure:
    """Gold and predicted trees of three test sentences of about ten words, of the first seed."""
    recipe = run.recipe
    test = sentences_of(recipe, recipe.seed)[2]
    selected = sorted(sorted(range(len(test)), key=lambda number: abs(len(test.forms[number]) - 10))[:3])
    trained, examples = networks(run), test.chosen(selected)
    vectors = vectors_of(run, trained["network"], examples)
    space = geometry([trained["distance"](words) for words in vectors], "distance")
    charts = [
        arcs(words, spanning_tree(gold, ~marks), spanning_tree(predicted, ~marks))
        for words, gold, marks, predicted in zip(
            examples.forms, distances(examples.heads), examples.punctuation, space, strict=True
        )
    ]
    caption = Text(
        "Test sentences: their gold trees above, below the trees in the space of the best layer, the minimum spanning "
        "trees over the probe's distances.",
        "テスト文。上が正解の構文木、下が最良の層の空間にある木(プローブの距離による最小全域木)。",
    )
    return Figure(str(caption), alt.vconcat(*charts, spacing=18))


def layers(measures: Mapping[str, Measure]) -> Figure:
    """UUAS, DSpr, root accuracy and NSpr by layer."""
    panels = []
    numbers = sorted(int(name[5:-5]) for name in measures if name.startswith("layer") and name.endswith(".uuas"))
    titles = {
        "uuas": SHARE,
        "dspr": Text("DSpr.", "DSpr."),
        "root": Text("root found", "根の正答率"),
        "nspr": Text("NSpr.", "NSpr."),
    }
    kinds = [(TRAINED, "layer", BLUE), (UNTRAINED, "untrained.layer", ORANGE)]
    colour = alt.Color(
        "which:N",
        title=None,
        legend=alt.Legend(orient="top", symbolOpacity=1),
        scale=alt.Scale(domain=[str(kind) for kind, *_ in kinds] + [str(CHAIN)], range=[BLUE, ORANGE, BLACK]),
    )
    for measure, title in titles.items():
        rows = [
            {
                "layer": number,
                "value": measures[name].value,
                "low": measures[name].low,
                "high": measures[name].high,
                "which": str(kind),
            }
            for kind, prefix, _ in kinds
            for number in numbers
            if (name := f"{prefix}{number}.{measure}") in measures
        ]
        x = alt.X(
            "layer:Q",
            title=str(Text("layer", "層")),
            axis=alt.Axis(values=numbers, format="d"),
            scale=alt.Scale(domain=[min(numbers), max(numbers)]),
        )
        y = alt.Y("value:Q", title=str(title), scale=alt.Scale(zero=False))
        base = alt.Chart(alt.Data(values=rows))
        parts: list[Any] = [base.mark_line(point=True).encode(x=x, y=y, color=colour)]
        if any(row["low"] is not None for row in rows):
            parts.insert(0, base.mark_area(opacity=0.2).encode(x=x, y="low:Q", y2="high:Q", color=colour))
        if f"linear.{measure}" in measures:
            level = alt.Data(values=[{"value": measures[f"linear.{measure}"].value, "which": str(CHAIN)}])
            parts.append(alt.Chart(level).mark_rule(strokeDash=[5, 3]).encode(y=y, color=colour))
        panels.append(alt.layer(*parts).properties(width=210, height=170))
    caption = Text(
        "What probes find in each layer of the trained network and of the same one before training. Layer 0 is what "
        "enters the first. Broken line: words in a row, the first one the root; nothing is fitted.",
        "学習済みネットワークと学習前の同じネットワークの各層でプローブが見つけるもの。層 0 は最初の層への入力。"
        "破線は単語をただ順につないだもの(根は先頭の語)で、何も学習しない。",
    )
    return Figure(str(caption), alt.vconcat(alt.hconcat(*panels[:2]), alt.hconcat(*panels[2:])))


def controls(measures: Mapping[str, Measure]) -> Figure:
    """UUAS of the best layer and of all that it is held against."""
    rows = []
    for name, title in CONTROLS.items():
        if (measure := measures.get(f"{name}.uuas")) is not None:
            rows.append(
                {
                    "name": str(title),
                    "value": measure.value,
                    "low": measure.low,
                    "high": measure.high,
                    "text": f"{measure.value:.2f}",
                }
            )
    y = alt.Y("name:N", title=None, sort=[row["name"] for row in rows], axis=alt.Axis(labelLimit=260))
    x = alt.X("value:Q", title=str(SHARE), scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(alt.Data(values=rows))
    parts: list[Any] = [base.mark_bar(color=BLUE, opacity=0.75, height=14).encode(x=x, y=y)]
    if any(row["low"] is not None for row in rows):
        parts.append(base.mark_rule(color=BLACK).encode(x="low:Q", x2="high:Q", y=y))
    parts.append(
        base.mark_text(align="left", dx=12, color=BLACK).encode(
            x=alt.X("high:Q") if rows[0]["high"] else x, y=y, text="text:N"
        )
    )
    caption = Text(
        "UUAS in the test sentences, with 95% intervals. A probe sees more in a trained network than in vectors that "
        "know words and their places; of control trees a star has about half without any word, more can only be found "
        "by remembering words.",
        "テスト文の UUAS と 95% 区間。学習済みネットワークの中には、単語と位置だけを知るベクトルより多くが見つかる。"
        "対照課題の木は、約半分が単語を見ない星形でも当たり、それ以上は単語を覚えることでしか見つけられない。",
    )
    return Figure(str(caption), alt.layer(*parts).properties(width=340))


def ranks(measures: Mapping[str, Measure]) -> Figure:
    """UUAS and DSpr by the probe's rank, at the best layer, and the published curve of BERT."""
    network = Text("this network", "このネットワーク")
    names = ours, theirs = str(network), str(Text("BERT-Base, layer 7 (published)", "BERT-Base 第 7 層(論文)"))
    numbers = sorted(int(name[4:-5]) for name in measures if name.startswith("rank") and name.endswith(".uuas"))
    rows = [
        {
            "rank": n,
            "value": measures[f"rank{n}.uuas"].value,
            "low": measures[f"rank{n}.uuas"].low,
            "high": measures[f"rank{n}.uuas"].high,
            "which": ours,
        }
        for n in numbers
    ]
    rows += [
        {"rank": n, "value": value, "low": value, "high": value, "which": theirs} for n, value in PUBLISHED.items()
    ]
    x = alt.X(
        "rank:Q",
        title=str(RANKS),
        scale=alt.Scale(type="log", base=2),
        axis=alt.Axis(values=sorted({*numbers, *PUBLISHED}), format="d"),
    )
    y = alt.Y("value:Q", title=str(SHARE))
    colour = alt.Color(
        "which:N",
        title=None,
        scale=alt.Scale(domain=names, range=[BLUE, "#888888"]),
        legend=alt.Legend(orient="top", labelLimit=260, symbolOpacity=1),
    )
    base = alt.Chart(alt.Data(values=rows))
    parts: list[Any] = [
        base.mark_line(point=True).encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=alt.StrokeDash("which:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [4, 3]])),
        )
    ]
    if rows[0]["low"] is not None:
        parts.insert(0, base.mark_area(opacity=0.2).encode(x=x, y="low:Q", y2="high:Q", color=colour))
    caption = Text(
        "UUAS by the rank of the probe: how many dimensions of the space the tree takes. Sentences and networks differ "
        "between the curves; compare their shapes.",
        "プローブの階数と UUAS:木が空間の何次元を占めるか。2 つの曲線は文もネットワークも異なる。比べるのは形である。",
    )
    return Figure(str(caption), alt.layer(*parts).properties(width=380, height=220))
