"""A stream of bytes as numbered lines of text, each of bounded length and with its error, if it has one."""

import codecs
import io
import zlib
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from schemas.errors import ContractError, Reason, TouchlineError
from schemas.touchpoint.intake import MAX_JSON_BYTES

MAX_LINE_BYTES: Final = MAX_JSON_BYTES
#: Bytes that are kept of a line that is too long.
KEPT_BYTES: Final = 1000

_CHUNK_BYTES: Final = 64 * 1024
#: How files begin that hold no lines of text.
_FOREIGN: Final = (
    (b"\x1f\x8b", "a gzip file", "let its name end with .gz"),
    (b"PK\x03\x04", "an Excel or ZIP file", "save it as CSV"),
    (b"PAR1", "a Parquet file", "let its name end with .parquet"),
)
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
#: Bytes after which a file without a mark is known to be UTF-16.
_UTF16_SURE: Final = 16
_ASCII: Final = "".join(map(chr, range(128)))


class SourceError(TouchlineError):
    """A file of events cannot be read (further). Response: stop; the text names the file and the fix."""


class Position(NamedTuple):
    """How far a file is read, and what was read: an interrupted import goes on from there, if the file is the same."""

    line: int = 0  #: lines (of a Parquet file: rows) before it
    offset: int = 0  #: bytes before it, inflated; in UTF-8 if the file's encoding ends its lines unlike ASCII
    checksum: int = 0  #: CRC-32 of these bytes


START: Final = Position()


@dataclass(frozen=True)
class Line:
    """One line with its end, or the beginning of one that is too long."""

    number: int  #: from 1
    text: str
    error: ContractError | None = None
    end: Position = START  #: behind the line


class Lines:
    """An iterator of the lines of a stream.

    It raises SourceError if the stream cannot be read further, or begins as no text of that encoding does.
    """

    def __init__(self, name: str, stream: IO[bytes], encoding: str = "utf-8") -> None:
        """`name` is for errors."""
        if not _ends_lines_as_ascii(encoding):
            stream, encoding = io.BufferedReader(_Recoded(stream, encoding)), "utf-8"  # type: ignore[type-var]
        self._name = name
        self._stream = stream
        self._encoding = encoding
        self._at = START

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Line:
        raw, error = self._raw_line()
        if not raw:
            raise StopIteration
        number = self._at.line
        if number == 1 and self._encoding == "utf-8":
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError:
            error = error or ContractError(Reason.UNDECODABLE, f"the line is not {self._encoding.upper()}")
            text = raw.decode("ascii", errors="backslashreplace")
        return Line(number, text, error, self._at)

    def skip_to(self, position: Position) -> None:
        """Go on behind `position`. Raises SourceError if what stands before it is not what was read then."""
        while self._at.offset < position.offset and self._raw_line()[0]:
            pass
        if self._at != position:
            raise changed(self._name, position)

    def _raw_line(self) -> tuple[bytes, ContractError | None]:
        """The bytes of the next line, cut if there are too many; none at the end."""
        raw = self._read()
        if not raw:
            return raw, None
        line, offset, checksum = self._at
        if line == 0:
            _check_beginning(self._name, raw, self._encoding)
        offset, checksum = offset + len(raw), zlib.crc32(raw, checksum)
        error = None
        if len(raw) == MAX_LINE_BYTES and raw[-1:] != b"\n":
            error = ContractError(Reason.TOO_LARGE, f"the line is longer than {MAX_LINE_BYTES} bytes")
            while rest := self._read():
                offset, checksum = offset + len(rest), zlib.crc32(rest, checksum)
                if rest[-1:] == b"\n":
                    break
            raw = raw[:KEPT_BYTES]
        self._at = Position(line + 1, offset, checksum)
        return raw, error

    def _read(self) -> bytes:
        try:
            return self._stream.readline(MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise SourceError(f"{self._name} cannot be read beyond line {self._at.line}: {error}") from error


def changed(name: str, position: Position) -> SourceError:
    """The error of a file that is not the one of which an interrupted import has read up to `position`."""
    return SourceError(
        f"{name} is not the file that the interrupted import read: its first {position.line:,} lines are not the same:"
        " publish it without --resume, nothing is counted twice"
    )


def _check_beginning(name: str, raw: bytes, encoding: str) -> None:
    for begin, what, fix in _FOREIGN:
        if raw.startswith(begin):
            raise SourceError(f"{name} begins as {what} does: {fix}")
    if encoding == "utf-8":
        for begin, found in _MARKS:
            if raw.startswith(begin):
                raise SourceError(_other_encoding(name, found))
        for first, found in ((1, "utf-16-le"), (0, "utf-16-be")):
            # ASCII characters, each with a zero byte before or behind it
            if (
                len(raw) >= _UTF16_SURE
                and not any(raw[first:_UTF16_SURE:2])
                and all(raw[1 - first : _UTF16_SURE : 2])
            ):
                raise SourceError(_other_encoding(name, found))


def _other_encoding(name: str, encoding: str) -> str:
    return f'{name} is written in {encoding.upper()}: add encoding = "{encoding}" to the mapping, or save it as UTF-8'


def is_encoding(name: str) -> bool:
    """Whether text files can be written in the encoding of this name."""
    try:
        return "a,\n".encode(name).decode(name) == "a,\n"
    except (LookupError, UnicodeError):
        return False


def _ends_lines_as_ascii(encoding: str) -> bool:
    """Whether a byte 0A always ends a line, as in UTF-8 and the code pages; not so in UTF-16."""
    return _ASCII.encode(encoding, "replace") == _ASCII.encode()


class _Recoded(io.RawIOBase):
    """A stream in another encoding, as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._waiting = b""
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill the buffer. Raises UnicodeError for bytes that are not of the encoding."""
        while not self._waiting and not self._ended:
            chunk = self._stream.read(_CHUNK_BYTES)
            self._ended = not chunk
            self._waiting = self._decoder.decode(chunk, self._ended).encode()
        taken = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
