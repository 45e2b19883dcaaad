"""Parameters that several studies have, each described and bounded once; a recipe gives its own default."""

from typing import Annotated

from phantastic.declare.recipe import about

Layers = Annotated[int, about("Transformer blocks", "Transformer の層数", symbol="L", ge=1, le=48)]
Width = Annotated[int, about("width of the residual stream", "残差ストリームの次元", symbol="H", ge=2, le=4_096)]
Heads = Annotated[int, about("attention heads in a block", "各層の注意ヘッド数", symbol="A", ge=1, le=64)]
Hidden = Annotated[int, about("hidden units of a block's MLP", "各層の MLP の隠れ素子数", ge=1, le=16_384)]
Longest = Annotated[int, about("positions of an example at most", "1 例の最大の位置数", ge=80, le=512)]

PretrainingSteps = Annotated[int, about("steps of pre-training", "事前学習のステップ数", ge=1, le=10**8)]
PretrainingBatch = Annotated[
    int, about("examples in a batch of pre-training", "事前学習のミニバッチの例の数", ge=1, le=1_024)
]
PretrainingRate = Annotated[
    float, about("highest learning rate of pre-training", "事前学習の最大の学習率", symbol="η", gt=0, le=1)
]
Examples = Annotated[int, about("examples of a task to learn from", "課題ごとの学習例の数", ge=1, le=10**6)]
TuningSteps = Annotated[
    int, about("steps of fine-tuning, for each task", "課題ごとの微調整のステップ数", ge=1, le=10**7)
]
TuningBatch = Annotated[int, about("examples in a batch of fine-tuning", "微調整のミニバッチの例の数", ge=1, le=1_024)]
TuningRate = Annotated[
    float, about("highest learning rate of fine-tuning", "微調整の最大の学習率", symbol="η", gt=0, le=1)
]

Images = Annotated[
    int,
    about(
        "images to learn from; 737280 is all of dSprites",
        "学習画像の枚数。737280 で dSprites 全体",
        ge=256,
        le=737_280,
    ),
]
ImageBatch = Annotated[int, about("images in a batch", "ミニバッチの画像数", ge=2, le=1_024)]
Smoothing = Annotated[float, about("label smoothing", "ラベル平滑化", symbol="ε", ge=0, le=0.9)]
