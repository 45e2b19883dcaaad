"""Two languages: texts that hold both, and the words of the terminal and the report (one catalogue, i18n.toml).

A text is resolved when it becomes a string, in the language that is spoken there and then (`speaking`).
"""

import locale
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

LANGUAGES = ("en", "ja")
SYMBOLS = {"holds": "✓", "fails": "×", "undecided": "?", "untested": "–"}  # beside the word, never instead of it


spoken: ContextVar[str] = ContextVar("language", default="en")


def language() -> str:
    """The language that is spoken here: ``en`` or ``ja``."""
    return spoken.get()


def speak(lang: str) -> None:
    """From here on, texts and words are in ``lang``."""
    spoken.set(lang)


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Within it, texts and words are in ``lang``. A thread that is begun within it speaks English until it is told."""
    before = spoken.set(lang)
    try:
        yield
    finally:
        spoken.reset(before)


class Text(Struct, frozen=True):
    """One sentence in both languages; as a string, in the one that is spoken."""

    en: str
    ja: str

    def __str__(self) -> str:
        return self.ja if language() == "ja" else self.en


def words() -> dict[str, str]:
    """The catalogue in the language that is spoken, by id."""
    return catalogue(language())


@lru_cache(maxsize=2)
def catalogue(lang: str) -> dict[str, str]:
    entries = tomllib.loads(Path(__file__).with_name("i18n.toml").read_text(encoding="utf-8"))
    return {key: entry[lang] for key, entry in entries.items()}


def default_language() -> str:
    """Japanese where the user's locale is, else English."""
    names = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((name for name in names if name), None) or locale.getlocale()[0] or ""
    return "ja" if name.lower().startswith(("ja", "japan")) else "en"


def duration(seconds: float) -> str:
    """``7 s``, ``2 min 5 s`` or ``1 h 2 min``, in the language's units."""
    units = ("時間", "分", "秒") if language() == "ja" else (" h ", " min ", " s ")
    whole = round(seconds)
    parts = (whole // 3600, whole % 3600 // 60, whole % 60)
    first = next((position for position, part in enumerate(parts) if part), 2)
    return "".join(f"{part}{unit}" for part, unit in list(zip(parts, units, strict=True))[first : first + 2]).strip()
