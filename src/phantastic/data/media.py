"""Sound and pictures out of files: WAV and FLAC by soundfile, videos by PyAV, folders of frames by Pillow.

A file of whatever bytes gives samples and pictures or a `Fault`, which says why not.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps

from phantastic.data.files import names_in
from phantastic.data.folders import LARGEST, picture
from phantastic.ground.errors import Refused

SOUNDS = (".wav", ".flac")
VIDEOS = {".mp4": "mp4", ".mov": "mp4", ".mkv": "matroska", ".webm": "matroska", ".avi": "avi"}  # by demuxer: no other
# one opens, so that a file that names further files or addresses, as a playlist does, is damaged and no more
PICTURES = (".png", ".jpg", ".jpeg")
RATES, CHANNELS = (4_000, 192_000), 8  # what is read of sampling rates (Hz) and channels
SLACK = 0.1  # seconds by which a file may fall short: encoders round to their own frames


class Fault(Refused):
    """A clip that cannot be used: `reason` is one or two words to count by, the message says more."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


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
    images, begin, end, last = [], None, 0.0, None
    try:
        with path.open("rb") as stream, av.open(stream, format=VIDEOS[path.suffix.lower()]) as container:
            if not container.streams.video:
                raise Fault("no picture", f"{str(path)!r} has no track of pictures")
            track = container.streams.video[0]
            if track.codec_context.width * track.codec_context.height > LARGEST:
                raise Fault("damaged", f"{str(path)!r} says it has more than {LARGEST:,} pixels")
            duration = float(1 / track.average_rate) if track.average_rate else 0.04
            for frame in whole_part(container, track):
                if frame.width * frame.height > LARGEST:  # it may change within a track
                    raise Fault("damaged", f"{str(path)!r} has more than {LARGEST:,} pixels")
                begin = frame.time if begin is None and frame.time is not None else begin
                now = (frame.time if frame.time is not None else end) - (begin or 0)
                while last is not None and len(images) < len(times) and times[len(images)] < now:
                    images.append(fitted(last, size))
                if len(images) == len(times):
                    break
                last, end = frame, now + duration
            while last is not None and len(images) < len(times) and times[len(images)] <= end + SLACK:
                images.append(fitted(last, size))
    except Fault:
        raise
    except Exception as error:
        raise Fault("damaged", f"{str(path)!r} cannot be read as a video ({error})") from error
    if last is None:
        raise Fault("damaged", f"{str(path)!r}: none of its pictures can be decoded")
    if len(images) < len(times):
        raise Fault(
            "truncated", f"{str(path)!r} shows nothing after {end:.2f} s; pictures up to {times[-1]:.2f} s are used"
        )
    return np.stack(images)


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
