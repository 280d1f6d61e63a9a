"""Ids are UUIDs in tables and texts everywhere else; whoever has the text of an id finds what it names, by the key."""

import re
from collections.abc import Iterator

import pytest
from clickhouse_driver import Client

from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.encoding.record_types import (
    ACCOUNT_STATE,
    IDENTITY_ASSIGNMENT,
    JOURNEY_SIGNAL,
    JOURNEY_STATE,
    PROFILE_CHANGED,
)
from schemas.keys import profile_key
from sinks.clickhouse.read.subject import Subject
from sinks.clickhouse.write.prepare import prepare
from tests.integration.store import Store, migrated
from tests.support.ids import ODD_IDS, person
from tests.support.kafka_records import Consumed, assignment, example, journey, resolved_bytes, signal
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

PEOPLE = 3_000  #: more than two granules of every table that is looked up
MINUTE = 60_000
ANN = person("p7")


@pytest.fixture(scope="module")
def store(clickhouse: ClickHouseServer) -> Iterator[Store]:
    """Many people with a touchpoint and a state; one change, one signal, one account, one shared identifier."""
    store = Store(migrated(clickhouse))
    store.load(
        topics.JOURNEY_INPUTS,
        *[resolved_bytes(f"e{n}", ids=[("cookie", f"c{n}")], profile=f"p{n}") for n in range(PEOPLE)],
    )
    states = [
        Consumed(
            JOURNEY_STATE.encode(journey(f"p{n}", 1, tenant="default")),
            key=profile_key("default", person(f"p{n}")),
        )
        for n in range(PEOPLE)
    ]
    for insert in prepare((topics.JOURNEY_STATES, state) for state in states)[0]:
        store.rows.write(insert)
    change = {
        **example("ProfileChanged"),
        "tenant": "default",
        "kind": "MERGED",
        "profile_id": ANN,
        "others": [person("gone")],
    }
    store.load(topics.PROFILE_CHANGES, PROFILE_CHANGED.encode(change))
    raised = {**signal("s1", 1), "tenant": "default", "profile_id": ANN}
    moved = {
        **signal("s2", 1, "RETRACTED"), "tenant": "default", "profile_id": ANN, "reason": "MOVED",
        "successor": person("p8"),
    }  # fmt: skip
    store.load(topics.JOURNEY_SIGNALS, JOURNEY_SIGNAL.encode(raised), JOURNEY_SIGNAL.encode(moved))
    account = {**example("AccountState"), "tenant": "default", "account_id": "acme", "member_ids": [ANN]}
    store.load(topics.ACCOUNT_STATES, ACCOUNT_STATE.encode(account))
    shared = assignment(
        "c9", "p9", 5, contested_from=START + MINUTE, contested_profile_id=person("shared"), tenant="default"
    )
    store.load(
        topics.IDENTITY_ASSIGNMENTS,
        IDENTITY_ASSIGNMENT.encode(assignment("c7", "p7", 4)),
        IDENTITY_ASSIGNMENT.encode(shared),
    )
    yield store
    store.close()


@pytest.fixture
def plain(store: Store) -> Iterator[Client]:
    """The driver as an analyst has it, without Touchline's wrapper."""
    where = store.where
    client = Client(
        host=where.host, port=where.port, user=where.user, password=where.password, database=where.database
    )
    yield client
    client.disconnect()


def granules(client: Client, sql: str, table: str) -> tuple[int, int]:
    """How many granules of a table a question reads by its primary key, and of how many."""
    plan = "\n".join(line for (line,) in client.execute(f"EXPLAIN indexes = 1 {sql}"))
    (found,) = re.findall(
        rf"ReadFromMergeTree \(\w+\.{table}\).*?PrimaryKey.*?Granules: (\d+)/(\d+)", plan, re.DOTALL
    )[:1]
    return int(found[0]), int(found[1])


def test_no_table_or_view_holds_an_id_as_text(store: Store) -> None:
    ids = store.query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
        " AND match(name, '(profile_ids?|owner_id|successor|member_ids|others|change_id|signal_id|subject_id)$')"
        # a comment holds when ClickHouse last computed a view, so its columns are those of the tables
        " AND table NOT LIKE '.%'"
    )

    assert len(ids) > 30
    assert [one for one in ids if "UUID" not in one[2]] == []


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT stage FROM journeys WHERE tenant = 'default' AND profile_id = '{ANN}'",
        f"SELECT stage FROM journeys WHERE tenant = 'default' AND profile_id IN ('{ANN}')",
        f"SELECT stage FROM journeys WHERE tenant = 'default' AND profile_id = toUUIDOrZero('{ANN}')",
    ],
)
def test_a_journey_is_found_by_the_primary_key(store: Store, sql: str) -> None:
    assert len(store.query(sql)) == 1
    read, of = granules(store.client, sql, "raw_journey_states")
    assert read == 1
    assert of >= 2


