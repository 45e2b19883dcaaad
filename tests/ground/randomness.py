"""Draws hang on (seed, purpose, step) and on nothing else, and differ wherever one of these does."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phantastic.ground.randomness import derive, initialised, numpy_generator, torch_generator


def ways(digits: str) -> list[tuple[int, str, int]]:
    """Every seed, purpose and step whose digits in a row are these."""
    return [(int(digits[:i]), digits[i:j], int(digits[j:])) for i, j in combinations(range(1, len(digits)), 2)]


@given(st.text("123456789", min_size=3, max_size=7))
def test_what_is_written_alike_in_a_row_is_seeded_apart(digits: str) -> None:
    """(1, "a", 12) and (1, "a1", 2) are two purposes: one purpose's end is not the next step's beginning."""
    assert len({derive(*way) for way in ways(digits)}) == len(ways(digits))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, "a", 11), (0, "a1", 1)), ((1, "1a", 0), (11, "a", 0)), ((1, "", 1), (11, "", 0)),
        ((0, "ab", 0), (0, "ba", 0)), ((-1, "a", 0), (1, "a", 0)), ((0, "a", -1), (0, "a-", 1)),
        ((0, "a", 1), (1, "a", 0)), ((0, "A", 0), (0, "a", 0)),
    ],
)  # fmt: skip
def test_neighbours_draw_apart(one: tuple[int, str, int], other: tuple[int, str, int]) -> None:
    assert derive(*one) != derive(*other)
    assert not np.array_equal(numpy_generator(*one).random(4), numpy_generator(*other).random(4))
    draws = [torch.rand(4, generator=torch_generator(*each)) for each in (one, other)]
    assert not torch.equal(*draws)


def test_all_63_bits_are_fair_coins() -> None:
    seeds = np.array([derive(seed, "bits", step) for seed in range(40) for step in range(40)], np.uint64)
    bits = seeds[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    share = bits.mean(0)
    assert share[63] == 0  # PyTorch takes no more
    assert np.abs(share[:63] - 0.5).max() < 4.5 * 0.5 / len(seeds) ** 0.5


def test_streams_of_neighbouring_steps_are_not_correlated() -> None:
    draws = np.stack([numpy_generator(0, "noise", step).standard_normal(2000) for step in range(20)])
    noise = torch.stack([torch.randn(2000, generator=torch_generator(0, "noise", step)) for step in range(20)]).numpy()
    for each in (draws, noise):
        assert np.abs(np.corrcoef(each) - np.eye(20)).max() < 5 / 2000**0.5


def test_within_initialised_weights_hang_on_seed_and_purpose_and_nothing_outside_moves() -> None:
    def weight(seed: int, purpose: str) -> torch.Tensor:
        with initialised(seed, purpose):
            return torch.nn.Linear(3, 3).weight.detach()

    before = torch.get_rng_state()
    first = weight(0, "model")
    torch.rand(7)  # something else draws meanwhile
    assert torch.equal(weight(0, "model"), first)
    assert not torch.equal(weight(1, "model"), first)
    assert not torch.equal(weight(0, "other"), first)
    torch.set_rng_state(before)
    with pytest.raises(RuntimeError), initialised(0, "model"):
        torch.nn.init.normal_(torch.empty(2)) @ torch.empty(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seed_is_the_same_for_ever() -> None:
    """What was drawn years ago is drawn again; without a step it is the first."""
    assert [derive(0, "fit"), derive(7, "noise", 3)] == [7671203264882605124, 8908783609193850076]
    assert numpy_generator(0, "fit").random() == np.random.default_rng(derive(0, "fit", 0)).random()
    assert torch_generator(0, "fit").initial_seed() == derive(0, "fit", 0)


def test_a_generator_is_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(manual_seed=lambda seed: seed)
    asked: list[object] = []
    monkeypatch.setattr(torch, "Generator", lambda device: (asked.append(device), made)[1])
    assert torch_generator(0, "fit", 3, "cuda:1") == derive(0, "fit", 3)
    assert asked == ["cuda:1"]
