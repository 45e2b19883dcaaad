"""Clips from files written here: what is read, and what is left out under which name."""

import sys
from pathlib import Path

import numpy as np
import pytest
from media import brightening, tone, write_sound, write_video
from PIL import Image

from phantastic.data import audioset, clips
from phantastic.data.clips import Entry, Listing
from phantastic.ground.errors import Refused

RATE = 16_000
SEGMENTS = """# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=4
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 2.000, "/m/068hy,/m/07q6cd_"
-0BIyqJj9ZU, 30.000, 32.000, "/m/0jbk"
_nameless__1, 1.500, 3.500, "/m/07q6cd_"
"""
CLASSES = """index,mid,display_name
0,/m/068hy,"Domestic animals, pets"
1,/m/07q6cd_,Squeak
2,/m/0jbk,Animal
"""


def frames_folder(path: Path, pictures: np.ndarray) -> Path:
    path.mkdir(parents=True)
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"frame{place}.png")
    return path


def one(folder: Path, name: str, **changes) -> tuple[clips.Clips, clips.Report]:
    listing = Listing(("thing",), (Entry((name,), None, (0,)),))
    return clips.load(listing, folder, **{"seconds": 1.0, "frames": 4, "size": 16, **changes})


def reason(folder: Path, name: str = "clip", **changes) -> tuple[str, str]:
    """Why a clip is left out, beside one that is not."""
    if not (folder / "good.wav").exists():
        write_sound(folder / "good.wav", tone(1.2))
        frames_folder(folder / "good", brightening(1.2))
    listing = Listing(("thing",), (Entry(("good",), None, (0,)), Entry((name,), None, (0,))))
    found, report = clips.load(listing, folder, **{"seconds": 1.0, "frames": 4, "size": 16, **changes})
    assert found.names == ("good",)
    assert report.kept == len(found.sound) == 1
    ((left, why, detail),) = report.left_out
    assert left == name
    assert report.lines()[:2] == ["1 of 2 clips are used", f"left out, {why}: 1 ({name})"]
    return why, detail


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_a_sound_file_and_a_folder_of_frames(tmp_path, ending):
    samples = tone(2.0)
    write_sound(tmp_path / f"clip{ending}", samples)
    frames_folder(tmp_path / "clip", brightening(2.0))
    found, report = one(tmp_path, "clip", seconds=1.0)
    assert found.sound.shape == (1, RATE)
    np.testing.assert_allclose(found.sound[0], samples[:RATE, 0], atol=1e-4)
    assert found.frames.shape == (1, 4, 16, 16, 3)
    expected = brightening(2.0)[
        [1, 3, 6, 8], 0, 0, 0
    ]  # twelve and a half per cent of a second and so on, at ten a second
    assert found.frames[0, :, 8, 8, 0].tolist() == expected.tolist()
    assert report == clips.Report(1, (), ())


def test_the_sound_may_lie_in_the_folder_of_frames(tmp_path):
    frames_folder(tmp_path / "clip", brightening(1.0))
    write_sound(tmp_path / "clip" / "anything.flac", tone(1.0))
    found, _ = one(tmp_path, "clip")
    np.testing.assert_allclose(found.sound[0], tone(1.0)[:, 0], atol=1e-4)


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    frames_folder(tmp_path / "clip", brightening(1.2))  # frame0 to frame11
    write_sound(tmp_path / "clip.wav", tone(1.2))
    found, _ = one(tmp_path, "clip", seconds=1.2, frames=12)
    assert (np.diff(found.frames[0, :, 0, 0, 0].astype(int)) > 0).all()


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".mov"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_video(tmp_path, ending, channels):
    write_video(tmp_path / f"clip{ending}", brightening(2.0), tone(2.0, channels=channels))
    found, report = one(tmp_path, "clip", seconds=1.0)
    expected = brightening(2.0)[[1, 3, 6, 8], 0, 0, 0].astype(int)
    assert np.abs(found.frames[0, :, 8, 8, 0].astype(int) - expected).max() <= 4
    spectrum = np.abs(np.fft.rfft(found.sound[0]))
    assert int(spectrum.argmax()) == 440
    assert np.std(found.sound[0]) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert report.converted == ((("clip", "2 channels mixed to one"),) if channels == 2 else ())


