"""Tables and views on a real ClickHouse, without a broker."""

import csv
import gzip
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.encoding.codec import encode
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.encoding.registry import current
from schemas.errors import SettingsError, SinkError
from sinks.clickhouse.migrate import MIGRATIONS, check_migrated, migrate
from sinks.clickhouse.read.query import select
from sinks.clickhouse.write.encoding.columns import Source
from sinks.clickhouse.write.encoding.tables import TABLES
from sinks.clickhouse.write.native_writer import NativeWriter
from sinks.clickhouse.write.prepare import prepare
from tests.integration.store import Store, database
from tests.support.ids import named_id, person
from tests.support.kafka_records import Consumed, assignment, example, journey, resolved_bytes, signal
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

ECOM = Path(__file__).parents[3] / "shared" / "data" / "ecom.csv.gz"
TOPIC_OF = {name: topic for topic in topics.PUBLIC_PATH for name in topic.values if name in TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_the_columns_of_a_row_are_the_columns_of_its_table(tables: Store, name: str) -> None:
    table = TABLES[name]
    columns = tables.query(
        f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table.name}'"
        " AND name NOT IN ('loaded_at', 'owner_id', 'is_erased', 'event', 'copy_id', 'checksum') ORDER BY position"
    )

    source = Source("a-topic", 0, 0)

    assert [column for (column,) in columns] == list(table.row(example(name), source))


@pytest.mark.parametrize("name", TABLES)
def test_keys_and_partitions_are_made_of_fields_that_never_change(tables: Store, name: str) -> None:
    ((engine, keys, partition, definition),) = tables.query(
        "SELECT engine, sorting_key, partition_key, create_table_query FROM system.tables"
        f" WHERE database = currentDatabase() AND name = '{TABLES[name].name}'"
    )

    assert engine == "ReplacingMergeTree"
    assert "non_replicated_deduplication_window = 1000" in definition
    assert not {"version", "loaded_at", "source_offset", "source_topic"} & set(keys.split(", "))
    # a state and a signal are about the profile that their record names; everything else may change owners
    assert name in ("JourneyState", "JourneySignal") or "profile_id" not in keys
    assert partition in ("", "toYearWeek(occurred_at, 3)")


