"""Two studies: `entropy`, from counting microstates to free energy and perception, and `particles`, a gas in a box."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study


class EntropyRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is counted, heated, perceived and pressed, and on how many random cases each law is tried."""

    trials: Annotated[
        int, about("random cases on which each law is tried", "各法則を確かめる無作為な例の数", ge=10, le=20_000)
    ] = 2_000
    particles: Annotated[
        int,
        about(
            "particles of the largest system that is counted",
            "数え上げる最大の系の粒子数",
            symbol="N",
            ge=64,
            le=10**9,
        ),
    ] = 1_000_000
    dice: Annotated[
        float,
        about(
            "average of the die whose faces are inferred",
            "目の確率を推定するさいころの平均",
            symbol="m",
            ge=1.01,
            le=5.99,
        ),
    ] = 4.5
    depth: Annotated[
        float,
        about(
            "depth of the narrow well; the wide one is half as deep",
            "狭い井戸の深さ(広い井戸はその半分)",
            symbol="D",
            ge=0.5,
            le=10,
        ),
    ] = 4.0
    room: Annotated[
        float,
        about("how many times wider the wide well is", "広い井戸の幅が狭い井戸の何倍か", ge=1, le=6),
    ] = 5.0
    temperature: Annotated[
        float,
        about("temperature at which free energy is shown", "自由エネルギーを図示する温度", symbol="T", ge=0.15, le=5),
    ] = 1.0
    steps: Annotated[
        int, about("steps of the descent of free energy", "自由エネルギーの降下のステップ数", ge=1, le=10_000)
    ] = 150
    light: Annotated[float, about("light that the eye receives", "眼が受け取る光の強さ", symbol="y", ge=0, le=16)] = 2.0
    expected: Annotated[
        float, about("size that is expected beforehand", "事前に予想される大きさ", symbol="μ", ge=0.5, le=4.5)
    ] = 3.0
    noise: Annotated[
        float, about("standard deviation of the light", "光の強さの標準偏差", symbol="σ", ge=0.1, le=10)
    ] = 1.0
    kelvin: Annotated[
        float,
        about("temperature of the gas", "気体の温度", symbol="T", unit="K", ge=1, le=10_000),
    ] = 273.15
    bins: Annotated[
        int, about("bins into which apply sorts numbers", "apply が数値を分ける階級の数", ge=2, le=1_000)
    ] = 30


FULL = EntropyRecipe(trials=10_000, particles=10**9, seeds=5)


class EntropyApply(Request, frozen=True, kw_only=True):
    """A column of the user's numbers."""

    data: Annotated[
        str,
        about(
            "a CSV file with a column of numbers: its entropy, surprises and maximum-entropy fits (CSV and PNG)",
            "数値の列をもつ CSV ファイル。エントロピー、驚き、最大エントロピー分布の当てはめ(CSV と PNG)",
        ),
    ]
    column: Annotated[
        str | None,
        about("name of the column, where there are several", "列の名前(列が複数あるとき)"),
    ] = None


