"""Tasks cut from the grammar: labels checked on the words alone, and every sentence by the chart."""

import re

import numpy as np
import pytest

from phantastic.world import language_tasks as tasks
from phantastic.world import sentences
from phantastic.world.sentences import lexicon
from phantastic.world.sentences.edit import spoken, trees
from phantastic.world.sentences.meaning import weaker

GRAMMAR = sentences.grammar()
COUNT = 180
QUANTIFIERS = "every|all|most|many"
IRREGULAR = {"caught": "catch", "fed": "feed", "found": "find", "left": "leave"}
BASES = {entry.split()[0] for entries in lexicon.source()["verb"].values() for entry in entries}
BASE = IRREGULAR | {form: base for base in BASES for form in (base, lexicon.with_s(base), lexicon.with_ed(base))}


def possible(texts):
    place = GRAMMAR.sides["english"].place
    table = np.full((len(texts), max(len(text.split()) for text in texts)), sentences.PAD)
    for row, text in enumerate(texts):
        table[row, : len(text.split())] = [place[word] for word in text.split()]
    return sentences.topic_likelihood(GRAMMAR, "english", table).sum(1) > 0


def is_passive_of(active, voice):
    """A V P . and P is V-ed by A . for some A and P."""
    a, p = active.split(), voice.split()
    for be in [place for place, word in enumerate(p) if word in ("is", "are")]:
        if p[be + 2 : be + 3] == ["by"]:
            patient, agent = p[:be], p[be + 3 : -1]
            rest = a[len(agent) : -1]
            if a[: len(agent)] == agent and rest[1:] == patient and BASE.get(rest[0]) == BASE[p[be + 1]]:
                return True
    return False


def is_turned_round(one, other):
    """Two neighbours joined by "and" have changed places."""
    a, b = one.split(), other.split()
    for place in [place for place, word in enumerate(a) if word == "and"]:
        for start in range(place):
            for stop in range(place + 2, len(a) + 1):
                if b == a[:start] + a[place + 1 : stop] + ["and"] + a[start:place] + a[stop:]:
                    return True
    return False


def test_of_the_verbs_of_a_sentence_the_one_with_most_attractors_is_taken():
    written = sentences.documents(GRAMMAR, 0, "pairs", 0, tasks.BLOCK).english
    most = {written.text(number): max(written.attractors()[written.span(number)]) for number in range(len(written))}
    pairs = [pair for pair in tasks.minimal_pairs(GRAMMAR, 0, "pairs", 60) if pair.kind == "verb"]
    known = [(pair.attractors, most[pair.good]) for pair in pairs if pair.good in most]
    assert len(known) > 20
    assert all(one == other for one, other in known)
    several = [number for number in range(len(written)) if len(set(written.attractors()[written.span(number)])) > 2]
    assert {written.text(number) for number in several} & {pair.good for pair in pairs}, "there was a choice"


TASKS = {
    "acceptability": tasks.acceptability,
    "paraphrase": tasks.paraphrase,
    "entailment": tasks.entailment,
    "similarity": tasks.similarity,
}


@pytest.mark.parametrize("name", TASKS)
def test_fewer_examples_are_the_first_of_more_and_classes_are_equally_frequent(name):
    task = TASKS[name]
    more, fewer = task(GRAMMAR, 0, "task", 90), task(GRAMMAR, 0, "task", 31)
    assert len(more.sentences) == len(more.labels) == 90
    assert fewer.sentences == more.sentences[:31]
    assert fewer.labels == more.labels[:31]
    assert task(GRAMMAR, 1, "task", 31).sentences != fewer.sentences
    assert task(GRAMMAR, 0, "other", 31).sentences != fewer.sentences
    if more.classes:
        counts = np.bincount(more.labels, minlength=len(more.classes))
        assert counts.max() - counts.min() <= 2
        assert len({len(sentence) for sentence in more.sentences}) == 1


