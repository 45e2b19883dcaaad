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

from phantastic.declare.measure import summarise
from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import MARGINS, judge
from phantastic.inference import published
from phantastic.inference.circuit import ERROR, OWN, PREDICTION, circuit, message_passing
from phantastic.inference.model import Level, LogPrecision, Model
from phantastic.run.folder import Run
from phantastic.systems.filtering import experiment, joint, measure
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
    assert {f.verdict for f in findings} == {"undecided", "untested"}  # of one noise there is no interval
    tested = [f.claim for f in findings if f.verdict == "undecided"]
    assert sum(all(met.value >= 0 for met, _ in MARGINS[c.predicate](c, run.measures())) for c in tested) >= 10
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
    findings = judge(claims, {name: summarise([value] * 2) for name, value in found.items()}, "tiny")
    assert [finding.verdict for finding in findings] == ["fails", "fails"]


def test_noise_is_the_seed_s() -> None:
    recipe = FilteringRecipe()
    one, same, other = (measure.linear(recipe, seed).y for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_every_seed_has_noise_of_its_own_in_every_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[str, int]] = []
    for name in ("linear", "nonlinear"):
        monkeypatch.setattr(measure, name, lambda recipe, seed, name=name: seeds.append((name, seed)) or {})
    monkeypatch.setattr(measure, "covered", lambda recipe, seed: seeds.append(("covered", seed)) or {})
    monkeypatch.setattr(joint, "compared", lambda recipe, seed: seeds.append(("compared", seed)) or {})
    for name in ("seen", "triples"):
        monkeypatch.setattr(measure, name, lambda recipe, system: {})
    run: Any = SimpleNamespace(once=lambda name, compute, kind: compute())
    STUDY.load().one_seed(run, FilteringRecipe(seed=2), 5)
    assert seeds == [("linear", 5), ("covered", 5), ("nonlinear", 5), ("compared", 5)]


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


def test_deconvolution_is_measured_against_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cause of 0, 2, 0 taken for 1, 1.5, 0; states of 3 and 4 taken for 3 and 2; by embedding and by smoothness."""

    def believed(v: list, x: list) -> Any:
        cause, states = torch.tensor(v).double()[:, None], torch.tensor(x).double()
        spread = {"v": torch.full((len(v), 1, 1), 0.25), "x": torch.diag_embed(torch.tensor([[0.01, 1.0]] * len(x)))}
        return SimpleNamespace(v={2: cause}, x={1: states}, covariance=SimpleNamespace(**spread))

    asked = []

    def tuned(system: Any, orders: tuple[int, int], width: float) -> Any:
        asked.append((orders, width))
        return believed([0.0, 2.0, 3.0 if width else 4.0], [])

    monkeypatch.setattr(measure, "deconvolved", lambda system: believed([1.0, 1.5, 0.0], [[3.0, 2.0]] * 3))
    monkeypatch.setattr(measure, "tuned", tuned)
    truth: Any = SimpleNamespace(v={2: torch.tensor([0.0, 2.0, 0.0]).double()[:, None]},
                                 x={1: torch.tensor([[3.0, 4.0]] * 3).double()})  # fmt: skip
    recipe = FilteringRecipe(states_order=5, causes_order=2, smoothness=0.75)
    found = measure.seen(recipe, SimpleNamespace(truth=truth))  # type: ignore[arg-type]
    assert found == pytest.approx({
        "cause.peak": 1.5, "cause.peak.error": 0.5, "cause.error": 1.25, "cause.explained": 1 - 1.25 / 4,
        "cause.inside": 2 / 3, "states.error": 12, "states.explained": 1 - 12 / 75, "states.inside": 0.5,
        "cause.error.one": 9, "cause.error.white": 16,
    })  # fmt: skip
    assert asked == [((1, 1), 0.75), ((5, 2), 0.0)]


def test_what_was_learned_is_held_against_what_made_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A21 of -.5 within an interval of 1.645 standard deviations, C11 of .125 outside of one."""
    runs = []

    def learned(recipe: FilteringRecipe, system: Any, variant: str, scheme: str) -> Any:
        runs.append((variant, scheme))
        return SimpleNamespace(free_energy=torch.tensor([-9.0, -4.0, -5.0, -2.0]), log_precisions=torch.tensor([7.0]))

    monkeypatch.setattr(measure, "learned", learned)
    monkeypatch.setattr(measure, "estimates", lambda *_: {"A21": (-0.66, 0.1), "C1_1": (0.25, 0.07)})
    found = measure.triples(FilteringRecipe(sensory_log_precision=8.5), None)  # type: ignore[arg-type]
    both, known, fixed = measure.VARIANTS
    assert runs == [(both, "spm12"), (both, "corrected"), (known, "spm12"), (fixed, "spm12")]
    for name in ("learned", "corrected", "known", "fixed"):
        told = {key.removeprefix(f"{name}."): value for key, value in found.items() if key.startswith(f"{name}.")}
        assert told == pytest.approx({
            "A21": -0.66, "A21.sd": 0.1, "A21.deviation": 0.32, "A21.error": 0.16, "A21.inside": 1,
            "C11": 0.25, "C11.sd": 0.07, "C11.deviation": 1, "C11.error": 0.125, "C11.inside": 0,
            "rise": 7, "rising": 2 / 3, **({} if name == "fixed" else {"drift": 1.5}),
        })  # fmt: skip


