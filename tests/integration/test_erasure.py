"""Erasures and withdrawn links on real parts: what is forgotten is gone and stays so, or returns as somebody new."""

import json
import subprocess
import time
from dataclasses import replace
from typing import Any

import pytest

from deploy.ingest.corrections import erasure, publish_correction, withdrawal
from schemas import topics
from schemas.encoding.record_types import (
    DEAD_LETTER,
    IDENTITY_ASSIGNMENT,
    IDENTITY_CORRECTION,
    IDENTITY_LINK,
    JOURNEY_SIGNAL,
    JOURNEY_STATE,
)
from schemas.records import Identifier, Touchpoint
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.receipts import Erasure, receipt_of
from sinks.clickhouse.erasure.rows import KEPT, TABLES
from sinks.clickhouse.retention import keep_files
from sinks.clickhouse.values import LATEST
from sinks.clickhouse.write.prepare import prepare
from streams.replay import Replay
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.store import Store
from tests.integration.test_pipeline import assert_live_equals, replayed, send
from tests.support.ids import named_id, person
from tests.support.kafka_records import Consumed, assignment, example, journey, resolved_bytes, signal
from tests.support.touchpoints import START, touchpoint
from tests.support.traces import files_with, records_of, rows_with

pytestmark = pytest.mark.sandbox

MINUTE = 60_000
UNTIL = START + 10 * MINUTE
CUSTOMER, BEN, BEA = (Identifier(type="customer_id", value=value) for value in ("C1001", "C2002", "C3003"))


