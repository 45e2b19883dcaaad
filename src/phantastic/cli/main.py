"""The verbs. Each imports what it needs when it is called: help, lists and refusals load no PyTorch."""

import os
from pathlib import Path

import click

from phantastic import __version__
from phantastic.cli.common import Verbs, open_streams, target, with_checkpoints, with_json, with_lang, with_root
from phantastic.ground import parallel
from phantastic.ground.errors import Refused, command


@parallel.one_voice()
def main() -> None:
    """The command ``phantastic``."""
    open_streams()
    cli()


# --- the verbs


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Models of mind you can train, question and lesion."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads sleep; read when PyTorch is loaded


@cli.command()
@with_root
@with_lang
def ls(root: Path) -> None:
    """List the studies, and the runs under --root."""
    from phantastic.declare.study import faults, register
    from phantastic.show import terminal

    terminal.studies(register().values())
    for fault in faults():
        terminal.note(fault)
    terminal.runs(root)


@cli.command()
@click.argument("what", metavar="STUDY|RUN")
@with_root
@with_lang
def show(what: str, root: Path) -> None:
    """Show a study's parameters, or a run and what came out."""
    from phantastic.show import terminal

    study, folder = target(what, root)
    if folder is None:
        terminal.study(study)
    else:
        terminal.run(study, folder)


@cli.command()
@click.argument("study")
@click.option("--preset", default="quick", show_default=True, help="Where the parameters start from.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a parameter (repeatable).")
@click.option("--recipe", type=click.Path(path_type=Path), metavar="FILE.toml", help="Parameters from a file.")
@click.option("--seed", type=int, help="Seed of the first repetition.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where networks run.")
@click.option("--name", default="", help="Name of the run folder.")
@with_json
@with_checkpoints
@with_root
@with_lang
@parallel.together()
def run(
    study: str, preset: str, settings: tuple[str, ...], recipe: Path | None, seed: int | None, device: str | None,
    name: str, as_json: bool, every: float, root: Path,
) -> None:  # fmt: skip
    """Run a study: train, measure, judge the claims, write the report."""
    from phantastic.declare.parameter import parse_settings
    from phantastic.declare.recipe import compose, read_toml
    from phantastic.declare.study import find

    definition = find(study)
    changes = read_toml(recipe) if recipe else {}
    compose(definition.recipe, definition.presets, preset, changes, f"recipe file {recipe}")
    direct = {key: value for key, value in (("seed", seed), ("device", device)) if value is not None}
    changes = changes | parse_settings(definition.recipe, settings) | direct
    composed = compose(definition.recipe, definition.presets, preset, changes)

    from phantastic.cli.attended import attend
    from phantastic.run.folder import Run

    attend(Run.create(definition, composed, preset, root, name), every, as_json)


