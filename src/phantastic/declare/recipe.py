"""Recipes: the parameters of a study, bounded and described in two languages.

A recipe is a frozen ``msgspec.Struct``; its annotations are the single source of the command line, the TOML file, the
documentation and the property tests. Bounds are enforced by ``msgspec.convert``, so every recipe passes through
`compose`.
"""

import math
import re
import reprlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused, nearest


def about(en: str, ja: str, *, symbol: str = "", unit: str = "", **bounds: Any) -> Meta:
    """Describe a parameter; ``bounds`` are msgspec's ge, gt, le, lt, min_length, max_length."""
    extra = {"ja": ja, "symbol": symbol, "unit": unit}
    return Meta(description=en, extra_json_schema={key: value for key, value in extra.items() if value}, **bounds)


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every study's recipe has; a study adds its own parameters."""

    seed: Annotated[int, about("seed of the first repetition", "最初の反復の乱数の種", ge=0, le=2**31 - 1)] = 0
    seeds: Annotated[int, about("repetitions, each with its own seed", "反復回数(それぞれ別の種)", ge=1, le=50)] = 1
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        about("where networks run; auto takes a GPU if there is one", "計算装置。auto は GPU があれば使う"),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        about(
            "arithmetic of the networks while training; auto takes bfloat16 where the device has it in hardware",
            "学習時のネットワークの演算精度。auto は、計算装置にあれば bfloat16 を使う",
        ),
    ] = "auto"
    threads: Annotated[
        int,
        about(
            "processor threads; 0 takes the cores available, at most 4", "スレッド数。0 は空きコア(最大4)", ge=0, le=256
        ),
    ] = 0


def compose(
    recipe: type[Recipe], presets: dict[str, Recipe], preset: str, changes: dict[str, Any], origin: str = "--set"
) -> Recipe:
    """The preset with the user's changes, validated.

    Raises `Refused` naming the key, the value and the bound or the nearest known name.
    """
    if preset not in presets:
        raise Refused(f"unknown preset '{preset}'{nearest(preset, presets)}")
    fields = msgspec.structs.fields(recipe)
    for key in changes:
        if key not in {field.name for field in fields}:
            raise Refused(f"{origin}: unknown key '{key}'{nearest(key, [field.name for field in fields])}")
    values = msgspec.to_builtins(presets[preset]) | changes
    return validated(recipe, values, origin)


def validated(recipe: type[Recipe], values: dict[str, Any], origin: str) -> Recipe:
    """Convert plain values to a recipe, enforcing every type and bound."""
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise Refused(f"{origin}: {key} = {value} is not possible: a number must be finite")
    try:
        return msgspec.convert(values, recipe)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        if not path:
            found = re.search(r"unknown field `(\w+)`", message)
            names = [field.name for field in msgspec.structs.fields(recipe)]
            raise Refused(f"{origin}: {message}{nearest(found[1], names) if found else ''}") from None
        key = re.split(r"[`.\[]", path)[0]
        allowed = next((p.allowed for p in parameters(recipe) if p.name == key), "")
        shown = reprlib.repr(values.get(key))
        raise Refused(f"{origin}: {key} = {shown} is not possible: {message}; allowed: {allowed}") from None


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """``key=value`` words from the command line; values are read as TOML, else as plain text."""
    changes: dict[str, Any] = {}
    for word in settings:
        key, separator, text = word.partition("=")
        if not separator or not key.strip():
            raise Refused(f"--set {word}: write it as key=value, for example --set seed=3")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):  # not TOML; a number or a nesting beyond all limits
            value = _as_written(text)
        changes[key.strip()] = value
    return changes


def _as_written(text: str) -> float | str:
    """A number as people write it and TOML does not (.5, 5.), else the text itself."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe file; raises `Refused` naming the file and what is wrong in it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"recipe file {path}: {error}") from None


def to_toml(recipe: Recipe) -> str:
    """The recipe as the TOML file that would give it back."""
    return msgspec.toml.encode(recipe).decode()


class Parameter(Struct, frozen=True):
    """One parameter as shown to people."""

    name: str
    text: Text
    symbol: str
    unit: str
    allowed: str


def parameters(recipe: type[Recipe]) -> list[Parameter]:
    """Every parameter of a recipe type with its description and bounds."""
    schema = msgspec.json.schema(recipe)
    properties = schema["$defs"][recipe.__name__]["properties"]
    found = []
    for name, entry in properties.items():
        details = entry | next((part for part in entry.get("allOf", []) if isinstance(part, dict)), {})
        english = details.get("description", name)
        text = Text(english, details.get("ja", english))
        found.append(
            Parameter(name, text, details.get("symbol", ""), details.get("unit", ""), bounds_in_words(details))
        )
    return found


def bounds_in_words(schema: dict[str, Any]) -> str:
    """A JSON-schema fragment as a short phrase: ``number from 0 to 10``, ``one of: cpu, cuda``."""
    if "enum" in schema:
        return "one of: " + ", ".join(map(str, schema["enum"]))
    words = [str(schema.get("type", "value"))]
    for key, phrase in (
        ("minimum", "from {}"), ("exclusiveMinimum", "above {}"), ("maximum", "to {}"), ("exclusiveMaximum", "below {}")
    ):  # fmt: skip
        if key in schema:
            words.append(phrase.format(schema[key]))
    return " ".join(words)
