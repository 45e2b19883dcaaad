"""The studies `fusion` and `integration`: their measures where the answer is known, and their tiny runs."""

from collections.abc import Callable
from functools import partial
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from msgspec import structs
from PIL import Image

from phantastic.declare.i18n import speaking
from phantastic.declare.measure import Measure, resampled
from phantastic.declare.recipe import compose
from phantastic.declare.study import register
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.bottleneck import apply as applied
from phantastic.systems.bottleneck import clips, dubbing, fusion, locating, places, scores, training
from phantastic.systems.bottleneck import speaking as spoken
from phantastic.systems.bottleneck.flops import macs
from phantastic.systems.bottleneck.measure import auc, average_precision
from phantastic.systems.bottleneck.model import FusionTransformer
from phantastic.systems.bottleneck.study import FUSION, INTEGRATION, FusionApply, FusionRecipe
from phantastic.world import cues, events, syllables

STUDIES = register()
TINY: Any = FUSION.presets["tiny"]
SMALL: Any = INTEGRATION.presets["tiny"]


# --- the plan


def test_the_plan_has_every_fusion_layer_both_ways_and_each_sense_alone() -> None:
    plans = clips.architectures(FusionRecipe(layers=4, points=5, numbers=(1, 4, 16)))
    fused = {f"{kind}{layer}" for kind in ("bottleneck", "vanilla") for layer in range(4)}
    assert set(plans) == fused | {"late", "tokens1", "tokens16", "rgb", "spectrogram"}
    assert plans["tokens16"].fusion_layer == plans["bottleneck2"].fusion_layer == 2
    assert plans["vanilla3"].fusion == "vanilla"
    paper: Any = FUSION.presets["paper"]
    plans = clips.architectures(paper)
    assert [plan.fusion_layer for name, plan in plans.items() if name.startswith("vanilla")] == [0, 2, 4, 6, 8, 10]
    assert plans["bottleneck6"].senses["rgb"].tokens == 16 * 14 * 14  # as in the released configuration


def test_late_fusion_is_the_same_model_both_ways() -> None:
    plan = clips.architectures(TINY)["late"]
    corpus = clips.render(TINY, 0, "test", 4)
    with initialised(0, "late"):
        bottleneck = FusionTransformer(plan).eval()
        vanilla = FusionTransformer(type(plan)(**{**vars(plan), "fusion": "vanilla"})).eval()
        torch.nn.init.normal_(bottleneck.head.weight)
    state = {name: value for name, value in bottleneck.state_dict().items() if not name.startswith("bottleneck")}
    vanilla.load_state_dict(state)
    inputs = corpus.inputs(slice(4), tuple(plan.senses))
    assert torch.equal(bottleneck(**inputs), vanilla(**inputs))
    assert macs(plan) == macs(vanilla.architecture)


def test_every_clip_comes_once_an_epoch_and_mixup_mixes_labels_by_sense() -> None:
    recipe = FusionRecipe(clips=32, batch=8, size=16, frames=4, patch=8)
    corpus = clips.render(recipe, 0, "test", 32)
    corpus = corpus._replace(labels=torch.arange(32.0)[:, None].expand(-1, 24))
    for epoch in range(2):
        rows = [clips.batch(corpus, recipe, ("rgb",), 0, 4 * epoch + step)[1]["rgb"][:, 0] for step in range(4)]
        assert sorted(torch.cat(rows).tolist()) == list(range(32))
    mixed = FusionRecipe(clips=32, batch=8, size=16, frames=4, patch=8, mixup=1.0)
    inputs, targets = clips.batch(corpus, mixed, ("spectrogram", "rgb"), 0, 0)
    plain, labels = clips.batch(corpus, recipe, ("spectrogram", "rgb"), 0, 0)
    assert not torch.equal(targets["rgb"], targets["spectrogram"])
    assert not torch.equal(inputs["rgb"], plain["rgb"])
    assert targets["rgb"].mean() == pytest.approx(float(labels["rgb"].mean()), abs=8)


