"""The training loop step by step, in numbers worked out by hand: step sizes, gradients, sums, times of saving."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from toys.study import TOY, ToyRecipe

from phantastic.ground.errors import Refused, Stopped
from phantastic.run import stages
from phantastic.run.folder import Run
from phantastic.run.train import train

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("phantastic.run.folder.git_revision", lambda: "")
    monkeypatch.setattr("os.fsync", lambda number: None)  # nothing here is about a crash
    run = Run.create(TOY, ToyRecipe(precision="float32", threads=1, device="cpu"), "tiny", tmp_path, "run")
    run.checkpoint_seconds = math.inf
    return run


class Weights(nn.Module):
    """Some numbers, each at 0."""

    def __init__(self, *names: str):
        super().__init__()
        for name in names or ("w",):
            setattr(self, name, nn.Parameter(torch.zeros(())))


def learn(
    run: Run,
    module: Weights,
    losses: Callable[[int], Mapping[str, Tensor]] | None = None,
    steps: int = 5,
    lr: float = 1.0,
    stage: str = "fit",
    **how: object,
) -> None:
    """Steepest descent; without ``losses`` the loss is the weight, whose slope is 1."""
    optimisers = {"loss": torch.optim.SGD(module.parameters(), lr)}
    train(run, stage, {"m": module}, optimisers, losses or (lambda step: {"loss": module.w}), steps=steps, **how)


def test_a_step_goes_down_the_slope_of_its_own_batch_by_its_own_share(run: Run) -> None:
    """Slopes 1, 2, 4, 8 and shares ½, ¼, 1, 0 of a step size of 3."""
    module = Weights()
    shares = [0.5, 0.25, 1.0, 0.0]
    learn(run, module, lambda step: {"loss": 2**step * module.w}, 4, 3.0, rate=lambda step: shares[step])
    assert module.w.item() == -3 * (0.5 * 1 + 0.25 * 2 + 4)
    assert [point["loss"] for point in run.curve()] == [0.0, -1.5 * 2, -3 * 4, -15 * 8]


def test_every_optimiser_minimises_the_loss_of_its_name(run: Run) -> None:
    one, two = Weights(), Weights()
    optimisers = {"two": torch.optim.SGD(two.parameters(), 1.0), "loss": torch.optim.SGD(one.parameters(), 1.0)}
    train(run, "fit", {"1": one, "2": two}, optimisers, lambda step: {"loss": one.w, "two": -3 * two.w}, steps=2)
    assert (one.w.item(), two.w.item()) == (-2, 6)


def test_means_of_large_and_small_numbers_are_exact(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 32 bits a hundred million swallows the ones after it."""
    monkeypatch.setattr("phantastic.run.train.LOGGED_POINTS", 1)
    module, numbers = Weights(), [1e8, 1.0, 3.0, 4.0]
    learn(run, module, lambda step: {"loss": module.w * 0, "number": torch.tensor(numbers[step])}, 4)
    assert [point["number"] for point in run.curve()] == [25_000_002.0]


def test_while_it_is_trained_a_network_is_in_training_and_afterwards_it_is_not(run: Run) -> None:
    module, seen = Weights().eval(), []

    def losses(step: int) -> dict[str, Tensor]:
        seen.append((module.training, run.stop.training, run.clock.name, run.clock.step, run.clock.steps))
        return {"loss": module.w}

    learn(run, module, losses, 2)
    assert seen == [(True, True, "fit", 0, 2), (True, True, "fit", 1, 2)]
    assert (module.training, run.stop.training) == (False, False)


def test_steps_are_saved_as_often_as_was_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of steps that take a second each, every third; what is saved with it is where the time went."""
    now, saved, module = [0.0], [], Weights()
    monkeypatch.setattr("phantastic.run.train.LOGGED_POINTS", 1)
    monkeypatch.setattr("phantastic.run.train.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(stages, "monotonic", lambda: now[0])
    run.checkpoint_seconds = 3.0
    run.clock.since = 0.0

    def losses(step: int) -> dict[str, Tensor]:
        latest = run.checkpoints.latest.step
        if latest not in saved:
            saved.append(latest)
            times = stages.read(run.folder).current
            assert (times.share, times.trained, times.seconds) == (latest / 11, latest, latest)
        now[0] += 1
        return {"loss": module.w}

    learn(run, module, losses, 11)
    assert saved == [0, 3, 6, 9]


def test_what_is_to_be_shown_at_the_step_of_a_stop_is_shown(run: Run) -> None:
    module, shown = Weights(), []

    def losses(step: int) -> dict[str, Tensor]:
        run.stop.set() if step == 2 else None
        return {"loss": module.w}

    with pytest.raises(Stopped, match="stopped at stage fit, step 3"):
        learn(run, module, losses, at={3: lambda: shown.append(module.w.item())})
    assert shown == [-3]
    assert (run.checkpoints.latest.step, run.stop.training) == (3, False)


def test_a_resumed_stage_stands_where_it_stood(run: Run) -> None:
    module, again, seen = Weights(), Weights(), []
    run.stop.set()
    with pytest.raises(Stopped):
        learn(run, module, steps=4)
    run.close()
    after = Run.open(run.folder, writing=True)

    def losses(step: int) -> dict[str, Tensor]:
        seen.append((after.clock.step, after.clock.current.share))
        return {"loss": again.w}

    learn(after, again, losses, 4)
    assert seen[0] == (1, 0.25)
    assert again.w.item() == -4
    after.close()


def test_the_progress_of_another_stage_is_not_gone_on_with(run: Run) -> None:
    run.checkpoints.save("other", 3, {"m/w": torch.tensor(100.0)})
    module = Weights()
    learn(run, module, steps=4)
    assert module.w.item() == -4
    assert len(run.curve()) == 4


def test_a_checkpoint_that_does_not_fit_is_named(run: Run) -> None:
    run.checkpoints.save("fit", 3, {"m/v": torch.zeros(())})
    with pytest.raises(Refused, match=r"checkpoints/fit-00000003\.safetensors does not fit the module 'm'"):
        learn(run, Weights())


@pytest.mark.parametrize(("saved", "kept"), [("", "its beginning"), ("fit", "step 1"), ("other", "its beginning")])
def test_who_diverged_is_told_where_the_stage_stands_and_what_to_try(run: Run, saved: str, kept: str) -> None:
    module = Weights()
    if saved:
        run.checkpoints.save(saved, 1, {"m/w": torch.zeros(())})
    with pytest.raises(Refused) as refusal:
        learn(run, module, lambda step: {"loss": module.w * math.nan}, 3)
    assert str(refusal.value) == (
        f"training diverged: loss = nan at stage fit, step {2 if saved == 'fit' else 1} of {run.folder}; the stage "
        f"stands at {kept}. Try a lower learning rate or --set precision=float32 in a new run"
    )
    assert not run.stop.training


def test_a_folder_that_went_while_a_step_was_made_is_not_made_anew(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phantastic.run.train.LOGGED_POINTS", 1)
    module = Weights()
    run.checkpoint_seconds = 0.0

    def losses(step: int) -> dict[str, Tensor]:
        run.folder.rename(tmp_path / "elsewhere") if step == 2 else None
        return {"loss": module.w}

    with pytest.raises(Refused, match="was moved or deleted while it was in use"):
        learn(run, module, losses)
    assert not run.folder.exists()
    run.release()
