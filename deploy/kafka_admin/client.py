"""The one factory of Kafka clients: a broker that is away costs seconds and gives one error sentence."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from deploy.ports import listens
from schemas.errors import UnavailableError
from schemas.kafka_probe import why_unreachable
from schemas.kafka_security import sync_client_options
from schemas.settings import Settings

TIMEOUT_SECONDS: Final = 5.0
TIMEOUT_MS: Final = int(TIMEOUT_SECONDS * 1000)


def require_broker(brokers: str) -> None:
    """Raise UnavailableError unless one of the bootstrap servers accepts connections."""
    if not any(listens(*_host_and_port(address), timeout=2.0) for address in brokers.split(",")):
        raise UnavailableError(
            f"no Kafka broker answers at {brokers}: start one with `touchline up`"
            " or set TOUCHLINE_KAFKA_BROKERS"
        )


def connect(settings: Settings) -> KafkaAdminClient:
    """An admin client, to be closed. Raises UnavailableError when no broker answers."""
    return _client(KafkaAdminClient, settings, request_timeout_ms=TIMEOUT_MS)


def consumer(settings: Settings, **options: Any) -> Any:
    """A KafkaConsumer without a consumer group, to be assigned and closed. Raises UnavailableError.

    `highwater` of an assigned partition is right at each fetch. `options` are kafka-python's.
    """
    return _client(
        KafkaConsumer,
        settings,
        request_timeout_ms=TIMEOUT_MS,
        group_id=None,
        enable_auto_commit=False,
        # a fetch session leaves out of its answers what did not change, high watermarks included
        enable_incremental_fetch_sessions=False,
        **options,
    )


def group_consumer(settings: Settings, group: str, **options: Any) -> Any:
    """A KafkaConsumer of a group that begins with the oldest record and commits when told. Raises UnavailableError."""
    return _client(
        KafkaConsumer,
        settings,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        session_timeout_ms=int(settings.session_timeout * 1000),
        heartbeat_interval_ms=int(settings.session_timeout * 1000) // 4,
        **options,
    )


def fetched_ends(client: Any, places: Iterable[Any]) -> dict[Any, int]:
    """Where partitions end that a KafkaConsumer is assigned, as fetches from where it stands say it.

    A broker may say an end too low when it is asked for ends alone. What is fetched is lost: seek afterwards. Raises
    UnavailableError without an answer.
    """
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while None in (ends := {place: client.highwater(place) for place in places}).values():
        if time.monotonic() > deadline:
            raise UnavailableError("the Kafka broker does not answer a fetch")
        client.poll(timeout_ms=20, max_records=1_000_000)
    return ends


def producer(settings: Settings, client_id: str, **options: Any) -> Any:
    """A KafkaProducer whose records all in-sync replicas acknowledge, to be closed. Raises UnavailableError.

    It creates no topic. `options` are kafka-python's.
    """
    return _client(
        KafkaProducer, settings, client_id=client_id, acks="all", allow_auto_create_topics=False, **options
    )


def close_producer(sender: Any, seconds: float) -> None:
    """Close a producer that has at most so many seconds left for what it has not sent; the rest is abandoned.

    Raises no KafkaError. kafka-python's `close` flushes first, and when that takes too long it raises and closes
    nothing: the error would hide the one that explains it, and the client's thread would go on sending.
    """
    try:
        sender.close(timeout=seconds)
    except KafkaError:
        abandon_producer(sender, seconds)


def abandon_producer(sender: Any, seconds: float) -> None:
    """Close a producer without sending what is left. Waits at most so many seconds for its thread to end."""
    client_thread = sender._sender
    client_thread.force_close()
    client_thread.join(seconds)
    with suppress(KafkaError):
        sender.close(timeout=0)


def _client(kind: Any, settings: Settings, **options: Any) -> Any:
    connection = sync_client_options(settings)
    require_broker(settings.brokers)
    try:
        return kind(
            **connection,
            **{"bootstrap_timeout_ms": TIMEOUT_MS} | options,
        )
    except KafkaError as error:
        # the client says no more than that it cannot bootstrap
        if why := why_unreachable(settings):
            raise UnavailableError(f"Kafka at {settings.brokers} cannot be used: {why}") from error
        raise broken(settings.brokers, error) from error


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client. Raises UnavailableError when no broker answers or what answers is no broker."""
    client = connect(settings)
    try:
        yield client
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    finally:
        client.close()


def broken(brokers: str, error: KafkaError) -> UnavailableError:
    """The error of a broker that accepts connections but fails a request."""
    return UnavailableError(f"the Kafka broker at {brokers} does not answer as it should: {error}")


def answers(address: str) -> bool:
    """Whether a broker accepts connections at host:port and answers a request for its metadata."""
    if not listens(*_host_and_port(address)):
        return False
    try:
        with admin(Settings(brokers=address)) as client:
            client.list_topics()
    except UnavailableError:
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdigit():
        raise UnavailableError(f"{address!r} is not the address of a Kafka broker: it must read host:port")
    return host.strip("[]"), int(port)
