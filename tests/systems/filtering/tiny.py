"""The study `filtering` at its tiny preset, and the graph of messages that a model implies."""

import json
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sympy
import torch

from phantastic.declare.claims import judge, summarise
from phantastic.declare.recipe import compose
from phantastic.inference import published
from phantastic.inference.circuit import ERROR, OWN, PREDICTION, circuit, message_passing
from phantastic.inference.model import Level, LogPrecision, Model
from phantastic.run.folder import Run
from phantastic.systems.filtering import experiment, measure
from phantastic.systems.filtering.study import STUDY, FilteringRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("filtering")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


def test_claims_that_need_one_noise_hold_at_tiny(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "tiny")
    assert {f.claim.id: f.evidence for f in findings if f.verdict == "fails"} == {}
    assert sum(f.verdict == "holds" for f in findings) >= 10
    for finding in findings:
        assert JAPANESE.search(finding.claim.statement.ja)
        assert not JAPANESE.search(finding.claim.statement.en)
        assert set(finding.claim.measure + finding.claim.than) <= set(run.measures())


def test_the_published_deconvolution_is_what_the_recipe_gives() -> None:
    ours = measure.deconvolved(measure.linear(FilteringRecipe(), 3))
    theirs = published.setup("convolution", "state_estimation").run(seed=3)
    assert torch.equal(ours.v[2], theirs.v[2])
    assert torch.equal(ours.x[1], theirs.x[1])


def test_parameters_are_learned_as_published() -> None:
    recipe = FilteringRecipe(steps=3)
    made = measure.linear(recipe, 1)
    ours = measure.learned(recipe, made, "states_params_precisions")
    experiment_ = published.setup("triple", "states_params_precisions")
    theirs = experiment_.changed(iterations=3).run(y=made.y)
    assert torch.equal(ours.parameters, theirs.parameters)
    known = measure.estimates(ours, experiment_.model)
    assert known["A21"][0] == float(theirs.parameters[1])
    assert known["C1_1"][1] > 0


def test_the_ledger_can_say_no() -> None:
    """Without a push the double well's state stays where it is seen to be."""
    found = measure.nonlinear(FilteringRecipe(drive=0.0), 0)
    assert found["well.error"] < 1
    assert found["well.wrong"] == 0
    claims = [claim for claim in STUDY.claims() if claim.id in ("filtering.wells", "filtering.side")]
    findings = judge(claims, {name: summarise([value]) for name, value in found.items()}, "tiny")
    assert [finding.verdict for finding in findings] == ["fails", "fails"]


def test_noise_is_the_seed_s() -> None:
    recipe = FilteringRecipe()
    one, same, other = (measure.linear(recipe, seed).y for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_errors_of_the_orbit_and_of_the_wells_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A belief in the mirror image of a well is of the right size and on the wrong side."""

    def believed(mean: list, truth: list, response: list) -> Any:
        x, y, g = (torch.tensor(each, dtype=torch.float64) for each in (mean, truth, response))
        return SimpleNamespace(x={1: x}, v={1: g}, process=SimpleNamespace(x={1: y}, v={1: torch.zeros_like(g)}))

    orbit = [[bin / 4, -float(bin), 0.0] for bin in range(1, 65)]
    monkeypatch.setattr(measure, "orbit", lambda seed: believed(orbit, [[0.0] * 3] * 64, [[0.0]]))
    wells = believed([[1.0], [-1.0], [2.0], [2.0]], [[1.0], [1.0], [2.0], [-2.0]], [[3.0], [1.0]])
    monkeypatch.setattr(measure, "wells", lambda drive, seed: wells)
    assert measure.nonlinear(FilteringRecipe(), 0) == pytest.approx({
        "lorenz.error.1": 1, "lorenz.error.16": 16, "lorenz.error.32": 32, "lorenz.error.64": 64, "lorenz.left": 32,
        "well.error": math.sqrt(5), "well.size.error": 0, "well.wrong": 0.5, "well.response.error": math.sqrt(5),
    })  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["message-passing", "deconvolution", "embedding", "learning", "lorenz", "double-well"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"[:\[, ]-?(NaN|Infinity)", text), name


@pytest.mark.parametrize(
    "changes",
    [
        {"states_order": 1, "causes_order": 8, "sensory_log_precision": 0.0, "bins": 24, "steps": 2, "drive": 16.0},
        {"states_order": 8, "causes_order": 0, "smoothness": 0.1, "sensory_log_precision": 12.0, "steps": 2},
        {"smoothness": 1.0, "state_log_precision": 0.0, "steps": 2, "drive": 0.0},
    ],
)
def test_extreme_recipes_are_measured(changes: dict) -> None:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", changes)
    assert isinstance(recipe, FilteringRecipe)
    found = experiment.tried(recipe, 0)
    assert all(math.isfinite(value) for value in found.values()), found


# --- the graph of messages


def named(model: Model) -> dict[str, set[tuple[str, str]]]:
    _, messages = circuit(model)
    return {
        what: {(m.source.name, m.target.name) for m in messages if m.what == what} for what in (ERROR, PREDICTION, OWN)
    }


def test_the_graph_of_a_two_level_song() -> None:
    model = published.setup("hierarchical_song", "canonical").model
    units, messages = circuit(model)
    assert {unit.name: unit.size for unit in units} == {
        "y": 2, "z1": 2, "x1": 3, "w1": 3, "v2": 1, "z2": 1, "x2": 3, "w2": 3,
    }  # fmt: skip
    found = named(model)
    assert found[PREDICTION] == {("x1", "z1"), ("v2", "w1"), ("x2", "z2")}
    assert found[OWN] == {("y", "z1"), ("x1", "w1"), ("v2", "z2"), ("x2", "w2")}
    # Errors go where predictions and beliefs come from, never to the data.
    assert found[ERROR] == {(b, a) for a, b in found[PREDICTION] | found[OWN] if a != "y"}
    assert {(m.source.name, m.target.name) for m in messages if m.extrinsic} == {("w1", "v2"), ("v2", "w1")}


def test_a_line_is_there_only_where_a_function_depends_on_its_source() -> None:
    x, v = sympy.symbols("x v")
    through = Model([Level(states={x: 0.0}, causes=[v], flow=[-x], response=[v]), Level(V=1.0)])
    assert named(through)[PREDICTION] == {("v2", "z1")}
    level = Level(states={"x": 0.0}, causes=["v"], flow=lambda x, v, p: -x, response=lambda x, v, p: x)
    plain = Model([level, Level()])
    assert named(plain)[PREDICTION] == {("x1", "z1"), ("v2", "z1"), ("v2", "w1")}  # a function hides what it uses


def test_labels_say_what_precisions_are() -> None:
    x = sympy.Symbol("x")
    level = Level(states={x: 0.0}, flow=[-x], response=[x, x], V=torch.tensor([1.0, math.e**2]), W=LogPrecision(3.0))
    units = {unit.name: unit.log_precision for unit in circuit(Model([level, Level()]))[0]}
    assert units == {"y": "", "z1": "0 … 2", "x1": "", "w1": "?"}
    attenuated = published.setup("attenuation", "self_hE+4").model
    assert {unit.name: unit.log_precision for unit in circuit(attenuated)[0]}["z1"] == "h(x, v)"
    drawn = message_passing(attenuated).picture
    assert "ln Π = h(x, v)" in json.dumps(drawn.to_dict(validate=False), ensure_ascii=False)