def test_estimates_are_of_the_parameters_by_name() -> None:
    result: Any = SimpleNamespace(
        parameters=torch.arange(14.0), parameter_covariance=torch.diag(torch.tensor([4.0, 9.0]))
    )
    found = measure.estimates(result, measure.triple("states_params_precisions"))
    assert found == {"A21": (1.0, 2.0), "C1_1": (4.0, 3.0)}


def test_the_linear_system_has_the_noise_and_the_precisions_of_its_recipe() -> None:
    recipe = FilteringRecipe(
        states_order=3, causes_order=5, sensory_log_precision=5.0, state_log_precision=6.0, smoothness=0.8
    )
    system = measure.linear(recipe, 0)
    model, world = system.experiment.model, system.experiment.process
    assert [math.log(float(each)) for each in (model.levels[0].V, model.levels[0].W)] == pytest.approx([5, 6])
    assert math.log(float(world.levels[0].V)) == pytest.approx(5)
    assert model.smoothness == world.smoothness == 0.8
    assert measure.orders_of(recipe) == (3, 3)
    assert system.experiment.orders == (3, 3)
    assert system.truth.v[2][:, 0].argmax() == 11
    assert float(system.truth.z[1].std()) == pytest.approx(math.exp(-2.5), rel=0.3)
    made = measure.wells(4.0, 0)
    assert made.process is not None
    assert float(made.process.v[2].abs().max()) == pytest.approx(4)


def test_variants_know_what_their_names_say(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {}
    monkeypatch.setattr(measure, "invert", lambda model, y, **options: calls.setdefault(len(calls), (model, options)))
    recipe = FilteringRecipe(sensory_log_precision=7.0, state_log_precision=5.0, steps=9, smoothness=0.6)
    system = measure.linear(recipe, 0)
    for variant in measure.VARIANTS:
        measure.learned(recipe, system, variant, "corrected")
    for number, variant in enumerate(measure.VARIANTS):
        model, options = calls[number]
        first = model.levels[0]
        assert (options["iterations"], options["scheme"], model.smoothness) == (9, "corrected", 0.6)
        assert (options["prior_u"] is system.experiment.causes) == (variant == "known_input")
        if variant == "states_params_fixedprec":
            assert [math.log(float(each)) for each in (first.V, first.W)] == pytest.approx([7, 5])
        else:
            assert (first.V.mean, first.V.variance) == (7, 0)
            assert isinstance(first.W, LogPrecision)


def test_intact_precisions_perceive_what_the_run_perceived(run: Run) -> None:
    found = run.study.load().lesion_measures(run, run.study.load().networks(run))
    assert set(found) == {"cause.error", "states.error"}
    for name, value in found.items():
        assert value == pytest.approx(run.measures()[name].value, rel=1e-6)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == [
        "message-passing",
        "deconvolution",
        "coverage",
        "embedding",
        "learning",
        "traces",
        "lorenz",
        "double-well",
    ]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"[:\[, ]-?(NaN|Infinity)", text), name


def test_both_schemes_are_held_against_what_made_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters of 1 and 3 taken for 2 and 3 with deviations of .5 and .1; states of 1 and 1 for 1 and 4."""
    spread = {"x": torch.full((2, 1, 1), 1.0), "v": torch.full((2, 1, 1), 0.01)}
    column = {"a": torch.tensor([[1.0], [4.0]]), "b": torch.tensor([[0.5], [0.0]]), "0": torch.zeros(2, 1)}
    belief: Any = SimpleNamespace(
        parameters=torch.tensor([9.0, 2.0, 3.0]), parameter_covariance=torch.diag(torch.tensor([0.25, 0.01])),
        x={1: column["a"]}, v={2: column["b"]}, covariance=SimpleNamespace(**spread),
    )  # fmt: skip
    truth: Any = SimpleNamespace(x={1: torch.ones(2, 1)}, v={2: column["0"]})
    filtered: Any = SimpleNamespace(belief=belief, traces=torch.tensor([[[5.0]], [[0.0]]]))
    both = joint.Both(truth, {"p": 1.0, "q": 3.0}, filtered, belief, (1, 2))
    for system in ("linear", "wells"):
        monkeypatch.setattr(joint, system, lambda recipe, seed: both)
    monkeypatch.setattr(joint, "known", lambda recipe, seed: 0.125)
    found = joint.compared(FilteringRecipe(), 0)
    one = {
        "parameters.error": math.sqrt(0.5), "parameters.sd": 0.3, "parameters.inside": 0.5, "states.error": 3 / 2**0.5,
        "states.inside": 0.5, "cause.error": 0.5 / 2**0.5, "cause.inside": 0.5,
    }  # fmt: skip
    systems = [f"{scheme}.{system}" for scheme in ("gf", "dem") for system in ("linear", "wells")]
    assert found == pytest.approx(
        {f"{name}.{key}": value for name in systems for key, value in one.items()}
        | {"gf.linear.rest": 0, "gf.wells.rest": 0, "gf.known.difference": 0.125}
    )


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
