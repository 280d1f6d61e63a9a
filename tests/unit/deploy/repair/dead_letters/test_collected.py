"""What the collector could not take becomes the touchpoint that it would be now, once, or keeps its letter."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.repair.dead_letters.collected import Collected
from deploy.repair.dead_letters.fix import Fix, parse_fix
from deploy.repair.dead_letters.letters import Letter
from deploy.repair.dead_letters.replaying import Outgoing, Replay
from schemas import headers
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import SettingsError
from schemas.http.hashed_keys import hash_of
from schemas.records import DeadLetter
from schemas.settings import Settings
from tests.support.collector_serving import SECRET, serving
from tests.support.touchpoints import START

MEMBER = "[rename]\n'attributes.member' = 'identifiers.customer_id'"
#: An item that nobody is in, as each protocol sends it, with the path that it goes to.
NOBODYS: dict[str, tuple[str, Any]] = {
    "segment": (
        "/v1/track",
        {"event": "Order Completed", "messageId": "m1", "timestamp": "2025-12-31T23:00:00Z",
         "properties": {"member": "C1", "revenue": 19.99, "currency": "EUR"}},
    ),
    "posthog": (
        "/batch",
        {"batch": [{"event": "Order Completed", "uuid": "m1", "timestamp": "2025-12-31T23:00:00Z",
                    "properties": {"member": "C1", "revenue": 19.99, "currency": "EUR"}}]},
    ),
    "snowplow": (
        "/com.snowplowanalytics.snowplow/tp2",
        {"data": [{"e": "ue", "eid": "m1", "ttm": str(START - 3_600_000), "ue_px": base64.urlsafe_b64encode(
            json.dumps({"data": {"schema": "iglu:x/order_completed/jsonschema/1-0-0",
                                 "data": {"member": "C1", "revenue": 19.99, "currency": "EUR"}}}).encode()).decode()}]},
    ),
}  # fmt: skip


def refused(path: str, *bodies: Any) -> list[DeadLetter]:
    """The letters that the collector writes about bodies."""

    async def body() -> list[DeadLetter]:
        async with serving() as client:
            for one in bodies:
                assert (await client.post(path, one)).status == 200
            return client.broker.letters()

    return asyncio.run(body())


def replayed(
    letters: list[DeadLetter], fix: Fix | None = None, **fields: Any
) -> tuple[Replay, list[Outgoing]]:
    settings = Settings(topic_prefix="test.", pseudonym_key=SECRET, **fields)
    collected = Collected(settings)
    collected.__dict__["partitions"] = 4  # what a broker would say
    run = Replay(settings, fix, lambda _: None, collected=collected)
    wrapped = [Letter(START + 5, 0, number, one) for number, one in enumerate(letters)]
    return run, list(run.outgoing(wrapped))


@pytest.mark.parametrize("protocol", NOBODYS)
def test_an_item_whose_person_a_fix_finds_is_what_the_collector_would_have_sent(protocol: str) -> None:
    run, (sent,) = replayed(refused(*NOBODYS[protocol]), parse_fix(MEMBER, "fix.toml"))
    found = TOUCHPOINT.decode(sent.value)
    assert (sent.topic, sent.key) == ("test.touchpoints", b"default/customer_id:C1")
    assert (found["source"], found["type"], found["amount_minor"], found["currency"]) == (
        "web-shop", "order_placed", 1999, "EUR",
    )  # fmt: skip
    assert (found["event_id"], found["occurred_at"], found["received_at"]) == ("m1", START - 3_600_000, START)
    assert (run.done.sent, run.done.fixed, run.done.skipped) == (1, 1, {})


def test_an_item_whose_person_the_mapping_finds_by_now_needs_no_fix(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("[identifiers]\ncustomer_id = ['userId', 'properties.member']")
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[keys.shop]\nsha256 = "{hash_of("k-shop")}"\nsource = "other"\nmapping = "shop.toml"')
    letters = refused(*NOBODYS["segment"])
    assert replayed(letters)[0].done.skipped == {"the collector would refuse it again: NO_IDENTIFIER": 1}
    _, (sent,) = replayed(letters, collector_keys=str(keys))
    found = TOUCHPOINT.decode(sent.value)
    assert sent.key == b"default/customer_id:C1"
    assert found["source"] == "web-shop", "an item keeps the source under which it came"


def test_an_item_that_was_refused_several_times_is_sent_once_and_says_whose_letter_it_was() -> None:
    path, body = NOBODYS["segment"]
    letters = refused(path, body, body, body)
    run, (sent,) = replayed(letters, parse_fix(MEMBER, "fix.toml"))
    assert run.done.skipped == {"the same record stands in another letter": 2}
    place = f"http-segment/-1/{letters[0]['offset']}"
    assert sent.headers == [(headers.REPLAYED, headers.replayed_from(place, SECRET.encode()))]


def test_personal_data_of_a_letter_is_pseudonymised_on_its_way() -> None:
    path, body = NOBODYS["segment"]
    hidden = {
        **body,
        "traits": {"email": "null"},
        "properties": {**body["properties"], "mail": "ann@shop.de"},
    }
    fix = parse_fix("[rename]\n'attributes.mail' = 'identifiers.email'", "fix.toml")
    _, (sent,) = replayed(refused(path, hidden), fix)
    assert b"ann@shop.de" not in (sent.value or b"")
    assert b"email:hmac:k1:" in (sent.key or b"")


def test_what_is_only_begun_in_its_letter_or_still_refused_keeps_its_letter() -> None:
    path, body = NOBODYS["segment"]
    long = {**body, "properties": {**body["properties"], "text": "x" * 1_000_000}}
    run, sent = replayed(refused(path, long), parse_fix(MEMBER, "fix.toml"))
    assert (sent, run.done.skipped) == ([], {"the collector would refuse it again: UNDECODABLE": 1})
    run, sent = replayed(refused(path, {**body, "event": " "}), parse_fix(MEMBER, "fix.toml"))
    assert (sent, run.done.skipped) == ([], {"the collector would refuse it again: INVALID": 1})


def test_without_a_key_nothing_of_it_is_sent_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    run = Replay(settings, None, lambda _: None)
    (letter,) = refused(*NOBODYS["segment"])
    with pytest.raises(SettingsError, match="there is no key"):
        list(run.outgoing([Letter(START, 0, 0, letter)]))
