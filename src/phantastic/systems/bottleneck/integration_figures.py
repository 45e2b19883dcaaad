"""The pictures of the study `integration`."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.bottleneck.scores import Judgement

MODEL, LATE = Text("bottleneck", "ボトルネック"), Text("late fusion", "後期融合")
IDEAL, EYE, EAR = (
    Text("ideal observer", "理想観察者"),
    Text("sight alone", "視覚のみ"),
    Text("hearing alone", "聴覚のみ"),
)


def figures(
    located: Any, dubbed: Judgement, disparities: Sequence[float], shares: Mapping[str, Mapping[str, Sequence[float]]]
) -> dict[str, Figure]:
    """Of the first seed."""
    return {
        "weights": weights(located.weights),
        "spread": spread(located.weights, located.spreads),
        "ventriloquist": ventriloquist(located.capture, disparities),
        "dubbed": dubbing(dubbed),
        "syllables": syllables(shares),
    }


def weights(by_model: Mapping[str, list[float]]) -> Figure:
    """The weight of sight against the ideal observer's, at nine pairs of reliabilities."""
    rows = [
        {"x": best, "y": value, "name": str(name)}
        for key, name in (("bottleneck", MODEL), ("late", LATE))
        for best, value in zip(by_model["ideal"], by_model[key], strict=True)
    ]
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "x:Q",
        title=str(Text("weight of sight, ideal observer", "理想観察者での視覚の重み")),
        scale=alt.Scale(domain=[0, 1]),
    )
    dots = base.mark_point(filled=True, size=60).encode(
        x=x,
        y=alt.Y(
            "y:Q",
            title=str(Text("weight of sight, model", "モデルでの視覚の重み")),
            scale=alt.Scale(domain=[-0.1, 1.1]),
        ),
        color=alt.Color("name:N", title=None, scale=alt.Scale(domain=[str(MODEL), str(LATE)], range=[VERMILION, BLUE])),
        shape=alt.Shape("name:N", title=None, scale=alt.Scale(domain=[str(MODEL), str(LATE)])),
    )
    diagonal = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(
        strokeDash=[4, 4], color="#999999", strokeWidth=1
    )
    caption = Text(
        "The weight of sight in responses to a flash and a burst of nine pairs of reliabilities, against its weight in "
        "the ideal observer's responses to the same cues, which always have one source: the share of sight among the "
        "two coefficients of a regression of responses on the cues. But for the prior over places the ideal observer's "
        "is w = (1/σ²seen) / (1/σ²seen + 1/σ²heard).",
        "信頼性の異なる 9 通りの光と音(常に同じ音源)への応答における視覚の重み:"
        "応答を二つの手がかりに回帰した係数のうち視覚の割合。横軸は同じ手がかりに対する理想観察者での重み"
        "(位置の事前分布を除けば w = (1/σ²視) / (1/σ²視 + 1/σ²聴))。",
    )
    return Figure(str(caption), (diagonal.encode(x="x:Q", y="y:Q") + dots).properties(width=300, height=260))


def spread(sigmas: Mapping[str, list[float]], spreads: Mapping[str, list[float]]) -> Figure:
    """Distance of responses from the source, by the reliability of the burst, for each reliability of the flash."""
    names = {"rgb": EYE, "spectrogram": EAR, "late": LATE, "bottleneck": MODEL, "ideal": IDEAL}
    rows = [
        {
            "seen": f"σ {Text('of the flash', '(光)')} = {seen:g}",
            "heard": heard,
            "y": value,
            "name": str(names[key]),
        }
        for key in names
        for seen, heard, value in zip(sigmas["seen"], sigmas["heard"], spreads[key], strict=True)
    ]
    order = [str(name) for name in names.values()]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "heard:Q",
                title=str(Text("σ of the burst", "音の σ")),
                scale=alt.Scale(type="log", domain=[0.025, 0.15]),
            ),
            y=alt.Y("y:Q", title=str(Text("distance from the source (r.m.s.)", "音源からの距離(二乗平均平方根)"))),
            color=alt.Color(
                "name:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=[SKY, ORANGE, BLUE, VERMILION, BLACK]),
            ),
            column=alt.Column("seen:N", title=None),
        )
        .properties(width=170, height=200)
    )
    caption = Text(
        "How far responses lie from the source, in half widths of the picture. With both senses the ideal observer "
        "does better than with either (Ernst & Banks 2002); how near a model comes differs between the pairs.",
        "応答と音源の距離(画面の半幅を 1 とする)。理想観察者は両方の感覚を使うと、どちらか一方だけよりも"
        "正確になる(Ernst & Banks 2002)。モデルがどこまで近づくかは組によって異なる。",
    )
    return Figure(str(caption), chart)


