"""The re-created sprites against published ones, of which only derived numbers are kept here."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np

from phantastic.world import dsprites

FRAMES = json.loads((Path(__file__).parent / "dsprites_frames.json").read_text())["frames"]
DRAWN = dsprites.render(np.array([frame["factors"] for frame in FRAMES]))


def matches(image: np.ndarray, frame: dict) -> bool:
    return sha256(np.packbits(image).tobytes()).hexdigest() == frame["sha256"]


def test_eleven_of_twelve_published_images_to_the_bit():
    assert [matches(image, frame) for image, frame in zip(DRAWN, FRAMES, strict=True)] == [False] + [True] * 11


def test_the_twelfth_differs_in_one_pixel():
    image, frame = DRAWN[0].copy(), FRAMES[0]
    assert abs(int(image.sum()) - frame["white"]) == 1
    [(row, column)] = frame["differs"]
    image[row, column] ^= 1
    assert matches(image, frame)


def test_one_pixel_of_1724_in_all():
    assert sum(frame["white"] for frame in FRAMES) == 1724
    assert sum(len(frame["differs"]) for frame in FRAMES) == 1


def test_the_order_of_the_published_file_finds_the_same_images():
    places = dsprites.index(np.array([frame["factors"] for frame in FRAMES]))
    assert np.array_equal(dsprites.factors_of(places), [frame["factors"] for frame in FRAMES])
