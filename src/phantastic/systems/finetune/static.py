"""The static baseline: one vector for each word whatever stands around it, and a linear reading of their mean.

Vectors are the factorisation that skip-gram with negative sampling finds implicitly: U √S of the positive pointwise
mutual information of words that stand near one another (Levy & Goldberg 2014, equations 10 and 13).
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from phantastic.ground.randomness import derive
from phantastic.pretraining.corpus import Text
from phantastic.tuning.tasks import Example, Task
from phantastic.tuning.texts import Reader

WINDOW = 5  # words on either side


def vectors(text: Text, vocabulary: int, width: int, seed: int) -> Float[np.ndarray, "vocabulary width"]:
    """A vector for each token of the vocabulary; 0 for those that the text does not hold."""
    from scipy import sparse
    from sklearn.utils.extmath import randomized_svd

    segment = np.repeat(np.arange(len(text.starts) - 1), np.diff(text.starts))
    pairs = []
    for distance in range(1, WINDOW + 1):
        same = segment[distance:] == segment[:-distance]
        pairs.append(np.stack([text.tokens[:-distance][same], text.tokens[distance:][same]]))
    first, second = np.concatenate(pairs, 1)
    counts = sparse.coo_matrix((np.ones(len(first)), (first, second)), (vocabulary, vocabulary)).tocsr()
    counts = (counts + counts.T).tocoo()
    marginals = np.asarray(counts.sum(0)).ravel()
    pmi = np.log(counts.data * counts.sum() / (marginals[counts.row] * marginals[counts.col]))
    positive = sparse.csr_matrix((np.maximum(pmi, 0), (counts.row, counts.col)), counts.shape)
    size = min(width, vocabulary - 1)
    left, singular, _ = randomized_svd(positive, size, random_state=derive(seed, "static vectors") % 2**32)
    return left * np.sqrt(singular)


def applies(task: Task) -> bool:
    """A mean has no places: it cannot say where an answer begins."""
    return task.kind != "span"


def predictions(task: Task, reader: Reader, embeddings: Float[np.ndarray, "vocabulary width"]) -> list[Any]:
    """Fitted on the task's training examples: logistic regression, for a score ridge regression, as
    `tuning.predictions`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (features(task, examples, reader, embeddings) for examples in (task.train, task.test))
    targets = [example.target for example in task.train]
    if task.kind == "tags":
        targets = [tag for tags in targets for tag in list(tags)]  # pyright: ignore[reportArgumentType]
    if len(set(map(float, targets))) == 1:  # nothing to tell apart
        predicted = np.repeat(targets[:1], len(test))
    else:
        linear = Ridge() if task.kind == "score" else LogisticRegression(max_iter=500)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            predicted = make_pipeline(StandardScaler(), linear).fit(train, targets).predict(test)
    if task.kind != "tags":
        return predicted.tolist()
    ends = np.cumsum([len(example.texts) for example in task.test])[:-1]
    return [part.tolist() for part in np.split(predicted, ends)]


def features(
    task: Task, examples: Sequence[Example], reader: Reader, embeddings: Float[np.ndarray, "vocabulary width"]
) -> Float[np.ndarray, "rows features"]:
    """A text's mean vector u; of two also v, |u - v| and uv; for tags each word's own."""
    pieces = reader.pieces([text for example in examples for text in example.texts])
    means = np.array([embeddings[ids].mean(0) if ids else np.zeros(embeddings.shape[1]) for ids in pieces])
    if task.kind == "tags" or len(examples[0].texts) == 1:
        return means
    u, v = means[0::2], means[1::2]
    return np.concatenate([u, v, abs(u - v), u * v], 1)
