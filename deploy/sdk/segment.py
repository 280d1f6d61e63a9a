"""One file of the spool: a header, then records, each with its length and checksum. Only the last file grows.

Layout, little-endian, where each part ends with its own CRC-32:
- "TLSPOOL1", 32 bytes of the name of the pseudonymisation key, 32 of its check value;
- 8 bytes of the offset up to which Kafka has acknowledged;
- for each record 4 bytes length and 4 bytes CRC-32 of its payload; behind them the payload, without another CRC-32:
  2 bytes length of the key, the key and the value.

The length has a checksum of its own because a writer that is killed cuts a record off: a length that points behind the
end of the file says so only if the length itself is whole.
"""

import os
import zlib
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

_ORIGIN: Final = Struct("<8s32s32s")
_OFFSET: Final = Struct("<Q")
_HEAD: Final = Struct("<II")
_CHECKSUM: Final = Struct("<I")
_ACKNOWLEDGED_AT: Final = _ORIGIN.size + _CHECKSUM.size
_HEADER_BYTES: Final = _ACKNOWLEDGED_AT + _OFFSET.size + _CHECKSUM.size
_HEAD_BYTES: Final = _HEAD.size + _CHECKSUM.size
_KEY: Final = Struct("<H")
_MAGIC: Final = b"TLSPOOL1"
#: A record says its length before its checksum can be tested; no accepted record is longer.
_MAX_RECORD: Final = 4 * 1024 * 1024
_READ_BYTES: Final = 256 * 1024


class Mark(NamedTuple):
    """Name and check value of the key under which a file's records are pseudonymised; both empty for none."""

    key_id: str
    check: str


class Stored(NamedTuple):
    """A record, and the offset in its file after it."""

    key: bytes
    value: bytes
    end: int


class DamagedError(Exception):
    """A file holds bytes that no writer wrote. Response: keep the file, deliver the others."""


class Segment:
    """One file, open. Its descriptor is not inherited by programs that the process starts."""

    def __init__(self, path: Path, descriptor: int, size: int, acknowledged: int, mark: Mark) -> None:
        self.path = path
        self.size = size  #: bytes, header included
        self.acknowledged = acknowledged  #: offset: Kafka has all records before it
        self.mark = mark
        self._file = descriptor

    @classmethod
    def create(cls, path: Path, mark: Mark) -> "Segment":
        """A new, empty file that only its owner may read. Raises OSError, and then made nothing."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        origin = _ORIGIN.pack(_MAGIC, mark.key_id.encode(), mark.check.encode())
        header = _checked(origin) + _checked(_OFFSET.pack(_HEADER_BYTES))
        try:
            write_at(descriptor, header, 0)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return cls(path, descriptor, _HEADER_BYTES, _HEADER_BYTES, mark)

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """A file of a process that is gone. Raises DamagedError, OSError."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            acknowledged, mark = _header(path, os.pread(descriptor, _HEADER_BYTES, 0), size)
        except (DamagedError, OSError):
            os.close(descriptor)
            raise
        return cls(path, descriptor, size, acknowledged, mark)

    def append(self, key: bytes, value: bytes, *, sync: bool) -> None:
        """Write a record behind the others; with `sync`, also to the disk. Raises OSError, and then wrote nothing."""
        payload = _KEY.pack(len(key)) + key + value
        data = _checked(_HEAD.pack(len(payload), zlib.crc32(payload))) + payload
        try:
            write_at(self._file, data, self.size)
            if sync:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def read(self, offset: int, size: int) -> list[Stored]:
        """Whole records from `offset`, about `size` bytes of them and at least one if there is one.

        A record that the file's end cuts off was never accepted: its writer was killed within the write. Raises
        DamagedError if the first of them is not whole for another reason: what follows it may have been accepted.
        """
        end = self.size
        data = os.pread(self._file, min(max(size, _READ_BYTES), end - offset), offset)
        found: list[Stored] = []
        at = taken = 0
        while at + _HEAD_BYTES <= len(data):
            head = _unchecked(data[at : at + _HEAD_BYTES])
            if head is None:
                break
            length, checksum = _HEAD.unpack(head)
            if not _KEY.size <= length <= _MAX_RECORD:
                break
            after = at + _HEAD_BYTES + length
            if after > len(data):
                if found or offset + after > end:
                    return found
                data = os.pread(self._file, after, offset)  # one record larger than what was read
            payload = data[at + _HEAD_BYTES : after]
            if zlib.crc32(payload) != checksum:
                break
            (key_length,) = _KEY.unpack_from(payload)
            key_end = _KEY.size + key_length
            found.append(Stored(payload[_KEY.size : key_end], payload[key_end:], offset + after))
            at, taken = after, taken + length
            if taken >= size:
                return found
        if not found and offset + _HEAD_BYTES <= end:
            raise DamagedError(f"{self.path} is damaged at byte {offset}")
        return found

    def acknowledge(self, offset: int) -> None:
        """Note that Kafka has all records before this offset."""
        self.acknowledged = offset
        write_at(self._file, _checked(_OFFSET.pack(offset)), _ACKNOWLEDGED_AT)

    def close(self) -> None:
        """Close the descriptor; the file stays."""
        os.close(self._file)

    def abandon(self) -> None:
        """Close a child's copy of its parent's descriptor."""
        os.close(self._file)

    def remove(self) -> None:
        """Close, and delete the file."""
        self.close()
        self.path.unlink()


def _header(path: Path, header: bytes, size: int) -> tuple[int, Mark]:
    """The acknowledged offset and the key's mark. Raises DamagedError."""
    if len(header) < _HEADER_BYTES and _MAGIC.startswith(header[: len(_MAGIC)]):
        return size, Mark("", "")  # killed while it wrote the header
    if header[: len(_MAGIC)] != _MAGIC:
        raise DamagedError(f"{path} is no file of a spool")
    origin, offset = _unchecked(header[:_ACKNOWLEDGED_AT]), _unchecked(header[_ACKNOWLEDGED_AT:])
    if origin is None or offset is None:
        raise DamagedError(f"{path} is damaged in its header")
    (acknowledged,) = _OFFSET.unpack(offset)
    if not _HEADER_BYTES <= acknowledged <= size:
        raise DamagedError(
            f"{path} ends at byte {size}, before byte {acknowledged} that Kafka has acknowledged"
        )
    _, key_id, check = _ORIGIN.unpack(origin)
    return acknowledged, Mark(key_id.rstrip(b"\0").decode(), check.rstrip(b"\0").decode())


def _checked(data: bytes) -> bytes:
    return data + _CHECKSUM.pack(zlib.crc32(data))


def _unchecked(data: bytes) -> bytes | None:
    """What `_checked` was given; None if it is damaged."""
    content = data[: -_CHECKSUM.size]
    return content if data == _checked(content) else None


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset of a file. Raises OSError."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)
