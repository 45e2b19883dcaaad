"""What all tests share."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run beside one another; read when PyTorch is loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent / "support"))

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

from phantastic.declare.i18n import speaking  # noqa: E402
from phantastic.declare.study import register  # noqa: E402

if TYPE_CHECKING:
    from phantastic.run.folder import Run

collect_ignore = ["conftest.py", "support"]

Invoke = Callable[..., Result]
STUDIES = register()


@pytest.fixture(autouse=True)
def spoken(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test with a parameter ``lang`` speaks that language, all others English."""
    with speaking(request.getfixturevalue("lang") if "lang" in request.fixturenames else "en"):
        yield


@pytest.fixture(autouse=True)
def same_bits() -> None:
    """In whatever order the tests run: networks made without a seed of their own are the same, and so are sums."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch):
    """The toy is the only study there is."""
    from toys.study import TOY

    import phantastic.declare.study

    monkeypatch.setattr(phantastic.declare.study, "register", lambda: {TOY.name: TOY})
    return TOY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, in English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path


@pytest.fixture
def phantastic(toy, home: Path) -> Invoke:
    """Call `phantastic` with the toy in an empty folder; only an exit may end it, never another exception."""
    from phantastic.cli.main import cli

    def call(*words: object) -> Result:
        result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="phantastic")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs of the toy in runs/: finished, finished with three seeds, and stopped half way."""
    from toys.study import TOY, ToyRecipe

    import phantastic.declare.study
    from phantastic.ground.errors import Stopped
    from phantastic.run.execute import execute
    from phantastic.run.folder import Run

    root = tmp_path_factory.mktemp("shelf")
    one = ToyRecipe(steps=30, precision="float32", threads=1)
    three = ToyRecipe(steps=25, seeds=3, precision="float32", threads=1, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantastic.declare.study, "register", lambda: {TOY.name: TOY})
        from phantastic.show import report

        for name, preset, recipe in (("one", "tiny", one), ("three", "quick", three)):
            run = Run.create(TOY, recipe, preset, root / "runs", name)
            execute(run)
            run.finish()
            report.publish(run)
            run.close()
        run = Run.create(TOY, one, "tiny", root / "runs", "half")

        def stop(event: str) -> None:
            if run.clock.name == "mirror":
                raise Stopped

        run.clock.watch = stop
        with pytest.raises(Stopped):
            execute(run)
        run.close()
    return root


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a study's run at its `tiny` preset, all computed but not yet finished, by the study's name; each is
    made once, for whichever worker asks first. To be copied, not to be touched."""
    from filelock import FileLock

    from phantastic.declare.recipe import compose
    from phantastic.run.execute import execute, owned
    from phantastic.run.folder import Run

    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "tiny"
    root.mkdir(exist_ok=True)

    def make(name: str) -> Path:
        done = root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                study = STUDIES[name]
                recipe = compose(study.recipe, study.presets, "tiny", {"device": "cpu", "threads": 1})
                with owned(Run.create(study, recipe, "tiny", root, "tiny")) as run:
                    execute(run)
                done.touch()
        return root / name / "tiny"

    return make


@pytest.fixture(scope="session")
def tiny_run(
    tiny_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], "Run"]]:
    """The run of a study at its `tiny` preset, by the study's name, in a copy of the worker's own."""
    from phantastic.run.folder import Run

    made: dict[str, Run] = {}

    def make(name: str) -> Run:
        if name not in made:
            folder = tmp_path_factory.mktemp("runs") / name / "tiny"
            shutil.copytree(tiny_folder(name), folder)
            made[name] = Run.open(folder, writing=True)
        return made[name]

    yield make
    for run in made.values():
        run.close()


@pytest.fixture
def runs(shelf: Path, home: Path) -> Path:
    """A copy of the shelf's runs in the working folder."""
    shutil.copytree(shelf / "runs", home / "runs")
    return home / "runs/toy"
