"""Figures are of the same bits too: drawn twice from a run, whatever order Python gives the members of its sets."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from phantastic.declare.study import register

STUDIES = list(register())
DRAW = """
import json, sys
from hashlib import sha256
from pathlib import Path
from phantastic.run.folder import Run

for folder in sys.argv[1:]:
    run, drawn = Run.open(Path(folder)), {}
    for name, (caption, picture) in run.study.load().figures(run).items():
        chart = hasattr(picture, "to_dict")
        bits = json.dumps(picture.to_dict(validate=False)).encode() if chart else picture.tobytes()
        drawn[name] = caption, sha256(bits).hexdigest()
    run.close()
    print(json.dumps(drawn))
"""


@pytest.fixture(scope="module")
def drawn(tiny_folder: Callable[[str], Path]) -> list[dict[str, dict[str, list[str]]]]:
    """Under each of two hash seeds: captions and digests of all figures by study."""
    command = [sys.executable, "-c", DRAW, *(str(tiny_folder(name)) for name in STUDIES)]
    at_work = [
        subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    lines = [process.communicate()[0].splitlines() for process in at_work]
    return [dict(zip(STUDIES, map(json.loads, each), strict=True)) for each in lines]


@pytest.mark.parametrize("name", STUDIES)
def test_figures_do_not_hang_on_the_order_of_sets(name: str, drawn: list[dict[str, dict[str, list[str]]]]) -> None:
    one, other = (each[name] for each in drawn)
    assert one
    assert one == other
