"""Dependency treebanks in CoNLL-U (https://universaldependencies.org/format.html), as Universal Dependencies has them.

Only syntactic words have heads: rows of multiword tokens (``2-3``) and of empty nodes (``8.1``) are checked and left
out, so heads count words. A sentence that is no tree is refused, never repaired.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_NUMBER = "0|[1-9][0-9]{0,5}"  # ASCII digits only, which int() would not insist on
_WORD, _TOKEN, _EMPTY = map(re.compile, (_NUMBER, f"({_NUMBER})-({_NUMBER})", f"({_NUMBER})\\.({_NUMBER})"))
PTB_PUNCTUATION = frozenset(("''", ",", ".", ":", "``", "-LRB-", "-RRB-"))  # which Hewitt & Manning (2019) leave out
_PTB_OTHERS = (  # Penn Treebank, with what OntoNotes and the English Web Treebank added
    "# $ ADD AFX CC CD DT EX FW GW HYPH IN JJ JJR JJS LS MD NFP NN NNP NNPS NNS PDT POS PRP PRP$ RB RBR RBS RP SYM TO "
    "UH VB VBD VBG VBN VBP VBZ WDT WP WP$ WRB XX"
)
PTB_TAGS = PTB_PUNCTUATION | frozenset(_PTB_OTHERS.split())


class Sentence(NamedTuple):
    """The words of a sentence, their tags and their tree.

    ``heads`` count words from 1; 0 is the head of the root. ``name`` is the comment ``sent_id`` or '', ``line`` that of
    the file in which the sentence begins.
    """

    forms: list[str]
    upos: list[str]
    xpos: list[str]
    heads: Int64[ndarray, " words"]
    deprels: list[str]
    name: str
    line: int


def read(path: str | Path) -> list[Sentence]:
    """The sentences of a CoNLL-U file.

    Raises `Refused` naming the file and the line where it is absent, empty, no UTF-8 or breaks the format: a row
    without ten columns, words that do not count 1, 2, 3, …, misplaced multiword tokens, empty nodes or comments, a
    head that is no word, no root or several, a cycle.
    """
    try:
        data = regular_file(path, "a treebank in CoNLL-U (.conllu)").read_bytes()
    except OSError as error:
        raise Refused(f"{str(path)!r} cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{str(path)!r}, line {line}: not UTF-8 text; save the file in UTF-8") from None
    sentences, block, start = [], [], 1
    # only line feeds end a row: a form may hold other characters that str.splitlines would break it at
    for number, line in enumerate((*text.split("\n"), ""), start=1):
        line = line.removesuffix("\r")
        if line:
            block.append(line)
            continue
        if block:
            try:
                sentences.append(parse(block, start))
            except _Flaw as flaw:
                raise Refused(f"{str(path)!r}, line {start + flaw.row}: {flaw}") from None
        block, start = [], number + 1
    if not sentences:
        raise Refused(f"{str(path)!r} holds no sentence; expected a treebank in CoNLL-U (.conllu)")
    return sentences


class _Flaw(Exception):
    """What is wrong in which row of a sentence, counted from 0."""

    def __init__(self, row: int, message: str):
        super().__init__(message)
        self.row = row


def parse(lines: Sequence[str], start: int = 1) -> Sentence:
    """One sentence from its lines, comments included."""
    name, words, rows, covered, empty = "", [], [], 0, 0
    for row, line in enumerate(lines):
        if line.startswith("#"):
            if words or covered or empty:
                raise _Flaw(row, "a comment between words; comments stand before the first word of a sentence")
            key, equals, value = line[1:].partition("=")
            name = value.strip() if equals and key.strip() == "sent_id" else name
            continue
        cells = line.split("\t")
        if len(cells) != len(COLUMNS):
            raise _Flaw(row, f"{len(cells)} columns; expected {len(COLUMNS)}, divided by tabs: {' '.join(COLUMNS)}")
        if not all(cells):
            raise _Flaw(row, f"column {COLUMNS[cells.index('')]} is empty; write _ where there is nothing")
        number = cells[0]
        if _WORD.fullmatch(number):
            if int(number) != len(words) + 1:
                raise _Flaw(row, f"word {number} where word {len(words) + 1} should stand")
            words.append(cells)
            rows.append(row)
            empty = 0
        elif span := _TOKEN.fullmatch(number):
            first, last = int(span[1]), int(span[2])
            if first != len(words) + 1 or last < first or first <= covered:
                raise _Flaw(row, f"multiword token {number}; it stands before its first word, and no two overlap")
            covered = last
        elif node := _EMPTY.fullmatch(number):
            if (int(node[1]), int(node[2])) != (len(words), empty + 1):
                raise _Flaw(row, f"empty node {number} where {len(words)}.{empty + 1} could stand")
            empty += 1
        else:
            raise _Flaw(row, f"ID {number!r}; expected a word (8), a multiword token (8-9) or an empty node (8.1)")
    if not words:
        raise _Flaw(len(lines) - 1, "a sentence without words")
    if covered > len(words):
        raise _Flaw(len(lines) - 1, f"the last multiword token ends in word {covered}, the sentence in {len(words)}")
    _, forms, _, upos, xpos, _, head, deprels, _, _ = map(list, zip(*words, strict=True))
    for row, cell in zip(rows, head, strict=True):
        if not _WORD.fullmatch(cell):
            raise _Flaw(row, f"HEAD {cell!r}; expected the number of a word, or 0 for the root")
    heads = np.array([int(cell) for cell in head], dtype=np.int64)
    if fault := flaw(heads):
        raise _Flaw(rows[fault[0]], fault[1])
    return Sentence(forms, upos, xpos, heads, deprels, name, start)


def flaw(heads: Int64[ndarray, " words"]) -> tuple[int, str] | None:
    """Why these heads are no tree with one root: (position of a word at fault, message); None where they are one."""
    count, roots = len(heads), np.flatnonzero(heads == 0)
    for position, head in enumerate(heads.tolist()):
        if not 0 <= head <= count or head == position + 1:
            return position, f"the head of word {position + 1} is {head}; expected another word of 1 to {count}, or 0"
    if len(roots) != 1:
        many = len(roots) > 1
        message = f"words {roots[0] + 1} and {roots[1] + 1} are both roots" if many else "no word is the root (head 0)"
        return int(roots[1]) if many else 0, f"{message}; a sentence has one root"
    known = [True] + [False] * count  # 0 and all words from which it was reached
    for word in range(1, count + 1):
        path: list[int] = []
        while not known[word]:
            known[word] = True
            path.append(word)
            word = int(heads[word - 1])
        if word in path:
            return path[0] - 1, f"word {path[0]} never reaches the root: its heads go in a circle through word {word}"
    return None


def punctuation(sentences: Sequence[Sentence]) -> list[Bool[ndarray, " words"]]:
    """Which words are punctuation, to be left out of trees.

    Where at least nine words in ten carry a tag of the Penn Treebank, it is the seven tags of Hewitt & Manning (2019),
    '' , . : `` -LRB- -RRB-; elsewhere it is UPOS = PUNCT.
    """
    tags = [tag for sentence in sentences for tag in sentence.xpos]
    penn = sum(tag in PTB_TAGS for tag in tags) >= 0.9 * len(tags)
    if penn:
        return [np.isin(sentence.xpos, list(PTB_PUNCTUATION)) for sentence in sentences]
    return [np.array(sentence.upos) == "PUNCT" for sentence in sentences]
