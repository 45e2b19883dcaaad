"""RoBERTa (Liu et al. 2019): BERT without next sentences; positions are counted after the padding token's number."""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phantastic.nn.language import heads
from phantastic.nn.language.bert import CLASSIFIER, Bert, BertConfig, Places, layer_names
from phantastic.nn.language.family import Architecture, Family, Names, Stored
from phantastic.nn.language.layers import normal


class RobertaConfig(BertConfig, frozen=True, kw_only=True):
    """RoBERTa-Base by default; of its positions, the first two stand for nothing."""

    kind: ClassVar[str] = "roberta"

    vocab_size: int = 50_265
    max_position_embeddings: int = 514
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5
    pad_token_id: int | None = 1


def after(padding: int) -> Places:
    """Words are counted from ``padding`` + 1, and padding itself stays at ``padding``."""

    def places(input_ids: Int[Tensor, "batch n"] | None, x: Float[Tensor, "batch n width"]) -> Int[Tensor, "#batch n"]:
        if input_ids is None:
            return torch.arange(x.shape[1], device=x.device)[None] + padding + 1
        words = input_ids != padding
        return words.cumsum(1) * words + padding

    return places


def built(
    head: Callable[[RobertaConfig, Bert], heads.Head], *, pooled: bool = False
) -> Callable[..., tuple[Bert, heads.Head]]:
    def build(config: RobertaConfig) -> tuple[Bert, heads.Head]:
        padding = config.padding("max_position_embeddings")
        transformer = Bert(config, pooled=pooled, places=after(0 if padding is None else padding))
        return transformer, head(config, transformer)

    return build


def scores(config: RobertaConfig, transformer: Bert) -> heads.WordScores:
    return heads.WordScores(
        transformer.words, tied=config.tie_word_embeddings, activation="gelu", epsilon=config.layer_norm_eps
    )


def summary(config: RobertaConfig) -> heads.Summary:
    width, dropout = config.hidden_size, config.last_dropout
    return heads.Summary(width, width, before=dropout, after=dropout)


WORDS: Names = {
    "head.words.dense": "lm_head.dense",
    "head.words.norm": "lm_head.layer_norm",
    "head.words.decoder.weight": "lm_head.decoder.weight",
    "head.words.decoder.bias": Stored("lm_head.bias", ("lm_head.decoder.bias",)),
}

FAMILY = Family(
    RobertaConfig,
    "roberta",
    layer_names,
    {
        "RobertaModel": Architecture(built(lambda c, t: heads.Bare(pooled=True), pooled=True), {}),
        "RobertaForMaskedLM": Architecture(built(lambda c, t: heads.LanguageModel(scores(c, t))), WORDS),
        "RobertaForCausalLM": Architecture(built(lambda c, t: heads.LanguageModel(scores(c, t), shift=True)), WORDS),
        "RobertaForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, summary(c), c.hidden_size)),
            {"head.summary.dense": "classifier.dense", "head.classifier": "classifier.out_proj"},
        ),
        "RobertaForMultipleChoice": Architecture(
            built(lambda c, t: heads.Choices(heads.Pooled(c.hidden_dropout_prob), c.hidden_size), pooled=True),
            CLASSIFIER,
        ),
        "RobertaForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.hidden_size, c.num_labels, c.last_dropout)), CLASSIFIER
        ),
        "RobertaForQuestionAnswering": Architecture(
            built(lambda c, t: heads.Spans(c.hidden_size, c.num_labels)), {"head.ends": "qa_outputs"}
        ),
    },
    lambda model, config: normal(model, config.initializer_range),
    ignored=(r"roberta\.embeddings\.position_ids", r"(roberta\.)?pooler\.dense\.\w+", r"lm_head\..*"),
)