def test_a_clip_and_its_labels_are_mixed_by_one_weight_for_each_sense() -> None:
    """Where what is seen and heard of clip k is all k, and so are its labels, a mixture is what its label says."""
    recipe = FusionRecipe(clips=8, batch=8, size=16, frames=4, patch=8, mixup=1.0)
    number = torch.arange(8.0)
    frames = number.to(torch.uint8)[:, None, None, None, None].expand(-1, 4, 16, 16, 3)
    corpus = clips.Corpus(frames, number.half()[:, None, None].expand(-1, 5, 3), number[:, None].expand(-1, 24))
    inputs, targets = clips.batch(corpus, recipe, ("spectrogram", "rgb"), 0, 0)
    for sense, (mean, deviation) in (("rgb", clips.LIGHT), ("spectrogram", clips.LOUDNESS)):
        mixed = inputs[sense].flatten(1) * deviation + mean
        torch.testing.assert_close(mixed, targets[sense][:, :1].expand_as(mixed), rtol=0, atol=1e-3)
    whole = clips.batch(corpus, recipe, ("rgb",), 0, 0)
    half = clips.batch(corpus, recipe, ("rgb",), 0, 0, slice(2, 5))
    assert torch.equal(half[0]["rgb"], whole[0]["rgb"][2:5])
    assert torch.equal(half[1]["rgb"], whole[1]["rgb"][2:5])


def test_maps_decay_and_nothing_else() -> None:
    model = FusionTransformer(clips.architectures(TINY)["bottleneck0"])
    decaying, rest = training.optimiser_of(model, 0.1, 0.05).param_groups
    assert len(decaying["params"]) + len(rest["params"]) == len(list(model.parameters()))
    assert all(parameter.ndim == 2 for parameter in decaying["params"])
    assert any(parameter is model.get_parameter("bottleneck.tokens") for parameter in rest["params"])


def test_rendered_clips_are_standardised() -> None:
    """Pixels and log-mel energies of quiet clips have a mean near 0 and a deviation near 1, at the sizes studied."""
    recipe = FusionRecipe(visual_noise=SMALL.visual_noise, auditory_noise=SMALL.auditory_noise)
    inputs = clips.render(recipe, 0, "test", 12).inputs(slice(None), ("rgb", "spectrogram"))
    assert inputs["rgb"].shape[-1] == 3
    assert inputs["spectrogram"].shape[-1] == 1
    for each in inputs.values():
        assert abs(float(each.mean())) < 0.15
        assert 0.8 < float(each.std()) < 1.2


def test_trials_are_standardised_and_heard_with_both_ears() -> None:
    shown = places.render(places.training(SMALL, 0.7), 0, "test", 24)
    inputs = shown.inputs(slice(None), ("rgb", "spectrogram"))
    left, right, apart = inputs["spectrogram"].unbind(-1)
    for each in (inputs["rgb"], left, right):
        assert abs(float(each.mean())) < 0.2
        assert 0.7 < float(each.std()) < 1.3
    torch.testing.assert_close(apart, 2 * (left - right), rtol=0, atol=1e-5)
    assert list(shown.inputs(slice(3), ("rgb",))) == ["rgb"]


def test_the_middle_layer_lies_half_way_and_the_earlier_one_of_two() -> None:
    for layers, points, spread, middle in (
        (4, 5, [0, 1, 2, 3], 2),
        (12, 7, [0, 2, 4, 6, 8, 10], 6),
        (3, 4, [0, 1, 2], 1),
    ):
        recipe = FusionRecipe(layers=layers, points=points)
        assert clips.fused_layers(recipe) == spread
        assert clips.middle(recipe) == middle


def test_the_loss_is_the_mean_over_senses_and_classes_with_smoothed_labels() -> None:
    """Odds of e to 1 for a class that is there and of 1 to 1 for one that is not; the other sense is sure and right."""
    targets = torch.tensor([[1.0, 0.0]])
    told = {"rgb": torch.tensor([[1.0, 0.0]]), "spectrogram": torch.tensor([[40.0, -40.0]])}
    both = {"rgb": targets, "spectrogram": targets}
    expected = (log(1 + np.exp(-1)) + log(2)) / 2 / 2
    assert float(fusion.loss_of(told, both, 0.0)) == pytest.approx(expected)
    # where the label is y(1 - ε) + ε/2, the loss grows by ε/2 of each logit, against it
    more = 0.2 / 2 * (1 + 40 + 40) / 2 / 2
    assert float(fusion.loss_of(told, both, 0.2)) == pytest.approx(expected + more, rel=1e-4)


