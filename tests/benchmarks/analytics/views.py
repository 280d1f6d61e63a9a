"""What the question views cost, with their defaults, over the last 30 of 90 days and over everything."""

from collections.abc import Mapping
from typing import Any, Final

from deploy.reports.parameters import values_of
from sinks.clickhouse.read.questions import Question, questions, statement
from tests.benchmarks.analytics.measure import cost
from tests.benchmarks.analytics.server import Filled

DAY: Final = 86_400_000
END: Final = 1_767_225_600_000 + 91 * DAY  #: the touchpoints occur in the 90 days before
#: What a question without a default is asked about.
TYPED: Final[Mapping[str, Mapping[str, Any]]] = {
    "funnel": {"steps": ["product_view", "add_to_cart", "checkout_started", "order_placed"]},
    "experiment_results": {"experiment": "checkout", "control": "old"},
    "person_touchpoints": {"profile_id": "00000000-0000-4000-8000-000000000000"},
}


def show(tables: Filled, only: str = "") -> None:
    """Print a row of a Markdown table for each question whose name has the word."""
    figures = "p50 | p95 | CPU s | rows read | MB read"
    print(f"| question | 30 days: {figures} | everything: cold | {figures} |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for question in questions().values():
        if only in question.name:
            recent, ever = (_asked(tables, question, since) for since in (END - 30 * DAY, 0))
            print(
                f"| `{question.name}` | {recent.figures} | {ever.cold:,.0f} ms | {ever.figures} |", flush=True
            )


def _asked(tables: Filled, question: Question, since: int) -> Any:
    typed = TYPED.get(question.name, {})
    values = values_of(question, typed, lambda _, option: END if option == "--until" else END - 30 * DAY)
    sql, given = statement(question, {**values, "since": since})
    # the rows of a view of people are not what takes time here
    return cost(tables.client, tables.pid, f"SELECT * FROM ({sql}) LIMIT 1000", given)
