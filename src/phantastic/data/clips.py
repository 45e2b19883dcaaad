"""Clips of the user's own, with sound and pictures: videos, or sound files beside folders of frames.

What cannot be used is left out, named and counted with the reason, never replaced; what had to be converted is told.
Sound files need soundfile, videos PyAV: pip install 'phantastic[audiovisual]'.
"""

import os
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from scipy.signal import resample_poly

from phantastic.data.files import folder, names_in
from phantastic.data.folders import DROPPINGS
from phantastic.data.media import (
    SLACK,
    SOUNDS,
    VIDEOS,
    Fault,
    frames_of_folder,
    frames_of_video,
    sound_of_file,
    sound_of_video,
)
from phantastic.ground.errors import Refused

RATE = 16_000  # Hz
SILENCE = 1e-4  # of full scale; what never gets louder is silent


class Entry(NamedTuple):
    """One clip of a list: the names (without ending) that its files may have, its length in seconds where that is
    known, and the columns of its labels."""

    names: tuple[str, ...]
    seconds: float | None
    labels: tuple[int, ...]


class Listing(NamedTuple):
    """What clips there should be, and the names of the classes."""

    classes: tuple[str, ...]
    entries: tuple[Entry, ...]


class Clip(NamedTuple):
    """One clip as it is used, and what was converted on the way."""

    frames: UInt8[np.ndarray, "frames size size 3"]
    sound: Float32[np.ndarray, " samples"]
    notes: tuple[str, ...]


class Clips(NamedTuple):
    """Clips in memory; sound at 16 kHz, mono."""

    frames: UInt8[np.ndarray, "n frames size size 3"]
    sound: Float32[np.ndarray, "n samples"]
    labels: Float32[np.ndarray, "n classes"]
    names: tuple[str, ...]
    classes: tuple[str, ...]


class Report(NamedTuple):
    """Which clips were left out, (name, reason, detail), and which were converted, (name, note)."""

    kept: int
    left_out: tuple[tuple[str, str, str], ...]
    converted: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """The report in words: a line for what was kept, one for each reason and each kind of conversion."""
        lines = [f"{self.kept} of {self.kept + len(self.left_out)} clips are used"]
        for lead, pairs in (
            ("left out, ", [(reason, name) for name, reason, _ in self.left_out]),
            ("", [(note, name) for name, note in self.converted]),
        ):
            for kind, count in Counter(kind for kind, _ in pairs).most_common():
                names = [name for other, name in pairs if other == kind]
                more = f" and {count - 5} more" if count > 5 else ""
                lines.append(f"{lead}{kind}: {count} ({', '.join(names[:5])}{more})")
        return lines


def load(
    listing: Listing, path: str | Path, *, seconds: float, frames: int, size: int, sound_only: bool = False
) -> tuple[Clips, Report]:
    """All usable clips of a list, the middle `seconds` of each (the first, where its length is not listed), with
    `frames` pictures spread evenly over them, and a report of the others.

    Raises Refused where no clip can be used, the folder is absent, or an extra is missing (saying how to install it).
    """
    if not 0.1 <= seconds <= 600 or not (1 <= frames <= 4096 or sound_only) or not 8 <= size <= 1024:
        raise Refused(
            f"{seconds} seconds, {frames} frames of {size} pixels; allowed: 0.1 to 600, 1 to 4096 and 8 to 1024"
        )
    frames = 0 if sound_only else frames
    kept: list[tuple[Entry, Clip]] = []
    left_out, converted = [], []
    for entry, outcome in each(listing, path, seconds, frames, size):
        if isinstance(outcome, Fault):
            left_out.append((entry.names[0], outcome.reason, str(outcome)))
        else:
            kept.append((entry, outcome))
            converted += [(entry.names[0], note) for note in outcome.notes]
    report = Report(len(kept), tuple(left_out), tuple(converted))
    if not kept:
        raise Refused(f"no clip in {str(path)!r} can be used; " + "; ".join(report.lines()[1:]))
    labels = np.zeros((len(kept), len(listing.classes)), np.float32)
    for row, (entry, _) in zip(labels, kept, strict=True):
        row[list(entry.labels)] = 1
    clips = Clips(
        np.stack([clip.frames for _, clip in kept]),
        np.stack([clip.sound for _, clip in kept]),
        labels,
        tuple(entry.names[0] for entry, _ in kept),
        listing.classes,
    )
    return clips, report


