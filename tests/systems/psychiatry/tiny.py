"""The studies occlusion, force_matching and schizophrenia at their tiny presets, and behaviour in files."""

import csv
import json
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from phantastic.cli.main import cli
from phantastic.declare.measure import Measure
from phantastic.declare.recipe import compose
from phantastic.declare.study import Study
from phantastic.declare.verdicts import judge
from phantastic.inference.published import eye
from phantastic.lesion import damage
from phantastic.run.folder import Run
from phantastic.systems.psychiatry import (
    apply,
    behaviour,
    force_matching,
    measure,
    occlusion,
    regimes,
    schizophrenia,
    tasks,
)
from phantastic.systems.psychiatry import recording as recording_module
from phantastic.systems.psychiatry.check import Check
from phantastic.systems.psychiatry.cohort import Cohort
from phantastic.systems.psychiatry.fit import Data, Posterior, Prior, infer, repeated
from phantastic.systems.psychiatry.simulate import Press, Pursuit, follow
from phantastic.systems.psychiatry.study import STUDIES, ForceRecipe, OcclusionRecipe, SchizophreniaRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")
EXPERIMENTS = {"occlusion": occlusion, "force_matching": force_matching, "schizophrenia": schizophrenia}
PICTURES = {
    "occlusion": ["occlusion", "reversal", "frequency", "precision"],
    "force_matching": ["attenuation", "matching", "courses"],
    "schizophrenia": ["map", "cohort", "recovery", "groups"],
}


@pytest.fixture(params=STUDIES, ids=lambda study: study.name)
def case(request: pytest.FixtureRequest, tiny_run: Callable[[str], Run]) -> tuple[Study, Run, ModuleType]:
    return request.param, tiny_run(request.param.name), EXPERIMENTS[request.param.name]


def test_every_preset_is_valid(case: tuple[Study, Run, ModuleType]) -> None:
    study = case[0]
    for preset, recipe in study.presets.items():
        assert compose(study.recipe, study.presets, preset, {}) == recipe


def test_lesions_reach_both_people(tiny_run: Callable[[str], Run]) -> None:
    """Intact, the measures are the run's own; a control whose level 2 is at precision 1 is, almost, the patient."""
    run = tiny_run("occlusion")
    models, measures = run.study.load().networks(run), run.measures()
    intact = run.study.load().lesion_measures(run, models)
    for who, value in intact.items():
        assert value == pytest.approx(measures[f"occluded.{who}.rms"].value, rel=1e-9)
    with damage(models, "precision.level2.W", "scale", 1, 0):
        damaged = run.study.load().lesion_measures(run, models)
    assert damaged["control"] == pytest.approx(intact["reduced"], rel=1e-9)
    assert damaged["reduced"] == pytest.approx(intact["reduced"], rel=1e-12)
    run = tiny_run("force_matching")
    models, measures = run.study.load().networks(run), run.measures()
    pressed = run.study.load().lesion_measures(run, models)
    for who in ("normal", "delusional"):
        own, equal = (measures[f"{who}.1.{kind}"].value for kind in ("own", "matched"))
        assert pressed[f"{who}.own"] == pytest.approx(own, rel=1e-9)
        assert pressed[f"{who}.illusion"] == pytest.approx(own - equal, rel=1e-9)


def test_no_claim_fails_at_tiny(case: tuple[Study, Run, ModuleType]) -> None:
    study, run, _ = case
    findings = judge(study.claims(), run.measures(), "tiny")
    assert {f.claim.id: f.evidence for f in findings if f.verdict == "fails"} == {}
    assert all(f.verdict == "holds" for f in findings if "tiny" in f.claim.presets)
    for finding in findings:
        assert JAPANESE.search(finding.claim.statement.ja)
        assert not JAPANESE.search(finding.claim.statement.en)
    named = {name for f in findings for name in (*f.claim.measure, *f.claim.than)}
    assert named <= set(run.measures())


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(case: tuple[Study, Run, ModuleType], lang: str) -> None:
    study, run, _ = case
    figures = run.study.load().figures(run)
    assert list(figures) == PICTURES[study.name]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert '"values": [{' in text, name
        assert not re.search(r"NaN|Infinity", text), name


def test_the_clinic_tells_the_target_at_rest_hidden_and_seen_apart() -> None:
    """Errors of 4 before the target sets out, 2 behind the occluder and 1 where it is seen."""
    bins = torch.arange(64)
    target = torch.where(bins < measure.ONSET, 0.0, torch.sin(bins / 5)).double()
    hidden, rest = target > measure.EDGE, bins < measure.ONSET
    error = torch.where(rest, 4.0, torch.where(hidden, -2.0, 1.0)).double()
    still = torch.zeros(1, 64, dtype=torch.float64)
    found = measure.clinic(Pursuit((target + error)[None], target[None], still, still))
    assert [float(found[name]) for name in ("seen", "hidden", "peak")] == [1, 2, 4]
    assert float(found["rms"]) == pytest.approx(float(error.square().mean().sqrt()))


