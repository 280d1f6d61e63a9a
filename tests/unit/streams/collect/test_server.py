"""What clients are answered, and what is on Kafka then: never a 2xx before it is there."""

import asyncio
import base64
import gzip
import importlib
import json
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from prometheus_client import REGISTRY

from deploy.ingest.publisher import message as published
from schemas.catalogue import Catalogue
from schemas.touchpoint.json_form import from_json
from streams.collect import browser_settings
from streams.collect.limits import Limits
from streams.collect.server import PROTOCOLS
from streams.identity.policy.load import load
from tests.support.collector_messages import message
from tests.support.collector_serving import SECRET, Client, serving, write_keys
from tests.support.touchpoints import START

GZIP = {"Content-Encoding": "gzip"}


def basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def touchpoint(event_id: str = "e1", **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event_id, "occurred_at": "2026-01-01T00:00:00Z", "channel": "web", "type": "product_view",
        "identifiers": {"email": "ann@example.com", "cookie": "ck-1"}, **fields,
    }  # fmt: skip


def test_a_touchpoint_is_answered_once_it_is_on_kafka_as_publish_would_have_put_it() -> None:
    async def body() -> None:
        async with serving() as client:
            answer = await client.post("/v1/touchpoints", touchpoint())

            assert answer.status == 200
            assert await answer.json() == {
                "accepted": 1, "rejected": 0, "results": [{"event_id": "e1", "status": "accepted"}],
            }  # fmt: skip
            policy, catalogue = load("", SECRET.encode(), "k1"), Catalogue.load("")
            whole = from_json(touchpoint(source="web-shop", received_at=START), 0)
            assert client.broker.records["touchpoints"] == [published(whole, policy, catalogue)]

    asyncio.run(body())


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (json.dumps([touchpoint("a"), touchpoint("b")]), "application/json"),
        (
            f"{json.dumps(touchpoint('a'))}\r\n\n{json.dumps(touchpoint('b'))}\n",
            "application/x-ndjson; charset=utf-8",
        ),
        (json.dumps([touchpoint("a"), touchpoint("b")]), "text/plain"),
    ],
)
def test_an_array_and_lines_are_taken_item_by_item(data: str, media_type: str) -> None:
    async def body() -> None:
        async with serving() as client:
            answer = await client.post("/v1/touchpoints", data=data, headers={"Content-Type": media_type})

            assert answer.status == 200
            assert [one["event_id"] for one in client.broker.touchpoints()] == ["a", "b"]

    asyncio.run(body())


def test_each_item_that_cannot_be_taken_says_why_and_costs_no_other() -> None:
    batch = [
        touchpoint("good"), touchpoint("who", identifiers={}), touchpoint("when", occurred_at="2030-01-01T00:00:00Z"),
        touchpoint("what", colour="red"), 7, touchpoint("half", type="\ud800"),
        touchpoint("whose", tenant="other"), touchpoint("where", source="other"),
    ]  # fmt: skip

    async def body() -> None:
        async with serving() as client:
            answer = await client.post("/v1/touchpoints", batch)
            results = (await answer.json())["results"]

            assert answer.status == 207
            assert [(one["event_id"], one.get("reason")) for one in results] == [
                ("good", None), ("who", "NO_IDENTIFIER"), ("when", "FUTURE_TIME"), ("what", "INVALID"),
                (None, "INVALID"), ("half", "UNDECODABLE"), ("whose", "INVALID"), ("where", "INVALID"),
            ]  # fmt: skip
            assert all(one["error"] for one in results[1:])
            assert [one["event_id"] for one in client.broker.touchpoints()] == ["good"]
            assert client.broker.letters() == []

    asyncio.run(body())


def test_when_nothing_could_be_taken_the_answer_is_422() -> None:
    async def body() -> None:
        async with serving() as client:
            assert (await client.post("/v1/touchpoints", [touchpoint(identifiers={})])).status == 422
            assert (await client.post("/v1/touchpoints", [])).status == 200

    asyncio.run(body())


