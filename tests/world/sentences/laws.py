"""Laws of the sentences' world, against lists of all sentences of a small grammar and against the surface alone."""

import math
import re
import time

import numpy as np
import pytest
from scipy import stats
from sentences_by_list import WORDS, listed, small

from phantastic.ground.errors import Refused
from phantastic.world import sentences
from phantastic.world.sentences import MASK, PAD
from phantastic.world.sentences.derivation import draw
from phantastic.world.sentences.floor import joint_prior

GRAMMAR = sentences.grammar()
CORPUS = sentences.documents(GRAMMAR, 0, "laws", 0, 1500)


def table(grammar, language, sentences_):
    place = grammar.sides[language].place
    longest = max(map(len, sentences_))
    return np.array([[place[word] for word in words] + [PAD] * (longest - len(words)) for words in sentences_])


@pytest.mark.parametrize("number", [0, 1])
def test_the_chart_gives_every_sentence_its_probability(number):
    grammar, language = small(), sentences.LANGUAGES[number]
    lists = [listed(grammar, WORDS, topic, number) for topic in range(2)]
    every = sorted(set().union(*lists), key=lambda words: (len(words), words))[::7]
    assert sum(sum(map(sum, some.values())) for some in lists) == pytest.approx(2)
    exact = np.array([[sum(some.get(words, [])) for some in lists] for words in every])
    assert any(len(ways) > 1 for ways in lists[0].values())  # some are ambiguous
    found = sentences.topic_likelihood(grammar, language, table(grammar, language, every))
    np.testing.assert_allclose(found, exact, rtol=1e-10)


@pytest.mark.parametrize("number", [0, 1])
def test_entropy_and_length_are_those_of_the_list(number):
    grammar = small()
    lists = [listed(grammar, WORDS, topic, 0) for topic in range(2)]
    ways = [[p for some in one.values() for p in some] for one in lists]
    found = sentences.entropy(grammar, sentences.LANGUAGES[number])
    assert found.derivation == pytest.approx(np.mean([-sum(p * math.log(p) for p in some) for some in ways]))
    lists = [listed(grammar, WORDS, topic, number) for topic in range(2)]
    lengths = [sum(len(words) * sum(some) for words, some in one.items()) for one in lists]
    assert found.words == pytest.approx(np.mean(lengths))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("noise", "paired"), [(0.0, 0.5), (0.05, 0.5), (0.0, None), (0.05, None)])
