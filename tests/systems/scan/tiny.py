"""The study `scan`: its presets, what a recipe may be, and the tiny run: its measures, claims, figures and use."""

import json
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from phantastic.declare.i18n import speaking
from phantastic.declare.parameter import parameters
from phantastic.declare.recipe import compose, validated
from phantastic.declare.study import register
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.show.figure import Figure
from phantastic.show.report import Growing, publish
from phantastic.systems.scan import figures
from phantastic.systems.scan.apply import put_into_words
from phantastic.systems.scan.concepts import LOGIC
from phantastic.systems.scan.evaluation import grounded
from phantastic.systems.scan.experiment import setting
from phantastic.systems.scan.figures import unseen_operations
from phantastic.systems.scan.language import Lexicon
from phantastic.systems.scan.rooms import PALETTES, Rooms, as_input
from phantastic.systems.scan.study import ScanApply, ScanRecipe
from phantastic.systems.scan.symbolic import draw_concepts, draw_held_out

SCAN = register()["scan"]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
SCHEMA: dict[str, dict[str, Any]] = msgspec.json.schema(ScanRecipe)["$defs"]["ScanRecipe"]["properties"]


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("scan")


@pytest.fixture
def experiment() -> ModuleType:
    return SCAN.load()


# --- recipes


def test_every_preset_is_valid():
    assert set(SCAN.presets) == {"tiny", "quick", "full", "paper"}
    assert set(SCAN.minutes) <= set(SCAN.presets)
    for name, preset in SCAN.presets.items():
        assert compose(SCAN.recipe, SCAN.presets, name, {}) == preset
        assert max(preset.few, default=0) < preset.pairs
        assert preset.beta <= preset.beta_peak


def test_the_papers_weights_are_the_defaults():
    """λ = 10 and β = 1 (Higgins et al. 2018, App. A.1); no preset drops partial symbols or the operators."""
    for preset in SCAN.presets.values():
        assert (preset.grounding, preset.symbol_beta) == (10, 1)
    assert SCAN.presets["paper"].beta == SCAN.presets["paper"].beta_peak == 53
    assert (SCAN.presets["paper"].latent, SCAN.presets["paper"].colours, SCAN.presets["paper"].size) == (32, 16, 80)


def test_every_parameter_is_explained_in_both_languages():
    for parameter in parameters(SCAN.recipe):
        assert JAPANESE.search(parameter.text.ja), parameter.name
        assert not JAPANESE.search(parameter.text.en), parameter.name


def within(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that a parameter's bounds allow."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "array":
        return st.lists(within(schema["items"]), max_size=5).map(tuple)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if schema["type"] == "integer":
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema)


RECIPES = st.fixed_dictionaries({name: within(schema) for name, schema in SCHEMA.items()})


@settings(max_examples=40)
@given(RECIPES)
def test_any_recipe_within_its_bounds_survives_its_file(values):
    recipe = validated(ScanRecipe, values, "test")
    written = msgspec.toml.encode(recipe).decode()
    assert compose(ScanRecipe, SCAN.presets, "tiny", tomllib.loads(written), "recipe file") == recipe
    assert msgspec.toml.encode(validated(ScanRecipe, tomllib.loads(written), "again")).decode() == written


def outside(schema: dict[str, Any]) -> list[Any]:
    """Values just beyond the bounds, and of the wrong kind."""
    beyond = [schema[key] + step for key, step in (("minimum", -1), ("maximum", 1)) if key in schema]
    beyond += [schema[key] for key in ("exclusiveMinimum", "exclusiveMaximum") if key in schema]
    return [*beyond, "many", [0], None, -(10**30), math.nan, math.inf]