def test_the_write_key_decides_tenant_and_source_and_we_say_when_it_came() -> None:
    async def body() -> None:
        async with serving() as client:
            await client.post("/v1/touchpoints", touchpoint(received_at=0), key="k-acme")

            (one,) = client.broker.touchpoints()
            assert (one["tenant"], one["source"], one["received_at"]) == ("acme", "crm", START)

    asyncio.run(body())


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": basic("k-shop:")},
        {"Authorization": "bearer k-shop"},
        {"X-Write-Key": "k-shop"},
    ],
)
def test_a_write_key_may_come_in_any_of_the_usual_headers(headers: dict[str, str]) -> None:
    async def body() -> None:
        async with serving() as client:
            answer = await client.post("/v1/touchpoints", touchpoint(), key=None, headers=headers)
            assert answer.status == 200

    asyncio.run(body())


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !!"}, {"Authorization": "Basic "},
        {"Authorization": basic(":k-shop")},
    ],
)  # fmt: skip
def test_without_a_known_write_key_nothing_is_taken(headers: dict[str, str]) -> None:
    async def body() -> None:
        async with serving() as client:
            for path, data in (("/v1/touchpoints", touchpoint()), ("/v1/track", message())):
                answer = await client.post(path, data, key=None, headers=headers)
                problem = await answer.json()

                assert (answer.status, problem["code"]) == (401, "no_write_key")
                assert answer.content_type == "application/problem+json"
                assert answer.headers["WWW-Authenticate"].startswith("Basic")
            assert client.broker.records == {}

    asyncio.run(body())


def test_a_segment_batch_is_taken_with_the_key_in_its_body_and_gzip() -> None:
    batch = {"batch": [message(), message("identify", messageId="m2", userId="u1")], "writeKey": "k-shop"}

    async def body() -> None:
        async with serving() as client:
            data = gzip.compress(json.dumps(batch).encode())
            answer = await client.post("/v1/batch", key=None, data=data, headers=GZIP)

            assert (answer.status, await answer.json()) == (200, {"success": True})
            assert [one["type"] for one in client.broker.touchpoints()] == ["product_view", "identify"]

    asyncio.run(body())


@pytest.mark.parametrize(
    ("path", "type_"),
    [("/v1/track", "product_view"), ("/v1/t", "product_view"), ("/v1/p", "page_view"), ("/v1/i", "identify")],
)
def test_one_message_at_a_path_of_its_own_needs_no_type(path: str, type_: str) -> None:
    one = {name: value for name, value in message().items() if name != "type"}

    async def body() -> None:
        async with serving() as client:
            answer = await client.post(path, data=json.dumps(one), headers={"Content-Type": "text/plain"})

            assert answer.status == 200
            assert [one["type"] for one in client.broker.touchpoints()] == [type_]

    asyncio.run(body())


def test_what_a_segment_client_would_lose_silently_becomes_one_dead_letter_however_often_it_is_sent() -> None:
    nobody = {**message(messageId="m2"), "anonymousId": None}

    async def body() -> None:
        async with serving() as client:
            for _ in range(2):
                answer = await client.post("/v1/batch", {"batch": [message(), nobody, "junk"]})
                assert (answer.status, await answer.json()) == (200, {"success": True, "dead_letters": 2})

            letters = client.broker.letters()
            assert [one["reason"] for one in letters[:2]] == ["NO_IDENTIFIER", "INVALID"]
            assert json.loads(letters[0]["value"]) == nobody
            assert (letters[0]["component"], letters[0]["topic"]) == ("collector", "http-segment")
            places = [(one["topic"], one["partition"], one["offset"]) for one in letters]
            assert places[:2] == places[2:]
            assert len(set(places)) == 2

    asyncio.run(body())


@pytest.mark.parametrize("name", ["bad \0 name", "half \ud800"])
def test_a_message_with_a_text_that_no_touchpoint_may_have_becomes_a_dead_letter(name: str) -> None:
    async def body() -> None:
        async with serving() as client:
            data = json.dumps({"batch": [message(event=name), message()]})
            answer = await client.post("/v1/batch", data=data)

            assert (answer.status, (await answer.json())["dead_letters"]) == (200, 1)
            assert len(client.broker.touchpoints()) == 1
            (letter,) = client.broker.letters()
            assert letter["reason"] == "INVALID"
            assert json.loads(letter["value"])["event"] == name

    asyncio.run(body())


