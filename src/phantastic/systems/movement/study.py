"""Perception and action: `pursuit` of a target, `observe` (handwriting, and seeing it), `plaid`, `cueing`."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study

SENSES = about("log-precision of the senses", "感覚の対数精度", symbol="ln V₁", ge=-2, le=8)
MOTION = about("log-precision of the motion of hidden states", "隠れ状態の運動の対数精度", symbol="ln W₁", ge=2, le=12)


Bins = Annotated[int, about("bins of the simulation", "シミュレーションのビン数", ge=64, le=512)]


class PursuitRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An eye that expects its target to turn back half-way, and a target that does so later."""

    bins: Bins = 128
    delay: Annotated[
        int,
        about("bins by which the target turns back later than expected", "反転が予想より遅れるビン数", ge=1, le=64),
    ] = 16
    senses: Annotated[float, SENSES] = 4.0
    motion: Annotated[float, MOTION] = 8.0
    prior: Annotated[
        float,
        about(
            "log-precision of the prior on the cause, the target's direction",
            "原因(標的の回る向き)の事前分布の対数精度",
            symbol="ln V₂",
            ge=-4,
            le=12,
        ),
    ] = 2.0
    points: Annotated[
        int,
        about(
            "precisions at which the dials are shown; 0 leaves them out",
            "精度を変えて調べる点の数(0 で省略)",
            ge=0,
            le=25,
        ),
    ] = 5


class ObserveRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An arm that writes, and the same beliefs watching it being moved."""

    bins: Bins = 256
    senses: Annotated[
        float, about("log-precision of the writer's senses", "書き手の感覚の対数精度", symbol="ln V₁", ge=0, le=8)
    ] = 4.0
    motion: Annotated[float, MOTION] = 8.0
    felt: Annotated[
        float,
        about(
            "log-precision that the observer gives to its own joints",
            "観察者が自分の関節の感覚に与える対数精度",
            ge=-16,
            le=8,
        ),
    ] = -8.0
    seen: Annotated[
        float,
        about("log-precision that the observer gives to what it sees", "観察者が視覚に与える対数精度", ge=0, le=8),
    ] = 8.0


class PlaidRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pushed stimulus under a flat and a tight prior; a movement that is expected and so made."""

    senses: Annotated[float, SENSES] = 4.0
    motion: Annotated[float, MOTION] = 8.0
    flat: Annotated[
        float,
        about(
            "log-precision of the flat prior on the cause",
            "原因の平坦な事前分布の対数精度",
            symbol="ln V₂",
            ge=-16,
            le=16,
        ),
    ] = -8.0
    tight: Annotated[
        float,
        about(
            "log-precision of the tight prior on the cause",
            "原因の狭い事前分布の対数精度",
            symbol="ln V₂",
            ge=-16,
            le=16,
        ),
    ] = 16.0
    strength: Annotated[float, about("gain of the stronger motor plant", "強くした運動器官の利得", ge=0.25, le=4)] = 2.0
    push: Annotated[float, about("force that perturbs the movement late", "運動を後半で乱す力", ge=-2, le=2)] = -0.5


class CueingRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Targets on one of two sides, cues that tell which, and a learner of what cues are worth."""

    senses: Annotated[
        float,
        about("log-precision of either place before any cue", "手がかりの前の、左右それぞれの対数精度", ge=0, le=6),
    ] = 2.0
    attention: Annotated[
        float,
        about(
            "by how much attention raises the log-precision of one side and lowers that of the other",
            "注意が一方の対数精度を上げ、他方の対数精度を下げる強さ",
            symbol="h",
            ge=0,
            le=3,
        ),
    ] = 2.0
    lasting: Annotated[
        float, about("bins that attention lasts", "注意が続く時間", symbol="τ", unit="bin", ge=4, le=256)
    ] = 32.0
    validity: Annotated[
        float,
        about(
            "share of cues that tell the side, in the first block",
            "最初のブロックで手がかりが正しい割合",
            ge=0.5,
            le=0.95,
        ),
    ] = 0.8
    forgetting: Annotated[
        float,
        about(
            "share of what was counted that is forgotten by the next trial",
            "次の試行までに忘れられる割合",
            ge=0.01,
            le=1,
        ),
    ] = 0.1
    trials: Annotated[
        int, about("trials of each of the two blocks", "二つのブロックそれぞれの試行数", ge=2, le=500)
    ] = 40


class PursuitApply(Request, frozen=True, kw_only=True):
    """A target of the user's for the eye to follow."""

    target: Annotated[
        str,
        about(
            "a CSV file with a target's path (columns time, x, y or x, y) for the eye to follow (CSV and PNG)",
            "眼に追わせる標的の軌跡の CSV ファイル(列は time, x, y または x, y。CSV と PNG を書き出す)",
        ),
    ]
    bin: (
        Annotated[
            float,
            about(
                "how long a bin lasts, in the file's time (default: as far apart as its samples are)",
                "1 ビンの長さ(ファイルの時間の単位。省略時は標本の間隔)",
                gt=0,
            ),
        ]
        | None
    ) = None
    prior: Annotated[
        float,
        about(
            "log-precision of a prior that the target stays in the middle (default: -16, none)",
            "標的が中央にとどまるという事前分布の対数精度(省略時は -16 で、なし)",
            ge=-16,
            le=8,
        ),
    ] = -16.0


