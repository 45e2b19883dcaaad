"""Verdicts: one rule for all predicates, and what is said of what could not be decided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.declare.claims import PREDICATES, Claim
from phantastic.declare.i18n import Text, speaking
from phantastic.declare.measure import Measure, less, resampled, summarise
from phantastic.declare.recipe import changed, compose
from phantastic.declare.study import register
from phantastic.declare.verdicts import MARGINS, judge


def claim(
    predicate: str,
    measure: tuple[str, ...] = ("a",),
    than: tuple[str, ...] = (),
    bound: float | None = None,
    exact: bool = False,
) -> Claim:
    statement = Text("so it is", "そうである")
    return Claim("toy.claim", statement, "Fig. 1", ("quick",), predicate, measure, bound, than, exact=exact)


def verdict(tested: Claim, **measures: Measure) -> tuple[str, str]:
    (finding,) = judge([tested], measures, "quick")
    assert finding.claim is tested
    return finding.verdict, finding.evidence


def values(*each: float) -> Measure:
    return summarise(each)


def within(low: float, high: float) -> Measure:
    middle = (low + high) / 2
    return Measure(middle, [middle], low, high)


def test_every_predicate_that_may_be_written_can_be_judged():
    assert set(MARGINS) == set(PREDICATES)


# --- the rule


@pytest.mark.parametrize(
    ("predicate", "low", "high", "expected"),
    [
        ("at_least", 0.8, 0.9, "holds"), ("at_least", 0.79, 0.9, "undecided"), ("at_least", 0.7, 0.8, "undecided"),
        ("at_least", 0.7, 0.79, "fails"), ("at_most", 0.7, 0.8, "holds"), ("at_most", 0.7, 0.81, "undecided"),
        ("at_most", 0.81, 0.9, "fails"), ("near", -0.8, 0.8, "holds"), ("near", -0.81, 0, "undecided"),
        ("near", 0, 0.81, "undecided"), ("near", 0.81, 0.9, "fails"), ("near", -0.9, -0.81, "fails"),
        ("near", -0.9, 0.9, "undecided"),
    ],
)  # fmt: skip
def test_a_bound_is_met_by_the_end_of_the_interval_not_by_its_middle(predicate, low, high, expected):
    assert verdict(claim(predicate, bound=0.8), a=within(low, high))[0] == expected


@pytest.mark.parametrize(
    ("predicate", "value", "expected"),
    [
        ("at_least", 0.8, "holds"), ("at_least", 0.7999, "fails"), ("at_most", 0.8, "holds"),
        ("at_most", 0.8001, "fails"), ("near", 0.8, "holds"), ("near", -0.8, "holds"), ("near", -0.8001, "fails"),
        ("near", 0.81, "fails"),
    ],
)  # fmt: skip
def test_what_is_computed_is_judged_as_it_stands_and_bounds_are_allowed(predicate, value, expected):
    assert verdict(claim(predicate, bound=0.8, exact=True), a=values(value))[0] == expected
    several = values(value, 0.8)  # of an exact law every seed must obey
    assert verdict(claim(predicate, bound=0.8, exact=True), a=several)[0] == expected


def test_any_other_number_without_an_interval_decides_nothing():
    for predicate, than in (("at_least", ()), ("above", ("b",)), ("share_of", ("b",))):
        result, evidence = verdict(claim(predicate, than=than, bound=0.1), a=values(0.9), b=values(0.1))
        assert result == "undecided"
        assert "no interval" in evidence


@pytest.mark.parametrize("predicate", ["at_least", "at_most", "near"])
def test_every_measure_must_keep_to_the_bound(predicate):
    tested = claim(predicate, ("a", "b"), bound=0.5)
    good, bad = within(0.5, 0.5), within(0.4, 0.4) if predicate == "at_least" else within(0.6, 0.6)
    unclear = within(0.4, 0.6)
    assert verdict(tested, a=good, b=good)[0] == "holds"
    assert verdict(tested, a=good, b=bad)[0] == verdict(tested, a=bad, b=good)[0] == "fails"
    assert verdict(tested, a=good, b=unclear)[0] == "undecided"
    assert verdict(tested, a=bad, b=unclear)[0] == "fails"


def test_the_evidence_shows_all():
    result, evidence = verdict(claim("at_least", ("a", "b"), bound=2), a=values(2, 3, 4), b=values(4, 4))
    assert result == "undecided"
    assert evidence.startswith("a = 3 [0.516, 5.48]; b = 4 [4, 4]; required ≥ 2; ≈ ")
    _, evidence = verdict(claim("near", bound=0.1), a=within(-0.05, 0.03))
    assert evidence == "a = -1.0% [-5.0%, +3.0%]; required within ±10%"
    with speaking("ja"):
        assert "要求 ≥ 2" in verdict(claim("at_least", bound=2), a=within(1, 3))[1]


def test_above_over_seeds_pairs_the_seeds():
    """Seeds differ by far more than the two do within each seed: unpaired, the intervals would overlap."""
    a, b = values(1.1, 5.1, 9.12), values(1, 5, 9)
    assert a.low < b.high
    assert verdict(claim("above", than=("b",)), a=a, b=b)[0] == "holds"
    assert verdict(claim("above", than=("b",)), a=b, b=a)[0] == "fails"
    assert verdict(claim("below", than=("b",)), a=b, b=a)[0] == "holds"
    result, evidence = verdict(claim("above", than=("b",)), a=values(1.1, 5.1, 8.9), b=b)
    assert result == "undecided"  # above on average only
    assert "over 3 seeds" in evidence


def test_above_within_one_seed_pairs_the_draws_of_items():
    base = np.linspace(0, 1, 500)
    low, high = resampled(0.5, base.tolist()), resampled(0.52, (base + 0.02).tolist())
    tested = claim("above", than=("b",))
    assert verdict(tested, a=high, b=low)[0] == "holds"
    assert verdict(tested, a=low, b=high)[0] == "fails"
    assert verdict(tested, a=high, b=resampled(0.5, base[::-1].tolist()))[0] == "undecided"


def test_equal_is_not_above():
    assert verdict(claim("above", than=("b",)), a=values(1, 2), b=values(1, 2))[0] == "fails"
    assert verdict(claim("above", than=("b",), exact=True), a=values(1), b=values(1))[0] == "fails"
    assert verdict(claim("at_least", bound=1), a=values(1, 1))[0] == "holds"


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=5))
def test_above_and_below_are_each_others_mirror_and_exclude_each_other(pairs):
    measures = {"a": summarise([a for a, _ in pairs]), "b": summarise([b for _, b in pairs])}
    above, below = (verdict(claim(name, than=("b",)), **measures)[0] for name in ("above", "below"))
    assert above == verdict(claim("below", than=("b",)), a=measures["b"], b=measures["a"])[0]
    assert (above, below) in {("holds", "fails"), ("fails", "holds"), ("undecided", "undecided"), ("fails", "fails")}


# --- several comparisons


def test_one_measure_is_held_against_all_rivals_and_all_against_one():
    low, middle, high = (values(x, x + 0.1) for x in (1, 3, 5))
    several = claim("above", ("a",), ("b", "c"))
    assert verdict(several, a=high, b=low, c=middle)[0] == "holds"
    assert verdict(several, a=middle, b=low, c=high)[0] == verdict(several, a=middle, b=high, c=low)[0] == "fails"
    several = claim("below", ("a", "b"), ("c",))
    assert verdict(several, a=low, b=middle, c=high)[0] == "holds"
    assert verdict(several, a=low, b=high, c=middle)[0] == "fails"


def test_measures_and_rivals_go_in_pairs():
    low, middle, high = (values(x, x + 0.1) for x in (1, 3, 5))
    assert verdict(claim("above", ("a", "b"), ("c", "d")), a=high, b=middle, c=middle, d=low)[0] == "holds"
    assert verdict(claim("above", ("a", "b"), ("c", "d")), a=high, b=middle, c=low, d=high)[0] == "fails"


def test_to_fail_by_one_of_many_the_level_is_shared_among_them():
    """The best of five equal rows lies above by chance one time in eight: a difference of 2.2 standard errors refutes a
    claim of one comparison, not one of five."""
    draws = np.random.default_rng(0).normal(size=20_000)
    equal, lower = (resampled(shift, (draws + shift).tolist()) for shift in (0.0, -2.2))
    names = ("b", "c", "d", "e", "f")
    assert verdict(claim("at_least", bound=0), a=lower)[0] == "fails"
    several = {name: lower if name == "f" else equal for name in names}
    result, evidence = verdict(claim("at_least", names, bound=0), **several)
    assert result == "undecided"
    assert evidence.endswith("would decide")
    assert "5 comparisons" in verdict(claim("above", names, ("a",)), a=within(-1, 1), **several)[1]


def test_the_two_sides_of_one_deviation_do_not_share_the_level():
    """Only one of them can be overstepped: 2.1 standard errors beyond a bound refute one deviation, not one of two."""
    draws = np.random.default_rng(0).normal(size=20_000)
    for shift in (10 + 2.1, -10 - 2.1):
        beyond = resampled(shift, (draws + shift).tolist())
        assert verdict(claim("near", bound=10), a=beyond)[0] == "fails"
        assert verdict(claim("near", ("a", "b"), bound=10), a=beyond, b=within(-1, 1))[0] == "undecided"


def test_when_all_are_equal_such_a_claim_fails_one_time_in_twenty_at_most():
    generator, failed = np.random.default_rng(1), 0
    tested = claim("above", ("a",), tuple("bcdef"))
    for _ in range(300):
        rows = {name: summarise(generator.normal(size=8).tolist()) for name in "abcdef"}
        failed += verdict(tested, **rows)[0] == "fails"
    assert failed <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_a_star_stands_for_all_that_was_measured_but_for_the_measure_itself():
    rows = {f"row.{name}.score": within(at, at) for name, at in (("a", 3), ("b", 1), ("c", 2))}
    tested = claim("above", ("row.a.score",), ("row.*.score",))
    result, evidence = judge([tested], rows, "quick")[0].verdict, judge([tested], rows, "quick")[0].evidence
    assert result == "holds"
    assert "row.a.score − row.b.score = 2" in evidence
    assert "row.a.score − row.a.score" not in evidence
    assert judge([claim("at_least", ("row.*.score",), bound=1.5)], rows, "quick")[0].verdict == "fails"
    assert verdict(claim("at_least", ("none.*",), bound=1)) == ("untested", "not measured: none.*")


# --- shares


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(0.9, 1, "holds"), (0.89, 1, "fails"), (2, 1, "holds"), (0, 0, "fails")]
)
def test_a_share_of_the_whole(part, whole, expected):
    result, evidence = verdict(claim("share_of", than=("b",), bound=0.9), a=within(part, part), b=within(whole, whole))
    assert result == expected
    assert "ratio" in evidence
    assert (
        verdict(claim("share_of", than=("b",), bound=0.9, exact=True), a=values(part), b=values(whole))[0] == expected
    )


def test_a_share_is_of_the_same_seeds():
    """Of 5, 6 and 7 a share of .95: the seeds' spread is of the whole, and hardly of the share."""
    whole, part = values(5, 6, 7), values(4.75, 5.7, 6.65)
    results = [verdict(claim("share_of", than=("b",), bound=bound), a=part, b=whole)[0] for bound in (0.9, 0.96)]
    assert results == ["holds", "fails"]


