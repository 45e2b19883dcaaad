"""Every bootstrap: draws of as many items as there are, so that they spread by the standard error of what is measured.

Items drawn twice as often would make every interval too narrow by the root of two, and many a claim hold.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from phantastic.declare.measure import Measure
from phantastic.ground.randomness import numpy_generator
from phantastic.systems.bert import measure as reading
from phantastic.systems.bottleneck import dubbing, locating, places, scores
from phantastic.systems.gan import modes as game
from phantastic.systems.probe import probe_suite
from phantastic.systems.transfer import crossing, distilling
from phantastic.systems.transformer import measure as writing
from phantastic.systems.vae import vae as family
from phantastic.tuning import measure as tuning
from phantastic.world import cues

N, DRAWS = 60, 2000
ITEMS = numpy_generator(0, "items").exponential(1.0, N)
ERROR = ITEMS.std() / N**0.5  # of the mean of N draws with replacement
TOLERANCE = 0.12  # the spread of 2000 draws is known to 1.6%, their quantiles to some 4%


@pytest.fixture(autouse=True)
def many_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many draws everywhere, so that their spread is known well."""
    for module in (reading, dubbing, locating, scores, probe_suite, crossing, distilling, tuning):
        monkeypatch.setattr(module, "DRAWS", DRAWS)
    monkeypatch.setattr(writing, "REDRAWN", DRAWS)


def rng() -> np.random.Generator:
    return numpy_generator(0, "bootstrap")


def spread(found: Measure | Sequence[float]) -> float:
    """The standard error that a 95% interval, or the draws for one, speak of."""
    if not isinstance(found, Measure):
        return float(np.std(found))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    return (found.high - found.low) / (2 * 1.96)


def mean_of(some: np.ndarray) -> float:
    return float(ITEMS[some].mean())


@pytest.mark.parametrize(
    "measured",
    [
        lambda: tuning.measured(mean_of, N, rng()),
        lambda: family.over_items(ITEMS, rng(), family.mean, DRAWS),
        lambda: writing.Shares(ITEMS, np.ones(N)).measure(rng()),
        lambda: crossing.over_tunings([mean_of, mean_of, mean_of], N, rng()),
    ],
    ids=["tuning", "over_items", "Shares", "over_tunings"],
)
def test_the_mean_over_items_has_its_standard_error(measured: Callable[[], Measure]) -> None:
    found = measured()
    assert found.value == pytest.approx(ITEMS.mean())
    assert spread(found) == pytest.approx(ERROR, rel=TOLERANCE)


def test_repeated_tunings_are_drawn_as_examples_are() -> None:
    """Both spread the mean: what hangs on the tuning by its own standard error, what hangs on examples by theirs."""
    apart = np.array([0.0, 1.0, 3.0, 8.0, 8.5]) / 20
    tunings = [lambda some, mean=mean: mean for mean in apart.tolist()]
    alone = crossing.over_tunings(tunings, N, rng())
    assert spread(alone) == pytest.approx(apart.std() / 5**0.5, rel=TOLERANCE)
    both = [lambda some, mean=mean: mean + mean_of(some) for mean in apart.tolist()]
    expected = np.hypot(ERROR, apart.std() / 5**0.5)
    assert spread(crossing.over_tunings(both, N, rng())) == pytest.approx(expected, rel=TOLERANCE)


def ratio_error(hits: np.ndarray, tries: np.ndarray) -> float:
    """The standard error of sum(hits) / sum(tries) over items drawn together (Cochran 1977, section 2.11)."""
    return float(np.sqrt(np.square(hits - hits.sum() / tries.sum() * tries).sum()) / tries.sum())


TRIES = 1 + numpy_generator(0, "tries").integers(9, size=N)
HITS = np.minimum(np.round(TRIES * 0.6 + numpy_generator(0, "hits").uniform(-1, 1, N)), TRIES)


def test_the_share_of_hits_among_tries() -> None:
    """Items of many tries weigh more."""
    assert spread(writing.Shares(HITS, TRIES).measure(rng())) == pytest.approx(ratio_error(HITS, TRIES), rel=TOLERANCE)
    battery = SimpleNamespace(sentences=[(), (), range(N)], seed=0)
    battery.resampled = probe_suite.Battery.resampled.func(battery)  # type: ignore[attr-defined]
    measures = SimpleNamespace(each=np.stack([HITS, TRIES], 1), share=0.6, spearman=0.0)
    drawn = probe_suite.Battery.scored(battery, measures, measures).draws  # type: ignore[arg-type]
    assert spread(drawn) == pytest.approx(ratio_error(HITS, TRIES), rel=TOLERANCE)


def test_the_loss_at_masked_words_over_pairs_of_sentences() -> None:
    selected = np.zeros((2 * N, 10), bool)
    selected[::2] = np.arange(10) < TRIES[:, None]
    nats = numpy_generator(0, "nats").exponential(1.0, TRIES.sum())
    by_pair = np.array([part.sum() for part in np.split(nats, TRIES.cumsum()[:-1])])
    test: Any = SimpleNamespace(selected=selected, follows=np.zeros(N))
    found = reading.against(nats, reading.Exact([2.0] * len(nats), []), test, rng())
    error = ratio_error(by_pair, TRIES)
    assert found["masked.loss"].value == pytest.approx(nats.mean())
    assert spread(found["masked.loss"]) == pytest.approx(error, rel=TOLERANCE)
    assert spread(found["masked.excess"]) == pytest.approx(error / 2, rel=TOLERANCE)
    assert spread(found["perplexity"]) == pytest.approx(error * np.exp(nats.mean()), rel=TOLERANCE)


