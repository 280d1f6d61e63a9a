"""How far an import has come, kept in a file so that `touchline publish --resume` goes on there.

The file says the place behind the last line of which the broker has acknowledged every touchpoint. It is written about
once a second, and often enough that no more than MAX_REPEATED touchpoints are ever handed over behind it. So what
`kill -9` leaves is repeated by at most that many, each with its event id, and nothing is lost.
"""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.ingest.publisher import MAX_PENDING
from deploy.ingest.reading.files import STDIN
from deploy.ingest.reading.lines import Position
from deploy.ingest.touchpoint_files import BEGIN, Place
from schemas.errors import TouchlineError

#: Touchpoints that may be handed to the broker behind the place that the file says.
MAX_REPEATED: Final = MAX_PENDING + 10_000
WRITE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Job:
    """What makes two runs the same import."""

    files: tuple[str, ...]
    mapping: str  #: its text
    target: str  #: brokers and topic

    def path(self) -> Path:
        """Where its checkpoint is: in the working directory, like the rejects."""
        names = [name if name == STDIN else str(Path(name).resolve()) for name in self.files]
        digest = hashlib.blake2b(json.dumps([names, self.target]).encode(), digest_size=6).hexdigest()
        return Path(f".touchline-publish-{digest}.json")

    def sizes(self) -> list[int]:
        """The size of each file in bytes."""
        return [Path(name).stat().st_size for name in self.files]

    def mapping_digest(self) -> str:
        """A short name of the mapping's text."""
        return hashlib.blake2b(self.mapping.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A place in the files of a job, and what became of the lines before it."""

    place: Place
    sent: int  #: touchpoints before the place, all acknowledged
    rejected: int
    may_repeat: int  #: touchpoints behind the place that the broker may have, at most

    @property
    def line(self) -> int:
        """The last line before the place, in its file."""
        return self.place.position.line


NOTHING: Final = Checkpoint(BEGIN, 0, 0, 0)


def read(job: Job) -> Checkpoint | None:
    """The checkpoint of an interrupted run of this job; None if there is none.

    Raises TouchlineError if a file or the mapping is not as it was, or if the checkpoint cannot be read.
    """
    path = job.path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        checkpoint = _checkpoint(found, job)
        sizes, mapping = _counts(found["sizes"], len(job.files)), found["mapping"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TouchlineError(
            f"{path}, which says how far the import came, cannot be read: delete it, and publish without --resume"
        ) from error
    for name, then, now in zip(job.files, sizes, job.sizes(), strict=True):
        if then != now:
            raise TouchlineError(
                f"{name} is not the file that the interrupted import read: it had {then:,} bytes and has {now:,}:"
                " publish it without --resume, nothing is counted twice"
            )
    if mapping != job.mapping_digest():
        raise TouchlineError(
            "the mapping is not the one of the interrupted import, and other event ids would count twice:"
            " resume with that one, or publish without --resume"
        )
    return checkpoint


def _checkpoint(found: Any, job: Job) -> Checkpoint:
    """What a checkpoint's document says. Raises ValueError, KeyError or TypeError if no run of the job wrote it."""
    file, sent, rejected, may_repeat = _counts(
        [found[name] for name in ("file", "sent", "rejected", "may_repeat")], 4
    )
    if file >= len(job.files):
        raise ValueError(file)
    place = Place(file, Position(*_counts(found["position"], len(Position._fields))))
    return Checkpoint(place, sent, rejected, may_repeat)


def _counts(found: Any, length: int) -> list[int]:
    """A list of `length` whole numbers from 0 on. Raises ValueError for anything else."""
    if not isinstance(found, list) or len(found) != length:
        raise ValueError(found)
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in found):
        raise ValueError(found)
    return found


class Checkpoints:
    """Follows one run and writes its checkpoints. `failure` says why it cannot, once it could not."""

    def __init__(self, job: Job, start: Checkpoint = NOTHING) -> None:
        self._job = job
        self._path = job.path()
        self._start = start
        self._safe = start
        self._written_sent = start.sent
        self._last_write = time.monotonic()
        #: Behind each line: touchpoints handed over, lines rejected, place.
        self._open: deque[tuple[int, int, Place]] = deque()
        self.failure: OSError | None = None

    def note(self, handed: int, rejected: int, place: Place) -> None:
        """A line is read: this run has handed over and rejected so many up to `place`."""
        self._open.append((handed, rejected, place))

    def acknowledged(self, sent: int) -> None:
        """The broker has acknowledged the first `sent` touchpoints of this run."""
        while self._open and self._open[0][0] <= sent:
            handed, rejected, place = self._open.popleft()
            self._safe = Checkpoint(
                place, self._start.sent + handed, self._start.rejected + rejected, MAX_REPEATED
            )

    def due(self, handed: int) -> bool:
        """Whether a checkpoint is to be written before touchpoint number `handed` of this run is handed over."""
        return (
            self._start.sent + handed - self._written_sent >= MAX_REPEATED
            or time.monotonic() - self._last_write >= WRITE_SECONDS
        )

    def write(self, may_repeat: int | None = None) -> None:
        """Write the last acknowledged place; `may_repeat` for a run that has ended."""
        safe = self._safe
        self._last_write, self._written_sent = time.monotonic(), safe.sent
        if safe is self._start or self.failure is not None:
            return
        document: dict[str, Any] = {
            "files": self._job.files, "sizes": self._job.sizes(), "mapping": self._job.mapping_digest(),
            "file": safe.place.file, "position": safe.place.position, "sent": safe.sent, "rejected": safe.rejected,
            "may_repeat": safe.may_repeat if may_repeat is None else may_repeat,
        }  # fmt: skip
        try:
            replace_file(self._path, json.dumps(document))
        except OSError as error:
            self.failure = error

    def interrupted(self, handed: int) -> None:
        """The run ends before its files do, with so many touchpoints handed over."""
        self.write(self._start.sent + handed - self._safe.sent)

    def done(self) -> None:
        """All is acknowledged: there is nothing to resume."""
        self._path.unlink(missing_ok=True)


def resumable(files: Sequence[str]) -> bool:
    """Whether an import of these files can go on later: standard input cannot be read again."""
    return STDIN not in files


def replace_file(path: Path, text: str) -> None:
    """Write a file as a whole, or leave it as it was."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
