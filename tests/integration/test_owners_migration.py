"""A database that was loaded before touchpoints carried their owner shows the same people after the migration."""

import shutil
from hashlib import md5
from pathlib import Path
from uuid import UUID

import pytest

from deploy.sandbox import ClickHouseServer
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import MIGRATIONS, migrate
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from tests.integration.store import database

pytestmark = pytest.mark.sandbox

OWNERS, RECONCILED = "0014_owners.sql", "0015_reconciliation.sql"


def called(name: str) -> str:
    """SQL: the id of the profile with a name, which is an SQL expression too. `profile` gives the same id."""
    return f"toUUID(UUIDNumToString(MD5({name})))"


def profile(name: str) -> str:
    return str(UUID(bytes=md5(name.encode(), usedforsecurity=False).digest()))


#: Touchpoints as the loader before 0014 wrote them: two events in three have one copy, of another time or identifier.
_TOUCHPOINTS = f"""
    INSERT INTO raw_touchpoints (tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type,
        identifier_value, profile_id, assignment_version, identifiers, checksum, version, source_topic, source_offset)
    SELECT 'default', concat('e', toString(intDiv(number * 2, 3))), at,
        at + toIntervalMillisecond(number % 7) AS received_at, 'shop', 'web', 'home', 'cookie',
        concat('c', toString(person)), {called("concat('p', toString(person))")}, number % 9 - 1,
        [('cookie', concat('c', toString(person)))], number,
        bitShiftLeft(toUInt256(10413791999999 - toUnixTimestamp64Milli(received_at)), 128)
            + bitShiftLeft(toUInt256(9223372036854775807 - number), 64) + number % 9, 't', number
    FROM (
        SELECT number, toDateTime64('2025-11-01', 3, 'UTC') + toIntervalHour(number * 7 % 2000) AS at,
            (intDiv(number, 3) + if(number % 6 = 1, 11, 0)) % 50 AS person
        FROM numbers(600)
    )
"""
_ASSIGNMENTS = f"""
    INSERT INTO raw_identity_assignments (tenant, identifier_type, identifier_value, profile_id, contested_from,
        contested_profile_id, version, is_deleted)
    SELECT 'default', 'cookie', concat('c', toString(number % 50)), {called("concat('p', toString(number % 11))")},
        if(number % 5 = 0, toDateTime64('2025-12-15', 3, 'UTC'), NULL), if(number % 5 = 0, {called("'shared'")}, NULL),
        number + 20, number > 70
    FROM numbers(80)
"""
_ERASURES = f"""
    INSERT INTO raw_erasures (tenant, identifier_type, identifier_value, erased_at, profile_id, version)
    SELECT 'default', 'cookie', concat('c', toString(number % 50)), toDateTime64('2025-12-01', 3, 'UTC'),
        {called("concat('new', toString(number % 50))")}, number + 20
    FROM numbers(71, 9)
"""
_SEEN = {
    "touchpoints_current": "SELECT profile_id, event_id, occurred_at, identifier_value FROM {} ORDER BY ALL",
    "touchpoint_copies": "SELECT profile_id, event_id, occurred_at, reason, counted_occurred_at FROM {} ORDER BY ALL",
}
_PEOPLE = "SELECT * FROM {}"


def test_what_was_loaded_before_has_the_same_owners_and_copies_after(
    clickhouse: ClickHouseServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = tmp_path / "before"
    before.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < OWNERS:
            shutil.copy(path, before)
    where = database(clickhouse)
    migrate(where, before)
    client = connect(where)
    request.addfinalizer(client.disconnect)
    for filled in (_TOUCHPOINTS, _ASSIGNMENTS, _ERASURES):
        client.execute(filled)

    def seen() -> dict[str, list[tuple[object, ...]]]:
        return {view: client.execute(sql.format(view)) for view, sql in _SEEN.items()}

    known, people = seen(), sorted(client.execute(_PEOPLE.format("profiles")))
    assert len(known["touchpoint_copies"]) > 20
    assert {profile("shared"), profile("p3"), profile("new22")} < {
        row[0] for row in known["touchpoints_current"]
    }

    assert migrate(where)[:2] == [OWNERS, RECONCILED]
    assert seen() == known

    # cut off before it was noted down: the next `touchline migrate` repeats it
    client.execute("DELETE FROM schema_migrations WHERE name = %(name)s", {"name": OWNERS})
    assert migrate(where) == [OWNERS]
    assert seen() == known

    rows = client.execute("SELECT count() FROM raw_touchpoints")
    reconciliation = Reconciliation(where, margin_ms=0)
    client.execute("TRUNCATE TABLE raw_reconciliations")
    reconciliation.run_all()
    reconciliation.close()
    assert seen() == known
    assert sorted(client.execute(_PEOPLE.format("profiles"))) == people
    assert client.execute("SELECT count() FROM raw_touchpoints") == rows, (
        "the loader decides as the migration did"
    )
