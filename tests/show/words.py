"""The report's words and tables: what made a run, what to do next, curves and dose curves in numbers."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from toys.experiment import Toy
from toys.study import TOY, ToyRecipe

from phantastic.declare.i18n import speaking, words
from phantastic.ground.errors import Refused
from phantastic.lesion import Row
from phantastic.lesion.seeds import Answers
from phantastic.run import manifest
from phantastic.run.folder import Run
from phantastic.show import export, figure, report
from phantastic.show.figure import BLUE, VERMILION, Figure, image_grid

pytestmark = pytest.mark.usefixtures("toy")
Invoke = Callable[..., Result]
DOT = image_grid(np.zeros((1, 1, 8, 8, 3), np.uint8))


# --- what made it, what to do next


def test_a_run_in_one_sentence(runs: Path) -> None:
    made = manifest.read(runs / "three")
    made.started, made.seconds = "2026-01-02T03:04:05+00:00", 65.2
    assert report.about(made) == (
        "A run of the study toy at preset quick, seed 0, 3 repetition(s), made on 2026-01-02 in 1 min 5 s."
    )
    with speaking("ja"):
        assert "反復3回。2026-01-02に実行、所要時間1分5秒" in report.about(made)


def test_what_a_reader_can_do_next_where_the_run_was_begun(runs: Path, home: Path) -> None:
    word, one = words(), Run.open(Path("runs/toy/one"))
    assert report.commands(one) == [
        (word["do_repeat"], "phantastic run toy --preset tiny"),
        (word["do_compare"], "phantastic compare toy/one toy/…"),
        (word["do_export"], "phantastic export toy/one"),
        (word["do_lesion"], "phantastic lesion toy/one --list"),
        (f"{word['do_apply']}: where the curve is read", "phantastic apply toy --run toy/one --at …"),
    ]
    runs.parent.rename(home / "my runs")
    told = dict(report.commands(Run.open(Path("my runs/toy/three"))))
    assert told[word["do_repeat"]] == "phantastic run toy --preset quick --set device=cpu --root 'my runs'"
    assert told[word["do_export"]] == "phantastic export 'my runs/toy/three'"


def test_without_networks_nothing_is_to_be_damaged(tmp_path: Path) -> None:
    recipe = ToyRecipe(steps=30, seed=2, learning_rate=0.5, shape="step", precision="float32", threads=1)
    run = Run.create(TOY, recipe, "tiny", tmp_path, "bare")
    run.close()
    assert words()["do_lesion"] not in dict(report.commands(run))
    assert report.settings(run) == ["--set", "seed=2", "--set", "learning_rate=0.5", "--set", "shape=step"]
    with pytest.raises(Refused, match=r"measures\.json is missing"):
        report.publish(run)
    assert not {"claims.json", "report.html", "figures"} & {path.name for path in run.folder.iterdir()}


def test_equations_stand_on_the_page_as_mathematics(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toy, "equations", lambda self, run: {"<net>": ["<math><mi>x</mi></math>"]})
    run = Run.open(runs / "one")
    page = report.page(run, [], [])
    assert "<math><mi>x</mi></math>" in page
    assert "<summary>&lt;net&gt;</summary>" in page
    assert words()["no_claims"] in page


def test_the_page_grows_and_says_once_where(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.open(runs / "half")
    growing = report.Growing(run)
    for name in ("a", "b"):
        growing(name, lambda name=name: Figure(f"<{name}>", DOT))
    assert capsys.readouterr().err == f"watch it grow: {runs / 'half/report.html'}\n"
    page = (runs / "half/report.html").read_text()
    assert page.index("&lt;b&gt;") < page.index("&lt;a&gt;")
    data = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert data is not None
    assert base64.b64decode(data[1]) == (runs / "half/figures/b.png").read_bytes()


# --- curves


def test_curves_are_by_stage_and_quantity_and_coloured_only_where_there_are_seeds() -> None:
    assert report.training_curves([]) is None
    one = [{"stage": "fit", "step": step, "loss": 2.0 * step, "kl": 1.0} for step in (1, 2)]
    several = [{**point, "stage": f"seed{seed}/fit"} for point in one for seed in (3, 12)]
    for points, coloured in ((one, False), (several, True)):
        drawn = report.training_curves([*points, {"stage": "judge", "step": 1, "loss": 0.0}])
        assert drawn is not None
        assert drawn.caption == words()["curves_caption"]
        rows = drawn.picture.to_dict(validate=False)["vconcat"]  # type: ignore[union-attr]
        assert [row["title"] for row in rows] == ["fit", "judge"]
        assert [panel["title"]["text"] for panel in rows[0]["concat"]] == ["loss", "kl"]
        encoding = rows[0]["concat"][0]["encoding"]
        assert (encoding["x"]["field"], encoding["x"]["title"], encoding["y"]["field"]) == ("step", "step", "value")
        assert encoding["y"]["scale"] == {"zero": False}
        of_seeds = {"field": "seed", "title": "seed", "type": "nominal"}
        assert encoding["color"] == (of_seeds if coloured else {"value": BLUE})


def test_a_dose_curve_in_numbers() -> None:
    rows = [
        Row("a", 0.0, 1.0, None, None, [1.0]), Row("a", 0.5, 2.0, 1.5, 2.5, [1.0, 3.0]),
        Row("a", 0.5, 1.0, None, None, [1.0], sham=True), Row("b", 0.5, 4.0, 3.0, 5.0, [4.0, 4.0]),
    ]  # fmt: skip
    drawn = report.dose_curves(["x", "y"], "noise", rows).picture.to_dict(validate=False)
    assert (drawn["title"]["text"], drawn["columns"]) == ("x + y: noise", 3)
    assert drawn["title"]["subtitle"] == report.dose_curves(["x", "y"], "noise", rows).caption
    panels = {panel["layer"][0]["title"]["text"]: panel for panel in drawn["concat"]}
    assert list(panels) == ["a", "b"]
    values = panels["a"]["data"]["values"]
    assert [(v["dose"], v["mean"], v["sham"], v["low"], v["high"]) for v in values] == [
        (0.0, 1.0, False, 1.0, 1.0), (0.5, 2.0, False, 1.5, 2.5), (0.5, 1.0, True, 1.0, 1.0),
    ]  # fmt: skip
    area, line, cross = panels["a"]["layer"]
    assert [layer["mark"]["type"] for layer in (area, line, cross)] == ["area", "line", "point"]
    assert [layer["mark"]["color"] for layer in (area, line, cross)] == [BLUE, BLUE, VERMILION]
    assert (area["encoding"]["y"]["field"], area["encoding"]["y2"]["field"]) == ("low", "high")
    assert {layer["encoding"]["x"]["field"] for layer in (area, line, cross)} == {"dose"}
    assert [layer["transform"][0]["filter"] for layer in (area, line, cross)] == ["!datum.sham"] * 2 + ["datum.sham"]


def test_tables_of_a_lesion() -> None:
    assert report.curve_table([Row("a", 0.5, 1.5, None, 2.0, [1.0, 2.0]), Row("b", 1.0, 1.0, 0.0, 2.0, [], True)]) == [
        ["measure", "dose", "sham", "mean", "low", "high", "each"],
        ["a", 0.5, 0, 1.5, "", 2.0, "1.0 2.0"], ["b", 1.0, 1, 1.0, 0.0, 2.0, ""],
    ]  # fmt: skip
    answers = [
        Answers(3, 0.5, False, 1, {"x": [1, 2], "y": ["a", "b"]}),
        Answers(4, 0.5, True, 0, {"x": [3], "y": ["c"]}),
    ]
    assert report.answer_table(answers) == [
        ["seed", "dose", "sham", "repeat", "item", "x", "y"],
        [3, 0.5, 0, 1, 0, 1, "a"], [3, 0.5, 0, 1, 1, 2, "b"], [4, 0.5, 1, 0, 0, 3, "c"],
    ]  # fmt: skip


def test_a_name_of_180_letters_is_kept_whole() -> None:
    assert report.lesion_name(["a" * 90, "b" * 89], "noise") == f"{'a' * 90}+{'b' * 89}-noise"
    assert re.fullmatch(r"a{90}\+1-[0-9a-f]{8}-noise", report.lesion_name(["a" * 90, "b" * 90], "noise"))


# --- pictures


def test_images_become_bytes_with_their_channels_last() -> None:
    images = torch.tensor([0.0, 0.5, 1.0, 0.999, 0.001, 0.25]).view(1, 3, 1, 2)
    assert figure.in_bytes(images).tolist() == [[[[0, 255, 0], [128, 255, 64]]]]


def test_a_picture_is_written_beside_the_report_and_embedded(tmp_path: Path) -> None:
    drawn = report.picture(tmp_path, "dot", Figure("what", DOT))
    path = tmp_path / "figures/dot.png"
    assert drawn == ("dot", "what", "image/png", base64.b64encode(path.read_bytes()).decode())


def test_a_theme_is_quiet_and_has_its_colours() -> None:
    config = figure.theme()["config"]
    assert (config["background"], config["view"]["stroke"]) == ("white", None)
    assert config["range"]["category"][:2] == ["#0072B2", "#D55E00"]  # told apart by all
    assert config["font"].split(", ") == ["Liberation Sans", "Arial", "Helvetica", "IPAexGothic", "sans-serif"]


def test_letters_that_xml_forbids_are_replaced_wherever_they_stand() -> None:
    specification = {"a": ["x\x00", {"b": "\ud800\x0b\t\n"}], "n": 1.5, "none": None, "c": "\x1f\ufffe\ue000"}
    assert figure.printable(specification) == {
        "a": ["x\ufffd", {"b": "\ufffd\ufffd\t\n"}], "n": 1.5, "none": None, "c": "\ufffd\ufffd\ue000",
    }  # fmt: skip


# --- handed in


def test_a_card_says_who_what_and_how(runs: Path) -> None:
    folder = runs / "one"
    made = manifest.read(folder)
    card = export.model_card(TOY, folder, made)
    assert card.startswith(
        "# Fitting a curve\n\nLecture 0: regression\n\n"
        "- Gauss, C. F. (1809). Theoria motus <corporum>. Perthes & Besser. https://e.org/a\n"
    )
    assert f"phantastic {made.version} {made.revision}; python {made.versions['python']}; torch" in card
    assert f"{export.cell(made.machine)}; cpu; threads: 1; networks learn in: float32; {made.started}" in card
    assert "phantastic run toy --preset tiny --recipe recipe.toml\n" in card
    assert card.endswith("```\n")
    with speaking("ja"):
        assert export.model_card(TOY, folder, made).startswith("# 曲線の当てはめ\n")


def test_a_notebook_opens_the_run_in_the_language_it_was_written_in() -> None:
    with speaking("ja"):
        notebook = export.notebook(TOY)
    assert [cell["id"] for cell in notebook.cells] == [f"cell-{number}" for number in range(len(notebook.cells))]
    assert notebook.cells[0].source == "# 曲線の当てはめ\n\n第0回: 回帰"
    assert 'speak("ja")\nrun = Run.open(Path("."))' in notebook.cells[1].source
    assert [cell.source for cell in notebook.cells if cell.cell_type == "markdown"][1:] == [
        "## 主張の台帳", "## 測定値", "## 図",
    ]  # fmt: skip
    assert notebook.metadata.kernelspec.name == "python3"


def test_where_a_run_can_not_be_exported_to_is_said(runs: Path, home: Path) -> None:
    (home / "out").write_text("")
    with pytest.raises(Refused) as refusal:
        export.export(runs / "one", home / "out")
    assert str(refusal.value) == f"{home / 'out'} is there already; choose another folder with --to"
    with pytest.raises(Refused, match=rf"^cannot write {home}/out/deep: Not a directory"):
        export.export(runs / "one", home / "out/deep")
