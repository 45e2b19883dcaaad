"""Text files and JSON as benchmarks release them, and the same from the `datasets` package where it is installed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused


def text_of(path: str | Path, expected: str) -> str:
    """A file's text: UTF-8, with or without a byte order mark. Raises `Refused` naming the file and the line."""
    path = regular_file(path, expected)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{str(path)!r} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Refused(f"{str(path)!r}, line {line}: not UTF-8 text; expected {expected} in UTF-8") from None


def lines_of(path: str | Path, expected: str) -> list[str]:
    """A file's lines, element i being line i + 1, without line ends (LF or CRLF) and without blank lines at the end.

    A blank line before the end, and an empty file, are Refused: a row may be lost there.
    """
    # Not splitlines: released sentences hold characters that Unicode takes for line ends.
    lines = [line.removesuffix("\r") for line in text_of(path, expected).split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise Refused(f"{str(path)!r} is empty; expected {expected}")
    blank = next((number for number, line in enumerate(lines, 1) if not line.strip()), None)
    if blank:
        raise Refused(f"{str(path)!r}, line {blank}: blank; expected {expected}. Remove the line or restore the row")
    return lines


def json_of(path: str | Path, expected: str) -> Any:
    """A JSON file's value. Raises `Refused` naming the file and the line."""
    try:
        return json.loads(text_of(path, expected))
    except json.JSONDecodeError as error:
        raise Refused(f"{str(path)!r}, line {error.lineno}: {error.msg}; expected {expected}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise Refused(f"{str(path)!r}: {error}; expected {expected}") from None


def field(holder: Any, key: str, kind: type, where: str) -> Any:
    """``holder[key]``, which is there and of this kind, or Refused saying where it was looked for."""
    if not isinstance(holder, dict):
        raise Refused(f"{where}: expected an object with '{key}', found {_kind(holder)}")
    if key not in holder:
        raise Refused(f"{where}: '{key}' is missing; found {', '.join(sorted(map(str, holder))) or 'nothing'}")
    value = holder[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(f"{where}: '{key}' is {_kind(value)}; expected {_KINDS[kind]}")
    return value


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object", bool: "true or false"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def hub(name: str, configuration: str | None, split: str) -> Sequence[dict[str, Any]]:
    """A split of a data set through the `datasets` package, which needs a network the first time."""
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Refused(
            f"without a folder, {name} is fetched by the package 'datasets', which is not installed: "
            "pip install datasets, or name the folder that holds the released files"
        ) from None
    try:
        return load_dataset(name, configuration, split=split)
    except Exception as error:  # whatever the package raises: no network, no such split
        raise Refused(f"{name} ({configuration or 'default'}, {split}) could not be fetched: {error}") from None
