"""Claims: what a system's papers, or a theorem, or we ourselves say must come out, as CLAIMS.toml has it.

How they are judged stands in `verdicts`.
"""

import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from phantastic.declare.i18n import Text, words
from phantastic.ground.errors import Refused, nearest

PREDICATES = ("at_least", "at_most", "near", "above", "below", "share_of")  # see `verdicts`
WHOSE = ("paper", "theory", "ours")


class Claim(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of CLAIMS.toml.

    ``whose``: ``paper`` where ``source`` is the table, figure or section in which the claim stands, ``theory`` where it
    follows from one, ``ours`` where neither says it. ``published`` are the paper's own numbers, ``reference`` those of
    a reference program that we ran. ``exact``: the measures are computed, neither sampled nor trained.
    """

    id: str
    statement: Text
    source: str
    presets: tuple[str, ...]
    predicate: str
    measure: tuple[str, ...]
    bound: float | None = None
    than: tuple[str, ...] = ()
    published: str = ""
    reference: str = ""
    exact: bool = False
    whose: Literal["paper", "theory", "ours", ""] = ""  # "" in the ledgers of runs made before it was asked

    @property
    def origin(self) -> str:
        """Whose it is, where it stands, and the numbers there or of a reference program, in words."""
        word = words()
        parts = [f"{word[f'whose_{self.whose}']}: {self.source}" if self.whose else self.source]
        parts += [f"{word[key]}: {text}" for key in ("published", "reference") if (text := getattr(self, key))]
        return "; ".join(parts)


def read_claims(path: Path) -> list[Claim]:
    """The claims of a system; raises `Refused` naming the file and the entry."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("claim", [])
        claims = msgspec.convert(entries, list[Claim])
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Refused(f"{path}: {error}") from None
    for claim in claims:
        if claim.predicate not in PREDICATES:
            raise Refused(
                f"{path}, claim {claim.id}: unknown predicate '{claim.predicate}'{nearest(claim.predicate, PREDICATES)}"
            )
        if not claim.whose:
            raise Refused(f"{path}, claim {claim.id}: say 'whose' it is: {', '.join(WHOSE)}")
        if claim.published and claim.whose == "ours":
            raise Refused(f"{path}, claim {claim.id}: a claim of ours has no 'published' number; see 'reference'")
        if lack := lacking(claim):
            raise Refused(f"{path}, claim {claim.id}: '{claim.predicate}' needs {lack}")
    return claims


def lacking(claim: Claim) -> str:
    """What the claim's predicate cannot do without, or nothing."""
    if not claim.measure:
        return "a measure"
    if claim.predicate in ("above", "below", "share_of"):
        paired = claim.than and (1 in (len(claim.measure), len(claim.than)) or len(claim.measure) == len(claim.than))
        if not paired:
            return "a rival in 'than' for every measure, one for all, or several for one"
    return "a bound" if claim.bound is None and claim.predicate not in ("above", "below") else ""


def names(pattern: str) -> re.Pattern[str]:
    """The names of measures that a declaration stands for: in ``{a,b}`` one of these, a part left out where one is none
    (``loss.{,floor}``, ``{,image}.accuracy``), for ``*`` what hangs on the recipe.
    """

    def either(braces: re.Match[str]) -> str:
        return f"(?:{'|'.join(re.escape(word) for word in braces[1].split(',') if word)})"

    text, dot = "", ""
    for part in re.findall(r"(?:\{[^}]*\}|[^.{])+", pattern):
        words = re.sub(r"\{([^}]*)\}", either, part.replace("+", r"\+")).replace(r"\*", "*").replace("*", "[^.]*")
        if part.startswith("{,"):
            text += f"(?:{dot}{words})?" if text else f"(?:{words}\\.)?"
            dot = r"\." if dot else ""
        else:
            text += dot + words
            dot = r"\."
    return re.compile(text)