def test_a_persons_touchpoints_are_found_by_the_primary_key(store: Store) -> None:
    sql = f"SELECT event_id FROM person_touchpoints(tenant = 'default', profile_id = '{ANN}')"

    assert store.query(sql) == [("e7",)]
    # the plan shows the names of its identifiers as a set that is there already: see for itself how that is read
    held = f"SELECT identifier_value FROM raw_profile_identifiers WHERE tenant = 'default' AND profile_id = '{ANN}'"
    for asked, table in ((sql, "raw_touchpoints"), (held, "raw_profile_identifiers")):
        read, of = granules(store.client, asked, table)
        assert read == 1, table
        assert of >= 2, table


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event_id FROM touchpoints_current WHERE profile_id = '{id}'",
        "SELECT event_id FROM touchpoints_current WHERE profile_id IN ('{id}', '{other}') AND event_id = 'e7'",
        "SELECT 'e7' FROM journeys WHERE profile_id IN (SELECT profile_id FROM profiles WHERE profile_id = '{id}')",
        "SELECT t.event_id FROM touchpoints_current AS t JOIN journeys AS j USING (tenant, profile_id)"
        " WHERE j.profile_id = '{id}'",
        "SELECT event_id FROM touchpoints_current WHERE profile_id IN (SELECT profile_id FROM identity_current"
        " WHERE identifier_value = 'c7')",
        "SELECT 'e7' FROM signals_open WHERE profile_id = '{id}'",
        "SELECT 'e7' FROM profile_changes FINAL WHERE has(others, toUUID('{gone}'))",
        "SELECT 'e7' FROM accounts WHERE has(member_ids, toUUID('{id}'))",
        "SELECT event_id FROM touchpoints_current WHERE toString(profile_id) LIKE '{id}'",
        "SELECT event_id FROM touchpoints_current WHERE dictGet('identity_owners', 'profile_id',"
        " (tenant, identifier_type, identifier_value)) = '{id}'",
    ],
)
def test_an_analyst_finds_people_by_the_text_of_their_id(plain: Client, sql: str) -> None:
    plain.execute("SYSTEM RELOAD DICTIONARY identity_owners")
    assert plain.execute(sql.format(id=ANN, other=person("p8"), gone=person("gone"))) == [("e7",)]


def test_where_there_is_no_second_owner_and_no_successor_there_is_null(plain: Client) -> None:
    owners = "SELECT identifier_value, contested_profile_id IS NULL FROM identity_current ORDER BY 1"
    assert plain.execute(owners) == [("c7", 1), ("c9", 0)]
    assert plain.execute("SELECT successor FROM signals_open") == [(None,)]
    absent = (
        "SELECT dictGet('identity_owners', 'profile_id', ('default', 'cookie', 'nobody')),"
        " dictGet('identity_owners', 'contested_profile_id', ('default', 'cookie', 'c7'))"
    )
    assert plain.execute(absent) == [(None, None)]


def test_touchline_itself_reads_texts(store: Store) -> None:
    assert store.query("SELECT profile_id, others FROM profile_changes") == [(ANN, [person("gone")])]
    assert store.query("SELECT contested_profile_id FROM identity_current ORDER BY identifier_value") == [
        (None,),
        (person("shared"),),
    ]
    assert store.query(
        "SELECT map(profile_id, [(successor, 1)]) FROM raw_journey_signals ORDER BY signal_id"
    ) in (
        [({ANN: [(None, 1)]},), ({ANN: [(person("p8"), 1)]},)],
        [({ANN: [(person("p8"), 1)]},), ({ANN: [(None, 1)]},)],
    )
    assert store.client.execute("SELECT profile_id FROM profile_changes", columnar=True) == [(ANN,)]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_who_asks_for_what_is_no_id_finds_nobody(store: Store, odd: str) -> None:
    with Subject(store.where, "default") as subject:
        assert subject.present_profile(odd) is None
        assert subject.held_by(odd) == []
        assert not any(subject.everything(odd, []).values())