def test_posterior_of_a_word_is_that_of_the_list(number, noise, paired):
    """Sum over every sentence, topic and pairing, with each word seen through the noise."""
    grammar, language = small(), sentences.LANGUAGES[number]
    side = grammar.sides[language]
    size, doubt = len(side.vocabulary) + 3, 0.5
    draws = draw(grammar, np.array([0, 0, 1, 0, 1, 1]), np.random.default_rng(3))
    true = getattr(draws, language).padded()
    generator = np.random.default_rng(number)
    selected = (generator.random(true.shape) < 0.4) & (true != PAD)
    observed = np.where(selected & (generator.random(true.shape) < 0.7), MASK, true)
    if noise:  # a replaced word
        observed[selected & (observed != MASK)] = 0

    lists = [listed(grammar, WORDS, topic, number) for topic in range(2)]
    channel = (1 - noise) * np.eye(len(side.vocabulary)) + noise / size
    doubtful = (1 - doubt) * np.eye(len(side.vocabulary)) + doubt / size

    def by_topic(row, left_out=None):
        """[topics, vocabulary]: P(all evidence, the word left out | topic), or [topics] without one."""
        length = int((true[row] != PAD).sum())
        found = np.zeros((2, len(side.vocabulary)))
        for topic, one in enumerate(lists):
            for words, ways in one.items():
                if len(words) != length:
                    continue
                ids = [side.place[word] for word in words]
                share = sum(ways)
                for place, word in enumerate(ids):
                    if place != left_out and observed[row, place] != MASK:
                        share *= channel[observed[row, place], word]
                if left_out is None:
                    found[topic, 0] += share
                else:
                    seen = observed[row, left_out]
                    found[topic, ids[left_out]] += share * (1 if seen == MASK else doubtful[seen, ids[left_out]])
        return found[:, 0] if left_out is None else found

    expected = []
    for row, column in zip(*np.nonzero(selected), strict=True):
        weight = np.ones(2) if paired is None else joint_prior(2, paired) @ by_topic(row ^ 1)
        joint = weight @ by_topic(row, column)
        expected.append(joint / joint.sum())
    found = sentences.predictions(
        grammar, language, observed, selected, paired=paired, noise=noise, selected_noise=doubt, size=size
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_whether_a_sentence_follows_is_bayes_rule():
    grammar = small()
    draws = draw(grammar, np.array([0, 0, 0, 1, 1, 1, 1, 0]), np.random.default_rng(0)).english
    lists = [listed(grammar, WORDS, topic, 0) for topic in range(2)]
    known = np.array([[sum(one.get(tuple(draws.forms(i)), [])) for one in lists] for i in range(8)])
    first, second = known[0::2], known[1::2]
    follows = 0.3 * (first * second).mean(1)
    other = 0.7 * first.mean(1) * second.mean(1)
    found = sentences.next_probability(grammar, "english", draws.padded(), paired=0.3)
    np.testing.assert_allclose(found, follows / (follows + other), rtol=1e-10)


def test_sentences_are_as_frequent_as_the_grammar_says():
    grammar, count = small(), 40_000
    drawn = draw(grammar, np.ones(count, int), np.random.default_rng(1)).english
    frequency = {}
    for number in range(count):
        words = tuple(drawn.forms(number))
        frequency[words] = frequency.get(words, 0) + 1
    exact = {words: count * sum(ways) for words, ways in listed(grammar, WORDS, 1, 0).items()}
    assert set(frequency) <= set(exact)
    common = [words for words, expected in exact.items() if expected > 10]
    rest = [words for words in exact if words not in common]
    observed = [frequency.get(words, 0) for words in common] + [sum(frequency.get(words, 0) for words in rest)]
    expected = [exact[words] for words in common] + [sum(exact[words] for words in rest)]
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_rules_and_words_of_the_full_grammar_are_as_frequent_as_it_says():
    rules = np.bincount(CORPUS.rule[CORPUS.rule >= 0], minlength=len(GRAMMAR.rules))
    total = np.bincount(GRAMMAR.parent, rules, len(GRAMMAR.symbols))[GRAMMAR.parent]
    spread = np.sqrt(np.maximum(total * GRAMMAR.probability * (1 - GRAMMAR.probability), 1))
    assert np.abs(rules - total * GRAMMAR.probability).max() < (5 * spread + 5).max()
    assert stats.kstest(((rules - total * GRAMMAR.probability) / spread)[total > 100], "norm").pvalue > 1e-5
    nodes = CORPUS.entry >= 0
    topic = CORPUS.topic[CORPUS.sentence[nodes]]
    expected = np.zeros(len(GRAMMAR.entries))
    for one in range(GRAMMAR.topics):
        symbols = np.bincount(CORPUS.symbol[nodes][topic == one], minlength=len(GRAMMAR.symbols))
        expected += symbols[GRAMMAR.entry_symbol] * GRAMMAR.emission[one]
    found = np.bincount(CORPUS.entry[nodes], minlength=len(GRAMMAR.entries))
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected) + 1e-9).all()


def test_mean_surprisal_of_derivations_is_the_entropy():
    surprisal = np.zeros(len(CORPUS))
    inner = CORPUS.rule >= 0
    np.add.at(surprisal, CORPUS.sentence[inner], -np.log(GRAMMAR.probability[CORPUS.rule[inner]]))
    leaf = ~inner
    share = GRAMMAR.emission[CORPUS.topic[CORPUS.sentence[leaf]], CORPUS.entry[leaf]]
    np.add.at(surprisal, CORPUS.sentence[leaf], -np.log(share))
    exact = sentences.entropy(GRAMMAR)
    assert abs(surprisal.mean() - exact.derivation) < 4 * surprisal.std() / math.sqrt(len(surprisal))
    lengths = np.diff(CORPUS.english.starts)
    assert abs(lengths.mean() - exact.words) < 4 * lengths.std() / math.sqrt(len(lengths))
    # A string is at least as probable as any one of its derivations.
    few = CORPUS.english.padded()[:100]
    strings = -np.log(sentences.topic_likelihood(GRAMMAR, "english", few)[np.arange(100), CORPUS.topic[:100]])
    assert (strings <= surprisal[:100] + 1e-9).all()
    assert (strings < surprisal[:100] - 1e-3).any()


