"""Checks of ClickHouse: tables, version, users, the catalogue in force, clock, disks and parts."""

import time
from collections.abc import Callable
from typing import Any, Final

from clickhouse_driver import Client, errors

from deploy.kafka_admin.meanings import meanings
from deploy.repair.doctor.findings import Examination
from schemas.errors import SettingsError, TouchlineError
from schemas.kafka_security import is_loopback
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.analyst import Analyst, as_analyst
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.migrate import check_migrated
from sinks.clickhouse.write.catalogue import differences

#: Before it, the scalar function file('…') asked the analyst for no right (docs/connect.md).
OLDEST_CLICKHOUSE: Final = (25, 8)
FREE_SHARE: Final = 0.1
#: Seconds by which clocks may differ. Signals and erasures are dated by them.
SKEW_WARNING, SKEW_FAULT = 2.0, 60.0
#: Active parts of one partition; from 1,000 on ClickHouse slows inserts down, and from 3,000 on it refuses them.
PARTS_WARNING, PARTS_FAULT = 300, 1000
OF_CLICKHOUSE: Final = (
    "clickhouse-version",
    "clickhouse-users",
    "catalogue",
    "clock",
    "clickhouse-disk",
    "parts",
)
_PARTS: Final = """
    SELECT table, partition, count() FROM system.parts
    WHERE database = %(database)s AND active GROUP BY table, partition ORDER BY count() DESC LIMIT 1"""


def clickhouse_checks(settings: Settings, found: Examination) -> None:
    """All checks of ClickHouse; if it does not answer, or has no tables, that is the one finding."""
    if not found.make("clickhouse", lambda: check_migrated(settings.clickhouse()), "run `touchline migrate`"):
        found.skip(OF_CLICKHOUSE, "ClickHouse does not answer or lacks tables")
        return
    where = settings.clickhouse()
    try:
        client = connect(where)
    except TouchlineError as error:  # it went away meanwhile
        found.skip(OF_CLICKHOUSE, str(error))
        return
    looks: dict[str, Callable[[], None]] = {
        "clickhouse-version": lambda: version_of_server(client, found),
        "clickhouse-users": lambda: _users(settings, found),
        "catalogue": lambda: _catalogue(settings, found),
        "clock": lambda: clock(client, found),
        "clickhouse-disk": lambda: disks(client, found),
        "parts": lambda: parts_of(client, where.database, found),
    }
    try:
        for check, look in looks.items():
            found.make(check, lambda look=look: explained(where, look))  # type: ignore[misc]
    finally:
        client.disconnect()


def explained(where: ClickHouse, look: Callable[[], None]) -> None:
    """Look. Raises TouchlineError, one sentence, for whatever the driver says."""
    with translated(where):
        look()


def version_of_server(client: Client, found: Examination) -> None:
    """Find a server that is too old."""
    text = _rows(client, "SELECT version()")[0][0]
    version = tuple(int(part) for part in text.split(".")[:2])
    if version < OLDEST_CLICKHOUSE:
        found.fault(
            "clickhouse-version", f"ClickHouse is {text}",
            f"upgrade it to {'.'.join(map(str, OLDEST_CLICKHOUSE))} or newer",
        )  # fmt: skip


def _users(settings: Settings, found: Examination) -> None:
    where = settings.clickhouse()
    if not where.password and not is_loopback(f"{where.host}:{where.port}"):
        found.fault(
            "clickhouse-users", f"user {where.user!r} at {where.host} writes without a password",
            "give it one, and write it into TOUCHLINE_CLICKHOUSE_URL",
        )  # fmt: skip
    analyst = Analyst.of(settings)
    if analyst is None:
        found.warn(
            "clickhouse-users", "there is no read-only user: `query`, `report` and `page` read as the one who writes",
            "set TOUCHLINE_ANALYST_USER and TOUCHLINE_ANALYST_PASSWORD, and run `touchline migrate`",
        )  # fmt: skip
        return
    reader = connect(as_analyst(where, analyst))
    try:
        reader.execute("SELECT 1 FROM raw_touchpoints LIMIT 1")
    except errors.ServerException:
        return  # as it should be
    finally:
        reader.disconnect()
    found.fault(
        "clickhouse-users", f"user {analyst.user} reads internal tables, which no row policy guards",
        "run `touchline migrate`, which makes the user again",
    )  # fmt: skip


def _catalogue(settings: Settings, found: Examination) -> None:
    tables = differences(settings.clickhouse(), meanings(settings))
    if tables:
        found.fault(
            "catalogue", f"the views go by another catalogue or other journey rules ({', '.join(tables)})",
            "give every process the same TOUCHLINE_CATALOGUE and TOUCHLINE_JOURNEY_RULES, then run `touchline migrate`",
        )  # fmt: skip


def clock(client: Client, found: Examination) -> None:
    """Find clocks that differ. The answer takes time, which is no skew."""
    before = time.time()
    there = float(_rows(client, "SELECT toUnixTimestamp64Milli(now64(3)) / 1000")[0][0])
    after = time.time()
    skew = max(before - there, there - after, 0.0)
    if skew < SKEW_WARNING:
        return
    note = found.fault if skew >= SKEW_FAULT else found.warn
    note(
        "clock",
        f"the clocks of this machine and of ClickHouse differ by {skew:.1f} s",
        "run NTP on both machines",
    )


def disks(client: Client, found: Examination) -> None:
    """Find disks that are nearly full."""
    for name, free, total in _rows(client, "SELECT name, free_space, total_space FROM system.disks"):
        if total and free < total * FREE_SHARE:
            found.fault(
                "clickhouse-disk", f"disk {name} of ClickHouse has {free / 2**30:.1f} GiB left of {total / 2**30:.1f}",
                "give it a larger disk, or set TOUCHLINE_CLICKHOUSE_RETENTION",
            )  # fmt: skip


def parts_of(client: Client, database: str, found: Examination) -> None:
    """Find the partition with the most parts, if it has too many."""
    for table, partition, count in _rows(client, _PARTS, {"database": database}):
        if count >= PARTS_WARNING:
            note = found.fault if count >= PARTS_FAULT else found.warn
            note(
                "parts", f"partition {partition} of {table} has {count:,} parts: merges come too late",
                "run fewer loaders, or give ClickHouse more CPU and a faster disk",
            )  # fmt: skip


def _rows(client: Client, sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query. Raises SettingsError if this user may not ask it."""
    try:
        found: list[tuple[Any, ...]] = client.execute(sql, values)
    except errors.ServerException as error:
        raise SettingsError(
            f"ClickHouse does not answer this user (code {error.code}): grant SELECT ON system.*"
        ) from error
    return found
