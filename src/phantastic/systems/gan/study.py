"""Two studies, of adversaries beside VAEs on the same data with the same budget: `modes` on points, `gan` on images."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.shared import ImageBatch, Images
from phantastic.declare.study import Study

Sample = Annotated[int, about("samples that are measured", "評価する標本の数", ge=100, le=100_000)]


class ModesRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """GANs and a VAE on points of two mixtures."""

    steps: Annotated[
        int,
        about("training steps of each game and of the VAE", "ゲームと VAE それぞれの学習ステップ数", ge=1, le=10**7),
    ] = 4_000
    batch: Annotated[int, about("points in a batch", "ミニバッチの点数", ge=2, le=10_000)] = 256
    rate: Annotated[
        float,
        about("Adam's step size of either player", "GAN の Adam の学習率", symbol="η", gt=0, le=1),
    ] = 1e-3
    penalty: Annotated[
        float,
        about(
            "weight of the penalty on the discriminator's slope at the data (R1), in the games that have it",
            "識別器のデータ点での勾配に対する罰則(R1)の重み(罰則のあるゲームのみ)",
            symbol="γ",
            ge=0,
            le=1_000,
        ),
    ] = 1.0
    vae_rate: Annotated[
        float,
        about(
            "Adam's step size of the VAE; of its variance, ten times that",
            "VAE の Adam の学習率。分散だけはその 10 倍",
            symbol="η",
            gt=0,
            le=0.1,
        ),
    ] = 4e-3
    sample: Sample = 2_500


class GameRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A GAN and a VAE on dSprites."""

    images: Images = 737_280
    steps: Annotated[
        int, about("training steps of the game and of the VAE", "ゲームと VAE それぞれの学習ステップ数", ge=1, le=10**7)
    ] = 2_000
    batch: ImageBatch = 64
    rate: Annotated[
        float,
        about("Adam's step size of either player", "GAN の Adam の学習率", symbol="η", gt=0, le=1),
    ] = 2e-3
    penalty: Annotated[
        float,
        about(
            "weight of the penalty on the discriminator's slope at the data (R1)",
            "識別器のデータ点での勾配に対する罰則(R1)の重み",
            symbol="γ",
            ge=0,
            le=1_000,
        ),
    ] = 10.0
    vae_rate: Annotated[
        float,
        about("Adam's step size of the VAE", "VAE の Adam の学習率", symbol="η", gt=0, le=1),
    ] = 1e-3
    latent: Annotated[
        int,
        about("width of the VAE's code and of the GAN's noise", "VAE の潜在変数と GAN の雑音の次元", ge=1, le=512),
    ] = 10
    sample: Sample = 2_500


MODES = Study(
    name="modes",
    title=Text("GANs and a VAE on many modes", "多峰の分布での GAN と VAE"),
    lecture=Text(
        "Generative models: who leaves out what there is, and who makes what there is not",
        "生成モデル:あるものを落とすのは誰か、ないものを作るのは誰か",
    ),
    papers=("goodfellow2014", "kingma2014", "radford2016", "mescheder2018", "srivastava2017", "lin2018"),
    recipe=ModesRecipe,
    presets={
        "tiny": ModesRecipe(steps=20, batch=32, sample=100, precision="float32"),
        "quick": ModesRecipe(seeds=5),
        "full": ModesRecipe(steps=20_000, seeds=5),
        "paper": ModesRecipe(steps=400_000, batch=100, rate=1e-4, vae_rate=4e-4, seeds=10),
    },
    minutes={"tiny": 0.1, "quick": 20},
    measures=(
        "judge.{value,value.deviation,optimum,error}",
        "{ring,grid}.{gan,r1,vae}.{modes,quality}",
        "{ring,grid}.{gan,r1}.{value,answered}.{,deviation}",
    ),
    experiment="phantastic.systems.gan.modes:Modes",
)
GAME = Study(
    name="gan",
    title=Text("A GAN beside a VAE", "GAN と VAE の比較"),
    lecture=Text(
        "Generative models: what is learned by fooling a judge, and what by explaining the data",
        "生成モデル:審判を欺くことで学ぶモデルと、データを説明することで学ぶモデル",
    ),
    papers=("goodfellow2014", "kingma2014", "radford2016", "mescheder2018"),
    recipe=GameRecipe,
    presets={
        "tiny": GameRecipe(images=512, steps=4, batch=8, latent=4, sample=100, precision="float32"),
        # seeds 0 and 1 are those on which the weight of the penalty was chosen
        "quick": GameRecipe(seed=2),
        "full": GameRecipe(steps=10_000, seed=2, seeds=3),
        "paper": GameRecipe(steps=200_000, seed=2, seeds=10),
    },
    minutes={"tiny": 0.1, "quick": 11.3},
    measures=("image.gan.value.{,deviation}", "image.{gan,vae}.{shapes,places,grey}"),
    experiment="phantastic.systems.gan.gan:Game",
)
STUDIES = (GAME, MODES)
