"""The report: complete, self-contained, escaped, in both languages; and the catalogue of words."""

import base64
import io
import json
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont

import phantastic
from phantastic.declare.i18n import catalogue, default_language, duration, speaking
from phantastic.show import fonts

SOURCE = Path(phantastic.__file__).parent
ROOMS = "ground", "declare", "run", "show", "lesion", "cli"


class Page(HTMLParser):
    """What a page links to, embeds and says."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=["en", "ja"])
def page(
    request: pytest.FixtureRequest, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Page]:
    """Language, folder and parsed report of the run with three seeds."""
    from toys.study import TOY

    import phantastic.declare.study
    from phantastic.run.folder import Run
    from phantastic.show import report

    folder = tmp_path_factory.mktemp("report") / "three"
    shutil.copytree(shelf / "runs/toy/three", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantastic.declare.study, "register", lambda: {TOY.name: TOY})
        with speaking(request.param):
            report.publish(Run.open(folder))
    return request.param, folder, Page((folder / "report.html").read_text())


def test_report_is_self_contained(page: tuple[str, Path, Page]) -> None:
    _, folder, parsed = page
    html = (folder / "report.html").read_text()
    assert parsed.open == []
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in parsed.tags}
    assert len(parsed.all("img")) == 3  # the study's two figures and the curves
    for image in parsed.all("img"):
        kind, _, data = (image["src"] or "").partition(";base64,")
        content = base64.b64decode(data, validate=True)
        assert (kind, content[:4]) in {("data:image/svg+xml", b"<svg"), ("data:image/png", b"\x89PNG")}
        assert image["alt"]
    assert not re.search(r"url\((?!data:)", html)
    assert "default-src 'none'" in str(parsed.all("meta"))
    assert [link["href"] for link in parsed.all("a")] == ["#gauss1809", "https://e.org/a"]  # the paper


def test_report_tells_everything(page: tuple[str, Path, Page]) -> None:
    lang, folder, parsed = page
    html = (folder / "report.html").read_text()
    text = re.sub(r"\s+", " ", "".join(parsed.text))
    assert parsed.all("html") == [{"lang": lang}]
    for word in (
        "error_fit", "learning_rate", "η", "1/step", "toy.perfect", "Gauss (1809), §175", "@book{gauss1809", "torch",
        f"phantastic lesion {folder} --list", "phantastic run toy --preset quick --set device=cpu --root",
        "Theoria motus <corporum>", "Perthes & Besser",
    ):  # fmt: skip
        assert word in text, word
    english, japanese = ("✓ holds", "× fails", "The fitted curve."), ("✓ 成立", "× 不成立", "当てはめた曲線。")
    for word in japanese if lang == "ja" else english:
        assert word in text
    for word in english if lang == "ja" else japanese:
        assert word not in text
    assert "Belongs to another study" not in html
    assert "別の研究の主張" not in html
    assert "<corporum>" not in html  # escaped


def test_report_embeds_the_glyphs_it_needs(page: tuple[str, Path, Page]) -> None:
    """Every letter that a Latin font may lack is in the embedded font, so that no reader sees boxes."""
    _, folder, parsed = page
    html = (folder / "report.html").read_text()
    data = re.search(r"data:font/woff;base64,([A-Za-z0-9+/=]+)\)", html)
    assert data is not None
    with TTFont(io.BytesIO(base64.b64decode(data[1]))) as font:
        embedded = set(map(chr, font.getBestCmap()))
    needed = {letter for letter in "".join(parsed.text) if ord(letter) >= 0x2E80 or letter == "✓"}
    assert needed <= embedded
    assert re.search(r"font: [^;]*?IPAexGothic", html)


def test_ledger_and_figures_are_written_beside_the_report(page: tuple[str, Path, Page]) -> None:
    _, folder, _ = page
    claims = json.loads((folder / "claims.json").read_text())["value"]
    assert [(entry["claim"]["id"], entry["verdict"]) for entry in claims] == [
        ("toy.fits", "holds"), ("toy.perfect", "fails"), ("toy.ordered", "holds"),
    ]  # fmt: skip
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"fit.svg", "fit.png", "ramps.png", "curves.svg", "curves.png"}
    curves = (folder / "figures/curves.svg").read_text()
    for word in ("fit", "mirror", "rival", "weight", ">0<", ">2<"):  # stages, scalars, seeds
        assert word in curves


def test_curves_show_every_logged_value_at_its_step_and_seed() -> None:
    from phantastic.show.report import training_curves

    points = [
        {"stage": f"seed{seed}/fit", "step": step, "loss": 10.0 * seed + step, "kl": -1.0 * step}
        for seed in (0, 1)
        for step in (3, 7, 20)
    ]
    figure = training_curves([*points, {"stage": "judge", "step": 5, "loss": 0.5}])
    assert figure is not None
    rows = figure.picture.to_dict(validate=False)["vconcat"]  # type: ignore[union-attr]
    shown = {}
    for row in rows:
        for panel in row["concat"]:
            values = (panel.get("data") or row["data"])["values"]  # of a single panel they stand with its row
            shown[row["title"], panel["title"]["text"]] = [(v["seed"], v["step"], v["value"]) for v in values]
    assert shown == {
        ("fit", "loss"): [(str(seed), step, 10.0 * seed + step) for seed in (0, 1) for step in (3, 7, 20)],
        ("fit", "kl"): [(str(seed), step, -1.0 * step) for seed in (0, 1) for step in (3, 7, 20)],
        ("judge", "loss"): [("", 5, 0.5)],
    }
    assert training_curves([]) is None


def test_while_a_run_goes_on_its_last_picture_comes_first(runs: Path, toy) -> None:
    from phantastic.run.folder import Run
    from phantastic.show.figure import Figure, image_grid
    from phantastic.show.report import Growing

    growing = Growing(Run.open(runs / "half"))
    for name, caption in (("a", "the first"), ("b", "the second"), ("a", "the third")):
        picture = Figure(caption, image_grid(np.zeros((1, 1, 8, 8, 3), np.uint8)))
        growing(name, lambda picture=picture: picture)
    page = (runs / "half/report.html").read_text()
    captions = re.findall(r"<figcaption>\s*(.*?)\s*</figcaption>", page, re.S)
    assert captions == ["the third", "the second"]  # each once, the last one first


VERDICTS = {"holds", "fails", "undecided", "untested"}
ORIGINS = {"whose_paper", "whose_theory", "whose_ours", "published", "reference", "seeds_wanted", "items_wanted"}


def test_catalogue_is_complete_and_has_nothing_idle() -> None:
    catalogue = tomllib.loads((SOURCE / "declare" / "i18n.toml").read_text())
    assert all(set(entry) == {"en", "ja"} and all(entry.values()) for entry in catalogue.values())
    for key, entry in catalogue.items():
        assert re.findall(r"\{\w+\}", entry["en"]) or not re.findall(r"\{\w+\}", entry["ja"]), key
        assert set(re.findall(r"\{\w+\}", entry["en"])) == set(re.findall(r"\{\w+\}", entry["ja"])), key
    ground = [path for room in ROOMS for path in (SOURCE / room).rglob("*.py")]
    code = "\n".join(path.read_text() for path in ground)
    templates = "\n".join(path.read_text() for path in (SOURCE / "show" / "templates").iterdir())
    used = re.findall(r"word(?:s\(\))?\[['\"](\w+)['\"]\]", code) + re.findall(r"\bword\.(\w+)", templates)
    assert {*used, *VERDICTS, *ORIGINS, "finished", "unfinished"} == set(catalogue)
    for path in ground:
        if path.name not in ("i18n.py", "recipe.py", "shared.py"):
            assert not re.search(r"[\u3040-\u30ff]", path.read_text()), f"{path} holds Japanese outside the catalogue"


@pytest.mark.parametrize(
    ("variables", "lang"),
    [
        ({"LC_ALL": "ja_JP.UTF-8"}, "ja"), ({"LANG": "ja_JP"}, "ja"), ({"LC_ALL": "", "LANG": "ja"}, "ja"),
        ({"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"), ({"LANG": "de_DE.UTF-8"}, "en"), ({"LANG": "C.UTF-8"}, "en"),
    ],
)  # fmt: skip
def test_default_language(variables: dict[str, str], lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_language() == lang


def test_durations() -> None:
    assert [duration(s) for s in (0.2, 59, 61, 3600, 7265)] == [
        "0 s",
        "59 s",
        "1 min 1 s",
        "1 h 0 min",
        "2 h 1 min",
    ]
    with speaking("ja"):
        assert duration(7265) == "2時間1分"
    assert catalogue("ja")["left_in_all"] != catalogue("en")["left_in_all"]


def test_the_letters_of_a_report_are_the_same_bits_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for now in (1e9, 2e9):
        monkeypatch.setattr("time.time", lambda now=now: now)
        fonts.subset.cache_clear()
        made.append(fonts.subset(frozenset("あ脳")))
    assert made[0] == made[1]
