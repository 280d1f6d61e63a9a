"""The hub tells each page what concerns it, and holds little for one that does not listen."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sinks.page.changes import stream_changes
from sinks.page.hub import MAX_PROFILES, REMEMBERED, REMEMBERED_SECONDS, Hub, Pending, Subscription


def take(subscription: Subscription) -> Pending | None:
    return asyncio.run(subscription.take(0.01))


def test_changes_of_one_tenant_are_collected_into_one_message() -> None:
    hub = Hub()
    with hub.subscribe("shop") as page, hub.subscribe("acme") as other:
        take(page), take(other)
        hub.note("states", "shop", "p1", version=1)
        hub.note("states", "shop", "p1", version=2)
        hub.note("changes", "shop", "p1", "p2")
        told = take(page)
        assert told is not None
        assert told.message() == {"kinds": ["changes", "states"], "profiles": ["p1", "p2"]}
        assert take(page) is None
        assert take(other) is None


def test_a_change_that_belongs_to_no_tenant_is_told_to_all() -> None:
    hub = Hub()
    with hub.subscribe("shop") as page:
        take(page)
        hub.note("dead_letters", None)
        told = take(page)
        assert told is not None
        assert told.kinds == {"dead_letters"}


def test_a_page_that_does_not_listen_costs_no_memory() -> None:
    hub = Hub()
    with hub.subscribe("shop") as page:
        take(page)
        for number in range(100 * MAX_PROFILES):
            hub.note("states", "shop", f"p{number}", version=number)
        told = take(page)
        assert told is not None
        assert told.message()["profiles"] is None
    assert hub.remembered <= REMEMBERED


def test_the_first_message_says_what_answers_and_later_ones_what_changes() -> None:
    hub = Hub()
    hub.set_health("kafka", well=False)
    with hub.subscribe("shop") as page:
        first = take(page)
        assert first is not None
        assert first.health == {"clickhouse": True, "kafka": False}
        hub.set_health("kafka", well=False)
        assert take(page) is None
        hub.set_health("kafka", well=True)
        again = take(page)
        assert again is not None
        assert again.health == {"clickhouse": True, "kafka": True}
    assert len(hub) == 0


def test_a_version_is_expected_until_clickhouse_must_have_it() -> None:
    clock = [0.0]
    hub = Hub(lambda: clock[0])
    hub.note("states", "shop", "p1", version=7)
    hub.note("states", "shop", "p1", version=5)
    assert hub.expected("shop", "p1") == 7
    assert not hub.gone("shop", "p1")
    hub.note("states", "shop", "p1", version=9, gone=True)
    assert (hub.expected("shop", "p1"), hub.gone("shop", "p1")) == (9, True)
    assert hub.expected("acme", "p1") is None
    clock[0] = REMEMBERED_SECONDS + 1
    assert hub.expected("shop", "p1") is None


def test_a_page_that_is_left_before_its_stream_begins_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(web.StreamResponse, "prepare", gone)
    hub = Hub()
    request = make_mocked_request("GET", "/t/shop/live")
    asyncio.run(stream_changes(request, hub, "shop"))
    assert len(hub) == 0
