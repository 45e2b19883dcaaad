"""Where the readers of data draw their lines: on either side of each bound, and against tables as published."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from media import brightening, tone, write_sound, write_video
from PIL import Image

from phantastic.data import (
    audioset,
    audiovisual,
    clips,
    folders,
    glue,
    media,
    minimal_pairs,
    race,
    spectrogram,
    squad,
    text,
)
from phantastic.data.clips import Entry, Listing
from phantastic.data.media import Fault
from phantastic.data.text_metrics import MEASURES, best_answer, measure, normalised, squad_measures, token_f1
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator

RATE = 16_000

# --- measures of language


def test_the_leaderboard_s_measures():
    """Wang et al. (2019), table 1, and those of SuperGLUE that are read."""
    accuracy = dict.fromkeys(("SST-2", "MNLI", "QNLI", "RTE", "WNLI"), ("accuracy",))
    others = {"CoLA": ("matthews",), "STS-B": ("pearson", "spearman")}
    others |= {"AX": ("matthews",)}
    superglue = {"BoolQ": ("accuracy",), "CB": ("f1_macro", "accuracy"), "AX-b": ("matthews",), "AX-g": ("accuracy",)}
    assert accuracy | others | superglue | dict.fromkeys(("MRPC", "QQP"), ("f1", "accuracy")) == MEASURES


def test_one_side_that_never_varies_has_no_correlation():
    for name in ("pearson", "spearman", "matthews"):
        for guess, gold in (([1, 1, 1], [0, 1, 1]), ([0, 1, 1], [1, 1, 1]), ([1, 1, 1], [1, 1, 1])):
            assert measure(name, guess, gold) == 0
    assert measure("f1", [1, 1], [0, 0]) == measure("f1", [0, 0], [1, 1]) == 0
    assert measure("f1", [0, 1, 1, 1], [1, 1, 0, 1]) == pytest.approx(2 / 3)
    assert measure("spearman", [1, 2, 3, 400], [1, 20, 21, 22]) == pytest.approx(1)
    assert measure("pearson", [1, 2, 3, 400], [1, 20, 21, 22]) < 0.6


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_prediction_that_is_no_number_is_named_by_its_place(wrong: float):
    with pytest.raises(Refused, match="prediction 2 is not finite"):
        measure("pearson", [0.0, 1.0, wrong, 1.0], [0, 1, 1, 1])


def test_answers_lose_their_articles_punctuation_capitals_and_spaces():
    assert normalised("  A cat, an Owl\tand THE theatre's another-thing. ") == "cat owl and theatres anotherthing"
    assert best_answer("an owl", ["cat", "owl bird"]) == (0, pytest.approx(2 / 3))
    assert best_answer("owl", ["the", "owl"]) == (1, 1)
    assert best_answer("", ["the", "an"]) == (1, 1)  # nothing is left of the right answers
    assert best_answer("", ["the", "owl"]) == (0, 0)  # something is left of one, and that alone is right
    assert best_answer("x", ["the"]) == best_answer("x", []) == (0, 0)
    assert token_f1("b b c", "b c c") == pytest.approx(2 * 2 / 6)
    assert token_f1("", "the") == 1


def test_the_best_threshold_is_that_of_all_thresholds():
    """Above it a prediction counts as ""; every threshold is tried."""
    generator = np.random.default_rng(0)
    words = ["cat", "owl", "red owl", "", "big red cat"]
    for _ in range(20):
        keys = [f"q{number}" for number in range(8)]
        gold = {key: [words[generator.choice([0, 1, 2, 4])]] if generator.random() < 0.6 else [] for key in keys}
        said = {key: words[generator.integers(5)] for key in keys}
        doubt = {key: float(generator.random()) for key in keys}
        found = squad_measures(said, gold, doubt)
        for place, name in enumerate(("best_exact", "best_f1")):
            totals = [
                np.mean([best_answer(said[key] if doubt[key] <= limit else "", gold[key])[place] for key in keys])
                for limit in (-1.0, *doubt.values())
            ]
            assert found[name] == pytest.approx(max(totals))


def test_measures_of_either_kind_of_question():
    gold = {"a": ["cat"], "b": [], "c": ["owl"], "d": []}
    found = squad_measures({"a": "cat", "b": "x", "c": "red owl", "d": ""}, gold)
    assert found == {
        "exact": 0.5, "f1": pytest.approx((1 + 0 + 2 / 3 + 1) / 4), "answerable_exact": 0.5,
        "answerable_f1": pytest.approx(5 / 6), "unanswerable_exact": 0.5, "unanswerable_f1": 0.5,
    }  # fmt: skip
    assert set(squad_measures({"b": ""}, {"b": []})) == {"exact", "f1", "unanswerable_exact", "unanswerable_f1"}
    with pytest.raises(Refused, match="no questions"):
        squad_measures({}, {})
    with pytest.raises(Refused, match="no question for id 'z'"):
        squad_measures({"a": "cat", "z": ""}, {"a": ["cat"]})


# --- benchmarks


@pytest.mark.parametrize(
    ("task", "classes", "key", "name"),
    [
        ("CoLA", ("0", "1"), "index", "CoLA"), ("SST-2", ("0", "1"), "index", "SST-2"),
        ("MRPC", ("0", "1"), "index", "MRPC"), ("STS-B", (), "index", "STS-B"), ("QQP", ("0", "1"), "id", "QQP"),
        ("MNLI", ("entailment", "neutral", "contradiction"), "index", "MNLI-m"),
        ("QNLI", ("entailment", "not_entailment"), "index", "QNLI"),
        ("RTE", ("entailment", "not_entailment"), "index", "RTE"), ("WNLI", ("0", "1"), "index", "WNLI"),
    ],
)  # fmt: skip
def test_classes_are_numbered_and_files_called_as_the_benchmark_has_it(tmp_path, task, classes, key, name):
    assert (glue.TASKS[task].classes, glue.TASKS[task].key) == (classes, key)
    predictions = list(range(len(classes))) or [2.5]
    examples = glue.Examples(task, "", [("a",)] * len(predictions), None, [str(7 + i) for i in predictions], [])
    for mismatched in (False, True):
        path = glue.write_submission(task, predictions, examples, tmp_path, mismatched=mismatched)
        assert path.name == ("MNLI-mm.tsv" if mismatched and task == "MNLI" else f"{name}.tsv")
    lines = [f"{7 + i}\t{label}" for i, label in enumerate(classes)] or ["9.5\t2.500"]
    assert path.read_text().splitlines()[1:] == lines
    other = examples._replace(task="SST-2" if task != "SST-2" else "CoLA")
    for wrong, said in ((examples._replace(indices=[]), "predictions for 0"), (other, "examples of")):
        with pytest.raises(Refused, match=said):
            glue.write_submission(task, predictions, wrong, tmp_path)
    if classes:
        for value in (-1, len(classes), 0.5):
            with pytest.raises(Refused, match="is no class"):
                glue.write_submission(task, [value] * len(predictions), examples, tmp_path)


@pytest.mark.parametrize(("cell", "label"), [("0", 0.0), ("5", 5.0), ("5.0", 5.0), ("5.01", None), ("-0.1", None)])
def test_similarity_goes_from_0_to_5(tmp_path, cell, label):
    header = "index\tsentence1\tsentence2\tscore"
    (tmp_path / "dev.tsv").write_text(f"{header}\n1\ta\tb\t{cell}\n2\tc\td\t1\n")
    found = glue.load("STS-B", "dev", tmp_path, skip_damaged=True)
    assert found.labels == ([1.0] if label is None else [label, 1.0])


def test_a_column_given_twice_and_a_folder_of_the_task_s_name(tmp_path):
    (tmp_path / "dev.tsv").write_text("sentence\tlabel\tlabel\nx\t1\t1\n")
    with pytest.raises(Refused, match="several columns 'label'"):
        glue.load("SST-2", "dev", tmp_path)
    (tmp_path / "SST-2").mkdir()
    (tmp_path / "SST-2/dev.tsv").write_text("sentence\tlabel\nx\t1\n")
    assert glue.load("SST-2", "dev", tmp_path).labels == [1]  # it comes first


def test_every_gap_of_a_question_is_filled():
    choice = race.Choice("x/0", "high", "", "A _ is a _ .", ("cow", "dog", "king", "hen"), 2)
    assert choice.filled(3) == "A hen is a hen ."
    with pytest.raises(Refused, match="four options"):
        race._choice("q", list("abcde"), "A", "", "here", "k", "high")
    levels = [choice, choice._replace(id="y/0", level="middle", answer=1)]
    assert race.evaluate(levels, {"x/0": 2, "y/0": 0}) == {"accuracy": 0.5, "middle": 0.0, "high": 1.0}
    assert race.evaluate(levels[:1], {"x/0": 2}) == {"accuracy": 1.0, "high": 1.0}


def test_minimal_pairs_are_averaged_by_paradigm(tmp_path):
    pair = minimal_pairs.Pair("good", "bad")
    groups = {"one": [pair] * 3, "two": [pair]}
    given = {6: [1, 0, 1, 0, 0, 1], 2: [1, 0]}
    found = minimal_pairs.evaluate(groups, lambda some: given[len(some)])
    assert found == {"one": pytest.approx(2 / 3), "two": 1.0, "overall": pytest.approx(5 / 6)}
    for wrong, said in (({}, "no minimal pairs"), ({"overall": [pair]}, "called 'overall'")):
        with pytest.raises(Refused, match=said):
            minimal_pairs.evaluate(wrong, lambda some: [0.0] * len(some))
    (tmp_path / "a.txt").write_text("bad\ngood\n")
    (tmp_path / "b.jsonl").write_text('{"sentence_good": "x", "sentence_bad": "y", "UID": "a"}\n')
    with pytest.raises(Refused, match="'a' was in another file"):
        minimal_pairs.load(tmp_path)
    (tmp_path / "b.jsonl").write_text('{"sentence_good": "x", "sentence_bad": "y"}\n')
    assert minimal_pairs.load(tmp_path) == {"a": [pair], "b": [minimal_pairs.Pair("x", "y")]}
    for line, said in ('"x", "sentence_bad": "x"', "the same, 'x'"), ('" ", "sentence_bad": "y"', "is empty"):
        (tmp_path / "b.jsonl").write_text(f'{{"sentence_good": {line}}}\n')
        with pytest.raises(Refused, match=said):
            minimal_pairs.load(tmp_path)


def test_a_yes_is_no_number_and_a_line_is_counted_from_one(tmp_path):
    assert text.field({"n": 3}, "n", int, "here") == 3
    assert text.field({"n": True}, "n", bool, "here") is True
    for value, said in ((True, "true or false; expected a whole number"), (None, "null"), (1.5, "float")):
        with pytest.raises(Refused, match=f"here: 'n' is {said}"):
            text.field({"n": value}, "n", int, "here")
    path = tmp_path / "some.txt"
    path.write_bytes(b"one \r\n two\nthree\xff")
    with pytest.raises(Refused, match="line 3: not UTF-8"):
        text.text_of(path, "words")
    path.write_bytes(b"\xef\xbb\xbfone \r\n two\r\n\n")
    assert text.lines_of(path, "words") == ["one ", " two"]


# --- sounds and pictures


def test_spectrograms_of_which_nothing_is_said_and_their_bounds():
    sound = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    assert spectrogram.log_mel(sound).shape == (100, 128)
    assert torch.equal(spectrogram.log_mel(sound), spectrogram.log_mel(sound, 128, 0.01, 16_000))
    assert spectrogram.log_mel(sound[:160]).shape == (1, 128)  # a hop and no more
    assert spectrogram.log_mel(sound, 1, 1.0).shape == (1, 1)
    assert spectrogram.log_mel(sound[:800], 512).shape == (5, 512)
    for wrong in ({"bands": 513}, {"bands": 0}, {"hop": 1.01}, {"hop": -0.01}):
        with pytest.raises(Refused, match="allowed"):
            spectrogram.log_mel(sound, **wrong)
    with pytest.raises(Refused, match="159 samples"):
        spectrogram.log_mel(sound[:159])
    assert float(spectrogram.mel(torch.tensor(1000.0))) == pytest.approx(1000, abs=0.1)  # a thousand mel
    assert spectrogram.edges(2, RATE)[[0, -1]].tolist() == [0, pytest.approx(8000)]


@pytest.mark.parametrize(("bands", "rate", "size"), [(40, 16_000, 512), (1, 16_000, 512), (128, 16_000, 1024)])
def test_a_transform_is_the_smallest_that_holds_the_window_and_resolves_every_band(bands: int, rate: int, size: int):
    assert spectrogram.bins_for(bands, rate) == size
    width = float(spectrogram.edges(bands, rate)[2])
    assert size >= 0.025 * rate
    assert rate / size <= width
    assert size // 2 < 0.025 * rate or rate / (size // 2) > width


def test_masks_of_which_nothing_is_said_are_those_of_mbt():
    """One of up to 48 bands and four of up to 48 frames (Nagrani et al. 2021), every length as likely, everywhere."""
    hidden = audiovisual.spec_augment(torch.ones(300, 200, 64), numpy_generator(0, "masks")) == 0
    bands, times = hidden.all(1), hidden.all(2)
    lengths = bands.sum(1)
    assert int(lengths.max()) == 48
    assert int(lengths.min()) == 0
    assert float(lengths.double().mean()) == pytest.approx(24, abs=2)
    stretches = (times.int().diff(dim=1, prepend=torch.zeros(300, 1)) == 1).sum(1)
    assert int(stretches.max()) == 4
    covered = float(times.double().mean())
    assert covered == pytest.approx(1 - (1 - 24 / 200) ** 4, abs=0.03)
    ends = bands.double().mean(0)
    assert float(ends[0]) > 0  # from the first band to the last
    assert float(ends[-1]) > 0
    assert float(ends[24:40].mean()) > 2 * float(ends[0])
    longest = audiovisual.masked(500, 1, 10, 10, numpy_generator(0, "longest"))
    assert Counter(longest.sum(1).tolist()).keys() == set(range(11))  # as long as all there is
    short = audiovisual.masked(6000, 1, 5, 10, numpy_generator(0, "short"))
    alone = short[short.sum(1) == 1].mean(0)  # a mask of one place may stand in any
    assert alone == pytest.approx(0.1, abs=0.03)
    for epsilon in (0.0, 1.0):
        labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
        torch.testing.assert_close(audiovisual.smooth(labels, epsilon), labels * (1 - epsilon) + epsilon / 3)
    with pytest.raises(Refused, match="smoothing"):
        audiovisual.smooth(labels, -0.01)


def listed(tmp_path: Path, row: str) -> Listing:
    (tmp_path / "segments.csv").write_text(row)
    (tmp_path / "classes.csv").write_text("index,mid,display_name\n0,/m/a,A\n")
    return audioset.audioset(tmp_path / "segments.csv", tmp_path / "classes.csv")


def test_files_are_called_as_downloaders_call_them(tmp_path):
    (entry,) = listed(tmp_path, 'ab-_9, 30.000, 40.000, "/m/a"\n').entries
    bare = ("ab-_9", "ab-_9_30", "ab-_9_000030", "ab-_9_30_40", "ab-_9_30.000_40.000", "ab-_9_30000_40000")
    assert set(entry.names) == {prefix + name for name in bare for prefix in ("", "Y")}
    assert len(entry.names) == 12
    assert entry.seconds == 10
    (tmp_path / "vggsound.csv").write_text("x,999999,A,train\ny,0,B,test\n")
    for part, name, label in (("train", "x_999999000_1000009000", 0), ("test", "y_0_10", 1)):
        (entry,) = audioset.vggsound(tmp_path / "vggsound.csv", part).entries
        assert name in entry.names
        assert (entry.seconds, entry.labels) == (10, (label,))
    (tmp_path / "vggsound.csv").write_text("x,1000000,A,train\n")
    with pytest.raises(Refused, match="line 1"):
        audioset.vggsound(tmp_path / "vggsound.csv", "train")


def test_segments_begin_before_they_end_and_names_are_short(tmp_path):
    assert listed(tmp_path, f"{'x' * 64}, 0, 0.5, /m/a\n").entries[0].seconds == 0.5
    for row in (
        "x, 3, 3, /m/a\n",
        "x, -1, 3, /m/a\n",
        "x, 0, 1000000, /m/a\n",
        f"{'x' * 65}, 0, 1, /m/a\n",
        "é, 0, 1, /m/a",
    ):
        with pytest.raises(Refused, match="line 1"):
            listed(tmp_path, row)


@pytest.mark.parametrize(
    ("edge", "beyond"),
    [
        ({"seconds": 0.1}, {"seconds": 0.09}), ({"seconds": 600.0}, {"seconds": 601.0}), ({"frames": 1}, {"frames": 0}),
        ({"frames": 4096}, {"frames": 4097}), ({"size": 8}, {"size": 7}), ({"size": 1024}, {"size": 1025}),
    ],
)  # fmt: skip
def test_clips_are_asked_for_within_bounds(tmp_path, edge, beyond):
    """Within them the clip, which is not there, is looked for."""
    listing, usual = Listing(("a",), (Entry(("x",), None, (0,)),)), {"seconds": 1.0, "frames": 2, "size": 16}
    with pytest.raises(Refused, match="missing"):
        clips.load(listing, tmp_path, **(usual | edge))
    with pytest.raises(Refused, match="allowed"):
        clips.load(listing, tmp_path, **(usual | beyond))


@pytest.mark.parametrize("rate", [RATE, 8_000, 11_025])
def test_a_sound_may_fall_short_by_a_tenth_of_a_second(rate: int):
    def used(seconds: float) -> tuple[np.ndarray, tuple[str, ...]]:
        raw = 0.5 * np.sin(np.arange(round(seconds * rate)) / 9)[:, None].astype(np.float32)
        return clips.as_used(raw, rate, 1.0, None)

    told = (f"resampled from {rate} Hz",) if rate != RATE else ()
    sound, notes = used(1.0)
    assert (len(sound), notes) == (RATE, told)
    sound, notes = used(0.901)
    assert (len(sound), notes) == (RATE, ("ends early, up to 0.1 s of silence added", *told))
    assert not sound[round(0.903 * RATE) :].any()
    assert used(0.998)[1][:1] == ("ends early, up to 0.1 s of silence added",)
    with pytest.raises(Fault, match=r"ends 0.11 s before"):
        used(0.89)
    long = used(1.5)[0]
    np.testing.assert_allclose(long[100:-200], used(1.0)[0][100:-200], atol=1e-3)  # the rest is cut off


@pytest.mark.parametrize(("rate", "channels"), [(4_000, 1), (192_000, 8)])
def test_rates_and_channels_that_are_read(rate: int, channels: int):
    media.plausible(Path("x"), rate, channels)
    for wrong in ((3_999, 1), (192_001, 1), (16_000, 0), (16_000, 9)):
        with pytest.raises(Fault, match="Hz and"):
            media.plausible(Path("x"), *wrong)


def test_pictures_are_taken_at_their_part_of_a_folder_s_length(tmp_path):
    for name, level in (("f2", 20), ("f10", 100), ("f1", 10), ("g1", 200)):
        Image.new("RGB", (8, 8), (level, 0, 0)).save(tmp_path / f"{name}.png")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / ".hidden.png")
    found = media.frames_of_folder(tmp_path, np.array([0.0, 0.24, 0.74, 1.0]), 8)
    assert found[:, 0, 0, 0].tolist() == [10, 10, 100, 200]
    with pytest.raises(Fault, match="4 pictures; 5 are used"):
        media.frames_of_folder(tmp_path, np.linspace(0, 1, 5), 8)


def test_a_report_counts_by_reason_and_names_the_first_five():
    left = [(f"c{number}", "silent", "") for number in range(7)] + [("m", "missing", "")]
    report = clips.Report(2, tuple(left[-1:] + left[:-1]), (("a", "note"), ("b", "note"), ("a", "other")))
    assert report.lines() == [
        "2 of 10 clips are used", "left out, silent: 7 (c0, c1, c2, c3, c4 and 2 more)", "left out, missing: 1 (m)",
        "note: 2 (a, b)", "other: 1 (a)",
    ]  # fmt: skip


def test_a_picture_of_more_than_two_to_the_26_pixels_is_not_read(tmp_path):
    Image.new("1", (2**13 + 1, 2**13)).save(tmp_path / "large.png")
    with pytest.raises(Refused, match="8193x8192 pixels; at most 67,108,864 are read"):
        folders.picture(tmp_path / "large.png", 8)


def test_a_folder_of_frames_lasts_as_long_as_its_clip_is_listed_or_as_its_sound(tmp_path):
    """The middle second of four, of which the folder holds ten pictures; by the sound's two, its first half."""
    write_sound(tmp_path / "clip.wav", tone(4.0))
    folder = tmp_path / "clip"
    folder.mkdir()
    for place in range(10):
        Image.new("RGB", (8, 8), (20 * place, 0, 0)).save(folder / f"{place}.png")
    for whole, seconds, expected in ((4.0, 1.0, [80, 100]), (None, 2.0, [20, 60])):
        listing = Listing(("a",), (Entry(("clip",), whole, (0,)),))
        found, _ = clips.load(listing, tmp_path, seconds=seconds, frames=2, size=8)
        assert found.frames[0, :, 0, 0, 0].tolist() == expected
    start, whole = 0.5, 8.0  # listed as twice as long as its sound: pictures are counted by the list
    clip = clips.read([tmp_path / "clip.wav", folder], start, 1.0, whole, 2, 8)
    assert clip.frames[:, 0, 0, 0].tolist() == [int((start + at) / whole * 10) * 20 for at in (0.25, 0.75)]