def test_a_force_that_is_not_there_is_felt_where_it_is_surest_while_one_presses() -> None:
    """Surest, not strongest; what is felt before and after the press, or half of it, does not count."""
    columns = ([0, 1, 2, 2, 1, 0], [0] * 6, [1] * 6, [-9, -5, -0.5, -2, 0.5, -9], [1, 1, 0.25, 2, 1, 1])
    made = Press(*(torch.tensor([column], dtype=torch.float64) for column in columns))
    assert [float(each) for each in measure.opposed(made)] == [-0.5, 2]


def test_published_numbers_are_not_held_against_other_settings() -> None:
    """And two people of equal precision are equal: the ledger can say no."""
    found = occlusion.people(OcclusionRecipe(reduced=4.0)).found
    assert "occluded.control.rms.deviation" not in found
    assert found["occluded.reduced.rms"] == pytest.approx(found["occluded.control.rms"], rel=1e-12)
    assert "normal.1.own.deviation" not in force_matching.hands(ForceRecipe(attenuation=5.0)).found


def test_extremes_of_the_recipes_are_simulated() -> None:
    found, _ = measure.followed(6.0, -2.0, 6.0)
    assert all(np.isfinite(value) for value in found.values())
    recipe = ForceRecipe(attenuation=6.6, delusion=0.0, strong=4.0)
    assert all(np.isfinite(value) for value in force_matching.hands(recipe).found.values())
    corners = torch.cartesian_prod(*torch.stack([tasks.EYES.prior.low, tasks.EYES.prior.high], 1))
    assert bool(tasks.watch(corners).isfinite().all())
    task = tasks.pressing(torch.tensor([0.1, tasks.MOST_FORCE], dtype=torch.float64))
    assert bool(
        task.simulate(torch.cartesian_prod(*torch.stack([task.prior.low, task.prior.high], 1))).isfinite().all()
    )


def test_a_replayed_force_is_felt_as_it_was_and_as_coming_from_outside(tiny_run: Callable[[str], Run]) -> None:
    """Nobody presses in the replay: what is felt there is the outside force, as strong as it was made to be."""
    found = {name: measure.value for name, measure in tiny_run("force_matching").measures().items()}
    assert found["replay.external"] == pytest.approx(found["normal.1.matched"], rel=0.1)
    assert found["replay.internal"] == pytest.approx(found["attenuation+6.perceived"], rel=0.1)


