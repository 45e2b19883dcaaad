"""What changes of a sentence do to its words, and what they undo; words inflected; floors and pairs by hand."""

import re

import numpy as np
import pytest

from phantastic.ground.errors import Refused
from phantastic.world import sentences
from phantastic.world.sentences import PAD, lexicon
from phantastic.world.sentences.edit import Node, others, spoken, trees
from phantastic.world.sentences.floor import joint_prior, mean_per_word
from phantastic.world.sentences.meaning import (
    denied,
    exchanged,
    passive,
    places,
    replaced,
    transitive,
    turned_round,
    weaker,
    without_agent,
)

GRAMMAR = sentences.grammar()
CORPUS = sentences.documents(GRAMMAR, 11, "meanings", 0, 800)
ROOTS = trees(CORPUS)
NAMES = {entry.split()[0] for entry in lexicon.source()["name"]["Name.sg"]}
ADJECTIVES = "|".join(e.split()[0] for entries in lexicon.source()["adjective"].values() for e in entries)
DEFINITE = ("the", "this", "that", "these", "those", *NAMES)


def text(root: Node | None) -> str:
    return "" if root is None else " ".join(spoken(GRAMMAR, root))


# --- sentences


def test_exchanging_or_turning_round_twice_changes_nothing():
    exchanges, turns = 0, 0
    for root in ROOTS:
        for change in (exchanged, turned_round):
            other = change(GRAMMAR, root)
            if other is not None:
                assert text(other) != text(root)
                assert text(change(GRAMMAR, other)) == text(root)
                exchanges += change is exchanged
                turns += change is turned_round
    assert min(exchanges, turns) > 20


def test_a_sentence_exchanged_says_that_the_other_did_it():
    """Subject and object change places; the verb keeps its word and agrees with its new subject."""
    found = 0
    for root in ROOTS:
        parts, other = transitive(root), exchanged(GRAMMAR, root)
        if other is None:
            continue
        assert parts is not None
        subject, verb, patient = (text(part) for part in parts[1:])
        swapped = transitive(other)
        assert swapped is not None
        assert text(root) == f"{subject} {verb} {patient} ."
        assert text(other) == f"{patient} {text(swapped[2])} {subject} ."
        both = sorted({verb, text(swapped[2])}, key=len)
        assert both[-1] in (both[0], lexicon.with_s(both[0]))
        found += 1
    assert found > 5


def test_only_what_is_definite_is_denied_and_with_the_do_of_its_subject():
    found = 0
    for root in ROOTS:
        other = denied(GRAMMAR, root)
        words, before = text(other).split(), text(root).split()
        if other is None or "not" in before:  # within a relative clause
            continue
        assert words[0] in DEFINITE
        place = words.index("not") - 1
        assert words[place] in ("do", "does")
        assert words[:place] == before[:place]
        assert words[place + 3 :] == before[place + 1 :]
        base = words[place + 2]
        assert before[place] == (lexicon.with_s(base) if words[place] == "does" else base)
        assert denied(GRAMMAR, other) is None  # it is denied already
        found += 1
    assert found > 50
    plain = re.compile(r"(a|many|every|all|most) [a-z]+ [a-z]+ \.")
    quantified = [root for root in ROOTS if plain.fullmatch(text(root))]
    assert len(quantified) > 10
    assert all(denied(GRAMMAR, root) is None for root in quantified)


def test_a_passive_without_its_agent_ends_before_by():
    found = 0
    for root in ROOTS:
        voice = passive(GRAMMAR, root)
        if voice is None or text(voice).count(" by ") > 1:
            continue
        short = text(without_agent(GRAMMAR, voice))
        assert short == text(voice)[: text(voice).index(" by ")] + " ."
        assert passive(GRAMMAR, voice) is None
        assert short in [text(each) for each in weaker(GRAMMAR, root)]  # somebody did it
        found += 1
    assert found > 5


def test_of_two_sentences_joined_either_follows():
    found = 0
    for root in ROOTS:
        if any(node.kind == "Pair" for node in root.nodes()):
            weak = {text(each) for each in weaker(GRAMMAR, root)}
            words = text(root).removesuffix(" .").split()
            halves = [
                {" ".join(words[:at]) + " .", " ".join(words[at + 1 :]) + " ."}
                for at, word in enumerate(words)
                if word == "and"
            ]
            assert any(half <= weak for half in halves), text(root)
            found += 1
    assert found > 5


