"""What is counted on images of one shape each."""

import torch
from torch import Tensor

from phantastic.measures.shapes import AREAS, covered, grey, holds_shape, places
from phantastic.world import dsprites


def sprites(count: int) -> Tensor:
    chosen = torch.stack(
        [
            torch.randint(size, (count,), generator=torch.Generator().manual_seed(k))
            for k, size in enumerate(dsprites.SIZES)
        ],
        1,
    )
    return torch.from_numpy(dsprites.render(chosen.numpy())).unsqueeze(1).float()


def test_every_dsprite_holds_one_shape_and_they_lie_in_every_place():
    images = sprites(2_000)
    assert holds_shape(images).all()
    assert covered(places(images)) == 1
    assert grey(images).max() == 0
    extremes = dsprites.render(torch.tensor([[2, 0, 5, 12, 9], [0, 5, 0, 0, 0]]).numpy())
    assert (extremes.sum((1, 2)) == AREAS).all()


def test_images_of_nothing_of_two_things_or_of_something_else_hold_no_shape():
    image = sprites(1)
    two = torch.maximum(image, image.roll((32, 32), (2, 3)))
    dust = image.clone()
    dust[..., 0, 0] = 1.0
    wrong = [torch.zeros_like(image), torch.ones_like(image), 0.5 * image, two, dust]
    assert not holds_shape(torch.cat(wrong)).any()
    assert holds_shape(torch.cat([image, 0.6 * image])).all(), "a grey shape is a shape; `grey` counts the rest"
    assert covered(places(image.expand(50, -1, -1, -1))) == 1 / 64
    assert covered(places(image[:0])) == 0


def test_pieces_that_touch_at_corners_are_one_and_grey_is_between_a_tenth_and_nine():
    image = torch.zeros(1, 1, 64, 64)
    image[..., 10:20, 10:20] = image[..., 20:30, 20:30] = 1.0
    assert holds_shape(image).all()
    image[..., 20:30, 20:30] = 0.0
    image[..., 21:31, 20:30] = 1.0
    assert not holds_shape(image).any()
    shades = torch.tensor([0.0, 0.09, 0.11, 0.5, 0.89, 0.91, 1.0, 1.0]).view(1, 1, 2, 4)
    assert grey(shades).tolist() == [3 / 8]


def test_a_place_is_four_pixels_wide():
    """Middles at 16, 19 and 20 along one axis: the first two share the place from 15.5 to 19.5."""
    image = torch.zeros(3, 1, 64, 64)
    for row, middle in enumerate((16, 19, 20)):
        image[row, 0, middle - 4 : middle + 5, 28:37] = 1.0
    assert covered(places(image[:2])) == 1 / 64
    assert covered(places(image[1:])) == 2 / 64
    assert covered(places(image.mT[:2])) == 1 / 64
    assert covered(places(torch.cat([image[1:], image[1:].mT]))) == 4 / 64


def test_grey_pixels_are_counted_per_image() -> None:
    images = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4), torch.full((1, 4, 4), 0.5)])
    images[0, 0, 0, :2] = 0.2
    assert grey(images).tolist() == [0.125, 0, 1]
