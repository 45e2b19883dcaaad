"""Verdicts: claims held against the measures of a run, all by one rule.

Every claim says of one quantity or of several that they are not below 0: a measure less its bound, a bound less its
measure, a system less its rival. It *holds* where the 95% interval of each lies above 0, end to end (where all must be
so, no correction is due); it *fails* where that of one lies below 0, with the level shared among them (Bonferroni: of
five rows one would else fail by chance); between the two it is *undecided*, and how many seeds or test items would
decide it is said. What was computed, and neither sampled nor trained (``exact`` in CLAIMS.toml), is judged as it
stands; any other number without an interval decides nothing. *Untested* is what the run did not measure, or what it is
too small for.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from phantastic.declare.claims import Claim, names
from phantastic.declare.i18n import words
from phantastic.declare.measure import LEVEL, Interval, Measure, interval, less, quantile, scaled, students

Verdict = Literal["holds", "fails", "undecided", "untested"]
MOST = 1000  # seeds, or times the test items, beyond which no number is given


class Finding(Struct, frozen=True):
    """A row of the ledger: a claim, its verdict and the numbers behind it."""

    claim: Claim
    verdict: Verdict
    evidence: str


class Margin(NamedTuple):
    """By how much a part of a claim is met (0: just so), and how that reads (empty: the other side of a part)."""

    met: Measure
    text: str


Margins = Callable[[Claim, Mapping[str, Measure]], list[Margin]]


# --- predicates: what each claim's parts are


def at_least(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Every measure is at least the bound."""
    return [Margin(less(measures[name], bound_of(claim)), f"{name} = {measures[name]}") for name in claim.measure]