# --- what would decide


def test_as_many_seeds_are_asked_for_as_would_decide():
    """A mean of 1 and a deviation of 2 need 18 seeds: t(17) = 2.110 times 2 / √18 is .995, and with 17 it is 1.028."""
    spread = np.array([-1.0, 0.0, 1.0])
    each = 1 + 2 * spread / spread.std(ddof=1)
    result, evidence = verdict(claim("at_least", bound=0), a=summarise(each.tolist()))
    assert result == "undecided"
    assert evidence.endswith("≈ 18 seeds would decide")


def test_as_many_items_are_asked_for_as_would_decide():
    """An interval of ±2 around 1 must shrink by 2: four times the items."""
    assert verdict(claim("at_least", bound=0), a=within(-1, 3))[1].endswith("≈ 4 times the test items would decide")


def test_where_nothing_would_decide_that_is_said():
    assert verdict(claim("at_least", bound=0), a=within(-1, 1))[1].endswith("> 1000 times the test items would decide")
    assert "> 1000 seeds" in verdict(claim("at_least", bound=0), a=values(-1, 1.0001))[1]


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
    several = [claim("at_least", (name,), bound=0.5, exact=True) for name in "cab"]
    found = judge(several, {name: values(number) for number, name in enumerate("abc")}, "quick")
    assert [(f.claim.measure, f.verdict) for f in found] == [(("c",), "holds"), (("a",), "fails"), (("b",), "holds")]


