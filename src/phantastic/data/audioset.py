"""Lists of clips: AudioSet and VGGSound by their published CSV files, or a folder that holds a folder for each class.

Clips themselves are the user's, cut to their segments; `clips.load` reads them.
"""

import csv
import io
import re
from pathlib import Path

from phantastic.data.clips import Entry, Listing
from phantastic.data.files import folder, names_in, regular_file
from phantastic.data.folders import DROPPINGS
from phantastic.data.media import SOUNDS, VIDEOS
from phantastic.data.table import number
from phantastic.ground.errors import Refused, nearest

LONGEST = 2**28  # bytes; AudioSet's largest list has 2**27
VGG_SECONDS = 10.0


def audioset(segments: str | Path, classes: str | Path) -> Listing:
    """AudioSet (Gemmeke et al. 2017): `segments` is a list such as balanced_train_segments.csv (YTID, start and end in
    seconds, "labels"), `classes` is class_labels_indices.csv (index, mid, display name).

    A clip's file is called by its YTID, alone or with its times as downloaders write them: ID, ID_30, ID_000030,
    ID_30_40, ID_30.000_40.000, ID_30000_40000, any of them with a Y before it. Raises Refused naming file and line.
    """
    names, columns = class_names(classes)
    entries = []
    for line, row in rows(segments, "AudioSet's list of segments"):
        if len(row) != 4:
            raise Refused(f'{str(segments)!r}, line {line}: {len(row)} cells; expected YTID, start, end, "labels"')
        start, end = number(row[1]), number(row[2])
        if start is None or end is None or not 0 <= start < end < 1e6:
            raise Refused(f"{str(segments)!r}, line {line}: from {row[1]} to {row[2]} s; expected 0 <= start < end")
        labels = row[3].split(",")
        for label in labels:
            if label not in columns:
                raise Refused(f"{str(segments)!r}, line {line}: unknown label '{label}'{nearest(label, columns)}")
        identifier(row[0], segments, line)
        entries.append(Entry(spellings(row[0], start, end), end - start, tuple(columns[label] for label in labels)))
    return Listing(names, filled(entries, segments))


def class_names(path: str | Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """The display names in their order, and the column of each machine identifier (mid)."""
    table = rows(path, "AudioSet's class_labels_indices.csv")
    if not table or table[0][1] != ["index", "mid", "display_name"]:
        raise Refused(f"{str(path)!r}, line 1: expected the header index,mid,display_name")
    for place, (line, row) in enumerate(table[1:]):
        if len(row) != 3 or row[0] != str(place):
            raise Refused(f"{str(path)!r}, line {line}: expected {place}, a mid and a name; got {','.join(row)[:60]!r}")
    columns = {row[1]: place for place, (_, row) in enumerate(table[1:])}
    if len(columns) != len(table) - 1 or not columns:
        raise Refused(f"{str(path)!r} names no class, or one mid twice")
    return tuple(row[2] for _, row in table[1:]), columns


def vggsound(path: str | Path, split: str) -> Listing:
    """VGGSound (Chen et al. 2020): vggsound.csv has YTID, start in seconds, label, and "train" or "test".

    Files are called as for `audioset`; clips last ten seconds. Raises Refused naming file and line.
    """
    if split not in ("train", "test"):
        raise Refused(f"VGGSound has no part '{split}'; allowed: train, test")
    segments = []
    for line, row in rows(path, "vggsound.csv"):
        start = number(row[1]) if len(row) == 4 else None
        if start is None or not 0 <= start < 1e6 or row[3] not in ("train", "test") or not row[2]:
            raise Refused(
                f"{str(path)!r}, line {line}: expected YTID, start, label, train or test; got {','.join(row)[:60]!r}"
            )
        identifier(row[0], path, line)
        segments.append((row[0], start, row[2], row[3]))
    classes = tuple(sorted({label for _, _, label, _ in segments}))
    columns = {label: place for place, label in enumerate(classes)}
    entries = [
        Entry(spellings(name, start, start + VGG_SECONDS), VGG_SECONDS, (columns[label],))
        for name, start, label, part in segments
        if part == split
    ]
    return Listing(classes, filled(entries, path))


def by_folder(path: str | Path) -> Listing:
    """A folder with a folder for each class, which holds the clips: videos, or sound files, each beside a folder of
    frames of the same name, or folders of frames with a sound file in them."""
    root = folder(path, "a folder that holds a folder of clips for each class")
    classes = tuple(name for name in names_in(root) if not name.startswith(".") and name.lower() not in DROPPINGS)
    if stray := [name for name in classes if not (root / name).is_dir()]:
        raise Refused(f"{str(path)!r} holds {stray[0]!r} beside its folders; expected a folder for each class, no file")
    entries = []
    for column, name in enumerate(classes):
        stems = set()
        for file in names_in(root / name):
            if not file.startswith(".") and file.lower() not in DROPPINGS:
                stem, dot, ending = file.rpartition(".")
                stems.add(stem if dot + ending.lower() in (*SOUNDS, *VIDEOS) else file)
        entries += [Entry((f"{name}/{stem}",), None, (column,)) for stem in sorted(stems)]
    return Listing(classes, filled(entries, path))


def identifier(name: str, path: str | Path, line: int) -> None:
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise Refused(f"{str(path)!r}, line {line}: {name[:70]!r} is no YTID; expected letters, digits, - and _")


def spellings(name: str, start: float, end: float) -> tuple[str, ...]:
    """The names by which downloaders call a clip's file."""
    times = ("", f"_{start:g}", f"_{int(start):06d}", f"_{start:g}_{end:g}", f"_{start:.3f}_{end:.3f}")
    times = (*times, f"_{round(1000 * start)}_{round(1000 * end)}")
    return tuple(dict.fromkeys(first + name + time for time in times for first in ("", "Y")))


def rows(path: str | Path, expected: str) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file with the line that each ends in, without comments (#) and empty lines."""
    file = regular_file(path, expected)
    if file.stat().st_size > LONGEST:
        raise Refused(f"{str(path)!r} is larger than {LONGEST:,} bytes; expected {expected}")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{str(path)!r} is not UTF-8 text (byte {error.start}); expected {expected}") from None
    except OSError as error:
        raise Refused(f"{str(path)!r} cannot be read ({error.strerror})") from None
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise Refused(f"{str(path)!r}, line {reader.line_num}: {error}; expected {expected}") from None
    return [(line, [cell.strip() for cell in row]) for line, row in numbered if row and not row[0].startswith("#")]


def filled(entries: list[Entry], path: str | Path) -> tuple[Entry, ...]:
    if not entries:
        raise Refused(f"{str(path)!r} lists no clip")
    return tuple(entries)
