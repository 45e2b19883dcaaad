"""The study `decisions` at its tiny preset, and what it makes of people's matrices, scores and answers."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import expit

from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.run.folder import Run
from phantastic.systems.decisions import answers, behaviour, measure, shapes
from phantastic.systems.decisions.study import STUDY, DecisionsApply, DecisionsFit, DecisionsRecipe

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("decisions")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


def test_what_is_exact_holds_already_at_tiny(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "tiny")
    told = {each.claim.id: each.evidence for each in findings if each.claim.exact and each.verdict != "holds"}
    assert told == {}
    assert sum(each.claim.exact for each in findings) >= 8


def test_a_wrong_matrix_fails_the_exam(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger can say no: read by columns the counts give another precision, and other numbers behind the cut."""
    monkeypatch.setattr(measure, "EXAM", [[13, 1], [2, 14]])
    found = measure.exam()
    assert found["exam.error"] > 0.05
    assert found["exam.cut"] > 0.05


def test_rounded_numbers_are_not_the_lectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PRINTED", {"accuracy": 0.9, "precision": 0.929, "recall": 0.867, "f": 0.897})
    assert measure.exam()["exam.cut"] == pytest.approx(0.001)


def test_the_interval_of_thirty_cases_covers_and_walds_does_not() -> None:
    found = measure.coverage(30)
    assert found["clopper.coverage"] >= 0.95
    assert found["wald.coverage"] == pytest.approx(1 - 0.995**30, abs=0.002), "at p = .005 only 1 of 30 or more covers"


def test_bayes_forecasts_cannot_be_told_from_true_ones_and_a_wrong_observer_fails() -> None:
    """At d′ as it is; evidence twice as strong as it is would be overconfident."""
    pictures = shapes.draw(6_000, 0.5, 0.9, 0, "tiny/bayes")
    generator = np.random.default_rng(0)
    assert measure.judged(pictures.evidence, pictures, generator)["excess"] < 0.006
    doubled = measure.judged(2 * pictures.evidence, pictures, generator)
    assert doubled["excess"] > 0.02
    assert doubled["area"] == measure.judged(pictures.evidence, pictures, generator)["area"]


def test_decisions_of_bayes_are_ideal_by_their_own_measures() -> None:
    """A network that is Bayes' rule: temperature 1, no distance, and costs and predictive value as foretold."""
    recipe = DecisionsRecipe(tests=8_000)
    kinds = {"valid": 0.5, "test": 0.5, "rare": 0.1}
    sets = {name: shapes.draw(8_000, pi, 0.9, 0, f"tiny/{name}") for name, pi in kinds.items()}
    found, t = measure.decided(recipe, 0, {name: each.evidence for name, each in sets.items()}, sets)
    assert t == pytest.approx(1, abs=0.06)
    assert found["network.distance"] == 0
    assert found["cost.optimal"] == pytest.approx(found["cost.bayes"], rel=0.05)
    assert found["rare.ppv.deviation"] == pytest.approx(0, abs=0.08)
    assert found["rare.exchanged.brier"] == pytest.approx(found["rare.bayes.brier"], rel=0.01)
    assert found["blind.area"] == 0.5
    assert found["blind.brier"] == 0.25
    assert found["cost.blind"] == pytest.approx(min(5 * sets["rare"].signal.mean(), 1 - sets["rare"].signal.mean()))


def test_observers_of_another_sensitivity_would_fail_their_claims() -> None:
    found = measure.observed(DecisionsRecipe(observers=400, tests=1_000), 0)
    assert abs(found["observers.area.deviation"]) < 0.01
    assert found["observers.biased.accuracy"] < found["observers.neutral.accuracy"] - 0.04
    assert found["unequal.strict"] > found["unequal.lax"] + 0.3


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["confusion", "roc", "calibration", "prevalence", "costs"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name


def test_lesions_have_sites_and_measures(run: Run) -> None:
    experiment = run.study.load()
    networks = experiment.networks(run)
    assert set(experiment.lesion_measures(run, networks)) == {"area", "brier", "ece"}
    assert experiment.lesion_measures(run, networks) == experiment.lesion_measures(run, networks)


# --- apply


def table(path: str) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in csv.reader(Path(path).read_text().splitlines())}


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_exam_by_command(run: Run, lang: str) -> None:
    request = DecisionsApply(confusion="13,2,1,14", prevalence=0.01)
    *lines, target, svg, png = run.study.load().apply(run, request)
    assert bool(JAPANESE.search(" ".join(lines))) == (lang == "ja")
    said = " ".join(lines)
    for part in ("27/30 = 0.9000 [0.7347, 0.9789]", "13/14 = 0.9286", "13/15 = 0.8667", "26/29 = 0.8966"):
        assert part in said
    cells = table(target)
    assert float(cells["ppv at 0.01"][0]) == pytest.approx(13 / (13 + 99))  # odds 13 : 1 at 1 : 99
    assert [float(each) for each in cells["recall"]] == pytest.approx([13 / 15, 0.595397304, 0.983424086])
    assert Path(svg).exists()
    with Image.open(png) as picture:
        assert picture.size[0] > 100


