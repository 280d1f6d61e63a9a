"""`touchline publish`: files of touchpoints, or of another system's rows, into Kafka."""

from contextlib import ExitStack
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.context import Context
from deploy.cli.intake import tell_unknown, tell_unseen
from deploy.cli.output import counted, print_json, remark, remarks
from deploy.ingest.key_check import compared
from deploy.ingest.mapping_file import load_mapping
from deploy.ingest.publish_run import DryRun, Run, Sender, Summary, check_readable
from deploy.ingest.publisher import Publisher
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames


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

    Types, channels, consent purposes and identifier types that are unknown are published, and listed at the end.
    Exit code 1, too, if no line has the column that the mapping names for a required field or an identifier.

    Example: touchline publish shop.csv --mapping deploy/ingest/examples/ecom.toml
    """
    context = Context.from_env()
    policy, catalogue = context.policy, context.catalogue
    columns = load_mapping(mapping) if mapping else None
    for name in files:
        check_readable(name, form)
    run = Run(TouchpointFiles(files, columns, form), UnknownNames(catalogue, policy))
    # a dry run needs no broker; if one answers, the key must be the one with which the lines would be published
    if dry_run and not compared(context.settings, policy):
        remark(
            f"no deployment answers at {context.settings.brokers}: the pseudonymisation key was not compared"
        )
    with Rejects(rejects) as lost, ExitStack() as stack:
        sender: Sender = (
            DryRun(policy, catalogue) if dry_run else stack.enter_context(Publisher(context.settings, policy))
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


class Bar:
    """A progress bar on standard error, if that is a terminal."""

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
