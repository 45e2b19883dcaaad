"""The one training loop.

It knows nothing of models: ``losses(step)`` draws its own batch and noise from (seed, purpose, step) and returns named
scalars. So a stage that was killed and resumed ends in the same bits as one that was not.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from torch import Tensor, nn
from torch.optim import Optimizer

from phantastic.ground import parallel
from phantastic.ground.errors import Refused, Stopped
from phantastic.ground.precision import autocast
from phantastic.run.checkpoint import pack, pack_optimisers, unpack, unpack_optimisers
from phantastic.run.folder import Run

LOGGED_POINTS = 192  # points of a stage's training curve; divides an epoch of dSprites at batch 64 evenly


def train(
    run: Run,
    stage: str,
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    losses: Callable[[int], Mapping[str, Tensor]],
    *,
    steps: int,
    at: Mapping[int, Callable[[], None]] = MappingProxyType({}),
) -> None:
    """Train ``modules`` for ``steps`` steps, or load them if the stage was finished before.

    Each optimiser minimises the loss of its own name, in the mapping's order; every returned scalar is logged as its
    mean since the last logged point. ``at`` says what is to be shown after so many steps; it changes nothing. Where
    several processes train, losses and gradients are the means of theirs (see `parallel`). Raises `Stopped` after a
    Ctrl-C or SIGTERM (the step is saved first) and `Refused` when a loss is not finite.
    """
    if stage in run.checkpoints.latest.finished:
        run.load(stage, modules)
        return
    for module in modules.values():
        module.train()
    step, sums = restore(run, stage, modules, optimisers)
    run.trim_log(stage, step)
    interval = max(1, steps // LOGGED_POINTS)
    arithmetic = autocast(run.device, run.manifest.precision)  # as it began, also on another machine
    saved_at = time.monotonic()

    def save() -> None:
        if parallel.rank():
            return
        state = pack(modules) | pack_optimisers(optimisers) | {f"sum/{k}": v.cpu() for k, v in sums.items()}
        run.checkpoints.save(stage, step, state)
        run.clock.point(stage, step)
        run.clock.save()

    with stop_requests() as stopping, run.clock.stage(stage, steps, step):
        while step < steps:
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
                values = {name: float(total) / count for name, total in sums.items()}
                sums.clear()
                refuse_divergence(run, stage, step, values)
                run.log(stage, step, values)
                run.clock.point(stage, step, values["loss"])
            if step in at:
                at[step]()
            if parallel.meet(stopping.is_set()):
                save()
                raise Stopped(f"stopped at stage {stage}, step {step}")
            if time.monotonic() - saved_at >= run.checkpoint_seconds:
                save()
                saved_at = time.monotonic()
    run.checkpoints.finish(stage, pack(modules))
    for module in modules.values():
        module.eval()


def restore(
    run: Run, stage: str, modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
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


def refuse_divergence(run: Run, stage: str, step: int, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise Refused(
                f"training diverged: {name} = {value} at stage {stage}, step {step} of {run.folder}; "
                "try a lower learning rate or --set precision=float32"
            )


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event while training, so that the step at hand is finished and saved.

    A second Ctrl-C stops at once. Outside the main thread, signals are left alone (Python allows no handler there).
    """
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    for number in previous:
        signal.signal(number, request)
    try:
        yield stopping
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