def each(
    listing: Listing, path: str | Path, seconds: float, frames: int, size: int
) -> Iterator[tuple[Entry, Clip | Fault]]:
    """One clip after another, for sets that do not fit in memory: the clip, or why it cannot be used."""
    root = folder(path, "a folder of clips")
    shelves: dict[Path, dict[str, list[Path]]] = {}
    for entry in listing.entries:
        start = max((entry.seconds - seconds) / 2, 0) if entry.seconds else 0.0
        try:
            yield entry, read(files_of(entry, root, shelves), start, seconds, entry.seconds, frames, size)
        except Fault as fault:
            yield entry, fault


def files_of(entry: Entry, root: Path, shelves: dict[Path, dict[str, list[Path]]]) -> list[Path]:
    """The files and frame folders of a clip, by the first of its names for which there are any."""
    for name in entry.names:
        place = root / name.rpartition("/")[0]
        if place not in shelves:
            shelves[place] = shelf(place)
        if paths := shelves[place].get(name.rpartition("/")[2]):
            return paths
    raise Fault("missing", f"{str(root)!r} holds no clip named {' or '.join(entry.names)}")


def shelf(place: Path) -> dict[str, list[Path]]:
    """What a folder holds, by name without ending."""
    files: dict[str, list[Path]] = {}
    for name in names_in(place) if place.is_dir() else []:
        if not name.startswith(".") and name.lower() not in DROPPINGS:
            stem, ending = os.path.splitext(name)
            known = ending.lower() in (*SOUNDS, *VIDEOS)
            files.setdefault(stem if known else name, []).append(place / name)
    return files


def read(paths: list[Path], start: float, seconds: float, whole: float | None, frames: int, size: int) -> Clip:
    """One clip from its files, from `start` on: sound from a sound file where there is one, else from the video;
    pictures from a folder of frames (which lasts `whole` seconds, or else as long as the sound), else from the video.

    Raises Fault where it cannot be used.
    """
    sound_file, video, pictures = None, None, None
    for path in paths:
        ending = path.suffix.lower()
        if path.is_dir():
            pictures = path
        elif not path.is_file():
            raise Fault("damaged", f"{str(path)!r} is neither a file nor a folder")
        elif ending in SOUNDS:
            sound_file = path
        elif ending in VIDEOS:
            video = path
        else:
            raise Fault(
                "not a clip", f"{str(path)!r} is none of {', '.join((*SOUNDS, *VIDEOS))} nor a folder of frames"
            )
    if sound_file is None and pictures is not None:
        sound_files = [pictures / name for name in names_in(pictures) if name.lower().endswith(SOUNDS)]
        sound_file = sound_files[0] if sound_files else None
    images = np.empty((0, size, size, 3), np.uint8)
    if sound_file is not None:
        raw, rate, lasts = sound_of_file(sound_file, start, seconds)
    elif video is not None:
        raw, rate = sound_of_video(video, start, seconds)
        lasts = seconds
    else:
        raise Fault("no sound", f"{str(paths[0])!r} has no sound file beside it or in it")
    sound, notes = as_used(raw, rate, seconds, sound_file or video)
    if frames:
        times = start + (np.arange(frames) + 0.5) * (seconds / frames)
        if pictures is not None:
            images = frames_of_folder(pictures, times / (whole or lasts), size)
        elif video is not None:
            images = frames_of_video(video, times, size)
        else:
            raise Fault("no picture", f"{str(paths[0])!r} has no video or folder of frames beside it")
    return Clip(images, sound, notes)


def as_used(
    raw: Float32[np.ndarray, "samples channels"], rate: int, seconds: float, path: Path | None
) -> tuple[Float32[np.ndarray, " used"], tuple[str, ...]]:
    """Sound at 16 kHz, mono, of exactly `seconds`, and what was converted for that."""
    if len(raw) < (seconds - SLACK) * rate:
        raise Fault("truncated", f"{str(path)!r} ends {seconds - len(raw) / rate:.2f} s before the clip does")
    if not np.isfinite(raw).all():
        raise Fault("damaged", f"{str(path)!r} holds samples that are no numbers")
    sound, notes = raw.mean(1, dtype=np.float32), []
    if raw.shape[1] > 1:
        notes.append(f"{raw.shape[1]} channels mixed to one")
    if len(raw) < (seconds - 0.001) * rate:
        notes.append(f"ends early, up to {SLACK} s of silence added")
    if rate != RATE:
        ratio = Fraction(RATE, rate).limit_denominator(1000)  # within a millionth: a sixth of a sample in ten seconds
        sound = resample_poly(sound, ratio.numerator, ratio.denominator).astype(np.float32)
        notes.append(f"resampled from {rate} Hz")
    if np.abs(sound).max() < SILENCE:
        raise Fault("silent", f"{str(path)!r} never exceeds {SILENCE:g} of full scale in the part that is used")
    length = round(seconds * RATE)
    return np.pad(sound[:length], (0, max(length - len(sound), 0))), tuple(notes)
