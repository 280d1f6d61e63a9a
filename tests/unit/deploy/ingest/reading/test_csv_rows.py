"""A broken CSV row costs only itself: it is counted, and all rows after it arrive."""

import codecs
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.ingest.reading import csv_rows, lines
from deploy.ingest.reading.csv_rows import MAX_CELL, MAX_ROW_LINES, Row, UnclosedQuote, read_rows
from deploy.ingest.reading.files import Layout, read_entries
from deploy.ingest.reading.lines import Lines, SourceError, is_encoding
from schemas.errors import Reason

GOOD = [["1", f"row {number}"] for number in range(1000)]
GOOD_TEXT = "".join(f"1,row {number}\n" for number in range(1000))


def rows(text: str | bytes, encoding: str = "utf-8") -> list[Row]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_rows(Lines("a.csv", io.BytesIO(data), encoding)))


def reasons(found: list[Row]) -> list[Reason]:
    return [row.error.reason for row in found if row.error is not None]


def kept(found: list[Row]) -> list[list[str]]:
    return [row.cells for row in found if row.error is None]


@pytest.mark.parametrize(
    "bad",
    [
        '1,"' + "x" * (MAX_CELL + 1) + '"\n',
        "1," + "x" * (MAX_CELL + 1) + "\n",
        '1,"' + "x" * 5_000_000 + '"\n',
        '1,"never closes\n',
        '"never closes\n',
        '1,"closed"too late\n',
        '1,"\n',
        '1,"""\n',
    ],
    ids=lambda bad: bad[:14] + str(len(bad)),
)
@pytest.mark.parametrize("before", ["", "1,first\n"])
def test_a_thousand_good_rows_after_a_bad_one_all_arrive(before: str, bad: str) -> None:
    found = rows(before + bad + GOOD_TEXT)
    assert kept(found)[bool(before) :] == GOOD
    assert len(reasons(found)) == 1
    (broken,) = (row for row in found if row.error is not None)
    assert broken.line == (2 if before else 1)


def test_a_quote_that_never_closes_is_found_after_200_lines_and_named_as_one() -> None:
    (broken, *rest) = rows('1,"slip\n' + GOOD_TEXT)
    assert isinstance(broken.error, UnclosedQuote)
    assert str(broken.error) == "a quoted cell does not close: the row goes on after 200 lines"
    assert (broken.line, broken.text) == (1, '1,"slip')
    assert [row.line for row in rest] == list(range(2, 1002))


@pytest.mark.parametrize("after", range(1, 5))
def test_a_quote_that_never_closes_before_a_short_end_takes_no_row_with_it(after: int) -> None:
    found = rows('1,"slip\n' + "1,good\n" * after)
    assert isinstance(found[0].error, UnclosedQuote)
    assert kept(found) == [["1", "good"]] * after


def test_a_quote_that_meets_another_one_costs_the_first_row_alone() -> None:
    found = rows('1,"slip\n1,good\n1,"quoted"\n1,good\n')
    assert kept(found) == [["1", "good"], ["1", "quoted"], ["1", "good"]]
    assert [row.line for row in found if row.error is not None] == [1]


def test_every_row_may_have_a_slip() -> None:
    found = rows('1,"slip\n' * 500)
    assert len(reasons(found)) == 500


def test_a_row_of_exactly_the_limits_is_taken() -> None:
    long = "x" * MAX_CELL
    tall = "\n".join(["y"] * MAX_ROW_LINES)
    assert kept(rows(f'1,{long}\n1,"{long}"\n1,"{tall}"\n')) == [["1", long], ["1", long], ["1", tall]]


def test_many_cells_below_the_limit_may_be_more_than_it_together() -> None:
    cells = ["x\n" * 80 for _ in range(2)] + ["y" * 60_000 for _ in range(5)]
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    assert kept(rows(text.getvalue())) == [cells]


def test_a_row_over_several_lines_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_LINE_BYTES", 1000)
    found = rows('1,"' + ("x" * 400 + "\n") * 4 + '"\n1,good\n')
    assert isinstance(found[0].error, UnclosedQuote)
    assert kept(found)[-1] == ["1", "good"]


def test_a_quoted_cell_that_reaches_an_endless_line_costs_its_row_and_that_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 4096)
    found = rows('1,"slip\n1,' + "x" * 10_000 + "\n1,good\n")
    assert [row.error is not None for row in found] == [True, True, False]
    assert found[1].error is not None
    assert found[1].error.reason is Reason.TOO_LARGE


def test_a_line_that_is_not_utf_8_spoils_its_row_only() -> None:
    found = rows(b'1,"a\n\xff"\n1,good\n')
    assert reasons(found) == [Reason.UNDECODABLE]
    assert kept(found) == [["1", "good"]]
    assert found[0].text == '1,"a\n\\xff"'


texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=2)


@given(st.lists(texts, max_size=20))
def test_whatever_a_csv_writer_writes_is_read_as_it_was(written: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(written)
    assert kept(rows(text.getvalue())) == written


pieces = st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "bc", '"\n', '\n"', ' "'])


@given(st.lists(pieces, max_size=60).map("".join))
def test_whatever_the_text_every_line_is_in_one_row_or_blank(text: str) -> None:
    found = rows(text)
    taken = [line for row in found for line in range(row.line, row.line + row.text.count("\n") + 1)]
    assert len(taken) == len(set(taken))
    blank = {n for n, line in enumerate(text.split("\n"), start=1) if not line.strip("\r")}
    assert set(range(1, text.count("\n") + 2)) - set(taken) <= blank


@pytest.mark.parametrize(
    "encoding", ["windows-1252", "iso-8859-15", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"]
)
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("x,y\n1,Müller\n2,\n".encode(encoding))
    layout = Layout(encoding=codecs.lookup(encoding).name)
    found = [entry.value for entry in read_entries(str(path), "csv", layout)]
    assert found == [{"x": "1", "y": "Müller"}, {"x": "2", "y": ""}]


def test_a_row_that_is_not_of_the_encoding_is_rejected_and_a_utf_16_file_ends_with_a_sentence() -> None:
    assert reasons(rows(b"1,\x81\n1,good\n", "windows-1252")) == [Reason.UNDECODABLE]
    with pytest.raises(SourceError, match="cannot be read beyond line"):
        rows("1,good\n".encode("utf-16") + b"\x00\xd8\x00", "utf-16")


@pytest.mark.parametrize(
    ("name", "known"), [("latin-1", True), ("klingon", False), ("rot13", False), ("hex", False)]
)
def test_an_encoding_is_known_if_text_can_be_written_in_it(name: str, known: bool) -> None:
    assert is_encoding(name) is known


def test_names_of_columns_are_trimmed_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x, y \n1, 2 \n")
    assert [entry.value for entry in read_entries(str(path), "csv")] == [{"x": "1", "y": " 2 "}]
    kept_names = read_entries(str(path), "csv", Layout(trim=False))
    assert [entry.value for entry in kept_names] == [{"x": "1", " y ": " 2 "}]
