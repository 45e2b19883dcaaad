"""What can go wrong while a run writes: the process dies at a given moment, the disk is full, the folder read-only."""

import errno
import os
import re
import resource
import signal
from pathlib import Path
from typing import Any

LEFT = 7  # the exit status of a process that lived until it was to leave


def begin(
    die_at: int = 0,
    since: str = "",
    leave_at: tuple[str, int] | None = None,
    full: str | None = None,
    read_only: bool = False,
    largest_file: int = 0,
    publish: bool = True,
) -> None:
    """``die_at``: SIGKILL at that moment of writing, counted from 1 as soon as a file named like ``since`` is opened.
    ``leave_at``: a name and a number; the process ends when a file named so is opened for that time. ``full``: the disk
    is full from the first file named so on. ``largest_file``: bytes. ``publish``: False leaves the report out, which
    takes most of the toy's time. Names are regular expressions: "" is every file's.
    """
    if not publish:
        from phantastic.show import report

        report.publish = lambda run: []
    if die_at:
        die(die_at, since, *(leave_at or ("", 0)))
    if full is not None:
        refuse_writing(errno.ENOSPC, full)
    if read_only:
        refuse_writing(errno.EROFS, "")
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


def die(moment: int, since: str, end: str, times: int) -> None:
    """Before and after each system call that changes the folder, and in the middle of each write, is a moment."""
    passed, begun, opened = 0, False, 0

    def here() -> None:
        nonlocal passed
        passed += begun
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

    def open_torn(path: Path, mode: str, **options: Any) -> Torn:
        nonlocal begun, opened
        begun = begun or re.search(since, path.name) is not None
        opened += bool(times and re.search(end, path.name))
        if times and opened == times:
            os._exit(LEFT)
        return Torn(open(path, mode, **options))

    from phantastic.ground import files

    files.open = open_torn
    os.replace, os.fsync = mortal(os.replace), mortal(os.fsync)
    Path.unlink = mortal(Path.unlink)


def refuse_writing(reason: int, since: str) -> None:
    """From the first file named so that is opened for writing on, half of what is written arrives and then no more."""
    from phantastic.ground import files

    begun = False

    def open_refusing(path: Path, mode: str, **options: Any) -> Any:
        nonlocal begun
        begun = begun or re.search(since, path.name) is not None
        if not begun:
            return open(path, mode, **options)
        if reason == errno.ENOSPC:
            with open(path, mode, **options) as file:
                file.write(b"half of it" if "b" in mode else "half of it")
        raise OSError(reason, os.strerror(reason), str(path))

    files.open = open_refusing
