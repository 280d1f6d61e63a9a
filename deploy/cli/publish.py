"""`touchline publish`: files of touchpoints, or of another system's rows, into Kafka."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal

import typer

from deploy.cli.context import Context
from deploy.cli.intake import tell_unknown, tell_unseen
from deploy.cli.output import counted, print_json, remark
from deploy.cli.progress import Bar
from deploy.ingest import checkpoint
from deploy.ingest.checkpoint import Checkpoint, Checkpoints, Job
from deploy.ingest.key_check import compared
from deploy.ingest.mapping.file import mapping_text, parse_mapping
from deploy.ingest.publish_run import DryRun, Run, Sender, check_readable
from deploy.ingest.publisher import Publisher
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from schemas.errors import TouchlineError
from schemas.topics import TOUCHPOINTS


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            help="JSON Lines, CSV or TSV, also .gz, or Parquet; - is standard input.", metavar="FILE..."
        ),
    ],
    mapping: Annotated[
        str | None,
        typer.Option(help="TOML file that says which column is what, or the name of a shipped mapping."),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(help="A new file for rejected lines, with their reasons; default: rejects-TIME.jsonl."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="At most so many touchpoints a second.", min=0.001)
    ] = None,
    form: Annotated[
        Literal["jsonl", "csv", "parquet"] | None,
        typer.Option("--format", help="Else the extension says it."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run of the same import stopped.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, publish nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Publish touchpoints to Kafka. Exit code 1 if a line was rejected; the others are published.

    Types, channels, consent purposes and identifier types that are unknown are published, and listed at the end.
    Exit code 1, too, if no line has the column that the mapping names for a required field or an identifier.

    Example: touchline publish shop.csv --mapping deploy/ingest/examples/ecom.toml
    """
    context = Context.from_env()
    policy, catalogue = context.policy, context.catalogue
    text = mapping_text(mapping) if mapping else ""
    columns = parse_mapping(text, mapping) if mapping else None
    for name in files:
        check_readable(name, form)
    settings = context.settings
    job = Job(tuple(files), text, f"{settings.brokers} {settings.topic(TOUCHPOINTS.name)}")
    start = _start(job, resume=resume, dry_run=dry_run)
    sources = TouchpointFiles(files, columns, form, start=start.place)
    kept = None if dry_run or not checkpoint.resumable(files) else Checkpoints(job, start)
    run = Run(sources, UnknownNames(catalogue, policy), kept)
    # a dry run needs no broker; if one answers, the key must be the one with which the lines would be published
    if dry_run and not compared(settings, policy):
        remark(f"no deployment answers at {settings.brokers}: the pseudonymisation key was not compared")
    with Rejects(rejects) as lost:
        _publish(
            run,
            lost,
            nullcontext(DryRun(policy, catalogue)) if dry_run else Publisher(settings, policy),
            rate,
        )
    return _finish(run, lost, start, dry_run=dry_run, as_json=as_json)


def _publish(run: Run, lost: Rejects, opened: AbstractContextManager[Sender], rate: float | None) -> None:
    """Give all lines to the sender, and note how far it came, whatever ends it."""
    sender: Sender | None = None
    try:
        with opened as sender, Bar(run.files) as bar:
            try:
                for summary in run.publish(sender, lost, rate):
                    bar.show(summary)
            except KeyboardInterrupt:
                run.summary.interrupted = True
            sender.flush()
    except BaseException:
        if sender is not None:
            run.end(sender, whole=False)
            _tell_resumable(run)
        raise
    run.end(sender, whole=not run.summary.interrupted)


def _start(job: Job, *, resume: bool, dry_run: bool) -> Checkpoint:
    """Where to begin. Raises TouchlineError if that cannot be known."""
    if resume and (dry_run or not checkpoint.resumable(job.files)):
        what = "a dry run publishes nothing" if dry_run else "standard input cannot be read again"
        raise TouchlineError(f"--resume: {what}: leave --resume out")
    if not resume:
        if not dry_run and checkpoint.resumable(job.files) and job.path().exists():
            remark(f"an import of these files was interrupted ({job.path()}): --resume would go on there")
        return checkpoint.NOTHING
    found = checkpoint.read(job)
    if found is None:
        remark("there is nothing to resume in this directory: the files are published from their beginning")
        return checkpoint.NOTHING
    remark(
        f"going on after line {found.line:,} of {job.files[found.place.file]}: {found.sent:,} touchpoints are published"
        + (f"; up to {found.may_repeat:,} more are sent again, and count once" if found.may_repeat else "")
    )
    return found


def _tell_resumable(run: Run) -> bool:
    """Say how to go on, if that is possible."""
    if run.checkpoints is None or not run.handed:
        return False
    if run.checkpoints.failure is not None:
        remark(f"how far it came could not be kept: {run.checkpoints.failure}")
        return False
    remark("interrupted: the rest was not read; the same command with --resume goes on there")
    return True


def _finish(run: Run, lost: Rejects, start: Checkpoint, *, dry_run: bool, as_json: bool) -> int:
    summary, seconds = run.summary, run.summary.seconds()
    if as_json:
        print_json(
            {
                "sent": summary.sent,
                "rejected": summary.rejected,
                "reasons": dict(summary.reasons),
                "rejects": str(lost.path) if lost.written else None,
                "left_out": run.files.left_out,
                "resumed_behind_line": start.line,
                "sent_before": start.sent,
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
    if run.files.left_out:
        remark(f"{counted(run.files.left_out, 'line')} left out, as the mapping says")
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
        if not _tell_resumable(run):
            remark("interrupted: the rest was not read; publish the files again, nothing is counted twice")
        return 130
    return 1 if summary.rejected or run.files.lacks_required() else 0
