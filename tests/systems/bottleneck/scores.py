"""mAP, AUC and d' against their definitions and where they are known."""

import numpy as np
import pytest
from scipy.stats import norm

from phantastic.ground.errors import Refused
from phantastic.systems.bottleneck import measure


def test_auc_is_how_often_a_positive_scores_higher():
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, (60, 5)), generator.integers(0, 9, (60, 5)).astype(float)
    for column, found in enumerate(measure.auc(labels, scores)):
        yes, no = scores[labels[:, column] == 1, column], scores[labels[:, column] == 0, column]
        above = np.sign(yes[:, None] - no).mean()
        assert found == pytest.approx((above + 1) / 2)


def test_average_precision_is_the_precision_where_each_positive_is_found():
    labels, scores = np.array([[1, 0, 1, 0, 0, 1]]).T, np.array([[0.9, 0.8, 0.7, 0.3, 0.2, 0.1]]).T
    assert measure.average_precision(labels, scores)[0] == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)


def test_d_prime_of_two_normal_distributions_is_their_distance():
    for distance in (0.0, 0.5, 2.0, 4.0):
        area = norm.cdf(distance / np.sqrt(2))
        assert measure.d_prime(np.array([area]))[0] == pytest.approx(distance, abs=1e-9)
    assert measure.d_prime(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]


def test_perfect_reversed_and_blind():
    labels = np.tile([[0.0], [1.0]], (50, 1))
    assert measure.auc(labels, labels)[0] == measure.average_precision(labels, labels)[0] == 1
    assert measure.auc(labels, -labels)[0] == 0
    assert measure.auc(labels, 0 * labels)[0] == measure.average_precision(labels, 0 * labels)[0] == 0.5


def test_a_class_of_one_kind_counts_for_nothing():
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]])
    found = measure.average_precision(labels, np.array([[0.9, 0.1, 0.8]] * 2 + [[0.2, 0.4, 0.9]]))
    assert np.isnan(found).tolist() == [True, True, False]
    assert measure.mean(found) == found[2]
    assert np.isnan(measure.mean(found[:2]))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), "expected both"),
        (np.zeros(3), np.zeros(3), "expected both"),
        (np.full((3, 2), 0.3), np.zeros((3, 2)), "0 or 1"),
        (np.zeros((3, 2)), np.array([[0, 1], [2, np.nan], [0, 0]]), "clip 1 for class 1"),
    ],
)
def test_refusals(labels, scores, message):
    for function in (measure.auc, measure.average_precision):
        with pytest.raises(Refused, match=message):
            function(labels, scores)
    with pytest.raises(Refused, match="between 0 and 1"):
        measure.d_prime(np.array([0.5, 1.2]))
