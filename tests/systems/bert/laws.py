"""What is measured on a BERT, on readers whose answers are known: the best one, one that knows nothing, a parrot."""

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.nn.language.result import Result
from phantastic.pretraining.batches import Batch, language
from phantastic.pretraining.corpus import IGNORED
from phantastic.pretraining.wordpiece import CLS, MASK, SEP
from phantastic.systems.bert import agreement, measure
from phantastic.systems.bert.reading import (
    Sentences,
    best_words,
    likely_words,
    read,
    sentences_of,
    surprisals,
    words_of,
)
from phantastic.world import sentences as world

ENGLISH = language("english")
TEST = measure.test_of(ENGLISH, 0, 40, 0.15)


class Reader(nn.Module):
    """Gives the same logits everywhere: none of the tokens is likelier, or those of ``favour``."""

    def __init__(self, favour: Tensor | None = None, follows: float = 0.0):
        super().__init__()
        self.follows = follows
        self.logits = nn.Parameter(torch.zeros(len(ENGLISH.wordpiece)) if favour is None else favour)

    def forward(self, input_ids: Tensor, prediction_positions: Tensor | None = None, **_: Tensor) -> Result:
        shape = input_ids.shape if prediction_positions is None else prediction_positions.shape
        next_logits = torch.tensor([self.follows, 0.0]).expand(len(input_ids), 2)
        return Result(prediction_logits=self.logits.expand(*shape, -1), seq_relationship_logits=next_logits)


def test_the_test_pairs_are_read_as_the_world_has_them() -> None:
    batch = TEST.batch
    pieces = measure.single_pieces(ENGLISH)
    assert batch.labels[batch.labels != IGNORED].tolist() == pieces[TEST.truth].tolist()
    lengths = batch.attention_mask.sum(1).numpy()
    words = (TEST.observed != world.PAD).sum(1)
    assert lengths.tolist() == (words[0::2] + words[1::2] + 3).tolist()
    asked = (batch.labels != IGNORED).sum(1).numpy()
    assert asked.tolist() == [max(1, round(0.15 * int(length))) for length in lengths]
    assert (batch.input_ids == MASK).sum(1).tolist() == asked.tolist()
    restored = batch.input_ids.clone()
    rows, columns = torch.nonzero(batch.labels != IGNORED, as_tuple=True)
    restored[rows, batch.prediction_positions[rows, columns]] = batch.labels[rows, columns]
    for number in range(40):
        a, b = (TEST.observed[2 * number + k] for k in (0, 1))
        expected = [CLS, *pieces[a[a >= 0]], SEP, *pieces[b[b >= 0]], SEP]
        assert restored[number, : len(expected)].tolist() == expected
        assert batch.token_type_ids[number].sum() == (b >= 0).sum() + 1
    assert (batch.next_sentence_label == 0).tolist() == TEST.follows.tolist()


def test_a_reader_that_knows_nothing_loses_log_of_the_vocabulary() -> None:
    found = measure.surprise(Reader(), TEST)  # pyright: ignore[reportArgumentType]
    assert found == pytest.approx(np.full(len(TEST.truth), log(len(ENGLISH.wordpiece))))


def test_the_best_reader_has_no_excess_and_the_floor_of_the_world() -> None:
    best = measure.exact(ENGLISH, TEST)
    found = measure.against(np.array(best.surprise), best, TEST, np.random.default_rng(0))
    assert found["masked.excess"].value == pytest.approx(0, abs=1e-12)
    assert found["masked.excess"].high == pytest.approx(0, abs=1e-12)
    twice = measure.against(2 * np.array(best.surprise), best, TEST, np.random.default_rng(0))
    assert twice["masked.excess"].value == pytest.approx(1)
    floor = world.masked_floor(ENGLISH.grammar, count=60)  # other pairs, other masks
    assert found["masked.floor"].value == pytest.approx(floor.nats, abs=0.35)
    assert found["masked.floor"].low < found["masked.floor"].value < found["masked.floor"].high


