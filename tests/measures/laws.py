"""The measures of scores at their limits, on codes whose answer is known, and their refusals.

Warnings are errors in this suite, so every limit is also a check that nothing divided by zero on the way.
"""

import json
from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.measures import disentanglement as scores

LIMITS = json.loads((Path(__file__).parent / "measure_limits.json").read_text())
SIZES = np.array(LIMITS["sizes"])
TABLE = ["perfect", "twice", "noise", "constant"]
TOLERANCE = {
    "mig": 0.003,
    "factor_vae": 0.02,
    "beta_vae": 0.03,
    "sap": 0.012,
    "modularity": 0.045,
}  # modularity of ten dimensions of noise has an sd of .012


class Grid:
    """The factors themselves as images."""

    def __init__(self, sizes):
        self.sizes = tuple(int(size) for size in sizes)

    def images(self, factors, generator):
        return factors


def standardised(factors, sizes=SIZES):
    return (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)


def encoder(kind):
    """An encoder of the images of `Grid(SIZES)`."""
    noise = numpy_generator(0, f"test/{kind}")
    rotation = dct(np.eye(5), norm="ortho")  # every latent mixes every factor; a random rotation may hardly mix
    return {
        "perfect": lambda v: np.c_[standardised(v), 0.01 * noise.standard_normal((len(v), 5))],
        "rotated": lambda v: np.c_[standardised(v) @ rotation, 0.01 * noise.standard_normal((len(v), 5))],
        "twice": lambda v: np.c_[standardised(v), standardised(v)],
        "noise": lambda v: noise.standard_normal((len(v), 10)),
        "constant": lambda v: np.full((len(v), 10), 0.1),
    }[kind]


@pytest.fixture(scope="module")
def factors():
    return numpy_generator(0, "test/factors").integers(SIZES, size=(10_000, 5))


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("name", ["mig", "modularity", "sap"])
def test_measures_reach_their_limits(kind, name, factors):
    value = getattr(scores, name)(encoder(kind)(factors), factors)
    assert isinstance(value, float)
    assert value == pytest.approx(LIMITS[kind][name], abs=TOLERANCE[name])


@pytest.mark.parametrize("kind", TABLE)
def test_intervention_scores_reach_their_limits(kind):
    factor_vae = scores.factor_vae_score(encoder(kind), Grid(SIZES), 0)
    beta_vae = scores.beta_vae_score(encoder(kind), Grid(SIZES), 0)
    assert factor_vae == pytest.approx(LIMITS[kind]["factor_vae"], abs=TOLERANCE["factor_vae"])
    assert beta_vae == pytest.approx(LIMITS[kind]["beta_vae"], abs=TOLERANCE["beta_vae"])


def test_dci_reaches_its_limits():
    """On a coarse grid, since the cost is one tree per value and round; the limits do not depend on the grid."""
    sizes = np.array([2, 3, 4])
    v = numpy_generator(0, "test/coarse").integers(sizes, size=(450, 3))
    perfect, noise = standardised(v, sizes), numpy_generator(0, "test/noise").standard_normal((450, 6))
    assert scores.dci(np.c_[perfect, 0.01 * noise], v) == pytest.approx((1, 1, 1), abs=1e-6)
    disentangled, complete, informative = scores.dci(np.c_[perfect, perfect], v)
    assert (disentangled, informative) == pytest.approx((1, 1), abs=1e-6)
    assert complete == pytest.approx(1 - log(2) / log(6), abs=0.02)  # two of six codes share each factor
    assert scores.dci(noise, v)[:2] == pytest.approx((0, 0), abs=0.02)
    assert scores.dci(noise, v)[2] == pytest.approx(np.mean(1 / sizes), abs=0.05)
    constant = scores.dci(np.full((450, 6), 0.1), v)
    assert constant[:2] == (0, 0)
    assert constant[2] == pytest.approx(np.mean(1 / sizes), abs=0.05)


@pytest.mark.reproduce
@pytest.mark.parametrize("kind", TABLE)
def test_dci_on_the_dsprites_grid(kind, factors):
    assert scores.dci(encoder(kind)(factors), factors)[:2] == pytest.approx(LIMITS[kind]["dci"], abs=0.015)


