"""What can go wrong while a run writes: the process dies at a given moment, the disk is full, the folder read-only."""

import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any


def begin(
    die_at: int = 0, full_after: int = 0, read_only: bool = False, largest_file: int = 0, publish: bool = True
) -> None:
    """``die_at``: SIGKILL at that moment of writing, counted from 1. ``full_after``: the disk is full from that file
    on. ``largest_file``: bytes. ``publish``: False leaves the report out, which takes most of the toy's time.
    """
    if not publish:
        from phantastic.show import report

        report.publish = lambda run: []
    if die_at:
        die(die_at)
    if full_after:
        refuse_writing(errno.ENOSPC, full_after)
    if read_only:
        refuse_writing(errno.EROFS, 1)
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


def die(moment: int) -> None:
    """Before and after each system call that changes the folder, and in the middle of each write, is a moment."""
    passed = 0

    def here() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(call: Any) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            here()
            result = call(*arguments, **options)
            here()
            return result

        return wrapped

    class Torn:
        """A file that can be left half-written."""

        def __init__(self, file: Any):
            self.file = file

        def __enter__(self) -> "Torn":
            return self

        def __exit__(self, *reason: object) -> None:
            self.file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: Any) -> None:
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            here()
            self.file.write(data[len(data) // 2 :])

    from phantastic.ground import files

    files.open = lambda *arguments, **options: Torn(open(*arguments, **options))  # noqa: SIM115
    os.replace, os.fsync = mortal(os.replace), mortal(os.fsync)
    Path.unlink = mortal(Path.unlink)


def refuse_writing(reason: int, number: int) -> None:
    """From the ``number``-th file that is opened for writing on, half of what is written arrives and then no more."""
    from phantastic.ground import files

    opened = 0

    def open_refusing(path: Path, mode: str, **options: Any) -> Any:
        nonlocal opened
        opened += 1
        if opened < number:
            return open(path, mode, **options)
        if reason == errno.ENOSPC:
            with open(path, mode, **options) as file:
                file.write(b"half of it" if "b" in mode else "half of it")
        raise OSError(reason, os.strerror(reason), str(path))

    files.open = open_refusing
