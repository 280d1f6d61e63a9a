"""How `touchline up` shows a deployment: a table that stays in place, or a line every few seconds."""

from dataclasses import dataclass

from rich.table import Table

from deploy.kafka_admin.status import Status
from schemas.topics import LOADER_GROUP, WORKER_GROUP


@dataclass(frozen=True)
class Rates:
    """Records a second between two status readings; None if the broker or ClickHouse did not answer one of them."""

    published: float | None = None
    processed: float | None = None
    loaded: float | None = None


def rates(before: Status | None, after: Status) -> Rates:
    """The rates between two status readings."""
    if before is None or after.at <= before.at:
        return Rates()
    seconds = after.at - before.at
    return Rates(
        published=_rate(before.published(), after.published(), seconds),
        processed=_rate(before.processed(), after.processed(), seconds),
        loaded=_rate(before.loaded(), after.loaded(), seconds),
    )


def table(status: Status, speed: Rates, restarts: int) -> Table:
    """The live table."""
    shown = Table(title="Touchline", title_justify="left", header_style="bold", min_width=64)
    for column in ("", "total", "per second", "lag"):
        shown.add_column(column, justify="left" if not column else "right")
    shown.add_row("touchpoints published", _number(status.published()), _number(speed.published), "")
    shown.add_row(
        "touchpoints processed",
        _number(status.processed()),
        _number(speed.processed),
        _number(status.lag(WORKER_GROUP)),
    )
    shown.add_row(
        "records loaded", _number(status.loaded()), _number(speed.loaded), _number(status.lag(LOADER_GROUP))
    )
    shown.add_section()
    for name in ("profiles", "open_signals", "merges", "dead_letters"):
        shown.add_row(name.replace("_", " "), _number(getattr(status, name)), "", "")
    if restarts:
        shown.add_row("restarts", str(restarts), "", "")
    shown.caption = "\n".join([*status.problems, "Ctrl-C stops everything"])
    shown.caption_justify = "left"
    return shown


def line(status: Status, speed: Rates, restarts: int) -> str:
    """The content of the live table on one line, for logs."""
    parts = [
        f"published {_number(status.published())} ({_number(speed.published)}/s)",
        f"processed {_number(status.processed())} ({_number(speed.processed)}/s)",
        f"lag worker {_number(status.lag(WORKER_GROUP))} loader {_number(status.lag(LOADER_GROUP))}",
        f"profiles {_number(status.profiles)}",
        f"open signals {_number(status.open_signals)}",
        f"merges {_number(status.merges)}",
        f"dead letters {_number(status.dead_letters)}",
    ]
    if restarts:
        parts.append(f"restarts {restarts}")
    return " · ".join([*parts, *status.problems])


def _rate(before: int | None, after: int | None, seconds: float) -> float | None:
    return None if before is None or after is None else max(0, after - before) / seconds


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
