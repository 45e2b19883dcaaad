"""A run that somebody sits before: signals, progress, the ledger in the end. What is done stands in `run.execute`."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from phantastic.declare.i18n import duration, words
from phantastic.ground import parallel, precision
from phantastic.ground.errors import Refused, Stopped, command
from phantastic.run import stages
from phantastic.run.execute import execute, owned
from phantastic.run.folder import Run
from phantastic.show import progress, report, terminal


@contextmanager
def stoppable(run: Run[Any]) -> Iterator[None]:
    """Ctrl-C and SIGTERM at any moment end as `Stopped`, with the command that goes on in a line of its own.

    What is being trained finishes its step and is saved; a second Ctrl-C stops at once.
    """
    word = words()

    def request(number: int, frame: object) -> None:
        if not run.stop.training or run.stop.is_set():
            raise KeyboardInterrupt
        run.stop.set()

    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except (Stopped, KeyboardInterrupt) as stop:
        clock, latest = run.clock, run.checkpoints.latest
        stage = stages.label(clock.name, run.recipe.seeds)
        if isinstance(stop, Stopped) and stage and (latest.stage, latest.step) == (clock.name, clock.step):
            text = word["stopped_saved"].format(stage=stage, step=clock.step)
        else:
            text = word["stopped_within"].format(stage=stage) if stage else word["stopped_before"]
        raise Stopped(f"{text}\n{command('resume', run.folder)}") from None
    except Refused:
        raise
    except Exception:
        terminal.note(f"{word['kept']}\n{command('resume', run.folder)}")
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def attend(run: Run[Any], every: float, as_json: bool) -> None:
    """Do what is left of a run, judge its claims, write its report and print what came out.

    ``every`` is the time between checkpoints in seconds. Raises `Stopped` and `Refused`; the run is closed.
    """
    word = words()
    run.checkpoint_seconds = every
    with stoppable(run), owned(run):
        if not run.manifest.finished:
            if not parallel.rank():
                run.show = report.Growing(run)
            slow = run.device.type == "cpu" and not precision.hardware("cpu")[0]
            if slow and run.manifest.precision == "bfloat16":
                terminal.note(word["slow_bfloat16"])
            with progress.progress(run.clock, run.recipe.seeds) as run.clock.watch:
                execute(run)
        if not parallel.part():
            return
        if run.manifest.finished:
            terminal.note(word["done_already"])
        else:
            run.finish()
        findings = report.publish(run)
    terminal.ledger(findings, word["no_claims"])
    print(f"\n{word['time']}: {duration(run.manifest.seconds)}\n{word['report']}: {run.folder / 'report.html'}")
    if as_json:
        summary = {
            "run": str(run.folder),
            "seconds": round(run.manifest.seconds, 3),
            "measures": {name: measure.value for name, measure in run.measures().items()},
            "claims": {finding.claim.id: finding.verdict for finding in findings},
        }
        print(json.dumps(summary))  # ASCII, whatever the terminal's encoding