def test_differences_of_models_by_hand() -> None:
    """Three layers; two seeds. At layer 0 and 1 a bottleneck gains .1 and .05 in the mean; at 2 nothing passes."""
    recipe = FusionRecipe(layers=3, points=4, numbers=(1, 2, 8), bottlenecks=4)
    values = {
        "bottleneck0": (0.5, 0.7), "vanilla0": (0.5, 0.5), "bottleneck1": (0.6, 0.6), "vanilla1": (0.6, 0.5),
        "bottleneck2": (0.4, 0.6), "vanilla2": (0.9, 0.9), "late": (0.5, 0.3), "tokens1": (0.1, 0.1),
        "tokens2": (0.7, 0.7), "tokens8": (0.5, 0.7),
    }  # fmt: skip
    seeds = [{f"{name}.map": Measure(pair[at], [pair[at]]) for name, pair in values.items()} for at in (0, 1)]
    for at, seed in enumerate(seeds):  # of what either sense tells, in the middle and late
        seed |= {
            "bottleneck1.redundant": Measure(0.8, [0.8]),
            "late.redundant": Measure(0.9 + at / 10, [0.9 + at / 10]),
        }
    found = fusion.differences(recipe, clips.architectures(recipe), seeds)
    assert {name: each.value for name, each in found.items()} == pytest.approx({
        "gain.layer0": 0.1, "gain.layer1": 0.05, "last.gain": 0.1, "numbers.2": 0.1, "numbers.8": 0,
        "redundant.gain": -0.15,
    })  # fmt: skip
    assert found["gain.layer0"].each == pytest.approx([0, 0.2])  # seed by seed


def test_what_is_computed_is_counted_in_millions() -> None:
    plans = clips.architectures(TINY)
    found = fusion.computed(TINY, plans)
    assert found["late.macs.published"] == macs(plans["late"]) / 1e6
    assert found["vanilla0.macs.own"] == macs(plans["vanilla0"], "own") / 1e6
    assert found["early.macs.ratio"] == macs(plans["bottleneck0"]) / macs(plans["vanilla0"]) < 1
    assert len(found) == 3 * len(plans) + 1


def test_a_training_step_is_timed_in_milliseconds_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks once a look, a second between: for a batch of 16, 62.5 ms a clip."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(fusion, "process_time", lambda: float(next(ticks)))
    monkeypatch.setattr(fusion, "TIMED", 1)
    plans = {name: plan for name, plan in clips.architectures(TINY).items() if name in ("late", "tokens1")}
    found = fusion.seconds(plans, TINY, torch.device("cpu"))
    assert found == {"late": dict.fromkeys(("published", "own", "read"), 62.5)}


def test_patches_that_are_looked_at_stay_bright() -> None:
    """Two by two weights on six by four pixels: 1/4 where least is, 1 where most is, 5/8 half way."""
    found = applied.enlarged(np.array([[[0.0, 2.0], [1.0, 0.0]]]), (6, 4))
    assert found.tolist() == [[[0.25, 0.25, 1, 1]] * 3 + [[0.625, 0.625, 0.25, 0.25]] * 3]
    assert applied.enlarged(np.ones((1, 1, 1)), (1, 1)).tolist() == [[[0.25]]]
    picture = np.full((1, 2, 3), 200, np.uint8)
    assert applied.lit(picture, np.array([[0.25, 1.0]])).tolist() == [[[50] * 3, [200] * 3]]


def test_attention_maps_lie_as_the_patches_do_and_sum_to_one() -> None:
    """A model whose bottleneck asks nothing looks at all patches alike."""
    plan = clips.architectures(TINY)["bottleneck0"]
    model = FusionTransformer(plan).eval()
    corpus = clips.render(TINY, 0, "test", 2)
    for name in plan.senses:
        torch.nn.init.zeros_(model.blocks(name)[0].attention.query.weight)
    maps = applied.attention(model, corpus)
    assert {name: tuple(each.shape) for name, each in maps.items()} == {n: s.grid for n, s in plan.senses.items()}
    for name, each in maps.items():
        torch.testing.assert_close(each, torch.full(plan.senses[name].grid, 1 / plan.senses[name].tokens))


# --- scores


def test_fast_scores_are_scikit_learn_s() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((200, 24)) < 0.3).astype(float)
    labels[:, 3] = 0
    logits = generator.normal(size=labels.shape) + labels
    precision, area = scores.ranked(labels, logits)
    np.testing.assert_allclose(precision, average_precision(labels, logits))
    np.testing.assert_allclose(area, auc(labels, logits))
    told = scores.told(labels, logits)
    draws = scores.drawn(labels, logits, generator)
    measure = resampled(told["map"], draws["map"])
    assert measure.low is not None
    assert measure.high is not None
    assert measure.low < measure.value < measure.high


