"""Whose a run folder is: one process makes it, and one at a time owns it."""

from pathlib import Path

import filelock

from phantastic.ground import files
from phantastic.ground.errors import Refused, command
from phantastic.run.manifest import MANIFEST


def begin(base: Path, stem: str, *, named: bool) -> tuple[Path, filelock.BaseFileLock]:
    """A folder of this process's own under ``base``, locked; of two that begin at once each gets one.

    Where ``stem`` is taken a number is added, but for a name that the user chose: that raises `Refused`.
    """
    folder, number = base / stem, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder, locked(folder)
        except FileExistsError:
            if named:
                break
        except OSError as error:
            raise files.refusal(folder, error) from None
        number += 1
        folder = base / f"{stem}-{number}"
    lock = locked(folder) if folder.is_dir() and not (folder / MANIFEST).exists() else None
    if lock is None or (folder / MANIFEST).exists():
        raise Refused(f"{folder} holds a run already; choose another --name, or: {command('resume', folder)}")
    return folder, lock


def locked(folder: Path, seconds: float = 0.0) -> filelock.BaseFileLock:
    """The lock of a run folder; raises `Refused` when another process owns it, and does so for ``seconds``."""
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        raise Refused(f"{folder} is in use by another phantastic process; wait for it or use another run") from None
    except OSError as error:
        raise files.refusal(folder / ".lock", error) from None
    return lock
