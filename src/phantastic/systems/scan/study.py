"""SCAN: concepts grounded in a visual world, from a handful of examples (Higgins et al. 2018)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.shared import ImageBatch
from phantastic.declare.study import Study


class ScanRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rooms, the visual module, the symbols, the operators, and what is measured."""

    size: Annotated[Literal[32, 64, 80], about("side of an image", "画像の一辺", unit="pixels")] = 32
    colours: Annotated[Literal[2, 4, 7, 16], about("colours of each surface", "各面の色の数")] = 7
    images: Annotated[int, about("images without symbols", "記号のない画像の枚数", ge=64, le=500_000)] = 20_000
    batch: ImageBatch = 64

    code: Annotated[
        int, about("units of the denoising autoencoder's code", "雑音除去自己符号化器の符号の素子数", ge=2, le=1000)
    ] = 100
    denoising_steps: Annotated[int, about("its training steps", "その学習ステップ数", ge=1, le=10**7)] = 1_500
    denoising_rate: Annotated[float, about("its learning rate", "その学習率", gt=0, le=1)] = 1e-3

    latent: Annotated[int, about("latents of the visual module", "視覚モジュールの潜在変数の数", ge=2, le=128)] = 12
    beta: Annotated[
        float,
        about(
            "lowest weight of the visual module's KL term, and the last",
            "視覚モジュールの KL 項の最小の重み。最後の重みでもある",
            symbol="β_x",
            gt=0,
            le=10**4,
        ),
    ] = 3.0
    beta_peak: Annotated[
        float,
        about(
            "its highest weight, in between",
            "その最大の重み。途中にとる",
            symbol="β_p",
            gt=0,
            le=10**5,
        ),
    ] = 100.0
    turning: Annotated[
        bool,
        about("turn the visual module's latents onto the factors", "視覚モジュールの潜在変数を要因の向きに回す"),
    ] = True
    beta_entangled: Annotated[
        float,
        about(
            "its weight in the entangled module of SCAN_U",
            "SCAN_U のもつれた視覚モジュールでの重み",
            ge=0,
            le=10**4,
        ),
    ] = 0.01
    visual_steps: Annotated[
        int, about("training steps of the visual module", "視覚モジュールの学習ステップ数", ge=1, le=10**7)
    ] = 5_000
    entangled_steps: Annotated[
        int,
        about("training steps of the entangled module", "もつれた視覚モジュールの学習ステップ数", ge=1, le=10**7),
    ] = 5_000
    visual_rate: Annotated[float, about("its learning rate", "その学習率", gt=0, le=1)] = 1e-3

    concepts: Annotated[int, about("concepts taught", "教える概念の数", ge=4, le=10_000)] = 133
    pairs: Annotated[int, about("images per concept", "概念ごとの画像の枚数", ge=1, le=1000)] = 20
    few: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        about("fewer images per concept, for comparison", "比較のための、より少ない枚数"),
    ] = (1, 2, 5, 10)
    hidden: Annotated[
        int, about("hidden units of the symbol networks", "記号ネットワークの隠れ素子数", ge=1, le=10_000)
    ] = 100
    symbol_beta: Annotated[
        float, about("weight of the symbols' KL term", "記号の KL 項の重み", symbol="β", ge=0, le=1000)
    ] = 1.0
    grounding: Annotated[
        float, about("weight of KL(q(z_x|x) ‖ q(z_y|y))", "KL(q(z_x|x) ‖ q(z_y|y)) の重み", symbol="λ", ge=0, le=1000)
    ] = 10.0
    symbol_steps: Annotated[int, about("training steps of SCAN", "SCAN の学習ステップ数", ge=1, le=10**7)] = 10_000
    symbol_batch: Annotated[int, about("pairs in a batch", "対のミニバッチの大きさ", ge=1, le=1024)] = 16
    symbol_rate: Annotated[float, about("SCAN's learning rate", "SCAN の学習率", gt=0, le=1)] = 1e-3

    operator_hidden: Annotated[int, about("hidden units of the operators", "演算子の隠れ素子数", ge=1, le=10_000)] = 256
    operator_steps: Annotated[
        int, about("training steps of the operators", "演算子の学習ステップ数", ge=1, le=10**7)
    ] = 4_000
    operator_rate: Annotated[float, about("their learning rate", "その学習率", gt=0, le=1)] = 1e-3

    baselines: Annotated[bool, about("train JMVAE and TrELBO as well", "JMVAE と TrELBO も学習させる")] = False
    joint_steps: Annotated[
        int, about("training steps of JMVAE and TrELBO", "JMVAE と TrELBO の学習ステップ数", ge=1, le=10**7)
    ] = 5_000
    joint_rate: Annotated[float, about("their learning rate", "その学習率", gt=0, le=1)] = 1e-3
    alpha: Annotated[
        float,
        about(
            "JMVAE's weight of the unimodal posteriors",
            "JMVAE の単一モダリティ事後分布の重み",
            symbol="α",
            ge=0,
            le=1000,
        ),
    ] = 0.1
    gamma: Annotated[
        float,
        about("TrELBO's weight of the symbols' likelihood", "TrELBO の記号尤度の重み", symbol="γ", ge=0, le=10**4),
    ] = 10.0

    classifier_steps: Annotated[
        int, about("training steps of the judging classifier", "判定用分類器の学習ステップ数", ge=1, le=10**7)
    ] = 1_200
    classifier_rate: Annotated[float, about("its learning rate", "その学習率", gt=0, le=1)] = 1e-3
    test_concepts: Annotated[
        int, about("concepts held out for testing", "テスト用に取り置く概念の数", ge=4, le=5_000)
    ] = 301
    test_images: Annotated[int, about("rooms held out for testing", "テスト用の部屋の数", ge=100, le=100_000)] = 2_000
    samples: Annotated[int, about("images imagined per concept", "概念ごとに想像させる画像の枚数", ge=2, le=1000)] = 64


