"""What the verbs of the command line share: errors for people, options, the names of studies and runs."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from phantastic.ground.errors import Refused, Stopped, nearest

if TYPE_CHECKING:
    from phantastic.declare.study import Study

INTERRUPTED = 130  # the shell's exit status after Ctrl-C


class Verbs(click.Group):
    """Errors for people become one message on standard error and an exit status; nobody sees a trace."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of use

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in self.commands:
            raise click.UsageError(f"unknown verb '{args[0]}'{nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as error:
            fail(str(error), 2)
        except (Stopped, KeyboardInterrupt) as stop:  # no error: the user wanted it
            from phantastic.declare.i18n import default_language, speaking, words

            with speaking(default_language()):
                click.echo(str(stop) or words()["stopped"], err=True)
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:  # `phantastic ls | head`: click ends quietly
            raise
        except OSError as error:
            from phantastic.ground.files import REASONS

            reason = REASONS.get(error.errno or 0, error.strerror or str(error))
            fail(f"{error.filename}: {reason}" if error.filename else reason, 1)


def open_streams() -> None:
    """What is printed never ends a run: neither a stream that who called has closed, nor a letter it cannot show."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        with suppress(AttributeError):
            getattr(sys, name).reconfigure(errors="replace")


def fail(message: str, status: int) -> NoReturn:
    from phantastic.ground.errors import printable

    click.echo(f"Error: {printable(message)}", err=True)
    raise SystemExit(status)


def users_language() -> str:
    from phantastic.declare.i18n import default_language

    return default_language()


def speak(ctx: click.Context, parameter: click.Parameter, value: str) -> None:
    from phantastic.declare.i18n import speaking

    ctx.with_resource(speaking(value))


def home(ctx: click.Context, parameter: click.Parameter, value: Path) -> Path:
    """A shell leaves the tilde of ``--root=~/runs`` as it is."""
    return value.expanduser()


with_root = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    callback=home,
    help="Folder of the runs.",
)
with_json = click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
with_lang = click.option(
    "--lang",
    type=click.Choice(["en", "ja"]),
    default=users_language,
    callback=speak,
    expose_value=False,
    help="Language; the locale's if not given.",
)


def finite(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if value != value:
        raise click.BadParameter("nan is not a number of seconds", ctx, parameter)
    return value


with_checkpoints = click.option(
    "--checkpoint-every",
    "every",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    callback=finite,
    help="Time between checkpoints; 0: after every step.",
)


def target(word: str, root: Path) -> "tuple[Study, Path | None]":
    """The study that ``word`` names, or the run it names with the run's study; raises `Refused`."""
    from phantastic.declare import study
    from phantastic.run import manifest

    studies = study.register()
    if word in studies:
        return studies[word], None
    folder = manifest.located(word, root)
    if folder is None:
        names = [*studies, *(path.relative_to(root).as_posix() for path in manifest.listed(root))]
        raise Refused(f"no study and no run '{word}'{nearest(word, names)}")
    return study.find(manifest.read(folder).study), folder
