"""The service of subscribers: look-ups, waiting for an event, keys, and what it says when it cannot answer."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from schemas.errors import SinkError
from schemas.profile_ids import own_profile
from sinks.subscribers.keys import everything
from sinks.subscribers.limits import Limits
from tests.support.kafka_records import journey
from tests.support.state_log import account, no_state, owner, placed, state
from tests.support.subscriber_serving import NOW, serving


def own(cookie: str, tenant: str = "default") -> str:
    return own_profile(tenant, ("cookie", cookie))


A, B = own("a"), own("b")
RECENT = journey(A, 1)["recent"][:1]


def test_a_person_is_found_by_profile_id_and_by_what_the_customer_says(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 7), owner("b", A, 1)]))
            for path in (A, "cookie/a", "cookie/A", "cookie/b"):
                response = await served.get(f"/v1/profiles/{path}")
                found = await response.json()
                assert response.status == 200
                assert (found["profile_id"], found["state"]["version"]) == (A, 7)
                assert (found["merged_from"], found["shared_from"]) == (None, None)
            for path in (
                f"/v1/profiles/{own('z')}",
                "/v1/profiles/cookie/new",
                "/v1/profiles/cookie/blocked",
            ):
                response = await served.get(path)
                assert (response.status, (await response.json())["code"]) == (404, "unknown")

    asyncio.run(run())


def test_an_old_profile_id_answers_with_its_survivor_and_says_so(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 1), state(B, 2)]))
            served.take(placed([state(A, 1), no_state(A, 5), owner("a", B, 1)])[1:])
            found = await (await served.get(f"/v1/profiles/{A}")).json()
            assert (found["profile_id"], found["merged_from"]) == (B, A)

    asyncio.run(run())


def test_what_has_not_changed_is_not_sent_again_and_what_has_is(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 1), state(A, 2)])[:1])
            path = f"/v1/profiles/{A}"
            etag = (await served.get(path)).headers["ETag"]
            for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
                response = await served.get(path, If_None_Match=known)
                assert (response.status, await response.read()) == (304, b"")
                assert response.headers["ETag"] == etag
            served.take(placed([state(A, 1), state(A, 2)])[1:])
            response = await served.get(path, If_None_Match=etag)
            assert response.status == 200
            assert response.headers["ETag"] != etag
            assert response.headers["Cache-Control"] == "private, no-cache"

    asyncio.run(run())


def test_fields_select_and_a_misspelt_one_is_refused(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 1), account("acme/x", 3)]))
            found = await (await served.get(f"/v1/profiles/{A}?fields=stage,friction")).json()
            assert set(found["state"]) == {
                "stage",
                "friction",
                "tenant",
                "profile_id",
                "account_id",
                "version",
            }
            found = await (await served.get("/v1/accounts/acme%2Fx?fields=members")).json()
            assert set(found["state"]) == {"tenant", "account_id", "version", "members"}
            for path in (
                f"/v1/profiles/{A}?fields=stge",
                "/v1/accounts/acme%2Fx?fields=stage",
                f"/v1/profiles/{A}?field=x",
            ):
                response = await served.get(path)
                assert response.status == 400
                assert response.content_type == "application/problem+json"
            assert (await served.get("/v1/accounts/nobody")).status == 404

    asyncio.run(run())


def test_who_waits_for_an_event_is_answered_when_the_state_lists_it(tmp_path) -> None:
    event = RECENT[0]["event_id"]

    async def run() -> None:
        async with serving(tmp_path) as served:
            log = placed([state(B, 1, recent=[]), owner("a", B, 1), state(B, 2, recent=RECENT)])
            asked = asyncio.create_task(served.get(f"/v1/profiles/cookie/a?wait={event}&within=5"))
            for number in range(3):
                await asyncio.sleep(0.05)
                assert not asked.done()
                served.take(log[number : number + 1])
            response = await asked
            assert response.status == 200
            assert (await response.json())["state"]["version"] == 2
            assert (await served.get(f"/v1/profiles/cookie/a?wait={event}&within=0")).status == 200

    asyncio.run(run())


def test_who_waits_in_vain_is_told_after_the_time_and_only_so_many_may_wait(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(waits=1)) as served:
            served.take(placed([state(A, 1)]))
            path = f"/v1/profiles/{A}?wait=never&within="
            response = await served.get(path + "0.01")
            assert (response.status, (await response.json())["code"]) == (409, "not_in")
            first = asyncio.create_task(served.get(path + "0.3"))
            await asyncio.sleep(0.1)
            assert (await served.get(path + "0.3")).status == 503
            assert (await first).status == 409
            assert served.hub.waiting == 0
            for within in ("11", "-1", "nan", "x"):
                assert (await served.get(path + within)).status == 400
            assert (await served.get(f"/v1/profiles/{A}?wait=")).status == 400

    asyncio.run(run())


def test_several_people_are_answered_in_the_order_in_which_they_were_asked_for(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(lookups=4)) as served:
            served.take(placed([state(A, 1), state(B, 2)]))
            who = [{"type": "cookie", "value": "b"}, {"profile_id": "nobody"}, {"profile_id": A}]
            answer = await served.post("/v1/profiles:lookup", {"who": who, "fields": ["stage"]})
            results = (await answer.json())["results"]
            assert [one.get("profile_id") for one in results] == [B, None, A]
            assert [one["status"] for one in results] == [200, 404, 200]
            assert "friction" not in results[0]["state"]
            for body, status in (
                ({"who": who[:1] * 5}, 422), ({"who": []}, 422), ({}, 422), ([], 422), ({"who": [{"type": "x"}]}, 422),
                ({"who": who, "fields": ["nope"]}, 400), ({"who": who, "fields": "stage"}, 422),
                ({"who": who, "more": 1}, 422), ({"who": [{"profile_id": "a/b"}]}, 422),
                ({"who": [{"type": "cookie", "value": "x" * 201}]}, 422),
            ):  # fmt: skip
                assert (await served.post("/v1/profiles:lookup", body)).status == status, body

    asyncio.run(run())


def test_a_body_that_is_no_json_or_too_large_is_refused_in_one_sentence(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(body_bytes=200)) as served:
            url, headers = f"{served.url}/v1/profiles:lookup", {"Authorization": "Bearer k-all"}
            for data, media, status in (
                (b"{", "application/json", 400), (b"\xff", "application/json", 400), (b"{}", "text/plain", 415),
                (b'{"who": "' + b"x" * 300 + b'"}', "application/json", 413), (b"[" * 190, "application/json", 400),
            ):  # fmt: skip
                answer = await served.session.post(url, data=data, headers={**headers, "Content-Type": media})
                assert (answer.status, answer.content_type) == (status, "application/problem+json")

    asyncio.run(run())


def test_a_body_that_is_not_encoded_as_it_says_is_refused_and_no_bug(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for encoding in ("gzip", "deflate"):
                headers = {
                    "Authorization": "Bearer k-all",
                    "Content-Type": "application/json",
                    "Content-Encoding": encoding,
                    "Connection": "close",
                }
                answer = await served.session.post(
                    f"{served.url}/v1/profiles:lookup", data=b'{"who": []}' * 20, headers=headers
                )
                assert (answer.status, (await answer.json())["status"]) == (400, 400)

    asyncio.run(run())


def test_a_key_reaches_its_tenant_and_its_scopes_only(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 1), state(own("a", "shop"), 2, tenant="shop")]))
            path = f"/v1/profiles/{A}"
            assert (await served.get(path, key="k-ids")).status == 200
            assert (await served.get(path, key="k-shop")).status == 404
            found = await (await served.get("/v1/profiles/cookie/a", key="k-shop")).json()
            assert found["state"]["tenant"] == "shop"
            for key, status in ((None, 401), ("wrong", 401), ("k-ids", 403)):
                for asked in ("/v1/profiles/cookie/a", f"{path}/timeline", f"{path}/signals", f"{path}/evidence",
                              "/v1/accounts/x", "/v1/streams/signals", "/v1/streams/changes"):  # fmt: skip
                    assert (await served.get(asked, key=key)).status == status
            answer = await served.post(
                "/v1/profiles:lookup", {"who": [{"type": "cookie", "value": "a"}]}, "k-ids"
            )
            assert (answer.status, (await answer.json())["code"]) == (403, "scope")

    asyncio.run(run())


def test_a_key_with_a_rate_is_told_when_to_come_back(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            assert (await served.get(f"/v1/profiles/{A}", key="k-slow")).status == 404
            response = await served.get(f"/v1/profiles/{A}", key="k-slow")
            assert (response.status, int(response.headers["Retry-After"]) > 0) == (429, True)

    asyncio.run(run())


def test_an_open_service_answers_to_names_of_this_machine_only(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, open_to=everything()) as served:
            served.take(placed([state(A, 1)]))
            assert (await served.get(f"/v1/profiles/{A}", key=None)).status == 200
            assert (await served.get(f"/v1/profiles/{A}", key=None, Host="evil.example")).status == 421

    asyncio.run(run())


def test_until_it_has_caught_up_nobody_is_unknown(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(start_seconds=0.01), fresh=False) as served:
            for path in (
                f"/v1/profiles/{A}",
                "/v1/profiles/cookie/a",
                "/v1/accounts/x",
                "/v1/streams/states",
            ):
                response = await served.get(path)
                assert (response.status, (await response.json())["code"]) == (503, "not_ready")
            assert (await served.get("/readyz", key=None)).status == 503
            assert (await served.get("/healthz", key=None)).status == 200
            served.take([])
            assert (await served.get("/readyz", key=None)).status == 200
            served.now = NOW + 31
            assert (await served.get("/readyz", key=None)).status == 503
            assert (await served.get(f"/v1/profiles/{A}")).status == 404, "it goes on with what it has"

    asyncio.run(run())


def test_what_clickhouse_knows_is_asked_about_the_survivor_page_by_page(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(B, 1), owner("a", B, 1)]))
            row = {"occurred_at": 5, "event_id": "e.1", "source": "web.shop/ä"}
            served.rows.found = [row]
            found = await (await served.get(f"/v1/profiles/{A}/timeline?limit=1")).json()
            assert (found["profile_id"], found["touchpoints"]) == (B, [row])
            await served.get(f"/v1/profiles/{A}/timeline?before={found['next']}")
            asked = served.rows.asked[-1]
            assert (asked["profile"], asked["before"], asked["before_event"], asked["before_source"]) == (
                B,
                5,
                "e.1",
                "web.shop/ä",
            )
            assert (await (await served.get(f"/v1/profiles/{A}/signals")).json())["signals"] == [row]
            assert (await (await served.get(f"/v1/profiles/{A}/evidence")).json())["evidence"] == [row]
            for path in (
                "timeline?limit=0",
                "timeline?limit=1001",
                "timeline?before=x",
                "timeline?before=5.e.web",
                "timeline?before=WzVd",
                f"signals?before={found['next']}",
            ):
                assert (await served.get(f"/v1/profiles/{A}/{path}")).status == 400
            served.rows.found = SinkError("ClickHouse is away")
            response = await served.get(f"/v1/profiles/{A}/timeline")
            assert (response.status, (await response.json())["code"]) == (503, "unavailable")
            assert (await served.get(f"/v1/profiles/{own('z')}/timeline")).status == 404

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/healthz", 405),
        ("GET", "/v1/profiles:lookup", 405),
        ("PUT", "/v1/x", 404),
    ],
)
def test_whatever_is_asked_the_answer_is_a_problem_document(tmp_path, method, path, status) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            answer = await served.session.request(method, served.url + path)
            assert (answer.status, answer.content_type) == (status, "application/problem+json")

    asyncio.run(run())


def test_an_etag_of_one_tenant_means_nothing_to_another(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for tenant in ("default", "shop"):
                # the same version at the same offset of some partition
                served.take([account("acme", 3, tenant)._replace(partition=0, offset=4)])
            tags = [
                (await served.get("/v1/accounts/acme", key)).headers["ETag"] for key in ("k-all", "k-shop")
            ]
            assert len(set(tags)) == 2
            response = await served.get("/v1/accounts/acme", "k-shop", If_None_Match=tags[0])
            assert response.status == 200
            assert response.headers["Vary"] == "Authorization"

    asyncio.run(run())


def test_a_waiting_request_is_woken_by_its_event_and_by_new_owners_alone(tmp_path) -> None:
    """Else each batch would let every waiting request decode a state."""

    async def run() -> None:
        async with serving(tmp_path) as served:
            event = RECENT[0]["event_id"]
            other = [{**RECENT[0], "event_id": "another"}]
            with served.hub.news("default", event) as news:
                for wakes, record in (
                    (False, state("p", 1, recent=other)), (False, account("acme", 1)),
                    (False, state("p", 2, "shop", recent=RECENT)), (False, owner("a", B, 1, "shop")),
                    (True, state("p", 3, recent=[*other, *RECENT])), (True, owner("a", B, 1)), (True, no_state("p", 4)),
                ):  # fmt: skip
                    news.clear()
                    batch = served.table.apply([record])
                    served.hub.applied(batch, served.table.positions())
                    assert batch.entries
                    assert news.is_set() == wakes, record
            assert served.hub.waiting == 0

    asyncio.run(run())


def test_a_connection_that_asks_nothing_and_a_body_that_does_not_come_are_not_waited_for(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(head_seconds=0.1, body_seconds=0.1)) as served:
            host, port = served.url.removeprefix("http://").split(":")
            silent, first = await asyncio.open_connection(host, int(port))
            slow, second = await asyncio.open_connection(host, int(port))
            second.write(
                b"POST /v1/profiles:lookup HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k-all\r\n"
                b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
            async with asyncio.timeout(10):
                assert await silent.read() == b""
                assert (await slow.readline()).split()[1] == b"408"
            first.close()
            second.close()

    asyncio.run(run())


def counted(kind: str, status: int) -> float:
    labels = {"kind": kind, "status": str(status)}
    return REGISTRY.get_sample_value("touchline_subscribers_requests_total", labels) or 0.0


def test_every_answer_is_counted_also_one_without_clickhouse(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(placed([state(A, 1)]))
            served.rows.found = SinkError("ClickHouse is away")
            before = counted("timeline", 503)
            await served.get(f"/v1/profiles/{A}/timeline")
            assert counted("timeline", 503) == before + 1

    asyncio.run(run())