@pytest.mark.parametrize("language", sentences.LANGUAGES)
def test_posteriors_are_calibrated(language):
    """The mean surprisal of the true words is the mean entropy of the posteriors."""
    observed, _ = sentences.pairs(GRAMMAR, language, 5, "calibration", 50)
    selected = (np.random.default_rng(0).random(observed.shape) < 0.15) & (observed != PAD)
    hidden = np.where(selected, MASK, observed)
    found = sentences.predictions(GRAMMAR, language, hidden, selected)
    np.testing.assert_allclose(found.sum(1), 1)
    truth = observed[selected]
    gap = -np.log(found[np.arange(len(found)), truth]) + (found * np.log(np.maximum(found, 1e-300))).sum(1)
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(len(gap))


def test_floors():
    masked, text = sentences.masked_floor(GRAMMAR, count=60), sentences.text_floor(GRAMMAR, count=200)
    assert 0.8 < masked.nats < 1.4 < text.nats  # context on both sides tells more than on one
    exact = sentences.entropy(GRAMMAR)
    most = (2 * exact.derivation + 2 * math.log(GRAMMAR.topics)) / (2 * exact.words)
    assert text.nats < most + 4 * text.error  # ambiguity makes strings less uncertain than derivations
    observed, follows = sentences.pairs(GRAMMAR, "english", 0, "follows", 300)
    share = sentences.next_probability(GRAMMAR, "english", observed)
    assert abs(share.mean() - follows.mean()) < 4 * np.sqrt((share * (1 - share)).mean() / 300)
    assert 0.88 < (follows == (share > 0.5)).mean() < 0.98


SINGULAR = {"a", "this", "that", "every"}
PLURAL = {"these", "those", "many", "most", "all"}


def surface_numbers() -> dict[str, str]:
    found = {}
    for topic in sentences.lexicon.source()["topic"].values():
        for group in ("person", "animal", "thing", "place"):
            for entry in topic[group]:
                found[entry.split()[0]] = "sg"
    irregular = sentences.lexicon.source()["irregular"]
    plurals = {}
    for noun in found:
        plurals[irregular.get(noun, noun)] = "pl"
        for ending in ("s", "es"):
            plurals[noun + ending] = "pl"
        plurals[noun[:-1] + "ies"] = "pl"
    return plurals | found


def test_agreement_holds_in_every_sentence():
    """Read off the words and the dependencies alone."""
    english, numbers = CORPUS.english, surface_numbers()
    names = {entry.split()[0] for entry in sentences.lexicon.source()["name"]["Name.sg"]}
    checked = 0
    for number in range(len(english)):
        forms, span = english.forms(number), english.span(number)
        heads = english.heads[span] - 1
        relations = [GRAMMAR.relations[relation] for relation in english.relations[span]]
        tags = [GRAMMAR.tags[tag] for tag in english.tags[span]]

        def plural(place, forms=forms, heads=heads, relations=relations):
            if any(heads[i] == place and relations[i] == "conj" for i in range(len(forms))):
                return True
            return forms[place] not in names and numbers[forms[place]] == "pl"

        for place, relation in enumerate(relations):
            governor = heads[place]
            if relation == "det":
                assert forms[place] == "the" or (forms[place] in PLURAL) == (numbers[forms[governor]] == "pl"), forms
                assert forms[place] in SINGULAR | PLURAL | {"the"}
            if relation == "nsubj":
                subject = place if tags[place] != "PRON" else heads[governor]
                helpers = [i for i in range(len(forms)) if heads[i] == governor and tags[i] == "AUX"]
                verb = helpers[0] if helpers else governor
                of_noun_alone = tags[place] == "PRON"  # a relative clause belongs to one noun
                many = numbers[forms[subject]] == "pl" if of_noun_alone else plural(subject)
                third_person = forms[verb].endswith("s") and not forms[verb].endswith("ss")
                assert many != third_person, (forms, forms[subject], forms[verb])
                checked += 1
    assert checked > len(english)


