"""Parameters: what people are told is allowed, and how what they write becomes a value."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from phantastic.declare.parameter import Parameter, parameters, parse_settings
from phantastic.declare.recipe import Recipe, about
from phantastic.ground.errors import Refused


class Mine(Recipe, frozen=True, kw_only=True):
    count: Annotated[int, about("how many", "個数", symbol="n", ge=1, le=9)] = 3
    rate: Annotated[float, about("how fast", "速さ", unit="1/s", gt=0, lt=0.5)] = 0.25
    free: float = 1.0
    on: Annotated[bool, about("whether", "するか")] = False
    word: Annotated[str, about("a word", "語", max_length=5)] = ""
    shape: Literal["one", "two"] = "one"
    size: Annotated[Literal[32, 64], about("how large", "大きさ")] = 32
    few: Annotated[tuple[int, ...], about("some numbers", "数")] = (1, 2)
    kinds: Annotated[tuple[Literal["x", "y"], ...], about("some kinds", "種類")] = ("x",)
    names: tuple[str, ...] = ("a", "b")
    bare: Annotated[int, Meta(description="in English")] = 1
    model: Annotated[str, about("a network", "ネットワーク", network=True)] = ""


KNOWN = {parameter.name: parameter for parameter in parameters(Mine)}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("count", "integer from 1 to 9"),
        ("rate", "number above 0 below 0.5"),
        ("free", "number"),
        ("on", "boolean"),
        ("word", "string"),
        ("shape", "one of: one, two"),
        ("size", "one of: 32, 64"),
        ("few", "list of integers, as in few=1,2"),
        ("kinds", "list of x, y, as in kinds=x"),
        ("names", "list of strings, as in names=a,b"),
    ],
)
def test_what_is_allowed_is_said_in_one_phrase(name: str, allowed: str) -> None:
    assert KNOWN[name].allowed == allowed


def test_all_that_a_page_needs_of_a_parameter() -> None:
    count, rate, free = KNOWN["count"], KNOWN["rate"], KNOWN["free"]
    assert (count.text.en, count.text.ja, count.symbol, count.unit) == ("how many", "個数", "n", "")
    assert (count.kind, count.default, count.least, count.most) == ("integer", 3, 1, 9)
    assert (count.above, count.below, count.required, count.network, count.item) == (None, None, False, False, "")
    assert (rate.kind, rate.unit) == ("number", "1/s")
    assert (rate.above, rate.below, rate.least, rate.most) == (0, 0.5, None, None)
    assert (free.text.en, free.text.ja) == ("free", "free")  # its name, where nothing is said
    assert KNOWN["bare"].text.ja == "in English"
    assert (KNOWN["kinds"].kind, KNOWN["kinds"].choices, KNOWN["kinds"].item) == ("list", ("x", "y"), "string")
    assert (KNOWN["few"].item, KNOWN["few"].default) == ("integer", (1, 2))
    assert [name for name, parameter in KNOWN.items() if parameter.network] == ["model"]
    assert list(KNOWN) == [*Recipe.__struct_fields__, *Mine.__annotations__]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", " 07 ", 7), ("count", "'7'", 7), ("count", "7.0", "7.0"), ("count", "", ""),
        ("rate", "1", 1.0), ("rate", '"1e-3"', 1e-3), ("rate", "1,5", "1,5"),
        ("on", "TRUE", True), ("on", " false", False), ("on", "1", "1"), ("on", "Yes", "Yes"),
        ("word", " 'a' ", " 'a' "), ("word", "1", "1"),
        ("shape", "'two'", "two"), ("shape", "three", "three"), ("size", "64", 64), ("size", "65", "65"),
        ("few", "[1, 2]", [1, 2]), ("few", "1,x", [1, "x"]), ("few", "", []), ("few", " 3 ", [3]),
        ("kinds", "['x', \"y\"]", ["x", "y"]), ("names", "a,,b,", ["a", "b"]), ("names", "1,2", ["1", "2"]),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_type_has_it_and_else_left_as_a_word(name: str, text: str, value: object) -> None:
    read = KNOWN[name].read(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("on", True, "true"),
        ("few", [1, 2], "1,2"),
        ("word", "True", "True"),
        ("rate", 1e-5, "1e-05"),
        ("size", 64, "64"),
    ],
)
def test_a_value_is_written_as_it_can_be_read(name: str, value: object, text: str) -> None:
    assert KNOWN[name].written(value) == text
    assert KNOWN[name].read(text) == value


def test_settings_are_words_with_an_equals_sign_the_last_of_a_key_counting() -> None:
    assert parse_settings(Mine, ["count=2", " count = 5", "word=a=b", "names="]) == {
        "count": 5, "word": "a=b", "names": [],
    }  # fmt: skip
    assert parse_settings(Mine, []) == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("count", "--with count: write it as key=value, for example --with seed=3"),
        ("=3", "--with =3: write it as key=value, for example --with seed=3"),
        ("coumt=3", "--with: unknown key 'coumt'; did you mean 'count'?"),
        ("word=a\nb", "--with word: its value holds a line break, an escape or half a letter; write plain text"),
        ("word=\x9b", "--with word: its value holds a line break, an escape or half a letter; write plain text"),
    ],
)
def test_a_word_that_is_no_setting_is_refused_with_how_to_write_it(word: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_settings(Mine, [word], "--with")
    assert str(refusal.value) == said


def test_settings_are_of_the_command_line_unless_it_is_said() -> None:
    with pytest.raises(Refused, match=r"^--set: unknown key"):
        parse_settings(Mine, ["x=1"])


def test_a_parameter_by_itself_has_no_bounds() -> None:
    assert Parameter("x", KNOWN["count"].text, "number", None).allowed == "number"
