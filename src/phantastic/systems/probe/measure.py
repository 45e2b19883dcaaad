"""How well distances or depths tell a tree: UUAS, Spearman correlation, the root (Hewitt & Manning 2019, section 4).

- *UUAS*: the share of gold edges that the minimum spanning tree over predicted distances has. Punctuation is in neither
  tree: where it is given, the gold tree too is a minimum spanning tree, of the other words' gold distances.
- *Spearman*: of each word, its predicted and gold distances to all words of the sentence, itself and punctuation
  included (DSpr); of each sentence, the depths of its words (NSpr). The mean over sentences (words) of one length, then
  over the lengths 5 to 50. Where all predictions are equal it is undefined and counts as 0: they tell no order.
- *root accuracy*: how often the word of least predicted depth, punctuation apart, is the root.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Real
from numpy import ndarray
from scipy.stats import rankdata
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.systems.probe.objective import Heads, Kind, Vectors, known, matched
from phantastic.systems.probe.trees import by_length, checked, depths, distances, spanning_tree

SHORTEST, LONGEST = 5, 50
Marks = Sequence[Bool[ndarray, " words"]]


@dataclass(frozen=True)
class Measures:
    """What was found in some sentences; shares are from 0 to 1, and what does not apply is None."""

    spearman: float
    """DSpr of distances, NSpr of depths; NaN where no sentence has 5 to 50 words."""
    by_length: dict[int, float]
    """The mean correlation by sentence length, from 2 words on."""
    undefined: int
    """Constant rows of predictions, whose correlation was counted as 0."""
    each: Float64[ndarray, "sentences 2"]
    """By sentence: edges found and gold edges; whether the root was found, and 1."""
    uuas: float | None = None
    root_accuracy: float | None = None

    def __getitem__(self, name: str) -> float | None:
        return getattr(self, name)

    @property
    def share(self) -> float:
        """UUAS or root accuracy, whichever applies; NaN where there is no edge."""
        hits, count = self.each.sum(0)
        return float(hits / count) if count else nan


def evaluate(
    projection: Float[Tensor, "hidden rank"] | Float[ndarray, "hidden rank"],
    embeddings: Vectors,
    heads: Heads,
    *,
    kind: Kind = "distance",
    punctuation: Marks | None = None,
) -> Measures:
    """What a probe's projection finds in sentences, given as for `fit`; ``punctuation`` marks words by sentence.

    Raises `Refused` naming the sentence whose vectors, heads or marks do not fit.
    """
    known(kind)
    projection = torch.as_tensor(projection)
    words = matched(embeddings, checked(heads), len(projection))
    predicted = predict(projection, words, kind)
    return (measure_distances if kind == "distance" else measure_depths)(predicted, heads, punctuation)


def predict(
    projection: Float[Tensor, "hidden rank"], embeddings: Vectors, kind: Kind
) -> list[Float64[ndarray, "words ..."]]:
    """Squared distances between projected words, or their squared norms.

    Words are projected in float64 and rounded to float32, then differences are taken: equal vectors have a distance of
    exactly 0, and exactly equal distances to others, so ties are ties.
    """
    wide = torch.as_tensor(projection).double()
    return geometry([(torch.as_tensor(each).to(wide) @ wide).float() for each in embeddings], kind)


def geometry(projected: Sequence[Float[Tensor, "words rank"]], kind: Kind) -> list[Float64[ndarray, "words ..."]]:
    """Squared distances between the words of each sentence, or their squared norms."""
    squares: list[ndarray] = [np.empty(0)] * len(projected)
    for group in by_length([len(each) for each in projected], 2**16):
        vectors = torch.stack([projected[position] for position in group]).double()
        if kind == "distance":
            values = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist").square()
        else:
            values = vectors.square().sum(2)
        for position, each in zip(group, values.cpu().numpy(), strict=True):
            squares[position] = each
    return squares


def measure_distances(
    predicted: Sequence[Real[ndarray, "words words"]], heads: Heads, punctuation: Marks | None = None
) -> Measures:
    """UUAS and DSpr of any predicted distances (a probe's or a baseline's), symmetric."""
    gold = distances(trees := checked(heads))
    keep = kept(trees, predicted, punctuation, 2)
    counts = np.empty((len(gold), 2))
    for number, (guess, truth, words) in enumerate(zip(predicted, gold, keep, strict=True)):
        edges = {tuple(edge) for edge in spanning_tree(truth, words).tolist()}
        counts[number] = sum(tuple(edge) in edges for edge in spanning_tree(guess, words).tolist()), len(edges)
    lengths, undefined = correlations(predicted, gold)
    measures = Measures(macro_average(lengths), lengths, undefined, counts)
    return replace(measures, uuas=measures.share)


def measure_depths(
    predicted: Sequence[Real[ndarray, " words"]], heads: Heads, punctuation: Marks | None = None
) -> Measures:
    """Root accuracy and NSpr of any predicted depths. Where all words are punctuation, all may be the root."""
    gold = depths(trees := checked(heads))
    keep = kept(trees, predicted, punctuation, 1)
    counts = np.ones((len(gold), 2))
    for number, (guess, truth, words) in enumerate(zip(predicted, gold, keep, strict=True)):
        masked = np.where(words, guess, np.inf) if words.any() else guess
        counts[number, 0] = truth[int(np.argmin(masked))] == 0
    lengths, undefined = correlations(predicted, gold)
    measures = Measures(macro_average(lengths), lengths, undefined, counts)
    return replace(measures, root_accuracy=measures.share)


def kept(heads: Heads, predicted: Sequence[ndarray], punctuation: Marks | None, axes: int) -> list[ndarray]:
    """Which words trees are made of; raises `Refused` naming the sentence whose predictions or marks do not fit."""
    if len(predicted) != len(heads) or (punctuation is not None and len(punctuation) != len(heads)):
        marked = "" if punctuation is None else f", {len(punctuation)} with punctuation"
        raise Refused(f"{len(predicted)} sentences with predictions, {len(heads)} with heads{marked}; expected as many")
    keep = []
    for number, (prediction, head) in enumerate(zip(predicted, heads, strict=True), start=1):
        if prediction.shape != (len(head),) * axes or not np.isfinite(prediction).all():
            raise Refused(
                f"predictions of sentence {number}: {list(prediction.shape)}; expected finite [{len(head)} words]"
            )
        marks = np.zeros(len(head), bool) if punctuation is None else np.asarray(punctuation[number - 1])
        if marks.shape != (len(head),) or marks.dtype != bool:
            raise Refused(
                f"punctuation of sentence {number}: {marks.dtype}{list(marks.shape)}; expected bool[{len(head)}]"
            )
        keep.append(~marks)
    return keep


def correlations(
    predicted: Sequence[Real[ndarray, "words ..."]], gold: Sequence[Real[ndarray, "words ..."]]
) -> tuple[dict[int, float], int]:
    """The mean Spearman correlation by length of sentence, and how many were undefined."""
    sums: dict[int, list[float]] = {}
    undefined = 0
    for group in by_length([len(each) for each in gold]):
        words = len(gold[group[0]])
        if words < 2:
            continue
        each, constant = spearman(*(np.stack([side[position] for position in group]) for side in (predicted, gold)))
        undefined += int(constant.sum())
        sums.setdefault(words, []).extend(each.ravel().tolist())
    return {words: float(np.mean(values)) for words, values in sums.items()}, undefined


def spearman(
    one: Real[ndarray, "*rows items"], other: Real[ndarray, "*rows items"]
) -> tuple[Float64[ndarray, "*rows"], Bool[ndarray, "*rows"]]:
    """Spearman's correlation along the last axis, ties with their mean rank; 0, and marked, where a row is constant."""
    ranks = [rankdata(side, axis=-1) - (side.shape[-1] + 1) / 2 for side in (one, other)]
    spread = np.sqrt((ranks[0] ** 2).sum(-1) * (ranks[1] ** 2).sum(-1))
    constant = spread == 0
    return (ranks[0] * ranks[1]).sum(-1) / np.where(constant, 1, spread), constant


def macro_average(lengths: dict[int, float]) -> float:
    values = [value for words, value in lengths.items() if SHORTEST <= words <= LONGEST]
    return float(np.mean(values)) if values else nan