def test_distances_of_both_tasks_are_measured_by_dose(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the occluded task an eye is off by its log-precision, in the other by three times as much."""
    asked = []

    def follow(run: str, motion: torch.Tensor, senses: torch.Tensor) -> Pursuit:
        asked.append((run, senses.tolist()))
        target = torch.sin(torch.arange(64, dtype=torch.float64) / 5).expand(len(motion), -1)
        off = motion[:, None] * (3 if "reversal" in run else 1)
        return Pursuit(target + off, target, target, target)

    monkeypatch.setattr(measure, "follow", follow)
    found = measure.by_dose(4.0, 0.0, 2.5, 3)
    assert found["motion"] == [4, 2, 0]
    assert found["occluded"] == pytest.approx([4, 2, 0])
    assert found["reversal"] == pytest.approx([12, 6, 0])
    assert found["gain"] == pytest.approx([1] * 3)
    assert found["lag"] == pytest.approx([0] * 3, abs=1e-9)
    assert asked == [("fig1_occluded_highprec", [2.5] * 3), ("fig4_reversal_highprec", [2.5] * 3)]


def test_after_the_turn_is_from_bin_49_on_and_the_frequency_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    bins = torch.arange(64)

    def follow(run: str, motion: torch.Tensor, senses: torch.Tensor) -> Pursuit:
        target = torch.sin(bins / 5).double().expand(2, -1)
        off = torch.where(bins > 49, 2.0, torch.where(bins == 49, 6.0, 1.0)) * torch.tensor([[1.0], [10.0]])
        return Pursuit(target + off, target, target, bins + 100.0 * torch.tensor([[1.0], [2.0]]))

    monkeypatch.setattr(measure, "follow", follow)
    found, _ = measure.followed(4.0, 0.0, 4.0)
    after = math.sqrt((36 + 14 * 4) / 15)
    assert [found[f"reversal.{who}.after"] for who in ("control", "reduced")] == pytest.approx([after, 10 * after])
    assert [found[f"frequency.{who}"] for who in ("control", "reduced")] == [163, 263]
    assert found["occluded.control.rms"] == pytest.approx(math.sqrt((49 + 36 + 14 * 4) / 64))


def test_the_illusion_is_how_much_larger_the_own_force_is_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(h: torch.Tensor, delusion: torch.Tensor, intended: torch.Tensor, noise: object) -> Any:
        assert (h.tolist(), delusion.tolist()) == ([5.0] * 4, [1.0] * 4)
        return SimpleNamespace(peak=lambda: (intended + 1, intended**2))

    monkeypatch.setattr(measure, "press", press)
    found = measure.matched(5.0, 1.0, "who")
    assert [found[f"who.{level}.own"] for level in ("0.5", "1", "1.5", "2")] == [1.5, 2, 2.5, 3]
    assert [found[f"who.{level}.matched"] for level in ("0.5", "1", "1.5", "2")] == [0.25, 1, 2.25, 4]
    assert found["who.illusion"] == pytest.approx((1.25 + 1 + 0.25 - 1) / 4)


def test_regimes_are_told_apart_by_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the control, who comes first; what is named later overrules what is named before."""
    target = torch.where(torch.arange(64) % 2 == 0, 2.0, -2.0).double()  # an eye at rest is off by 2

    def follow(run: str, occluded: torch.Tensor, turned: torch.Tensor) -> Pursuit:
        off = (turned if "reversal" in run else occluded)[:, None]
        return Pursuit(target + off, target.expand(len(off), -1), target, target)

    monkeypatch.setattr(regimes, "follow", follow)
    points = [(1.0, 1.0), (1.25, 1.2), (1.26, 1.0), (1.0, 1.21), (1.9, 1.3), (2.1, 1.3), (2.1, 1.0)]
    found, regime = regimes._eye(torch.tensor(points, dtype=torch.float64))
    assert regime.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert found["turned"].tolist() == pytest.approx([turned for _, turned in points])
    assert found["ratio"].tolist() == pytest.approx([turned - occluded for occluded, turned in points])

    own, equal, sure = torch.tensor(
        [[4, 3.8, 2], [4, 3.9, 1.0], [4, 3.8, 0], [2.0, 1, 0], [1.9, 1, 2]], dtype=torch.float64
    ).T
    monkeypatch.setattr(regimes, "press", lambda *_: SimpleNamespace(peak=lambda: (own, equal)))
    monkeypatch.setattr(regimes.measure, "opposed", lambda presses: (None, sure))
    found, regime = regimes._hand(torch.zeros(5, 2, dtype=torch.float64))
    assert regime.tolist() == [3, 1, 0, 0, 2]
    assert found["illusion"].tolist() == pytest.approx([0.2, 0.1, 0.2, 1, 0.9])


def test_a_cohort_is_scored_by_group_and_against_the_truth() -> None:
    """The truth of a difference of 1.5 to 2.5 is missed by .5 where it is 3, and held where the distance is below 0."""
    results = {
        "names": ["a", "b"], "recovery": [[0.5, [0.8, 0.7], 0.95, 0.1], [0.5, [0.4, 0.3], 0.9, 0.2]],
        "difference": [[2.0, 1.5, 2.5], [2.0, 1.5, 2.5]], "true_difference": [3.0, 1.8], "group": [0, 1, 0, 1],
        "clinic": {"gain": [1.0, 5.0, 3.0, math.nan]},
        "truth": [[0, 1], [1, 2], [2, 0]], "mean": [[0, 1], [1, 2], [2, 9]], "deviation": [[1, 1]] * 3,
    }  # fmt: skip
    found = {
        name: each.value if isinstance(each, Measure) else each
        for name, each in (
            schizophrenia.measures(results, "eyes", 0) | schizophrenia.clinical(results, "eyes", 0)
        ).items()
    }
    assert [found[f"eyes.a.{key}"] for key in ("r", "controls.r", "patients.r", "coverage", "error")] == [
        1, 0.8, 0.7, 1, 0.1,
    ]  # fmt: skip
    assert [found[f"eyes.b.difference{key}"] for key in ("", ".low", ".high")] == [2, 1.5, 2.5]
    missed = [found[f"eyes.{name}.difference.missed"] for name in "ab"]
    assert missed == pytest.approx([0.5, -0.3])
    assert [found[f"eyes.{who}.gain"] for who in schizophrenia.WHO] == [2, 5]


def test_groups_of_the_cohort_are_those_of_the_recipe() -> None:
    recipe = SchizophreniaRecipe(motion=4.0, motion_patients=1.0, attenuation=5.0, delusion=1.5, spread=0.5)
    assert schizophrenia.eye_groups(recipe) == (((4.0, 0.5), (4.0, 0.5)), ((1.0, 0.5), (4.0, 0.5)))
    assert schizophrenia.hand_groups(recipe) == (
        ((5.0, pytest.approx(0.35)), (0.0, pytest.approx(0.35))),
        ((3.5, pytest.approx(0.35)), (1.5, pytest.approx(0.35))),
    )
    assert schizophrenia.means(schizophrenia.eye_groups(recipe)) == [(4.0, 1.0), (4.0, 4.0)]
    typical = schizophrenia.typical(recipe)
    assert torch.as_tensor(typical["eyes"].model.levels[1].W).log()[:, 0].tolist() == pytest.approx([4, 1])
    assert torch.as_tensor(typical["hands"].model.parameters[0]).tolist() == [5, 3.5]


def test_what_is_inferred_is_of_the_first_people_and_what_the_clinic_sees_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = SchizophreniaRecipe(people=8, fitted=6, astray=2, trials=3, starts=4, eye_noise=0.05, force_noise=0.1)
    given = []

    def measured(behaviour: torch.Tensor, noise: float, trials: int, seed: int, purpose: str) -> torch.Tensor:
        given.append((len(behaviour), noise, trials, seed, purpose))
        return behaviour if purpose == "hands" else repeated(behaviour[:, None])

    monkeypatch.setattr(schizophrenia.cohort, "measured", measured)
    monkeypatch.setattr(schizophrenia, "inferred", lambda task, people, first, data, starts: {
        "first": first.tolist(), "data": data, "starts": starts, "names": task.names, "people": len(people.group),
        "follows": [row != 2 for row in first.tolist()], "recording": task.recording,
    })  # fmt: skip
    monkeypatch.setattr(schizophrenia, "infer", partial(schizophrenia.infer, steps=2))
    eyes, hands = schizophrenia.eyes(recipe, 3), schizophrenia.hands(recipe, 3)
    lost = [(2, 0.05, 3, 3, kind) for kind in recording_module.ASTRAY]
    assert given == [(6, 0.05, 3, 3, "eyes"), *lost, (6, 0.1, 3, 3, "hands")]
    assert (eyes["recording"], eyes["ignored"]["recording"]) == (tasks.EYES.recording, None)
    assert (eyes["marks"]["controls"], eyes["marks"]["patients"]) == ([False, True, False], [False] * 3)
    assert {name for name, marks in eyes["marks"].items() if len(marks) == 2} == {
        f"{rule}{kind}" for rule in ("", "plain.") for kind in recording_module.ASTRAY
    }
    assert eyes["marks"]["flat"] == eyes["marks"]["mirrored"] == [True, True]
    for found, names in ((eyes, ["motion", "senses"]), (hands, ["attenuation", "delusion"])):
        assert (found["first"], found["starts"], found["names"]) == (list(range(6)), 4, names)
        assert all(len(values) == found["people"] == 8 for values in found["clinic"].values())
    own, equal = hands["data"].split(4, -1)
    assert hands["clinic"]["own"][:6] == pytest.approx(own.mean(-1).tolist())
    assert hands["clinic"]["illusion"][:6] == pytest.approx((own - equal).mean(-1).tolist())


def test_every_seed_has_a_cohort_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple] = []
    for name in ("eyes", "hands"):
        results = {"ignored": "ignored", "of": name}
        monkeypatch.setattr(
            schizophrenia, name, lambda recipe, seed, name=name, results=results: asked.append((name, seed)) or results
        )
    monkeypatch.setattr(schizophrenia, "measures", lambda results, study, seed, *_: {f"{study}.x": results})
    monkeypatch.setattr(schizophrenia, "clinical", lambda results, study, seed: {f"{study}.y": results["of"]})
    monkeypatch.setattr(schizophrenia, "judged", lambda results, seed: {"z": results["of"]})
    run: Any = SimpleNamespace(once=lambda name, compute, kind: compute())
    found = schizophrenia.Schizophrenia().one_seed(run, SchizophreniaRecipe(seed=2), 5)
    assert asked == [("eyes", 5), ("hands", 5)]
    of = {name: {"ignored": "ignored", "of": name} for name in ("eyes", "hands")}
    assert found == {
        "eyes.x": of["eyes"], "ignored.x": "ignored", "hands.x": of["hands"],
        "eyes.y": "eyes", "hands.y": "hands", "z": "eyes",
    }  # fmt: skip


