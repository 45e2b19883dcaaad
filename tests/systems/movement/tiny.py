"""The studies `pursuit`, `observe`, `plaid` and `cueing` at their tiny preset, and an eye on a target of the user's."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phantastic.data.gaze import binned, following
from phantastic.declare.measure import summarise
from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.lesion import damage, sites
from phantastic.run.folder import Run
from phantastic.systems.movement import observe, plaid, pursuit, target
from phantastic.systems.movement.study import STUDIES, ObserveRecipe, PlaidRecipe, PursuitApply, PursuitRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")
BY_NAME = {study.name: study for study in STUDIES}
FIGURES = {
    "pursuit": ["reversal", "gain"],
    "observe": ["writing", "intentions", "violation"],
    "plaid": ["plaid", "priors", "movements"],
    "cueing": ["trial", "delays", "learning"],
}
EVERY = pytest.mark.parametrize("name", BY_NAME)


@EVERY
def test_every_preset_is_valid(name: str) -> None:
    study = BY_NAME[name]
    for preset in ("tiny", "quick", "full", "paper"):
        assert compose(study.recipe, study.presets, preset, {}) == study.presets[preset]


@EVERY
def test_claims_hold_already_at_tiny(name: str, tiny_run: Callable[[str], Run]) -> None:
    findings = judge(BY_NAME[name].claims(), tiny_run(name).measures(), "tiny")
    held = {finding.claim.id for finding in findings if finding.verdict == "holds"}
    whole_movement = {"observe.violation", "observe.mirror"}  # which these need
    tested = {finding.claim.id for finding in findings if name != "cueing" or "tiny" in finding.claim.presets}
    assert tested - held <= whole_movement
    assert held
    for finding in findings:
        assert JAPANESE.search(finding.claim.statement.ja)
        assert not JAPANESE.search(finding.claim.statement.en)


def test_an_eye_that_expects_nothing_is_not_surprised_more_by_the_late_reversal() -> None:
    """The ledger can say no."""
    recipe = PursuitRecipe(prior=-4)
    found = {}
    for name, delay in (("expected", 0), ("unexpected", recipe.delay)):
        measures = pursuit.measured(pursuit.traces(pursuit.experiment(recipe, delay).run()), recipe, delay)
        found |= {f"{name}.{key}": summarise([value]) for key, value in measures.items()}
    verdicts = {finding.claim.id: finding.verdict for finding in judge(BY_NAME["pursuit"].claims(), found, "quick")}
    assert verdicts["pursuit.surprise"] == "fails"
    assert verdicts["pursuit.errors"] == "untested", "published numbers are not held against other settings"


def test_a_reversal_after_the_end_is_refused() -> None:
    with pytest.raises(Refused, match=r"delay = 20: of 64 bins fewer than 16 are left .* 1 to 16"):
        pursuit.experiment(PursuitRecipe(bins=64, delay=20), 0)


def test_gain_and_peaks_are_of_their_own_part_of_the_pursuit() -> None:
    """While the target has turned and the eye does not know it yet, neither gain is measured; peaks are from there."""
    recipe, bins = PursuitRecipe(bins=128, delay=20), torch.arange(128, dtype=torch.float64)[:, None]
    aim = torch.cat([(bins / 3).sin(), (bins / 5).cos()], 1)
    part = torch.where(bins < pursuit.SETTLED, 3.0, torch.where(bins < 64, 0.75, torch.where(bins < 84, -2.0, 0.5)))
    error, action = torch.zeros(128, 4, dtype=torch.float64), torch.zeros(128, 2, dtype=torch.float64)
    error[[3, 70, 90], 1], action[[10, 100], 0] = (
        torch.tensor([-9.0, -2.0, 1.0]).double(),
        torch.tensor([7.0, -3.0]).double(),
    )
    shown = {"eye": part * aim, "target": aim, "error": error, "action": action}
    found = pursuit.measured({name: value.tolist() for name, value in shown.items()}, recipe, recipe.delay)
    gains = [found[name] for name in ("gain", "lag", "gain.turned", "lag.turned")]
    assert gains == pytest.approx([0.75, 0, 0.5, 0], abs=1e-9)
    assert [found[name] for name in ("error", "error.bin", "action", "action.bin")] == [2, 71, 3, 101]
    assert found["distance"] == pytest.approx(float(3 * aim[64:84].norm(dim=1).max()))


def test_the_violation_is_the_same_movement_turned_round_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = {"action": [[float(bin), -1.0] for bin in range(8)]}, []
    still = SimpleNamespace(run=lambda: None)
    monkeypatch.setattr(observe, "writing", lambda recipe: still)
    monkeypatch.setattr(observe, "watching", lambda recipe, actions: (seen.append(actions.tolist()), still)[1])
    monkeypatch.setattr(observe, "traces", lambda result: made)
    run: Any = SimpleNamespace(recipe=SimpleNamespace(bins=8), once=lambda name, compute, kind: compute())
    assert list(observe.acted(run)) == ["action", "observation", "violation"]
    turned = [[-place, 1.0] for place, _ in made["action"][4:]]
    assert seen == [made["action"], made["action"][:4] + turned]


def test_what_is_seen_of_writing_is_in_units_of_its_larger_side() -> None:
    """A rectangle of 2 by 1, foretold a fifth to the right of it and a tenth above."""
    hand = [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    predicted = [[x + 0.4, y + 0.3] for x, y in hand]
    assert observe.apart({"hand": hand, "predicted": predicted}) == pytest.approx(0.5 / 2)
    assert observe.rms([[3.0, 4.0], [0.0, 0.0]]) == pytest.approx(math.sqrt(25 / 2))
    course = torch.linspace(0, 6, 40, dtype=torch.float64)
    one = torch.stack([course.sin(), course.cos(), course], 1)
    assert observe.alike(one.tolist(), (3 - 2 * one).tolist()).tolist() == pytest.approx([-1] * 3)


def test_the_eye_expects_the_turn_half_way_and_the_target_turns_late() -> None:
    """And dials are log-precisions of the first level's outputs and states and of the second's outputs."""
    made = pursuit.experiment(PursuitRecipe(bins=96, senses=1.0, motion=2.0, prior=3.0), 10, motion=5.0)
    assert made.prior_u is not None
    for course, turn in ((made.prior_u, 48), (made.causes, 58)):
        assert course[:, 0].tolist() == [1.0] * turn + [-1.0] * (96 - turn)
    first, second = made.model.levels
    assert [math.log(float(value)) for value in (first.V, first.W, second.V)] == pytest.approx([1, 5, 3])


def test_published_pursuit_is_off_by_what_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adams et al. (2012): peak errors of .21 at bin 65 and of .59 at bin 77."""
    given = {"expected": {"error": 0.42, "error.bin": 60}, "unexpected": {"error": 0.295, "error.bin": 80}}
    monkeypatch.setattr(pursuit, "both", lambda run: {name: name for name in given})
    monkeypatch.setattr(pursuit, "measured", lambda name, recipe, delay: given[name] | {"delay": delay})
    for recipe in (PursuitRecipe(points=0), PursuitRecipe(points=0, senses=5.0)):
        found = BY_NAME["pursuit"].load().one_seed(None, recipe, 0)
        assert (found["expected.delay"], found["unexpected.delay"]) == (0, recipe.delay)
        assert found["unexpected.error"] == 0.295
        assert ("expected.error.deviation" in found) == (recipe.senses == 4)
        if recipe.senses == 4:
            deviations = [found[f"{name}.error.deviation"] for name in given]
            assert deviations == pytest.approx([1.0, -0.5])
            assert [found[f"{name}.bin.difference"] for name in given] == [5, 3]


