"""Structural probes: trees in the geometry of word representations (Hewitt & Manning 2019).

The names below are loaded when they are first used, so that the declaration of the study imports no PyTorch.
"""

from phantastic.ground.lazy import loader

_HOMES = {"fit": "regimen", "evaluate": "measure", "Measures": "measure"}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = loader(__name__, _HOMES)
