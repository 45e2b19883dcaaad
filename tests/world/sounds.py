"""Sounds against physics: pitch by size, decay by material, the delays and the shadow of a head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.world import sounds
from phantastic.world.sounds import FUNDAMENTAL, GLASS, MATERIALS, METAL, RATE, RUBBER, WOOD


def struck(material: int, size: float = 1.0, seconds: float = 1.0) -> np.ndarray:
    return sounds.impacts(np.array([material]), np.array([size]), np.array([1.0]), seconds)[0]


def peak(sound: np.ndarray, low: float, high: float) -> float:
    """The loudest frequency between two, in hertz, of a sound filled up to 8 s."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(2 * len(sound))[len(sound) :], 8 * RATE))
    first, last = round(8 * low), round(8 * high)
    return (first + spectrum[first:last].argmax()) / 8


TABLE = {  # modes (Fletcher & Rossing 1998), pitch of the lowest beside wood's, friction, seconds of contact
    "wood": ((1, 2.756, 5.404, 8.933), 1.0, 0.02, 3e-4),  # a free bar
    "metal": ((1, 1.73, 2.328, 3.906, 4.11, 6.301), 1.0, 0.002, 1e-4),  # a free circular plate
    "glass": ((1, 2.25, 4, 6.25, 9), 1.4, 0.005, 1e-4),  # (n/2)² for n = 2 ... 6
    "rubber": ((1, 1.594, 2.136, 2.296, 2.653), 0.4, 0.15, 2e-3),  # a membrane
}


def test_materials_are_those_of_the_table():
    assert {m.name: (m.ratios, m.pitch, m.friction, m.contact) for m in MATERIALS} == TABLE
    assert (MATERIALS[WOOD].name, MATERIALS[METAL].name) == ("wood", "metal")
    assert (MATERIALS[GLASS].name, MATERIALS[RUBBER].name) == ("glass", "rubber")
    assert peak(struck(WOOD), 200, 900) == pytest.approx(440, rel=0.005)  # concert pitch, of wood of size 1
    # the partials of a church bell, by its prime (Rossing & Perrin 1987)
    hum, prime, tierce, quint, nominal = sounds.BELL[:5]
    assert (hum, prime, tierce, quint, nominal) == (1 / 2, 1, 6 / 5, 3 / 2, 2)


@pytest.mark.parametrize("material", range(4))
def test_a_mode_dies_by_its_support_and_its_friction(material: int):
    """d = 4/s + π f tan φ (Wildes & Richards 1988)."""
    frequencies, dampings = sounds.decays(np.array([material]), np.array([1.3]))
    ratios, pitch, friction, _ = TABLE[MATERIALS[material].name]
    expected = 440 * pitch / 1.3 * np.array(ratios)
    np.testing.assert_allclose(frequencies[0, : len(ratios)], expected)
    np.testing.assert_allclose(dampings[0, : len(ratios)], 4 + np.pi * expected * friction)
    assert np.isinf(frequencies[0, len(ratios) :]).all()


@pytest.mark.parametrize("azimuth", [0.0, 0.4, -0.9, np.pi / 2])
def test_a_head_of_seventeen_and_a_half_centimetres_delays_as_woodworth_has_it(azimuth: float):
    """The near ear hears a/c sin θ before the head's middle, the far one a/c θ after, at 343 m/s; all a/c later."""
    times = np.arange(4000) / RATE
    wave = np.sin(2 * np.pi * 300 * times)
    for ear, toward in zip(sounds.ears(wave.astype(np.float32), azimuth), (-azimuth, azimuth), strict=True):
        late = 0.0875 / 343 * (1 - (np.sin(toward) if toward > 0 else toward))
        corner = 2 * np.pi * 300 * 0.0875 / (2 * 343)
        alpha = 1.05 + 0.95 * np.cos(1.2 * (np.pi / 2 - toward))
        late -= np.angle((1 + 1j * alpha * corner) / (1 + 1j * corner)) / (2 * np.pi * 300)  # the shadow's own
        turn = np.exp(-2j * np.pi * 300 * times[1600:3200])
        phase = np.angle((ear[1600:3200] * turn).sum() / (wave[1600:3200] * turn).sum())
        assert -phase / (2 * np.pi * 300) == pytest.approx(late, abs=4e-6)


@pytest.mark.parametrize("material", [WOOD, METAL, GLASS])
@pytest.mark.parametrize("size", [0.7, 1.0, 1.6])
def test_modes_lie_where_form_and_size_put_them(material, size):
    lowest = FUNDAMENTAL * MATERIALS[material].pitch / size
    for ratio in MATERIALS[material].ratios[:3]:
        place = lowest * ratio
        if place < 0.45 * RATE:
            assert peak(struck(material, size), 0.9 * place, 1.1 * place) == pytest.approx(place, rel=0.01)


