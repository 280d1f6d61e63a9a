"""Checkpoint files: a part of a worker's state on the local disk, so that a restart reads only a changelog's tail.

A file is written beside the old one, synced, and takes its place by a rename, so a kill at any byte leaves the old file
or the new one. It ends with a digest of all its bytes: a truncated or damaged file is refused, never used in part.
"""

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, Final
from uuid import uuid4

from schemas.errors import TouchlineError
from streams.runtime.transaction import Change

_MAGIC: Final = b"touchline checkpoint\n"
_DIGEST_BYTES: Final = 32
_LENGTH: Final = Struct(">Q")
_UNFINISHED: Final = ".part"


class CheckpointError(TouchlineError):
    """A checkpoint cannot be used; the changelog has everything that is in it."""


class CheckpointFolder:
    """The checkpoint files of one worker, by topic partition."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first file is written."""
        self._folder = folder

    def write(self, topic: str, partition: int, about: Mapping[str, Any], sections: Sequence[bytes]) -> None:
        """Replace the file of a topic partition. `about` must fit JSON. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(topic, partition)
        unfinished = path.with_name(f"{path.name}.{uuid4().hex}{_UNFINISHED}")
        try:
            with open(unfinished, "xb", opener=_private) as file:
                digest = blake2b(digest_size=_DIGEST_BYTES)
                for part in (_beginning(about, sections), *sections):
                    digest.update(part)
                    file.write(part)
                file.write(digest.digest())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._sync()

    def read(self, topic: str, partition: int) -> tuple[dict[str, Any], list[bytes]] | None:
        """`about` and the sections of a topic partition's file; None if there is no file.

        Removes what an interrupted `write` has left behind. Raises CheckpointError for a file that is not as it was
        written, OSError if it cannot be read.
        """
        path = self._path(topic, partition)
        for left in self._folder.glob(f"{path.name}.*{_UNFINISHED}"):
            left.unlink(missing_ok=True)
        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None

    def _path(self, topic: str, partition: int) -> Path:
        return self._folder / f"{topic}-{partition}.checkpoint"

    def _sync(self) -> None:
        """Let the rename outlive a loss of power."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _private(path: str, flags: int) -> int:
    """Open a file for its owner only: journeys are personal data."""
    return os.open(path, flags, 0o600)


def _beginning(about: Mapping[str, Any], sections: Sequence[bytes]) -> bytes:
    head = json.dumps({"about": about, "sections": [len(section) for section in sections]}).encode()
    return _MAGIC + _LENGTH.pack(len(head)) + head


def decode(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """`about` and the sections of a whole file. Raises CheckpointError."""
    if not data.startswith(_MAGIC):
        raise CheckpointError("it is no checkpoint")
    whole = memoryview(data)
    body, digest = whole[:-_DIGEST_BYTES], whole[-_DIGEST_BYTES:]
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        raise CheckpointError("it is damaged or was cut off")
    at = len(_MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack(body[len(_MAGIC) : at])
    head = json.loads(bytes(body[at : at + length]))
    at += length
    sections = []
    for size in head["sections"]:
        sections.append(bytes(body[at : at + size]))
        at += size
    return head["about"], sections


def join_changes(changes: Sequence[Change]) -> bytes:
    """Changelog records as bytes, as `split_changes` reads them."""
    parts = []
    for key, value in changes:
        parts += [
            _LENGTH.pack(len(key)), key,
            _LENGTH.pack(0 if value is None else len(value) + 1), value or b"",
        ]  # fmt: skip
    return b"".join(parts)


def split_changes(data: bytes) -> list[Change]:
    """Back from `join_changes`. Raises struct.error for other bytes."""
    found: list[Change] = []
    at = 0

    def take() -> tuple[int, int]:
        (length,) = _LENGTH.unpack_from(data, at)
        return at + _LENGTH.size, length

    while at < len(data):
        start, length = take()
        key, at = data[start : start + length], start + length
        start, length = take()
        value, at = (None, start) if not length else (data[start : start + length - 1], start + length - 1)
        found.append((key, value))
    return found
