"""Publish touchpoints to Kafka: prepared by the identity policy, keyed, each confirmed by the broker."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TypeVar

from kafka.errors import KafkaError

from deploy.ingest.key_check import require_same_key
from deploy.ingest.mapping.refusal import refusal_of
from deploy.kafka_admin.client import close_producer, producer
from deploy.kafka_admin.topics import require_topic
from schemas.catalogue import Catalogue
from schemas.encoding.codec import MAX_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, Reason, SettingsError, UnavailableError
from schemas.keys import identifier_key, partition_of
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from schemas.touchpoint.rules import check
from schemas.tracing.current import Current
from schemas.tracing.traceparent import HEADER
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare

#: Sent but not yet confirmed: what the producer may hold in memory.
MAX_PENDING: Final = 20_000
MAX_PENDING_BYTES: Final = 32 * 1024 * 1024

Item = TypeVar("Item")

CONNECT_MS: Final = 10_000
REQUEST_MS: Final = 20_000
DELIVERY_MS: Final = 60_000
BATCH_BYTES: Final = 128 * 1024
LINGER_MS: Final = 20


@dataclass(frozen=True)
class Published:
    """What became of a run: how many the broker confirmed, how many break the contract, by reason."""

    sent: int
    rejected: dict[Reason, int]
    seconds: float


class Publisher:
    """Sends touchpoints to their topic; a context manager, whose end waits for every confirmation.

    Raises UnavailableError if the broker cannot be reached, SettingsError if the topic, the catalogue or the policy's
    key is not right.
    """

    def __init__(self, settings: Settings, policy: IdentityPolicy) -> None:
        self._policy = policy
        self._catalogue = Catalogue.load(settings.catalogue)
        self._traceparent = Current(settings)
        self._brokers = settings.brokers
        self._topic = settings.topic(TOUCHPOINTS.name)
        self._partitions = _partitions(settings, self._topic)
        require_same_key(settings, policy)
        self._pending: deque[tuple[Any, int]] = deque()
        self._pending_bytes = 0
        self.sent = 0  #: confirmed by the broker
        self._producer = producer(
            settings,
            "touchline-publish",
            enable_idempotence=True,
            # kafka-python has gzip built in; it computes checksums in pure Python, and gzip leaves it fewer bytes
            compression_type="gzip",
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            max_request_size=MAX_BYTES + BATCH_BYTES,
            bootstrap_timeout_ms=CONNECT_MS,
            max_block_ms=CONNECT_MS,
            request_timeout_ms=REQUEST_MS,
            delivery_timeout_ms=DELIVERY_MS,
        )

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, UnavailableError):
                self.flush()
        finally:
            self.close()

    def close(self) -> None:
        """End without waiting for what is not confirmed."""
        close_producer(self._producer, 5)

    def send(self, touchpoint: Touchpoint) -> None:
        """Prepare a touchpoint and hand it to the producer; waits when too much is unconfirmed.

        Raises ContractError if it breaks the contract (nothing is sent) and UnavailableError if the broker
        does not confirm what was sent before.
        """
        key, value = message(touchpoint, self._policy, self._catalogue)
        trace = self._traceparent()
        try:
            future = self._producer.send(
                self._topic, key=key, value=value, headers=None if trace is None else [(HEADER, trace)],
                partition=partition_of(key, self._partitions),
            )  # fmt: skip
        except KafkaError as error:
            raise self._failed(error) from error
        self._pending.append((future, len(value)))
        self._pending_bytes += len(value)
        while len(self._pending) > MAX_PENDING or self._pending_bytes > MAX_PENDING_BYTES:
            self._confirm_oldest()

    def flush(self) -> None:
        """Wait until the broker has confirmed everything. Raises UnavailableError."""
        try:
            self._producer.flush(timeout=DELIVERY_MS / 1000)
        except KafkaError as error:
            raise self._failed(error) from error
        while self._pending:
            self._confirm_oldest()

    def count_confirmed(self) -> None:
        """Bring `sent` up to what the broker has confirmed so far, without waiting. Raises UnavailableError."""
        while self._pending and self._pending[0][0].is_done:
            self._confirm_oldest()

    def _confirm_oldest(self) -> None:
        future, size = self._pending[0]
        try:
            future.get(timeout=DELIVERY_MS / 1000)
        except KafkaError as error:
            raise self._failed(error) from error
        self._pending.popleft()
        self._pending_bytes -= size
        self.sent += 1

    def _failed(self, error: KafkaError) -> UnavailableError:
        return UnavailableError(
            f"the broker at {self._brokers} confirmed {self.sent} touchpoints, then failed "
            f"({type(error).__name__}): publish the same files again later, nothing is counted twice"
        )


def message(touchpoint: Touchpoint, policy: IdentityPolicy, catalogue: Catalogue) -> tuple[bytes, bytes]:
    """Key and value of a touchpoint's record, personal identifiers pseudonymised, names those of the catalogue.

    Raises ContractError, also for a bug that this touchpoint meets.
    """
    try:
        check(touchpoint)
        strongest, prepared = prepare(touchpoint, policy, catalogue)
        value = TOUCHPOINT.encode(prepared)
    except ContractError:
        raise
    except Exception as error:
        raise refusal_of(error) from error
    if len(value) > MAX_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the record has {len(value)} bytes, the limit is {MAX_BYTES}")
    return identifier_key(prepared["tenant"], strongest), value


def publish(
    touchpoints: Iterable[Touchpoint],
    settings: Settings,
    policy: IdentityPolicy,
    on_progress: Callable[[int], None] | None = None,
    rate: float | None = None,
) -> Published:
    """Publish touchpoints, at most `rate` a second; `on_progress` gets the number handed over so far.

    What breaks the contract is counted, not sent. Raises UnavailableError and SettingsError like Publisher.
    """
    rejected: dict[Reason, int] = {}
    started = time.monotonic()
    with Publisher(settings, policy) as publisher:
        for count, touchpoint in enumerate(paced(touchpoints, rate), start=1):
            try:
                publisher.send(touchpoint)
            except ContractError as error:
                rejected[error.reason] = rejected.get(error.reason, 0) + 1
            if on_progress is not None:
                on_progress(count)
    return Published(publisher.sent, rejected, time.monotonic() - started)


def paced(items: Iterable[Item], rate: float | None) -> Iterator[Item]:
    """The same items, at most `rate` a second (None: as fast as they come)."""
    if rate is None:
        yield from items
        return
    started = time.monotonic()
    for count, item in enumerate(items):
        ahead = started + count / rate - time.monotonic()
        if ahead > 0.01:
            time.sleep(ahead)
        yield item


def _partitions(settings: Settings, topic: str) -> int:
    """How many partitions the topic has. Raises SettingsError if it is missing or differs."""
    count = require_topic(settings, topic)
    if count != settings.partitions:
        raise SettingsError(
            f"topic {topic} has {count} partitions, but TOUCHLINE_PARTITIONS is {settings.partitions}: "
            f"set it to {count}"
        )
    return count
