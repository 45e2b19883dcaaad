"""The pictures of `cueing`: one trial under each cue, answers by delay, and what is learned of a cue."""

from collections.abc import Mapping, Sequence

import altair as alt

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure, summarise
from phantastic.show.figure import BLACK, BLUE, ORANGE, VERMILION, Figure
from phantastic.systems.movement.drawing import coloured, course, ends, heading, lines, moments

NAMES = {
    "valid": Text("valid cue", "正しい手がかり"),
    "neutral": Text("neutral cue", "中立の手がかり"),
    "invalid": Text("invalid cue", "誤った手がかり"),
}
APART = {"valid": -0.6, "neutral": 0.0, "invalid": 0.6}  # bins by which intervals are drawn beside each other
COLOURS = (BLUE, BLACK, VERMILION)


def trial(traces: Mapping[str, Mapping[str, Sequence[float]]], cue: int, target: int) -> Figure:
    """Attention, the believed target and the hand, of one seed."""
    titles = {
        "attention": Text("attention x (right > 0)", "注意 x(右 > 0)"),
        "right": Text("target believed on the right", "右に標的があるという信念"),
        "hand": Text("hand", "手"),
    }
    colour, panels = coloured([str(NAMES[name]) for name in traces], COLOURS), []
    for key, title in titles.items():
        rows = [row for name, each in traces.items() for row in course(each[key], str(NAMES[name]), each=name)]
        span = ends([row["y"] for row in rows])
        drawn = lines(rows, str(title), colour, y=span, width=230, height=170)
        rules = moments([(cue, ORANGE), (target, BLACK)], 1, max(row["t"] for row in rows))
        panels.append(alt.layer(*rules, drawn))
    caption = Text(
        "A target on the right (black dashes) after a cue (orange dashes) that points to it, to neither side, or away. "
        "The cue sets how precise the senses are believed to be there; what is precise is seen more.",
        "手がかり(橙の破線)のあとに右に現れる標的(黒の破線)。手がかりは標的の側、中立、反対側のいずれかを示す。"
        "手がかりはその場所の感覚の精度についての信念を定め、精度の高い場所はよく見える。",
    )
    return Figure(str(caption), alt.hconcat(*panels))


def delays(times: Mapping[tuple[str, int], Measure]) -> Figure:
    """When a target is answered, by the time since the cue."""
    rows = [
        {
            "delay": delay + APART[cue],
            "time": each.value,
            "low": each.ends[0],
            "high": each.ends[1],
            "which": str(NAMES[cue]),
        }
        for (cue, delay), each in times.items()
    ]
    data = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "delay:Q",
        title=str(Text("from cue to target (bins)", "手がかりから標的まで(ビン)")),
        scale=alt.Scale(zero=False, padding=12),
        axis=alt.Axis(values=sorted({delay for _, delay in times})),
    )
    y = alt.Y("time:Q", title=str(Text("answered after (bins)", "応答までの時間(ビン)")), scale=alt.Scale(zero=False))
    colour = coloured([str(name) for name in NAMES.values()], COLOURS)
    marks = (
        data.mark_rule(strokeWidth=1.5).encode(
            x=x, y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q", color=colour
        ),
        data.mark_line().encode(x=x, y=y, color=colour),
        data.mark_point(filled=True, size=45, opacity=1).encode(x=x, y=y, color=colour),
    )
    caption = Text(
        "How long a target takes to be answered, by the time since its cue (mean and 95% interval over seeds).",
        "手がかりからの時間ごとの、標的への応答にかかる時間(シードの平均と 95% 区間)。",
    )
    return Figure(str(caption), alt.layer(*marks).properties(width=320, height=220))


def learning(trust: Sequence[Sequence[float]], costs: Sequence[Sequence[float]], block: int) -> Figure:
    """Both by trial: mean over seeds with its interval."""
    panels = []
    for series, title, colour in (
        (trust, Text("trust in the cue, k (log odds)", "手がかりへの信頼 k(対数オッズ)"), BLUE),
        (costs, Text("cost of an invalid cue (bins)", "誤った手がかりの代償(ビン)"), VERMILION),
    ):
        means = [summarise(column) for column in zip(*series, strict=True)]
        rows = [
            {"trial": number, "mean": each.value, "low": each.ends[0], "high": each.ends[1]}
            for number, each in enumerate(means, start=1)
        ]
        x = alt.X("trial:Q", title=str(Text("trial", "試行")), scale=alt.Scale(domain=[1, 2 * block], nice=False))
        band = alt.Chart(alt.Data(values=rows)).mark_area(opacity=0.2, color=colour).encode(x=x, y="low:Q", y2="high:Q")
        line = alt.Chart(alt.Data(values=rows)).mark_line(color=colour).encode(x=x, y=alt.Y("mean:Q", title=None))
        rule = alt.Chart(alt.Data(values=[{"trial": block + 0.5}])).mark_rule(strokeDash=[4, 3]).encode(x=x)
        panels.append(alt.layer(band, line, rule).properties(width=280, height=190, title=heading(str(title))))
    caption = Text(
        "What a cue is worth is learned: cues tell the side at first, and from the dashes on they tell nothing (mean "
        "and 95% interval over seeds). With the trust goes what an invalid cue costs.",
        "手がかりの価値は学習される。はじめは手がかりが側を教え、破線から先は何も教えない(シードの平均と 95% 区間)。"
        "信頼が失われると、誤った手がかりの代償もなくなる。",
    )
    return Figure(str(caption), alt.hconcat(*panels))
