"""Three studies: `vae`, the family of variational autoencoders on dSprites, `kl`, what either divergence makes of two
modes, and `wake_sleep`, the Helmholtz machine, from which the VAE descends."""

from typing import Annotated, Literal

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.shared import ImageBatch, Images
from phantastic.declare.study import Study

Objective = Literal["vae", "beta", "capacity", "factor", "tcvae", "denoising", "autoencoder"]


class FamilyRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members of the VAE family, trained beside each other on the same batches of dSprites."""

    objectives: Annotated[
        tuple[Objective, ...],
        about(
            "what is trained, in this order: any of vae, beta, capacity, factor, tcvae, denoising, autoencoder",
            "学習させる目的関数とその順序(vae, beta, capacity, factor, tcvae, denoising, autoencoder から選ぶ)",
            min_length=1,
            max_length=7,
        ),
    ] = ("vae", "beta", "capacity", "factor", "tcvae", "denoising", "autoencoder")
    images: Images = 737_280
    steps: Annotated[int, about("training steps of each member", "それぞれの学習ステップ数", ge=1, le=10**7)] = 1_000
    batch: ImageBatch = 64
    learning_rate: Annotated[float, about("Adam's step size", "Adam の学習率", symbol="η", gt=0, le=1)] = 5e-4
    latent: Annotated[int, about("number of latents", "潜在変数の数", ge=2, le=128)] = 10
    warm_up: Annotated[
        int,
        about(
            "steps over which the KL term of vae and beta grows from 0 to its weight",
            "vae と beta の KL 項の重みを 0 から所定の値まで増やすステップ数",
            ge=0,
            le=10**7,
        ),
    ] = 0
    beta: Annotated[
        float,
        about("weight of the KL term of beta", "beta の KL 項の重み", symbol="β", ge=0, le=1000),
    ] = 4.0
    capacity: Annotated[
        float, about("KL that capacity ends at", "capacity が最後に許す KL", symbol="C", unit="nat", ge=0, le=1000)
    ] = 25.0
    capacity_weight: Annotated[
        float,
        about("weight of |KL - C|", "|KL − C| の重み", symbol="γ", ge=0, le=10**6),
    ] = 1000.0
    capacity_steps: Annotated[
        int, about("steps over which C grows from 0", "C を 0 から増やすステップ数", ge=1, le=10**7)
    ] = 100_000
    factor_weight: Annotated[
        float, about("weight of the total correlation of factor", "factor の全相関の重み", symbol="γ", ge=0, le=1000)
    ] = 10.0
    discriminator_rate: Annotated[
        float, about("Adam's step size for factor's discriminator", "factor の識別器の学習率", gt=0, le=1)
    ] = 1e-4
    tc_weight: Annotated[
        float, about("weight of the total correlation of tcvae", "tcvae の全相関の重み", symbol="β", ge=0, le=1000)
    ] = 6.0
    sample: Annotated[
        int, about("images on which codes are measured", "表現の評価に使う画像数", ge=600, le=100_000)
    ] = 5_000
    dci_sample: Annotated[
        int, about("images that train the trees of DCI", "DCI の決定木の学習に使う画像数", ge=100, le=10_000)
    ] = 1_000
    votes: Annotated[
        int,
        about(
            "votes that train the FactorVAE and β-VAE scores; half as many test them",
            "FactorVAE スコアと β-VAE スコアの学習に使う票数(テストはその半数)",
            ge=20,
            le=10_000,
        ),
    ] = 500


class DivergenceRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One Gaussian fitted to two modes, and a factorised one to a correlated Gaussian. Nothing is drawn at random."""

    half_distance: Annotated[
        float,
        about("half the distance between the two modes", "二つの峰の間隔の半分", symbol="m", unit="sd", ge=0.5, le=6),
    ] = 3.0
    correlation: Annotated[
        float,
        about(
            "correlation of the Gaussian that mean field is fitted to",
            "平均場近似を当てはめる正規分布の相関",
            symbol="ρ",
            ge=0,
            le=0.99,
        ),
    ] = 0.9
    steps: Annotated[int, about("steps of gradient descent", "勾配降下のステップ数", ge=1, le=10_000)] = 600


class WakeSleepRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Helmholtz machine that learns bars by wake and sleep, the same one by the gradient of the bound, and a VAE."""

    size: Annotated[
        int,
        about(
            "rows and columns of an image, and bars of an orientation", "画像の行数・列数(各向きの棒の本数)", ge=2, le=4
        ),
    ] = 4
    hidden: Annotated[
        int,
        about(
            "hidden units, of the machines and of the VAE", "隠れ素子の数(Helmholtz マシンと VAE に共通)", ge=1, le=10
        ),
    ] = 8
    steps: Annotated[int, about("training steps of each network", "各ネットワークの学習ステップ数", ge=1, le=10**7)] = (
        10_000
    )
    batch: Annotated[
        int, about("patterns, and fantasies, of a step", "1 ステップの図形の数(空想の数も同じ)", ge=1, le=10_000)
    ] = 8
    rate: Annotated[
        float,
        about(
            "step size of the machines (plain gradient descent)",
            "Helmholtz マシンの学習率(単純な勾配降下)",
            symbol="η",
            gt=0,
            le=10,
        ),
    ] = 1.0
    vae_rate: Annotated[float, about("Adam's step size of the VAE", "VAE の Adam の学習率", gt=0, le=1)] = 0.01
    night: Annotated[
        int,
        about(
            "steps of recognition alone, awake and then asleep, after training",
            "学習後に認識の重みだけを学習するステップ数(覚醒・睡眠それぞれ)",
            ge=1,
            le=10_000,
        ),
    ] = 200
    night_rate: Annotated[float, about("Adam's step size in these", "その Adam の学習率", gt=0, le=1)] = 0.05


class FamilyApply(Request, frozen=True, kw_only=True):
    """The user's pictures."""

    look: Annotated[
        str,
        about(
            "a folder of pictures: writes their codes (CSV) and reconstructions (PNG)",
            "画像のフォルダ。符号(CSV)と再構成(PNG)を書き出す",
        ),
    ]


