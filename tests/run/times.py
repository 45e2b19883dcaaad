"""Every table of a TIMES.toml is one that a run keeps to: its stages are those of the study, in their order."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from phantastic.declare.study import register
from phantastic.run import stages
from phantastic.run.folder import Run

STUDIES = register()
TABLES = {
    (name, preset): entries
    for path in sorted({study.folder / stages.TABLE for study in STUDIES.values()})
    if path.exists()
    for name, presets in tomllib.loads(path.read_text(encoding="utf-8")).items()
    for preset, entries in presets.items()
}
LACKING = {  # what `tiny` trains and measures and the preset does not, where that is known
    "scan/quick": {f"seed/{model}{end}" for model in ("jmvae", "trelbo") for end in ("", stages.MEASURES)}
}


def kind(name: str) -> str:
    """A stage without its numbers, which differ between presets: of seeds, of layers, of pictures per concept."""
    return re.sub(r"\d+", "#", stages.general(name))


@pytest.fixture(scope="module", params=TABLES, ids="/".join)
def table(request: pytest.FixtureRequest, tiny_run: Callable[[str], Run]) -> tuple[list[str], list[str], str]:
    """The kinds of stages in a table and in the study's tiny run, and the table's name."""
    name, preset = request.param
    assert preset in STUDIES[name].presets
    expected = stages.expected(STUDIES[name].folder, name, preset, [0])
    assert expected
    assert all(stage.seconds > 0 and stage.lost == 0 for stage in expected)
    done = stages.read(tiny_run(name).folder).finished
    trained = {kind(stage.name) for stage in done if stage.steps}
    assert {kind(stage.name) for stage in expected if stage.steps} <= trained
    found = [list(dict.fromkeys(kind(stage.name) for stage in each)) for each in (expected, done)]
    return found[0], found[1], f"{name}/{preset}"


def test_a_table_names_stages_that_there_are_in_their_order(table: tuple[list[str], list[str], str]) -> None:
    expected, done, name = table
    assert set(expected) <= set(done)
    assert expected == [stage for stage in done if stage in expected]
    if name in LACKING:
        assert set(done) - set(expected) == LACKING[name]


def test_tables_stand_where_they_are_read() -> None:
    found = {path.parent for path in Path(stages.__file__).parent.rglob(stages.TABLE)}
    assert found <= {study.folder for study in STUDIES.values()}
    for path in found:
        names = {study.name for study in STUDIES.values() if study.folder == path}
        assert set(tomllib.loads((path / stages.TABLE).read_text(encoding="utf-8"))) <= names
