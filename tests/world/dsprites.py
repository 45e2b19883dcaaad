import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import dsprites

A_ROW = st.tuples(*(st.integers(0, size - 1) for size in dsprites.SIZES))


@pytest.fixture(scope="module")
def everything() -> dsprites.DSprites:
    return dsprites.whole()


def defined(row: tuple[int, ...]) -> np.ndarray:
    """One image, straight from the definition, pixel by pixel."""
    shape, scale, orientation, x, y = (float(table[k]) for table, k in zip(dsprites.VALUES, row, strict=True))
    across, down = np.arange(64) - (15.5 + 32 * x), np.arange(64)[:, None] - (15.5 + 32 * y)
    u = (across * np.cos(orientation) - down * np.sin(orientation)) / scale
    v = (across * np.sin(orientation) + down * np.cos(orientation)) / scale
    if shape == 1:
        return (abs(u) < 9.6) & (abs(v) < 9.6)
    if shape == 2:
        return (u / 12.76) ** 2 + (v / 7.22) ** 2 < 1
    t = np.arcsin(np.cbrt(np.minimum(abs(u) / 9.618, 1)))  # where the curve reaches |u|; it does so again at π - t
    above, below = (
        -(8.629 * np.cos(t) - 3.320 * np.cos(2 * t) - 1.299 * np.cos(3 * t) - 0.664 * np.cos(4 * t)) - 1.440
        for t in (t, np.pi - t)
    )
    return (abs(u) < 9.618) & (above < v) & (v < below)


@given(A_ROW)
@settings(max_examples=60, deadline=None)
def test_an_image_is_its_definition(row):
    assert np.array_equal(dsprites.render(np.array([row]))[0], defined(row))


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("place", [0, 17, 31])
def test_the_largest_sprites_lie_whole_within_the_window(shape, place):
    for orientation in range(40):
        row = (shape, 5, orientation, place, 31 - place)
        assert np.array_equal(dsprites.render(np.array([row]))[0], defined(row))


def test_the_whole_set_holds_what_render_draws_in_the_published_order(everything):
    assert len(everything) == 737_280
    assert everything.packed.nbytes == 737_280 * 512
    places = numpy_generator(0, "places").integers(0, len(everything), 20_000)
    assert np.array_equal(everything.images(places), dsprites.render(everything.factors[places]))
    assert np.array_equal(dsprites.index(everything.factors), np.arange(len(everything)))
    assert everything.factors[1].tolist() == [0, 0, 0, 0, 1]
    assert everything.factors[-1].tolist() == [2, 5, 39, 31, 31]


def test_every_heart_but_the_full_turn_looks_different(everything):
    images = everything.packed.reshape(*dsprites.SIZES, 512)
    assert np.array_equal(images[:, :, 0], images[:, :, 39])
    hearts = images[2, 0, :39].reshape(-1, 512)  # the smallest
    assert len(np.unique(hearts.view("V512"))) == len(hearts)


def test_no_sprite_touches_the_border(everything):
    lines = everything.packed.reshape(-1, 64, 8)
    assert not lines[:, [0, 1, 62, 63]].any()
    assert not (lines[..., 0] & 0b11000000).any()
    assert not (lines[..., 7] & 0b00000011).any()


def test_a_batch_is_ready_for_a_network(everything):
    places = np.array([5, 700_000, 5])
    batch = everything.batch(places)
    assert batch.shape == (3, 1, 64, 64)
    assert batch.dtype == torch.float32
    assert np.array_equal(batch[:, 0].numpy(), everything.images(places))
    assert torch.equal(batch[0], batch[2])


def test_x_goes_right_and_y_goes_down():
    left, right, low = dsprites.render(np.array([[1, 3, 4, 2, 9], [1, 3, 4, 30, 9], [1, 3, 4, 2, 28]]))
    assert left.sum(0).argmax() < right.sum(0).argmax()
    assert left.sum(1).argmax() < low.sum(1).argmax()


def test_an_empty_table_gives_no_images():
    assert dsprites.render(np.empty((0, 5), int)).shape == (0, 64, 64)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.array([[0, 6, 0, 0, 0]]), r"'scale' is 6 in row 0; allowed: 0 to 5"),
        (np.array([[0, 0, 0, 0, 0], [0, 0, 0, -1, 0]]), r"'x' is -1 in row 1; allowed: 0 to 31"),
        (np.zeros((2, 6), int), r"\[n, 5\] \(shape, scale, orientation, x, y\)"),
        (np.zeros((2, 5)), "whole numbers"),
    ],
)
def test_factors_out_of_range_are_refused(factors, message):
    with pytest.raises(Refused, match=message):
        dsprites.checked(factors)


def test_nothing_is_drawn_or_found_for_factors_that_are_refused():
    for use in (dsprites.render, dsprites.index):
        with pytest.raises(Refused, match="'y' is 32 in row 0"):
            use(np.array([[0, 0, 0, 0, 32]]))


def test_a_part_is_drawn_without_repetition_by_its_seed():
    few, again, other = (dsprites.part(3000, seed) for seed in (0, 0, 1))
    assert len(few) == 3000
    places = dsprites.index(few.factors)
    assert len(set(places.tolist())) == 3000
    assert (np.diff(places) < 0).any()  # in no order
    for size, column in zip(dsprites.SIZES, few.factors.T, strict=True):
        assert np.bincount(column, minlength=size).min() > 0.6 * 3000 / size
    assert np.array_equal(few.packed, again.packed)
    assert np.array_equal(few.factors, again.factors)
    assert not np.array_equal(few.factors, other.factors)
    assert np.array_equal(few.images(np.arange(50)), dsprites.render(few.factors[:50]))


def test_a_part_that_is_all_is_the_whole_in_its_order(monkeypatch: pytest.MonkeyPatch, everything):
    monkeypatch.setattr(dsprites, "whole", lambda: everything)
    assert dsprites.part(737_280, 5) is everything


def test_batches_show_every_image_once_an_epoch():
    data = dsprites.part(20, 0)
    known = {image.tobytes(): place for place, image in enumerate(data.images(np.arange(20)))}
    batches = dsprites.Batches(data, 5, 3, "batches", torch.device("cpu"))
    epochs = [
        [
            known[image.numpy().astype(np.uint8).tobytes()]
            for step in range(4 * epoch, 4 * epoch + 4)
            for image in batches(step)[:, 0]
        ]
        for epoch in range(2)
    ]
    assert len(known) == 20
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20))
    assert epochs[0] != epochs[1]
    assert torch.equal(batches(3), dsprites.Batches(data, 5, 3, "batches", torch.device("cpu"))(3))
    assert batches(0).shape == (5, 1, 64, 64)
