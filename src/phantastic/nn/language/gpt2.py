"""GPT-2 (Radford et al. 2019): pre-norm blocks in which each word sees only those before it."""

from collections.abc import Callable
from math import sqrt
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.ground.errors import Refused
from phantastic.nn.attention import HookPoint, causal
from phantastic.nn.language import heads
from phantastic.nn.language.config import Config
from phantastic.nn.language.family import Architecture, Family, Names, transposed
from phantastic.nn.language.layers import (
    attended,
    blocks,
    both,
    look_up,
    normal,
    positions_of,
    through,
    word_states,
)
from phantastic.nn.language.result import States
from phantastic.nn.transformer import Block


class GPT2Config(Config, frozen=True, kw_only=True):
    """The small GPT-2 by default."""

    kind: ClassVar[str] = "gpt2"
    aliases: ClassVar[dict[str, str]] = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    only: ClassVar[dict[str, Any]] = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}

    vocab_size: int = 50_257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    classifier_dropout: float = 0.1

    @property
    def task(self) -> heads.Task:
        return heads.Task(self.num_labels, self.problem_type)


class GPT2(nn.Module):
    """Embeddings, blocks and a last norm; sites as in `Bert`. ``pooled`` is the state of the last word that is not
    padding."""

    def __init__(self, config: GPT2Config):
        super().__init__()
        width = config.n_embd
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(config.n_positions, width)
        self.dropout = nn.Dropout(config.embd_pdrop)
        self.embedded = HookPoint(width, -1)
        self.layer = blocks(
            config.n_layer,
            lambda: Block(
                width,
                config.n_head,
                config.n_inner or 4 * width,
                norm="pre",
                epsilon=config.layer_norm_epsilon,
                activation=config.activated("activation_function"),
                dropout=config.resid_pdrop,
                attention_dropout=config.attn_pdrop,
            ),
        )
        self.norm = nn.LayerNorm(width, config.layer_norm_epsilon)
        self.padding = config.pad_token_id

    def forward(
        self,
        input_ids: Int[Tensor, "batch n"] | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Int[Tensor, "batch n"] | None = None,
        position_ids: Int[Tensor, "#batch n"] | None = None,
        inputs_embeds: Float[Tensor, "batch n width"] | None = None,
        *,
        keep: bool = False,
    ) -> States:
        x = word_states(self.words, input_ids, inputs_embeds)
        places = positions_of(self.positions, x) if position_ids is None else position_ids
        x = x + look_up(self.positions, places, "position_ids")
        if token_type_ids is not None:  # a segment is marked by a word
            x = x + look_up(self.words, token_type_ids, "token_type_ids")
        mask = both(causal(x.shape[1], device=x.device), attended(attention_mask))
        x, hidden = through(self.layer, self.embedded(self.dropout(x)), mask, keep)
        x = self.norm(x)
        return States(x, self.last_word(x, input_ids), hidden and (*hidden[:-1], x))

    def last_word(self, x: Float[Tensor, "batch n width"], input_ids: Tensor | None) -> Float[Tensor, "batch width"]:
        if self.padding is None or input_ids is None:
            return x[:, -1]
        places = torch.arange(x.shape[1], device=x.device)
        last = ((input_ids != self.padding) * places).argmax(1)
        return x[torch.arange(len(x), device=x.device), last]


class LastWord(nn.Module):
    """A sequence's state at its last word, which must be known in each sequence of a batch."""

    def __init__(self, config: GPT2Config):
        super().__init__()
        self.known = config.pad_token_id is not None

    def forward(self, states: States) -> Float[Tensor, "batch width"]:
        assert states.pooled is not None
        if len(states.last) > 1 and not self.known:
            raise Refused("input_ids hold several sequences, but 'pad_token_id' is not set: their ends are unknown")
        return states.pooled


def words(config: GPT2Config, transformer: GPT2) -> heads.LanguageModel:
    scores = heads.WordScores(transformer.words, tied=config.tie_word_embeddings, bias=False)
    return heads.LanguageModel(scores, shift=True)


def built(head: Callable[[GPT2Config, GPT2], heads.Head]) -> Callable[..., tuple[GPT2, heads.Head]]:
    def build(config: GPT2Config) -> tuple[GPT2, heads.Head]:
        transformer = GPT2(config)
        return transformer, head(config, transformer)

    return build


def initialise(model: nn.Module, config: GPT2Config) -> None:
    """N(0, .02²); what is added to the stream, smaller by the root of how often that happens."""
    normal(model, config.initializer_range)
    for module in model.modules():
        if isinstance(module, Block):
            for layer in (module.attention.output, module.mlp.contract):
                nn.init.normal_(layer.weight, std=config.initializer_range / sqrt(2 * config.n_layer))


def layer_names(config: GPT2Config) -> Names:
    return {
        "words": "wte",
        "positions": "wpe",
        **{
            f"layer.#.attention.{name}.{leaf}": transposed(f"h.#.attn.c_attn.{leaf}", part, 3)
            for part, name in enumerate(("query", "key", "value"))
            for leaf in ("weight", "bias")
        },
        **{
            f"layer.#.{ours}.{leaf}": transposed(f"h.#.{theirs}.{leaf}")
            for ours, theirs in (
                ("attention.output", "attn.c_proj"),
                ("mlp.expand", "mlp.c_fc"),
                ("mlp.contract", "mlp.c_proj"),
            )
            for leaf in ("weight", "bias")
        },
        "layer.#.attention_norm": "h.#.ln_1",
        "layer.#.mlp_norm": "h.#.ln_2",
        "norm": "ln_f",
    }


FAMILY = Family(
    GPT2Config,
    "transformer",
    layer_names,
    {
        "GPT2Model": Architecture(built(lambda c, t: heads.Bare()), {}),
        "GPT2LMHeadModel": Architecture(built(words), {"head.words.decoder": "lm_head"}),
        "GPT2ForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, LastWord(c), c.n_embd, bias=False)), {"head.classifier": "score"}
        ),
        "GPT2ForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.n_embd, c.num_labels, c.classifier_dropout)),
            {"head.classifier": "classifier"},
        ),
        "GPT2ForQuestionAnswering": Architecture(
            built(lambda c, t: heads.Spans(c.n_embd)), {"head.ends": "qa_outputs"}
        ),
    },
    initialise,
    ignored=(r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias", r"lm_head\.weight"),
)