def test_what_is_undefined_is_called_so(tmp_path: Path) -> None:
    *lines, target, _, _ = answers.apply(tmp_path, DecisionsApply(confusion="5,0,3,0"))
    assert "negative predictive value: undefined (0/0)" in lines
    assert table(target)["npv"][0] == ""


def test_three_classes_have_measures_of_each(tmp_path: Path) -> None:
    *lines, target, _, _ = answers.apply(tmp_path, DecisionsApply(confusion="3,1,0,0,4,1,1,0,5"))
    assert any(line.startswith("class 3: precision (PPV) 5/6") for line in lines)
    assert float(table(target)["class2.recall"][0]) == pytest.approx(0.8)


def scores(folder: Path, values: np.ndarray, labels: np.ndarray) -> str:
    path = folder / "scores.csv"
    path.write_text("score,label\n" + "".join(f"{s!r},{y}\n" for s, y in zip(values.tolist(), labels, strict=True)))
    return str(path)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_scores_are_judged(run: Run, tmp_path: Path, lang: str) -> None:
    generator = np.random.default_rng(0)
    p = expit(2 * generator.standard_normal(800))
    y = (generator.random(800) < p).astype(int)
    request = DecisionsApply(scores=scores(tmp_path, p, y), prevalence=0.01)
    *lines, target, _, _ = run.study.load().apply(run, request)
    assert bool(JAPANESE.search(" ".join(lines))) == (lang == "ja")
    cells = {name: float(value[0]) for name, value in table(target).items() if name != "measure"}
    parts = cells["reliability"] - cells["resolution"] + cells["uncertainty"] + cells["within"]
    assert cells["brier"] == pytest.approx(parts, abs=1e-7)
    assert cells["area"] > 0.8
    assert cells["ece"] < 2 * cells["ece_by_chance"]
    assert cells["ppv at 0.01"] < 0.2


def test_scores_that_are_no_probabilities_have_no_calibration(tmp_path: Path) -> None:
    values, labels = np.array([-3.0, 1.0, 2.0, 5.0]), np.array([0, 0, 1, 1])
    *lines, target, _, _ = answers.apply(tmp_path, DecisionsApply(scores=scores(tmp_path, values, labels)))
    assert any("no probabilities" in line for line in lines)
    assert "brier" not in table(target)
    assert float(table(target)["area"][0]) == 1


# --- fit


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_template_is_fitted(tmp_path: Path, lang: str) -> None:
    path = tmp_path / "people.csv"
    assert behaviour.fit(DecisionsFit(template=str(path))) == [str(path)]
    *lines, target, svg, png = behaviour.fit(DecisionsFit(data=str(path)))
    assert [line.split(":")[0] for line in lines] == ["A", "B"]
    rows = list(csv.DictReader(Path(target).read_text().splitlines()))
    for row, wanted in zip(rows, (1.5, 0.0, 1.5, 0.8), strict=True):
        assert float(row["low"]) < wanted < float(row["high"]), row
    assert Path(svg).exists()
    assert Path(png).exists()


def test_ratings_of_radiologists_are_fitted(tmp_path: Path) -> None:
    path = tmp_path / "ct.csv"
    trials = [
        (kind, rating + 1)
        for kind, counts in ((1, measure.ABNORMAL), (0, measure.NORMAL))
        for rating, count in enumerate(counts.tolist())
        for _ in range(count)
    ]
    path.write_text("signal,answer\n" + "".join(f"{kind},{rating}\n" for kind, rating in trials))
    line, target, *_ = behaviour.fit(DecisionsFit(data=str(path)))
    assert line.startswith("all: AUC = 0.89 [0.83, 0.96]; d_a = 1.91")
    found = {row["parameter"]: float(row["value"]) for row in csv.DictReader(Path(target).read_text().splitlines())}
    assert found["σ"] == pytest.approx(1 / 0.713002, abs=1e-5)


def test_perfect_ratings_have_an_area_and_no_sensitivity(tmp_path: Path) -> None:
    path = tmp_path / "perfect.csv"
    path.write_text("signal,answer\n" + "0,1\n0,2\n1,3\n1,4\n" * 5)
    line, *_ = behaviour.fit(DecisionsFit(data=str(path)))
    assert line == "all: AUC = 1.00 [0.69, 1.00]", "ten pairs, .025 ** (1 / 10)"
