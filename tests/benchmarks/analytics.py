"""What analysts wait for: `make bench-analytics`, or `python -m tests.benchmarks.analytics [touchpoints [people]]`.

It fills a ClickHouse of its own by SQL with the rows that a loader would have written: 90 days, three identifiers a
person, one touchpoint in ten stitched before the merge, one in a hundred a copy. Then it asks the questions of
QUESTIONS, and beside each the same question the plain way: an events table in the order of time that is joined with a
table of persons. It prints p50 and p95 of warm runs, and the rows and bytes that one run reads.
"""

import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_driver import Client

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from sinks.clickhouse.write.reconcile.reconciliation import BOTH, Reconciliation

TOUCHPOINTS: Final = 1_000_000
PER_PERSON: Final = 10
CHUNKS: Final = 10  #: inserts, in the order of time, as a loader makes them
RUNS: Final = 20
BUDGET_SECONDS: Final = 10.0  #: for the runs of one question; a slow question gets fewer
STAGES: Final = "['awareness', 'consideration', 'intent', 'purchase', 'service', 'loyalty']"
TYPES: Final = """['home', 'product_view', 'add_to_cart', 'checkout_started', 'order_placed', 'email_sent',
    'support_request', 'product_view']"""

_PERSON: Final = "number * 7919 % {people}"
#: Which identifier of the person acted: of two cookies the one, of ten touchpoints one by e-mail and one by number.
_WHICH: Final = "multiIf(number % 10 = 8, 'email', number % 10 = 9, 'customer_id', 'cookie')"
_VALUE: Final = """multiIf(
    number % 10 = 8, concat('k1.', lower(hex(MD5(concat('mail', toString(person)))))),
    number % 10 = 9, concat('C', toString(person)),
    concat('ck-', lower(hex(MD5(concat(toString(number % 2), '-', toString(person)))))))"""
_EVENT: Final = "concat('web-', lower(hex(MD5(toString(if(number % 100 = 99, number - 50, number))))))"
_AT: Final = """toDateTime64('2026-01-01', 3, 'UTC')
    + toIntervalMillisecond(intDiv(number * 7776000, {touchpoints}) * 1000 + sipHash64(number) % 86400000)"""
_PROFILE: Final = "toString(UUIDNumToString(toFixedString(MD5(concat('person', toString(person))), 16)))"
_OWN: Final = "toString(UUIDNumToString(toFixedString(MD5(concat(identifier_type, identifier_value)), 16)))"

_FILL: Final = f"""
    INSERT INTO raw_touchpoints (tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type,
        identifier_value, profile_id, assignment_version, identifiers, session_id, campaign, amount_minor, currency,
        attributes, version, source_topic, source_partition, source_offset, owner_id)
    SELECT 'default', event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value,
        if(early, {_OWN}, {_PROFILE}), if(early, -1, toInt64(person)), [(identifier_type, identifier_value)],
        if(number % 4 = 1, toString(intDiv(number, 50)), ''), if(number % 20 = 0, 'spring', ''),
        if(type = 'order_placed', 4999, NULL), if(type = 'order_placed', 'EUR', ''),
        map('page', concat('/p/', toString(number % 500))), {{version}}, 'journey-inputs', person % 8, number,
        {{owner}}
    FROM (
        SELECT number, {_PERSON} AS person, {_EVENT} AS event_id, {_AT} AS occurred_at,
            occurred_at + toIntervalMillisecond(200 + number % 1000) AS received_at,
            if(number % 3 = 0, 'app', 'web-shop') AS source,
            ['web', 'app', 'email', 'phone'][number % 7 % 4 + 1] AS channel,
            {TYPES}[sipHash64(number, 1) % 8 + 1] AS type, {_WHICH} AS identifier_type, {_VALUE} AS identifier_value,
            number % 10 = 3 AS early, bitShiftRight(sipHash64(number, 2), 1) AS checksum
        FROM numbers({{begin}}, {{count}})
    )
    WHERE {{which}}
"""
_ASSIGN: Final = f"""
    INSERT INTO raw_identity_assignments (tenant, identifier_type, identifier_value, profile_id, event_id, occurred_at,
        version, is_deleted, source_topic, source_partition, source_offset)
    SELECT 'default', identifier_type, identifier_value, {_PROFILE}, 'web-1',
        toDateTime64('2026-01-01', 3, 'UTC'), person, 0, 'identity-assignments', person % 8, number
    FROM (
        SELECT intDiv(number, 4) AS person, number,
            ['email', 'customer_id', 'cookie', 'cookie'][number % 4 + 1] AS identifier_type,
            [concat('k1.', lower(hex(MD5(concat('mail', toString(person)))))), concat('C', toString(person)),
             concat('ck-', lower(hex(MD5(concat('0-', toString(person)))))),
             concat('ck-', lower(hex(MD5(concat('1-', toString(person))))))][number % 4 + 1] AS identifier_value
        FROM numbers({{people}} * 4)
    )
"""
_STATES: Final = f"""
    INSERT INTO raw_journey_states (tenant, profile_id, stage, friction, orders, open_issues, version, is_deleted)
    SELECT 'default', {_PROFILE}, {STAGES}[person % 6 + 1], person % 10 / 3, person % 3,
        if(person % 20 = 0, [('i1', toDateTime64('2026-03-01', 3, 'UTC'), toDateTime64('2026-03-02', 3, 'UTC'),
            toDateTime64('2026-03-01', 3, 'UTC'), 1, ['phone'])], []), 1, 0
    FROM (SELECT number AS person FROM numbers({{people}}))
"""

