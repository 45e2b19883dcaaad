"""Named entities: CoNLL-2003 as released, a word and its columns a line (Tjong Kim Sang & De Meulder 2003).

The last column is the tag, as IOB1 (the original: B- only between two entities of one type) or as IOB2 (B- at the first
word of each). Either is read as the same entities; the tags given back are IOB2, in numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phantastic.data.text import text_of
from phantastic.ground.errors import Refused, nearest

EXPECTED = "CoNLL-2003 (a word and its tag a line, an empty line after each sentence)"
TYPES = ("PER", "LOC", "ORG", "MISC")
OUTSIDE = 0
TAGS = 1 + 2 * len(TYPES)


class Sentence(NamedTuple):
    """Words and their tags: 0 is O, 1 + 2 i is B- and 2 + 2 i is I- of the i-th of `TYPES`."""

    words: list[str]
    tags: list[int]


class Entity(NamedTuple):
    """A name: its type's number, its first word and the word after its last."""

    type: int
    start: int
    stop: int


def load(path: str | Path) -> list[Sentence]:
    """The sentences of a file; lines -DOCSTART- are left out.

    Raises `Refused` naming the file and the line of a tag that is none, of a line with another number of columns than
    the first, and for a file without a sentence.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    marks: list[tuple[str, str]] = []
    columns = 0
    for number, line in enumerate((*text_of(path, EXPECTED).split("\n"), ""), 1):
        parts = line.split()
        if not parts or parts[0] == "-DOCSTART-":
            if words:
                sentences.append(Sentence(words, numbered(marks)))
            words, marks = [], []
            continue
        where, columns = f"{str(path)!r}, line {number}", columns or len(parts)
        if len(parts) != columns or columns < 2:
            raise Refused(f"{where}: {len(parts)} columns; expected {max(2, columns)}, of {EXPECTED}")
        mark, _, kind = parts[-1].partition("-")
        if (mark, kind) != ("O", "") and (mark not in ("B", "I") or kind not in TYPES):
            allowed = ["O", *(f"{first}-{each}" for each in TYPES for first in "BI")]
            raise Refused(f"{where}: there is no tag {parts[-1]!r}{nearest(parts[-1], allowed)}")
        words.append(parts[0])
        marks.append((mark, kind))
    if not sentences:
        raise Refused(f"{str(path)!r} holds no sentence; expected {EXPECTED}")
    return sentences


def numbered(marks: Sequence[tuple[str, str]]) -> list[int]:
    """IOB1 or IOB2 -> IOB2 in numbers: an entity begins at B-, and at I- where no word of its type is before it."""
    tags, before = [], ""
    for mark, kind in marks:
        inside = mark == "I" and kind == before
        tags.append(OUTSIDE if mark == "O" else 1 + 2 * TYPES.index(kind) + inside)
        before = kind
    return tags


def entities(tags: Sequence[int]) -> set[Entity]:
    """The names that tags in numbers mark, whatever the types; as conlleval does, one begins at I- too where no word of
    its type is before it."""
    found, start = set(), 0
    for place, (before, tag) in enumerate(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)):
        same = tag != OUTSIDE and tag % 2 == 0 and (before + 1) // 2 == tag // 2
        if not same:
            if before != OUTSIDE:
                found.add(Entity((before - 1) // 2, start, place))
            start = place
    return found
