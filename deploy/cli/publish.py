"""`touchline publish`: files of touchpoints, or of another system's rows, into Kafka."""

import json
import logging
import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Literal, Protocol

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.output import print_json, remarks
from deploy.sources.files import STDIN, Entry, Format, format_of
from deploy.sources.mapping_file import load_mapping
from deploy.sources.publisher import Publisher, message, paced
from deploy.sources.touchpoint_files import Sourced, read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, TouchlineError
from schemas.records import Touchpoint
from schemas.settings import Settings
from streams.identity.load_policy import load
from streams.identity.policy import IdentityPolicy

DEFAULT_REJECTS = "rejects.jsonl"


def command(
    files: Annotated[
        list[str], typer.Argument(help="JSON Lines or CSV, also .gz; - is standard input.", metavar="FILE...")
    ],
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which column is what.")] = None,
    rejects: Annotated[
        str, typer.Option(help="Where rejected lines go, with their reasons.")
    ] = DEFAULT_REJECTS,
    rate: Annotated[
        float | None, typer.Option(help="At most so many touchpoints a second.", min=0.001)
    ] = None,
    form: Annotated[
        Literal["jsonl", "csv"] | None, typer.Option("--format", help="Else the extension says it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, publish nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Publish touchpoints to Kafka. Exit code 1 if a line was rejected; the others are published.

    Example: touchline publish shop.csv --mapping deploy/sources/examples/ecom.toml
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    policy = load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    columns = load_mapping(mapping) if mapping else None
    for name in files:
        _check_readable(name, form)
    summary = Summary()
    with ExitStack() as stack:
        sender: Sender = (
            DryRun(policy, Catalogue.load(settings.catalogue))
            if dry_run
            else stack.enter_context(Publisher(settings, policy))
        )
        lost = stack.enter_context(Rejects(Path(rejects)))
        bar = stack.enter_context(Bar())
        try:
            for sourced in paced(read_touchpoints(files, columns, form), rate):
                _take(sourced, sender, lost, summary)
                bar.show(summary)
        except KeyboardInterrupt:
            summary.interrupted = True
        sender.flush()
        summary.sent = sender.sent
    return _finish(summary, lost, dry_run=dry_run, as_json=as_json)


class Sender(Protocol):
    """What takes touchpoints: a Publisher, or a DryRun."""

    sent: int

    def send(self, touchpoint: Touchpoint) -> None:
        """Take one. Raises ContractError if it breaks the contract."""

    def flush(self) -> None:
        """Make sure that all are taken."""


class DryRun:
    """Does all that publishing does, but for the broker."""

    def __init__(self, policy: IdentityPolicy, catalogue: Catalogue) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self.sent = 0

    def send(self, touchpoint: Touchpoint) -> None:
        """Prepare, encode and count a touchpoint. Raises ContractError."""
        message(touchpoint, self._policy, self._catalogue)
        self.sent += 1

    def flush(self) -> None:
        """Nothing waits."""


@dataclass
class Summary:
    """What became of the lines."""

    sent: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


class Rejects:
    """The file of rejected lines, made with the first one; its owner alone may read it (personal data)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, entry: Entry, error: ContractError) -> None:
        """Write one rejected line. Raises TouchlineError if the file cannot be written."""
        line = {
            "file": entry.file, "line": entry.line, "reason": error.reason.value, "error": str(error),
            "text": entry.text,
        }  # fmt: skip
        try:
            if self._file is None:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                self._file = os.fdopen(descriptor, "w", encoding="utf-8")
            self._file.write(json.dumps(line) + "\n")
        except OSError as fault:
            raise TouchlineError(
                f"{self.path} cannot be written ({fault.strerror}): name another with --rejects"
            ) from fault


class Bar:
    """Progress on standard error, if somebody looks."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("publishing"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=remarks, transient=True, disable=not remarks.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, summary: Summary) -> None:
        """Refresh every 256 lines."""
        if summary.lines % 256 == 0:
            speed = summary.lines / max(summary.seconds(), 0.001)
            self._progress.update(
                self._task,
                description=f"{summary.lines:,} lines, {speed:,.0f} a second, {summary.rejected:,} rejected",
            )


def _check_readable(name: str, form: Format | None) -> None:
    """Find a wrong file name before anything is sent."""
    if form is None:
        format_of(name)
    path = Path(name)
    if name != STDIN and not (path.exists() and os.access(path, os.R_OK) and not path.is_dir()):
        why = "is a directory" if path.is_dir() else "may not be read" if path.exists() else "does not exist"
        raise TouchlineError(f"{name} {why}: nothing was published")


def _take(sourced: Sourced, sender: Sender, lost: Rejects, summary: Summary) -> None:
    summary.lines += 1
    error = sourced.entry.error
    if sourced.touchpoint is not None:
        try:
            sender.send(sourced.touchpoint)
        except ContractError as problem:
            error = problem
    if error is not None:
        lost.add(sourced.entry, error)
        summary.rejected += 1
        summary.reasons[error.reason.value] += 1


def _finish(summary: Summary, lost: Rejects, *, dry_run: bool, as_json: bool) -> int:
    seconds = summary.seconds()
    if as_json:
        print_json(
            {
                "sent": summary.sent,
                "rejected": summary.rejected,
                "reasons": dict(summary.reasons),
                "interrupted": summary.interrupted,
                "seconds": round(seconds, 3),
                "per_second": round(summary.sent / max(seconds, 0.001)),
            }
        )
    verb = "would be published" if dry_run else "published"
    remarks.print(
        f"{summary.sent:,} {verb} in {seconds:.1f} s ({summary.sent / max(seconds, 0.001):,.0f} a second)"
    )
    if summary.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary.reasons.most_common())
        remarks.print(
            f"{summary.rejected:,} rejected ({reasons}): see {lost.path}", markup=False, soft_wrap=True
        )
    if summary.interrupted:
        remarks.print("interrupted: the rest was not read; publish the files again, nothing is counted twice")
        return 130
    return 1 if summary.rejected else 0
