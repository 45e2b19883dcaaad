"""Writing so that a crash at any moment leaves the old file or the new one."""

import os
import stat
from pathlib import Path

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