def test_the_released_ratio_is_half_against_the_published_rival_only() -> None:
    assert fusion.released() == pytest.approx(
        {"released.macs.ratio": 198.7 / 417.2, "released.macs.ratio.own": 198.7 / 234.2}, rel=1e-3
    )


# --- integration


def trials(count: int = 400, **setting: Any) -> places.Trials:
    return places.render(cues.Setting(**setting), 0, "test", count)


def test_learned_from_are_cues_of_one_source_as_often_as_the_recipe_says() -> None:
    recipe = structs.replace(SMALL, common=0.25, sharpest=0.03, bluntest=0.3)
    setting = places.training(recipe, recipe.common)
    assert (setting.common, setting.sigma_seen, setting.sigma_heard) == (0.25, (0.03, 0.3), (0.03, 0.3))
    assert places.training(recipe, 1.0).common == 1


def test_the_ideal_observer_has_the_weights_of_maximum_likelihood() -> None:
    """But for the prior, which bounds the places of sources."""
    for seen, heard in ((0.03, 0.03), (0.03, 0.12), (0.06, 0.03)):
        shown = trials(sigma_seen=(seen, seen), sigma_heard=(heard, heard))
        best = places.ideal(shown, 1.0).mean(1)
        assert places.weight(best, shown) == pytest.approx(seen**-2 / (seen**-2 + heard**-2), abs=0.05)
        assert places.spread(best, shown) < 1.1 * (seen**-2 + heard**-2) ** -0.5


def test_weight_spread_and_capture_of_known_responses() -> None:
    shown = trials(conflict=0.3)
    seen, heard, source = shown.cues.seen, shown.cues.heard, shown.cues.sources[:, 0]
    assert places.weight(0.7 * seen + 0.2 * heard + 0.1, shown) == pytest.approx(7 / 9)
    assert places.spread(source + 0.2, shown) == pytest.approx(0.2)


def test_the_loss_of_places_is_least_where_the_mean_is_the_source() -> None:
    sources = torch.tensor([[0.11, -0.43], [0.5, -0.5]])
    logits = torch.zeros(2, 2 * len(places.CENTRES), requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.5)
    for _ in range(300):
        optimiser.zero_grad()
        places.loss_of(logits, sources).backward()
        optimiser.step()
    mean = logits.detach().unflatten(1, (2, -1)).softmax(-1) @ places.CENTRES
    torch.testing.assert_close(mean, sources, rtol=0, atol=5e-3)


def test_dubbed_clips_differ_in_sound_alone() -> None:
    congruent, dubbed = (dubbing.render(SMALL, 0, "test", 8, shift) for shift in (0, 1))
    assert torch.equal(congruent.clips.frames, dubbed.clips.frames)
    assert not torch.equal(congruent.clips.spectrograms, dubbed.clips.spectrograms)
    assert congruent.seen.tolist() == congruent.heard.tolist() == [0, 1, 2, 3] * 2
    assert dubbed.heard.tolist() == [1, 2, 3, 0] * 2
    redundant = list(events.GROUPS["redundant"])
    assert torch.equal(congruent.clips.labels[:, redundant].argmax(1), torch.from_numpy(congruent.seen))


