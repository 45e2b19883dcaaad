"""The study `family`: the language networks of 2013 to 2019, side by side."""

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


class FamilyRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One size for all members, the corpus that all read, and how they are used."""

    layers: Layers = 2
    width: Annotated[
        int,
        about("width of every network", "すべてのネットワークの次元", symbol="H", ge=8, le=2_048, multiple_of=2),
    ] = 64
    heads: Heads = 4
    longest: Longest = 128
    pools: Annotated[
        int,
        about(
            "size of the corpus, in pools of 1,024 texts (1,536 examples)",
            "コーパスの大きさ(1,024 文章 = 1,536 例を単位とする)",
            ge=1,
            le=10**4,
        ),
    ] = 2
    steps: PretrainingSteps = 1_500
    batch: PretrainingBatch = 32
    rate: PretrainingRate = 3e-3
    train: Examples = 3_000
    test: Annotated[int, about("examples of a task to measure on", "課題ごとの評価例の数", ge=2, le=10**6)] = 1_000
    tuning_steps: TuningSteps = 300
    tuning_batch: TuningBatch = 32
    tuning_rate: TuningRate = 1e-3
    dropout: Annotated[float, about("dropout of fine-tuning", "微調整時のドロップアウト率", ge=0, lt=1)] = 0.1


STUDY = Study(
    name="family",
    title=Text("The family of language networks", "言語モデルの一族"),
    lecture=Text(
        "Language: skip-gram, ELMo, GPT, BERT, MT-DNN, XLNet and RoBERTa at equal tokens",
        "言語:skip-gram・ELMo・GPT・BERT・MT-DNN・XLNet・RoBERTa を同じトークン数で比べる",
    ),
    papers=(
        "mikolov2013",
        "vaswani2017",
        "peters2018",
        "radford2018",
        "radford2019",
        "devlin2019",
        "liu2018",
        "dai2019",
        "liu2019",
        "yang2019",
        "liu2019roberta",
    ),
    recipe=FamilyRecipe,
    presets={
        "tiny": FamilyRecipe(
            layers=1,
            width=8,
            heads=2,
            pools=1,
            steps=2,
            batch=4,
            train=12,
            test=8,
            tuning_steps=2,
            tuning_batch=4,
            precision="float32",
        ),
        "quick": FamilyRecipe(precision="float32", threads=1),
        "full": FamilyRecipe(
            layers=3,
            pools=8,
            steps=8_000,
            train=16_000,
            test=2_000,
            tuning_steps=2_000,
            seeds=3,
            precision="float32",
            threads=1,
        ),
    },
    minutes={"tiny": 0.2, "quick": 11},
    measures=(
        "surprise.{bert,dynamic,roberta,xlnet,gpt,elmo,untrained,frequency}",
        "tuned.{bert,roberta,gpt,xlnet,untrained}.{acceptability,questions}",
        "features.{bert,roberta,gpt,xlnet,untrained,elmo,elmo-last,skip-gram}.{acceptability,questions}",
        "majority.{acceptability,paraphrase,entailment,ranking}",
        "{st-dnn,mt-dnn}.{acceptability,paraphrase,entailment,similarity,ranking,average}",
    ),
    experiment="phantastic.systems.family.experiment:FamilyStudy",
)
STUDIES = (STUDY,)
