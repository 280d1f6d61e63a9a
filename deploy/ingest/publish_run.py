"""One run of `touchline publish`: each line goes to a sender or to the rejects, and is counted."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.ingest.checkpoint import Checkpoints
from deploy.ingest.publisher import message, paced
from deploy.ingest.reading.csv_rows import UnclosedQuote
from deploy.ingest.reading.files import STDIN, Entry, Format, format_of
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from schemas.catalogue import Catalogue
from schemas.errors import TouchlineError
from schemas.records import Touchpoint
from streams.identity.policy.policy import IdentityPolicy


@dataclass
class Summary:
    """What became of the lines."""

    sent: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    unclosed: int = 0  #: CSV rows with a quote that does not close
    first_unclosed: str = ""
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


@dataclass
class Run:
    """One run of the command."""

    files: TouchpointFiles
    unknown: UnknownNames
    checkpoints: Checkpoints | None = None
    summary: Summary = field(default_factory=Summary)
    handed: int = 0  #: touchpoints that the sender has taken

    def publish(self, sender: "Sender", lost: Rejects, rate: float | None = None) -> Iterator[Summary]:
        """Give every line to the sender, or to `lost`; yield the summary after each.

        Raises UnavailableError when the sender does. Whatever ends it, `end` must follow.
        """

        def send(touchpoint: Touchpoint) -> None:
            sender.send(touchpoint)
            self.handed += 1
            self.unknown.notice(touchpoint)

        for sourced in paced(self.files, rate):
            if self.checkpoints is not None and self.checkpoints.due(self.handed):
                self._write_checkpoint(self.checkpoints, sender, lost)
            _count(sourced.give(send), lost, self.summary, whole=sourced.place is not None)
            if self.checkpoints is not None and sourced.place is not None:
                self.checkpoints.note(self.handed, self.summary.rejected, sourced.place)
            yield self.summary

    def end(self, sender: "Sender", *, whole: bool) -> None:
        """Note what the sender has confirmed. If the files are not read as a `whole`, the run can be resumed."""
        self.summary.sent = sender.sent
        if self.checkpoints is None:
            return
        self.checkpoints.acknowledged(sender.sent)
        if whole:
            self.checkpoints.done()
        else:
            self.checkpoints.interrupted(self.handed)

    def _write_checkpoint(self, checkpoints: Checkpoints, sender: "Sender", lost: Rejects) -> None:
        lost.flush()
        sender.count_confirmed()
        checkpoints.acknowledged(sender.sent)
        checkpoints.write()
        if checkpoints.due(self.handed):
            sender.flush()
            checkpoints.acknowledged(sender.sent)
            checkpoints.write()


class Sender(Protocol):
    """What takes touchpoints: a Publisher, or a DryRun."""

    sent: int

    def send(self, touchpoint: Touchpoint) -> None:
        """Take one. Raises ContractError if it breaks the contract."""

    def flush(self) -> None:
        """Wait until everything sent is confirmed."""

    def count_confirmed(self) -> None:
        """Bring `sent` up to date without waiting."""


class DryRun:
    """Prepares and encodes as a Publisher does, and sends nothing."""

    def __init__(self, policy: IdentityPolicy, catalogue: Catalogue) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self.sent = 0

    def send(self, touchpoint: Touchpoint) -> None:
        """Prepare, encode and count a touchpoint. Raises ContractError."""
        message(touchpoint, self._policy, self._catalogue)
        self.sent += 1

    def flush(self) -> None:
        """Nothing is pending."""

    def count_confirmed(self) -> None:
        """All is confirmed."""


def check_readable(name: str, form: Format | None) -> None:
    """Raise TouchlineError for a file that cannot be read, before anything is sent."""
    if form is None:
        format_of(name)
    path = Path(name)
    if name != STDIN and not (path.exists() and os.access(path, os.R_OK) and not path.is_dir()):
        why = "is a directory" if path.is_dir() else "may not be read" if path.exists() else "does not exist"
        raise TouchlineError(f"{name} {why}: nothing was published")


def _count(entry: Entry, lost: Rejects, summary: Summary, *, whole: bool) -> None:
    """Count a line, once all of its touchpoints are handed over, and what was rejected of it."""
    summary.lines += whole
    if entry.error is not None:
        lost.add(entry, entry.error)
        summary.rejected += 1
        summary.reasons[entry.error.reason.value] += 1
        if isinstance(entry.error, UnclosedQuote):
            summary.unclosed += 1
            summary.first_unclosed = summary.first_unclosed or f"{entry.file} line {entry.line}"