def test_explicitness_reaches_its_limits(factors):
    v = factors[:2000, :2]
    perfect = np.c_[standardised(factors)[:2000, :2], encoder("noise")(v)]
    rotation = np.linalg.qr(numpy_generator(0, "test/rotation").standard_normal((12, 12)))[0]
    assert scores.explicitness(perfect, v) > 0.9
    assert scores.explicitness(perfect @ rotation, v) > 0.9  # linearly readable all the same
    assert scores.explicitness(encoder("noise")(v), v) == pytest.approx(0.5, abs=0.02)
    assert scores.explicitness(encoder("constant")(v), v) == 0.5


def test_a_rotation_is_entangled(factors):
    rotated, perfect = (encoder(kind)(factors) for kind in ("rotated", "perfect"))
    assert scores.mig(rotated, factors) < 0.1
    assert scores.grouped_mig(rotated, factors) < 0.1
    assert scores.modularity(rotated[:, :5], factors) < 0.8 < 0.99 < scores.modularity(perfect[:, :5], factors)
    assert scores.sap(rotated, factors) < 0.05
    assert scores.factor_vae_score(encoder("rotated"), Grid(SIZES), 0) < 0.7
    assert scores.beta_vae_score(encoder("rotated"), Grid(SIZES), 0) < 0.8


def grid(*counts: Sequence[int]) -> np.ndarray:
    """Factors whose values occur as often as told, every combination of them: exactly independent."""
    values = [np.repeat(np.arange(len(each)), each) for each in counts]
    return np.stack(np.meshgrid(*values), -1).reshape(-1, len(counts))


@pytest.mark.parametrize("name", ["mig", "grouped_mig"])
def test_an_unbalanced_factor_that_one_latent_tells_has_the_whole_gap(name):
    """What is told is held against the factor's entropy, H(7/8) = .377 nats, and not against log 2 = .693."""
    v = grid([7, 1], [2, 2, 2])
    assert getattr(scores, name)(v, v) == pytest.approx(1, abs=1e-12)
    assert getattr(scores, name)(np.c_[v[:, 0], np.zeros(len(v))], v) == pytest.approx(0.5, abs=1e-12)  # of two factors


def test_the_gap_of_a_half_told_unbalanced_factor():
    """The latent merges two of the values 0, 1, 2, of probability ½, ¼, ¼: it tells log 2 of 1.5 log 2 nats."""
    v = grid([2, 1, 1], [1, 1])
    assert scores.mig(np.c_[v[:, 0] > 0, v[:, 1]], v) == pytest.approx((2 / 3 + 1) / 2, abs=1e-12)
    assert scores.modularity(np.c_[v[:, 0] > 0, v[:, 1]], v) == pytest.approx(1, abs=1e-12)


def test_modularity_falls_with_the_squared_information_about_other_factors():
    """Three binary factors; a latent that is the sum a + 2b tells log 2 of two of them: 1 - log² 2 / (2 log² 2) = ½."""
    v = grid([1, 1], [1, 1], [1, 1])
    assert scores.modularity(np.c_[v[:, 0] + 2 * v[:, 1], v[:, 2]], v) == pytest.approx((0.5 + 1) / 2, abs=1e-12)


def test_grouped_mig_forgives_a_second_latent_of_the_same_factor(factors):
    values = {kind: scores.grouped_mig(encoder(kind)(factors), factors) for kind in TABLE}
    assert values["perfect"] == scores.mig(encoder("perfect")(factors), factors)
    assert values["twice"] == pytest.approx(values["perfect"], abs=0.001)
    assert values["noise"] < 0.005
    assert values["constant"] == 0


def test_grouped_mig_of_circles_and_of_mixtures():
    """Four hues as cosine and sine are disentangled, and `mig` cannot see it; mixed into one another they are not."""
    generator = numpy_generator(0, "test/hues")
    hue = generator.integers(16, size=(5000, 4))
    angle = 2 * np.pi * hue / 16 + 0.1
    circles = np.c_[np.cos(angle), np.sin(angle)]
    assert scores.mig(circles, hue) < 0.01
    assert scores.grouped_mig(circles, hue) > 0.9
    assert scores.grouped_mig(circles @ generator.standard_normal((8, 8)), hue) < 0.15


def test_grouped_mig_counts_leaks_and_missing_factors():
    v = numpy_generator(0, "test/pair").integers(8, size=(20_000, 2))
    leak = np.where(numpy_generator(1, "test/pair").random(20_000) < 0.5, v[:, 0], 0)
    missing = np.c_[v[:, 0], v[:, 0]]
    assert scores.grouped_mig(missing, v) == pytest.approx(0.5, abs=0.01)
    assert scores.grouped_mig(np.c_[v[:, 0], v[:, 1] * 8 + leak], v) < scores.grouped_mig(np.c_[v[:, 0], v[:, 1]], v)