@cli.command()
@click.argument("run", metavar="RUN")
@with_json
@with_checkpoints
@with_root
@with_lang
@parallel.together()
def resume(run: str, as_json: bool, every: float, root: Path) -> None:
    """Go on with a run that was stopped or killed.

    It ends in the same bits as if nothing had happened.
    """
    from phantastic.run import manifest

    folder = manifest.find(run, root)
    manifest.read(folder)

    from phantastic.cli.attended import attend
    from phantastic.run.folder import Run

    attend(Run.open(folder, writing=True), every, as_json)


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("study")
@click.option("--run", "run", metavar="RUN", help="The run to use; default: the newest finished one.")
@with_root
@with_lang
@click.pass_context
def apply(ctx: click.Context, study: str, run: str | None, root: Path) -> None:
    """Feed a trained study stimuli of your own.

    Without further options, list those that the study takes.
    """
    from phantastic.declare.request import parse
    from phantastic.declare.study import find
    from phantastic.run import manifest
    from phantastic.show import terminal

    definition = find(study)
    if definition.apply is None or not ctx.args:
        terminal.applications(definition)
        return
    request = parse(definition.apply, ctx.args, f"apply {study}")
    folder = manifest.find(run, root) if run else manifest.newest(study, root)
    if folder is None:
        make = command("run", study, *manifest.elsewhere(root))
        raise Refused(f"there is no finished run of '{study}' under {root}; make one with: {make}")
    if manifest.read(folder).study != study:
        raise Refused(f"{folder} is a run of '{manifest.read(folder).study}', not of '{study}'")

    from phantastic.run.execute import owned
    from phantastic.run.folder import Run

    with owned(Run.open(folder)) as opened:
        for line in definition.load().apply(opened, request):
            click.echo(line)


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("study")
@with_lang
@click.pass_context
def fit(ctx: click.Context, study: str) -> None:
    """Infer a person's parameters from behaviour.

    Without further options, list those that the study takes. No run is needed.
    """
    from phantastic.declare.request import parse
    from phantastic.declare.study import find, register
    from phantastic.show import terminal

    definition = find(study)
    if definition.fit is None:
        able = ", ".join(each.name for each in register().values() if each.fit)
        raise Refused(f"'{study}' infers nothing from behaviour; studies that do: {able or 'none'}")
    if not ctx.args:
        terminal.fits(definition)
        return
    for line in definition.load().fit(parse(definition.fit, ctx.args, f"fit {study}")):
        click.echo(line)


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@with_root
@with_lang
def compare(runs: tuple[str, ...], root: Path) -> None:
    """Put runs side by side: recipes, measures, verdicts."""
    from phantastic.run import manifest
    from phantastic.show import terminal

    if len(runs) < 2:
        raise Refused("compare takes two runs or more; they are listed by `phantastic ls`")
    terminal.comparison([manifest.find(run, root) for run in runs])


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--to", "to", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: STUDY-NAME here.")
@with_root
@with_lang
def export(run: str, to: Path | None, root: Path) -> None:
    """Copy a finished run into a folder to hand in.

    It holds the weights (safetensors), the recipe, a model card and a notebook, and is itself a run folder.
    """
    from phantastic.declare.i18n import words
    from phantastic.run import manifest
    from phantastic.show.export import export as write

    folder = manifest.find(run, root)
    target = to or Path(f"{manifest.read(folder).study}-{folder.name}")
    write(folder, target)
    click.echo(f"{words()['written']}: {target}")


@cli.command()
@click.argument("what", metavar="[RUN|STUDY]", required=False)
@with_root
@with_lang
def ledger(what: str | None, root: Path) -> None:
    """Show what the papers claim against what was measured.

    Of a run, of a study's newest finished run, or without an argument of every study's.
    """
    from phantastic.declare.study import register
    from phantastic.show import terminal

    if what:
        terminal.study_ledger(*target(what, root), root)
        return
    for study in register().values():
        try:
            terminal.study_ledger(study, None, root)
        except Refused as damage:  # of one run: the others are shown all the same
            terminal.note(str(damage))


@cli.command()
@click.argument("what", metavar="STUDY|RUN")
@with_root
def cite(what: str, root: Path) -> None:
    """Print BibTeX of the papers behind a study or a run."""
    study, _ = target(what, root)
    click.echo("\n\n".join(paper.bibtex for paper in study.cited()))


@cli.command()
@with_root
@with_lang
def doctor(root: Path) -> None:
    """Check this machine: versions, threads, device, fonts, folders."""
    from phantastic.show import doctor, terminal

    checks = doctor.examine(root)
    terminal.examination(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--list", "listing", is_flag=True, help="List the sites and what can be done to each.")
@click.option("--site", "places", multiple=True, metavar="SITE", help="Where the damage is (repeatable: together).")
@click.option("--kind", help="sever, noise, silence or scale.")
@click.option("--dose", default="0:1:0.2", show_default=True, help="Doses from 0 to 1: start:stop:step or a,b,c.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Draws of the damage.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the damage.")
@with_root
@with_lang
def lesion(
    run: str, listing: bool, places: tuple[str, ...], kind: str | None, dose: str, repeats: int, seed: int, root: Path
) -> None:
    """Damage a trained run by dose and measure it again.

    The networks of each of its seeds are damaged, each with draws of its own.
    """
    from phantastic.run import manifest
    from phantastic.show import terminal

    folder = manifest.find(run, root)
    manifest.finished(folder)
    if not listing and not (places and kind):
        raise Refused("lesion takes --site and --kind; `phantastic lesion RUN --list` shows them")

    from phantastic.lesion import parse_doses, sites
    from phantastic.lesion.seeds import lesioned
    from phantastic.run.execute import owned
    from phantastic.run.folder import Run
    from phantastic.show.report import publish_lesion

    doses = parse_doses(dose)
    with owned(Run.open(folder)) as opened:
        if listing:
            terminal.sites(sites(opened.study.load().networks(opened)))
            return
        outcome = lesioned(opened, places, str(kind), doses, repeats, seed)
        terminal.lesion(outcome.rows)
        for path in publish_lesion(folder, places, str(kind), outcome):
            click.echo(path)
