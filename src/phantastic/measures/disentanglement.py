"""How well codes separate the factors that made the images: measures on a sample of codes and their factors.

Definitions and defaults are those of Locatello et al. (2019, "Challenging common assumptions", appendix B; the code of
its study): mutual information in nats between factors and codes cut into 20 equal bins, classifiers on the raw codes.
Rows are independent images whose factors were drawn uniformly; 10,000 to 15,000 rows are customary. Every measure
raises `Refused` on input for which it is not defined and never returns NaN.

The two scores that need fresh images, `factor_vae_score` and `beta_vae_score`, are in `intervention`.

These limits on the factor grid of dSprites (3, 6, 40, 32, 32 values; five factors, standardised, and five dimensions
of faint noise) are worth knowing before a number is read; a perfect code does not reach 1 everywhere, because twenty
bins cannot tell forty values apart, one line cannot divide one axis into many classes, and noise is modular by chance.

|                    |   MIG | SAP  | modularity | DCI D, C   |
|--------------------|-------|------|------------|------------|
| perfect            |  .895 | .24  | .84        | 1.00, 1.00 |
| every factor twice |  0    | 0    | 1          | 1.00, .71  |
| noise              |  .000 | .004 | .66        | .00, .00   |
| constant           |  0    | 0    | 0          | 0, 0       |
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Real
from numpy.typing import ArrayLike
from scipy.stats import entropy
from sklearn import config_context
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.svm import LinearSVC

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.measures.intervention import FactorDataset, beta_vae_score, factor_vae_score

__all__ = [
    "FactorDataset",
    "active_units",
    "beta_vae_score",
    "dci",
    "explicitness",
    "factor_vae_score",
    "grouped_mig",
    "mig",
    "modularity",
    "sap",
]

BINS = 20
TRAIN, TEST = 10_000, 5_000  # rows at most, as published
LARGEST = 1e30  # finite also in float32, in which the trees of `dci` compute


def mig(codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"]) -> float:
    """Mutual information gap (Chen et al. 2018, Eq. 6), in [0, 1].

    Mean over factors of (the most that one latent tells about the factor minus what the next latent tells) / entropy of
    the factor. A factor spread over two latents, also two equal ones, counts as a failure: see `grouped_mig`.
    """
    share = np.sort(_shares(*checked(codes, factors)), axis=0)
    return float(np.mean(share[-1] - share[-2]))


def grouped_mig(codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"]) -> float:
    """Mutual information gap in which a factor may own several latents, in [0, 1].

    A factor on a circle, such as hue or orientation, needs two latents (cosine and sine), and `mig` then finds no gap
    although nothing is entangled. Here each latent belongs to the one factor of whose entropy it tells the largest
    share; the gap of a factor is the largest share told by one of its own latents (0 if it has none) minus the largest
    share told by a latent that belongs to another factor, and not below 0. So what counts against a factor is a latent
    that serves another factor first, not a second latent of its own. The mean over factors is returned.

    Where the best latent of every factor belongs to it, the value is at least `mig`. Latents are taken one by one: the
    two halves of a circle are not added up, so a perfect circular code stays below a perfect linear one.
    """
    share = _shares(*checked(codes, factors))
    owned: Bool[np.ndarray, "d k"] = np.arange(share.shape[1]) == share.argmax(axis=1)[:, None]
    own, foreign = (np.where(mask, share, 0.0).max(axis=0) for mask in (owned, ~owned))
    return float(np.mean(np.maximum(own - foreign, 0.0)))


def modularity(codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"]) -> float:
    """Modularity (Ridgeway & Mozer 2018, Eq. 2), in [0, 1]: whether each latent tells about one factor only.

    1 - (sum of squared information about the other factors) / (squared information about the best one (k - 1)),
    averaged over latents; a latent that tells nothing at all counts 0.
    """
    squared = np.square(_information(*checked(codes, factors, least_factors=2)))
    best = squared.max(axis=1)
    spread = (squared.sum(axis=1) - best) / (np.where(best > 0, best, 1.0) * (squared.shape[1] - 1))
    return float(np.mean(np.where(best > 0, 1.0 - spread, 0.0)))


def explicitness(codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"]) -> float:
    """Explicitness (Ridgeway & Mozer 2018, section 3): how readable, linearly, the values of the factors are.

    Area under the ROC curve of a logistic regression on all (standardised) codes, one value of a factor against the
    rest, on held-out rows; averaged over values, then over factors. Chance is .5.
    """
    codes, factors = checked(codes, factors)
    scores = []
    for column, factor in enumerate(factors.T):
        train, test = _split(factor, column, TRAIN, TEST)
        varies = np.ptp(codes[train], axis=0) > 0
        standardised = (codes - codes[train].mean(axis=0)) / np.where(varies, codes[train].std(axis=0), np.inf)
        classifier = LogisticRegression(max_iter=1000).fit(standardised[train], factor[train])
        probability = classifier.predict_proba(standardised[test])
        truth = factor[test][:, None] == classifier.classes_
        defined = truth.any(axis=0) & ~truth.all(axis=0)
        scores.append(np.mean([roc_auc_score(truth[:, c], probability[:, c]) for c in np.flatnonzero(defined)]))
    return float(np.mean(scores))


def sap(codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"]) -> float:
    """Separated attribute predictability (Kumar et al. 2018, section 3), in [0, 1].

    For every latent and factor, the held-out accuracy of a linear support vector machine (C = .01, balanced classes)
    that predicts the factor from that latent alone; mean over factors of best minus second best. The machine is
    regularised, so the scale of the codes and the number of rows matter: codes are taken as they are, as published, and
    15,000 rows, of which 10,000 are trained on, give the published setting.
    """
    codes, factors = checked(codes, factors)
    accuracy = np.empty((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        train, test = _split(factor, k, TRAIN, TEST)
        for j in range(codes.shape[1]):
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            machine.fit(codes[train, j : j + 1], factor[train])
            accuracy[j, k] = np.mean(machine.predict(codes[test, j : j + 1]) == factor[test])
    accuracy.sort(axis=0)
    return float(np.mean(accuracy[-1] - accuracy[-2]))


def dci(
    codes: Real[np.ndarray, "n d"], factors: Integer[np.ndarray, "n k"], *, train: int = 1_000, test: int = 500
) -> tuple[float, float, float]:
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018, section 2), each in [0, 1].

    Gradient-boosted trees predict each factor from all codes; the importance of each code for each factor gives
    D (each code important for one factor: 1 - entropy over factors, weighted by the code's importance) and C (each
    factor predicted from one code); I is the held-out accuracy. One tree per value and boosting round makes this slow,
    a quarter of a minute on the dSprites grid, so at most ``train`` and ``test`` rows are used, evenly over the values
    of the factor; published numbers used 10,000 and 5,000.
    """
    codes, factors = checked(codes, factors, least_factors=2)
    if min(train, test) < 2:
        raise Refused(f"dci with {train} rows to train and {test} to test: give at least 2 of each")
    importance, accuracy = np.empty((codes.shape[1], factors.shape[1])), []
    for k, factor in enumerate(factors.T):
        fit, held_out = _split(factor, k, train, test)
        with config_context(assume_finite=True, skip_parameter_validation=True):  # seen to above, and not at each tree
            trees = GradientBoostingClassifier(random_state=0).fit(codes[fit], factor[fit])
        importance[:, k] = np.abs(trees.feature_importances_)
        accuracy.append(np.mean(trees.predict(codes[held_out]) == factor[held_out]))
    return _concentration(importance), _concentration(importance.T), float(np.mean(accuracy))


