"""The pages for people are true: their commands run at tiny size, their names exist, both languages say the same."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from phantastic.cli import attended
from phantastic.cli.main import cli
from phantastic.declare import study
from phantastic.lesion import doses, seeds

ROOT = Path(__file__).parents[2]
SYSTEMS = ROOT / "src/phantastic/systems"
IN_JAPANESE = sorted(SYSTEMS.glob("*/README.ja.md"))
BOTH = [("README.md", "README.ja.md")]
BOTH += [(f"docs/en/{name}", f"docs/ja/{name}") for name in sorted(path.name for path in (ROOT / "docs/en").iterdir())]
BOTH += [(f"{page.parent.relative_to(ROOT)}/README.md", str(page.relative_to(ROOT))) for page in IN_JAPANESE]
PAGES = [ROOT / name for names in BOTH for name in names] + [
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in SYSTEMS.glob("*/README.md") if page.with_name("README.ja.md") not in IN_JAPANESE),
]
TEXTS = [*PAGES, ROOT / "CHANGELOG.md"]
STUDIES = study.register()
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
SHELL = {"|", ">", ">>", "&&", "||", ";", "&"}  # a page shows one plain command to a line
Shelf = Callable[[str], Path]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[str]:
    """The contents of the page's fenced blocks in these languages."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language in languages]


def commands(page: Path) -> list[list[str]]:
    """The words of each command the page shows, in order, without settings of the environment before it."""
    lines = "".join(blocks(page, "sh", "bash")).replace("\\\n", " ").splitlines()
    for body in blocks(page, "console"):  # there, the other lines are what a command printed
        lines += [line[2:] for line in body.replace("\\\n", " ").splitlines() if line.startswith("$ ")]
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        found += [words] if words else []
    return found


class Shown(NamedTuple):
    """A command as a page shows it, and what RUN and STUDY stand for there."""

    words: tuple[str, ...]
    study: str
    page: Path


def shown() -> list[Shown]:
    """Every `phantastic` command of all pages, once."""
    found: dict[tuple[str, ...], Shown] = {}
    for page in PAGES:
        here = next((name for name, each in STUDIES.items() if each.folder == page.parent), "scan")
        for words in commands(page):
            if words[0] == "phantastic":
                found.setdefault(
                    (*words, here if {"RUN", "STUDY"} & set(words) else ""), Shown(tuple(words), here, page)
                )
    return list(found.values())


# --- commands


