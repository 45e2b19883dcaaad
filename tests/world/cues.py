"""Trials of localisation: cues with the reliabilities they say, and an observer that no other rule beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.ground.errors import Refused
from phantastic.world import cues
from phantastic.world.cues import RANGE, Setting, ideal_observer

SPREAD = Setting(sigma_seen=(0.05, 0.2), sigma_heard=(0.05, 0.2), common=0.5)


@pytest.fixture(scope="module")
def trials() -> cues.Cues:
    return cues.render(SPREAD, 0, "trials", range(800))


def test_a_trial_is_the_same_in_every_batch(trials):
    alone = cues.render(SPREAD, 0, "trials", [11])
    for one, many in zip(alone, trials, strict=True):
        assert np.array_equal(one[0], many[11])
    assert trials.frames.shape == (800, 4, 32, 32, 3)
    assert trials.sound.shape == (800, 2, 16_000)


def test_cues_scatter_as_they_say(trials):
    for cue, sigma, source in (
        (trials.seen, trials.sigma_seen, trials.sources[:, 0]),
        (trials.heard, trials.sigma_heard, trials.sources[:, 1]),
    ):
        standardised = (cue - source) / sigma
        assert abs(standardised.mean()) < 0.12
        assert standardised.std() == pytest.approx(1, abs=0.08)
        assert np.abs(source).max() <= RANGE
        assert 0.05 <= sigma.min() < 0.06 < 0.18 < sigma.max() <= 0.2
    assert trials.common.mean() == pytest.approx(0.5, abs=0.07)
    assert np.array_equal(trials.sources[:, 0] == trials.sources[:, 1], trials.common)


def test_a_conflict_moves_the_cues_apart_and_nothing_else():
    one, other = (cues.render(Setting(conflict=apart), 0, "apart", range(30)) for apart in (0.0, 0.2))
    assert np.array_equal(one.sources, other.sources)
    np.testing.assert_allclose(other.seen - one.seen, -0.1, atol=1e-6)
    np.testing.assert_allclose(other.heard - one.heard, 0.1, atol=1e-6)


def test_the_flash_is_where_it_is_seen_and_as_wide_as_it_is_unreliable():
    clips = cues.render(Setting(size=64, visual_noise=0.0), 0, "blob", range(60))
    light = clips.frames.sum((1, 2, 4)) - clips.frames.sum((1, 2, 4)).min(1, keepdims=True).astype(float)
    places = (np.arange(64) + 0.5) / 32 - 1
    centre = light @ places / light.sum(1)
    inside = np.abs(clips.seen) < 0.4
    np.testing.assert_allclose(centre[inside], clips.seen[inside], atol=0.03)
    width = np.sqrt((light * np.square(places - centre[:, None])).sum(1) / light.sum(1))
    assert np.corrcoef(width[inside], clips.sigma_seen[inside])[0, 1] > 0.95


def test_the_sound_lags_by_the_asynchrony():
    """Between the ears' noise the burst, two tenths of a second long, is the loudest stretch."""

    def onsets(asynchrony: float) -> np.ndarray:
        quiet = Setting(sigma_heard=(0.001, 0.001), asynchrony=asynchrony)
        sound = cues.render(quiet, 0, "late", range(20)).sound[:, 0]
        return np.argmax(np.abs(sound) > 0.02, 1) / cues.RATE

    for asynchrony in (0.1, -0.2):
        np.testing.assert_allclose(onsets(asynchrony) - onsets(0.0), asynchrony, atol=0.005)


def test_the_flash_is_a_blob_of_its_cue_s_width_and_a_twentieth():
    """In half widths of the picture, .05 + σ along either axis (the tails beyond four of these are cut off)."""
    clips = cues.render(Setting(size=128, visual_noise=0.0, sigma_seen=(0.02, 0.08)), 0, "wide", range(40))
    wall = clips.frames[:, :1, :1, :1].astype(float)  # constant over the wall but for its shade, which is taken off
    frames = clips.frames.astype(float)
    light = frames - frames.min((1, 3), keepdims=True)
    assert wall.shape == (40, 1, 1, 1, 3)
    across = light.sum((1, 2, 4))
    places = (np.arange(128) + 0.5) / 64 - 1
    centre = across @ places / across.sum(1)
    width = np.sqrt((across * np.square(places - centre[:, None])).sum(1) / across.sum(1))
    np.testing.assert_allclose(width, 0.05 + clips.sigma_seen, rtol=0.06)


