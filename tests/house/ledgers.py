"""The ledgers in the READMEs are those of runs with the shipped presets, judged by the claims as they are."""

import json
import re
import sys
from pathlib import Path

import msgspec
import pytest

from phantastic.declare.i18n import speaking
from phantastic.declare.recipe import NEUTRAL
from phantastic.declare.study import register
from phantastic.declare.verdicts import judge

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import ledger as tool  # noqa: E402

STUDIES = register()
KEPT = {name: tool.place(study) for name, study in STUDIES.items() if tool.place(study).exists()}


def read(name: str) -> tool.Ledger:
    return msgspec.json.decode(KEPT[name].read_bytes(), type=tool.Ledger)


@pytest.mark.parametrize("name", KEPT)
def test_it_was_made_with_the_recipe_of_its_preset(name: str) -> None:
    kept = read(name)
    assert tool.differences(STUDIES[name], kept.preset, kept.recipe) == []


@pytest.mark.parametrize("name", KEPT)
def test_it_judges_the_claims_there_are_and_no_others(name: str) -> None:
    assert [row.id for row in read(name).rows] == [claim.id for claim in STUDIES[name].claims()]


@pytest.mark.parametrize("name", KEPT)
def test_its_verdicts_follow_from_what_was_measured(name: str) -> None:
    """Again, from the intervals alone: without draws a comparison within a seed decides less, never the contrary."""
    kept = read(name)
    for row, found in zip(kept.rows, judge(STUDIES[name].claims(), kept.measures, kept.preset), strict=True):
        draws_decided = row.verdict in ("holds", "fails") and found.verdict == "undecided"
        assert found.verdict == row.verdict or (draws_decided and kept.recipe.get("seeds", 1) == 1), row.id


@pytest.mark.parametrize("name", KEPT)
def test_the_readme_shows_it(name: str) -> None:
    kept, study = read(name), STUDIES[name]
    page = (study.folder / "README.md").read_text(encoding="utf-8")
    with speaking("en"):
        assert tool.written(page, name, tool.block(kept, study)) == page
    if (japanese := study.folder / "README.ja.md").exists():
        page = japanese.read_text(encoding="utf-8")
        with speaking("ja"):
            assert tool.written(page, name, tool.block(kept, study)) == page
    for readme, language in (("README.md", "en"), ("README.ja.md", "ja")):
        text = (ROOT / readme).read_text(encoding="utf-8")
        assert tool.counted(text, kept) == text
        if f"<!-- ledger:{name} -->" in text:
            with speaking(language):
                assert tool.written(text, name, tool.block(kept, study)) == text


def test_a_run_with_another_recipe_is_refused() -> None:
    study = STUDIES["entropy"]
    recipe = json.loads(msgspec.json.encode(study.presets["quick"]))
    assert tool.differences(study, "quick", recipe) == []
    assert tool.differences(study, "quick", recipe | {"device": "cuda", "threads": 2}) == []
    changed = next(key for key, value in recipe.items() if isinstance(value, int) and key not in NEUTRAL)
    other = recipe | {changed: recipe[changed] + 1, "seeds": 9}
    assert set(tool.differences(study, "quick", other)) == {"seeds", changed}


def test_no_study_is_counted_in_a_table_of_the_readme_twice() -> None:
    for readme in ("README.md", "README.ja.md"):
        names = re.findall(r"^\| \[`(\w+)`\]\(", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE)
        assert sorted(names) == sorted(STUDIES)
