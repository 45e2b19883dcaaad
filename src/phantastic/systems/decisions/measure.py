"""What is measured: published numbers and laws, simulated observers, and pictures decided on by network and Bayes."""

from fractions import Fraction
from math import comb, floor, sqrt

import numpy as np
from numpy import ndarray
from scipy.special import expit
from sklearn.metrics import roc_auc_score, roc_curve

from phantastic.ground.randomness import numpy_generator
from phantastic.systems.decisions import calibration, confusion, detection, prevalence, ratings
from phantastic.systems.decisions.shapes import Pictures
from phantastic.systems.decisions.study import DecisionsRecipe

Found = dict[str, float]

EXAM = [[13, 2], [1, 14]]  # the lecture's exam: TP, FN; FP, TN
PRINTED = {"accuracy": 0.900, "precision": 0.928, "recall": 0.866, "f": 0.896}  # as the lecture shows them
WORKED = {"accuracy": (27, 30), "precision": (13, 14), "recall": (13, 15), "f": (26, 29)}
# 109 CT images rated by one reader, from surely normal to surely abnormal (Hanley & McNeil 1982)
ABNORMAL, NORMAL = np.array([3, 2, 2, 11, 33]), np.array([33, 6, 6, 11, 2])
PUBLISHED = {"area": 0.893, "spread": 0.032}
BINORMAL = {
    "intercept": 1.656782,
    "slope": 0.713002,
    "area": 0.911331,
}  # of these images, as Stata's manual has it (rocfit)
# a prevalence, hits, false alarms, and the answer: a disease, mammography, and whose cab it was
NEGLECTED = {
    "casscells": (Fraction(1, 1000), Fraction(1), Fraction(5, 100), 0.02, 0.005),
    "eddy": (Fraction(1, 100), Fraction(792, 1000), Fraction(96, 1000), 0.077, 0.0005),
    "cabs": (Fraction(15, 100), Fraction(80, 100), Fraction(20, 100), 0.41, 0.005),
}
COSTS = 1.0, 5.0  # of a false alarm and of a miss, where costs differ


def exam() -> Found:
    """The four measures with their intervals, how far they are from the worked fractions, and from the lecture's
    numbers once cut, as those are, behind the third decimal."""
    values, found = confusion.binary(EXAM), {}
    for name in PRINTED:
        value = Fraction(values[name] or 0)
        found[f"exam.{name}"] = float(value)
        found["exam.error"] = max(found.get("exam.error", 0.0), float(abs(value - Fraction(*WORKED[name]))))
        cut = abs(floor(1000 * value) - round(1000 * PRINTED[name])) / 1000
        found["exam.cut"] = max(found.get("exam.cut", 0.0), cut)
    for name, share in confusion.shares(EXAM).items():
        if name in PRINTED and share.interval:
            found[f"exam.{name}.low"], found[f"exam.{name}.high"] = share.interval
    return found


def coverage(n: int) -> Found:
    """The least probability with which 95% intervals of n cases cover, over a fine grid; Clopper & Pearson's beside
    that of the mean ± 1.96 standard errors (Wald's)."""
    p = np.linspace(0.005, 0.995, 991)
    k = np.arange(n + 1)
    mass = np.array([comb(n, int(i)) for i in k])[:, None] * p ** k[:, None] * (1 - p) ** (n - k[:, None])
    exact = np.array([confusion.clopper_pearson(int(i), n) for i in k])
    margin = 1.959964 * np.sqrt(k / n * (1 - k / n) / n)
    wald = np.stack([k / n - margin, k / n + margin], 1)

    def least(ends: ndarray) -> float:
        return float((mass * ((ends[:, :1] <= p) & (p <= ends[:, 1:]))).sum(0).min())

    return {"clopper.coverage": least(exact), "wald.coverage": least(wald)}


