"""Image and sound transformers of Hugging Face's layout, as models of one sense and as beginnings of a fusion model.

Read are ``config.json`` and ``model.safetensors`` of a ViT (ViTModel, ViTForImageClassification) or an AST (ASTModel,
ASTForAudioClassification). Nothing is downloaded.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import interpolate

from phantastic.ground.errors import Refused, nearest
from phantastic.systems.bottleneck.model import Architecture, FusionTransformer, Sense

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}
PREFIXES = {"vit": "vit.", "audio-spectrogram-transformer": "audio_spectrogram_transformer."}
DEFAULTS = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "pooler_act": "tanh",
    "max_length": 1024,
    "num_mel_bins": 128,
    "time_stride": 10,
    "frequency_stride": 10,
}


def load_pretrained(folder: str | Path) -> FusionTransformer:
    """The model of one sense that a folder holds, in evaluation mode.

    A ViT takes ``rgb`` [batch, 1, height, width, 3], an AST ``spectrogram`` [batch, time, bands, 1]; both as their
    feature extractors normalise them. Where the checkpoint has no classifier, the head is one of two classes at zero;
    a ViT's pooler becomes the representation layer. Raises `Refused` naming the file, the key or the parameter.
    """
    folder = Path(folder)
    config = DEFAULTS | read_config(folder / "config.json")
    kind = config.get("model_type")
    if kind not in PREFIXES:
        raise Refused(f"{folder / 'config.json'}: model_type '{kind}' is not possible{nearest(str(kind), PREFIXES)}")
    path = folder / "model.safetensors"
    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    tensors = Tensors(path, {name.removeprefix(PREFIXES[kind]): tensor for name, tensor in stored.items()})
    model = FusionTransformer(described(config, kind, tensors, folder / "config.json"))
    with torch.no_grad():
        fill(model, tensors)
    tensors.refuse_rest()
    return model.eval()


def read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise Refused(f"{path} holds no settings, but a {type(config).__name__}")
    return config


class Tensors:
    """The tensors of a file; each is taken once, and what is left over is refused."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]):
        self.path, self.left = path, dict(tensors)

    def take(self, name: str, *shape: int) -> Tensor:
        if name not in self.left:
            raise Refused(f"{self.path}: the parameter '{name}' is missing{nearest(name, self.left)}")
        tensor = self.left.pop(name).float()
        if tensor.shape != shape:
            raise Refused(f"{self.path}: '{name}' has shape {tuple(tensor.shape)}; config.json asks for {shape}")
        return tensor

    def linear(self, name: str, layer: nn.Linear | nn.LayerNorm) -> None:
        """Fill a layer's weight and bias; a bias that the checkpoint does without is zero."""
        layer.weight.copy_(self.take(f"{name}.weight", *layer.weight.shape))
        if f"{name}.bias" in self.left or isinstance(layer, nn.LayerNorm):
            layer.bias.copy_(self.take(f"{name}.bias", *layer.bias.shape))
        else:
            layer.bias.zero_()

    def refuse_rest(self) -> None:
        if self.left:
            raise Refused(
                f"{self.path}: the parameter '{next(iter(self.left))}' is left over; config.json has no place for it"
            )


