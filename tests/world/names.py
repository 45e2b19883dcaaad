"""Names in sentences: where they stand, that no word tells, and that a test has others."""

from collections import defaultdict

import pytest

from phantastic.data.conll2003 import entities
from phantastic.world import sentences
from phantastic.world.names import INVENTED, SUFFIXES, TAGS, TYPES, given, invented, names, nouns

GRAMMAR = sentences.grammar()
FOUND = names(GRAMMAR, 0, "task", 1500)
DETERMINERS = {"the", "a", "this", "that", "every"}
PER, LOC, ORG = range(3)


def marked(found=FOUND):
    return [(each, one.words[each.start : each.stop], one.words) for one in found for each in entities(one.tags)]


def test_every_sentence_has_a_name_and_fewer_are_the_first_of_more() -> None:
    assert all(len(one.words) == len(one.tags) and entities(one.tags) for one in FOUND)
    assert {tag for one in FOUND for tag in one.tags} == set(range(TAGS))
    assert names(GRAMMAR, 0, "task", 40) == FOUND[:40]
    assert names(GRAMMAR, 1, "task", 40) != FOUND[:40]


def test_tags_mark_names_and_nothing_else() -> None:
    """No article stands before a name, one stands before every noun that is none; the form is that of its type."""
    for each, words, sentence in marked():
        assert sentence[each.start - 1] not in DETERMINERS - {"that"} or each.start == 0
        assert len(words) <= 2
        if each.type == ORG:
            assert words[-1] in SUFFIXES
        if each.type == LOC:
            assert len(words) == 1 or words[1] in nouns(GRAMMAR, "place")
    adjectives = {english for symbol, english, _ in GRAMMAR.entries if symbol.startswith("Adj")}
    for one in FOUND:
        for place, (word, tag) in enumerate(zip(one.words, one.tags, strict=True)):
            if tag == 0 and word in nouns(GRAMMAR):
                before = one.words[place - 1]
                assert before in DETERMINERS or before in adjectives, (word, one.words)


def test_where_a_place_is_named_a_place_may_stand() -> None:
    after = [sentence[each.start - 1] for each, _, sentence in marked() if each.start]
    where = [
        each.type
        for each, _, sentence in marked()
        if each.start and sentence[each.start - 1] in ("in", "near", "behind")
    ]
    assert set(where) == {LOC}
    assert len(where) > 50
    assert "by" in after


def test_the_same_words_name_persons_places_and_organisations_and_are_nouns() -> None:
    uses = defaultdict(set)
    for each, words, _ in marked():
        uses[words[0]].add(TYPES[each.type])
    for one in FOUND:
        for word, tag in zip(one.words, one.tags, strict=True):
            uses[word] |= {"O"} if tag == 0 else set()
    assert sum(uses[word] == {*TYPES, "O"} for word in nouns(GRAMMAR)) > len(nouns(GRAMMAR)) / 3
    assert all(uses[word] == set(TYPES) for word in given(GRAMMAR))
    assert not any("O" in uses[word] for word in invented(GRAMMAR)[0])


def test_half_of_the_invented_words_of_a_test_are_new() -> None:
    known, new = map(set, invented(GRAMMAR))
    assert len(known) == len(new) == INVENTED
    assert not known & new
    assert not (known | new) & {*GRAMMAR.sides["english"].vocabulary, *SUFFIXES}
    learned = {word for one in FOUND for word in one.words}
    assert not learned & new
    words = [word for one in names(GRAMMAR, 0, "test", 1500, new=True) for word in one.words if word in known | new]
    share = sum(word in new for word in words) / len(words)
    assert share == pytest.approx(0.5, abs=3 * 0.5 / len(words) ** 0.5)
