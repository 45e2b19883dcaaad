"""Pre-training one network, by masked words or from left to right; `probe`, `finetune` and `ablations` call it too."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from phantastic.ground.randomness import initialised
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.heads import word_loss
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import create
from phantastic.pretraining.batches import Batch, Examples, Source
from phantastic.pretraining.corpus import IGNORED, Masking
from phantastic.pretraining.objectives.masked_lm import masked_lm
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.pretraining.wordpiece import PAD
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_linear
from phantastic.run.train import train


class Plan(NamedTuple):
    """A network and how it is pre-trained; the defaults are those of Devlin et al. (2019), but for dropout.

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
    short: float = 0.1
    random_next: float = 0.5
    dropout: float = 0.0  # none, since every batch is new text
    warmup: float = 0.1
    decay: float = 0.01


def plan_of(recipe: Any) -> Plan:
    """The network of a recipe that has a plan's fields, and ``share``, ``mask`` and ``same`` of the masking."""
    named = {field: getattr(recipe, field) for field in Plan._fields if field != "masking"}
    return Plan(**named, masking=Masking(recipe.share, recipe.mask, recipe.same))


def build(plan: Plan, vocabulary: int, seed: int, architecture: str = "BertForPreTraining") -> Model:
    """BERT as it begins."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=plan.width,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        intermediate_size=plan.hidden,
        hidden_dropout_prob=plan.dropout,
        attention_probs_dropout_prob=plan.dropout,
        max_position_embeddings=plan.longest,
        pad_token_id=PAD,
    )
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
    result = model(
        batch.input_ids,
        attention_mask=leftward(batch.attention_mask),
        token_type_ids=batch.token_type_ids,
        prediction_positions=torch.arange(1, words.shape[1] - 1).expand(len(words), -1),
    )
    assert result.prediction_logits is not None
    return {"loss": word_loss(result.prediction_logits, words[:, 2:])}


def objective(plan: Plan) -> Callable[[Model, Batch], dict[str, Tensor]]:
    if plan.masking is None:
        return next_words
    return lambda model, batch: masked_lm(model, batch, next_sentence=plan.next_sentence)


def pretrain(
    run: Run[Any],
    stage: str,
    plan: Plan,
    source: Source,
    seed: int,
    at: Mapping[int, Callable[[Model], object]] = MappingProxyType({}),
    name: str = "bert",
) -> Model:
    """Train it, or load it where that was done before. ``at``: what is measured of it after so many steps; ``name``:
    what the stage's weights are filed under."""
    model = build(plan, len(source.wordpiece), seed).to(run.device)
    optimiser = ClippedAdamW([model], plan.rate, plan.decay)
    examples = Examples(
        source,
        seed,
        plan.batch,
        masking=plan.masking or Masking(0.0, 0.0, 1.0),
        longest=plan.longest,
        short=plan.short,
        random_next=plan.random_next,
        device=run.device,
    )
    loss = objective(plan)

    def losses(step: int) -> Mapping[str, Tensor]:
        with initialised(seed, f"dropout/{step}") if plan.dropout else nullcontext():
            return loss(model, examples(step))

    train(
        run,
        stage,
        {name: model},
        {"loss": optimiser},
        losses,
        steps=plan.steps,
        rate=warm_and_linear(plan.steps, plan.warmup),
        at={step: partial(look, model) for step, look in at.items()},
    )
    return model
