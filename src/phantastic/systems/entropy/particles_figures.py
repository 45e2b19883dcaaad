"""The pictures of the box: release and return, speeds and energies, particles watched one by one, the piston."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np

from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Figure
from phantastic.systems.entropy.drawing import HEADING, Rows, coloured, curve, dots, powers, rows

Traces = Mapping[str, Mapping[str, list]]
TIME = Text("time", "時間")


def across(end: float, ticks: int = 4) -> alt.X:
    """Time, from 0 to ``end``."""
    scale = alt.Scale(domain=[0, end], nice=False)
    return alt.X("x:Q", title=str(TIME), scale=scale, axis=alt.Axis(tickCount=ticks, format="~f"))


def one_box(places: Any, upper: Any, title: str) -> alt.LayerChart | alt.FacetChart:
    """The disks, each in the colour of the half that it started in."""
    points = [{"x": x, "y": y, "which": bool(above)} for (x, y), above in zip(places, upper, strict=True)]
    scale, bare = alt.Scale(domain=[0, 1], nice=False), alt.Axis(labels=False, ticks=False, grid=False, title=None)
    colour = alt.Color("which:N", legend=None, scale=alt.Scale(domain=[True, False], range=[BLUE, VERMILION]))
    frame = alt.Chart(alt.Data(values=[{"x": 0, "y": 0, "x2": 1, "y2": 1}])).mark_rect(
        fillOpacity=0, stroke=BLACK, strokeWidth=1
    )
    return alt.layer(
        frame.encode(
            x=alt.X("x:Q", scale=scale, axis=bare), y=alt.Y("y:Q", scale=scale, axis=bare), x2="x2:Q", y2="y2:Q"
        ),
        dots(points, size=16).encode(x="x:Q", y="y:Q", color=colour),
    ).properties(width=125, height=125, title=alt.TitleParams(title, **HEADING))


def box(traces: Traces, measures: Mapping[str, Measure], turned: float) -> Figure:
    """Disks at five times above the entropy that is counted: there and, with all velocities reversed, back."""
    out, back, nudged = traces["out"], traces["back"], traces["nudged"]
    upper = np.array(out["places"][0])[:, 1] > 0.5
    soon = out["t"][len(out["t"]) // 16]
    boxes = [
        one_box(out["places"][0], upper, "t = 0"),
        one_box(out["places"][1], upper, f"t = {soon:.2g}"),
        one_box(out["places"][2], upper, str(Text(f"t = {turned:g}: turned round", f"t = {turned:g}:逆転"))),
        one_box(back["places"][2], upper, str(Text(f"t = {2 * turned:g}: back", f"t = {2 * turned:g}:元に戻る"))),
        one_box(nudged["places"][2], upper, str(Text(f"t = {2 * turned:g}: not back", f"t = {2 * turned:g}:戻らない"))),
    ]
    names = [
        str(Text("forwards", "順方向")),
        str(Text("all velocities reversed", "全速度を逆転")),
        str(Text("and one disk displaced by 6e-14", "さらに円板一つを 6e-14 ずらす")),
    ]
    lines = rows(out["t"], out["entropy"], which=names[0])
    for name, course in zip(names[1:], (back, nudged), strict=True):
        lines += rows([turned + t for t in course["t"]], course["entropy"], which=name)
    x = across(2 * turned, 8)
    y = alt.Y("y:Q", title=str(Text("ln W / N (nats)", "ln W / N(nat)")), scale=alt.Scale(zero=False))
    strewn = alt.Chart(alt.Data(values=[{"y": measures["entropy.scattered"].value}])).mark_rule(strokeDash=[5, 4])
    layers = alt.layer(
        strewn.encode(y="y:Q"),
        curve(lines, strokeWidth=1.8).encode(
            x=x, y=y, color=coloured(names, (BLACK, GREEN, ORANGE), orient="bottom", columns=3)
        ),
    ).properties(width=685, height=170)
    caption = Text(
        "Entropy grows although every collision could as well run backwards. Disks are released from the left half "
        "(drawn larger than they are; the colours say where they started) and fill the box; the entropy of 16 cells "
        "rises to that of disks strewn at random (dashed). With all velocities reversed they return, to the bit, and "
        "entropy falls. If one disk is first displaced by the smallest step there is, they do not.",
        "どの衝突も逆向きに起こりうるのに、エントロピーは増える。左半分から解放された円板(実際より大きく描いた。色は最"
        "初の位置)は箱を満たし、16 区画で数えたエントロピーは無作為にまいた場合の値(破線)まで上がる。全速度を逆転させ"
        "ると、1 ビットも違わず元に戻り、エントロピーは下がる。その前に円板一つを最小の一目盛りだけずらすと、もう戻ら"
        "ない。",
    )
    return Figure(
        str(caption),
        alt.vconcat(alt.hconcat(*boxes, spacing=15), layers, spacing=14).resolve_scale(color="independent"),
    )


def speeds(traces: Traces) -> Figure:
    """How speeds are spread at the start and late, with collisions and without, on Maxwell's law; and the energies."""
    late = len(traces["out"]["t"]) // 2
    law = str(Text("Maxwell's law", "マクスウェルの法則"))
    kinds = {
        str(Text("with collisions, late", "衝突あり(後半)")): np.ravel(traces["out"]["energies"][late:]),
        str(Text("without collisions, late", "衝突なし(後半)")): np.ravel(traces["free"]["energies"][late:]),
    }
    edges = np.linspace(0, 4, 41)
    middle, bars = (edges[1:] + edges[:-1]) / 2, []
    for name, energies in kinds.items():
        density = np.histogram(np.sqrt(2 * energies), edges)[0] / energies.size / (edges[1] - edges[0])
        bars += rows(middle, density, which=name)
    temperature = float(np.mean(next(iter(kinds.values()))))
    smooth = rows(edges, edges / temperature * np.exp(-(edges**2) / 2 / temperature), which=law)
    colour = coloured([*kinds, law], (BLUE, ORANGE, BLACK), orient="bottom", columns=1)
    x = alt.X("x:Q", title=str(Text("speed", "速さ")), scale=alt.Scale(domain=[0, 4], nice=False))
    y = alt.Y("y:Q", title=str(Text("density", "確率密度")), scale=alt.Scale(domain=[0, 1.5], nice=False, clamp=True))
    left = alt.layer(
        alt.Chart(alt.Data(values=bars))
        .mark_bar(size=7, opacity=0.55, clip=True)
        .encode(x=x, y=y.stack(None), color=colour),
        curve(smooth).encode(x=x, y=y, color=colour),
    ).properties(width=330, height=220)
    number = len(traces["out"]["energies"][0])
    kinetic = np.sum(traces["out"]["energies"], -1) / number
    potential = np.array(traces["out"]["potential"]) / number
    names = ["E = K + U", "K", "U"]
    terms = [r for name, e in zip(names, (kinetic + potential, kinetic, potential), strict=True)
             for r in rows(traces["out"]["t"], e, which=name)]  # fmt: skip
    t = across(traces["out"]["t"][-1])
    up = alt.Y(
        "y:Q",
        title=str(Text("energy per disk", "円板あたりのエネルギー")),
        scale=alt.Scale(domain=[0, 1.1], nice=False),
    )
    right = (
        curve(terms, strokeWidth=1.5)
        .encode(x=t, y=up, color=coloured(names, (BLACK, VERMILION, SKY), orient="bottom"))
        .properties(width=300, height=220)
    )
    caption = Text(
        "Disks that all start equally fast (√2) come to the speeds of Maxwell's law by colliding; without collisions "
        "they keep theirs (the bar goes on above). Right: motion becomes tension and motion again; their sum stays.",
        "同じ速さ(√2)で出発した円板は、衝突によってマクスウェルの法則の速度分布に至る。衝突がなければ速さは変わらない"
        "(棒は枠の上まで続く)。右:運動エネルギーとポテンシャルエネルギーは移り変わるが、和は一定である。",
    )
    return Figure(str(caption), alt.hconcat(left, right, spacing=30).resolve_scale(color="independent"))


