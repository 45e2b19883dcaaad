"""The report as a reader sees it: the rows of its tables and lists, section by section."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from phantastic.declare.claims import Claim
from phantastic.declare.i18n import Text
from phantastic.declare.measure import Measure
from phantastic.declare.verdicts import Finding
from phantastic.run import manifest
from phantastic.run.folder import Run
from phantastic.show import report
from phantastic.show.report import Picture

pytestmark = pytest.mark.usefixtures("toy")
CLAIM = Claim("toy.<a>", Text("It is <so>.", "そうだ。"), "Fig. 1", ("tiny",), "at_least", ("a",), 1.0)


class Sections(HTMLParser):
    """The texts of a page by section, a list for each row of a table and each element of its own."""

    ROWS = ("tr", "li", "p", "pre", "h1", "h2", "dl", "figcaption", "summary")
    CELLS = ("td", "th", "dt", "dd", "div")

    def __init__(self, html: str):
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.section, self.within = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag in ("section", "header"):
            self.section = named.get("id") or tag
        rows = self.found.setdefault(self.section, [])
        if tag in self.ROWS:
            rows.append([""])
        elif tag in self.CELLS and rows:
            rows[-1].append("")
        self.within = tag != "style"

    def handle_data(self, data: str) -> None:
        rows = self.found.get(self.section)
        if rows and self.within:
            rows[-1][-1] += data

    def rows(self, section: str) -> list[list[str]]:
        cleaned = ([" ".join(cell.split()) for cell in row] for row in self.found.get(section, []))
        return [kept for row in cleaned if (kept := [cell for cell in row if cell])]


@pytest.fixture
def shown(runs: Path) -> Sections:
    run = Run.open(runs / "one")
    run.record({"a": Measure(0.123456, [0.1, 0.2], -1.0, 2.5), "b": Measure(3.0, [3.0])})
    run.manifest.revision = "abc"
    findings = [
        Finding(CLAIM, "holds", "a = 1"), Finding(replace(CLAIM, published="0.9"), "holds", "a = 2"),
        Finding(CLAIM, "untested", "not run"),
    ]  # fmt: skip
    pictures = [Picture("one", "First <i>.", "image/png", "AAAA"), Picture("two", "Second.", "image/png", "BBBB")]
    return Sections(report.page(run, findings, pictures))


def test_the_head_says_what_was_run(shown: Sections, runs: Path) -> None:
    title, lecture, about, paper = shown.rows("header")
    assert (title, lecture) == (["Fitting a curve"], ["Lecture 0: regression"])
    assert about == [report.about(manifest.read(runs / "one"))]
    assert paper == ["paper: Gauss 1809"]


def test_the_ledger_counts_verdicts_and_gives_the_evidence(shown: Sections) -> None:
    assert shown.rows("ledger") == [
        ["Ledger of claims"],
        ["What must come out, by papers, by theory or by our own claim, held against what this run measured."],
        ["✓ holds: 2"], ["× fails: 0"], ["? undecided: 0"],
        ["– untested: 1"], ["verdict", "claim"],
        ["✓ holds", "It is <so>.", "measured: a = 1", "Fig. 1; toy.<a>"],
        ["✓ holds", "It is <so>.", "measured: a = 2", "Fig. 1; published: 0.9; toy.<a>"],
        ["– untested", "It is <so>.", "not run", "Fig. 1; toy.<a>"],
    ]  # fmt: skip


def test_figures_are_numbered(shown: Sections) -> None:
    assert shown.rows("figures") == [["Figures"], ["Figure 1. First <i>."], ["Figure 2. Second."]]


def test_measures_have_their_interval_and_seeds(shown: Sections) -> None:
    assert shown.rows("measures") == [
        ["Measures"], ["measure", "mean", "95% interval", "by seed"],
        ["a", "0.1235", "-1 … 2.5", "0.1 0.2"], ["b", "3"],
    ]  # fmt: skip


def test_the_recipe_says_what_is_allowed(shown: Sections) -> None:
    title, head, *rows = shown.rows("recipe")
    assert (title, head) == (["Recipe"], ["parameter", "symbol", "value", "meaning"])
    assert ["learning_rate", "η", "0.01 1/step", "step size of Adam (number above 0 to 1)"] in rows
    assert ["width", "16", "units of the hidden layer (integer from 1 to 512)"] in rows
    assert len(rows) == 10


def test_what_comes_next_is_a_sentence_and_its_command(shown: Sections, runs: Path) -> None:
    title, *rows = shown.rows("next")
    told = report.commands(Run.open(runs / "one"))
    assert title == ["What to do next"]
    assert rows == [[part] for pair in told for part in pair]


def test_the_machine_is_named(shown: Sections, runs: Path) -> None:
    made = manifest.read(runs / "one")
    title, rest = shown.rows("machine")
    assert title == ["Machine and versions"]
    told = dict(zip(rest[::2], rest[1::2], strict=True))
    assert told == {
        "phantastic": f"{made.version} (source revision abc)", **made.versions, "device": f"cpu; {made.machine}",
        "threads": "1", "networks learn in": "float32", "started": made.started,
    }  # fmt: skip


def test_the_minutes_and_the_papers(shown: Sections) -> None:
    title, head, *rows = shown.rows("minutes")
    assert (title, head) == (["Where the minutes went"], ["stage", "steps", "seconds", "share"])
    assert [row[0] for row in rows] == ["fit", "mirror", "measuring: error/0", "the rest"]
    assert [row[1] for row in rows[:2]] == ["30", "30"]
    title, reference, bibtex = shown.rows("cite")
    assert title == ["How to cite"]
    said = "Gauss, C. F. (1809). Theoria motus <corporum>. Perthes & Besser. https://e.org/a"
    assert reference == [said]
    assert re.match(r"@book\{gauss1809, author = \{Gauss, C\. F\.\},", bibtex[0])


def test_what_a_run_has_nothing_of_has_no_section(runs: Path) -> None:
    run = Run.open(runs / "one")
    (run.folder / "stages.json").unlink()
    run.manifest.revision = ""
    page = Sections(report.page(run, [], []))
    assert not {"figures", "equations", "minutes"} & page.found.keys()
    assert page.rows("ledger") == [["Ledger of claims"], ["this study makes no claims"]]
    assert page.rows("machine")[1][:2] == ["phantastic", run.manifest.version]
