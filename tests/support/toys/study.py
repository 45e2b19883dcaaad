"""Declaration of the toy; imports nothing heavy, as every study's."""

from pathlib import Path
from typing import Annotated, Literal

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study


class ToyRecipe(Recipe, frozen=True, kw_only=True):
    steps: Annotated[int, about("training steps of each stage", "各段階の学習ステップ数", ge=1, le=1_000_000)] = 60
    width: Annotated[int, about("units of the hidden layer", "隠れ層のユニット数", ge=1, le=512)] = 16
    learning_rate: Annotated[
        float, about("step size of Adam", "Adam の学習率", symbol="η", unit="1/step", gt=0, le=1)
    ] = 0.01
    shape: Annotated[Literal["sine", "step"], about("curve to fit", "当てはめる曲線")] = "sine"
    scale: Annotated[float, about("height of the curve", "曲線の高さ", symbol="a")] = 1.0


class ToyApply(Request, frozen=True, kw_only=True):
    at: Annotated[float, about("where the curve is read", "曲線を読む位置")]


TOY = Study(
    name="toy",
    title=Text("Fitting a curve", "曲線の当てはめ"),
    lecture=Text("Lecture 0: regression", "第0回: 回帰"),
    papers=("gauss1809",),
    recipe=ToyRecipe,
    presets={
        "tiny": ToyRecipe(steps=30, precision="float32", threads=1),
        "quick": ToyRecipe(steps=25, seeds=3, precision="float32", threads=1),
    },
    minutes={"tiny": 0.02},
    experiment="toys.experiment:Toy",
    bibliography=Path(__file__).with_name("references.bib"),
    apply=ToyApply,
)
