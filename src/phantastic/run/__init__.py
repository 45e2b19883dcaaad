"""One run: its folder, its stages, its training. Without a terminal.

`Run` is loaded when it is first used: listing runs (`manifest`) needs no PyTorch.
"""

from phantastic.ground.lazy import loader

_HOMES = {"Run": "folder"}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = loader(__name__, _HOMES)