@pytest.fixture(scope="module")
def shelf(tiny_folder: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A function that gives the folder of a finished tiny run of a study, with its report."""
    root = tmp_path_factory.mktemp("shelf")

    def made(name: str) -> Path:
        folder = root / name / "tiny"
        if not folder.exists():
            shutil.copytree(tiny_folder(name), folder)
            result = CliRunner().invoke(cli, ["resume", str(folder)])
            assert result.exit_code == 0, result.output
        return folder

    return made


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder but for a picture and a folder of pictures; lesions there take two doses, once each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    (tmp_path / "pictures").mkdir()
    for name, image in zip(("room.png", "pictures/face.png"), pixels, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    whole = doses.by_dose

    def brief(compute: Any, models: Any, site: Any, kind: str, wanted: list[float], repeats: int, seed: int) -> Any:
        return whole(compute, models, site, kind, [wanted[0], wanted[-1]], min(repeats, 1), seed)

    for module in (doses, seeds):
        monkeypatch.setattr(module, "by_dose", brief)
    return tmp_path


def lay_out(command: Shown, shelf: Shelf, desk: Path) -> list[str]:
    """Put what the command names on the desk: tiny runs under its runs' names, pictures, recipe files; its words."""
    words = [{"RUN": f"{command.study}/quick-seed0", "STUDY": command.study}.get(word, word) for word in command.words]
    verb, *rest = words[1:]
    runs = [found.group(1, 2) for word in rest if (found := re.fullmatch(r"(?:runs/)?(\w+)/([\w.-]+)/?", word))]
    if verb == "apply" and "--run" not in rest:
        runs.append((rest[0], "quick-seed0"))
    for name, run in runs:
        if name in STUDIES and not (desk / "runs" / name / run).exists():
            shutil.copytree(shelf(name), desk / "runs" / name / run)
    for option, value in pairwise(rest):
        if option == "--look" and not (desk / value).exists():
            if Path(value).suffix:
                shutil.copy(desk / "room.png", desk / value)
            else:
                shutil.copytree(desk / "pictures", desk / value)
        if option == "--recipe":
            (desk / value).write_text("".join(blocks(command.page, "toml")) or "seed = 3\n", encoding="utf-8")
    return words


@pytest.mark.parametrize("command", shown(), ids=lambda command: shlex.join(command.words))
def test_a_command_runs(command: Shown, shelf: Shelf, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written. Of ``run``, everything up to the training: the runs laid out are the product of that verb."""
    assert not SHELL & set(command.words), f"{named(command.page)}: one plain command to a line"
    words = lay_out(command, shelf, desk)
    begun = []
    if words[1] == "run":
        monkeypatch.setattr(attended, "attend", lambda run, every, as_json: (begun.append(run), run.close()))
    result = CliRunner().invoke(cli, words[1:])
    assert result.exit_code == 0, f"{named(command.page)}: {shlex.join(words)}\n{result.output}"
    assert len(begun) == (words[1] == "run")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_other_commands_exist(page: Path) -> None:
    for program, *words in commands(page):
        if program == "make":
            assert {word for word in words if "=" not in word} <= set(TARGETS)
        elif program in ("python", "pytest"):
            assert all((ROOT / word).exists() for word in words if "/" in word or word.endswith(".py"))
        else:
            assert program in ("phantastic", "git", "cd", ".", "pip"), f"{named(page)}: nothing checks '{program}'"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_python_runs(page: Path, shelf: Shelf, desk: Path) -> None:
    text = "\n".join(blocks(page, "python"))
    for name, run in re.findall(r"\"runs/(\w+)/([\w.-]+)\"", text):
        shutil.copytree(shelf(name), desk / "runs" / name / run)
    generator = np.random.default_rng(0)  # what a page speaks of as given
    given = {"codes": generator.normal(size=(400, 4)), "factors": generator.integers(3, size=(400, 2))}
    exec(compile(text, named(page), "exec"), given)


# --- names and links


@pytest.mark.parametrize("page", TEXTS, ids=named)
def test_names_exist(page: Path) -> None:
    """Verbs, make targets and modules in running text; links to files."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^\| `phantastic[\w.]*` \| (?=`)", "", prose, flags=re.MULTILINE)  # where something was
    for code in re.findall(r"`([^`\n]+)`", prose):
        program, *words = code.split()
        if program == "phantastic" and words:
            assert words[0] in cli.commands or words[0].startswith("-"), code
        if program == "make" and words:
            assert words[0] in TARGETS, code
        if re.fullmatch(r"phantastic(\.\w+)+", program):
            module, _, name = program.rpartition(".")
            assert hasattr(import_module(module), name) or import_module(program), code
    for link in re.findall(r"\]\(([^)#]+)\)", prose):
        assert link.startswith("https://") or (page.parent / link).exists(), f"{named(page)} links to {link}"


def test_the_readmes_name_every_study_and_page() -> None:
    for readme, folder in (("README.md", "docs/en"), ("README.ja.md", "docs/ja")):
        text = (ROOT / readme).read_text(encoding="utf-8")
        for name, each in STUDIES.items():
            assert f"| [`{name}`]({named(each.folder)}/README.md) |" in text
        assert all(f"]({folder}/{path.name})" in text for path in (ROOT / folder).iterdir())
        assert re.search(r"<!-- ledger:scan -->\n.+\n<!-- /ledger -->", text, re.DOTALL)


def test_the_table_of_studies_counts_what_their_ledgers_say() -> None:
    """Verdicts by study, counted in the systems' own READMEs, and the minutes of `quick` as declared."""
    for readme in ("README.md", "README.ja.md"):
        table = (ROOT / readme).read_text(encoding="utf-8").split("<!-- studies -->")[1].split("<!-- /studies -->")[0]
        for name, told in STUDIES.items():
            ledger = (told.folder / "README.md").read_text(encoding="utf-8")
            verdicts = re.findall(rf"^\| ([✓✗×–?]) [^|]*\|.*?\(`{name}\.[\w.-]+`", ledger, re.MULTILINE)
            counts = [sum(each in marks for each in verdicts) for marks in ("✓", "✗×", "–?")]
            row = next(line for line in table.splitlines() if line.startswith(f"| [`{name}`]"))
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            assert cells[2:5] == [str(count) for count in counts], f"{readme}: {name}"
            assert cells[5] == (f"{told.minutes['quick']:g}" if "quick" in told.minutes else "–"), f"{readme}: {name}"


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_constraints_name_every_dependency_once() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)  # no paths, no local versions
    names = [re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert {re.split(r"[^\w-]", requirement)[0].lower() for requirement in wanted} <= set(names)


# --- two languages


def headings(page: Path) -> Iterator[int]:
    """The levels of the headings."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return (len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE))


def test_every_page_exists_in_both_languages() -> None:
    assert {path.name for path in (ROOT / "docs/en").iterdir()} == {path.name for path in (ROOT / "docs/ja").iterdir()}


@pytest.mark.parametrize(("english", "japanese"), BOTH, ids=lambda name: name)
def test_both_languages_say_the_same(english: str, japanese: str) -> None:
    """The same headings, commands, rows of tables and code; phrases and comments may be in the page's language."""
    one, other = ROOT / english, ROOT / japanese
    assert list(headings(one)) == list(headings(other))
    bare = [
        [["…" if " " in word or not word.isascii() else word for word in words] for words in commands(page)]
        for page in (one, other)
    ]
    assert bare[0] == bare[1]
    for pattern in (r"^\|.*\|$", r"^(?:-|\d+\.) ", r"^!\[", r"^```\w"):
        counts = [len(re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE)) for page in (one, other)]
        assert counts[0] == counts[1], pattern
    code = [re.sub(r"\s+#.*", "", "".join(blocks(page, "python", "toml"))).replace("_JA", "") for page in (one, other)]
    assert code[0] == code[1]


@pytest.mark.parametrize("page", TEXTS, ids=named)
def test_no_page_names_a_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", page.read_text(encoding="utf-8"))
