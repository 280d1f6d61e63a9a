"""The page on loopback, with people and answers that stand in for ClickHouse."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from schemas.errors import UnavailableError, UnseenError
from schemas.http.server_log import server_logger
from schemas.profile_ids import own_profile
from sinks.page.access import access
from sinks.page.assets import Assets
from sinks.page.hub import Hub
from sinks.page.people import Described
from sinks.page.reading import Reading
from sinks.page.server import PageServer


class StandIn:
    """Answers every query with no row, or does not answer; finds one person, of whom there is nothing to show."""

    KNOWN = "email:a@b.org"

    def __init__(self) -> None:
        self.away = False
        self.tenants: set[str] = set()

    async def rows(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self.away:
            raise UnavailableError("ClickHouse does not answer: start it")
        self.tenants |= {values["tenant"]} if "tenant" in values else set()
        if "FROM reconciled" in sql:
            return [{"seconds": 12.5}]
        if "groupUniqArray" in sql:
            return [{"channel": ["web"], "source": ["crm"]}]
        return []

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    def find(self, tenant: str, asked: str) -> str:
        self.tenants.add(tenant)
        if asked == self.KNOWN:
            return own_profile(tenant, ("email", "a@b.org"))
        raise UnseenError(f"nobody is known by {asked}")

    def describe(self, tenant: str, profile: str) -> Described:
        self.tenants.add(tenant)
        raise UnseenError(f"nobody is known by {profile}")


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Its address; for everybody on this machine."""
    stand_in, hub = StandIn(), Hub()
    reading = Reading(stand_in, stand_in, hub)  # type: ignore[arg-type]
    server = PageServer(access("127.0.0.1", "", "", (), ()), reading, hub, Assets())
    runner = web.AppRunner(
        server.application(), access_log=None, shutdown_timeout=1, max_line_size=8190, handler_cancellation=True,
        logger=server_logger(),
    )  # fmt: skip
    await runner.setup()
    listens = await server.connections.listen(runner, "127.0.0.1", 0)
    host, port = listens.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        listens.close()
        hub.close()
        await runner.cleanup()
