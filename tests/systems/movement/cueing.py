"""Cues, attention and what is learned of cues: held against closed forms and against cases that must be alike."""

from math import exp, log

import pytest
import torch

from phantastic.declare.recipe import compose
from phantastic.ground.errors import Refused
from phantastic.inference import attenuate
from phantastic.inference.published.simulation import bump
from phantastic.systems.movement import cueing
from phantastic.systems.movement.study import CUEING, CueingRecipe

RECIPE = CueingRecipe()


def test_attention_fades_as_its_equation_says() -> None:
    """Without precision that hangs on it nothing is sensed of x: it follows its own flow, and halves in τ ln 2."""
    cue = bump(cueing.BINS, cueing.CUE, 8)
    causes = torch.cat([0 * cue, 0 * cue, cue], -1)
    model = cueing.beliefs(RECIPE, torch.tensor(1.0, dtype=torch.float64), attention=0.0)
    x = attenuate(model, cueing.world(), causes, orders=(4, 2)).x[1][:, 0]
    assert float(x[44] / x[24]) == pytest.approx(exp(-20 / RECIPE.lasting), rel=0.01)
    assert float(x[24]) > 0.5


def test_a_cue_that_is_not_trusted_or_attention_that_does_nothing_makes_all_trials_alike() -> None:
    untrusted = cueing.trials(RECIPE, [1.0, -1.0], [16, 16], 0, trust=[0.0, 0.0])
    held = cueing.trials(RECIPE, [1.0, -1.0], [16, 16], 0, attention=0.0)
    for made in (untrusted, held):
        assert made.hand[0] == pytest.approx(made.hand[1], abs=1e-9)
        assert made.right[0] == pytest.approx(made.right[1], abs=1e-9)
    assert max(abs(x) for x in held.attention[0]) > 0.5, "it was cued"


def test_what_one_side_gains_the_other_loses() -> None:
    """A target and a cue on the left are those on the right with the signs changed."""
    target, cue = bump(cueing.BINS, 28, 16), bump(cueing.BINS, cueing.CUE, 8)
    trust = torch.tensor(1.0, dtype=torch.float64)
    found = [
        attenuate(cueing.beliefs(RECIPE, trust), cueing.world(), torch.cat(parts, -1), orders=(4, 2))
        for parts in ([0 * target, target, cue], [target, 0 * target, -cue])
    ]
    right, left = found
    torch.testing.assert_close(right.v[2][:, 1], left.v[2][:, 0], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(right.x[1], -left.x[1], rtol=1e-6, atol=1e-8)


def test_an_answer_is_timed_between_bins() -> None:
    hand = [0.0] * 10 + [0.05, 0.15, 0.3]
    assert cueing.reaction(hand, 5) == pytest.approx(6.5)  # halfway from bin 11 to bin 12, counted from 1
    assert cueing.reaction([0.0] * 20, 5) == 15, "never answered: the rest of the trial"
    assert cueing.reaction([0.0, 0.5, 0.5, 0.5], 2) == 0, "it had moved before"


def test_trust_is_the_log_odds_of_what_was_counted() -> None:
    learner = cueing.Validity(0.0)
    for valid in [True] * 7 + [False]:
        learner.learn(valid)
    assert learner.trust == pytest.approx(log(8 / 2))
    learner = cueing.Validity(0.1)
    for _ in range(400):
        learner.learn(True)
    assert learner.trust == pytest.approx(log(1 + 1 / 0.1)), "the counts of a geometric memory"
    for _ in range(400):
        learner.learn(False)
    assert learner.trust == pytest.approx(-log(1 + 1 / 0.1))


def test_a_session_tells_the_side_as_often_as_was_asked_and_uses_only_what_came_before() -> None:
    recipe = CueingRecipe(trials=6, validity=0.95)
    made = cueing.session(recipe, 1)
    assert len(made.valid) == len(made.trust) == len(made.costs) == 12
    assert made.trust[0] == 0
    assert made.costs[0] == pytest.approx(0, abs=1e-6), "nothing is known, so nothing is lost"
    learner = cueing.Validity(recipe.forgetting)
    for valid, trust in zip(made.valid, made.trust, strict=True):
        assert learner.trust == trust
        learner.learn(valid)


@pytest.mark.parametrize("change", [{"attention": 4.0}, {"validity": 1.0}, {"forgetting": 0.0}, {"lasting": 1.0}])
def test_what_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(Refused, match=next(iter(change))):
        compose(CUEING.recipe, CUEING.presets, "tiny", change)
