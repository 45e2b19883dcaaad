"""BERT (Devlin et al. 2019): words, segments and positions through post-norm blocks that see both directions."""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.nn.attention import HookPoint, causal
from phantastic.nn.language import heads
from phantastic.nn.language.config import Config
from phantastic.nn.language.family import Architecture, Family, Names, Stored
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

Places = Callable[[Int[Tensor, "batch n"] | None, Float[Tensor, "batch n width"]], Int[Tensor, "#batch n"]]


class BertConfig(Config, frozen=True, kw_only=True):
    """BERT-Base by default."""

    kind: ClassVar[str] = "bert"

    vocab_size: int = 30_522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    is_decoder: bool = False
    """Each word sees only those before it."""

    @property
    def last_dropout(self) -> float:
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout

    @property
    def task(self) -> heads.Task:
        return heads.Task(self.num_labels, self.problem_type)


class Bert(nn.Module):
    """Embeddings and blocks; ``pooler`` where asked for. RoBERTa counts its ``places`` in another way.

    Sites: ``embedded``, the stream as it enters the first block; those of the blocks ``layer[i]``.
    """

    def __init__(self, config: BertConfig, *, pooled: bool = True, places: Places | None = None):
        super().__init__()
        width = config.hidden_size
        self.words = nn.Embedding(config.vocab_size, width, config.padding())
        self.positions = nn.Embedding(
            config.max_position_embeddings, width, config.padding("max_position_embeddings") if places else None
        )
        self.segments = nn.Embedding(config.type_vocab_size, width)
        self.embedding_norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.embedded = HookPoint(width, -1)
        self.layer = blocks(
            config.num_hidden_layers,
            lambda: Block(
                width,
                config.num_attention_heads,
                config.intermediate_size,
                norm="post",
                activation=config.activated("hidden_act"),
                epsilon=config.layer_norm_eps,
                dropout=config.hidden_dropout_prob,
                attention_dropout=config.attention_probs_dropout_prob,
            ),
        )
        self.pooler = nn.Linear(width, width) if pooled else None
        self.causal = config.is_decoder
        self.places = places or (lambda input_ids, x: positions_of(self.positions, x))

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
        places = self.places(input_ids, x) if position_ids is None else position_ids
        if token_type_ids is None:  # all words are of the first segment
            token_type_ids = torch.zeros(1, 1, dtype=torch.long, device=x.device)
        x = x + look_up(self.segments, token_type_ids, "token_type_ids")
        x = x + look_up(self.positions, places, "position_ids")
        x = self.embedded(self.dropout(self.embedding_norm(x)))
        mask = both(attended(attention_mask), causal(x.shape[1], device=x.device) if self.causal else None)
        x, hidden = through(self.layer, x, mask, keep)
        return States(x, None if self.pooler is None else torch.tanh(self.pooler(x[:, 0])), hidden)


def scores(config: BertConfig, transformer: Bert) -> heads.WordScores:
    return heads.WordScores(
        transformer.words,
        tied=config.tie_word_embeddings,
        activation=config.activated("hidden_act"),
        epsilon=config.layer_norm_eps,
    )


def pooled(config: BertConfig) -> heads.Pooled:
    return heads.Pooled(config.last_dropout)


def built(head: Callable[[BertConfig, Bert], heads.Head], *, pooled: bool) -> Callable[..., tuple[Bert, heads.Head]]:
    def build(config: BertConfig) -> tuple[Bert, heads.Head]:
        transformer = Bert(config, pooled=pooled)
        return transformer, head(config, transformer)

    return build


def layer_names(config: BertConfig) -> Names:
    """The names of the layers' weights, also of RoBERTa's."""
    return {
        "words": "embeddings.word_embeddings",
        "positions": "embeddings.position_embeddings",
        "segments": "embeddings.token_type_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "layer.#.attention.query": "encoder.layer.#.attention.self.query",
        "layer.#.attention.key": "encoder.layer.#.attention.self.key",
        "layer.#.attention.value": "encoder.layer.#.attention.self.value",
        "layer.#.attention.output": "encoder.layer.#.attention.output.dense",
        "layer.#.attention_norm": "encoder.layer.#.attention.output.LayerNorm",
        "layer.#.mlp.expand": "encoder.layer.#.intermediate.dense",
        "layer.#.mlp.contract": "encoder.layer.#.output.dense",
        "layer.#.mlp_norm": "encoder.layer.#.output.LayerNorm",
        "pooler": "pooler.dense",
    }


WORDS: Names = {
    "head.words.dense": "cls.predictions.transform.dense",
    "head.words.norm": "cls.predictions.transform.LayerNorm",
    "head.words.decoder.weight": "cls.predictions.decoder.weight",
    "head.words.decoder.bias": Stored("cls.predictions.bias", ("cls.predictions.decoder.bias",)),
    "head.relation": "cls.seq_relationship",
}
CLASSIFIER: Names = {"head.classifier": "classifier"}

FAMILY = Family(
    BertConfig,
    "bert",
    layer_names,
    {
        "BertModel": Architecture(built(lambda c, t: heads.Bare(pooled=True), pooled=True), {}),
        "BertForPreTraining": Architecture(
            built(lambda c, t: heads.PreTraining(scores(c, t), c.hidden_size), pooled=True), WORDS
        ),
        "BertForMaskedLM": Architecture(built(lambda c, t: heads.LanguageModel(scores(c, t)), pooled=False), WORDS),
        "BertLMHeadModel": Architecture(
            built(lambda c, t: heads.LanguageModel(scores(c, t), shift=True), pooled=False), WORDS
        ),
        "BertForNextSentencePrediction": Architecture(
            built(lambda c, t: heads.NextSentence(c.hidden_size), pooled=True), WORDS
        ),
        "BertForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, pooled(c), c.hidden_size), pooled=True), CLASSIFIER
        ),
        "BertForMultipleChoice": Architecture(
            built(lambda c, t: heads.Choices(pooled(c), c.hidden_size), pooled=True), CLASSIFIER
        ),
        "BertForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.hidden_size, c.num_labels, c.last_dropout), pooled=False), CLASSIFIER
        ),
        "BertForQuestionAnswering": Architecture(
            built(lambda c, t: heads.Spans(c.hidden_size, c.num_labels), pooled=False), {"head.ends": "qa_outputs"}
        ),
    },
    lambda model, config: normal(model, config.initializer_range),
    ignored=(r"bert\.embeddings\.position_ids", r"(bert\.)?pooler\.dense\.\w+", r"cls\..*"),
)
