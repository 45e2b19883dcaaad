"""Opening and writing folders in the Hugging Face layout: ``config.json`` and weights in safetensors.

Nothing is unpickled, and the library itself is not needed. A weight that is missing, left over or of another shape is
refused by the name of its file and key.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest
from phantastic.nn.language import bert, distilbert, gpt2, roberta, xlm, xlnet
from phantastic.nn.language.config import Config, interpret, read_json
from phantastic.nn.language.family import Architecture, Family, Stored
from phantastic.nn.language.model import Model

FAMILIES = {module.FAMILY.config.kind: module.FAMILY for module in (bert, roberta, distilbert, gpt2, xlnet, xlm)}
ARCHITECTURES = {name: family for family in FAMILIES.values() for name in family.architectures}
NAMES = ("model.safetensors", "pytorch_model.safetensors")
Weights = dict[str, Tensor]


def create(architecture: str, config: Config) -> Model:
    """A model with fresh weights, such as ``create("BertForPreTraining", BertConfig(num_hidden_layers=4))``.

    Build it within `randomness.initialised`. Raises `Refused` for an unknown architecture, a configuration of another
    family or sizes that do not fit together.
    """
    family = family_of(architecture)
    if type(config) is not family.config:
        raise Refused(f"{architecture} needs a {family.config.__name__}, not a {type(config).__name__}")
    transformer, head = family.architectures[architecture].build(config)
    model = Model(architecture, config, transformer, head)
    family.initialise(model, config)
    return model


def family_of(architecture: str) -> Family:
    if architecture not in ARCHITECTURES:
        raise Refused(f"unknown architecture '{architecture}'{nearest(architecture, ARCHITECTURES)}")
    return ARCHITECTURES[architecture]


# --- folders


def load_pretrained(folder: Path | str) -> Model:
    """The model of a folder, in float32 and in eval mode; ``architectures`` in ``config.json`` says which.

    Raises `Refused`, naming file and key, for what is damaged, missing, left over, of another shape or not
    implemented; for pickled weights (``pytorch_model.bin``) it says how to turn them into safetensors.
    """
    folder = Path(folder)
    architecture, config = read_config(folder)
    path = folder / "config.json"
    try:
        model = create(architecture, config)
    except Refused as error:
        raise error if str(path) in str(error) else Refused(f"{path}: {error}") from None
    fill(model, *read_weights(folder))
    return model.eval()


def read_config(folder: Path) -> tuple[str, Config]:
    """The architecture and the sizes of a folder's model; refused as in `load_pretrained`."""
    path = folder / "config.json"
    content = read_json(path)
    architecture, family = named(content, path)
    return architecture, interpret(content, family.config, path)


def save_pretrained(model: Model, folder: Path | str) -> None:
    """Write ``config.json`` and ``model.safetensors``, which `transformers` opens as the same architecture.

    Raises `Refused` where the folder cannot be written to.
    """
    folder = Path(folder)
    weights = in_library(model, dict(model.named_parameters()))
    packed = {key: value.detach().cpu().contiguous().clone() for key, value in weights.items()}
    files.write_json(folder / "config.json", model.config.as_json(model.architecture))
    files.write(folder / NAMES[0], safetensors.torch.save(packed, {"format": "pt"}))


def named(content: Mapping[str, Any], path: Path) -> tuple[str, Family]:
    """The architecture that ``config.json`` names; without one, the family's bare model."""
    kind = content.get("model_type")
    if kind not in FAMILIES:
        raise Refused(f"{path}: 'model_type' is {kind!r}, which is not implemented{nearest(str(kind), FAMILIES)}")
    family, architectures = FAMILIES[kind], content.get("architectures") or [next(iter(FAMILIES[kind].architectures))]
    if not isinstance(architectures, list) or architectures[0] not in family.architectures:
        name = architectures[0] if isinstance(architectures, list) else architectures
        close = nearest(str(name), family.architectures)
        raise Refused(f"{path}: 'architectures' names {name!r}, which is not implemented{close}")
    return architectures[0], family


# --- weights


def read_weights(folder: Path) -> tuple[Weights, Path]:
    """All weights of a folder by the library's keys, and the file to name when one of them does not fit."""
    for name in NAMES:
        if (folder / name).exists():
            return read_safetensors(folder / name), folder / name
        index = folder / f"{name}.index.json"
        if index.exists():
            return read_shards(index), index
    pickled = sorted(folder.glob("pytorch_model*.bin")) + sorted(folder.glob("*.ckpt*"))
    if pickled:
        raise Refused(
            f"{pickled[0]} is a pickle, which can run any program when it is read; ask for the model's "
            "model.safetensors, or in a safe place write it from Python with transformers: "
            f"AutoModel.from_pretrained('{folder}').save_pretrained('NEW_FOLDER')"
        )
    raise Refused(f"{folder} holds no weights; expected there: {NAMES[0]} or {NAMES[0]}.index.json with its shards")


def read_safetensors(path: Path) -> Weights:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise Refused(f"{path} is damaged or not a safetensors file ({error}); fetch it again") from None


