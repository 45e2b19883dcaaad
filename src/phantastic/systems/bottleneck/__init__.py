"""The multimodal bottleneck transformer (Nagrani et al. 2021).

The names below are loaded when they are first used, so that the light declaration of the studies imports no PyTorch.
"""

from phantastic.ground.lazy import loader

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
__getattr__ = loader(__name__, _HOMES)
