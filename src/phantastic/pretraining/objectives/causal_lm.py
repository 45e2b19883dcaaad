"""Left-to-right language modelling: each word from those before it (Radford et al. 2018, Eq. 1; GPT-2)."""

import torch
from jaxtyping import Int
from torch import Tensor

from phantastic.nn.language.model import Model
from phantastic.pretraining.corpus import IGNORED


def causal_lm(
    model: Model, input_ids: Int[Tensor, "batch n"], attention_mask: Int[Tensor, "batch n"]
) -> dict[str, Tensor]:
    """``loss``: mean of -log p(word | the words before) in nats, over all words but the first of each row.

    ``model`` is causal: GPT2LMHeadModel, or BertLMHeadModel with ``is_decoder`` (the ablation "LTR").
    """
    labels = torch.where(attention_mask.bool(), input_ids, IGNORED)
    loss = model(input_ids, attention_mask=attention_mask, labels=labels).loss
    assert loss is not None
    return {"loss": loss}
