"""A page changes one host, its cdnURL: the collector answers as Segment's CDN does, and all events come to it."""

import asyncio

import pytest

from schemas.http.problems import ProblemError
from streams.collect.browser_settings import settings_document
from tests.support.collector_serving import serving


def segment(host: str, scheme: str = "http", forwarded: str = "") -> dict[str, str]:
    found: dict[str, str] = settings_document("k", host, scheme, forwarded)["integrations"]["Segment.io"]
    return found


@pytest.mark.parametrize(
    ("host", "scheme", "forwarded", "expected"),
    [
        ("127.0.0.1:8480", "http", "", ("127.0.0.1:8480/v1", "http")),
        ("collector.example", "http", "https", ("collector.example/v1", "https")),
        ("collector.example", "http", "HTTPS, http", ("collector.example/v1", "https")),
        ("collector.example", "https", "", ("collector.example/v1", "https")),
        ("collector.example", "http", "gopher", ("collector.example/v1", "http")),
        ("[::1]:8480", "http", "", ("[::1]:8480/v1", "http")),
    ],
)
def test_events_go_where_the_settings_were_asked_for(
    host: str, scheme: str, forwarded: str, expected: tuple[str, str]
) -> None:
    found = segment(host, scheme, forwarded)
    assert (found["apiHost"], found["protocol"], found["apiKey"]) == (*expected, "k")


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "a@b", "a:b:c", "<script>"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ProblemError) as refused:
        segment(host)
    assert refused.value.status == 400


def test_no_destination_is_loaded_from_elsewhere_and_no_metrics_go_to_segment() -> None:
    found = settings_document("k", "h", "https", "")
    assert list(found["integrations"]) == ["Segment.io"]
    assert (found["remotePlugins"], found["metrics"]) == ([], {"sampleRate": 0})


def test_a_page_of_another_origin_may_read_them_with_a_known_key_only() -> None:
    async def body() -> None:
        async with serving() as client:
            for key, origin, status in (
                ("k-shop", "https://any.example", 200), ("k-page", "https://shop.example", 200),
                ("k-page", "https://other.example", 403), ("unknown", "https://any.example", 401),
            ):  # fmt: skip
                url = f"{client.url}/v1/projects/{key}/settings"
                async with client.session.get(url, headers={"Origin": origin}) as answer:
                    assert answer.status == status, key
                    assert answer.headers["Access-Control-Allow-Origin"] == origin
                    if status == 200:
                        host = client.url.removeprefix("http://")
                        document = await answer.json()
                        assert document["integrations"]["Segment.io"]["apiHost"] == f"{host}/v1"

    asyncio.run(body())