def test_a_sound_file_replaces_the_sound_of_a_video(tmp_path):
    write_video(tmp_path / "clip.mp4", brightening(1.2), tone(1.2))
    write_sound(tmp_path / "clip.wav", tone(1.2, frequency=1000.0))
    assert int(np.abs(np.fft.rfft(one(tmp_path, "clip")[0].sound[0])).argmax()) == 1000


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_rate_is_converted_and_told(tmp_path, rate):
    write_sound(tmp_path / "clip.wav", tone(1.0, rate, channels=2), rate)
    found, report = one(tmp_path, "clip", sound_only=True)
    assert found.frames.shape == (1, 0, 16, 16, 3)
    np.testing.assert_allclose(found.sound[0, 800:-800], tone(1.0)[800:-800, 0], atol=5e-3)
    assert report.converted == (("clip", "2 channels mixed to one"), ("clip", f"resampled from {rate} Hz"))
    assert f"resampled from {rate} Hz: 1 (clip)" in report.lines()


@pytest.mark.parametrize(("whole", "first"), [(5.0, 2.0), (3.5, 1.25), (1.0, 0.0), (None, 0.0)])
def test_the_middle_of_a_clip_is_used_and_the_first_where_its_length_is_not_listed(tmp_path, whole, first):
    """Of a sound that rises steadily, which shows where it was cut."""
    ramp = np.linspace(0, 0.9, round(5 * RATE), endpoint=False)[:, None]
    write_sound(tmp_path / "clip.wav", ramp, subtype="FLOAT")
    listing = Listing(("thing",), (Entry(("clip",), whole, (0,)),))
    found, _ = clips.load(listing, tmp_path, seconds=1.0, frames=1, size=16, sound_only=True)
    begin = round(first * RATE)
    np.testing.assert_allclose(found.sound[0], ramp[begin : begin + RATE, 0], atol=1e-6)


def test_both_channels_are_heard_alike(tmp_path):
    both = np.stack([tone(1.0)[:, 0], tone(1.0, frequency=1000.0)[:, 0]], 1)
    write_sound(tmp_path / "clip.wav", both, subtype="FLOAT")
    np.testing.assert_allclose(one(tmp_path, "clip", sound_only=True)[0].sound[0], both.mean(1), atol=1e-6)


@pytest.mark.parametrize("late", [0.0, 0.4])
def test_a_track_of_sound_that_begins_late_is_silent_until_then(tmp_path, late):
    write_video(tmp_path / "clip.mkv", brightening(1.6), tone(1.2), late=late)
    sound = one(tmp_path, "clip")[0].sound[0]
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    assert loud[0] / RATE == pytest.approx(late, abs=0.05)  # the encoder's frames are 64 ms
    assert np.abs(sound[: max(loud[0] - 1024, 0)]).max(initial=0) < 0.01
    assert len(sound) == RATE


def test_a_missing_clip(tmp_path):
    assert reason(tmp_path)[0] == "missing"


def test_a_silent_clip(tmp_path):
    write_sound(tmp_path / "clip.wav", np.zeros(2 * RATE))
    assert reason(tmp_path, sound_only=True)[0] == "silent"
    write_sound(tmp_path / "clip.wav", tone(2.0, channels=2) * [1, -1])
    assert reason(tmp_path, sound_only=True)[0] == "silent"


def test_a_sound_upside_down_is_the_same_sound(tmp_path):
    """One that only ever pulls is as loud as one that only ever pushes, down to a ten-thousandth of full scale."""
    push = np.abs(tone(1.0, frequency=50.0))
    for loud, kept in ((0.3, True), (1.1e-4, True), (0.9e-4, False)):
        for sign in (1, -1):
            write_sound(tmp_path / "clip.wav", sign * loud * push / push.max(), subtype="FLOAT")
            if kept:
                sound = one(tmp_path, "clip", sound_only=True)[0].sound[0]
                assert (sign * sound).max() == pytest.approx(loud, rel=0.01)
                assert (sign * sound).min() >= 0
            else:
                assert reason(tmp_path, sound_only=True)[0] == "silent"


def test_a_clip_that_ends_a_little_early_is_filled_and_told(tmp_path):
    write_sound(tmp_path / "clip.wav", tone(0.95))
    found, report = one(tmp_path, "clip", sound_only=True)
    assert not found.sound[0, 15_200:].any()
    assert report.converted == (("clip", "ends early, up to 0.1 s of silence added"),)


