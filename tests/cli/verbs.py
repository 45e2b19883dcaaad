"""The verbs: what they print, what they leave behind, how fast they are."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from PIL import Image
from safetensors import safe_open

Invoke = Callable[..., Result]
SUPPORT = Path(__file__).parents[1] / "support"
VERBS = ["ls", "show", "run", "resume", "apply", "fit", "compare", "export", "ledger", "cite", "doctor", "lesion"]


def in_new_process(code: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def last_json(output: str) -> dict:
    return json.loads(output.splitlines()[-1])


# --- lightness


def test_help_is_quick() -> None:
    code = """
import time
from phantastic.cli.main import main
sys.argv = ["phantastic", "--help"]
try:
    main()
except SystemExit:
    pass
heavy = {"torch", "altair", "numpy", "rich", "scipy", "jinja2"} & set(sys.modules)
print("seconds", time.process_time(), heavy or "light")
"""
    tries = [in_new_process(code).splitlines()[-1].split() for _ in range(4)]
    assert all(words[-1] == "light" for words in tries)
    assert min(float(words[1]) for words in tries) <= 0.15


def test_lists_and_refusals_load_no_pytorch(shelf: Path) -> None:
    code = f"""
import os
os.chdir({str(shelf)!r})
import toys
toys.install()
from click.testing import CliRunner
from phantastic.cli.main import cli
for words in ["ls", "show toy", "show toy/one", "cite toy", "ledger", "ledger toy", "ledger toy/one", "cite toy/one",
              "compare toy/one toy/three", "run tooy", "run toy --preset x", "run toy --set wdth=3", "resume toy/on",
              "run toy --set width=0", "show toooy", "apply toy", "lesion toy/half --list", "export toy/half", "rnu"]:
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code in (0, 2), (words, result.output, result.exception)
    assert not {{"torch", "altair", "scipy"}} & set(sys.modules), words
    assert words != "ls" or "bibtexparser" not in sys.modules
