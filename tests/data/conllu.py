"""Treebanks in CoNLL-U: words and their trees, and every way a file can be none."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data import conllu
from phantastic.ground.errors import Refused


def row(number: object, form: str, head: object, upos: str = "X", xpos: str = "NN") -> str:
    return f"{number}\t{form}\t_\t{upos}\t{xpos}\t_\t{head}\tdep\t_\t_"


GOOD = "\n".join(
    [
        "# newdoc", "# sent_id = one", "# text = vámonos al mar", "1-2\tvámonos" + "\t_" * 8, row(1, "vamos", 0),
        row(2, "nos", 1), "3-4\tal" + "\t_" * 8, row(3, "a", 5), row(4, "el", 5), row(5, "mar", 1), "",
        row(1, "They", 2, "PRON", "PRP"), row(2, "came", 0, "VERB", "VBD"), "2.1\twent" + "\t_" * 8,
        "2.2\tgone" + "\t_" * 8, row(3, ",", 2, "PUNCT", ","), row(4, "#", 2, "SYM", "#"), "", "",
    ]
)  # fmt: skip


def read(folder: Path, text: str | bytes) -> list[conllu.Sentence]:
    path = folder / "some.conllu"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return conllu.read(path)


def test_words_are_read_and_multiword_tokens_and_empty_nodes_are_not(tmp_path: Path) -> None:
    first, second = read(tmp_path, GOOD)
    assert first.forms == ["vamos", "nos", "a", "el", "mar"]
    assert first.heads.tolist() == [0, 1, 5, 5, 1]
    assert (first.name, first.line, second.name, second.line) == ("one", 1, "", 12)
    assert second.forms == ["They", "came", ",", "#"]
    assert second.heads.tolist() == [2, 0, 2, 2]
    assert (second.upos[1], second.xpos[1], second.deprels) == ("VERB", "VBD", ["dep"] * 4)


def test_how_files_end_and_how_lines_end(tmp_path: Path) -> None:
    expected = [sentence.forms for sentence in read(tmp_path, GOOD)]
    for text in (
        GOOD.rstrip("\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        "\n\n" + GOOD.replace("\n\n", "\n\n\n"),
    ):
        assert [sentence.forms for sentence in read(tmp_path, text)] == expected
    [sentence] = read(tmp_path, row(1, "a\u2028b\x0c\u0085", 0))  # what str.splitlines would break a row at
    assert sentence.forms == ["a\u2028b\x0c\u0085"]


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ([row(1, "a", 0) + "\tx"], 1, "11 columns; expected 10"),
        ([row(1, "a", 0), "2 b _ X _ _ 1 dep _ _"], 2, "1 columns"),
        ([row(1, "", 0)], 1, "column FORM is empty"),
        (["# c", row(2, "a", 0)], 2, "word 2 where word 1"),
        ([row(1, "a", 0), row(3, "b", 1)], 2, "word 3 where word 2"),
        ([row(1, "a", 0), row(1, "b", 1)], 2, "word 1 where word 2"),
        ([row(1, "a", 0), row("２", "b", 1)], 2, "ID '２'"),
        ([row("1_0", "a", 0)], 1, "ID '1_0'"),
        ([row(1, "a", 0), "2-1\tx" + "\t_" * 8], 2, "multiword token 2-1"),
        (["2-3\tx" + "\t_" * 8, row(1, "a", 0)], 1, "multiword token 2-3"),
        (["1-2\tx" + "\t_" * 8, row(1, "a", 0), "2-3\tx" + "\t_" * 8], 3, "no two overlap"),
        (["1-2\tx" + "\t_" * 8, row(1, "a", 0)], 2, "ends in word 2, the sentence in 1"),
        ([row(1, "a", 0), "2.1\tx" + "\t_" * 8], 2, "empty node 2.1 where 1.1"),
        ([row(1, "a", 0), "1.2\tx" + "\t_" * 8], 2, "empty node 1.2 where 1.1"),
        ([row(1, "a", 0), "# late"], 2, "a comment between words"),
        ([row(1, "a", "_")], 1, "HEAD '_'"),
        ([row(1, "a", -1)], 1, "HEAD '-1'"),
        ([row(1, "a", 0), row(2, "b", 3)], 2, "the head of word 2 is 3"),
        ([row(1, "a", 0), row(2, "b", 2)], 2, "the head of word 2 is 2"),
        ([row(1, "a", 0), row(2, "b", 1), row(3, "c", 0)], 3, "words 1 and 3 are both roots"),
        ([row(1, "a", 2), row(2, "b", 1)], 1, "no word is the root"),
        ([row(1, "a", 0), "1.1\tx" + "\t_" * 8, row(2, "b", 4), row(3, "c", 2), row(4, "d", 3)], 3, "in a circle"),
        (["# only a comment"], 1, "a sentence without words"),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_refused_by_line(tmp_path: Path, rows: list[str], line: int, message: str) -> None:
    with pytest.raises(Refused, match=rf"some.conllu', line {line}: .*{re.escape(message)}"):
        read(tmp_path, "\n".join(rows))
    with pytest.raises(Refused, match=rf"some.conllu', line {line + 18}: .*{re.escape(message)}"):
        read(tmp_path, GOOD + "\n".join(rows))


@pytest.mark.parametrize("comment", ["# sent_id = a b", "#sent_id=a b", "#  sent_id  =  a b  "])
def test_a_sentence_is_called_by_its_last_sent_id(tmp_path: Path, comment: str) -> None:
    others = ["# text = x = y", "# newdoc id = z", "# sent_id", "# my sent_id = c"]
    [sentence] = read(tmp_path, "\n".join([*others[:2], comment, *others[2:], row(1, "a", 0)]))
    assert sentence.name == "a b"
    assert sentence.line == 1
    [later] = read(tmp_path, "\n".join(["", "", comment.replace("a b", ""), row(1, "a", 0)]))
    assert (later.name, later.line) == ("", 3)


def test_tokens_and_empty_nodes_where_they_may_stand(tmp_path: Path) -> None:
    rest = "\t_" * 8
    for rows in (
        ["0.1\tx" + rest, "0.2\tx" + rest, row(1, "a", 0)],
        [row(1, "a", 0), "1.1\tx" + rest, row(2, "b", 1), "2.1\tx" + rest],
        ["1-2\tx" + rest, row(1, "a", 0), "1.1\tx" + rest, row(2, "b", 1), "3-3\tx" + rest, row(3, "c", 1)],
    ):
        [sentence] = read(tmp_path, "\n".join(rows))
        assert "".join(sentence.forms) == "abc"[: len(sentence.forms)]
    for rows, line in (
        ([row(1, "a", 0), "2-3\tx" + rest, row(2, "b", 1), "3-4\tx" + rest], 4),  # overlaps in its last word
        ([row(1, "a", 0), "1.1\tx" + rest, "1.1\tx" + rest], 3),
        (["1-3\tx" + rest, row(1, "a", 0), row(2, "b", 1)], 3),
        (["1-2\tx" + rest, "# late", row(1, "a", 0), row(2, "b", 1)], 2),
        (["0.1\tx" + rest, "# late", row(1, "a", 0)], 2),
    ):
        with pytest.raises(Refused, match=f"line {line}: "):
            read(tmp_path, "\n".join(rows))


@pytest.mark.parametrize("column", range(10))
def test_an_empty_cell_is_named_by_its_column(tmp_path: Path, column: int) -> None:
    cells = row(1, "a", 0).split("\t")
    cells[column] = ""
    name = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"][column]
    with pytest.raises(Refused, match=f"line 1: column {name} is empty; write _"):
        read(tmp_path, "\t".join(cells))


PENN = ("''", ",", ".", ":", "``", "-LRB-", "-RRB-")  # what Hewitt & Manning (2019) leave out


def test_the_seven_tags_of_punctuation_and_no_other(tmp_path: Path) -> None:
    tags = [*PENN, *sorted(conllu.PTB_TAGS - set(PENN))]
    rows = [row(at, "a", at - 1, "X", tag) for at, tag in enumerate(tags, start=1)]
    (marks,) = conllu.punctuation(read(tmp_path, "\n".join(rows)))
    assert marks.tolist() == [True] * 7 + [False] * (len(tags) - 7)
    assert {"NN", "VBZ", "PRP$", "$", "#", "SYM", "HYPH", "XX"} <= set(tags)


def test_what_is_no_file_of_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no sentence"):
        read(tmp_path, "\n\n")
    with pytest.raises(Refused, match="does not exist"):
        conllu.read(tmp_path / "none.conllu")
    with pytest.raises(Refused, match="is not a file"):
        conllu.read(tmp_path)
    with pytest.raises(Refused, match="line 2: not UTF-8"):
        read(tmp_path, row(1, "a", 0).encode() + b"\n\xff\n")


def test_punctuation_by_penn_tags_or_by_universal_ones(tmp_path: Path) -> None:
    english = read(tmp_path, GOOD)
    assert [marks.tolist() for marks in conllu.punctuation(english)] == [[False] * 5, [False, False, True, False]]
    other = read(tmp_path, "\n".join([row(1, "犬", 0, "NOUN", "名詞"), row(2, "。", 1, "PUNCT", "補助記号")]))
    assert [marks.tolist() for marks in conllu.punctuation(other)] == [[False, True]]


@pytest.mark.parametrize(("penn", "by_penn"), [(10, True), (9, True), (8, False), (6, False), (0, False)])
def test_nine_words_in_ten_with_a_tag_of_penn_make_a_penn_treebank(tmp_path: Path, penn: int, by_penn: bool) -> None:
    """The first word is a comma to Penn alone, the second punctuation to Universal Dependencies alone."""
    tags = [",", *["NN"] * (penn - 1), *["名詞"] * 10][:10] if penn else ["、"] * 10
    rows = [row(at, "a", at - 1, "PUNCT" if at == 2 else "X", tag) for at, tag in enumerate(tags, start=1)]
    (marks,) = conllu.punctuation(read(tmp_path, "\n".join(rows)))
    assert np.flatnonzero(marks).tolist() == [0 if by_penn else 1]


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Heads of a random tree, its words in random order."""
    count = draw(st.integers(1, 12))
    order = draw(st.permutations(range(count)))
    heads = [0] * count
    for place in range(1, count):
        heads[order[place]] = order[draw(st.integers(0, place - 1))] + 1
    return heads


