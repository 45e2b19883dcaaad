"""The multimodal bottleneck transformer (Nagrani et al. 2021).

The names below are loaded when they are first used, so that the light declaration of the studies imports no PyTorch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Architecture": "model",
    "FusionTransformer": "model",
    "Sense": "model",
    "initialise": "pretrained",
    "load_pretrained": "pretrained",
    "load_scenic": "scenic",
    "macs": "flops",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
