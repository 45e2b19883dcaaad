"""Tables of sentences and grammars that make no sense."""

import numpy as np
import pytest
from sentences_by_list import TEXT, WORDS, small

from phantastic.ground.errors import Refused
from phantastic.world import sentences
from phantastic.world.sentences.grammar import Grammar

GRAMMAR = small()


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (np.zeros(3, int), "table of whole numbers"),
        (np.zeros((1, 3)), "float64"),
        (np.array([[0, 99, 1]]), "sentence 0, word 1: 99 is no word; allowed: 0 to"),
        (np.array([[0, 1], [-3, 1]]), "sentence 1, word 0: -3"),
        (np.array([[0, -1, 1]]), "after the last word only"),
        (np.array([[0, 1], [-1, -1]]), "no sentence is empty"),
    ],
)
def test_a_table_of_sentences_is_checked(observed, said):
    with pytest.raises(Refused, match=said):
        sentences.topic_likelihood(GRAMMAR, "english", observed)


def test_what_is_selected_are_words_and_pairs_are_pairs():
    observed = np.array([[0, 1, -1]])
    for selected in (np.zeros((1, 2), bool), np.array([[False, False, True]])):
        with pytest.raises(Refused, match="selected marks words"):
            sentences.predictions(GRAMMAR, "english", observed, selected)
    with pytest.raises(Refused, match="got 1 sentences"):
        sentences.predictions(GRAMMAR, "english", observed, np.zeros((1, 3), bool))


def test_what_is_no_sentence_has_probability_zero():
    place = GRAMMAR.sides["english"].place
    observed = np.array([[place[word] for word in ("the", "cows", "sees", ".")]])
    assert (sentences.topic_likelihood(GRAMMAR, "english", observed) == 0).all()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("1 S NP", "is not: weight Parent"),
        ("x S -> NP.sg", "is not: weight Parent"),
        ("1 S -> 'a':det 'b':det", "one symbol without :relation"),
        ("1 S -> NP.sg V.sg", "one symbol without :relation"),
        ("1 S -> 'a':det< NP.sg", "nothing stands where"),
        ("1 S -> NP.sg:", "is not Symbol"),
        ("1 S -> " + "'a':det " * 5 + "NP.sg", "at most 5 children"),
        ("1 S -> Nothing", "nothing makes 'Nothing'"),
        ("1 S -> NP.dual", "ends in no words"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(rule, said):
    rules = f"{rule}\n1 NP.pl -> N.pl" if said == "ends in no words" else TEXT["rules"] + rule
    with pytest.raises(Refused, match=said) as caught:
        Grammar(TEXT | {"rules": rules}, WORDS)
    assert "S" in str(caught.value)
