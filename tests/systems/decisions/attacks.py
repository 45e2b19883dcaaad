"""Matrices, scores and answers that are none are refused, with what is wrong, where, and what is allowed."""

from pathlib import Path

import numpy as np
import pytest

from phantastic.declare.request import parse
from phantastic.ground.errors import Refused
from phantastic.systems.decisions import answers, behaviour, confusion, ratings
from phantastic.systems.decisions.study import DecisionsApply, DecisionsFit

MATRICES = {
    "13,-2,1,14": "row 1 of the confusion matrix holds -2",
    "13,2,1": "3 counts make no square matrix",
    "13,2,1,14,5": "5 counts make no square",
    "7": "two or more",
    "13,2.5,1,14": "'2.5' is no whole number",
    "13,x,1,14": "'x' is no whole number",
    "nan,2,1,14": "'nan' is no whole number",
    "": "'' is no whole number",
    "13,2,,14": "'' is no whole number",
    "0,0,1,14": "row 1 of the confusion matrix is empty: class 1 was never there",
    "13,2,0,0": "row 2 of the confusion matrix is empty",
    "1,2;3": "3 counts make no square",
    "1,2,3;4": "make no square",
}


@pytest.mark.parametrize("text", MATRICES)
def test_what_is_no_matrix_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=MATRICES[text]):
        answers.apply(tmp_path / "out", DecisionsApply(confusion=text))
    assert not (tmp_path / "out").exists()


def test_rows_may_be_parted_and_spaced() -> None:
    assert confusion.parsed(" 13, 2; 1, 14 ") == confusion.parsed("13,2,1,14") == [[13, 2], [1, 14]]


@pytest.mark.parametrize("table", [[[1, 2]], [[1, 2], [3]], [], [[1]]])
def test_a_table_that_is_not_square_is_refused(table: list[list[int]]) -> None:
    with pytest.raises(Refused, match="as many rows as columns"):
        confusion.checked(table)


SCORES = {
    "a label of 2": ("score,label\n.1,0\n.4,2\n", "line 3, column 'label': 2 is neither 0 nor 1"),
    "labels in words": ("score,label\n.1,no\n.4,yes\n", "line 2, column 'label': 'no' is not a finite number"),
    "a score that is none": ("score,label\nnan,0\n.4,1\n", "line 2, column 'score': 'nan' is not a finite"),
    "an infinite score": ("score,label\ninf,0\n.4,1\n", "line 2, column 'score': 'inf' is not a finite"),
    "only ones": ("score,label\n.1,1\n.4,1\n", "column 'label': no row has 0"),
    "only zeros": ("score,label\n.1,0\n.4,0\n", "column 'label': no row has 1"),
    "no labels": ("score\n.1\n.4\n", "no column 'label'"),
    "a header alone": ("score,label\n", "no row has 0"),
    "nothing": ("", "is empty"),
}


@pytest.mark.parametrize("name", SCORES)
def test_bad_scores_are_refused(name: str, tmp_path: Path) -> None:
    content, message = SCORES[name]
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(Refused, match=message):
        answers.apply(tmp_path / "out", DecisionsApply(scores=str(path)))
    assert not (tmp_path / "out").exists()


def test_options_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for words, message in (
        ("--beta=1", "give either --confusion"),
        ("--confusion=1,2,3,4 --scores=x.csv", "give either --confusion"),
        (f"--scores={tmp_path / 'none.csv'}", "does not exist"),
        ("--confusion=1,2,3,4 --beta=0", "--beta 0 is not possible; allowed: number above 0"),
        ("--confusion=1,2,3,4 --prevalence=1", "--prevalence 1 is not possible"),
        ("--confusion=1,2,3,4 --prevalence=x", "--prevalence x is not possible"),
        ("--confusion=1,2,3,4,5,6,7,8,9 --prevalence=.1", "two classes"),
    ):
        with pytest.raises(Refused, match=message):
            answers.apply(tmp_path / "out", parse(DecisionsApply, words.split(" "), "apply decisions"))


PEOPLE = {
    "a signal of 2": ("signal,answer\n2,1\n0,1\n", "line 2, column 'signal': 2 is neither 0 nor 1"),
    "half an answer": ("signal,answer\n1,0.5\n0,1\n", "line 2, column 'answer': 0.5 is not possible"),
    "a negative answer": ("signal,answer\n1,-1\n0,1\n", "'answer': -1 is not possible"),
    "an answer of 99": ("signal,answer\n1,99\n0,1\n", "'answer': 99 is not possible"),
    "one answer throughout": ("signal,answer\n1,1\n0,1\n", "every answer is 1"),
    "never a signal": ("signal,answer\n0,1\n0,0\n", "column 'signal': no row has 1"),
    "one who saw no signal": ("person,signal,answer\nA,0,1\nA,1,0\nB,0,1\n", "person 'B' has no trial with the signal"),
    "a missing answer": ("signal,answer\n1,\n0,1\n", "line 2, column 'answer': '' is not a finite number"),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_bad_answers_are_refused(name: str, tmp_path: Path) -> None:
    content, message = PEOPLE[name]
    path = tmp_path / "people.csv"
    path.write_text(content)
    with pytest.raises(Refused, match=message):
        behaviour.fit(DecisionsFit(data=str(path)))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["people.csv"]


def test_a_template_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("mine")
    with pytest.raises(Refused, match="there is something of that name"):
        behaviour.fit(DecisionsFit(template=str(path)))
    assert path.read_text() == "mine"
    for request in (DecisionsFit(), DecisionsFit(data="a", template="b")):
        with pytest.raises(Refused, match="give either --data"):
            behaviour.fit(request)


def test_answers_that_do_not_overlap_have_no_sensitivity() -> None:
    for signal, noise in (([0, 0, 5], [5, 5, 0]), ([5, 5, 0], [0, 0, 5])):
        with pytest.raises(Refused, match="do not overlap"):
            ratings.fit(np.array(signal), np.array(noise))
