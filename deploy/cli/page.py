"""`touchline page`: the live page on loopback."""

import asyncio
import logging
import sys
from functools import partial
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.logs import configure
from deploy.cli.output import say
from deploy.monitoring.server import serve
from deploy.screens.page.people import JourneyPeople
from sinks.page.access import access
from sinks.page.run import Listening, run

PORT: Final = 8470


def command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than loopback needs a login.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = PORT,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Show only this tenant; repeat it for several.")
    ] = None,
    login_header: Annotated[
        str,
        typer.Option(
            help="Header in which the reverse proxy names whom it logged in, like X-Forwarded-User."
        ),
    ] = "",
    tenants_header: Annotated[
        str, typer.Option(help="Header in which it names the tenants that they may see, comma-separated.")
    ] = "X-Touchline-Tenants",
    proxy: Annotated[
        list[str] | None, typer.Option(help="Address or network of that proxy; repeat it for several.")
    ] = None,
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
    log_format: Annotated[
        str, typer.Option(help="text or json; otherwise as TOUCHLINE_LOG_FORMAT says.")
    ] = "",
) -> None:
    """Show journeys as they happen, in a browser: overview, people, accounts, identity, signals, dead letters.

    Without a login it listens on this machine only. It reads ClickHouse's views and listens to the journey topics.

    Example: touchline page --port 8470
    """
    context = Context.from_env()
    rule = access(host, login_header, tenants_header, tuple(proxy or ()), tuple(tenant or ()))
    configure(loglevel, log_format or context.settings.log_format)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    people = JourneyPeople(
        context.settings.readers_clickhouse(), context.policy, context.catalogue, context.rules.session_gap_ms
    )
    observe = partial(serve, context.settings)
    asyncio.run(run(context.settings, Listening(host, port), rule, people, _announce, observe))


def _announce(address: str) -> None:
    say(f"page: {address}")
    sys.stdout.flush()
