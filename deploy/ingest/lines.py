"""A stream of bytes as numbered lines of text, each of bounded length and with its error, if it has one."""

import codecs
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from schemas.errors import ContractError, Reason, TouchlineError
from schemas.touchpoint.intake import MAX_JSON_BYTES

MAX_LINE_BYTES: Final = MAX_JSON_BYTES
#: Bytes that are kept of a line that is too long.
KEPT_BYTES: Final = 1000

_CHUNK_BYTES: Final = 64 * 1024
_ASCII: Final = "".join(map(chr, range(128)))


class SourceError(TouchlineError):
    """A file of events cannot be read (further). Response: stop; the text names the file and the fix."""


@dataclass(frozen=True)
class Line:
    """One line with its end, or the beginning of one that is too long."""

    number: int  #: from 1
    text: str
    error: ContractError | None = None


def read_lines(name: str, stream: IO[bytes], encoding: str = "utf-8") -> Iterator[Line]:
    """The lines of a stream; `name` is for errors. Raises SourceError if it cannot be read further."""
    if not _ends_lines_as_ascii(encoding):
        stream, encoding = io.BufferedReader(_Recoded(stream, encoding)), "utf-8"  # type: ignore[type-var]
    number = 0

    def read() -> bytes:
        try:
            return stream.readline(MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise SourceError(f"{name} cannot be read beyond line {number}: {error}") from error

    while raw := read():
        number += 1
        error = None
        if len(raw) == MAX_LINE_BYTES and raw[-1:] != b"\n":
            error = ContractError(Reason.TOO_LARGE, f"the line is longer than {MAX_LINE_BYTES} bytes")
            while (rest := read()) and rest[-1:] != b"\n":
                pass
            raw = raw[:KEPT_BYTES]
        if number == 1 and encoding == "utf-8":
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            error = error or ContractError(Reason.UNDECODABLE, f"the line is not {encoding.upper()}")
            text = raw.decode("ascii", errors="backslashreplace")
        yield Line(number, text, error)


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