def laws(seed: int) -> Found:
    """Identities on random cases: the trapezoid under the ROC is U, with ties; Murphy's parts are the Brier score, by
    values and by bins; costs are least at β; and Bayes' rule gives what counting gives."""
    generator = numpy_generator(seed, "decisions/laws")
    found: Found = dict.fromkeys(("bamber.error", "murphy.error", "optimum.error", "rule.error"), 0.0)

    def worse(name: str, error: float) -> None:
        found[name] = max(found[name], error)

    for _ in range(50):
        n, m = (int(k) for k in generator.integers(2, 60, 2))
        signal, noise = generator.integers(0, 12, n) + 3.0, generator.integers(0, 12, m) + 0.0
        y, scores = np.repeat([1, 0], [n, m]), np.concatenate([signal, noise])
        false, hit, _ = roc_curve(y, scores)
        worse("bamber.error", abs(detection.mann_whitney(signal, noise) - float(np.trapezoid(hit, false))))
        p = np.round(generator.random(n + m), 1 if n % 2 else 6)
        for groups in (None, calibration.in_bins(p)):
            parts = calibration.murphy(p, y, groups)
            whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
            worse("murphy.error", abs(whole - calibration.brier(p, y)))
        rate, d, dear = generator.uniform(0.05, 0.95), generator.uniform(0.5, 3), generator.uniform(0.2, 5)
        best = np.log(detection.best_criterion(rate, dear, 1.0)) / d
        lines = best + np.linspace(-1, 1, 2001)
        spent = detection.cost(*detection.rates(d, lines), rate, dear, 1.0)
        worse("optimum.error", abs(float(lines[spent.argmin()] - best)))
        (tp, fn), (fp, tn) = generator.integers(1, 40, (2, 2)).tolist()
        table = confusion.shares([[tp, fn], [fp, tn]])
        hit_rate, false_rate = (Fraction(each.some, each.total) for each in (table["recall"], table["false_alarms"]))
        rule = prevalence.positive_predictive_value(Fraction(tp + fn, tp + fn + fp + tn), hit_rate, false_rate)
        worse("rule.error", float(abs(rule - Fraction(tp, tp + fp))))
    return found


def published() -> Found:
    """Numbers of the literature: radiologists' ratings, and three cases in which base rates are neglected."""
    area, spread = detection.of_ratings(ABNORMAL, NORMAL)
    found = {"hanley.area": area, "hanley.spread": spread}
    found |= {f"hanley.{name}.error": abs(found[f"hanley.{name}"] - value) for name, value in PUBLISHED.items()}
    fitted = ratings.fit(ABNORMAL, NORMAL)
    ours = {
        "intercept": fitted.mean / fitted.sigma,
        "slope": 1 / fitted.sigma,
        "area": float(detection.area(fitted.mean, fitted.sigma)),
    }
    found |= {f"binormal.{name}.error": abs(ours[name] - value) for name, value in BINORMAL.items()}
    for name, (rate, hit, false, answer, _) in NEGLECTED.items():
        found[name] = float(prevalence.positive_predictive_value(rate, hit, false))
        found[f"{name}.error"] = abs(found[name] - answer)
    return found


def blind() -> Found:
    """Who always says yes is right as often as it is so, at every prevalence, and has neither area nor J."""
    found: Found = dict.fromkeys(("blind.accuracy.error", "blind.area.error", "blind.youden.error"), 0.0)
    for positive in range(1, 100):
        table = [[positive, 0], [100 - positive, 0]]
        values = confusion.binary(table)
        y = np.repeat([1, 0], [positive, 100 - positive])
        assert values["mcc"] is None
        for name, error in (
            ("accuracy", float(values["accuracy"] or 0) - positive / 100),
            ("area", float(roc_auc_score(y, np.ones(100))) - 0.5),
            ("youden", float(values["youden"] or 0)),
        ):
            found[f"blind.{name}.error"] = max(found[f"blind.{name}.error"], abs(error))
    return found


