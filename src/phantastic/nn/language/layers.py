"""What the architectures share: looking up embeddings, masks, and the way through the layers."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.nn.attention import padding
from phantastic.nn.transformer import Block


def look_up(table: nn.Embedding, ids: Int[Tensor, "*batch"], key: str) -> Float[Tensor, "*batch width"]:
    """The rows of the table; raises `Refused`, naming the input, for an id the table does not have."""
    try:
        return table(ids)
    except IndexError:
        low, high = int(ids.min()), int(ids.max())
        message = f"{key} holds ids from {low} to {high}; this model has 0 to {table.num_embeddings - 1}"
        raise Refused(message) from None


def word_states(
    words: nn.Embedding, input_ids: Int[Tensor, "batch n"] | None, inputs_embeds: Float[Tensor, "batch n width"] | None
) -> Float[Tensor, "batch n width"]:
    """The words' embeddings, or what is given in their place; raises `Refused` for both or neither."""
    if input_ids is not None and inputs_embeds is None:
        return look_up(words, input_ids, "input_ids")
    if inputs_embeds is not None and input_ids is None:
        return inputs_embeds
    raise Refused("give either input_ids or inputs_embeds")


def positions_of(positions: nn.Embedding, x: Float[Tensor, "batch n width"]) -> Int[Tensor, "1 n"]:
    """0, 1, 2 …; raises `Refused` for a sequence that is longer than the table."""
    if x.shape[1] > positions.num_embeddings:
        raise Refused(
            f"input_ids hold {x.shape[1]} positions; this model has {positions.num_embeddings}: cut the sequences"
        )
    return torch.arange(x.shape[1], device=x.device)[None]


def attended(attention_mask: Tensor | None) -> Bool[Tensor, "batch 1 queries keys"] | None:
    """The library's mask, 1 = may be attended to; raises `Refused` for other shapes than these two: [batch, keys] and
    [batch, queries, keys]."""
    if attention_mask is None:
        return None
    if attention_mask.dim() not in (2, 3):
        shape = tuple(attention_mask.shape)
        raise Refused(f"attention_mask is {shape}; allowed: [batch, keys] or [batch, queries, keys], 1 = may be seen")
    return padding(attention_mask) if attention_mask.dim() == 2 else attention_mask.bool()[:, None]


def both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Two masks at once; None allows all."""
    return first if second is None else second if first is None else first & second


def through(
    layers: Iterable[nn.Module], x: Float[Tensor, "batch n width"], mask: Tensor | None, keep: bool
) -> tuple[Float[Tensor, "batch n width"], tuple[Tensor, ...] | None]:
    """The last layer's output and, to ``keep``, what entered each layer and left the last."""
    hidden = [x]
    for layer in layers:
        x = layer(x, mask)
        if keep:
            hidden.append(x)
    return x, tuple(hidden) if keep else None


def blocks(number: int, make: Callable[[], Block]) -> nn.ModuleList:
    return nn.ModuleList(make() for _ in range(number))


def normal(model: nn.Module, deviation: float, words: float | None = None) -> None:
    """Weights from N(0, deviation²), embeddings from N(0, words²) where that is given, biases 0, norms 1.

    A padding row is 0. Embeddings come last: the scores of the words may be made of them.
    """
    for module in sorted(model.modules(), key=lambda module: isinstance(module, nn.Embedding)):
        match module:
            case nn.Linear():
                nn.init.normal_(module.weight, std=deviation)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            case nn.Embedding():
                nn.init.normal_(module.weight, std=words or deviation)
                if module.padding_idx is not None:
                    with torch.no_grad():
                        module.weight[module.padding_idx] = 0
