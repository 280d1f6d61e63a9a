"""Dead letters on real parts: listed, shown, mended, sent through again, and sending twice changes nothing."""

from pathlib import Path

import pytest
from kafka import KafkaProducer

from deploy.cli.dead_letters import Store, list_letters, replay, show
from schemas.dead_letters import VERSION
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key
from schemas.topics import TOUCHPOINTS
from tests.integration.commands import answer
from tests.integration.parts import Deployment, deployment
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

CUSTOMER = [("customer_id", "1")]


def send(live: Deployment, *values: bytes, **headers: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=live.settings.brokers, acks="all", enable_idempotence=False)
    key = identifier_key("default", {"type": "customer_id", "value": "1"})
    for value in values:
        producer.send(
            live.settings.topic(TOUCHPOINTS.name),
            key=key,
            value=value,
            headers=[("trace", b"t1"), *headers.items()],
        )
    producer.flush()
    producer.close()


def test_dead_letters_are_listed_shown_mended_and_sent_through_again(
    tansu, clickhouse, tmp_path: Path
) -> None:
    good = touchpoint("good", ids=CUSTOMER)
    moneyless = touchpoint("moneyless", ids=CUSTOMER, minute=1, amount_minor=500)
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(live, TOUCHPOINT.encode(good), TOUCHPOINT.encode(moneyless), b"\xc3\x01poison")
        live.wait_idle()

        listed = answer(live, list_letters)
        assert listed["letters"] == 2
        assert {(one["reason"], one["component"]) for one in listed["newest"]} == {
            ("INVALID", "stitch"), ("UNDECODABLE", "stitch"),
        }  # fmt: skip
        stored = answer(live, list_letters, store=Store.CLICKHOUSE)
        assert stored["letters"] == 2
        assert stored["counts"] == listed["counts"]
        assert answer(live, list_letters, since="2100-01-01")["letters"] == 0
        kinds = live.query("SELECT reason, component_version, letters, newest_place FROM dead_letter_kinds")
        assert sorted(kinds) == [
            (one["reason"], VERSION, 1, one["place"])
            for one in sorted(listed["newest"], key=lambda one: one["reason"])
        ]
        headers = live.query("SELECT DISTINCT key, headers FROM dead_letters FINAL")
        assert headers == [("default/customer_id:1", [("trace", "t1")])]

        place = next(one["place"] for one in listed["newest"] if one["reason"] == "INVALID")
        shown = answer(live, show, which=place)
        assert shown["error"] == "amount_minor has no currency"
        assert shown["record"]["event_id"] == "moneyless"
        assert shown["headers"] == {"trace": "t1"}
        assert answer(live, show, which="1", reason="UNDECODABLE")["record"] == "c301706f69736f6e"

        mend = tmp_path / "mend.toml"
        mend.write_text('[set]\ncurrency = "EUR"\n')
        dry = answer(live, replay, fix=str(mend), dry_run=True)
        assert (dry["sent"], dry["would_send"], dry["mended"]) == (0, 1, 1)
        for _ in range(2):
            assert answer(live, replay, fix=str(mend))["sent"] == 1
        again = answer(live, replay, reason="UNDECODABLE")
        assert (again["sent"], again["fails_again"]) == (1, 1)
        live.wait_idle()
        assert live.query("SELECT event_id, currency FROM touchpoints_current ORDER BY event_id") == [
            ("good", ""), ("moneyless", "EUR"),
        ]  # fmt: skip
        assert live.query("SELECT touchpoints FROM journeys") == [(2,)]
        assert answer(live, list_letters)["letters"] == 3
        assert answer(live, replay, reason="UNDECODABLE", dry_run=True)["would_send"] == 1
