"""XLNet (Yang et al. 2019): positions relative to one another, a memory of the text before, and two streams.

The content stream ``h`` is a Transformer-XL (Dai et al. 2019). The query stream ``g``, of the positions to be
predicted, begins from one learned vector and may not see the word it stands for.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from phantastic.ground.errors import Refused
from phantastic.nn.attention import HookPoint, causal
from phantastic.nn.language import heads
from phantastic.nn.language.config import Config
from phantastic.nn.language.family import Architecture, Family, Names, Stored
from phantastic.nn.language.layers import normal, word_states
from phantastic.nn.language.relative import RelativeAttention, sinusoids_of
from phantastic.nn.language.result import States
from phantastic.nn.transformer import MLP


class XLNetConfig(Config, frozen=True, kw_only=True):
    """XLNet-Large by default."""

    kind: ClassVar[str] = "xlnet"
    aliases: ClassVar[dict[str, str]] = {
        "hidden_size": "d_model",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    free: ClassVar[frozenset[str]] = frozenset({"clamp_len", "mem_len", "reuse_len"})
    only: ClassVar[dict[str, Any]] = {"bi_data": False}

    vocab_size: int = 32_000
    d_model: int = 1024
    n_layer: int = 24
    n_head: int = 16
    d_inner: int = 4096
    d_head: int | None = None
    ff_activation: str = "gelu"
    attn_type: Literal["bi", "uni"] = "bi"
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1
    mem_len: int | None = 512
    reuse_len: int | None = None
    use_mems_eval: bool = True
    use_mems_train: bool = False
    clamp_len: int = -1
    same_length: bool = False
    summary_type: str = "last"
    summary_use_proj: bool = True
    summary_activation: str | None = "tanh"
    summary_last_dropout: float = 0.1
    pad_token_id: int | None = 5

    @property
    def task(self) -> heads.Task:
        return heads.Task(self.num_labels, self.problem_type)


class XLNetLayer(nn.Module):
    """Relative attention and an MLP, post-norm; the same weights for both streams."""

    def __init__(self, config: XLNetConfig):
        super().__init__()
        width = config.d_model
        self.attention = RelativeAttention(width, config.n_head, config.dropout)
        self.attention_norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.mlp = MLP(width, config.d_inner, config.activated("ff_activation"))
        self.mlp_norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.residual = HookPoint(width, -1)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "batch n width"], *attending: Tensor | tuple | None) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, *attending)))
        y = self.mlp.contract(self.dropout(self.mlp.activation(self.mlp.expand(x))))
        return self.residual(self.mlp_norm(x + self.dropout(y)))


class XLNet(nn.Module):
    """Words and layers; ``mask`` is the vector from which every prediction begins. Sites as in `Bert`."""

    def __init__(self, config: XLNetConfig):
        super().__init__()
        if config.d_head not in (None, config.d_model // config.n_head):
            raise Refused(f"'d_head' is {config.d_head}; allowed: 'd_model' / 'n_head' or none")
        self.words = nn.Embedding(config.vocab_size, config.d_model)
        self.mask = nn.Parameter(torch.zeros(config.d_model))
        self.embedded = HookPoint(config.d_model, -1)
        self.layer = nn.ModuleList(XLNetLayer(config) for _ in range(config.n_layer))
        self.dropout = nn.Dropout(config.dropout)
        self.config = config

    def forward(
        self,
        input_ids: Int[Tensor, "batch n"] | None = None,
        attention_mask: Tensor | None = None,
        mems: tuple[Float[Tensor, "m batch width"], ...] | None = None,
        perm_mask: Tensor | None = None,
        target_mapping: Float[Tensor, "batch k n"] | None = None,
        token_type_ids: Int[Tensor, "batch n"] | None = None,
        input_mask: Tensor | None = None,
        inputs_embeds: Float[Tensor, "batch n width"] | None = None,
        use_mems: bool | None = None,
        *,
        keep: bool = False,
    ) -> States:
        """``perm_mask[b, i, j]`` = 1: position i may not see position j. ``target_mapping[b, k, j]`` = 1: prediction k
        stands for position j; with it there are two streams, and the last states are the predictions'. ``mems``, one
        for each layer, are what an earlier call gave for the text before."""
        h = self.embedded(self.dropout(word_states(self.words, input_ids, inputs_embeds)))
        length, before = h.shape[1], 0 if mems is None else len(mems[0])
        if mems is not None and len(mems) != len(self.layer):
            raise Refused(
                f"mems are {len(mems)} tensors; this model needs one for each of its {len(self.layer)} layers"
            )
        if attention_mask is not None and input_mask is not None:
            raise Refused("give attention_mask (1 = may be seen) or input_mask (1 = padding), not both")
        padding = 1 - attention_mask.float() if attention_mask is not None else input_mask
        content, query = self.masks(length, before, padding, perm_mask, h.device)
        last = -length if self.config.attn_type == "bi" else -1
        distances = torch.arange(length + before, last, -1.0, device=h.device)
        if self.config.clamp_len > 0:
            distances = distances.clamp(-self.config.clamp_len, self.config.clamp_len)
        sinusoids = self.dropout(sinusoids_of(distances, self.config.d_model).to(h.dtype))
        other_segment = None
        if token_type_ids is not None:  # the memory counts as segment 0
            key_segments = torch.cat([token_type_ids.new_zeros(len(h), before), token_type_ids], 1)
            other_segment = token_type_ids[:, :, None] != key_segments[:, None]
        g = None
        if target_mapping is not None:
            g = self.dropout(self.mask.expand(*target_mapping.shape[:2], -1))
        if use_mems is None:
            use_mems = self.config.use_mems_train if self.training else self.config.use_mems_eval
        hidden, memories = [(h, g)], []
        for index, layer in enumerate(self.layer):
            memory = None if mems is None else mems[index].transpose(0, 1)
            if use_mems:
                memories.append(self.remembered(h, memory).transpose(0, 1))
            assert isinstance(layer, XLNetLayer)
            attended = layer.attention.keys(h if memory is None else torch.cat([memory, h], 1), sinusoids)
            h, g = (
                layer(h, attended, content, other_segment),
                None if g is None else layer(g, attended, query, other_segment, target_mapping),
            )
            hidden.append((h, g))
        states = tuple(stream for streams in hidden for stream in streams if stream is not None)
        return States(self.dropout(h if g is None else g), None, states if keep else None, tuple(memories) or None)

    def masks(
        self, length: int, before: int, padding: Tensor | None, perm_mask: Tensor | None, device: torch.device
    ) -> tuple[Bool[Tensor, "..."] | None, Bool[Tensor, "..."] | None]:
        """What positions may see in the content stream, always themselves too, and in the query stream."""
        keys = length + before
        allowed = None
        if self.config.attn_type == "uni":
            allowed = causal(length, keys, device)
            if self.config.same_length:  # no position sees further back than the first
                allowed = allowed & torch.ones_like(allowed).triu()
        for mask, view in ((padding, (slice(None), None, None)), (perm_mask, (slice(None), None))):
            if mask is not None:  # the memory may always be seen
                visible = pad(mask[view] <= 0, (before, 0), value=True)
                allowed = visible if allowed is None else allowed & visible
        if allowed is None:
            return None, None
        itself = pad(torch.eye(length, dtype=torch.bool, device=device), (before, 0))
        return allowed | itself, allowed

    def remembered(self, h: Float[Tensor, "batch n width"], memory: Tensor | None) -> Float[Tensor, "batch m width"]:
        """The last ``mem_len`` states, without gradient."""
        if self.config.reuse_len:
            h = h[:, : self.config.reuse_len]
        h = h if memory is None else torch.cat([memory, h], 1)
        return h[:, -self.config.mem_len :].detach() if self.config.mem_len else h.detach()


def words(config: XLNetConfig, transformer: XLNet) -> heads.LanguageModel:
    return heads.LanguageModel(heads.WordScores(transformer.words, tied=config.tie_word_embeddings))


def summary(config: XLNetConfig) -> heads.Summary:
    return heads.Summary(
        config.d_model,
        config.d_model,
        activation=config.summary_activation,
        after=config.summary_last_dropout,
        position=config.summary_type,
        dense=config.summary_use_proj,
    )


def built(head: Callable[[XLNetConfig, XLNet], heads.Head]) -> Callable[..., tuple[XLNet, heads.Head]]:
    def build(config: XLNetConfig) -> tuple[XLNet, heads.Head]:
        transformer = XLNet(config)
        return transformer, head(config, transformer)

    return build


def initialise(model: nn.Module, config: XLNetConfig) -> None:
    normal(model, config.initializer_range)
    for module in model.modules():
        parameters = module.named_parameters(recurse=False) if isinstance(module, RelativeAttention | XLNet) else ()
        for _, parameter in parameters:
            nn.init.normal_(parameter, std=config.initializer_range)


def layer_names(config: XLNetConfig) -> Names:
    def inwards(key: str) -> Stored:  # [width, heads, each]
        return Stored(
            key, (), lambda stored: stored.flatten(1).t(), lambda ours: ours.t().unflatten(1, (config.n_head, -1))
        )

    return {
        "words": "word_embedding",
        "mask": Stored("mask_emb", (), torch.flatten, lambda ours: ours[None, None]),
        **{
            f"layer.#.attention.{name}.weight": inwards(f"layer.#.rel_attn.{key}")
            for name, key in (("query", "q"), ("key", "k"), ("value", "v"), ("distance", "r"))
        },
        "layer.#.attention.output.weight": Stored(
            "layer.#.rel_attn.o",
            (),
            lambda stored: stored.flatten(1),
            lambda ours: ours.unflatten(1, (config.n_head, -1)),
        ),
        "layer.#.attention.content_bias": "layer.#.rel_attn.r_w_bias",
        "layer.#.attention.distance_bias": "layer.#.rel_attn.r_r_bias",
        "layer.#.attention.segment_bias": "layer.#.rel_attn.r_s_bias",
        "layer.#.attention.segments": "layer.#.rel_attn.seg_embed",
        "layer.#.attention_norm": "layer.#.rel_attn.layer_norm",
        "layer.#.mlp.expand": "layer.#.ff.layer_1",
        "layer.#.mlp.contract": "layer.#.ff.layer_2",
        "layer.#.mlp_norm": "layer.#.ff.layer_norm",
    }


SUMMARY: Names = {"head.summary.dense": "sequence_summary.summary", "head.classifier": "logits_proj"}
FAMILY = Family(
    XLNetConfig,
    "transformer",
    layer_names,
    {
        "XLNetModel": Architecture(built(lambda c, t: heads.Bare()), {}),
        "XLNetLMHeadModel": Architecture(built(words), {"head.words.decoder": "lm_loss"}),
        "XLNetForSequenceClassification": Architecture(
            built(lambda c, t: heads.Sequences(c.task, summary(c), c.d_model)), SUMMARY
        ),
        "XLNetForMultipleChoice": Architecture(built(lambda c, t: heads.Choices(summary(c), c.d_model)), SUMMARY),
        "XLNetForTokenClassification": Architecture(
            built(lambda c, t: heads.Tokens(c.d_model, c.num_labels)), {"head.classifier": "classifier"}
        ),
        "XLNetForQuestionAnsweringSimple": Architecture(
            built(lambda c, t: heads.Spans(c.d_model, c.num_labels)), {"head.ends": "qa_outputs"}
        ),
    },
    initialise,
    ignored=(r"lm_loss\.\w+",),
)
