"""The multimodal bottleneck transformer, vanilla fusion and single senses (Nagrani et al. 2021, section 3).

Every sense has its own stream of tokens through ``layers`` transformer layers. Before ``fusion_layer`` each stream
attends to itself alone. From there on, with *vanilla* fusion, the tokens of a sense attend to all tokens of all senses
(Eq. 5); with *bottleneck* fusion a sense attends to itself and to a few shared bottleneck tokens, each sense makes its
own version of these, and their mean goes into the next layer (Eqs. 8-9): all that one sense gets to know of another
has to pass through them. Fusion layer 0 is early fusion; with as many as there are layers, senses meet at the logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phantastic.ground.errors import Refused, nearest
from phantastic.nn.attention import HookPoint
from phantastic.nn.transformer import Block
from phantastic.systems.bottleneck.tokens import Sense, Tokens

Compute = Literal["published", "own", "read"]
Input = Float[Tensor, "batch *size channels"]
SENSES = ("rgb", "spectrogram")


@dataclass(frozen=True)
class Architecture:
    """All that a model is but its weights.

    ``senses`` go by name (of `SENSES`) in the order of fusion. ``shared``: one set of layers for all senses, with which
    vanilla fusion is one joint pass. ``classifier``: class tokens (``class_tokens`` per sense, their logits averaged)
    or ``gap``, the mean over all tokens. ``representation``: width of a tanh layer before the head. With
    ``bottlenecks_at_test`` False senses stay apart in evaluation. ``stochastic_depth``: the probability with which a
    branch of the last layer is left out; it grows linearly from 0 in the first. ``head_norm``: normalise before the
    head (AST). ``position_scale``: standard deviation of the positions as they begin. There is one bottleneck token
    more where there are class tokens, as in the published program.
    """

    senses: Mapping[str, Sense]
    layers: int
    width: int
    heads: int
    hidden: int
    classes: int
    fusion: Literal["bottleneck", "vanilla"] = "bottleneck"
    fusion_layer: int = 0
    bottlenecks: int = 4
    shared: bool = False
    classifier: Literal["token", "gap"] = "token"
    class_tokens: int = 1
    representation: int | None = None
    bottlenecks_at_test: bool = True
    stochastic_depth: float = 0.0
    activation: str = "gelu_tanh"
    epsilon: float = 1e-6
    head_norm: bool = False
    position_scale: float = 0.02

    def __post_init__(self) -> None:
        """Raises `Refused` naming what is not possible."""
        for name in self.senses:
            if name not in SENSES:
                raise Refused(f"unknown sense '{name}'{nearest(name, SENSES)}")
        if not self.senses:
            raise Refused(f"a model needs at least one sense; allowed: {', '.join(SENSES)}")
        if not 0 <= self.fusion_layer <= self.layers:
            raise Refused(
                f"fusion layer {self.fusion_layer} is not possible with {self.layers} layers; "
                f"allowed: 0 (early) to {self.layers} (late)"
            )
        for key, value, allowed in (
            ("fusion", self.fusion, ("bottleneck", "vanilla")),
            ("classifier", self.classifier, ("token", "gap")),
        ):
            if value not in allowed:
                raise Refused(f"unknown {key} '{value}'{nearest(str(value), allowed)}")

    @property
    def cls(self) -> int:
        """Class tokens of a sense."""
        return self.class_tokens if self.classifier == "token" else 0

    @property
    def bottleneck_tokens(self) -> int:
        """What stands between the senses, with the one that class tokens add; 0 in vanilla fusion and without any."""
        if self.fusion == "vanilla" or not self.bottlenecks:
            return 0
        return self.bottlenecks + (self.classifier == "token")


class Bottleneck(HookPoint):
    """The bottleneck tokens; as they enter each fused layer, a site (units: tokens)."""

    def __init__(self, tokens: int, width: int):
        super().__init__(tokens, -2)
        self.tokens = nn.Parameter(torch.randn(tokens, width) * 0.02)


class FusionTransformer(nn.Module):
    """Logits from one sense or from several.

    ``compute`` changes no result, only the work: "published" computes all that the published program does (vanilla
    fusion runs every token of both senses through the layers of each, and keeps a sense's own); "own" computes queries
    and what follows of a sense's own tokens only; "read", the default, in the last layer of those tokens only that the
    head reads.

    Sites: ``tokens.<sense>.patch``, ``tokens.<sense>.positions.embedded`` (a whole stream); ``bottleneck``;
    ``layers.<sense>[l]...`` (``layers.shared[l]...`` where shared): the sites of a `Block`; ``head``.
    """

    def __init__(self, architecture: Architecture, compute: Compute = "read"):
        super().__init__()
        a = self.architecture = architecture
        self.compute: Compute = compute
        self.tokens = nn.ModuleDict(
            {name: Tokens(name, sense, a.width, a.cls, a.position_scale) for name, sense in a.senses.items()}
        )
        self.bottleneck = Bottleneck(a.bottleneck_tokens, a.width) if a.bottleneck_tokens else None
        rates = [a.stochastic_depth * layer / max(a.layers - 1, 1) for layer in range(a.layers)]
        self.layers = nn.ModuleDict(
            {
                name: nn.ModuleList(
                    Block(a.width, a.heads, a.hidden, activation=a.activation, epsilon=a.epsilon, stochastic_depth=rate)
                    for rate in rates
                )
                for name in (["shared"] if a.shared else a.senses)
            }
        )
        self.norm = nn.LayerNorm(a.width, a.epsilon)
        self.head_norm = nn.LayerNorm(a.width, a.epsilon) if a.head_norm else nn.Identity()
        self.representation = nn.Linear(a.width, a.representation) if a.representation else None
        self.head = nn.Linear(a.representation or a.width, a.classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, rgb: Any = None, spectrogram: Any = None) -> Float[Tensor, "batch classes"]:
        """The mean of the senses' logits.

        ``rgb`` [batch, time, height, width, channels], ``spectrogram`` [batch, time, bands, channels]: tensors or
        arrays. Raises `Refused` for a sense that is lacking, or that this model does not have.
        """
        return torch.stack(list(self.logits(rgb, spectrogram).values())).mean(0)

    def logits(self, rgb: Any = None, spectrogram: Any = None) -> dict[str, Float[Tensor, "batch classes"]]:
        """Each sense's own logits, whose losses are averaged in training; one, named "all", for ``gap``."""
        a = self.architecture
        streams = self.streams(rgb, spectrogram, self.compute)
        if a.classifier == "gap":
            return {"all": self.classify(self.norm(torch.cat(list(streams.values()), 1)).mean(1))}
        return {name: self.classify(self.norm(x[:, : a.cls]).mean(1)) for name, x in streams.items()}

    def classify(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch classes"]:
        x = self.head_norm(x)
        if self.representation is not None:
            x = torch.tanh(self.representation(x))
        return self.head(x).float()

    def encode(self, rgb: Any = None, spectrogram: Any = None) -> dict[str, Float[Tensor, "batch tokens width"]]:
        """Every token of each sense after the last layer, normalised; class tokens first."""
        compute: Compute = "published" if self.compute == "published" else "own"
        return {name: self.norm(x) for name, x in self.streams(rgb, spectrogram, compute).items()}

    def streams(self, rgb: Any, spectrogram: Any, compute: Compute) -> dict[str, Float[Tensor, "batch tokens width"]]:
        """Each sense's tokens after the last layer; with "read" only its class tokens, where there are any."""
        a = self.architecture
        x = {name: self.tokens[name](value) for name, value in self.checked(rgb, spectrogram).items()}
        together = len(a.senses) > 1 and (a.fusion == "vanilla" or self.training or a.bottlenecks_at_test)
        between = None
        if self.bottleneck is not None:
            between = self.bottleneck.tokens.expand(len(next(iter(x.values()))), -1, -1)
        for index in range(a.layers):
            read = a.cls if a.cls and compute == "read" and index == a.layers - 1 else None
            layers = {name: self.blocks(name)[index] for name in x}
            if index < a.fusion_layer or not together or (a.fusion == "bottleneck" and between is None):
                x = {name: step(layers[name], x[name], read) for name in x}
            elif a.fusion == "vanilla":
                x = joint(layers, x, read) if a.shared else vanilla(layers, x, read, every=compute == "published")
            elif self.bottleneck is not None and between is not None:
                x, between = through(layers, x, self.bottleneck(between), read)
        return x

    def embedding(self, sense: str) -> Tokens:
        """What makes a sense's input tokens."""
        tokens = self.tokens[sense]
        assert isinstance(tokens, Tokens)
        return tokens

    def blocks(self, sense: str) -> list[Block]:
        """The layers that a sense goes through."""
        layers = self.layers["shared" if self.architecture.shared else sense]
        assert isinstance(layers, nn.ModuleList)
        return [block for block in layers if isinstance(block, Block)]

    def checked(self, rgb: Any, spectrogram: Any) -> dict[str, Tensor]:
        """The inputs by sense, in the order of fusion."""
        inputs = {"rgb": rgb, "spectrogram": spectrogram}
        for name, value in inputs.items():
            if (value is None) == (name in self.architecture.senses):
                verb = "lacks its input" if value is None else "does not have the sense"
                raise Refused(f"this model {verb} '{name}'; it takes: {', '.join(self.architecture.senses)}")
        like = self.head.weight
        return {n: torch.as_tensor(inputs[n], dtype=like.dtype, device=like.device) for n in self.architecture.senses}


# --- one layer, in each way of fusing. ``read``: how many first tokens of a sense to compute; None for all


def step(
    layer: Block,
    own: Float[Tensor, "batch own width"],
    read: int | None = None,
    others: tuple[Float[Tensor, "batch _ width"], ...] = (),
) -> Float[Tensor, "batch read width"]:
    """A layer's output for ``own`` tokens, which attend to themselves and to ``others``."""
    if read is None and not others:
        return layer(own)
    read = own.shape[1] if read is None else read
    rest = torch.cat([own[:, read:], *others], 1)
    own = layer.add(
        own[:, :read],
        layer.attention_norm,
        lambda y: layer.attention(y, torch.cat([y, layer.attention_norm(rest)], 1)),
    )
    return layer.residual(layer.add(layer.middle(own), layer.mlp_norm, layer.mlp))


def vanilla(layers: Mapping[str, Block], x: Mapping[str, Tensor], read: int | None, every: bool) -> dict[str, Tensor]:
    """Each sense attends to all tokens; with ``every`` its layer computes the others' too, which nobody reads."""
    streams = {}
    for name, own in x.items():
        others = tuple(x[other] for other in SENSES if other in x and other != name)
        if every:
            streams[name] = step(layers[name], torch.cat([*others, own], 1))[:, -own.shape[1] :]
        else:
            streams[name] = step(layers[name], own, read, others)
    return streams


def joint(layers: Mapping[str, Block], x: Mapping[str, Tensor], read: int | None) -> dict[str, Tensor]:
    """All senses attend to all tokens in one pass through one layer."""
    layer = next(iter(layers.values()))
    first = [own[:, :read] for own in x.values()]
    rest = () if read is None else tuple(own[:, read:] for own in x.values())
    out = step(layer, torch.cat(first, 1), None, rest)
    return dict(zip(x, out.split([own.shape[1] for own in first], 1), strict=True))


def through(
    layers: Mapping[str, Block], x: Mapping[str, Tensor], between: Tensor, read: int | None
) -> tuple[dict[str, Tensor], Tensor]:
    """Each sense attends to itself and to the bottleneck tokens, all senses to the same ones; these become the mean of
    what the senses made of them. With ``read``, in the last layer, nobody reads them any more."""
    if read is not None:
        return {name: step(layers[name], own, read, (between,)) for name, own in x.items()}, between
    outputs = {name: step(layers[name], torch.cat([own, between], 1)) for name, own in x.items()}
    tokens = between.shape[1]
    streams = {name: out[:, :-tokens] for name, out in outputs.items()}
    return streams, torch.stack([out[:, -tokens:] for out in outputs.values()]).mean(0)
