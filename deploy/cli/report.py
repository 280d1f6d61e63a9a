"""`touchline report`: questions for people who write no SQL. Each report of the registry is a command."""

import inspect
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.output import console, print_rows, print_table, remark, say
from deploy.cli.query import print_csv
from deploy.reports.figures import figure, title
from deploy.reports.page import page
from deploy.reports.parameters import EVER, option_of, values_of
from deploy.reports.picture import picture
from deploy.reports.registry import REPORTS
from deploy.reports.report import Report
from schemas.errors import TouchlineError
from sinks.clickhouse.read.questions import Parameter, Question, ask, questions

command = typer.Typer(
    no_args_is_help=True,
    help="Answer a question about journeys: a table and a picture, or --json, --csv, --html FILE.\n\n"
    "Example: touchline report funnel product_view add_to_cart order_placed --within 7d --by channel",
)

#: Rows of the table that the terminal shows.
TABLED: Final = 500

JSON: Final = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
CSV: Final = Annotated[bool, typer.Option("--csv", help="CSV with a header.")]
HTML: Final = Annotated[
    Path | None, typer.Option("--html", help="Write a page, complete in one file.", metavar="FILE")
]


def run(report: Report, typed: dict[str, Any], *, as_json: bool, as_csv: bool, html: Path | None) -> None:
    """Ask a report's question and print or write the answer. Raises TouchlineError, or typer.BadParameter."""
    if as_json + as_csv + (html is not None) > 1:
        raise typer.BadParameter("--json, --csv and --html exclude each other")
    context, question = Context.from_env(), questions()[report.view]
    values = values_of(question, typed, context.moment)
    columns, rows = ask(context.settings.readers_clickhouse(), question, values)
    if as_json:
        print_rows(columns, rows, as_json=True)
        return
    if as_csv:
        print_csv(columns, rows)
        return
    shown = [name for name in columns if name not in report.hidden]
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    if html is not None:
        made = datetime.fromtimestamp(context.started, UTC)
        _write(html, page(report, question, values, shown, records, made))
        remark(f"{html} written: {len(rows):,} rows")
        return
    if not records:
        remark(_empty(question, typed))
        return
    say("\n".join((report.title, "", *picture(report.drawing, records, console.width), "")))
    cells = [[figure(name, record[name]) for name in shown] for record in records[:TABLED]]
    print_table([title(name) for name in shown], cells)
    if len(records) > TABLED:
        remark(f"and {len(records) - TABLED:,} more rows: --csv and --json print all of them")


def _empty(question: Question, typed: Mapping[str, Any]) -> str:
    if not any(item.name == "since" for item in question.parameters):
        return "no rows"
    if typed.get("since") != EVER:
        return "no rows: --since ever asks about all that was loaded"
    return "no rows: nothing that was loaded answers this; look at --tenant and at the names that you gave"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TouchlineError(f"{path} cannot be written: {error.strerror}") from error


def _command(report: Report) -> Any:
    """A function with an option for each parameter of the report's view: typer makes a command of its signature."""
    question = questions()[report.view]

    def answer(as_json: bool, as_csv: bool, html: Path | None, **typed: Any) -> None:
        run(report, typed, as_json=as_json, as_csv=as_csv, html=html)

    parameters = [_parameter(item, report) for item in question.parameters]
    parameters += [
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JSON),
        inspect.Parameter("as_csv", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=CSV),
        inspect.Parameter("html", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=HTML),
    ]
    answer.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    answer.__annotations__ = {item.name: item.annotation for item in parameters}
    answer.__doc__ = f"{question.meaning}\n\nSQL: {question.example}"
    return answer


def _parameter(item: Parameter, report: Report) -> inspect.Parameter:
    shown = item.default if item.default else None
    if item.name == report.words:
        annotation: Any = Annotated[
            list[str], typer.Argument(metavar=item.name.upper(), show_default=shown or False)
        ]
        default: Any = inspect.Parameter.empty if item.default is None else None
    else:
        needed = item.default is None
        option = typer.Option(option_of(item), show_default=shown or False, metavar=item.type.upper())
        annotation = Annotated[str if needed else str | None, option]
        default = inspect.Parameter.empty if needed else None
    return inspect.Parameter(
        item.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


for _report in REPORTS.values():
    command.command(_report.name, short_help=_report.title)(_command(_report))
