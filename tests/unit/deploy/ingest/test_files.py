"""Reading files of events: a bad line never ends a file, and a file that cannot be read is one sentence."""

import gzip
import io
from pathlib import Path

import pytest

from deploy.ingest import lines
from deploy.ingest.files import Entry, Layout, format_of, read_entries
from deploy.ingest.lines import SourceError
from schemas.errors import Reason


def entries(path: Path, text: bytes, delimiter: str = ",") -> list[Entry]:
    path.write_bytes(text)
    return list(read_entries(str(path), format_of(str(path)), Layout(delimiter)))


def test_json_lines_are_numbered_and_blank_ones_are_skipped(tmp_path: Path) -> None:
    found = entries(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\n\n  \r\n{"a": 2}\r\n{"a": 3}')
    assert [(entry.line, entry.value) for entry in found] == [(1, {"a": 1}), (4, {"a": 2}), (5, {"a": 3})]
    assert found[1].text == '{"a": 2}'


@pytest.mark.parametrize(
    "bad", [b"{", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\xff"}', b"\x00"]
)
def test_a_bad_line_is_an_entry_with_a_reason_and_the_next_is_read(tmp_path: Path, bad: bytes) -> None:
    first, second = entries(tmp_path / "a.jsonl", bad + b'\n{"a": 1}\n')
    assert first.error is not None
    assert first.error.reason is Reason.UNDECODABLE
    assert (second.line, second.value, second.error) == (2, {"a": 1}, None)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_endless_line_is_refused_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 4096)
    header = b"" if name == "a.jsonl" else b"a\n"
    found = entries(tmp_path / name, header + b"1\n" + b"5" * 50_000 + b"\n7\n")
    assert [entry.error is None for entry in found] == [True, False, True]
    assert found[1].error is not None
    assert found[1].error.reason is Reason.TOO_LARGE
    assert len(found[1].text) <= 1000


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 8)
    assert [entry.value for entry in entries(tmp_path / "a.jsonl", b"1234567\n12\n")] == [1234567, 12]


def test_csv_rows_are_named_by_the_header_and_may_span_lines(tmp_path: Path) -> None:
    found = entries(tmp_path / "a.csv", b'x,y\r\n1,"a\nb"\r\n\r\n2,\r\n')
    assert [(entry.line, entry.value) for entry in found] == [
        (2, {"x": "1", "y": "a\nb"}),
        (5, {"x": "2", "y": ""}),
    ]
    assert found[0].text == '1,"a\nb"'


@pytest.mark.parametrize("bad", [b"1", b"1,2,3", b'1,"a"b', b"\xff,2"])
def test_a_bad_row_is_an_entry_with_a_reason_and_the_next_is_read(tmp_path: Path, bad: bytes) -> None:
    found = entries(tmp_path / "a.csv", b"x,y\n" + bad + b"\n3,4\n")
    assert found[0].error is not None
    assert (found[0].line, found[0].error.reason) == (2, Reason.UNDECODABLE)
    assert found[1].value == {"x": "3", "y": "4"}


def test_another_delimiter_may_be_said(tmp_path: Path) -> None:
    assert entries(tmp_path / "a.csv", b"x;y\n1;2\n", ";")[0].value == {"x": "1", "y": "2"}


def test_a_gzipped_file_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    assert entries(tmp_path / "a.csv.gz", gzip.compress(b"x\n1\n"))[0].value == {"x": "1"}


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n')))
    assert [entry.value for entry in read_entries("-", format_of("-"))] == [{"a": 1}]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-12], "beyond line"),
        ("a.jsonl.gz", b"not gzip", "beyond line 0"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"x,x\n", "once"),
        ("a.csv", b"x,\n", "once"),
        ("a.csv", b'"x"y\n', "does not name columns"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        entries(tmp_path / name, content)


def test_a_missing_file_and_an_unknown_extension_are_one_sentence_each(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        list(read_entries(str(tmp_path / "none.jsonl"), "jsonl"))
    with pytest.raises(SourceError, match="--format"):
        format_of("a.xlsx")
