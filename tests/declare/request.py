"""What people ask of `apply` and `fit`: declared once, parsed once, refused by option."""

from typing import Annotated

import pytest

from phantastic.declare.parameter import parameters
from phantastic.declare.recipe import about
from phantastic.declare.request import Request, parse
from phantastic.declare.study import register
from phantastic.ground.errors import Refused

TYPES = {
    f"{verb} {name}": request
    for name, study in register().items()
    for verb, request in (("apply", study.apply), ("fit", study.fit))
    if request is not None
}


class Ask(Request, frozen=True, kw_only=True):
    where: Annotated[str, about("a file", "ファイル")]
    rate: Annotated[float, about("a share", "割合", unit="1/s", gt=0, le=1)] | None = None
    count: Annotated[int, about("how many", "個数", ge=1)] = 3
    whole: Annotated[bool, about("all of it", "全部")] = False


def test_words_become_what_the_types_say() -> None:
    assert parse(Ask, ["--where", "a=b", "--rate=.5"], "apply") == Ask(where="a=b", rate=0.5)
    assert parse(Ask, ["--where=", "--count", "7", "--whole=true"], "apply") == Ask(where="", count=7, whole=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--rate 1", "--where is missing: a file"),
        ("--where a --rate 0", "--rate 0 is not possible; allowed: number above 0 to 1"),
        ("--where a --rate inf", "--rate inf is not possible"),
        ("--where a --rate -nan", "--rate -nan is not possible"),
        ("--where a --count 2.5", "--count 2.5 is not possible; allowed: integer from 1"),
        ("--where a --whole maybe", "--whole maybe is not possible; allowed: boolean"),
        ("--where a --where b", "--where is given twice"),
        ("--were a", "unknown option '--were'; did you mean '--where'?"),
        ("where a", "unknown option 'where'"),
        ("--where", "--where needs a value"),
    ],
)
def test_anything_else_is_refused_by_its_option(words: str, message: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(Ask, words.split(), "apply toy")
    assert str(refusal.value).startswith("apply toy: ")
    assert message in str(refusal.value)


def test_a_page_can_draw_its_controls_from_it() -> None:
    where, rate, count, whole = parameters(Ask)
    assert where.required
    assert not any(option.required for option in (rate, count, whole))
    assert (rate.kind, rate.above, rate.most, rate.unit, rate.default) == ("number", 0, 1, "1/s", None)
    assert (count.kind, count.least, count.default) == ("integer", 1, 3)
    assert whole.kind == "boolean"


@pytest.mark.parametrize("what", TYPES)
def test_every_option_is_explained_in_both_languages(what: str) -> None:
    for option in parameters(TYPES[what]):
        assert option.text.en != option.name
        assert option.text.ja != option.text.en