def test_a_type_is_stored_under_the_catalogues_name_whichever_client_sends_it() -> None:
    async def body() -> None:
        async with serving() as client:
            await client.post("/v1/touchpoints", touchpoint(type="Order Completed", channel="Mobile App"))
            await client.post("/v1/track", message(event="Order Completed"))

            types = [one["type"] for one in client.broker.touchpoints()]
            assert types == ["order_placed", "order_placed"]
            assert client.broker.touchpoints()[0]["channel"] == "app"

    asyncio.run(body())


def test_a_batchs_clock_is_corrected_but_not_that_of_an_import() -> None:
    hour_behind = {"batch": [message(timestamp="2025-12-31T22:59:50Z")], "sentAt": "2025-12-31T23:00:00Z"}

    async def body() -> None:
        async with serving() as client:
            await client.post("/v1/batch", hour_behind)
            await client.post("/v1/import", hour_behind)

            since_start = [one["occurred_at"] - START for one in client.broker.touchpoints()]
            assert since_start == [-10_000, -3_610_000]

    asyncio.run(body())


@pytest.mark.parametrize(
    ("path", "options", "status", "code"),
    [
        ("/v1/touchpoints", {"data": b"{"}, 400, "not_json"),
        ("/v1/batch", {"data": b"[]"}, 400, "not_an_object"),
        ("/v1/batch", {"data": b"{}"}, 400, "no_batch"),
        ("/v1/track", {"data": b'{"writeKey": 5}', "key": None}, 400, "bad_write_key"),
        ("/v1/touchpoints", {"data": b" " * 3000}, 413, "too_large"),
        ("/v1/touchpoints", {"data": gzip.compress(b" " * 9000), "headers": GZIP}, 413, "too_large"),
        ("/v1/touchpoints", {"data": b"[" + b"1," * 20 + b"1]"}, 413, "too_many"),
        ("/v1/touchpoints", {"data": b"x", "headers": {"Content-Encoding": "br"}}, 415, "unsupported_encoding"),
        ("/v1/nothing", {"data": b"{}"}, 404, "http"),
        ("/health", {"data": b"{}"}, 405, "http"),
    ],
)  # fmt: skip
def test_a_request_that_is_refused_gets_a_problem_document(
    path: str, options: Any, status: int, code: str
) -> None:
    async def body() -> None:
        async with serving(Limits(body_bytes=2000, inflated_bytes=8000, items=20)) as client:
            answer = await client.post(path, **options)
            problem = await answer.json()

            assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
            assert answer.content_type == "application/problem+json"
            assert problem["detail"]
            assert client.broker.records == {}
            assert client.intake.pending_bytes == 0

    asyncio.run(body())


def test_a_body_of_unknown_length_is_cut_off_at_the_limit() -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 1000

    async def body() -> None:
        async with serving(Limits(body_bytes=5000)) as client:
            answer = await client.post("/v1/touchpoints", data=endless())
            assert answer.status == 413
            assert client.intake.pending_bytes == 0

    asyncio.run(body())


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def stuck() -> Any:
        yield b"{"
        await asyncio.sleep(60)

    async def body() -> None:
        async with serving(Limits(body_seconds=0.05)) as client:
            assert (await client.post("/v1/touchpoints", data=stuck())).status == 408

    asyncio.run(body())


def test_a_key_beyond_its_rate_is_told_when_to_come_back() -> None:
    async def body() -> None:
        async with serving() as client:
            batch = [touchpoint(str(number)) for number in range(12)]
            assert (await client.post("/v1/touchpoints", batch, key="k-slow")).status == 200
            refused = await client.post("/v1/touchpoints", batch, key="k-slow")
            assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
            assert (await client.post("/v1/touchpoints", batch)).status == 200
            client.time += 2.5
            assert (await client.post("/v1/touchpoints", batch, key="k-slow")).status == 200

    asyncio.run(body())


def test_nothing_is_answered_before_the_broker_has_it() -> None:
    async def body() -> None:
        async with serving() as client:
            client.broker.open.clear()
            asked = asyncio.create_task(client.post("/v1/touchpoints", touchpoint()))
            await asyncio.sleep(0.1)
            assert not asked.done()

            client.broker.open.set()
            assert (await asked).status == 200
            assert client.intake.pending_bytes == 0

    asyncio.run(body())