@pytest.mark.parametrize("language", sentences.LANGUAGES)
def test_trees_are_well_formed_and_projective(language):
    written = getattr(CORPUS, language)
    for number in range(600):
        span, forms = written.span(number), written.forms(number)
        heads = written.heads[span]
        assert (heads == 0).sum() == 1
        assert GRAMMAR.relations[written.relations[span][heads == 0][0]] == "root"
        above = [set() for _ in heads]
        for place in range(len(heads)):
            at = place
            while heads[at]:
                at = heads[at] - 1
                assert at != place, "a cycle"
                above[place].add(at)
        for place, head in enumerate(heads):
            between = range(min(place, head - 1) + 1, max(place, head - 1)) if head else ()
            assert all(head - 1 in above[other] for other in between), "not projective"
        assert set(np.flatnonzero(written.relations[span] == 0)) == set(np.flatnonzero(heads == 0))
        brackets = written.tree(number)
        assert re.findall(r"\([^() ]+ ([^()]+)\)", brackets) == forms
        level = np.cumsum([{"(": 1, ")": -1}.get(letter, 0) for letter in brackets])
        assert level[-1] == 0
        assert (level[:-1] > 0).all()


@pytest.mark.parametrize("language", sentences.LANGUAGES)
def test_a_verb_and_what_depends_on_it_form_a_constituent(language):
    """What hangs on a word stands together, and every phrase of the tree has one word that leads out of it."""
    written = getattr(CORPUS, language)
    for number in range(200):
        heads = written.heads[written.span(number)]
        nodes = np.flatnonzero((CORPUS.sentence == number) & (CORPUS.rule >= 0) & (written.node_sizes > 0))
        for node in nodes:
            first = written.node_starts[node] - written.starts[number]
            inside = set(range(first, first + written.node_sizes[node]))
            assert sum(heads[place] - 1 not in inside for place in inside) == 1


def test_recursion_is_bounded_and_there_is_some():
    depth = np.array([max((s.count("(S (") + s.count("(SBAR")) for s in [CORPUS.english.tree(i)]) for i in range(300)])
    assert depth.max() >= 3
    assert np.diff(CORPUS.english.starts).max() < 60


def test_attractors_are_counted_and_as_frequent_as_the_grammar_says():
    english = CORPUS.english
    found = english.attractors()
    # "the N1 in/near/with the N2 V ...": N2's number is drawn apart from N1's, but a plural may also be coordinated,
    # so that one noun alone is plural with P = .45 (11/17.7) / (.45 (11/17.7) + .55 (11/15.7)).
    weight = {0: 0.55 * 11 / 15.7, 1: 0.45 * 11 / 17.7}
    plural = weight[1] / (weight[0] + weight[1])
    opposite, cases, expected = 0, 0, 0.0
    for number in range(len(english)):
        tags = [GRAMMAR.tags[tag] for tag in english.tags[english.span(number)]]
        numbers = english.numbers[english.span(number)]
        if tags[:6] in (["DET", "NOUN", "CCONJ", "DET", "NOUN", verb] for verb in ("VERB", "AUX")):
            assert found[english.starts[number] + 5] == 0  # "the cow and the goat sleep": nothing between
        if tags[:3] == ["DET", "NOUN", "ADP"] and tags[3:5] == ["DET", "NOUN"] and tags[5] in ("VERB", "AUX"):
            attractor = found[english.starts[number] + 5]
            assert attractor == (numbers[1] != numbers[4])
            opposite += attractor
            cases += 1
            expected += 1 - plural if numbers[1] else plural
    assert cases > 80
    assert abs(opposite - expected) < 4 * math.sqrt(cases / 4)
    assert set(np.unique(found)) >= {-1, 0, 1, 2}


