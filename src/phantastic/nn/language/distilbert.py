"""DistilBERT (Sanh et al. 2019): BERT without segments and pooler, and with half the layers."""

from collections.abc import Callable
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.nn.attention import HookPoint
from phantastic.nn.language import heads
from phantastic.nn.language.bert import CLASSIFIER
from phantastic.nn.language.config import Config
from phantastic.nn.language.family import Architecture, Family, Names
from phantastic.nn.language.layers import (
    attended,
    blocks,
    look_up,
    normal,
    positions_of,
    through,
    word_states,
)
from phantastic.nn.language.result import States
from phantastic.nn.transformer import Block

EPSILON = 1e-12


class DistilBertConfig(Config, frozen=True, kw_only=True):
    """DistilBERT-Base by default."""

    kind: ClassVar[str] = "distilbert"
    aliases: ClassVar[dict[str, str]] = {
        "hidden_size": "dim",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
    }

    vocab_size: int = 30_522
    max_position_embeddings: int = 512
    n_layers: int = 6
    n_heads: int = 12
    dim: int = 768
    hidden_dim: int = 3072
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation: str = "gelu"
    qa_dropout: float = 0.1
    seq_classif_dropout: float = 0.2
    pad_token_id: int | None = 0

    @property
    def task(self) -> heads.Task:
        return heads.Task(self.num_labels, self.problem_type)


class DistilBlock(Block):
    """BERT's block without dropout of what attention adds to the stream, as in the library."""

    def add(self, x: Tensor, norm: nn.LayerNorm, branch: Callable[[Tensor], Tensor]) -> Tensor:
        return norm(x + branch(x)) if norm is self.attention_norm else super().add(x, norm, branch)


class DistilBert(nn.Module):
    """Embeddings and blocks; sites as in `Bert`."""

    def __init__(self, config: DistilBertConfig):
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.dim, config.padding())
        self.positions = nn.Embedding(config.max_position_embeddings, config.dim)
        self.embedding_norm = nn.LayerNorm(config.dim, EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        self.embedded = HookPoint(config.dim, -1)
        self.layer = blocks(
            config.n_layers,
            lambda: DistilBlock(
                config.dim,
                config.n_heads,
                config.hidden_dim,
                norm="post",
                activation=config.activated("activation"),
                epsilon=EPSILON,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
            ),
        )

    def forward(
        self,
        input_ids: Int[Tensor, "batch n"] | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Int[Tensor, "#batch n"] | None = None,
        inputs_embeds: Float[Tensor, "batch n width"] | None = None,
        *,
        keep: bool = False,
    ) -> States:
        x = word_states(self.words, input_ids, inputs_embeds)
        places = positions_of(self.positions, x) if position_ids is None else position_ids
        x = x + look_up(self.positions, places, "position_ids")
        x = self.embedded(self.dropout(self.embedding_norm(x)))
        x, hidden = through(self.layer, x, attended(attention_mask), keep)
        return States(x, None, hidden)


def scores(config: DistilBertConfig, transformer: DistilBert) -> heads.WordScores:
    return heads.WordScores(
        transformer.words, tied=config.tie_word_embeddings, activation=config.activated("activation"), epsilon=EPSILON
    )


def summary(config: DistilBertConfig) -> heads.Summary:
    return heads.Summary(config.dim, config.dim, activation="relu", after=config.seq_classif_dropout)


def built(head: Callable[[DistilBertConfig, DistilBert], heads.Head]) -> Callable[..., tuple[DistilBert, heads.Head]]:
    def build(config: DistilBertConfig) -> tuple[DistilBert, heads.Head]:
        transformer = DistilBert(config)
        return transformer, head(config, transformer)

    return build


def layer_names(config: DistilBertConfig) -> Names:
    return {
        "words": "embeddings.word_embeddings",
        "positions": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "layer.#.attention.query": "transformer.layer.#.attention.q_lin",
        "layer.#.attention.key": "transformer.layer.#.attention.k_lin",
        "layer.#.attention.value": "transformer.layer.#.attention.v_lin",
        "layer.#.attention.output": "transformer.layer.#.attention.out_lin",
        "layer.#.attention_norm": "transformer.layer.#.sa_layer_norm",
        "layer.#.mlp.expand": "transformer.layer.#.ffn.lin1",
        "layer.#.mlp.contract": "transformer.layer.#.ffn.lin2",
        "layer.#.mlp_norm": "transformer.layer.#.output_layer_norm",
    }


SUMMARY: Names = {"head.summary.dense": "pre_classifier", **CLASSIFIER}
FAMILY = Family(
    DistilBertConfig,
    "distilbert",
    layer_names,
    {
        "DistilBertModel": Architecture(built(lambda c, t: heads.Bare()), {}),
        "DistilBertForMaskedLM": Architecture(
            built(lambda c, t: heads.LanguageModel(scores(c, t))),
            {
                "head.words.dense": "vocab_transform",
                "head.words.norm": "vocab_layer_norm",
                "head.words.decoder": "vocab_projector",
            },
        ),
        "DistilBertForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, summary(c), c.dim)), SUMMARY
        ),
        "DistilBertForMultipleChoice": Architecture(built(lambda c, t: heads.Choices(summary(c), c.dim)), SUMMARY),
        "DistilBertForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.dim, c.num_labels, c.dropout)), CLASSIFIER
        ),
        "DistilBertForQuestionAnswering": Architecture(
            built(lambda c, t: heads.Spans(c.dim, c.num_labels, c.qa_dropout)), {"head.ends": "qa_outputs"}
        ),
    },
    lambda model, config: normal(model, config.initializer_range),
    ignored=(r"vocab_\w+\.\w+", r"distilbert\.embeddings\.position_ids"),
)
