"""The study `song` at its tiny preset."""

import json
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import MARGINS, judge
from phantastic.inference import published
from phantastic.inference.precision import Precisions
from phantastic.lesion import damage, sites
from phantastic.run.folder import Run
from phantastic.systems.song import measure
from phantastic.systems.song.study import STUDY, SongRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")
TINY = STUDY.presets["tiny"]


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("song")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


def test_the_songs_are_recognised_at_tiny(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "tiny")
    assert {f.claim.id: f.evidence for f in findings if f.verdict == "fails"} == {}
    tested = [f.claim for f in findings if f.verdict == "undecided"]  # of one noise there is no interval
    assert {claim.id for claim in tested} == {"song.categories"}
    assert all(met.value >= 0 for claim in tested for met, _ in MARGINS[claim.predicate](claim, run.measures()))
    for finding in findings:
        assert JAPANESE.search(finding.claim.statement.ja)
        assert not JAPANESE.search(finding.claim.statement.en)
        assert set(finding.claim.measure + finding.claim.than) <= set(run.measures())
    assert all(math.isfinite(m.value) for m in run.measures().values())


def test_the_listeners_are_the_published_ones() -> None:
    recipe = SongRecipe()
    for listener, name in (
        ("omission", "omission_highprior"), ("attenuated", "omission_lowprior_MMNattenuated"),
        ("hallucination", "omission_hallucination"),
    ):  # fmt: skip
        e = published.setup("song_omission", name)
        ours, theirs = measure.listener_model(recipe, listener), e.model
        for one, other in zip(ours.levels[:2], theirs.levels[:2], strict=True):
            assert (one.V, one.W, dict(one.states)) == (other.V, other.W, dict(other.states))
    assert recipe.sung == published.song.OMISSION


@pytest.mark.parametrize("listener", measure.PRIORS)
def test_every_listener_hears_the_canonical_song_and_believes_as_published(listener: str) -> None:
    """The world of all three is the hierarchy; the listener's own is the published one of its name."""
    recipe = SongRecipe(sung=40, silence=8)
    belief = measure.followed(recipe, listener, 3)
    name = {"no_structure": "no_structural_priors", "no_dynamics": "no_dynamical_priors"}.get(listener, listener)
    theirs = published.setup("hierarchical_song", name).changed(causes=torch.zeros(48, 0, dtype=torch.float64))
    expected = theirs.run(seed=3)
    assert belief.process is not None
    assert belief.v[1].shape == (48, 2)
    torch.testing.assert_close(belief.v[1], expected.v[1], rtol=0, atol=1e-9)
    torch.testing.assert_close(belief.process.v[1], (belief.v[1] + belief.z[1]), rtol=0, atol=1e-9)
    assert set(belief.process.x) == {1, 2}


def test_every_seed_has_noise_of_its_own_for_every_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple] = []
    monkeypatch.setattr(measure, "named", lambda recipe, seed: asked.append(("named", seed)) or {})
    monkeypatch.setattr(measure, "expected", lambda recipe, seed: asked.append(("expected", seed)) or {})
    percept = SimpleNamespace(v={1: None}, process=SimpleNamespace(v={1: None}))
    monkeypatch.setattr(measure, "heard", lambda recipe, listener, seed: asked.append((listener, seed)) or percept)
    monkeypatch.setattr(measure, "alike", lambda percept, song, where: 0.5)
    monkeypatch.setattr(measure, "evoked", lambda recipe, belief: {"peak": 1.0})
    run: Any = SimpleNamespace(once=lambda name, compute, kind: compute())
    found = STUDY.load().one_seed(run, SongRecipe(seed=2), 5)
    assert set(asked) == {(name, 5) for name in ("named", "expected", *measure.LISTENERS)}
    kinds = ("peak", "song", "song.before")
    assert set(found) == {f"{listener}.{kind}" for listener in measure.LISTENERS for kind in kinds}


def test_what_is_heard_is_held_against_the_song_channel_by_channel() -> None:
    """Right in one channel and reversed in the other it is 0, whatever the loudness; of silence nothing is said."""
    song = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert measure.alike(3 * song + 1, song, slice(10, None)) == pytest.approx(1)
    assert measure.alike(song * song.new_tensor([1, -1]), song, slice(10, None)) == pytest.approx(0, abs=1e-12)
    assert measure.alike(torch.zeros_like(song), song, slice(None)) == 0
    turned = torch.cat([-song[:20], song[20:]])
    assert measure.alike(turned, song, slice(20, None)) == pytest.approx(1)


def test_intact_precisions_hear_what_the_run_heard(run: Run) -> None:
    found = run.study.load().lesion_measures(run, run.study.load().networks(run))
    for name, value in found.items():
        assert value == pytest.approx(run.measures()[f"omission.{name}"].value, rel=1e-9)


def test_the_listener_of_the_whole_song_is_the_normal_one() -> None:
    recipe = SongRecipe(sensory=3.0, prior=7.0, reduced=1.0, compensated=-1.0)
    found = {listener: measure.log_precisions(recipe, listener) for listener in measure.LISTENERS}
    assert found == {
        "full": (3.0, 8.0, 7.0, 7.0), "omission": (3.0, 8.0, 7.0, 7.0), "attenuated": (3.0, 8.0, 1.0, 1.0),
        "hallucination": (-1.0, 8.0, 1.0, 1.0),
    }  # fmt: skip