def test_what_somebody_says_is_left_as_it_is_said():
    """From "mary says that the old cow sleeps" it does not follow that she says that the cow sleeps."""
    found = 0
    for root in ROOTS:
        match = re.search(r"\b(say|says|think|thinks|believe|believes) (that .*)$", text(root))
        if match and " and " not in text(root) and " not " not in text(root):
            for short in weaker(GRAMMAR, root):
                assert text(short).endswith(match[2])
            found += re.search(ADJECTIVES, match[2]) is not None
    assert found > 5


def test_of_something_with_a_property_it_follows_without_but_not_of_every_such_thing():
    of_one, of_all = 0, 0
    for root in ROOTS:
        match = re.fullmatch(rf"([a-z]+) ({ADJECTIVES}) ([a-z]+ [a-z]+ \.)", text(root))
        if match:
            short = f"{match[1]} {match[3]}"
            follows = short in [text(each) for each in weaker(GRAMMAR, root)]
            assert follows == (match[1] in (*DEFINITE, "a")), text(root)
            of_one += follows
            of_all += not follows
    assert min(of_one, of_all) > 1


def test_a_replaced_word_is_another_of_its_kind_and_topic():
    generator = np.random.default_rng(0)
    for number, root in enumerate(ROOTS[:80]):
        topic = int(CORPUS.topic[number])
        where = places(GRAMMAR, root, topic)
        content = sum(
            GRAMMAR.tags[tag] in ("NOUN", "VERB", "ADJ", "PROPN", "ADV")
            for tag in CORPUS.english.tags[CORPUS.english.span(number)]
        )
        assert len(where) <= content
        for node in where:
            options = [GRAMMAR.entries[other.entry][1] for other in others(GRAMMAR, node, topic)]
            word = GRAMMAR.entries[node.entry][1]
            assert word not in options
            before, after = text(root).split(), text(replaced(GRAMMAR, root, topic, [node], generator)).split()
            changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
            assert len(changed) == 1
            assert changed[0][0] == word
            assert changed[0][1] in options


def test_a_coordinated_subject_is_plural_to_what_stands_behind_it():
    """ "the cow and the goat near the dogs sleep": only a singular between the two and the verb attracts."""
    english = sentences.documents(GRAMMAR, 11, "meanings", 0, 2400).english
    counts, seen = english.attractors(), []
    for number in range(len(english)):
        span = english.span(number)
        tags = [GRAMMAR.tags[tag] for tag in english.tags[span]]
        pattern = ["DET", "NOUN", "CCONJ", "DET", "NOUN", "ADP", "DET", "NOUN"]
        if tags[:8] == pattern and tags[8] in ("VERB", "AUX"):
            attracts = int(english.numbers[span][7] == 0)
            assert counts[span][8] == attracts
            seen.append(attracts)
    assert 0 in seen
    assert 1 in seen


def test_sentences_and_documents_are_counted_from_zero():
    english = CORPUS.english
    for number in (-1, len(english)):
        with pytest.raises(Refused, match=f"no sentence {number}; they are counted from 0 to {len(english) - 1}"):
            english.span(number)
    assert english.span(len(english) - 1).stop == len(english.words)
    for first, count in ((-1, 3), (3, -1), (-1, -1)):
        with pytest.raises(Refused, match=f"got first {first}, count {count}"):
            sentences.documents(GRAMMAR, 0, "laws", first, count)


# --- words


@pytest.mark.parametrize(
    ("word", "with_s", "with_ed"),
    [
        ("walk", "walks", "walked"), ("bus", "buses", "bused"), ("fox", "foxes", "foxed"), ("buzz", "buzzes", "buzzed"),
        ("watch", "watches", "watched"), ("wash", "washes", "washed"), ("carry", "carries", "carried"),
        ("play", "plays", "played"), ("chase", "chases", "chased"), ("path", "paths", "pathed"),
    ],
)  # fmt: skip
def test_english_endings(word: str, with_s: str, with_ed: str):
    assert (lexicon.with_s(word), lexicon.with_ed(word)) == (with_s, with_ed)


