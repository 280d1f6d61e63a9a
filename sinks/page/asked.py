"""From a panel and a request's query to the statement that is sent and its parameters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sinks.page.filters import LONGEST, PERIOD, Filters, where
from sinks.page.panels import Panel


@dataclass(frozen=True)
class Asked:
    """A panel's question with everything that the answer depends on but the time: the key under which it is shared."""

    panel: str
    tenant: str
    filters: Filters
    taken: tuple[tuple[str, str], ...]


def asked(panel: Panel, tenant: str, query: Mapping[str, str]) -> Asked:
    """What a request asks. What the panel does not use is left out, so that equal answers are shared."""
    narrowed = Filters.parse(query) if panel.relation != "nothing" else Filters()
    taken = [(name, query.get(name, "")[:LONGEST]) for name in panel.takes]
    for name, options in panel.choices.items():
        chosen = query.get(name, "")
        taken.append((name, chosen if chosen in options else next(iter(options))))
    return Asked(panel.name, tenant, narrowed, tuple(taken))


def statement(panel: Panel, question: Asked, now: datetime) -> tuple[str, dict[str, str | int]]:
    """The SQL with %(name)s for every value that came from outside, and the values."""
    taken = dict(question.taken)
    pieces = {name: options[taken[name]] for name, options in panel.choices.items()}
    sql = panel.sql.format_map({"where": where(panel.relation, question.filters), "period": PERIOD, **pieces})
    return sql, {"tenant": question.tenant, **question.filters.parameters(now), **taken}
