"""The parameters of a recipe or a request as people and pages see them, and how what people write becomes a value."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused, nearest, printable


class Parameter(Struct, frozen=True):
    """One parameter: what people are told of it, and all that a control on a page needs."""

    name: str
    text: Text
    kind: Literal["integer", "number", "boolean", "string", "choice", "list"]
    default: Any
    symbol: str = ""
    unit: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str | int, ...] = ()
    """What a choice is made of, or the items of a list where they are given."""
    network: bool = False
    """Does it name a trained network?"""
    item: Literal["integer", "number", "string", ""] = ""
    """Of what a list consists."""
    required: bool = False
    """Has it no default?"""

    @property
    def allowed(self) -> str:
        """Type and bounds as a short phrase: ``number from 0 to 10``, ``one of: cpu, cuda``."""
        if self.kind == "choice":
            return "one of: " + ", ".join(map(str, self.choices))
        if self.kind == "list":
            items = ", ".join(map(str, self.choices)) if self.choices else f"{self.item}s"
            return f"list of {items}, as in {self.name}={','.join(map(str, self.default))}"
        bounds = {"from": self.least, "above": self.above, "to": self.most, "below": self.below}
        return " ".join([self.kind, *(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)])

    def read(self, text: str) -> Any:
        """A value as people write it, converted where it can be; `validated` refuses what could not."""
        if self.kind == "string":
            return text
        if self.kind == "list":  # ["a", "b"], and what a shell leaves of it: [a, b]; or a,b
            words = [word.strip().strip("\"'") for word in text.strip().removeprefix("[").removesuffix("]").split(",")]
            kind = {"integer": int, "number": float}.get(self.item)
            return [converted(word, kind) if kind else word for word in words if word]
        word = text.strip().strip("\"'")
        match self.kind:
            case "integer":
                return converted(word, int)
            case "number":
                return converted(word, float)
            case "boolean":
                return {"true": True, "false": False}.get(word.lower(), word)
        return next((choice for choice in self.choices if str(choice) == word), word)

    def written(self, value: Any) -> str:
        """The text that `read` gives the value back from."""
        if self.kind == "list":
            return ",".join(map(str, value))
        return str(value).lower() if self.kind == "boolean" else str(value)


def converted(word: str, kind: type[int] | type[float]) -> Any:
    """The number, else the word itself."""
    try:
        return kind(word)
    except ValueError:
        return word


def parameters(recipe: type[Struct]) -> list[Parameter]:
    """Every parameter of a recipe's or a request's type with its description and bounds; the default of what may be
    left out, and of what must be given, is None."""
    schema = msgspec.json.schema(recipe)["$defs"][recipe.__name__]
    properties = schema["properties"]
    described = []
    for name, entry in properties.items():
        parts = entry.get("allOf", []) + [part for part in entry.get("anyOf", []) if part != {"type": "null"}]
        details = entry | next((part for part in parts if isinstance(part, dict)), {})
        english, items = details.get("description", name), details.get("items", {})
        kind: Any = "choice" if "enum" in details else {"array": "list"}.get(details["type"], details["type"])
        described.append(
            Parameter(
                name,
                Text(english, details.get("ja", english)),
                kind,
                default=entry.get("default"),
                symbol=details.get("symbol", ""),
                unit=details.get("unit", ""),
                least=details.get("minimum"),
                above=details.get("exclusiveMinimum"),
                most=details.get("maximum"),
                below=details.get("exclusiveMaximum"),
                choices=tuple(details.get("enum", items.get("enum", ()))),
                network=details.get("network", False),
                item="" if kind != "list" else items.get("type", "string"),
                required=name in schema["required"],
            )
        )
    return described


def parse_settings(recipe: type[Struct], settings: Sequence[str], origin: str = "--set") -> dict[str, Any]:
    """``key=value`` words from the command line; the parameter's type decides how a value is read.

    Raises `Refused` naming the word or an unknown key.
    """
    known = {parameter.name: parameter for parameter in parameters(recipe)}
    changes: dict[str, Any] = {}
    for word in settings:
        key, separator, text = word.partition("=")
        key = key.strip()
        if not separator or not key:
            raise Refused(f"{origin} {word}: write it as key=value, for example {origin} seed=3")
        if text != printable(text) or "\n" in text:
            raise Refused(f"{origin} {key}: its value holds a line break, an escape or half a letter; write plain text")
        if key not in known:
            raise Refused(f"{origin}: unknown key '{key}'{nearest(key, known)}")
        changes[key] = known[key].read(text)
    return changes