def test_a_raw_table_says_what_analysts_read_instead_and_every_column_is_explained(tables: Store) -> None:
    kinds = dict(
        tables.query(
            "SELECT name, startsWith(comment, 'Internal: ') FROM system.tables"
            " WHERE database = currentDatabase() AND engine != 'View'"
        )
    )
    unexplained = tables.query(
        "SELECT table, name FROM system.columns WHERE comment = '' AND database = currentDatabase()"
        " AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND (engine LIKE '%MergeTree' OR engine = 'View'))"
    )
    views = tables.query(
        "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    )

    assert kinds == {name: int(name.startswith("raw_")) for name in kinds}
    assert {"raw_touchpoints", "erasure_receipts"} < kinds.keys()
    assert unexplained == []
    assert all(comment and not name.startswith("raw_") for name, comment in views)


#: Fields whose texts are ids of profiles, changes and signals.
_IDS = {
    "profile_id", "profile_ids", "contested_profile_id", "others", "member_ids", "successor", "change_id", "signal_id",
    "subject_id",
}  # fmt: skip
_TEXT = st.text(max_size=5)


def fitting(
    schema: Any, names: dict[str, Any], text: st.SearchStrategy[str] = _TEXT
) -> st.SearchStrategy[Any]:
    """Whatever an Avro schema and the rules of ids allow, the extremes above all. `text`: what a string may be."""
    if isinstance(schema, list):
        return st.one_of([fitting(branch, names, text) for branch in schema])
    if isinstance(schema, str):
        simple: dict[str, st.SearchStrategy[Any]] = {
            "null": st.none(),
            "boolean": st.booleans(),
            "long": st.integers(-(2**63), 2**63 - 1),
            "int": st.integers(-(2**31), 2**31 - 1),
            "double": st.floats(),
            "string": text,
            "bytes": st.binary(max_size=5),
        }
        return simple[schema] if schema in simple else fitting(names[schema], names, text)
    kind = schema["type"]
    if kind in ("record", "enum"):
        names[f"touchline.{schema['name']}"] = schema
    if kind == "record":
        fields = {
            field["name"]: fitting(
                field["type"], names, st.uuids().map(str) if field["name"] in _IDS else _TEXT
            )
            for field in schema["fields"]
        }
        return st.fixed_dictionaries(fields)
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "array":
        return st.lists(fitting(schema["items"], names, text), max_size=2)
    if kind == "map":
        return st.dictionaries(st.text(max_size=3), fitting(schema["values"], names), max_size=2)
    return fitting(kind, names, text)


@pytest.mark.parametrize("name", TABLES)
def test_whatever_the_codec_accepts_clickhouse_accepts(store: Store, name: str) -> None:
    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(st.lists(fitting(current()[name], {}), min_size=1, max_size=4))
    def accepted(records: list[Any]) -> None:
        store.load(TOPIC_OF[name], *[encode(name, record) for record in records])

    accepted()


def test_history_over_more_months_than_a_block_may_have_partitions_loads_at_once(store: Store) -> None:
    month = 31 * 24 * 60

    store.load(topics.JOURNEY_INPUTS, *[resolved_bytes(f"e{n}", minute=-n * month) for n in range(150)])

    assert store.query("SELECT count(), uniqExact(_partition_id) FROM raw_touchpoints") == [(150, 150)]


def test_times_that_clickhouse_cannot_hold_are_stored_as_the_nearest_it_can(store: Store) -> None:
    events = [resolved_bytes(f"e{n}", occurred_at=time) for n, time in enumerate((-(2**62), -1, 0, 2**62))]

    store.load(topics.JOURNEY_INPUTS, *events)

    assert store.query("SELECT toYear(occurred_at) FROM raw_touchpoints FINAL ORDER BY event_id") == [
        (1900,), (1969,), (1970,), (2299,),
    ]  # fmt: skip


def test_the_same_batch_sent_again_after_a_lost_acknowledgement_adds_no_row(store: Store) -> None:
    (insert,), _ = prepare([(topics.JOURNEY_INPUTS, Consumed(resolved_bytes("e1")))])
    writer = NativeWriter(store.where)

    writer.write(insert)
    writer.write(insert)

    assert store.query("SELECT count() FROM raw_touchpoints") == [(1,)]
    writer.close()


def test_of_several_copies_the_one_with_the_newest_assignment_stays_in_any_order(store: Store) -> None:
    copies = [resolved_bytes("e1", profile=f"p{v}", version=v) for v in (2, 7, -1, 5)]

    for copy in copies:
        store.load(topics.JOURNEY_INPUTS, copy)

    assert store.query("SELECT profile_id, assignment_version FROM raw_touchpoints FINAL") == [
        (person("p7"), 7)
    ]


def owners(store: Store) -> dict[str, str]:
    return dict(store.query("SELECT event_id, profile_id FROM touchpoints_current"))


def test_a_touchpoint_belongs_to_the_present_owner_of_its_identifier(store: Store) -> None:
    store.load(
        topics.JOURNEY_INPUTS,
        resolved_bytes("alone", ids=[("cookie", "x")], profile="x-alone"),
        resolved_bytes("merged", ids=[("cookie", "a")], profile="a-alone"),
        resolved_bytes("ahead", ids=[("cookie", "a")], profile="newest", version=9),
    )
    for version, profile in ((3, "p3"), (5, "p5"), (4, "p4")):
        store.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("a", profile, version)))

    assert owners(store) == {
        "alone": person("x-alone"), "merged": person("p5"), "ahead": person("newest"),
    }  # fmt: skip


def test_a_shared_device_belongs_to_its_own_profile_from_the_contest_on(store: Store) -> None:
    store.load(
        topics.JOURNEY_INPUTS,
        *[resolved_bytes(f"at{minute}", ids=[("cookie", "tablet")], minute=minute) for minute in (9, 10, 11)],
    )
    contested = assignment(
        "tablet", "owner", 5, contested_from=START + 10 * 60_000, contested_profile_id=person("tablet-itself")
    )
    store.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(contested))

    assert owners(store) == {
        "at9": person("owner"), "at10": person("tablet-itself"), "at11": person("tablet-itself"),
    }  # fmt: skip


def test_an_identifier_whose_assignment_is_gone_falls_back_to_what_it_was_stitched_to(store: Store) -> None:
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("e1", ids=[("cookie", "a")], profile="stitched"))
    store.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("a", "owner", 5)))
    store.load(topics.IDENTITY_ASSIGNMENTS, None, key=b"default/cookie:a", headers=(("version", b"6"),))

    assert owners(store) == {"e1": person("stitched")}


def test_a_profile_of_one_tenant_never_shows_in_another(store: Store) -> None:
    store.load(
        topics.JOURNEY_INPUTS, resolved_bytes("e1", tenant="acme"), resolved_bytes("e1", tenant="globex")
    )
    store.load(
        topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("a", "p", 5, tenant="acme"))
    )

    assert store.query("SELECT tenant, profile_id FROM profiles ORDER BY tenant") == [
        ("acme", person("p")),
        ("globex", person("p1")),
    ]


def test_a_session_ends_with_a_gap_of_more_than_thirty_minutes(store: Store) -> None:
    minutes = [0, 30, 60.001, 90.002, 1]
    store.load(topics.JOURNEY_INPUTS, *[resolved_bytes(f"e{n}", minute=m) for n, m in enumerate(minutes)])

    sessions = store.query("SELECT number, touchpoints, types FROM sessions ORDER BY number")

    assert sessions == [
        (1, 3, ["product_view"] * 3),
        (2, 1, ["product_view"]),
        (3, 1, ["product_view"]),
    ]