@pytest.mark.parametrize("name", SCHEMA)
def test_values_beyond_the_bounds_are_refused_by_name(name):
    for value in outside(SCHEMA[name]):
        with pytest.raises(Refused) as refusal:
            compose(ScanRecipe, SCAN.presets, "quick", {name: value})
        assert name in str(refusal.value), value


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"few": (2, 5), "pairs": 4}, "few = [2, 5]: each is at most pairs = 4"),
        (
            {"colours": 2, "concepts": 100, "test_concepts": 12},
            "concepts + test_concepts = 112, but colours = 2 gives 107 different concepts",
        ),
    ],
)
def test_recipes_that_cannot_be_are_refused_before_anything_is_trained(changes, message, tmp_path, experiment):
    recipe = compose(SCAN.recipe, SCAN.presets, "tiny", changes)
    run = Run.create(SCAN, recipe, "tiny", tmp_path)
    with pytest.raises(Refused, match=re.escape(message)):
        execute(run)
    assert not run.curve()
    run.close()


# --- the tiny run


def test_every_measure_is_a_number_in_its_range(run):
    measures = run.measures()
    recipe: Any = run.recipe
    assert all(len(measure.each) == recipe.seeds == 1 for measure in measures.values())
    for name, measure in measures.items():
        assert math.isfinite(measure.value), name
        assert -1e-9 <= measure.value <= (math.log(recipe.colours) + 1e-9 if "diversity" in name else 1), name
    for prefix in ("", "scan_r.", "scan_u.", "jmvae.", "trelbo."):
        assert {f"{prefix}{way}.{kind}" for way in ("sym2img", "img2sym") for kind in ("accuracy", "diversity")} <= set(
            measures
        )
    for name in ("and", "in_common", "ignore"):
        assert {f"operators.{name}.accuracy", f"operators.{name}.diversity"} <= set(measures)
    assert any(name.startswith("operators.image.") for name in measures)
    parts = [measures[f"img2sym.{name}"].value for name in ("identity", "object", "wall", "floor")]
    assert measures["img2sym.accuracy"].value == pytest.approx(np.mean(parts))
    for part in ("visual", "entangled"):
        for kind in ("dci", "mig", "grouped_mig"):
            measure = measures[f"{part}.{kind}"]
            assert measure.low is not None
            assert measure.low <= measure.value <= measure.high


def test_all_pairs_are_the_last_point_of_the_curve_over_pairs(run):
    measures = run.measures()
    for suffix in ("accuracy", "diversity", "accuracy.held_out", "diversity.held_out"):
        assert measures[f"pairs{run.recipe.pairs}.sym2img.{suffix}"] == measures[f"sym2img.{suffix}"]
    assert {int(name[5:].split(".")[0]) for name in measures if name.startswith("pairs")} == {
        *run.recipe.few,
        run.recipe.pairs,
    }


def names_at(preset: Any, tiny: set[str]) -> set[str]:
    """The measures that a run at another preset records."""
    names = {name for name in tiny if not name.startswith("pairs")}
    suffixes = {name.partition(".")[2] for name in tiny if name.startswith("pairs")}
    names |= {f"pairs{count}.{suffix}" for count in (*preset.few, preset.pairs) for suffix in suffixes}
    return {name for name in names if preset.baselines or not name.startswith(("jmvae.", "trelbo."))}


@pytest.mark.parametrize("preset", SCAN.presets)
def test_every_claim_is_measured_where_it_is_tested(run, preset):
    names = names_at(SCAN.presets[preset], set(run.measures()))
    assert preset != "tiny" or names == set(run.measures())
    for claim in SCAN.claims():
        assert set(claim.presets) <= set(SCAN.presets)
        if preset in claim.presets:
            assert {*claim.measure, *claim.than} <= names, claim.id


def test_the_claims_that_make_demo_must_test_are_tested_there():
    tested = {claim.id for claim in SCAN.claims() if "quick" in claim.presets}
    assert {"scan.sym2img", "scan.few", "scan.operators", "scan.img2sym", "scan.disentangled"} <= tested
    for claim in SCAN.claims():
        assert {"full", "paper"} <= set(claim.presets)
        assert JAPANESE.search(claim.statement.ja)
        assert not JAPANESE.search(claim.statement.en)


def test_no_claim_is_tested_on_a_run_of_seconds(run):
    assert {finding.verdict for finding in judge(SCAN.claims(), run.measures(), "tiny")} == {"untested"}


def test_a_finished_run_is_not_trained_again(run, experiment):
    measures, curve = (run.folder / "measures.json").read_bytes(), run.curve()
    execute(run)
    assert (run.folder / "measures.json").read_bytes() == measures
    assert run.curve() == curve


