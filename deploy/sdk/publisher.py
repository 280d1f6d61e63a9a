"""The publisher of a source: accepts touchpoints at once, delivers them in the background."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from deploy.ingest.publisher import message
from deploy.sdk.delivery import Delivery
from deploy.sdk.errors import CLOSED, QueueFullError, counted
from deploy.sdk.forking import FORK_LOCK
from deploy.sdk.journal import Journal, MemoryJournal
from deploy.sdk.outcomes import Delivered, Refused
from deploy.sdk.segment import Mark
from deploy.sdk.touchpoint import Publishable, read
from schemas.catalogue import Catalogue
from schemas.errors import SettingsError, TouchlineError, UnavailableError
from schemas.kafka_security import check_connection
from schemas.settings import Settings
from schemas.tracing.current import Current
from streams.identity.policy.load import configured

SPOOL_BYTES: Final = 256 * 1024 * 1024
MEMORY_BYTES: Final = 32 * 1024 * 1024
#: How long an interpreter that ends without `close` waits for what is not delivered.
EXIT_SECONDS: Final = 5.0

log: Final = logging.getLogger("touchline.sdk")

_PUBLISHERS: Final["weakref.WeakSet[Publisher]"] = weakref.WeakSet()


class Publisher:
    """Publishes touchpoints to Kafka; a context manager, whose end waits until all of them are delivered.

    `publish` returns as soon as the touchpoint is in the spool or in memory; a thread of this process delivers it, as
    long as it takes, in the order of acceptance. docs/sdk.md says what is promised. Safe for threads, and for
    processes that fork: a child has its own thread, its own connection and its own part of the spool.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int = SPOOL_BYTES,
        sync: bool = False,
        memory_bytes: int = MEMORY_BYTES,
        on_delivered: Callable[[Delivered], object] | None = None,
        on_refused: Callable[[Refused], object] | None = None,
    ) -> None:
        """Read the policy and the catalogue; nothing is opened or connected before the first `publish`.

        `settings` are those of the environment if left out. `spool` is a folder that the source's processes share;
        without it, what is not delivered is lost with the process. `sync` writes every touchpoint to the disk before
        `publish` returns. The callbacks run in the publisher's thread. Raises SettingsError.
        """
        self._settings = settings or Settings.from_env()
        check_connection(self._settings)
        self._policy = configured(self._settings)
        self._catalogue = Catalogue.load(self._settings.catalogue)
        self._traceparent = Current(self._settings)
        self._spool = None if spool is None else Path(spool)
        self._limit = memory_bytes if spool is None else spool_bytes
        self._sync = sync
        self._on_delivered = on_delivered
        self._on_refused = on_refused
        self._closed = False
        self._delivery: Delivery | None = None
        self._parents: list[Delivery] = []  #: of the processes that this one was forked from; never freed
        self._locks: dict[int, Any] = {}  #: process → lock: a child must not wait for its parent's threads
        _PUBLISHERS.add(self)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except UnavailableError:
            if kind is None:
                raise
            log.exception("what the program failed with is raised, not this")

    def publish(self, touchpoint: Publishable) -> None:
        """Accept a touchpoint: a Touchpoint, its JSON form as a mapping, or JSON text. Never waits for Kafka.

        Raises ContractError exactly where `touchline publish` rejects the line (nothing is accepted then),
        QueueFullError if spool, disk or memory is full, UnavailableError if the system gives no thread, SettingsError
        if Kafka knows the pseudonymisation key's name with another key, TouchlineError after `close` has begun.
        """
        key, value = message(read(touchpoint, time.time_ns() // 1_000_000), self._policy, self._catalogue)
        self.delivery().submit(key, value, self._traceparent())

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until Kafka has all that this process has accepted. Raises UnavailableError after `timeout` seconds."""
        delivery = self._delivery
        if delivery is not None and delivery.process == os.getpid():
            self._wait(delivery, timeout)

    def _wait(self, delivery: Delivery, timeout: float) -> None:
        if delivery.wait(timeout):
            return
        if delivery.failure is not None:
            raise delivery.failure
        why = delivery.problem or "Kafka is slower than what comes in"
        where = "in memory" if self._spool is None else f"in {self._spool}"
        raise UnavailableError(
            f"{counted(delivery.pending)} not delivered, {where} after {timeout:g} seconds: {why}"
        )

    def close(self, timeout: float = 10.0) -> None:
        """Deliver what was accepted, for at most `timeout` seconds, and end.

        `publish` accepts nothing from the moment at which `close` begins. What is left at its end stays in the spool
        for the next process. Raises UnavailableError, which says how many touchpoints are lost, if there is no spool.
        """
        atexit.unregister(self._at_exit)
        with self._lock():  # `publish` may be making the delivery this moment
            self._closed = True
            delivery = self._delivery
        if delivery is None or delivery.process != os.getpid():
            return
        delivery.refuse()
        why: TouchlineError | None = None
        try:
            self._wait(delivery, timeout)
        except (UnavailableError, SettingsError) as error:
            why = error
        finally:
            delivery.stop()
            self._delivery = None
        if delivery.pending and self._spool is None:
            raise UnavailableError(f"{counted(delivery.pending)} lost: {why}") from why
        if delivery.pending:
            log.warning("the next process that uses the spool delivers the rest: %s", why)

    @property
    def pending(self) -> int:
        """Touchpoints that this process has accepted and Kafka has not acknowledged."""
        delivery = self._delivery
        return delivery.pending if delivery is not None and delivery.process == os.getpid() else 0

    @property
    def problem(self) -> str | None:
        """Why nothing is delivered now, as a sentence; None if all is well."""
        delivery = self._delivery
        return delivery.problem if delivery is not None and delivery.process == os.getpid() else None

    def _lock(self) -> Any:
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def delivery(self) -> Delivery:
        """The delivery of this process, started if there is none yet. Raises TouchlineError after `close`."""
        delivery = self._delivery
        if delivery is not None and delivery.process == os.getpid():
            return delivery
        with self._lock(), FORK_LOCK:
            self._forget_parent()
            if self._closed:
                raise TouchlineError(CLOSED)
            if self._delivery is None:
                self._delivery = self._started(self.new_journal())
            return self._delivery

    def _started(self, journal: Journal) -> Delivery:
        delivery = Delivery(
            self._settings,
            self._policy.key_checks(),
            journal,
            self._on_delivered,
            self._on_refused,
            self._run_at_exit,
        )
        self._run_at_exit()
        try:
            delivery.start()
        except RuntimeError as error:  # else `publish` would accept what nothing delivers
            journal.close()
            raise UnavailableError(
                f"no thread can deliver ({error}), so the touchpoint was not accepted: raise the limit of threads"
            ) from error
        return delivery

    def new_journal(self) -> Journal:
        """A journal in the spool, or in memory. Raises QueueFullError for a full disk, SettingsError for the folder."""
        if self._spool is None:
            return MemoryJournal(self._limit)
        from deploy.sdk.spool import DISK_FULL, Spool  # needs flock, which not every system has

        mark = Mark(*(self._policy.key_check() or ("", "")))
        try:
            return Spool(self._spool, self._limit, mark, sync=self._sync)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise QueueFullError(
                    f"the spool {self._spool} cannot be made ({error.strerror}): the touchpoint was not accepted"
                ) from error
            raise SettingsError(
                f"the spool {self._spool} cannot be used ({error.strerror}): name a folder that may be written"
            ) from error

    def _forget_parent(self) -> None:
        """In a child, leave the parent's thread, connection and files alone."""
        delivery = self._delivery
        if delivery is not None and delivery.process != os.getpid():
            delivery.abandon()
            self._parents.append(delivery)
            self._delivery = None

    def _run_at_exit(self) -> None:
        """Have `_at_exit` run before the Kafka client's own: the last to register runs first."""
        atexit.unregister(self._at_exit)
        if not self._closed:
            atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        try:
            self.close(EXIT_SECONDS)
        except TouchlineError:
            log.exception("the interpreter ends")


def _forget_parents() -> None:
    for publisher in _PUBLISHERS:
        publisher._forget_parent()


# some servers fork without telling Python: `publish` looks for itself, too
os.register_at_fork(after_in_child=_forget_parents)