def test_a_sound_file_that_ends_where_it_should_begin_is_truncated(tmp_path):
    path = write_sound(tmp_path / "clip.wav", tone(2.0))
    for start, there in ((1.9999, True), (2.0, False), (2.5, False)):
        if there:
            samples, rate, lasts = media.sound_of_file(path, start, 1.0)
            assert (len(samples), rate, lasts) == (2, RATE, 2.0)
        else:
            with pytest.raises(Fault, match="ends before"):
                media.sound_of_file(path, start, 1.0)


def test_of_a_video_s_sound_only_the_part_asked_for_is_taken(tmp_path):
    path = write_video(tmp_path / "clip.avi", brightening(2.0), np.linspace(0, 0.9, 2 * RATE)[:, None])
    for start, seconds in ((0.0, 0.5), (0.7, 0.6), (1.5, 5.0)):
        samples, rate = media.sound_of_video(path, start, seconds)
        assert rate == RATE
        expected = np.linspace(0, 0.9, 2 * RATE)[round(start * RATE) :][: round(seconds * RATE)]
        np.testing.assert_allclose(samples[:, 0], expected, atol=1e-3)


def test_pictures_of_a_video_may_be_asked_for_up_to_a_tenth_of_a_second_after_it(tmp_path):
    """Ten a second: the last of twenty is shown until two seconds."""
    path = write_video(tmp_path / "clip.mp4", brightening(2.0), None)
    levels = brightening(2.0)[:, 0, 0, 0].astype(int)
    found = media.frames_of_video(path, np.array([0.0, 0.05, 0.11, 1.0, 1.55, 1.95, 2.09]), 16)[:, 8, 8, 0]
    assert np.abs(found.astype(int) - levels[[0, 0, 1, 10, 15, 19, 19]]).max() <= 4
    with pytest.raises(Fault, match=r"nothing after 2\.00 s"):
        media.frames_of_video(path, np.array([0.5, 2.11]), 16)


