"""Permutation language modelling (Yang et al. 2019, XLNet, sections 2.2 and 2.3): the words of a text are predicted in
a random order, each from those before it in that order, wherever they stand. Only the last ones are: a sixth.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.nn.language.heads import word_loss
from phantastic.nn.language.model import Model
from phantastic.pretraining.corpus import IGNORED

SHARE = 1 / 6  # K = 6


class Permuted(NamedTuple):
    """XLNet's inputs: ``perm_mask[b, i, j]`` = 1 where position i may not see j; ``target_mapping[b, k, j]`` = 1 where
    prediction k stands for position j (all 0 where there are fewer predictions)."""

    perm_mask: Float[Tensor, "batch n n"]
    target_mapping: Float[Tensor, "batch k n"]
    labels: Int[Tensor, "batch k"]


def ordered(
    input_ids: Int[Tensor, "batch n"], turn: Int[Tensor, "batch n"], target: Bool[Tensor, "batch n"]
) -> Permuted:
    """``turn[b, i]`` is when position i comes in the order; the ``target`` positions are predicted.

    A target sees the other words and the targets before it; the other words see each other and no target.
    """
    number = target.sum(1)
    if int(number.min()) < 1:
        raise Refused("an example has no target; permutation language modelling predicts one at least")
    sees_from = torch.where(target, turn, -1)
    hidden = target[:, None, :] & (turn[:, None, :] >= sees_from[:, :, None])
    places = torch.where(target, turn, turn.shape[1] + turn).argsort(1)[:, : int(number.max())]  # by turn
    selected = torch.arange(places.shape[1], device=places.device) < number[:, None]
    mapping = torch.nn.functional.one_hot(places, turn.shape[1]) * selected[..., None]
    labels = torch.where(selected, input_ids.gather(1, places), IGNORED)
    return Permuted(hidden.float(), mapping.float(), labels)


def permuted(
    input_ids: Int[Tensor, "batch n"],
    words: Bool[Tensor, "batch n"],
    generator: torch.Generator,
    share: float = SHARE,
) -> Permuted:
    """A random order of each row; the last ``share`` of its ``words`` (neither special tokens nor padding), one at
    least, is predicted."""
    number = (words.sum(1) * share).round().clamp(min=1)
    random = torch.rand(input_ids.shape, generator=generator, device=generator.device).to(input_ids.device)
    turn = random.masked_fill(~words, -1).argsort(1).argsort(1)
    return ordered(input_ids, turn, (turn >= input_ids.shape[1] - number[:, None]) & words)


def permutation_lm(
    model: Model,
    input_ids: Int[Tensor, "batch n"],
    attention_mask: Int[Tensor, "batch n"],
    drawn: Permuted,
    token_type_ids: Int[Tensor, "batch n"] | None = None,
) -> dict[str, Tensor]:
    """``loss``: mean of -log p(word | what its order lets be seen) in nats. ``model`` is an XLNetLMHeadModel: the query
    stream of a target does not hold the word itself, the content stream does."""
    result = model(
        input_ids,
        attention_mask=attention_mask,
        perm_mask=drawn.perm_mask,
        target_mapping=drawn.target_mapping,
        token_type_ids=token_type_ids,
    )
    assert result.logits is not None
    return {"loss": word_loss(result.logits, drawn.labels)}