def test_alignment_is_one_to_one_and_translates():
    english, japanese = CORPUS.english, CORPUS.japanese
    dictionary = {(en, ja) for _, en, ja in GRAMMAR.entries}
    content = {"NOUN", "VERB", "ADJ", "PROPN", "ADV"}
    for number in range(400):
        pairs = sentences.alignment(english, japanese, number)
        first, second = zip(*pairs, strict=True)
        assert len(set(first)) == len(set(second)) == len(pairs)
        en, ja = english.forms(number), japanese.forms(number)
        assert all((en[a], ja[b]) in dictionary for a, b in pairs)
        tags = [GRAMMAR.tags[tag] for tag in english.tags[english.span(number)]]
        assert {place for place, tag in enumerate(tags) if tag in content} <= set(first)
        # Who does what to whom is the same, but for coordination, which Japanese heads by its last member.
        to = dict(pairs)
        heads, relations = english.heads[english.span(number)], english.relations[english.span(number)]
        for place, relation in enumerate(relations):
            if GRAMMAR.relations[relation] in ("obj", "amod", "ccomp") and "and" not in en and place in to:
                assert japanese.heads[japanese.starts[number] + to[place]] - 1 == to[heads[place] - 1]
    with pytest.raises(Refused, match="same derivations"):
        sentences.alignment(english, sentences.documents(GRAMMAR, 1, "laws", 0, 3).japanese, 0)


def test_documents_depend_on_their_number_alone():
    whole = CORPUS.english
    for first, count in ((0, 1), (3, 5), (1000, 100), (1023, 2), (1499, 1)):
        part = sentences.documents(GRAMMAR, 0, "laws", first, count)
        assert len(part) == 2 * count
        for written, other in ((part.english, whole), (part.japanese, CORPUS.japanese)):
            for number in {0, count, 2 * count - 1}:
                assert written.text(number) == other.text(2 * first + number)
                assert written.tree(number) == other.tree(2 * first + number)
                assert written.conllu(number) == other.conllu(2 * first + number)
    assert (CORPUS.topic[0::2] == CORPUS.topic[1::2]).all()
    counts = np.bincount(sentences.documents(GRAMMAR, 0, "topics", 0, 4096).topic[::2], minlength=GRAMMAR.topics)
    assert stats.chisquare(counts).pvalue > 1e-4
    for seed, purpose in ((1, "laws"), (0, "other")):
        assert sentences.documents(GRAMMAR, seed, purpose, 0, 5).english.text(0) != whole.text(0)
    assert len(sentences.documents(GRAMMAR, 0, "laws", 7, 0)) == 0
    with pytest.raises(Refused, match="from 0"):
        sentences.documents(GRAMMAR, 0, "laws", -1, 3)


def test_jabberwocky_keeps_function_words_and_trees():
    invented = sentences.grammar(nonce=4)
    odd = sentences.documents(invented, 0, "laws", 0, 300)
    english, japanese, plain = odd.english, odd.japanese, CORPUS.english
    vocabulary, known = set(plain.vocabulary), set()
    for number in range(600):
        assert list(odd.english.heads[odd.english.span(number)]) == list(plain.heads[plain.span(number)])
        for strange, usual, tag in zip(
            english.forms(number), plain.forms(number), plain.tags[plain.span(number)], strict=True
        ):
            if GRAMMAR.tags[tag] in ("NOUN", "VERB", "ADJ", "PROPN", "ADV"):
                assert strange not in vocabulary
                assert re.fullmatch("[a-z]+", strange)
                known.add((usual, strange))
            else:
                assert strange == usual
    assert len({usual for usual, _ in known}) == len(known) == len({strange for _, strange in known})
    stems = dict(known)
    pairs = [
        (stems[noun], stems[noun + "s"])
        for noun in ("cow", "farmer", "dog", "lion")
        if {noun, noun + "s"} <= set(stems)
    ]
    assert pairs
    assert all(sentences.lexicon.with_s(one) == many for one, many in pairs)
    assert any("ァ" <= letter <= "ヴ" for word in japanese.forms(0) for letter in word)
    again = sentences.documents(sentences.grammar(nonce=5), 0, "laws", 0, 1)
    assert again.english.text(0) != english.text(0)


def test_sentences_are_made_fast():
    """At least 20,000 a second of one core, with both trees (about 90,000 on a laptop of 2026)."""
    best = 0.0
    for attempt in range(3):
        started = time.process_time()
        written = sentences.documents(GRAMMAR, 0, "speed", 2048 * attempt, 2048).english
        best = max(best, len(written) / (time.process_time() - started))
    assert best > 20_000
