"""The collector as a process: from its settings to its orderly end."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from schemas.catalogue import Catalogue
from schemas.errors import SettingsError
from schemas.health import Health, Heartbeat
from schemas.settings import Settings
from schemas.tracing.tracer import tracer_of
from streams.collect.intake import Intake
from streams.collect.keys import WriteKeys
from streams.collect.limits import Limits
from streams.collect.server import Collector
from streams.identity.policy.policy import IdentityPolicy


@dataclass(frozen=True)
class Listening:
    """Where the collector listens."""

    host: str
    port: int  #: 0: any that is free
    tls: ssl.SSLContext | None = None  #: None: plain HTTP


def tls_context(certificate: str, private_key: str) -> ssl.SSLContext | None:
    """TLS with the certificate and key of two PEM files, or of the first alone; None if `certificate` is empty.

    Raises SettingsError.
    """
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, private_key or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the certificate {certificate} cannot be used: {error}") from error
    return context


async def run(
    settings: Settings,
    listening: Listening,
    keys: WriteKeys,
    policy: IdentityPolicy,
    announce: Callable[[str], None],
    limits: Limits | None = None,
    observe: Callable[[Health], object] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is under way, and end. `announce` gets the address.

    `observe` gets the collector's health before it listens.

    Raises SettingsError for an address or a catalogue that cannot be used, UnavailableError without a broker.
    """
    limits = limits or Limits()
    catalogue = Catalogue.load(settings.catalogue)
    intake = Intake(settings, limits)
    await intake.start()
    tracer = tracer_of(settings, "collector")
    collector = Collector(keys, policy, catalogue, intake, limits, tracer=tracer)
    runner, server = collector.runner(), None
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    heartbeat = Heartbeat()
    heartbeat.start(loop)
    observe(Health("collector", heartbeat, lambda: intake.waits_for(loop.time())))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await runner.setup()
        try:
            server = await collector.connections.listen(runner, listening.host, listening.port, listening.tls)
        except OSError as error:
            raise SettingsError(
                f"{listening.host}:{listening.port} cannot be listened on ({error.strerror}): name another --port"
            ) from error
        host, port = server.sockets[0].getsockname()[:2]
        announce(f"{'https' if listening.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}")
        await stopped.wait()
    finally:
        if server is not None:
            server.close()
        await runner.cleanup()
        await intake.stop()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)
