"""The study `bert` at its tiny preset: what it leaves behind, its pictures, and what it does with a person's text."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from phantastic.declare.i18n import speaking
from phantastic.declare.measure import Measure
from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.ground.errors import Refused
from phantastic.lesion import damage
from phantastic.nn.language import load_pretrained
from phantastic.nn.language.bert import Bert
from phantastic.pretraining import plan
from phantastic.pretraining.batches import language
from phantastic.pretraining.wordpiece import CLS, SEP, load
from phantastic.run.execute import execute
from phantastic.run.folder import Run
from phantastic.systems.bert import apply
from phantastic.systems.bert.experiment import trained
from phantastic.systems.bert.inputs import parts
from phantastic.systems.bert.reading import read, sentences_of
from phantastic.systems.bert.study import STUDY, BertApply, BertRecipe
from phantastic.world import sentences as world

JAPANESE = re.compile("[぀-ヿ一-鿿]")


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("bert")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_every_preset_is_valid(preset: str) -> None:
    assert compose(STUDY.recipe, STUDY.presets, preset, {}) == STUDY.presets[preset]


@pytest.mark.parametrize(
    ("preset", "layers", "width", "heads", "millions"),
    [("compact-2-128", 2, 128, 2, 4.4), ("compact-4-256", 4, 256, 4, 11.2), ("compact-4-512", 4, 512, 8, 28.8),
     ("compact-8-512", 8, 512, 8, 41.4), ("paper", 12, 768, 12, 110.1), ("large", 24, 1024, 16, 336.2)],
)  # fmt: skip
def test_the_published_sizes_are_the_published_ones(
    preset: str, layers: int, width: int, heads: int, millions: float
) -> None:
    """With the published vocabulary, positions and without the scores of words, as Devlin et al. and Turc et al. count
    their parameters."""
    recipe: Any = STUDY.presets[preset]
    assert (recipe.layers, recipe.width, recipe.heads) == (layers, width, heads)
    assert recipe.hidden == 4 * width
    embeddings = (30_522 + 512 + 2) * width + 2 * width
    block = 4 * (width * width + width) + 2 * width * recipe.hidden + recipe.hidden + width + 4 * width
    pooler = width * width + width
    assert (embeddings + layers * block + pooler) / 1e6 == pytest.approx(millions, rel=0.02)


def test_what_a_run_leaves_behind(run: Run) -> None:
    from transformers import AutoModelForPreTraining

    found = run.measures()
    assert set(found) >= {"masked.loss", "masked.floor", "masked.excess", "next.accuracy", "next.bayes", "agreement"}
    assert found["masked.loss"].value / found["masked.floor"].value - 1 == pytest.approx(found["masked.excess"].value)
    assert found["perplexity"].value == pytest.approx(np.exp(found["masked.loss"].value))
    assert found["masked.loss"].value < np.log(len(load(run.folder / "pretrained")))  # it has learned something
    ours: Any = run.study.load().networks(run)["bert"]
    again = load_pretrained(run.folder / "pretrained")
    theirs = AutoModelForPreTraining.from_pretrained(run.folder / "pretrained").eval()
    ids = torch.tensor([[2, 40, 41, 4, 42, 3]])
    with torch.no_grad():
        expected = ours(ids).prediction_logits
        assert again(ids).prediction_logits.equal(expected)
        assert (theirs(ids).prediction_logits - expected).abs().max() < 1e-5


def test_the_library_reads_the_tokenizer(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    found = language("japanese")
    found.wordpiece.save(tmp_path)
    text = world.documents(found.grammar, 0, "test", 0, 1).japanese.text(0)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs(text)["input_ids"] == [CLS, *found.wordpiece.encode(text), SEP]


def test_the_claims_can_fail() -> None:
    def verdicts(excess: float, share: float, agreement: float) -> list[str]:
        found = {"masked.excess": excess, "next.share": share, "agreement.attractors1": agreement}
        measures = {name: Measure(value, [value], value - 0.005, value + 0.005) for name, value in found.items()}
        return [finding.verdict for finding in judge(STUDY.claims(), measures, "quick")]

    assert verdicts(0.09, 0.96, 0.97) == ["holds"] * 3
    assert verdicts(0.099, 0.951, 0.951) == ["undecided"] * 3
    assert verdicts(0.11, 0.86, 0.94) == ["fails"] * 3


def test_another_language_and_dropout_and_bfloat16(tmp_path: Path) -> None:
    changes = {"language": "japanese", "dropout": 0.1, "precision": "bfloat16", "steps": 3, "next_sentence": False}
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", changes)
    found = []
    for name in ("one", "other"):
        run = Run.create(STUDY, recipe, "tiny", tmp_path, name)
        execute(run)
        found.append((run.folder / "measures.json").read_bytes())
        assert "agreement" not in run.measures()
        assert "agreement" not in run.study.load().figures(run)
        networks = run.study.load().networks(run)
        assert run.study.load().lesion_measures(run, networks).keys() == {"masked.loss", "next.accuracy"}
        assert run.study.load().lesion_answers(run, networks) == {}
        run.close()
    assert found[0] == found[1]  # dropout, too, is drawn from the seed


def test_the_answers_behind_a_lesion_are_those_that_were_counted(run: Run) -> None:
    """Item by item the same verbs, whole or damaged; the share of right forms is what is measured."""
    experiment = run.study.load()
    networks = experiment.networks(run)
    whole = experiment.lesion_answers(run, networks)
    assert list(whole) == ["right", "wrong", "attractors", "distance", "preferred"]
    assert len(set(map(len, whole.values()))) == 1
    items = list(zip(whole["right"], whole["wrong"], whole["preferred"], strict=True))
    assert all(one != other and preferred in (one, other) for one, other, preferred in items)
    assert min(whole["attractors"]) == 0 < min(whole["distance"])
    words = language("english", run.recipe.vocabulary).words
    assert {*whole["right"], *whole["wrong"]} <= set(words)
    for kind, dose in (("sever", 0), ("sever", 1), ("silence", 1)):
        with damage(networks, "bert.head.words.decoder", kind, dose, seed=0):
            answers = experiment.lesion_answers(run, networks)
            counted = experiment.lesion_measures(run, networks)["agreement"]
        right = [one == other for one, other in zip(answers["right"], answers["preferred"], strict=True)]
        assert np.mean(right) == counted
        assert all(answers[name] == whole[name] for name in ("right", "wrong", "attractors", "distance"))
        assert (answers == whole) == (dose == 0)
    assert answers["preferred"] == answers["wrong"], "a tie is wrong"


def test_without_a_lesion_a_few_pairs_give_what_was_recorded(run: Run) -> None:
    """The tiny study is measured on fewer pairs than a damaged model is: on the same ones, with the same verbs."""
    found = run.study.load().lesion_measures(run, run.study.load().networks(run))
    recorded = run.measures()
    assert found == pytest.approx({name: recorded[name].value for name in found})


def test_what_is_learned_is_looked_at_from_the_first_step_to_the_last_but_one(run: Run) -> None:
    """At steps in geometric progression: 1 and 30 are its ends; between them neighbours have the ratio 30^(1/15)."""
    steps = sorted(int(path.stem.rpartition("step")[2]) for path in (run.folder / "results").glob("seed0.step*.json"))
    assert steps == sorted({int(30 ** (number / 15)) for number in range(15)})


def test_a_killed_run_ends_in_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"steps": 8, "dropout": 0.1, "test": 4})
    whole = Run.create(STUDY, recipe, "tiny", tmp_path, "whole")
    execute(whole)
    broken = Run.create(STUDY, recipe, "tiny", tmp_path, "broken")
    broken.checkpoint_seconds = 0.0
    objective, calls = plan.masked_lm, iter(range(100))

    def dies(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return objective(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(plan, "masked_lm", dies)
        with pytest.raises(KeyboardInterrupt):
            execute(broken)
    broken.close()
    again = Run.open(broken.folder, writing=True)
    execute(again)
    for run in (whole, again):
        run.finish()
        run.close()
    for name in ("model.safetensors", "measures.json", "metrics.jsonl", "pretrained/vocab.txt"):
        assert (whole.folder / name).read_bytes() == (again.folder / name).read_bytes(), name


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["input", "learning", "cloze", "attention", "agreement"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore[reportAttributeAccessIssue]
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name


def test_the_three_vectors_of_the_figure_add_up_to_what_enters_the_layer_norm(run: Run) -> None:
    model, english = trained(run), language(run.recipe.language, run.recipe.vocabulary)
    text = sentences_of(english, "the cow sleeps . the farmer runs .", "test")
    found, entered = parts(model, english, text), []
    assert isinstance(model.transformer, Bert)
    hook = model.transformer.embedding_norm.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    batch = read(english, text)
    model(batch.input_ids, attention_mask=batch.attention_mask, token_type_ids=batch.token_type_ids)
    hook.remove()
    assert found.pieces == ["[CLS]", "the", "cow", "sleeps", ".", "[SEP]", "the", "farmer", "runs", ".", "[SEP]"]
    assert found.sentences == [0] * 6 + [1] * 5
    np.testing.assert_allclose(found.sum, entered[0][0].detach().numpy(), atol=1e-6)
    assert (found.segment[0] == found.segment[5]).all()
    assert (found.segment[0] != found.segment[6]).any()
    assert (found.token[1] == found.token[6]).all()
    assert len(np.unique(found.position, axis=0)) == 11


# --- apply


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_gap_is_filled_beside_the_exact_posterior(run: Run, lang: str) -> None:
    head, *lines = run.study.load().apply(run, BertApply(fill="The cow sleeps. the [MASK] sleeps"))
    assert bool(JAPANESE.search(head)) == (lang == "ja")
    assert len(lines) == 5
    numbers = [[float(part) for part in line.split()[:2]] for line in lines]
    assert all(0 <= number <= 1 for row in numbers for number in row)
    assert numbers == sorted(numbers, key=lambda row: -row[0])
    assert len(run.study.load().apply(run, BertApply(fill="the [MASK] [MASK] ."))) == 12
    with speaking("en"):
        said = run.study.load().apply(run, BertApply(fill="the the [MASK] ."))
    assert said[-1] == "The grammar cannot make this text."


def test_beside_a_word_stands_its_own_exact_probability() -> None:
    """What the grammar gives no probability is 0; where it cannot make the text, nothing is known."""
    likely = {word: chance for chance, word in zip((0.5, 0.25, 0.125, 0.06, 0.05, 0.01), "abcdef", strict=True)}
    lines = apply.filled([likely], [{"b": 0.75, "a": 0.125}])
    assert [line.split() for line in lines[1:]] == [
        ["0.500", "0.125", "a"], ["0.250", "0.750", "b"], ["0.125", "0.000", "c"], ["0.060", "0.000", "d"],
        ["0.050", "0.000", "e"],
    ]  # fmt: skip
    assert apply.filled([likely], [{}])[1].split() == ["0.500", "–", "a"]


def test_attention_is_drawn(run: Run, tmp_path: Path) -> None:
    written = run.study.load().apply(run, BertApply(attend="the cow sleeps", to=str(tmp_path / "heads.png")))
    assert written == [str(tmp_path / "heads.svg"), str(tmp_path / "heads.png")]
    with Image.open(written[1]) as picture:
        assert picture.size[0] > 100


def test_surprisal_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cow sleeps .\nthe cow sleeps . the goats sleep .\nthe the cow .\n", encoding="utf-8")
    head, *lines, table = run.study.load().apply(run, BertApply(surprisal=str(path), to=str(tmp_path / "t.csv")))
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert [len([row for row in rows if row["sentence"] == number]) for number in "123"] == [4, 8, 4]
    assert head.startswith("pseudo-log-likelihood")
    for number, line in enumerate(lines, 1):
        total = sum(float(row["surprisal"]) for row in rows if row["sentence"] == str(number))
        assert float(line.split()[0]) == pytest.approx(-total, abs=2e-3)
    assert "not of the grammar" in lines[2]
    assert {row["exact"] for row in rows if row["sentence"] == "3"} == {""}
    stops = [row for row in rows if row["word"] == "." and row["sentence"] == "1"]
    assert float(stops[0]["exact"]) < 3  # a finite, known number


def test_vectors_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cow sleeps .\nthe cow sleeps . the goats sleep .\n", encoding="utf-8")
    (said,) = run.study.load().apply(run, BertApply(embed=str(path), to=str(tmp_path / "v.safetensors")))
    assert said.startswith("2 sentences, 12 words, 2 layers")
    found = load_file(tmp_path / "v.safetensors")
    recipe: Any = run.recipe
    assert found["0"].shape == (recipe.layers + 1, 4, recipe.width)
    assert found["1"].shape == (recipe.layers + 1, 8, recipe.width)
    assert not np.allclose(found["0"][1], found["1"][1, :4])  # the words beside them differ


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"fill": "the man went to the [MASK]"}, "--fill: the language of this model has no 'man'"),
        ({"fill": "the cow sleeps"}, r"there is no \[MASK\] to fill"),
        ({"fill": ""}, "there is no word"),
        ({"fill": "the [MASK]", "attend": "the cow"}, "takes one of --fill, --attend, --surprisal, --embed"),
        ({"to": "x.png"}, "takes one of"),
        ({"attend": "the cow sleeps", "to": "x.gif"}, r"--to x\.gif: this is written as \.png"),
        ({"surprisal": "nowhere.txt"}, "'nowhere.txt' does not exist"),
    ],
)
def test_bad_requests_are_refused(run: Run, request_: dict[str, str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        run.study.load().apply(run, BertApply(**request_))


def test_a_bad_line_is_named(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    for content, message in (
        ("the cow sleeps .\n\nthe cow .\n", "line 2: blank"),
        ("the cow sleeps .\nthe cow flies .\n", "line 2: the language of this model has no 'flies'"),
        ("", "is empty"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(Refused, match=message):
            run.study.load().apply(run, BertApply(surprisal=str(path)))
    path.write_bytes(b"the cow \xff\n")
    with pytest.raises(Refused, match="line 1: not UTF-8"):
        run.study.load().apply(run, BertApply(embed=str(path)))


def test_recipes_out_of_bounds_are_refused() -> None:
    for change in ({"vocabulary": 100}, {"longest": 20}, {"share": 0}, {"layers": 0}):
        with pytest.raises(Refused):
            compose(BertRecipe, STUDY.presets, "tiny", change)
