"""Files that are no column of numbers are refused, with the file, the line and what to do."""

from pathlib import Path

import pytest

from phantastic.declare.request import parse
from phantastic.ground.errors import Refused
from phantastic.systems.entropy import column
from phantastic.systems.entropy.study import EntropyApply

BAD = {
    "a word": (b"score\n1\n2\nthree\n", "line 4, column 'score': 'three' is not a finite number"),
    "a gap": (b"a,b\n1,2\n3,\n", "line 3, column 'b': '' is not a finite number"),
    "nan": (b"score\n1\nnan\n", "line 3.*'nan' is not a finite"),
    "infinite": (b"score\n1e999\n2\n", "line 2.*'1e999' is not a finite"),
    "an underscore": (b"score\n1\n1_000\n", "line 3.*'1_000'"),
    "a ragged row": (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells where the first row has 2"),
    "a decimal comma": (b"score\n1,5\n", "line 2: 2 cells where the first row has 1"),
    "a quote": (b'score\n1\n"2\n3\n', "line 4: unexpected end of data"),
    "not UTF-8": (b"score\n\xff\xfe\n", "not UTF-8"),
    "a zero byte": (b"score\n1\x002\n", "line 2"),
    "nothing": (b"", "is empty"),
    "blank lines": (b"\n , \n\n", "is empty"),
    "a header alone": (b"score\n", "fewer than 2"),
    "one number": (b"score\n1\n", "fewer than 2"),
    "beyond float64": (b"score\n-1.7e308\n1.7e308\n", "rescale"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / "numbers.csv"
    path.write_bytes(content)
    wanted = "b" if content.startswith(b"a,b") else None
    with pytest.raises(Refused, match=f"(numbers.csv.*)?{message}"):
        column.apply(tmp_path / "out", 30, EntropyApply(data=str(path), column=wanted))
    assert not (tmp_path / "out").exists(), "nothing is written of what is refused"


def test_what_is_no_file_or_no_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("age,height\n1,2\n3,4\n")
    for words, message in (
        ("--column=x", "--data is missing"),
        (f"--data={tmp_path / 'none.csv'}", "does not exist"),
        (f"--data={tmp_path}", "is not a file"),
        ("--data=", "does not exist"),
        ("--data=a\0b", "does not exist"),
        (f"--data={path}", "2 columns; name one with --column; allowed: age, height"),
        (f"--data={path} --column=hight", "no column 'hight'; did you mean 'height'"),
    ):
        with pytest.raises(Refused, match=message):
            column.apply(tmp_path / "out", 30, parse(EntropyApply, words.split(" "), "apply entropy"))


def test_a_name_that_letters_forbid_is_drawn(tmp_path: Path) -> None:
    """Control letters and markup in a header reach the figure, and neither ends the process nor breaks it."""
    path = tmp_path / "numbers.csv"
    path.write_bytes("<b>\x0b&得点\n1\n2\n2\n".encode())
    *_, svg, png = column.apply(tmp_path / "out", 30, EntropyApply(data=str(path)))
    assert Path(svg).exists()
    assert Path(png).exists()
