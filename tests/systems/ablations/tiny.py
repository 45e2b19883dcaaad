"""The study `ablations`: one thing changes at a time, budgets match, asking changes nothing, a stop costs nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from halted import halted

from phantastic.declare.measure import Measure
from phantastic.declare.recipe import compose
from phantastic.declare.verdicts import judge
from phantastic.ground.randomness import initialised
from phantastic.pretraining.batches import Batch
from phantastic.pretraining.plan import Plan, build, leftward, next_words
from phantastic.run.folder import Run
from phantastic.systems.ablations import conditions, experiment, transfer_methods
from phantastic.systems.ablations.study import STUDY, AblationsRecipe
from phantastic.tuning import tasks
from phantastic.tuning.finetune import Tuning
from phantastic.tuning.texts import Reader, grammar

JAPANESE = re.compile("[぀-ヿ一-鿿]")
PLAN = Plan(1, 8, 2, 16, 1, 8, 1e-3)


@pytest.fixture
def run(tiny_run: Callable[[str], Run]) -> Run:
    return tiny_run("ablations")


@pytest.mark.parametrize("preset", STUDY.presets)
def test_one_thing_changes_at_a_time_and_all_read_as_much(preset: str) -> None:
    recipe = STUDY.presets[preset]
    assert isinstance(recipe, AblationsRecipe)
    plans = conditions.plans(recipe)
    full = plans["full"]
    changed = {
        name: {field for field in Plan._fields if getattr(plan, field) != getattr(full, field)}
        for name, plan in plans.items()
    }
    assert all(not {"steps", "batch", "rate", "longest"} & fields for fields in changed.values())
    assert changed.pop("no-nsp") == {"next_sentence"}
    assert changed.pop("ltr") == {"masking", "next_sentence"}
    assert all(fields == {"masking"} for name, fields in changed.items() if name.startswith("masking"))
    sizes = [build(plan, 100, 0) for plan in conditions.sizes(full).values()]
    weights = [sum(weight.numel() for weight in network.parameters()) for network in sizes]
    assert len(weights) == 4
    assert sorted(set(weights)) == weights


def test_the_six_rows_of_the_table() -> None:
    shown = {name: (*pair, 1 - sum(pair)) for name, pair in conditions.MASKINGS.items()}
    for name, shares in shown.items():
        assert [round(100 * share) for share in shares] == [int(part) for part in name.split("-")]
    assert len(shown) == 6


def test_next_words_are_asked_of_the_words_before_them() -> None:
    """A network that always says the word it has just read is right where words are repeated."""

    class Echo:
        def __call__(self, ids: torch.Tensor, **asked: torch.Tensor):
            seen = ids.gather(1, asked["prediction_positions"])
            return type("Result", (), {"prediction_logits": 50.0 * torch.nn.functional.one_hot(seen, 9)})

    def loss(ids: list[int], present: list[int]) -> float:
        row, none = torch.tensor([ids]), torch.zeros(1, 0)
        batch = Batch(row, torch.tensor([present]), torch.zeros_like(row), none, none, none)
        return float(next_words(Echo(), batch)["loss"])  # pyright: ignore

    assert loss([2, 5, 5, 5, 5], [1] * 5) == pytest.approx(0, abs=1e-6)
    assert loss([2, 5, 6, 5, 6], [1] * 5) == pytest.approx(50, rel=1e-3)
    assert loss([2, 5, 5, 0, 0], [1, 1, 1, 0, 0]) == pytest.approx(0, abs=1e-6)


def test_a_recurrent_network_on_top_sees_both_sides_and_no_padding() -> None:
    network = build(PLAN, 40, 0)
    with initialised(0, "test"):
        top = transfer_methods.Recurrent(network.transformer, 8, 1, frozen=False).eval()
    ids = torch.tensor([[2, 7, 8, 9, 3]])
    present = torch.ones_like(ids)
    states = top(ids, attention_mask=leftward(present))
    changed = ids.clone()
    changed[0, 3] = 11
    assert not torch.allclose(states.last[0, 1], top(changed, attention_mask=leftward(present)).last[0, 1])
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
    longer = top(padded, attention_mask=leftward((padded != 0).long()))
    assert torch.allclose(longer.last[:, :5], states.last, atol=1e-6)
    assert torch.allclose(longer.pooled, states.pooled, atol=1e-6)


@pytest.mark.parametrize("way", ["tuned", "lstm", "features"])
def test_asking_leaves_the_network_as_it_is_and_draws_the_same_again(way: str) -> None:
    source = grammar(8_192)
    reader = Reader(source.wordpiece.tokenizer, 128)
    network = build(PLAN, len(reader), 0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task = next(task for task in tasks.of_grammar(0, 12, 8) if task.name == "tagging")
    found = [transfer_methods.worth(network, task, way, reader, Tuning(3, 4, 1e-2), 0.1, 0) for _ in range(2)]
    assert found[0] == found[1]
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())


def test_costs_are_what_is_lost() -> None:
    """Every row is worth .5, but for what is said here."""
    names = [row.measure for row in conditions.asked(STUDY.presets["tiny"])]  # pyright: ignore[reportArgumentType]
    worth = dict.fromkeys(names, 0.5) | {
        "direction.full.entailment": 0.8, "direction.full.paraphrase": 0.6, "direction.no-nsp.acceptability": 0.7,
        "masking.80-10-10.questions.tuned": 0.9, "masking.100-0-0.questions.tuned": 0.7,
        "masking.100-0-0.tagging.features": 0.6,
    }  # fmt: skip
    found = experiment.differences({name: Measure(value, [value]) for name, value in worth.items()})
    assert {name: measure.value for name, measure in found.items()} == pytest.approx({
        "nsp.cost.pairs": 0.2, "nsp.cost.single": -0.2,
        "masking.cost-of-mask.questions.tuned": 0.2,
        "masking.cost-of-mask.tagging.tuned": 0.0,
        "masking.cost-of-mask.tagging.features": -0.1,
    })  # fmt: skip


def test_the_four_sizes_by_hand() -> None:
    """Of 3 layers of 64, with 4 heads: a quarter of the width, half of it, all of it, and twice the depth; a width is a
    multiple of the heads, and never less than one for each."""
    found = {
        name: (p.layers, p.width, p.hidden) for name, p in conditions.sizes(Plan(3, 64, 4, 256, 1, 8, 1e-3)).items()
    }
    assert found == {"size-1": (3, 16, 64), "size-2": (3, 32, 128), "full": (3, 64, 256), "size-4": (6, 64, 256)}
    assert [plan.width for plan in conditions.sizes(Plan(1, 20, 4, 80, 1, 8, 1e-3)).values()] == [4, 8, 20, 20]


def test_every_row_asks_the_network_that_it_names() -> None:
    rows = {row.measure: row[1:] for row in conditions.asked(STUDY.presets["tiny"])}  # pyright: ignore
    expected = {
        "masking.80-10-10.questions.tuned": ("full", "tuned", "questions"),
        "masking.80-10-10.tagging.features": ("full", "features", "tagging"),
        "masking.80-20-0.tagging.tuned": ("masking-80-20-0", "tuned", "tagging"),
        "size.1.questions": ("size-1", "tuned", "questions"),
        "size.3.acceptability": ("full", "tuned", "acceptability"),
        "size.4.questions": ("size-4", "tuned", "questions"),
        "direction.ltr.entailment": ("ltr", "tuned", "entailment"),
        "direction.ltr-lstm.questions": ("ltr", "lstm", "questions"),
        "direction.no-nsp.paraphrase": ("no-nsp", "tuned", "paraphrase"),
    }  # fmt: skip
    assert {name: rows[name] for name in expected} == expected
    assert len(rows) == 6 * 3 + 4 * 2 + 4 * 4


def test_the_curve_begins_at_a_tenth_and_ends_with_the_training() -> None:
    """A geometric progression: 100, 100 · 10^(1/3), 100 · 10^(2/3), 1000."""
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"steps": 1000, "moments": 4})
    assert experiment.Setting(recipe, 0).moments() == [100, 215, 464, 1000]  # pyright: ignore[reportArgumentType]


def test_a_point_of_the_curve_is_what_was_found_at_its_step() -> None:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"steps": 1000, "moments": 3})
    setting = experiment.Setting(recipe, 7)  # pyright: ignore[reportArgumentType]
    asked = {}

    class Kept:
        def result(self, name: str, of: type) -> Measure:
            return asked.setdefault(name, Measure(len(asked), [0.0]))

    last = {(name, "tuned", "questions"): Measure(9, [9.0]) for name in ("full", "ltr")}
    found = experiment.curve(Kept(), setting, last)  # pyright: ignore[reportArgumentType]
    assert list(asked) == [f"seed7/{name}/step{step}" for name in ("full", "ltr") for step in (100, 316)]
    assert {name: one.value for name, one in found.items()} == {
        "curve.full.1": 0, "curve.full.2": 1, "curve.full.last": 9,
        "curve.ltr.1": 2, "curve.ltr.2": 3, "curve.ltr.last": 9,
    }  # fmt: skip


def test_an_untrained_network_is_surprised_by_log_of_the_vocabulary() -> None:
    """With no weights in the scores every token is as likely; in a batch 15% of the words are asked, all shown as
    [MASK]."""
    source = grammar(8_192)
    network = build(PLAN, len(source.wordpiece), 0).eval()
    for name, weight in network.named_parameters():
        if name.startswith("head") or "words.weight" in name:
            torch.nn.init.zeros_(weight)
    size = torch.tensor(float(len(source.wordpiece))).log()
    found = experiment.masked_loss(network, source, PLAN, 0, 3)
    assert found.value == pytest.approx(float(size), rel=1e-5)
    assert found.low == pytest.approx(found.high)
    assert experiment.next_word_loss(network, source, PLAN, 0) == pytest.approx(float(size), rel=1e-5)


def test_measured_are_texts_that_no_network_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Seen(experiment.Examples):
        def __init__(self, *given: object, **named: object):
            super().__init__(*given, **named)  # pyright: ignore
            made.append((named["purpose"], named["masking"]))

    monkeypatch.setattr(experiment, "Examples", Seen)
    source = grammar(8_192)
    network = build(PLAN, len(source.wordpiece), 0).eval()
    experiment.masked_loss(network, source, PLAN, 0, 1)
    experiment.next_word_loss(network, source, PLAN, 0, 1)
    assert made == [("test", (0.15, 1.0, 0.0)), ("test", (0.0, 0.0, 1.0))]


def test_an_odd_width_is_no_obstacle() -> None:
    network = build(PLAN._replace(width=9, heads=1), 40, 0)
    top = transfer_methods.Recurrent(network.transformer, 9, 2, frozen=True)
    assert top(torch.tensor([[2, 7, 3]])).last.shape == (1, 3, 9)


def test_features_are_not_tuned() -> None:
    network = build(PLAN, 40, 0)
    task = tasks.Task("tags", "tags", 3, ("accuracy",), [], [])
    model = transfer_methods.prepared(network, task, "features", 0, 0.1)
    learned = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learned
    assert not any("below" in name for name in learned)
    assert any(
        "below" in name for name, _ in transfer_methods.prepared(network, task, "lstm", 0, 0.1).named_parameters()
    )


def test_what_is_tuned_has_dropout_and_features_have_none() -> None:
    task = tasks.Task("tags", "tags", 3, ("accuracy",), [], [])
    for way, expected in (("tuned", {0.1}), ("lstm", {0.1}), ("features", {0.0})):
        model = transfer_methods.prepared(build(PLAN, 40, 0), task, way, 0, 0.1)
        rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
        assert rates == expected, way
        lstm = [module for module in model.modules() if isinstance(module, torch.nn.LSTM)]
        assert [each.num_layers for each in lstm] == {"tuned": [], "lstm": [1], "features": [2]}[way]


# --- the study


def test_every_claim_has_its_measures(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "full")
    assert {finding.claim.id for finding in findings if finding.verdict == "untested"} == set()
    assert len(findings) == 11


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Run, tmp_path: Path) -> None:
    stages, measures = halted(STUDY, tmp_path, "masking-80-20-0")
    assert "seed0/full" not in stages
    assert measures == run.measures()


def test_a_task_is_worth_its_first_official_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of words from left to right, and only they, are asked with a mask of words that follow."""
    source = grammar(8_192)
    network = build(PLAN, len(source.wordpiece), 0)
    masks = []
    monkeypatch.setattr(experiment, "worth", lambda *given: masks.append(given[-1]))
    setting = experiment.Setting(STUDY.presets["tiny"], 0)  # pyright: ignore[reportArgumentType]
    for name in ("full", "ltr", "no-nsp"):
        setting.worth(network, setting.plans[name], "tuned", "questions")
    assert masks == [None, leftward, None]
    monkeypatch.setattr(transfer_methods.measure, "scores", lambda task, *_: {"f1": 1.0, "exact": 2.0})
    task = next(task for task in tasks.of_grammar(0, 4, 4) if task.name == "questions")
    reader = Reader(source.wordpiece.tokenizer, 128)
    found = transfer_methods.worth(network, task, "tuned", reader, Tuning(1, 4, 1e-3), 0.0, 0)
    assert found == {"f1": 1.0, "exact": 2.0}[task.measures[0]]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_four_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["masking", "size", "direction", "tasks"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name
