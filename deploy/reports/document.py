"""docs/questions.md, made from the comments of the views: `python -m deploy.reports.document` writes it anew."""

from pathlib import Path
from textwrap import fill
from typing import Final

from deploy.reports.parameters import option_of
from deploy.reports.registry import REPORTS
from deploy.reports.report import Report
from sinks.clickhouse.read.questions import Parameter, Question, questions, reads

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "questions.md"

_INTRODUCTION: Final = """# Questions for analysts

<!-- Made from the comments of the views by `python -m deploy.reports.document`. Edit the comments in
sinks/clickhouse/migrations, not this file. -->

Each question is a view with parameters in ClickHouse. ClickHouse knows no default for a parameter, so an SQL statement
gives them all; `touchline report` fills in the defaults of the tables below. Times are UTC. A period contains `since`
and does not contain `until`. [analytics.md](analytics.md) describes the tables and views beneath.
"""


def document() -> str:
    """The text of docs/questions.md."""
    reports = {report.view: report for report in REPORTS.values()}
    found = sorted(questions().values(), key=lambda question: question.name)
    contents = "\n".join(f"- [{item.name}](#{item.name}): {_first(item)}" for item in found)
    parts = [_part(item, reports.get(item.name)) for item in found]
    return "\n".join((_INTRODUCTION, contents, "", *parts))


def _part(question: Question, report: Report | None) -> str:
    lines = [f"## {question.name}", "", *_paragraphs(question.meaning)]
    sources = ", ".join(f"`{name}`" for name in reads()[question.name])
    lines += [
        f"Reads {sources}." + (f" In the terminal: `touchline report {report.name}`." if report else ""),
        "",
    ]
    if question.parameters:
        lines += ["| parameter | type | option | default |", "|---|---|---|---|"]
        lines += [
            f"| `{item.name}` | {item.type} | {_option(item, report)} | {_default(item.default)} |"
            for item in question.parameters
        ]
        lines.append("")
    lines += ["```sql", question.example, "```", ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> list[str]:
    return [part for line in text.split("\n") for part in (fill(line, 120, break_long_words=False), "")]


def _option(item: Parameter, report: Report | None) -> str:
    return "words" if report and item.name == report.words else f"`{option_of(item)}`"


def _first(question: Question) -> str:
    """The first sentence of a meaning."""
    return question.meaning.split("\n")[0].split(". ")[0].rstrip(".")


def _default(text: str | None) -> str:
    return "must be given" if text is None else f"`{text}`" if text else "empty"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
