"""One file of the spool: a header, then records, each with its length and checksum. Only the last file grows.

Layout, little-endian: "TLSPOOL1", 8 bytes of the offset up to which Kafka has acknowledged, 32 bytes of the name of
the pseudonymisation key and 32 of its check value; then records of 4 bytes length, 4 bytes CRC-32, 2 bytes length of
the key, the key and the value.
"""

import os
import zlib
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

_HEADER: Final = Struct("<8sQ32s32s")
_RECORD: Final = Struct("<II")
_KEY: Final = Struct("<H")
_MAGIC: Final = b"TLSPOOL1"
_ACKNOWLEDGED_AT: Final = 8
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
        """A new, empty file that only its owner may read. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        header = _HEADER.pack(_MAGIC, _HEADER.size, mark.key_id.encode(), mark.check.encode())
        write_at(descriptor, header, 0)
        return cls(path, descriptor, _HEADER.size, _HEADER.size, mark)

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """A file of a process that is gone. Raises DamagedError, OSError."""
        descriptor = os.open(path, os.O_RDWR)
        size = os.fstat(descriptor).st_size
        header = os.pread(descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size and _MAGIC.startswith(header[: len(_MAGIC)]):
            return cls(path, descriptor, size, size, Mark("", ""))  # killed while it wrote the header
        if header[: len(_MAGIC)] != _MAGIC:
            os.close(descriptor)
            raise DamagedError(f"{path} is no file of a spool")
        _, acknowledged, key_id, check = _HEADER.unpack(header)
        mark = Mark(
            key_id.rstrip(b"\0").decode("ascii", "replace"), check.rstrip(b"\0").decode("ascii", "replace")
        )
        return cls(path, descriptor, size, min(max(acknowledged, _HEADER.size), size), mark)

    def append(self, key: bytes, value: bytes, *, sync: bool) -> None:
        """Write a record behind the others; with `sync`, also to the disk. Raises OSError, and then wrote nothing."""
        payload = _KEY.pack(len(key)) + key + value
        data = _RECORD.pack(len(payload), zlib.crc32(payload)) + payload
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

        A record that the file's end cuts off was never accepted: its writer was killed within the write.
        Raises DamagedError if the first of them is not whole for another reason.
        """
        end = self.size
        data = os.pread(self._file, min(max(size, _READ_BYTES), end - offset), offset)
        found: list[Stored] = []
        at = taken = 0
        while at + _RECORD.size <= len(data):
            length, checksum = _RECORD.unpack_from(data, at)
            if not _KEY.size <= length <= _MAX_RECORD:
                break
            after = at + _RECORD.size + length
            if after > len(data):
                if found or offset + after > end:
                    return found
                data = os.pread(self._file, after, offset)  # one record larger than what was read
            payload = data[at + _RECORD.size : after]
            if zlib.crc32(payload) != checksum:
                break
            (key_length,) = _KEY.unpack_from(payload)
            key_end = _KEY.size + key_length
            found.append(Stored(payload[_KEY.size : key_end], payload[key_end:], offset + after))
            at, taken = after, taken + length
            if taken >= size:
                return found
        if not found and at + _RECORD.size <= len(data):
            raise DamagedError(f"{self.path} is damaged at byte {offset}")
        return found

    def acknowledge(self, offset: int) -> None:
        """Note that Kafka has all records before this offset."""
        self.acknowledged = offset
        write_at(self._file, offset.to_bytes(8, "little"), _ACKNOWLEDGED_AT)

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


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset of a file. Raises OSError."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)