def test_a_broker_that_does_not_acknowledge_in_time_makes_a_503_and_then_refusals_at_once() -> None:
    async def body() -> None:
        async with serving(Limits(answer_seconds=0.05, stall_seconds=0.1)) as client:
            client.broker.open.clear()
            late = await client.post("/v1/touchpoints", touchpoint())
            assert (late.status, late.headers["Retry-After"]) == (503, "2")
            assert client.intake.pending_bytes > 0
            await asyncio.sleep(0.1)
            assert (await client.get("/ready")).status == 503
            assert "nothing was taken" in (await (await client.post("/v1/track", message())).json())["detail"]
            assert (await client.get("/health")).status == 200

            client.broker.open.set()
            await asyncio.sleep(0.05)
            assert client.intake.pending_bytes == 0
            assert (await client.get("/ready")).status == 200
            assert (await client.post("/v1/touchpoints", touchpoint())).status == 200

    asyncio.run(body())


def test_what_the_collector_holds_stays_within_its_limit_while_the_broker_is_away() -> None:
    async def body() -> None:
        limits = Limits(pending_bytes=20_000, answer_seconds=0.3, stall_seconds=60)
        async with serving(limits) as client:
            client.broker.open.clear()
            batch = [touchpoint(str(number)) for number in range(20)]
            answers = await asyncio.gather(*(client.post("/v1/touchpoints", batch) for _ in range(50)))

            assert {one.status for one in answers} == {503}
            assert client.intake.pending_bytes <= 20_000
            client.broker.open.set()
            await asyncio.sleep(0.05)
            assert client.intake.pending_bytes == 0
            assert 0 < len(client.broker.touchpoints()) < 50 * 20

    asyncio.run(body())


def test_a_collector_that_cannot_read_as_fast_as_it_is_sent_to_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.collect.server.PARSED_AT_ONCE", 0)

    async def body() -> None:
        async with serving(Limits(answer_seconds=0.05)) as client:
            answer = await client.post("/v1/touchpoints", touchpoint())
            assert answer.status == 503
            assert "start another" in (await answer.json())["detail"]
            assert client.intake.pending_bytes == 0

    asyncio.run(body())


def test_a_producer_that_failed_is_replaced_once_and_nobody_is_told_that_it_worked() -> None:
    async def body() -> None:
        async with serving() as client:
            client.broker.open.clear()
            asked = [asyncio.create_task(client.post("/v1/touchpoints", touchpoint())) for _ in range(5)]
            await asyncio.sleep(0.1)
            client.broker.fails = KafkaTimeoutError()
            client.broker.open.set()
            assert {(await one).status for one in asked} == {503}
            assert (await client.get("/ready")).status == 503

            client.broker.fails = None
            for _ in range(100):
                if (await client.get("/ready")).status == 200:
                    break
                await asyncio.sleep(0.05)
            assert client.broker.connections == 2
            assert (await client.post("/v1/touchpoints", touchpoint())).status == 200

    asyncio.run(body())


def test_a_web_page_may_send_from_the_origins_of_its_key() -> None:
    async def body() -> None:
        async with serving() as client:
            origin = {"Origin": "https://shop.example"}
            asked = await client.session.options(client.url + "/v1/t", headers=origin)
            assert asked.status == 204
            assert asked.headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]

            taken = await client.post("/v1/t", message(), key="k-page", headers=origin)
            assert (taken.status, taken.headers["Access-Control-Allow-Origin"]) == (
                200,
                "https://shop.example",
            )
            other = await client.post(
                "/v1/t", message(), key="k-page", headers={"Origin": "https://evil.example"}
            )
            assert other.status == 403
            assert (
                await client.post("/v1/t", message(), headers={"Origin": "https://any.example"})
            ).status == 200

    asyncio.run(body())