def test_the_noise_at_either_ear_is_its_own_and_two_fifths_of_the_cue_s_scatter(trials):
    """A burst is two tenths loud: of σ = .2 hardly half of its power is left to hear it by."""
    before = trials.sound[:, :, :2000].astype(float)  # nothing sounds yet
    np.testing.assert_allclose(before.std(-1), 0.4 * trials.sigma_heard[:, None] * [1, 1], rtol=0.08)
    both = np.array([np.corrcoef(one)[0, 1] for one in before])
    assert np.abs(both).max() < 5 / 2000**0.5
    loudest = np.square(trials.sound[trials.sigma_heard < 0.06]).max((1, 2)) ** 0.5
    assert (loudest > 0.4).all()


def test_the_burst_is_where_it_is_heard_to_within_a_small_part_of_its_scatter(trials):
    power = np.square(np.abs(np.fft.rfft(trials.sound)))[..., 1000:7000]
    before = np.square(np.abs(np.fft.rfft(trials.sound[..., :2000])))[..., 125:875].mean((1, 2)) * 8
    levels = np.log(np.maximum(power.reshape(800, 2, 10, -1).mean(-1) - before[:, None, None], 1e-3))
    difference = levels[:, 1] - levels[:, 0]
    terms = np.concatenate([difference, difference**3, np.ones((800, 1))], 1)
    fit = np.linalg.lstsq(terms[:600], trials.heard[:600], rcond=None)[0]
    error = terms[600:] @ fit - trials.heard[600:]
    assert np.sqrt(np.mean(error**2)) < 0.35 * np.median(trials.sigma_heard)
    assert np.corrcoef(np.log(before), trials.sigma_heard)[0, 1] > 0.9


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0.01, 0.08), st.floats(0.01, 0.08))
def test_far_from_the_edges_one_cause_gives_the_maximum_likelihood_weights(seen, heard, sigma_seen, sigma_heard):
    estimate, same = ideal_observer(*(np.array([each]) for each in (seen, heard, sigma_seen, sigma_heard)))
    weight = sigma_seen**-2 / (sigma_seen**-2 + sigma_heard**-2)
    np.testing.assert_allclose(estimate, weight * seen + (1 - weight) * heard, atol=1e-3)
    assert same == pytest.approx(1)


def test_the_two_are_one_when_near_and_two_when_far():
    apart = np.linspace(0, 0.6, 25)
    still = np.full(25, 0.05)
    estimate, same = ideal_observer(-apart / 2, apart / 2, still, still, common=0.5)
    assert same[0] > 0.8
    assert same[-1] < 1e-3
    assert (np.diff(same) <= 1e-12).all()
    drawn_over = (apart / 2 - estimate[:, 1])[1:] / apart[1:]  # the ventriloquist effect
    assert drawn_over[0] > 0.4
    assert abs(drawn_over[-1]) < 0.01
    alone, _ = ideal_observer(-apart / 2, apart / 2, still, still, common=0.0)
    np.testing.assert_allclose(alone, np.stack([-apart / 2, apart / 2], 1), atol=1e-3)


def test_no_other_rule_is_nearer_to_the_sources(trials):
    sigmas = trials.sigma_seen, trials.sigma_heard
    ideal, _ = ideal_observer(trials.seen, trials.heard, *sigmas, common=0.5)
    fused, _ = ideal_observer(trials.seen, trials.heard, *sigmas, common=1.0)
    apart = np.stack([trials.seen, trials.heard], 1)

    def error(estimate: np.ndarray) -> float:
        return float(np.square(estimate - trials.sources).mean())

    assert error(ideal) < 0.97 * min(error(fused), error(apart))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_seen": (0.2, 0.1)}, {"sigma_heard": (0.0, 0.1)}, {"sigma_seen": (0.1, float("nan"))}, {"common": 1.5},
        {"size": 4}, {"frames": 0}, {"conflict": 2.0}, {"asynchrony": 1.0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(Refused, match="allowed"):
        cues.render(Setting(**wrong), 0, "wrong", [0])
