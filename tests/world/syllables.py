"""Spoken stops: what each sense leaves possible, an observer by Bayes' rule, and renderings that hold the cues."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from phantastic.data.spectrogram import log_mel
from phantastic.ground.errors import Refused
from phantastic.world import syllables
from phantastic.world.syllables import ALVEOLAR, LABIAL, SEEN, SIGMA_SEEN, VELAR


def posterior(spoken: syllables.Syllables) -> np.ndarray:
    return syllables.ideal_observer(*spoken[3:])


@pytest.fixture(scope="module")
def spoken() -> syllables.Syllables:
    return syllables.render(0, "syllables", range(600))


def test_a_syllable_hangs_on_its_number_alone_and_what_is_dubbed_or_absent_changes_no_other_cue(spoken):
    alone = syllables.render(0, "syllables", [7])
    for one, many in zip(alone, spoken, strict=True):
        assert np.array_equal(one[0], many[7])
    both, turned, silent = (
        syllables.render(0, "dub", range(5), dub, given)
        for dub, given in (((LABIAL, VELAR), 0.0), ((LABIAL, ALVEOLAR), 0.0), ((LABIAL, VELAR), "seen"))
    )
    assert np.array_equal(both.sound, turned.sound)
    assert not np.array_equal(both.frames, turned.frames)
    assert np.array_equal(both.frames, silent.frames)
    assert not silent.sounded.any()
    assert silent.shown.all()
    assert np.abs(silent.sound).max() < 0.06 < np.abs(both.sound).max()


def test_cues_scatter_as_they_say(spoken):
    for place in syllables.PLACES:
        rows = spoken.spoken % 3 == place
        for cue, means, sigmas in (
            (spoken.seen, SEEN, SIGMA_SEEN),
            (spoken.heard, syllables.HEARD, syllables.SIGMA_HEARD),
        ):
            away = (cue[rows] - means[place]) / sigmas[place]
            assert abs(away.mean()) < 0.25
            assert away.std() == pytest.approx(1, abs=0.15)
    assert spoken.voiced.mean() == pytest.approx(0.5, abs=0.07)
    assert np.array_equal(spoken.voiced, spoken.spoken > 2)


def test_either_sense_is_absent_as_often_as_is_said():
    found = syllables.render(0, "alone", range(400), alone=0.2)
    assert (~found.shown).mean() == pytest.approx(0.2, abs=0.06)
    assert (~found.sounded).mean() == pytest.approx(0.2, abs=0.06)
    assert (found.shown | found.sounded).all()
    for wrong in ({"alone": "felt"}, {"alone": 0.6}, {"dub": (0, 3)}):
        with pytest.raises(Refused, match="allowed"):
            syllables.render(0, "alone", [0], **wrong)


def test_bayes_by_hand():
    """One syllable, by the normal densities of its two cues; each sense alone; neither."""
    seen, heard = np.array([0.9]), np.array([0.3])
    by_eye = norm.pdf(0.9, SEEN, SIGMA_SEEN)
    by_ear = norm.pdf(0.3, syllables.HEARD, syllables.SIGMA_HEARD)
    yes, no = np.array([True]), np.array([False])
    for shown, sounded, product in (
        (yes, yes, by_eye * by_ear),
        (yes, no, by_eye),
        (no, yes, by_ear),
        (no, no, np.ones(3)),
    ):
        found = syllables.ideal_observer(seen, heard, yes, shown, sounded)[0]
        assert found[:3] + found[3:] == pytest.approx(product / product.sum())
        assert found[3:].sum() == pytest.approx(1.0 if sounded[0] else 0.5)


def test_the_ideal_observer_fuses_one_conflict_and_not_the_other():
    def between(dub: tuple[int, int], alone: str | float = 0.0) -> float:
        best = posterior(syllables.render(0, "conflict", range(200), dub, alone)).argmax(1)
        return float((best % 3 == ALVEOLAR).mean())

    assert between((LABIAL, VELAR)) > 0.9
    assert between((LABIAL, VELAR), "heard") < 0.2
    assert between((LABIAL, VELAR), "seen") < 0.4
    assert between((VELAR, LABIAL)) < 0.4


def test_the_observer_is_as_sure_as_it_is_right(spoken):
    best = posterior(spoken)
    assert (best.argmax(1) == spoken.spoken).mean() == pytest.approx(best.max(1).mean(), abs=0.04)


def test_the_renderings_hold_the_cues(spoken):
    """From the dark between the lips of the first frame, how far these are apart; from the spectrum at the burst, its
    height: each by a straight line, with less error than the cue has noise."""
    dark = (spoken.frames[:, 0].max(-1) < 50).sum((1, 2)) + (spoken.frames[:, 0].astype(int)[..., 1] < 100).sum((1, 2))
    levels = log_mel(torch.from_numpy(spoken.sound), bands=64, hop=0.01).exp().numpy()[:, 30:62]
    loudest = levels.max(1)
    for cue, features, sigma in ((spoken.seen, dark[:, None], 0.25), (spoken.heard, np.log(loudest), 0.25)):
        design = np.concatenate([features, np.ones((len(features), 1))], 1)
        learned = np.linalg.lstsq(design[:400], cue[:400], rcond=None)[0]
        error = np.sqrt(np.mean(np.square(design[400:] @ learned - cue[400:])))
        assert error < sigma