def test_neither_address_nor_user_agent_is_stored() -> None:
    context = {"ip": "203.0.113.9", "userAgent": "Browser/1", "page": {"path": "/x"}}

    async def body() -> None:
        async with serving() as client:
            headers = {"User-Agent": "Browser/1", "X-Forwarded-For": "203.0.113.9"}
            await client.post("/v1/track", message(context=context), headers=headers)

            ((_, value),) = client.broker.records["touchpoints"]
            assert b"/x" in value
            assert b"203.0.113.9" not in value
            assert b"Browser/1" not in value

    asyncio.run(body())


@pytest.mark.parametrize("place", ["streams.collect.server.record", "streams.collect.messages.minor_units"])
def test_a_bug_in_one_event_costs_no_other_of_its_batch(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    module, _, name = place.rpartition(".")
    real = getattr(importlib.import_module(module), name)

    def broken(one: Any, *rest: Any) -> Any:
        if "13" in str(one):
            raise ZeroDivisionError
        return real(one, *rest)

    monkeypatch.setattr(place, broken)
    batch = [message(messageId=f"m{number}", properties={"revenue": number}) for number in (12, 13, 14)]

    async def body() -> None:
        async with serving() as client:
            assert (await client.post("/v1/batch", {"batch": batch})).status == 200
            assert [one["event_id"] for one in client.broker.touchpoints()] == ["m12", "m14"]
            assert [one["reason"] for one in client.broker.letters()] == ["UNEXPECTED"]

    asyncio.run(body())


def test_events_are_counted_by_what_became_of_them_once_kafka_has_them() -> None:
    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value(
            "touchline_collector_events_total", {"protocol": "segment", "outcome": outcome}
        ) or 0.0  # fmt: skip

    async def body() -> None:
        async with serving() as client:
            before = counted("accepted"), counted("INVALID")
            await client.post("/v1/batch", {"batch": [message(), message(messageId="m2"), "junk"]})
            assert (counted("accepted"), counted("INVALID")) == (before[0] + 2, before[1] + 1)

            client.broker.fails = KafkaTimeoutError()
            await client.post("/v1/batch", {"batch": [message()]})
            assert counted("accepted") == before[0] + 2

    asyncio.run(body())


def test_a_collector_that_is_open_takes_what_has_no_key() -> None:
    async def body(client: Client) -> None:
        assert (await client.post("/v1/touchpoints", touchpoint(source="any"), key=None)).status == 200
        assert (await client.post("/v1/track", message(), key="whatever")).status == 200

    async def run() -> None:
        keys = write_keys()
        keys.anyone = keys.find("k-shop")
        assert keys.anyone is not None
        from dataclasses import replace

        from streams.collect.senders import Sender

        keys.anyone = replace(keys.anyone, sender=Sender("collector", "default", None))
        async with serving(keys=keys) as client:
            await body(client)
            assert [one["source"] for one in client.broker.touchpoints()] == ["any", "collector"]

    asyncio.run(run())


def test_every_path_is_in_the_document_and_the_other_way_round() -> None:
    async def body() -> None:
        async with serving() as client:
            served = await (await client.get("/openapi.json")).json()
            documented = {
                (path, method.upper()) for path, entry in served["paths"].items() for method in entry
            }
            routes = {
                (protocol.path.replace(match, call).rstrip("/"), protocol.method)
                for protocol in PROTOCOLS
                for match in [protocol.path[protocol.path.find("{") :] if "{" in protocol.path else "{}"]
                for call in match.strip("{}").removeprefix("call:").split("|")
            }

            others = ("/health", "/ready", "/openapi.json", browser_settings.PATH)
            assert documented - {(path, "GET") for path in others} == routes

    asyncio.run(body())


def test_a_retry_has_the_same_key_id_and_time_whenever_it_comes() -> None:
    batch = {"batch": [message(timestamp="2025-12-31T23:59:58Z")], "sentAt": "2026-01-01T00:00:00Z"}

    async def body() -> None:
        async with serving() as client:
            await client.post("/v1/batch", batch)
            client.wall += 40_000
            await client.post("/v1/batch", batch)

            first, again = client.broker.touchpoints()
            assert again.pop("received_at") == first.pop("received_at") + 40_000
            assert again == first
            assert len({key for key, _ in client.broker.records["touchpoints"]}) == 1

    asyncio.run(body())