def test_active_units(factors):
    assert [scores.active_units(encoder(kind)(factors)) for kind in ("perfect", "twice", "noise", "constant")] == [
        5,
        10,
        10,
        0,
    ]


def test_bins_are_those_of_a_histogram(factors):
    """The published discretisation is np.digitize on the edges of np.histogram without the last."""
    codes = encoder("rotated")(factors)[:, :5]
    binned = np.stack([np.digitize(z, np.histogram(z, 20)[1][:-1]) for z in codes.T], axis=1)
    assert scores.mig(codes, factors) == pytest.approx(scores.mig(binned, factors), abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32), shift=st.floats(-10, 10), scale=st.floats(0.01, 100), order=st.permutations(range(3))
)
def test_information_measures_ignore_order_offset_and_scale(seed, shift, scale, order):
    generator = numpy_generator(seed, "test/invariance")
    v = generator.integers(4, size=(300, 3))
    z = v + generator.standard_normal((300, 3))
    for name in ("mig", "grouped_mig", "modularity"):
        value = getattr(scores, name)(z, v)
        assert 0 <= value <= 1
        assert getattr(scores, name)(z[:, order], v) == pytest.approx(value, abs=1e-9)
        assert getattr(scores, name)(z, v[:, order]) == pytest.approx(value, abs=1e-9)
        # A row that rounding moves over the edge of a bin changes the count, hence not exactly.
        assert getattr(scores, name)(shift - scale * z, v) == pytest.approx(value, abs=0.02)


def test_rows_that_come_in_order_do_no_harm(factors):
    v = factors[:3000]
    z = encoder("perfect")(v)
    order = np.lexsort(v.T)
    assert scores.sap(z[order], v[order]) == pytest.approx(scores.sap(z, v), abs=0.015)
    assert scores.sap(z, v) == scores.sap(z, v)


ALL = [
    scores.mig,
    scores.grouped_mig,
    scores.modularity,
    scores.explicitness,
    scores.sap,
    scores.dci,
]


@pytest.mark.parametrize("function", ALL)
def test_degenerate_input_is_refused_with_its_column(function):
    v = numpy_generator(0, "test/refused").integers(3, size=(60, 3))
    z = v + 0.1
    with pytest.raises(Refused, match="factors, column 1: all 60 rows have the value 7"):
        function(z, np.c_[v[:, 0], np.full(60, 7)])
    with pytest.raises(Refused, match="single column"):
        function(z[:, :1], v)
    for bad in (np.nan, np.inf, 1e300):
        damaged = z.copy()
        damaged[5, 2] = bad
        with pytest.raises(Refused, match="codes, column 2, row 5"):
            function(damaged, v)


def test_wrong_shapes_and_types_are_refused():
    v = np.arange(12).reshape(6, 2) % 3
    for codes, factors, message in [
        (np.zeros(6), v, r"codes have shape \(6,\)"),
        (np.zeros((0, 3)), v[:0], r"codes have shape \(0, 3\)"),
        (np.zeros((5, 3)), v, "one row for each of the 5 codes"),
        (np.zeros((6, 3)), v[:, 0], r"factors have shape \(6,\)"),
        (np.zeros((6, 3)), v * 0.5, "float64"),
        (np.zeros((6, 3)), v[:, :0], "factors have 0 column"),
    ]:
        with pytest.raises(Refused, match=message):
            scores.checked(codes, factors)
    with pytest.raises(Refused, match="needs 2"):
        scores.modularity(np.eye(6), v[:, :1])
    with pytest.raises(Refused, match="1 rows to train"):
        scores.dci(np.eye(6), v, train=1)
    with pytest.raises(Refused, match="factors, column 0: fewer than two values occur three times"):
        scores.sap(np.eye(6), np.c_[np.arange(6), np.arange(6)])


def test_a_rare_value_is_trained_on_only():
    v = np.c_[np.arange(90) % 3, np.arange(90) % 2]
    v[0, 0] = 9
    z = v + 0.01 * numpy_generator(0, "test/rare").standard_normal((90, 2))
    for function in ALL:
        assert np.isfinite(function(z, v)).all()