def at_most(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Every measure is at most the bound."""
    return [Margin(scaled(met, -1.0), text) for met, text in at_least(claim, measures)]


def near(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Each measure is a relative deviation from a known number; it is within the bound on either side."""
    margins = []
    for name in claim.measure:
        measure, ends = measures[name], interval(measures[name])
        text = f"{name} = {measure.value:+.1%}" + (f" [{ends.low:+.1%}, {ends.high:+.1%}]" if ends else "")
        margins += [
            Margin(less(measure, -bound_of(claim)), text),
            Margin(less(scaled(measure, -1.0), -bound_of(claim)), ""),
        ]
    return margins


def above(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Every measure exceeds its rival.

    ``measure`` and ``than`` go in pairs; one measure is held against all rivals, and all measures against one rival.
    """
    margins = []
    for name, rival in pairs_of(claim):
        met = less(measures[name], measures[rival])
        seeds = f" over {len(met.each)} seeds" if len(met.each) > 1 else ""
        margins.append(Margin(met, f"{name} − {rival} = {met}{seeds}"))
    return margins


def below(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Every rival exceeds its measure; pairs as in `above`."""
    return [Margin(scaled(met, -1.0), text) for met, text in above(claim, measures)]


def share_of(claim: Claim, measures: Mapping[str, Measure]) -> list[Margin]:
    """Every measure is at least ``bound`` times its rival; pairs as in `above`. Of nothing there is no share."""
    margins, nothing = [], Measure(-math.inf, [-math.inf], -math.inf, -math.inf)
    for name, whole in pairs_of(claim):
        ratio = measures[name].value / measures[whole].value if measures[whole].value else math.nan
        met = less(measures[name], measures[whole], bound_of(claim))
        text = f"{name} = {measures[name]}, {whole} = {measures[whole]}, ratio {ratio:.3g}"
        margins.append(Margin(nothing if math.isnan(ratio) else met, text))
    return margins


MARGINS: dict[str, Margins] = {each.__name__: each for each in (at_least, at_most, near, above, below, share_of)}
REQUIRED = {"at_least": "≥ {}", "at_most": "≤ {}", "share_of": "≥ {}", "near": "within ±{:.0%}"}


def bound_of(claim: Claim) -> float:
    assert claim.bound is not None, f"claim {claim.id} has no bound"
    return claim.bound


def pairs_of(claim: Claim) -> list[tuple[str, str]]:
    count = max(len(claim.measure), len(claim.than))
    measures, rivals = (names * count if len(names) == 1 else names for names in (claim.measure, claim.than))
    return list(zip(measures, rivals, strict=True))


# --- the rule


def decided(claim: Claim, margins: Sequence[Margin]) -> Verdict:
    """The verdict on a claim with these parts."""
    strict = claim.predicate in ("above", "below")  # equal is not above
    if claim.exact:
        least = min(min(met.each) for met, _ in margins)
        return "holds" if least > 0 or (least == 0 and not strict) else "fails"
    ends = [interval(met) for met, _ in margins]
    if all(each and (each.low > 0 or (each.low == 0 and not strict)) for each in ends):
        return "holds"
    wider = [interval(met, shared(margins)) for met, _ in margins]
    if any(each and (each.high < 0 or (strict and each.low == each.high == 0)) for each in wider):
        return "fails"
    return "undecided"


def shared(margins: Sequence[Margin]) -> float:
    """The level at which one part refutes all (Bonferroni)."""
    return 1 - (1 - LEVEL) / sum(bool(text) for _, text in margins)


def wanting(margins: Sequence[Margin]) -> str:
    """What would decide an undecided claim in all its parts, if what was measured is how things are."""
    hardest, text = 0.0, ""
    for met, _ in margins:
        ends = interval(met)
        if ends is None:
            return words()["no_interval"]
        if ends.low > 0:
            continue
        level = shared(margins) if ends.high < 0 else LEVEL
        several = len(met.each) > 1
        count = seeds_for(met, level) if several else items_for(met, interval(met, level) or ends)
        if count > hardest:
            word = words()["seeds_wanted" if several else "items_wanted"]
            hardest, text = count, word.format(count=f"≈ {count:.3g}" if count <= MOST else f"> {MOST}")
    return text


def seeds_for(met: Measure, level: float) -> float:
    """The number of seeds at which Student's interval would leave out 0; infinite beyond `MOST`."""
    low, high = students(met.each, level)
    count = len(met.each)
    deviation = (high - low) / 2 * math.sqrt(count) / quantile(level, count)
    for more in range(count + 1, MOST + 1):
        if quantile(level, more) * deviation / math.sqrt(more) < abs(met.value):
            return more
    return math.inf


def items_for(met: Measure, ends: Interval) -> float:
    """How many times as many test items would make the interval leave out 0."""
    return ((ends.high - ends.low) / 2 / met.value) ** 2 if met.value else math.inf


def held(claim: Claim, measures: Mapping[str, Measure]) -> tuple[Verdict, str]:
    """Verdict and evidence of a claim of which all was measured."""
    margins = MARGINS[claim.predicate](claim, measures)
    verdict, texts = decided(claim, margins), [text for _, text in margins if text]
    if claim.predicate in REQUIRED:
        texts.append(words()["required"] + " " + REQUIRED[claim.predicate].format(claim.bound))
    elif len(texts) > 2:
        texts.append(words()["comparisons"].format(count=len(texts)))
    if verdict == "undecided":
        texts.append(wanting(margins))
    return verdict, "; ".join(texts)


def spelt_out(claim: Claim, measures: Mapping[str, Measure]) -> Claim:
    """With what was measured in the place of names that hold a ``*``; a measure is no rival of its own."""

    def every(name: str) -> list[str]:
        return [each for each in measures if names(name).fullmatch(each)] or [name] if "*" in name else [name]

    measure = [each for name in claim.measure for each in every(name)]
    than = [each for name in claim.than for each in every(name) if "*" not in name or each not in measure]
    return replace(claim, measure=tuple(measure), than=tuple(than))


def judge(
    claims: Sequence[Claim], measures: Mapping[str, Measure], preset: str, changed: Sequence[str] = ()
) -> list[Finding]:
    """Hold every claim against the measures of a run made at ``preset``; another recipe, in which the keys ``changed``
    differ, tests none."""
    findings = []
    for claim in claims:
        whole = spelt_out(claim, measures)
        missing = [name for name in (*whole.measure, *whole.than) if name not in measures]
        if preset not in claim.presets:
            findings.append(Finding(claim, "untested", f"not tested at '{preset}'; at: {', '.join(claim.presets)}"))
        elif changed:
            findings.append(Finding(claim, "untested", f"recipe changed ({', '.join(changed)})"))
        elif missing:
            findings.append(Finding(claim, "untested", f"not measured: {', '.join(missing)}"))
        else:
            findings.append(Finding(claim, *held(whole, measures)))
    return findings
