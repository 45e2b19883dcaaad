"""The learning rate is chosen on examples that were held out, and on nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from phantastic.systems.finetune import search
from phantastic.systems.finetune.study import STUDY
from phantastic.tuning import finetune, further, tasks
from phantastic.tuning.tasks import Example


def test_what_is_held_out_is_not_learned_from() -> None:
    for task in (*tasks.of_grammar(0, 400, 20), *further.of_grammar(0, 400, 20)):
        learned, held = search.held_out(task, 60)
        tested = {example.texts for example in task.test}
        assert 15 <= len(held) <= 60, task.name
        assert len(learned) >= 340
        assert not {example.texts for example in held} & ({example.texts for example in learned} | tested), task.name
    twice = tasks.of_grammar(0, 400, 20)[0]._replace(train=[Example((word,), 0) for word in "abcabcab"])
    learned, held = search.held_out(twice, 60)
    assert (len(learned), held) == (6, [])
    assert len(search.held_out(twice, 1)[0]) == 7


def test_the_best_on_what_was_held_out_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates of which the second is best there; the network that comes back is the one it trained."""
    kept: dict[str, Any] = {}
    trained: list[str] = []

    def train(run: object, name: str, modules: dict[str, Any], *_: object, **__: object) -> None:
        trained.append(name)
        modules["model"].name = name

    run: Any = SimpleNamespace(
        recipe=STUDY.presets["tiny"].__class__(tuning_rates=(1e-2, 1e-3, 1e-4)),
        once=lambda name, compute, kind: kept.setdefault(name, compute()),
        result=lambda name, kind: kept[name],
    )
    worth = {"0.01": 0.2, "0.001": 0.9, "0.0001": 0.4}
    monkeypatch.setattr(search, "train", train)
    monkeypatch.setattr(search, "score", lambda model, *_: worth[model.name.split("/")[-1]])
    monkeypatch.setattr(finetune, "with_head", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(finetune, "tuning", lambda *_: (None, None))
    monkeypatch.setattr(finetune, "encode", lambda *_: [])
    task = tasks.of_grammar(0, 40, 4)[0]
    found: Any = search.tuned(run, 3, None, None, task, "fresh")  # pyright: ignore[reportArgumentType]
    assert found.model.name == found.stage == "seed3/acceptability/fresh/0.001"
    assert trained == [f"seed3/acceptability/fresh/{rate}" for rate in ("0.01", "0.001", "0.0001", "0.001")]
    assert search.best_stage(run, 3, task, "fresh") == found.stage


def test_a_score_is_the_first_measure_of_what_was_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.of_grammar(0, 40, 8)[2]
    held = task.train[:4]
    asked: list[Any] = []

    def answers(model: object, given: tasks.Task, reader: object) -> list[Any]:
        asked.append(given.test)
        return [*(example.target for example in held[:3]), (int(held[3].target) + 1) % 3]  # pyright: ignore

    monkeypatch.setattr(finetune, "answers", answers)
    network: Any = torch.nn.Identity()
    assert search.score(network, task, held, None) == 0.75  # pyright: ignore[reportArgumentType]
    assert asked == [held]
    assert search.score(network, task, [], None) == 0  # pyright: ignore[reportArgumentType]