PURSUIT = Study(
    name="pursuit",
    title=Text("Smooth pursuit", "滑動性追跡眼球運動"),
    lecture=Text(
        "Active inference: the eye follows the target that it predicts, and is surprised when the target turns back "
        "later than expected",
        "能動的推論:眼は予測した標的を追い、標的が予想より遅れて引き返すと驚く",
    ),
    papers=("adams2012", "friston2010action", "spm12"),
    recipe=PursuitRecipe,
    presets={
        "tiny": PursuitRecipe(points=0),
        "quick": PursuitRecipe(),
        "full": PursuitRecipe(points=13),
        "paper": PursuitRecipe(points=13),
    },
    minutes={"tiny": 0.1, "quick": 0.5, "full": 0.6},
    measures=(
        "{expected,unexpected}.{error,distance,action}.{,bin,deviation}",
        "{expected,unexpected}.{gain,lag}.{,turned}",
        "{expected,unexpected}.bin.difference",
    ),
    experiment="phantastic.systems.movement.pursuit:Pursuit",
    apply=PursuitApply,
)
OBSERVE = Study(
    name="observe",
    title=Text("Handwriting and its observation", "手書きとその観察"),
    lecture=Text(
        "The mirror-neuron system: one model writes, and understands the same movement when it sees it",
        "ミラーニューロン系:一つのモデルが文字を書き、同じ運動を見て理解する",
    ),
    papers=("friston2011", "spm12"),
    recipe=ObserveRecipe,
    presets={
        "tiny": ObserveRecipe(bins=128),
        "quick": ObserveRecipe(),
        "full": ObserveRecipe(),
        "paper": ObserveRecipe(),
    },
    minutes={"tiny": 0.1, "quick": 0.2},
    measures=(
        "correlation.{lowest,highest,mean}",
        "violation.correlation.highest",
        "{action,observation,violation}.{hand.error,response}",
    ),
    experiment="phantastic.systems.movement.observe:Observe",
)
PLAID = Study(
    name="plaid",
    title=Text("Movement seen, cancelled and made", "見る運動、打ち消す運動、起こす運動"),
    lecture=Text(
        "Active inference: a push is seen or cancelled, by the prior's precision; an expected movement is made",
        "能動的推論:事前分布の精度によって、同じ力を運動として見るか打ち消すか、また予想した運動を起こすかが決まる",
    ),
    papers=("friston2010action", "spm12"),
    recipe=PlaidRecipe,
    presets={name: PlaidRecipe() for name in ("tiny", "quick", "full", "paper")},
    minutes={"tiny": 0.1, "quick": 0.1},
    measures=(
        "{flat,tight,expected,stronger,perturbed}.{action,movement,believed}.{,deviation}",
        "tight.share",
        "stronger.difference",
        "perturbed.{passive,difference,share}",
    ),
    experiment="phantastic.systems.movement.plaid:Plaid",
)
CUEING = Study(
    name="cueing",
    title=Text("Attention to where the cue points", "手がかりが示す場所への注意"),
    lecture=Text(
        "Attention as precision: beliefs set how much a place counts, and experience how much a cue moves them",
        "精度としての注意:場所の重みは信念が決め、手がかりが信念をどれだけ動かすかは経験が決める",
    ),
    papers=("posner1980", "feldman2010"),
    recipe=CueingRecipe,
    presets={
        "tiny": CueingRecipe(trials=4, seeds=5),
        "quick": CueingRecipe(seeds=10),
        "full": CueingRecipe(trials=100, seeds=30),
        "paper": CueingRecipe(trials=100, seeds=30),
    },
    minutes={"tiny": 0.2, "quick": 0.4},
    measures=(
        "{valid,neutral,invalid}.{time,believed}",
        "held.{valid,neutral,invalid}.time",
        "{held,told,untold,delay8,delay16,delay24,delay32}.cost",
        "{delay8,delay16,delay24,delay32}.{valid,neutral,invalid}.time",
        "both.{cued,uncued}",
    ),
    experiment="phantastic.systems.movement.cueing:Cueing",
)
STUDIES = (PURSUIT, OBSERVE, PLAID, CUEING)
