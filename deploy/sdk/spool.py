"""The spool: a journal on the disk. What is in it survives the process, and Kafka gets it in the order of acceptance.

What processes that are gone have left comes first. A file is deleted when Kafka has acknowledged all of it. A disk that
is full stops only `append`: what is in the spool is still given out, and its delivery frees the disk.
"""

import errno
import logging
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
#: Records of a file whose traces are remembered, in memory: those of its end are sent without theirs.
MOST_TRACES: Final = 1000
#: Of an OSError: the disk, or the user's share of it, is full; later it may not be.
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

log: Final = logging.getLogger("touchline.sdk")


class _Part:
    """A file of the journal, with the offset up to which it was read."""

    def __init__(self, segment: Segment, folder: ProcessFolder, *, own: bool) -> None:
        self.segment = segment
        self.folder = folder
        self.own = own
        self.read = segment.acknowledged
        self.traces: dict[int, bytes] = {}  #: end of a record → its `traceparent`; the disk has none
        self.end = segment.size  #: of what can be read: a record that was cut off at the end is not there

    @property
    def acknowledged(self) -> bool:
        """Whether Kafka has all of it."""
        return self.segment.acknowledged >= self.end


class Spool:
    """A Journal on the disk, at most `limit` bytes of it with what it has adopted."""

    def __init__(self, folder: Path, limit: int, mark: Mark, *, sync: bool) -> None:
        """Adopt what is there, also on a full disk: only `append` then refuses.

        Raises OSError if the folder cannot be used, and then holds nothing.
        """
        self._folder = SpoolFolder(folder)
        self._limit = limit
        self._mark = mark
        self._sync = sync
        self._numbers = 0
        self._unverified: set[Mark] = set()
        self._parts: deque[_Part] = deque()
        self._home: ProcessFolder | None = None
        self.adopt()
        try:
            self._begin_file()
        except OSError as error:
            if error.errno not in DISK_FULL:
                self.close()
                raise

    @property
    def unverified(self) -> tuple[Mark, ...]:
        """The pseudonymisation keys of what was adopted, which Kafka must know before `read` may be called."""
        return tuple(self._unverified)

    def adopt(self) -> None:
        """Take over what processes that are gone have left, before what this process accepts next."""
        adopted = []
        for folder in self._folder.adopt():
            adopted += self._files_of(folder)
        self._unverified |= {part.segment.mark for part in adopted} - {self._mark, Mark("", "")}
        self._parts.extendleft(reversed(adopted))

    def verified(self, mark: Mark, refusal: str | None) -> None:
        """Note what Kafka said of a key: with a refusal, everything under the key is set aside."""
        self._unverified.discard(mark)
        if refusal is not None:
            for part in [part for part in self._parts if part.segment.mark == mark]:
                self._set_aside(part, refusal)

    def append(self, key: bytes, value: bytes, traceparent: bytes | None = None) -> None:
        """See Journal."""
        size = len(key) + len(value)
        part = self._parts[-1] if self._parts and self._parts[-1].own else None
        full = self._bytes() + size > self._limit
        if part is not None and (full or part.segment.size >= SEGMENT_BYTES):
            if part.acknowledged:
                self._remove(part)
                full = self._bytes() + size > self._limit
            part = None if part.acknowledged or part.segment.size >= SEGMENT_BYTES else part
        if full:
            raise QueueFullError(
                f"the spool {self._folder.path} holds {self._bytes():,} bytes that Kafka has not acknowledged, and"
                " spool_bytes allows no more: the touchpoint was not accepted"
            )
        try:
            if part is None:
                part = self._begin_file()
            part.segment.append(key, value, sync=self._sync)
        except OSError as error:
            if part is not None and part.acknowledged:
                self._remove(part)  # its bytes may be those that the disk lacks next time
            raise QueueFullError(
                f"the spool {self._folder.path} cannot be written ({error.strerror}): the touchpoint was not accepted"
            ) from error
        part.end = part.segment.size
        if traceparent is not None and len(part.traces) < MOST_TRACES:
            part.traces[part.end] = traceparent

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
                found += [
                    Entry(key, value, part.own, (part, end), part.traces.get(end))
                    for key, value, end in stored
                ]
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
            if part.acknowledged:
                part.segment.remove()
            else:
                part.segment.close()
        for folder in self._folders():
            folder.release()
        self._parts.clear()
        self._home = None

    def abandon(self) -> None:
        """See Journal."""
        held: list[Segment | ProcessFolder] = [part.segment for part in self._parts]
        held += self._folders()
        for one in held:
            with suppress(OSError):  # a thread of the parent has just closed it
                one.abandon()
        self._parts.clear()
        self._home = None

    def _folders(self) -> set[ProcessFolder]:
        home = set() if self._home is None else {self._home}
        return home | {part.folder for part in self._parts}

    def _bytes(self) -> int:
        return sum(part.segment.size for part in self._parts)

    def _begin_file(self) -> _Part:
        if self._home is None:
            self._home = self._folder.create()
        self._numbers += 1
        part = _Part(Segment.create(self._home.file(self._numbers), self._mark), self._home, own=True)
        self._parts.append(part)
        return part

    def _files_of(self, folder: ProcessFolder) -> list[_Part]:
        """The files of an adopted folder; none, and the folder is left to a later adoption, if it cannot be used."""
        parts: list[_Part] = []
        try:
            for path in folder.files():
                part = self._opened(path, folder)
                parts += [] if part is None else [part]
        except OSError as error:
            log.warning("%s is not delivered yet, as it cannot be used: %s", folder.path, error)
            for part in parts:
                part.segment.close()
            parts = []
        if not parts:
            folder.release()
        return parts

    def _opened(self, path: Path, folder: ProcessFolder) -> _Part | None:
        try:
            return _Part(Segment.open(path), folder, own=False)
        except DamagedError as error:
            self._folder.set_file_aside(path, str(error))
            return None

    def _trim(self) -> None:
        """Delete the files of which Kafka has everything; an own one that is the last stays to be written."""
        while self._parts and self._parts[0].acknowledged:
            if self._parts[0].own and len(self._parts) == 1:
                return
            self._remove(self._parts[0])

    def _remove(self, part: _Part) -> None:
        self._parts.remove(part)
        part.segment.remove()
        self._released(part)

    def _set_aside(self, part: _Part, why: str) -> None:
        self._parts.remove(part)
        part.segment.close()
        with suppress(FileNotFoundError):
            self._folder.set_file_aside(part.segment.path, why)
        self._released(part)

    def _released(self, part: _Part) -> None:
        if part.folder is not self._home and all(other.folder is not part.folder for other in self._parts):
            part.folder.release()