def test_next_sentences_against_bayes() -> None:
    best = measure.exact(ENGLISH, TEST)
    generator = np.random.default_rng(0)
    found = measure.following(torch.tensor(best.follows, dtype=torch.float64), best, TEST, generator)
    assert found["next.accuracy"].value == found["next.bayes"].value > 0.8
    worst = measure.following(1 - torch.tensor(best.follows, dtype=torch.float64), best, TEST, generator)
    assert worst["next.accuracy"].value < 0.3


def test_the_first_of_the_two_logits_is_for_a_sentence_that_follows() -> None:
    """In the published layout 0 says that it does: odds of 3 to 1 are a probability of 3/4, also beyond 64 rows."""
    batch = Batch(*(torch.cat([column] * 2) for column in TEST.batch))
    found = measure.next_probabilities(Reader(follows=log(3)), batch)  # pyright: ignore[reportArgumentType]
    assert found.tolist() == pytest.approx([0.75] * 80)


def test_losses_are_per_word_and_accuracies_per_pair_by_hand() -> None:
    """Two pairs, of which one has three masked words and one has one: 8 nats on 4 words, where 4 would do."""
    selected = np.array([[True, True], [False, True], [False, False], [True, False]])
    follows = np.array([True, False])
    test = measure.Test(TEST.batch, np.zeros((4, 2), int), selected, follows)
    best = measure.Exact([1.0, 1.0, 1.0, 1.0], [0.9, 0.6])
    found = measure.against(np.array([1.0, 2.0, 2.0, 3.0]), best, test, np.random.default_rng(0))
    expected = {"masked.loss": 2.0, "masked.floor": 1.0, "masked.excess": 1.0, "perplexity": np.e**2}
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected)
    # a resample has the first pair twice (5 nats on 3 words), the second twice (3 on 1), or both
    assert (found["masked.loss"].low, found["masked.loss"].high) == pytest.approx((5 / 3, 3))
    assert (found["perplexity"].low, found["perplexity"].high) == pytest.approx((np.exp(5 / 3), np.exp(3)))
    said = measure.following(torch.tensor([0.4, 0.2]), best, test, np.random.default_rng(0))
    assert (said["next.accuracy"].value, said["next.bayes"].value) == (0.5, 0.5)
    assert (
        measure.following(torch.tensor([0.5, 0.5]), best, test, np.random.default_rng(0))["next.accuracy"].value == 0.5
    )
    assert (said["next.accuracy"].low, said["next.accuracy"].high) == (0, 1)
    assert measure.share_of(np.array([True, True, True, False]), np.random.default_rng(0)).value == 0.75


def test_forms_of_the_other_number() -> None:
    other = agreement.other_number(ENGLISH)
    place = ENGLISH.grammar.sides["english"].place
    for one, many in (("is", "are"), ("does", "do"), ("sleeps", "sleep"), ("chases", "chase")):
        assert other[place[one]] == place[many]
        assert other[place[many]] == place[one]
    assert place["the"] not in other
    assert agreement.other_number(language("japanese")) == {}


def test_agreement_items_are_minimal_pairs_the_grammar_tells_apart() -> None:
    """At the masked verb the exact posterior gives the form of the other number no probability at all."""
    items = agreement.agreement_of(ENGLISH, 0, 400, 12)
    assert items is not None
    vocabulary, place = ENGLISH.wordpiece.vocabulary, ENGLISH.grammar.sides["english"].place
    assert set(items.attractors.tolist()) >= {0, 1}
    assert (items.distance >= 1).all()
    assert (items.distance > items.attractors).all()
    rows = []
    for row, segment in zip(items.batch.input_ids.tolist(), items.batch.token_type_ids.tolist(), strict=True):
        words = [(world.MASK if token == MASK else place.get(vocabulary[token], -9), part)
                 for token, part in zip(row, segment, strict=True)]  # fmt: skip
        for part in (0, 1):
            rows.append([word for word, here in words if here == part and word != -9])
    observed = np.full((len(rows), max(map(len, rows))), world.PAD)
    for line, words in zip(observed, rows, strict=True):
        line[: len(words)] = words
    known = world.predictions(ENGLISH.grammar, "english", observed, observed == world.MASK)
    for probability, right, wrong in zip(known, items.right, items.wrong, strict=True):
        assert probability[place[vocabulary[right]]] > 0
        assert probability[place[vocabulary[wrong]]] == 0


