"""The bibliography: what stands in it, how it is read, and how damage in it is refused."""

import re
from collections import Counter
from pathlib import Path

import bibtexparser
import pytest
from click.testing import CliRunner

from phantastic.cli.main import cli
from phantastic.declare import references
from phantastic.declare.references import FILE, VENUES, Paper
from phantastic.declare.study import Study, register
from phantastic.ground.errors import Refused

STUDIES = register()
PAPERS = references.read(FILE)
KIM = """@inproceedings{kim2018,
  author = {Kim, H. and Mnih, A.},
  title = {Disentangling by {Factorising}, 100\\%},
  booktitle = {International Conference on
    Machine Learning},
  year = {2018},
  url = {https://e.org/a_b#c%20~{x}},
}"""
GAUSS = """@book{gauss1809,
  author = {Gauss, C. F.},
  title = {Theoria motus},
  publisher = {Perthes \\& Besser},
  year = {1809},
}"""


def fields(bibtex: str) -> dict[str, dict[str, str]]:
    """What the library itself reads: key -> field -> value."""
    library = bibtexparser.parse_string(bibtex)
    assert not library.failed_blocks
    return {entry.key: dict(entry.items()) for entry in library.entries}


def bibliography(folder: Path, *entries: str) -> Path:
    file = folder / "own.bib"
    file.write_text("\n\n".join(entries), encoding="utf-8")
    return file


# --- the file


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_every_paper_of_a_study_is_there(study: Study) -> None:
    assert study.papers
    assert [paper.key for paper in study.cited()] == list(study.papers)
    assert len(set(study.papers)) == len(study.papers)


def test_every_entry_is_cited() -> None:
    assert set(PAPERS) - {key for study in STUDIES.values() for key in study.papers} == set()


def test_no_key_and_no_title_stands_twice() -> None:
    keys = re.findall(r"^@\w+\{(\S+),$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert keys == sorted(PAPERS)
    works = Counter((paper.authors, paper.title.lower(), paper.venue) for paper in PAPERS.values())
    urls = Counter(paper.url for paper in PAPERS.values() if paper.url)
    assert {*works.values(), *urls.values()} == {1}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=list(PAPERS))
def test_every_entry_is_whole(paper: Paper) -> None:
    assert all((paper.authors, paper.title, paper.venue))
    assert 1800 < paper.year < 2100
    assert re.fullmatch(r"https://\S+|", paper.url)
    for name in paper.authors.split(" and "):
        assert re.fullmatch(r"[^,]+, ([\w-]+\.[ -]?)+|others", name)  # Family, I. N.
    assert not set("{}\\\n") & set(paper.authors + paper.title + paper.venue)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=list(PAPERS))
def test_an_entry_is_the_same_by_itself(paper: Paper, tmp_path: Path) -> None:
    alone = references.find(paper.key, bibliography(tmp_path, paper.bibtex))
    assert alone == paper
    assert fields(alone.bibtex)[paper.key] == fields(FILE.read_text(encoding="utf-8"))[paper.key]


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_cite_prints_entries(study: Study) -> None:
    printed = CliRunner().invoke(cli, ["cite", study.name]).output
    assert list(fields(printed)) == list(study.papers)


def test_no_study_takes_papers_from_another() -> None:
    for file in (FILE.parents[1] / "systems").glob("*/study.py"):
        assert not re.findall(r"import \S*systems|from \S*systems\S* import", file.read_text(encoding="utf-8"))


# --- reading


def test_a_paper(tmp_path: Path) -> None:
    file = bibliography(tmp_path, "% a remark", KIM, GAUSS.replace("Gauss, C. F.", "Gauß, C. F. and others"))
    paper = references.find("kim2018", file)
    assert paper.short == "Kim & Mnih 2018"
    venue = "International Conference on Machine Learning"
    assert paper.reference == f"Kim, H.; Mnih, A. (2018). Disentangling by Factorising, 100%. {venue}"
    assert paper.url == "https://e.org/a_b#c%20~{x}"
    assert paper.bibtex == KIM
    gauss = references.find("gauss1809", file)
    assert (gauss.short, gauss.url) == ("Gauß et al. 1809", "")
    assert gauss.reference == "Gauß, C. F. et al. (1809). Theoria motus. Perthes & Besser"


