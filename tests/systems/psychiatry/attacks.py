"""Behaviour in files that nobody can fit: each ends in one message that says where and what to do."""

import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phantastic.cli.main import cli
from phantastic.ground.errors import Refused
from phantastic.systems.psychiatry import behaviour

EYES = "time,eye\n" + "".join(f"{t},0.1\n" for t in range(1, 65))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path


def call(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["fit", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("1,2\n3,4\n", "no header"),
        ("time\n1\n2\n", "no column 'eye'"),
        ("time,eyes\n1,2\n", "did you mean 'eye'"),
        ("time,eye\n", "no rows"),
        ("time,eye\n1,0.1\n2,left\n3,0.1\n", "line 3, column 'eye': 'left'"),
        ("time,eye\n1,0.1\n2,inf\n3,0.1\n", "line 3, column 'eye': 'inf'"),
        ("time,eye\n1,0.1\n,0.2\n3,0.1\n", "line 3, column 'time'"),
        ("time,eye\n1,0.1\n2,0.1\n2,0.1\n", "line 4, column 'time'"),
        ("time,eye\n1,0.1\n2,0.1,9\n", "line 3: 3 cells"),
        ("time,eye\n" + "".join(f"{t},0.1\n" for t in range(1, 9)), "at least 16"),
        ("time,eye\n" + "".join(f"{t},NaN\n" for t in range(1, 65)), "at least 16"),
        ("time,eye\n" + "".join(f"{t},0.1\n" for t in range(1, 65, 6)), "a sample every 6 bins"),
        ("time,eye\n" + "".join(f"{t},0.1\n" for t in range(1000, 1064)), "at least 16"),
        ("time,eye,period\n1,0,32\n2,0,31\n", "line 3, column 'period'"),
        ("time,eye,cycles\n1,0,0.5\n2,0,0.5\n", "allowed: 1 to 8 cycles"),
        ("time,eye,occluder\n1,0,-1\n2,0,-1\n", "mirror eye and occluder"),
        ("time,eye,amplitude\n1,0,0\n2,0,0\n", "above 0"),
        ("person,group,time,eye\nA,x,1,0.1\nA,y,2,0.1\n", "line 3, column 'group'"),
        ("time,eye\n1,\xff\n", "not UTF-8"),
    ],
)  # fmt: skip
def test_eye_traces_that_are_refused(here: Path, text: str, message: str) -> None:
    (here / "eyes.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(Refused, match=r"eyes\.csv") as refusal:
        behaviour.eyes("eyes.csv")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own,matched\n1,1\n", "no column 'intended'"),
        ("target,own,matched\n1,1,1\n", "column 'matched'"),
        ("intended,own,matched\n0,1,1\n", "line 2, column 'intended'"),
        ("target,own\n1,1\n9,2\n", "line 3, column 'target'"),
        ("intended,own,matched\n,1,1\n", "line 2, column 'intended'"),
        ("intended,own,matched\n1,,\n", "no force"),
        ("intended,own,matched\n1,hard,1\n", "line 2, column 'own': 'hard'"),
        ("intended,own,matched\n" + "".join(f"{k / 10},1,1\n" for k in range(1, 40)), "39 different forces"),
    ],
)
def test_forces_that_are_refused(here: Path, text: str, message: str) -> None:
    (here / "forces.csv").write_text(text)
    with pytest.raises(Refused, match=r"forces\.csv") as refusal:
        behaviour.forces("forces.csv")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("entropy",), "infers nothing"),
        (("occlusionn",), "did you mean 'occlusion'"),
        (("occlusion", "--dta", "x.csv"), "did you mean '--data'"),
        (("occlusion", "--data"), "needs a value"),
        (("occlusion", "--data", "no.csv"), "does not exist"),
        (("occlusion", "--data", "."), "is not a file"),
        (("occlusion", "--period", "2"), "give either --data"),
        (("occlusion", "--data", "a.csv", "--template", "b.csv"), "give either --data"),
        (("occlusion", "--data", "eyes.csv", "--period", "0"), "above 0"),
        (("occlusion", "--data", "eyes.csv", "--amplitude", "big"), "above 0"),
        (("force_matching", "--data", "eyes.csv", "--period", "2"), "unknown option"),
        (("occlusion", "--template", "eyes.csv"), "already"),
    ],
)
def test_requests_that_are_refused(here: Path, words: tuple[str, ...], message: str) -> None:
    (here / "eyes.csv").write_text(EYES)
    before = sorted(path.name for path in here.iterdir())
    result = call(*words)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in here.iterdir() if path.is_file()) == before


def test_a_template_overwrites_nothing(here: Path) -> None:
    (here / "eyes.csv").write_text(EYES)
    call("occlusion", "--template", "eyes.csv")
    assert (here / "eyes.csv").read_text() == EYES


def test_without_options_it_says_what_it_takes() -> None:
    result = call("occlusion")
    assert result.exit_code == 0
    assert all(f"--{name}" in result.output for name in ("data", "template", "period", "amplitude"))


@pytest.mark.parametrize("people", [1, 2])
def test_a_file_in_which_nobody_follows_is_refused_and_nothing_is_written(here: Path, people: int) -> None:
    """Flat traces; with an eye beside them that is off to the other side."""
    rows = [f"ann,{t},{0.1 + 0.001 * (t % 3)}" for t in range(1, 65)]
    rows += [f"bo,{t},{math.sin((t - 16) / 5) if t > 16 else 0:.4f}" for t in range(1, 65)] * (people - 1)
    (here / "eyes.csv").write_text("person,time,eye\n" + "\n".join(rows) + "\n")
    result = call("occlusion", "--data", "eyes.csv")
    assert result.exit_code == 2
    assert f"ann{' and everybody else' * (people - 1)} does not follow the target" in result.output
    assert "begin with --template" in result.output
    assert [path.name for path in here.iterdir()] == ["eyes.csv"]