STUDY = Study(
    name="entropy",
    title=Text("Entropy and free energy", "エントロピーと自由エネルギー"),
    lecture=Text(
        "The free-energy principle, from its basics: entropy, maximum entropy, and the free energies of Helmholtz, of "
        "Gibbs and of the brain",
        "自由エネルギー原理の基礎:エントロピー、最大エントロピー、ヘルムホルツ・ギブズ・脳の自由エネルギー",
    ),
    papers=(
        "boltzmann1877",
        "helmholtz1882",
        "gibbs1875",
        "tetrode1912",
        "shannon1948",
        "jaynes1957",
        "jaynes1963",
        "cox1989",
        "cover2006",
        "itti2009",
        "friston2010",
        "bogacz2017",
    ),
    recipe=EntropyRecipe,
    presets={"tiny": EntropyRecipe(trials=50, particles=1024), "quick": EntropyRecipe(), "full": FULL, "paper": FULL},
    minutes={"tiny": 0.1, "quick": 0.1, "full": 0.3},
    measures=(
        "shannon.bits.{,error}",
        "{chain,additive,slope,capacity,parts,twin,dice}.error",
        "{concave,processing,divergence}.excess",
        "{maxent,boltzmann}.rival.{excess,error}",
        "maxent.{uniform,geometric,exponential,gaussian}.{entropy,error}",
        "boltzmann.{distance,error,any.distance,any.error}",
        "bound.{excess,error}",
        "forms.gaussian.error",
        "{perception,action}.{error,rise}",
        "conjugate.{error,information.error}",
        "surprise.{snow,switch,programme}.{shannon,bayes}",
        "stirling.gap.{,deviation}",
        "wells.{cold.narrow,hot.wide}",
        "percept.{size,size.error,gap,distance,surprise,gaussian.gap}",
        "gas.{volume,pressure,temperature}.error",
        "gas.litres.{,error}",
        "gas.entropy.{He,Ne,Ar,Kr,Xe}.{,error}",
    ),
    experiment="phantastic.systems.entropy.entropy:Entropy",
    apply=EntropyApply,
)


class ParticlesRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A gas of soft disks in a box of height 1, for how long it is watched, and how slowly it is pressed together."""

    particles: Annotated[int, about("disks in the box", "箱の中の円板の数", symbol="N", ge=16, le=1_000)] = 128
    diameter: Annotated[
        float,
        about(
            "diameter of a disk; the height of the box is 1",
            "円板の直径(箱の高さを 1 とする)",
            symbol="d",
            ge=0.004,
            le=0.05,
        ),
    ] = 0.016
    step: Annotated[
        float, about("time step, at most diameter / 20", "時間刻み(直径の 1/20 以下)", symbol="τ", ge=1e-5, le=2.5e-3)
    ] = 5e-4
    time: Annotated[
        float,
        about("time from the release until all is reversed", "解放から逆転までの時間", symbol="t", ge=0.5, le=100),
    ] = 8.0
    watched: Annotated[
        float,
        about("time over which each particle is averaged", "粒子ごとに平均をとる時間", ge=0.5, le=10_000),
    ] = 40.0
    stroke: Annotated[
        float, about("time of the slow stroke of the piston", "遅いピストンの行程の時間", ge=0.5, le=1_000)
    ] = 12.0


PARTICLES = ParticlesRecipe(seeds=5)
PARTICLES_FULL = ParticlesRecipe(
    particles=256, diameter=0.0115, step=3.5e-4, time=10.0, watched=80.0, stroke=24.0, seeds=8
)
GAS = Study(
    name="particles",
    title=Text("A box of particles", "箱の中の粒子"),
    lecture=Text(
        "The free-energy principle, from its basics: energy is kept, entropy grows, and why what is reversible does "
        "not go back",
        "自由エネルギー原理の基礎:エネルギーは保存され、エントロピーは増える。可逆な運動がなぜ元に戻らないのか",
    ),
    papers=("maxwell1860", "loschmidt1876", "boltzmann1877", "andersen1980", "levesque1993"),
    recipe=ParticlesRecipe,
    presets={
        "tiny": ParticlesRecipe(particles=32, diameter=0.03, step=1e-3, time=3.0, watched=4.0, stroke=2.0),
        "quick": PARTICLES,
        "full": PARTICLES_FULL,
        "paper": PARTICLES_FULL,
    },
    minutes={"tiny": 0.1, "quick": 1.5},
    measures=(
        "energy.{strays,exchanged,order,order.deviation}",
        "entropy.{start,end,end.deviation,scattered,back,nudged}",
        "{back,nudged}.distance",
        "speeds.{start,end,free}.ks",
        "alone.{gas,gas.quarter,free}",
        "alone.{gas.rate,free}.deviation",
        "{slow,quick,free,bath}.{work,heat,firstlaw.error}",
        "{slow,free}.deviation",
        "{slow,quick}.{energy,lost}",
    ),
    experiment="phantastic.systems.entropy.particles:Particles",
)
STUDIES = (STUDY, GAS)
