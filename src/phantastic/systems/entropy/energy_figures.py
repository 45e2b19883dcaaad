"""The pictures of free energy: Boltzmann's distribution by temperature, perception as its twin, a gas at a pressure."""

from math import log

import altair as alt
import torch

from phantastic.declare.i18n import Text
from phantastic.show.figure import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Figure
from phantastic.systems.entropy import gibbs, helmholtz, measure, variational
from phantastic.systems.entropy.drawing import NATS, Rows, coloured, curve, dots, powers, rows
from phantastic.systems.entropy.measure import ATMOSPHERE, POSITIONS, SIZES
from phantastic.systems.entropy.study import EntropyRecipe


def boltzmann(recipe: EntropyRecipe) -> Figure:
    """Two wells, who is where at three temperatures, U, TS and F by temperature, and F along other distributions."""
    energy, colours = measure.landscape(recipe.depth, recipe.room), (BLUE, GREEN, VERMILION)
    chosen = torch.tensor([0.4, 1.0, 2.0], dtype=torch.float64)
    names = [f"T = {value:g}" for value in chosen.tolist()]
    ended = helmholtz.settle(energy, chosen, measure.even(energy), recipe.steps)
    exact = helmholtz.canonical(energy, chosen).probabilities
    width = float(POSITIONS[1] - POSITIONS[0])
    x = alt.X("x:Q", title=str(Text("position", "位置")), scale=alt.Scale(domain=[-4.5, 5], nice=False))
    bare = alt.X("x:Q", title=None, scale=alt.Scale(domain=[-4.5, 5], nice=False), axis=alt.Axis(labels=False))
    well = (
        alt.Chart(alt.Data(values=rows(POSITIONS, energy)))
        .mark_area(color=BLACK, opacity=0.12, line={"color": BLACK, "strokeWidth": 1.5})
        .encode(x=bare, y=alt.Y("y:Q", title=str(Text("energy E", "エネルギー E"))))
    )
    up = alt.Y(
        "y:Q",
        title=str(Text("density (square-root scale)", "確率密度(平方根目盛)")),
        scale=alt.Scale(type="sqrt"),
        axis=alt.Axis(values=[0, 0.1, 0.5, 1, 2, 4], format="~g"),
    )
    descended, analytic = [], []
    for name, p, q in zip(names, ended, exact, strict=True):
        analytic += rows(POSITIONS, q / width, which=name)
        descended += rows(POSITIONS[::4], p[::4] / width, which=name)
    colour = coloured(names, colours, orient="bottom")
    spread = alt.layer(curve(analytic, strokeWidth=1.5), dots(descended, size=14)).encode(x=x, y=up, color=colour)
    left = alt.vconcat(well.properties(width=250, height=85), spread.properties(width=250, height=140), spacing=4)

    heat = measure.heated(recipe.depth, recipe.room, recipe.steps)
    t = torch.tensor(heat["temperature"], dtype=torch.float64)
    t = t[t <= 3]
    canonical = helmholtz.canonical(energy, t)
    cell = log(width)  # entropies are of densities: that of states grows with how fine they are
    terms = [
        str(Text("U, energy", "U エネルギー")),
        str(Text("TS, temperature × entropy", "TS 温度×エントロピー")),
        str(Text("F = U − TS", "F = U − TS")),
    ]
    levels = canonical.energy, t * (canonical.entropy + cell), canonical.free_energy - t * cell
    lines = [r for name, y in zip(terms, levels, strict=True) for r in rows(t, y, which=name)]
    ended_f = torch.tensor(heat["free_energy"], dtype=torch.float64)[: len(t)] - t * cell
    dotted = rows(t[::3], ended_f[::3], which=terms[2])
    kelvin = alt.X("x:Q", title=str(Text("temperature T", "温度 T")), scale=alt.Scale(domain=[0, 3]))
    shades = coloured(terms, (ORANGE, SKY, BLACK), orient="bottom", columns=1)
    middle = (
        alt.layer(curve(lines), dots(dotted))
        .encode(x=kelvin, y=alt.Y("y:Q", title=None), color=shades)
        .properties(width=190, height=245)
    )

    temperature = torch.tensor(recipe.temperature, dtype=torch.float64)
    temperatures = torch.linspace(max(0.15, recipe.temperature / 4), 2.5 * recipe.temperature, 121, dtype=torch.float64)
    family = helmholtz.canonical(energy, temperatures).probabilities
    others_f = helmholtz.free_energy(family, energy, temperature.expand(len(temperatures))) - temperature * cell
    least = helmholtz.canonical(energy, temperature).free_energy - temperature * cell
    at = f"{recipe.temperature:g}"
    floor = alt.Y("y:Q", title=str(Text(f"F at T = {at}", f"T = {at} での F")), scale=alt.Scale(zero=False))
    tau = alt.X("x:Q", title=str(Text("Boltzmann temperature of p", "分布 p の温度")))
    right = alt.layer(
        curve(rows(temperatures, others_f), color=BLACK).encode(x=tau, y=floor),
        alt.Chart(alt.Data(values=rows([temperature], [least])))
        .mark_point(shape="diamond", filled=True, size=110, opacity=1, color=VERMILION)
        .encode(x=tau, y=floor),
    ).properties(width=190, height=245)
    caption = Text(
        "Free energy is energy against entropy. Left: a deep, narrow well and a shallow, wide one; the cold body sits "
        "where energy is least, the warm one where there is room (dots: where a descent of F ended; lines: "
        "Boltzmann's distribution). Middle: U, TS and F; S is the entropy of the density, below 0 where that is "
        f"narrower than one unit, and so is TS. Right: F at T = {at} over the Boltzmann distributions of all "
        "temperatures is least at that of the same one.",
        "自由エネルギーはエネルギーとエントロピーの綱引きである。左:深く狭い井戸と浅く広い井戸。低温では"
        "エネルギーの低い所、高温では広い所にいる(点:F の降下の到達点、線:ボルツマン分布)。中央:U、TS、F。"
        "S は確率密度のエントロピーで、分布の幅が単位長より狭いと負になり、TS も負になる。"
        f"右:さまざまな温度のボルツマン分布の、T = {at} での F。同じ温度の分布で最小になる。",
    )
    return Figure(str(caption), alt.hconcat(left, middle, right, spacing=26).resolve_scale(color="independent"))


