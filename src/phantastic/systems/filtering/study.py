"""The study `filtering`: what dynamic expectation maximisation and generalised filtering recover from noisy data."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.study import Study


class FilteringRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The linear system that is deconvolved and learned, and the push on the double well; one noise for each seed."""

    states_order: Annotated[
        int,
        about(
            "embedding order of states and data: how many derivatives are tracked",
            "状態とデータの埋め込み次数(追跡する導関数の数)",
            symbol="n",
            ge=1,
            le=8,
        ),
    ] = 6
    causes_order: Annotated[
        int,
        about(
            "embedding order of causes, at most that of states",
            "原因の埋め込み次数(状態の次数を上限とする)",
            symbol="d",
            ge=0,
            le=8,
        ),
    ] = 2
    smoothness: Annotated[
        float,
        about(
            "smoothness of the noise, in the world and in the model",
            "ノイズの滑らかさ(世界とモデルで共通)",
            symbol="s",
            unit="bins",
            ge=0.1,
            le=1,
        ),
    ] = 0.5
    sensory_log_precision: Annotated[
        float,
        about(
            "log-precision of the sensory noise, in the world and in the model",
            "感覚ノイズの対数精度(世界とモデルで共通)",
            symbol="ln Π(z)",
            ge=0,
            le=12,
        ),
    ] = 8.0
    state_log_precision: Annotated[
        float,
        about(
            "log-precision that the model gives the motion of states (the world's has no noise)",
            "モデルが状態の運動に与える対数精度(世界の運動にはノイズがない)",
            symbol="ln Π(w)",
            ge=0,
            le=12,
        ),
    ] = 8.0
    bins: Annotated[
        int,
        about("length of the data of the linear system", "線形システムのデータの長さ", unit="bins", ge=24, le=256),
    ] = 32
    steps: Annotated[
        int,
        about("E- and M-steps of learning, at most", "学習の E・M ステップの最大回数", ge=2, le=64),
    ] = 32
    drive: Annotated[
        float,
        about(
            "amplitude of the push that moves the double well's state from side to side",
            "二重井戸の状態を左右に動かす入力の振幅",
            ge=0,
            le=16,
        ),
    ] = 8.0


FULL = FilteringRecipe(seeds=50)
STUDY = Study(
    name="filtering",
    title=Text(
        "Filtering by dynamic expectation maximisation and by generalised filtering",
        "DEM と一般化フィルタリングによるフィルタリング",
    ),
    lecture=Text(
        "The free-energy principle: perception as the inversion of a hierarchical dynamic model; states, parameters "
        "and precisions by dynamic expectation maximisation, and by generalised filtering, whose traces are synaptic",
        "自由エネルギー原理:階層的な動的モデルの反転としての知覚。DEM による状態・パラメータ・精度の推定と、"
        "シナプスの痕跡をもつ一般化フィルタリング",
    ),
    papers=("friston2008dem", "friston2008", "friston2010gf", "friston2010action", "lorenz1963"),
    recipe=FilteringRecipe,
    presets={
        "tiny": FilteringRecipe(steps=4),
        "quick": FilteringRecipe(seeds=32),
        "full": FULL,
        "paper": FULL,
    },
    minutes={"tiny": 0.2, "quick": 3.5, "full": 5.4},
    measures=(
        "cause.{peak,peak.error,error,error.one,error.white,explained,inside}",
        "states.{error,explained,inside}",
        "drawn.{dem,dem_full,exact}.{causes,states}.{inside,error}",
        "{learned,corrected,known,fixed}.{A21,C11}.{,sd,deviation,error,inside}",
        "{learned,corrected,known,fixed}.{rise,rising,drift}",
        "lorenz.error.{1,16,32,64}",
        "lorenz.left",
        "well.{error,wrong,size.error,response.error}",
        "{gf,dem}.{linear,wells}.{parameters,states,cause}.{error,inside}",
        "{gf,dem}.{linear,wells}.parameters.sd",
        "gf.{linear,wells}.rest",
        "gf.known.difference",
    ),
    experiment="phantastic.systems.filtering.experiment:Filtering",
)
STUDIES = (STUDY,)