def test_a_reader_that_likes_plurals_is_right_where_they_are() -> None:
    items = agreement.agreement_of(ENGLISH, 0, 400, 12)
    assert items is not None
    favour = torch.zeros(len(ENGLISH.wordpiece))
    place = ENGLISH.grammar.sides["english"].place
    plural = {ENGLISH.wordpiece.ids[word] for word in ("are", "do", "sleep")}
    favour[list(plural)] = 1.0
    right = agreement.preferred(Reader(favour), items)  # pyright: ignore[reportArgumentType]
    assert right.tolist() == [token in plural for token in items.right]
    assert agreement.agreement_of(language("japanese"), 0, 100, 5) is None
    assert place["are"] != place["is"]


def test_agreement_is_counted_by_attractors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right are one of two without an attractor, the one with one, and one of three with two or more."""
    count = np.array([0, 0, 1, 2, 3, 2])
    right = np.array([True, False, True, False, True, False])
    items = agreement.Agreement(TEST.batch, count, count, count, count + 1)
    monkeypatch.setattr(agreement, "preferred", lambda model, items: right)
    found = agreement.agreement(Reader(), items, np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {"agreement": 0.5, "agreement.attractors0": 0.5, "agreement.attractors1": 1, "agreement.attractors2": 1 / 3}
    )
    assert agreement.agreement(Reader(), None, np.random.default_rng(0)) == {}  # pyright: ignore[reportArgumentType]


def test_agreement_items_come_by_number_of_attractors_at_most_so_many_and_one_of_a_document() -> None:
    few, more = (agreement.agreement_of(ENGLISH, 0, 400, most) for most in (3, 12))
    assert few is not None
    assert more is not None
    kinds = [np.minimum(items.attractors, 2).tolist() for items in (few, more)]
    assert kinds[0] == sorted(kinds[0])
    assert kinds[0].count(0) == kinds[0].count(1) == 3
    assert kinds[1].count(0) == 12
    assert few.right[:3].tolist() == more.right[:3].tolist(), "the first ones of the documents"
    drawn = world.documents(ENGLISH.grammar, 0, "agreement", 0, 400).english
    whole = {" ".join(drawn.forms(number)) for number in range(len(drawn))}
    documents = []
    asked = more.batch.prediction_positions[:, 0]
    for row, position, token in zip(more.batch.input_ids, asked, more.right, strict=True):
        words = row.clone()
        words[position] = int(token)
        said = " ".join(ENGLISH.wordpiece.vocabulary[one] for one in words).removeprefix("[CLS] ").split(" [SEP]")
        documents.append((said[0], said[1].strip()))
        assert set(documents[-1]) <= whole
    assert [len(set(documents[kinds[1].index(kind) :][: kinds[1].count(kind)])) for kind in (0, 1)] == [12, 12]


def test_a_subject_is_the_noun_on_which_the_verb_depends() -> None:
    """By the words: in "the cow ... sleeps" two words apart with nothing between, one further with an auxiliary."""
    drawn = world.documents(ENGLISH.grammar, 0, "subjects", 0, 200).english
    subject = agreement.subjects(drawn)
    seen = 0
    for number in range(len(drawn)):
        words, span = drawn.forms(number), drawn.span(number)
        if len(words) == 4 and words[0] == "the" and words[3] == ".":  # the cow sleeps .
            assert (subject[span] - span.start).tolist() == [-1 - span.start, -1 - span.start, 1, -1 - span.start]
            seen += 1
    assert seen


# --- what people write


def test_text_is_read_as_the_language_has_it() -> None:
    assert words_of("The cow sleeps. the [mask] runs") == ["the", "cow", "sleeps", ".", "the", "[MASK]", "runs"]
    text = sentences_of(ENGLISH, "The cow sleeps. the [mask] sleeps", "here")
    assert text.second is not None
    assert text.second[1] == world.MASK
    assert ENGLISH.words[text.second[-1]] == "."
    batch = read(ENGLISH, text)
    assert isinstance(batch, Batch)
    tokens = [ENGLISH.wordpiece.vocabulary[token] for token in batch.input_ids[0]]
    assert tokens == ["[CLS]", "the", "cow", "sleeps", ".", "[SEP]", "the", "[MASK]", "sleeps", ".", "[SEP]"]
    assert batch.token_type_ids[0].tolist() == [0] * 6 + [1] * 5
    assert batch.prediction_positions.tolist() == [[7]]


def test_surprisals_are_of_each_word_when_it_alone_is_masked() -> None:
    """A reader that knows nothing is surprised by log of the vocabulary at each; the exact one by the posterior of the
    same words with that one masked."""
    text = sentences_of(ENGLISH, "the cows sleep .", "x")
    found = surprisals(Reader(), ENGLISH, text)  # pyright: ignore[reportArgumentType]
    assert found.nats == pytest.approx(np.full(len(found.words), log(len(ENGLISH.wordpiece))))
    assert found.best is not None
    for place, word in enumerate(found.words):
        hidden = np.where(np.arange(len(text.first)) == place, world.MASK, text.first)
        (known,) = best_words(ENGLISH, Sentences(hidden, None))
        assert found.best[place] == pytest.approx(-log(known[word]))
    favour = torch.zeros(len(ENGLISH.wordpiece))
    favour[ENGLISH.wordpiece.ids["cows"]] = 2.0
    liked = surprisals(Reader(favour), ENGLISH, text)  # pyright: ignore[reportArgumentType]
    assert liked.nats.argmin() == 1
    assert liked.nats[0] - liked.nats[1] == pytest.approx(2)


def test_the_likeliest_word_comes_first() -> None:
    favour = torch.zeros(len(ENGLISH.wordpiece))
    favour[ENGLISH.wordpiece.ids["cows"]] = log(1000)
    text = sentences_of(ENGLISH, "the [MASK] sleep", "x")
    (found,) = likely_words(Reader(favour), ENGLISH, text)  # pyright: ignore[reportArgumentType]
    assert next(iter(found.items())) == ("cows", pytest.approx(1000 / (1000 + len(ENGLISH.wordpiece) - 1)))
    assert sum(found.values()) == pytest.approx(1)
    known = list(best_words(ENGLISH, text)[0].values())
    assert known == sorted(known, reverse=True)


def test_the_exact_reader_fills_a_blank() -> None:
    (found,) = best_words(ENGLISH, sentences_of(ENGLISH, "the cows [MASK] .", "here"))
    assert sum(found.values()) == pytest.approx(1)
    assert found["sleep"] > 0
    assert found["sleeps"] == 0
    assert best_words(ENGLISH, sentences_of(ENGLISH, "the the [MASK] .", "here")) == [{}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no word in ''"),
        (" . ", "there is no word"),
        ("the cow flies", "here: the language of this model has no 'flies'"),
        ("the coww sleeps", r"'coww' \(did you mean 'cow'\?\)"),
        ("the cow sleeps . the cow sleeps . the cow sleeps .", "3 sentences in"),
        ("the " * 200, "201 words and 3 marks are more than the model's 128 positions"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        sentences_of(ENGLISH, text, "here")


def test_a_table_of_one_or_two_sentences() -> None:
    one = Sentences(np.array([1, 2, 3]), None)
    assert one.observed().tolist() == [[1, 2, 3]]
    two = Sentences(np.array([1, 2, 3]), np.array([4]))
    assert two.observed().tolist() == [[1, 2, 3], [4, world.PAD, world.PAD]]
