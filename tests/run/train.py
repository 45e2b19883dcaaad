"""The training loop: what it logs, and that a stop or a death within a logging interval changes nothing."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toys.study import TOY, ToyRecipe

from phantastic.declare.measure import Measure
from phantastic.ground.errors import Refused, Stopped
from phantastic.ground.randomness import initialised, torch_generator
from phantastic.run.checkpoint import Checkpoints
from phantastic.run.folder import Run
from phantastic.run.train import LOGGED_POINTS, train

POINTS, INTERVAL = 12, 3
STEPS = INTERVAL * POINTS + 2  # the last interval is a step short
SCALARS = "number", "zeta", "alpha", "one", "two", "three"  # logged beside the loss: each is the step's number
pytestmark = pytest.mark.usefixtures("toy", "points")


@pytest.fixture(scope="module")
def points() -> Iterator[None]:
    """A stage has few points, so that many intervals take few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phantastic.run.train.LOGGED_POINTS", POINTS)
        yield


class Killed(BaseException):
    """Ends a run as a kill would: nothing is saved."""


def begun(root: Path) -> Run:
    run = Run.create(TOY, ToyRecipe(precision="float32", threads=1, device="cpu"), "tiny", root, "run")
    run.checkpoint_seconds = math.inf
    return run


def fit(run: Run, meanwhile: Callable[[int], None] = lambda step: None, steps: int = STEPS) -> nn.Linear:
    """Train a small network; ``meanwhile`` is called within every step."""
    with initialised(0, "fit"):
        network = nn.Linear(2, 1)

    def losses(step: int) -> dict[str, Tensor]:
        meanwhile(step)
        x = torch.randn(4, 2, generator=torch_generator(0, "x", step))
        loss = (network(x) - x.sum(1, keepdim=True)).square().mean()
        return {"loss": loss} | {name: torch.tensor(float(step)) for name in SCALARS}

    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    train(run, "fit", {"network": network}, {"loss": optimiser}, losses, steps=steps)
    return network


def bits(run: Run) -> tuple[bytes, bytes]:
    return tuple((run.folder / name).read_bytes() for name in ("metrics.jsonl", "checkpoints/fit.safetensors"))


