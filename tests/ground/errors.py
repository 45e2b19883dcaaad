"""Words for people: the nearest allowed one, what may be printed, a command that can be copied; and lazy names."""

import re
import shlex

import pytest

from phantastic.ground.errors import command, nearest, printable
from phantastic.ground.lazy import loader


def test_a_word_that_is_near_is_named_and_else_all_are() -> None:
    assert nearest("wdth", ["steps", "width"]) == "; did you mean 'width'?"
    assert nearest("ab", ["axbx", "zz"]) == "; did you mean 'axbx'?"  # two letters of three
    assert nearest("abc", ["xbz", "quick", "deep"]) == "; allowed: deep, quick, xbz"
    assert nearest("x", {"b": 1, "a": 2}) == "; allowed: a, b"
    assert nearest("x", []) == "; allowed: "


def test_of_many_words_twelve_are_named_and_the_rest_counted() -> None:
    words = [f"{letter}-" for letter in "abcdefghijklmn"]
    for count, more in ((12, ""), (13, " and 1 more"), (14, " and 2 more")):
        assert nearest("0", reversed(words[:count])) == "; allowed: " + ", ".join(words[:12]) + more


def test_nothing_that_is_printed_steers_a_terminal() -> None:
    letters = "".join(map(chr, range(0x180))) + "\u2028脳\ud800\udfff\ue000"
    kept = printable(letters)
    assert len(kept) == len(letters)
    for letter, shown in zip(letters, kept, strict=True):
        steers = re.fullmatch(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", letter) and letter not in "\t\n"
        assert shown == ("\ufffd" if steers else letter)


@pytest.mark.parametrize("words", [("resume", "runs/a b"), ("run", "$HOME", "--set", "a='x'"), ("fit", 3, "")])
def test_a_command_can_be_copied_into_a_shell(words: tuple[object, ...]) -> None:
    assert shlex.split(command(*words)) == ["phantastic", *map(str, words)]


def test_a_name_that_a_package_does_not_have_is_no_attribute() -> None:
    getter = loader("phantastic.ground", {"Refused": "errors"})
    assert getter("Refused").__name__ == "Refused"
    with pytest.raises(AttributeError, match=r"^module 'phantastic\.ground' has no attribute 'Rejected'$"):
        getter("Rejected")
