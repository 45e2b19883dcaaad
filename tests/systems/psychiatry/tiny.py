"""The studies occlusion, force_matching and schizophrenia at their tiny presets, and behaviour in files."""

import csv
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from phantastic.cli.main import cli
from phantastic.declare.claims import judge
from phantastic.declare.recipe import compose
from phantastic.declare.study import Study
from phantastic.lesion import damage
from phantastic.run.folder import Run
from phantastic.systems.psychiatry import (
    apply,
    behaviour,
    force_matching,
    measure,
    occlusion,
    schizophrenia,
    tasks,
)
from phantastic.systems.psychiatry.simulate import Press, Pursuit
from phantastic.systems.psychiatry.study import STUDIES, ForceRecipe, OcclusionRecipe

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
