"""The two scores that hold one factor fixed and let the others vary, and so need fresh images.

FactorVAE score: Kim & Mnih (2018, section 4). beta-VAE score: Higgins et al. (2017, section 3). Counts and the
threshold for collapsed latents as in Locatello et al. (2019, appendix B).
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator

COLLAPSED = 0.05  # a latent with a smaller standard deviation over the data set takes no part in the FactorVAE score
IMAGES_AT_ONCE = 2048


@runtime_checkable
class FactorDataset(Protocol):
    """Images made from factors: all that these scores ask of a data set."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of values of each of the k factors; their combinations are equally likely."""
        ...

    def images(self, factors: Int[np.ndarray, "n k"], generator: np.random.Generator) -> Any:
        """One image per row of ``factors`` (0 <= factors[:, j] < sizes[j]), in the form that ``encode`` takes.

        Nuisance variation, what no factor names, is drawn from ``generator``.
        """
        ...


Encoder = Callable[[Any], Any]  # n images -> [n, d] codes (an array, or a tensor on the CPU), e.g. posterior means


def factor_vae_score(
    encode: Encoder,
    dataset: FactorDataset,
    seed: int,
    *,
    variance_images: int = 10_000,
    train_votes: int = 10_000,
    eval_votes: int = 5_000,
    batch: int = 64,
) -> float:
    """FactorVAE score in [0, 1]; chance is about 1 / k, and 0 is given where every latent is collapsed (constant code).

    A vote: one factor is fixed over ``batch`` images; the latent whose variance, relative to its variance over the
    data set, is smallest votes for that factor. Score: the accuracy, on fresh votes, of naming the factor from the
    latent by majority. Renders and encodes ``variance_images + batch * (train_votes + eval_votes)`` images.
    Raises `Refused` for codes that are not finite and for a factor with a single value.
    """
    _check(dataset, min(variance_images, batch) - 1, train_votes, eval_votes)
    generator = numpy_generator(seed, "measure/factor-vae")
    everywhere = _codes(encode, dataset, _draw(dataset, variance_images, generator), generator)
    variance = everywhere.var(axis=0, ddof=1)
    active = np.sqrt(variance) >= COLLAPSED
    if not active.any():
        return 0.0

    def votes(count: int) -> Int[np.ndarray, "k d"]:
        table = np.zeros((len(dataset.sizes), active.sum()), dtype=np.int64)
        for fixed in _portions(dataset, count, batch, generator):
            factors = _draw(dataset, len(fixed) * batch, generator).reshape(len(fixed), batch, -1)
            rows = np.arange(len(fixed))
            factors[rows, :, fixed] = factors[rows, 0, fixed][:, None]
            codes = _codes(encode, dataset, factors.reshape(-1, factors.shape[-1]), generator)
            local = codes.reshape(len(fixed), batch, -1).var(axis=1, ddof=1)
            np.add.at(table, (fixed, (local[:, active] / variance[active]).argmin(axis=1)), 1)
        return table

    majority = votes(train_votes).argmax(axis=0)
    fresh = votes(eval_votes)
    return float(fresh[majority, np.arange(fresh.shape[1])].sum() / fresh.sum())


def beta_vae_score(
    encode: Encoder,
    dataset: FactorDataset,
    seed: int,
    *,
    train_votes: int = 10_000,
    eval_votes: int = 5_000,
    batch: int = 64,
) -> float:
    """beta-VAE score in [0, 1]: held-out accuracy of naming the shared factor; chance, and a constant code: 1 / k.

    A vote: ``batch`` pairs of images share the value of one factor; its features are the mean absolute differences of
    the paired codes, from which a logistic regression names the factor. Renders and encodes
    ``2 * batch * (train_votes + eval_votes)`` images. Raises `Refused` as `factor_vae_score`.
    """
    _check(dataset, batch, train_votes, eval_votes)
    generator = numpy_generator(seed, "measure/beta-vae")

    def votes(count: int) -> tuple[Float[np.ndarray, "votes d"], Int[np.ndarray, " votes"]]:
        features, labels = [], []
        for fixed in _portions(dataset, count, 2 * batch, generator):
            factors = _draw(dataset, 2 * len(fixed) * batch, generator).reshape(2, len(fixed), batch, -1)
            rows = np.arange(len(fixed))
            factors[1, rows, :, fixed] = factors[0, rows, :, fixed]
            codes = _codes(encode, dataset, factors.reshape(-1, factors.shape[-1]), generator)
            first, second = codes.reshape(2, len(fixed), batch, -1)
            features.append(np.abs(first - second).mean(axis=1))
            labels.append(fixed)
        return np.concatenate(features), np.concatenate(labels)

    features, labels = votes(train_votes)
    if len(np.unique(labels)) < 2:
        raise Refused(f"{train_votes} training votes fell on a single factor; give more (10000 is customary)")
    classifier = LogisticRegression(max_iter=1000).fit(features, labels)
    return float(classifier.score(*votes(eval_votes)))


def _check(dataset: FactorDataset, *counts: int) -> None:
    if min(counts) < 1:
        raise Refused("votes and variance images must be at least 1 and 2, and a batch at least 2")
    if len(dataset.sizes) < 2 or min(dataset.sizes) < 2:
        raise Refused(f"factors have {dataset.sizes} values; at least two factors with at least two values are needed")


def _portions(dataset: FactorDataset, votes: int, images: int, generator: np.random.Generator) -> list[np.ndarray]:
    """The fixed factor of each vote, in portions of about `IMAGES_AT_ONCE` images."""
    fixed = generator.integers(len(dataset.sizes), size=votes)
    return np.array_split(fixed, min(votes, -(-votes * images // IMAGES_AT_ONCE)))


def _draw(dataset: FactorDataset, count: int, generator: np.random.Generator) -> Int[np.ndarray, "n k"]:
    return generator.integers(dataset.sizes, size=(count, len(dataset.sizes)))


def _codes(
    encode: Encoder, dataset: FactorDataset, factors: Int[np.ndarray, "n k"], generator: np.random.Generator
) -> Float[np.ndarray, "n d"]:
    """Codes of fresh images, float64, rendered and encoded in portions that fit in memory."""
    portions = np.array_split(factors, -(-len(factors) // IMAGES_AT_ONCE))
    codes = np.concatenate([np.asarray(encode(dataset.images(f, generator)), dtype=np.float64) for f in portions])
    if codes.ndim != 2 or len(codes) != len(factors):
        raise Refused(f"encode gave codes of shape {codes.shape} for {len(factors)} images; expected (images, latents)")
    for column in np.flatnonzero(~np.isfinite(codes).all(axis=0))[:1]:
        raise Refused(f"codes, column {column}: not all numbers are finite, so no variance can be measured")
    return codes
