"""What people ask of a study beside running it: the options of ``phantastic apply`` and ``phantastic fit``."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from phantastic.declare.parameter import parameters
from phantastic.ground.errors import Refused, nearest


class Request(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of one verb for one study, with types, bounds and help in both languages, as in a recipe.

    One that may be left out is None then, or has a value of its own.
    """

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these options that were not left out, with their values."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


Q = TypeVar("Q", bound=Request)


def parse(request: type[Q], words: Sequence[str], command: str) -> Q:
    """``--key value`` and ``--key=value`` words as a request.

    Raises `Refused` naming the word that is unknown, given twice or without a value, the option that is missing, and
    a value that is not possible with what is allowed.
    """
    known = {parameter.name: parameter for parameter in parameters(request)}
    given: dict[str, str] = {}
    rest = list(words)
    while rest:
        word, separator, value = rest.pop(0).partition("=")
        key = word.removeprefix("--")
        if not word.startswith("--") or key not in known:
            raise Refused(f"{command}: unknown option '{word}'{nearest(word, [f'--{each}' for each in known])}")
        if not separator and not rest:
            raise Refused(f"{command}: {word} needs a value, for example {word} VALUE")
        if key in given:
            raise Refused(f"{command}: {word} is given twice")
        given[key] = value if separator else rest.pop(0)
    for name, parameter in known.items():
        if parameter.required and name not in given:
            raise Refused(f"{command}: --{name} is missing: {parameter.text}")
    types, values = {field.name: field.type for field in fields(request)}, {}
    for key, word in given.items():
        value = known[key].read(word)
        try:
            values[key] = convert(value, types[key])
        except ValidationError:
            value = nan
        if isinstance(value, float) and not isfinite(value):
            raise Refused(f"{command}: --{key} {word} is not possible; allowed: {known[key].allowed}")
    return request(**values)
