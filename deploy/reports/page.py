"""A report as one HTML page, complete in itself: no script, pictures as SVG, light or dark as the system is."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, Final

from deploy.reports.drawn import drawn
from deploy.reports.figures import duration, figure, moment, title
from deploy.reports.parameters import SECONDS, option_of
from deploy.reports.report import Report
from sinks.clickhouse.read.questions import Parameter, Question

Row = dict[str, Any]

TABLED: Final = 2_000  #: rows of the table at most

_STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def page(
    report: Report,
    question: Question,
    values: Mapping[str, Any],
    columns: Sequence[str],
    rows: Sequence[Row],
    made: datetime,
) -> str:
    """The page of an answer. `made` is the time that it states; everything that comes from data is escaped."""
    asked = "".join(
        f"<div><dt>{escape(option_of(item)[2:])}</dt> <dd>{escape(_typed(item, values[item.name]))}</dd></div>"
        for item in question.parameters
        if values[item.name] not in ("", [])
    )
    heading, view = escape(report.title), escape(question.name)
    picture = drawn(report.drawing, rows) if rows else '<p class="soft">There are no rows.</p>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{escape(question.meaning)}</p>
<dl>{asked}</dl>
{picture}
<h2>Figures</h2>
{_table(columns, rows)}
<p class="soft made">Made {made:%Y-%m-%d %H:%M:%S} UTC by Touchline from the view <code>{view}</code>.</p>
</main>
</body>
</html>
"""


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    numeric = {name for name in columns if any(isinstance(row[name], (int, float)) for row in rows)}
    head = "".join(f'<th scope="col"{_class(name in numeric)}>{escape(title(name))}</th>' for name in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{_class(name in numeric)}>{_cell(name, row[name])}</td>" for name in columns)
        + "</tr>\n"
        for row in rows[:TABLED]
    )
    more = f'<p class="soft">and {len(rows) - TABLED:,} more rows</p>' if len(rows) > TABLED else ""
    head = f"<thead><tr>{head}</tr></thead>"
    return f'<div class="table"><table>\n{head}\n<tbody>\n{body}</tbody>\n</table></div>{more}'


def _cell(name: str, value: Any) -> str:
    shown = figure(name, value)
    return escape("" if shown is None else str(shown))


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _typed(item: Parameter, value: Any) -> str:
    if item.type == "DateTime64":
        return f"{moment(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value))} UTC"
    if item.name.endswith(SECONDS):
        return duration(value)
    return ", ".join(value) if isinstance(value, list) else str(value)
