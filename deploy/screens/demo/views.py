"""What the demo shows while events flow and at the end. Every figure comes from a ClickHouse query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.kafka_admin.status import Status
from schemas.topics import LOADER_GROUP, WORKER_GROUP

Ask = Callable[[str], Sequence[tuple[Any, ...]]]

_JOURNEYS: Final = """
SELECT count(), sum(touchpoints), sum(channel_switches), sum(handoffs), ifNotFinite(round(avg(friction), 2), 0),
       sum(orders),
       sum(carts), sum(carts) - sum(carts_met), countIf(length(open_issues.issue_id) > 0)
FROM journeys"""
_STAGES: Final = (
    "SELECT stage, profiles, round(friction, 2), orders FROM journey_stages ORDER BY profiles DESC"
)
_SIGNALS: Final = "SELECT kind, count() FROM signals_open GROUP BY kind ORDER BY count() DESC"
_SWITCHES: Final = """
SELECT from_channel || ' → ' || to_channel, switches FROM channel_switches ORDER BY switches DESC, 1 LIMIT 8"""
_WORST: Final = """
SELECT substring(toString(profile_id), 1, 8), stage, touchpoints, channel_switches, handoffs, round(friction, 2),
       ouch_moments
FROM journeys ORDER BY friction DESC, profile_id LIMIT 5"""
_CHANGES: Final = "SELECT kind, count() FROM profile_changes FINAL GROUP BY kind ORDER BY kind"
_WIDTH: Final = 28


@dataclass(frozen=True)
class Figures:
    """The totals over all journeys."""

    profiles: int
    touchpoints: int
    switches: int
    handoffs: int
    friction: float
    orders: int
    carts: int
    abandoned: int
    with_open_issue: int


def figures(ask: Ask) -> Figures:
    """Query the totals."""
    return Figures(*ask(_JOURNEYS)[0])


def live(status: Status, ask: Ask) -> RenderableType:
    """The live table: throughput, journeys, stages, signals."""
    totals = figures(ask)
    flow = _facts(
        "flow",
        {
            "published": _n(status.published()),
            "processed": _n(status.processed()),
            "worker lag": _n(status.lag(WORKER_GROUP)),
            "loader lag": _n(status.lag(LOADER_GROUP)),
            "dead letters": _n(status.dead_letters),
        },
    )
    journeys = _facts(
        "journeys",
        {
            "profiles": _n(totals.profiles),
            "merges": _n(status.merges),
            "channel switches": _n(totals.switches),
            "digital → human": _n(totals.handoffs),
            "mean friction": f"{totals.friction:.2f}",
            "orders": _n(totals.orders),
            "abandoned carts": f"{totals.abandoned:,} of {totals.carts:,}",
        },
    )
    return Columns([flow, journeys, _stages(ask), _pairs("open signals", ask(_SIGNALS))], padding=(0, 2))


def line(status: Status, ask: Ask) -> str:
    """The figures of the live table on one line, for logs."""
    totals = figures(ask)
    return (
        f"published {_n(status.published())} · processed {_n(status.processed())} · profiles {totals.profiles:,}"
        f" · merges {_n(status.merges)} · switches {totals.switches:,} · friction {totals.friction:.2f}"
        f" · orders {totals.orders:,} · abandoned carts {totals.abandoned:,} of {totals.carts:,}"
        f" · signals {_n(status.open_signals)}"
    )


def summary(ask: Ask) -> RenderableType:
    """The tables at the end."""
    worst = Table(title="most friction now", title_justify="left", header_style="bold")
    for name in ("profile", "stage", "touchpoints", "switches", "handoffs", "friction", "ouch"):
        worst.add_column(name, justify="left" if name in ("profile", "stage") else "right")
    for row in ask(_WORST):
        worst.add_row(*(str(cell) for cell in row))
    tables = [
        _stages(ask),
        _pairs("open signals", ask(_SIGNALS)),
        _pairs("channel switches", ask(_SWITCHES)),
        _pairs("profile changes", ask(_CHANGES)),
    ]
    return Group(Columns(tables, padding=(0, 2)), worst)


def _stages(ask: Ask) -> Table:
    rows = ask(_STAGES)
    most = max((row[1] for row in rows), default=1)
    table = Table(title="stages", title_justify="left", header_style="bold")
    for name in ("stage", "profiles", "", "friction"):
        table.add_column(name, justify="right" if name in ("profiles", "friction") else "left")
    for stage, profiles, friction, _ in rows:
        bar = Text("█" * max(1, round(profiles / most * _WIDTH / 2)), style="cyan")
        table.add_row(stage, f"{profiles:,}", bar, f"{friction:.2f}")
    return table


def _pairs(title: str, rows: Sequence[tuple[Any, ...]]) -> Table:
    return _facts(title, {str(name): f"{count:,}" for name, count in rows})


def _facts(title: str, facts: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def _n(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