def test_who_is_taken_for_one_of_the_other_group_and_who_is_marked_is_counted() -> None:
    """Halfway between the true means of 4 and 1 is 2.5; of three controls one is below it and nobody where ignored."""
    marks = {"controls": [False, True, False], "flat": [True, True]}
    truth = [[4.0], [1.0], [3.5], [1.5], [4.5], [0.5]]
    results = {
        "truth": truth, "group": [0, 1] * 4, "marks": marks, "mean": [[2.4], [1.0], [3.5], [2.0], [4.0], [2.4]],
        "ignored": {"mean": [[3.0], [2.6], [3.0], [2.7], [3.0], [2.8]]},
    }  # fmt: skip
    found = {name: measure.value for name, measure in schizophrenia.judged(results, 0).items()}
    assert found == pytest.approx({
        "eyes.controls.mistaken": 1 / 3, "eyes.patients.mistaken": 0,
        "ignored.controls.mistaken": 0, "ignored.patients.mistaken": 1,
        "marked.controls": 1 / 3, "marked.flat": 1,
    })  # fmt: skip


def test_bias_and_coverage_are_counted_by_hand() -> None:
    """Truths of 0 and 2 have a standard deviation of 1; estimates are off by 1 and −.5, by 1.8 and .5 of their own."""
    truth = np.array([[0.0], [2.0], [0.0], [2.0]])
    error = np.array([[1.0], [-0.5], [1.0], [-0.5]])
    deviation = np.array([[1 / 1.8], [1.0], [1 / 1.8], [1.0]])
    results = {
        "names": ["a"], "truth": truth.tolist(), "mean": (truth + error).tolist(), "deviation": deviation.tolist(),
        "group": [0, 1, 0, 1], "recovery": [[0, [0.1, 0.2], 0, 7.0]], "difference": [[0, -1, 1]],
        "true_difference": [3],
    }  # fmt: skip
    found = {name: getattr(value, "value", value) for name, value in schizophrenia.measures(results, "eyes", 0).items()}
    assert (found["eyes.a.controls.bias"], found["eyes.a.patients.bias"]) == (1, -0.5)
    assert (found["eyes.a.coverage"], found["eyes.a.coverage90"]) == (1, 0.5)
    assert (found["eyes.a.error"], found["eyes.a.patients.r"], found["eyes.a.difference.missed"]) == (7, 0.2, 2)