def ergodic(traces: Traces) -> Figure:
    """Running means of vx² of six disks, with collisions and without; and how far all disks are spread."""
    titles = {"gas": Text("with collisions", "衝突あり"), "free": Text("without collisions", "衝突なし")}
    names, colours = [str(title) for title in titles.values()], (BLUE, ORANGE)
    end = traces["gas"]["t"][-1]
    top = 1.05 * max(max(max(row) for row in each["means"]) for each in traces.values())
    panels = []
    for (kind, title), shade in zip(titles.items(), colours, strict=True):
        each = traces[kind]
        lines = [r for disk in range(len(each["means"][0]))
                 for r in rows(each["t"], [row[disk] for row in each["means"]], which=disk)]  # fmt: skip
        x = across(end)
        y = alt.Y(
            "y:Q",
            title=str(Text("mean of vx² up to then", "それまでの vx² の平均")),
            scale=alt.Scale(domain=[0, top], nice=False),
        )
        panels.append(
            curve(lines, strokeWidth=1.3, color=shade)
            .encode(x=x, y=y, detail="which:N")
            .properties(width=205, height=190, title=alt.TitleParams(str(title), **HEADING))
        )
    first = traces["gas"]["t"][0]
    root = str(Text("1 / √time", "1 / √時間"))
    spread = [r for kind, name in zip(titles, names, strict=True)
              for r in rows(traces[kind]["t"], traces[kind]["spread"], which=name)]  # fmt: skip
    last = traces["gas"]["spread"][-1]
    guide = rows([first, end], [last * (end / first) ** 0.5, last], which=root)
    colour = coloured([*names, root], (*colours, BLACK), orient="bottom", columns=1)
    highest = max(r["y"] for r in spread + guide)
    x = powers(str(TIME), first, end, "x", digits=(1, 2, 5))
    y = powers(
        str(Text("spread over disks / mean", "円板間のばらつき / 平均")),
        0.8 * last,
        1.2 * highest,
        "y",
        digits=(1, 2, 5),
    )
    right = alt.layer(curve(guide, strokeDash=[5, 4], strokeWidth=1.2), curve(spread)).encode(x=x, y=y, color=colour)
    caption = Text(
        "With collisions what one disk does over a long time is what all do at one time: the means of six disks meet "
        "at that of all, and those of all disks draw together as one over the root of time. Without collisions each "
        "keeps its own.",
        "衝突があれば、一つの円板の長時間平均は、ある時刻のすべての円板の平均に等しい。6 個の円板の平均は全体の平均に"
        "近づき、ばらつきは時間の平方根に反比例して縮む。衝突がなければ、それぞれが自分の値を保つ。",
    )
    return Figure(
        str(caption),
        alt.hconcat(*panels, right.properties(width=205, height=190), spacing=22).resolve_scale(color="independent"),
    )