print("light")
"""
    assert in_new_process(code).strip() == "light"


def test_help_of_every_verb(phantastic: Invoke) -> None:
    assert re.findall(r"^  (\w+)  ", phantastic("--help").output, re.M) == VERBS
    for verb in VERBS:
        result = phantastic(verb, "--help")
        assert result.exit_code == 0
        assert result.output.startswith(f"Usage: phantastic {verb}")
    assert phantastic("--version").exit_code == 0


# --- lists


def test_ls(phantastic: Invoke, runs: Path) -> None:
    (runs / "three/manifest.json").write_text("{")
    output = phantastic("ls").output
    assert "Lecture 0: regression" in output
    assert "gauss1809" in output
    assert "tiny (0.02 min), quick (not timed)" in output
    assert re.search(r"runs/toy/one +tiny +finished", output)
    assert re.search(r"runs/toy/half +tiny +unfinished", output)
    assert re.search(r"runs/toy/three +damaged", output)
    assert "曲線の当てはめ" in phantastic("ls", "--lang", "ja").output
    assert "no runs yet" in phantastic("ls", "--root", "elsewhere").output


def test_language_follows_the_locale(phantastic: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "講義" in phantastic("ls").output
    assert "lecture" in phantastic("ls", "--lang", "en").output


def test_show_study(phantastic: Invoke) -> None:
    output = phantastic("show", "toy").output
    row = next(line for line in output.splitlines() if "learning_rate η" in line)
    assert "number above 0 to 1 1/step" in row
    assert "step size of Adam" in row
    assert "--at" in output
    assert "Adam の学習率" in phantastic("show", "toy", "--lang", "ja").output


def test_show_run(phantastic: Invoke, runs: Path) -> None:
    for word in ("toy/one", "runs/toy/one", str(runs / "one")):
        output = phantastic("show", word).output
        assert "PyTorch" not in output
        assert "error_fit" in output
        assert "✓ holds" in output
        assert "× fails" in output
        assert "– untested" in output
    assert "not judged yet" in phantastic("show", "toy/half").output


def test_ledger(phantastic: Invoke, runs: Path) -> None:
    assert "Belongs to another study" not in phantastic("ledger", "toy/one").output
    assert "runs/toy/three" in phantastic("ledger").output  # the newest finished run
    assert "× 不成立" in phantastic("ledger", "toy", "--lang", "ja").output
    empty = phantastic("ledger", "toy", "--root", "elsewhere").output
    assert empty.count("– untested") == 3


def test_compare(phantastic: Invoke, runs: Path) -> None:
    output = phantastic("compare", "toy/one", "toy/three").output
    assert re.search(r"seeds +1 +3", output)
    assert re.search(r"preset +tiny +quick", output)
    assert "width" not in output  # equal
    assert re.search(r"error_fit +\S+ +\S+ +\S+ … \S+", output)
    assert re.search(r"toy\.ordered +– untested +✓ holds", output)
    assert "the recipes are equal" in phantastic("compare", "toy/one", "toy/one").output


def test_cite(phantastic: Invoke, runs: Path) -> None:
    for word in ("toy", "toy/one"):
        output = phantastic("cite", word).output
        assert output == (SUPPORT / "toys/references.bib").read_text(encoding="utf-8")


def test_doctor(phantastic: Invoke, home: Path) -> None:
    result = phantastic("doctor")
    assert result.exit_code == 0, result.output
    for word in ("Python", "torch", "cores", "GPU", "auto takes", str(home), "IPAexGothic"):
        assert word in result.output
    assert list(home.iterdir()) == []
    (home / "file").write_text("")
    bad = phantastic("doctor", "--root", "file/runs")
    assert (bad.exit_code, "× problem" in bad.output) == (1, True)


# --- runs


def test_run_prints_ledger_report_and_json(phantastic: Invoke, home: Path) -> None:
    (home / "mine.toml").write_text('steps = 3\nshape = "step"\n')
    result = phantastic(
        "run", "toy", "--preset", "tiny", "--recipe", "mine.toml", "--set", "width=4", "--set", "shape=sine",
        "--set", "learning_rate=.02", "--seed", 5, "--device", "cpu", "--name", "山田 太郎", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    folder = home / "runs/toy/山田 太郎"
    made = json.loads((folder / "manifest.json").read_text())
    assert made["finished"]
    wanted = {"steps": 3, "shape": "sine", "width": 4, "learning_rate": 0.02, "seed": 5, "device": "cpu"}
    assert {key: made["recipe"][key] for key in wanted} == wanted
    summary = last_json(result.stdout)
    assert Path(summary["run"]) == folder.relative_to(home)
    assert summary["seconds"] == pytest.approx(made["seconds"], abs=1e-3)
    assert list(summary["measures"]) == ["error_fit", "error_mirror", "error_rival"]
    assert all(isinstance(value, float) for value in summary["measures"].values())
    assert summary["claims"]["toy.ordered"] == "untested"
    assert "stage 1 of 3: fit  step 3/3" in result.stderr
    assert "stage 1 of 3" not in result.stdout
    assert "report: runs/toy/山田 太郎/report.html" in result.stdout
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "LATEST", "manifest.json", "metrics.jsonl", "stages.json", "measures.json", "claims.json", "model.safetensors",
        "report.html", "results", "figures", "checkpoints",
    }  # fmt: skip


def test_runs_get_names_of_their_own(phantastic: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    for _ in range(2):
        assert phantastic("run", "toy", "--preset", "tiny", "--set", "steps=1").exit_code == 0
    assert sorted(path.name for path in (home / "runs/toy").iterdir()) == ["tiny-seed0", "tiny-seed0-2"]
    again = phantastic("run", "toy", "--preset", "tiny", "--name", "tiny-seed0")
    assert (again.exit_code, "holds a run already" in again.output) == (2, True)


def test_progress_bar_in_a_terminal(phantastic: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows stage, steps and loss, and does not change a bit of the result."""
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    words = ("run", "toy", "--preset", "tiny", "--set", "steps=20")
    assert phantastic(*words, "--name", "plain").exit_code == 0
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    result = phantastic(*words, "--name", "bar")
    assert result.exit_code == 0
    assert "mirror" in result.stderr
    assert "20/20" in result.stderr
    assert "loss" in result.stderr
    for name in ("model.safetensors", "metrics.jsonl", "measures.json"):
        assert (home / "runs/toy/plain" / name).read_bytes() == (home / "runs/toy/bar" / name).read_bytes()