def test_the_judge_of_the_run_is_as_accurate_as_it_reads_the_test_rooms(run):
    scene = setting(run, run.recipe)
    with torch.no_grad():
        logits = scene.classifier(as_input(scene.images))
    right = [
        logits[:, block].argmax(1).numpy() == scene.factors[:, k] for k, block in enumerate(scene.vocabulary.blocks)
    ]
    assert run.measures()["classifier.accuracy"].value == pytest.approx(np.mean(right))


def test_whole_models_measure_what_the_run_recorded(run, experiment):
    """The tiny run has fewer test items than a lesion is measured on."""
    found = run.study.load().lesion_measures(run, run.study.load().networks(run))
    assert found == {name: pytest.approx(run.measures()[name].value) for name in found}
    assert set(found) == {"sym2img.accuracy", "sym2img.diversity", "img2sym.accuracy"}


def test_all_seeds_share_the_concepts_and_the_judge(run):
    """Under another seed, what was held out from the networks of all seeds is asked of them, not new concepts."""
    first, other = (setting(view, view.recipe) for view in (run, run.under(run.recipe.seed + 1)))
    assert np.array_equal(first.concepts, other.concepts)
    assert np.array_equal(first.held_out, other.held_out)
    assert torch.equal(first.images, other.images)
    one, two = first.classifier.state_dict(), other.classifier.state_dict()
    assert all(torch.equal(value, two[key]) for key, value in one.items())


# --- figures


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures(run, experiment, lang):
    figures = run.study.load().figures(run)
    assert set(figures) == {"imagined", "latents", "baselines", "examples"}
    for name, figure in figures.items():
        assert bool(JAPANESE.search(figure.caption)) == (lang == "ja"), name
        if isinstance(figure.picture, Image.Image):
            assert min(figure.picture.size) > 200
            assert len(np.unique(np.asarray(figure.picture).reshape(-1, 3), axis=0)) > 50
        else:
            chart = json.dumps(figure.picture.to_dict(validate=False), ensure_ascii=False)
            assert bool(JAPANESE.search(chart)) == (lang == "ja"), name


def test_the_figures_show_what_was_measured(run, experiment):
    figures, measures = run.study.load().figures(run), run.measures()
    baselines = figures["baselines"].picture.to_dict(validate=False)["data"]["values"]
    assert len(baselines) == 10
    shown = {(row["model"], row["concepts"]): (row["x"], row["y"]) for row in baselines}
    expected = measures["jmvae.sym2img.diversity.held_out"].value, measures["jmvae.sym2img.accuracy.held_out"].value
    assert shown["JMVAE", "held out"] == expected
    points = figures["examples"].picture.to_dict(validate=False)["data"]["values"]
    assert sorted((point["pairs"], point["concepts"]) for point in points) == sorted(
        (count, concepts) for count in (*run.recipe.few, run.recipe.pairs) for concepts in ("taught", "held out")
    )


# --- phantastic apply scan


@pytest.fixture
def apply(run: Run, experiment: ModuleType, tmp_path: Path) -> Callable[..., list[str]]:
    """`apply` with its images going to a temporary folder."""

    def call(**request: str) -> list[str]:
        return run.study.load().apply(run, ScanApply(**{"to": str(tmp_path / "imagined.png")} | request))

    return call