def test_pushes_are_opposed_and_movements_made_as_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done along with a positive push does not oppose it; shares are of the flat and the passive movement."""

    def movement(size: float, action: list[float]) -> dict[str, list]:
        return {"true": [[size, 9.0], [-size / 2, 0.0]], "believed": [[0.0, 5.0], [-3 * size, 0.0]], "action": action}

    simulations = {
        "flat": movement(2.0, [0.5, -0.25]), "tight": movement(0.5, [4.0, -1.0]),
        "expected": movement(1.0, [3.0, -1.0]), "stronger": movement(1.25, [1.0]), "perturbed": movement(-1.0, [1.0]),
    }  # fmt: skip
    monkeypatch.setattr(plaid, "simulated", lambda run: simulations)
    passive = torch.tensor([[0.5, -8.0]], dtype=torch.float64)
    monkeypatch.setattr(plaid, "generate", lambda *given, **more: SimpleNamespace(x={1: passive}))
    found = BY_NAME["plaid"].load().one_seed(None, PlaidRecipe(), 0)
    assert [found[f"{name}.action"] for name in simulations] == [0.25, 1, 3, 1, 1]
    assert [found[f"{name}.movement"] for name in simulations] == [2, 0.5, 1, 1.25, 1]
    assert [found[f"{name}.believed"] for name in ("flat", "perturbed")] == [6, 3]
    names = ("tight.share", "stronger.difference", "perturbed.passive", "perturbed.difference", "perturbed.share")
    assert [found[name] for name in names] == [0.25, 0.25, 8, 2, 0.25]
    assert found["tight.action.deviation"] == pytest.approx(1 / 1.05 - 1)
    other = BY_NAME["plaid"].load().one_seed(None, PlaidRecipe(push=0.0), 0)
    assert not {"perturbed.share", "tight.action.deviation"} & set(other)


def test_a_plaid_is_simulated_as_its_recipe_says() -> None:
    recipe = PlaidRecipe(senses=1.0, motion=2.0, flat=-3.0, tight=7.0, strength=3.0, push=1.5)
    made = {name: plaid.experiment(recipe, name) for name in (*plaid.SEEN, *plaid.MADE)}
    for name, each in made.items():
        first, second = each.model.levels
        tight = {"flat": -3.0, "tight": 7.0}.get(name, 16.0)
        assert [math.log(float(value)) for value in (first.V, first.W, second.V)] == pytest.approx([1, 2, tight]), name
        assert each.process.parameters == [3.0 if name == "stronger" else 1.0]
    assert made["perturbed"].causes.argmax() == 17
    assert float(made["perturbed"].causes.max()) == 1.5
    assert not made["expected"].causes.any()


def test_what_is_measured_of_watching_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likeness over all the movement, and of the violated one from half-way on; responses in the bins that follow."""
    recipe, half = ObserveRecipe(bins=64), 32
    t = torch.arange(64, dtype=torch.float64)[:, None]
    sequence = torch.cat([t, -t, (t - 31.5).square()], 1)
    seen = torch.cat([t, -t, -(t - 31.5).square()], 1)
    violated = torch.where(t < half, sequence, -sequence)
    joints = torch.where((t >= half) & (t < half + observe.AFTER), 3.0, 50.0).expand(-1, 4)
    hand = torch.cat([t, t], 1)
    conditions = {
        name: {"sequence": each.tolist(), "joints": (scale * joints).tolist(), "hand": hand.tolist(),
               "predicted": (hand + off).tolist()}
        for name, each, scale, off in (("action", sequence, 1, 0), ("observation", seen, 2, 63),
                                       ("violation", violated, 3, 6))
    }  # fmt: skip
    monkeypatch.setattr(observe, "acted", lambda run: conditions)
    found = BY_NAME["observe"].load().one_seed(None, recipe, 0)
    correlations = [found[f"correlation.{name}"] for name in ("lowest", "highest", "mean")]
    assert correlations == pytest.approx([-1, 1, 1 / 3])
    assert found["violation.correlation.highest"] == pytest.approx(-1)
    assert [found[f"{name}.response"] for name in conditions] == pytest.approx([6, 12, 18])
    assert found["observation.hand.error"] == pytest.approx(math.sqrt(2))


