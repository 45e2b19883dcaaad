"""Errors written for people: what was wrong, where, what is allowed, what to do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from shlex import join


class Refused(Exception):
    """Input, a file or a state that phantastic will not work with; the message is shown as it is, without a trace."""


class Stopped(Exception):
    """The user stopped the run; it is saved and can be resumed."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """The end of an error message: the nearest allowed word or, when none is near, all of them (at most twelve)."""
    names = sorted(allowed)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return "; allowed: " + ", ".join(names[:12]) + more


def printable(text: str) -> str:
    """Text that somebody else wrote, without what would steer a terminal (escapes, half letters); lines stay lines."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def command(*words: object) -> str:
    """A command of ours as it can be copied into a shell."""
    return f"phantastic {join(map(str, words))}"
