"""Small sound and video files, written for tests."""

from pathlib import Path

import av
import numpy as np
import soundfile


def tone(seconds: float, rate: int = 16_000, channels: int = 1, frequency: float = 440.0) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return np.repeat(0.3 * np.sin(2 * np.pi * frequency * times)[:, None], channels, axis=1)


def write_sound(path: Path, samples: np.ndarray, rate: int = 16_000, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


def write_video(
    path: Path, pictures: np.ndarray | None, sound: np.ndarray | None, rate: int = 16_000, per_second: int = 10,
    late: float = 0.0,
) -> Path:  # fmt: skip
    """Pictures uint8 [n, height, width, 3] and sound [samples, channels], as MPEG-4 and AAC (AVI: and PCM); the sound
    begins ``late`` by so many seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if pictures is not None:
            track = container.add_stream("mpeg4", rate=per_second)
            track.width, track.height, track.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
            track.bit_rate = 4_000_000
        if sound is not None:
            layout = "mono" if sound.shape[1] == 1 else "stereo"
            voice = container.add_stream("pcm_s16le" if path.suffix == ".avi" else "aac", rate=rate, layout=layout)
        if pictures is not None:
            for picture in pictures:
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(track.encode())
        if sound is not None:
            whole = np.ascontiguousarray((np.clip(sound, -1, 1) * 32767).astype(np.int16).reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, round(late * rate)
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
    return path


def brightening(seconds: float, per_second: int = 10, height: int = 48, width: int = 64) -> np.ndarray:
    """Grey pictures, each brighter than the one before: from 0 by 200 levels over the whole."""
    levels = np.linspace(0, 200, round(seconds * per_second)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), height, width, 3)).copy()
