"""The studies `occlusion`, `force_matching` and `schizophrenia`: what precision does in perception and action."""

import math
from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study

CYCLE = 32  # bins of one cycle of the target
REACH = 1 / (1 + (2 * math.pi / CYCLE) ** 2) ** 0.5  # its amplitude in the simulator's units


class OcclusionRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two people who follow a target with their eyes: how precise they take its expected motion to be."""

    control: Annotated[
        float,
        about(
            "log-precision of the expected motion, control",
            "予期する運動の対数精度(対照)",
            symbol="log W2",
            ge=-2,
            le=6,
        ),
    ] = 4.0
    reduced: Annotated[
        float,
        about(
            "log-precision of the expected motion, reduced",
            "予期する運動の対数精度(低下)",
            symbol="log W2",
            ge=-2,
            le=6,
        ),
    ] = 0.0
    senses: Annotated[
        float, about("log-precision of the senses, both people", "感覚の対数精度(両者)", symbol="log V1", ge=2, le=6)
    ] = 4.0
    doses: Annotated[
        int, about("steps from the control's to the reduced precision", "対照から低下までの段階数", ge=2, le=101)
    ] = 17


class ForceRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two people who press: one attenuates what the senses tell of it, one compensates with sure prior beliefs."""

    attenuation: Annotated[
        float,
        about(
            "how far the senses' log-precision falls while pressing, normal",
            "自ら押すとき感覚の対数精度が下がる幅(正常)",
            symbol="h",
            ge=0,
            le=6.6,
        ),
    ] = 6.0
    delusion: Annotated[
        float,
        about(
            "loss of attenuation, made up for by prior log-precision, delusional",
            "感覚減衰の低下と、それを補う事前の対数精度(妄想)",
            symbol="D",
            ge=0,
            le=4,
        ),
    ] = 2.0
    strong: Annotated[
        float,
        about(
            "the same, where outside forces are felt that are not there",
            "同上(ない外力を感じる場合)",
            symbol="D",
            ge=0,
            le=4,
        ),
    ] = 4.0


class SchizophreniaRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Controls and patients, half of the cohort each, and how their behaviour is recorded."""

    people: Annotated[int, about("simulated people", "模擬する人数", symbol="n", ge=8, le=20_000)] = 1_000
    fitted: Annotated[
        int,
        about(
            "people whose parameters are inferred from behaviour",
            "行動からパラメータを推定する人数",
            ge=8,
            le=20_000,
        ),
    ] = 200
    motion: Annotated[
        float,
        about(
            "mean log-precision of the expected motion, controls",
            "予期する運動の対数精度の平均(対照群)",
            symbol="log W2",
            ge=-1,
            le=5,
        ),
    ] = 3.5
    motion_patients: Annotated[float, about("the same, patients", "同上(患者群)", symbol="log W2", ge=-1, le=5)] = 1.0
    attenuation: Annotated[
        float, about("mean sensory attenuation, controls", "感覚減衰の平均(対照群)", symbol="h", ge=1, le=6)
    ] = 5.5
    delusion: Annotated[
        float,
        about(
            "loss of attenuation and compensation by prior beliefs, patients",
            "感覚減衰の低下と事前信念による補償(患者群)",
            symbol="D",
            ge=0,
            le=3,
        ),
    ] = 1.5
    spread: Annotated[
        float,
        about("standard deviation of the log-precisions between people", "対数精度の個人差(標準偏差)", ge=0.1, le=1),
    ] = 0.5
    trials: Annotated[int, about("trials of each task", "各課題の試行数", ge=1, le=100)] = 4
    eye_noise: Annotated[
        float,
        about(
            "noise of an eye trace; the target's amplitude is 1",
            "視線記録の雑音(標的の振幅を 1 として)",
            ge=0.001,
            le=0.5,
        ),
    ] = 0.02
    offset: Annotated[
        float,
        about(
            "offset of an eye's recording; the target's amplitude is 1",
            "視線記録のずれ(標的の振幅を 1 として)",
            ge=0,
            le=0.3,
        ),
    ] = 0.05
    gain: Annotated[float, about("gain of an eye's recording", "視線記録の利得", ge=0.7, le=1)] = 0.9
    latency: Annotated[
        float,
        about(
            "shift of the clock of an eye's recording; 2.4 are 150 ms where a cycle takes 2 s",
            "視線記録の時計のずれ(1 周期 2 秒なら 2.4 で 150 ms)",
            unit="bins",
            ge=0,
            le=5,
        ),
    ] = 2.4
    astray: Annotated[
        int,
        about("people of each kind who do not follow the target", "標的を追わない人の数(種類ごと)", ge=2, le=20_000),
    ] = 40
    force_noise: Annotated[
        float, about("noise of a matched force", "力の一致課題の雑音", unit="N", ge=0.001, le=0.5)
    ] = 0.05
    starts: Annotated[
        int,
        about(
            "points of the grid from which a fit starts, by parameter",
            "推定を始める格子の点数(パラメータごと)",
            ge=2,
            le=31,
        ),
    ] = 9
    grid: Annotated[int, about("points of the map in each direction", "地図の各方向の点数", ge=3, le=61)] = 15


class BehaviourFit(Request, frozen=True, kw_only=True):
    """Behaviour, or a template of it to be filled in."""

    data: Annotated[
        str | None,
        about(
            "a CSV file of behaviour, of one person or many; missing samples may be empty",
            "行動データの CSV ファイル(1 人でも多人数でもよい。欠測は空欄)",
        ),
    ] = None
    template: Annotated[
        str | None,
        about("writes a CSV file to fill in, with two simulated people", "記入用の CSV ファイルを作る(模擬の 2 人分)"),
    ] = None


class OcclusionFit(BehaviourFit, frozen=True, kw_only=True):
    """Eye traces, or a template of them to be filled in."""

    period: (
        Annotated[
            float,
            about(
                "period of the target, in the unit of the column time (without it: the column period, or 32)",
                "標的の周期(列 time の単位で。省けば列 period、それもなければ 32)",
                gt=0,
            ),
        ]
        | None
    ) = None
    amplitude: (
        Annotated[
            float,
            about(
                "amplitude of the target, in the unit of the column eye (without it: the column amplitude, or 0.98)",
                "標的の振幅(列 eye の単位で。省けば列 amplitude、それもなければ 0.98)",
                gt=0,
            ),
        ]
        | None
    ) = None


OCCLUSION = Study(
    name="occlusion",
    title=Text("Pursuit behind an occluder", "遮蔽物の向こうへの追跡眼球運動"),
    lecture=Text(
        "Free energy and psychiatry: smooth pursuit in schizophrenia",
        "自由エネルギーと精神医学:統合失調症の追跡眼球運動",
    ),
    papers=("adams2012", "friston2007", "friston2016"),
    recipe=OcclusionRecipe,
    presets={
        "tiny": OcclusionRecipe(doses=3),
        "quick": OcclusionRecipe(),
        "full": OcclusionRecipe(doses=81),
        "paper": OcclusionRecipe(doses=81),
    },
    minutes={"tiny": 0.1, "quick": 0.2},
    measures=(
        "{occluded,reversal}.{control,reduced}.{rms,peak,hidden,seen,gain,lag,after}.{,deviation}",
        "frequency.{control,reduced}.{,deviation}",
    ),
    experiment="phantastic.systems.psychiatry.occlusion:Occlusion",
    fit=OcclusionFit,
)
FORCE = Study(
    name="force_matching",
    title=Text("Sensory attenuation and the force-matching illusion", "感覚減衰と力の一致錯覚"),
    lecture=Text(
        "Free energy and psychiatry: why nobody can tickle themselves",
        "自由エネルギーと精神医学:なぜ自分をくすぐれないのか",
    ),
    papers=("brown2013", "shergill2005", "friston2007", "friston2016"),
    recipe=ForceRecipe,
    presets={"tiny": ForceRecipe(), "quick": ForceRecipe(), "full": ForceRecipe(), "paper": ForceRecipe()},
    minutes={"tiny": 0.1, "quick": 0.1},
    measures=(
        "attenuation*.{own,perceived}.{,deviation}",
        "{normal,delusional}.*.{own,matched}.{,deviation}",
        "{normal,delusional}.*.5.{own,matched}.{,deviation}",
        "{normal,delusional}.illusion",
        "illusion.left",
        "false.{normal,delusional,strong}.{force,sure}",
        "replay.{internal,external}",
    ),
    experiment="phantastic.systems.psychiatry.force_matching:ForceMatching",
    fit=BehaviourFit,
)
LARGE = SchizophreniaRecipe(people=4_000, fitted=1_000, astray=200, seeds=3, grid=31)
SCHIZOPHRENIA = Study(
    name="schizophrenia",
    title=Text("Computational psychiatry: cohorts, fits, a map of regimes", "計算論的精神医学:集団、推定、領域の地図"),
    lecture=Text(
        "Free energy and psychiatry: schizophrenia and autism as precision that went wrong",
        "自由エネルギーと精神医学:精度の異常としての統合失調症と自閉症",
    ),
    papers=("adams2012", "brown2013", "friston2007", "friston2016", "lawson2014"),
    recipe=SchizophreniaRecipe,
    presets={
        "tiny": SchizophreniaRecipe(people=8, fitted=8, astray=2, starts=4, grid=3),
        "quick": SchizophreniaRecipe(),
        "full": LARGE,
        "paper": LARGE,
    },
    minutes={"tiny": 0.5, "quick": 4.0},
    measures=(
        "{eyes,ignored,hands}.{motion,senses,attenuation,delusion}.{r,coverage,coverage90,error}",
        "{eyes,ignored,hands}.{motion,senses,attenuation,delusion}.{controls,patients}.{r,bias}",
        "{eyes,ignored,hands}.{motion,senses,attenuation,delusion}.difference.{,low,high,missed}",
        "{eyes,ignored}.{controls,patients}.mistaken",
        "marked.{,plain}.{controls,patients,wandering,flat,mirrored}",
        "eyes.{controls,patients}.{rms,peak,hidden,seen,gain,lag}",
        "hands.{controls,patients}.{own,illusion}",
        "matching.{attenuation,delusion}.moves",
        "precise.{vision,proprioception,both}.{,reduced}",
        "map.eye.{control,reduced,sensory}",
        "map.hand.{normal,delusional,unattenuated,strong}",
    ),
    experiment="phantastic.systems.psychiatry.schizophrenia:Schizophrenia",
)
STUDIES = (OCCLUSION, FORCE, SCHIZOPHRENIA)
