"""A second opinion: the published multimodal bottleneck transformer in NumPy, float64, straight from its description.

Shares no code with the package, and keeps flax's layouts: kernels of attention maps are [width, heads, width / heads].
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]


def norm(x: np.ndarray, p: Arrays, name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * p[f"{name}/scale"] + p[f"{name}/bias"]


def block(x: np.ndarray, p: Arrays, name: str) -> np.ndarray:
    y, root = norm(x, p, f"{name}/LayerNorm_0"), f"{name}/MultiHeadDotProductAttention_0"
    query, key, value = (
        np.einsum("bnd,dhk->bhnk", y, p[f"{root}/{part}/kernel"]) + p[f"{root}/{part}/bias"][:, None, :]
        for part in ("query", "key", "value")
    )
    scores = np.einsum("bhqk,bhmk->bhqm", query, key) / np.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mixed = np.einsum("bhqm,bhmk->bqhk", weights, value)
    x = x + np.einsum("bqhk,hkd->bqd", mixed, p[f"{root}/out/kernel"]) + p[f"{root}/out/bias"]
    y = (
        norm(x, p, f"{name}/LayerNorm_1") @ p[f"{name}/MlpBlock_0/Dense_0/kernel"]
        + p[f"{name}/MlpBlock_0/Dense_0/bias"]
    )
    y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
    return x + y @ p[f"{name}/MlpBlock_0/Dense_1/kernel"] + p[f"{name}/MlpBlock_0/Dense_1/bias"]


def embed(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A convolution whose stride is its kernel, without padding: [batch, *grid, channels] -> [batch, tokens, width]."""
    patch = kernel.shape[:-2]
    tokens = []
    for place in np.ndindex(*(n // k for n, k in zip(x.shape[1:], patch, strict=False))):
        part = x[(slice(None), *(slice(i * k, (i + 1) * k) for i, k in zip(place, patch, strict=True)))]
        tokens.append(np.tensordot(part, kernel, axes=(range(1, part.ndim), range(kernel.ndim - 1))) + bias)
    return np.stack(tokens, 1)


def forward(
    inputs: Arrays, parameters: Arrays, config: Mapping[str, Any], training: bool = False
) -> dict[str, np.ndarray]:
    """Logits by sense in training (one entry "all" for gap); their mean, "eval", else."""
    p = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    names, token = list(config["modality_fusion"]), config["classifier"] == "token"
    x, lengths = {}, {}
    for m in names:
        suffix, data = ("" if m == "rgb" else f"_{m}"), np.asarray(inputs[m], np.float64)
        if m == "rgb" and config["temporal"] == "temporal_sampling":
            time, count = data.shape[1], config["n_sampled_frames"]
            places = np.arange(time / (count + 1), time, time / (count + 1)) if count < time else np.arange(time)
            data = data[:, np.minimum(np.round(places).astype(int), time - 1)]
            data = data.reshape(len(data), -1, *data.shape[3:])
        t = embed(data, p[f"embedding{suffix}/kernel"], p[f"embedding{suffix}/bias"])
        if token:
            cls = p["cls" if m == "rgb" or len(names) == 1 else f"cls{m}"]
            t = np.concatenate([np.broadcast_to(cls, (len(t), 1, t.shape[-1])), t], 1)
        x[m] = t + p[f"Transformer/posembed_input{suffix}/pos_embedding"]
        lengths[m] = x[m].shape[1]
    bottleneck = np.repeat(p["bottleneck"], len(t), 0) if config["use_bottleneck"] else None
    merged = None
    for layer in range(config["num_layers"]):
        root = {
            m: f"Transformer/encoderblock_{layer}" + ("" if m == "rgb" or config["share_encoder"] else f"_{m}")
            for m in names
        }
        apart = config["use_bottleneck"] and not training and not config.get("test_with_bottlenecks", True)
        if layer < config["fusion_layer"] or len(names) == 1 or apart:
            x = {m: block(x[m], p, root[m]) for m in names}
        elif bottleneck is not None:
            out = {m: block(np.concatenate([x[m], bottleneck], 1), p, root[m]) for m in names}
            x = {m: out[m][:, : lengths[m]] for m in names}
            bottleneck = sum(out[m][:, lengths[m] :] for m in names) / len(names)
        elif config["share_encoder"]:
            merged = np.concatenate([x[m] for m in names], 1) if merged is None else merged
            merged = block(merged, p, root[names[0]])
        else:
            x = {
                m: block(np.concatenate([x[o] for o in names if o != m] + [x[m]], 1), p, root[m])[:, -lengths[m] :]
                for m in names
            }
    z = norm(np.concatenate([x[m] for m in names], 1) if merged is None else merged, p, "Transformer/encoder_norm")
    if token:
        starts = np.cumsum([0] + [lengths[m] for m in names[:-1]])
        features = {m: z[:, start] for m, start in zip(names, starts, strict=True)}
    else:
        features = {"all": z.mean(1)}
    if config.get("representation_size"):
        features = {m: np.tanh(f @ p["pre_logits/kernel"] + p["pre_logits/bias"]) for m, f in features.items()}
    logits = {m: f @ p["output_projection/kernel"] + p["output_projection/bias"] for m, f in features.items()}
    return logits if training or not token else {"eval": sum(logits.values()) / len(logits)}


def random_parameters(
    config: Mapping[str, Any], inputs: Arrays, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Every parameter that the published program has in this configuration, random."""
    d, heads, mlp = config["hidden_size"], config["num_heads"], config["mlp_dim"]
    names, (high, wide, *frames), token = (
        list(config["modality_fusion"]),
        config["patches"],
        config["classifier"] == "token",
    )
    shapes: dict[str, tuple[int, ...]] = {}
    for m in names:
        suffix, size = ("" if m == "rgb" else f"_{m}"), inputs[m].shape[1:-1]
        if m == "rgb" and config["temporal"] == "3d_conv":
            patch = (*frames, high, wide)
            tokens = int(np.prod([n // k for n, k in zip(size, patch, strict=True)]))
        else:
            patch, times = (high, wide), (config["n_sampled_frames"] if m == "rgb" else 1)
            tokens = times * (size[-2] // high) * (size[-1] // wide)
        shapes |= {f"embedding{suffix}/kernel": (*patch, inputs[m].shape[-1], d), f"embedding{suffix}/bias": (d,)}
        shapes[f"Transformer/posembed_input{suffix}/pos_embedding"] = (1, tokens + token, d)
        if token:
            shapes["cls" if m == "rgb" or len(names) == 1 else f"cls{m}"] = (1, 1, d)
        for layer in range(config["num_layers"]):
            root = f"Transformer/encoderblock_{layer}" + ("" if m == "rgb" or config["share_encoder"] else f"_{m}")
            attention = f"{root}/MultiHeadDotProductAttention_0"
            for part in ("query", "key", "value"):
                shapes |= {
                    f"{attention}/{part}/kernel": (d, heads, d // heads),
                    f"{attention}/{part}/bias": (heads, d // heads),
                }
            shapes |= {f"{attention}/out/kernel": (heads, d // heads, d), f"{attention}/out/bias": (d,)}
            shapes |= {f"{root}/LayerNorm_{i}/{part}": (d,) for i in (0, 1) for part in ("scale", "bias")}
            shapes |= {f"{root}/MlpBlock_0/Dense_0/kernel": (d, mlp), f"{root}/MlpBlock_0/Dense_0/bias": (mlp,)}
            shapes |= {f"{root}/MlpBlock_0/Dense_1/kernel": (mlp, d), f"{root}/MlpBlock_0/Dense_1/bias": (d,)}
    shapes |= {f"Transformer/encoder_norm/{part}": (d,) for part in ("scale", "bias")}
    if config["use_bottleneck"]:
        shapes["bottleneck"] = (1, config["n_bottlenecks"] + token, d)
    width = config.get("representation_size") or d
    if config.get("representation_size"):
        shapes |= {"pre_logits/kernel": (d, width), "pre_logits/bias": (width,)}
    shapes |= {
        "output_projection/kernel": (width, config["num_classes"]),
        "output_projection/bias": (config["num_classes"],),
    }
    return {name: (0.3 * generator.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
