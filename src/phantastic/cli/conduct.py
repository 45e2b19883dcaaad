"""Conducting a run from the terminal: threads, signals, progress; then the ledger and the report."""

import json
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from phantastic.declare.i18n import duration, words
from phantastic.ground import parallel, precision
from phantastic.ground.errors import Refused, Stopped
from phantastic.run import stages
from phantastic.run.execute import execute, owned
from phantastic.run.folder import Run
from phantastic.show import report, terminal


@contextmanager
def stoppable(run: Run) -> Iterator[None]:
    """Ctrl-C and SIGTERM at any moment end as `Stopped`, with the command that goes on in a line of its own."""
    word = words()

    def terminate(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (Stopped, KeyboardInterrupt) as stop:
        clock, latest = run.clock, run.checkpoints.latest
        stage = stages.label(clock.name, run.recipe.seeds)
        if isinstance(stop, Stopped) and stage and (latest.stage, latest.step) == (clock.name, clock.step):
            text = word["stopped_saved"].format(stage=stage, step=clock.step)
        else:
            text = word["stopped_within"].format(stage=stage) if stage else word["stopped_before"]
        raise Stopped(f"{text}\n{command(run)}") from None
    except Refused:
        raise
    except Exception:
        terminal.note(f"{word['kept']}\n{command(run)}")
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def command(run: Run) -> str:
    """What goes on with the run, from the folder where it was begun."""
    return f"phantastic resume {shlex.quote(str(run.folder))}"


def conduct(run: Run, every: float, as_json: bool) -> None:
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
            with terminal.progress(run.clock, run.recipe.seeds) as run.clock.watch:
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