def test_papers_in_short() -> None:
    names = ["Kim, H.", "Mnih, A.", "Chen, R. T. Q."]
    papers = [Paper("k", " and ".join(names[:n]), 2018, "Why?", "V", "", "") for n in (1, 2, 3)]
    assert [paper.short for paper in papers] == ["Kim 2018", "Kim & Mnih 2018", "Kim et al. 2018"]
    assert papers[0].reference == "Kim, H. (2018). Why? V"


def test_where_a_paper_appeared() -> None:
    assert PAPERS["ernst2002"].venue == "Nature 415:429–433"
    assert PAPERS["bishop2006"].venue == "Springer, section 10.1"
    assert PAPERS["jaynes1963"].venue == "Statistical Physics (1962 Brandeis Lectures), Benjamin"
    assert PAPERS["burgess2018"].venue == "arXiv:1804.03599"


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        Refused, match=r"references\.bib: there is no entry 'higgins2081'; did you mean 'higgins2018'\?"
    ):
        references.find("higgins2081")


# --- damage


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("Factorising}, 100\\%}", "Factorising}, 100\\%", "line 1, entry 'kim2018' is not closed"),
        ("2018},", '"2018,', "line 1, entry 'kim2018' is not closed"),
        ("{kim2018,", "{kim2018", "line 1, entry 'kim2018' is not closed"),
        ("kim2018", "gauss1809", "line 10, entry 'gauss1809': the key stands twice"),
        ("booktitle", "author", "line 1, entry 'kim2018': it has author twice"),
        ("Mnih, A.}", "Mnih, A.}}", "line 2, after entry 'kim2018': ',' belongs to no entry"),
        ("@inproceedings", "inproceedings", "line 1: 'inproceedings{kim2018,' belongs to no entry"),
        ("@inproceedings", "% a remark\ninproceedings", "line 1: 'inproceedings{kim2018,' belongs to no entry"),
        ("@inproceedings", "@inproceeding", "unknown type '@inproceeding'; did you mean 'inproceedings'"),
        ("author =", "autor =", "lacks author; an @inproceedings has author, title, year, booktitle"),
        ("Kim, H. and Mnih, A.", "", "entry 'kim2018' lacks author"),
        ("title =", "titel =", "entry 'kim2018' lacks title"),
        ("  year = {2018},\n", "", "entry 'kim2018' lacks year"),
        ("booktitle =", "journal =", "entry 'kim2018' lacks booktitle"),
        ("{2018}", "{in press}", "entry 'kim2018': the year 'in press' is not a number"),
        ("Mnih, A.},", "Mnih, A.}", "entry 'kim2018': write author in braces, with a comma after it"),
        ("Kim", 'K{\\"i}m', "entry 'kim2018': author holds LaTeX"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(
    old: str,
    new: str,
    refusal: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert old in KIM
    file = bibliography(tmp_path, KIM.replace(old, new, 1), GAUSS)
    with pytest.raises(Refused) as error:
        references.find("gauss1809", file)
    assert str(error.value).startswith(str(file))
    assert refusal in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_the_last_entry_unclosed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="line 10, entry 'gauss1809' is not closed"):
        references.read(bibliography(tmp_path, KIM, GAUSS[:-1]))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.bib cannot be read"):
        references.read(tmp_path / "none.bib")
    (tmp_path / "latin.bib").write_bytes("ß".encode("latin-1"))
    with pytest.raises(Refused, match=r"latin\.bib cannot be read"):
        references.read(tmp_path / "latin.bib")


def test_every_type_of_entry(tmp_path: Path) -> None:
    for kind, venue in VENUES.items():
        entry = GAUSS.replace("@book", f"@{kind}").replace("publisher", venue)
        (tmp_path / kind).mkdir()
        assert references.find("gauss1809", bibliography(tmp_path / kind, entry)).venue == "Perthes & Besser"


# --- in words


def test_a_paper_of_many_authors(tmp_path: Path) -> None:
    entry = KIM.replace("Mnih, A.", "Mnih, A. and Chen, R. T. Q. and others").replace("100\\%", "is it?")
    paper = references.find("kim2018", bibliography(tmp_path, entry))
    assert paper.short == "Kim et al. 2018"
    assert paper.reference == (
        "Kim, H.; Mnih, A.; Chen, R. T. Q. et al. (2018). Disentangling by Factorising, is it? "
        "International Conference on Machine Learning"
    )
    assert Paper("k", "Kim, H. and others", 2018, "So!", "V", "", "").short == "Kim et al. 2018"
    assert Paper("k", "Kim, H.", 2018, "So!", "V", "", "").reference == "Kim, H. (2018). So! V"


def test_volume_pages_publisher_and_note_follow_the_venue(tmp_path: Path) -> None:
    def venue(kind: str, name: str, more: str) -> str:
        entry = f"@{kind}{{k,\n  author = {{A, B.}},\n  title = {{T}},\n  {name} = {{V}},\n  year = {{1}},\n{more}}}"
        references.read.cache_clear()
        return references.find("k", bibliography(tmp_path, entry)).venue

    volume, pages = "  volume = {3},\n", "  pages = {1--2},\n"
    publisher, note = "  publisher = {P},\n", "  note = {N},\n"
    assert venue("article", "journal", pages + volume) == "V 3:1–2"
    assert venue("article", "journal", volume + note + publisher) == "V 3, P, N"
    assert venue("book", "publisher", note) == "V, N"
    assert venue("misc", "howpublished", pages) == "V 1–2"


def test_what_keeps_capitals_and_escapes_is_taken_out(tmp_path: Path) -> None:
    title = r"{The {BETA}}  50\\% \\& \\# a\\_b \\$ --\n   end".replace("\\\\", "\\").replace("\\n", "\n")
    paper = references.find("kim2018", bibliography(tmp_path, KIM.replace("100\\%", title)))
    assert paper.title.endswith("The BETA 50% & # a_b $ – end")


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        (
            "Mnih, A.}",
            "Mnih, A.}}",
            "; take out a brace too many before it or, if it is a remark, begin it with %",
        ),
        ("kim2018", "gauss1809", "the key stands twice; take one of the two out or give it another key"),
        ("booktitle", "author", "it has author twice; leave one"),
        ("Factorising}, 100\\%}", "x", "is not closed: look for a brace, a quote or a comma that is missing in it"),
        ("Kim", 'K{\\"i}m', "write the letter itself: only & % # _ $ have a \\ before them"),
        ("@inproceedings", "@thesis", "unknown type '@thesis'; allowed: article, book, "),
        ("@inproceedings", "x" * 100 + "\n@inproceedings", f"'{'x' * 80}' belongs to no entry"),
        (
            "year = {2018}",
            "yea = {2018}",
            "entry 'kim2018' lacks year; an @inproceedings has author, title, year, book",
        ),
    ],
)
def test_damage_is_said_with_what_to_do(old: str, new: str, refusal: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as error:
        references.read(bibliography(tmp_path, KIM.replace(old, new, 1), GAUSS))
    assert refusal in str(error.value)


def test_a_remark_between_entries_is_none_of_them(tmp_path: Path) -> None:
    papers = references.read(bibliography(tmp_path, "% one", KIM, "% two\n% three", GAUSS, "% four"))
    assert list(papers) == ["kim2018", "gauss1809"]
    (tmp_path / "other").mkdir()
    loose = bibliography(tmp_path / "other", KIM, GAUSS, "loose")
    with pytest.raises(Refused, match=r"line 17, after entry 'gauss1809': 'loose' belongs to no entry"):
        references.read(loose)
