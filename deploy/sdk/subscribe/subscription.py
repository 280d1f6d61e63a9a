"""An iterator over the changes of a topic for one member of a consumer group: Kafka's part of `Member`.

A change counts as told when the next one is asked for. Then its offset may be committed, at the latest a second later.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from deploy.kafka_admin.client import broken, group_consumer
from deploy.sdk.subscribe.kinds import Kind
from deploy.sdk.subscribe.member import Member, Unreadable
from deploy.sdk.subscribe.versions import Versions
from schemas.errors import SettingsError, UnavailableError
from schemas.keys import NAME_PATTERN
from schemas.settings import Settings
from schemas.topics import SUBSCRIBER_GROUP

C = TypeVar("C")

MEMORY_BYTES: Final = 256 * 1024 * 1024
BATCH: Final = 500
COMMIT_SECONDS: Final = 1.0
#: A loop body that takes long: Kafka is asked for nothing else meanwhile, but the member stays in its group.
ALIVE_SECONDS: Final = 15.0
_ALIVE_MS: Final = 100
_POLL_MS: Final = 500
_FORGET_SECONDS: Final = 3600.0

log: Final = logging.getLogger("touchline.sdk")


class Subscription(Generic[C]):
    """Changes of one topic, for ever: `for change in subscription`. A context manager; not for several threads.

    Raises UnavailableError when no broker answers at the beginning; later it waits until one does.
    """

    kind: Kind[C]

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        group: str,
        store: str | os.PathLike[str] | None = None,
        memory_bytes: int = MEMORY_BYTES,
        start: str = "oldest",
        on_unreadable: Unreadable | None = None,
    ) -> None:
        """Members with one `group` share the work; another group gets everything, too. Nothing is connected yet.

        `settings` are those of the environment if left out. `store` is a folder of this member alone, in which known
        versions survive it; without it they are in memory, in at most `memory_bytes`. `start`: a group that is new
        begins with the "oldest" record or "now". `on_unreadable` is told of records that cannot be read, and then
        they count as told; without it they raise UnreadableError. Raises SettingsError and UnavailableError.
        """
        self._settings = settings or Settings.from_env()
        if start not in ("oldest", "now"):
            raise SettingsError(f"start is {start!r}: it must be 'oldest' or 'now'")
        if not NAME_PATTERN.fullmatch(group):
            raise SettingsError(f"{group!r} is no name of a group: use 1 to 64 of A-Z a-z 0-9 _ . -")
        self._topic = self._settings.topic(self.kind.topic.name)
        self._group = self._settings.topic(f"{SUBSCRIBER_GROUP}{group}-{self.kind.topic.name}")
        self._from_end = start == "now"
        self._on_unreadable = on_unreadable
        self._versions = (
            Versions.in_memory(memory_bytes)
            if store is None
            else Versions.on_disk(store, group, self._topic, self._settings.epoch)
        )
        self._consumer: Any = None
        self._stopping = False
        self._forgot_at = time.monotonic()
        self._reset()

    def _reset(self) -> None:
        self._member = Member(self.kind, self._versions, time.time, self._on_unreadable)
        self._listener = _Rebalances()
        self._polled_at = self._committed_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> C:
        while True:
            change = self.take(_POLL_MS / 1000)
            if change is not None:
                return change
            if self._stopping:
                raise StopIteration

    def take(self, timeout: float) -> C | None:
        """The next change; None if there is none within `timeout` seconds or after `stop`. The one before is done.

        Raises UnreadableError, StoreFullError, UnavailableError; called again, it goes on where it was.
        """
        self.done()
        deadline = time.monotonic() + timeout
        while True:
            self._keep()
            change = None if self._stopping else self._member.next()
            left = deadline - time.monotonic()
            if change is not None or self._stopping or left <= 0:
                return change
            self._poll(min(round(left * 1000), _POLL_MS))

    def done(self) -> None:
        """The change that was taken last is dealt with: it is not told again, once its offset is committed."""
        self._member.done()

    def commit(self) -> None:
        """Commit now what is done, in place of within a second. What cannot be committed is told again."""
        offsets = self._member.commits()
        if not offsets or self._consumer is None:
            return
        found = {
            TopicPartition(self._topic, one): OffsetAndMetadata(offset, "", -1)
            for one, offset in offsets.items()
        }
        try:
            self._consumer.commit(found)
        except (CommitFailedError, RebalanceInProgressError):
            return  # another member has these partitions now, or will have them
        except KafkaError as error:
            log.warning("offsets of %s wait: %s", self._group, error)
            return
        self._member.committed(offsets)

    def stop(self) -> None:
        """End the iteration, soon. For signal handlers and other threads."""
        self._stopping = True

    def close(self) -> None:
        """Commit what is done, leave the group and give the store back. The change that was taken last is not done."""
        self._stopping = True
        try:
            self.commit()
        finally:
            self._disconnect()
            self._versions.close()  # a second time changes nothing

    def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)
        self._reset()

    def _keep(self) -> None:
        """What has to happen now and then, however slow the program is that takes the changes."""
        now = time.monotonic()
        if now - self._committed_at >= COMMIT_SECONDS:
            self._committed_at = now
            self.commit()
        if self._consumer is not None and now - self._polled_at >= ALIVE_SECONDS:
            self._consumer.pause(*self._consumer.assignment())
            self._poll(_ALIVE_MS)
            self._consumer.resume(*self._consumer.assignment())
        if now - self._forgot_at >= _FORGET_SECONDS:
            self._forgot_at = now
            self._member.forget()

    def _poll(self, timeout_ms: int) -> None:
        if self._consumer is None:
            self._connect()
        self.commit()  # a rebalance happens within poll: what is done must be committed before
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=BATCH)
            for partition in self._listener.changed():
                self._member.drop(partition)
            # of a partition that was just assigned nothing is taken: it is read from another offset
            for place, records in polled.items():
                if place.partition in self._member.partitions:
                    self._member.take(place.partition, records)
            self._begin()
            self._note_positions()
        except KafkaError as error:
            log.warning("%s waits: %s", self._group, error)
            time.sleep(timeout_ms / 1000)
        except BaseException:
            self._disconnect()  # what was polled and not noted is read again
            raise
        self._polled_at = time.monotonic()

    def _connect(self) -> None:
        self._consumer = group_consumer(self._settings, self._group, enable_incremental_fetch_sessions=False)
        try:
            existing = self._consumer.topics()
        except KafkaError as error:
            self._disconnect()
            raise broken(self._settings.brokers, error) from error
        if self._topic not in existing:
            self._disconnect()
            raise UnavailableError(
                f"there is no topic {self._topic} at {self._settings.brokers}: run `touchline topics`"
            )
        self._consumer.subscribe([self._topic], listener=self._listener)

    def _begin(self) -> None:
        """Take over what the group has given this member. Raises KafkaError; what is not begun is tried again."""
        assigned = {place.partition for place in self._consumer.assignment()}
        for partition in self._member.partitions - assigned:
            self._member.drop(partition)
        places = [
            TopicPartition(self._topic, number) for number in sorted(assigned - self._member.partitions)
        ]
        if not places:
            return
        starts, ends = self._consumer.beginning_offsets(places), self._consumer.end_offsets(places)
        for place in places:
            committed = self._consumer.committed(place)
            end, fetched = ends[place], self._consumer.highwater(place)
            if max(committed or 0, self._member.known_end(place.partition)) > end and fetched is None:
                continue  # a topic that was made anew, or an end that is said too low: the next fetch tells
            end = max(end, fetched or 0)
            fallback = end if self._from_end else starts[place]
            first = self._member.begin(place.partition, committed, starts[place], end, fallback)
            self._consumer.seek(place, first)
        self.commit()
        for partition in self._member.unclaimed:  # another rebalance has begun: it is tried again after that
            self._member.drop(partition)

    def _note_positions(self) -> None:
        for partition in self._member.partitions:
            place = TopicPartition(self._topic, partition)
            end = self._consumer.highwater(place)
            if end is not None:
                back = self._member.reached(partition, self._consumer.position(place), end)
                if back is not None:
                    self._consumer.seek(place, back)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers what was revoked or assigned: the client calls it on a thread of its own, which must not wait."""

    def __init__(self) -> None:
        self._changed: deque[Iterable[Any]] = deque()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Of what was polled before nothing may be told any more."""
        self._changed.append(list(revoked))

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """The client has forgotten where it read, also of partitions that stay."""
        self._changed.append(list(assigned))

    def changed(self) -> set[int]:
        """Partitions that were revoked or assigned since it was asked last."""
        found: set[int] = set()
        while self._changed:
            found |= {place.partition for place in self._changed.popleft()}
        return found
