"""`touchline publish`: files of touchpoints, or of another system's rows, into Kafka."""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.intake import tell_unknown, tell_unseen
from deploy.cli.output import counted, print_json, remark, remarks
from deploy.ingest.csv_rows import UnclosedQuote
from deploy.ingest.files import STDIN, Entry, Format, format_of
from deploy.ingest.mapping_file import load_mapping
from deploy.ingest.publisher import Publisher, message, paced
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from schemas.catalogue import Catalogue
from schemas.errors import TouchlineError
from schemas.records import Touchpoint
from schemas.settings import Settings
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy


def command(
    files: Annotated[
        list[str], typer.Argument(help="JSON Lines or CSV, also .gz; - is standard input.", metavar="FILE...")
    ],
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which column is what.")] = None,
    rejects: Annotated[
        str | None,
        typer.Option(help="A new file for rejected lines, with their reasons; default: rejects-TIME.jsonl."),
    ] = None,
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

    Types, channels and consent purposes that the catalogue does not name are published, and listed at the end.
    Exit code 1, too, if no line has the column that the mapping names for a required field or an identifier.

    Example: touchline publish shop.csv --mapping deploy/ingest/examples/ecom.toml
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    policy = load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    catalogue = Catalogue.load(settings.catalogue)
    columns = load_mapping(mapping) if mapping else None
    for name in files:
        _check_readable(name, form)
    run = Run(TouchpointFiles(files, columns, form), UnknownNames(catalogue))
    with Rejects(rejects) as lost, ExitStack() as stack:
        sender: Sender = (
            DryRun(policy, catalogue) if dry_run else stack.enter_context(Publisher(settings, policy))
        )
        bar = stack.enter_context(Bar())
        try:
            for summary in run.publish(sender, lost, rate):
                bar.show(summary)
        except KeyboardInterrupt:
            run.summary.interrupted = True
        sender.flush()
        run.summary.sent = sender.sent
    return _finish(run, lost, dry_run=dry_run, as_json=as_json)


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
    summary: Summary = field(default_factory=Summary)

    def publish(self, sender: "Sender", lost: Rejects, rate: float | None = None) -> Iterator[Summary]:
        """Give every line to the sender, or to `lost`; yield the summary after each."""

        def send(touchpoint: Touchpoint) -> None:
            sender.send(touchpoint)
            self.unknown.notice(touchpoint)

        for sourced in paced(self.files, rate):
            _note(sourced.give(send), lost, self.summary)
            yield self.summary


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


def _note(entry: Entry, lost: Rejects, summary: Summary) -> None:
    summary.lines += 1
    if entry.error is not None:
        lost.add(entry, entry.error)
        summary.rejected += 1
        summary.reasons[entry.error.reason.value] += 1
        if isinstance(entry.error, UnclosedQuote):
            summary.unclosed += 1
            summary.first_unclosed = summary.first_unclosed or f"{entry.file} line {entry.line}"


def _finish(run: Run, lost: Rejects, *, dry_run: bool, as_json: bool) -> int:
    summary, seconds = run.summary, run.summary.seconds()
    if as_json:
        print_json(
            {
                "sent": summary.sent,
                "rejected": summary.rejected,
                "reasons": dict(summary.reasons),
                "rejects": str(lost.path) if lost.written else None,
                "unclosed_quotes": summary.unclosed,
                "unseen_columns": run.files.unseen(),
                "unknown_names": run.unknown.document(),
                "interrupted": summary.interrupted,
                "seconds": round(seconds, 3),
                "per_second": round(summary.sent / max(seconds, 0.001)),
            }
        )
    verb = "would be published" if dry_run else "published"
    remark(f"{summary.sent:,} {verb} in {seconds:.1f} s ({summary.sent / max(seconds, 0.001):,.0f} a second)")
    if summary.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary.reasons.most_common())
        remark(f"{summary.rejected:,} rejected ({reasons}): see {lost.path}")
    if summary.unclosed:
        remark(
            f"{counted(summary.unclosed, 'row')} of them with a quote that does not close, the first in"
            f" {summary.first_unclosed}: the lines after such a row were read as rows of their own"
        )
    tell_unseen(run.files)
    tell_unknown(run.unknown)
    if summary.interrupted:
        remark("interrupted: the rest was not read; publish the files again, nothing is counted twice")
        return 130
    return 1 if summary.rejected or run.files.lacks_required() else 0
