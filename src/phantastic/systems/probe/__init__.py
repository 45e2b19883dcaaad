"""Structural probes: trees in the geometry of word representations (Hewitt & Manning 2019).

The names below are loaded when they are first used, so that the declaration of the study imports no PyTorch.
"""

from importlib import import_module
from typing import Any

_HOMES = {"fit": "regimen", "evaluate": "measure", "Measures": "measure"}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
