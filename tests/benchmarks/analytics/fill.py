"""Fills tables by SQL with the rows that a loader would have written.

90 days; of each person two cookies, an e-mail address and a customer number; one touchpoint in ten stitched before the
merge, one in a hundred a copy. Older parts are merged as ClickHouse does within a day, the last nine days are not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from clickhouse_driver import Client

from schemas.settings import ClickHouse
from sinks.clickhouse.write.reconcile import journal
from sinks.clickhouse.write.reconcile.copies import decide_since
from sinks.clickhouse.write.reconcile.profiles import compute_since
from sinks.clickhouse.write.reconcile.session import Limits, Session

CHUNKS: Final = 10  #: inserts, in the order of time, as a loader makes them
THREADS: Final = 2
#: An INSERT SELECT writes with one thread unless it says otherwise. What it leaves is merged soon.
_SETTINGS: Final = {"max_insert_threads": THREADS, "insert_deduplicate": 0, "optimize_on_insert": 0}
#: Nobody else waits for this server.
_LIMITS: Final = Limits(THREADS, memory=8 * 1024**3, at_once=5_000_000)

_STAGES: Final = "['awareness', 'consideration', 'intent', 'purchase', 'service', 'loyalty']"
_TYPES: Final = """['home', 'product_view', 'add_to_cart', 'checkout_started', 'order_placed', 'email_sent',
    'support_request', 'product_view']"""

_PERSON: Final = "sipHash64(number, 3) % {people}"
#: Which identifier of the person acted: of two cookies the one, of ten touchpoints one by e-mail and one by number.
_WHICH: Final = "multiIf(which = 8, 'email', which = 9, 'customer_id', 'cookie')"
_VALUE: Final = """multiIf(
    which = 8, concat('k1.', lower(hex(MD5(concat('mail', toString(person)))))),
    which = 9, concat('C', toString(person)),
    concat('ck-', lower(hex(MD5(concat(toString(which % 2), '-', toString(person)))))))"""
_EVENT: Final = "concat('web-', lower(hex(MD5(toString(if(number % 100 = 99, number - 50, number))))))"
_AT: Final = """toDateTime64('2026-01-01', 3, 'UTC')
    + toIntervalMillisecond(intDiv(number * 7776000, {touchpoints}) * 1000 + sipHash64(number) % 86400000)"""
_PROFILE: Final = "toUUID(UUIDNumToString(toFixedString(MD5(concat('person', toString(person))), 16)))"
_OWN: Final = "toUUID(UUIDNumToString(toFixedString(MD5(concat(identifier_type, identifier_value)), 16)))"

#: The version of a touchpoint's row, as sinks/clickhouse/write/encoding/columns.py makes it.
_VERSION: Final = """bitShiftLeft(toUInt256(10413791999999 - toUnixTimestamp64Milli(received_at)), 194)
    + bitShiftLeft(toUInt256(9223372036854775807 - checksum), 131)
    + bitShiftLeft(toUInt256({decided}), 65) + if(early, 0, person + 1)"""
_TOUCHPOINTS: Final = f"""
    INSERT INTO raw_touchpoints (tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type,
        identifier_value, profile_id, assignment_version, identifiers, session_id, campaign, amount_minor, currency,
        attributes, version, source_topic, source_partition, source_offset, owner_id)
    SELECT 'default', event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value,
        if(early, {_OWN}, {_PROFILE}), if(early, -1, toInt64(person)), [(identifier_type, identifier_value)],
        if(number % 4 = 1, toString(intDiv(number, 50)), ''), if(number % 20 = 0, 'spring', ''),
        if(type = 'order_placed', 4999, NULL), if(type = 'order_placed', 'EUR', ''),
        map('page', concat('/p/', toString(number % 500))), {_VERSION}, 'journey-inputs', person % 8, number,
        {{owner}}
    FROM (
        SELECT number, {_PERSON} AS person, sipHash64(number, 4) % 10 AS which, {_EVENT} AS event_id,
            {_AT} AS occurred_at,
            occurred_at + toIntervalMillisecond(200 + number % 1000) AS received_at,
            if(number % 3 = 0, 'app', 'web-shop') AS source,
            ['web', 'app', 'email', 'phone'][number % 7 % 4 + 1] AS channel,
            {_TYPES}[sipHash64(number, 1) % 8 + 1] AS type, {_WHICH} AS identifier_type, {_VALUE} AS identifier_value,
            which = 3 AS early, bitShiftRight(sipHash64(number, 2), 1) AS checksum
        FROM numbers_mt({{begin}}, {{count}})
    )
    WHERE {{which}}
"""
_ASSIGNMENTS: Final = f"""
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
        FROM numbers_mt({{people}} * 4)
    )
