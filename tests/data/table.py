"""CSV files of the user's own, as people, spreadsheets and eye trackers write them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantastic.data import table
from phantastic.ground.errors import Refused


def written(folder: Path, text: str) -> table.Table:
    path = folder / "data.csv"
    path.write_bytes(text.encode())
    return table.read(str(path), "a CSV file")


def test_columns_by_name_and_by_position(tmp_path: Path) -> None:
    found = written(tmp_path, "\ufeffage, height,who\r\n\r\n20, 1.7,Ann\r\n30,1.8,Ben\r\n")
    assert (found.names, found.header, found.lines) == (["age", "height", "who"], True, [3, 4])
    assert found.numbers("height").tolist() == [1.7, 1.8]
    assert found.texts("who") == ["Ann", "Ben"]
    bare = written(tmp_path, "1,2\n3,4")
    assert (bare.names, bare.header, bare.numbers("2").tolist()) == (["1", "2"], False, [2, 4])


def test_missing_cells_where_they_are_allowed(tmp_path: Path) -> None:
    found = written(tmp_path, ",,\nx,y,z\n1,.,5\n,,\nNaN,2,6\n3,NA,7\n,,\n")
    x, y = (found.numbers(name, missing=True).tolist() for name in "xy")
    assert [str(value) for value in (*x, *y)] == ["1.0", "nan", "nan", "3.0", "nan", "nan", "2.0", "nan"]
    assert found.lines == [3, 4, 5, 6]
    with pytest.raises(Refused, match=r"data.csv', line 4, column 'z': '' is not a finite number"):
        found.numbers("z")


def test_a_first_row_with_a_gap_is_no_header(tmp_path: Path) -> None:
    found = written(tmp_path, "1,,3\n4,5,6\n")
    assert not found.header
    assert math.isnan(found.numbers("2", missing=True)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [("x,y\n1\n", "line 2: 1 cells where the first row has 2"), ("\n,\n\n", "is empty; expected a CSV file"),
     ("x,x\n1,2\n", "several columns 'x'"), ("a\n1\n", "no column 'x'"), ("x\ninf\n", "line 2, column 'x': 'inf'"),
     ('x\n"1\n', "line 2: unexpected end of data"), ("x\n1_0\n", "'1_0'"), ("x\nnan\n", "'nan' is not a finite")],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        written(tmp_path, text).numbers("x")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
def test_numbers_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], header: bool
) -> None:
    text = "\n".join(["x"] * header + [repr(value) for value in values])
    found = written(tmp_path_factory.getbasetemp(), text)
    assert found.numbers("x" if header else "1").tolist() == values


@pytest.mark.parametrize("cell", ["", ".", "NA", "N/A", "NaN", "nan", "null"])
def test_whatever_stands_for_nothing_is_missing_and_makes_no_header(tmp_path: Path, cell: str) -> None:
    found = written(tmp_path, f"{cell},2\n3, {cell} \n")
    assert (found.names, found.header, found.lines) == (["1", "2"], False, [1, 2])
    assert found.rows == [[cell, "2"], ["3", cell]]
    assert str(found.numbers("1", missing=True).tolist()) == "[nan, 3.0]"
    for column in "12":
        with pytest.raises(Refused, match=f"line {column}, column '{column}'"):
            found.numbers(column)


def test_other_words_are_no_numbers_even_where_cells_may_be_missing(tmp_path: Path) -> None:
    for cell in ("none", "-", "inf", "1_000", "1__0", "NAN", "0x10"):
        found = written(tmp_path, f"x\n1\n{cell}\n")
        with pytest.raises(Refused, match=f"line 3, column 'x': '{cell}'"):
            found.numbers("x", missing=True)


def test_rows_keep_their_lines_and_quotes_their_commas(tmp_path: Path) -> None:
    found = written(tmp_path, '\n\n"a, b",c\n"one\ntwo",3\n\n4,5\n,\n6,7\n\n,\n')
    assert found.names == ["a, b", "c"]
    assert found.rows == [["one\ntwo", "3"], ["4", "5"], ["", ""], ["6", "7"]]
    assert found.lines == [5, 7, 8, 9]
    alone = written(tmp_path, "x\n1\n\n2\n")  # of a single column, an empty line is no missing sample
    assert (alone.rows, alone.lines) == ([["1"], ["2"]], [2, 4])
    with pytest.raises(Refused, match="line 3: 3 cells where the first row has 2"):
        written(tmp_path, "1,2\n3,4\n5,6,7\n")
    for damaged in (b"a,b\n1,\xff\n", b"\xff"):
        (tmp_path / "bad.csv").write_bytes(damaged)
        with pytest.raises(Refused, match=f"byte {damaged.index(255)}"):
            table.read(str(tmp_path / "bad.csv"), "a CSV file")
    with pytest.raises(Refused, match="has no column 'heigth'; did you mean 'height'"):
        written(tmp_path, "age,height\n1,2\n").texts("heigth")