def test_result_depends_on_nothing_global(phantastic: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the global generators nor what is logged when; and a run leaves those generators as they were."""
    import random

    import numpy as np
    import torch

    from phantastic.run import train

    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    for name, seed, points in (("a", 1, 192), ("b", 2, 3)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            monkeypatch.setattr(train, "LOGGED_POINTS", points)
            before = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
            assert phantastic("run", "toy", "--preset", "tiny", "--set", "steps=20", "--name", name).exit_code == 0
            after = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
        assert torch.equal(before[0], after[0])
        assert before[1] == after[1]
        assert before[2][2] == after[2][2]
        assert np.array_equal(before[2][1], after[2][1])
    for name in ("model.safetensors", "measures.json"):
        assert (home / "runs/toy/a" / name).read_bytes() == (home / "runs/toy/b" / name).read_bytes()


def test_resume_of_a_stopped_and_of_a_finished_run(phantastic: Invoke, runs: Path) -> None:
    result = phantastic("resume", "toy/half", "--json")
    assert result.exit_code == 0, result.output
    assert (runs / "half/model.safetensors").read_bytes() == (runs / "one/model.safetensors").read_bytes()
    assert (runs / "half/metrics.jsonl").read_bytes() == (runs / "one/metrics.jsonl").read_bytes()
    before = (runs / "one/model.safetensors").stat().st_mtime_ns
    again = phantastic("resume", runs / "one", "--lang", "ja")
    assert again.exit_code == 0
    assert "この実行は完了している" in again.stderr
    assert '<html lang="ja">' in (runs / "one/report.html").read_text()
    assert (runs / "one/model.safetensors").stat().st_mtime_ns == before


# --- applications and lesions


def test_apply(phantastic: Invoke, runs: Path) -> None:
    assert "--at" in phantastic("apply", "toy").output
    newest = phantastic("apply", "toy", "--at", "0.5")
    assert re.fullmatch(r"y = -?\d\.\d{4}\n", newest.output)
    assert phantastic("apply", "toy", "--run", "toy/three", "--at=0.5").output == newest.output
    assert phantastic("apply", "toy", "--at", "0.5", "--run", "toy/one").output != newest.output
    minus = phantastic("apply", "toy", "--at", "-0.5")
    assert minus.output.startswith("y = ")


def test_lesion(phantastic: Invoke, runs: Path) -> None:
    listing = phantastic("lesion", "toy/one", "--list").output
    assert re.search(r"fit\[0\] +16 +16 +sever, noise, silence, scale", listing)
    words = ("lesion", "toy/one", "--site", "fit[0]", "--kind", "silence", "--dose", "0:1:0.5", "--repeats", "3")
    result = phantastic(*words)
    assert result.exit_code == 0, result.output
    assert "1 (sham)" in result.output
    folder = runs / "one/lesions"
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".png", ".svg"]
    with open(folder / "fit[0]-silence.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    fit = {(row["dose"], row["sham"]): row for row in rows if row["measure"] == "error_fit"}
    assert list(fit) == [("0.0", "0"), ("0.5", "0"), ("1.0", "0"), ("1.0", "1")]
    assert fit["0.0", "0"]["mean"] == fit["1.0", "1"]["mean"]  # sham is intact
    assert float(fit["1.0", "0"]["mean"]) > float(fit["0.0", "0"]["mean"])
    measures = json.loads((runs / "one/measures.json").read_text())["value"]
    assert float(fit["0.0", "0"]["mean"]) == pytest.approx(measures["error_fit"]["value"], rel=1e-6)
    assert "of 3 repeats; the cross is the sham lesion" in (folder / "fit[0]-silence.svg").read_text()
    with Image.open(folder / "fit[0]-silence.png") as picture:
        assert min(picture.size) > 100
    before = (folder / "fit[0]-silence.csv").read_bytes()
    phantastic(*words)
    assert (folder / "fit[0]-silence.csv").read_bytes() == before


# --- export


def test_export_is_a_run_that_stands_alone(phantastic: Invoke, runs: Path, home: Path) -> None:
    assert phantastic("export", "toy/one", "--to", "提出/私の 実行").exit_code == 0
    folder = home / "提出/私の 実行"
    card = (folder / "README.md").read_text()
    for word in ("# Fitting a curve", "✓ holds", "`error_fit`", "`learning_rate` | η |", "@book{gauss1809"):
        assert word in card
    with safe_open(folder / "model.safetensors", "numpy") as model:
        assert "fit/fit/0.weight" in list(model.keys())
    (runs / "one").rename(runs / "gone")
    assert "error_fit" in phantastic("show", folder).output
    assert phantastic("apply", "toy", "--run", folder, "--at", "0").exit_code == 0
    again = phantastic("run", "toy", "--preset", "tiny", "--recipe", folder / "recipe.toml", "--name", "again")
    assert again.exit_code == 0
    assert (runs / "again/model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert phantastic("export", "toy/gone").exit_code == 0
    assert (home / "toy-gone/notebook.ipynb").read_bytes() == (folder / "notebook.ipynb").read_bytes()


def test_exported_notebook_runs(phantastic: Invoke, runs: Path, home: Path) -> None:
    from nbclient import NotebookClient

    assert phantastic("export", "toy/one", "--to", "out", "--lang", "ja").exit_code == 0
    notebook = nbformat.read(home / "out/notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    toys = f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\nimport toys; toys.install()"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(toys))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(home / "out")}}).execute()
    outputs = json.dumps(notebook.cells, ensure_ascii=False)
    assert "ネットワークは曲線に当てはまる" in outputs
    assert "error_fit: " in outputs
    assert outputs.count("image/png") == 2
    assert "当てはめた曲線。" in outputs
    assert "Sequential(" in outputs


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_error(closed: str) -> None:
    said = subprocess.run(f"{sys.executable} -m phantastic show entropy {closed}", shell=True, capture_output=True)
    assert said.returncode == 0
    assert b"Traceback" not in said.stderr
