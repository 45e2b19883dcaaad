"""Writing so that a crash at any moment leaves the old file or the new one."""

import csv
import errno
import os
import stat
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from phantastic.ground import files
from phantastic.ground.errors import Refused

OLD, NEW = b"what was there", b"what comes" * 1000


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple]:
    """What reaches the disk, in order: ("sync", inode, bytes, what readers then see) and ("rename", inode)."""
    recorded, path = [], tmp_path / "file"
    fsync, replace = os.fsync, os.replace

    def sync(number: int) -> None:
        found = os.fstat(number)
        recorded.append(("sync", found.st_ino, None if stat.S_ISDIR(found.st_mode) else found.st_size, seen(path)))
        fsync(number)

    def rename(source: Path, target: Path) -> None:
        recorded.append(("rename", os.stat(source).st_ino, target))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    return recorded


def seen(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("before", [None, OLD])
def test_a_file_is_synced_before_it_gets_its_name_and_its_folder_after(
    tmp_path: Path, calls: list[tuple], before: bytes | None
) -> None:
    """Synced later, its name could outlive a crash that its content does not; the folder's entry is data too."""
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    files.write(path, NEW)
    inode, folder = path.stat().st_ino, tmp_path.stat().st_ino
    assert calls == [("sync", inode, len(NEW), before), ("rename", inode, path), ("sync", folder, None, NEW)]
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_where_the_disk_fails_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(Refused, match="the disk is full"):
        files.write(path, NEW)
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["file"]


def test_a_line_is_appended_to_those_before(tmp_path: Path) -> None:
    for line in ("one", "二", ""):
        files.append(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == "one\n二\n\n".encode()


def test_only_what_was_left_half_written_is_swept(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in (".LATEST.part", "figures/.a.svg.part", "LATEST", "a.part", ".lock", "figures/a.svg"):
        (tmp_path / name).write_bytes(OLD)
    files.sweep(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"LATEST", "a.part", ".lock", "figures/a.svg"}


# --- what is written


def test_folders_on_the_way_are_made_and_text_is_utf8(tmp_path: Path) -> None:
    files.write(tmp_path / "a/b/c.svg", "脳 ≥ 1")
    files.write(tmp_path / "a/b/c.png", b"\x00")
    assert (tmp_path / "a/b/c.svg").read_bytes() == "脳 ≥ 1".encode()
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["c.png", "c.svg"]


def test_two_files_of_one_stem_are_written_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half written of the one is no part of the other."""
    replaced = []
    monkeypatch.setattr(os, "replace", lambda source, target: replaced.append(Path(source)))
    for name in ("c.svg", "c.png"):
        files.write(tmp_path / name, name)
    assert [path.read_text() for path in replaced] == ["c.svg", "c.png"]
    files.sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_table_is_read_back_with_one_kind_of_line_end(tmp_path: Path) -> None:
    rows = [["a", "b"], ["1,5", 'say "x"'], ["two\nlines", "脳"]]
    files.write_csv(tmp_path / "t.csv", iter(rows))
    assert b"\r" not in (tmp_path / "t.csv").read_bytes()
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == rows


def test_json_is_for_people_too(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x.json", {"a": [1, 2], "心": 0.5})
    assert (tmp_path / "x.json").read_text() == '{\n "a": [\n  1,\n  2\n ],\n "心": 0.5\n}\n'
    assert files.read_json(tmp_path / "x.json", dict, "it") == {"a": [1, 2], "心": 0.5}


def test_a_seal_is_over_the_text_as_it_stands(tmp_path: Path) -> None:
    """So that anyone can hold one against the other."""
    path = tmp_path / "x.json"
    files.write_sealed(path, {"a": 1.5})
    text = path.read_bytes()
    assert text == b'{"sha256": "%s",\n"value": {\n "a": 1.5\n}}\n' % sha256(b'{\n "a": 1.5\n}').hexdigest().encode()
    assert files.read_sealed(path, dict[str, float], "it") == {"a": 1.5}
    path.write_bytes(text.replace(b"1.5", b"1.50"))
    with pytest.raises(Refused) as refusal:
        files.read_sealed(path, dict[str, float], "the run")
    assert str(refusal.value) == (
        f"{path} was altered (its SHA-256 is another): the run cannot be read; nothing was changed"
    )


# --- what is refused


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full; free some space, then `phantastic resume` the run"),
        (errno.EDQUOT, "your disk quota is used up; free some space, then `phantastic resume` the run"),
        (
            errno.EFBIG,
            "files this large are not allowed here; raise the limit (ulimit -f), then `phantastic resume` the run",
        ),
        (errno.EROFS, "the file system is read-only; choose another folder with --root"),
        (errno.EACCES, "this folder may not be written to; choose another one with --root or change its permissions"),
        (errno.EPERM, "this folder may not be written to; choose another one with --root or change its permissions"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_the_disk_says_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Refused) as refusal:
        files.write(tmp_path / "file", NEW)
    assert str(refusal.value) == f"cannot write {tmp_path / 'file'}: {reason}. What was saved before is intact"
    with pytest.raises(Refused, match=r"cannot write .*absent.log: No such file or directory\. What was saved"):
        files.append(tmp_path / "absent/log", "line")
    assert str(files.refusal(Path("x"), OSError("odd"))) == "cannot write x: odd. What was saved before is intact"


def test_no_folder_stays_open_where_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, begin, end, fsync = set(), os.open, os.close, os.fsync

    def fail(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(number)

    monkeypatch.setattr(os, "open", lambda *how: (number := begin(*how), opened.add(number))[0])
    monkeypatch.setattr(os, "close", lambda number: (opened.discard(number), end(number)))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Refused, match="Input/output error"):
        files.write(tmp_path / "file", NEW)
    assert opened == set()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "{path} is missing: the run is incomplete"),
        (b"{", "{path} is damaged (Input data was truncated): the run cannot be read; nothing was changed"),
        (b'{"a": "\xff"}', None),
        (b'{"a": ' * 100_000, None),
        (b'{"a": "one"}', None),
        (b"", None),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path: Path, data: bytes | None, said: str | None) -> None:
    path = tmp_path / "x.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused) as refusal:
        files.read_json(path, dict[str, int], "the run")
    if said:
        assert str(refusal.value) == said.format(path=path)
    else:
        assert str(refusal.value).startswith(f"{path} is damaged (")
        assert str(refusal.value).endswith("): the run cannot be read; nothing was changed")


def test_a_folder_is_no_file_and_a_byte_order_mark_no_damage(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        files.read_json(tmp_path, dict, "the run")
    assert str(refusal.value) == f"{tmp_path} cannot be read: Is a directory"
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf" + msgspec.json.encode({"a": 1}))
    assert files.read_json(tmp_path / "x.json", dict[str, int], "the run") == {"a": 1}
