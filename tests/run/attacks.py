"""What is thrown at the ground: two starters at once, spoilt files, foreign runs, diverging training, odd words."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from torch import Tensor, nn

from phantastic.declare.parameter import parameters, parse_settings
from phantastic.declare.recipe import compose
from phantastic.declare.study import Study, register
from phantastic.ground.errors import Refused
from phantastic.run import manifest
from phantastic.run.folder import Run
from phantastic.run.train import train

Words = Callable[..., Result]


@pytest.fixture
def begin(toy: Study, tmp_path: Path) -> Callable[..., Run]:
    def create(name: str = "", preset: str = "tiny") -> Run:
        return Run.create(toy, toy.presets[preset], preset, tmp_path, name)

    return create


# --- the folder


def test_of_many_that_begin_at_once_each_gets_a_folder_and_its_own_recipe(toy: Study, tmp_path: Path) -> None:
    gate, runs = threading.Barrier(8), []

    def start(steps: int) -> None:
        recipe = compose(toy.recipe, toy.presets, "tiny", {"steps": steps})
        gate.wait()
        runs.append(Run.create(toy, recipe, "tiny", tmp_path))

    threads = [threading.Thread(target=start, args=(steps,)) for steps in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.folder for run in runs}) == 8
    for run in runs:
        assert manifest.read(run.folder).recipe["steps"] == run.recipe.steps
        run.close()


def test_of_two_that_begin_under_one_name_one_is_refused(begin: Callable[..., Run]) -> None:
    first = begin("mine")
    with pytest.raises(Refused, match="holds a run already"):
        begin("mine")
    assert manifest.read(first.folder).recipe == manifest.plain(first.recipe)
    first.close()


def test_a_folder_that_was_moved_away_is_not_made_anew(begin: Callable[..., Run], tmp_path: Path) -> None:
    run = begin()
    run.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="was moved or deleted"):
        run.close()
    assert not run.folder.exists()


def test_what_a_killed_write_left_is_swept_away(begin: Callable[..., Run]) -> None:
    run = begin()
    run.close()
    (run.folder / "checkpoints").mkdir()
    left = run.folder / "checkpoints/.fit-00000009.safetensors.part"
    left.write_bytes(b"half")
    Run.open(run.folder, writing=True).close()
    assert not left.exists()


def test_a_run_that_is_open_for_reading_computes_and_writes_nothing(begin: Callable[..., Run]) -> None:
    run = begin()
    assert run.once("kept", lambda: {"a": 1.0}, dict[str, float]) == {"a": 1.0}
    run.close()
    reading = Run.open(run.folder)
    assert reading.once("kept", pytest.fail, dict[str, float]) == {"a": 1.0}
    with pytest.raises(Refused, match=r"absent\.json is missing"):
        reading.once("absent", pytest.fail, dict[str, float])


# --- what a file may hold


def test_a_changed_digit_and_another_shape_are_found(begin: Callable[..., Run]) -> None:
    run = begin()
    run.once("kept", lambda: {"a": 1.25}, dict[str, float])
    path = run.folder / "results/kept.json"
    with pytest.raises(Refused, match=r"kept\.json is damaged"):
        run.result("kept", list[int])
    path.write_text(path.read_text().replace("1.25", "1.26"))
    with pytest.raises(Refused, match=r"kept\.json was altered"):
        run.result("kept", dict[str, float])
    run.close()


def test_runs_of_the_first_format_are_still_read(runs: Path, phantastic: Words) -> None:
    folder = runs / "one"
    for name in ("measures.json", "claims.json"):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text())["value"]))
    whole = folder / manifest.MANIFEST
    whole.write_text(whole.read_text().replace('"format": 2', '"format": 1'))
    assert manifest.measures(folder)["error_fit"].value > 0
    assert phantastic("show", "toy/one").exit_code == 0


@pytest.mark.parametrize("name", [manifest.MANIFEST, "claims.json", "measures.json"])
def test_one_damaged_run_ends_no_list(runs: Path, phantastic: Words, name: str) -> None:
    (runs / "one" / name).write_bytes(b'{"a": "\xff"}')
    for verb in ("ls", "ledger"):
        result = phantastic(verb)
        assert result.exit_code == 0, result.output
        assert "Traceback" not in result.output
    if name == manifest.MANIFEST:
        assert "damaged" in phantastic("ls").output


def test_a_run_made_on_a_gpu_is_read_on_a_laptop(runs: Path, phantastic: Words) -> None:
    path = runs / "half" / manifest.MANIFEST
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    assert Run.open(runs / "half").device == torch.device("cpu")
    result = phantastic("resume", "toy/half")
    assert result.exit_code == 2
    assert "no CUDA GPU" in result.output
    for threads in ("0", "-1"):
        path.write_text(path.read_text().replace('"threads": 1,\n "revision', f'"threads": {threads},\n "revision'))
        with pytest.raises(Refused, match="threads"):
            manifest.read(runs / "half")
        path.write_text(path.read_text().replace(f'"threads": {threads},\n "revision', '"threads": 1,\n "revision'))


def test_export_follows_no_link_and_what_a_stranger_wrote_steers_nothing(runs: Path, phantastic: Words) -> None:
    folder = runs / "one"
    (folder / "figures/secret.png").symlink_to("/etc/hostname")
    path = folder / manifest.MANIFEST
    machine = json.loads(path.read_text())["machine"]
    path.write_text(path.read_text().replace(machine, "\\u001b[31m<script>alert(1)</script>|"))
    assert "\x1b" not in phantastic("show", "toy/one").output
    assert phantastic("export", "toy/one", "--to", "out").exit_code == 0
    assert not Path("out/figures/secret.png").exists()
    card = Path("out/README.md").read_text()
    assert "<script>" not in card
    assert "\x1b" not in card
    assert "&lt;script&gt;" in card


# --- training


def step_by_step(run: Run, losses: Callable[[nn.Module, int], Tensor], steps: int) -> nn.Linear:
    run.checkpoint_seconds = 0.0
    torch.manual_seed(0)
    module = nn.Linear(2, 1)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    train(run, "a", {"m": module}, {"loss": optimiser}, lambda s: {"loss": losses(module, s)}, steps=steps)
    return module


def square(module: nn.Module, step: int) -> Tensor:
    return module(torch.ones(1, 2)).square().sum()


def test_a_bad_batch_never_replaces_the_last_good_checkpoint(begin: Callable[..., Run]) -> None:
    run = begin()
    with pytest.raises(Refused, match=r"training diverged.*the stage stands at step 500"):
        step_by_step(run, lambda module, step: square(module, step) * (float("nan") if step == 500 else 1), 1920)
    assert run.checkpoints.latest.step == 500
    run.close()
    again = Run.open(run.folder, writing=True)
    step_by_step(again, square, 1920)
    again.close()


def test_a_gradient_that_is_not_finite_on_the_last_step_is_no_end(begin: Callable[..., Run]) -> None:
    def losses(module: nn.Module, step: int) -> Tensor:
        y = module(torch.ones(1, 2))
        return y.square().sum() if step < 7 else (y - y.detach()).abs().sqrt().sum()  # the slope of a root at 0

    run = begin()
    with pytest.raises(Refused, match="training diverged"):
        step_by_step(run, losses, 8)
    assert not run.checkpoints.latest.finished
    run.close()


# --- words


@pytest.mark.parametrize("text", ["[vae]", "[vae,beta]", "vae,beta", "vae", "['vae','beta']", '["vae", "beta"]'])
def test_a_list_is_read_as_a_shell_leaves_it(text: str) -> None:
    study = register()["vae"]
    read = compose(study.recipe, study.presets, "tiny", parse_settings(study.recipe, [f"objectives={text}"]))
    assert read.objectives == (("vae", "beta") if "beta" in text else ("vae",))  # pyright: ignore


@pytest.mark.parametrize("text", ["2024-05-01", "110", "1_2", "true", "07:30", "~/x=y"])
def test_text_is_text(text: str) -> None:
    assert parse_settings(register()["probe"].recipe, [f"model={text}"]) == {"model": text}


def test_numbers_as_people_write_them() -> None:
    recipe = register()["scan"].recipe
    said = ["seed=007", "beta=.5", "visual_rate=1e-3", "turning=False", "size=64", 'device="cpu"', "few=[1, 2]"]
    assert parse_settings(recipe, said) == {
        "seed": 7, "beta": 0.5, "visual_rate": 1e-3, "turning": False, "size": 64, "device": "cpu", "few": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize("name", register())
def test_a_value_as_it_is_written_is_read_back(name: str) -> None:
    study = register()[name]
    for preset, recipe in study.presets.items():
        for parameter in parameters(study.recipe):
            value = getattr(recipe, parameter.name)
            again = parameter.read(parameter.written(value))
            assert (tuple(again) if isinstance(again, list) else again) == value, (preset, parameter.name)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\udc80"])
def test_what_is_no_plain_text_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="write plain text"):
        parse_settings(register()["probe"].recipe, [f"model={text}"])


def test_a_recipe_that_never_ends_is_refused(phantastic: Words, tmp_path: Path) -> None:
    result = phantastic("run", "toy", "--recipe", "/dev/zero")
    assert result.exit_code == 2
    assert "is not a file" in result.output
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbfbogus = 3\r\n")
    assert "unknown key 'bogus'" in phantastic("run", "toy", "--recipe", str(tmp_path / "mine.toml")).output


def test_a_tilde_is_the_home_folder(phantastic: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert phantastic("run", "toy", "--preset", "tiny", "--root=~/mine").exit_code == 0
    assert (tmp_path / "mine/toy/tiny-seed0/report.html").exists()
    assert not os.path.exists("~")
