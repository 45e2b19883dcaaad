"""The laws of decisions: each measure against scikit-learn, SciPy, or what must hold of it."""

from fractions import Fraction
from math import inf, isclose, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import beta, mannwhitneyu, norm
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from phantastic.ground.errors import Refused
from phantastic.systems.decisions import calibration, confusion, detection, measure, prevalence, ratings, shapes

near = pytest.approx
counts = st.integers(0, 40)
tables = st.tuples(counts, counts, counts, counts).map(lambda c: [list(c[:2]), list(c[2:])])
full = tables.filter(lambda t: min(map(min, t)) > 0)


def answers(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answer, case by case."""
    size = len(table)
    cells = [(i, j, table[i][j]) for i in range(size) for j in range(size)]
    return tuple(np.repeat([cell[k] for cell in cells], [cell[2] for cell in cells]) for k in (0, 1))  # pyright: ignore


# --- a matrix


def test_the_exam() -> None:
    """By hand: 13 and 14 of 30 are right; 13 of 14 yeses; 13 of the 15 that were there; F is 2·13 / (2·13 + 2 + 1)."""
    values = confusion.binary([[13, 2], [1, 14]])
    wanted = {"accuracy": (27, 30), "precision": (13, 14), "recall": (13, 15), "f": (26, 29), "specificity": (14, 15),
              "npv": (14, 16), "false_alarms": (1, 15), "lr_plus": (13, 1), "lr_minus": (1, 7), "odds_ratio": (91, 1),
              "youden": (12, 15), "balanced_accuracy": (27, 30), "kappa": (4, 5)}  # fmt: skip
    assert {name: values[name] for name in wanted} == {name: Fraction(*value) for name, value in wanted.items()}
    assert values["mcc"] == near((13 * 14 - 2 * 1) / sqrt(15 * 15 * 14 * 16))


@given(full, st.sampled_from([0.5, 1.0, 2.0]))
def test_binary_measures_are_scikit_learns(table: list[list[int]], weight: float) -> None:
    truth, said = (1 - each for each in answers(table))  # the first class is the positive one
    values = confusion.binary(table, weight)
    plus, minus = metrics.class_likelihood_ratios(truth, said)
    for name, wanted in {
        "accuracy": metrics.accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said),
        "recall": metrics.recall_score(truth, said),
        "specificity": metrics.recall_score(truth, said, pos_label=0),
        "npv": metrics.precision_score(truth, said, pos_label=0),
        "f": metrics.fbeta_score(truth, said, beta=weight),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "youden": metrics.balanced_accuracy_score(truth, said, adjusted=True),
        "mcc": metrics.matthews_corrcoef(truth, said),
        "kappa": metrics.cohen_kappa_score(truth, said),
        "lr_plus": plus,
        "lr_minus": minus,
    }.items():
        assert float(values[name]) == near(wanted, abs=1e-12), name


@given(st.lists(st.lists(st.integers(1, 20), min_size=4, max_size=4), min_size=4, max_size=4))
def test_measures_of_several_classes_are_scikit_learns(table: list[list[int]]) -> None:
    truth, said = answers(table)
    values = confusion.several(table)
    for name, wanted in {
        "accuracy": metrics.accuracy_score(truth, said),
        "micro_f": metrics.f1_score(truth, said, average="micro"),
        "macro_precision": metrics.precision_score(truth, said, average="macro"),
        "macro_recall": metrics.recall_score(truth, said, average="macro"),
        "macro_f": metrics.f1_score(truth, said, average="macro"),
        "mcc": metrics.matthews_corrcoef(truth, said),
        "kappa": metrics.cohen_kappa_score(truth, said),
    }.items():
        assert float(values[name]) == near(wanted, abs=1e-12), name


def test_nothing_by_nothing_is_undefined_and_something_by_nothing_infinite() -> None:
    values = confusion.binary([[5, 0], [3, 0]])  # who always says yes
    assert {name for name, value in values.items() if value is None} == {"npv", "mcc", "lr_minus", "odds_ratio"}
    assert (values["accuracy"], values["youden"], values["kappa"]) == (Fraction(5, 8), 0, 0)
    perfect = confusion.binary([[5, 0], [0, 5]])
    assert (perfect["lr_plus"], perfect["lr_minus"], perfect["odds_ratio"]) == (inf, 0, inf)
    assert confusion.binary([[0, 0], [0, 4]])["f"] is None
    never = confusion.several([[3, 0, 1], [2, 0, 2], [0, 0, 4]])
    assert never["macro_precision"] is None
    assert never["macro_recall"] == Fraction(7, 12)
    assert confusion.kappa([[4, 0], [0, 0]]) is None


@given(st.integers(1, 60), st.data())
def test_the_interval_is_clopper_and_pearsons(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = confusion.clopper_pearson(count, total)
    assert low == near(beta.ppf(0.025, count, total - count + 1) if count else 0)
    assert high == near(beta.ppf(0.975, count + 1, total - count) if count < total else 1)


def test_all_of_n_have_a_lower_end_of_the_nth_root() -> None:
    assert confusion.clopper_pearson(10, 10).low == near(0.025 ** (1 / 10))


# --- signal detection


@given(st.floats(0.1, 3), st.floats(-1, 1))
def test_d_and_c_are_recovered_from_endless_counts(d: float, c: float) -> None:
    hit, false = detection.rates(d, c)
    told = detection.yes_no(1e12 * hit, 1e12, 1e12 * false, 1e12)
    assert (float(told.d), float(told.c)) == near((d, c), abs=1e-4)
    ratio = norm.pdf(d / 2 + c, d) / norm.pdf(d / 2 + c)
    assert float(np.exp(told.log_beta)) == near(ratio, rel=1e-3)


def test_the_standard_error_of_d_is_its_spread() -> None:
    generator = np.random.default_rng(0)
    hit, false = detection.rates(1.5, 0.4)
    told = detection.yes_no(generator.binomial(400, hit, 20_000), 400, generator.binomial(300, false, 20_000), 300)
    assert float(np.std(told.d)) == near(float(np.mean(told.d_error)), rel=0.02)
    assert float(np.std(told.c)) == near(float(np.mean(told.c_error)), rel=0.02)


@pytest.mark.parametrize("sigma", [1.0, 1.4, 0.7])
def test_the_area_is_that_under_the_curve(sigma: float) -> None:
    whole, _ = quad(lambda f: float(detection.curve(1.2, f, sigma)), 0, 1, limit=200)
    assert float(detection.area(1.2, sigma)) == near(whole, abs=1e-6)
    hit, false = detection.rates(1.2, 0.3, sigma)
    assert float(detection.curve(1.2, false, sigma)) == near(float(hit))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_the_area_is_scipys_u_and_scikit_learns_area(signal: list[int], noise: list[int]) -> None:
    a, b = np.array(signal, float), np.array(noise, float)
    ours = detection.mann_whitney(a, b)
    assert ours == near(mannwhitneyu(a, b).statistic / (len(a) * len(b)))
    assert ours == near(metrics.roc_auc_score(np.repeat([1, 0], [len(a), len(b)]), np.concatenate([a, b])))
    w, _ = detection.of_ratings(np.bincount(signal, minlength=7), np.bincount(noise, minlength=7))
    assert w == near(ours)


def test_the_q_of_hanley_and_mcneil_are_probabilities_of_triples() -> None:
    """Counted case by case: one noise below two signals, ties for their share of the orders."""
    generator = np.random.default_rng(3)
    signal, noise = generator.integers(1, 6, 7), generator.integers(0, 5, 6)

    def order(low: int, one: int, other: int) -> float:
        return 1 / 3 if low == one == other else ((low < one) + (low == one) / 2) * ((low < other) + (low == other) / 2)

    q1 = np.mean([order(n, s, t) for n in noise for s in signal for t in signal])
    q2 = np.mean([order(-s, -n, -m) for s in signal for n in noise for m in noise])
    w = detection.mann_whitney(signal.astype(float), noise.astype(float))
    counted = (np.bincount(each, minlength=6) for each in (signal, noise))
    assert detection.of_ratings(*counted) == near((w, detection.spread(w, float(q1), float(q2), 7, 6)))


def test_hanley_and_mcneils_error_is_the_spread_of_exponential_areas() -> None:
    generator = np.random.default_rng(1)
    areas = [
        detection.mann_whitney(3 * generator.exponential(size=40), generator.exponential(size=60)) for _ in range(4000)
    ]
    assert float(np.std(areas)) == near(detection.hanley_mcneil(0.75, 40, 60), rel=0.05)


def test_published_areas() -> None:
    found = measure.published()
    assert round(found["hanley.area"], 3) == 0.893
    assert round(found["hanley.spread"], 3) == 0.032
    distance, error = ratings.fit(measure.ABNORMAL, measure.NORMAL).distance
    assert distance == near(1.907771, abs=1e-6)  # d(a) of rocfit
    assert 0.2 < error < 0.3


def test_ratings_recover_mean_spread_and_criteria() -> None:
    generator, count = np.random.default_rng(0), 200_000
    edges = np.array([-0.5, 0.3, 1.0, 1.8])
    signal, noise = (
        np.bincount(np.digitize(m + s * generator.standard_normal(count), edges)) for m, s in ((1.5, 1.3), (0, 1))
    )
    fitted = ratings.fit(signal, noise)
    errors = np.sqrt(np.diag(fitted.covariance))
    assert abs(fitted.mean - 1.5) < 4 * errors[0] < 0.1
    assert abs(np.log(fitted.sigma / 1.3)) < 4 * errors[1] < 0.1
    assert fitted.criteria == near(edges, abs=0.03)


def test_errors_of_a_fit_are_its_spread() -> None:
    generator, found = np.random.default_rng(0), []
    shares = [np.diff(norm.cdf([-inf, -0.2, 0.6, 1.2, inf], m, s)) for m, s in ((1.2, 1.3), (0, 1))]
    for _ in range(150):
        found.append(ratings.fit(*(generator.multinomial(300, p) for p in shares)))
    for values, errors in (
        ([each.mean for each in found], [sqrt(each.covariance[0, 0]) for each in found]),
        ([each.distance[0] for each in found], [each.distance[1] for each in found]),
    ):
        assert float(np.std(values)) == near(float(np.mean(errors)), rel=0.2)


def test_of_two_answers_the_equal_fit_is_yes_and_no() -> None:
    """The likelihood of two categories is highest at z(H) − z(F)."""
    fitted = ratings.fit(np.array([20, 80]), np.array([70, 30]), equal=True)
    assert fitted.mean == near(norm.ppf(0.8) - norm.ppf(0.3), abs=1e-5)
    assert fitted.sigma == 1
    with pytest.raises(Refused, match="at least 3"):
        ratings.fit(np.array([20, 80]), np.array([70, 30]))


@given(st.floats(0.02, 0.98), st.floats(0.3, 3), st.floats(0.1, 10), st.floats(0.1, 10))
def test_no_criterion_costs_less_than_the_best(pi: float, d: float, alarm: float, miss: float) -> None:
    best = float(np.log(detection.best_criterion(pi, alarm, miss)) / d)

    def spent(c: float) -> float:
        return float(detection.cost(*detection.rates(d, c), pi, alarm, miss))

    found = minimize_scalar(spent, bounds=(best - 3, best + 3), method="bounded")
    assert spent(best) <= found.fun + 1e-9
    assert spent(best) < min(spent(best - 0.2), spent(best + 0.2)) + 1e-12


# --- calibration


def drawn(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    p = generator.random(size)
    return p, (generator.random(size) < p**2).astype(int)


def test_scores_are_scikit_learns() -> None:
    p, y = drawn(500)
    assert calibration.brier(p, y) == near(metrics.brier_score_loss(y, p))
    assert calibration.log_loss(p, y) == near(metrics.log_loss(y, p))
    assert calibration.log_loss(np.array([0.0]), np.array([1])) == inf
    assert prevalence.average_precision(p, y) == near(metrics.average_precision_score(y, p))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=60))
def test_murphys_parts_add_up_and_nothing_is_hidden_among_equals(cases: list[tuple[int, int]]) -> None:
    p, y = np.array([k / 8 for k, _ in cases]), np.array([o for _, o in cases])
    parts = calibration.murphy(p, y)
    assert parts.reliability - parts.resolution + parts.uncertainty == near(calibration.brier(p, y), abs=1e-12)
    assert parts.within == near(0, abs=1e-15)
    assert min(parts[:3]) >= 0
    coarse = calibration.murphy(p, y, calibration.in_bins(p, 3))
    whole = coarse.reliability - coarse.resolution + coarse.uncertainty + coarse.within
    assert whole == near(calibration.brier(p, y), abs=1e-12)


def test_four_forecasts_by_hand() -> None:
    """.2 and .2 happen once in two, .8 and .8 twice: reliability (.3² + .2²) / 2, resolution .25², uncertainty 3/16."""
    p, y = np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 1, 1, 1])
    parts = calibration.murphy(p, y)
    assert parts[:3] == near(((0.09 + 0.04) / 2, 0.0625, 0.1875))
    assert calibration.ece(p, y) == near((0.3 + 0.2) / 2)
    assert calibration.in_bins(np.array([0.0, 0.999, 1.0]), 10).tolist() == [0, 9, 9]


def test_chance_alone_gives_an_error_that_theory_foretells() -> None:
    """All forecasts one half in one bin: |mean − ½| of n coins, √(2/π) · ½/√n."""
    p, generator = np.full(400, 0.5), np.random.default_rng(0)
    found = calibration.ece_if_true(p, generator, draws=4000)
    assert found == near(sqrt(2 / np.pi) * 0.5 / sqrt(400), rel=0.04)


def test_temperature_undoes_what_multiplied_the_logits() -> None:
    generator = np.random.default_rng(0)
    logits = 2 * generator.standard_normal(40_000)
    y = (generator.random(40_000) < expit(logits)).astype(int)
    assert calibration.temperature(3 * logits, y) == near(3, rel=0.03)
    assert calibration.temperature(logits / 2, y) == near(0.5, rel=0.03)


def test_platt_is_logistic_regression() -> None:
    generator = np.random.default_rng(0)
    scores = 5 + 2 * generator.standard_normal(5_000)
    y = (generator.random(5_000) < expit(1.5 * scores - 8)).astype(int)
    plain = LogisticRegression(C=1e9, tol=1e-8).fit(scores[:, None], y)
    a, b = calibration.platt(scores, y)
    assert (a, b) == near((float(plain.coef_[0, 0]), float(plain.intercept_[0])), rel=0.01)
    for each in (calibration.platt(np.array([0.0, 1.0]), np.array([0, 1])),):  # apart, and finite all the same
        assert np.isfinite(each).all()
        assert expit(each[0] + each[1]) == near(2 / 3, abs=1e-3)


# --- prevalence


@given(full)
def test_bayes_rule_is_counting(table: list[list[int]]) -> None:
    values = confusion.binary(table)
    pi, hit, false = (values[name] for name in ("prevalence", "recall", "false_alarms"))
    assert prevalence.positive_predictive_value(pi, hit, false) == values["precision"]
    assert prevalence.negative_predictive_value(pi, hit, false) == values["npv"]


def test_exchanging_the_prior_is_bayes_rule() -> None:
    found = expit(prevalence.moved(np.array([0.0, 2.0]), 0.5, 0.1))
    likelihood = np.exp([0.0, 2.0])
    assert found == near(0.1 * likelihood / (0.1 * likelihood + 0.9))
    assert prevalence.moved(np.array([1.0]), 0.3, 0.3) == near(1.0)


# --- pictures


def test_the_evidence_is_a_ratio_of_sums_of_densities() -> None:
    pictures = shapes.draw(20, 0.5, 2.0, 0, "law")
    density = [
        np.exp(norm.logpdf(pictures.pixels[:, None, :].astype(float), each, 2.0).sum(-1) + 600).sum(1)
        for each in shapes.templates()
    ]
    assert pictures.evidence == near(np.log(density[1] / density[0]), abs=1e-3)


def test_the_posterior_is_calibrated_at_every_prevalence() -> None:
    for pi in (0.5, 0.1):
        pictures = shapes.draw(4_000, pi, 1.0, 0, f"law/{pi}")
        p = expit(pictures.logits(pi))
        error = calibration.ece(p, pictures.signal) - calibration.ece_if_true(p, np.random.default_rng(0))
        assert abs(error) < 0.008
        assert isclose(pictures.signal.mean(), pi, abs_tol=0.03)


def test_a_picture_hangs_on_its_seed_and_purpose() -> None:
    one, again, other = (shapes.draw(5, 0.5, 0.7, seed, "law") for seed in (0, 0, 1))
    assert (one.pixels == again.pixels).all()
    assert not (one.pixels == other.pixels).any()