def active_units(means: Real[np.ndarray, "n d"], threshold: float = 0.01) -> int:
    """The number of latents whose posterior mean varies over images by more than ``threshold`` (variance).

    Burda et al. (2016, section 2): A_u = Var_x(E[u | x]) > 0.01.
    """
    return int(np.sum(np.var(_finite(means), axis=0) > threshold))


def checked(
    codes: ArrayLike, factors: ArrayLike, least_factors: int = 1
) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, "n k"]]:
    """Codes and factors as float64 and int64, or `Refused` with the column for which no measure is defined."""
    z, v = _finite(codes), np.asarray(factors)
    if v.ndim != 2 or len(v) != len(z):
        raise Refused(f"factors have shape {v.shape}; expected one row for each of the {len(z)} codes: ({len(z)}, k)")
    if v.dtype.kind not in "iub":
        raise Refused(f"factors are {v.dtype}; give the number of each value (0, 1, 2, ...) as an integer")
    if z.shape[1] < 2:
        raise Refused("codes have a single column; a gap between codes needs at least two")
    if v.shape[1] < least_factors:
        raise Refused(f"factors have {v.shape[1]} column; this measure compares factors and needs {least_factors}")
    for column in np.flatnonzero(v.min(axis=0) == v.max(axis=0)):
        raise Refused(f"factors, column {column}: all {len(v)} rows have the value {v[0, column]}; leave it out")
    return z, v.astype(np.int64)


def _finite(codes: ArrayLike) -> Float[np.ndarray, "n d"]:
    z = np.asarray(codes, dtype=np.float64)
    if z.ndim != 2 or not z.size:
        raise Refused(f"codes have shape {z.shape}; expected (rows, latents), neither of them 0")
    for row, column in np.argwhere(~(np.abs(z) < LARGEST))[:1]:
        raise Refused(f"codes, column {column}, row {row}: {z[row, column]}; expected a number below {LARGEST:g}")
    return z


def _information(codes: Float[np.ndarray, "n d"], factors: Int[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
    """Mutual information in nats of each latent, in 20 bins between its extremes, and each factor."""
    edges = np.linspace(codes.min(axis=0), codes.max(axis=0), BINS, endpoint=False)
    bins = [np.digitize(code, edge) for code, edge in zip(codes.T, edges.T, strict=True)]
    return np.array([[mutual_info_score(factor, cut) for factor in factors.T] for cut in bins])


def _shares(codes: Float[np.ndarray, "n d"], factors: Int[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
    """Mutual information as a share of the factor's entropy."""
    return _information(codes, factors) / np.array([mutual_info_score(factor, factor) for factor in factors.T])


def _concentration(importance: Float[np.ndarray, "a b"]) -> float:
    """Mean over rows of 1 - entropy (base b) of the row, weighted by the row's sum; 0 where nothing is important."""
    per_row = 1.0 - entropy(importance.T + 1e-11, base=importance.shape[1])
    weight = importance.sum(axis=1)
    return float(np.average(per_row, weights=weight)) if weight.any() else 0.0


def _split(factor: Int[np.ndarray, " n"], column: int, train: int, test: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train and to test on: every third row of each value is held out, then both are thinned evenly.

    The rows of a value are first put into a fixed random order, so rows that come ordered do no harm; a value that
    occurs once or twice is only trained on.
    """
    shuffled = numpy_generator(0, "measure/split").permutation(len(factor))
    rows = shuffled[np.argsort(factor[shuffled], kind="stable")]
    _, first, count = np.unique(factor[rows], return_index=True, return_counts=True)
    held_out = (np.arange(len(rows)) - np.repeat(first, count)) % 3 == 2
    if len(np.unique(factor[rows[held_out]])) < 2:
        raise Refused(f"factors, column {column}: fewer than two values occur three times; more rows are needed")
    return _thinned(rows[~held_out], train), _thinned(rows[held_out], test)


def _thinned(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