def ventriloquist(capture: Mapping[str, list[float]], disparities: Sequence[float]) -> Figure:
    """How far sight draws what is heard, by disparity."""
    names = {"bottleneck": MODEL, "late": LATE, "ideal": IDEAL}
    rows = [
        {"x": disparity, "y": value, "name": str(names[key])}
        for key in names
        for disparity, value in zip(disparities, capture[key], strict=True)
    ]
    order = [str(name) for name in names.values()]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("x:Q", title=str(Text("disparity of flash and burst (half widths)", "光と音のずれ(画面の半幅)"))),
            y=alt.Y("y:Q", title=str(Text("capture of the sound by the sight", "視覚による音の引き寄せ"))),
            color=alt.Color(
                "name:N", title=None, sort=order, scale=alt.Scale(domain=order, range=[VERMILION, BLUE, BLACK])
            ),
        )
    )
    caption = Text(
        "The ventriloquist: where a burst is heard is drawn towards the flash, wholly (1) or not at all (0): where it "
        "is heard without sight less where it is heard with it, in units of the disparity. Near cues are taken for one "
        "event and fused, far ones kept apart (Körding et al. 2007).",
        "腹話術効果:音の位置は光の方へ引き寄せられる(1 は完全に、0 は全く引き寄せられない):"
        "光なしで聞こえる位置から光とともに聞こえる位置を引き、ずれで割った値。"
        "近い手がかりは 1 つの出来事として融合され、遠い手がかりは分けられる(Körding et al. 2007)。",
    )
    return Figure(str(caption), chart.properties(width=360, height=220))


def dubbing(judgement: Judgement) -> Figure:
    """Answers to congruent and incongruent events."""
    shares, agree, dub = judgement.told, str(Text("congruent", "一致")), str(Text("incongruent", "不一致"))
    rows = [
        {"trial": agree, "answer": str(Text("what was seen and heard", "見聞きしたもの")), "share": shares["accuracy"]},
        {"trial": agree, "answer": str(Text("another", "それ以外")), "share": shares["mistakes"]},
        {"trial": dub, "answer": str(Text("what was seen", "見たもの")), "share": shares["answers.seen"]},
        {"trial": dub, "answer": str(Text("what was heard", "聞いたもの")), "share": shares["answers.heard"]},
        {"trial": dub, "answer": str(Text("a third thing", "第三のもの")), "share": shares["answers.third"]},
    ]
    order = [row["answer"] for row in rows]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("trial:N", title=None, sort=[agree, dub]),
            x=alt.X("share:Q", title=str(Text("share of answers", "答えの割合")), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "answer:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=[GREEN, "#bbbbbb", BLUE, ORANGE, VERMILION]),
            ),
        )
    )
    times = [shares[f"time.{name}"] for name in ("congruent", "incongruent")]
    caption = Text(
        "Answers to events whose sight and sound agree, and to dubbed ones. Median time to decide: "
        f"{times[0]:.2g} s and {times[1]:.2g} s.",
        "視覚と聴覚が一致する出来事と、吹き替えた出来事への答え。"
        f"判断までの時間の中央値は {times[0]:.2g} 秒と {times[1]:.2g} 秒。",
    )
    return Figure(str(caption), chart.properties(width=380, height=90))


def syllables(shares: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """McGurk: answers to a labial heard on the lips of a velar, with nothing seen and with nothing heard."""
    places = [str(Text("lips (p, b)", "唇(p, b)")), str(Text("ridge (t, d)", "歯茎(t, d)"))]
    places.append(str(Text("velum (k, g)", "軟口蓋(k, g)")))
    conditions = {
        "hearing": str(Text("only the sound (p, b)", "音のみ(p, b)")),
        "sight": str(Text("only the lips (k, g)", "唇の動きのみ(k, g)")),
        "both": str(Text("both together", "両方")),
    }
    names = {"bottleneck": str(MODEL), "late": str(LATE), "ideal": str(IDEAL)}
    rows = [
        {"observer": names[name], "condition": title, "answer": places[place], "place": place, "share": share}
        for name in names
        for key, title in conditions.items()
        for place, share in enumerate(shares[name][key])
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("condition:N", title=None, sort=list(conditions.values()), axis=alt.Axis(labelLimit=200)),
            x=alt.X("share:Q", title=str(Text("share of answers", "答えの割合")), scale=alt.Scale(domain=[0, 1])),
            order=alt.Order("place:Q"),
            color=alt.Color(
                "answer:N", title=None, sort=places, scale=alt.Scale(domain=places, range=[ORANGE, VERMILION, BLUE])
            ),
            column=alt.Column("observer:N", title=None, sort=list(names.values())),
        )
    )
    caption = Text(
        "Answers, by place, to a labial heard on the lips of a velar, to its sound with no face and its face with no "
        "sound. The sound excludes the velum, the lips exclude a labial; the ridge between fits both "
        "(McGurk & MacDonald 1976).",
        "唇音の音声を軟口蓋音の口の動きに吹き替えた音節と、その音のみ、口の動きのみへの答え(調音位置別)。"
        "音は軟口蓋を、口の動きは唇音を除外し、間にある歯茎音はどちらとも矛盾しない(McGurk & MacDonald 1976)。",
    )
    return Figure(str(caption), chart.properties(width=170, height=90))
