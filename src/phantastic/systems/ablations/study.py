"""The study `ablations`: what of BERT matters."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.shared import (
    Examples,
    Heads,
    Layers,
    Longest,
    PretrainingBatch,
    PretrainingRate,
    PretrainingSteps,
    TuningBatch,
    TuningRate,
    TuningSteps,
)
from phantastic.declare.study import Study


class AblationsRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The network in the middle of every table, the budget that all share, and the fine-tuning."""

    layers: Layers = 3
    width: Annotated[
        int,
        about("width of the residual stream", "残差ストリームの次元", symbol="H", ge=8, le=2_048),
    ] = 64
    heads: Heads = 4
    longest: Longest = 128
    steps: PretrainingSteps = 4_000
    batch: PretrainingBatch = 64
    rate: PretrainingRate = 3e-3
    moments: Annotated[
        int,
        about("points of the curve by training step", "学習ステップごとの曲線の点の数", ge=2, le=100),
    ] = 4
    train: Examples = 4_000
    test: Annotated[int, about("examples of a task to measure on", "課題ごとの評価例の数", ge=2, le=10**6)] = 500
    tuning_steps: TuningSteps = 600
    tuning_batch: TuningBatch = 32
    tuning_rate: TuningRate = 1e-3
    dropout: Annotated[float, about("dropout of fine-tuning", "微調整時のドロップアウト率", ge=0, lt=1)] = 0.1


STUDY = Study(
    name="ablations",
    title=Text("What of BERT matters", "BERT の何が効いているのか"),
    lecture=Text(
        "Language: masking, model size, direction and next-sentence prediction, one changed at a time",
        "言語:マスクの仕方、モデルの大きさ、読む方向、次文予測を一つずつ変えて比べる",
    ),
    papers=("devlin2019",),
    recipe=AblationsRecipe,
    presets={
        "tiny": AblationsRecipe(
            layers=1,
            width=8,
            heads=2,
            steps=2,
            batch=4,
            moments=2,
            train=12,
            test=8,
            tuning_steps=1,
            tuning_batch=4,
            precision="float32",
        ),
        "quick": AblationsRecipe(precision="float32", threads=1),
        "full": AblationsRecipe(
            steps=12_000,
            moments=8,
            train=16_000,
            test=2_000,
            tuning_steps=2_000,
            precision="float32",
            seeds=3,
            threads=1,
        ),
    },
    minutes={"tiny": 0.1, "quick": 39},
    measures=(
        "masking.{80-10-10,100-0-0,80-0-20,80-20-0,0-20-80,0-0-100,cost-of-mask}.{questions.tuned,tagging.tuned,tagging.features}",
        "size.*.{questions,acceptability,loss}",
        "direction.{full,no-nsp,ltr,ltr-lstm}.{entailment,paraphrase,acceptability,questions}",
        "curve.{full,ltr}.*",
        "nsp.cost.{pairs,single}",
    ),
    experiment="phantastic.systems.ablations.experiment:Ablations",
)
STUDIES = (STUDY,)