TINY = ScanRecipe(
    colours=4,
    images=256,
    batch=16,
    denoising_steps=6,
    visual_steps=8,
    entangled_steps=8,
    latent=6,
    concepts=12,
    pairs=4,
    few=(2,),
    symbol_steps=12,
    operator_steps=8,
    classifier_steps=8,
    test_concepts=12,
    test_images=240,
    samples=4,
    baselines=True,
    joint_steps=4,
    precision="float32",
    threads=1,
)
# One thread: a second gains a twentieth on the visual module and makes the small symbol networks four times slower.
QUICK = ScanRecipe(
    threads=1,
    denoising_steps=1_000,
    visual_steps=5_000,
    visual_rate=2e-3,
    entangled_steps=1_000,
    hidden=200,
    symbol_batch=64,
    symbol_rate=2e-3,
    symbol_steps=5_000,
    few=(5,),
    operator_rate=3e-3,
    samples=32,
)
FULL = msgspec.structs.replace(
    QUICK, seeds=3, entangled_steps=5_000, baselines=True, joint_steps=4_000, few=(1, 2, 5, 10), samples=64
)
PAPER = ScanRecipe(
    size=80,
    colours=16,
    images=200_000,
    batch=100,
    hidden=100,
    denoising_steps=200_000,
    denoising_rate=1e-3,
    latent=32,
    beta=53.0,
    beta_peak=53.0,
    turning=False,
    visual_steps=500_000,
    entangled_steps=500_000,
    visual_rate=1e-4,
    symbol_steps=500_000,
    symbol_rate=1e-4,
    seeds=3,
    operator_hidden=1024,
    operator_steps=100_000,
    baselines=True,
    joint_steps=500_000,
    joint_rate=1e-4,
    classifier_steps=20_000,
    test_images=10_000,
    samples=128,
)


class ScanApply(Request, frozen=True, kw_only=True):
    """A phrase to imagine, an image to name, or both: the image as first operand."""

    say: Annotated[
        str | None,
        about(
            'a phrase to imagine, such as "red suitcase, blue wall" or "yellow AND hat"',
            "想像させる句。例:「赤いスーツケース、青い壁」「黄 AND 帽子」",
        ),
    ] = None
    look: Annotated[str | None, about("an image file to put into words", "言葉にさせる画像ファイル")] = None
    to: Annotated[str | None, about("where the imagined images are written (PNG)", "想像した画像の保存先 (PNG)")] = None


STUDIES = (
    Study(
        name="scan",
        title=Text("SCAN: words for what was seen", "SCAN:見たものに言葉を与える"),
        lecture=Text(
            "Cognitive psychology, lecture 12: concepts, symbols and imagination", "認知心理学 第12回:概念・記号・想像"
        ),
        papers=("higgins2018", "suzuki2016", "vedantam2018", "eastwood2018"),
        recipe=ScanRecipe,
        presets={"tiny": TINY, "quick": QUICK, "full": FULL, "paper": PAPER},
        minutes={"tiny": 0.2, "quick": 8.5},
        measures=(
            "{,scan_r,scan_u,jmvae,trelbo,pairs*}.sym2img.{accuracy,diversity,distance}.{,held_out}",
            "{,scan_r,scan_u,jmvae,trelbo}.img2sym.{identity,object,wall,floor,accuracy,diversity}",
            "operators.{,image}.{and,in_common,ignore}.{accuracy,diversity}",
            "{visual,entangled}.{dci,mig,grouped_mig}",
            "classifier.accuracy",
        ),
        experiment="phantastic.systems.scan.experiment:Scan",
        apply=ScanApply,
    ),
)
