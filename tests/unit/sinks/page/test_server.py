"""The server behind a proxy's login."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from sinks.page.access import Access, access
from sinks.page.assets import Assets
from sinks.page.hub import Hub
from sinks.page.reading import Reading
from sinks.page.server import PART, PageServer
from tests.support.page_serving import StandIn

BEHIND = access("127.0.0.1", "X-User", "X-Tenants", ("127.0.0.1",), ())
EVE = {"X-User": "eve", "X-Tenants": "acme"}


def served(rule: Access, check: Callable[[TestClient[Any, Any], StandIn, Hub], Awaitable[None]]) -> None:
    async def run() -> None:
        stand_in, hub = StandIn(), Hub()
        reading = Reading(stand_in, stand_in, hub)  # type: ignore[arg-type]
        application = PageServer(rule, reading, hub, Assets()).application()
        async with TestClient(TestServer(application)) as client:
            await check(client, stand_in, hub)

    asyncio.run(run())


async def get(
    client: TestClient[Any, Any], path: str, headers: Mapping[str, str] | None = None
) -> ClientResponse:
    return await client.get(path, headers=headers, allow_redirects=False)


def test_a_login_sees_its_tenants_and_no_other_nor_what_belongs_to_none() -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        assert (await get(client, "/t/acme/")).status == 401
        assert (await get(client, "/t/acme/", {"X-User": "eve"})).status == 403
        assert (await get(client, "/t/acme/", EVE)).status == 200
        assert (await get(client, "/", EVE)).headers["Location"] == "/t/acme/"
        for path in (
            "/t/default/",
            "/t/default/live",
            "/t/default/person?id=1",
            "/t/default/panels/totals",
            "/?tenant=default",
        ):
            assert (await get(client, path, EVE)).status == 403, path
        assert (await get(client, "/t/acme/panels/letters", EVE)).status == 404
        assert "panel-letters" not in await (await get(client, "/t/acme/dead-letters", EVE)).text()
        assert stand_in.tenants == {"acme"}

    served(BEHIND, check)


def test_every_answer_carries_the_headers_that_keep_others_out() -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        for path, status in (
            ("/t/acme/", 200),
            ("/t/acme/x", 404),
            ("/t/other/", 403),
            ("/health", 200),
            ("/static/1/x", 404),
        ):
            answer = await get(client, path, EVE)
            assert answer.status == status
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-store"
        assert (await client.post("/t/acme/", headers=EVE)).status == 405
        assert (await client.post("/t/acme/find", headers=EVE, data={"who": "x" * 20_000})).status == 413

    served(BEHIND, check)


def test_a_page_is_served_without_clickhouse_and_its_panels_say_why_they_are_empty() -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        stand_in.away = True
        whole = await get(client, "/t/acme/", EVE)
        assert whole.status == 200
        assert "skeleton" in await whole.text()
        part = await get(client, "/t/acme/panels/totals", {**EVE, PART: "1"})
        assert (part.status, await part.text()) == (503, "ClickHouse does not answer: start it.")
        hub.set_health("clickhouse", well=False)
        assert (await get(client, "/ready")).status == 503

    served(BEHIND, check)


@pytest.mark.parametrize("who", ["<b>nobody</b>", "x:<script>"])
def test_nobody_is_said_in_one_sentence_that_repeats_markup_as_text(who: str) -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        answer = await client.post("/t/acme/find", headers=EVE, data={"who": who}, allow_redirects=False)
        text = await answer.text()
        assert answer.status == 404
        assert "<b>" not in text
        assert "<script>" not in text
        assert "&lt;" in text

    served(BEHIND, check)


def test_a_stream_ends_when_the_server_does() -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        stream = await get(client, "/t/acme/live", EVE)
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert (await stream.content.readuntil(b"\n\n")) == b"retry: 1000\n\n"
        # the health is told at once: Python 3.11 alone let a change that came after it go along
        assert b'"health"' in await stream.content.readuntil(b"\n\n")
        hub.note("states", "acme", "p1", version=1)
        assert b'"p1"' in await stream.content.readuntil(b"\n\n")
        hub.close()
        await asyncio.wait_for(stream.read(), 2)
        assert len(hub) == 0

    served(BEHIND, check)


def test_all_scripts_and_styles_together_stay_small() -> None:
    assert Assets().zipped_bytes < 700 * 1024


def test_a_panel_says_how_far_reconciliation_is_behind_so_that_an_open_page_looks_again_until_it_is_past_a_change() -> (
    None
):
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        part = await get(client, "/t/acme/panels/totals", {**EVE, PART: "1"})
        assert part.headers["X-Touchline-Behind"] == "12.500"

    served(BEHIND, check)


def test_a_search_that_is_no_form_is_refused_and_no_bug() -> None:
    async def check(client: TestClient[Any, Any], stand_in: StandIn, hub: Hub) -> None:
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            answer = await client.post("/t/acme/find", data=b"zzz", headers={**EVE, "Content-Type": kind})
            assert answer.status == 400, kind
            assert "cannot be read" in await answer.text()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
        answer = await client.post("/t/acme/find", data=b"who=zzz", headers={**EVE, **headers})
        assert (answer.status, "cannot be read" in await answer.text()) == (400, True)

    served(BEHIND, check)