def test_another_recipe_tests_no_claim_of_the_paper() -> None:
    study = register()["scan"]
    tested = next(each for each in study.claims() if each.id == "scan.sym2img")
    measures = {name: within(0.85, 0.9) for name in tested.measure}
    (whole,), (other,) = judge([tested], measures, "quick"), judge([tested], measures, "quick", ["beta", "pairs"])
    assert whole.verdict == "holds"
    assert (other.verdict, other.evidence) == ("untested", "recipe changed (beta, pairs)")


def test_seeds_and_the_machine_make_no_other_recipe() -> None:
    study = register()["scan"]
    quick = study.presets["quick"]
    neutral = {"seed": 3, "seeds": 2, "device": "cpu", "precision": "float32", "threads": 2}
    assert changed(compose(study.recipe, study.presets, "quick", neutral), quick) == []
    assert changed(compose(study.recipe, study.presets, "quick", neutral | {"beta": 4.0}), quick) == ["beta"]


def test_the_verdict_does_not_hang_on_the_unit() -> None:
    measure = resampled(0.5, np.linspace(0.3, 0.7, 100).tolist())
    for by in (1e-6, 1e6):
        scaled = resampled(0.5 * by, [x * by for x in measure.draws])
        assert verdict(claim("at_least", bound=0.25 * by), a=scaled)[0] == "holds"
        assert less(scaled, 0.25 * by).value == pytest.approx(0.25 * by)