#: The plain way: what a team has before it thinks about merges.
_PLAIN: Final = (
    """CREATE TABLE plain_events ENGINE = MergeTree ORDER BY (tenant, occurred_at) AS
        SELECT tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value,
            session_id, campaign, amount_minor, currency, attributes
        FROM raw_touchpoints LIMIT 1 BY tenant, source, event_id""",
    """CREATE TABLE plain_persons ENGINE = ReplacingMergeTree(version)
        ORDER BY (tenant, identifier_type, identifier_value)
        AS SELECT tenant, identifier_type, identifier_value, profile_id, version FROM raw_identity_assignments FINAL""",
)
_JOINED: Final = """(SELECT e.*, p.profile_id AS profile_id FROM plain_events AS e
    LEFT JOIN (SELECT * FROM plain_persons FINAL) AS p USING (tenant, identifier_type, identifier_value))"""

_FUNNEL: Final = """SELECT level, count() FROM (
    SELECT profile_id, windowFunnel(604800)(toDateTime(occurred_at), type = 'product_view', type = 'add_to_cart',
        type = 'checkout_started', type = 'order_placed') AS level
    FROM {} {} GROUP BY profile_id) GROUP BY level ORDER BY level"""
_SINCE: Final = "WHERE occurred_at >= '2026-03-02'"


class Question(NamedTuple):
    """A question in SQL, and the same the plain way; empty where that has no such thing."""

    name: str
    sql: str
    plain: str = ""


_PERSON_IS: Final = "WHERE tenant = 'default' AND profile_id = '{profile}'"
_IDENTIFIER_IS: Final = (
    "WHERE tenant = 'default' AND identifier_type = 'cookie' AND identifier_value = '{cookie}'"
)
_LAST_DAY: Final = "SELECT channel, count() FROM {} WHERE occurred_at >= '2026-03-31' GROUP BY channel"
_TOP: Final = (
    "SELECT profile_id, count() AS touchpoints, min(occurred_at), max(occurred_at), groupUniqArray(channel) FROM {}"
    " GROUP BY profile_id ORDER BY touchpoints DESC, profile_id LIMIT 5"
)