@given(trees())
def test_every_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, heads: list[int]) -> None:
    text = "\n".join(row(number, f"w{number}", head) for number, head in enumerate(heads, start=1))
    [sentence] = read(tmp_path_factory.getbasetemp(), text + "\n\n")
    assert sentence.heads.tolist() == heads
    assert conllu.flaw(sentence.heads) is None


@given(st.lists(st.integers(-1, 8), min_size=1, max_size=7))
def test_heads_are_a_tree_or_have_a_flaw(heads: list[int]) -> None:
    found = conllu.flaw(np.array(heads))

    def climbs(word: int) -> bool:
        for _ in heads:
            word = heads[word - 1] if 1 <= word <= len(heads) else -1
            if word == 0:
                return True
        return False

    tree = heads.count(0) == 1 and all(climbs(word) for word in range(1, len(heads) + 1))
    assert (found is None) == tree
    assert found is None or 0 <= found[0] < len(heads)


@given(st.integers(0, len(GOOD.encode()) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_file_gives_trees_or_a_refusal_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, put: bytes, cut: int
) -> None:
    data = GOOD.encode()
    try:
        sentences = read(tmp_path_factory.getbasetemp(), data[:place] + put + data[place + cut :])
    except Refused as refusal:
        sentences, message = [], str(refusal)
    else:
        message = ""
    assert bool(sentences) != bool(re.search(r"some\.conllu', line \d+: ", message))
    assert all(conllu.flaw(sentence.heads) is None for sentence in sentences)
    assert all(len(set(map(len, sentence[:5]))) == 1 for sentence in sentences)
