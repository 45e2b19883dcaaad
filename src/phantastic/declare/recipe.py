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

from phantastic.declare.parameter import parameters
from phantastic.ground.errors import Refused, nearest


def about(en: str, ja: str, *, symbol: str = "", unit: str = "", network: bool = False, **bounds: Any) -> Meta:
    """Describe a parameter; ``bounds`` are msgspec's ge, gt, le, lt, min_length, max_length. ``network``: it names a
    trained network (a run, STUDY:PRESET or a folder; see `run.shelf`), or none."""
    extra = {"ja": ja, "symbol": symbol, "unit": unit, "network": network}
    return Meta(description=en, extra_json_schema={key: value for key, value in extra.items() if value}, **bounds)


# What a recipe may change without being another experiment than its preset
NEUTRAL = ("seed", "seeds", "device", "precision", "threads")


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
            "processor threads; 0 takes the cores available, at most 4",
            "スレッド数。0 は空きコア(最大4)",
            ge=0,
            le=256,
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


def differing(recipe: Recipe, preset: Recipe | None) -> list[str]:
    """The keys in which a recipe is another than its preset; none where there is no preset any more."""
    if preset is None:
        return []
    return [key for key in recipe.__struct_fields__ if getattr(recipe, key) != getattr(preset, key)]


def changed(recipe: Recipe, preset: Recipe | None) -> list[str]:
    """As `differing`, but for `NEUTRAL` keys."""
    return [key for key in differing(recipe, preset) if key not in NEUTRAL]


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
            unknown = re.search(r"unknown field `(\w+)`", message)
            names = [field.name for field in msgspec.structs.fields(recipe)]
            raise Refused(f"{origin}: {message}{nearest(unknown[1], names) if unknown else ''}") from None
        key = re.split(r"[`.\[]", path)[0]
        allowed = next((p.allowed for p in parameters(recipe) if p.name == key), "")
        given = reprlib.repr(values.get(key))
        raise Refused(f"{origin}: {key} = {given} is not possible: {message}; allowed: {allowed}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe file; raises `Refused` naming the file and what is wrong in it."""
    try:
        if path.exists() and not path.is_file():
            raise Refused(f"recipe file {path} is not a file")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # with or without a byte-order mark
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"recipe file {path}: {error}") from None
