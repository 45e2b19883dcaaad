"""How step sizes go over a training, and the order in which items come."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.ground.randomness import Epochs
from phantastic.run.rates import Peaks, level_and_linear, warm_and_cosine, warm_and_linear, warm_and_root


def test_up_and_down_in_straight_lines() -> None:
    rates = [warm_and_linear(100, 0.1)(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 100)])


def test_up_then_half_a_cosine() -> None:
    rates = [warm_and_cosine(100, 0.15)(step) for step in range(100)]
    assert rates[:15] == pytest.approx([(step + 1) / 15 for step in range(15)])
    assert rates[15] == 1
    assert np.mean(rates[15:]) == pytest.approx(0.5, abs=0.01)
    assert rates[15 + 85 // 2] == pytest.approx(0.5, abs=0.02)
    assert rates[99] < 0.001
    assert warm_and_cosine(1, 0.15)(0) == 1


def test_the_transformers_rate_is_highest_where_its_warm_up_ends() -> None:
    rates = [warm_and_root(50)(step) for step in range(400)]
    assert max(rates) == rates[49] == 1
    assert rates[199] == pytest.approx(0.5)
    assert rates[24] == pytest.approx(0.5)


def test_level_then_to_zero_over_the_last_part() -> None:
    rates = [level_and_linear(100, 5)(step) for step in (0, 50, 80, 90, 99, 100)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.05, 0])


def test_shares_are_of_the_step_size_that_a_group_began_with() -> None:
    weight = torch.zeros(1, requires_grad=True)
    one, two = torch.optim.SGD([weight], lr=1.0), torch.optim.SGD([weight], lr=0.1)
    peaks = Peaks([one, two])
    for share in (0.5, 0.25, 1.0):
        peaks.scale(share)
        assert [o.param_groups[0]["lr"] for o in (one, two)] == [share, 0.1 * share]


@pytest.mark.parametrize(("steps", "warmup", "rising"), [(10, 0.16, 2), (10, 0.0, 1), (10, 1.0, 10), (1, 0.5, 1)])
def test_a_warm_up_is_of_whole_steps_and_of_one_at_least(steps: int, warmup: float, rising: int) -> None:
    for shape in (warm_and_linear(steps, warmup), warm_and_cosine(steps, warmup)):
        assert [shape(step) for step in range(rising)] == pytest.approx([(i + 1) / rising for i in range(rising)])
        after = [shape(step) for step in range(rising, steps)]
        assert after == sorted(after, reverse=True)
        assert after[:1] in ([], [1])
    linear, cosine = (shape(10, 0.16) for shape in (warm_and_linear, warm_and_cosine))
    assert [linear(6), linear(10)] == pytest.approx([0.5, 0])
    assert [cosine(4), cosine(6), cosine(10)] == pytest.approx([0.5 + 0.125**0.5, 0.5, 0])


def test_the_last_part_falls_in_a_straight_line_whatever_the_steps() -> None:
    assert [level_and_linear(9, 2)(step) for step in range(4, 9)] == pytest.approx([1, 8 / 9, 6 / 9, 4 / 9, 2 / 9])


def test_every_group_of_an_optimiser_keeps_its_own_peak() -> None:
    one, two = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([{"params": [one]}, {"params": [two], "lr": 0.5}], lr=2.0)
    Peaks(iter([optimiser])).scale(0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [1, 0.25]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_every_item_comes_at_most_once_an_epoch(items: int, batch: int, epoch: int) -> None:
    rows = Epochs(items, batch, 0, "order")
    seen = np.concatenate([rows(epoch * rows.steps + place) for place in range(rows.steps)])
    assert len(set(seen.tolist())) == len(seen) == (items if items < batch else items // batch * batch)
    again = Epochs(items, batch, 0, "order")  # as after a resume, begun in the middle
    last = (epoch + 1) * rows.steps - 1
    assert again(last).tolist() == rows(last).tolist()


def test_each_epoch_seed_and_purpose_has_an_order_of_its_own() -> None:
    rows = Epochs(100, 100, 0, "order")
    assert rows(0).tolist() != rows(1).tolist()
    assert rows(0).tolist() != Epochs(100, 100, 1, "order")(0).tolist()
    assert rows(0).tolist() != Epochs(100, 100, 0, "others")(0).tolist()
