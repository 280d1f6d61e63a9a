"""The spool: a journal on the disk. What is in it survives the process, and Kafka gets it in the order of acceptance.

What processes that are gone have left comes first. A file is deleted when Kafka has acknowledged all of it.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.sdk.errors import QueueFullError
from deploy.sdk.journal import Entry
from deploy.sdk.segment import DamagedError, Mark, Segment
from deploy.sdk.spool_folder import ProcessFolder, SpoolFolder

#: A file of this size gets no further record.
SEGMENT_BYTES: Final = 4 * 1024 * 1024


class _Part:
    """A file of the journal, with the offset up to which it was read."""

    def __init__(self, segment: Segment, folder: ProcessFolder, *, own: bool) -> None:
        self.segment = segment
        self.folder = folder
        self.own = own
        self.read = segment.acknowledged
        self.end = segment.size  #: of what can be read: a record that was cut off at the end is not there


class Spool:
    """A Journal on the disk, at most `limit` bytes of it with what it has adopted."""

    def __init__(self, folder: Path, limit: int, mark: Mark, *, sync: bool) -> None:
        """Raise OSError if the folder cannot be used."""
        self._folder = SpoolFolder(folder)
        self._limit = limit
        self._mark = mark
        self._sync = sync
        self._numbers = 0
        self._unverified: set[Mark] = set()
        self._parts: deque[_Part] = deque()
        self._home = self._folder.create()
        self._begin_file()
        self.adopt()

    @property
    def unverified(self) -> tuple[Mark, ...]:
        """The pseudonymisation keys of what was adopted, which Kafka must know before `read` may be called."""
        return tuple(self._unverified)

    def adopt(self) -> None:
        """Take over what processes that are gone have left, before what this process accepts next."""
        adopted = []
        for folder in self._folder.adopt():
            parts = [part for path in folder.files() if (part := self._opened(path, folder)) is not None]
            if not parts:
                folder.release()
            adopted += parts
        self._unverified |= {part.segment.mark for part in adopted} - {self._mark, Mark("", "")}
        self._parts.extendleft(reversed(adopted))

    def verified(self, mark: Mark, refusal: str | None) -> None:
        """Note what Kafka said of a key: with a refusal, everything under the key is set aside."""
        self._unverified.discard(mark)
        if refusal is not None:
            for part in [part for part in self._parts if part.segment.mark == mark]:
                self._set_aside(part, refusal)

    def append(self, key: bytes, value: bytes) -> None:
        """See Journal."""
        size = len(key) + len(value)
        last = self._parts[-1]
        full = self._bytes() + size > self._limit
        if last.segment.size >= SEGMENT_BYTES or (full and last.segment.acknowledged == last.segment.size):
            self._begin_file()
            self._trim()
            full = self._bytes() + size > self._limit
        if full:
            raise QueueFullError(
                f"the spool {self._folder.path} holds {self._bytes():,} bytes that Kafka has not acknowledged, and"
                " spool_bytes allows no more: the touchpoint was not accepted"
            )
        part = self._parts[-1]
        try:
            part.segment.append(key, value, sync=self._sync)
        except OSError as error:
            raise QueueFullError(
                f"the spool {self._folder.path} cannot be written ({error.strerror}): the touchpoint was not accepted"
            ) from error
        part.end = part.segment.size

    def read(self, count: int, size: int) -> list[Entry]:
        """See Journal."""
        found: list[Entry] = []
        for part in tuple(self._parts):
            while part.read < part.end and len(found) < count and size > 0:
                try:
                    stored = part.segment.read(part.read, size)[: count - len(found)]
                except DamagedError as error:
                    self._set_aside(part, str(error))
                    break
                if not stored:  # only the cut-off beginning of a record is left
                    part.end = part.read
                    break
                found += [Entry(key, value, part.own, (part, end)) for key, value, end in stored]
                part.read = stored[-1].end
                size -= sum(len(one.value) for one in stored)
        self._trim()
        return found

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """See Journal."""
        ends = dict(entry.where for entry in entries if entry.where is not None)
        for part in [part for part in self._parts if part in ends]:  # else it was set aside in between
            part.segment.acknowledge(ends[part])
        self._trim()

    def set_aside(self, entry: Entry, error: str) -> None:
        """See Journal."""
        self._folder.set_record_aside(entry.key, entry.value, error)

    def rewind(self) -> None:
        """See Journal."""
        for part in self._parts:
            part.read = part.segment.acknowledged

    def close(self) -> None:
        """See Journal."""
        for part in self._parts:
            if part.segment.acknowledged >= part.end:
                part.segment.remove()
            else:
                part.segment.close()
        for folder in {part.folder for part in self._parts} | {self._home}:
            folder.release()
        self._parts.clear()

    def abandon(self) -> None:
        """See Journal."""
        held: list[Segment | ProcessFolder] = [part.segment for part in self._parts]
        held += {part.folder for part in self._parts} | {self._home}
        for one in held:
            with suppress(OSError):  # a thread of the parent has just closed it
                one.abandon()
        self._parts.clear()

    def _bytes(self) -> int:
        return sum(part.segment.size for part in self._parts)

    def _begin_file(self) -> None:
        self._numbers += 1
        try:
            segment = Segment.create(self._home.file(self._numbers), self._mark)
        except OSError as error:
            if not self._parts:
                raise
            raise QueueFullError(
                f"the spool {self._folder.path} cannot be written ({error.strerror}): the touchpoint was not accepted"
            ) from error
        self._parts.append(_Part(segment, self._home, own=True))

    def _opened(self, path: Path, folder: ProcessFolder) -> _Part | None:
        try:
            return _Part(Segment.open(path), folder, own=False)
        except DamagedError as error:
            self._folder.set_file_aside(path, str(error))
            return None

    def _trim(self) -> None:
        """Delete the files of which Kafka has everything; the last one stays to be written."""
        while len(self._parts) > 1 and self._parts[0].segment.acknowledged >= self._parts[0].end:
            part = self._parts.popleft()
            part.segment.remove()
            self._released(part)

    def _set_aside(self, part: _Part, why: str) -> None:
        if part is self._parts[-1]:
            self._begin_file()
        self._parts.remove(part)
        part.segment.close()
        with suppress(FileNotFoundError):
            self._folder.set_file_aside(part.segment.path, why)
        self._released(part)

    def _released(self, part: _Part) -> None:
        if part.folder is not self._home and all(other.folder is not part.folder for other in self._parts):
            part.folder.release()