# --- observers


def observed(recipe: DecisionsRecipe, seed: int) -> Found:
    """Observers of known d′ without and with a bias, others whose signal varies more, and forecasts that are true."""
    n, half, d = recipe.observers, recipe.trials // 2, recipe.sensitivity
    generator, found = numpy_generator(seed, "decisions/observers"), {}
    covered = []
    for name, c in (("neutral", 0.0), ("biased", recipe.bias)):
        h, f = detection.rates(d, c)
        hits, false = generator.binomial(half, h, n), generator.binomial(half, f, n)
        seen = detection.yes_no(hits, half, false, half)
        found[f"observers.{name}.accuracy"] = float(np.mean(hits + half - false) / (2 * half))
        found[f"observers.{name}.d"] = float(np.mean(seen.d))
        found[f"observers.{name}.d.deviation"] = found[f"observers.{name}.d"] / d - 1
        covered += [np.abs(seen.d - d) < 1.959964 * seen.d_error, np.abs(seen.c - c) < 1.959964 * seen.c_error]
    found["observers.coverage.deviation"] = float(np.mean(covered)) / 0.95 - 1
    areas = [
        detection.mann_whitney(d + generator.standard_normal(half), generator.standard_normal(half)) for _ in range(n)
    ]
    found["observers.area.deviation"] = float(np.mean(areas)) / float(detection.area(d)) - 1
    found |= unequal(recipe, generator)
    return found | forecasts(recipe.tests, generator)


def unequal(recipe: DecisionsRecipe, generator: np.random.Generator) -> Found:
    """One d′ for two criteria where variances differ, and the d_a and slope that ratings give; counts are pooled."""
    d, sigma, count, found = recipe.sensitivity, recipe.spread, recipe.observers * recipe.trials // 2, {}
    for name, c in (("strict", recipe.bias), ("lax", -recipe.bias)):
        h, f = detection.rates(d, c, sigma)
        found[f"unequal.{name}"] = float(
            detection.yes_no(generator.binomial(count, h), count, generator.binomial(count, f), count).d
        )
    edges = d / 2 + np.array([-1.2, -0.4, 0.4, 1.2])
    signal, noise = (
        np.bincount(np.digitize(mean + scale * generator.standard_normal(count), edges), minlength=5)
        for mean, scale in ((d, sigma), (0.0, 1.0))
    )
    fitted = ratings.fit(signal, noise)
    found["unequal.slope"], found["unequal.distance"] = 1 / fitted.sigma, fitted.distance[0]
    found["unequal.slope.deviation"] = sigma / fitted.sigma - 1
    found["unequal.distance.deviation"] = fitted.distance[0] / (d * sqrt(2 / (1 + sigma**2))) - 1
    return found


