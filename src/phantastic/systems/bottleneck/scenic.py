"""Weights of the published program (the MBT project of scenic, in JAX) in this package's model.

Names are flax's: ``Transformer/encoderblock_0/MlpBlock_0/Dense_0/kernel``; a kernel is [inputs, outputs], of an
attention map [width, heads, width / heads] or the reverse, of an embedding [*patch, channels, width].
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from phantastic.ground.errors import Refused, nearest
from phantastic.systems.bottleneck.model import SENSES, Architecture, FusionTransformer, Sense

METHODS = ("3d_conv", "temporal_sampling")


def load_scenic(path_or_arrays: str | Path | Mapping[str, Any], config: Mapping[str, Any]) -> FusionTransformer:
    """The model of a scenic configuration with its parameters, in evaluation mode.

    Parameters come from an .npz file or from a mapping, by flax's names, with or without ``param/`` before them; where
    some names have it, others are not looked at. Of ``config`` these keys are used: num_layers, num_heads, hidden_size,
    mlp_dim, num_classes, modality_fusion, fusion_layer, use_bottleneck, n_bottlenecks, share_encoder, classifier,
    temporal ("3d_conv" or "temporal_sampling", or a mapping with this as its method), patches [height, width, frames],
    and, where they are there, test_with_bottlenecks, representation_size and stochastic_droplayer_rate. How many frames
    are sampled follows from the number of positions.

    Called as ``model(rgb=..., spectrogram=...)`` it returns the logits, averaged over the senses. Raises `Refused`
    naming the key, or the parameter that is missing, left over, of another shape, or not finite.
    """
    source = str(path_or_arrays) if isinstance(path_or_arrays, str | Path) else "the given arrays"
    arrays = parameters(path_or_arrays, source)
    model = FusionTransformer(architecture(arrays, config, source))
    expected = correspondence(model)
    for name in expected:
        if name not in arrays:
            raise Refused(f"{source}: the parameter '{name}' is missing; this configuration needs it")
    for name in arrays:
        if name not in expected:
            raise Refused(
                f"{source}: the parameter '{name}' is left over: this configuration has no place for it"
                f"{nearest(name, expected)}"
            )
    with torch.no_grad():
        for name, (parameter, shape, turned) in expected.items():
            array = arrays[name]
            if array.shape != shape:
                raise Refused(f"{source}: '{name}' has shape {array.shape}; this configuration needs {shape}")
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise Refused(f"{source}: '{name}' holds {array.dtype} values that are not all finite numbers")
            values = torch.from_numpy(np.ascontiguousarray(array))
            parameter.copy_(values.reshape(parameter.shape[::-1]).T if turned else values.reshape(parameter.shape))
    return model.eval()


def parameters(path_or_arrays: str | Path | Mapping[str, Any], source: str) -> dict[str, np.ndarray]:
    """The arrays by flax's names."""
    if isinstance(path_or_arrays, str | Path):
        try:
            with open(path_or_arrays, "rb") as file:
                stored = np.load(file, allow_pickle=False)
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise Refused(f"{source} cannot be read as an .npz file of arrays: {error}") from None
    else:
        arrays = {name: np.asarray(value) for name, value in path_or_arrays.items()}
    marked = {name.removeprefix("param/"): array for name, array in arrays.items() if name.startswith("param/")}
    return marked or arrays


def architecture(arrays: Mapping[str, np.ndarray], config: Mapping[str, Any], source: str) -> Architecture:
    """What the configuration says; the numbers of tokens and channels come from the arrays' shapes."""

    def number(key: str, least: int = 1) -> int:
        value = get(config, key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Refused(f"config: {key} = {value!r} is not possible; allowed: an integer from {least}")
        return value

    def one_of(key: str, allowed: tuple[Any, ...], value: Any) -> Any:
        if value not in allowed:
            words = ", ".join(map(str, allowed))
            raise Refused(f"config: {key} = {value!r} is not possible here; allowed: {words}")
        return value

    def several(key: str) -> tuple[Any, ...]:
        value = get(config, key)
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    names = several("modality_fusion")
    if not names or any(names.count(name) > 1 or name not in SENSES for name in names):
        raise Refused(f"config: modality_fusion = {names!r} is not possible; allowed: {', '.join(SENSES)}, each once")
    method = get(config, "temporal") if "rgb" in names else METHODS[0]
    method = one_of("temporal", METHODS, method.get("method") if isinstance(method, Mapping) else method)
    size = several("patches")
    lengths = (3,) if "rgb" in names and method == "3d_conv" else (2, 3)
    if len(size) not in lengths or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in size):
        raise Refused(f"config: patches = {list(size)} is not possible; allowed: [height, width, frames], each from 1")
    width, heads, layers = number("hidden_size"), number("num_heads"), number("num_layers")
    if width % heads:
        raise Refused(f"config: hidden_size {width} does not divide into {heads} heads (num_heads)")
    classifier = one_of("classifier", ("token", "gap"), get(config, "classifier"))
    fusion_layer = number("fusion_layer", 0)
    if fusion_layer > layers:
        raise Refused(f"config: fusion_layer = {fusion_layer} is not possible; allowed: 0 to {layers} (num_layers)")
    flags = {
        key: one_of(key, (True, False), config.get(key, default))
        for key, default in (("use_bottleneck", False), ("share_encoder", False), ("test_with_bottlenecks", True))
    }
    senses = {}
    for name in names:
        suffix = "" if name == "rgb" else f"_{name}"
        table, kernel = f"Transformer/posembed_input{suffix}/pos_embedding", f"embedding{suffix}/kernel"
        for needed, axes in ((table, (3,)), (kernel, (4, 5))):
            if needed not in arrays:
                raise Refused(f"{source}: the parameter '{needed}' is missing; this configuration needs it")
            if arrays[needed].ndim not in axes:
                raise Refused(f"{source}: '{needed}' has shape {arrays[needed].shape}, not {axes[0]} axes")
        patch = (size[2], *size[:2]) if name == "rgb" and method == "3d_conv" else size[:2]
        tokens = arrays[table].shape[1] - (classifier == "token")
        senses[name] = Sense((tokens,), patch, channels=arrays[kernel].shape[-2])
    representation = config.get("representation_size")
    return Architecture(
        senses=senses,
        layers=layers,
        width=width,
        heads=heads,
        hidden=number("mlp_dim"),
        classes=number("num_classes"),
        fusion="bottleneck" if flags["use_bottleneck"] else "vanilla",
        fusion_layer=fusion_layer,
        bottlenecks=number("n_bottlenecks") if flags["use_bottleneck"] else 0,
        shared=flags["share_encoder"],
        classifier=classifier,
        representation=None if representation is None else number("representation_size"),
        bottlenecks_at_test=flags["test_with_bottlenecks"],
        stochastic_depth=float(config.get("stochastic_droplayer_rate") or 0.0),
    )