def test_minimal_pairs_differ_in_one_word_and_only_one_is_a_sentence():
    pairs = tasks.minimal_pairs(GRAMMAR, 0, "pairs", COUNT)
    assert possible([pair.good for pair in pairs]).all()
    assert not possible([pair.bad for pair in pairs]).any()
    assert [pair.kind for pair in pairs] == ["verb", "determiner"] * (COUNT // 2)
    for pair in pairs:
        good, bad = pair.good.split(), pair.bad.split()
        assert [place for place, (a, b) in enumerate(zip(good, bad, strict=True)) if a != b] == [pair.place]
        if pair.kind == "determiner":
            assert {good[pair.place], bad[pair.place]} in ({"this", "these"}, {"a", "many"}, {"every", "all"})
        else:
            forms = {good[pair.place], bad[pair.place]}
            assert forms in ({"is", "are"}, {"does", "do"}) or len({BASE[form] for form in forms}) == 1
    assert sum(pair.attractors > 0 for pair in pairs) > COUNT // 16
    acceptable = tasks.acceptability(GRAMMAR, 0, "pairs", COUNT)
    assert list(possible([text for (text,) in acceptable.sentences])) == [bool(label) for label in acceptable.labels]
    shown = [
        (pair.kind, label)
        for pair, (text,), label in zip(pairs, acceptable.sentences, acceptable.labels, strict=True)
        if text == (pair.good if label else pair.bad)
    ]
    # either kind of disagreement is as often shown right as wrong
    assert {each: shown.count(each) for each in shown} == dict.fromkeys(
        [(kind, label) for kind in ("verb", "determiner") for label in (0, 1)], COUNT // 4
    )


def test_the_verb_that_is_asked_about_stands_nowhere_else_and_do_agrees():
    subjects, helped = 0, {"do": 0, "does": 0}
    for one in tasks.questions(GRAMMAR, 0, "task", COUNT // 2):
        question, context = one.question.split()[:-1], one.context.split()
        if sum(word in BASE for word in question) != 1:  # more, in relative clauses: which is meant, trees tell alone
            continue
        if question[1] in ("do", "does"):
            begins = max((at + 1 for at in range(one.start) if context[at] == "."), default=0)
            asked = context[begins:]  # the sentence from its subject on, which the question repeats
            length = next(at for at, (a, b) in enumerate(zip(asked, question[2:], strict=False)) if BASE.get(a) == b)
            verb = asked[length]
            assert asked[:length] == question[2 : 2 + length]
            assert (verb == BASE[verb]) == (question[1] == "do")
            helped[question[1]] += 1
        else:
            verb = question[1]
            subjects += 1
        if verb in BASE:
            forms = {BASE[verb], lexicon.with_s(BASE[verb])}
            assert sum(word in forms for word in context) == 1, (one, forms)
    assert min(subjects, *helped.values()) > COUNT // 40


def test_paraphrases_say_the_same_and_the_others_do_not():
    found = tasks.paraphrase(GRAMMAR, 0, "task", COUNT)
    assert possible([text for pair in found.sentences for text in pair]).all()
    bags, passive_first = 0, []
    for (one, other), label in zip(found.sentences, found.labels, strict=True):
        same = is_passive_of(one, other) or is_passive_of(other, one) or is_turned_round(one, other)
        assert same == bool(label), (one, other)
        if is_passive_of(one, other) != is_passive_of(other, one):
            passive_first.append(is_passive_of(other, one))
        nouns = [sorted(set(re.findall(r"[a-z]+", text)) - {"is", "are", "by"}) for text in (one, other)]
        bags += not label and len(set(nouns[0]) ^ set(nouns[1])) <= 2 and ("by" in one) != ("by" in other)
    assert bags > COUNT // 20  # in some pairs word order alone tells
    assert len(passive_first) > COUNT // 8
    assert 0.25 < np.mean(passive_first) < 0.75


def test_entailment_by_words():
    found = tasks.entailment(GRAMMAR, 0, "task", COUNT)
    assert possible([text for pair in found.sentences for text in pair]).all()
    participles = {english for symbol, english, _ in GRAMMAR.entries if symbol.startswith("Vpart")} | {"is", "are"}
    denials, added = {"not": 0, "plain": 0}, 0
    for (one, other), label in zip(found.sentences, found.labels, strict=True):
        a, b = one.split(), other.split()
        new = set(b) - set(a) - participles
        if found.classes[label] == "entailment":
            assert len(b) < len(a) or "is" in b or "are" in b
            assert {BASE[word] for word in new} <= {BASE.get(word) for word in a}, (one, other)
        elif found.classes[label] == "contradiction":
            assert b.count("not") == a.count("not") + 1 or "not" in b, (one, other)
            assert not re.match(rf"({QUANTIFIERS}|a) ", other)
        else:
            assert new, (one, other)
            lemmas = [{BASE.get(word, word) for word in words} - {"is", "are", "not", "do", "does"} for words in (a, b)]
            assert lemmas[1] - lemmas[0], (one, other)  # something of which the first says nothing
            denials["not" if "not" in b else "plain"] += 1
            added += set(a) < set(b)
    assert min(denials.values()) >= COUNT // 40
    assert COUNT // 20 <= added <= COUNT // 6  # of sixty, about a third: the second only says more than the first


def test_what_quantifiers_restrict_is_never_left_out():
    """ "every old cow sleeps" does not make every cow sleep."""
    drawn = sentences.documents(GRAMMAR, 3, "weaker", 0, 300)
    seen, names = 0, 0
    for root in trees(drawn):
        text = " ".join(spoken(GRAMMAR, root))
        for short in weaker(GRAMMAR, root):
            weak = " ".join(spoken(GRAMMAR, short))
            assert weak != text
            for phrase in re.findall(rf"\b(?:{QUANTIFIERS}) [a-z]+ [a-z]+\b", weak):
                # The word after a quantifier, an adjective or the noun, is the one that stood there before.
                quantifier, first, _ = phrase.split()
                assert f"{quantifier} {first}" in text
                seen += 1
            names += bool(re.match(r"(mary|john|hana|ken) ", weak))
    assert seen > 50
    assert names > 10


def test_similarity_counts_what_differs():
    found = tasks.similarity(GRAMMAR, 0, "task", COUNT)
    assert possible([text for pair in found.sentences for text in pair]).all()
    labels = np.array(found.labels)
    assert labels.min() == 0
    assert labels.max() == 5
    assert (labels == 0).sum() > COUNT // 20
    for (one, other), label in zip(found.sentences, found.labels, strict=True):
        same = one == other or is_passive_of(one, other) or is_turned_round(one, other)
        assert same == (label == 5), (one, other, label)
    overlap = [len(set(a.split()) & set(b.split())) / len(set(a.split()) | set(b.split())) for a, b in found.sentences]
    assert np.corrcoef(overlap, labels)[0, 1] > 0.8


def test_questions_are_answered_by_their_span():
    found = tasks.questions(GRAMMAR, 0, "task", COUNT)
    kinds = {"subject": 0, "object": 0, "where": 0}
    for one in found:
        assert one.context[one.start_character :].startswith(one.answer)
        assert one.question.endswith(" ?")
        assert "." not in one.answer
        words = one.question.split()[:-1]
        assert words[0] in ("who", "what", "where")
        if words[1] in ("do", "does") and words[2] != "not":
            before = one.context[: one.start_character].split()
            stop = [place for place, word in enumerate(before) if word == "."]
            asked = before[stop[-1] + 1 if stop else 0 :]  # the sentence up to the answer
            assert asked[:-1] == words[2 : 2 + len(asked) - 1] or words[0] == "where"
            kinds["where" if words[0] == "where" else "object"] += 1
        else:  # the answer in place of "who" makes the sentence
            assert f"{one.answer} {' '.join(words[1:])} ." in one.context
            kinds["subject"] += 1
        if words[0] == "where":
            assert one.answer.split()[0] in ("in", "near", "behind")
    assert min(kinds.values()) > COUNT // 20
    assert tasks.questions(GRAMMAR, 0, "task", 17) == found[:17]
    vocabulary = set(GRAMMAR.sides["english"].vocabulary) | set(tasks.QUESTION_WORDS)
    assert {word for one in found for word in one.question.split()} <= vocabulary


def test_tagging_has_a_tag_for_every_word():
    found = tasks.tagging(GRAMMAR, 0, "task", 101)
    assert len(found) == 101
    written = sentences.documents(GRAMMAR, 0, "task", 0, 60).english
    uses = set()
    for number, one in enumerate(found):
        assert one.words == written.forms(number)
        assert len(one.tags) == len(one.words)
        uses |= {GRAMMAR.tags[tag] for word, tag in zip(one.words, one.tags, strict=True) if word == "that"}
    assert uses == {"PRON", "SCONJ", "DET"}
