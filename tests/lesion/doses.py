"""Doses, draws and sites: their bounds, in words and in numbers worked out by hand."""

import pytest
import torch
from torch import nn

from phantastic.declare.measure import Measure
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import torch_generator
from phantastic.lesion import KINDS, Row, by_dose, checked, curve, damage, kinds, parse_doses, sites
from phantastic.lesion.seeds import over_seeds

EXAMPLE = "write it as 0:1:0.2, as 0,0.5,1 or as one number, from 0 (intact) to 1"


@pytest.fixture
def models() -> dict[str, nn.Module]:
    return {"net": nn.Linear(4, 5).requires_grad_(False), "relu": nn.ReLU()}


# --- doses


def test_a_thousand_doses_are_possible_and_no_more() -> None:
    assert len(parse_doses("0.001:1:0.001")) == 1000
    assert parse_doses("0.001:1:0.001")[499] == 0.5  # and none is off by a rounding
    for text in ("0:1:0.001", "0.002:1:0.001,0,0.0001"):
        with pytest.raises(Refused) as refusal:
            parse_doses(text)
        assert str(refusal.value) == f"doses '{text}' are more than 1000; {EXAMPLE}"


@pytest.mark.parametrize(
    ("text", "part"), [("0, x", "x"), ("1.01", "1.01"), ("0:1:0,1", "0:1:0"), ("0.5:0.4:0.1", None)]
)
def test_what_is_no_dose_is_named(text: str, part: str | None) -> None:
    with pytest.raises(Refused) as refusal:
        parse_doses(text)
    assert str(refusal.value) == f"doses '{text}': '{part or text}' is not possible; {EXAMPLE}"


def test_a_row_sums_itself_up() -> None:
    assert Row("a", 0.5, 2.0, 1.0, 3.0, [1.5, 2.5]).summary == Measure(2.0, [1.5, 2.5], 1.0, 3.0)


def test_the_sham_is_of_the_highest_dose_and_the_doses_come_as_they_are_given(models: dict[str, nn.Module]) -> None:
    found = by_dose(lambda: 0, models, "net", "scale", [0.75, 0.25, 0.75, 0.0], 3, 0)
    assert [(one.dose, one.sham, one.repeat) for one in found] == [
        (0.75, False, 0), (0.25, False, 0), (0.0, False, 0), (0.75, True, 0),
    ]  # fmt: skip


def test_nothing_is_measured_where_there_is_nothing_to_measure(models: dict[str, nn.Module]) -> None:
    for doses, repeats in (([], 3), ([0.5, 1], 0)):
        with pytest.raises(Refused) as refusal:
            by_dose(pytest.fail, models, "net", "noise", doses, repeats, 0)
        assert str(refusal.value) == (
            f"{len(doses)} doses with {repeats} repeats are nothing to measure; give at least one of each"
        )
    with pytest.raises(Refused, match=r"dose 1\.5 is not possible"):
        by_dose(pytest.fail, models, "net", "noise", [0.5, 1.5], 1, 0)


def test_every_repeat_has_the_next_seed(models: dict[str, nn.Module]) -> None:
    def measure() -> dict[str, float]:
        return {"b": float(models["net"](torch.ones(1, 4)).sum()), "a": 1.0}

    rows = curve(measure, models, "net", "silence", [0.5], 3, 11)
    assert [(row.measure, row.dose, row.sham) for row in rows] == [
        ("b", 0.5, False), ("b", 0.5, True), ("a", 0.5, False), ("a", 0.5, True),
    ]  # fmt: skip
    for number, value in enumerate(rows[0].each):
        with damage(models, "net", "silence", 0.5, 11 + number):
            assert measure()["b"] == value


# --- shares


@pytest.mark.parametrize(
    ("number", "dose", "chosen"), [(5, 0.5, 3), (5, 0.49, 2), (4, 0.125, 1), (4, 0.124, 0), (7, 1, 7)]
)
def test_a_share_is_of_whole_things_halves_going_up(number: int, dose: float, chosen: int) -> None:
    drawn = kinds.share(number, dose, torch_generator(0, "share"))
    assert (drawn.shape, int(drawn.sum())) == ((number,), chosen)


def test_a_connection_is_an_entry_of_a_weight(models: dict[str, nn.Module]) -> None:
    (place,) = sites(models)
    assert (place.name, place.units, place.axis, place.connections, place.kinds) == ("net", 5, -1, 20, KINDS)
    with damage(models, "net", "sever", 0.5, 0):
        assert int((models["net"].weight == 0).sum()) == 10
        assert not models["net"].weight.requires_grad


def test_noise_is_of_the_spread_over_all_of_one_call(models: dict[str, nn.Module]) -> None:
    """The first item lies at 10, the second at 20: together they spread by 5, each alone not at all."""
    with torch.no_grad():
        models["net"].weight.fill_(1)
        models["net"].bias.zero_()
    x = torch.tensor([[10.0, 0, 0, 0], [20.0, 0, 0, 0]])
    with damage(models, "net", "noise", 0.5, 3):
        first, second = models["net"](x), models["net"](x)
    for call, output in enumerate((first, second)):
        drawn = torch.randn(2, 5, generator=torch_generator(3, "lesion/noise/net", call))
        torch.testing.assert_close(output, models["net"](x) + 2.5 * drawn)


# --- what is refused, in the order in which it is asked


@pytest.mark.parametrize(
    ("site", "kind", "dose", "said"),
    [
        ("nat", "nois", 2, "unknown site 'nat'; did you mean 'net'?"),
        ("net", "nois", 2, "unknown kind of lesion 'nois'; did you mean 'noise'?"),
        (["net", "net"], "noise", 2, "site 'net' is named 2 times; name each site once"),
        ([], "noise", 2, "no site is named; give one or more of: net"),
        ("net", "noise", 2, "dose 2 is not possible; allowed: a number from 0 (intact) to 1 (all of the site)"),
    ],
)
def test_refusals_in_whole(
    models: dict[str, nn.Module], site: str | list[str], kind: str, dose: float, said: str
) -> None:
    with pytest.raises(Refused) as refusal:
        checked(models, site, kind, dose)
    assert str(refusal.value) == said
    assert [place.name for place in checked(models, "net", "noise", 1)] == ["net"]


# --- seeds


def test_curves_of_several_seeds_are_pooled_by_measure_dose_and_sham() -> None:
    """Means 1 and 3: 2 ± 12.7062 · 1; a sham is no lesion of the same dose."""
    one = [Row("a", 0.5, 1.0, None, None, [0.0, 2.0]), Row("a", 0.5, 7.0, None, None, [7.0], sham=True)]
    two = [Row("a", 0.5, 9.0, None, None, [9.0], sham=True), Row("a", 0.5, 3.0, None, None, [3.0, 3.0])]
    damaged, sham = over_seeds([one, two])
    assert (damaged.mean, damaged.each, damaged.sham, damaged.dose) == (2.0, [0.0, 2.0, 3.0, 3.0], False, 0.5)
    assert (damaged.low, damaged.high) == pytest.approx((2 - 12.7062047, 2 + 12.7062047))
    assert (sham.mean, sham.each, sham.sham) == (8.0, [7.0, 9.0], True)


def test_what_not_every_seed_measured_is_left_out() -> None:
    both = [Row(name, 0.5, 1.0, None, None, [1.0]) for name in "ab"]
    assert [row.measure for row in over_seeds([both, both, both[:1]])] == ["a"]
    assert [row.measure for row in over_seeds([both, both[1:], both])] == ["b"]
