"""The study `song`: a bird that recognises songs, expects what follows, and hears what is not there."""

from typing import Annotated

from phantastic.declare.i18n import Text
from phantastic.declare.recipe import Recipe, about
from phantastic.declare.study import Study


class SongRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the bird sings and is silent, and the precisions with which the other bird listens."""

    sung: Annotated[
        int,
        about("bins of song before it breaks off", "歌が途切れるまでの長さ", unit="bins", ge=48, le=256),
    ] = 85
    silence: Annotated[
        int,
        about(
            "bins of silence where the song should go on",
            "歌が続くはずの無音区間の長さ",
            unit="bins",
            ge=20,
            le=128,
        ),
    ] = 43
    sensory: Annotated[
        float,
        about(
            "log-precision of what is heard, where it is normal",
            "聞こえる音の対数精度(正常な聞き手)",
            symbol="ln V1",
            ge=-4,
            le=8,
        ),
    ] = 2.0
    prior: Annotated[
        float,
        about(
            "log-precision of the second level, where it is normal",
            "第 2 階層の対数精度(正常な聞き手)",
            symbol="ln V2, ln W2",
            ge=0,
            le=16,
        ),
    ] = 16.0
    reduced: Annotated[
        float,
        about(
            "log-precision of the second level, where it is reduced",
            "第 2 階層の下げた対数精度",
            symbol="ln V2, ln W2",
            ge=0,
            le=16,
        ),
    ] = 2.0
    compensated: Annotated[
        float,
        about(
            "log-precision of what is heard, where it is lowered to make up for a reduced prior",
            "第 2 階層の低下を補うために下げた、聞こえる音の対数精度",
            symbol="ln V1",
            ge=-4,
            le=8,
        ),
    ] = -2.0
    listened: Annotated[
        int,
        about("bin at which a song must have been recognised", "歌が認識されているべき時点", unit="bins", ge=16, le=64),
    ] = 56


FULL = SongRecipe(seeds=32)
STUDY = Study(
    name="song",
    title=Text("Birdsong, and songs that are not there", "鳥の歌と、存在しない歌"),
    lecture=Text(
        "The free-energy principle: predictive coding of birdsong; omission responses, mismatch negativity and "
        "hallucinations as matters of precision",
        "自由エネルギー原理:鳥の歌の予測符号化。精度から見た欠落応答・ミスマッチ陰性電位・幻聴",
    ),
    papers=("friston2009song", "friston2009circuits", "kiebel2009", "adams2013"),
    recipe=SongRecipe,
    presets={
        "tiny": SongRecipe(sung=56, silence=20),
        "quick": SongRecipe(seeds=8),
        "full": FULL,
        "paper": FULL,
    },
    minutes={"tiny": 0.1, "quick": 0.8, "full": 1.3},
    measures=(
        "{A,B,C}.{rayleigh,second}.{,deviation}",
        "causes.inside",
        "{canonical,no_structure,no_dynamics}.error",
        "{full,omission,attenuated,hallucination}.{peak,power,heard,song,song.before}",
    ),
    experiment="phantastic.systems.song.experiment:Song",
)
STUDIES = (STUDY,)
