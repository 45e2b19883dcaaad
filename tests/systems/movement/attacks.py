"""Files that are no path of a target are refused, with the file, the line and what to do; nothing is then written."""

from pathlib import Path

import pytest

from phantastic.declare.request import parse
from phantastic.ground.errors import Refused
from phantastic.systems.movement import target
from phantastic.systems.movement.study import PursuitApply

ROWS = [f"{row},{row % 7},{row % 5}" for row in range(60)]


def body(*rows: str) -> bytes:
    return "\n".join(["time,x,y", *rows]).encode()


BAD = {
    "a word": (body(*ROWS[:5], "5,left,1", *ROWS[6:]), "line 7, column 'x': 'left' is not a finite number"),
    "no time": (body(*ROWS[:5], ",1,1", *ROWS[6:]), "line 7, column 'time': '' is not a finite number"),
    "time stands": (body(*ROWS[:5], "4,1,1", *ROWS[6:]), "line 7, column 'time': 4 does not come after 4"),
    "time turns": (body(*ROWS[:5], "-2,1,1", *ROWS[6:]), "line 7, column 'time': -2 does not come after 4"),
    "ragged": (body(*ROWS[:5], "5,1", *ROWS[6:]), "line 7: 2 cells where the first row has 3"),
    "no y": (b"time,x,z\n" + "\n".join(ROWS).encode(), "no column 'y'"),
    "four columns": ("\n".join(row + ",1" for row in ROWS).encode(), "4 columns and no header"),
    "one column": (b"1\n2\n3\n", "1 columns and no header"),
    "mostly missing": (body(*[f"{row},," for row in range(59)], ROWS[59]), "missing in 59 of 60 rows"),
    "too short": (body(*ROWS[:20]), "are 20 bins; allowed: 48 to 512. Give a --bin from"),
    "a header alone": (body(), "missing in 0 of 0 rows"),
    "it stands": (body(*[f"{row},3,4" for row in range(60)]), "does not move"),
    "beyond all size": (body(*[f"{row},1e308,-1e308" for row in range(60)]), "beyond 1e100"),
    "an age": (body(*[f"{row}e99,1,2" for row in range(60)]), "beyond 1e100"),
    "infinite": (body(*ROWS[:5], "5,inf,1", *ROWS[6:]), "line 7, column 'x': 'inf'"),
    "nothing": (b"", "is empty; expected a CSV file with the columns time, x, y or x, y"),
    "no text": (b"\xff\xfe\x00x", "not UTF-8"),
    "semicolons": (b"x;y\n1;2\n", "no column 'x'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / "target.csv"
    path.write_bytes(content)
    with pytest.raises(Refused, match=message):
        target.apply(tmp_path / "out", 4.0, 8.0, PursuitApply(target=str(path)))
    assert not (tmp_path / "out").exists()


def test_bad_options_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "target.csv"
    path.write_bytes(body(*ROWS))
    for words, message in (
        ("--bin=1", "--target is missing: a CSV file"),
        ("--prior=1", "--target is missing: a CSV file"),
        (f"--target={path} --bin=0", "--bin 0 is not possible; allowed: number above 0"),
        (f"--target={path} --bin=nan", "--bin nan is not possible"),
        (f"--target={path} --bin=inf", "--bin inf is not possible"),
        (f"--target={path} --bin=1e-300", "allowed: 48 to 512"),
        (f"--target={path} --bin=5e-324", "allowed: 48 to 512"),
        (f"--target={path} --bin=10", "allowed: 48 to 512"),
        (f"--target={path} --prior=9", "--prior 9 is not possible; allowed: number from -16 to 8"),
        (f"--target={path} --prior=strong", "--prior strong is not possible; allowed: number from -16 to 8"),
        (f"--target={tmp_path}", "is not a file"),
        (f"--target={tmp_path / 'none.csv'}", "does not exist"),
    ):
        with pytest.raises(Refused, match=message):
            target.apply(tmp_path / "out", 4.0, 8.0, parse(PursuitApply, words.split(), "apply pursuit"))
    assert not (tmp_path / "out").exists()


def test_a_target_that_jumps_is_followed(tmp_path: Path) -> None:
    """A path without any smoothness ends in numbers or in a refusal, never otherwise."""
    path = tmp_path / "jumps.csv"
    path.write_text("x,y\n" + "\n".join(f"{(row * 7919) % 13},{(row * 104729) % 11}" for row in range(64)))
    *_, table, _, png = target.apply(tmp_path / "out", 4.0, 8.0, PursuitApply(target=str(path)))
    assert "nan" not in Path(table).read_text()
    assert Path(png).exists()
