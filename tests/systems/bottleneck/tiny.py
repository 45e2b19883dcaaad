"""The studies `fusion` and `integration`: their measures where the answer is known, and their tiny runs."""

from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from phantastic.declare.claims import judge, resampled
from phantastic.declare.i18n import speaking
from phantastic.declare.recipe import compose
from phantastic.declare.study import register
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import initialised
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.bottleneck import clips, dubbing, fusion, integration, places, scores, training
from phantastic.systems.bottleneck.flops import macs
from phantastic.systems.bottleneck.measure import auc, average_precision
from phantastic.systems.bottleneck.model import FusionTransformer
from phantastic.systems.bottleneck.scores import Judgement
from phantastic.systems.bottleneck.study import FUSION, INTEGRATION, FusionApply, FusionRecipe
from phantastic.world import cues, events

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


def test_maps_decay_and_nothing_else() -> None:
    model = FusionTransformer(clips.architectures(TINY)["bottleneck0"])
    decaying, rest = training.optimiser_of(model, 0.1, 0.05).param_groups
    assert len(decaying["params"]) + len(rest["params"]) == len(list(model.parameters()))
    assert all(parameter.ndim == 2 for parameter in decaying["params"])
    assert any(parameter is model.get_parameter("bottleneck.tokens") for parameter in rest["params"])


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
    exact = trials(conflict=0.3, sigma_seen=(0.005, 0.005), sigma_heard=(0.005, 0.005))
    both = np.stack([exact.cues.seen, exact.cues.seen], 1)
    assert places.captured(both, exact, 0.3) == pytest.approx(1, abs=0.02)
    both[:, 1] = exact.cues.heard
    assert places.captured(both, exact, 0.3) == pytest.approx(0, abs=0.02)


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
    found = integration.measures(integration.Located(weights, spreads, [0.4, 0.6], capture), Judgement({}, {}))
    expected = {
        "gain.bottleneck": 1.0, "gain.late": 0.0, "gain.ideal": 3.0, "spread.rgb": 6.5**0.5,
        "spread.excess": 1.0, "weight.slope": 0.5, "weight.slope.late": 0.0, "weight.error": 0.15,
        "capture.near": 0.8, "capture.far": 0.2, "capture.ratio": 0.25, "capture.error": 0.15,
    }  # fmt: skip
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_the_slope_of_weights() -> None:
    best = np.linspace(0, 1, 9)
    assert integration.slope(best, best) == pytest.approx(1)
    assert integration.slope(np.full(9, 0.5), best) == pytest.approx(0)


# --- tiny runs


@pytest.mark.parametrize("name", ["fusion", "integration"])
def test_a_tiny_run_measures_what_the_claims_are_about(name: str, tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run(name)
    measures, claims = run.measures(), STUDIES[name].claims()
    needed = {measure for claim in claims for measure in (*claim.measure, *claim.than)}
    assert needed <= set(measures)
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
