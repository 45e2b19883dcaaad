"""Clips of the user's own, with sound and pictures: videos, or sound files beside folders of frames.

What cannot be used is left out, named and counted with the reason, never replaced; what had to be converted is told.
Sound files need soundfile, videos PyAV: pip install 'phantastic[audiovisual]'.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps
from scipy.signal import resample_poly

from phantastic.data.files import folder, names_in
from phantastic.data.folders import DROPPINGS, LARGEST, picture
from phantastic.errors import Refused

RATE = 16_000  # Hz
SOUNDS = (".wav", ".flac")
VIDEOS = {".mp4": "mp4", ".mov": "mp4", ".mkv": "matroska", ".webm": "matroska", ".avi": "avi"}  # by demuxer: no other
# one opens, so that a file that names further files or addresses, as a playlist does, is damaged and no more
PICTURES = (".png", ".jpg", ".jpeg")
RATES, CHANNELS = (4_000, 192_000), 8  # what is read of sampling rates (Hz) and channels
SILENCE = 1e-4  # of full scale; what never gets louder is silent
SLACK = 0.1  # seconds by which a file may fall short: encoders round to their own frames


class Fault(Refused):
    """A clip that cannot be used: `reason` is one or two words to count by, the message says more."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


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
        told = [f"{self.kept} of {self.kept + len(self.left_out)} clips are used"]
        for lead, pairs in (
            ("left out, ", [(reason, name) for name, reason, _ in self.left_out]),
            ("", [(note, name) for name, note in self.converted]),
        ):
            for kind, count in Counter(kind for kind, _ in pairs).most_common():
                names = [name for other, name in pairs if other == kind]
                more = f" and {count - 5} more" if count > 5 else ""
                told.append(f"{lead}{kind}: {count} ({', '.join(names[:5])}{more})")
        return told


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
        if found := shelves[place].get(name.rpartition("/")[2]):
            return found
    raise Fault("missing", f"{str(root)!r} holds no clip named {' or '.join(entry.names)}")


def shelf(place: Path) -> dict[str, list[Path]]:
    """What a folder holds, by name without ending."""
    found: dict[str, list[Path]] = {}
    for name in names_in(place) if place.is_dir() else []:
        if not name.startswith(".") and name.lower() not in DROPPINGS:
            stem, ending = os.path.splitext(name)
            known = ending.lower() in (*SOUNDS, *VIDEOS)
            found.setdefault(stem if known else name, []).append(place / name)
    return found


def read(paths: list[Path], start: float, seconds: float, whole: float | None, frames: int, size: int) -> Clip:
    """One clip from its files, from `start` on: sound from a sound file where there is one, else from the video;
    pictures from a folder of frames (which lasts `whole` seconds, or else as long as the sound), else from the video.

    Raises Fault where it cannot be used.
    """
    beside, video, pictures = None, None, None
    for path in paths:
        ending = path.suffix.lower()
        if path.is_dir():
            pictures = path
        elif not path.is_file():
            raise Fault("damaged", f"{str(path)!r} is neither a file nor a folder")
        elif ending in SOUNDS:
            beside = path
        elif ending in VIDEOS:
            video = path
        else:
            raise Fault(
                "not a clip", f"{str(path)!r} is none of {', '.join((*SOUNDS, *VIDEOS))} nor a folder of frames"
            )
    if beside is None and pictures is not None:
        inside = [pictures / name for name in names_in(pictures) if name.lower().endswith(SOUNDS)]
        beside = inside[0] if inside else None
    shown = np.empty((0, size, size, 3), np.uint8)
    if beside is not None:
        raw, rate, lasts = sound_of_file(beside, start, seconds)
    elif video is not None:
        raw, rate = sound_of_video(video, start, seconds)
        lasts = seconds
    else:
        raise Fault("no sound", f"{str(paths[0])!r} has no sound file beside it or in it")
    sound, notes = as_used(raw, rate, seconds, beside or video)
    if frames:
        times = start + (np.arange(frames) + 0.5) * (seconds / frames)
        if pictures is not None:
            shown = frames_of_folder(pictures, times / (whole or lasts), size)
        elif video is not None:
            shown = frames_of_video(video, times, size)
        else:
            raise Fault("no picture", f"{str(paths[0])!r} has no video or folder of frames beside it")
    return Clip(shown, sound, notes)


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


def sound_of_file(
    path: Path, start: float, seconds: float
) -> tuple[Float32[np.ndarray, "samples channels"], int, float]:
    """The samples of a WAV or FLAC file from `start` on, at most `seconds` of them, their rate, and its length."""
    soundfile = needed("soundfile", "WAV and FLAC")
    try:
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            rate, channels = file.samplerate, file.channels
            plausible(path, rate, channels)
            first = round(start * rate)
            if first >= file.frames:
                raise Fault("truncated", f"{str(path)!r} ends before {start:g} s")
            file.seek(first)
            return file.read(round(seconds * rate), dtype="float32", always_2d=True), rate, file.frames / rate
    except Fault:
        raise
    except Exception as error:  # a damaged file can raise nearly anything within a decoder
        raise Fault("damaged", f"{str(path)!r} cannot be read as sound ({error})") from error