@pytest.mark.parametrize("short", ["sound", "frames", "video", "cut"])
def test_a_truncated_clip(tmp_path, short):
    if short in ("video", "cut"):
        path = write_video(tmp_path / "clip.avi", brightening(0.6 if short == "video" else 1.2), tone(1.2))
        if short == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        write_sound(tmp_path / "clip.wav", tone(0.5 if short == "sound" else 1.2))
        frames_folder(tmp_path / "clip", brightening(1.2 if short == "sound" else 0.3))
    why, detail = reason(tmp_path)
    assert why == "truncated"
    assert "clip" in detail


@pytest.mark.parametrize("kind", ["wav", "flac", "mp4", "png", "nan", "rate", "channels", "playlist", "link"])
def test_a_damaged_clip(tmp_path, kind):
    if kind in ("wav", "flac", "mp4"):
        (tmp_path / f"clip.{kind}").write_bytes(b"not a " * 99)
    elif kind == "png":
        write_sound(tmp_path / "clip.wav", tone(1.2))
        (frames_folder(tmp_path / "clip", brightening(0.4)) / "frame2.png").write_bytes(b"\x89PNG")
    elif kind == "nan":
        write_sound(tmp_path / "clip.wav", np.full(2 * RATE, np.nan), subtype="FLOAT")
    elif kind == "playlist":
        write_sound(tmp_path / "other.wav", tone(1.2))
        (tmp_path / "clip.mkv").write_text(f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'other.wav'}\n")
    elif kind == "link":
        (tmp_path / "clip.wav").symlink_to(tmp_path / "nowhere")
    else:
        write_sound(tmp_path / "clip.wav", *((tone(1.2, 1000), 1000) if kind == "rate" else (tone(1.2, channels=12),)))
    why, detail = reason(tmp_path, sound_only=kind != "png")
    assert why == "damaged"
    assert "clip" in detail


def test_a_clip_that_lacks_a_sense(tmp_path):
    write_video(tmp_path / "mute.mp4", brightening(1.2), None)
    write_video(tmp_path / "blind.mp4", None, tone(1.2))
    write_sound(tmp_path / "alone.wav", tone(1.2))
    frames_folder(tmp_path / "still", brightening(1.2))
    assert reason(tmp_path, "mute")[0] == reason(tmp_path, "still")[0] == "no sound"
    assert reason(tmp_path, "blind")[0] == reason(tmp_path, "alone")[0] == "no picture"


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "thing").mkdir()
    write_sound(tmp_path / "thing" / "clip.wav", tone(1.2))
    (tmp_path / "thing" / "notes.txt").write_text("read me")
    found, report = clips.load(audioset.by_folder(tmp_path), tmp_path, seconds=1.0, frames=1, size=16, sound_only=True)
    assert found.names == ("thing/clip",)
    assert report.left_out[0][:2] == ("thing/notes.txt", "not a clip")


def test_no_clip_at_all_is_refused_with_the_reasons(tmp_path):
    with pytest.raises(Refused, match=r"left out, missing: 1 \(clip\)"):
        one(tmp_path, "clip")
    with pytest.raises(Refused, match="does not exist"):
        one(tmp_path / "absent", "clip")
    for wrong in ({"seconds": 0.0}, {"frames": 0}, {"size": 4}, {"seconds": float("nan")}):
        with pytest.raises(Refused, match="allowed"):
            one(tmp_path, "clip", **wrong)


@pytest.mark.parametrize(("module", "ending"), [("soundfile", ".wav"), ("av", ".mp4")])
def test_without_the_extra_it_says_how_to_install_it(tmp_path, monkeypatch, module, ending):
    write_sound(tmp_path / "clip.wav", tone(1.2))
    (tmp_path / "clip.wav").rename(tmp_path / f"clip{ending}")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Refused, match=r"pip install 'phantastic\[audiovisual\]'"):
        one(tmp_path, "clip", sound_only=True)


