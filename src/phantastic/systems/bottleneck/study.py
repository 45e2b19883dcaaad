"""The studies `fusion` and `integration`: hearing and seeing together, by attention bottlenecks."""

from typing import Annotated

import msgspec
from msgspec import Meta

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.shared import Smoothing
from phantastic.declare.study import Study

# of both studies' transformers
Layers = Annotated[int, about("layers of a transformer", "変換器の層数", symbol="L", ge=1, le=48)]
Width = Annotated[int, about("width of a token", "トークンの次元", symbol="d", ge=8, le=2_048)]
Heads = Annotated[int, about("attention heads; they divide the width", "注意ヘッドの数(次元の約数)", ge=1, le=32)]
Bottlenecks = Annotated[
    int,
    about(
        "bottleneck tokens, beside one for the class",
        "ボトルネックトークンの数(ほかにクラス用が 1 個)",
        symbol="B",
        ge=1,
        le=1_024,
    ),
]
Rate = Annotated[float, about("AdamW's highest step size", "AdamW の最大の学習率", symbol="η", gt=0, le=1)]
Decay = Annotated[float, about("AdamW's weight decay", "AdamW の重み減衰", ge=0, le=1)]


class FusionRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Clips of two seconds, how they are cut into tokens, the transformers and their training."""

    clips: Annotated[int, about("clips to learn from", "学習するクリップの数", ge=16, le=1_000_000)] = 8_000
    test_clips: Annotated[int, about("clips held out for testing", "評価用クリップの数", ge=16, le=100_000)] = 1_500
    data: Annotated[
        str,
        about(
            "folder of clips of your own, with train and test in it; empty for rendered ones",
            "自分のクリップのフォルダ(train と test を含む)。空なら描画したもの",
            max_length=4_096,
        ),
    ] = ""
    seconds: Annotated[
        float,
        about(
            "length of your own clips that is taken; rendered ones have 2",
            "自分のクリップから使う長さ(描画は 2 秒)",
            unit="s",
            ge=0.5,
            le=30,
        ),
    ] = 2.0
    epochs: Annotated[int, about("passes through the clips", "学習の周回数", ge=1, le=1_000)] = 8
    batch: Annotated[int, about("clips in a batch", "ミニバッチのクリップ数", ge=2, le=1_024)] = 32
    rate: Rate = 1.5e-3
    decay: Decay = 0.05
    layers: Layers = 4
    width: Width = 64
    heads: Heads = 4
    bottlenecks: Bottlenecks = 4
    points: Annotated[
        int,
        about(
            "fusion layers that are compared, from early to late",
            "比較する融合層の数(初期から後期まで)",
            ge=2,
            le=49,
        ),
    ] = 3
    numbers: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1_024)], ...],
        about(
            "numbers of bottleneck tokens that are compared, at the middle layer",
            "中間の融合層で比較するボトルネックトークンの数",
        ),
    ] = (1, 4, 16)
    size: Annotated[int, about("side of a frame", "画像の一辺", unit="px", ge=16, le=512)] = 32
    frames: Annotated[int, about("frames of a clip", "クリップの画像枚数", ge=1, le=64)] = 8
    patch: Annotated[
        int, about("side of the square that a token covers", "トークンが覆う正方形の一辺", unit="px", ge=4, le=64)
    ] = 16
    tubelet: Annotated[int, about("frames that a token covers", "トークンが覆う画像の枚数", ge=1, le=16)] = 2
    bands: Annotated[int, about("mel bands of a spectrogram", "スペクトログラムのメル帯域数", ge=8, le=256)] = 64
    hop: Annotated[
        float,
        about("time from spectrum to spectrum", "スペクトルの間隔", unit="s", ge=0.005, le=0.1),
    ] = 0.02
    patch_time: Annotated[int, about("spectra that a token covers", "トークンが覆うスペクトルの数", ge=1, le=64)] = 20
    patch_bands: Annotated[int, about("mel bands that a token covers", "トークンが覆うメル帯域の数", ge=1, le=256)] = 16
    visual_noise: Annotated[
        float, about("noise in the picture, black to white being 1", "画像の雑音(黒から白までが 1)", ge=0, le=2)
    ] = 0.2  # with the sound's: neither sense tells all that it could (chosen on "fusion/validation" of seed 101)
    auditory_noise: Annotated[
        float, about("noise in the sound, full amplitude being 1", "音の雑音(最大振幅が 1)", ge=0, le=2)
    ] = 0.1
    stochastic_depth: Annotated[
        float,
        about(
            "probability with which a branch of the last layer is left out in training",
            "学習中に最終層の枝を省く確率",
            ge=0,
            le=0.9,
        ),
    ] = 0.0
    smoothing: Smoothing = 0.0
    mixup: Annotated[
        float, about("α of modality mixup; 0 for none", "モダリティ mixup の α。0 で使わない", symbol="α", ge=0, le=10)
    ] = 0.0


QUICK = FusionRecipe(precision="float32", threads=1)
FULL = msgspec.structs.replace(QUICK, test_clips=2_000, epochs=12, points=5, numbers=(1, 4, 16, 64), seeds=3)
PAPER = FusionRecipe(
    clips=8_000, test_clips=2_000, epochs=50, batch=64, rate=3e-4, layers=12, width=768, heads=12, points=7,
    numbers=(1, 4, 16, 64, 256), size=224, frames=32, patch=16, tubelet=2, bands=128, hop=0.01, patch_time=16,
    patch_bands=16, stochastic_depth=0.3, smoothing=0.3, mixup=0.5, seeds=3,
)  # fmt: skip


class FusionApply(Request, frozen=True, kw_only=True):
    """A clip of the user's own: a video, or frames with their sound."""

    clip: Annotated[
        str | None,
        about(
            "a video file with sound (needs the extra audiovisual)",
            "音声付きの動画ファイル(追加機能 audiovisual が必要)",
        ),
    ] = None
    frames: Annotated[
        str | None,
        about("a folder of frames, instead of a video", "動画の代わりに、画像のフォルダ"),
    ] = None
    audio: Annotated[
        str | None,
        about("a WAV or FLAC file, with the frames", "画像と合わせる WAV または FLAC ファイル"),
    ] = None
    to: Annotated[
        str | None,
        about("where the picture of the attention is written (PNG)", "注意の図の保存先 (PNG)"),
    ] = None


