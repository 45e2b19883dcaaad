"""Words for rooms: phrases and operations in English and Japanese, and what is refused."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantastic.declare.i18n import speaking
from phantastic.ground.errors import Refused
from phantastic.systems.scan.concepts import OPEN, OPERATORS, contradict
from phantastic.systems.scan.language import Lexicon, expected
from phantastic.systems.scan.rooms import PALETTES
from phantastic.world import rooms

LEXICONS = {count: Lexicon(palette) for count, palette in PALETTES.items()}
FULL = LEXICONS[16]


def concept(identity: str = "", thing: str = "", wall: str = "", floor: str = "") -> list[int]:
    """A concept of the full palette from its English words; what is left out is open."""
    words = (identity, thing, wall, floor)
    return [values.index(word) if word else OPEN for values, word in zip(rooms.VALUES, words, strict=True)]


def concepts(colours: Sequence[int] = tuple(PALETTES)) -> st.SearchStrategy[tuple[Lexicon, np.ndarray]]:
    """Any lexicon with any concept of its rooms that names something."""

    def numbered(count: int, number: int) -> tuple[Lexicon, np.ndarray]:
        sizes = (4, count + 1, count + 1, count + 1)
        return LEXICONS[count], np.array(np.unravel_index(number, sizes)) + OPEN

    return st.one_of(*(st.builds(numbered, st.just(c), st.integers(1, 4 * (c + 1) ** 3 - 1)) for c in colours))


# --- phrases


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("red suitcase, blue wall", concept("suitcase", "red", "blue")),
        ("a red suitcase in front of the blue wall", concept("suitcase", "red", "blue")),
        ("blue wall; Red Suitcase", concept("suitcase", "red", "blue")),
        ("ice lolly", concept("ice lolly")),
        ("yellow", concept(thing="yellow")),
        ("yellow and hat", concept("hat", "yellow")),
        ("hat, yellow", concept("hat", "yellow")),
        ("pink object, azure floor", concept(thing="pink", floor="azure")),
        ("sky blue wall, blue floor", concept(wall="sky blue", floor="blue")),
        ("amber-coloured hat", None),
        ("red wall red floor red object", concept("", "red", "red", "red")),
        ("red red hat", concept("hat", "red")),
        ("赤い帽子、青い壁", concept("hat", "red", "blue")),
        ("赤の帽子と青の壁", concept("hat", "red", "blue")),
        ("青い壁の前の赤いスーツケース", concept("suitcase", "red", "blue")),
        ("青緑の壁、緑の床", concept(wall="turquoise", floor="green")),
        ("黄緑色のアイスキャンディー", concept("ice lolly", "lime")),
        ("赤紫の物", concept(thing="magenta")),
        ("エメラルド色の床", concept(floor="emerald")),
        ("山吹", concept(thing="amber")),
        ("red の 帽子", concept("hat", "red")),
        ("redの帽子", concept("hat", "red")),
    ],
)
def test_phrases(phrase: str, named: list[int] | None) -> None:
    if named is None:
        with pytest.raises(Refused, match=r"unknown word 'amber-coloured'.*did you mean"):
            FULL.parse(phrase)
    else:
        assert FULL.parse(phrase).tolist() == named


@settings(max_examples=60)
@given(concepts(), st.sampled_from(["en", "ja"]), st.randoms(use_true_random=False))
def test_a_concept_in_words_is_read_as_that_concept(known, lang, random) -> None:
    """In either language, in any order of its parts, in any case, and Japanese without a space."""
    lexicon, named = known
    with speaking(lang):
        words = lexicon.describe(named)
    assert np.array_equal(lexicon.parse(words), named)
    assert np.array_equal(lexicon.parse(words.upper()), named)
    comma = "、" if lang == "ja" else ", "
    parts = words.split(comma)
    random.shuffle(parts)
    assert np.array_equal(lexicon.parse(comma.join(parts)), named)
    if lang == "ja":
        assert not any(letter.isascii() for letter in words)
        assert np.array_equal(lexicon.parse(words.replace("の", "い").replace("、", "と")), named)
    else:
        assert np.array_equal(lexicon.parse("the " + words.replace(", ", " and a ")), named)


@settings(max_examples=60)
@given(concepts(colours=[4]))
def test_the_words_do_not_depend_on_how_many_colours_there_are(known) -> None:
    lexicon, named = known
    wider = np.array([named[0], *(PALETTES[4][value] if value != OPEN else OPEN for value in named[1:])])
    for lang in ("en", "ja"):
        with speaking(lang):
            assert lexicon.describe(named) == FULL.describe(wider)


@settings(max_examples=60)
@given(concepts(colours=[4]), concepts(colours=[4]))
def test_different_concepts_have_different_words(one, other) -> None:
    (lexicon, first), (_, second) = one, other
    if not np.array_equal(first, second):
        for lang in ("en", "ja"):
            with speaking(lang):
                assert lexicon.describe(first) != lexicon.describe(second)


def test_a_concept_that_names_nothing_is_anything() -> None:
    nothing = np.full(4, OPEN)
    for lang, word in (("en", "anything"), ("ja", "何でも")):
        with speaking(lang):
            assert FULL.describe(nothing) == word


# --- what is refused


@pytest.mark.parametrize(
    ("colours", "phrase", "unknown", "nearest"),
    [
        (16, "red suitcse", "suitcse", "suitcase"),
        (16, "two hats", "two", ""),
        (16, "red hats", "hats", "hat"),
        (16, "bleu wall", "bleu", "blue"),
        (16, "赤いスーツケス", "スーツケス", "スーツケース"),
        (16, "エメラルの壁", "エメラル", "エメラルド"),
        (16, "深緑の壁", "深緑", "緑"),
        (16, "red hat!", "!", ""),
        (16, "ｈａｔ", "ｈ", ""),
        # colours there are, but not in these rooms, are not read as the parts of their names
        (4, "黄緑の壁", "黄緑", "黄"),
        (7, "黄緑の壁", "黄緑", "黄"),
        (4, "青緑の壁", "青緑", "青"),
        (7, "sky blue wall", "sky blue", "blue"),
        (2, "pink hat", "pink", ""),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest_known_one(colours, phrase, unknown, nearest) -> None:
    with pytest.raises(Refused) as refusal:
        LEXICONS[colours].parse(phrase)
    message = str(refusal.value)
    assert f"unknown word '{unknown}' in '{phrase}'" in message
    assert (f"did you mean '{nearest}'?" if nearest else "; ") in message


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("red hat, blue hat", "'blue': the object colour is red already"),
        ("hat, suitcase", "'suitcase': the identity is hat already"),
        ("red wall, green wall", "'green': the wall colour is red already"),
        ("red blue hat", "the object colour is red already"),
        ("赤い帽子、青い帽子", "'青': the object colour is red already"),
        ("wall", "'wall' in 'wall' has no colour; write for example 'red wall'"),
        ("赤い帽子、壁", "'壁' in '赤い帽子、壁' has no colour"),
        ("", "names nothing"),
        ("  ", "names nothing"),
        ("the, a", "names nothing"),
        (",、;", "names nothing"),
    ],
)
def test_contradictions_and_empty_phrases_are_refused(phrase, message) -> None:
    with pytest.raises(Refused) as refusal:
        FULL.parse(phrase)
    assert message in str(refusal.value)


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_any_text_is_a_concept_or_refused(text) -> None:
    for read in (FULL.parse, FULL.parse_operation):
        with suppress(Refused):
            assert read(text) is not None


# --- operations


@pytest.mark.parametrize(
    ("text", "operator", "first", "second"),
    [
        ("yellow AND hat", "AND", concept(thing="yellow"), concept("hat")),
        ("red hat, blue wall IN COMMON red suitcase", "IN COMMON", concept("hat", "red", "blue"),
         concept("suitcase", "red")),
        ("red hat IGNORE red", "IGNORE", concept("hat", "red"), concept(thing="red")),
        ("黄 かつ 帽子", "AND", concept(thing="yellow"), concept("hat")),
        ("黄かつ帽子", "AND", concept(thing="yellow"), concept("hat")),
        ("赤い帽子 共通 赤いスーツケース", "IN COMMON", concept("hat", "red"), concept("suitcase", "red")),
        ("赤い帽子除く赤", "IGNORE", concept("hat", "red"), concept(thing="red")),
        ("黄 AND 帽子", "AND", concept(thing="yellow"), concept("hat")),
        ("黄AND帽子", "AND", concept(thing="yellow"), concept("hat")),
        ("赤い帽子IGNORE赤", "IGNORE", concept("hat", "red"), concept(thing="red")),
        ("AND red hat", "AND", None, concept("hat", "red")),
        (" IGNORE blue wall", "IGNORE", None, concept(wall="blue")),
        ("除く青い壁", "IGNORE", None, concept(wall="blue")),
        ("red suitcase", None, None, concept("suitcase", "red")),
    ],
)  # fmt: skip
def test_operations(text, operator, first, second) -> None:
    found = FULL.parse_operation(text)
    assert found[0] == operator
    assert (None if found[1] is None else found[1].tolist()) == first
    assert found[2].tolist() == second


@settings(max_examples=60)
@given(concepts(colours=[7]), concepts(colours=[7]), st.sampled_from(OPERATORS), st.sampled_from(["en", "ja"]))
def test_operations_in_words_are_read_as_they_were_meant(one, other, operator, lang) -> None:
    (lexicon, first), (_, second) = one, other
    text = f"{lexicon.describe(first)} {operator} {lexicon.describe(second)}"
    if operator == "AND" and contradict(first[None], second[None])[0]:
        with pytest.raises(Refused, match="nothing can be both"):
            lexicon.parse_operation(text)
        return
    found, left, right = lexicon.parse_operation(text)
    assert found == operator
    assert left is not None
    assert np.array_equal(left, first)
    assert np.array_equal(right, second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("red AND blue", "the two name a factor differently"),
        ("hat かつ スーツケース", "the two name a factor differently"),
        ("red AND hat AND blue wall", "has 2 operators; one at a time: AND, IN COMMON, IGNORE"),
        ("red hat IGNORE", "names nothing"),
        ("AND", "names nothing"),
        ("hat ANDROID red", "unknown word 'android'"),
        ("red hat ignore red", "unknown word 'ignore'"),
        ("hat AND blu", "unknown word 'blu' in 'blu'; did you mean 'blue'?"),
    ],
)
def test_impossible_operations_are_refused(text, message) -> None:
    with pytest.raises(Refused) as refusal:
        FULL.parse_operation(text)
    assert message in str(refusal.value)


def test_operations_may_come_out_empty() -> None:
    """What two concepts share, or what is left of one, may be nothing."""
    red, hat = np.array(concept(thing="red")), np.array(concept("hat"))
    for operator, other in (("IN COMMON", hat), ("IGNORE", red)):
        assert FULL.describe(expected(operator, red, other)) == "anything"
