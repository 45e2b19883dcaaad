"""Files made to harm: whatever a loader is given, nothing is run, memory stays small, and only Refused comes out."""

import os
import pickle
import resource
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from phantastic.data import celeba, dsprites, folders, shapes3d
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.world import dsprites as world

LOADERS = [
    lambda path: folders.load(path, 8),
    lambda path: folders.picture(path, 8),
    dsprites.load,
    shapes3d.load,
    celeba.load,
]
BENT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def dsprites_file(path: Path, **replaced: bytes | np.ndarray) -> None:
    factors = world.factors_of(np.arange(6) * 100_000)
    values = np.stack([table[column] for table, column in zip(world.VALUES, factors.T, strict=True)], axis=1)
    arrays = {
        "imgs": world.render(factors),
        "latents_classes": np.insert(factors, 0, 0, axis=1),
        "latents_values": np.insert(values, 0, 1.0, axis=1),
    } | replaced
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w") as stream:
                if isinstance(array, bytes):
                    stream.write(array)
                else:
                    np.save(stream, array)


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header.encode() + data


def png(width: int, height: int, rows: bytes) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", start) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    "name", ["", "a\0b", "absent", "x" * 5000, "\udcff", "/dev/zero", "/dev/null", "no/such/folder"]
)
def test_names_that_lead_to_nothing(load, name):
    with pytest.raises(Refused) as refusal:
        load(name)
    str(refusal.value).encode()  # can be shown


@pytest.mark.parametrize("load", LOADERS)
def test_things_that_are_no_file_do_not_hang(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("pipe", "loop", "endless", "dangling", "."):
        with pytest.raises(Refused):
            load(tmp_path / name)


@pytest.mark.parametrize("load", LOADERS[2:4])
def test_files_that_may_not_be_read(tmp_path, monkeypatch, load):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "closed").write_bytes(b"nothing")
    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    monkeypatch.setattr(h5py, "File", forbidden)
    with pytest.raises(Refused, match=r"closed'.*Permission denied"):
        load(tmp_path / "closed")


def test_folders_that_may_not_be_read(tmp_path, monkeypatch):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "list_attr_celeba.csv").write_text(",".join(["image_id", *map(str, range(40))]) + "\n1.jpg" + ",1" * 40)
    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, forbidden)
    for load in (celeba.load, LOADERS[0]):
        with pytest.raises(Refused, match=r"cannot be listed .Permission denied"):
            load(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(Refused, match=r"list_attr_celeba\.csv' cannot be read .Permission denied"):
        celeba.load(tmp_path)


def test_a_name_cannot_steer_the_terminal(tmp_path):
    (tmp_path / "\x1b[2Jgone\n.png").write_bytes(b"nothing")
    with pytest.raises(Refused) as refusal:
        folders.load(tmp_path, 8)
    assert str(refusal.value).isprintable()


def test_a_link_to_a_picture_elsewhere_is_a_picture(tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "here").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "away" / "red.png")
    (tmp_path / "here" / "link.png").symlink_to(tmp_path / "away" / "red.png")
    assert folders.load(tmp_path / "here", 8).names == ("link.png",)


def test_a_link_to_a_text_does_not_show_it(tmp_path):
    (tmp_path / "secret").write_text("the secret")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.png").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused) as refusal:
        folders.load(tmp_path / "here", 8)
    assert "the secret" not in str(refusal.value)


@pytest.mark.parametrize("width", [2**13 + 1, 20_000, 2**31 - 1])
def test_a_picture_that_would_fill_the_memory(tmp_path, width):
    (tmp_path / "bomb.png").write_bytes(png(width, 2**13, b"\0" * 1000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Refused, match=r"bomb\.png"):
        folders.picture(tmp_path / "bomb.png", 8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_script_that_calls_itself_a_picture(tmp_path):
    (tmp_path / "picture.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(mark) (w) file\n")
    with pytest.raises(Refused, match="in no format that is read here"):
        folders.picture(tmp_path / "picture.eps", 8)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tiff", "webp"])
def test_truncated_pictures(tmp_path, kind):
    pixels = numpy_generator(0, "truncated").integers(0, 256, (32, 32, 3), np.uint8)
    path = tmp_path / f"picture.{kind}"
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(Refused, match=r"picture\..* expected a whole file"):
            folders.picture(path, 8)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "tiff", "webp", "ppm"])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
@BENT
def test_bent_pictures_are_read_or_refused(tmp_path, kind, bends):
    path = tmp_path / f"picture.{kind}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").resize((16, 16)).save(path, exif=exif) if kind != "ppm" else Image.new(
        "L", (16, 16)
    ).save(path)
    data = bytearray(path.read_bytes())
    for place, value in bends:
        data[int(place * len(data))] = value
    path.write_bytes(data)
    with suppress(Refused):
        assert folders.picture(path, 8).shape == (8, 8, 3)


