"""How a run that somebody sits before shows where it is: bars on standard error, or lines where it is no terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from phantastic.declare.i18n import duration, language, speaking, words
from phantastic.run import stages
from phantastic.show.terminal import console

PLAIN_SECONDS = 10.0  # between lines of progress where there is no terminal
Watch = Callable[[stages.Event], None]


@contextmanager
def progress(clock: stages.Clock, seeds: int) -> Iterator[Watch]:
    """What watches the clock of a run: bars on standard error, or a line now and then where it is no terminal."""
    if not sys.stderr.isatty():
        yield lines(clock, seeds)
        return
    with Bars(clock, seeds) as bars:
        yield bars.watch


class Bars(Progress):
    """A line for every finished stage; below them the bar of the stage in progress and the time left in all."""

    def __init__(self, clock: stages.Clock, seeds: int):
        self.clock, self.seeds, self.lang = clock, seeds, language()
        self.shown: TaskID | None = None
        description, done, loss = map(TextColumn, ("{task.description}", "{task.fields[done]}", "{task.fields[loss]}"))
        columns = (description, BarColumn(), done, loss)
        super().__init__(*columns, console=console(sys.stderr), refresh_per_second=4, transient=True)

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        with speaking(self.lang):  # in a thread of its own
            yield Text(remaining(self.clock))

    def watch(self, event: stages.Event) -> None:
        clock = self.clock
        of = f"/{clock.count()}" if clock.count() else ""
        number = len(clock.finished) + clock.inside
        name = f"{number}{of} {stages.label(clock.name, self.seeds)}"
        done = f"{clock.step}/{clock.steps}" if clock.steps else ""
        if event == "end":
            taken = duration(clock.finished[-1].seconds)
            self.console.print("  ".join(filter(None, (name, done, loss_of(clock), taken))))
            if self.shown is not None:
                self.remove_task(self.shown)
            self.shown = None
            return
        if event == "begin":
            self.shown = self.add_task(name, total=clock.steps or None, done="", loss="")  # no total: the bar pulses
        if self.shown is not None:
            self.update(self.shown, completed=clock.step, done=done, loss=loss_of(clock))


def lines(clock: stages.Clock, seeds: int) -> Watch:
    """A line of progress when a stage begins, when it ends and every ten seconds in between."""
    word = words()
    shown_at = 0.0

    def watch(event: stages.Event) -> None:
        nonlocal shown_at
        if event == "point" and time.monotonic() - shown_at < PLAIN_SECONDS:
            return
        shown_at = time.monotonic()
        number, count = len(clock.finished) + clock.inside, clock.count()
        name = stages.label(clock.name, seeds)
        template = word["stage_of"] if count else word["stage_alone"]
        parts = [template.format(number=number, of=count, stage=name)]
        if clock.steps and event != "begin":
            parts.append(f"{word['step']} {clock.step}/{clock.steps}")
        parts.append(loss_of(clock))
        if event == "end":
            parts.append(word["taken"].format(time=duration(clock.finished[-1].seconds)))
        parts.append(remaining(clock))
        print("  ".join(filter(None, parts)), file=sys.stderr, flush=True)

    return watch


def loss_of(clock: stages.Clock) -> str:
    return "" if clock.loss is None else f"{words()['loss']} {clock.loss:.4g}"


def remaining(clock: stages.Clock) -> str:
    """The time left in all or, where that is not known, in the stage in progress; else nothing."""
    word = words()
    left, in_stage = clock.left(), clock.stage_left()
    if left is not None:
        return word["left_in_all"].format(time=duration(left))
    return "" if in_stage is None else word["left_in_stage"].format(time=duration(in_stage))