def touchline(live: Deployment, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([*TOUCHLINE, *arguments], env=live.env(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shop() -> list[Touchpoint]:
    """Ann on two devices; Ben, whom a golden record takes for Bea."""
    ann, ben, bea = ("customer_id", "C1001"), ("customer_id", "C2002"), ("customer_id", "C3003")
    return [
        touchpoint("a1", minute=0, ids=[("cookie", "ann-phone")]),
        touchpoint("a2", minute=1, ids=[("cookie", "ann-phone"), ann], type="cart_opened"),
        touchpoint("a3", minute=2, ids=[("cookie", "ann-laptop"), ann], type="order_placed"),
        touchpoint("a4", minute=3, ids=[("cookie", "ann-laptop")]),
        touchpoint("b1", minute=4, ids=[("cookie", "ben"), ben]),
        touchpoint("b2", minute=5, ids=[bea, ("cookie", "bea")]),
        touchpoint("b3", minute=6, ids=[ben, bea], link="ASSERTED"),
    ]


def corrected(events: list[Touchpoint], live: Deployment) -> Replay:
    """Everything, without Ann's customer number until then, and without the golden record."""
    replay = replayed(events, live)
    replay.correct(erasure("default", CUSTOMER, UNTIL))
    replay.correct(withdrawal("default", BEN, BEA, UNTIL))
    return replay


def test_what_is_forgotten_and_unlinked_is_gone_from_the_live_pipeline(tansu, clickhouse, tmp_path) -> None:
    events = shop()
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()

        until = ("--until", "2026-01-01T00:10:00Z", "--json")
        touchline(live, "unlink", "customer_id:C3003", "customer_id:C2002", *until)
        receipt = touchline(live, "forget", "customer_id:C1001", *until)
        live.wait_idle()

        replay = corrected(events, live)
        assert len({owned.profile_id for owned in replay.owned()}) == 4
        assert_live_equals(replay, live)
        assert receipt["done"] is True
        assert (receipt["deleted"]["touchpoints"], receipt["deleted"]["identity_links"]) == (2, 2)
        client = live.client()
        assert rows_with(client, ["C1001"]) == {}
        client.disconnect()
        newest = {
            record.key: record.value for record in records_of(live.settings, topics.IDENTITY_ASSIGNMENTS)
        }
        assert [key for key, value in newest.items() if value is None] == [b"default/customer_id:C1001"]
        changelog = {
            record.key: record.value for record in records_of(live.settings, topics.IDENTITY_CHANGELOG)
        }
        assert not any(value for key, value in changelog.items() if key[:1] == b"~" and b"C1001" in key)


@pytest.mark.soak
def test_nothing_that_was_corrected_comes_back_with_an_old_file_only_with_new_events(
    tansu, clickhouse, tmp_path
) -> None:
    events = shop()
    later = [
        touchpoint("n1", minute=20, ids=[("cookie", "new"), ("customer_id", "C1001")]),
        touchpoint("n2", minute=21, ids=[("cookie", "new")]),
        touchpoint("n3", minute=7, ids=[("cookie", "bea")], type="erasure_requested"),
        touchpoint("n4", minute=23, ids=[("cookie", "bea"), ("customer_id", "C3003")]),
    ]
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()
        publish_correction(erasure("default", CUSTOMER, UNTIL), live.settings)
        publish_correction(withdrawal("default", BEN, BEA, UNTIL), live.settings)
        live.wait_idle()

        live.workers[0].kill()
        send([*events, *later], live)
        live.workers[0].start()
        live.wait_idle()

        assert_live_equals(corrected([*events, *later], live), live)


def test_erased_rows_are_hidden_at_once_then_deleted_and_no_old_record_brings_them_back(store: Store) -> None:
    ids = [("customer_id", "C1"), ("cookie", "x")]
    touchpoints = [
        resolved_bytes("mine", ids=[("cookie", "x")], version=3, minute=1),
        resolved_bytes("mine later", ids=[("cookie", "x")], version=3, minute=9),
        resolved_bytes("another's", ids=ids, profile="p2", minute=2),
    ]
    store.load(topics.JOURNEY_INPUTS, *touchpoints)
    old = IDENTITY_ASSIGNMENT.encode(assignment("x", "p1", 3))
    store.load(topics.IDENTITY_ASSIGNMENTS, old)
    for version in (1, 2):
        store.load(topics.JOURNEY_STATES, JOURNEY_STATE.encode(journey("p1", version)))
    signals = [signal("s1", 1), signal("s2", 1), signal("s1", 2, "RETRACTED")]
    profile = {"tenant": "default", "profile_id": person("p1")}
    for one in signals:
        store.load(topics.JOURNEY_SIGNALS, JOURNEY_SIGNAL.encode({**one, **profile}))
    eraser = Eraser(store.where)
    request = Erasure(
        "default", "cookie", "x", START + 5 * MINUTE, person("own"), (person("own"), person("p1")), 7, "r1"
    )

    eraser.accept([request])
    store.load(topics.IDENTITY_ASSIGNMENTS, None, key=b"default/cookie:x", headers=(("version", b"7"),))
    seen = "SELECT event_id, profile_id FROM touchpoints_current ORDER BY event_id"
    assert store.query(seen) == [("another's", person("p2")), ("mine later", person("own"))]
    assert eraser.recall() == [(request, False)]

    eraser.carry_out(request)
    assert store.query(seen) == [("another's", person("p2")), ("mine later", person("own"))]
    assert store.query(
        "SELECT event_id FROM raw_touchpoints FINAL WHERE has(identifiers, ('cookie', 'x'))"
    ) == [("mine later",)]
    assert store.query("SELECT signal_id FROM raw_journey_signals") == [(named_id("s2"),)]
    assert store.query("SELECT version FROM raw_journey_states") == [(2,)]
    assert store.query("SELECT count() FROM raw_identity_assignments") == [(0,)]
    (receipt,) = receipt_of(store.where, "default", "r1")
    found = {
        "touchpoints": 1,
        "identity_assignments": 2,
        "identity_assignment_history": 2,
        "journey_states": 1,
        "journey_signals": 2,
        "touchpoints of others": 1,
    }
    assert {name: count for name, count in receipt.deleted.items() if count and name in found} == found
    assert (receipt.done, receipt.waits_for, receipt.off_disk_at) == (True, "", None)

    fresh = Eraser(store.where)
    assert fresh.recall() == [(replace(request, profile_ids=(person("own"), person("p1"))), True)]
    batch = [(topics.JOURNEY_INPUTS, Consumed(value)) for value in touchpoints]
    inserts, _ = prepare([*batch, (topics.IDENTITY_ASSIGNMENTS, Consumed(old))], fresh.erased)
    assert [(insert.table, insert.columns["event_id"]) for insert in inserts] == [
        ("raw_touchpoints", ["mine later", "another's"])
    ]
    assert inserts[0].columns["identifiers"][1] == [("customer_id", "C1")]
    fresh.accept([request])
    fresh.carry_out(request)
    assert receipt_of(store.where, "default", "r1")[0].deleted == receipt.deleted

    store.load(topics.JOURNEY_INPUTS, *touchpoints)  # a loader that does not know yet
    assert store.query(seen) == [("another's", person("p2")), ("mine later", person("own"))]
    assert not fresh.look_again(request)
    assert store.query("SELECT count() FROM raw_touchpoints WHERE event_id = 'mine'") == [(0,)]
    (counted,) = receipt_of(store.where, "default", "r1")
    assert counted.deleted["touchpoints"] == 2


def carried_out(store: Store, eraser: Eraser) -> Erasure:
    """An erasure of a cookie with a touchpoint and a dead letter; another tenant's dead letter names the same one."""
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("mine", ids=[("cookie", "xyz-1")], version=3, minute=1))
    for number, key in enumerate((b"default/cookie:xyz-1", b"bank/cookie:xyz-1")):
        letter = {**example("DeadLetter"), "key": key, "value": b"", "offset": number}
        store.load(topics.DEAD_LETTERS, DEAD_LETTER.encode(letter))
    request = Erasure(
        "default", "cookie", "xyz-1", LATEST, person("own"), (person("own"), person("p1")), 7, "r9"
    )
    eraser.accept([request])
    eraser.tell(request, "journeys: 7 records")
    assert receipt_of(store.where, "default", "r9")[0].waits_for == "journeys: 7 records"
    eraser.carry_out(request)
    return request


def test_dead_letters_with_the_identifier_go_and_a_late_note_does_not_reopen_a_receipt(store: Store) -> None:
    eraser = Eraser(store.where)
    request = carried_out(store, eraser)

    eraser.tell(request, "journeys: 8 records")

    (receipt,) = receipt_of(store.where, "default", "r9")
    assert (receipt.done, receipt.waits_for, receipt.deleted["dead_letters"]) == (True, "", 1)
    assert rows_with(store.client, ["xyz-1"]) == {"dead_letters": 1}


@pytest.mark.soak
def test_a_receipt_says_when_the_files_of_deleted_rows_are_gone(store: Store) -> None:
    keep_files(store.where, TABLES, 1)
    eraser = Eraser(store.where)
    request = carried_out(store, eraser)
    kept = [*KEPT, "dead_letters"]  # that of the other tenant
    assert files_with(store.client, ["xyz-1"], kept) != []

    deadline = time.monotonic() + 120
    while not eraser.look_again(request):
        assert time.monotonic() < deadline
        time.sleep(0.5)

    assert receipt_of(store.where, "default", "r9")[0].off_disk_at is not None
    assert files_with(store.client, ["xyz-1"], kept) == []
    assert eraser.recall() == []


def test_withdrawn_evidence_does_not_show_as_current(store: Store) -> None:
    link = {
        "tenant": "default",
        "left": Identifier(type="cookie", value="x"),
        "right": CUSTOMER,
        "kind": "OBSERVED",
    }
    links = [
        {**link, "occurred_at": START + n * MINUTE, "event_id": f"e{n}", "source": "test"} for n in (1, 9)
    ]
    store.load(topics.IDENTITY_LINKS, *(IDENTITY_LINK.encode(one) for one in links))
    correction = withdrawal("default", link["left"], CUSTOMER, START + 5 * MINUTE)
    assert store.query("SELECT count() FROM identity_links_current") == [(2,)]

    store.load(topics.IDENTITY_LINKS, IDENTITY_CORRECTION.encode(correction))

    assert store.query("SELECT event_id FROM identity_links_current") == [("e9",)]