def test_what_is_left_of_writing_is_held_against_the_intact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as large, mirrored and moved aside: it is as unlike as can be and half the size."""
    course = torch.linspace(0, 6, 30, dtype=torch.float64)
    whole = torch.stack([course.sin(), (2 * course).cos()], 1)
    damaged = {"hand": (5 - whole / 2).tolist(), "predicted": (5 - whole / 2).tolist()}
    monkeypatch.setattr(observe, "acted", lambda run: {"action": {"hand": whole.tolist()}})
    monkeypatch.setattr(observe, "traces", lambda result: damaged)
    monkeypatch.setattr(observe.Simulation, "run", lambda self: None)
    run: Any = SimpleNamespace(recipe=ObserveRecipe(bins=64))
    experiment = BY_NAME["observe"].load()
    found = experiment.lesion_measures(run, experiment.networks(run))
    assert found == pytest.approx({"likeness": -1, "size": 0.5, "hand.error": 0})


def test_a_watcher_sees_and_does_not_feel() -> None:
    """Log-precisions of the four channels of the joints, then of the four of elbow and hand; traces by name."""
    recipe = ObserveRecipe(bins=64, senses=5.0, motion=6.0, felt=-2.0, seen=3.0)
    watcher, writer = observe.watching(recipe, torch.zeros(64, 2).double()), observe.writing(recipe)
    assert torch.as_tensor(watcher.model.levels[0].V).log().tolist() == pytest.approx([-2.0] * 4 + [3.0] * 4)
    assert [math.log(float(each.model.levels[0].W)) for each in (watcher, writer)] == pytest.approx([6, 6])
    assert math.log(float(writer.model.levels[0].V)) == pytest.approx(5)
    assert writer.causes.shape == (64, 2)
    numbered = torch.arange(10.0).expand(2, 10)
    result: Any = SimpleNamespace(
        process=SimpleNamespace(v={1: numbered[:, :8]}), v={1: 10 + numbered[:, :8]}, x={1: 20 + numbered},
        a={2: 30 + numbered[:, :2]}, weighted_errors=lambda: {"w": {1: 40 + numbered}},
    )  # fmt: skip
    assert {name: rows[0] for name, rows in observe.traces(result).items()} == {
        "hand": [6, 7], "predicted": [16, 17], "sequence": [24, 25, 26, 27, 28, 29], "joints": [40, 41, 42, 43],
        "action": [30, 31],
    }  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "ja"])
@EVERY
def test_figures_are_drawn_in_both_languages(name: str, lang: str, tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run(name)
    figures = run.study.load().figures(run)
    assert list(figures) == FIGURES[name]
    for title, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), title
        assert '"values": [{' in text, title
        assert not re.search(r"NaN|Infinity|undefined", text), title


def test_the_dials(tiny_run: Callable[[str], Run]) -> None:
    recipe = PursuitRecipe(bins=64, delay=8, points=2)
    rows = pursuit.dialled(recipe)
    assert {(row["dial"], row["value"]) for row in rows} == {
        (dial, value) for dial, ends in pursuit.DIALS.items() for value in ends
    }
    _, picture = pursuit.pictures.dials(json.loads(json.dumps(rows)), recipe)
    assert not re.search("NaN", json.dumps(picture.to_dict(validate=False)))


@EVERY
def test_precisions_are_sites(name: str, tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run(name)
    models = run.study.load().networks(run)
    places = {place.name: place for place in sites(models)}
    assert set(places) == {
        f"precision{each}" for each in ("", ".level1", ".level1.V", ".level1.W", ".level2", ".level2.V")
    }
    assert places["precision"].units == sum(place.units for name, place in places.items() if name[-1] in "VW")
    intact = models["precision"]()
    with damage(models, "precision.level2", "scale", 1, 0):
        assert models["precision"]()[-1] == 0
    assert models["precision"]().tolist() == intact.tolist()


def test_intact_precisions_are_the_published_simulation(tiny_run: Callable[[str], Run]) -> None:
    run = tiny_run("plaid")
    found, measures = run.study.load().lesion_measures(run, run.study.load().networks(run)), run.measures()
    for name, value in found.items():
        assert value == pytest.approx(measures[f"tight.{name}"].value, rel=1e-9)


# --- apply


def wave(folder: Path, samples: int = 96, step: float = 0.5, gaps: tuple[int, ...] = ()) -> str:
    """A file with a target on an ellipse; x and y are missing in the rows ``gaps``."""
    rows = []
    for row in range(samples):
        x, y = 500 + 200 * math.sin(row * step / 8), 300 * math.cos(row * step / 8)
        rows.append(f"{row * step:.6g}," + ("," if row in gaps else f"{x:.9g},{y:.9g}"))
    path = folder / "target.csv"
    path.write_text("time,x,y\n" + "\n".join(rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_eye_follows_a_target(tmp_path: Path, lang: str, tiny_run: Callable[[str], Run]) -> None:
    *lines, table, _, png = (
        BY_NAME["pursuit"].load().apply(tiny_run("pursuit"), PursuitApply(target=wave(tmp_path, gaps=(7, 8))))
    )
    text = "\n".join(lines)
    assert bool(JAPANESE.search(text)) == (lang == "ja")
    assert re.search(r"2 missing samples .* 2 in a row|欠損 2 標本を補間\(連続で最大 2\)", text)
    said = re.search(r"(?:gain|利得) ([\d.]+)\D+([\d.]+) (?:bins|ビン) \(([\d.]+)\)", text)
    assert said is not None
    gain, lag, late = map(float, said.groups())
    assert 0.85 < gain < 1.1
    assert 1 < lag < 4
    assert late == pytest.approx(lag / 2, abs=0.01)
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert len(rows) == 96
    away = [math.hypot(*(float(row[f"target_{a}"]) - float(row[f"eye_{a}"]) for a in "xy")) for row in rows]
    assert away == pytest.approx([float(row["distance"]) for row in rows], abs=1e-5)
    assert away[0] < 1
    assert max(away) < 300
    told = re.search(r"([\d.]+) rms, ([\d.]+) at most|根 ([\d.]+)、最大 ([\d.]+)", text)
    assert told is not None
    rms, most = (float(number) for number in told.groups() if number)
    assert rms == pytest.approx(np.sqrt(np.square(away).mean()), rel=1e-3)
    assert most == pytest.approx(max(away), rel=1e-3)
    with Image.open(png) as picture:
        assert picture.size[0] > 100


def test_other_sampling_rates_are_brought_to_bins(tmp_path: Path) -> None:
    path = target.read(wave(tmp_path, 960, 0.05))
    assert target.width_of_bins(path, None) == pytest.approx(959 * 0.05 / 511)  # too many samples for a bin each
    assert target.width_of_bins(path, 0.5) == 0.5
    time, points = binned(path.time, path.points, 0.5)
    assert len(time) == 96
    assert points[10:-10, 0] == pytest.approx(500 + 200 * np.sin(time[10:-10] / 8), abs=0.5)
    said = target.described("t.csv", path, time, 0.5)
    assert said[-1] == "resampled to 96 bins of 0.5; samples were 0.05 apart"


@pytest.mark.parametrize(
    ("header", "row", "timed"),
    [("x,y\n", "{x},{y}", False), ("", "{x},{y}", False), ("", "{t},{x},{y}", True),
     ("Time, X ,Y\n", "{t},{x},{y}", True), ("y,who,x,time\n", "{y},Ann,{x},{t}", True)],
)  # fmt: skip
def test_columns_are_found_with_and_without_a_header(tmp_path: Path, header: str, row: str, timed: bool) -> None:
    path = tmp_path / "target.csv"
    path.write_text(header + "\n".join(row.format(t=t / 2, x=t, y=-t) for t in range(60)))
    found = target.read(str(path))
    assert found.points[3].tolist() == [3, -3]
    assert (found.timed, found.time[3]) == (timed, 1.5 if timed else 3)


def test_a_prior_on_the_middle_lowers_the_gain() -> None:
    places = np.stack([np.sin(np.arange(96) / 8), np.cos(np.arange(96) / 8)], 1)
    gains = []
    for prior in (-16.0, 2.0):
        result = target.follow(places, 4.0, 8.0, prior)
        assert result.process is not None
        eye = result.process.x[1]
        gains.append(float(following(eye[24:], torch.atan(torch.from_numpy(places))[24:]).gain))
    assert gains[1] < 0.8 * gains[0]


def test_an_eye_has_the_precisions_it_was_given_in_their_places() -> None:
    """Senses on the four channels, the prior on the two causes, motion on the four states."""
    places = np.stack([np.sin(np.arange(48) / 8), np.cos(np.arange(48) / 8)], 1)
    result = target.follow(places, 3.0, 7.0, -2.0)
    assert result.precision[0].log().tolist() == pytest.approx([3.0] * 4 + [-2.0] * 2 + [7.0] * 4)
    assert result.process is not None
    assert result.process.x[1][0].tolist() == pytest.approx([0, math.atan(1)])  # it begins on the target


def test_half_of_the_samples_may_be_missing_and_eight_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "target.csv"
    for there, count, right in ((8, 16, True), (8, 17, False), (7, 12, False)):
        path.write_text("x,y\n" + "\n".join(f"{row},1" if row < there else ",1" for row in range(count)))
        if right:
            assert target.read(str(path)).missing == count - there
        else:
            with pytest.raises(Refused, match=f"missing in {count - there} of {count} rows"):
                target.read(str(path))


def test_bins_from_48_to_512_are_allowed() -> None:
    for bins, right in ((47, False), (48, True), (512, True), (513, False)):
        path = target.Path2D(np.array([0.0, bins - 1]), np.zeros((2, 2)), True, 0, 0)
        if right:
            assert target.width_of_bins(path, 1.0) == 1.0
        else:
            with pytest.raises(Refused, match=f"are {bins} bins"):
                target.width_of_bins(path, 1.0)
