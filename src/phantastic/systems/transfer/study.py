"""The study `transfer`: from one language to another, and from a large network to one of half the depth."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.shared import (
    Examples,
    Heads,
    Longest,
    PretrainingBatch,
    PretrainingRate,
    TuningBatch,
    TuningRate,
    Width,
)
from phantastic.declare.study import Study


class TransferRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The networks, how long each is trained, and the fine-tuning."""

    layers: Annotated[
        int,
        about("blocks of the network of two languages", "2 言語のネットワークの層数", symbol="L", ge=1, le=24),
    ] = 3
    student_layers: Annotated[
        int,
        about("blocks of a student; the teacher has twice as many", "生徒の層数。教師はその 2 倍", ge=1, le=12),
    ] = 2
    width: Width = 64
    heads: Heads = 4
    longest: Longest = 128
    steps: Annotated[
        int,
        about(
            "steps of pre-training in two languages, for each network",
            "2 言語での事前学習のステップ数(ネットワークごと)",
            ge=1,
            le=10**8,
        ),
    ] = 3_000
    teacher_steps: Annotated[
        int,
        about("steps of the teacher's pre-training", "教師の事前学習のステップ数", ge=1, le=10**8),
    ] = 3_500
    student_steps: Annotated[
        int,
        about("steps of training, for each student", "生徒ごとの学習のステップ数", ge=1, le=10**8),
    ] = 1_000
    batch: PretrainingBatch = 64
    rate: PretrainingRate = 3e-3
    train: Examples = 4_000
    test: Annotated[
        int,
        about(
            "examples of a task, and parallel sentences, to measure on",
            "課題ごとの評価例の数、対訳文の数",
            ge=2,
            le=10**6,
        ),
    ] = 500
    crossing_steps: Annotated[
        int,
        about(
            "steps of fine-tuning in one language, for each task",
            "一つの言語での課題ごとの微調整のステップ数",
            ge=1,
            le=10**7,
        ),
    ] = 150
    tunings: Annotated[
        int,
        about(
            "times that this is done, with other heads and orders of examples",
            "その繰り返し回数(出力層の初期値と例の順を変える)",
            ge=1,
            le=100,
        ),
    ] = 3
    tuning_steps: Annotated[
        int,
        about(
            "steps of fine-tuning of teacher and students, for each task",
            "教師と生徒の課題ごとの微調整のステップ数",
            ge=1,
            le=10**7,
        ),
    ] = 500
    tuning_batch: TuningBatch = 32
    tuning_rate: TuningRate = 1e-3


STUDY = Study(
    name="transfer",
    title=Text("Transfer: to another language, to a smaller network", "転移:別の言語へ、小さなネットワークへ"),
    lecture=Text(
        "Language: cross-lingual pre-training (XLM) and distillation (DistilBERT)",
        "言語:言語横断の事前学習(XLM)と蒸留(DistilBERT)",
    ),
    papers=("lample2019", "conneau2020", "hu2020", "sanh2019", "hinton2015", "devlin2019"),
    recipe=TransferRecipe,
    presets={
        "tiny": TransferRecipe(
            layers=1,
            student_layers=1,
            width=8,
            heads=2,
            steps=4,
            teacher_steps=2,
            student_steps=2,
            batch=4,
            train=12,
            test=8,
            crossing_steps=1,
            tunings=1,
            tuning_steps=1,
            tuning_batch=4,
            precision="float32",
        ),
        "quick": TransferRecipe(precision="float32", threads=1),
        "full": TransferRecipe(
            layers=4,
            student_layers=3,
            width=128,
            steps=20_000,
            teacher_steps=20_000,
            student_steps=10_000,
            rate=2e-3,
            train=8_000,
            test=2_000,
            crossing_steps=400,
            tuning_steps=1_500,
            tuning_rate=5e-4,
            precision="float32",
            seeds=3,
        ),
    },
    minutes={"tiny": 0.1, "quick": 13.9},
    measures=(
        "{topic,subject,tagging}.{mlm,tlm,fresh}.{english,zero-shot,japanese}",
        "{topic,subject,tagging}.{chance,words}",
        "{mlm,tlm,fresh}.{retrieval,words}.{,layer*}",
        "{mlm,tlm,fresh}.surprise.{english,japanese,translation}",
        "retrieval.chance",
        "{teacher,distilled,masked,random,cut}.{acceptability,questions,tagging,macro,share,masked,weights}",
    ),
    experiment="phantastic.systems.transfer.experiment:Transfer",
)
STUDIES = (STUDY,)
