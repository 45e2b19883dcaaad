"""Claims: what each predicate takes for true, on what evidence, and which CLAIMS.toml is refused."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.declare.claims import (
    PREDICATES,
    Claim,
    Measure,
    across,
    judge,
    names,
    read_claims,
    resampled,
    summarise,
)
from phantastic.declare.i18n import Text
from phantastic.declare.recipe import changed, compose
from phantastic.declare.study import register
from phantastic.ground.errors import Refused


def claim(
    predicate: str, measure: tuple[str, ...] = ("a",), than: tuple[str, ...] = (), bound: float | None = None
) -> Claim:
    return Claim("toy.claim", Text("so it is", "そうである"), "Fig. 1", ("quick",), predicate, measure, bound, than)


def verdict(tested: Claim, **measures: Measure) -> tuple[str, str]:
    (finding,) = judge([tested], measures, "quick")
    assert finding.claim is tested
    return finding.verdict, finding.evidence


def values(*each: float) -> Measure:
    return summarise(each)


# --- measures


def test_the_interval_over_seeds_is_students():
    """Mean 2, standard deviation 1, three seeds: 2 ± 4.302653 / √3."""
    measure = summarise([1, 2, 3])
    assert (measure.value, measure.each) == (2, [1, 2, 3])
    assert measure.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert measure.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)
    assert str(measure) == "2 [-0.484, 4.48]"


def test_one_value_has_no_interval():
    measure = summarise([0.5])
    assert measure == Measure(0.5, [0.5])
    assert str(measure) == "0.5"


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_interval_holds_the_mean_whatever_the_order_of_seeds(each, random):
    measure = summarise(each)
    assert measure.low <= measure.value <= measure.high
    random.shuffle(each)
    assert summarise(each).low == pytest.approx(measure.low, abs=1e-9)


def test_the_interval_of_resampled_items_leaves_out_a_fortieth_at_either_end():
    draws = [share / 1000 for share in range(1001)]
    measure = resampled(0.5, draws[::-1])
    assert measure == Measure(0.5, [0.5], 0.025, 0.975)
    assert resampled(0.5, [0.4, 0.7, 0.6, 0.3]) == Measure(0.5, [0.5], 0.3, 0.7)  # few draws: all of them
    assert resampled(0.5, draws, each=[0.4, 0.6]).each == [0.4, 0.6]


def test_over_seeds_there_is_what_every_seed_measured():
    """Of one seed each measure keeps its own interval; over several it is over them, in the order of the first."""
    first = {"a": Measure(1.0, [1.0], 0.5, 1.5), "b": Measure(2.0, [2.0]), "c": Measure(3.0, [3.0])}
    second, third = {"c": values(4.0), "a": values(2.0)}, {"d": values(0.0), "a": values(3.0), "b": values(7.0)}
    assert across([first]) == first
    assert across([first, second, third]) == {"a": summarise([1, 2, 3])}
    assert list(across([first, second]).items()) == [("a", summarise([1, 2])), ("c", summarise([3, 4]))]


# --- predicates


@pytest.mark.parametrize(
    ("predicate", "value", "expected"),
    [
        ("at_least", 0.8, "holds"), ("at_least", 0.7999, "fails"), ("at_least", 0.9, "holds"),
        ("at_most", 0.8, "holds"), ("at_most", 0.8001, "fails"), ("at_most", 0.1, "holds"),
        ("near", 0.8, "holds"), ("near", -0.8, "holds"), ("near", -0.8001, "fails"), ("near", 0.81, "fails"),
    ],
)  # fmt: skip
def test_bounds_are_allowed_values(predicate, value, expected):
    tested = claim(predicate, bound=0.8)
    assert verdict(tested, a=values(value))[0] == expected


@pytest.mark.parametrize("predicate", ["at_least", "at_most", "near"])
def test_every_measure_must_keep_to_the_bound(predicate):
    tested = claim(predicate, ("a", "b"), bound=0.5)
    good, bad = values(0.5), values(0.4 if predicate == "at_least" else 0.6)
    assert verdict(tested, a=good, b=good)[0] == "holds"
    assert verdict(tested, a=good, b=bad)[0] == verdict(tested, a=bad, b=good)[0] == "fails"


def test_the_mean_is_held_against_the_bound_and_the_evidence_shows_all():
    result, evidence = verdict(claim("at_least", ("a", "b"), bound=2), a=values(1, 2, 3), b=values(4))
    assert result == "holds"
    assert evidence == "a = 2 [-0.484, 4.48]; b = 4; required ≥ 2"
    assert verdict(claim("near", bound=0.1), a=values(-0.034))[1] == "a = -3.4%; required within ±10%"


def test_above_over_seeds_pairs_the_seeds():
    """Seeds differ by far more than the two do within each seed: unpaired, the intervals would overlap."""
    a, b = values(1.1, 5.1, 9.12), values(1, 5, 9)
    assert a.low < b.high
    assert verdict(claim("above", than=("b",)), a=a, b=b)[0] == "holds"
    assert verdict(claim("above", than=("b",)), a=b, b=a)[0] == "fails"
    assert verdict(claim("below", than=("b",)), a=b, b=a)[0] == "holds"
    result, evidence = verdict(claim("above", than=("b",)), a=values(1.1, 5.1, 8.9), b=b)
    assert result == "fails"  # above on average only
    assert "over 3 seeds" in evidence


def test_above_within_one_seed_wants_two_intervals_apart():
    low, high, wide = Measure(0.3, [0.3], 0.2, 0.4), Measure(0.6, [0.6], 0.5, 0.7), Measure(0.6, [0.6], 0.4, 0.8)
    tested = claim("above", than=("b",))
    assert verdict(tested, a=high, b=low)[0] == "holds"
    assert verdict(tested, a=low, b=high)[0] == "fails"
    assert verdict(tested, a=wide, b=low)[0] == "fails"  # they touch
    assert verdict(tested, a=low, b=low)[0] == "fails"


def test_without_an_interval_nothing_is_above():
    result, evidence = verdict(claim("above", than=("b",)), a=values(0.9), b=values(0.1))
    assert result == "fails"
    assert "no interval" in evidence


def test_equal_seeds_are_not_above():
    assert verdict(claim("above", than=("b",)), a=values(1, 2), b=values(1, 2))[0] == "fails"


def test_one_measure_is_held_against_all_rivals():
    high, low = values(5, 5.1), values(1, 1.1)
    tested = claim("above", ("a",), ("b", "c"))
    assert verdict(tested, a=high, b=low, c=low)[0] == "holds"
    assert verdict(tested, a=high, b=low, c=high)[0] == verdict(tested, a=high, b=high, c=low)[0] == "fails"


def test_all_measures_are_held_against_one_rival():
    low, middle, high = values(1, 1.1), values(3, 3.1), values(5, 5.1)
    tested = claim("below", ("a", "b"), ("c",))
    assert verdict(tested, a=low, b=middle, c=high)[0] == "holds"
    assert verdict(tested, a=low, b=high, c=middle)[0] == verdict(tested, a=high, b=low, c=middle)[0] == "fails"


def test_measures_and_rivals_go_in_pairs():
    low, middle, high = values(1, 1.1), values(3, 3.1), values(5, 5.1)
    assert verdict(claim("above", ("a", "b"), ("c", "d")), a=high, b=middle, c=middle, d=low)[0] == "holds"
    assert verdict(claim("above", ("a", "b"), ("c", "d")), a=high, b=middle, c=low, d=high)[0] == "fails"
    assert verdict(claim("below", ("a", "b"), ("c", "d")), a=low, b=middle, c=middle, d=high)[0] == "holds"
    assert verdict(claim("below", ("a", "b"), ("c", "d")), a=low, b=middle, c=high, d=low)[0] == "fails"


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=5))
def test_above_and_below_are_each_others_mirror_and_exclude_each_other(pairs):
    measures = {"a": summarise([a for a, _ in pairs]), "b": summarise([b for _, b in pairs])}
    above, below = claim("above", than=("b",)), claim("below", than=("b",))
    swapped = {"a": measures["b"], "b": measures["a"]}
    assert verdict(above, **measures)[0] == verdict(below, **swapped)[0]
    assert "holds" not in (verdict(above, **measures)[0], verdict(below, **measures)[0]) or (
        verdict(above, **measures)[0] != verdict(below, **measures)[0]
    )


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(0.9, 1, "holds"), (0.89, 1, "fails"), (2, 1, "holds"), (0, 0, "fails")]
)
def test_a_share_of_the_whole(part, whole, expected):
    result, evidence = verdict(claim("share_of", than=("b",), bound=0.9), a=values(part), b=values(whole))
    assert result == expected
    assert "ratio" in evidence


# --- what is not tested


def test_untested_at_another_preset_or_without_the_measure():
    tested = claim("above", ("a",), ("b", "c"))
    (finding,) = judge([tested], {}, "tiny")
    assert (finding.verdict, finding.evidence) == ("untested", "not tested at 'tiny'; at: quick")
    assert verdict(tested, b=values(1)) == ("untested", "not measured: a, c")


@pytest.mark.parametrize("predicate", PREDICATES)
def test_what_was_not_measured_is_untested_whatever_the_predicate(predicate):
    assert verdict(claim(predicate, than=("b",), bound=1.0), a=values(1))[0] == "untested"


def test_findings_come_in_the_order_of_the_claims():
    several = [claim("at_least", (name,), bound=0.5) for name in "cab"]
    found = judge(several, {name: values(number) for number, name in enumerate("abc")}, "quick")
    assert [(f.claim.measure, f.verdict) for f in found] == [(("c",), "holds"), (("a",), "fails"), (("b",), "holds")]


# --- CLAIMS.toml

GOOD = """
[[claim]]
id = "toy.low"
statement = { en = "It is low", ja = "低い" }
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
        "toy.low", statement, "Fig. 1", ("quick", "full"), "at_most", ("error",), 0.1, published="0.05"
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
        (', ja = "低い"', "", ["`ja`"]),
        ('["error"]', '"error"', ["$[0].measure"]),
        ('["error"]', "[]", ["toy.low", "needs a measure"]),
        ('"at_most"', '"above"', ["toy.low", "needs a rival"]),
        ('"at_most"\n', '"below"\nthan = ["a", "b"]\n', []),
        ('"at_most"\nmeasure = ["error"]', '"below"\nmeasure = ["a", "b"]\nthan = ["c", "d", "e"]', ["needs a rival"]),
        ('"at_most"', '"share_of"', ["toy.low", "needs a whole"]),
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


def test_another_recipe_tests_no_claim_of_the_paper() -> None:
    study = register()["scan"]
    claim = next(claim for claim in study.claims() if claim.id == "scan.sym2img")
    measures = {name: Measure(0.9, [0.9]) for name in claim.measure}
    (whole,), (other,) = judge([claim], measures, "quick"), judge([claim], measures, "quick", ["beta", "pairs"])
    assert whole.verdict == "holds"
    assert (other.verdict, other.evidence) == ("untested", "recipe changed (beta, pairs)")


def test_seeds_and_the_machine_make_no_other_recipe() -> None:
    study = register()["scan"]
    quick = study.presets["quick"]
    neutral = {"seed": 3, "seeds": 2, "device": "cpu", "precision": "float32", "threads": 2}
    assert changed(compose(study.recipe, study.presets, "quick", neutral), quick) == []
    assert changed(compose(study.recipe, study.presets, "quick", neutral | {"beta": 4.0}), quick) == ["beta"]
