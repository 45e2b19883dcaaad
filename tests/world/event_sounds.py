"""How events sound: when, where, how loud and how high, against what each of them is said to be."""

import numpy as np
import pytest
from scipy.signal import hilbert

from phantastic.ground.randomness import numpy_generator
from phantastic.world import event_types
from phantastic.world.canvas import Stage
from phantastic.world.event_types import Act
from phantastic.world.sounds import METAL, RATE, WOOD

TIMES = np.arange(2 * RATE) / RATE


def chances(number: int, **fixed: float) -> list[float]:
    """Eight draws, some of which (u0, u1, ...) are fixed."""
    drawn = numpy_generator(number, "event sounds").random(8).tolist()
    for name, value in fixed.items():
        drawn[int(name[1])] = value
    return drawn


def heard(act: Act, seed: int = 0) -> np.ndarray:
    assert act.voice is not None
    sound, _ = act.voice(numpy_generator(seed, "voice"))
    assert sound.shape == TIMES.shape
    return sound.astype(float)


def course(sound: np.ndarray) -> np.ndarray:
    """The frequency of a tone from sample to sample, hertz."""
    return np.diff(np.unwrap(np.angle(hilbert(sound)))) * RATE / (2 * np.pi)


def spectrum(sound: np.ndarray) -> np.ndarray:
    """Magnitudes at 0, 1, 2 ... Hz."""
    return np.abs(np.fft.rfft(sound, RATE * (len(sound) // RATE)))[:: len(sound) // RATE]


# --- what strikes


def test_metal_rings_for_twice_as_long_as_the_others_may():
    for material, seconds in ((METAL, 1.2), (WOOD, 0.6)):
        sound = event_types.struck(material, np.array([3.0]), np.array([1.0]), np.array([0.25]))
        first, last = np.flatnonzero(sound)[[0, -1]] / RATE
        assert (first, last) == pytest.approx((0.25, 0.25 + seconds), abs=0.001)


def test_a_burst_dies_away_to_a_part_in_e():
    noise = event_types.burst(3000, 0.01, numpy_generator(0, "burst"))
    assert noise.shape == (3000, 8 * 160)  # eight times as long
    level = noise.std(0)
    assert level[0] == pytest.approx(1, abs=0.05)
    assert level[159:162].mean() == pytest.approx(1 / np.e, rel=0.05)
    assert np.abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.08


@pytest.mark.parametrize("keeps", [0.0, 1.0])
def test_each_bounce_is_quieter_by_the_share_of_speed_it_keeps(keeps: float):
    """Rubber is dull: what is heard after a hit is that hit alone."""
    act = event_types.bounces(chances(1, u0=0.9, u2=0.0, u3=0.0, u4=keeps))
    hits = np.array(act.event.onsets)[:3]
    power = np.zeros(3)
    for seed in range(30):
        sound = heard(act, seed)
        power += [np.square(sound[round(hit * RATE) :][:600]).sum() for hit in hits]
    share = 0.6 + 0.2 * keeps
    np.testing.assert_allclose(np.sqrt(power[1:] / power[:-1]), share, atol=0.06)


def test_a_ball_sounds_as_high_as_it_is_small():
    low, high = (
        spectrum(heard(event_types.bounces(chances(2, u0=0.3, u1=size))))[300:1500].argmax() + 300 for size in (1, 0)
    )
    assert (low, high) == (pytest.approx(440 / 0.88, rel=0.05), pytest.approx(440 / 0.56, rel=0.05))


def test_a_bell_has_its_partials_and_the_higher_die_sooner():
    act = event_types.bell(chances(3, u0=0.2, u1=0.25))
    sound, prime = heard(act), 600
    (when,) = act.event.onsets
    assert when == pytest.approx(0.3)
    assert not sound[: round(when * RATE) - 1].any()
    assert np.abs(sound).max() <= 0.3
    ringing = sound[round(when * RATE) :]
    found = spectrum(np.pad(ringing, (0, 2 * RATE - len(ringing))))
    for ratio in (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0):
        around = found[round(prime * ratio) - 30 : round(prime * ratio) + 31]
        assert abs(int(around.argmax()) - 30) <= 2
        turned = ringing * np.exp(-2j * np.pi * prime * ratio * np.arange(len(ringing)) / RATE)
        early, late = (abs((turned[start : start + 8000] * np.hanning(8000)).sum()) for start in (0, 8000))
        assert np.log(early / late) / 0.5 == pytest.approx(1 + 1.2 * ratio, rel=0.05)


# --- what goes on


def test_a_siren_wails_two_and_a_half_times_a_second_by_two_fifths_of_an_octave_either_way():
    act = event_types.siren(chances(4, u0=0.5, u1=0.5))
    sound = heard(act)
    (start,) = act.event.onsets
    assert start == pytest.approx(0.3)
    on = np.flatnonzero(np.abs(sound) > 1e-6) / RATE
    assert (on[0], on[-1]) == pytest.approx((start, start + 1.4), abs=0.002)
    steady = (start + 0.06 < TIMES) & (start + 1.34 > TIMES)
    assert np.abs(sound[steady]).max() == pytest.approx(0.12, rel=0.01)
    octaves = np.log2(course(sound)[steady[1:]] / 750)
    wailing = 0.4 * np.sin(2 * np.pi * 2.5 * TIMES[1:][steady[1:]])
    np.testing.assert_allclose(octaves[50:-50], wailing[50:-50], atol=0.02)


def test_a_gust_of_wind_swells_around_its_moment_and_its_pitch():
    """Of its amplitude, a bell curve of .4 s; of its power one of .4 / √2."""
    act = event_types.wind(chances(5, u0=0.5, u1=0.4))
    assert act.event.onsets == pytest.approx((1.0,))
    power, colours = np.zeros(len(TIMES)), np.zeros(RATE // 2 + 1)
    for seed in range(20):
        sound = heard(act, seed)
        power += np.square(sound)
        colours += np.square(spectrum(sound))
    middle = power @ TIMES / power.sum()
    assert middle == pytest.approx(1.0, abs=0.03)
    assert np.sqrt(power @ (TIMES - middle) ** 2 / power.sum()) == pytest.approx(0.4 / np.sqrt(2), rel=0.06)
    hertz, smooth = np.arange(100, 3000), np.convolve(colours, np.ones(61) / 61, "same")[100:3000]
    assert hertz[smooth.argmax()] == pytest.approx(700, abs=80)
    half = hertz[smooth > smooth.max() / 2]
    assert half[-1] - half[0] == pytest.approx(300, rel=0.3)


@pytest.mark.parametrize(("u3", "notes"), [(0.1, 4), (0.5, 5), (0.9, 6)])
def test_a_bird_sings_a_few_chirps_that_fall(u3: float, notes: int):
    act = event_types.birdsong(chances(6, u0=0.2, u1=0.5, u3=u3, u4=0.5))
    np.testing.assert_allclose(act.event.onsets, 0.2 + 0.17 * np.arange(notes))
    sound = heard(act)
    for onset in act.event.onsets:
        chirp = sound[round(onset * RATE) :][:1440]  # .09 s, alone
        assert np.abs(chirp).max() == pytest.approx(0.15, rel=0.05)
        assert np.abs(chirp).argmax() == pytest.approx(720, abs=20)  # swelling and fading
        hertz = course(chirp)
        np.testing.assert_allclose(hertz[200:-200], 3750 * (1.25 - 0.5 * np.arange(1439) / 1439)[200:-200], rtol=0.03)
    silent = np.ones(len(TIMES), bool)
    for onset in act.event.onsets:
        silent[round(onset * RATE) :][:1440] = False
    assert np.abs(sound[silent]).max() < 1e-6


def test_a_wheel_is_heard_while_it_rolls_and_waxes_once_a_turn():
    act = event_types.rolls(chances(7, u1=0.0, u2=0.4, u3=1.0))
    (start,), lasts, radius = act.event.onsets, 1.6, 0.15
    power = np.mean([np.square(heard(act, seed)) for seed in range(40)], 0)
    on = np.flatnonzero(power) / RATE
    assert on[0] >= start
    assert on[-1] <= start + lasts + 1e-3
    along = (TIMES - start) / lasts
    loud = power[(along > 0.45) & (along < 0.55)].mean()
    assert power[(along > 0) & (along < 0.02)].mean() < 0.1 * loud  # it comes
    assert power[(along > 0.98) & (along < 1)].mean() < 0.1 * loud  # and goes
    turns = (2 + 2 * radius) / lasts / (2 * np.pi * radius)
    flat = (along > 0.15) & (along < 0.85)
    fits = []
    frequencies = np.arange(0.8, 6, 0.1)
    for frequency in frequencies:
        waves = np.stack([np.ones(flat.sum()), *(f(2 * np.pi * frequency * TIMES[flat]) for f in (np.cos, np.sin))], 1)
        fits.append(np.linalg.lstsq(waves, power[flat], rcond=None)[1][0])
    assert frequencies[np.argmin(fits)] == pytest.approx(turns, abs=0.25)


# --- where


@pytest.mark.parametrize("number", range(3))
def test_what_is_seen_sounds_from_where_it_is_seen(number: int):
    """The ball from where it first hits, the wheel all along, the others from where they are."""
    for name, way in (("bounces", 0.3), ("rolls", 0.2), ("rolls", 0.8), ("collides", 0.2), ("breaks", 0.2)):
        act = event_types.ACTS[name](chances(number, u4=way))
        assert act.voice is not None
        assert act.paint is not None
        _, x = act.voice(numpy_generator(0, "where"))
        for moment in (0.6, 1.1) if name == "rolls" else (act.event.onsets[0] - 0.01,):
            stage = Stage(np.array([moment]), 128, np.zeros(3))
            act.paint(stage)
            columns = (stage.pixels[0].max((0, 2)) > 0.02).nonzero()[0]
            seen = (columns[0] + columns[-1] + 1) / 128 - 1
            told = np.broadcast_to(x, TIMES.shape)[round(moment * RATE)]
            assert 0 < columns[0] < columns[-1] < 127
            assert told == pytest.approx(seen, abs=0.03), name


def test_what_is_only_heard_may_be_anywhere_and_says_where():
    for name in ("siren", "bell", "wind", "birdsong"):
        for place in (0.0, 0.3, 1.0):
            act = event_types.ACTS[name](chances(8, u2=place))
            assert act.voice is not None
            assert act.voice(numpy_generator(0, "where"))[1] == act.event.x == pytest.approx(2 * place - 1)
            assert act.paint is None