def test_judgements_of_dubbed_clips_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that hears and does not see: congruent clips it tells, dubbed ones by their sound; its odds are of 95% in
    congruent clips, twice that in logarithms in dubbed ones. One that always says the first, for third answers."""
    odds = log(19)

    def hears(model: object, dubbed: dubbing.Dubbed) -> np.ndarray:
        sure = 1 + (dubbed.seen != dubbed.heard).astype(float)
        return odds * sure[:, None] * np.eye(4)[dubbed.heard]

    recipe = structs.replace(SMALL, test_trials=8)
    monkeypatch.setattr(dubbing, "answers", hears)
    found = dubbing.judged(None, recipe, 0)  # pyright: ignore[reportArgumentType]
    assert found.told == pytest.approx({
        "accuracy": 1, "mistakes": 0, "time.congruent": events.SECONDS, "time.incongruent": events.SECONDS / 2,
        "answers.seen": 0, "answers.heard": 1, "answers.third": 0, "answers.fused": 0, "mistakes.sight": 0,
        "mistakes.hearing": 0,
    })  # fmt: skip
    monkeypatch.setattr(dubbing, "answers", lambda model, dubbed: np.eye(4)[np.zeros(len(dubbed.seen), int)])
    found = dubbing.judged(None, recipe, 0)  # pyright: ignore[reportArgumentType]
    expected = {
        "accuracy": 1 / 4,
        "mistakes": 3 / 4,
        "answers.seen": 1 / 4,
        "answers.heard": 1 / 4,
        "answers.third": 1 / 2,
    }
    assert {name: found.told[name] for name in expected} == pytest.approx(expected)
    assert {len(draws) for draws in found.draws.values()} == {dubbing.DRAWS}
    assert np.mean(found.draws["answers.third"]) == pytest.approx(1 / 2, abs=0.05)


def test_the_loss_of_an_event_is_of_what_is_seen() -> None:
    dubbed = dubbing.render(SMALL, 0, "test", 4, 1)
    naming: Any = type("Naming", (), {"__call__": lambda self, **_: 30 * torch.eye(4)[[0, 2]]})()
    naming.architecture = dubbing.architecture(SMALL)
    assert float(dubbing.loss_of(naming, dubbed, torch.tensor([0, 2]))) == pytest.approx(0, abs=1e-6)
    assert float(dubbing.loss_of(naming, dubbed, torch.tensor([1, 3]))) == pytest.approx(30)


MODELS = ("rgb", "spectrogram", "bottleneck", "late", "bottleneck.causes", "late.causes")


def test_where_models_answer_as_the_ideal_observer_they_are_measured_as_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of cues of one source those that learned of one; those that may have two, where sight and sound conflict."""
    common = {"spectrogram": 0.0, "bottleneck.causes": SMALL.common, "late.causes": SMALL.common}
    monkeypatch.setattr(places, "respond", lambda model, trials: places.ideal(trials, common.get(model, 1.0)))
    monkeypatch.setattr(locating, "DRAWS", 5)
    recipe = structs.replace(SMALL, test_trials=60)
    found = locating.located({name: name for name in MODELS}, recipe, 0)  # pyright: ignore[reportArgumentType]
    assert found.weights["bottleneck"] == found.weights["late"] == found.weights["ideal"]
    assert found.spreads["bottleneck"] == found.spreads["ideal"]
    assert found.judgement.draws["weight.slope"] == pytest.approx([1] * 5)
    assert found.capture["bottleneck"] == found.capture["ideal"]
    pairs = list(zip(found.weights["seen"], found.weights["heard"], strict=True))
    assert pairs == [(a, b) for a in places.SIGMAS for b in places.SIGMAS]
    for (seen, heard), weight in zip(pairs, found.weights["ideal"], strict=True):  # the rule of maximum likelihood
        assert weight == pytest.approx(seen**-2 / (seen**-2 + heard**-2), abs=0.12)
    assert found.capture["ideal"][0] > found.capture["ideal"][-1], "cues far apart are not taken for one"
    measures = found.judgement.measures()
    assert measures["weight.slope"].value == pytest.approx(1)
    assert measures["spread.excess"].value == measures["capture.error"].value == 0
    assert {len(measure.draws) for measure in measures.values()} == {5}