def test_audioset_by_its_files(tmp_path):
    (tmp_path / "segments.csv").write_text(SEGMENTS)
    (tmp_path / "classes.csv").write_text(CLASSES)
    listing = audioset.audioset(tmp_path / "segments.csv", tmp_path / "classes.csv")
    assert listing.classes == ("Domestic animals, pets", "Squeak", "Animal")
    assert [entry.labels for entry in listing.entries] == [(0, 1), (2,), (1,)]
    assert [entry.seconds for entry in listing.entries] == [2, 2, 2]
    folder = tmp_path / "clips"
    write_sound(folder / "Y--4gqARaEJE.wav", tone(2.0, frequency=500.0))
    write_sound(folder / "-0BIyqJj9ZU_30000_32000.flac", np.concatenate([np.zeros((8000, 1)), tone(1.5)]))
    write_sound(folder / "_nameless__1_1.500_3.500.wav", tone(1.3))
    found, report = clips.load(listing, folder, seconds=1.0, frames=1, size=16, sound_only=True)
    assert found.labels.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert found.names == ("--4gqARaEJE", "-0BIyqJj9ZU")
    assert report.left_out[0][:2] == ("_nameless__1", "truncated")  # its middle second ends at 1.5 s
    np.testing.assert_allclose(found.sound[1], tone(1.5)[:RATE, 0], atol=1e-4)


def test_vggsound_by_its_file(tmp_path):
    (tmp_path / "vggsound.csv").write_text(
        '---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,"railroad car, train wagon",train\n'
        "abc,5,people marching,train\n"
    )
    train, test = (audioset.vggsound(tmp_path / "vggsound.csv", part) for part in ("train", "test"))
    assert train.classes == test.classes == ("people marching", "railroad car, train wagon")
    assert [entry.labels for entry in train.entries] == [(1,), (0,)]
    assert "--0PQM4-hqg_000030" in train.entries[0].names
    assert test.entries[0].seconds == 10
    with pytest.raises(Refused, match="allowed: train, test"):
        audioset.vggsound(tmp_path / "vggsound.csv", "valid")


def test_a_folder_of_classes(tmp_path):
    for name, frequency in (("bell/a", 500.0), ("bell/b", 600.0), ("drum/a", 100.0)):
        write_sound(tmp_path / f"{name}.wav", tone(1.0, frequency=frequency))
        frames_folder(tmp_path / name, brightening(1.0))
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    listing = audioset.by_folder(tmp_path)
    found, report = clips.load(listing, tmp_path, seconds=1.0, frames=2, size=16)
    assert found.names == ("bell/a", "bell/b", "drum/a")
    assert found.labels.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert report.lines() == ["3 of 3 clips are used"]
    (tmp_path / "stray.wav").write_bytes(b"")
    with pytest.raises(Refused, match=r"holds 'stray\.wav' beside its folders"):
        audioset.by_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no clip"),
        ("# only a comment\n", "lists no clip"),
        ("a, 0, 10\n", "line 1: 3 cells"),
        ('ok, 0, 10, "/m/0jbk"\na, 10, 5, "/m/0jbk"\n', "line 2: from 10 to 5"),
        ('a, 0, nan, "/m/0jbk"\n', "from 0 to nan"),
        ('a, 0, 10, "/m/0jbc"\n', "did you mean '/m/0jbk'"),
        ('../../secret, 0, 10, "/m/0jbk"\n', "is no YTID"),
        ('a, 0, 10, "/m/0jbk', "line 1"),
        ("a\0b, 0, 10, x\n", "line 1"),
    ],
)
def test_lists_of_segments_that_are_none(tmp_path, text, message):
    (tmp_path / "segments.csv").write_text(text)
    (tmp_path / "classes.csv").write_text(CLASSES)
    with pytest.raises(Refused, match=message) as refusal:
        audioset.audioset(tmp_path / "segments.csv", tmp_path / "classes.csv")
    assert "segments.csv" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("mid,name\n", "line 1"),
        ("index,mid,display_name\n", "names no class"),
        ("index,mid,display_name\n1,/m/a,A\n", "line 2"),
        ("index,mid,display_name\n0,/m/a,A\n1,/m/a,B\n", "twice"),
    ],
)
def test_lists_of_classes_that_are_none(tmp_path, text, message):
    (tmp_path / "classes.csv").write_text(text)
    (tmp_path / "segments.csv").write_text(SEGMENTS)
    with pytest.raises(Refused, match=message) as refusal:
        audioset.audioset(tmp_path / "segments.csv", tmp_path / "classes.csv")
    assert "classes.csv" in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["a,b,c,train\n", "a,1,c\n", "a,1,c,valid\n", "a,1,,train\n", "a/b,1,c,train\n", "\xff"]
)
def test_lists_of_vggsound_that_are_none(tmp_path, text):
    (tmp_path / "vggsound.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(Refused, match=r"vggsound\.csv"):
        audioset.vggsound(tmp_path / "vggsound.csv", "train")