def test_shares_of_right_answers_are_binomial(monkeypatch: pytest.MonkeyPatch) -> None:
    right = np.arange(400) % 4 > 0
    error = (0.75 * 0.25 / 400) ** 0.5
    assert spread(reading.share_of(right, rng())) == pytest.approx(error, rel=TOLERANCE)
    # 500 draws: their quantiles are known to some 7%
    monkeypatch.setattr(game, "verdicts", lambda *_: SimpleNamespace(measures=dict))
    monkeypatch.setattr(game, "made", lambda *_: {"gan": None})
    monkeypatch.setattr(game.mixtures, "coverage", lambda *_: (1, right))
    found = game.measured(SimpleNamespace(sample=400), {"judge": None}, 0, torch.device("cpu"))  # type: ignore[arg-type, dict-item]
    assert {name.split(".")[0] for name in found} == set(game.MIXTURES)
    for name in game.MIXTURES:
        assert spread(found[f"{name}.gan.quality"]) == pytest.approx(error, rel=0.2)


def test_scores_of_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any measure of clips, here the mean score, all draws are of as many clips as there are."""
    monkeypatch.setattr(scores, "ranked", lambda labels, shown: (labels.mean(0), shown.mean(0)))
    found = scores.drawn(ITEMS[:, None], 2 * ITEMS[:, None], rng(), {"all": (0,)})
    assert spread(found["map"]) == pytest.approx(ERROR, rel=TOLERANCE)
    assert spread(found["all"]) == pytest.approx(2 * ERROR, rel=TOLERANCE)


def test_answers_to_dubbed_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right in three quarters of 80 congruent clips, and seen in a quarter of their 240 dubs, the same quarter
    in all three: what is resampled are the 80 happenings."""

    def render(recipe: Any, seed: int, purpose: str, count: int, shift: int = 0, _: str = "") -> SimpleNamespace:
        return SimpleNamespace(seen=np.zeros(count, int), heard=np.full(count, shift))

    def answers(model: Any, dubbed: SimpleNamespace) -> np.ndarray:
        right = np.arange(len(dubbed.seen)) % 4 < (1 if dubbed.heard.any() else 3)
        said = np.where(right, dubbed.seen, np.maximum(dubbed.heard, 1))
        return np.eye(4)[said] * np.linspace(3, 6, len(said))[:, None]

    monkeypatch.setattr(dubbing, "render", render)
    monkeypatch.setattr(dubbing, "answers", answers)
    found = dubbing.judged(None, SimpleNamespace(test_trials=80), 0)  # type: ignore[arg-type]
    for name, share in (("accuracy", 0.75), ("mistakes", 0.25), ("answers.seen", 0.25)):
        assert found.told[name] == pytest.approx(share)
        assert spread(found.draws[name]) == pytest.approx((share * (1 - share) / 80) ** 0.5, rel=TOLERANCE)


def test_the_slope_of_weights_over_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's weight is its mean answer times 0 to 8, the ideal observer's 0 to 8: the slope is the mean answer, in
    every resample of the same trials for all nine pairs."""
    count = iter(range(9))
    nothing = cues.Cues(*np.zeros((8, N), np.float32))._replace(sources=np.zeros((N, 2), np.float32))
    trials = places.Trials(torch.zeros(N), torch.zeros(N), nothing)

    def weighed(*_: Any) -> locating.Answered:
        factor = next(count)
        answers = dict.fromkeys(locating.REPORTED, factor * ITEMS) | {"ideal": np.full(N, factor)}
        return locating.Answered(trials, answers, {})

    drawn = dict.fromkeys(locating.WEIGHED, 1 + ITEMS)
    monkeypatch.setattr(locating, "weighed", weighed)
    monkeypatch.setattr(locating, "captured", lambda *_: locating.Answered(trials, {}, drawn))
    monkeypatch.setattr(places, "weight", lambda answers, _: answers.mean())
    monkeypatch.setattr(places, "spread", lambda *_: 1.0)
    found = locating.located({}, SimpleNamespace(test_trials=N), 0)  # type: ignore[arg-type]
    assert found.judgement.told["weight.slope"] == pytest.approx(ITEMS.mean())
    assert spread(found.judgement.draws["weight.slope"]) == pytest.approx(ERROR, rel=TOLERANCE)
    assert spread(found.judgement.draws["capture.near"]) == pytest.approx(ERROR, rel=TOLERANCE)
    assert found.weights["bottleneck"] == pytest.approx([k * ITEMS.mean() for k in range(9)])


def test_scores_of_students_spread_alike_and_on_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("with_head", "encode", "learn", "answers"):
        monkeypatch.setattr(distilling.finetune, name, lambda *_: None)
    monkeypatch.setattr(distilling.measure, "valuation", lambda *_: mean_of)
    task: Any = SimpleNamespace(kind="", name="task", train=(), test=range(N), measures=["accuracy"])
    setting: Any = SimpleNamespace(seed=0, reader=None, tuning=None)
    whole, *drawn = distilling.score(setting, None, task)  # type: ignore[arg-type]
    assert whole == pytest.approx(ITEMS.mean())
    assert spread(drawn) == pytest.approx(ERROR, rel=TOLERANCE)
    assert distilling.score(setting, None, task)[1:] == drawn  # type: ignore[arg-type]