def plausible(path: Path, rate: int, channels: int) -> None:
    if not RATES[0] <= rate <= RATES[1] or not 1 <= channels <= CHANNELS:
        raise Fault(
            "damaged",
            f"{str(path)!r} says {rate} Hz and {channels} channels; read are {RATES[0]} to {RATES[1]} Hz and up to "
            f"{CHANNELS} channels",
        )


def sound_of_video(path: Path, start: float, seconds: float) -> tuple[Float32[np.ndarray, "samples channels"], int]:
    """The samples of a video's first track of sound, likewise, and their rate."""
    av = needed("av", "videos")
    pieces, rate, place = [], 0, 0
    try:
        with path.open("rb") as stream, av.open(stream, format=VIDEOS[path.suffix.lower()]) as container:
            if not container.streams.audio:
                raise Fault("no sound", f"{str(path)!r} has no track of sound, and there is no sound file beside it")
            track = container.streams.audio[0]
            rate, channels = track.rate or 0, track.channels or 0
            plausible(path, rate, channels)
            uniform = av.AudioResampler(format="fltp", layout=track.layout, rate=rate)
            first, last = round(start * rate), round((start + seconds) * rate)
            for decoded in whole_part(container, track):
                for frame in uniform.resample(decoded):
                    samples = frame.to_ndarray().T
                    if not pieces and frame.time:  # a track may begin late
                        place = max(round(frame.time * rate), 0)
                        pieces.append(np.zeros((min(max(place - first, 0), last - first), channels), np.float32))
                    pieces.append(samples[max(first - place, 0) : max(last - place, 0)])
                    place += len(samples)
                if place >= last:
                    break
    except Fault:
        raise
    except Exception as error:
        raise Fault("damaged", f"{str(path)!r} cannot be read as a video with sound ({error})") from error
    if not pieces:
        raise Fault("damaged", f"{str(path)!r}: none of its sound can be decoded")
    return np.concatenate(pieces), rate


def frames_of_video(path: Path, times: np.ndarray, size: int) -> UInt8[np.ndarray, "frames size size 3"]:
    """The pictures that a video shows at some times in rising order (seconds), middle squares, resized."""
    av = needed("av", "videos")
    shown, begin, end, last = [], None, 0.0, None
    try:
        with path.open("rb") as stream, av.open(stream, format=VIDEOS[path.suffix.lower()]) as container:
            if not container.streams.video:
                raise Fault("no picture", f"{str(path)!r} has no track of pictures")
            track = container.streams.video[0]
            if track.codec_context.width * track.codec_context.height > LARGEST:
                raise Fault("damaged", f"{str(path)!r} says it has more than {LARGEST:,} pixels")
            lasts = float(1 / track.average_rate) if track.average_rate else 0.04
            for frame in whole_part(container, track):
                if frame.width * frame.height > LARGEST:  # it may change within a track
                    raise Fault("damaged", f"{str(path)!r} has more than {LARGEST:,} pixels")
                begin = frame.time if begin is None and frame.time is not None else begin
                now = (frame.time if frame.time is not None else end) - (begin or 0)
                while last is not None and len(shown) < len(times) and times[len(shown)] < now:
                    shown.append(fitted(last, size))
                if len(shown) == len(times):
                    break
                last, end = frame, now + lasts
            while last is not None and len(shown) < len(times) and times[len(shown)] <= end + SLACK:
                shown.append(fitted(last, size))
    except Fault:
        raise
    except Exception as error:
        raise Fault("damaged", f"{str(path)!r} cannot be read as a video ({error})") from error
    if last is None:
        raise Fault("damaged", f"{str(path)!r}: none of its pictures can be decoded")
    if len(shown) < len(times):
        raise Fault(
            "truncated", f"{str(path)!r} shows nothing after {end:.2f} s; pictures up to {times[-1]:.2f} s are used"
        )
    return np.stack(shown)


def whole_part(container: Any, track: Any) -> Iterator[Any]:
    """The frames of a track up to where it is damaged; that part, where too short, is then found to be truncated."""
    from av.error import FFmpegError

    try:
        yield from container.decode(track)
    except (FFmpegError, EOFError):
        return


def fitted(frame: Any, size: int) -> np.ndarray:
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))


def frames_of_folder(path: Path, places: np.ndarray, size: int) -> UInt8[np.ndarray, "frames size size 3"]:
    """Pictures of a folder, sorted by name with numbers in order (2 before 10), at parts (0 to 1) of its length."""
    names = [name for name in names_in(path) if name.lower().endswith(PICTURES) and not name.startswith(".")]
    names.sort(
        key=lambda name: [(len(part), part) if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
    )
    if not names:
        raise Fault("no picture", f"the folder {str(path)!r} holds no picture ({', '.join(PICTURES)})")
    if len(names) < len(places):
        raise Fault("truncated", f"the folder {str(path)!r} holds {len(names)} pictures; {len(places)} are used")
    chosen = np.minimum((places * len(names)).astype(int), len(names) - 1)
    try:
        return np.stack([picture(path / names[place], size) for place in chosen])
    except Refused as refusal:
        raise Fault("damaged", str(refusal)) from None


def needed(module: str, what: str) -> ModuleType:
    """An extra's module, or Refused with the command that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise Refused(
            f"reading {what} needs {module}; install it with: pip install 'phantastic[audiovisual]'"
        ) from None
