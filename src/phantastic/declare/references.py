"""Papers by key: references.bib, in which each stands once. A study names the keys."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from phantastic.ground.errors import Refused, nearest

if TYPE_CHECKING:
    from bibtexparser.model import Entry, ParsingFailedBlock

FILE = Path(__file__).with_name("references.bib")
VENUES = {
    "article": "journal",
    "inproceedings": "booktitle",
    "incollection": "booktitle",
    "book": "publisher",
    "techreport": "institution",
    "misc": "howpublished",
}
"""The types of entry, and the field of each that says where the paper appeared."""
MARKUP = re.compile(r"[{}]|\\(?=[&%#_$])")  # all the LaTeX that a field may hold: the file is in UTF-8


class Paper(Struct, frozen=True):
    """A paper a study implements or is held against."""

    key: str
    authors: str
    year: int
    title: str
    venue: str
    url: str
    bibtex: str
    """The entry as it stands in the file."""

    @property
    def short(self) -> str:
        """``Kim & Mnih 2018``, ``Higgins et al. 2017``."""
        names = [author.split(",")[0] for author in self.authors.split(" and ")]
        many = len(names) > 2 or names[-1] == "others"
        return f"{names[0] + ' et al.' if many else ' & '.join(names)} {self.year}"

    @property
    def reference(self) -> str:
        """Authors, year, title and venue as a line of text."""
        authors = self.authors.replace(" and others", " et al.").replace(" and ", "; ")
        stop = "" if self.title.endswith(("?", "!")) else "."
        return f"{authors} ({self.year}). {self.title}{stop} {self.venue}"


def find(key: str, file: Path = FILE) -> Paper:
    """The paper of that key; raises `Refused` with the nearest one, and as `read` does."""
    papers = read(file)
    if key not in papers:
        raise Refused(f"{file}: there is no entry '{key}'{nearest(key, papers)}")
    return papers[key]


@cache
def read(file: Path) -> dict[str, Paper]:
    """All papers of a BibTeX file, by key.

    Raises `Refused` naming the file and the entry that is damaged, stands twice, lacks a field or is of no type in
    `VENUES`, and text that belongs to no entry.
    """
    from bibtexparser import splitter  # only when papers are asked for: it takes a tenth of the time of `phantastic ls`
    from bibtexparser.entrypoint import parse_string

    splitter.logger.disabled = True  # what it would warn of is refused
    try:
        library = parse_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}") from None
    if library.failed_blocks:
        block = library.failed_blocks[0]
        raise Refused(f"{place(file, block.start_line)}, {damage(block)}")
    for comment in library.comments:
        loose = [line for line in comment.comment.splitlines() if line.strip() and not line.startswith("%")]
        if loose:
            before = [entry.key for entry in library.entries if (entry.start_line or 0) <= (comment.start_line or 0)]
            after = f", after entry '{before[-1]}'" if before else ""
            raise Refused(
                f"{place(file, comment.start_line)}{after}: '{loose[0][:80]}' belongs to no entry; "
                "take out a brace too many before it or, if it is a remark, begin it with %"
            )
    return {
        entry.key: paper(entry, f"{place(file, entry.start_line)}, entry '{entry.key}'") for entry in library.entries
    }


def place(file: Path, line: int | None) -> str:
    """Where in a file; bibtexparser counts lines from 0."""
    return f"{file}, line {(line or 0) + 1}"


def damage(block: "ParsingFailedBlock") -> str:
    """The entry that could not be read, why not, and what to do."""
    from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock

    key = re.match(r"@\w*\s*[{(]\s*([^\s,={}()]*)", block.raw or "")
    entry = f"entry '{key[1] if key else ''}'"
    if isinstance(block, DuplicateBlockKeyBlock):
        return f"{entry}: the key stands twice; take one of the two out or give it another key"
    if isinstance(block, DuplicateFieldKeyBlock):
        return f"{entry}: it has {', '.join(sorted(block.duplicate_keys))} twice; leave one"
    return f"{entry} is not closed: look for a brace, a quote or a comma that is missing in it"


def paper(entry: "Entry", where: str) -> Paper:
    """The paper of an entry; raises `Refused` for what it lacks and what is wrong in it."""
    if entry.entry_type not in VENUES:
        raise Refused(f"{where}: unknown type '@{entry.entry_type}'{nearest(entry.entry_type, VENUES)}")
    for field in entry.fields:
        if field.enclosing == "no-enclosing":
            raise Refused(f"{where}: write {field.key} in braces, with a comma after it")
    fields = {
        field.key: field.value if field.key == "url" else plain(field.value, f"{where}: {field.key}")
        for field in entry.fields
    }
    needed = ("author", "title", "year", VENUES[entry.entry_type])
    if lacking := [name for name in needed if not fields.get(name)]:
        raise Refused(f"{where} lacks {', '.join(lacking)}; an @{entry.entry_type} has {', '.join(needed)}")
    author, title, year, venue = (fields[name] for name in needed)
    if not year.isdecimal():
        raise Refused(f"{where}: the year '{year}' is not a number")
    numbers = ":".join(fields[name] for name in ("volume", "pages") if name in fields)
    more = [fields[name] for name in ("publisher", "note") if name in fields and name not in needed]
    venue = ", ".join([f"{venue} {numbers}".strip(), *more])
    return Paper(entry.key, author, int(year), title, venue, fields.get("url", ""), entry.raw or "")


def plain(text: str, where: str) -> str:
    """A field's text without the braces that keep capitals and without escapes."""
    cleaned = " ".join(MARKUP.sub("", text).replace("--", "–").split())
    if "\\" in cleaned:
        raise Refused(
            f"{where} holds LaTeX ('{cleaned}'); write the letter itself: only & % # _ $ have a \\ before them"
        )
    return cleaned
