"""XLM (Lample & Conneau 2019): BERT with a language for each word; padding is set to zero after each block.

Trained on sentences beside their translations, it is the translation language model.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.nn.attention import HookPoint, causal
from phantastic.nn.language import heads
from phantastic.nn.language.config import Config
from phantastic.nn.language.family import Architecture, Family, Names
from phantastic.nn.language.layers import attended, blocks, look_up, normal, positions_of, word_states
from phantastic.nn.language.result import States
from phantastic.nn.transformer import Block


class XLMConfig(Config, frozen=True, kw_only=True):
    """XLM of 12 layers by default."""

    kind: ClassVar[str] = "xlm"
    aliases: ClassVar[dict[str, str]] = {
        "hidden_size": "emb_dim",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
        "n_words": "vocab_size",
        "pad_index": "pad_token_id",
    }
    only: ClassVar[dict[str, Any]] = {"asm": False, "is_encoder": True}

    vocab_size: int = 30_145
    emb_dim: int = 2048
    n_layers: int = 12
    n_heads: int = 16
    dropout: float = 0.1
    attention_dropout: float = 0.1
    gelu_activation: bool = True
    causal: bool = False
    n_langs: int = 1
    use_lang_emb: bool = True
    max_position_embeddings: int = 512
    embed_init_std: float = 2048**-0.5
    init_std: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 2
    summary_type: str = "first"
    summary_use_proj: bool = True
    summary_activation: str | None = None
    summary_proj_to_labels: bool = True
    summary_first_dropout: float = 0.1
    summary_last_dropout: float = 0.0

    @property
    def task(self) -> heads.Task:
        return heads.Task(self.num_labels, self.problem_type)


class XLM(nn.Module):
    """Embeddings and blocks. Sites as in `Bert`."""

    def __init__(self, config: XLMConfig):
        super().__init__()
        width = config.emb_dim
        self.words = nn.Embedding(config.vocab_size, width, config.padding())
        self.positions = nn.Embedding(config.max_position_embeddings, width)
        self.languages = nn.Embedding(config.n_langs, width) if config.n_langs > 1 and config.use_lang_emb else None
        self.embedding_norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.embedded = HookPoint(width, -1)
        self.layer = blocks(
            config.n_layers,
            lambda: Block(
                width,
                config.n_heads,
                4 * width,
                norm="post",
                epsilon=config.layer_norm_eps,
                activation="gelu" if config.gelu_activation else "relu",
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
            ),
        )
        self.causal, self.padding = config.causal, config.pad_token_id

    def forward(
        self,
        input_ids: Int[Tensor, "batch n"] | None = None,
        attention_mask: Int[Tensor, "batch n"] | None = None,
        langs: Int[Tensor, "batch n"] | None = None,
        token_type_ids: Int[Tensor, "batch n"] | None = None,
        position_ids: Int[Tensor, "batch n"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        inputs_embeds: Float[Tensor, "batch n width"] | None = None,
        *,
        keep: bool = False,
    ) -> States:
        """Without a mask or lengths, as many words count as are not padding. In a causal model the mask does not keep
        words from being attended to (as in the library)."""
        x = word_states(self.words, input_ids, inputs_embeds)
        places = positions_of(self.positions, x)
        if attention_mask is None:
            if lengths is None and input_ids is not None:
                lengths = (input_ids != self.padding).sum(1)
            present = torch.ones_like(x[..., 0], dtype=torch.bool) if lengths is None else places < lengths[:, None]
        else:
            present = attention_mask.bool()
        x = x + look_up(self.positions, places if position_ids is None else position_ids, "position_ids")
        if langs is not None and self.languages is not None:
            x = x + look_up(self.languages, langs, "langs")
        if token_type_ids is not None:  # a segment is marked by a word
            x = x + look_up(self.words, token_type_ids, "token_type_ids")
        presence = present[..., None].to(x.dtype)
        x = self.embedded(self.dropout(self.embedding_norm(x)) * presence)
        mask = causal(x.shape[1], device=x.device) if self.causal else attended(present)
        hidden = [x]
        for layer in self.layer:
            x = layer(x, mask) * presence
            hidden.append(x)
        return States(x, None, tuple(hidden) if keep else None)


def words(config: XLMConfig, transformer: XLM) -> heads.LanguageModel:
    return heads.LanguageModel(heads.WordScores(transformer.words, tied=config.tie_word_embeddings))


def summary(config: XLMConfig) -> tuple[heads.Summary, int]:
    """The summary of a sequence and its width."""
    width = config.num_labels if config.summary_use_proj and config.summary_proj_to_labels else config.emb_dim
    head = heads.Summary(
        config.emb_dim,
        width,
        activation=config.summary_activation,
        before=config.summary_first_dropout,
        after=config.summary_last_dropout,
        position=config.summary_type,
        dense=config.summary_use_proj,
    )
    return head, width


def built(head: Callable[[XLMConfig, XLM], heads.Head]) -> Callable[..., tuple[XLM, heads.Head]]:
    def build(config: XLMConfig) -> tuple[XLM, heads.Head]:
        transformer = XLM(config)
        return transformer, head(config, transformer)

    return build


def layer_names(config: XLMConfig) -> Names:
    return {
        "words": "embeddings",
        "positions": "position_embeddings",
        "languages": "lang_embeddings",
        "embedding_norm": "layer_norm_emb",
        "layer.#.attention.query": "attentions.#.q_lin",
        "layer.#.attention.key": "attentions.#.k_lin",
        "layer.#.attention.value": "attentions.#.v_lin",
        "layer.#.attention.output": "attentions.#.out_lin",
        "layer.#.attention_norm": "layer_norm1.#",
        "layer.#.mlp.expand": "ffns.#.lin1",
        "layer.#.mlp.contract": "ffns.#.lin2",
        "layer.#.mlp_norm": "layer_norm2.#",
    }


SUMMARY: Names = {"head.summary.dense": "sequence_summary.summary"}
FAMILY = Family(
    XLMConfig,
    "transformer",
    layer_names,
    {
        "XLMModel": Architecture(built(lambda c, t: heads.Bare()), {}),
        "XLMWithLMHeadModel": Architecture(built(words), {"head.words.decoder": "pred_layer.proj"}),
        "XLMForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, summary(c)[0], None)), SUMMARY
        ),
        "XLMForMultipleChoice": Architecture(
            built(lambda c, t: heads.Choices(*summary(c))), {**SUMMARY, "head.classifier": "logits_proj"}
        ),
        "XLMForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.emb_dim, c.num_labels, c.dropout)), {"head.classifier": "classifier"}
        ),
        "XLMForQuestionAnsweringSimple": Architecture(
            built(lambda c, t: heads.Spans(c.emb_dim, c.num_labels)), {"head.ends": "qa_outputs"}
        ),
    },
    lambda model, config: normal(model, config.init_std, config.embed_init_std),
    ignored=(r"(transformer\.)?position_ids", r"pred_layer\.proj\.\w+"),
)