FUSION = Study(
    name="fusion",
    title=Text("Where should the senses meet?", "感覚はどこで出会うべきか"),
    lecture=Text(
        "Multimodal transformers: early, mid and late fusion of sight and sound, and attention through a bottleneck",
        "マルチモーダル変換器:視覚と聴覚の初期・中期・後期融合と、ボトルネックを通る注意",
    ),
    papers=("nagrani2021", "dosovitskiy2021", "gong2021"),
    recipe=FusionRecipe,
    presets={
        "tiny": FusionRecipe(
            clips=32,
            test_clips=64,
            epochs=1,
            batch=16,
            layers=2,
            width=16,
            heads=2,
            points=3,
            numbers=(1, 4),
            size=16,
            frames=4,
            patch=8,
            bottlenecks=2,
            precision="float32",
            threads=1,
        ),
        "quick": QUICK,
        "full": FULL,
        "paper": PAPER,
    },
    minutes={"tiny": 0.1, "quick": 13.6, "full": 90},
    measures=(
        "{late,rgb,spectrogram,early,middle,bottleneck*,vanilla*,tokens*}.{map,redundant,visual,auditory,synergy}",
        "{late,rgb,spectrogram,bottleneck*,vanilla*,tokens*}.macs.{published,own,read}",
        "{early,released}.macs.ratio.{,own}",
        "gain.layer*",
        "last.gain",
        "redundant.gain",
        "numbers.*",
    ),
    experiment="phantastic.systems.bottleneck.fusion:Fusion",
    apply=FusionApply,
)


class IntegrationRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cues of known reliability to where something was, dubbed clips, the transformers and their training."""

    trials: Annotated[
        int,
        about("trials of localising to learn from", "学習する定位試行の数", ge=16, le=1_000_000),
    ] = 20_000
    epochs: Annotated[int, about("passes through them", "その周回数", ge=1, le=1_000)] = 6
    common: Annotated[
        float,
        about(
            "share of trials in which flash and burst have one source",
            "光と音が同じ源から出る試行の割合",
            symbol="p",
            ge=0,
            le=1,
        ),
    ] = 0.7
    sharpest: Annotated[
        float,
        about(
            "standard deviation of the most reliable cues",
            "最も信頼できる手がかりの標準偏差",
            unit="half widths",
            ge=0.005,
            le=0.1,
        ),
    ] = 0.02
    bluntest: Annotated[
        float,
        about(
            "standard deviation of the least reliable cues",
            "最も信頼できない手がかりの標準偏差",
            unit="half widths",
            ge=0.1,
            le=1,
        ),
    ] = 0.2
    clips: Annotated[
        int, about("clips of single events to learn from", "学習する出来事のクリップ数", ge=16, le=100_000)
    ] = 4_000
    clip_epochs: Annotated[int, about("passes through them", "その周回数", ge=1, le=1_000)] = 8
    syllables: Annotated[int, about("spoken syllables to learn from", "学習する音節の数", ge=16, le=1_000_000)] = 8_000
    syllable_epochs: Annotated[int, about("passes through them", "その周回数", ge=1, le=1_000)] = 8
    visual_noise: Annotated[float, about("noise in the clips' pictures", "クリップの画像の雑音", ge=0, le=2)] = 0.04
    auditory_noise: Annotated[float, about("noise in the clips' sounds", "クリップの音の雑音", ge=0, le=2)] = 0.01
    test_trials: Annotated[
        int, about("trials of each condition in the tests", "評価の各条件の試行数", ge=16, le=100_000)
    ] = 500
    batch: Annotated[int, about("trials in a batch", "ミニバッチの試行数", ge=2, le=1_024)] = 32
    rate: Rate = 2e-3
    decay: Decay = 0.01
    layers: Layers = 3
    width: Width = 48
    heads: Heads = 4
    bottlenecks: Bottlenecks = 4


TOGETHER = IntegrationRecipe(precision="float32", threads=1)
INTEGRATION = Study(
    name="integration",
    title=Text("Does it combine the senses as people do?", "人のように感覚を統合するか"),
    lecture=Text(
        "Multisensory perception: reliability, the ventriloquist, congruence and the McGurk effect",
        "多感覚知覚:信頼性、腹話術効果、一致と不一致、マガーク効果",
    ),
    papers=("nagrani2021", "ernst2002", "alais2004", "koerding2007", "mcgurk1976"),
    recipe=IntegrationRecipe,
    presets={
        "tiny": IntegrationRecipe(
            trials=32,
            epochs=1,
            clips=16,
            clip_epochs=1,
            syllables=32,
            syllable_epochs=1,
            test_trials=16,
            batch=16,
            layers=2,
            width=16,
            heads=2,
            bottlenecks=2,
            precision="float32",
            threads=1,
        ),
        "quick": TOGETHER,
        "full": msgspec.structs.replace(TOGETHER, clips=6_000, test_trials=2_000, seeds=3),
        "paper": msgspec.structs.replace(
            TOGETHER, trials=100_000, epochs=10, clips=20_000, test_trials=5_000, precision="auto", seeds=5
        ),
    },
    minutes={"tiny": 0.1, "quick": 12, "full": 37},
    measures=(
        "weight.{slope,slope.late,error}",
        "capture.{near,near.ideal,far,far.late,far.ideal,kept,error}",
        "spread.{bottleneck,late,rgb,spectrogram,ideal,excess}",
        "gain.{bottleneck,late,ideal}",
        "accuracy",
        "mistakes.{,sight,hearing}",
        "time.{congruent,incongruent}",
        "answers.{seen,heard,third,fused}",
        "syllable.{accuracy,between,reverse}.{bottleneck,late,ideal}",
        "syllable.short.{bottleneck,late}",
        "syllable.alone.{hearing,sight,either}.{bottleneck,late,ideal}",
        "capture.at*.{bottleneck,late,ideal,error}",
    ),
    experiment="phantastic.systems.bottleneck.integration:Integration",
)
STUDIES = (FUSION, INTEGRATION)
