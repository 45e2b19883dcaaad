"""The one training loop.

It knows nothing of models: ``losses(step)`` draws its own batch and noise from (seed, purpose, step) and returns named
scalars. So a stage that was killed and resumed ends in the same bits as one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from phantastic.ground import parallel
from phantastic.ground.errors import Refused, Stopped
from phantastic.ground.precision import autocast
from phantastic.run.checkpoint import pack, pack_optimisers, unpack, unpack_optimisers
from phantastic.run.folder import Run
from phantastic.run.rates import Peaks, Rate

LOGGED_POINTS = 192  # points of a stage's training curve; divides an epoch of dSprites at batch 64 evenly


def train(
    run: Run[Any],
    stage: str,
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    losses: Callable[[int], Mapping[str, Tensor]],
    *,
    steps: int,
    rate: Rate = lambda step: 1.0,
    at: Mapping[int, Callable[[], object]] = MappingProxyType({}),
) -> None:
    """Train ``modules`` for ``steps`` steps, or load them if the stage was finished before.

    Each optimiser minimises the loss of its own name, in the mapping's order; every returned scalar is logged as its
    mean since the last logged point. ``rate``: the share of each optimiser's step size that a step takes (see `rates`).
    ``at``: what is to be measured or shown after so many steps; it changes nothing. Where
    several processes train, losses and gradients are the means of theirs (see `parallel`). Raises `Stopped` once
    ``run.stop`` is set (the step is saved first) and `Refused` when a loss or a weight is not finite, which is never
    saved.
    """
    if stage in run.checkpoints.latest.finished:
        run.load(stage, modules)
        return
    for module in modules.values():
        module.train()
    step, sums = restore(run, stage, modules, optimisers)
    run.trim_log(stage, step)
    interval = max(1, steps // LOGGED_POINTS)
    peaks = Peaks(optimisers.values())
    arithmetic = autocast(run.device, run.manifest.precision)  # as it began, also on another machine
    saved_at = time.monotonic()

    def save() -> None:
        if parallel.rank():
            return
        state = pack(modules) | pack_optimisers(optimisers) | {f"sum/{k}": v.cpu() for k, v in sums.items()}
        refuse_spoilt(run, stage, step, state)
        run.refuse_ghost()
        run.checkpoints.save(stage, step, state)
        run.clock.point(stage, step)
        run.clock.save()

    with in_training(run), run.clock.stage(stage, steps, step):
        while step < steps:
            peaks.scale(rate(step))
            with arithmetic:
                terms = losses(step)
            parallel.meet()  # nobody averages with a process whose batch was refused
            for name, optimiser in optimisers.items():
                optimiser.zero_grad(set_to_none=True)
                terms[name].backward()
                parallel.average_gradients(optimiser)
                optimiser.step()
            means = parallel.average([value.detach().double() for value in terms.values()])
            for name, value in zip(terms, means, strict=True):
                sums[name] = sums[name] + value if name in sums else value.clone()
            step += 1
            if step % interval == 0 or step == steps:
                count = interval if step % interval == 0 else step % interval
                values = {name: float(sums[name]) / count for name in terms}  # restored sums are in no order
                sums.clear()
                refuse_divergence(run, stage, step, values)
                run.log(stage, step, values)
                run.clock.point(stage, step, values["loss"])
            if step in at:
                at[step]()
            if parallel.meet(run.stop.is_set()):
                save()
                raise Stopped(f"stopped at stage {stage}, step {step}")
            if time.monotonic() - saved_at >= run.checkpoint_seconds:
                save()
                saved_at = time.monotonic()
    state = pack(modules)
    refuse_spoilt(run, stage, step, state)
    run.checkpoints.finish(stage, state)
    for module in modules.values():
        module.eval()


def restore(
    run: Run[Any], stage: str, modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
) -> tuple[int, dict[str, Tensor]]:
    """The step to go on from and the sums since the last logged point; (0, {}) for a stage that was not begun."""
    latest = run.checkpoints.latest
    if latest.progress is None or latest.stage != stage:
        return 0, {}
    tensors = run.checkpoints.read(latest.progress)
    unpack(tensors, modules, run.folder / latest.progress.file)
    unpack_optimisers(tensors, optimisers)
    sums = {key.removeprefix("sum/"): value for key, value in tensors.items() if key.startswith("sum/")}
    return latest.step, sums


def refuse_divergence(run: Run[Any], stage: str, step: int, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise diverged(run, stage, step, f"{name} = {value}")


def refuse_spoilt(run: Run[Any], stage: str, step: int, state: Mapping[str, Tensor]) -> None:
    """Raise `Refused` before a value that is not finite replaces the last checkpoint that was healthy."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise diverged(run, stage, step, f"{name} holds values that are not finite")


def diverged(run: Run[Any], stage: str, step: int, what: str) -> Refused:
    latest = run.checkpoints.latest
    kept = f"step {latest.step}" if latest.stage == stage and latest.progress else "its beginning"
    return Refused(
        f"training diverged: {what} at stage {stage}, step {step} of {run.folder}; the stage stands at {kept}. "
        "Try a lower learning rate or --set precision=float32 in a new run"
    )


@contextmanager
def in_training(run: Run[Any]) -> Iterator[None]:
    """Within it a request to stop waits for the end of the step."""
    run.stop.training = True
    try:
        yield
    finally:
        run.stop.training = False
