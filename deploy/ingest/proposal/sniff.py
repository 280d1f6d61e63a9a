"""How a file is written: its format, encoding, delimiter, and whether its first line names the columns."""

import codecs
import csv
import gzip
import io
import zlib
from collections import Counter
from pathlib import Path
from typing import Final

from deploy.ingest.reading.files import Format, Layout, format_of
from deploy.ingest.reading.lines import SourceError

#: Bytes from the beginning of a file that are looked at.
SNIFFED_BYTES: Final = 256 * 1024
DELIMITERS: Final = (",", ";", "\t", "|")

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8"),
)  # fmt: skip


def sniff(name: str) -> tuple[Format, Layout, bool]:
    """Format, layout, and whether the first line names the columns. Raises SourceError if the file cannot be read."""
    try:
        form: Format | None = format_of(name)
    except SourceError:
        form = None
    raw = _beginning(name)
    if form == "parquet" or raw.startswith(b"PAR1"):
        return "parquet", Layout(exact=True), True
    encoding = _encoding(raw)
    text = raw.decode(encoding, "ignore").removeprefix("\ufeff")
    if form == "jsonl" or (form is None and text.lstrip()[:1] in ("{", "[")):
        return "jsonl", Layout(encoding=encoding, exact=True), True
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter)
    named = _names_columns(rows)
    header = () if named or not rows else tuple(f"column_{number}" for number in range(1, len(rows[0]) + 1))
    return "csv", Layout(delimiter, encoding, exact=True, header=header), named


def _beginning(name: str) -> bytes:
    try:
        with Path(name).open("rb") as raw:
            if name.endswith(".gz"):
                with gzip.open(raw) as stream:
                    return stream.read(SNIFFED_BYTES)
            return raw.read(SNIFFED_BYTES)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise SourceError(f"{name} cannot be read: {error}") from error


def _encoding(raw: bytes) -> str:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    even, odd = raw[0:2000:2], raw[1:2000:2]
    if len(raw) >= 16 and odd.count(0) > len(odd) * 0.6:
        return "utf-16-le"
    if len(raw) >= 16 and even.count(0) > len(even) * 0.6:
        return "utf-16-be"
    try:
        # the last character may be cut
        codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(text: str) -> str:
    """The delimiter by which most lines have the same number of cells, more than one."""

    def agreement(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in _rows(text, delimiter))
        width, lines = widths.most_common(1)[0] if widths else (0, 0)
        return (lines / widths.total() if width > 1 else 0.0, width)

    return max(DELIMITERS, key=agreement)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """The first whole rows."""
    lines = text.splitlines(keepends=True)[:200]
    if len(lines) > 1 and len(text) >= SNIFFED_BYTES // 2:
        lines = lines[:-1]
    try:
        return [row for row in csv.reader(io.StringIO("".join(lines)), delimiter=delimiter) if row]
    except csv.Error:
        return []


def _names_columns(rows: list[list[str]]) -> bool:
    """Whether the first row is names: no cell is a number, a time or an e-mail address."""
    return not rows or not any(_is_value(cell.strip()) for cell in rows[0])


def _is_value(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "+-" or "@" in cell
