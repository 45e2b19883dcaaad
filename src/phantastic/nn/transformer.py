"""Transformer blocks and positions (Vaswani et al. 2017, sections 3.1, 3.3 and 3.5).

Dropout and stochastic depth draw from PyTorch's generator: train within `randomness.initialised(seed, purpose)`, with
the step in the purpose.
"""

from collections.abc import Callable
from functools import partial
from math import log
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, relu

from phantastic.ground.errors import Refused, nearest
from phantastic.nn.attention import Attention, HookPoint, glorot

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "gelu": gelu,  # x Φ(x), exactly (Hendrycks & Gimpel 2016)
    "gelu_tanh": partial(gelu, approximate="tanh"),  # its approximation, in GPT-2 and in flax
}


class MLP(nn.Module):
    """The same two dense layers at every position: ``expand`` to ``hidden`` units, activation, ``contract``."""

    def __init__(self, width: int, hidden: int, activation: str = "gelu"):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise Refused(f"unknown activation '{activation}'{nearest(activation, ACTIVATIONS)}")
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activation = ACTIVATIONS[activation]
        glorot(self.expand)
        glorot(self.contract)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return self.contract(self.activation(self.expand(x)))


class Block(nn.Module):
    """Self-attention, attention to a memory (where ``memory_width`` is given) and an MLP, each added to the stream.

    With ``norm="post"`` the sum is normalised (Vaswani et al. 2017; BERT), with ``"pre"`` what a branch reads (GPT-2,
    ViT). ``dropout`` is of each branch's output, ``attention_dropout`` of the attention weights. With probability
    ``stochastic_depth`` a branch is left out, in training, for each example on its own and without rescaling the rest
    (as in Nagrani et al. 2021).

    Sites, besides those of ``attention``, ``memory_attention`` and ``mlp``: ``middle`` and ``residual``, the stream
    before the MLP and after it [batch, positions, width] (units: its dimensions).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        norm: Literal["pre", "post"] = "pre",
        activation: str = "gelu",
        epsilon: float = 1e-5,
        bias: bool = True,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        memory_width: int | None = None,
    ):
        super().__init__()
        self.pre, self.stochastic_depth = norm == "pre", stochastic_depth
        self.attention = Attention(width, heads, bias=bias, dropout=attention_dropout)
        self.attention_norm = nn.LayerNorm(width, epsilon)
        if memory_width:
            self.memory_attention = Attention(
                width, heads, memory_width=memory_width, bias=bias, dropout=attention_dropout
            )
            self.memory_norm = nn.LayerNorm(width, epsilon)
        self.middle = HookPoint(width, -1)
        self.mlp = MLP(width, hidden, activation)
        self.mlp_norm = nn.LayerNorm(width, epsilon)
        self.residual = HookPoint(width, -1)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch positions width"],
        mask: Bool[Tensor, "..."] | None = None,
        memory: Float[Tensor, "batch keys memory_width"] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch positions width"]:
        x = self.add(x, self.attention_norm, lambda y: self.attention(y, mask=mask))
        if memory is not None:
            x = self.add(x, self.memory_norm, lambda y: self.memory_attention(y, memory, memory_mask))
        return self.residual(self.add(self.middle(x), self.mlp_norm, self.mlp))

    def add(self, x: Tensor, norm: nn.LayerNorm, branch: Callable[[Tensor], Tensor]) -> Tensor:
        added = self.dropout(branch(norm(x) if self.pre else x))
        if self.training and self.stochastic_depth:
            keep = torch.rand(len(x), *[1] * (x.dim() - 1)) >= self.stochastic_depth
            added = added * keep.to(added)
        return x + added if self.pre else norm(x + added)


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Dimensions 2i and 2i + 1 of position p: sin and cos of p / 10000^(2i / width) (Vaswani et al. 2017, 3.5).

    Moving by an offset turns each pair by an angle that depends on the offset alone.
    """
    if width % 2:
        raise Refused(
            f"sinusoidal positions {width} wide are not possible: sine and cosine come in pairs; use an even width"
        )
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-log(10_000) / width))
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


class Positions(nn.Module):
    """Adds to each position a vector of its own, learned from N(0, scale²) or, with ``learned=False``, `sinusoids`.

    Site ``embedded``: the stream as it enters the first block (units: its dimensions).
    """

    def __init__(self, length: int, width: int, *, learned: bool = True, scale: float = 0.02):
        super().__init__()
        table = torch.randn(length, width) * scale if learned else sinusoids(length, width)
        if learned:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table, persistent=False)
        self.embedded = HookPoint(width, -1)

    def forward(
        self, x: Float[Tensor, "batch positions width"], offset: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch positions width"]:
        """Position 0 stands at ``offset``, for each example its own (Kiyono et al. 2021).

        Raises `Refused` for more positions than there are vectors.
        """
        positions, longest = x.shape[1], len(self.table)
        last = positions + (0 if offset is None else int(offset.max()))
        if last > longest:
            raise Refused(f"{last} positions are too many; this model has learned places for {longest}")
        if offset is None:
            return self.embedded(x + self.table[:positions])
        return self.embedded(x + self.table[offset[:, None] + torch.arange(positions, device=offset.device)])