def perception(recipe: EntropyRecipe) -> Figure:
    """Beliefs about a size, the descent of F to the surprise, and F of three beliefs in its two decompositions."""
    percept = measure.seen(recipe.light, recipe.expected, recipe.noise, recipe.steps)
    width = float(SIZES[1] - SIZES[0])
    labels = (
        Text("prior", "事前分布"),
        Text("likelihood", "尤度"),
        Text("posterior", "事後分布"),
        Text("best Gaussian", "最良の正規分布"),
        Text("end of the descent", "降下の到達点"),
    )
    names = [str(word) for word in labels]
    likelihood = torch.softmax(percept.log_likelihood, 0)
    shades = (SKY, ORANGE, BLACK, PURPLE, VERMILION)
    densities = [
        r
        for name, p in zip(names, (percept.prior, likelihood, percept.posterior, percept.gaussian), strict=False)
        for r in rows(SIZES[::3], p[::3] / width, which=name)
    ]
    end = rows(SIZES[::12], percept.path[-1, ::12] / width, which=names[4])
    x = alt.X("x:Q", title=str(Text("size x", "大きさ x")), scale=alt.Scale(domain=[0, 5]))
    y = alt.Y("y:Q", title=str(Text("density", "確率密度")))
    colour = coloured(names, shades, orient="bottom", columns=2)
    left = alt.layer(curve(densities, strokeWidth=1.8), dots(end, size=22)).encode(x=x, y=y, color=colour)

    # Energy and entropy of densities, not of cells, so that they do not depend on how fine the cells are.
    steps = min(recipe.steps, 30)
    fall = variational.free_energy(percept.path[: steps + 1], percept.prior, percept.log_likelihood)
    cell = torch.tensor(width, dtype=torch.float64).log()
    labels = (
        Text("energy", "エネルギー"),
        Text("entropy", "エントロピー"),
        Text("F = energy − entropy", "F = エネルギー − エントロピー"),
        Text("surprise", "驚き"),
    )
    terms = [str(word) for word in labels]
    levels = (fall.energy + cell, fall.entropy + cell, fall.value, fall.surprise.expand(steps + 1))
    traced = [r for name, level in zip(terms, levels, strict=True) for r in rows(range(steps + 1), level, which=name)]
    dashes = alt.Scale(domain=terms, range=[[1, 0], [1, 0], [1, 0], [5, 4]])
    top = 1.2 * float(fall.value[min(1, steps)])  # a belief as wrong as the prior would flatten all the rest
    low = min(0.0, float(levels[1].min()), float(fall.surprise))
    middle = curve(traced, clip=True).encode(
        x=alt.X("x:Q", title=str(Text("step of the descent of F", "F の降下のステップ"))),
        y=alt.Y("y:Q", title=str(NATS), scale=alt.Scale(domain=[low, top], nice=False)),
        color=coloured(terms, (ORANGE, SKY, VERMILION, BLACK), orient="bottom", columns=2),
        strokeDash=alt.StrokeDash("which:N", legend=None, scale=dashes),
    )

    parts = [
        str(Text("surprise", "驚き")),
        str(Text("divergence", "事後分布からの隔たり")),
        str(Text("− accuracy", "− 正確さ")),
        str(Text("complexity", "複雑さ")),
    ]
    passed = [step for step in (1, 3, 10) if step < recipe.steps]
    label = str(Text("step {}", "{} ステップ後"))
    beliefs = {label.format(step): percept.path[step] for step in passed}
    beliefs |= {names[2]: percept.posterior, names[3]: percept.gaussian}
    bars: Rows = []
    for name, belief in beliefs.items():
        f = variational.free_energy(belief, percept.prior, percept.log_likelihood)
        one, other = ((0, f.surprise), (1, f.divergence)), ((3, f.complexity), (2, -f.accuracy))
        for row, stack in (("a", one), ("b", other)):
            reached = 0.0
            for part, value in stack:
                start, reached = reached, reached + float(value)
                bars.append({"belief": name, "row": row, "from": start, "to": reached, "which": parts[part]})
    right = (
        alt.Chart(alt.Data(values=bars))
        .mark_bar()
        .encode(
            x=alt.X("from:Q", title=str(Text("F (nats)", "F(nat)"))),
            x2="to:Q",
            y=alt.Y("belief:N", title=None, sort=None, scale=alt.Scale(paddingInner=0.3), axis=alt.Axis(ticks=False)),
            yOffset=alt.YOffset("row:N", scale=alt.Scale(paddingInner=0.1)),
            color=coloured(parts, (BLACK, VERMILION, ORANGE, BLUE), "square", orient="bottom", columns=2),
        )
    )
    caption = Text(
        f"Variational free energy is Helmholtz's with the energy −log p(y, x) at temperature 1. A size is seen by its "
        f"light y = {recipe.light:g} ≈ x². Left: beliefs. Middle: as F falls from the prior, the belief becomes the "
        "posterior and F the surprise. Right: F as surprise + divergence and as complexity − accuracy; only the "
        "posterior has no divergence left.",
        "変分自由エネルギーは、エネルギーを −log p(y, x)、温度を 1 とした自由エネルギーである。"
        f"光 y = {recipe.light:g} ≈ x² から大きさ x を知覚する。左:信念。中央:事前分布から始めて F を下げると、"
        "信念は事後分布に、F は驚きになる。右:F は「驚き + 隔たり」でも「複雑さ − 正確さ」でもある。"
        "隔たりがなくなるのは事後分布だけである。",
    )
    size = {"width": 220, "height": 215}
    joined = alt.hconcat(*(panel.properties(**size) for panel in (left, middle, right)), spacing=26)
    return Figure(str(caption), joined.resolve_scale(color="independent", strokeDash="independent"))


