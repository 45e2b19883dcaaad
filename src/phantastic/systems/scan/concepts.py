"""Concepts: which factors of a room are named, and as what; and the logic of the three operators on them.

A concept is a row of four integers (identity, object colour, wall colour, floor colour); ``OPEN`` (-1) stands for a
factor it abstracts away. All four named is a subordinate concept, two or three a basic one, one a superordinate one
(Higgins et al. 2018, Fig. 1). As a symbol it is k-hot, with an all-zero block for every open factor.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

OPEN = -1
OPERATORS = ("AND", "IN COMMON", "IGNORE")


class Vocabulary:
    """The factors' sizes and the k-hot code over them.

    ``sizes`` is the number of values of each factor, for the paper (3, 16, 16, 16): 51 symbols, 19,651 concepts.
    """

    def __init__(self, sizes: Sequence[int]):
        self.sizes = tuple(sizes)
        self.width = sum(self.sizes)
        self.concepts = prod(size + 1 for size in self.sizes) - 1
        ends = np.cumsum(self.sizes)
        self.blocks = [slice(int(end) - size, int(end)) for end, size in zip(ends, self.sizes, strict=True)]

    def khot(self, concepts: np.ndarray) -> np.ndarray:
        """int[n, factors] -> float32[n, width]; zeros in the block of an open factor."""
        code = np.zeros((len(concepts), self.width), np.float32)
        for factor, block in enumerate(self.blocks):
            named = concepts[:, factor] != OPEN
            code[named, block.start + concepts[named, factor]] = 1
        return code

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """``count`` distinct concepts, every level of the hierarchy equally often (as far as a level has enough)."""
        factors = len(self.sizes)
        concepts: dict[tuple[int, ...], None] = {}
        for attempt in range(200 * count):
            if len(concepts) == count:
                break
            level = 1 + attempt % factors
            named = generator.permutation(factors)[:level]
            concept = np.full(factors, OPEN)
            concept[named] = [generator.integers(self.sizes[factor]) for factor in named]
            concepts.setdefault(tuple(int(value) for value in concept))
        return np.array(list(concepts), dtype=np.int64).reshape(-1, factors)

    def complete(self, concepts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Fill open factors at random: the factors of one room that each concept is true of."""
        filled = np.stack([generator.integers(size, size=len(concepts)) for size in self.sizes], axis=1)
        return np.where(concepts == OPEN, filled, concepts)


def conjunction(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """AND: everything that either concept names; they must not contradict each other."""
    return np.where(a == OPEN, b, a)


def in_common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IN COMMON: what both name alike."""
    return np.where(a == b, a, OPEN)


def ignore(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IGNORE: the first without the factors that the second names."""
    return np.where(b == OPEN, a, OPEN)


Logic = Callable[[np.ndarray, np.ndarray], np.ndarray]
LOGIC: dict[str, Logic] = dict(zip(OPERATORS, (conjunction, in_common, ignore), strict=True))


def contradict(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two concepts name a factor differently, [n]."""
    return ((a != OPEN) & (b != OPEN) & (a != b)).any(axis=1)


def draw_operations(
    vocabulary: Vocabulary, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``count`` random applications: operator index [n], operands [n, factors] twice, and their result.

    AND joins two concepts that do not contradict; IN COMMON shares at least one value; IGNORE takes away some but not
    all of what the first names. The result always names something.
    """
    sizes = np.array(vocabulary.sizes)
    factors = len(sizes)
    operator = np.arange(count) % len(OPERATORS)
    first = np.empty((count, factors), np.int64)
    second = np.empty((count, factors), np.int64)
    room = np.stack([generator.integers(size, size=count) for size in sizes], axis=1)
    other = (room + 1 + np.stack([generator.integers(size - 1, size=count) for size in sizes], axis=1)) % sizes
    for row in range(count):
        order = generator.permutation(factors)
        a, b = np.full(factors, OPEN), np.full(factors, OPEN)
        if operator[row] == 0:  # two sets of named factors, neither within the other where it can be avoided
            split = generator.integers(1, factors)
            end = generator.integers(split + 1, factors + 1)
            a[order[:split]] = room[row, order[:split]]
            b[order[split:end]] = room[row, order[split:end]]
        elif operator[row] == 1:  # some shared values; further factors differ or are named by one only
            shared = generator.integers(1, factors)
            a[order[:shared]] = b[order[:shared]] = room[row, order[:shared]]
            for factor in order[shared:]:
                kind = generator.integers(4)
                a[factor] = room[row, factor] if kind in (0, 1) else OPEN
                b[factor] = other[row, factor] if kind in (0, 2) else OPEN
        else:
            named = generator.integers(2, factors + 1)
            taken = generator.integers(1, named)
            a[order[:named]] = room[row, order[:named]]
            b[order[:taken]] = room[row, order[:taken]]
        first[row], second[row] = a, b
    result = np.empty_like(first)
    for index, name in enumerate(OPERATORS):
        rows = operator == index
        result[rows] = LOGIC[name](first[rows], second[rows])
    return operator, first, second, result
