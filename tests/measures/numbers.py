"""Measures in numbers worked out by hand, and what is refused in whole sentences."""

import numpy as np
import pytest

from phantastic.declare.measure import Measure
from phantastic.ground.errors import Refused
from phantastic.measures import bootstrap, intervention
from phantastic.measures import disentanglement as scores


class Grid:
    """The factors themselves as images; counts what is rendered and in which portions."""

    def __init__(self, *sizes: int):
        self.sizes, self.asked = sizes, []

    def images(self, factors: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        assert factors.min() >= 0
        assert (factors < self.sizes).all()
        self.asked.append(len(factors))
        return factors.astype(float)


# --- intervals over items


def test_an_interval_is_over_whole_samples_of_the_items() -> None:
    seen: list[np.ndarray] = []

    def statistic(items: np.ndarray) -> float:
        seen.append(items)
        return float(items[:, 0].mean())

    items = np.array([[0.0, 1], [1.0, 2], [2.0, 3]])
    measure = bootstrap.over_items(items, np.random.default_rng(0), statistic)
    assert isinstance(measure, Measure)
    assert (measure.value, measure.each) == (1.0, [1.0])
    assert len(seen) == 501
    assert all(len(sample) == 3 and (sample[:, 1] == sample[:, 0] + 1).all() for sample in seen)
    assert {len(np.unique(sample[:, 0])) for sample in seen[1:]} == {1, 2, 3}  # with replacement
    assert bootstrap.mean(np.array([1, 2, 4])) == pytest.approx(7 / 3)


# --- measures on a sample


def test_the_gap_is_between_the_first_and_the_second_latent_over_entropy() -> None:
    """Binary a and b, balanced; latents: a, a and-ed with b, b. Of a the second tells 0.3113 of 1 bit, of b as much."""
    v = np.stack(np.meshgrid([0, 1], [0, 1]), -1).reshape(-1, 2).repeat(5, axis=0)
    z = np.c_[v[:, 0], v[:, 0] & v[:, 1], v[:, 1]]
    assert scores.mig(z, v) == pytest.approx(1 - 0.31127812, abs=1e-8)
    # the middle latent belongs to a, the first of equals; of b it is another's: gaps 1 - 0 and 1 - .3113
    assert scores.grouped_mig(z, v) == pytest.approx((1 + 1 - 0.31127812) / 2, abs=1e-8)
    # 1 - .3113² / .3113² for the middle one, 1 for each of the others
    assert scores.modularity(z, v) == pytest.approx(2 / 3, abs=1e-8)


def test_sap_is_the_best_accuracy_minus_the_next() -> None:
    """One latent tells the factor, the next in nine of ten rows, the third nothing."""
    rows = np.arange(600)
    v = np.c_[rows // 300, rows % 2]
    often = np.where(rows % 10 == 0, 1 - v[:, 0], v[:, 0])
    z = np.c_[v[:, 1], v[:, 0], often, v[:, 1]] * 20.0 - 10
    assert scores.sap(z, v) == pytest.approx((1 - 0.9 + 0) / 2, abs=0.03)


def test_explicitness_is_the_area_under_the_curve_and_hangs_on_no_scale() -> None:
    """Read with no fault, whatever the units of the latents, and on one that does not vary."""
    rows = np.arange(300)
    v = np.c_[rows % 3, rows // 150]
    z = np.c_[v[:, 0] == 0, v[:, 0] == 1, v[:, 1], np.ones(300)].astype(float)
    for scale in (1.0, 1e6, 1e-6):
        assert scores.explicitness(scale * z, v) == 1.0
    flipped = np.c_[v[:, 1], np.ones(300)].astype(float)  # tells the second factor only
    assert scores.explicitness(flipped, v) == pytest.approx((0.5 + 1) / 2, abs=0.08)


def test_units_that_vary_by_more_than_the_threshold_are_active() -> None:
    codes = np.array([[0.0, 0.0, 0.0], [0.19, 0.21, 3.0]])  # variances .009, .011 and 2.25
    assert scores.active_units(codes) == 2
    assert scores.active_units(codes, threshold=2.25) == 0


@pytest.mark.parametrize(
    ("codes", "factors", "said"),
    [
        (np.zeros(6), np.zeros((6, 2), int), "codes have shape (6,); expected (rows, latents), neither of them 0"),
        (
            np.zeros((6, 2)),
            np.zeros((5, 2), int),
            "factors have shape (5, 2); expected one row for each of the 6 codes: (6, k)",
        ),
        (
            np.zeros((2, 2)),
            np.zeros((2, 1)),
            "factors are float64; give the number of each value (0, 1, 2, ...) as an integer",
        ),
        (np.zeros((2, 1)), np.zeros((2, 1), int), "codes have a single column; a gap between codes needs at least two"),
        (
            np.zeros((2, 2)),
            np.array([[3], [3]]),
            "factors, column 0: all 2 rows have the value 3; leave it out",
        ),
        (
            np.array([[0.0, 0.0], [0.0, -1e30]]),
            np.array([[0], [1]]),
            "codes, column 1, row 1: -1e+30; expected a number below 1e+30",
        ),
    ],
)
def test_what_no_measure_is_defined_on_is_said(codes: np.ndarray, factors: np.ndarray, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        scores.checked(codes, factors)
    assert str(refusal.value) == said


def test_booleans_and_small_integers_are_numbers_of_values() -> None:
    for kind in (bool, np.uint8, np.int16):
        codes, factors = scores.checked(np.eye(2, dtype=np.float32), np.array([[0], [1]]).astype(kind))
        assert (codes.dtype, factors.dtype, factors.tolist()) == (np.float64, np.int64, [[0], [1]])
    with pytest.raises(Refused, match="factors have 1 column; this measure compares factors and needs 2"):
        scores.checked(np.eye(2), np.array([[0], [1]]), least_factors=2)
    with pytest.raises(Refused, match="dci with 1 rows to train and 5 to test: give at least 2 of each"):
        scores.dci(np.eye(2), np.array([[0, 1], [1, 0]]), train=1, test=5)


def test_rows_are_thinned_evenly_and_kept_where_they_are_few() -> None:
    assert scores._thinned(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert scores._thinned(np.arange(3), 4).tolist() == [0, 1, 2]


# --- measures that need fresh images


def test_votes_and_images_are_as_many_as_were_asked_for() -> None:
    grid = Grid(3, 4)
    options = {"train_votes": 300, "eval_votes": 100, "batch": 8}
    assert intervention.factor_vae_score(lambda v: v, grid, 0, variance_images=50, **options) == 1
    assert sum(grid.asked) == 50 + 8 * (300 + 100)
    assert max(grid.asked) <= intervention.IMAGES_AT_ONCE
    grid = Grid(3, 4)
    assert intervention.beta_vae_score(lambda v: v, grid, 0, **options) > 0.95
    assert sum(grid.asked) == 2 * 8 * (300 + 100)
    assert max(grid.asked) <= intervention.IMAGES_AT_ONCE


def test_a_code_of_one_factor_names_it_alone() -> None:
    """Both latents show the first factor: each votes for it, and every vote for the second is wrong."""
    options = {"train_votes": 400, "eval_votes": 400, "batch": 16}
    score = intervention.factor_vae_score(
        lambda v: np.c_[v[:, 0], v[:, 0] + 0.0], Grid(4, 4), 0, variance_images=500, **options
    )
    assert score == pytest.approx(0.5, abs=0.1)


def test_scores_of_nothing_are_refused_in_whole() -> None:
    few = "votes and variance images must be at least 1 and 2, and a batch at least 2"
    for options in ({"batch": 1}, {"variance_images": 1}, {"train_votes": 0}, {"eval_votes": 0}):
        with pytest.raises(Refused) as refusal:
            intervention.factor_vae_score(lambda v: v, Grid(2, 2), 0, **options)
        assert str(refusal.value) == few
    with pytest.raises(Refused) as refusal:
        intervention.factor_vae_score(lambda v: v, Grid(2), 0)
    assert str(refusal.value) == ("factors have (2,) values; at least two factors with at least two values are needed")
    with pytest.raises(Refused) as refusal:
        intervention.beta_vae_score(lambda v: v, Grid(2, 2), 0, train_votes=1, eval_votes=1, batch=1)
    assert str(refusal.value) == "1 training votes fell on a single factor; give more (10000 is customary)"
    with pytest.raises(Refused) as refusal:
        intervention.beta_vae_score(lambda v: v[1:], Grid(2, 2), 0, train_votes=1, eval_votes=1, batch=1)
    assert str(refusal.value) == "encode gave codes of shape (1, 2) for 2 images; expected (images, latents)"
