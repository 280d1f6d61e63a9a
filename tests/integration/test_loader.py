"""The loader on a real broker and a real ClickHouse. What happens when they fail: tests/faults/on_clickhouse.py."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kafka import KafkaProducer

from deploy.sandbox import Broker, ClickHouseServer
from schemas import topics
from schemas.encoding.codec import decode
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, JOURNEY_SIGNAL, JOURNEY_STATE, MOVE
from schemas.errors import ContractError
from schemas.keys import identifier_key, profile_key
from schemas.topics import Topic
from tests.integration.parts import Deployment, deployment, on_kafka, on_tansu
from tests.integration.processes import wait_until
from tests.support.ids import named_id, person
from tests.support.kafka_records import assignment, journey, resolved_bytes, signal

pytestmark = pytest.mark.sandbox

MANY = 30_000  # more than one batch of the loader


@contextmanager
def producer(live: Deployment) -> Iterator[KafkaProducer]:
    settings = live.settings
    sender = KafkaProducer(
        bootstrap_servers=settings.brokers,
        acks="all",
        enable_idempotence=bool(settings.idempotent_producer),
        linger_ms=20,
        batch_size=256 * 1024,
    )
    yield sender
    sender.flush()
    sender.close()


def send(live: Deployment, topic: Topic, values: Iterable[bytes | None], **more: Any) -> None:
    with producer(live) as sender:
        for number, value in enumerate(values):
            key = None if value is None else key_of(value)
            record = {"key": key or profile_key("default", person(f"p{number % 50}")), "value": value, **more}
            sender.send(live.settings.topic(topic.name), **record)


def key_of(value: bytes) -> bytes | None:
    """The key that Touchline gives a record; None for one that cannot be read."""
    try:
        name, body = decode(value)
    except ContractError:
        return None
    tenant = body["touchpoint"]["tenant"] if name == "ResolvedTouchpoint" else body["tenant"]
    if name == "IdentityAssignment":
        return identifier_key(tenant, body["identifier"])
    return profile_key(tenant, body["profile_id"])


def touchpoints(count: int) -> list[bytes]:
    return [resolved_bytes(f"e{number}", minute=number) for number in range(count)]


def wait_loaded(live: Deployment) -> None:
    """Wait until the loader has read everything, twice in a row: its dead letters are for itself to read."""

    def loaded() -> bool:
        backlogs = live.look().backlogs
        return backlogs is not None and all(backlog.idle for backlog in backlogs[topics.LOADER_GROUP])

    for _ in range(2):
        wait_until(loaded)


def raw(live: Deployment) -> int:
    return int(live.query("SELECT count() FROM raw_touchpoints")[0][0])


def assert_each_once(live: Deployment, count: int) -> None:
    (counts,) = live.query("SELECT count(), uniqExact(event_id) FROM raw_touchpoints FINAL")
    assert counts == (count, count)
    assert raw(live) >= count


@on_kafka
def test_duplicates_in_kafka_show_once(broker: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(broker, clickhouse, workers=0) as live:
        events = touchpoints(2_000)

        send(
            live,
            topics.JOURNEY_INPUTS,
            [*events, *reversed(events), MOVE.header + b"skipped", *events[:100]],
        )

        wait_loaded(live)
        assert_each_once(live, 2_000)
        assert live.query("SELECT count() FROM dead_letters") == [(0,)]


def test_every_topic_reaches_its_table(tansu: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(tansu, clickhouse, workers=0) as live:
        send(live, topics.IDENTITY_ASSIGNMENTS, [IDENTITY_ASSIGNMENT.encode(assignment("a", "p1", 1))])
        send(live, topics.JOURNEY_STATES, [JOURNEY_STATE.encode(journey("p1", 1))])
        send(live, topics.JOURNEY_SIGNALS, [JOURNEY_SIGNAL.encode(signal("s1", 1))])

        wait_loaded(live)
        assert live.query("SELECT profile_id FROM raw_identity_assignments FINAL") == [(person("p1"),)]
        assert live.query("SELECT profile_id FROM journeys") == [(person("p1"),)]
        assert live.query("SELECT signal_id FROM signals_open") == [(named_id("s1"),)]


@on_kafka
def test_a_poison_record_becomes_a_dead_letter_and_the_rest_goes_on(
    broker: Broker, clickhouse: ClickHouseServer
) -> None:
    with deployment(broker, clickhouse, workers=0) as live:
        send(live, topics.JOURNEY_INPUTS, [*touchpoints(10), b"\xc3\x01left to journeys", *touchpoints(20)])
        send(live, topics.JOURNEY_SIGNALS, [b"\xc3\x01poison"])
        send(live, topics.DEAD_LETTERS, [b"not even a dead letter"])

        wait_loaded(live)
        assert_each_once(live, 20)
        letters = live.query("SELECT reason, component, value FROM dead_letters FINAL ORDER BY component")
        assert letters == [
            ("UNDECODABLE", "loader", b"\xc3\x01poison"),
            ("UNDECODABLE", "unknown", "not even a dead letter"),
        ]


@on_tansu
def test_a_tombstone_removes_the_journey_and_a_newer_state_brings_it_back(
    broker: Broker, clickhouse: ClickHouseServer
) -> None:
    with deployment(broker, clickhouse, workers=0) as live:
        key = profile_key("default", person("p1"))
        send(live, topics.JOURNEY_STATES, [JOURNEY_STATE.encode(journey("p1", 10))], key=key)
        wait_loaded(live)
        assert live.query("SELECT version FROM journeys") == [(10,)]

        send(live, topics.JOURNEY_STATES, [None], key=key, headers=[("version", b"11")])
        wait_loaded(live)
        assert live.query("SELECT version FROM journeys") == []

        send(live, topics.JOURNEY_STATES, [JOURNEY_STATE.encode(journey("p1", 9))], key=key)
        send(live, topics.JOURNEY_STATES, [JOURNEY_STATE.encode(journey("p1", 12))], key=key)
        wait_loaded(live)
        assert live.query("SELECT version FROM journeys") == [(12,)]


@pytest.mark.kafka
def test_sigterm_commits_what_was_loaded_so_that_a_restart_repeats_nothing(
    kafka: Broker, clickhouse: ClickHouseServer
) -> None:
    with deployment(kafka, clickhouse, workers=0) as live:
        assert live.loader is not None
        send(live, topics.JOURNEY_INPUTS, touchpoints(MANY))
        wait_until(lambda: raw(live) > 0)

        assert live.loader.stop(timeout=60) == 0, live.log_tails()
        live.start_loader()
        wait_loaded(live)
        assert_each_once(live, MANY)
        assert raw(live) == MANY


def test_a_loader_without_topics_says_what_to_run(tansu: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(tansu, clickhouse, workers=0, loader=False) as live:
        live.settings = replace(live.settings, topic_prefix="nobody.")
        loader = live.start_loader()

        wait_until(lambda: not loader.alive)

        assert loader.returncode == 1
        assert re.fullmatch(
            r"touchline: Kafka has no topic nobody\.[a-z-]+ and \d+ more: run `touchline topics`",
            loader.log_tail(1),
        )


def test_a_loader_without_tables_says_what_to_run(tansu: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(tansu, clickhouse, workers=0, loader=False) as live:
        live.settings = replace(live.settings, clickhouse_url=clickhouse.url_of("nobody"))
        loader = live.start_loader()

        wait_until(lambda: not loader.alive)

        assert loader.returncode == 1
        assert "lacks tables of database 'nobody': run `touchline migrate`" in loader.log_tail(1)
