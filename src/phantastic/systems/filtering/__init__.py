"""Hierarchical dynamic models, generalised filtering and active inference (Friston 2008, 2010), in float64.

The names below are loaded when they are first used, so that a light module of this package (its declaration of
studies) imports neither PyTorch nor SymPy.
"""

import sys
from types import ModuleType
from typing import Any

from phantastic.lazy import loader

_HOMES = {
    "Level": "model",
    "LogPrecision": "model",
    "Model": "model",
    "Prior": "model",
    "Result": "result",
    "act": "act",
    "attenuate": "attenuate",
    "generate": "generate",
    "invert": "learn",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = loader(__name__, _HOMES)


class _Package(ModuleType):
    """Some modules are named after the function they hold; as a name of this package it is the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
