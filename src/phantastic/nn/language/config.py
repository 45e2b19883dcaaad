"""A model's sizes, as they stand in a Hugging Face ``config.json``: the library's names, types and defaults.

Each architecture's file declares its own `Config`. What would change the numbers and is not implemented here is
refused by the name of its key; keys that change nothing (``torch_dtype``, ``transformers_version``) are kept as found.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Struct, structs

from phantastic.ground import files
from phantastic.ground.errors import Refused, nearest

Problem = Literal["regression", "single_label_classification", "multi_label_classification"]
C = TypeVar("C", bound="Config")

ACTIVATIONS = {  # the library's name -> ours
    "relu": "relu",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
}


class Config(Struct, frozen=True, kw_only=True):
    """What all architectures have in common."""

    kind: ClassVar[str]
    """``model_type`` in the file."""
    aliases: ClassVar[dict[str, str]] = {}
    """Other names under which files give a field."""
    free: ClassVar[frozenset[str]] = frozenset()
    """Numbers that may be below 0 or 0."""
    only: ClassVar[dict[str, Any]] = {}
    """Keys of which one value alone is implemented; absent or null means that value."""

    vocab_size: int
    pad_token_id: int | None = None
    initializer_range: float = 0.02
    tie_word_embeddings: bool = True
    num_labels: int = 2
    problem_type: Problem | None = None
    others: dict[str, Any] = {}
    """The rest of the file, as found."""

    def __post_init__(self) -> None:
        """Raises `Refused` for sizes that are not possible; the key is named."""
        for name in set(self.__struct_fields__) - self.free:
            value = getattr(self, name)
            if type(value) is int and value < (0 if name.endswith("_id") else 1):
                raise Refused(f"'{name}' is {value}; allowed: at least {0 if name.endswith('_id') else 1}")
            if type(value) is float and value < 0:
                raise Refused(f"'{name}' is {value}; allowed: at least 0")

    def padding(self, table: str = "vocab_size") -> int | None:
        """The token that stands for nothing: its row in a table of embeddings is not learned."""
        if self.pad_token_id is not None and self.pad_token_id >= getattr(self, table):
            raise Refused(
                f"'pad_token_id' is {self.pad_token_id}; allowed: less than '{table}', {getattr(self, table)}"
            )
        return self.pad_token_id

    def activated(self, key: str) -> str:
        """Our name of the activation that stands under ``key``; refuses one that is not implemented."""
        name = getattr(self, key)
        if name not in ACTIVATIONS:
            raise Refused(f"'{key}' is '{name}', which is not implemented{nearest(name, ACTIVATIONS)}")
        return ACTIVATIONS[name]

    def as_json(self, architecture: str) -> dict[str, Any]:
        """The content of ``config.json``."""
        fields = structs.asdict(self)
        others, labels = fields.pop("others"), fields.pop("num_labels")
        if len(others.get("id2label", ())) != labels:
            others = others | {
                "id2label": {str(label): f"LABEL_{label}" for label in range(labels)},
                "label2id": {f"LABEL_{label}": label for label in range(labels)},
            }
        return others | fields | {"model_type": self.kind, "architectures": [architecture]}


# What no architecture here computes. Positions: relative and rotary ones; decoders with cross-attention; pruned heads.
ONLY: dict[str, Any] = {
    "position_embedding_type": "absolute",
    "rope_theta": None,
    "rope_scaling": None,
    "rope_parameters": None,
    "is_encoder_decoder": False,
    "add_cross_attention": False,
    "pruned_heads": {},
    "quantization_config": None,
}


def interpret(content: dict[str, Any], kind: type[C], path: Path) -> C:
    """The content of a ``config.json`` as a `Config`; raises `Refused` that names the file and the key."""
    content = {kind.aliases.get(key, key): value for key, value in content.items()}
    for key, value in (ONLY | kind.only).items():
        if content.get(key, value) not in (value, None):
            raise Refused(f"{path}: '{key}' is {content[key]!r}, which is not implemented; allowed: {value!r} or none")
    labels = content.get("id2label")
    if isinstance(labels, dict):
        content["num_labels"] = len(labels)
    fields = set(kind.__struct_fields__) - {"others"}
    values = {key: value for key, value in content.items() if key in fields}
    values["others"] = {
        key: value for key, value in content.items() if key not in {*fields, "model_type", "architectures"}
    }
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"{path}: {error}") from None
    except Refused as error:
        raise Refused(f"{path}: {error}") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; raises `Refused` naming the file where it is absent or damaged."""
    return files.read_json(path, dict[str, Any], f"the model in {path.parent}")
