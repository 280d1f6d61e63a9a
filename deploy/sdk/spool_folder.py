"""The folder of a spool: one subfolder for each process, locked by it, and `refused` for what is never delivered.

A lock ends with its process, however that ends (flock), so a process that finds a subfolder without a lock adopts it.
"""

import base64
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"
_REFUSED: Final = "refused"

log: Final = logging.getLogger("touchline.sdk")


class ProcessFolder:
    """A subfolder whose lock this process holds."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def files(self) -> list[Path]:
        """The files of records, oldest first."""
        return sorted(self.path.glob("*.log"))

    def file(self, number: int) -> Path:
        """The file with this number."""
        return self.path / f"{number:012d}.log"

    def release(self) -> None:
        """Let the lock go; the folder goes too if no file of records is in it."""
        if not self.files():
            with suppress(OSError):  # a process that adopts it now removes it
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        os.close(self._lock)

    def abandon(self) -> None:
        """Close a child's copy of its parent's lock; the parent still holds it."""
        os.close(self._lock)


class SpoolFolder:
    """The folder that all processes of one source share."""

    def __init__(self, path: Path) -> None:
        """Make the folder if it is missing. Raises OSError."""
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self) -> ProcessFolder:
        """A subfolder for this process. Names sort by the time at which they were made.

        Raises OSError, and then made nothing.
        """
        with self._alone():
            number = 0
            while True:
                path = self.path / f"{time.time_ns():020d}-{os.getpid()}-{number}"
                try:
                    path.mkdir(mode=0o700)
                except FileExistsError:
                    number += 1
                else:
                    try:
                        lock = locked(path)
                    except OSError:
                        path.rmdir()
                        raise
                    assert lock is not None  # nobody else locks while we are alone
                    return ProcessFolder(path, lock)

    def adopt(self) -> list[ProcessFolder]:
        """The subfolders of processes that are gone, oldest first, locked by this process from now on.

        Raises OSError, and then locked none.
        """
        with self._alone():
            found: list[ProcessFolder] = []
            for path in sorted(self.path.iterdir()):
                if path.name in (_LOCK, _REFUSED) or not path.is_dir():
                    continue
                try:
                    lock = locked(path)
                except OSError:
                    for folder in found:
                        folder.release()
                    raise
                if lock is not None:
                    found.append(ProcessFolder(path, lock))
            return found

    def set_file_aside(self, path: Path, why: str) -> None:
        """Move a file of records that must not be delivered into `refused`, and say so in the log."""
        kept = self._refused() / f"{path.parent.name}-{path.name}"
        log.error("%s is not delivered: %s; it is kept as %s", path, why, kept)
        path.rename(kept)

    def set_record_aside(self, key: bytes, value: bytes, error: str) -> None:
        """Add a record that the broker never takes to `refused/records.jsonl`."""
        line = {"error": error, "key": key.decode(), "value": base64.b64encode(value).decode()}
        descriptor = os.open(self._refused() / "records.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _refused(self) -> Path:
        path = self.path / _REFUSED
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process makes or adopts a subfolder: a new one is not adopted before it is locked."""
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def locked(path: Path) -> int | None:
    """The descriptor that holds a subfolder's lock; None if another process has it, or has removed the subfolder."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