"""
_STATES: Final = f"""
    INSERT INTO raw_journey_states (tenant, profile_id, stage, friction, orders, open_issues, version, is_deleted)
    SELECT 'default', {_PROFILE}, {_STAGES}[person % 6 + 1], person % 10 / 3, person % 3,
        if(person % 20 = 0, [('i1', toDateTime64('2026-03-01', 3, 'UTC'), toDateTime64('2026-03-02', 3, 'UTC'),
            toDateTime64('2026-03-01', 3, 'UTC'), 1, ['phone'])], []), 1, 0
    FROM (SELECT number AS person FROM numbers_mt({{people}}))
"""
#: The plain way: what a team has before it thinks about merges.
_PLAIN: Final = (
    """CREATE TABLE plain_events ENGINE = MergeTree ORDER BY (tenant, occurred_at) AS
        SELECT tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value,
            session_id, campaign, amount_minor, currency, attributes
        FROM touchpoints_current""",
    """CREATE TABLE plain_persons ENGINE = ReplacingMergeTree(version)
        ORDER BY (tenant, identifier_type, identifier_value)
        AS SELECT tenant, identifier_type, identifier_value, profile_id, version FROM raw_identity_assignments FINAL""",
)
#: Other identifiers of people that are there become somebody else's.
_CHANGES: Final = """
    INSERT INTO raw_identity_assignments (tenant, identifier_type, identifier_value, profile_id, version, is_deleted)
    SELECT tenant, identifier_type, identifier_value,
        toUUID(UUIDNumToString(toFixedString(MD5(concat(toString(profile_id), '+')), 16))), %(version)s, 0
    FROM raw_identity_assignments FINAL ORDER BY identifier_type, identifier_value LIMIT %(from)s, %(count)s
"""


def timed(what: str, work: Callable[[], object]) -> None:
    """Do it and print how long it took."""
    began = time.perf_counter()
    work()
    print(f"{what} in {time.perf_counter() - began:.1f} s", flush=True)


def fill(client: Client, where: ClickHouse, touchpoints: int, people: int) -> None:
    """Write all rows of a loader, reconcile them, and make the plain tables."""
    timed("rows written", lambda: _write(client, touchpoints, people))
    session = Session(where, limits=_LIMITS)
    with session.opened():
        # The rows have their present owner.
        with _noted(session, "owners"):
            timed("copies decided", lambda: decide_since(session, 0))
        with _noted(session, "profiles"):
            timed("profiles computed", lambda: compute_since(session, 0, noted=False))
    session.close()
    client.execute("OPTIMIZE TABLE raw_profiles FINAL")  # as ClickHouse does beside loading
    timed("plain tables made", lambda: [client.execute(sql, settings=_SETTINGS) for sql in _PLAIN])


@contextmanager
def _noted(session: Session, what: journal.What) -> Iterator[None]:
    run = journal.begin(session, what, margin_ms=0)
    yield
    journal.finish(session, run)


def _write(client: Client, touchpoints: int, people: int) -> None:
    chunk = touchpoints // CHUNKS
    for number in range(CHUNKS):
        # As they were stitched, and those that were stitched too early once more for their present owner.
        begin = number * chunk
        stitched = f"if(early, {_OWN}, {_PROFILE})"
        for owner, decided, which in (
            (stitched, "if(early, 0, person + 1)", "1"),
            (_PROFILE, "person + 1", "early"),
        ):
            sql = _sql(begin, chunk, touchpoints, people, owner=owner, decided=decided, which=which)
            client.execute(sql, settings=_SETTINGS)
        if number == CHUNKS - 2:
            client.execute("OPTIMIZE TABLE raw_touchpoints FINAL")  # as ClickHouse does within a day
    for sql in (_ASSIGNMENTS, _STATES):
        client.execute(sql.replace("{people}", str(people)), settings=_SETTINGS)


def write_more(client: Client, begin: int, count: int, touchpoints: int, people: int) -> None:
    """Write `count` more touchpoints from number `begin` on, with their right owners."""
    client.execute(
        _sql(begin, count, touchpoints, people, owner=_PROFILE, decided="person + 1", which="NOT early")
    )


def change_hands(client: Client, begin: int, count: int, version: int) -> None:
    """Assign `count` identifiers, from the one with number `begin` on, to other profiles."""
    client.execute(_CHANGES, {"from": begin, "count": count, "version": version})


def _sql(
    begin: int, count: int, touchpoints: int, people: int, *, owner: str, decided: str, which: str
) -> str:
    sql = _TOUCHPOINTS.replace("{owner}", owner).replace("{decided}", decided).replace("{which}", which)
    numbers = {"begin": begin, "count": count, "touchpoints": touchpoints, "people": people}
    for name, value in numbers.items():
        sql = sql.replace("{" + name + "}", str(value))
    return sql