@pytest.fixture(scope="module")
def undisturbed(points: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    run = begun(tmp_path_factory.mktemp("undisturbed"))
    fit(run)
    run.close()
    return bits(run)


@pytest.mark.parametrize("steps", [1, POINTS - 1, POINTS, 2 * POINTS - 1, STEPS])
def test_every_step_counts_once_in_the_mean_since_the_last_point(tmp_path: Path, steps: int) -> None:
    run, begin = begun(tmp_path), 0
    fit(run, steps=steps)
    points = run.curve("fit")
    for point in points:
        assert point["number"] == (begin + point["step"] - 1) / 2  # the mean of begin, begin + 1, ..., step - 1
        begin = point["step"]
    assert begin == steps
    assert min(steps, POINTS) <= len(points) < 2 * POINTS
    run.close()


@pytest.mark.parametrize("within", range(INTERVAL))
@pytest.mark.parametrize("killed", [False, True])
def test_ended_within_an_interval_a_stage_goes_on_to_the_same_bytes(
    tmp_path: Path, undisturbed: tuple[bytes, bytes], within: int, killed: bool
) -> None:
    """A stop saves the step at which it came; a kill comes after further points were logged, beyond what was saved."""
    run = begun(tmp_path)
    saved = 5 * INTERVAL + within  # steps done when the last checkpoint is written

    def end(step: int) -> None:
        if step + 1 == saved and not killed:
            run.stop.set()
        if killed:
            run.checkpoint_seconds = 0.0 if step + 1 == saved else math.inf
            if step == saved + 4 * INTERVAL:
                raise Killed

    with pytest.raises(Killed if killed else Stopped):
        fit(run, end)
    run.close()
    assert json.loads((run.folder / "LATEST").read_bytes())["step"] == saved
    logged = run.curve("fit")[-1]["step"]
    assert logged == saved + 4 * INTERVAL - within if killed else logged == saved - within
    run = Run.open(run.folder, writing=True)
    steps: list[int] = []
    fit(run, steps.append)
    run.close()
    assert steps == list(range(saved, STEPS))  # no step is done again, none is left out
    assert bits(run) == undisturbed


def test_a_finished_stage_is_loaded_and_not_trained(tmp_path: Path) -> None:
    run = begun(tmp_path)
    trained, steps = fit(run, steps=3), []
    again = fit(run, steps.append, steps=3)
    assert (steps, again.training, trained.training) == ([], False, False)
    assert torch.equal(again.weight, trained.weight)
    assert len(run.curve("fit")) == 3
    run.close()


def test_a_curve_has_a_hundred_points_and_more() -> None:
    assert 100 <= LOGGED_POINTS <= 1000
    assert 737_280 // 64 % LOGGED_POINTS == 0  # an epoch of dSprites ends with a point


@pytest.mark.parametrize("which", ["loss", "number"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused_at_its_point_and_not_logged(
    tmp_path: Path, which: str, value: float
) -> None:
    run = begun(tmp_path)
    network = nn.Linear(1, 1)

    def losses(step: int) -> dict[str, Tensor]:
        terms = {"loss": network(torch.ones(1)).sum().square(), "number": torch.tensor(0.0)}
        return terms | ({which: terms[which] * value + value} if step == 4 else {})

    with pytest.raises(Refused, match=rf"training diverged: {which} = (nan|inf) at stage fit, step 5 of"):
        train(run, "fit", {"network": network}, {"loss": torch.optim.SGD(network.parameters())}, losses, steps=9)
    assert [point["step"] for point in run.curve("fit")] == [1, 2, 3, 4]
    run.close()


@pytest.mark.parametrize("last", [True, False])
def test_weights_that_are_no_numbers_are_never_kept(tmp_path: Path, last: bool) -> None:
    """√x at 0 is a number, its slope is none: the loss of that step says nothing of what it does to the weights."""
    run = begun(tmp_path)
    network = nn.Linear(1, 1)

    def losses(step: int) -> dict[str, Tensor]:
        run.checkpoint_seconds = math.inf if last else 0.0
        out = network(torch.ones(1)).sum()
        return {"loss": (0 * out).sqrt() if step == 4 else out.square()}

    optimisers = {"loss": torch.optim.SGD(network.parameters(), 0.1)}
    with pytest.raises(Refused, match=r"training diverged: n/\w+ holds values .* at stage fit, step 5"):
        train(run, "fit", {"n": network}, optimisers, losses, steps=5 if last else 9)
    assert "fit" not in run.checkpoints.latest.finished
    assert run.checkpoints.latest.step == (0 if last else 4)
    run.close()


def test_of_a_stage_in_progress_one_checkpoint_is_kept(tmp_path: Path) -> None:
    run, found = begun(tmp_path), []
    run.checkpoint_seconds = 0.0

    def look(step: int) -> None:
        found.append([path.name for path in (run.folder / "checkpoints").glob("*")] if step else [])

    fit(run, look, steps=6)
    assert found == [[], *([f"fit-{step:08d}.safetensors"] for step in range(1, 6))]
    assert [path.name for path in (run.folder / "checkpoints").iterdir()] == ["fit.safetensors"]
    run.close()


def test_what_is_no_number_was_not_measured(tmp_path: Path) -> None:
    run = begun(tmp_path)
    whole, nan, inf = Measure(1.0, [0.5, 1.5]), Measure(math.nan, [1.0]), Measure(math.inf, [1.0])
    run.record({"whole": whole, "nan": nan, "inf": inf, "of one seed": Measure(1.0, [1.0, math.nan])})
    assert run.measures() == {"whole": whole}
    run.close()


def test_what_is_shown_is_shown_once_after_its_step(tmp_path: Path) -> None:
    run, seen = begun(tmp_path), []
    network = nn.Linear(1, 1)
    done: list[int] = []

    def losses(step: int) -> dict[str, Tensor]:
        done.append(step)
        return {"loss": network(torch.ones(1)).sum().square()}

    at = {step: lambda step=step: seen.append((step, len(done))) for step in (1, 4, 7)}
    train(run, "fit", {"n": network}, {"loss": torch.optim.SGD(network.parameters())}, losses, steps=7, at=at)
    assert seen == [(1, 1), (4, 4), (7, 7)]
    run.close()


def test_any_byte_of_a_checkpoint_counts(tmp_path: Path) -> None:
    """Most bytes are tensors: to change one leaves a file that can be read, with other weights."""
    checkpoints = Checkpoints(tmp_path, {})
    entry = checkpoints.write("a.safetensors", {"weight": torch.arange(40.0), "bias": torch.zeros(3)})
    whole = (tmp_path / entry.file).read_bytes()
    for place in range(0, len(whole), 5):
        (tmp_path / entry.file).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Refused, match="is damaged"):
            checkpoints.read(entry)
    (tmp_path / entry.file).write_bytes(whole)
    assert torch.equal(checkpoints.read(entry)["weight"], torch.arange(40.0))


def test_what_the_pointer_names_is_there_however_often_a_step_is_saved(tmp_path: Path) -> None:
    """And nothing else is: the checkpoint before goes, but not where it is the same file."""
    checkpoints = Checkpoints(tmp_path, {})
    for step, value in ((3, 0.0), (3, 1.0), (5, 2.0), (5, 2.0)):
        checkpoints.save("fit", step, {"weight": torch.full((4,), value)})
        again = Checkpoints(tmp_path, {})
        again.verify()
        assert (again.latest.stage, again.latest.step) == ("fit", step)
        assert again.latest.progress is not None
        assert again.read(again.latest.progress)["weight"].tolist() == [value] * 4
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"fit-{step:08d}.safetensors"]
    checkpoints.finish("fit", {"weight": torch.zeros(4)})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["fit.safetensors"]