def get(config: Mapping[str, Any], key: str) -> Any:
    if key not in config:
        raise Refused(f"config: the key '{key}' is missing{nearest(key, config) if config else ''}")
    return config[key]


class Place(NamedTuple):
    """A parameter of ours, the shape that flax gives it, and whether it is a kernel, which is turned over."""

    parameter: Tensor
    shape: tuple[int, ...]
    turned: bool

    def in_flax(self, values: Tensor) -> np.ndarray:
        """Our values of this parameter (or its gradient) as flax has them."""
        return (values.T if self.turned else values).detach().reshape(self.shape).numpy()


def correspondence(model: FusionTransformer) -> dict[str, Place]:
    """Every parameter of a model by its flax name."""
    a, matches = model.architecture, dict[str, Place]()
    split, features = (a.heads, a.width // a.heads), model.head.in_features

    def add(name: str, parameter: Tensor, *shape: int) -> None:
        matches[name] = Place(parameter, shape, name.endswith("kernel"))

    def dense(name: str, layer: nn.Linear, kernel: tuple[int, ...], bias: tuple[int, ...]) -> None:
        add(f"{name}/kernel", layer.weight, *kernel)
        add(f"{name}/bias", layer.bias, *bias)

    def norm(name: str, layer: nn.LayerNorm) -> None:
        add(f"{name}/scale", layer.weight, a.width)
        add(f"{name}/bias", layer.bias, a.width)

    for name, sense in a.senses.items():
        suffix, tokens = "" if name == "rgb" else f"_{name}", model.embedding(name)
        dense(f"embedding{suffix}", tokens.patch, (*sense.patch, sense.channels, a.width), (a.width,))
        places = tokens.positions.get_parameter("table")
        add(f"Transformer/posembed_input{suffix}/pos_embedding", places, 1, *places.shape)
        if tokens.class_tokens is not None:
            add("cls" if len(a.senses) == 1 or name == "rgb" else f"cls{name}", tokens.class_tokens, 1, 1, a.width)
    if model.bottleneck is not None:
        add("bottleneck", model.bottleneck.tokens, 1, *model.bottleneck.tokens.shape)
    for name in a.senses:  # shared layers are met twice, under one name
        suffix = "" if a.shared or name == "rgb" else f"_{name}"
        for index, block in enumerate(model.blocks(name)):
            root = f"Transformer/encoderblock_{index}{suffix}"
            norm(f"{root}/LayerNorm_0", block.attention_norm)
            norm(f"{root}/LayerNorm_1", block.mlp_norm)
            attention = f"{root}/MultiHeadDotProductAttention_0"
            dense(f"{attention}/query", block.attention.query, (a.width, *split), split)
            dense(f"{attention}/key", block.attention.key, (a.width, *split), split)
            dense(f"{attention}/value", block.attention.value, (a.width, *split), split)
            dense(f"{attention}/out", block.attention.output, (*split, a.width), (a.width,))
            dense(f"{root}/MlpBlock_0/Dense_0", block.mlp.expand, (a.width, a.hidden), (a.hidden,))
            dense(f"{root}/MlpBlock_0/Dense_1", block.mlp.contract, (a.hidden, a.width), (a.width,))
    norm("Transformer/encoder_norm", model.norm)
    if model.representation is not None:
        dense("pre_logits", model.representation, (a.width, features), (features,))
    dense("output_projection", model.head, (features, a.classes), (a.classes,))
    return matches