def test_no_pickle_of_an_npz_is_opened(tmp_path):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    dsprites_file(tmp_path / "metadata.npz", metadata=trap)
    assert len(dsprites.load(tmp_path / "metadata.npz")) == 6
    for key in ("imgs", "latents_classes", "latents_values"):
        dsprites_file(tmp_path / "trap.npz", **{key: trap})
        with pytest.raises(Refused, match=rf"trap\.npz.*'{key}' is object"):
            dsprites.load(tmp_path / "trap.npz")
        dsprites_file(tmp_path / "trap.npz", **{key: pickle.dumps(Trap(tmp_path / "sprung"))})
        with pytest.raises(Refused, match=r"trap\.npz"):
            dsprites.load(tmp_path / "trap.npz")
    (tmp_path / "trap.npz").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(Refused, match="damaged"):
        dsprites.load(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}\n"
BOMBS = {
    "more images than there are": npy(HEADER.format("|u1", "(10**9, 64, 64)".replace("10**9", "1000000000"))),
    "more data than the shape": npy(HEADER.format("|u1", "(6, 64, 64)"), bytes(2**26)),
    "no data": npy(HEADER.format("|u1", "(6, 64, 64)")),
    "an endless header": npy(" " * 2**26, version=b"\2\0"),
    "a deep header": npy("(" * 1000 + ")" * 1000),
    "a negative shape": npy(HEADER.format("|u1", "(-6, 64, 64)")),
    "no shape": npy("{}"),
    "an unknown type": npy(HEADER.format("spam", "(6, 64, 64)")),
    "nothing": b"",
    "zeros": bytes(2**26),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_npz_that_would_fill_the_memory(tmp_path, bomb):
    dsprites_file(tmp_path / "bomb.npz", imgs=BOMBS[bomb])
    assert (tmp_path / "bomb.npz").stat().st_size < 2**17
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=r"bomb\.npz"):
            dsprites.load(tmp_path / "bomb.npz")
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_every_truncated_npz_is_refused(tmp_path):
    dsprites_file(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(0, len(whole), 37):
        (tmp_path / "part.npz").write_bytes(whole[:length])
        with pytest.raises(Refused, match=r"part\.npz"):
            dsprites.load(tmp_path / "part.npz")


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
@BENT
def test_a_bent_npz_is_read_rightly_or_refused(tmp_path, bends):
    dsprites_file(tmp_path / "bent.npz")
    data = bytearray((tmp_path / "bent.npz").read_bytes())
    for place, value in bends:
        data[int(place * len(data))] = value
    (tmp_path / "bent.npz").write_bytes(data)
    try:
        loaded = dsprites.load(tmp_path / "bent.npz")
    except Refused:
        return
    assert np.array_equal(loaded.images(np.arange(6)), world.render(world.factors_of(np.arange(6) * 100_000)))


def shapes3d_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "images", data=np.ones((32, 64, 64, 3), np.uint8), chunks=(1, 64, 64, 3), compression="gzip"
        )
        file.create_dataset("labels", data=np.zeros((32, 6)))


def test_truncated_and_bent_hdf5(tmp_path):
    shapes3d_file(tmp_path / "whole.h5")
    whole = (tmp_path / "whole.h5").read_bytes()
    generator = numpy_generator(0, "bends")
    for attempt in range(60):
        part = tmp_path / f"part{attempt}.h5"  # a new one each time: HDF5 takes a path that is still open as it was
        part.write_bytes(whole[: generator.integers(len(whole))])
        with pytest.raises(Refused, match=r"part\d+\.h5"):
            shapes3d.load(part)
        bent = tmp_path / f"bent{attempt}.h5"
        data = np.frombuffer(whole, np.uint8).copy()
        data[generator.integers(0, len(data), 20)] = generator.integers(0, 256, 20)
        bent.write_bytes(data.tobytes())
        with suppress(Refused):
            loaded = shapes3d.load(bent)
            assert loaded.images(np.arange(len(loaded))).shape[1:] == (64, 64, 3)


def test_hdf5_that_points_into_other_files(tmp_path):
    shapes3d_file(tmp_path / "other.h5")
    (tmp_path / "secret").write_bytes(bytes(32 * 64 * 64 * 3))
    for name in ("link", "external", "virtual", "soft", "group"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["labels"] = np.zeros((32, 6))
            match name:
                case "link":
                    file["images"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/images")
                case "soft":
                    file["images"] = h5py.SoftLink("/nowhere")
                case "group":
                    file.create_group("images")
                case "external":
                    place = [(str(tmp_path / "secret"), 0, 32 * 64 * 64 * 3)]
                    file.create_dataset("images", (32, 64, 64, 3), np.uint8, external=place)
                case "virtual":
                    layout = h5py.VirtualLayout((32, 64, 64, 3), np.uint8)
                    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", (32, 64, 64, 3))
                    file.create_virtual_dataset("images", layout)
        with pytest.raises(Refused, match=rf"{name}\.h5.*'images'"):
            shapes3d.load(tmp_path / f"{name}.h5")


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"\0" * 100, b"9" * 10_000 + b"\n", b"1\n" + b"a " * 40 + b"\n" + b"\xe7\n"]
)
@pytest.mark.parametrize("kind", ["txt", "csv"])
def test_lists_that_are_no_list(tmp_path, text, kind):
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / f"list_attr_celeba.{kind}").write_bytes(text)
    with pytest.raises(Refused, match=rf"list_attr_celeba\.{kind}") as refusal:
        celeba.load(tmp_path)
    assert len(str(refusal.value)) < 1000
