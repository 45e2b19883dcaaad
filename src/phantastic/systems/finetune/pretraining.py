"""Pre-training one network, by masked words or from left to right."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from phantastic.randomness import initialised
from phantastic.run import Run
from phantastic.systems.bert.batches import Batch, Examples
from phantastic.systems.bert.bert import BertConfig
from phantastic.systems.bert.corpus import IGNORED, Masking
from phantastic.systems.bert.heads import word_loss
from phantastic.systems.bert.model import Model
from phantastic.systems.bert.objectives.masked_lm import masked_lm
from phantastic.systems.bert.optimiser import ClippedAdamW, scheduled
from phantastic.systems.bert.pretrained import create
from phantastic.systems.bert.wordpiece import PAD
from phantastic.systems.finetune.texts import Source
from phantastic.train import train

WARMUP, DECAY = 0.1, 0.01


class Plan(NamedTuple):
    """A network and how it is pre-trained.

    ``masking`` None: from left to right, each word from those before it (Radford et al. 2018).
    """

    layers: int
    width: int
    heads: int
    hidden: int
    steps: int
    batch: int
    rate: float
    longest: int = 128
    masking: Masking | None = Masking()
    next_sentence: bool = True


def build(plan: Plan, vocabulary: int, seed: int, architecture: str = "BertForPreTraining") -> Model:
    """BERT as it begins; without dropout, since every batch is new text."""
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=plan.width, num_hidden_layers=plan.layers, num_attention_heads=plan.heads,
        intermediate_size=plan.hidden, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        max_position_embeddings=plan.longest, pad_token_id=PAD,
    )  # fmt: skip
    with initialised(seed, "model"):
        return create(architecture, config)


def leftward(present: Int[Tensor, "batch n"]) -> Bool[Tensor, "batch n n"]:
    """The same network from left to right: a word sees itself and the words before it, [CLS] at the first place all of
    them and no word [CLS]; as if [CLS] stood at the end. ``present`` is 0 for padding."""
    length = present.shape[1]
    allowed = torch.ones(length, length, dtype=torch.bool, device=present.device).tril()
    allowed[1:, 0], allowed[0] = False, True
    return allowed & present.bool()[:, None]


def next_words(model: Model, batch: Batch) -> dict[str, Tensor]:
    """``loss``, the mean surprise at each next word in nats, all words being seen as they are."""
    words = torch.where(batch.attention_mask.bool(), batch.input_ids, IGNORED)
    result = model(batch.input_ids, attention_mask=leftward(batch.attention_mask), token_type_ids=batch.token_type_ids,
                   prediction_positions=torch.arange(1, words.shape[1] - 1).expand(len(words), -1))  # fmt: skip
    assert result.prediction_logits is not None
    return {"loss": word_loss(result.prediction_logits, words[:, 2:])}


def objective(plan: Plan) -> Callable[[Model, Batch], dict[str, Tensor]]:
    if plan.masking is None:
        return next_words
    return lambda model, batch: masked_lm(model, batch, next_sentence=plan.next_sentence)


def pretrain(
    run: Run, stage: str, plan: Plan, source: Source, seed: int, look: Callable[[int, Model], None] | None = None
) -> Model:
    """Train it, or load it where that was done before; ``look(step, model)`` is called before each step."""
    model = build(plan, len(source.wordpiece), seed).to(run.device)
    optimiser = ClippedAdamW([model], plan.rate, DECAY)
    masking = plan.masking or Masking(0.0, 0.0, 1.0)
    batches = Examples(source, seed, plan.batch, masking=masking, longest=plan.longest, device=run.device)  # pyright: ignore[reportArgumentType]
    loss = objective(plan)

    def losses(step: int) -> Mapping[str, Tensor]:
        if look is not None:
            look(step, model)
        optimiser.set_rate(scheduled(step, plan.steps, plan.rate, WARMUP))
        return loss(model, batches(step))

    train(run, stage, {"bert": model}, {"loss": optimiser}, losses, steps=plan.steps)
    return model
