"""The words of the terminal and the report, in two languages: one catalogue, i18n.toml."""

import locale
import os
import tomllib
from functools import lru_cache
from pathlib import Path

LANGUAGES = ("en", "ja")
SYMBOLS = {"holds": "✓", "fails": "×", "untested": "–"}  # beside the word, never instead of it


@lru_cache(maxsize=2)
def words(lang: str) -> dict[str, str]:
    """The catalogue in one language, by id."""
    catalogue = tomllib.loads(Path(__file__).with_name("i18n.toml").read_text(encoding="utf-8"))
    return {key: entry[lang] for key, entry in catalogue.items()}


def default_language() -> str:
    """Japanese where the user's locale is, else English."""
    names = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((name for name in names if name), None) or locale.getlocale()[0] or ""
    return "ja" if name.lower().startswith(("ja", "japan")) else "en"


def duration(seconds: float, lang: str) -> str:
    """``7 s``, ``2 min 5 s`` or ``1 h 2 min``, in the language's units."""
    units = ("時間", "分", "秒") if lang == "ja" else (" h ", " min ", " s ")
    whole = round(seconds)
    parts = (whole // 3600, whole % 3600 // 60, whole % 60)
    first = next((position for position, part in enumerate(parts) if part), 2)
    return "".join(f"{part}{unit}" for part, unit in list(zip(parts, units, strict=True))[first : first + 2]).strip()
