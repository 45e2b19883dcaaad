"""What a dependency tree says of its words: depths, distances, edges; and the tree that distances say."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64, Real
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from phantastic.data.conllu import flaw
from phantastic.ground.errors import Refused

MOST_CELLS = 2**22  # word pairs that are computed at once


def checked(heads: Sequence[Int64[ndarray, " words"]]) -> list[Int64[ndarray, " words"]]:
    """Heads as in CoNLL-U, counted from 1, 0 for the root; raises `Refused` naming the sentence that is no tree."""
    trees = []
    for number, each in enumerate(heads, start=1):
        array = np.asarray(each)
        if array.ndim != 1 or not len(array) or not np.issubdtype(array.dtype, np.integer):
            raise Refused(
                f"heads of sentence {number}: {array.dtype}{list(array.shape)}; expected one integer per word"
            )
        trees.append(array.astype(np.int64))
        if wrong := flaw(trees[-1]):
            raise Refused(f"heads of sentence {number}: {wrong[1]}")
    return trees


def by_length(lengths: Sequence[int], most: int = MOST_CELLS) -> Iterator[Int64[ndarray, " sentences"]]:
    """The positions of sentences of equal length, in groups of at most ``most`` word pairs: no padding is needed."""
    array = np.asarray(lengths, dtype=np.int64)
    for length in np.unique(array):
        positions = np.flatnonzero(array == length)
        step = max(1, most // int(length) ** 2)
        yield from (positions[begin : begin + step] for begin in range(0, len(positions), step))


def ancestors(heads: Int64[ndarray, "sentences words"]) -> Float32[ndarray, "sentences words words"]:
    """1 where the second word is the first or one of its ancestors; sentences of one length at a time."""
    count, words = heads.shape
    matrix = np.zeros((count, words, words + 1), dtype=np.float32)
    parents = np.pad(heads, ((0, 0), (0, 1))) - 1  # the root's head is position -1: the last, which is added
    rows, columns = np.ogrid[:count, :words]
    reached = np.broadcast_to(columns, heads.shape)
    while (reached >= 0).any():
        matrix[rows, columns, reached] = 1
        reached = parents[rows, reached]
    return matrix[:, :, :words]


def depths(heads: Sequence[Int64[ndarray, " words"]]) -> list[Int16[ndarray, " words"]]:
    """Edges from each word up to the root, whose depth is 0."""
    by_sentence: list[ndarray] = [np.empty(0)] * len(heads)
    for group in by_length([len(values) for values in heads]):
        depth = ancestors(np.stack([heads[position] for position in group])).sum(2).astype(np.int16) - 1
        for position, values in zip(group, depth, strict=True):
            by_sentence[position] = values
    return by_sentence


def distances(heads: Sequence[Int64[ndarray, " words"]]) -> list[Int16[ndarray, "words words"]]:
    """Edges on the path between each two words: both depths less twice that of their lowest common ancestor.

    With A the matrix of ancestors, A Aᵀ counts common ancestors, hence that depth.
    """
    by_sentence: list[ndarray] = [np.empty(0)] * len(heads)
    for group in by_length([len(values) for values in heads]):
        matrix = ancestors(np.stack([heads[position] for position in group]))
        depth = matrix.sum(2)
        lengths = depth[:, :, None] + depth[:, None] - 2 * (matrix @ matrix.transpose(0, 2, 1))
        for position, values in zip(group, lengths.astype(np.int16), strict=True):
            by_sentence[position] = values
    return by_sentence


def spanning_tree(
    distances: Real[ndarray, "words words"], keep: Bool[ndarray, " words"] | None = None
) -> Int64[ndarray, "edges 2"]:
    """The minimum spanning tree over the words to ``keep`` (all), each edge (i, j) with i < j, sorted.

    Among equal distances the first in row-major order is taken first, as a stable sort does.
    """
    words = np.arange(len(distances)) if keep is None else np.flatnonzero(keep)
    rows, columns = np.triu_indices(len(words), 1)
    order = np.argsort(distances[words[rows], words[columns]], kind="stable")
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)  # all different, so the tree is unique whatever the algorithm
    tree = minimum_spanning_tree(coo_array((ranks, (rows, columns)), shape=(len(words), len(words))).tocsr()).tocoo()
    edges = np.stack([words[tree.row], words[tree.col]], axis=1).astype(np.int64)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]
