"""A lock file: one `touchline up` a folder, since a second one would overwrite the files of the first."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import UnavailableError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder, which is made if it does not exist. The kernel releases the lock when this process ends.

    Raises UnavailableError when another process holds it, or when it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be used for data: {error.strerror}") from error
    try:
        _hold(folder, descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise UnavailableError(
            f"{folder} is in use by another `touchline up`, process {holder}: stop that one, or name another --data"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
