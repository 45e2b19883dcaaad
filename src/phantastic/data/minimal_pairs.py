"""Minimal pairs: BLiMP (Warstadt et al. 2020; JSON lines) and Zorro (Huebner et al. 2021; odd lines bad, even good).

A model is right on a pair where it gives the good sentence the higher score.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from phantastic.data.files import names_in
from phantastic.data.text import field, lines_of
from phantastic.ground.errors import Refused


class Pair(NamedTuple):
    """A sentence that speakers accept, and one that they do not."""

    good: str
    bad: str


def load(path: str | Path) -> dict[str, list[Pair]]:
    """Pairs by paradigm, from a .jsonl (BLiMP) or .txt (Zorro) file or from all such files in a folder.

    A paradigm is called as BLiMP's "UID" or Zorro's file. Raises `Refused` naming the file and the line of what is no
    pair.
    """
    path = Path(path)
    if path.is_dir():
        files = [path / name for name in names_in(path) if name.endswith((".jsonl", ".txt"))]
        if not files:
            raise Refused(f"{str(path)!r} holds no minimal pairs; expected .jsonl (BLiMP) or .txt (Zorro) files")
    else:
        files = [path]
    by_paradigm: dict[str, list[Pair]] = {}
    for file in files:
        for paradigm, pairs in (_blimp(file) if file.suffix == ".jsonl" else _zorro(file)).items():
            if paradigm in by_paradigm:
                raise Refused(f"{str(file)!r}: the paradigm '{paradigm}' was in another file already")
            by_paradigm[paradigm] = pairs
    return by_paradigm


def _blimp(file: Path) -> dict[str, list[Pair]]:
    pairs: dict[str, list[Pair]] = {}
    for number, line in enumerate(lines_of(file, "BLiMP (one JSON object per line)"), 1):
        where = f"{str(file)!r}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refused(f"{where}: {error}; expected one JSON object per line") from None
        good, bad = (field(row, key, str, where) for key in ("sentence_good", "sentence_bad"))
        paradigm = field(row, "UID", str, where) if "UID" in row else file.stem
        pairs.setdefault(paradigm, []).append(_pair(good, bad, where))
    return pairs


def _zorro(file: Path) -> dict[str, list[Pair]]:
    lines = lines_of(file, "Zorro (odd lines bad, even lines good)")
    if len(lines) % 2:
        raise Refused(f"{str(file)!r}, line {len(lines)}: a bad sentence without its good one; expected pairs of lines")
    pairs = [
        _pair(good.strip(), bad.strip(), f"{str(file)!r}, line {number}")
        for number, (bad, good) in enumerate(zip(lines[0::2], lines[1::2], strict=True), 1)
    ]
    return {file.stem: pairs}


def _pair(good: str, bad: str, where: str) -> Pair:
    if not good.strip() or not bad.strip():
        raise Refused(f"{where}: a sentence is empty")
    if good == bad:
        raise Refused(f"{where}: the two sentences are the same, {good!r}")
    return Pair(good, bad)


def evaluate(pairs: Mapping[str, Sequence[Pair]], score: Callable[[list[str]], Sequence[float]]) -> dict[str, float]:
    """The share of pairs a model gets right, by paradigm, and the mean of these as "overall".

    ``score`` gives each sentence of a list a number, such as its log-probability; a tie is wrong, as in BLiMP.
    """
    if not pairs or "overall" in pairs:
        raise Refused("there are no minimal pairs to evaluate" if not pairs else "no paradigm may be called 'overall'")
    accuracy = {}
    for paradigm, group in pairs.items():
        scores = score([sentence for pair in group for sentence in pair])
        if len(scores) != 2 * len(group):
            raise Refused(f"{paradigm}: {len(scores)} scores for {2 * len(group)} sentences")
        accuracy[paradigm] = sum(good > bad for good, bad in zip(scores[0::2], scores[1::2], strict=True)) / len(group)
    return accuracy | {"overall": sum(accuracy.values()) / len(accuracy)}
