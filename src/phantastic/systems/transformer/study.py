"""The study `transformer`: an encoder-decoder that works by attention alone, and where it looks."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.shared import Smoothing
from phantastic.declare.study import Study


class TransformerRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strings, sentences and the Transformers that learn them."""

    letters: Annotated[int, about("different letters in the strings", "文字列に現れる文字の種類", ge=2, le=26)] = 20
    length: Annotated[
        int,
        about(
            "letters of the longest string in training; the shortest has half",
            "学習する最長の文字列の長さ(最短はその半分)",
            ge=2,
            le=64,
        ),
    ] = 12
    words: Annotated[
        int, about("words of the longest sentence, in either language", "どちらの言語でも最長の文の語数", ge=8, le=40)
    ] = 16
    width: Annotated[int, about("width of the stream", "残差ストリームの幅", symbol="d", ge=4, le=1024)] = 64
    heads: Annotated[int, about("heads; they divide the width", "ヘッドの数(幅の約数)", symbol="h", ge=1, le=64)] = 4
    layers: Annotated[
        int,
        about(
            "layers of the encoder, and of the decoder",
            "エンコーダーとデコーダーそれぞれの層の数",
            symbol="N",
            ge=1,
            le=12,
        ),
    ] = 2
    hidden: Annotated[int, about("hidden units of the MLPs", "MLP の隠れ層の幅", ge=4, le=4096)] = 256
    dropout: Annotated[
        float,
        about(
            "dropout of branches, embeddings and attention weights",
            "各枝・埋め込み・注意の重みのドロップアウト率",
            ge=0,
            le=0.9,
        ),
    ] = 0.0
    smoothing: Smoothing = 0.0
    rate: Annotated[
        float,
        about(
            "Adam's largest step size, at the end of the warm-up",
            "ウォームアップ終了時の Adam の最大学習率",
            symbol="η",
            gt=0,
            le=1,
        ),
    ] = 4e-3
    warmup: Annotated[int, about("steps of the warm-up", "ウォームアップのステップ数", ge=1, le=10**6)] = 200
    strings: Annotated[int, about("strings in a batch", "ミニバッチの文字列の数", ge=1, le=10_000)] = 128
    string_steps: Annotated[int, about("training steps on strings", "文字列での学習ステップ数", ge=1, le=10**7)] = 1_000
    sentences: Annotated[int, about("sentences in a batch", "ミニバッチの文の数", ge=2, le=10_000)] = 64
    sentence_steps: Annotated[int, about("training steps on sentences", "文での学習ステップ数", ge=1, le=10**7)] = 2_500
    tested: Annotated[
        int, about("strings and sentences that are measured", "評価する文字列・文の数", ge=10, le=100_000)
    ] = 2_000


class TransformerApply(Request, frozen=True, kw_only=True):
    """A string or a sentence."""

    reverse: Annotated[str | None, about("a string to be written backwards", "逆順に書く文字列")] = None
    translate: Annotated[str | None, about("an English sentence of the grammar", "文法の語で書いた英文")] = None
    to: Annotated[str | None, about("the attention picture (PNG)", "注意の図の保存先(PNG)")] = None


STUDY = Study(
    name="transformer",
    title=Text("The Transformer", "Transformer"),
    lecture=Text(
        "Language: attention, and where a network looks while it writes",
        "言語:注意機構 ― ネットワークは書きながらどこを見ているか",
    ),
    papers=("vaswani2017", "bahdanau2015", "kiyono2021", "papineni2002", "wu2016"),
    recipe=TransformerRecipe,
    presets={
        "tiny": TransformerRecipe(
            width=16,
            hidden=32,
            length=6,
            strings=16,
            string_steps=6,
            sentences=16,
            sentence_steps=4,
            tested=20,
            precision="float32",
        ),
        "quick": TransformerRecipe(precision="float32"),
        "full": TransformerRecipe(string_steps=2_000, sentence_steps=5_000, tested=2_000, precision="float32", seeds=3),
        "paper": TransformerRecipe(
            width=512,
            heads=8,
            layers=6,
            hidden=2048,
            dropout=0.1,
            smoothing=0.1,
            rate=7e-4,
            warmup=4_000,
            length=24,
            words=33,
            strings=256,
            string_steps=20_000,
            sentences=256,
            sentence_steps=100_000,
            tested=2_000,
            seeds=3,
        ),
    },
    minutes={"tiny": 0.1, "quick": 6.6},
    measures=(
        "{reversal,learned,unshifted,unordered,translation,single}.{exact,words,longer,followed,straight,deviation}",
        "{translation,single}.{bleu,greedy_bleu}",
    ),
    experiment="phantastic.systems.transformer.experiment:Transformers",
    apply=TransformerApply,
)
STUDIES = (STUDY,)