def test_patients_differ_from_controls_by_what_theirs_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means of 1 in the controls and of 4 in the patients, seen exactly."""
    truth = torch.tensor([[0.8], [4.1], [1.2], [3.9], [1.0], [4.0]], dtype=torch.float64)
    people = Cohort(torch.cat([truth, truth[:2]]), torch.arange(8) % 2)
    zero = torch.zeros(6, dtype=torch.float64)
    exact = Posterior(truth, 1e-4 * torch.ones(6, 1, 1).double(), zero, zero, zero, zero[:, None])
    monkeypatch.setattr(schizophrenia, "infer", lambda *_, **__: exact)
    follows = torch.ones(6, dtype=torch.bool)
    monkeypatch.setattr(schizophrenia, "check", lambda *_: SimpleNamespace(follows=follows))
    one = torch.ones(1, dtype=torch.float64)
    task: Any = SimpleNamespace(names=["a"], recording=None, prior=Prior(one, one, one, one, 0.0, 1.0), simulate=None)
    found = schizophrenia.inferred(task, people, torch.arange(6), None, 4)  # type: ignore[arg-type]
    assert found["true_difference"] == pytest.approx([3])
    mean, low, high = found["difference"][0]
    assert mean == pytest.approx(3, abs=0.01)
    assert low < 3 < high
    assert [level["mean"][0] for level in found["level"]] == pytest.approx([1, 4], abs=0.01)
    assert (len(found["truth"]), len(found["group"])) == (6, 8)
    assert found["recovery"][0][3] == 0


def test_matching_moves_by_attenuation_and_by_compensation_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        schizophrenia, "equal_forces", lambda people, targets: 3 * people[:, :1] + people[:, 1:] * targets
    )
    assert schizophrenia.identified() == {
        "matching.attenuation.moves": pytest.approx(6),
        "matching.delusion.moves": pytest.approx(2 * math.sqrt(np.square([0.5, 1, 1.5, 2, 2.5]).mean())),
    }


def test_who_lost_attenuation_gained_as_much_compensation() -> None:
    recipe = ForceRecipe(attenuation=5.0)
    assert [force_matching.weaker(recipe, lost) for lost in (2.0, 6.0)] == [(3.0, 2.0), (0.0, 6.0)]


# --- what is said of a fit


def sheet(deviation: float) -> tuple[behaviour.Sheet, Posterior]:
    """Three people of two groups, one without; parameters of the eye."""
    mean = torch.tensor([[1.0, 2.0], [3.0, 5.0], [-0.001, 0.0], [5.0, 8.0], [9.0, 9.0]], dtype=torch.float64)
    data = Data(torch.zeros(5, 3).double(), torch.tensor([[1.0, 2, 0]] * 5).double(), torch.zeros(5).double())
    names = ["ann", "bo", "cy", "di", ""]
    found = behaviour.Sheet(names, ["x", "y", "x", "y", ""], tasks.EYES, data, [])
    variance = torch.diag(torch.tensor([deviation, 0.1], dtype=torch.float64) ** 2).expand(5, -1, -1)
    noise = torch.full((5,), 2 * math.log(50)).double()
    return found, Posterior(mean, variance, noise, noise, -torch.arange(5.0).double(), torch.zeros(5, 3).double())


CHECKED = Check(*(torch.full((5,), value, dtype=torch.float64) for value in (9.0, 0.01, 0.5)))


def told(deviation: float) -> tuple:
    return *sheet(deviation), CHECKED, [[]] * 5


def test_people_are_told_with_their_intervals_and_noise() -> None:
    """1.96 standard deviations to either side; of what the data hardly narrow there is a remark."""
    lines = apply.people(*told(0.5))
    assert len(lines) == 5
    assert (
        lines[0] == "ann (x): log W2 = 1.00 [0.02, 1.98]; log V1 = 2.00 [1.80, 2.20]; noise 0.02, 1.0% of the variance"
    )
    assert lines[2].startswith("cy (x): log W2 = 0.00 [-0.98, 0.98]; ")
    assert lines[4].startswith("all: ")
    wide = apply.people(*told(0.71 * 1.75))  # of the prior's standard deviation
    assert wide[5:] == [
        "log W2 (precision of the expected motion): these data say little of it; what is shown is mostly the prior"
    ]
    assert len(apply.people(*told(0.69 * 1.75))) == 5


def test_of_many_people_twenty_are_told() -> None:
    one, posterior = sheet(0.5)
    many = one._replace(people=one.people * 5, groups=one.groups * 5)
    wide = Posterior(*(torch.cat([each] * 5) for each in posterior))
    lines = apply.people(many, wide, Check(*(each.repeat(5) for each in CHECKED)), [[]] * 25)
    assert len(lines) == 21
    assert lines[20] == "… and 5 more, in the table"


def test_groups_are_told_as_differences_from_the_first() -> None:
    """Of x the means are .5 and 1, of y 4 and 6.5; without the prior, of whose precision 100 of log V1 holds 1 / .6²,
    a difference of 5.5 is one of 550 / (100 - 1 / .6²)."""
    first, second = apply.groups(*sheet(0.01), CHECKED)
    assert first.startswith("y − x: log W2 3.50 [")
    assert second.startswith("y − x: log V1 5.66 [")
    one, posterior = sheet(0.01)
    assert apply.groups(one._replace(groups=["x", "y", "x", "z", ""]), posterior, CHECKED) == [], (
        "one person is no group"
    )
    assert apply.groups(one._replace(groups=["z", "y", "x", "y", "x"]), posterior, CHECKED)[0].startswith(
        "x − y: log W2 0.50 ["
    )


def test_the_table_of_a_fit_has_every_number_in_its_column(tmp_path: Path) -> None:
    one, posterior = sheet(0.5)
    apply.written(
        one._replace(task=one.task._replace(recording=None)), posterior, CHECKED, [[]] * 5, tmp_path / "fit.csv"
    )
    rows = list(csv.DictReader((tmp_path / "fit.csv").read_text().splitlines()))
    numbers = {name: float(value) for name, value in rows[1].items() if name not in ("person", "group", "mark")}
    assert (rows[1]["person"], rows[1]["group"]) == ("bo", "y")
    assert numbers == pytest.approx({
        "motion": 3, "motion_low": 3 - 0.98, "motion_high": 3.98, "motion_sd": 0.5,
        "senses": 5, "senses_low": 5 - 0.196, "senses_high": 5.196, "senses_sd": 0.1,
        "noise_sd": 0.02, "noise_share": 0.01, "free_energy": -1, "evidence": 9, "p": 0.5, "samples": 3,
    }, rel=1e-4)  # fmt: skip


def test_samples_missing_and_outside_of_the_task_are_counted(tmp_path: Path) -> None:
    """Of times 0 to 69 the task has 1 to 64, in half bins to either side; a missing sample outside is no loss."""
    missing = {10, 11, 67}
    rows = [f"{t},{'' if t in missing else 0.1 + t / 100}" for t in range(70)]
    path = tmp_path / "eyes.csv"
    path.write_text("time,eye\n" + "\n".join(rows))
    found = behaviour.eyes(str(path))
    assert [note.en for note in found.notes] == [
        "2 missing samples have no weight", "5 samples outside of the task are left out",
    ]  # fmt: skip
    assert found.data.weight[0].tolist() == [0.0 if t in missing else 1.0 for t in range(1, 65)]
    assert found.data.mean[0, 0] == pytest.approx(0.11)
    assert found.data.mean[0, 63] == pytest.approx(0.74)


# --- fit


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path


def fit(*words: object) -> str:
    result = CliRunner().invoke(cli, ["fit", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("study", "symbols", "truth"),
    [("occlusion", ("log W2", "log V1"), ((4, 4), (1, 4))), ("force_matching", ("h", "D"), ((6, 0), (4, 2)))],
)
def test_a_template_is_fitted_and_its_two_people_come_back(
    at: Path,
    study: str,
    symbols: tuple[str, ...],
    truth: tuple[tuple[float, ...], ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "infer", partial(apply.infer, grid=5))  # a coarser start is enough here
    assert fit(study, "--template", "mine.csv").strip() == "mine.csv"
    output = fit(study, "--data=mine.csv")
    assert all(f"{symbol} = " in output for symbol in symbols)
    assert {path.name for path in at.iterdir()} == {"mine.csv", "mine-fit.csv", "mine-fit.svg", "mine-fit.png"}
    with (at / "mine-fit.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["person"] for row in rows] == ["A", "B"]
    names = [name.removesuffix("_sd") for name in rows[0] if name.endswith("_sd") and name != "noise_sd"]
    for row, values in zip(rows, truth, strict=True):
        for name, value in zip(names, values, strict=True):
            assert abs(float(row[name]) - value) < 4 * float(row[f"{name}_sd"])
            assert float(row[f"{name}_low"]) < float(row[name]) < float(row[f"{name}_high"])
    if study == "force_matching":
        assert JAPANESE.search(fit(study, "--data", "mine.csv", "--lang", "ja"))


def recording(path: Path, rate: float, gap: tuple[float, float] = (0, 0)) -> Path:
    """A control's trace at ``rate`` samples a bin, in seconds at 2 s a cycle and degrees at an amplitude of 10."""
    trace = tasks.watch(torch.tensor([[3.0, 4.2]], dtype=torch.float64))[0].numpy()
    t = np.arange(1, 64 + 1e-9, 1 / rate)
    eye = np.interp(t, np.arange(1, 65), trace) * 10 / behaviour.REACH
    eye[(t > gap[0]) & (t < gap[1])] = np.nan
    rows = [f"{a * 2 / 32:.6f},{'' if np.isnan(b) else f'{b:.5f}'}" for a, b in zip(t, eye, strict=True)]
    path.write_text("time,eye\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("rate", [1, 4, 31.25, 0.5])
def test_other_rates_and_units_give_the_same_trace(tmp_path: Path, rate: float) -> None:
    sheet = behaviour.eyes(str(recording(tmp_path / "eyes.csv", rate)), period=2, amplitude=10)
    trace = tasks.watch(torch.tensor([[3.0, 4.2]], dtype=torch.float64))[0]
    seen = sheet.data.weight[0] > 0
    assert int(seen.sum()) >= 62
    assert float((sheet.data.mean[0] - trace)[seen].abs().max()) < 0.03
    assert any("resampled" in note.en for note in sheet.notes) == (rate != 1)
    if rate < 1:  # bins made of fewer samples count for fewer
        torch.testing.assert_close(sheet.data.weight[0][seen], torch.full_like(sheet.data.weight[0][seen], rate))


def test_trials_at_half_the_rate_count_for_half_also_where_they_differ(tmp_path: Path) -> None:
    """Two trials of 32 samples, .2 apart: each sample is .1 from the mean, twice."""
    rows = [f"{trial},{2 * t},{0.1 + 0.2 * trial}" for trial in (0, 1) for t in range(1, 33)]
    path = tmp_path / "eyes.csv"
    path.write_text("trial,time,eye\n" + "\n".join(rows))
    data = behaviour.eyes(str(path)).data
    seen = data.weight[0] > 0
    assert 62 <= int(seen.sum()) <= 64
    assert data.weight[0, seen].tolist() == [1.0] * int(seen.sum())  # two trials, half a sample each
    assert float(data.within) == pytest.approx(2 * 0.1**2 * int(seen.sum()) / 2)


@pytest.mark.parametrize("rate", [1, 8, 0.5])
def test_a_gap_is_missing_and_not_bridged(tmp_path: Path, rate: float) -> None:
    sheet = behaviour.eyes(str(recording(tmp_path / "eyes.csv", rate, (20, 30))), period=2, amplitude=10)
    assert bool((sheet.data.weight[0, 21:28] == 0).all())
    assert bool((sheet.data.weight[0, 33:60] > 0).all())


def test_trials_and_people_are_told_apart(tmp_path: Path) -> None:
    rows = [
        f"{person},{group},{trial},{t},{value}"
        for person, group, value in (("ann", "a", 0.1), ("bo", "b", 0.3))
        for trial in (1, 2)
        for t in range(1, 33)
    ]
    path = tmp_path / "eyes.csv"
    path.write_text("person,group,trial,time,eye\n" + "\n".join(rows))
    sheet = behaviour.eyes(str(path))
    assert (sheet.people, sheet.groups) == (["ann", "bo"], ["a", "b"])
    assert sheet.data.weight[:, :32].tolist() == [[2.0] * 32] * 2
    assert sheet.data.mean[:, 0].tolist() == [0.1, 0.3]


def test_matched_forces_alone_tell_of_attenuation(tmp_path: Path) -> None:
    """The classical task: an outside force, and the own one that feels equal."""
    targets = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    own = tasks.equal_forces(torch.tensor([[5.0, 1.0]], dtype=torch.float64), targets)[0]
    path = tmp_path / "forces.csv"
    path.write_text("target,own\n" + "\n".join(f"{a},{b:.3f}" for a, b in zip(targets, own, strict=True)))
    sheet = behaviour.forces(str(path))
    assert sheet.task.names == ["attenuation"]
    predicted = sheet.task.simulate(torch.tensor([[5.0]], dtype=torch.float64))
    torch.testing.assert_close(predicted[0], own, rtol=0, atol=1e-9)


def test_forces_that_come_again_are_rounds(tmp_path: Path) -> None:
    path = tmp_path / "forces.csv"
    path.write_text("intended,own,matched\n1,1.8,1.4\n2,2.8,\n1,1.6,1.2\n2,,\n")
    sheet = behaviour.forces(str(path))
    assert sheet.data.weight.tolist() == [[2.0, 1.0, 2.0, 0.0]]
    torch.testing.assert_close(sheet.data.mean, torch.tensor([[1.7, 2.8, 1.3, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(sheet.data.within, torch.tensor([0.04], dtype=torch.float64))


# --- tasks of one's own, and what cannot be told


def test_a_task_of_other_cycles_and_occluder_is_read_from_its_file_and_its_people_come_back(tmp_path: Path) -> None:
    """Two and a half cycles of .8 s, 8 degrees to either side, hidden from 6 on; setting out at 1.4 s. Simulated apart
    from what reads the file, and wrong by much where the published task is taken for it."""
    truth = torch.tensor([[3.0, 4.2], [1.0, 4.0]], dtype=torch.float64)
    edge = 6 / 8 * behaviour.REACH
    traces = follow(eye.occluded(2.5, edge), truth[:, 0], truth[:, 1]).eye
    assert traces.shape == (2, 96)
    rows = [
        f"{who},{(t - 16) * 0.8 / 32 + 1.4:.6f},{float(value) * 8 / behaviour.REACH:.5f},0.8,8,1.4,2.5,6"
        for who, trace in zip("AB", traces, strict=True)
        for t, value in enumerate(trace, start=1)
    ]
    path = tmp_path / "eyes.csv"
    path.write_text("person,time,eye,period,amplitude,start,cycles,occluder\n" + "\n".join(rows) + "\n")
    sheet = behaviour.eyes(str(path))
    torch.testing.assert_close(sheet.data.mean, traces, rtol=0, atol=1e-4)
    torch.testing.assert_close(sheet.task.simulate(truth), traces, rtol=0, atol=1e-9)
    published = tasks.watch(truth)
    assert float((published - traces[:, :64]).abs().max()) > 0.05, "the occluder matters"
    found = infer(sheet.task.simulate, sheet.data, sheet.task.prior, grid=3, recording=sheet.task.recording).first(2)
    torch.testing.assert_close(found.mean, truth, rtol=0, atol=0.2)


def test_an_occluder_at_the_amplitude_hides_nothing(tmp_path: Path) -> None:
    """Then the belief about the target, which is all that a vague prior loses, is never lost."""
    path = tmp_path / "eyes.csv"
    rows = "\n".join(f"{t},{math.sin(t / 5):.4f},1.0" for t in range(1, 65))
    path.write_text("time,eye,occluder\n" + rows + "\n")
    sheet = behaviour.eyes(str(path))
    theta = torch.tensor([[0.0, 4.0]], dtype=torch.float64)
    seen, hidden = sheet.task.simulate(theta), tasks.watch(theta)
    target = follow(tasks.OCCLUDED, *theta.T).target
    assert float((seen - target).square().mean()) < 0.5 * float((hidden - target).square().mean())


def test_illusions_too_large_for_any_attenuation_are_marked_as_a_bound(at: Path) -> None:
    """Of a hand near the bound of h three quarters of the equal force are told; of one at 5 all of it."""
    intended = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    people = torch.tensor([[6.5, 0.0], [5.0, 0.8]], dtype=torch.float64)
    own, equal = tasks.pressing(intended).simulate(people).split(4, -1)
    equal[0] *= 0.75
    rows = [
        f"{who},{level:g},{a:.4f},{b:.4f}"
        for who, made, felt in zip("AB", own, equal, strict=True)
        for level, a, b in zip(intended.tolist(), made.tolist(), felt.tolist(), strict=True)
    ]
    (at / "forces.csv").write_text("person,intended,own,matched\n" + "\n".join(rows) + "\n")
    lines = fit("force_matching", "--data", "forces.csv").splitlines()
    bound = [line for line in lines if "only a bound can be told" in line]
    assert len(bound) == 1
    assert bound[0].startswith("A: ")
    with (at / "forces-fit.csv").open() as file:
        marks = {row["person"]: row["mark"] for row in csv.DictReader(file)}
    assert "interval across it: h" in marks["A"]
    assert marks["B"] == ""
