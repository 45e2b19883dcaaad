"""Questions without an answer: none is answered by the words alone, and no cue but the reading tells which they are."""

import numpy as np

from phantastic.world import language_tasks as tasks
from phantastic.world import sentences
from phantastic.world.sentences import lexicon
from phantastic.world.unanswered import unanswered

GRAMMAR = sentences.grammar()
COUNT = 240
FOUND = unanswered(GRAMMAR, 0, "task", COUNT)
VERBS = {entry.split()[0] for entries in lexicon.source()["verb"].values() for entry in entries}
FORMS = {form: base for base in VERBS for form in (base, lexicon.with_s(base))}
FUNCTION = {"do", "does", *tasks.QUESTION_WORDS, "who"}


def verb_asked_about(one: tasks.Answered) -> str | None:
    """Of a question with one verb, that verb; of more, which it is only the tree tells."""
    verbs = [FORMS[word] for word in one.question.split() if word in FORMS]
    return verbs[0] if len(verbs) == 1 else None


def test_every_second_question_has_no_answer_and_fewer_are_the_first_of_more() -> None:
    assert [bool(one.answer) for one in FOUND] == [True, False] * (COUNT // 2)
    assert all(one.start == one.stop == 0 for one in FOUND[1::2])
    assert unanswered(GRAMMAR, 0, "task", 31) == FOUND[:31]
    assert unanswered(GRAMMAR, 1, "task", 8) != FOUND[:8]


def test_answered_questions_are_answered_by_their_span() -> None:
    subjects = 0
    for one in FOUND[0::2]:
        assert one.context[one.start_character :].startswith(one.answer)
        words = one.question.split()[:-1]
        if words[0] != "where" and words[1] not in ("do", "does"):  # the answer in place of "who" makes the sentence
            assert f"{one.answer} {' '.join(words[1:])} ." in one.context
            subjects += 1
    assert subjects > COUNT // 20


def test_no_sentence_says_what_an_unanswered_question_asks() -> None:
    """Whatever stands for "who", the rest of the question is nowhere; where its verb occurs, one word is another."""
    checked = 0
    for one in FOUND[1::2]:
        words = one.question.split()[:-1]
        if words[0] != "where" and words[1] not in ("do", "does"):
            assert f" {' '.join(words[1:])} ." not in one.context
            checked += 1
        verb = verb_asked_about(one)
        if verb is not None:
            assert sum(FORMS.get(word) == verb for word in one.context.split()) <= 1
    assert checked > COUNT // 20


def lacking(one: tasks.Answered) -> int:
    """Words of the question that the text has not, in any form of a verb."""
    said = {FORMS.get(word, word) for word in one.context.split()}
    return sum(FORMS.get(word, word) not in said for word in set(one.question.split()) - FUNCTION)


def test_words_that_the_text_has_do_not_tell() -> None:
    """Answered questions have no other words; half of the others have one, half of them none."""
    counts = np.array([lacking(one) for one in FOUND])
    assert (counts[0::2] == 0).all()
    assert (counts[1::4] == 1).all()  # a word from nowhere
    assert (counts[3::4] == 0).all()  # one of the other sentence


def test_the_text_alone_and_the_first_word_do_not_tell() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    many = unanswered(GRAMMAR, 2, "cues", 800)
    labels = [not one.answer for one in many]
    for texts in ([one.context for one in many], [one.question.split()[0] for one in many]):
        features = CountVectorizer(ngram_range=(1, 2), min_df=3, token_pattern=r"\S+").fit_transform(texts)
        share = cross_val_score(LogisticRegression(C=0.1, max_iter=500), features, labels, cv=5).mean()
        assert 0.4 < share < 0.58
