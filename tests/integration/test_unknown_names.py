"""The catalogue in ClickHouse, and the names that it does not have."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_driver import Client

from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.catalogue import Catalogue
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect
from sinks.clickhouse.write.catalogue import TABLES, Meanings, misspelt_erasures, put_in_force
from sinks.clickhouse.write.native_writer import NativeWriter
from sinks.clickhouse.write.prepare import prepare
from tests.integration.store import drop, migrated
from tests.support.kafka_records import Consumed, resolved_bytes
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

BUILT_IN = Catalogue.load()


def store_catalogue(where: ClickHouse, catalogue: Catalogue) -> bool:
    """Put a catalogue in force; the rules stay the same."""
    return put_in_force(where, Meanings(catalogue, session_gap_ms=1, session_cap_ms=2))


@pytest.fixture
def where(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    where = migrated(clickhouse)
    yield where
    drop(where)


@pytest.fixture
def client(where: ClickHouse) -> Iterator[Client]:
    client = connect(where)
    yield client
    client.disconnect()


def load(where: ClickHouse, *touchpoints: dict[str, Any]) -> None:
    writer = NativeWriter(where)
    values = [resolved_bytes(f"e{number}", **fields) for number, fields in enumerate(touchpoints)]
    inserts, rejected = prepare(
        [(topics.JOURNEY_INPUTS, Consumed(v, offset=n)) for n, v in enumerate(values)]
    )
    assert not rejected
    for insert in inserts:
        writer.write(insert)
    writer.close()


def test_the_tables_say_what_the_catalogue_says(where: ClickHouse, client: Client) -> None:
    store_catalogue(where, BUILT_IN)

    assert client.execute(
        "SELECT name, alias_of, component, stage, direction, friction, moment, effect, owner FROM catalogue_types FINAL"
        " WHERE name IN ('order_returned', 'order_completed', 'outage') ORDER BY name"
    ) == [
        (
            "order_completed",
            "order_placed",
            "commerce",
            "purchase",
            "inbound",
            0.0,
            "",
            "order_placed",
            "shop",
        ),
        ("order_returned", "", "commerce", "", "inbound", 1.0, "", "order_returned", "logistics"),
        ("outage", "", "service", "", "internal", 3.0, "ouch", "", "engineering"),
    ]
    assert client.execute(
        "SELECT name, alias_of, kind FROM catalogue_channels FINAL WHERE name IN ('chatbot', 'telephone') ORDER BY name"
    ) == [("chatbot", "", "digital"), ("telephone", "phone", "human")]
    ((types,),) = client.execute("SELECT count() FROM catalogue_types FINAL")
    assert types == len(BUILT_IN.types) + len(BUILT_IN.type_aliases)


def test_another_catalogue_replaces_adds_and_removes_and_the_same_one_writes_nothing(
    where: ClickHouse, client: Client
) -> None:
    store_catalogue(where, Catalogue.parse("[types]\nteleported = { component = 'sales' }", "x", BUILT_IN))
    changed = Catalogue.parse("[types]\nhome = { component = 'sales' }", "x", BUILT_IN)

    store_catalogue(where, changed)
    query = "SELECT name, component FROM catalogue_types FINAL WHERE name IN ('home', 'teleported')"
    assert client.execute(query) == [("home", "sales")]

    rows = [client.execute(f"SELECT count() FROM {table}") for table in TABLES]
    assert not store_catalogue(where, replace(changed))
    assert [client.execute(f"SELECT count() FROM {table}") for table in TABLES] == rows


def test_what_nobody_knows_is_counted_per_source_with_the_nearest_name_that_is_known(
    where: ClickHouse, client: Client
) -> None:
    store_catalogue(where, BUILT_IN)
    load(
        where,
        {"type": "order_placed", "consent": {"marketing": "GRANTED"}},
        {"type": "order_placde", "source": "shop"},
        {"type": "order_placde", "source": "shop", "minute": 5},
        {"type": "order_placde", "source": "app"},
        {"type": "erasure_requestd", "channel": "emial"},
        {"type": "teleported", "consent": {"markting": "DENIED", "analytics": "GRANTED"}},
    )

    assert client.execute(
        "SELECT kind, name, source, touchpoints, nearest, distance FROM unknown_names ORDER BY kind, name, source"
    ) == [
        ("channel", "emial", "test", 1, "email", 1),
        ("purpose", "markting", "test", 1, "marketing", 1),
        ("type", "erasure_requestd", "test", 1, "erasure_requested", 1),
        ("type", "order_placde", "app", 1, "order_placed", 1),
        ("type", "order_placde", "shop", 2, "order_placed", 1),
        ("type", "teleported", "test", 1, "", 0),
    ]
    ((first, last),) = client.execute("SELECT first_at, last_at FROM unknown_names WHERE source = 'shop'")
    assert (first.timestamp() * 1000, last.timestamp() * 1000) == (START, START + 5 * 60_000)


def test_a_name_that_the_catalogue_learns_is_unknown_no_more(where: ClickHouse, client: Client) -> None:
    store_catalogue(where, BUILT_IN)
    load(where, {"type": "teleported"})
    assert client.execute("SELECT name FROM unknown_names") == [("teleported",)]

    store_catalogue(where, Catalogue.parse("[aliases]\nteleported = 'home'", "x", BUILT_IN))
    assert client.execute("SELECT name FROM unknown_names") == []


def test_a_misspelt_erasure_is_found_and_a_type_of_ones_own_that_is_called_alike_is_not(
    where: ClickHouse,
) -> None:
    store_catalogue(
        where, Catalogue.parse("[types]\nerasure_rejected = { component = 'service' }", "x", BUILT_IN)
    )
    load(
        where,
        *({"type": name} for name in ("home", "erasure_rejected", "removed_from_cart", "gdpr_consent")),
        {"type": "erasure_requestd", "source": "crm"},
        {"type": "dsgvo_löschung", "source": "crm"},
        {"type": "user_deletion", "source": "app"},
    )

    assert misspelt_erasures(where) == [
        ("dsgvo_löschung", "crm", 1), ("erasure_requestd", "crm", 1), ("user_deletion", "app", 1),
    ]  # fmt: skip
