"""Writing files so that a crash, a full disk or a read-only folder never damages what was there before."""

import csv
import errno
import io
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from phantastic.ground import parallel
from phantastic.ground.errors import Refused

T = TypeVar("T")

REASONS = {
    errno.ENOSPC: "the disk is full; free some space, then `phantastic resume` the run",
    errno.EDQUOT: "your disk quota is used up; free some space, then `phantastic resume` the run",
    errno.EFBIG: "files this large are not allowed here; raise the limit (ulimit -f), then `phantastic resume` the run",
    errno.EROFS: "the file system is read-only; choose another folder with --root",
    errno.EACCES: "this folder may not be written to; choose another one with --root or change its permissions",
    errno.EPERM: "this folder may not be written to; choose another one with --root or change its permissions",
}


def write(path: Path, data: bytes | str) -> None:
    """Write to a temporary name, sync, rename: readers see the old file or the new one, never a part of either.

    Of several processes of one run the first writes. Raises `Refused` that names the file and the reason; the previous
    file is then intact.
    """
    if parallel.rank():
        return
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if os.name == "posix":  # the rename itself must reach the disk too
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True) if os.access(path.parent, os.W_OK) else None
        raise refusal(path, error) from None


def append(path: Path, line: str) -> None:
    """Append one line; a torn last line is dropped by whoever reads the file (see `run.Run`). Of several processes of
    one run the first writes."""
    if parallel.rank():
        return
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise refusal(path, error) from None


def refusal(path: Path, error: OSError) -> Refused:
    """An operating-system error as a message for people."""
    reason = REASONS.get(error.errno or 0, error.strerror or str(error))
    return Refused(f"cannot write {path}: {reason}. What was saved before is intact")


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table atomically, its header being the first row."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write(path, indented(value) + b"\n")


def indented(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


class Sealed(msgspec.Struct):
    """A value in JSON, and the SHA-256 of that text."""

    sha256: str
    value: msgspec.Raw


def write_sealed(path: Path, value: Any) -> None:
    """As `write_json`, with a checksum: a changed digit is found when it is read."""
    text = indented(value)
    write(path, b'{"sha256": "%s",\n"value": %s}\n' % (sha256(text).hexdigest().encode(), text))


def read_sealed(path: Path, kind: type[T], what: str) -> T:
    """What `write_sealed` wrote, as a ``kind``; raises `Refused` naming a file that is absent, damaged or altered."""
    sealed = read_json(path, Sealed, what)
    if sha256(sealed.value).hexdigest() != sealed.sha256:
        raise Refused(f"{path} was altered (its SHA-256 is another): {what} cannot be read; nothing was changed")
    return decoded(bytes(sealed.value), kind, path, what)


def read_json(path: Path, kind: type[T], what: str) -> T:
    """Read JSON into ``kind``; raises `Refused` naming the damaged or absent file. Nothing is overwritten."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Refused(f"{path} is missing: {what} is incomplete") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    return decoded(data, kind, path, what)


def decoded(data: bytes, kind: type[T], path: Path, what: str) -> T:
    """JSON as a ``kind``; raises `Refused` naming the file it stood in, also for bytes that are no text."""
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=kind)  # without a byte-order mark
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused(f"{path} is damaged ({error}): {what} cannot be read; nothing was changed") from None


def sweep(folder: Path) -> None:
    """Remove what a killed process had begun to write."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)
