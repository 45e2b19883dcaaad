"""The study `decisions`: how a decision is judged, from four counts to costs, prevalence and calibration."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study


class DecisionsRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The observers that are simulated, and the pictures by which a network and Bayes' rule decide."""

    observers: Annotated[
        int, about("simulated observers of each kind", "模擬の観察者の数(種類ごと)", ge=10, le=100_000)
    ] = 1_000
    trials: Annotated[
        int,
        about("trials of an observer, half with the signal", "観察者ごとの試行数(半分に信号がある)", ge=20, le=10_000),
    ] = 200
    sensitivity: Annotated[
        float, about("how far apart signal and noise are", "信号と雑音の隔たり", symbol="d′", gt=0, le=4)
    ] = 1.5
    bias: Annotated[
        float, about("criterion of the observers with a bias", "偏った観察者の判断基準", symbol="c", gt=0, le=2)
    ] = 0.8
    spread: Annotated[
        float,
        about(
            "standard deviation of the evidence with a signal, where variances differ",
            "分散が異なるときの、信号のもとでの証拠の標準偏差",
            symbol="σ",
            ge=0.5,
            le=2,
        ),
    ] = 1.4
    noise: Annotated[
        float, about("standard deviation of the noise on each pixel", "画素ごとの雑音の標準偏差", ge=0.1, le=10)
    ] = 0.7
    pictures: Annotated[int, about("pictures to learn from", "学習する画像の枚数", ge=64, le=10**6)] = 8_000
    tests: Annotated[int, about("pictures to be tested on", "試験に使う画像の枚数", ge=100, le=10**6)] = 20_000
    rare: Annotated[
        float,
        about(
            "prevalence of hearts where they are rare; one half in learning",
            "ハートがまれなときの有病率(学習では 1/2)",
            symbol="π",
            ge=0.01,
            le=0.5,
        ),
    ] = 0.1
    width: Annotated[int, about("hidden units of the network", "ネットワークの隠れ素子数", ge=1, le=4_096)] = 128
    steps: Annotated[int, about("steps of learning", "学習のステップ数", ge=1, le=10**6)] = 2_000
    batch: Annotated[int, about("pictures in a batch", "ミニバッチの画像数", ge=1, le=1_024)] = 64
    rate: Annotated[float, about("learning rate (Adam)", "学習率(Adam)", symbol="η", gt=0, le=1)] = 1e-3


class DecisionsApply(Request, frozen=True, kw_only=True):
    """A confusion matrix, or scores with their labels."""

    confusion: Annotated[
        str | None,
        about(
            "counts row by row, truth in rows, of two classes TP,FN,FP,TN: every measure (CSV and PNG)",
            "混同行列の度数を行ごとに(行が真の値。2 クラスなら TP,FN,FP,TN)。すべての指標(CSV と PNG)",
        ),
    ] = None
    scores: Annotated[
        str | None,
        about(
            "a CSV file with the columns score and label (0 or 1): ROC, precision and recall, calibration, prevalence",
            "列 score と label(0 か 1)をもつ CSV ファイル。ROC、適合率と再現率、較正、有病率",
        ),
    ] = None
    beta: Annotated[float, about("weight of recall in F", "F 値での再現率の重み", symbol="β", gt=0, le=100)] = 1.0
    prevalence: (
        Annotated[
            float,
            about("prevalence at which answers are to be judged", "答えの価値を求める有病率", symbol="π", gt=0, lt=1),
        ]
        | None
    ) = None


class DecisionsFit(Request, frozen=True, kw_only=True):
    """Somebody's yes and no, or ratings."""

    data: Annotated[
        str | None,
        about(
            "a CSV file with a row for each trial: signal (0 or 1), answer (0 or 1, or a rating), perhaps person",
            "1 試行 1 行の CSV ファイル。signal(0 か 1)、answer(0 か 1、または評定)、person(任意)",
        ),
    ] = None
    template: Annotated[
        str | None,
        about(
            "writes a CSV file to fill in, with two simulated people",
            "記入用の CSV ファイルを作る(模擬の 2 人分)",
        ),
    ] = None


FULL = DecisionsRecipe(seed=10, seeds=20, observers=10_000, tests=40_000)  # on seed 0 the pictures were chosen
STUDY = Study(
    name="decisions",
    title=Text("Measures for decisions", "判断の指標"),
    lecture=Text(
        "How a classifier is judged: confusion matrix, accuracy, precision, recall and F (the exam question)",
        "識別の評価:混同行列、正解率、適合率、再現率、F 値(試験問題)",
    ),
    papers=(
        "green1966",
        "hanley1982",
        "bamber1975",
        "gourevitch1967",
        "dorfman1969",
        "hautus1995",
        "clopper1934",
        "rijsbergen1979",
        "cohen1960",
        "gorodkin2004",
        "brier1950",
        "murphy1973",
        "stephenson2008",
        "brocker2007",
        "naeini2015",
        "guo2017",
        "platt1999",
        "saerens2002",
        "saito2015",
        "casscells1978",
        "eddy1982",
        "tversky1982",
    ),
    recipe=DecisionsRecipe,
    presets={
        "tiny": DecisionsRecipe(observers=200, trials=100, pictures=512, tests=1_000, width=16, steps=50),
        "quick": DecisionsRecipe(seed=10, seeds=10),
        "full": FULL,
        "paper": FULL,
    },
    minutes={"tiny": 0.1, "quick": 0.5},
    measures=(
        "exam.{accuracy,precision,recall,f}.{,low,high}",
        "exam.{error,cut}",
        "blind.{accuracy,area,youden}.error",
        "{clopper,wald}.coverage",
        "{rule,bamber,murphy,optimum}.error",
        "hanley.{area,spread}.{,error}",
        "binormal.{intercept,slope,area}.error",
        "{casscells,eddy,cabs}.{,error}",
        "observers.area.deviation",
        "observers.coverage.deviation",
        "observers.{neutral,biased}.{accuracy,d}.{,deviation}",
        "unequal.{strict,lax,distance,slope}.{,deviation}",
        "true.ece.{,quarter,deviation,excess}",
        "{bayes,network,scaled,blind}.{area,brier,log_loss,ece,excess,reliability,resolution,accuracy}",
        "{scaled,network}.distance",
        "temperature",
        "scaled.area.moved",
        "rare.{area,ap,ece,brier,ppv}.{,deviation,moved}",
        "rare.{exchanged,bayes}.{ece,brier}",
        "common.{ap,ppv}",
        "rare.accuracy.{network,blind}",
        "cost.{half,optimal,bayes,blind}",
    ),
    experiment="phantastic.systems.decisions.experiment:Decisions",
    apply=DecisionsApply,
    fit=DecisionsFit,
)
STUDIES = (STUDY,)
