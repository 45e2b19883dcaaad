"""The study `ablations`: one thing changes at a time, budgets match, asking changes nothing, a stop costs nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from phantastic.declare.claims import Measure, judge
from phantastic.declare.recipe import compose
from phantastic.ground.errors import Stopped
from phantastic.ground.randomness import initialised
from phantastic.pretraining.batches import Batch
from phantastic.pretraining.plan import Plan, build, leftward, next_words
from phantastic.run.execute import execute
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


def test_costs_are_what_is_lost_and_the_best_rival_is_another_masking() -> None:
    """Every row is worth .5, but for what is said here."""
    names = [row.measure for row in conditions.asked(STUDY.presets["tiny"])]  # pyright: ignore[reportArgumentType]
    worth = dict.fromkeys(names, 0.5) | {
        "direction.full.entailment": 0.8, "direction.full.paraphrase": 0.6, "direction.no-nsp.acceptability": 0.7,
        "masking.80-10-10.questions.tuned": 0.9, "masking.100-0-0.questions.tuned": 0.7,
        "masking.100-0-0.tagging.features": 0.6, "masking.0-0-100.tagging.tuned": 0.55,
    }  # fmt: skip
    found = experiment.differences({name: Measure(value, [value]) for name, value in worth.items()})
    assert {name: measure.value for name, measure in found.items()} == pytest.approx({
        "nsp.cost.pairs": 0.2, "nsp.cost.single": -0.2,
        "masking.best-other.questions.tuned": 0.7, "masking.cost-of-mask.questions.tuned": 0.2,
        "masking.best-other.tagging.tuned": 0.55, "masking.cost-of-mask.tagging.tuned": 0.0,
        "masking.best-other.tagging.features": 0.6, "masking.cost-of-mask.tagging.features": -0.1,
    })  # fmt: skip


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


# --- the study


def test_every_claim_has_its_measures(run: Run) -> None:
    findings = judge(STUDY.claims(), run.measures(), "full")
    assert {finding.claim.id for finding in findings if finding.verdict == "untested"} == set()
    assert len(findings) == 11


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Run, tmp_path: Path) -> None:
    recipe = compose(STUDY.recipe, STUDY.presets, "tiny", {"device": "cpu"})
    other = Run.create(STUDY, recipe, "tiny", tmp_path)

    def stop(event: str) -> None:
        if other.clock.name.endswith("masking-80-20-0"):
            raise Stopped

    other.clock.watch = stop
    with pytest.raises(Stopped):
        execute(other)
    stages: list[str] = []
    other.clock.watch = lambda event: stages.append(other.clock.name) if other.clock.steps else None
    execute(other)
    other.close()
    assert "seed0/full" not in stages
    assert other.measures() == run.measures()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_four_figures_are_drawn_in_both_languages(run: Run, lang: str) -> None:
    figures = run.study.load().figures(run)
    assert list(figures) == ["masking", "size", "direction", "tasks"]
    for name, (caption, picture) in figures.items():
        text = json.dumps(picture.to_dict(validate=False), ensure_ascii=False)  # pyright: ignore
        assert bool(JAPANESE.search(caption)) == bool(JAPANESE.search(text)) == (lang == "ja"), name
        assert not re.search(r"NaN|Infinity", text), name