def piston(traces: Traces) -> Figure:
    """Energy per disk by length, there and back."""
    kinds = {
        "slow": (Text("slowly", "ゆっくり"), BLUE),
        "quick": (Text("quickly", "急激に"), VERMILION),
        "free": (Text("slowly, without collisions", "ゆっくり、衝突なし"), ORANGE),
        "bath": (Text("slowly, in touch with a bath", "ゆっくり、熱浴に接して"), GREEN),
    }
    ways = [str(Text("pressed together", "圧縮")), str(Text("let go back", "膨張"))]
    lines: Rows = []
    for kind, (name, _) in kinds.items():
        for way, key in zip(ways, (kind, f"{kind} back"), strict=True):
            if key in traces:
                lines += rows(traces[key]["length"], traces[key]["energy"], which=str(name), way=way)
    lengths = np.linspace(0.5, 1, 40)
    law = str(Text("E L constant", "E L 一定"))
    theory = rows(lengths, 1 / lengths, which=law, way=ways[0])
    names = [*(str(name) for name, _ in kinds.values()), law]
    colour = coloured(names, [*(shade for _, shade in kinds.values()), BLACK], orient="right")
    dash = alt.StrokeDash(
        "way:N",
        title=None,
        scale=alt.Scale(domain=ways, range=[[1, 0], [3, 3]]),
        legend=alt.Legend(symbolType="stroke"),
    )
    x = powers(str(Text("length of the box L", "箱の長さ L")), 0.5, 1.0, "x", digits=(5, 6, 7, 8, 9, 10))
    y = powers(str(Text("energy per disk E / N", "円板あたりのエネルギー E / N")), 0.7, 3.6, "y", digits=(1, 1.5, 2, 3))
    chart = alt.layer(
        curve(theory, strokeWidth=4, opacity=0.35).encode(x=x, y=y, color=colour),
        curve(lines, strokeWidth=1.5, clip=True).encode(x=x, y=y, color=colour, strokeDash=dash),
    ).properties(width=420, height=300)
    caption = Text(
        "The first law and the second. Work done slowly warms a gas of disks as 1 / L and is given back; done quickly "
        "it warms it more, and of what is more nothing comes back. Without collisions only the motion along the "
        "piston's is warmed, and in touch with a bath the work leaves as heat.",
        "熱力学の第一法則と第二法則。ゆっくりした仕事は円板の気体を 1 / L に従って温め、また取り出せる。急激な仕事はそ"
        "れ以上に温め、余分は戻らない。衝突がなければ、ピストンと同じ向きの運動だけが温まる。熱浴に接していれば、仕事"
        "は熱として出ていく。",
    )
    return Figure(str(caption), chart)