@pytest.mark.parametrize(
    ("verb", "negative", "passive"),
    [
        ("食べる*", "食べない", "食べられる"), ("見る*", "見ない", "見られる"), ("追う", "追わない", "追われる"),
        ("嗅ぐ", "嗅がない", "嗅がれる"), ("直す", "直さない", "直される"), ("待つ", "待たない", "待たれる"),
        ("死ぬ", "死なない", "死なれる"), ("運ぶ", "運ばない", "運ばれる"), ("休む", "休まない", "休まれる"),
        ("触る", "触らない", "触られる"), ("書く", "書かない", "書かれる"), ("掃除する", "掃除しない", "掃除される"),
    ],
)  # fmt: skip
def test_japanese_verbs(verb: str, negative: str, passive: str):
    assert lexicon.conjugated(verb) == (verb.removesuffix("*"), negative, passive)


def test_irregular_words_are_as_listed():
    irregular = {"wolf": "wolves", "catch": "caught"}
    assert list(lexicon.nouns("wolf", "狼", irregular)) == [(".sg", "wolf", "狼"), (".pl", "wolves", "狼")]
    assert list(lexicon.nouns("cow", "牛", irregular)) == [(".sg", "cow", "牛"), (".pl", "cows", "牛")]
    assert list(lexicon.verbs("catch", "捕まえる*", irregular)) == [
        (".sg", "catches", "捕まえる"), (".pl", "catch", "捕まえる"), ("neg", "catch", "捕まえない"),
        ("part", "caught", "捕まえられる"),
    ]  # fmt: skip


def test_words_weigh_by_their_rank_and_eight_times_as_much_where_they_are_usual():
    found = lexicon.words()
    farm = lexicon.topics().index("farm")
    assert [weight for *_, weight in found["N.animal.sg"][farm]][:3] == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    for symbol, usual in (
        ("Adj.person", [True, False, False]),
        ("Adj.thing", [True, False, False]),
        ("Quickly", [True, False, False]),
    ):
        weights = [weight for *_, weight in found[symbol][farm]]
        assert weights == pytest.approx([(8 if is_usual else 1) / (2 + rank) for rank, is_usual in enumerate(usual)])
    assert [entry for entry in found["Det.sg"][farm] if entry[0] == "the"] == [("the", "", 10.0)]


# --- pairs and floors


@pytest.mark.parametrize(("paired", "same", "other"), [(0.5, 4 / 18, 1 / 18), (0.0, 1 / 9, 1 / 9), (1.0, 1 / 3, 0.0)])
def test_the_topics_of_a_pair(paired: float, same: float, other: float):
    """Of three: half of the pairs have one topic, and a third of the others by chance."""
    found = joint_prior(3, paired)
    np.testing.assert_allclose(found, np.where(np.eye(3), same, other))
    assert found.sum() == pytest.approx(1)


def test_of_pairs_the_share_asked_for_are_documents_and_the_others_begin_one_and_end_another():
    for paired in (0.0, 0.2, 1.0):
        table, follows = sentences.pairs(GRAMMAR, "english", 1, "share", 300, paired=paired)
        assert follows.mean() == pytest.approx(paired, abs=0.06)
        drawn = sentences.documents(GRAMMAR, 1, "share", 0, 600).english
        for pair in range(0, 300, 7):
            first, second = (
                " ".join(drawn.vocabulary[word] for word in table[2 * pair + i] if word != PAD) for i in (0, 1)
            )
            assert first == drawn.text(2 * pair)
            assert second == drawn.text(2 * pair + 1 if follows[pair] else 2 * (300 + pair) + 1)


def test_a_ratio_of_means_has_the_error_of_its_residuals():
    """Documents of 1, 3 and 4 words and 3, 5 and 8 nats: 2 nats a word; residuals 1, -1 and 0."""
    found = mean_per_word(np.array([3.0, 5.0, 8.0]), np.array([1, 3, 4]))
    assert (found.nats, found.words) == (pytest.approx(2), 8)
    assert found.error == pytest.approx(2**0.5 / 8)


def test_whether_a_sentence_follows_by_bayes_rule():
    """Of a document both sentences have one topic, all alike; else each has its own."""
    observed, _ = sentences.pairs(GRAMMAR, "english", 2, "bayes", 10)
    by_topic = sentences.topic_likelihood(GRAMMAR, "english", observed)
    for paired in (0.3, 0.8):
        found = sentences.next_probability(GRAMMAR, "english", observed, paired=paired)
        for pair, probability in enumerate(found):
            first, second = by_topic[2 * pair], by_topic[2 * pair + 1]
            together = paired * sum(first * second) / len(first)
            apart = (1 - paired) * sum(first) * sum(second) / len(first) ** 2
            assert probability == pytest.approx(together / (together + apart))
