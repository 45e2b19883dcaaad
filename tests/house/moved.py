"""Every public name that moved is where the changelog says it is."""

import re
from importlib import import_module
from pathlib import Path

import pytest

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
MOVED = re.findall(r"^\| `(phantastic[\w.]*)` \| `(phantastic[\w.]*)` \|$", CHANGELOG.read_text(encoding="utf-8"), re.M)


def found(name: str) -> object:
    """The module, or what a module holds under its last part."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)


def test_there_is_a_table() -> None:
    assert len(MOVED) > 80
    assert len({old for old, _ in MOVED}) == len(MOVED)


@pytest.mark.parametrize(("old", "new"), MOVED)
def test_what_moved_is_there(old: str, new: str) -> None:
    assert found(new) is not None
    if old.count(".") == 1 and old not in ("phantastic.run", "phantastic.cli"):
        with pytest.raises(ModuleNotFoundError):
            import_module(old)
