"""The members that read texts: how each is built, what it is asked, and the states it has of a text.

All read the same batches in the same order (`Epochs`), 15% of whose words are hidden from the masked ones.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.ground.randomness import initialised, torch_generator
from phantastic.nn.language.bert import BertConfig
from phantastic.nn.language.gpt2 import GPT2Config
from phantastic.nn.language.model import Model
from phantastic.nn.language.pretrained import create
from phantastic.nn.language.xlnet import XLNetConfig
from phantastic.pretraining.batches import Batch, Examples, Source
from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.objectives.causal_lm import causal_lm
from phantastic.pretraining.objectives.dynamic_masking import Epochs
from phantastic.pretraining.objectives.masked_lm import masked_lm
from phantastic.pretraining.objectives.permutation_lm import permutation_lm, permuted
from phantastic.pretraining.objectives.recurrent_lm import BidirectionalLM, recurrent_lm
from phantastic.pretraining.optimiser import ClippedAdamW
from phantastic.pretraining.wordpiece import PAD, SEP
from phantastic.run.folder import Run
from phantastic.run.rates import warm_and_linear
from phantastic.run.train import train
from phantastic.systems.family.study import FamilyRecipe

WARMUP, DECAY = 0.1, 0.01  # Devlin et al. 2019, appendix A.2
ELMO_LAYERS = 2
States = list[Float[Tensor, "batch n width"]]


class Member(NamedTuple):
    """How a member reads."""

    build: Callable[[FamilyRecipe, int], nn.Module]
    loss: Callable[[Any, Batch, int, int], dict[str, Tensor]]
    """Of the network, a batch, the seed and the step."""
    masked: bool
    dynamic: bool = True


def masked_network(recipe: FamilyRecipe, vocabulary: int) -> Model:
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=4 * recipe.width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=recipe.longest,
        pad_token_id=PAD,
    )
    return create("BertForPreTraining", config)


def leftward_network(recipe: FamilyRecipe, vocabulary: int) -> Model:
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=recipe.longest,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        classifier_dropout=0.0,
        pad_token_id=PAD,
    )
    return create("GPT2LMHeadModel", config)


def permuted_network(recipe: FamilyRecipe, vocabulary: int) -> Model:
    config = XLNetConfig(
        vocab_size=vocabulary,
        d_model=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        d_inner=4 * recipe.width,
        dropout=0.0,
        mem_len=None,
        use_mems_eval=False,
        summary_type="first",  # of texts that begin with [CLS]; XLNet's end with it
        summary_last_dropout=0.0,
        pad_token_id=PAD,
    )
    return create("XLNetLMHeadModel", config)


def recurrent_network(recipe: FamilyRecipe, vocabulary: int) -> BidirectionalLM:
    return BidirectionalLM(vocabulary, recipe.width, ELMO_LAYERS)


def words_of(input_ids: Int[Tensor, "batch n"]) -> Tensor:
    """Neither padding nor [CLS] nor [SEP]."""
    return input_ids > SEP


def in_order(model: Model, batch: Batch, seed: int, step: int) -> dict[str, Tensor]:
    drawn = permuted(batch.input_ids, words_of(batch.input_ids), torch_generator(seed, "permutation", step))
    return permutation_lm(model, batch.input_ids, batch.attention_mask, drawn, batch.token_type_ids)


MEMBERS = {
    "bert": Member(masked_network, lambda model, batch, *_: masked_lm(model, batch), True, dynamic=False),
    "dynamic": Member(masked_network, lambda model, batch, *_: masked_lm(model, batch), True),
    "roberta": Member(masked_network, lambda model, batch, *_: masked_lm(model, batch, next_sentence=False), True),
    "gpt": Member(leftward_network, lambda model, batch, *_: causal_lm(model, batch[0], batch[1]), False),
    "xlnet": Member(permuted_network, in_order, False),
    "elmo": Member(recurrent_network, lambda model, batch, *_: recurrent_lm(model, batch[0], batch[1]), False),
}


def built(name: str, recipe: FamilyRecipe, vocabulary: int, seed: int) -> nn.Module:
    with initialised(seed, "model"):
        return MEMBERS[name].build(recipe, vocabulary)


def corpus(name: str, recipe: FamilyRecipe, source: Source, seed: int, device: torch.device) -> Epochs:
    """What a member reads, by step; only the masks differ."""
    masking = Masking() if MEMBERS[name].masked else Masking(0.0, 0.0, 1.0)
    examples = Examples(source, seed, recipe.batch, masking=masking, longest=recipe.longest, device=device)
    return Epochs(examples, pools=recipe.pools, dynamic=MEMBERS[name].dynamic)


def pretrained(run: Run[FamilyRecipe], name: str, source: Source, seed: int) -> nn.Module:
    """Train a member, or load it where that was done before."""
    recipe, member = run.recipe, MEMBERS[name]
    model = built(name, recipe, len(source.wordpiece), seed).to(run.device)
    texts = corpus(name, recipe, source, seed, run.device)
    train(
        run,
        f"seed{seed}/{name}",
        {name: model},
        {"loss": ClippedAdamW([model], recipe.rate, DECAY)},
        lambda step: member.loss(model, texts(step), seed, step),
        steps=recipe.steps,
        rate=warm_and_linear(recipe.steps, WARMUP),
    )
    return model


def states(network: nn.Module, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> States:
    """The embeddings and each layer's output. ELMo's are those of both directions, side by side."""
    if isinstance(network, BidirectionalLM):
        return [torch.cat(pair, -1) for pair in zip(*network(input_ids, attention_mask), strict=True)]
    if isinstance(network, nn.Embedding):
        return [network(input_ids)]
    assert isinstance(network, Model)
    segments = {} if network.architecture.startswith("GPT2") else {"token_type_ids": token_type_ids}
    hidden = network(input_ids, attention_mask=attention_mask, output_hidden_states=True, **segments).hidden_states
    return list(hidden or ())