def forecasts(count: int, generator: np.random.Generator) -> Found:
    """Of forecasts that are all true, the ECE, and the same of a quarter as many: above 0 by chance alone."""
    many, few = [], []
    for _ in range(100):
        p = generator.random(count)
        y = (generator.random(count) < p).astype(int)
        many.append(calibration.ece(p, y))
        few.append(calibration.ece(p[: count // 4], y[: count // 4]))
    p = generator.random(count)
    chance = calibration.ece_if_true(p, generator)
    return {
        "true.ece": float(np.mean(many)),
        "true.ece.quarter": float(np.mean(few)),
        "true.ece.deviation": float(np.mean(few) / np.mean(many)) / 2 - 1,
        "true.ece.excess": float(np.mean(many)) - chance,
    }


# --- pictures


def judged(logits: ndarray, pictures: Pictures, generator: np.random.Generator) -> Found:
    """All that is asked of log odds and the truth. ``excess``: the ECE beyond what chance gives true forecasts."""
    p, y = expit(logits), pictures.signal
    parts = calibration.murphy(p, y, calibration.in_bins(p))
    error = calibration.ece(p, y)
    return {
        "area": detection.mann_whitney(logits[y == 1], logits[y == 0]),
        "brier": calibration.brier(p, y),
        "log_loss": float(np.mean(np.logaddexp(0, (1 - 2 * y) * logits))),
        "ece": error,
        "excess": error - calibration.ece_if_true(p, generator),
        "reliability": parts.reliability,
        "resolution": parts.resolution,
        "accuracy": float(np.mean((logits > 0) == (y == 1))),
    }


def decided(
    recipe: DecisionsRecipe, seed: int, own: dict[str, ndarray], sets: dict[str, Pictures]
) -> tuple[Found, float]:
    """The network's log odds ``own`` on the pictures of each of ``sets`` (valid, test, rare), beside Bayes' rule; and
    the temperature, which is found on those of ``valid``."""
    generator = numpy_generator(seed, "decisions/chance")
    t = calibration.temperature(own["valid"], sets["valid"].signal)
    test, rare, found = sets["test"], sets["rare"], {"temperature": t}
    truth = expit(test.logits(0.5))
    told = {
        "bayes": test.logits(0.5),
        "network": own["test"],
        "scaled": own["test"] / t,
        "blind": np.zeros(len(test.signal)),
    }
    for name, logits in told.items():
        found |= {f"{name}.{key}": value for key, value in judged(logits, test, generator).items()}
    for name in ("network", "scaled"):
        found[f"{name}.distance"] = float(np.mean((expit(told[name]) - truth) ** 2))
    found["scaled.area.moved"] = abs(found["scaled.area"] - found["network.area"])
    return found | shifted(recipe, own["rare"] / t, own["test"] / t, rare, test), t


def shifted(recipe: DecisionsRecipe, logits: ndarray, before: ndarray, rare: Pictures, test: Pictures) -> Found:
    """Calibrated log odds learned at one half, met at another prevalence; then with the prior exchanged."""
    y, common, pi = rare.signal, test.signal, recipe.rare
    hit, false = (float(np.mean(before[common == k] > 0)) for k in (1, 0))
    foretold = prevalence.positive_predictive_value(pi, hit, false)
    yes = logits > 0
    found = {
        "rare.area": detection.mann_whitney(logits[y == 1], logits[y == 0]),
        "rare.ap": prevalence.average_precision(logits, y),
        "common.ap": prevalence.average_precision(before, common),
        "common.ppv": float(np.mean(common[before > 0])) if (before > 0).any() else float("nan"),
        "rare.ppv": float(np.mean(y[yes])) if yes.any() else float("nan"),
        "rare.accuracy.network": float(np.mean(yes == (y == 1))),
        "rare.accuracy.blind": float(np.mean(y == 0)),
    }
    found["rare.ppv.deviation"] = found["rare.ppv"] / foretold - 1
    area = detection.mann_whitney(before[common == 1], before[common == 0])
    found["rare.area.moved"] = found["rare.area"] / area - 1
    exchanged, ideal = prevalence.moved(logits, 0.5, pi), rare.logits(pi)
    for name, each in (("rare", logits), ("rare.exchanged", exchanged), ("rare.bayes", ideal)):
        found |= {f"{name}.ece": calibration.ece(expit(each), y), f"{name}.brier": calibration.brier(expit(each), y)}
    line = np.log(COSTS[0] / COSTS[1])  # yes where p C_fn > (1 − p) C_fp: on the likelihood ratio this is β
    for name, said in (("half", exchanged > 0), ("optimal", exchanged > line), ("bayes", ideal > line)):
        hit, false = (float(np.mean(said[y == k])) for k in (1, 0))
        found[f"cost.{name}"] = float(detection.cost(hit, false, float(np.mean(y)), *COSTS))
    found["cost.blind"] = min(float(np.mean(y)) * COSTS[1], float(np.mean(1 - y)) * COSTS[0])
    return found
