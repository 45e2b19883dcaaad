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


def test_sources_fill_the_middle_half_and_no_cue_lies_beyond_the_edge():
    trials = cues.render(Setting(16, 1, (0.9, 1.0), (0.9, 1.0), common=0.8, conflict=0.3), 1, "range", range(160))
    for source in trials.sources.T:
        assert -0.5 <= source.min() < -0.47
        assert 0.47 < source.max() <= 0.5
    for cue in (trials.seen, trials.heard):
        assert (cue.min(), cue.max()) == pytest.approx((-0.95, 0.95))
    assert trials.common.mean() == pytest.approx(0.8, abs=0.1)
    assert cues.render(Setting(16, 1), 1, "range", range(20)).common.all()  # when nothing is said


def test_reliabilities_are_even_in_their_logarithms_and_drawn_apart(trials):
    seen, heard = (np.log(sigma / 0.05) / np.log(4) for sigma in (trials.sigma_seen, trials.sigma_heard))
    for even in (seen, heard):
        assert even.mean() == pytest.approx(0.5, abs=0.03)
        assert even.std() == pytest.approx(12**-0.5, abs=0.02)
    assert abs(np.corrcoef(seen, heard)[0, 1]) < 0.1


def test_a_trial_of_which_nothing_is_said():
    assert Setting() == Setting(
        32, 4, (0.02, 0.2), (0.02, 0.2), common=1.0, conflict=0.0, asynchrony=0.0, visual_noise=0.04
    )


def test_the_burst_lasts_two_tenths_of_a_second_and_is_two_tenths_loud():
    quiet = Setting(16, 1, sigma_heard=(0.001, 0.001))
    onsets = []
    for sound in cues.render(quiet, 0, "burst", range(40)).sound:
        loud = np.flatnonzero(np.abs(sound[0]) > 0.02) / cues.RATE
        assert loud[-1] - loud[0] == pytest.approx(0.2, abs=0.006)
        onsets.append(loud[0])
    assert 0.3 <= min(onsets) < 0.33
    assert 0.66 < max(onsets) <= 0.71  # it begins somewhere in the middle
    front = [cues.burst(0.0, 1e-9, 0.4, np.random.default_rng(seed))[0, 6500:9500] for seed in range(40)]
    noise = [np.random.default_rng(seed).standard_normal(3200, np.float32)[100:3100] for seed in range(40)]
    level = np.std(cues.sounds.ears(0.2 * np.concatenate(noise), 0.0)[0])
    assert np.std(front) == pytest.approx(level, rel=0.03)
    edge = np.std([cues.burst(0.0, 1e-9, 0.4, np.random.default_rng(seed))[0, 6420:6440] for seed in range(60)])
    assert edge == pytest.approx(level * 26 / 80, rel=0.2)  # it swells within five thousandths


def test_a_flash_lights_up_for_a_quarter_of_a_second_at_any_height():
    setting = Setting(size=64, frames=100, visual_noise=0.0)
    wall = np.full(3, 0.1)
    for when, y in ((0.35, -0.3), (0.6, 0.3)):
        frames = cues.flash(0.1, y, 0.1, when, wall, setting, np.random.default_rng(0)).astype(float)
        light = frames[..., 0] - frames[0, ..., 0]
        column = light.sum((0, 1))
        assert column @ ((np.arange(64) + 0.5) / 32 - 1) / column.sum() == pytest.approx(0.1, abs=0.01)
        times = (np.arange(100) + 0.5) / 100
        brightest = light.max((1, 2))
        assert times[brightest.argmax()] == pytest.approx(when, abs=0.011)
        assert brightest.max() / 255 == pytest.approx(0.8 * (1 - 0.1), rel=0.05)
        assert np.interp(when + 0.15, times, brightest) == pytest.approx(brightest.max() / np.e, rel=0.05)
        rows = light.sum((0, 2))
        assert -(rows @ ((np.arange(64) + 0.5) / 32 - 1)) / rows.sum() == pytest.approx(y, abs=0.02)
    flashes = cues.render(Setting(size=64, frames=4, visual_noise=0.0), 3, "heights", range(50)).frames.astype(float)
    light = (flashes - flashes.min((1, 3), keepdims=True)).sum((1, 3, 4))
    height = -(light @ ((np.arange(64) + 0.5) / 32 - 1)) / light.sum(1)
    assert -0.33 < height.min() < -0.22
    assert 0.22 < height.max() < 0.33


def test_the_ideal_observer_against_the_posterior_summed_point_by_point():
    """Körding et al. (2007), Eqs. 2 to 5: every pair of places, a common cause where the two are one."""
    grid = np.linspace(-RANGE, RANGE, 401)
    for seen, heard, sigma_seen, sigma_heard, common in (
        (0.1, 0.25, 0.05, 0.2, 0.5), (-0.45, -0.3, 0.15, 0.08, 0.3), (0.6, 0.2, 0.1, 0.1, 0.8),
    ):  # fmt: skip

        def likelihood(cue: float, sigma: float) -> np.ndarray:
            return np.exp(-((cue - grid) ** 2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)

        sight, sound = likelihood(seen, sigma_seen), likelihood(heard, sigma_heard)
        one = common * np.diag(sight * sound) / len(grid)
        two = (1 - common) * np.outer(sight, sound) / len(grid) ** 2
        joint = (one + two) / (one + two).sum()
        estimate, same = ideal_observer(
            np.array([seen]), np.array([heard]), np.array([sigma_seen]), np.array([sigma_heard]), common
        )
        assert same == pytest.approx(one.sum() / (one + two).sum(), rel=1e-2)
        assert estimate[0] == pytest.approx((joint.sum(1) @ grid, joint.sum(0) @ grid), abs=2e-3)


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
        {"size": 4}, {"frames": 0}, {"conflict": 2.0}, {"asynchrony": 1.0}, {"size": 15}, {"size": 1025},
        {"frames": 257}, {"common": -0.1}, {"conflict": 1.1}, {"conflict": -1.1}, {"asynchrony": 0.31},
        {"asynchrony": -0.31}, {"visual_noise": -0.1}, {"visual_noise": 10.1}, {"sigma_seen": (0.1, 1.1)},
        {"sigma_heard": (-0.1, 0.1)},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(Refused, match="allowed"):
        cues.render(Setting(**wrong), 0, "wrong", [0])


@pytest.mark.parametrize(
    "edge",
    [
        {"size": 16}, {"size": 1024}, {"frames": 1}, {"frames": 256}, {"common": 0.0}, {"common": 1.0},
        {"conflict": -1.0}, {"conflict": 1.0}, {"asynchrony": -0.3}, {"asynchrony": 0.3}, {"visual_noise": 0.0},
        {"visual_noise": 10.0}, {"sigma_seen": (1.0, 1.0)}, {"sigma_heard": (1e-6, 1e-6)},
    ],
)  # fmt: skip
def test_settings_reach_as_far_as_they_say(edge):
    cues.check(Setting(**edge))
