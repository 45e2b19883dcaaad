"""The house as it is built: imports go down the floors, never up and never round; systems do not know each other."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import phantastic
from phantastic.declare.study import register

SOURCE = Path(phantastic.__file__).parent
FLOORS = (
    {"ground"}, {"declare"}, {"measures"}, {"run"}, {"show"}, {"nn", "world", "data"},
    {"inference", "pretraining", "lesion"}, {"tuning"}, {"systems"}, {"cli"},
)  # fmt: skip
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"torch", "scipy", "sklearn", "altair", "sympy"}


def modules() -> dict[str, Path]:
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(path: Path, *, at_once: bool = False) -> set[str]:
    """Modules of phantastic that a file imports, those for type checkers left out; ``at_once``: on being imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(inner) for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }  # fmt: skip
    nodes = tree.body if at_once else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        elif isinstance(node, ast.Import) and id(node) not in typing:
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("phantastic.")}


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.count(".") and "__main__" not in name))
def test_imports_go_down_and_no_system_knows_another(module: str) -> None:
    for other in imported(MODULES[module]):
        assert HEIGHT[room(other)] <= HEIGHT[room(module)], other
        if room(module) == room(other) == "systems":
            assert module.split(".")[2] == other.split(".")[2], other


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in MODULES if name.count(".")} - {"__main__"} == set(HEIGHT)


def test_there_is_no_circle() -> None:
    graph = {name: imported(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    # a package is not its modules: what a package's face offers may come from below it
    graph = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in graph.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(n for n in MODULES if n.endswith(".study") or room(f"{n}.") == "declare"))
def test_declarations_import_nothing_heavy(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    names = {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert not {name.split(".")[0] for name in names} & HEAVY
    assert {room(n) for n in imported(MODULES[module], at_once=True)} <= {
        "ground",
        "declare",
        "systems",
        "world",
        "data",
    }


def test_an_experiment_stands_where_its_reader_looks() -> None:
    """`experiment.py` of a system with one study, else a module of the study's name; its pictures beside it."""
    studies = register()
    for study in studies.values():
        module = study.experiment.partition(":")[0]
        system = module.rpartition(".")[0]
        alone = sum(each.experiment.startswith(f"{system}.") for each in studies.values()) == 1
        assert module == f"{system}.{'experiment' if alone else study.name}"
        assert f"{system}.figures" not in MODULES or alone