def read_shards(index: Path) -> Weights:
    """The weights that an index spreads over several files, each from the file the index says."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise Refused(f"{index}: 'weight_map' is missing or not a table of keys and file names")
    weights: Weights = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise Refused(f"{index}: '{name}' is not a file of this folder; allowed: plain file names")
        shard = read_safetensors(index.parent / name)
        for key in sorted(key for key, place in places.items() if place == name):
            if key not in shard:
                raise Refused(f"{index.parent / name}: the weight '{key}' is missing, which {index.name} says is there")
            weights[key] = shard[key]
    return weights


def in_library(model: Model, ours: Mapping[str, Tensor]) -> Weights:
    """Tensors by the names of our parameters (weights, or their gradients) -> by the library's keys, in its layout."""
    pieces: dict[str, dict[int, Tensor]] = {}
    for name, stored in stored_names(model).items():
        pieces.setdefault(stored.key, {})[stored.part] = stored.write(ours[name])
    return {key: torch.cat([parts[part] for part in sorted(parts)], -1) for key, parts in pieces.items()}


def fill(model: Model, library: Weights, path: Path) -> None:
    """Copy the library's weights into a model; ``path`` is the file to name where one does not fit."""
    names, family = stored_names(model), family_of(model.architecture)
    in_file = {
        re.sub(r"LayerNorm\.(gamma|beta)$", modern, key.removeprefix("module.")): x for key, x in library.items()
    }
    expected, used = in_library(model, dict(model.named_parameters())), set()
    weights: Weights = {}
    aliases = {stored.key: stored.also for stored in names.values()}
    for key, like in expected.items():
        copies = [place for name in (key, *aliases[key]) for place in spellings(name, family) if place in in_file]
        if not copies:
            raise Refused(f"{path}: the weight '{key}' of {model.architecture} is missing")
        tensor = in_file[copies[0]]
        if tensor.shape != like.shape or not tensor.is_floating_point():
            raise Refused(
                f"{path}: the weight '{copies[0]}' is {tuple(tensor.shape)} of {tensor.dtype}; allowed: "
                f"{tuple(like.shape)} of a floating-point type, as config.json says"
            )
        for copy in copies[1:]:
            if not torch.equal(in_file[copy], tensor):
                raise Refused(
                    f"{path}: the weights '{copies[0]}' and '{copy}' differ, but config.json ties them; set "
                    "'tie_word_embeddings' to false there, or remove the wrong one"
                )
        weights[key] = tensor
        used |= set(copies)
    ignored = re.compile("|".join(f"(?:{pattern})" for pattern in family.ignored) or "(?!)")
    extra = sorted(key for key in in_file if key not in used and not ignored.fullmatch(key))
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise Refused(f"{path}: the weight '{extra[0]}'{more} does not belong to {model.architecture}")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stored = names[name]
            part = weights[stored.key].float().chunk(stored.parts, -1)[stored.part]
            parameter.copy_(stored.read(part))


def modern(match: re.Match[str]) -> str:
    return "LayerNorm." + {"gamma": "weight", "beta": "bias"}[match[1]]


def spellings(key: str, family: Family) -> tuple[str, ...]:
    """A key as files may have it: with and without the prefix of the layers."""
    prefix = f"{family.prefix}."
    return (key, key.removeprefix(prefix)) if key.startswith(prefix) else (key, prefix + key)


def stored_names(model: Model) -> dict[str, Stored]:
    """Where the library stores each of our parameters; a tied one is ``also`` under the names of its copies."""
    family = family_of(model.architecture)
    architecture: Architecture = family.architectures[model.architecture]
    bare = model.architecture == next(iter(family.architectures))
    prefix = "" if bare else f"{family.prefix}."
    table = {f"transformer.{ours}": stored_at(theirs, prefix) for ours, theirs in family.names(model.config).items()}
    table |= {ours: stored_at(theirs) for ours, theirs in architecture.names.items()}
    first: dict[Tensor, str] = {}
    names: dict[str, Stored] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        stored = entry(name, table)
        if stored.also and not model.config.tie_word_embeddings:
            stored = Stored(stored.also[0])
        if parameter in first:
            shared = names[first[parameter]]
            names[first[parameter]] = shared._replace(also=(*shared.also, stored.key, *stored.also))
        else:
            first[parameter], names[name] = name, stored
    return names


def stored_at(theirs: str | Stored, prefix: str = "") -> Stored:
    stored = Stored(theirs) if isinstance(theirs, str) else theirs
    return stored._replace(key=prefix + stored.key)


def entry(name: str, table: Mapping[str, Stored]) -> Stored:
    """The entry for a parameter: its own, or its module's with the parameter's name at the end."""
    general = re.sub(r"\.\d+\.", ".#.", name, count=1)
    number = re.search(r"\.(\d+)\.", name)
    layer = number[1] if number else ""
    if general in table:
        stored = table[general]
    else:
        module, _, leaf = general.rpartition(".")
        stored = table[module]._replace(key=f"{table[module].key}.{leaf}")
    return stored._replace(key=stored.key.replace("#", layer))
