"""The study `probe`: the trees in a network's space, layer by layer, held against what needs no network to find."""

from typing import Annotated, Literal

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.request import Request
from phantastic.declare.study import Study


class ProbeRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which network, which sentences, which probes."""

    model: Annotated[
        str,
        about(
            "a trained network: a run, STUDY:PRESET or a folder in the Hugging Face layout; empty: one learns the "
            "grammar first",
            "学習済みネットワーク:実行、STUDY:PRESET、または Hugging Face 形式のフォルダ。空なら文法の文で学習させる",
            network=True,
            max_length=1000,
        ),
    ] = ""
    treebank: Annotated[
        str,
        about(
            "folder with NAME-train, -dev (and -test).conllu, or one of these; empty: the grammar's own sentences",
            "NAME-train、-dev(、-test).conllu のあるフォルダ、またはその 1 つ。空なら文法の文",
            max_length=1000,
        ),
    ] = ""
    language: Annotated[
        Literal["english", "japanese"], about("language of the grammar's sentences", "文法の文の言語")
    ] = "english"
    train_sentences: Annotated[
        int, about("sentences that probes learn from, at most", "プローブの学習に使う文の数(上限)", ge=20, le=10**6)
    ] = 2_000
    dev_sentences: Annotated[
        int,
        about(
            "sentences that end the learning and choose the layer, at most",
            "学習の終わりと層を決める文の数(上限)",
            ge=20,
            le=10**6,
        ),
    ] = 500
    test_sentences: Annotated[
        int, about("sentences that scores are measured on, at most", "評価に使う文の数(上限)", ge=20, le=10**6)
    ] = 1_000
    layer: Annotated[
        int, about("the only layer that is probed; -1 for all", "プローブを当てる層。-1 ですべて", ge=-1, le=1000)
    ] = -1
    rank: Annotated[
        int, about("rank of the probes; 0 for full", "プローブの階数。0 で最大", symbol="k", ge=0, le=10_000)
    ] = 0
    ranks: Annotated[
        tuple[int, ...],
        about("ranks that are compared at the best layer", "最良の層で比べる階数", max_length=20),
    ] = (1, 2, 4, 8, 16, 32, 64)
    epochs: Annotated[int, about("epochs of a probe, at most", "プローブの学習エポック数(上限)", ge=1, le=1000)] = 40
    bert: Annotated[
        str,
        about(
            "preset of the study bert whose network is trained where no model is given",
            "model がないときに学習させるネットワーク(study bert のプリセット名)",
            max_length=40,
        ),
    ] = "quick"
    pieces: Annotated[
        int,
        about(
            "WordPiece tokens at most of the network that is asked of invented words; real ones are cut as well",
            "造語を読ませるネットワークの WordPiece の語彙数の上限。実在の語もいくつかに切られる",
            ge=300,
            le=1_000,
        ),
    ] = 450
    pieces_steps: Annotated[
        int,
        about("steps of that network's pre-training", "そのネットワークの事前学習のステップ数", ge=1, le=10**8),
    ] = 9_000


TINY = ProbeRecipe(
    train_sentences=60,
    dev_sentences=30,
    test_sentences=30,
    epochs=2,
    ranks=(1, 4),
    bert="tiny",
    pieces_steps=4,
    precision="float32",
)
FULL = ProbeRecipe(
    train_sentences=5_000,
    dev_sentences=1_000,
    test_sentences=2_000,
    seeds=3,
    bert="full",
    pieces_steps=60_000,
    ranks=(1, 2, 4, 8, 16, 32, 64, 128),
)


class ProbeApply(Request, frozen=True, kw_only=True):
    """A sentence, or a treebank of the user's."""

    parse: Annotated[
        str | None,
        about(
            "a sentence, its words apart by spaces: the tree in the network's space (PNG and SVG)",
            "空白で区切った文。ネットワークの空間にある木(PNG と SVG)",
        ),
    ] = None
    treebank: Annotated[
        str | None,
        about(
            "sentences in CoNLL-U: how well the probes find their trees, and the first trees drawn",
            "CoNLL-U の文。プローブが木をどれだけ見つけるかと、最初の数文の木",
        ),
    ] = None


STUDY = Study(
    name="probe",
    title=Text("Trees in the space of words: structural probes", "単語空間の中の木:構造プローブ"),
    lecture=Text("Language: what BERT knows of syntax", "言語:BERT は文の構造を知っているか"),
    papers=("hewitt2019", "hewitt2019control", "maudslay2021", "devlin2019", "nivre2020"),
    recipe=ProbeRecipe,
    presets={"tiny": TINY, "quick": ProbeRecipe(precision="float32", threads=1), "full": FULL},
    minutes={"tiny": 0.1, "quick": 25.0},
    measures=(
        "best.layer",
        "{best,middle,last,linear,untrained,words,decayed,projected,random,control,star,pieces,jabberwocky,layer*,rank*}.{uuas,dspr,root,nspr}",
        "untrained.layer*.{uuas,dspr}",
        "{over_linear,over_untrained,selectivity}",
    ),
    experiment="phantastic.systems.probe.experiment:Probe",
    apply=ProbeApply,
)
STUDIES = (STUDY,)
