"""A process that has loaded PyTorch once and forks a child for every `phantastic` command: 20 ms instead of 2 s.

Run as a script it is the server: a request per line on standard input, an answer per line on standard output.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class Child:
    """A running `phantastic` command."""

    def __init__(self, forks: "Forks", pid: int, output: Path):
        self.forks, self.pid, self.output = forks, pid, output

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit status; minus the signal's number if a signal ended it."""
        status = self.forks.ask({"wait": self.pid})
        self.forks.alive.discard(self.pid)
        return status

    def said(self) -> str:
        """What it wrote on standard output and standard error."""
        return self.output.read_text()


class Forks:
    """The test's side of the server."""

    def __init__(self) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.server = subprocess.Popen([sys.executable, __file__], **pipes)
        self.started = 0
        self.alive: set[int] = set()

    def ask(self, request: dict[str, Any]) -> Any:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def start(self, home: Path, *words: str, **sabotage: Any) -> Child:
        """Begin `phantastic` with these words in the folder ``home``, sabotaged (see `sabotage`) if asked."""
        self.started += 1
        output = home / f".said-{self.started}"
        pid = self.ask({"words": words, "home": str(home), "output": str(output), "sabotage": sabotage})
        self.alive.add(pid)
        return Child(self, pid, output)

    def call(self, home: Path, *words: str, **sabotage: Any) -> tuple[int, str]:
        """Exit status and output of a command that ends by itself."""
        child = self.start(home, *words, **sabotage)
        return child.wait(), child.said()

    def close(self) -> None:
        for pid in self.alive:  # a failed test may have left one
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.server.communicate(timeout=60)


def child(request: dict[str, Any]) -> None:
    """In the forked child: become the command."""
    import toys
    from sabotage import begin

    from phantastic.cli.main import main

    status = 1
    try:
        os.chdir(request["home"])
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["phantastic", *request["words"]]
        toys.install()
        begin(**request["sabotage"])
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ |= {"OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    import sabotage  # noqa: F401 - loaded once, for all children
    import torch
    import toys  # noqa: F401

    import phantastic.cli.attended
    import phantastic.cli.main
    import phantastic.show.report  # noqa: F401

    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])  # the first optimiser imports 800 modules

    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                child(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
