"""What a call of a pre-trained model gives back, under the Hugging Face library's field names."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class States(NamedTuple):
    """What the layers make of the input; a head reads it."""

    last: Float[Tensor, "batch positions width"]
    pooled: Float[Tensor, "batch width"] | None = None
    """The layers' own vector of a sequence: of BERT's first position through its pooler, of GPT-2's last word."""
    hidden: tuple[Tensor, ...] | None = None
    """What enters each layer, and what leaves the last."""
    memories: tuple[Tensor, ...] | None = None
    """XLNet: per layer, what the next segment of the text may look back at."""


@dataclass
class Result:
    """Fields that do not apply, or were not asked for, are None.

    ``loss`` (where labels were given), a scalar in nats; ``logits`` [batch, ...]; ``hidden_states``: the embeddings
    and each layer's output, [batch, positions, width]; ``attentions``: per layer, [batch, heads, queries, keys].
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    prediction_logits: Tensor | None = None
    seq_relationship_logits: Tensor | None = None
    start_logits: Tensor | None = None
    end_logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    mems: tuple[Tensor, ...] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor | tuple[Tensor, ...], ...] | None = None