def gas(kelvin: float) -> Figure:
    """F + pV of a mole of argon over its volume at three pressures; its minima lie on the gas law, G on dG/dp = V."""
    atmospheres, colours = (0.5, 1.0, 2.0), (BLUE, GREEN, VERMILION)
    body = gibbs.ideal_gas(gibbs.AVOGADRO, measure.NOBLE["Ar"][0] * gibbs.DALTON)
    pressure = ATMOSPHERE * torch.tensor(atmospheres, dtype=torch.float64)
    temperature = torch.full((3,), kelvin, dtype=torch.float64)
    equilibrium = gibbs.equilibrium(body, temperature, pressure, torch.ones_like(pressure))
    names = [str(Text(f"{p:g} atm", f"{p:g} 気圧")) for p in atmospheres]
    top = 1.35 * float(equilibrium.volume.max())
    volume = torch.linspace(0.2 * float(equilibrium.volume.min()), top, 160, dtype=torch.float64)
    lines, minima = [], []
    for name, p, v, g in zip(names, pressure, equilibrium.volume, equilibrium.gibbs, strict=True):
        lines += rows(1e3 * volume, 1e-3 * gibbs.gibbs(body, temperature[0], p, volume), which=name)
        minima += rows([1e3 * v], [1e-3 * g], which=name)
    pressures = ATMOSPHERE * torch.logspace(-0.7, 0.7, 60, dtype=torch.float64)

    def at_pressure(p: torch.Tensor) -> gibbs.Equilibrium:
        return gibbs.equilibrium(body, temperature[:1].expand(len(p)), p, torch.ones_like(p))

    states = at_pressure(pressures)
    law = rows(1e3 * states.volume, 1e-3 * states.gibbs)
    litres = alt.X(
        "x:Q",
        title=str(Text("volume V (litres)", "体積 V(リットル)")),
        scale=alt.Scale(domain=[0, 1e3 * top], nice=False),
    )
    joules = alt.Y("y:Q", title=str(Text("F + pV (kJ/mol)", "F + pV(kJ/mol)")), scale=alt.Scale(zero=False))
    colour = coloured(names, colours)
    left = alt.layer(
        curve(law, color=BLACK, strokeDash=[4, 3], strokeWidth=1.2, clip=True).encode(x=litres, y=joules),
        curve(lines).encode(x=litres, y=joules, color=colour),
        dots(minima, shape="diamond", size=110).encode(x=litres, y=joules, color=colour),
    ).properties(width=290, height=230)
    bar = alt.X(
        "x:Q",
        title=str(Text("pressure p (atm)", "圧力 p(気圧)")),
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(values=[0.2, 0.5, 1, 2, 5], format="~g"),
    )
    title = str(Text("volume at rest (litres)", "平衡での体積(リットル)"))
    widest = 1e3 * float(states.volume.max())
    up = powers(title, widest / 40, 1.5 * widest, "y", digits=(1, 2, 5))
    step = 1e-4
    above, below = (at_pressure(pressures * (1 + sign * step)).gibbs for sign in (1, -1))
    slope = (above - below) / (2 * step * pressures)
    kinds = ["dG/dp", "V = NkT / p"]
    shades = coloured(kinds, (VERMILION, BLACK))
    right = (
        alt.layer(
            curve(rows(pressures / ATMOSPHERE, 1e3 * gibbs.AVOGADRO * gibbs.K * kelvin / pressures, which=kinds[1])),
            dots(rows(pressures[::4] / ATMOSPHERE, 1e3 * slope[::4], which=kinds[0])),
        )
        .encode(x=bar, y=up, color=shades)
        .properties(width=230, height=230)
    )
    caption = Text(
        f"Gibbs free energy G = F + pV of a mole of argon at {kelvin:g} K. Left: at a given pressure the gas takes the "
        "volume at which F + pV is least (diamonds; dashed: the minima for all pressures). Right: that volume is the "
        "slope of G, and obeys the gas law.",
        f"{kelvin:g} K のアルゴン 1 mol のギブズ自由エネルギー G = F + pV。左:圧力が与えられると、気体は F + pV が"
        "最小になる体積をとる(菱形。破線はあらゆる圧力での最小点)。右:その体積は G の傾きであり、気体の法則に従う。",
    )
    return Figure(str(caption), alt.hconcat(left, right).resolve_scale(color="independent"))
