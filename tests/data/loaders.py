"""The loaders, on small files written here in the formats of the published ones."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from phantastic.data import celeba, dsprites, folders, shapes3d
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import dsprites as world

NAMES = [f"Attribute_{number}" for number in range(40)]
SIGNS = np.where(np.arange(120).reshape(3, 40) % 7 < 3, 1, -1)


def noise(*shape: int) -> np.ndarray:
    return numpy_generator(0, "test images").integers(0, 256, shape, np.uint8)


# Pictures of one's own


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    folder = tmp_path / "私の 写真"
    folder.mkdir()
    colours = {"b.png": (255, 0, 0), "a.bmp": (0, 255, 0), "猫 1.png": (0, 0, 255)}
    for name, colour in colours.items():
        Image.new("RGB", (20, 20), colour).save(folder / name)
    (folder / ".DS_Store").write_bytes(b"\0")
    pictures = folders.load(folder, 8)
    assert pictures.names == ("a.bmp", "b.png", "猫 1.png")
    assert pictures.images.shape == (3, 8, 8, 3)
    assert pictures.images.dtype == np.uint8
    assert pictures.images[:, 4, 4].tolist() == [[0, 255, 0], [255, 0, 0], [0, 0, 255]]


def test_a_picture_of_the_right_size_keeps_its_bits(tmp_path):
    for mode, channels in (("RGB", 3), ("L", 1)):
        pixels = noise(16, 16, channels)
        Image.fromarray(pixels.squeeze(), mode).save(tmp_path / "picture.png")
        assert np.array_equal(folders.picture(tmp_path / "picture.png", 16, channels), pixels)


def test_shrinking_averages_rather_than_skips(tmp_path):
    stripes = np.zeros((128, 128), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    shrunk = folders.picture(tmp_path / "stripes.png", 16, 1)
    assert abs(shrunk.astype(int) - 127).max() <= 8


def test_the_middle_square_of_a_wide_picture(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert folders.picture(tmp_path / "wide.png", 10).min() == 255


def test_the_camera_s_orientation_is_respected(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", quality=100, exif=exif)
    upright = folders.picture(tmp_path / "turned.jpg", 16)
    assert upright[:, 12:].min() > 240
    assert upright[:, :4].max() < 15


def test_transparent_is_white_and_sixteen_bits_are_scaled(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert folders.picture(tmp_path / "clear.png", 8).min() == 255
    deep = np.arange(0, 65536, 256, np.uint16).reshape(16, 16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert abs(folders.picture(tmp_path / "deep.png", 16, 1).squeeze() - deep / 257).max() <= 0.5


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_picture_is_brought_to_the_channels_asked_for(tmp_path, mode, channels):
    Image.new("RGB", (9, 9), "white").convert("L" if mode == "LA" else "RGB").convert(mode).save(
        tmp_path / "picture.tiff"
    )
    assert folders.picture(tmp_path / "picture.tiff", 8, channels).min() == 255


def test_folders_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(Refused, match="nowhere' does not exist; expected a folder of pictures"):
        folders.load(tmp_path / "nowhere", 8)
    with pytest.raises(Refused, match="holds no picture"):
        folders.load(tmp_path, 8)
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(Refused, match=r"notes\.txt' is in no format that is read here; expected a whole file of PNG"):
        folders.load(tmp_path, 8)
    with pytest.raises(Refused, match=r"notes\.txt' is not a folder"):
        folders.load(tmp_path / "notes.txt", 8)
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "inner").mkdir()
    with pytest.raises(Refused, match="inner' is not a file; expected a picture"):
        folders.load(tmp_path, 8)
    with pytest.raises(Refused, match="2 channels; allowed"):
        folders.load(tmp_path, 8, channels=2)


# dSprites, as published


def dsprites_arrays(count: int = 12) -> dict[str, np.ndarray]:
    factors = world.factors_of(np.linspace(0, world.IMAGES - 1, count).astype(int))
    values = np.stack([table[column] for table, column in zip(world.VALUES, factors.T, strict=True)], axis=1)
    return {
        "imgs": world.render(factors),
        "latents_classes": np.insert(factors, 0, 0, axis=1),
        "latents_values": np.insert(values, 0, 1.0, axis=1),
        "metadata": np.array({"title": "dSprites"}, dtype=object),  # a pickle, as published
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_published_dsprites_file_gives_what_the_world_renders(tmp_path, save):
    arrays = dsprites_arrays()
    save(tmp_path / "スプライト 1.npz", **arrays)
    loaded = dsprites.load(tmp_path / "スプライト 1.npz")
    assert len(loaded) == 12
    assert np.array_equal(loaded.factors, arrays["latents_classes"][:, 1:])
    assert np.array_equal(loaded.images(np.arange(12)), arrays["imgs"])
    assert loaded.batch(np.array([3, 1])).shape == (2, 1, 64, 64)


def test_a_file_longer_than_one_block_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(dsprites, "CHUNK", 5)
    arrays = dsprites_arrays()
    np.savez_compressed(tmp_path / "dsprites.npz", **arrays)
    assert np.array_equal(dsprites.load(tmp_path / "dsprites.npz").images(np.arange(12)), arrays["imgs"])


@pytest.mark.parametrize(
    ("key", "replacement", "message"),
    [
        ("imgs", None, r"the key 'imgs' is missing \(it holds: latents_classes, latents_values, metadata\)"),
        (
            "imgs",
            np.zeros((12, 32, 32), np.uint8),
            r"'imgs' is uint8\[12, 32, 32\]; expected uint8, 12 rows .*\[64, 64\]",
        ),
        ("imgs", np.zeros((12, 64, 64)), r"'imgs' is float64\[12, 64, 64\]; expected uint8"),
        ("imgs", np.zeros((11, 64, 64), np.uint8), r"'imgs' is uint8\[11, 64, 64\]; expected uint8, 12 rows"),
        ("imgs", np.full((12, 64, 64), 255, np.uint8), "'imgs' holds values above 1"),
        ("imgs", np.full((12, 64, 64), 2, np.uint8), "'imgs' holds values above 1"),
        ("imgs", np.asfortranarray(np.zeros((12, 64, 64), np.uint8)), "by columns"),
        ("latents_classes", np.zeros((12, 5), int), r"'latents_classes' is int64\[12, 5\]"),
        (
            "latents_classes",
            np.full((12, 6), 3),
            r"'latents_classes' is \[3, 3, 3, 3, 3\] in row 0; expected each below",
        ),
        ("latents_values", dsprites_arrays()["latents_values"] + 1e-3, r"'latents_values' is \[1.001, .* in row 0"),
        ("latents_values", np.zeros((11, 6)), "'latents_classes' has 12 rows, but 'latents_values' 11"),
        ("latents_values", np.zeros((12, 6)), r"'latents_values' is \[0.0, .* in row 0; expected \[1.0, 0.5, 0.0"),
        ("latents_values", np.float64(1), r"'latents_values' is float64\[\]"),
    ],
)
def test_a_wrong_dsprites_file_is_refused_with_its_key(tmp_path, key, replacement, message):
    arrays = dsprites_arrays() | {key: replacement}
    np.savez(tmp_path / "wrong.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(Refused, match=r"wrong\.npz.*" + message):
        dsprites.load(tmp_path / "wrong.npz")


# 3D Shapes


def shapes3d_file(path: Path, **replaced) -> tuple[np.ndarray, np.ndarray]:
    rows = np.stack(np.unravel_index(np.linspace(0, shapes3d.IMAGES - 1, 480).astype(int), shapes3d.SIZES), axis=1)
    labels = rows / np.array(shapes3d.SIZES)
    arrays = {"images": noise(480, 64, 64, 3), "labels": labels} | replaced
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            if array is not None:
                file.create_dataset(key, data=array, chunks=(16, *array.shape[1:]) if array.ndim else None)
    return arrays["images"], rows


def test_shapes3d_is_read_by_rows_in_any_order(tmp_path):
    images, rows = shapes3d_file(tmp_path / "図形 3d.h5")
    loaded = shapes3d.load(tmp_path / "図形 3d.h5")
    assert len(loaded) == 480
    assert loaded.names == ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    assert np.array_equal(loaded.factors, rows)
    places = np.array([400, 3, 400, 0])
    assert np.array_equal(loaded.images(places), images[places])
    assert loaded.images(np.array([], int)).shape == (0, 64, 64, 3)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"labels": None}, r"the array 'labels' is missing \(it holds: images\)"),
        ({"labels": np.zeros((479, 6))}, "'images' has 480 rows, but 'labels' 479"),
        ({"labels": np.zeros((480, 5))}, r"'labels' is float64\[480, 5\]; expected float64, 1 to 480000 rows of \[6\]"),
        ({"labels": np.random.default_rng(0).random((480, 6))}, "'labels' has 480 values of 'floor_hue'"),
        ({"labels": np.full((480, 6), np.nan)}, "no number"),
        ({"images": np.zeros((480, 64, 64), np.uint8)}, r"'images' is uint8\[480, 64, 64\]; expected uint8"),
        ({"images": np.zeros((480, 8, 8, 3))}, r"'images' is float64"),
        ({"images": np.float64(0)}, r"'images' is float64\[\]"),
    ],
)
def test_a_wrong_shapes3d_file_is_refused_with_its_key(tmp_path, replaced, message):
    shapes3d_file(tmp_path / "wrong.h5", **replaced)
    with pytest.raises(Refused, match=r"wrong\.h5.*" + message):
        shapes3d.load(tmp_path / "wrong.h5")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(Refused, match=r"pip install 'phantastic\[data\]'"):
        shapes3d.load(tmp_path / "3dshapes.h5")


# CelebA


def celeba_folder(root: Path, csv: bool = False) -> list[str]:
    files = [f"{number:06d}.jpg" for number in (1, 2, 3)]
    (root / "img_align_celeba").mkdir(parents=True)
    for shade, file in enumerate(files):
        Image.new("RGB", (178, 218), (80 * shade,) * 3).save(root / "img_align_celeba" / file)
    rows = [[file, *map(str, signs)] for file, signs in zip(files, SIGNS, strict=True)]
    if csv:
        lines = [",".join(row) for row in [["image_id", *NAMES], *rows]]
    else:
        lines = ["3", " ".join(NAMES) + " ", *("  ".join(row) for row in rows)]
    (root / f"list_attr_celeba.{'csv' if csv else 'txt'}").write_text("\n".join(lines) + "\n", newline="\r\n")
    return lines


@pytest.mark.parametrize("csv", [False, True])
def test_celeba_gives_attributes_and_pictures(tmp_path, csv):
    root = tmp_path / "顔 画像"
    celeba_folder(root, csv)
    loaded = celeba.load(root)
    assert loaded.files == ("000001.jpg", "000002.jpg", "000003.jpg")
    assert loaded.names == tuple(NAMES)
    assert np.array_equal(loaded.attributes, SIGNS)
    images = loaded.images(np.array([2, 0]), 32)
    assert images.shape == (2, 32, 32, 3)
    assert [int(image.mean().round()) for image in images] == [160, 0]
    assert loaded.images(np.array([], int)).shape == (0, 64, 64, 3)


def test_celeba_pictures_may_lie_one_folder_deeper(tmp_path):
    celeba_folder(tmp_path, csv=True)
    (tmp_path / "img_align_celeba").rename(tmp_path / "inner")
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "inner").rename(tmp_path / "img_align_celeba" / "img_align_celeba")
    assert len(celeba.load(tmp_path).images(np.arange(3))) == 3


@pytest.mark.parametrize(
    ("csv", "line", "text", "message"),
    [
        (False, 1, "4", r"\.txt', line 1: the number of pictures is given as '4'; 3 rows follow"),
        (False, 1, "many", "line 1: the number of pictures is given as 'many'"),
        (False, 2, "Bald Smiling", "line 2: 2 different names; expected 40 attributes"),
        (True, 1, "image_id,Bald", r"\.csv', line 1: 1 different names; expected 40 attributes"),
        (False, 4, "000002.jpg 1 -1", "line 4: expected a picture and 40 times 1 or -1, got '000002.jpg 1 -1'"),
        (False, 4, "000002.jpg 1", "line 4: expected a picture and 40 times 1 or -1, got '000002.jpg 1'"),
        (True, 3, "000002.jpg," + ",".join(["0"] * 40), "line 3: expected a picture and 40 times 1 or -1"),
        (False, 4, "", "line 4: expected a picture and 40 times"),
        (True, 2, "9.jpg" + ",1" * 40, r"line 2: the picture '9\.jpg' is missing from .*img_align_celeba'"),
        (False, 3, "../list_attr_celeba.txt" + " 1" * 40, "line 3: the picture '../list_attr_celeba.txt' is missing"),
    ],
)
def test_a_wrong_celeba_list_is_refused_with_its_line(tmp_path, csv, line, text, message):
    lines = celeba_folder(tmp_path, csv)
    lines[line - 1] = text
    (tmp_path / f"list_attr_celeba.{'csv' if csv else 'txt'}").write_text("\n".join(lines))
    with pytest.raises(Refused, match=message):
        celeba.load(tmp_path)


def test_an_incomplete_celeba_folder_is_refused(tmp_path):
    with pytest.raises(Refused, match="img_align_celeba' does not exist"):
        celeba.load(tmp_path)
    (tmp_path / "img_align_celeba").mkdir()
    with pytest.raises(Refused, match=r"list_attr_celeba\.txt' does not exist; expected .* as \.txt or \.csv"):
        celeba.load(tmp_path)
    (tmp_path / "list_attr_celeba.txt").write_text("")
    with pytest.raises(Refused, match="ends at line 1"):
        celeba.load(tmp_path)
