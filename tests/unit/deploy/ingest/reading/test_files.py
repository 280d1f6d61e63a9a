"""Reading files of events: a bad line never ends a file, and a file that cannot be read is one sentence."""

import codecs
import gzip
import io
from pathlib import Path

import pytest

from deploy.ingest.reading import lines
from deploy.ingest.reading.files import Entry, Layout, format_of, read_entries
from deploy.ingest.reading.lines import SourceError
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


@pytest.mark.parametrize(
    ("begin", "says"),
    [
        ("a,b\n1,2\n".encode("utf-16"), 'a.csv is written in UTF-16: add encoding = "utf-16" to the mapping'),
        (codecs.BOM_UTF16_BE + "a,b\n".encode("utf-16-be"), "is written in UTF-16"),
        ("a,b\n".encode("utf-32"), "is written in UTF-32"),
        ("name,email\n1,2\n".encode("utf-16-le"), "is written in UTF-16-LE"),
        ("name,email\n1,2\n".encode("utf-16-be"), "is written in UTF-16-BE"),
        (gzip.compress(b"a\n1\n", mtime=0), "begins as a gzip file does: let its name end with .gz"),
        (b"PK\x03\x04\x14\x00", "begins as an Excel or ZIP file does: save it as CSV"),
        (b"PAR1\x15\x04", "begins as a Parquet file does: let its name end with .parquet"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_in_another_form_is_one_sentence_that_says_which(
    tmp_path: Path, name: str, begin: bytes, says: str
) -> None:
    with pytest.raises(SourceError, match=says.replace("a.csv", name)):
        entries(tmp_path / name, begin)


def test_a_file_whose_encoding_is_said_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,b\n1,2\n".encode("utf-16"))
    found = list(read_entries(str(tmp_path / "a.csv"), "csv", Layout(encoding="utf-16")))
    assert [entry.value for entry in found] == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", b"x,y\r1,2\r3,4\r"), ("a.jsonl", b'{"a": 1}\r{"a": 2}\r')]
)
def test_a_file_of_carriage_returns_only_is_one_sentence(tmp_path: Path, name: str, text: bytes) -> None:
    with pytest.raises(
        SourceError, match="ends its lines with carriage returns only, as old Macs did: save it with LF"
    ):
        entries(tmp_path / name, text)


@pytest.mark.parametrize("text", [b'{"a":\r1}', b'{"a": 1}\r', b'{"a": 1}\r\n'])
def test_a_carriage_return_within_one_value_is_white_space(tmp_path: Path, text: bytes) -> None:
    assert [entry.value for entry in entries(tmp_path / "a.jsonl", text)] == [{"a": 1}]


def test_tabs_are_between_the_cells_of_a_tsv_file(tmp_path: Path) -> None:
    assert entries(tmp_path / "a.tsv", b"x\ty\n1\t2,3\n", "")[0].value == {"x": "1", "y": "2,3"}
    assert entries(tmp_path / "b.tsv.gz", gzip.compress(b"x\ty\n1\t2\n", mtime=0), "")[0].value == {
        "x": "1",
        "y": "2",
    }


def test_a_file_may_have_no_header_and_quotes_that_are_characters_like_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'5",{"a": 1}\n6,"x\n7\n')
    layout = Layout(header=("size", "json"), quotes=False)
    found = list(read_entries(str(tmp_path / "a.csv"), "csv", layout))
    assert [entry.value for entry in found] == [
        {"size": '5"', "json": '{"a": 1}'}, {"size": "6", "json": '"x'}, None,
    ]  # fmt: skip
    assert str(found[2].error) == "1 columns, the header has 2"