@pytest.fixture
def room(tmp_path: Path) -> str:
    """An image file of another size than the rooms."""
    path = tmp_path / "room.png"
    ramp = np.arange(60 * 90 * 3, dtype=np.uint32).reshape(60, 90, 3) % 251
    Image.fromarray(ramp.astype(np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("lang", "phrase", "label"),
    [
        ("en", "red suitcase, blue wall", "red suitcase, blue wall"),
        ("ja", "red suitcase, blue wall", "赤のスーツケース、青の壁"),
        ("en", "赤い帽子", "red hat"),
        ("en", "yellow AND hat", "yellow object AND hat = yellow hat"),
        ("en", "red hat IGNORE red", "red hat IGNORE red object = hat"),
        ("ja", "赤い帽子 共通 赤いスーツケース", "赤の帽子 IN COMMON 赤のスーツケース = 赤の物"),
    ],
)
def test_say(apply, tmp_path, lang, phrase, label):
    assert apply(say=phrase) == [f"{label}: {tmp_path / 'imagined.png'}"]
    first = (tmp_path / "imagined.png").read_bytes()
    with Image.open(tmp_path / "imagined.png") as picture:
        assert picture.width > 8 * 96
        assert picture.height > 2 * 96  # sixteen rooms, three times their size
    apply(say=phrase)
    assert (tmp_path / "imagined.png").read_bytes() == first


def test_say_writes_into_the_run_unless_told_otherwise(run, experiment, tmp_path):
    (line,) = run.study.load().apply(run, ScanApply(say="red hat"))
    assert line == f"red hat: {run.folder / 'imagined.png'}"
    assert (run.folder / "imagined.png").exists()
    (line,) = run.study.load().apply(run, ScanApply(say="red hat", to=str(tmp_path / "a.b.PNG")))
    assert Path(line.removeprefix("red hat: ")).exists()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_look_names_every_level_of_the_hierarchy(run, apply, room, lang):
    lines = apply(look=room)
    headings = [line for line in lines if not line.startswith("  ")]
    assert [heading[-3:] for heading in headings] == ["(4)", "(3)", "(2)", "(1)"]
    expected = ["subordinate", "basic", "basic", "superordinate"] if lang == "en" else ["下位", "基本", "基本", "上位"]
    assert [heading[:-4] for heading in headings] == expected
    levels: list[list[tuple[float, str]]] = []
    for line in lines:
        if not line.startswith("  "):
            levels.append([])
        else:
            probability, words = line.strip().split("  ")
            levels[-1].append((float(probability), words))
    assert [len(level) for level in levels] == [1, 4, 6, 4]
    lexicon = Lexicon(PALETTES[run.recipe.colours])
    for count, level in zip((4, 3, 2, 1), levels, strict=True):
        assert [share for share, _ in level] == sorted((share for share, _ in level), reverse=True)
        for share, words in level:
            assert 0 <= share <= 1
            assert (lexicon.parse(words) >= 0).sum() == count
    whole = lexicon.parse(levels[0][0][1])
    assert all(((part := lexicon.parse(words)) == whole)[part >= 0].all() for level in levels for _, words in level)
    assert levels[0][0][0] == pytest.approx(math.prod(share for share, _ in levels[3]), abs=0.02)
    assert (
        sum(share for share, _ in levels[3]) > 1 / 3 + 3 / run.recipe.colours - 0.02
    )  # each is the likeliest value of its factor


def test_probabilities_of_words_are_shares_of_their_factor():
    """Whatever is added to the logits of a factor: .5 for the first identity and .7 for the second of every colour."""
    rooms = Rooms(32, 4)
    shares = [[0.5, 0.3, 0.2], *[[0.1, 0.7, 0.1, 0.1]] * 3]
    logits = torch.cat([torch.tensor(each).log() + 5 for each in shares])
    lines = put_into_words(logits, rooms, Lexicon(rooms.palette))
    told = [float(line.split()[0]) for line in lines if line.startswith("  ")]
    assert told == [0.17, 0.34, 0.24, 0.24, 0.24, 0.49, 0.49, 0.49, 0.35, 0.35, 0.35, 0.7, 0.7, 0.7, 0.5]


def test_an_image_may_be_the_first_operand(apply, room, tmp_path):
    assert apply(say="AND red wall", look=room) == [f"the image AND red wall: {tmp_path / 'imagined.png'}"]
    with speaking("ja"):
        said = apply(say="IGNORE 赤い壁", look=room)
    assert said == [f"画像 IGNORE 赤の壁: {tmp_path / 'imagined.png'}"]
    other = tmp_path / "other.png"
    Image.new("RGB", (32, 32), (20, 20, 200)).save(other)
    first = (tmp_path / "imagined.png").read_bytes()
    with speaking("ja"):
        apply(say="IGNORE 赤い壁", look=str(other))
    assert (tmp_path / "imagined.png").read_bytes() != first


def test_look_and_say_side_by_side(apply, room):
    lines = apply(look=room, say="red hat")
    assert lines[:-1] == apply(look=room)
    assert lines[-1].startswith("red hat: ")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, 'give --say "red suitcase, blue wall" or --look FILE.png'),
        ({"say": "red sutcase"}, "unknown word 'sutcase' in 'red sutcase'; did you mean 'suitcase'?"),
        ({"say": "pink hat"}, "unknown word 'pink'"),  # not among the few colours of the tiny preset
        ({"say": "黄緑の壁"}, "unknown word '黄緑'"),
        ({"say": ""}, "names nothing"),
        ({"say": "AND hat"}, "'AND hat' lacks its first operand; write it, or give an image by --look"),
        ({"say": "red AND blue"}, "nothing can be both"),
        ({"say": "red hat", "to": "hat.jpg"}, "--to hat.jpg: this is written as .png"),
        ({"say": "red hat", "look": "absent.png"}, "absent.png"),
        ({"look": "absent.png"}, "absent.png"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(apply, tmp_path, monkeypatch, request_, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as refusal:
        apply(**request_)
    assert message in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_picture_is_refused_by_name(apply, tmp_path):
    (tmp_path / "words.png").write_text("red hat")
    with pytest.raises(Refused, match=r"words\.png"):
        apply(look=str(tmp_path / "words.png"))


# --- what is seen while it runs


def test_pictures_appear_as_it_learns_and_change_nothing(run: Run, experiment: ModuleType, tmp_path: Path):
    watched = Run.create(SCAN, run.recipe, "tiny", tmp_path)
    report = Growing(watched)
    shown: list[tuple[str, int]] = []

    def show(name: str, draw: Callable[[], Figure]) -> None:
        shown.append((name, len(watched.checkpoints.latest.finished)))
        report(name, draw)

    watched.show = show
    with speaking("ja"):
        execute(watched)
    names = [name for name, _ in shown]
    assert shown[0] == ("rooms", 0)  # before anything is learned
    assert names.count("latents") > 3
    assert {finished for name, finished in shown if name == "latents"} == {1}  # while the module learns
    assert names[-2:] == ["imagined", "imagined"]  # without the operators, and with them
    page = (watched.folder / "report.html").read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' in page
    assert page.count("<figure>") == 3
    assert (
        page.index("SCAN が言葉から") < page.index("潜在変数") < page.index("視覚モジュールが見る部屋")
    )  # newest first
    assert {path.stem for path in (watched.folder / "figures").glob("*.png")} == {"rooms", "latents", "imagined"}
    assert watched.measures() == run.measures()
    watched.finish()
    publish(watched)
    assert 'http-equiv="refresh"' not in (watched.folder / "report.html").read_text(encoding="utf-8")
    watched.close()


def test_what_was_never_taught_is_marked(run: Run, experiment: ModuleType):
    rooms = Rooms(run.recipe.size, run.recipe.colours)
    lexicon = Lexicon(rooms.palette)
    concepts, _ = draw_concepts(rooms.vocabulary, run.recipe)
    taught, tests = draw_held_out(rooms.vocabulary, 12, 240, run.recipe.seed)
    operations = unseen_operations(lexicon, concepts, tests)
    assert operations
    known = {tuple(row) for row in (*concepts, *taught.result)}
    for text in operations:
        operator, first, second = lexicon.parse_operation(text)
        assert tuple(LOGIC[operator](first[None], second[None])[0]) not in known
    labels: list[str] = []
    trained = run.study.load().networks(run)
    mind = grounded(trained["visual"], trained["denoiser"], trained["scan"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "image_grid", lambda images, names, **_: labels.extend(names))
        some = np.concatenate([concepts, lexicon.parse(figures.PHRASES[1])[None]])
        figures.imagined(mind, trained["operators"], rooms, some, tests, 0)
    assert labels[0].startswith("true rooms: ")
    assert "never taught" not in labels[2]  # red suitcase, which was put among the concepts
    assert all("never taught" in label for label in labels[1 + len(figures.PHRASES) :])
