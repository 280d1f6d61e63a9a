"""The sender's thread: from the journal to Kafka, in order, until Kafka has acknowledged; it never gives up.

A record leaves the journal when all in-sync replicas have it. After a failure the thread connects anew and sends again
from the first record that is not acknowledged. Copies are harmless: an event counts once.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

from kafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.ingest.key_check import AnotherKeyError, require_known_key
from deploy.kafka_admin.client import abandon_producer, producer, require_broker
from deploy.kafka_admin.topics import require_topic
from deploy.sdk.errors import CLOSED
from deploy.sdk.forking import FORK_LOCK
from deploy.sdk.journal import Entry, Journal
from deploy.sdk.outcomes import Delivered, Refused, names_of, tell
from schemas.encoding.codec import MAX_BYTES
from schemas.errors import TouchlineError
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from schemas.tracing.traceparent import HEADER

#: Handed to the Kafka client and not yet acknowledged; everything else stays in the journal.
MAX_PENDING: Final = 4000
MAX_PENDING_BYTES: Final = 8 * 1024 * 1024
RETRY_SECONDS: Final = 1.0
#: How often an idle sender looks for the spools of processes that are gone.
ADOPT_SECONDS: Final = 10.0
#: Without an acknowledgement for so long, `problem` says so.
STALLED_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = (0.005, 0.2)
_BATCH_BYTES: Final = 128 * 1024
_OPTIONS: Final[dict[str, Any]] = {
    # kafka-python has gzip built in; it computes checksums in pure Python, and gzip leaves it fewer bytes
    "compression_type": "gzip",
    "batch_size": _BATCH_BYTES,
    "linger_ms": 5,
    "max_request_size": MAX_BYTES + _BATCH_BYTES,
    "max_block_ms": 10_000,
    "request_timeout_ms": 20_000,
    # the client itself retries, in order, for as long as it takes
    "delivery_timeout_ms": (1 << 31) - 1,
    "reconnect_backoff_max_ms": 1000,
}

log: Final = logging.getLogger("touchline.sdk")


class Delivery(threading.Thread):
    """One process's journal and the thread that empties it."""

    def __init__(
        self,
        settings: Settings,
        key_checks: Sequence[tuple[str, str]],
        journal: Journal,
        on_delivered: Callable[[Delivered], object] | None,
        on_refused: Callable[[Refused], object] | None,
        on_connected: Callable[[], object],
    ) -> None:
        super().__init__(name="touchline-sdk", daemon=True)
        self.process = os.getpid()
        self.failure: AnotherKeyError | None = None  #: nothing will be delivered any more
        self._settings = settings
        self._topic = settings.topic(TOUCHPOINTS.name)
        self._key_checks = key_checks
        self._journal = journal
        self._on_delivered = on_delivered
        self._on_refused = on_refused
        self._on_connected = on_connected
        self._changed = threading.Condition()
        self._refusing = self._stopping = self._stopped = False
        self._accepted = self._done = 0  # of this process's records
        self._problem: str | None = None
        self._in_flight: deque[tuple[Any, Entry]] = deque()
        self._in_flight_bytes = 0
        self._singly = 0  #: how many records are sent one at a time, to find the one that is too large
        self._progress = time.monotonic()
        self._connections = 0
        self._producer: Any = None

    def submit(self, key: bytes, value: bytes, traceparent: bytes | None = None) -> None:
        """Accept a record, to be sent with this header. Raises QueueFullError, and TouchlineError after `refuse`.

        Raises AnotherKeyError once Kafka knows the key's name with another key.
        """
        with self._changed:
            if self._refusing:
                raise TouchlineError(CLOSED)
            if self.failure is not None:
                raise self.failure
            self._journal.append(key, value, traceparent)
            self._accepted += 1
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Whether everything accepted before is delivered, after `timeout` seconds at most."""
        with self._changed:
            wanted = self._accepted
            self._changed.wait_for(lambda: self._done >= wanted or self.failure is not None, timeout)
            return self._done >= wanted

    def refuse(self) -> None:
        """Accept nothing from now on: what `wait` then waits for is all that there will be."""
        with self._changed:
            self._refusing = True

    def stop(self) -> None:
        """End the thread, after what is being delivered this moment, and close the journal; a second call waits."""
        self.refuse()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self.join()
        with self._changed:
            if not self._stopped:
                self._stopped = True
                self._journal.close()

    def abandon(self) -> None:
        """In a child process: close its copies of what its parent uses, without using it."""
        self._journal.abandon()
        if self._producer is not None:
            # its threads and locks are the parent's: it must not be closed here, not even at the end of the process
            self._producer._closed = True

    @property
    def pending(self) -> int:
        """Records of this process that were accepted and are not delivered."""
        return self._accepted - self._done

    @property
    def problem(self) -> str | None:
        """Why nothing is delivered now, as a sentence."""
        if self.failure is not None:
            return str(self.failure)
        waited = time.monotonic() - self._progress
        if self._problem is None and self._in_flight and waited > STALLED_SECONDS:
            return f"Kafka at {self._settings.brokers} has acknowledged nothing for {waited:.0f} seconds"
        return self._problem

    def run(self) -> None:
        """Deliver until stopped."""
        while True:
            try:
                self._connect()
                self._deliver()
            except AnotherKeyError as error:
                self._fail(error)
                return
            except (TouchlineError, KafkaError, OSError) as error:
                self._note(error)
            except Exception as error:
                log.exception("delivering failed in a way that is not foreseen, and is tried again")
                self._note(error)
            finally:
                self._disconnect()
            with self._changed:
                self._journal.rewind()
                if self._stopping or self._changed.wait_for(lambda: self._stopping, RETRY_SECONDS):
                    return

    def _connect(self) -> None:
        require_broker(self._settings.brokers)
        # the first connection imports modules: a child that is forked in the middle would have halves of them
        with FORK_LOCK if self._connections == 0 else nullcontext():
            self._open()
        self._connections += 1

    def _open(self) -> None:
        require_topic(self._settings, self._topic)
        for check in self._key_checks:
            require_known_key(self._settings, check)
        idempotent = bool(self._settings.idempotent_producer)
        self._producer = producer(
            self._settings, "touchline-sdk", enable_idempotence=idempotent,
            max_in_flight_requests_per_connection=5 if idempotent else 1, **_OPTIONS,
        )  # fmt: skip
        self._on_connected()
        if self._problem is not None:
            log.warning("Kafka at %s takes touchpoints again", self._settings.brokers)
        self._problem = None

    def _disconnect(self) -> None:
        if self._producer is not None:
            # what it has not sent is in the spool
            abandon_producer(self._producer, CLOSE_SECONDS)
        self._producer = None
        self._in_flight.clear()
        self._in_flight_bytes = 0

    def _fail(self, error: AnotherKeyError) -> None:
        log.error("nothing is delivered: %s", error)
        with self._changed:
            self.failure = error
            self._changed.notify_all()

    def _note(self, error: Exception) -> None:
        problem = str(error) if isinstance(error, TouchlineError) else f"{type(error).__name__}: {error}"
        if problem != self._problem:
            log.warning("touchpoints wait: %s", problem)
        self._problem = problem

    def _deliver(self) -> None:
        least, most = _POLL_SECONDS
        pause = least
        while True:
            if self._reap():
                pause = least
            self._verify()
            with self._changed:
                if self._stopping:
                    return
                entries = self._journal.read(
                    (1 if self._singly else MAX_PENDING) - len(self._in_flight),
                    MAX_PENDING_BYTES - self._in_flight_bytes,
                )
                if not entries and self._in_flight:
                    self._changed.wait(pause)
                    pause = min(2 * pause, most)
                elif not entries and not self._changed.wait(ADOPT_SECONDS):
                    with FORK_LOCK:
                        self._journal.adopt()
            if entries and not self._in_flight:
                self._progress = time.monotonic()
            for entry in entries:
                headers = None if entry.traceparent is None else [(HEADER, entry.traceparent)]
                future = self._producer.send(self._topic, key=entry.key, value=entry.value, headers=headers)
                self._in_flight.append((future, entry))
                self._in_flight_bytes += len(entry.value)

    def _reap(self) -> bool:
        """Take what Kafka has acknowledged out of the journal; whether there was any. Raises what failed."""
        delivered: list[tuple[Entry, Any]] = []
        failed: Entry | None = None
        while failed is None and self._in_flight and self._in_flight[0][0].is_done:
            future, entry = self._in_flight.popleft()
            self._in_flight_bytes -= len(entry.value)
            if future.failed():
                failed = entry
            else:
                delivered.append((entry, future.value))
        self._singly = max(0, self._singly - len(delivered))
        if delivered:
            self._take([entry for entry, _ in delivered])
        if self._on_delivered is not None:
            for entry, where in delivered:
                tell(self._on_delivered, Delivered(*names_of(entry.value), where.partition, where.offset))
        if failed is not None:
            if isinstance(future.exception, MessageSizeTooLargeError):
                self._note_too_large(failed)
            raise future.exception
        return bool(delivered)

    def _take(self, entries: list[Entry]) -> None:
        self._progress = time.monotonic()
        with self._changed:
            self._journal.acknowledge(entries)
            self._done += sum(entry.own for entry in entries)
            self._changed.notify_all()

    def _note_too_large(self, entry: Entry) -> None:
        """Set a record aside that the broker never takes, once it is known which one that is.

        The client fails all records that it has when one of them is too large. They are then sent singly.
        """
        if not self._singly:
            self._singly = len(self._in_flight) + 1
            return
        self._singly -= 1
        refused = Refused(*names_of(entry.value), f"its topic takes no record of {len(entry.value):,} bytes")
        log.error(
            "the broker never takes event %s of %s: %s", refused.event_id, refused.source, refused.error
        )
        with self._changed:
            self._journal.set_aside(entry, refused.error)
        self._take([entry])
        tell(self._on_refused, refused)

    def _verify(self) -> None:
        """Ask Kafka about the keys of what was adopted, before any of it is read."""
        for mark in self._journal.unverified:
            refusal = None
            try:
                require_known_key(self._settings, mark)
            except AnotherKeyError as error:
                refusal = str(error)
            with self._changed:
                self._journal.verified(mark, refusal)
