"""Measures: their intervals over seeds and over resampled items, and arithmetic on them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.declare.measure import (
    Interval,
    Measure,
    across,
    average,
    deviation,
    interval,
    less,
    resampled,
    scaled,
    summarise,
)


def values(*each: float) -> Measure:
    return summarise(each)


def test_the_interval_over_seeds_is_students():
    """Mean 2, standard deviation 1, three seeds: 2 ± 4.302653 / √3; at 99% 2 ± 9.924843 / √3."""
    measure = summarise([1, 2, 3])
    assert (measure.value, measure.each) == (2, [1, 2, 3])
    assert measure.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert measure.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)
    assert str(measure) == "2 [-0.484, 4.48]"
    wide = interval(measure, 0.99)
    assert wide is not None
    assert wide.high - wide.low == pytest.approx(2 * 9.924843 / math.sqrt(3), abs=1e-6)


def test_one_value_has_no_interval():
    measure = summarise([0.5])
    assert measure == Measure(0.5, [0.5])
    assert str(measure) == "0.5"
    assert interval(measure) is None
    assert measure.ends == (0.5, 0.5)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_interval_holds_the_mean_whatever_the_order_of_seeds(each, random):
    measure = summarise(each)
    assert measure.low <= measure.value <= measure.high
    random.shuffle(each)
    assert summarise(each).low == pytest.approx(measure.low, abs=1e-9)


def test_the_interval_of_resampled_items_leaves_out_a_fortieth_at_either_end():
    draws = [share / 1000 for share in range(1001)]
    measure = resampled(0.5, draws[::-1])
    assert (measure.value, measure.each, measure.low, measure.high) == (0.5, [0.5], 0.025, 0.975)
    assert measure.draws == draws[::-1]  # in their order: draw i is of the same items for every measure
    assert interval(measure, 0.9) == Interval(0.05, 0.95)
    few = resampled(0.5, [0.4, 0.7, 0.6, 0.3])
    assert (few.low, few.high) == (0.3, 0.7)  # few draws: all of them
    assert resampled(0.5, draws, each=[0.4, 0.6]).each == [0.4, 0.6]
    assert resampled(1 / 3, [1 / 3]).draws == [0.333333]


def test_an_interval_that_was_stored_without_draws_is_what_it_is_at_every_level():
    assert interval(Measure(1.0, [1.0], 0.5, 1.5), 0.5) == Interval(0.5, 1.5)


def test_over_seeds_there_is_what_every_seed_measured():
    """Of one seed each measure keeps its own interval; over several it is over them, in the order of the first."""
    first = {"a": Measure(1.0, [1.0], 0.5, 1.5), "b": Measure(2.0, [2.0]), "c": Measure(3.0, [3.0])}
    second, third = {"c": values(4.0), "a": values(2.0)}, {"d": values(0.0), "a": values(3.0), "b": values(7.0)}
    assert across([first]) == first
    assert across([first, second, third]) == {"a": summarise([1, 2, 3])}
    assert list(across([first, second]).items()) == [("a", summarise([1, 2])), ("c", summarise([3, 4]))]


# --- arithmetic


def test_a_difference_is_paired_over_seeds():
    """Seeds differ by far more than the two do within each seed."""
    difference = less(values(1.1, 5.1, 9.13), values(1, 5, 9))
    assert difference.each == pytest.approx([0.1, 0.1, 0.13])
    assert difference.low > 0
    assert less(values(1, 2), values(1, 2), 2.0).each == [-1, -2]


def test_a_difference_is_paired_over_draws_of_the_same_items():
    """Two systems on a thousand items, one right where the other is and on twenty more: the intervals overlap, that of
    the difference, .02 and a standard error of √(.02 · .98 / 1000) = .0044, lies above 0."""
    generator = np.random.default_rng(0)
    one = np.zeros(1000)
    one[:520] = 1
    other = np.concatenate([one[:500], np.zeros(500)])
    rows = generator.integers(1000, size=(500, 1000))
    a, b = (resampled(float(hits.mean()), hits[rows].mean(1).tolist()) for hits in (one, other))
    assert a.low < b.high
    difference = less(a, b)
    assert difference.value == pytest.approx(0.02)
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * math.sqrt(0.02 * 0.98 / 1000), rel=0.1)


def test_draws_of_other_items_give_the_interval_of_independent_measures():
    """Standard errors .03 and .04 give one of .05."""
    generator = np.random.default_rng(0)
    a, b = (resampled(1.0, generator.normal(1, error, 2000).tolist()) for error in (0.03, 0.04))
    difference = less(a, b)
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * 0.05, rel=0.06)


def test_without_draws_two_intervals_must_be_apart():
    a, b = Measure(0.6, [0.6], 0.5, 0.7), Measure(0.3, [0.3], 0.2, 0.4)
    difference = less(a, b, 2.0)
    assert (difference.value, difference.low, difference.high) == pytest.approx((0, -0.3, 0.3))
    assert less(a, values(0.3)) == values(a.value - 0.3)  # nothing is known of the one, so nothing of the difference


def test_a_sum_lies_between_the_sums_of_the_lower_and_of_the_upper_ends():
    a, b = Measure(3.0, [3.0], 2.0, 4.0), Measure(10.0, [10.0], 8.0, 13.0)
    assert less(a, b, -1.0) == Measure(13.0, [13.0], 10.0, 17.0)
    assert average([a, b]) == Measure(6.5, [6.5], 5.0, 8.5)


def test_a_known_number_shifts_all():
    measure = resampled(0.5, [0.25, 0.5, 0.75])
    assert less(measure, 0.25) == Measure(0.25, [0.25], 0.0, 0.5, [0.0, 0.25, 0.5])
    assert less(values(1, 1, 1), 1.0).ends == (0, 0)
    assert less(values(0.5), 0.25) == values(0.25)
    assert less(Measure(0.5, [0.5], 0.25, 0.75), 0.25).ends == (0, 0.5)


def test_scaling_turns_an_interval_round_where_the_factor_is_negative():
    assert scaled(Measure(1.0, [1.0], 0.0, 3.0, [2.0]), -2.0) == Measure(-2.0, [-2.0], -6.0, 0.0, [-4.0])
    assert scaled(values(1.0), 3.0) == values(3.0)


def test_the_mean_of_measures():
    assert average([values(1, 2), values(3, 6)]) == summarise([2, 4])
    assert average([resampled(1.0, [0.0, 2.0]), resampled(3.0, [4.0, 2.0])]).draws == [2, 2]
    assert average([values(5.0)]) == values(5.0)


def test_a_relative_deviation_is_of_the_same_draws():
    found = deviation(resampled(0.6, [0.6, 0.9]), resampled(0.5, [0.4, 0.6]))
    assert found.value == pytest.approx(0.2)
    assert found.draws == pytest.approx([0.5, 0.5])
    assert deviation(values(0.6), values(0.5)).value == pytest.approx(0.2)
    assert deviation(resampled(0.6, [0.6]), resampled(0.5, [0.0])).low is None
    assert (deviation(values(0.6), values(0.0)).value, deviation(values(0.0), values(0.0)).value) == (1, 0)
