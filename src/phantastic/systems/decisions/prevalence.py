"""What an answer is worth where the thing is rare: Bayes' rule for tests, exact for fractions."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import logit

N = Any  # a float, an array or a fraction


def positive_predictive_value(prevalence: N, hit: N, false_alarm: N) -> N:
    """p(there | yes) = π H / (π H + (1 − π) F); as a function of F and H on the ROC this is the precision of the
    precision-recall curve, which so hangs on π where the ROC does not."""
    return prevalence * hit / (prevalence * hit + (1 - prevalence) * false_alarm)


def negative_predictive_value(prevalence: N, hit: N, false_alarm: N) -> N:
    """p(not there | no)."""
    absent = (1 - prevalence) * (1 - false_alarm)
    return absent / (absent + prevalence * (1 - hit))


def moved(logits: Float[ndarray, " n"], learned: float, met: float) -> Float[ndarray, " n"]:
    """Log odds learned at one prevalence, for another: the prior's log odds are exchanged (Saerens et al. 2002)."""
    return logits + (logit(met) - logit(learned))


def average_precision(scores: Float[ndarray, " n"], y: ndarray) -> float:
    """The area under the precision-recall curve, as scikit-learn has it."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(np.asarray(y), scores))
