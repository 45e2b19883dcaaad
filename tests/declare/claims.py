"""Which CLAIMS.toml is read, which is refused, and what names of measures it may use."""

from pathlib import Path

import pytest

from phantastic.declare.claims import Claim, names, read_claims
from phantastic.declare.i18n import Text, speaking
from phantastic.declare.study import register
from phantastic.ground.errors import Refused

GOOD = """
[[claim]]
id = "toy.low"
statement = { en = "It is low", ja = "低い" }
whose = "paper"
source = "Fig. 1"
presets = ["quick", "full"]
predicate = "at_most"
measure = ["error"]
bound = 0.1
published = "0.05"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "CLAIMS.toml").write_text(text, encoding="utf-8")
    return folder / "CLAIMS.toml"


def test_claims_are_read(tmp_path):
    (read,) = read_claims(written(tmp_path, GOOD))
    statement = Text("It is low", "低い")
    assert read == Claim(
        "toy.low", statement, "Fig. 1", ("quick", "full"), "at_most", ("error",), 0.1, published="0.05", whose="paper"
    )
    assert read_claims(written(tmp_path, "# none yet")) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"at_most"', '"at_mist"', ["toy.low", "at_mist", "did you mean 'at_most'"]),
        ("bound = 0.1", "bond = 0.1", ["bond"]),
        ("bound = 0.1", 'bound = "low"', ["$[0].bound"]),
        ("bound = 0.1", "", ["toy.low", "needs a bound"]),
        ('source = "Fig. 1"', "", ["source"]),
        ('whose = "paper"\n', "", ["toy.low", "whose", "paper, theory, ours"]),
        ('whose = "paper"', 'whose = "mine"', ["$[0].whose"]),
        ('whose = "paper"', 'whose = "ours"', ["toy.low", "published", "reference"]),
        (', ja = "低い"', "", ["`ja`"]),
        ('["error"]', '"error"', ["$[0].measure"]),
        ('["error"]', "[]", ["toy.low", "needs a measure"]),
        ('"at_most"', '"above"', ["toy.low", "needs a rival"]),
        ('"at_most"\n', '"below"\nthan = ["a", "b"]\n', []),
        ('"at_most"\nmeasure = ["error"]', '"below"\nmeasure = ["a", "b"]\nthan = ["c", "d", "e"]', ["needs a rival"]),
        ('"at_most"', '"share_of"', ["toy.low", "needs a rival"]),
        ("[[claim]]", "[[claim", ["line 2"]),
        ("[[claim]]", "claim = 3\n[other]", ["array"]),
    ],
)
def test_a_bad_entry_is_refused_by_name(tmp_path, old, new, named):
    path = written(tmp_path, GOOD.replace(old, new, 1))
    assert path.read_text() != GOOD
    if not named:  # one measure against several rivals is no fault
        assert read_claims(path)
        return
    with pytest.raises(Refused) as refusal:
        read_claims(path)
    assert all(part in str(refusal.value) for part in [str(path), *named]), refusal.value


def test_an_absent_file_is_refused_by_name(tmp_path):
    with pytest.raises(Refused, match=r"CLAIMS\.toml"):
        read_claims(tmp_path / "CLAIMS.toml")


def test_the_claims_of_every_study_are_readable_and_their_ids_unique():
    claims = [claim for study in register().values() for claim in study.claims()]
    assert len({claim.id for claim in claims}) == len(claims) > 0


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a.b", ["a.b"], ["a", "a.b.c", "axb"]),
        ("loss.{,floor,excess}", ["loss", "loss.floor", "loss.excess"], ["loss.", "lossfloor", "loss.other"]),
        ("{,image}.accuracy", ["accuracy", "image.accuracy"], [".accuracy", "imageaccuracy"]),
        ("{x,y.z}.{p,q}.{,h}", ["x.p", "y.z.q.h"], ["y.p", "x.h", "x.p.h.h"]),
        ("layer*.uuas", ["layer12.uuas", "layer.uuas"], ["layer1.2.uuas"]),
        ("attenuation*.own", ["attenuation+6.own", "attenuation-4.own"], ["attenuation"]),
    ],
)
def test_declared_names(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(names(pattern).fullmatch(name) for name in yes)
    assert not any(names(pattern).fullmatch(name) for name in no)


def test_where_a_claim_comes_from_is_said_in_words() -> None:
    claim = Claim("toy.low", Text("It is low", "低い"), "Fig. 1", ("quick",), "at_most", ("error",), 0.1)
    theirs = Claim(*(getattr(claim, key) for key in claim.__struct_fields__[:8]), published="0.05", whose="paper")
    ours = Claim(*(getattr(claim, key) for key in claim.__struct_fields__[:8]), reference="SPM12: 3", whose="ours")
    assert claim.origin == "Fig. 1"  # as ledgers had it before it was asked
    assert theirs.origin == "the paper: Fig. 1; published: 0.05"
    assert ours.origin == "our own claim: Fig. 1; a reference, computed by us: SPM12: 3"
    with speaking("ja"):
        assert theirs.origin == "論文: Fig. 1; 論文の値: 0.05"
