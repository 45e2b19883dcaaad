"""Models of this system as they begin, and how their weights are moved."""

import torch
from torch import nn

from phantastic.ground.randomness import initialised
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer

WARM = 0.15  # share of the steps in which the step size rises


def build(architecture: Architecture, seed: int, device: torch.device) -> FusionTransformer:
    """A model as it begins; models of a seed begin alike where they have parameters in common."""
    with initialised(seed, "model"):
        return FusionTransformer(architecture).to(device)


def optimiser_of(model: nn.Module, rate: float, decay: float) -> torch.optim.AdamW:
    """AdamW; biases, norms and tokens do not decay."""
    maps = [parameter for module in model.modules() if isinstance(module, nn.Linear) for parameter in [module.weight]]
    decayed = {id(parameter) for parameter in maps}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in decayed]
    groups = [{"params": maps, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, fused=True)
