"""Damaged clips and lists: whatever the bytes, clips come out, or a report of why not, or Refused, and nothing else."""

import os
import resource
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import brightening, tone, write_sound, write_video
from PIL import Image

from phantastic.data import audioset, clips
from phantastic.data.clips import Entry, Listing
from phantastic.ground.errors import Refused

BENT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
REASONS = {"missing", "damaged", "truncated", "silent", "no sound", "no picture", "not a clip"}
ONE = Listing(("thing",), (Entry(("clip",), None, (0,)),))
CLASSES = b'index,mid,display_name\n0,/m/a,"A, b"\n1,/m/b,B\n'
SEGMENTS = b'# comment\n--4gqARaEJE, 0.000, 10.000, "/m/a,/m/b"\nabc, 1, 11, "/m/b"\n'
VGG = b'---g-f_I2yQ,1,people marching,test\nabc,30,"car, train",train\n'


def tried(folder: Path) -> None:
    """Read the one clip; what comes out is a clip as it should be, or a fault with a reason."""
    for _, outcome in clips.each(ONE, folder, 0.5, 2, 16):
        if isinstance(outcome, clips.Fault):
            assert outcome.reason in REASONS
            assert "clip" in str(outcome)
        else:
            assert outcome.frames.shape == (2, 16, 16, 3)
            assert outcome.sound.shape == (8000,)
            assert np.isfinite(outcome.sound).all()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An undamaged file of each kind."""
    folder, pictures = tmp_path_factory.mktemp("whole"), brightening(0.6, height=32, width=32)
    found = {ending: write_video(folder / f"x{ending}", pictures, tone(0.7)) for ending in (".mp4", ".mkv", ".avi")}
    found |= {ending: write_sound(folder / f"x{ending}", tone(0.7)) for ending in (".wav", ".flac")}
    return {ending: path.read_bytes() for ending, path in found.items()}


@BENT
@given(
    ending=st.sampled_from([".mp4", ".mkv", ".avi", ".wav", ".flac"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    head=st.booleans(),
    kept=st.floats(0, 1),
)
def test_bent_files(tmp_path, whole, ending, changes, head, kept):
    data = bytearray(whole[ending])
    for place, value in changes:
        data[int(place * (min(len(data), 300) if head else len(data)))] = value
    for old in tmp_path.glob("clip*"):
        if old.is_file():
            old.unlink()
    frames = tmp_path / "clip"
    if ending in (".wav", ".flac") and not frames.exists():
        frames.mkdir()
        for place in range(3):
            Image.fromarray(brightening(0.1)[0]).save(frames / f"{place}.png")
    (tmp_path / f"clip{ending}").write_bytes(data[: int(kept * len(data)) or None])
    tried(tmp_path)


@BENT
@given(data=st.binary(max_size=300), ending=st.sampled_from([".mp4", ".mkv", ".avi", ".mov", ".webm", ".wav", ".flac"]))
def test_noise_for_a_file(tmp_path, data, ending):
    (tmp_path / f"clip{ending}").write_bytes(data)
    tried(tmp_path)
    (tmp_path / f"clip{ending}").unlink()


@BENT
@given(data=st.binary(max_size=200), place=st.integers(0, 200), kind=st.sampled_from(["segments", "classes", "vgg"]))
def test_bent_lists(tmp_path, data, place, kind):
    files = {"segments": SEGMENTS, "classes": CLASSES, "vgg": VGG}
    files[kind] = files[kind][:place] + data + files[kind][place + len(data) // 2 :]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for read in (
        lambda: audioset.audioset(tmp_path / "segments", tmp_path / "classes"),
        lambda: audioset.vggsound(tmp_path / "vgg", "train"),
    ):
        with suppress(Refused):
            listing = read()
            assert all(0 <= label < len(listing.classes) for entry in listing.entries for label in entry.labels)
            assert all("/" not in name for entry in listing.entries for name in entry.names)


@pytest.mark.parametrize("name", ["", "absent", "a\0b", "x" * 5000, "/dev/null", "\udcff"])
def test_names_that_lead_to_nothing(name):
    for read in (
        lambda: audioset.audioset(name, name),
        lambda: audioset.vggsound(name, "train"),
        lambda: audioset.by_folder(name),
        lambda: clips.load(ONE, name, seconds=1, frames=1, size=16),
    ):
        with pytest.raises(Refused):
            read()


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.wav")
    tried(tmp_path)


@pytest.mark.parametrize("kind", ["wav", "avi"])
def test_a_small_file_that_claims_to_be_large_takes_no_memory(tmp_path, whole, kind):
    if kind == "wav":  # four thousand million frames of eight channels
        fields = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 8, 192_000, 192_000 * 16, 16, 128)
        data = (
            b"RIFF"
            + struct.pack("<I", 2**32 - 1)
            + b"WAVE"
            + fields
            + b"data"
            + struct.pack("<I", 2**32 - 64)
            + b"\1" * 64
        )
    else:  # pictures of sixty thousand by sixty thousand
        data = whole[".avi"].replace(struct.pack("<ii", 32, 32), struct.pack("<ii", 60_000, 60_000))
        assert data != whole[".avi"]
    (tmp_path / f"clip.{kind}").write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tried(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_the_lists_own_names_lead_nowhere_else(tmp_path):
    write_sound(tmp_path / "secret.wav", tone(1))
    (tmp_path / "clips").mkdir()
    listing = Listing(
        ("thing",), (Entry(("..",), None, (0,)), Entry((".",), None, (0,)), Entry(("secret",), None, (0,)))
    )
    assert all(isinstance(outcome, clips.Fault) for _, outcome in clips.each(listing, tmp_path / "clips", 0.5, 1, 16))
