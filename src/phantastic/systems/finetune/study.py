"""The study `finetune`: what pre-training is worth, task by task."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.shared import (
    Heads,
    Hidden,
    Layers,
    Longest,
    PretrainingBatch,
    PretrainingRate,
    PretrainingSteps,
    TuningBatch,
    TuningSteps,
    Width,
)
from phantastic.declare.study import Study


class FinetuneRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The tasks, the network, its pre-training and its fine-tuning."""

    data: Annotated[
        str,
        about(
            "folder with tasks of GLUE (CoLA, SST-2, MRPC, STS-B, QQP, MNLI, QNLI, RTE, WNLI, AX) or of SuperGLUE "
            "(BoolQ, CB, RTE), SQuAD-2.0 or CoNLL-2003, each a folder in it; empty: the tasks of the grammar",
            "GLUE(CoLA, SST-2, MRPC, STS-B, QQP, MNLI, QNLI, RTE, WNLI, AX)や SuperGLUE(BoolQ, CB, RTE)の課題、"
            "SQuAD-2.0、CoNLL-2003 をそれぞれフォルダーとして含むフォルダー。空なら文法の課題",
        ),
    ] = ""
    model: Annotated[
        str,
        about(
            "a trained network: a run, STUDY:PRESET or a Hugging Face folder; empty: one is pre-trained here",
            "学習済みネットワーク:実行、STUDY:PRESET、または Hugging Face 形式のフォルダー。空ならここで事前学習する",
            network=True,
        ),
    ] = ""
    vocabulary: Annotated[
        int,
        about(
            "WordPiece tokens at most, without a model's folder",
            "WordPiece の語彙数の上限(モデルのフォルダーを使わない場合)",
            ge=2_000,
            le=100_000,
        ),
    ] = 8_192
    layers: Layers = 3
    width: Width = 64
    heads: Heads = 4
    hidden: Hidden = 256
    longest: Longest = 128
    steps: PretrainingSteps = 12_000
    batch: PretrainingBatch = 64
    rate: PretrainingRate = 3e-3
    train: Annotated[
        int,
        about(
            "examples of a task to learn from; 0: all of a folder's",
            "課題ごとの学習例の数。0 ならフォルダーの全部",
            ge=0,
            le=10**6,
        ),
    ] = 16_000
    test: Annotated[
        int,
        about(
            "examples of a task to measure on; 0: all of a folder's",
            "課題ごとの評価例の数。0 ならフォルダーの全部",
            ge=0,
            le=10**6,
        ),
    ] = 500
    tuning_steps: TuningSteps = 1_500
    tuning_batch: TuningBatch = 32
    tuning_rates: Annotated[
        tuple[Annotated[float, about("highest learning rate", "最大の学習率", gt=0, le=1)], ...],
        about(
            "highest learning rates of fine-tuning; where there are several, the one that is best on held-out examples",
            "微調整の最大の学習率。複数なら、別にとっておいた例で最良のもの",
            symbol="η",
            min_length=1,
            max_length=8,
        ),
    ] = (3e-4, 1e-3)
    held: Annotated[
        int,
        about(
            "examples of a task to choose the rate by; they are not learned from",
            "学習率を選ぶための課題ごとの例の数(学習には使わない)",
            ge=2,
            le=10**6,
        ),
    ] = 500
    dropout: Annotated[
        float,
        about(
            "dropout while a network made here is tuned; one from a folder has its own",
            "微調整時のドロップアウト率(フォルダーのモデルでは自身の値)",
            ge=0,
            lt=1,
        ),
    ] = 0.0
    documents: Annotated[
        int,
        about("texts of the static vectors, in documents", "静的ベクトルを学習する文書数", ge=10, le=10**6),
    ] = 10_000


STUDY = Study(
    name="finetune",
    title=Text("Fine-tuning: what pre-training is worth", "微調整:事前学習の価値"),
    lecture=Text(
        "Language: pre-train once, then learn many tasks from few examples",
        "言語:一度の事前学習から、少数の例で多くの課題へ",
    ),
    papers=("devlin2019", "wang2019", "levy2014", "radford2018", "phang2018", "rajpurkar2018", "tjongkimsang2003"),
    recipe=FinetuneRecipe,
    presets={
        "tiny": FinetuneRecipe(
            layers=1,
            width=16,
            heads=2,
            hidden=32,
            steps=10,
            batch=8,
            train=24,
            test=16,
            tuning_steps=2,
            tuning_batch=8,
            held=6,
            documents=100,
            precision="float32",
        ),
        "quick": FinetuneRecipe(precision="float32", threads=1),
        "full": FinetuneRecipe(
            layers=4,
            width=256,
            heads=4,
            hidden=1_024,
            steps=40_000,
            rate=1e-3,
            train=16_000,
            test=2_000,
            tuning_steps=3_000,
            tuning_rates=(1e-4, 3e-4, 1e-3),
            held=2_000,
            documents=100_000,
            seeds=3,
        ),
        "glue": FinetuneRecipe(train=0, test=0, tuning_steps=3_000, tuning_rates=(2e-5, 3e-5, 5e-5), batch=32),
    },
    minutes={"tiny": 0.1, "quick": 27},
    measures=("*.{pretrained,fresh,compared,static,silent,dictionary,alone}.*",),
    experiment="phantastic.systems.finetune.experiment:Finetune",
)
STUDIES = (STUDY,)