def test_sight_draws_hearing_both_ways_alike_and_not_at_all_where_it_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One model hears every burst where the flash is; the other, like hearing alone, half way from the middle to where
    it is: that it is drawn to the middle is the prior's doing, not sight's. Cues of any reliability."""

    def respond(model: str, trials: places.Trials) -> np.ndarray:
        place = trials.cues.seen if model == "bottleneck.causes" else trials.cues.heard / 2
        return np.stack([trials.cues.seen, place], 1)

    monkeypatch.setattr(places, "respond", respond)
    recipe = structs.replace(SMALL, test_trials=400)
    models: Any = {name: name for name in MODELS}
    drawn = locating.captured(models, recipe, 0, 0.4).drawn
    assert drawn["late"].tolist() == [0] * 400
    # half of the heard place, of ±.2 half a disparity from the source, less the seen one, on the other side: .1 + .2
    assert drawn["bottleneck"].mean() == pytest.approx((0.1 + 0.2) / 0.4, abs=0.01)


def test_sense_by_sense_what_mishearing_explains_is_no_fusion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes every sound for the third event says a third thing of conflict, and nothing that is fused."""

    def render(recipe: object, seed: int, purpose: str, count: int, shift: int = 0, alone: str = "") -> SimpleNamespace:
        seen = np.arange(count) % 4
        return SimpleNamespace(seen=seen, heard=(seen + shift) % 4, alone=alone)

    def answers(model: object, dubbed: SimpleNamespace, fusing: bool) -> np.ndarray:
        given = dubbed.seen if dubbed.alone == "seen" else np.full_like(dubbed.seen, 2)
        if fusing and not dubbed.alone:  # neither, nor the third event
            free = [next(k for k in (0, 1, 3) if k not in pair) for pair in zip(dubbed.seen, dubbed.heard, strict=True)]
            given = np.array(free)
        return 9.0 * np.eye(4)[given]

    monkeypatch.setattr(dubbing, "render", render)
    recipe, told = structs.replace(SMALL, test_trials=40), []
    for fusing in (False, True):
        monkeypatch.setattr(dubbing, "answers", partial(answers, fusing=fusing))
        found = dubbing.judged(None, recipe, 0)  # pyright: ignore[reportArgumentType]
        told.append(found.told)
        assert set(found.draws) == set(found.told)
    deaf, fused = told
    assert (deaf["mistakes.hearing"], deaf["mistakes.sight"]) == (0.75, 0)
    assert deaf["answers.third"] == pytest.approx(0.5)  # where neither is the third event: 6 of 12 dubs
    assert deaf["answers.fused"] == 0
    assert fused["answers.fused"] == fused["answers.third"] == 1


def test_what_is_alone_is_the_same_without_the_other_sense() -> None:
    whole, seen, heard = (dubbing.render(SMALL, 0, "test", 4, 1, alone) for alone in ("", "seen", "heard"))
    assert torch.equal(whole.clips.frames, seen.clips.frames)
    assert torch.equal(whole.clips.spectrograms, heard.clips.spectrograms)
    assert not torch.equal(whole.clips.spectrograms, seen.clips.spectrograms)
    assert not torch.equal(whole.clips.frames, heard.clips.frames)
    assert whole.heard.tolist() == heard.heard.tolist() == [1, 2, 3, 0]


def test_a_response_is_the_mean_of_places() -> None:
    """All of the weight on the place at .6 for the flash, half on -.6 and half on 0 for the burst."""
    logits = torch.full((50,), -100.0)
    logits[24] = logits[25] = logits[25 + 12] = 0.0
    shown = places.render(places.training(SMALL, 0.7), 0, "test", 3)
    naming: Any = type("Pointing", (), {"__call__": lambda self, rgb: logits.expand(len(rgb), -1)})()
    naming.architecture = places.architectures(SMALL)["rgb"]
    found = places.respond(naming, shown)
    assert found.shape == (3, 2)
    assert found[2].tolist() == pytest.approx([0.6, -0.3], abs=1e-6)


def test_stronger_evidence_decides_sooner() -> None:
    logits = np.array([[3.0, 0, 0, 0], [6.0, 0, 3, 0], [12.0, 0, 0, 0]])
    slow, same, fast = dubbing.decision_time(logits)
    assert slow == pytest.approx(same)
    assert slow == pytest.approx(4 * fast)


def test_who_is_95_percent_sure_at_the_end_of_the_clip_takes_as_long_as_it() -> None:
    odds = log(0.95 / 0.05)
    logits = np.array([[odds, 0, -1, -9], [-3, 1, 2 * odds + 1, 0]])
    assert dubbing.decision_time(logits) == pytest.approx([events.SECONDS, events.SECONDS / 2])


