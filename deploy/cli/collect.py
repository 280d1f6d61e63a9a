"""`touchline collect`: events over HTTP into Kafka."""

import asyncio
import ipaddress
import logging
import sys
from functools import partial
from typing import Annotated, Final

import typer

from deploy.cli.logs import configure
from deploy.cli.output import remark, remarks, say
from deploy.ingest.key_check import require_same_key
from deploy.monitoring.server import serve
from schemas.errors import SettingsError
from schemas.http.hashed_keys import hash_of, new_key
from schemas.settings import Settings
from schemas.touchpoint.json_form import DEFAULT_TENANT
from streams.collect.keys import WriteKey, WriteKeys
from streams.collect.keys_file import load_keys
from streams.collect.mapping_file import built_in
from streams.collect.run import Listening, run, tls_context
from streams.collect.senders import Sender
from streams.identity.policy.load import configured

PORT: Final = 8480


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = PORT,
    keyless: Annotated[
        bool,
        typer.Option("--open", help="Take events without a write key; only on loopback, to try things out."),
    ] = False,
    new_key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print a new write key and its entry, and end.")
    ] = None,
    certificate: Annotated[str, typer.Option(help="PEM file for TLS; else a proxy in front does it.")] = "",
    private_key: Annotated[str, typer.Option(help="PEM file, if the certificate's does not hold it.")] = "",
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
    log_format: Annotated[
        str, typer.Option(help="text or json; otherwise as TOUCHLINE_LOG_FORMAT says.")
    ] = "",
) -> None:
    """Take events over HTTP: plain JSON, CloudEvents, and what the SDKs of Segment, RudderStack, PostHog and
    Snowplow send. As many as you like.

    An answer of 2xx says that Kafka has the events. Write keys stand in the file that TOUCHLINE_COLLECTOR_KEYS names.

    Example: touchline collect --open
    """
    if new_key is not None:
        _print_new_key(new_key)
        return
    settings = Settings.from_env()
    keys = _keys(settings, host, keyless=keyless)
    listening = Listening(host, port, tls_context(certificate, private_key))
    configure(loglevel, log_format or settings.log_format)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    policy = configured(settings)
    require_same_key(settings, policy)
    observe = partial(serve, settings)
    asyncio.run(run(settings, listening, keys, policy, _announce, observe=observe))


def _announce(address: str) -> None:
    say(f"collector: {address}")
    remark(f"touchpoints go to POST {address}/v1/touchpoints; all paths are in {address}/openapi.json")
    sys.stdout.flush()


def _keys(settings: Settings, host: str, *, keyless: bool) -> WriteKeys:
    if keyless:
        if not _is_loopback(host):
            raise SettingsError(f"--open takes events from anybody, so --host must be loopback, not {host}")
        return WriteKeys({}, WriteKey(Sender("collector", DEFAULT_TENANT, None), built_in()))
    path = settings.collector_keys
    if not path:
        raise SettingsError(
            "TOUCHLINE_COLLECTOR_KEYS names no file of write keys: make one with `touchline collect --new-key NAME`,"
            " or try things out with --open"
        )
    return WriteKeys(load_keys(path))


def _print_new_key(name: str) -> None:
    """The key on standard output alone, once; its entry for the file beside it."""
    key = new_key(name)
    say(f'[keys.{name}]\nsha256 = "{hash_of(key)}"\nsource = "{name}"\n')
    remarks.print(f"the write key, shown only now: {key}", markup=False, soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
