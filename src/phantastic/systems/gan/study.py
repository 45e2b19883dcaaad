"""The study `gan`: a generative adversarial network beside a VAE, on the same data with the same budget."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.shared import ImageBatch, Images
from phantastic.declare.study import Study


class GameRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A GAN and a VAE on points of two mixtures and on dSprites."""

    point_steps: Annotated[int, about("training steps on points", "点データでの学習ステップ数", ge=1, le=10**7)] = 4_000
    point_batch: Annotated[int, about("points in a batch", "ミニバッチの点数", ge=2, le=10_000)] = 256
    point_rate: Annotated[
        float,
        about("Adam's step size on points", "点データでの Adam の学習率", symbol="η", gt=0, le=1),
    ] = 1e-3
    point_penalty: Annotated[
        float,
        about(
            "the same penalty as on images (R1), for points",
            "画像と同じ罰則(R1)の、点データでの重み",
            symbol="γ",
            ge=0,
            le=1_000,
        ),
    ] = 0.0
    images: Images = 737_280
    image_steps: Annotated[int, about("training steps on images", "画像での学習ステップ数", ge=1, le=10**7)] = 2_000
    batch: ImageBatch = 64
    image_rate: Annotated[
        float,
        about("Adam's step size of either player on images", "画像での GAN の Adam の学習率", symbol="η", gt=0, le=1),
    ] = 2e-3
    image_penalty: Annotated[
        float,
        about(
            "weight of the penalty on the discriminator's slope at the data (R1), for images",
            "画像の識別器のデータ点での勾配に対する罰則(R1)の重み",
            symbol="γ",
            ge=0,
            le=1_000,
        ),
    ] = 10.0
    vae_rate: Annotated[
        float,
        about("Adam's step size of the VAE on images", "画像での VAE の Adam の学習率", symbol="η", gt=0, le=1),
    ] = 1e-3
    latent: Annotated[
        int,
        about(
            "width of the VAE's code and of the GAN's noise, for images",
            "画像での VAE の潜在変数と GAN の雑音の次元",
            ge=1,
            le=512,
        ),
    ] = 10
    sample: Annotated[int, about("samples that are measured", "評価する標本の数", ge=100, le=100_000)] = 2_500


STUDY = Study(
    name="gan",
    title=Text("A GAN beside a VAE", "GAN と VAE の比較"),
    lecture=Text(
        "Generative models: what is learned by fooling a judge, and what by explaining the data",
        "生成モデル:審判を欺くことで学ぶモデルと、データを説明することで学ぶモデル",
    ),
    papers=("goodfellow2014", "kingma2014", "radford2016", "mescheder2018", "srivastava2017", "lin2018"),
    recipe=GameRecipe,
    presets={
        "tiny": GameRecipe(
            point_steps=20,
            point_batch=32,
            images=512,
            image_steps=4,
            batch=8,
            latent=4,
            sample=100,
            precision="float32",
        ),
        "quick": GameRecipe(),
        "full": GameRecipe(point_steps=20_000, image_steps=10_000, seeds=3),
        "paper": GameRecipe(point_steps=400_000, point_batch=100, point_rate=1e-4, image_steps=200_000, seeds=10),
    },
    minutes={"tiny": 0.1, "quick": 11.3},
    measures=(
        "judge.{value,value.deviation,optimum,error}",
        "{ring,grid}.{gan,vae}.{modes,quality}",
        "{ring,grid,image}.gan.value.{,deviation}",
        "image.{gan,vae}.{shapes,places,grey}",
    ),
    experiment="phantastic.systems.gan.experiment:Game",
)
STUDIES = (STUDY,)