def test_measures_of_integration_by_hand() -> None:
    """Two pairs of reliabilities, of which either sense is once the better one, and two disparities."""
    weights = {"bottleneck": [0.3, 0.6], "late": [0.5, 0.5], "ideal": [0.2, 0.8], "seen": [0.1], "heard": [0.1]}
    spreads = {"rgb": [2.0, 3.0], "spectrogram": [4.0, 1.0], "bottleneck": [1.0, 0.5], "late": [2.0, 1.0],
               "ideal": [0.5, 0.25]}  # fmt: skip
    capture = {"bottleneck": [0.8, 0.2], "late": [0.1, 0.0], "ideal": [0.7, 0.4]}
    found = locating.told(weights, spreads, capture)
    expected = {
        "gain.bottleneck": 1.0, "gain.late": 0.0, "gain.ideal": 3.0, "spread.rgb": 6.5**0.5,
        "spread.excess": 1.0, "weight.slope": 0.5, "weight.slope.late": 0.0, "weight.error": 0.15,
        "capture.near": 0.8, "capture.far": 0.2, "capture.kept": 0.2, "capture.error": 0.15,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_the_slope_of_weights() -> None:
    best = np.linspace(0, 1, 9)
    assert locating.slope(best, best) == pytest.approx(1)
    assert locating.slope(np.full(9, 0.5), best) == pytest.approx(0)


# --- tiny runs


@pytest.mark.parametrize("name", ["fusion", "integration"])
def test_a_tiny_run_measures_what_the_claims_are_about(name: str, tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run(name)
    measures, claims = run.measures(), STUDIES[name].claims()
    verdicts = {finding.claim.id: finding.verdict for finding in judge(claims, measures, "full")}
    assert "untested" not in verdicts.values()
    for lang in ("en", "ja"):
        with speaking(lang):
            assert all(figure.caption for figure in run.study.load().figures(run).values())


def test_apply_tells_a_clip_with_both_senses_and_each_alone(tiny_run: Callable[[str], Run], tmp_path: Path) -> None:
    run = tiny_run("fusion")
    made = events.render(events.World(32), 0, "test", [0])
    (tmp_path / "frames").mkdir()
    for index, frame in enumerate(made.frames[0]):
        Image.fromarray(frame).save(tmp_path / f"frames/{index:02d}.png")
    soundfile.write(tmp_path / "sound.wav", made.sound[0, 0], events.RATE)
    request = {"frames": str(tmp_path / "frames"), "audio": str(tmp_path / "sound.wav"), "to": str(tmp_path / "a.png")}
    lines = run.study.load().apply(run, FusionApply(**request))
    rows = [line for line in lines if line.endswith(events.CLASSES)]
    assert len(rows) == len(events.CLASSES)
    assert all(0 <= float(word) <= 1 for row in rows for word in row.split()[:3])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 300
    for wrong, words in (
        ({}, "give --clip FILE"),
        ({"frames": "x"}, "frames and sound go together"),
        ({"clip": "a.mp4", "audio": "b.wav"}, "give --clip FILE"),
        (request | {"to": "a.gif"}, "written as .png"),
        (request | {"audio": str(tmp_path / "nothing.wav")}, "nothing.wav"),
    ):
        with pytest.raises(Refused, match=words):
            run.study.load().apply(run, FusionApply(**wrong))


def test_without_a_lesion_the_clips_of_the_test_give_what_was_recorded(tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run("fusion")
    found, recorded = run.study.load().lesion_measures(run, run.study.load().networks(run)), run.measures()
    layer = clips.middle(run.recipe)  # pyright: ignore[reportArgumentType]
    for name in ("bottleneck", "vanilla"):
        for key in ("map", *events.GROUPS):
            assert found[f"{name}.{key}"] == pytest.approx(recorded[f"{name}{layer}.{key}"].value, nan_ok=True)
    assert recorded["middle.map"] == recorded[f"bottleneck{layer}.map"]
    assert recorded["early.map"] == recorded["bottleneck0.map"]


def test_distances_of_answers_are_by_source(tiny_run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose answers lie .1 beside the flash and .3 beside the burst, and names one of four events."""
    run = tiny_run("integration")
    models = run.study.load().networks(run)
    monkeypatch.setattr(places, "respond", lambda model, trials: trials.cues.sources + np.array([0.1, -0.3]))
    monkeypatch.setattr(dubbing, "answers", lambda model, dubbed: np.eye(4)[np.full(len(dubbed.seen), 2)])
    found = run.study.load().lesion_measures(run, models)
    assert found == pytest.approx({"distance.seen": 0.1, "distance.heard": 0.3, "named": 0.25})


def own_clips(root: Path) -> Path:
    """A folder of clips by class: rendered ones in which one thing happens."""
    for part, count in (("train", 6), ("test", 4)):
        for place, name in enumerate(("bounces", "rolls")):
            made = events.render(events.World(16, 4), place, part, range(count), dub=(name, name))
            for number in range(count):
                place_of = root / part / name / f"clip{number}"
                place_of.mkdir(parents=True)
                for index, frame in enumerate(made.frames[number]):
                    Image.fromarray(frame).save(place_of / f"{index:02d}.png")
                soundfile.write(place_of / "sound.wav", made.sound[number, 0], events.RATE)
    return root


def test_the_study_runs_on_clips_of_the_user_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_clips(tmp_path / "clips")
    (folder / "train/rolls/clip0/sound.wav").write_bytes(b"RIFF")
    changes = {"data": str(folder), "clips": 16, "batch": 4, "device": "cpu"}
    run = Run.create(FUSION, compose(FUSION.recipe, FUSION.presets, "tiny", changes), "tiny", tmp_path / "runs")
    execute(run)
    run.finish()
    told = capsys.readouterr().err
    assert "train: 11 of 12 clips are used" in told
    assert "rolls/clip0" in told
    measures = run.measures()
    assert "middle.map" in measures
    assert not any("synergy" in name for name in measures)
    assert "information" not in run.study.load().figures(run)
    assert run.study.load().lesion_measures(run, run.study.load().networks(run))["bottleneck.map"] == pytest.approx(
        measures["middle.map"].value
    )
    request = {"frames": str(folder / "test/rolls/clip0"), "audio": str(folder / "test/rolls/clip0/sound.wav")}
    assert {line.split()[-1] for line in run.study.load().apply(run, FusionApply(**request))[-3:-1]} == {
        "bounces",
        "rolls",
    }
    run.close()
    (folder / "test/hums/clip0").mkdir(parents=True)
    with pytest.raises(Refused, match="only one of them holds 'hums'"):
        clips.corpus(compose(FUSION.recipe, FUSION.presets, "tiny", changes), 0, "test", 4)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="seconds = 3"):
        clips.architectures(FusionRecipe(seconds=3.0))


def test_lesions_are_measured_by_what_labels_ask_of_the_senses(tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run("fusion")
    models = run.study.load().networks(run)
    assert set(run.study.load().lesion_measures(run, models)) == {
        f"{name}.{key}" for name in models for key in ("map", *events.GROUPS)
    }


def test_third_answers_to_syllables_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """One model answers as the ideal observer, the other by what it hears, taking every lone labial for what it is."""

    def answers(model: str, speech: spoken.Speech) -> np.ndarray:
        shown = speech.cues
        if model == "bottleneck":
            return syllables.ideal_observer(shown.seen, shown.heard, shown.voiced, shown.shown, shown.sounded)
        return np.eye(6)[np.where(shown.sounded, shown.spoken, syllables.ALVEOLAR)]

    monkeypatch.setattr(spoken, "answers", answers)
    recipe = structs.replace(SMALL, test_trials=60)
    models: Any = {"bottleneck": "bottleneck", "late": "late"}
    found = spoken.judged(models, recipe, 0)
    told = found.judgement.told
    assert told["syllable.short.bottleneck"] == 0
    assert told["syllable.between.bottleneck"] == told["syllable.between.ideal"] > 0.8
    assert told["syllable.accuracy.late"] == 1
    assert told["syllable.between.late"] == told["syllable.reverse.late"] == told["syllable.alone.hearing.late"] == 0
    assert told["syllable.alone.sight.late"] == told["syllable.alone.either.late"] == 1
    assert told["syllable.short.late"] == told["syllable.between.ideal"]
    assert found.shares["late"] == {"hearing": [1, 0, 0], "sight": [0, 1, 0], "both": [1, 0, 0]}
    assert {len(draws) for draws in found.judgement.draws.values()} == {spoken.DRAWS}


def test_late_fusion_of_syllables_is_a_product_of_the_senses() -> None:
    """The logits of late fusion are a mean of what each sense's own stream says, whatever the other has."""
    model = training.build(spoken.architectures(SMALL)["late"], 0, torch.device("cpu"))
    with initialised(0, "head"):  # which begins at zero
        torch.nn.init.normal_(next(each for name, each in model.named_parameters() if name == "head.weight"))
    whole, seen, heard, nothing = (
        spoken.answers(model, spoken.render(0, "test", 3, (0, 2), alone)) for alone in (0.0, "seen", "heard", 0.0)
    )
    frames = spoken.render(0, "test", 3, (0, 2), "heard").frames
    spectra = spoken.render(0, "test", 3, (0, 2), "seen").spectrograms
    neither = spoken.answers(model, spoken.Speech(frames, spectra, spoken.render(0, "test", 3).cues))
    assert np.allclose(whole + neither, seen + heard, atol=1e-4)
    assert np.array_equal(whole, nothing)
    assert not np.allclose(whole, seen, atol=1e-4)
