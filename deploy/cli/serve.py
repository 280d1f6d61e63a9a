"""`touchline serve`: the present state of people over HTTP, and every change of it as a stream."""

import asyncio
import ipaddress
import logging
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.logs import configure
from deploy.cli.output import remarks, say
from deploy.ingest.key_check import compared
from deploy.monitoring.server import serve
from schemas.errors import SettingsError
from schemas.http.hashed_keys import hash_of, new_key
from schemas.records import Identifier
from schemas.touchpoint.json_form import DEFAULT_TENANT
from sinks.subscribers.keys import ReaderKeys, Scope, everything, load_keys, parse_keys
from sinks.subscribers.people import StoredForm
from sinks.subscribers.run import Listening, run
from streams.collect.run import tls_context
from streams.identity.policy.policy import IdentityPolicy

PORT: Final = 8490


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = PORT,
    table: Annotated[
        Path | None, typer.Option(help="File for the present states; default TOUCHLINE_SUBSCRIBER_TABLE.")
    ] = None,
    keyless: Annotated[
        bool, typer.Option("--open", help="Answer without an API key; only on loopback, to try things out.")
    ] = False,
    tenant: Annotated[str, typer.Option(help="Of --open, or of a new key.")] = DEFAULT_TENANT,
    new: Annotated[
        str | None,
        typer.Option("--new-key", metavar="NAME", help="Print a new API key and its entry, and end."),
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Of a new key; repeat it for several. Default: read:states.")
    ] = None,
    certificate: Annotated[str, typer.Option(help="PEM file for TLS; else a proxy in front does it.")] = "",
    private_key: Annotated[str, typer.Option(help="PEM file, if the certificate's does not hold it.")] = "",
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Answer where a person is now, by profile id or any identifier, and stream states, signals and changes.

    Look-ups come from a local table that follows Kafka. API keys stand in the file that
    TOUCHLINE_SUBSCRIBER_KEYS names.

    Example: touchline serve --open
    """
    if new is not None:
        _print_new_key(new, tenant, scope or [Scope.STATES])
        return
    context = Context.from_env()
    keys = _keys(context.settings.subscriber_keys, host, tenant, keyless=keyless)
    listening = Listening(host, port, tls_context(certificate, private_key))
    configure(loglevel)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    compared(context.settings, context.policy)  # under another key every person would seem unknown
    with ExitStack() as stack:
        configured = table or (context.settings.subscriber_table and Path(context.settings.subscriber_table))
        folder = (
            "" if configured else stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-serve-"))
        )
        path = configured or Path(folder) / "states.db"
        observe = partial(serve, context.settings)
        stored = stored_form(context.policy)
        asyncio.run(run(context.settings, listening, path, keys, stored, _say, observe=observe))


def stored_form(policy: IdentityPolicy) -> StoredForm:
    """Identifiers as they are stored by a policy, which normalises, pseudonymises and blocks."""

    def stored(tenant: str, identifier: Identifier) -> Identifier | None:
        usable = policy.for_tenant(tenant).usable([identifier])
        return usable[0] if usable else None

    return stored


def _say(text: str) -> None:
    say(text)
    sys.stdout.flush()


def _keys(path: str, host: str, tenant: str, *, keyless: bool) -> ReaderKeys:
    if keyless:
        if not _is_loopback(host):
            raise SettingsError(f"--open shows people to anybody, so --host must be loopback, not {host}")
        return ReaderKeys({}, everything(tenant))
    if not path:
        raise SettingsError(
            "TOUCHLINE_SUBSCRIBER_KEYS names no file of API keys: make one with `touchline serve --new-key NAME`,"
            " or try things out with --open"
        )
    return ReaderKeys(load_keys(path))


def _print_new_key(name: str, tenant: str, scopes: list[str]) -> None:
    """The key once, on standard error; its entry for the file on standard output alone."""
    key = new_key(name)
    listed = ", ".join(f'"{scope}"' for scope in scopes)
    entry = f'[keys.{name}]\nsha256 = "{hash_of(key)}"\ntenant = "{tenant}"\nscopes = [{listed}]\n'
    parse_keys(entry, "--new-key")
    say(entry)
    remarks.print(f"the API key, shown only now: {key}", markup=False, soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