QUESTIONS: Final = (
    Question("nothing (SELECT 1)", "SELECT 1"),
    Question(
        "one person, by profile",
        f"SELECT * FROM touchpoints_current {_PERSON_IS}",
        f"SELECT * FROM {_JOINED} {_PERSON_IS}",
    ),
    Question(
        "one person, by identifier",
        f"SELECT * FROM touchpoints_current {_IDENTIFIER_IS}",
        f"SELECT * FROM {_JOINED} {_IDENTIFIER_IS}",
    ),
    Question(
        "count of touchpoints", "SELECT count() FROM touchpoints_current", f"SELECT count() FROM {_JOINED}"
    ),
    Question(
        "last day by channel", _LAST_DAY.format("touchpoints_current"), _LAST_DAY.format("plain_events")
    ),
    Question(
        "profiles, top 5",
        "SELECT * FROM profiles ORDER BY touchpoints DESC, profile_id LIMIT 5",
        _TOP.format(_JOINED),
    ),
    Question("sessions", "SELECT count() FROM sessions"),
    Question(
        "sessions, 30 days", "SELECT count(), avg(touchpoints) FROM sessions WHERE started_at >= '2026-03-02'"
    ),
    Question("channel switches", "SELECT * FROM channel_switches ORDER BY switches DESC LIMIT 5"),
    Question(
        "channel switches, 30 days",
        "SELECT from_channel, to_channel, count() FROM channel_switch_events WHERE occurred_at >= '2026-03-02'"
        " GROUP BY ALL",
    ),
    Question(
        "steps from and to",
        "SELECT previous_type, type, count(), avg(seconds_since) FROM touchpoint_steps GROUP BY ALL",
    ),
    Question("funnel of 4 steps", _FUNNEL.format("touchpoints_current", ""), _FUNNEL.format(_JOINED, "")),
    Question(
        "funnel, 30 days", _FUNNEL.format("touchpoints_current", _SINCE), _FUNNEL.format(_JOINED, _SINCE)
    ),
    Question("people per stage", "SELECT stage, profiles FROM journey_stages ORDER BY profiles DESC"),
    Question(
        "one journey, by identifier",
        "SELECT * FROM journeys WHERE tenant = 'default' AND profile_id IN"
        f" (SELECT profile_id FROM identity_current {_IDENTIFIER_IS})",
    ),
)


class Cost(NamedTuple):
    """Warm runs of a question."""

    p50: float
    p95: float
    rows: int
    bytes: int


def main() -> None:
    """Fill a server of its own and ask."""
    touchpoints = int(sys.argv[1]) if len(sys.argv) > 1 else TOUCHPOINTS
    people = int(sys.argv[2]) if len(sys.argv) > 2 else touchpoints // PER_PERSON
    with tempfile.TemporaryDirectory() as folder:
        server = ClickHouseServer(Path(folder), Path(folder))
        server.start()
        try:
            where = ClickHouse.from_url(server.url_of(f"bench_{uuid.uuid4().hex[:8]}"))
            migrate(where)
            put_in_force(where, meanings(Settings()))
            client = connect(where)
            timed("filled", lambda: fill(client, touchpoints, people))
            reconciliation = Reconciliation(where, margin_ms=0)
            for what in BOTH:
                timed(f"{what} of everything reconciled", partial(reconciliation.run, what))
            client.execute("OPTIMIZE TABLE raw_profiles FINAL")  # as ClickHouse does beside loading
            report(client)
            follow(client, reconciliation, touchpoints, people)
            reconciliation.close()
            client.disconnect()
        finally:
            server.stop()


def timed(what: str, work: Callable[[], object]) -> None:
    """Do it and print how long it took."""
    began = time.perf_counter()
    work()
    print(f"{what} in {time.perf_counter() - began:.1f} s", flush=True)


def fill(client: Client, touchpoints: int, people: int) -> None:
    """The rows of a loader, and the plain tables."""
    chunk = touchpoints // CHUNKS
    stitched = f"if(early, {_OWN}, {_PROFILE})"
    for number in range(CHUNKS):
        # As they were stitched, and those that were stitched too early once more for their present owner.
        for decided, owner, which in (
            ("if(early, 0, person + 1)", stitched, "1"),
            ("person + 1", _PROFILE, "early"),
        ):
            sql = _FILL.replace("{version}", _VERSION.replace("{decided}", decided)).replace("{owner}", owner)
            sql = sql.replace("{which}", which).replace("{people}", str(people))
            sql = sql.replace("{begin}", str(number * chunk)).replace("{count}", str(chunk))
            client.execute(sql.replace("{touchpoints}", str(touchpoints)))
        if number == CHUNKS - 2:
            client.execute("OPTIMIZE TABLE raw_touchpoints FINAL")  # as ClickHouse does within a day
    for sql in (_ASSIGN, _STATES, *_PLAIN):
        client.execute(sql.replace("{people}", str(people)))


