"""How BERT is trained: AdamW that decays weights only, and clipped gradients."""

from collections.abc import Callable, Iterable

import torch
from torch import nn


class ClippedAdamW(torch.optim.AdamW):
    """AdamW; before each step the gradient is scaled down to a norm of 1 where it is longer (Devlin et al. 2019, code).

    Biases and the gains of layer norms are not decayed.
    """

    def __init__(self, modules: Iterable[nn.Module], rate: float, decay: float = 0.01):
        parameters = list(dict.fromkeys(p for module in modules for p in module.parameters() if p.requires_grad))
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        super().__init__(groups, rate, betas=(0.9, 0.999), eps=1e-6, fused=True)

    def step(self, closure: Callable[[], float] | None = None):  # pyright: ignore[reportIncompatibleMethodOverride]
        parameters = [p for group in self.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        return super().step(closure)
