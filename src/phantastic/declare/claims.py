"""Claims and the ledger: what the paper says must come out, tested on the run's own measures.

A claim *holds*, *fails* or is *untested* (at this preset, or because the run did not measure it); never more is said
than was measured. A claim about a difference is tested with an interval: over seeds where there are several (paired,
Student's t), else over resampled test items, and then both intervals must be apart.
"""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from phantastic.declare.i18n import Text
from phantastic.ground.errors import Refused, nearest

Verdict = Literal["holds", "fails", "untested"]


class Measure(Struct, frozen=True):
    """A measured quantity: the mean, its values by seed, a 95% interval (absent for one value without resampling)."""

    value: float
    each: list[float]
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Where the interval begins and ends, for drawing; without one, both are the value."""
        return self.value if self.low is None else self.low, self.value if self.high is None else self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


class Claim(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of CLAIMS.toml."""

    id: str
    statement: Text
    source: str
    presets: tuple[str, ...]
    predicate: str
    measure: tuple[str, ...]
    bound: float | None = None
    than: tuple[str, ...] = ()
    published: str = ""


class Finding(Struct, frozen=True):
    """A row of the ledger: a claim, its verdict and the numbers behind it."""

    claim: Claim
    verdict: Verdict
    evidence: str


def summarise(values: Sequence[float]) -> Measure:
    """Mean and 95% Student's t interval over seeds; no interval for a single value."""
    each = [float(value) for value in values]
    mean = sum(each) / len(each)
    if len(each) == 1:
        return Measure(mean, each)
    from scipy.stats import t

    deviation = math.sqrt(sum((value - mean) ** 2 for value in each) / (len(each) - 1))
    margin = float(t.ppf(0.975, len(each) - 1)) * deviation / math.sqrt(len(each))
    return Measure(mean, each, mean - margin, mean + margin)


def resampled(value: float, draws: Sequence[float], each: Sequence[float] | None = None) -> Measure:
    """A measure of one seed whose 95% interval comes from bootstrap ``draws`` over test items."""
    ordered = sorted(draws)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.025, 0.975))
    return Measure(value, list(each or [value]), low, high)


def across(seeds: Sequence[Mapping[str, Measure]]) -> dict[str, Measure]:
    """The measures of all seeds together: mean and interval over seeds; of a single seed its own intervals.

    What a seed did not measure is left out.
    """
    names = [name for name in seeds[0] if all(name in seed for seed in seeds)]
    return {
        name: summarise([seed[name].value for seed in seeds]) if len(seeds) > 1 else seeds[0][name] for name in names
    }


# --- predicates: each takes the claim and its measures and returns (does it hold, evidence)


def at_least(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """Every named measure's mean is at least the bound."""
    named = [(name, measures[name]) for name in claim.measure]
    evidence = "; ".join(f"{name} = {measure}" for name, measure in named)
    return all(measure.value >= bound_of(claim) for _, measure in named), f"{evidence}; required ≥ {claim.bound}"


def at_most(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """Every named measure's mean is at most the bound."""
    named = [(name, measures[name]) for name in claim.measure]
    evidence = "; ".join(f"{name} = {measure}" for name, measure in named)
    return all(measure.value <= bound_of(claim) for _, measure in named), f"{evidence}; required ≤ {claim.bound}"


def above(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """Every measure exceeds its rival, the interval of the difference above zero.

    ``measure`` and ``than`` go in pairs; one measure is held against all rivals, and all measures against one rival.
    """
    results = [clearly_above(measures[a], measures[b], a, b) for a, b in pairs_of(claim)]
    return all(holds for holds, _ in results), "; ".join(text for _, text in results)


def below(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """Every rival exceeds its measure, the interval of the difference above zero; pairs as in `above`."""
    results = [clearly_above(measures[b], measures[a], b, a) for a, b in pairs_of(claim)]
    return all(holds for holds, _ in results), "; ".join(text for _, text in results)


def pairs_of(claim: Claim) -> list[tuple[str, str]]:
    count = max(len(claim.measure), len(claim.than))
    measures, rivals = (names * count if len(names) == 1 else names for names in (claim.measure, claim.than))
    return list(zip(measures, rivals, strict=True))


def share_of(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """The first measure is at least ``bound`` times the first in ``than``."""
    part, whole = measures[claim.measure[0]], measures[claim.than[0]]
    ratio = part.value / whole.value if whole.value else math.nan
    evidence = f"{claim.measure[0]} = {part}, {claim.than[0]} = {whole}, ratio {ratio:.3g}"
    return ratio >= bound_of(claim), f"{evidence}; required ≥ {claim.bound}"


def near(claim: Claim, measures: Mapping[str, Measure]) -> tuple[bool, str]:
    """Each measure is a relative deviation from a published number; its size is at most the bound."""
    named = [(name, measures[name]) for name in claim.measure]
    evidence = "; ".join(f"{name} = {measure.value:+.1%}" for name, measure in named)
    return all(abs(m.value) <= bound_of(claim) for _, m in named), f"{evidence}; required within ±{bound_of(claim):.0%}"


PREDICATES = {p.__name__: p for p in (at_least, at_most, above, below, share_of, near)}


def bound_of(claim: Claim) -> float:
    assert claim.bound is not None, f"claim {claim.id} has no bound"
    return claim.bound


def clearly_above(a: Measure, b: Measure, a_name: str, b_name: str) -> tuple[bool, str]:
    """Is ``a`` above ``b``: by the paired interval over seeds, else by two resampling intervals that are apart?"""
    if len(a.each) == len(b.each) > 1:
        difference = summarise([x - y for x, y in zip(a.each, b.each, strict=True)])
        return (difference.low or 0.0) > 0, f"{a_name} − {b_name} = {difference} over {len(a.each)} seeds"
    if a.low is None or b.high is None:
        return False, f"{a_name} = {a}, {b_name} = {b}: no interval"
    return a.low > b.high, f"{a_name} = {a}, {b_name} = {b}"


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
        if lack := lacking(claim):
            raise Refused(f"{path}, claim {claim.id}: '{claim.predicate}' needs {lack}")
    return claims


def lacking(claim: Claim) -> str:
    """What the claim's predicate cannot do without, or nothing."""
    if not claim.measure:
        return "a measure"
    if claim.predicate in ("above", "below"):
        paired = claim.than and (1 in (len(claim.measure), len(claim.than)) or len(claim.measure) == len(claim.than))
        return "" if paired else "a rival in 'than' for every measure, one for all, or several for one"
    if claim.predicate == "share_of" and not claim.than:
        return "a whole in 'than'"
    return "a bound" if claim.bound is None else ""


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


def judge(
    claims: Sequence[Claim], measures: Mapping[str, Measure], preset: str, changed: Sequence[str] = ()
) -> list[Finding]:
    """Hold every claim against the measures of a run made at ``preset``; another recipe, in which the keys ``changed``
    differ, tests none."""
    findings = []
    for claim in claims:
        missing = [name for name in (*claim.measure, *claim.than) if name not in measures]
        if preset not in claim.presets:
            findings.append(Finding(claim, "untested", f"not tested at '{preset}'; at: {', '.join(claim.presets)}"))
        elif changed:
            findings.append(Finding(claim, "untested", f"recipe changed ({', '.join(changed)})"))
        elif missing:
            findings.append(Finding(claim, "untested", f"not measured: {', '.join(missing)}"))
        else:
            holds, evidence = PREDICATES[claim.predicate](claim, measures)
            findings.append(Finding(claim, "holds" if holds else "fails", evidence))
    return findings