def test_channel_switches_count_the_ways_between_channels(store: Store) -> None:
    store.load(
        topics.JOURNEY_INPUTS,
        *[
            resolved_bytes(f"e{n}", minute=n, channel=channel)
            for n, channel in enumerate(["web", "web", "phone", "web", "phone"])
        ],
    )

    switches = store.query(
        "SELECT from_channel, to_channel, switches, profiles FROM channel_switches ORDER BY ALL"
    )

    assert switches == [("phone", "web", 1, 1), ("web", "phone", 2, 1)]


def test_journeys_show_the_highest_version_whatever_came_last(store: Store) -> None:
    for version, stage in ((1, "awareness"), (3, "purchase"), (2, "intent")):
        store.load(topics.JOURNEY_STATES, JOURNEY_STATE.encode(journey("p1", version, stage=stage)))

    assert store.query("SELECT stage FROM journeys") == [("purchase",)]
    assert store.query("SELECT stage, profiles FROM journey_stages") == [("purchase", 1)]


def test_a_retracted_signal_is_no_longer_open(store: Store) -> None:
    for name, version, status in (("s1", 1, "RAISED"), ("s2", 2, "RAISED"), ("s1", 3, "RETRACTED")):
        store.load(topics.JOURNEY_SIGNALS, JOURNEY_SIGNAL.encode(signal(name, version, status)))

    assert store.query("SELECT signal_id FROM signals_open") == [(named_id("s2"),)]


@pytest.mark.skipif(not ECOM.exists(), reason="the ecom log is not beside this checkout")
def test_the_ecom_log_has_its_known_sessions_in_sql_too(store: Store) -> None:
    with gzip.open(ECOM, "rt") as file:
        lines = list(csv.DictReader(file))
    values = []
    for line in lines:
        time = datetime.fromisoformat(line["timestamp"]).replace(tzinfo=UTC).timestamp()
        event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, "|".join(line.values())))
        values.append(
            resolved_bytes(
                event_id, ids=[("cookie", line["user_id"])], profile=line["user_id"], type=line["event"],
                minute=(time - START / 1000) / 60,
            )
        )  # fmt: skip
    store.load(topics.JOURNEY_INPUTS, *values[::-1])

    assert store.query("SELECT count() FROM touchpoints_current") == [(31_076,)]
    assert store.query("SELECT count() FROM profiles") == [(600,)]
    assert store.query("SELECT count(), sum(has(types, 'add_to_cart')) FROM sessions") == [(3_605, 1_213)]


def test_migrations_are_applied_once(clickhouse: ClickHouseServer) -> None:
    where = database(clickhouse)

    with pytest.raises(SettingsError, match="run `touchline migrate`"):
        check_migrated(where)
    assert migrate(where) == [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert migrate(where) == []
    check_migrated(where)


def test_a_migration_that_changed_after_it_was_applied_is_refused(
    clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    where = database(clickhouse)
    file = tmp_path / "0001_one.sql"
    file.write_text("CREATE TABLE IF NOT EXISTS one (a UInt8) ENGINE = Memory;")
    migrate(where, tmp_path)

    file.write_text("CREATE TABLE IF NOT EXISTS one (a UInt16) ENGINE = Memory;")

    with pytest.raises(SettingsError, match=r"0001_one\.sql differs from what ClickHouse at .* has applied"):
        migrate(where, tmp_path)


def test_a_migration_that_was_cut_off_is_finished_by_the_next_run(
    clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    where = database(clickhouse)
    file = tmp_path / "0001_one.sql"
    file.write_text("CREATE TABLE IF NOT EXISTS one (a UInt8) ENGINE = Memory;\nCREATE nonsense;")
    with pytest.raises(SinkError):
        migrate(where, tmp_path)

    file.write_text("CREATE TABLE IF NOT EXISTS one (a UInt8) ENGINE = Memory;\nCREATE VIEW two AS SELECT 1;")

    assert migrate(where, tmp_path) == ["0001_one.sql"]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE raw_touchpoints",
        "INSERT INTO raw_identity_links (tenant) VALUES ('x')",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_a_query_cannot_write(tables: Store, sql: str) -> None:
    with pytest.raises(SinkError, match="queries can read only"):
        select(tables.where, sql)


def test_a_query_answers_with_names_and_values(tables: Store) -> None:
    columns, rows = select(tables.where, "SELECT 1 AS one, unhex('FF00') AS bytes, NULL AS nothing")

    assert columns == ["one", "bytes", "nothing"]
    assert rows == [(1, b"\xff\x00", None)]


def test_a_wrong_query_is_one_sentence(tables: Store) -> None:
    with pytest.raises(SinkError, match=r"Unknown table .* 'nope'.*\(code 60\)") as caught:
        select(tables.where, "SELECT * FROM nope")

    assert "\n" not in str(caught.value)
