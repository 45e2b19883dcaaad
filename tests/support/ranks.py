"""Processes as `torchrun` starts them, forked like those of `forks`: several `phantastic` commands that are one run.

Here the toy is a study among the others. Run as a script it is the server.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forks import Child, Forks
from torch.distributed import TCPStore

TWO: Sequence[dict[str, Any]] = ({}, {})


class Ranks(Forks):
    """The test's side of the server."""

    def __init__(self) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.server = subprocess.Popen([sys.executable, __file__], **pipes)
        self.started = 0
        self.alive: set[int] = set()
        self.stores: list[TCPStore] = []

    def begin(self, home: Path, *words: str, each: Sequence[dict[str, Any]] = TWO) -> list[Child]:
        """Begin `phantastic` in several processes, each sabotaged or given more ``words`` if asked; process 0 first."""
        self.stores.append(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self.stores[-1].port)}
        place |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
        found = []
        for number, own in enumerate(each):
            where = place | {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(len(each))}
            own = {"where": where, "publish": False} | own
            found.append(self.start(home, *words, *own.pop("words", ()), **own))
        return found

    def end(self, children: list[Child]) -> list[tuple[int, str]]:
        return [(child.wait(), child.said()) for child in children]


if __name__ == "__main__":
    import forks
    import toys
    from toys.study import TOY

    from phantastic.cli import main as command
    from phantastic.declare import study
    from phantastic.systems.bottleneck import fusion  # noqa: F401

    child, register, main = forks.child, study.register, command.main

    def placed(request: dict[str, Any]) -> None:
        os.environ |= request["sabotage"].pop("where", {})
        child(request)

    def install() -> None:
        study.register = lambda: register() | {TOY.name: TOY}

    forks.child, toys.install = placed, install
    command.main = lambda: sys.exit(main())  # as the installed command does
    forks.serve()