#: The version of a touchpoint's row, as sinks/clickhouse/write/encoding/columns.py makes it.
_VERSION: Final = """bitShiftLeft(toUInt256(10413791999999 - toUnixTimestamp64Milli(received_at)), 194)
    + bitShiftLeft(toUInt256(9223372036854775807 - checksum), 131)
    + bitShiftLeft(toUInt256({decided}), 65) + if(early, 0, person + 1)"""


def report(client: Client) -> None:
    """Sizes and answers."""
    sizes = client.execute(
        "SELECT table, sum(rows), sum(data_compressed_bytes), sum(data_uncompressed_bytes), count() FROM system.parts"
        " WHERE database = currentDatabase() AND active AND table NOT LIKE 'catalogue%'"
        " GROUP BY table ORDER BY table"
    )
    for table, rows, compressed, raw, parts in sizes:
        packed, unpacked = compressed / rows, raw / rows
        print(
            f"{table:24} {rows:>12,} rows in {parts} parts, {packed:.1f} bytes a row ({unpacked:.0f} unpacked)"
        )
    ((profile, cookie),) = client.execute(
        "SELECT profile_id, identifier_value FROM raw_identity_assignments WHERE identifier_type = 'cookie'"
        " ORDER BY identifier_value LIMIT 1"
    )
    known = {"profile": profile, "cookie": cookie}
    print(f"{'':28}{'p50 ms':>10}{'p95 ms':>10}{'rows read':>14}{'MB read':>9}   plain way p50, ratio")
    for question in QUESTIONS:
        cost = ask(client, question.sql, known)
        line = f"{question.name:28}{cost.p50:10,.0f}{cost.p95:10,.0f}{cost.rows:14,}{cost.bytes / 1e6:9,.1f}"
        if question.plain:
            plain = ask(client, question.plain, known)
            line += f"   {plain.p50:8,.0f} ms, {cost.p50 / plain.p50:.2f}"
        print(line, flush=True)


def follow(client: Client, reconciliation: Reconciliation, touchpoints: int, people: int) -> None:
    """What a reconciliation takes after so many touchpoints, some of them of identifiers that changed hands."""
    begin = touchpoints
    for size, changed in ((2_000, 0), (2_000, 200), (20_000, 0), (20_000, 2_000)):
        took: dict[str, list[float]] = {what: [] for what in BOTH}
        for number in range(5):
            sql = _FILL.replace("{version}", _VERSION.replace("{decided}", "if(early, 0, person + 1)"))
            sql = (
                sql.replace("{owner}", _PROFILE)
                .replace("{which}", "NOT early")
                .replace("{people}", str(people))
            )
            sql = sql.replace("{begin}", str(begin)).replace("{count}", str(size))
            client.execute(sql.replace("{touchpoints}", str(touchpoints)))
            if changed:
                client.execute(_CHANGE, {"from": number * changed, "count": changed, "version": begin})
            for what in BOTH:
                began = time.perf_counter()
                reconciliation.run(what)
                took[what].append(time.perf_counter() - began)
            begin += size
        owners, profiles = (statistics.median(took[what]) * 1000 for what in BOTH)
        print(
            f"{size:,} touchpoints, {changed:,} identifiers changed hands:"
            f" owners {owners:,.0f} ms, profiles {profiles:,.0f} ms",
            flush=True,
        )


#: Other identifiers of people that are there become somebody else's.
_CHANGE: Final = """
    INSERT INTO raw_identity_assignments (tenant, identifier_type, identifier_value, profile_id, version, is_deleted)
    SELECT tenant, identifier_type, identifier_value, concat(profile_id, '+'), %(version)s, 0
    FROM raw_identity_assignments FINAL ORDER BY identifier_type, identifier_value LIMIT %(from)s, %(count)s
"""


def ask(client: Client, sql: str, known: dict[str, str]) -> Cost:
    """Ask until the budget is spent, after one run that warms caches."""
    for name, value in known.items():
        sql = sql.replace("{" + name + "}", value)
    client.execute(sql)
    took: list[float] = []
    while len(took) < RUNS and sum(took) < BUDGET_SECONDS:
        began = time.perf_counter()
        client.execute(sql)
        took.append(time.perf_counter() - began)
    progress = client.last_query.progress
    ordered = sorted(took)
    return Cost(
        statistics.median(took) * 1000, ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000,
        progress.rows, progress.bytes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
