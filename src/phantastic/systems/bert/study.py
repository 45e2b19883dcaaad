"""The study `bert`: a bidirectional Transformer pre-trained on a language whose entropy is known."""

from typing import Annotated, Literal

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.shared import Heads, Hidden, Layers, Longest, Width
from phantastic.declare.study import Study


class BertRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The language, the network, the task and the training."""

    language: Annotated[Literal["english", "japanese"], about("language of the grammar", "文法の言語")] = "english"
    vocabulary: Annotated[
        int,
        about(
            "WordPiece tokens at most; from 2000 on every word is one piece",
            "WordPiece の語彙数の上限。2000 以上では 1 語が 1 トークン",
            ge=2_000,
            le=100_000,
        ),
    ] = 8_192
    layers: Layers = 3
    width: Width = 64
    heads: Heads = 4
    hidden: Hidden = 256
    dropout: Annotated[float, about("dropout while pre-training", "事前学習時のドロップアウト率", ge=0, lt=1)] = 0.0
    longest: Longest = 128

    share: Annotated[float, about("share of the positions to predict", "予測させる位置の割合", gt=0, le=0.9)] = 0.15
    mask: Annotated[float, about("of these, the share shown as [MASK]", "そのうち [MASK] にする割合", ge=0, le=1)] = 0.8
    same: Annotated[
        float,
        about(
            "of these, the share shown as they are; the rest are random words",
            "そのうち元の語のままにする割合。残りは無作為な語",
            ge=0,
            le=1,
        ),
    ] = 0.1
    short: Annotated[
        float, about("share of documents cut into shorter examples", "短い例に切る文書の割合", ge=0, le=1)
    ] = 0.1
    random_next: Annotated[
        float,
        about(
            "how often the second segment comes from another document",
            "第 2 区間を別の文書からとる確率",
            ge=0,
            le=1,
        ),
    ] = 0.5
    next_sentence: Annotated[bool, about("train next-sentence prediction too", "次文予測も学習する")] = True

    steps: Annotated[int, about("training steps", "学習ステップ数", ge=1, le=10**8)] = 18_000
    batch: Annotated[int, about("examples in a batch", "ミニバッチの例の数", ge=1, le=1_024)] = 64
    rate: Annotated[
        float,
        about("highest learning rate of AdamW", "AdamW の最大の学習率", symbol="η", gt=0, le=1),
    ] = 3e-3
    warmup: Annotated[
        float, about("share of the steps in which the rate rises", "学習率を上げるステップの割合", ge=0, le=0.9)
    ] = 0.06
    decay: Annotated[float, about("weight decay", "重み減衰", symbol="λ", ge=0, le=1)] = 0.01

    test: Annotated[int, about("pairs of sentences that are measured", "評価する文対の数", ge=4, le=100_000)] = 500


class BertApply(Request, frozen=True, kw_only=True):
    """A person's own sentences: one of the first four at a time."""

    fill: Annotated[
        str | None,
        about(
            'a text with [MASK] in it, such as "the knights near the castle [MASK] ."; lists the likeliest words',
            '[MASK] を含む文。例 "the knights near the castle [MASK] ."。そこに入りそうな語を並べる',
        ),
    ] = None
    attend: Annotated[
        str | None,
        about(
            "a text of one or two sentences; draws where each head looks",
            "1 文か 2 文。各ヘッドがどこを見るかを描く",
        ),
    ] = None
    surprisal: Annotated[
        str | None,
        about(
            "a file with a sentence in each line; writes how surprising each word is, in nats, when it is masked",
            "1 行に 1 文のファイル。各語を隠したときの驚き(ナット)を書き出す",
        ),
    ] = None
    embed: Annotated[
        str | None,
        about(
            "a file with a sentence in each line; writes the vectors of all words in all layers",
            "1 行に 1 文のファイル。全語の全層でのベクトルを書き出す",
        ),
    ] = None
    to: Annotated[str | None, about("where the picture or the file is written", "図やファイルの保存先")] = None


STUDY = Study(
    name="bert",
    title=Text("BERT: reading from both sides", "BERT:両側から読む"),
    lecture=Text("Language: from attention to a pre-trained BERT", "言語:注意機構から事前学習済み BERT まで"),
    papers=("devlin2019", "vaswani2017", "turc2019", "linzen2016", "goldberg2019", "salazar2020"),
    recipe=BertRecipe,
    presets={
        "tiny": BertRecipe(layers=1, width=16, heads=2, hidden=32, steps=30, batch=8, test=10, precision="float32"),
        "quick": BertRecipe(precision="float32", threads=1),
        "full": BertRecipe(layers=4, width=256, hidden=1_024, steps=60_000, rate=1e-3, seeds=3),
        "compact-2-128": BertRecipe(layers=2, width=128, heads=2, hidden=512, steps=60_000, rate=2e-3),
        "compact-4-256": BertRecipe(layers=4, width=256, heads=4, hidden=1_024, steps=60_000, rate=1e-3),
        "compact-4-512": BertRecipe(layers=4, width=512, heads=8, hidden=2_048, steps=60_000, rate=5e-4),
        "compact-8-512": BertRecipe(layers=8, width=512, heads=8, hidden=2_048, steps=60_000, rate=5e-4),
        "paper": BertRecipe(
            layers=12,
            width=768,
            heads=12,
            hidden=3_072,
            dropout=0.1,
            longest=512,
            steps=1_000_000,
            batch=256,
            rate=1e-4,
            warmup=0.01,
        ),
        "large": BertRecipe(
            layers=24,
            width=1_024,
            heads=16,
            hidden=4_096,
            dropout=0.1,
            longest=512,
            steps=1_000_000,
            batch=256,
            rate=1e-4,
            warmup=0.01,
        ),
    },
    minutes={"tiny": 0.1, "quick": 11.4},
    measures=(
        "masked.{loss,floor,excess}",
        "perplexity",
        "next.{accuracy,bayes,share}",
        "agreement.{,attractors0,attractors1,attractors2}",
    ),
    experiment="phantastic.systems.bert.experiment:BertExperiment",
    apply=BertApply,
)
STUDIES = (STUDY,)