def described(config: Mapping[str, Any], kind: str, tensors: Tensors, path: Path) -> Architecture:
    """The architecture that config.json and the presence of heads tell."""

    def number(key: str) -> int:
        value = config[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Refused(f"{path}: {key} = {value!r} is not possible; allowed: an integer from 1")
        return value

    activation, patch = config["hidden_act"], number("patch_size")
    if activation not in ACTIVATIONS:
        raise Refused(f"{path}: hidden_act '{activation}' is not possible{nearest(str(activation), ACTIVATIONS)}")
    if config["pooler_act"] != "tanh":
        raise Refused(f"{path}: pooler_act '{config['pooler_act']}' is not possible; allowed: tanh")
    if kind == "vit":
        side, channels = number("image_size"), number("num_channels")
        senses = {"rgb": Sense.of((1, side, side), (1, patch, patch), channels)}
        head = "classifier.weight"
    else:
        size, stride = (
            (number("max_length"), number("num_mel_bins")),
            (number("time_stride"), number("frequency_stride")),
        )
        senses = {"spectrogram": Sense.of(size, (patch, patch), 1, stride)}
        head = "classifier.dense.weight"
    pooler = tensors.left.get("pooler.dense.weight")
    return Architecture(
        senses=senses,
        layers=number("num_hidden_layers"),
        width=number("hidden_size"),
        heads=number("num_attention_heads"),
        hidden=number("intermediate_size"),
        classes=len(tensors.left[head]) if head in tensors.left else 2,
        fusion="vanilla",
        class_tokens=1 if kind == "vit" else 2,
        representation=None if pooler is None else len(pooler),
        activation=ACTIVATIONS[activation],
        epsilon=float(config["layer_norm_eps"]),
        head_norm=head == "classifier.dense.weight" and head in tensors.left,
    )


def fill(model: FusionTransformer, tensors: Tensors) -> None:
    """Take every parameter of a model of one sense from the file."""
    a = model.architecture
    ((name, sense),) = a.senses.items()
    tokens, width = model.embedding(name), a.width
    assert tokens.class_tokens is not None
    words = ["cls_token", "distillation_token"][: a.class_tokens]
    tokens.class_tokens.copy_(torch.cat([tensors.take(f"embeddings.{word}", 1, 1, width)[0] for word in words]))
    table = tensors.take("embeddings.position_embeddings", 1, a.class_tokens + sense.tokens, width)[0]
    kernel = tensors.take("embeddings.patch_embeddings.projection.weight", width, sense.channels, *sense.patch[-2:])
    if name == "spectrogram":  # theirs: bands by time; ours: time by bands
        grid = table[a.class_tokens :].unflatten(0, sense.grid[::-1]).transpose(0, 1).flatten(0, 1)
        table, kernel = torch.cat([table[: a.class_tokens], grid]), kernel.transpose(2, 3)
    tokens.positions.get_parameter("table").copy_(table)
    tokens.patch.weight.copy_(kernel.permute(0, 2, 3, 1).flatten(1))
    tokens.patch.bias.copy_(tensors.take("embeddings.patch_embeddings.projection.bias", width))
    for index, block in enumerate(model.blocks(name)):
        root = f"encoder.layer.{index}"
        for part in ("query", "key", "value"):
            tensors.linear(f"{root}.attention.attention.{part}", block.attention.get_submodule(part))  # pyright: ignore
        tensors.linear(f"{root}.attention.output.dense", block.attention.output)
        tensors.linear(f"{root}.layernorm_before", block.attention_norm)
        tensors.linear(f"{root}.layernorm_after", block.mlp_norm)
        tensors.linear(f"{root}.intermediate.dense", block.mlp.expand)
        tensors.linear(f"{root}.output.dense", block.mlp.contract)
    tensors.linear("layernorm", model.norm)
    if model.representation is not None:
        tensors.linear("pooler.dense", model.representation)
    if isinstance(model.head_norm, nn.LayerNorm):
        tensors.linear("classifier.layernorm", model.head_norm)
        tensors.linear("classifier.dense", model.head)
    elif "classifier.weight" in tensors.left:
        tensors.linear("classifier", model.head)


# --- beginning a fusion model from pretrained ones


@torch.no_grad()
def initialise(model: FusionTransformer, sense: str, source: FusionTransformer) -> None:
    """Let one sense of a model begin from a pretrained model of one sense (section 4.1 and the published program).

    Copied are the first layers, the patch map, the first class token, the positions and the final normalisation, which
    all senses share. A patch map of images goes into the central frame of tubelets, the other frames begin at zero, so
    a still clip gives what the image gave. Between one and three channels it is summed or spread, so a spectrogram
    repeated in all channels gives the same. Positions are resized to the model's grid (bilinear, corners kept) and
    repeated over time for clips. The head, the bottleneck and the representation layer stay as they are.

    Raises `Refused` where the sizes of the two do not fit.
    """
    a, b = model.architecture, source.architecture
    if sense not in a.senses or len(b.senses) > 1:
        raise Refused(
            f"sense '{sense}' cannot begin from a model of {', '.join(b.senses)}; the model has {', '.join(a.senses)}, "
            "and the source must have one sense"
        )
    for key in ("width", "heads", "hidden", "activation", "epsilon"):
        if getattr(a, key) != getattr(b, key):
            raise Refused(
                f"the pretrained model has {key} {getattr(b, key)}, this one {getattr(a, key)}; they must agree"
            )
    if a.layers > b.layers:
        raise Refused(f"the pretrained model has {b.layers} layers, this one {a.layers}; it cannot have more")
    ((theirs, shape),) = b.senses.items()
    ours, donor = model.embedding(sense), source.embedding(theirs)
    table, target = donor.positions.get_parameter("table"), ours.positions.get_parameter("table")
    kernel = inflated(donor.patch.weight, shape, a.senses[sense])
    places = resized(table[b.cls :], shape.grid[-2:], a.senses[sense].grid)
    ours.patch.weight.copy_(kernel)
    ours.patch.bias.copy_(donor.patch.bias)
    target.copy_(torch.cat([table[:1].expand(a.cls, -1), places]))
    if ours.class_tokens is not None and donor.class_tokens is not None:
        ours.class_tokens.copy_(donor.class_tokens[:1].expand_as(ours.class_tokens))
    for block, other in zip(model.blocks(sense), source.blocks(theirs), strict=False):
        block.load_state_dict(other.state_dict())
    model.norm.load_state_dict(source.norm.state_dict())


def inflated(weight: Float[Tensor, "width inputs"], given: Sense, wanted: Sense) -> Float[Tensor, "width _"]:
    """The patch map of images or spectrograms for another sense: into the central frame, and to its channels."""
    if given.patch[-2:] != wanted.patch[-2:]:
        raise Refused(
            f"the pretrained patches are {given.patch[-2:]}, this model's {wanted.patch[-2:]}; they must agree"
        )
    kernel = weight.unflatten(1, (*given.patch[-2:], given.channels))
    if wanted.channels == 1:
        kernel = kernel.sum(-1, keepdim=True)
    elif given.channels == 1:
        kernel = kernel.expand(*kernel.shape[:-1], wanted.channels) / wanted.channels
    elif given.channels != wanted.channels:
        raise Refused(
            f"the pretrained model has {given.channels} channels, this one {wanted.channels}; allowed: the same or 1"
        )
    frames = math.prod(wanted.patch[:-2])
    clip = kernel.new_zeros(len(kernel), frames, *kernel.shape[1:])
    clip[:, frames // 2] = kernel
    return clip.flatten(1)


def resized(
    table: Float[Tensor, "places width"], grid: tuple[int, ...], wanted: tuple[int, ...]
) -> Float[Tensor, "_ width"]:
    """Learned positions of one grid for another one; of clips every time gets the same."""
    if len(wanted) == 1:
        raise Refused(f"where the {wanted[0]} tokens of this model lie is not known; build it with a grid of places")
    image = table.unflatten(0, grid).permute(2, 0, 1)[None]
    image = interpolate(image, wanted[-2:], mode="bilinear", align_corners=True)[0]
    return image.flatten(1).T.repeat(math.prod(wanted[:-2]), 1)