def test_a_sound_is_the_sum_of_its_damped_modes():
    frequencies, dampings, amplitudes = (
        np.array([[440.0, 1212.0, 9000.0]]),
        np.array([[30.0, 80.0, 5.0]]),
        np.ones((1, 3)),
    )
    times = np.arange(3333) / RATE
    plain = sum(np.exp(-d * times) * np.sin(2 * np.pi * f * times) for f, d in ((440, 30), (1212, 80)))  # no 9 kHz here
    got = sounds.modes(frequencies, dampings, amplitudes, 3333 / RATE)
    assert got.shape == (1, 3333)
    np.testing.assert_allclose(got[0], plain, atol=2e-5)


def halving(sound: np.ndarray) -> float:
    """Seconds in which the energy that is still to come falls to a thousandth (Schroeder 1965)."""
    left = np.cumsum(np.square(sound.astype(float))[::-1])[::-1]
    return float(np.argmax(left < 1e-3 * left[0])) / RATE


def test_rubber_wood_glass_and_metal_ring_ever_longer():
    times = [halving(struck(material, seconds=3.0)) for material in (RUBBER, WOOD, GLASS, METAL)]
    assert times == sorted(times)
    assert times[0] < 0.1 < 0.2 < times[2]


def test_a_mode_s_damping_is_its_friction():
    sound = struck(WOOD, seconds=0.5).astype(complex) * np.exp(-2j * np.pi * FUNDAMENTAL * np.arange(RATE // 2) / RATE)
    level = [abs(sound[start : start + 800].sum()) for start in (800, 3200)]  # 22 periods of the lowest mode
    expected = sounds.SUPPORT + np.pi * 0.02 * FUNDAMENTAL
    assert np.log(level[0] / level[1]) / (2400 / RATE) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("material", range(len(MATERIALS)))
def test_a_blow_excites_modes_as_its_force_contains_them(material):
    """The force rises and falls as exp(-|t| / contact); what it has of a frequency is its integral with a cosine."""
    kind, size, contact = np.array([material]), np.array([2.0]), MATERIALS[material].contact
    every, dampings = sounds.decays(kind, size)
    there = np.isfinite(every[0])
    frequencies, one = every[0, there], np.ones((1, 1))
    pairs = zip(frequencies, dampings[0, there], strict=True)
    alone = [sounds.modes(np.array([[f]]), np.array([[d]]), one, 0.5)[0] for f, d in pairs]
    found = np.linalg.lstsq(np.stack(alone, 1), struck(material, 2.0, 0.5), rcond=None)[0]
    t = np.linspace(-20 * contact, 20 * contact, 20_001)
    content = [np.trapezoid(np.exp(-np.abs(t) / contact) * np.cos(2 * np.pi * f * t), t) for f in frequencies]
    assert found / found.sum() == pytest.approx(np.array(content) / np.sum(content), rel=0.01)


def test_amplitude_is_bounded_by_strength():
    kinds = np.repeat(np.arange(4), 5)
    loud = sounds.impacts(kinds, np.tile([0.05, 0.3, 1, 2, 9.0], 4), np.linspace(0.1, 2, 20), 0.3)
    assert (np.abs(loud).max(1) <= np.linspace(0.1, 2, 20) + 1e-6).all()
    assert np.isfinite(loud).all()


@given(st.lists(st.tuples(st.floats(-0.2, 0.3), st.integers(1, 3000)), max_size=5))
def test_sounds_lie_over_one_another(parts):
    total = np.zeros(RATE // 5)
    for onset, length in parts:
        for sample in range(length):
            place = round(onset * RATE) + sample
            if 0 <= place < len(total):
                total[place] += sample + 1
    ramps = [np.arange(1, length + 1, dtype=np.float32) for _, length in parts]
    width = max(map(len, ramps), default=0)
    rows = np.array([np.pad(ramp, (0, width - len(ramp))) for ramp in ramps]).reshape(len(parts), width)
    np.testing.assert_array_equal(sounds.mix(rows, np.array([onset for onset, _ in parts]), 0.2), total)


def test_a_tone_follows_its_course():
    rising = sounds.tone(np.linspace(500, 1500, RATE))
    for second, expected in ((0.25, 750), (0.75, 1250)):
        part = rising[round((second - 0.05) * RATE) : round((second + 0.05) * RATE)]
        crossings = np.count_nonzero(np.diff(np.signbit(part)))
        assert crossings / 2 / 0.1 == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("frequency", "bandwidth"), [(300.0, 60.0), (1000.0, 400.0), (4000.0, 200.0)])
def test_a_resonance_passes_its_frequency(frequency, bandwidth):
    impulse = np.zeros(RATE)
    impulse[0] = 1
    gain = np.abs(np.fft.rfft(sounds.resonance(impulse, frequency, bandwidth)))
    assert gain[round(frequency)] == pytest.approx(1, rel=0.05)
    assert abs(int(gain.argmax()) - frequency) <= max(0.15 * bandwidth, 1)
    assert gain[round(frequency + bandwidth / 2)] == pytest.approx(np.sqrt(0.5), rel=0.15)


def test_rolling_is_louder_when_faster_and_duller_when_larger():
    def rolled(speed: float, size: float) -> np.ndarray:
        return sounds.rolling(np.full(RATE, speed), size, np.random.default_rng(0))

    def centre(sound: np.ndarray) -> float:
        power = np.square(np.abs(np.fft.rfft(sound)))
        return float(power @ np.arange(len(power)) / power.sum())

    assert np.std(rolled(2.0, 0.6)) > 1.2 * np.std(rolled(1.0, 0.6))
    assert centre(rolled(1.0, 0.6)) > 1.2 * centre(rolled(1.0, 1.0))
    assert np.array_equal(rolled(1.0, 1.0), rolled(1.0, 1.0))


def test_rolling_waxes_once_a_turn():
    """By two fifths of its mean three fifths: of the power's mean .44 the turn's own part is .48 (van den Doel)."""
    power = np.square(sounds.rolling(np.full(8 * RATE, 2.5), 0.6, np.random.default_rng(0)).astype(float))
    part = np.fft.rfft(power) / power.sum() * 2
    share = np.abs(part)
    assert part[20].real > 0.9 * share[20]  # loudest at the beginning of each turn
    assert share[np.arange(len(share)) == 8 * 2.5] == pytest.approx(0.48 / 0.44, abs=0.1)
    assert share[10:200].max() == share[20]


def click(azimuth: float) -> np.ndarray:
    sound = np.zeros(2048, np.float32)
    sound[100] = 1
    return sounds.ears(sound, azimuth)


def test_a_sound_from_the_side_is_first_and_louder_at_its_ear():
    left, right = click(np.pi / 2)
    onset = [int(np.argmax(np.abs(ear) > 0.05 * np.abs(ear).max())) for ear in (left, right)]
    assert (onset[0] - onset[1]) / RATE == pytest.approx(0.656e-3, abs=1e-4)  # Woodworth: a/c (1 + π/2)
    gains = np.abs(np.fft.rfft([left, right]))
    shadow = 20 * np.log10(gains[1] / gains[0])
    assert shadow[1] == pytest.approx(0, abs=0.5)  # long waves pass the head
    assert shadow[round(4000 / RATE * 2048)] > 15
    assert (np.diff(shadow[: 2048 * 3 // 16]) > -1e-3).all()  # up to 3 kHz the higher the more


@pytest.mark.parametrize("azimuth", np.deg2rad([-90, -60, -30, 0, 20, 60, 90]).tolist())
def test_the_shadow_of_the_head_is_that_of_brown_and_duda(azimuth: float):
    """(1 + jαω/2ω₀) / (1 + jω/2ω₀) with ω₀ = c/a and α = 1.05 + .95 cos(1.2 θ), θ the angle of incidence at the ear: 6
    dB above a free field for what it faces, and least, a tenth, at 150° (Brown & Duda 1998, Eqs. 4 and 5)."""
    hertz = np.arange(100, 2000, 100)
    gains = np.abs(np.fft.rfft(click(azimuth), RATE))[:, hertz]
    for gain, incidence in zip(gains, (np.pi / 2 + azimuth, np.pi / 2 - azimuth), strict=True):
        alpha = 1.05 + 0.95 * np.cos(1.2 * incidence)
        corner = 2 * np.pi * hertz * sounds.HEAD / (2 * sounds.SPEED)
        np.testing.assert_allclose(gain, np.abs((1 + 1j * alpha * corner) / (1 + 1j * corner)), rtol=0.04)


def test_ears_are_alike():
    np.testing.assert_array_equal(click(0.7)[0], click(-0.7)[1])
    np.testing.assert_array_equal(*click(0.0))


def test_a_moving_source_that_stays_is_a_still_one():
    sound = np.random.default_rng(1).standard_normal(4000).astype(np.float32)
    np.testing.assert_allclose(sounds.ears(sound, np.full(4000, 0.4)), sounds.ears(sound, 0.4), atol=1e-5)


@given(st.floats(0, 12))
def test_delays_fall_between_samples(delay):
    times = np.arange(400)
    late = sounds._delayed(np.sin(0.3 * times).astype(np.float32), np.array(delay))
    np.testing.assert_allclose(late[20:-3], np.sin(0.3 * (times - delay))[20:-3], atol=2e-3)
