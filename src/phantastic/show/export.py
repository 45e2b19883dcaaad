"""A finished run as a folder to hand in: weights, recipe, model card, notebook.

The folder is itself a run folder, so every verb that takes a run takes it, wherever it is carried.
"""

import html
import re
import shutil
from pathlib import Path

import msgspec
import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from phantastic.declare.i18n import SYMBOLS, language, words
from phantastic.declare.parameter import parameters
from phantastic.declare.study import Study, find
from phantastic.ground import files
from phantastic.ground.errors import Refused, printable
from phantastic.run import manifest, stages

# all of a run but its lock and the checkpoints of unfinished stages
PARTS = (
    manifest.MANIFEST,
    "LATEST",
    "model.safetensors",
    "measures.json",
    "claims.json",
    "metrics.jsonl",
    stages.FILE,
    "report.html",
    "results",
    "figures",
    "lesions",
)


def export(folder: Path, target: Path) -> None:
    """Copy the run into the new folder ``target`` and add recipe.toml, README.md and notebook.ipynb.

    Raises `Refused` for an unfinished run, and when ``target`` is there already or cannot be written.
    """
    made = manifest.finished(folder)
    if target.exists():
        raise Refused(f"{target} is there already; choose another folder with --to")
    study = find(made.study)
    try:
        target.mkdir(parents=True)
        for part in (*PARTS, *made.artefacts):
            copy(folder / part, target / part)
    except OSError as error:
        raise files.refusal(target, error) from None
    files.write(target / "recipe.toml", msgspec.toml.encode(made.recipe))
    files.write(target / "README.md", model_card(study, folder, made))
    files.write(target / "notebook.ipynb", nbformat.writes(notebook(study)))


def cell(text: object) -> str:
    """Text as the cell of a Markdown table: nothing in it ends the cell or is taken for HTML."""
    return re.sub(r"([\\|])", r"\\\1", html.escape(printable(str(text)), quote=False)).replace("\n", " ")


def copy(source: Path, target: Path) -> None:
    """Files and folders as they are; a link, which may lead out of a run that somebody handed over, is left out."""
    if source.is_symlink():
        return
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(source.iterdir()):
            copy(child, target / child.name)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def model_card(study: Study, folder: Path, made: manifest.Manifest) -> str:
    """What the weights are, what they were measured to do and how they were made, as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    return environment.get_template("README.md").render(
        lang=language(),
        word=words(),
        symbols=SYMBOLS,
        study=study,
        made=made,
        findings=manifest.findings(folder),
        measures=manifest.measures(folder),
        parameters=parameters(study.recipe),
    )


def notebook(study: Study) -> nbformat.NotebookNode:
    """A notebook that re-opens the run in the folder it lies in and shows what came out."""
    word = words()
    cells = [
        new_markdown_cell(f"# {study.title}\n\n{study.lecture}"),
        new_code_cell(
            "from pathlib import Path\n\nfrom phantastic.declare.i18n import speak\n"
            "from phantastic.run import manifest\nfrom phantastic.run import Run\n\n"
            f'speak("{language()}")\nrun = Run.open(Path("."))\nexperiment = run.study.load()\nrun.recipe'
        ),
        new_markdown_cell(f"## {word['ledger']}"),
        new_code_cell(
            "for finding in manifest.findings(run.folder):\n"
            '    print(finding.verdict, "|", finding.claim.statement, "|", finding.evidence)'
        ),
        new_markdown_cell(f"## {word['measures']}"),
        new_code_cell('for name, measure in run.measures().items():\n    print(f"{name}: {measure}")'),
        new_markdown_cell(f"## {word['figures']}"),
        new_code_cell(
            "for name, figure in experiment.figures(run).items():\n    print(figure.caption)\n    display(figure)"
        ),
        new_code_cell("networks = experiment.networks(run)  # the trained networks of the first seed\nnetworks"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # so that two exports of a run are the same file
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})