FAMILY = Study(
    name="vae",
    title=Text("The VAE family on dSprites", "dSprites で学ぶ VAE の仲間"),
    lecture=Text(
        "Generative models: what a variational autoencoder makes of images, and which of its variants find the factors "
        "behind them",
        "生成モデル:変分自己符号化器は画像から何を学び、どの変種が画像の背後の要因を取り出すか",
    ),
    papers=(
        "rumelhart1986",
        "kingma2014",
        "kingma2014semi",
        "rezende2014",
        "higgins2017",
        "burgess2018",
        "kim2018",
        "chen2018",
        "vincent2008",
        "eastwood2018",
        "kumar2018",
        "ridgeway2018",
        "locatello2019",
        "ghosh2020",
    ),
    recipe=FamilyRecipe,
    presets={
        "tiny": FamilyRecipe(
            objectives=("beta", "denoising", "autoencoder"),
            images=2048,
            steps=8,
            batch=16,
            latent=4,
            warm_up=4,
            sample=600,
            dci_sample=100,
            votes=20,
            precision="float32",
        ),
        "quick": FamilyRecipe(
            steps=600, learning_rate=1e-3, warm_up=150, capacity_steps=450, dci_sample=200, votes=200
        ),
        "full": FamilyRecipe(objectives=("vae", "beta"), steps=23_040, warm_up=10_000, sample=15_000, votes=10_000),
        "paper": FamilyRecipe(
            steps=300_000, learning_rate=1e-4, sample=15_000, dci_sample=10_000, votes=10_000, seeds=5
        ),
    },
    minutes={"tiny": 0.2, "quick": 9.1},
    measures=(
        "{vae,beta,capacity,factor,tcvae,denoising,autoencoder}.{reconstruction,kl,total_correlation,factor_vae_score,beta_vae_score,active_units,mig,grouped_mig,sap,modularity,explicitness}",
        "{vae,beta,capacity,factor,tcvae}.dci_{disentanglement,completeness,informativeness}",
        "{vae,beta,capacity,factor,tcvae,denoising}.{epoch1,epoch2}.{reconstruction,kl}.{,deviation}",
        "{vae,beta,capacity,factor,tcvae,autoencoder}.{sampled,between,restored}",
        "capacity.kl.deviation",
    ),
    experiment="phantastic.systems.vae.vae:Family",
    apply=FamilyApply,
)
DIVERGENCE = Study(
    name="kl",
    title=Text("Forward and reverse KL", "順方向と逆方向の KL ダイバージェンス"),
    lecture=Text(
        "Variational inference: why one Gaussian covers two modes in one direction of the divergence, and chooses one "
        "of them in the other",
        "変分推論:KL ダイバージェンスの向きによって、正規分布が二つの峰を覆ったり、一方だけを選んだりするのはなぜか",
    ),
    papers=("bishop2006", "higgins2018"),
    recipe=DivergenceRecipe,
    presets=dict.fromkeys(("tiny", "quick", "full", "paper"), DivergenceRecipe()),
    minutes=dict.fromkeys(("tiny", "quick", "full", "paper"), 0.3),
    measures=(
        "{forward,reverse}.{mean,sd,kl,error}",
        "centre.{curvature,error}",
        "unlocked.error",
        "crossing.{,deviation}",
        "mean_field.{forward,reverse}.{variance,kl,error}",
        "full.{forward,reverse}.kl",
    ),
    experiment="phantastic.systems.vae.kl:Divergence",
)
WAKE_SLEEP = Study(
    name="wake_sleep",
    title=Text("The Helmholtz machine", "Helmholtz マシン"),
    lecture=Text(
        "Generative models: the ancestor of the VAE learns to generate while awake, and to recognise while it dreams",
        "生成モデルの祖先:昼は世界を見て生成を学び、夜は夢を見て認識を学ぶネットワーク",
    ),
    papers=("dayan1995", "hinton1995", "kingma2014"),
    recipe=WakeSleepRecipe,
    presets={
        "tiny": WakeSleepRecipe(size=3, hidden=4, steps=40, night=5, precision="float32"),
        "quick": WakeSleepRecipe(seeds=5, precision="float32"),
        "full": WakeSleepRecipe(steps=250_000, rate=0.5, seeds=5, precision="float32"),
        "paper": WakeSleepRecipe(steps=2_000_000, batch=1, rate=0.1, seeds=5, precision="float32"),
    },
    minutes={"tiny": 0.1, "quick": 2.9},
    measures=(
        "entropy",
        "{wake_sleep,elbo,vae,pixels}.{divergence,cost,legal}",
        "{wake_sleep,elbo}.{free_energy,gap,gap.least,gap.error}",
        "{awake,asleep}.{free_energy,reverse}",
    ),
    experiment="phantastic.systems.vae.wake_sleep:WakeSleep",
)
STUDIES = (FAMILY, DIVERGENCE, WAKE_SLEEP)
