"""The HTTP library's log quotes nothing of what clients sent."""

import asyncio
import logging

import pytest
from aiohttp import web

from schemas.http.server_log import server_logger

SECRET = "k-very-secret"


def sent(raw: bytes) -> bytes:
    async def fails(_: web.Request) -> web.Response:
        raise KeyError("a bug")

    async def asking() -> bytes:
        app = web.Application()
        app.router.add_get("/bug", fails)
        runner = web.AppRunner(app, access_log=None, logger=server_logger())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(raw)
        answer = await reader.readline()
        writer.close()
        await runner.cleanup()
        return answer

    return asyncio.run(asking())


@pytest.mark.parametrize(
    "raw",
    [
        b"POST \x18" + SECRET.encode() + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/profiles/email/" + SECRET.encode() + b"\xe9@x.org HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization: Bearer " + SECRET.encode() + b"\x00\r\n\r\n",
    ],
)
def test_a_request_that_is_no_http_is_refused_and_not_quoted(
    raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert b" 400 " in sent(raw)
    assert "refused what is no HTTP request" in caplog.text
    assert SECRET not in caplog.text
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_bug_is_told_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    assert b" 500 " in sent(b"GET /bug HTTP/1.1\r\nHost: x\r\n\r\n")
    assert "a bug" in caplog.text