@pytest.mark.parametrize("score", [scores.factor_vae_score, scores.beta_vae_score])
def test_intervention_scores_refuse(score):
    with pytest.raises(Refused, match="column 1"):
        score(lambda v: np.where(np.arange(2) == 1, np.nan, v), Grid((3, 3)), 0)
    with pytest.raises(Refused, match=r"\(3, 1\) values"):
        score(lambda v: v, Grid((3, 1)), 0)
    with pytest.raises(Refused, match="at least 1"):
        score(lambda v: v, Grid((3, 3)), 0, eval_votes=0)
    with pytest.raises(Refused, match=r"codes of shape \(\d+,\)"):
        score(lambda v: v[:, 0], Grid((3, 3)), 0)


@pytest.mark.parametrize("score", [scores.factor_vae_score, scores.beta_vae_score])
def test_intervention_scores_draw_nuisance_from_the_seed(score):
    class Noisy(Grid):
        def images(self, factors, generator):
            return factors + generator.standard_normal(factors.shape)

    def run(seed):
        return score(lambda v: v, Noisy((3, 3, 3)), seed, train_votes=200, eval_votes=200, batch=8)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_vote_is_of_the_variance_relative_to_that_over_the_data_set():
    """Latents of very different scales; the largest, which varies little for its size, is not outvoted by the small."""
    scales = np.array([0.06, 7.0, 300.0])

    def encode(v):
        return standardised(v, np.array([4, 4, 4])) * scales

    options = {"variance_images": 4000, "train_votes": 300, "eval_votes": 300, "batch": 32}
    assert scores.factor_vae_score(encode, Grid((4, 4, 4)), 0, **options) == 1


def test_votes_do_not_hang_on_the_unit_of_a_latent():
    """Also where a latent varies though its factor is fixed: what is left then is least as a share of the whole."""

    class Noisy(Grid):
        def images(self, factors, generator):
            return factors + 0.5 * generator.standard_normal(factors.shape)

    def run(*scales):
        options = {"variance_images": 1000, "train_votes": 100, "eval_votes": 100, "batch": 16}
        return scores.factor_vae_score(lambda v: v * np.array(scales), Noisy((4, 4, 4)), 0, **options)

    assert run(0.5, 8, 1024) == run(1, 1, 1) > 0.9  # powers of two: not even rounding differs


def test_latents_of_a_smaller_deviation_than_a_twentieth_do_not_vote():
    """Of one latent that is collapsed and one that is not, all votes fall on the other: right by half."""
    options = {"variance_images": 4000, "train_votes": 300, "eval_votes": 600, "batch": 32}
    for deviation, least, most in ((0.055, 1, 1), (0.045, 0.4, 0.6)):
        found = scores.factor_vae_score(
            lambda v, d=deviation: standardised(v, np.array([4, 4])) * [d, 1], Grid((4, 4)), 0, **options
        )
        assert least <= found <= most
    assert scores.factor_vae_score(lambda v: 0.04 * standardised(v, np.array([4, 4])), Grid((4, 4)), 0, **options) == 0


def test_a_latent_is_active_by_its_variance():
    """More than .01: a deviation of .11 is enough, one of .09 is not (Burda et al. 2016)."""
    sides = np.array([[-1.0], [1.0]])
    assert scores.active_units(sides * [0.09, 0.11, 1.0]) == 2
    assert scores.active_units(sides * [0.4, 0.6, 1.0], threshold=0.25) == 2


def test_importance_is_weighed_by_what_each_code_is_worth():
    """Of a code for one factor and one for both, the second worth a third: 3/4 · 1 + 1/4 · 0."""
    assert scores._concentration(np.array([[3.0, 0.0], [0.5, 0.5]])) == pytest.approx(0.75, abs=1e-6)
    three = scores._concentration(np.array([[1.0, 1.0, 0.0]]))
    assert three == pytest.approx(1 - log(2) / log(3), abs=1e-6)


def test_every_third_row_of_each_value_is_held_out():
    factor = np.repeat([0, 1, 2], [30, 60, 2])
    train, test = scores._split(factor, 0, 1000, 1000)
    assert sorted([*train, *test]) == list(range(92))
    assert np.bincount(factor[test], minlength=3).tolist() == [10, 20, 0]
    few, fewer = scores._split(factor, 0, 31, 6)
    assert (len(few), len(fewer)) == (31, 6)
    assert set(few) <= set(train)
    assert np.bincount(factor[fewer]).tolist() == [2, 4]
