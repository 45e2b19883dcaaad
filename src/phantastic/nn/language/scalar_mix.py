"""ELMo's use of its layers (Peters et al. 2018, Eq. 1): each task learns which of them it needs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.ground.errors import Refused


class ScalarMix(nn.Module):
    """γ Σⱼ sⱼ hⱼ over the states of all layers, the embeddings among them; s = softmax(``weights``).

    It begins as the plain mean: the weights at 0, ``scale`` (γ) at 1.
    """

    def __init__(self, layers: int):
        super().__init__()
        self.weights, self.scale = nn.Parameter(torch.zeros(layers)), nn.Parameter(torch.ones(()))

    def forward(self, states: Sequence[Float[Tensor, "batch n width"]]) -> Float[Tensor, "batch n width"]:
        """Raises `Refused` for another number of layers than it was made for."""
        if len(states) != len(self.weights):
            raise Refused(f"{len(states)} layers are given to a mix of {len(self.weights)}; give the states of each")
        return self.scale * torch.einsum("l,lbnw->bnw", self.weights.softmax(0), torch.stack(list(states)))
