"""CoNLL-2003: both ways of tagging are the same names; damaged files are refused with their line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data.conll2003 import TAGS, Entity, entities, load
from phantastic.ground.errors import Refused

IOB1 = """-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O
. . O O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER

Rome NNP I-NP I-LOC
Paris NNP I-NP B-LOC
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "eng.train"
    path.write_bytes(text.encode())
    return path


def test_a_file_as_released_by_hand(tmp_path: Path) -> None:
    found = load(written(tmp_path, IOB1))
    assert [each.words for each in found] == [
        ["EU", "rejects", "German", "call", "."], ["Peter", "Blackburn"], ["Rome", "Paris"],
    ]  # fmt: skip
    assert [each.tags for each in found] == [[5, 0, 7, 0, 0], [1, 2], [3, 3]]  # B-ORG, B-MISC; B-PER I-PER; two B-LOC
    assert entities(found[2].tags) == {Entity(1, 0, 1), Entity(1, 1, 2)}


def test_both_ways_of_tagging_are_the_same_and_lines_end_as_they_may(tmp_path: Path) -> None:
    iob2 = IOB1.replace("I-ORG", "B-ORG").replace("I-MISC", "B-MISC").replace("I-LOC", "B-LOC")
    iob2 = iob2.replace("Peter NNP I-NP I-PER", "Peter NNP I-NP B-PER")
    assert load(written(tmp_path, iob2.replace("\n", "\r\n"))) == load(written(tmp_path, IOB1))


def test_names_of_tags_by_hand() -> None:
    """As conlleval counts: I- begins a name where no word of its type is before it."""
    assert entities([]) == entities([0, 0]) == set()
    assert entities([2, 2, 0]) == {Entity(0, 0, 2)}
    assert entities([1, 4, 0]) == {Entity(0, 0, 1), Entity(1, 1, 2)}
    assert entities([1, 2, 1]) == {Entity(0, 0, 2), Entity(0, 2, 3)}
    assert entities([0, 3, 4, 4]) == {Entity(1, 1, 4)}


@given(st.lists(st.integers(0, TAGS - 1), max_size=12))
def test_every_tagged_word_is_in_one_name(tags: list[int]) -> None:
    inside = sorted(place for each in entities(tags) for place in range(each.start, each.stop))
    assert inside == [place for place, tag in enumerate(tags) if tag]
    for each in entities(tags):
        assert {(tag - 1) // 2 for tag in tags[each.start : each.stop]} == {each.type}
        assert all(tag % 2 == 0 for tag in tags[each.start + 1 : each.stop])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("EU NNP I-NP I-ORG\nrejects VBZ O\n", "line 2: 3 columns; expected 4"),
        ("EU\n", "line 1: 1 columns; expected 2"),
        ("EU I-ORG\nx I-PRE\n", "line 2: there is no tag 'I-PRE'; did you mean 'I-PER'"),
        ("EU O-ORG\n", "line 1: there is no tag 'O-ORG'"),
        ("-DOCSTART- -X- O O\n\n", "holds no sentence"),
        ("", "holds no sentence"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refused, match=r"eng\.train") as caught:
        load(written(tmp_path, text))
    assert said in str(caught.value)


def test_no_file_and_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not exist; expected CoNLL-2003"):
        load(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"EU I-ORG\n\xff O\n")
    with pytest.raises(Refused, match="line 2: not UTF-8"):
        load(tmp_path / "bytes")