@pytest.mark.parametrize(("labels", "expected"), [([-1, -1], None), ([0, 1], [0, 1]), ([-1, 1], [-1, 1])])
def test_labels_that_are_hidden_are_all_hidden(monkeypatch, labels, expected):
    asked = []

    def rows(name: str, configuration: str, split: str) -> list[dict]:
        asked.append((name, configuration, split))
        return [{"question": "q", "sentence": str(at), "label": label} for at, label in enumerate(labels)]

    monkeypatch.setattr(glue, "hub", rows)
    found = glue.load("QNLI", "dev")
    assert (found.labels, found.indices) == (expected, ["0", "1"])
    assert found.sentences == [("q", "0"), ("q", "1")]
    assert asked == [("nyu-mll/glue", "qnli", "validation")]


def test_an_answer_is_the_very_letters_of_its_text():
    for said, start in (("the Barn", 3), ("The barn", 3)):
        with pytest.raises(Refused, match="does not stand at character 3"):
            squad._checked(squad.Answer(said, start), "in the barn", "here")
    assert squad._checked(squad.Answer("the barn", 3), "in the barn", "here").start == 3


def test_a_file_of_predictions_keeps_letters_as_they_are(tmp_path):
    path = squad.write_predictions({"é": "牛"}, tmp_path / "out.json")
    assert path.read_bytes().decode() == '{"é": "牛"}'
