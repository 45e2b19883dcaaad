"""The study `family` at its smallest: every claim has its measures, a stop costs nothing, figures in both languages."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from halted import halted

from phantastic.declare.verdicts import judge
from phantastic.run.folder import Run
from phantastic.systems.family import experiment
from phantastic.systems.family.study import STUDY

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("family")


def test_every_claim_has_its_measures(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "quick")
    assert {finding.claim.id for finding in findings if finding.verdict == "untested"} == set()


def test_members_are_scored_on_the_same_examples(run: Run) -> None:
    """So that they can be compared draw by draw; the mean of the five is that of the five."""
    measures = run.measures()
    tuned = [measures[f"tuned.{name}.questions"] for name in ("bert", "gpt", "xlnet")]
    assert {len(each.draws) for each in tuned} == {300}
    names = [f"mt-dnn.{task}" for task in ("acceptability", "paraphrase", "entailment", "similarity", "ranking")]
    assert measures["mt-dnn.average"].value == pytest.approx(sum(measures[name].value for name in names) / 5)


def test_who_always_says_the_same_has_no_correlation(run: Run) -> None:
    setting = experiment.Setting(run, 0)
    assert experiment.majority(setting, setting.tasks["acceptability"]).value == 0
    task = setting.tasks["entailment"]
    counts = [sum(example.target == label for example in task.test) for label in range(3)]
    assert experiment.majority(setting, task).value in {count / len(task.test) for count in counts}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Run, tmp_path: Path) -> None:
    stages, measures = halted(STUDY, tmp_path, "roberta")
    assert "seed0/bert" not in stages
    assert measures == run.measures()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["masks", "surprise", "scores", "together", "family"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name