def test_the_song_breaks_off_and_is_silent() -> None:
    assert isinstance(TINY, SongRecipe)
    whole, broken = (measure.heard(TINY, listener, 0) for listener in ("full", "omission"))
    data = broken.v[1] + broken.z[1]
    assert float(data[TINY.sung :].abs().max()) < 1e-9
    assert torch.allclose(data[: TINY.sung], (whole.v[1] + whole.z[1])[: TINY.sung])
    assert torch.allclose(measure.response(broken)[:8], measure.response(whole)[:8])  # the future is not known yet


def test_imprecise_senses_keep_the_song_going() -> None:
    """The hallucination, short of the published length."""
    assert isinstance(TINY, SongRecipe)
    found = {name: measure.evoked(TINY, measure.heard(TINY, name, 0))["heard"] for name in measure.LISTENERS}
    assert max(found["omission"], found["attenuated"]) < 0.1
    assert min(found["full"], found["hallucination"]) > 5


def test_causes_are_held_by_intervals_of_ninety_percent_at_the_bin_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a Gaussian, 1.6 standard deviations away are inside and 1.7 outside; all bins but one are of no account."""

    def recognised(song: str, seed: int) -> Any:
        v, covariance = torch.full((64, 2), math.nan), torch.full((64, 2, 2), math.nan)
        covariance[39] = torch.tensor([[0.25, 9.0], [9.0, 1.0]])
        off = {"songA": (0.0, 0.0), "songB": (0.8, -1.6), "songC": (0.85, 1.7)}[song]
        v[39] = torch.tensor(published.song.SONGS[song]) + torch.tensor(off)
        return SimpleNamespace(v={2: v.double()}, covariance=SimpleNamespace(v=covariance.double()))

    monkeypatch.setattr(measure, "recognised", recognised)
    found = measure.named(SongRecipe(listened=40), 0)
    assert found["causes.inside"] == pytest.approx(4 / 6)
    assert found["A.rayleigh"] == pytest.approx(32)
    assert found["B.rayleigh.deviation"] == pytest.approx(0.8 / 26)
    assert found["C.second.deviation"] == pytest.approx(1.7 / (8 / 3))


def test_responses_and_predictions_are_measured_from_their_own_bin_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of 9 before, then of 3 and 4 at once, whose norm is 5; predictions are 7, of silence 2."""
    recipe = SongRecipe()
    bins = torch.arange(recipe.sung + recipe.silence)[:, None]
    error = torch.where(bins < recipe.sung, 9.0, torch.tensor([3.0, 4.0])).double()
    predicted = torch.where(bins < recipe.sung + measure.AFTER, 7.0, torch.tensor([-2.0, 2.0])).double()
    belief: Any = SimpleNamespace(weighted_errors=lambda: {"z": {1: error}}, v={1: predicted})
    assert measure.evoked(recipe, belief) == pytest.approx({"peak": 5, "power": 5, "heard": 2})
    locked = torch.where(torch.arange(64)[:, None] < measure.LOCKED, 100.0, torch.tensor([1.0, 7.0])).double()
    heard = SimpleNamespace(v={1: locked}, process=SimpleNamespace(v={1: torch.zeros_like(locked)}))
    monkeypatch.setattr(measure, "followed", lambda recipe, listener, seed: heard)
    assert measure.expected(recipe, 0) == pytest.approx(dict.fromkeys([f"{name}.error" for name in measure.PRIORS], 5))


def test_precisions_are_sites(run: Run) -> None:
    models = run.study.load().networks(run)
    both = [f"precision.level{number}{part}" for number in (1, 2) for part in ("", ".V", ".W")]
    assert [place.name for place in sites(models)] == ["precision", *both]
    precisions = models["precision"]
    assert isinstance(precisions, Precisions)
    model = measure.listener_model(run.recipe, "omission")
    same = precisions.imposed(model)
    for one, other in zip(model.levels[:2], same.levels[:2], strict=True):
        assert torch.allclose(torch.as_tensor(other.V), torch.as_tensor(one.V, dtype=torch.float64))
        assert torch.allclose(torch.as_tensor(other.W), torch.as_tensor(one.W, dtype=torch.float64))
    with damage(models, "precision.level2", "scale", 0.875, 0):
        reduced = precisions.imposed(model)
    assert torch.allclose(torch.as_tensor(reduced.levels[1].V), torch.tensor(math.e**2, dtype=torch.float64))


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["message-passing", "recognition", "priors", "omission", "listeners"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"[:\[, ]-?(NaN|Infinity)", text), name


@pytest.mark.parametrize(
    "changes", [{"sensory": 8.0, "prior": 0.0, "compensated": -4.0, "reduced": 16.0}, {"sensory": -4.0, "listened": 16}]
)
def test_extreme_recipes_are_measured(changes: dict) -> None:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", changes | {"sung": 48})
    assert isinstance(recipe, SongRecipe)
    found = measure.named(recipe, 0) | measure.surprised(recipe, 0)
    assert all(math.isfinite(value) for value in found.values()), found
