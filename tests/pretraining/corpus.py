"""WordPiece and pre-training examples, against the published procedure done by hand, one document at a time."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.ground.errors import Refused
from phantastic.pretraining import corpus
from phantastic.pretraining.batches import Examples, language
from phantastic.pretraining.corpus import Masking, Pairs, Text, masked, pairs, shortened, written
from phantastic.pretraining.wordpiece import CLS, MASK, PAD, SEP, SPECIAL, learn, load
from phantastic.world import sentences as world

# --- WordPiece


@pytest.mark.parametrize("name", world.LANGUAGES)
def test_every_word_is_one_piece_and_comes_back(name: str, tmp_path: Path) -> None:
    found = language(name)
    pieces = found.wordpiece.pieces(found.words)
    assert pieces.starts.tolist() == list(range(len(found.words) + 1))
    assert [found.wordpiece.vocabulary[number] for number in pieces.ids] == list(found.words)
    sentences = getattr(world.documents(found.grammar, 0, "test", 0, 20), name)
    for number in range(len(sentences)):
        forms = [found.wordpiece.vocabulary[piece] for piece in found.wordpiece.encode(sentences.text(number))]
        assert forms == sentences.forms(number)
    found.wordpiece.save(tmp_path)
    again = load(tmp_path)
    assert again.vocabulary == found.wordpiece.vocabulary
    assert "\n".join(again.vocabulary) + "\n" == (tmp_path / "vocab.txt").read_text()
    assert again.vocabulary[:5] == SPECIAL
    assert again.encode(f"{found.words[3]} [MASK]")[1] == MASK


def test_the_same_words_give_the_same_vocabulary() -> None:
    """Whatever order the library hashes them in."""
    words = language("japanese").words
    assert len({learn(words).vocabulary for _ in range(5)}) == 1
    assert len({learn(words, 500).vocabulary for _ in range(5)}) == 1


def test_an_unread_word_has_pieces_and_a_foreign_letter_none() -> None:
    found = learn(["low lower lowest"], 100)
    assert [found.vocabulary[piece] for piece in found.encode("slow")] == ["[UNK]"] or len(found.encode("slow")) > 1
    assert found.encode("lowest") == [found.ids["lowest"]]
    assert found.encode("Ж") == [SPECIAL.index("[UNK]")]


def test_a_vocabulary_without_room_or_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a vocabulary of 6 is too small"):
        learn(["abcdefg"], 6)
    with pytest.raises(Refused, match="does not exist"):
        load(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Refused, match=r"tokenizer\.json is damaged"):
        load(tmp_path)


# --- pairs of segments


def text_of(documents: list[list[list[int]]]) -> Text:
    segments = [segment for document in documents for segment in document]
    return Text(
        np.array([token for segment in segments for token in segment], np.int64),
        np.cumsum([0, *map(len, segments)]),
        np.cumsum([0, *map(len, documents)]),
    )


def rows_of(text: Text, found: Pairs) -> list[tuple[list[int], list[int], bool]]:
    spans = zip(found.first, found.second, found.follows, strict=True)
    return [(text.tokens[a:b].tolist(), text.tokens[c:d].tolist(), bool(follows)) for (a, b), (c, d), follows in spans]


corpora = st.lists(
    st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=2, max_size=6
)  # lengths of the segments by document


@given(corpora, st.integers(5, 24), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_pairs_are_spans_of_documents(lengths, longest: int, short: float, random_next: float, seed: int) -> None:
    """A token is its own place, so that what came from where can be read off."""
    places = iter(range(10**6))
    documents = [[[next(places) for _ in range(size)] for size in document] for document in lengths]
    text = text_of(documents)
    owner = {token: number for number, document in enumerate(documents) for segment in document for token in segment}
    found = pairs(text, np.random.default_rng(seed), longest=longest, short=short, random_next=random_next)
    assert (found.lengths <= longest).all()
    for a, b, follows in rows_of(text, found):
        assert a
        assert b
        assert a == list(range(a[0], a[-1] + 1))
        assert b == list(range(b[0], b[-1] + 1))
        assert (owner[a[0]] == owner[b[0]]) == follows
        if follows and len(a) + len(b) < longest - 3:
            assert b[0] == a[-1] + 1


def test_without_random_segments_every_token_is_used_once_and_in_order() -> None:
    documents = [[[1, 2, 3], [4, 5]], [[6], [7, 8], [9, 10]], [[11, 12], [13]]]
    text = text_of(documents)
    found = rows_of(text, pairs(text, np.random.default_rng(0), short=0.0, random_next=0.0))
    assert all(follows for *_, follows in found)
    assert sorted(token for a, b, _ in found for token in a + b) == list(range(1, 14))


def test_unused_segments_are_put_back() -> None:
    """With random second segments only, every sentence of a document comes first exactly once."""
    documents = [[[10 * d + s, 10 * d + s] for s in range(4)] for d in range(1, 4)]
    text = text_of(documents)
    found = rows_of(text, pairs(text, np.random.default_rng(1), short=0.0, random_next=1.0))
    assert not any(follows for *_, follows in found)
    assert sorted(token for a, _, _ in found for token in a) == sorted(t for d in documents for s in d for t in s)


def test_a_document_of_two_sentences() -> None:
    """Half are one example that follows; half are two that do not: a third follows. A random second segment begins at
    either sentence and takes what there is. So of examples with one sentence on either side, half follow."""
    documents = [[[number, 0], [number, 1]] for number in range(20_000)]
    text = text_of(documents)
    found = pairs(text, np.random.default_rng(2), short=0.0)
    assert found.follows.mean() == pytest.approx(1 / 3, abs=0.01)
    single = (found.second[:, 1] - found.second[:, 0]) == 2
    assert single.mean() == pytest.approx(2 / 3, abs=0.01)
    assert found.follows[single].mean() == pytest.approx(1 / 2, abs=0.01)
    assert len(found.follows) == pytest.approx(1.5 * 20_000, rel=0.01)


def test_short_examples_are_as_frequent_as_said() -> None:
    """Documents of many one-word sentences: a short one of goal g gives examples of g words, the others full ones."""
    text = text_of([[[number]] * 40 for number in range(20_000)])
    found = pairs(text, np.random.default_rng(3), longest=23, short=0.1, random_next=0.0)
    first = np.unique(text.tokens[found.first[:, 0]], return_index=True)[1]  # the first example of each document
    words = found.lengths[first] - 3
    # goals are 2 to 20, each with p = .1 / 19; 20 is the full length too
    assert (words < 20).mean() == pytest.approx(0.1 * 18 / 19, abs=0.007)  # three standard errors
    assert set(words.tolist()) == set(range(2, 21))


def test_the_cut_between_the_segments_is_uniform() -> None:
    text = text_of([[[number]] * 5 for number in range(20_000)])
    found = pairs(text, np.random.default_rng(4), short=0.0, random_next=0.0)
    shares = Counter((found.first[:, 1] - found.first[:, 0]).tolist())
    assert set(shares) == {1, 2, 3, 4}
    assert all(count == pytest.approx(5_000, rel=0.06) for count in shares.values())


@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 12), st.integers(0, 99))
def test_truncation_is_the_published_loop(a: int, b: int, room: int, seed: int) -> None:
    left, right = a, b
    while left + right > room:  # truncate_seq_pair, of lengths
        left, right = (left - 1, right) if left > right else (left, right - 1)
    spans = shortened(np.array([[0, a]]), np.array([[100, 100 + b]]), room, np.random.default_rng(seed))
    assert [int(span[0, 1] - span[0, 0]) for span in spans] == [left, right]
    assert spans[0].min() >= 0
    assert spans[0].max() <= a
    assert spans[1].min() >= 100
    assert spans[1].max() <= 100 + b


def test_tokens_are_lost_at_either_end_alike() -> None:
    many = np.tile([[0, 20]], (20_000, 1))
    cut, _ = shortened(many, np.tile([[50, 51]], (20_000, 1)), 20, np.random.default_rng(5))
    assert Counter(cut[:, 0].tolist()) == pytest.approx({0: 10_000, 1: 10_000}, rel=0.03)


def test_bad_corpora_are_refused() -> None:
    text = text_of([[[1, 2]], [[3]]])
    with pytest.raises(Refused, match="1 documents are too few"):
        pairs(text_of([[[1], [2]]]), np.random.default_rng(0))
    with pytest.raises(Refused, match="examples of 4 tokens have no room"):
        pairs(text, np.random.default_rng(0), longest=4)


# --- rows and masks


def test_a_row_is_cls_a_sep_b_sep() -> None:
    text = Text(np.arange(10, 20), np.array([0, 3, 5, 10]), np.array([0, 2, 3]))
    rows = written(text, Pairs(np.array([[0, 3], [3, 5]]), np.array([[3, 5], [5, 10]]), np.array([True, False])))
    assert rows.tokens.tolist() == [
        [CLS, 10, 11, 12, SEP, 13, 14, SEP, PAD, PAD],
        [CLS, 13, 14, SEP, 15, 16, 17, 18, 19, SEP],
    ]
    assert rows.segments.tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]]
    assert rows.lengths.tolist() == [8, 10]


def table(lengths: list[int], width: int = 0) -> np.ndarray:
    """Rows of [CLS] words [SEP] words [SEP]; a word is 100 + its column."""
    found = np.full((len(lengths), width or max(lengths)), PAD)
    for row, length in enumerate(lengths):
        found[row, :length] = [CLS, *range(101, 99 + length), SEP]
        found[row, length // 2] = SEP
    return found


@pytest.mark.parametrize(("length", "asked"), [(5, 1), (6, 1), (10, 2), (11, 2), (16, 2), (17, 3), (30, 4), (128, 19)])
def test_exactly_a_share_of_all_positions_is_asked(length: int, asked: int) -> None:
    """max(1, round(.15 n)) as Python rounds: 1.5 -> 2, 2.5 -> 2, 4.5 -> 4; counted by hand."""
    tokens = table([length, 128], 128)
    found = masked(tokens, Masking(), np.arange(1000), np.random.default_rng(length))
    labels = found.labels[0][found.labels[0] >= 0]
    assert len(labels) == asked
    positions = found.positions[0][: len(labels)]
    assert labels.tolist() == (100 + positions).tolist()  # words only, never [CLS] or [SEP]
    assert len(set(positions.tolist())) == asked
    untouched = np.ones(128, bool)
    untouched[positions] = False
    assert (found.inputs[0] == tokens[0])[untouched].all()


def test_eighty_ten_ten() -> None:
    tokens = table([128] * 4000)
    found = masked(tokens, Masking(), np.arange(1000), np.random.default_rng(0))
    shown = np.take_along_axis(found.inputs, found.positions, 1)
    same = (shown == found.labels) & (shown != MASK)
    other = ~same & (shown != MASK)
    total = shown.size  # 76,000; three standard errors are .0044 and .0033
    assert (shown == MASK).sum() / total == pytest.approx(0.8 + 0.1 / 1000, abs=0.0044)
    assert same.sum() / total == pytest.approx(0.1, abs=0.0033)
    drawn = shown[other]
    assert drawn.min() < len(SPECIAL)  # of all that is said to occur
    assert drawn.max() > 990
    assert np.bincount(drawn, minlength=1000)[5:100].sum() == pytest.approx(len(drawn) * 0.095, rel=0.1)


@pytest.mark.parametrize("name", ["english", "japanese"])
def test_what_stands_in_a_words_place_occurs_in_texts(name: str) -> None:
    """Half of the vocabulary does not (the alphabet, pieces of words that have a piece of their own): a word from there
    would be a second [MASK]."""
    source = language(name)
    told = np.unique(source.text(0, "corpus", 0, 2000).tokens)
    assert set(source.occurring.tolist()) == set(told.tolist())
    assert len(told) < len(source.wordpiece) / 2
    batch = Examples(source, 0, 256, masking=Masking(0.15, 0.0, 0.0))(0)
    shown = batch.input_ids.gather(1, batch.prediction_positions)[batch.labels >= 0]
    assert set(shown.tolist()) <= set(told.tolist())


@pytest.mark.parametrize(("mask", "same"), [(1.0, 0.0), (0.8, 0.0), (0.8, 0.2), (0.0, 0.2), (0.0, 0.0)])
def test_the_rows_of_the_published_ablation(mask: float, same: float) -> None:
    tokens = table([128] * 500)
    found = masked(tokens, Masking(0.15, mask, same), np.arange(10_000), np.random.default_rng(1))
    shown = np.take_along_axis(found.inputs, found.positions, 1)
    assert (shown == MASK).mean() == pytest.approx(mask, abs=0.02)
    assert (shown == found.labels).mean() == pytest.approx(same, abs=0.02)


def test_more_than_all_is_refused() -> None:
    with pytest.raises(Refused, match="more than all"):
        masked(table([10]), Masking(0.15, 0.8, 0.3), np.arange(100), np.random.default_rng(0))


# --- batches


def test_a_batch_depends_on_seed_and_step_alone_and_has_hardly_any_padding() -> None:
    found = language("english")
    examples = Examples(found, 3, 32, masking=Masking())
    batches = [examples(step) for step in range(60)]
    again = Examples(found, 3, 32, masking=Masking())
    for step in (50, 7, 48):
        for one, other in zip(batches[step], again(step), strict=True):
            assert one.equal(other)
    padding = 1 - sum(int(b.attention_mask.sum()) for b in batches) / sum(b.attention_mask.numel() for b in batches)
    assert padding < 0.04
    assert not batches[0].labels.equal(Examples(found, 4, 32, masking=Masking())(0).labels)
    first = np.concatenate([b.input_ids[:, 1:4].numpy() for b in batches])
    assert len(np.unique(first, axis=0)) > 500


def test_a_small_vocabulary_cuts_words_and_loses_none() -> None:
    found = language("english", 120)
    text = found.text(0, "test", 5, 3)
    sentences = world.documents(found.grammar, 0, "test", 5, 3).english
    joined = [
        "".join(found.wordpiece.vocabulary[token] for token in text.tokens[a:b]).replace("##", "")
        for a, b in zip(text.starts[:-1], text.starts[1:], strict=True)
    ]
    assert joined == ["".join(sentences.forms(number)) for number in range(6)]
    assert len(text.tokens) > len(sentences.words)
    assert corpus.SPECIAL == 3
