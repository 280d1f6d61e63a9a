"""Fill another generation of topics from the present one, and follow the present one until nobody writes to it.

First the past (history.py), then what its topics retain, then what comes, until it has been quiet for a while. A run
that is killed goes on: the past is copied once more unless all of it was, and of the topics what the group
`touchline-grow` has not committed. Copies change nothing twice.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from deploy.kafka_admin.client import broken, close_producer, group_consumer, producer
from deploy.kafka_admin.lag import OffsetReader
from deploy.kafka_admin.sending import ConfirmedSender
from deploy.kafka_admin.topics import create_topics, require_topic
from deploy.repair.growth.history import Copied, Copy, history
from deploy.repair.growth.leftovers import hidden, leftovers
from schemas import headers
from schemas.catalogue import Catalogue
from schemas.encoding.codec import name_of
from schemas.errors import ContractError, SettingsError, TouchlineError, UnavailableError
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.topics import GROW_GROUP, IDENTITY_LINKS, JOURNEY_SIGNALS, TOUCHPOINTS, WORKER_GROUP
from streams.identity.policy.policy import IdentityPolicy

#: Records in one read, and until their offsets are committed.
BATCH: Final = 2_000
#: Sent and not confirmed: what the producer may hold in memory.
_PENDING: Final = 5_000
#: How long old workers may need for what is left.
_OLD_WORKERS_SECONDS: Final = 600.0


class Growth:
    """One run. Close it, or use it as a context manager."""

    def __init__(
        self, old: Settings, new: Settings, policy: IdentityPolicy, progress: Callable[[Copied, bool], None]
    ) -> None:
        """`progress` gets the counts, and whether the past is through. Creates the new topics that are missing.

        Raises SettingsError if old and new are one, or the old topics do not exist.
        """
        if old.topic_prefix == new.topic_prefix:
            raise SettingsError(
                "--prefix must differ from TOUCHLINE_TOPIC_PREFIX: both generations exist for a while"
            )
        if new.epoch <= old.epoch:
            raise SettingsError(f"--epoch must be above {old.epoch}: subscribers keep the highest version")
        require_topic(old, old.topic(TOUCHPOINTS.name))
        create_topics(new)
        self._old, self._new, self._policy, self._progress = old, new, policy, progress
        self._producer = producer(
            new, "touchline-grow", enable_idempotence=bool(new.idempotent_producer), linger_ms=20,
            batch_size=128 * 1024, compression_type="gzip", max_request_size=4 * 1024 * 1024,
        )  # fmt: skip
        self._consumer = group_consumer(old, old.topic(GROW_GROUP), max_poll_records=BATCH)
        self._sender = ConfirmedSender(self._producer, _PENDING)
        self.copied = Copied()

    def __enter__(self) -> "Growth":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)
        close_producer(self._producer, 5)

    def run(self, quiet_seconds: float, *, without_sums: bool) -> Copied:
        """Copy until the old topics have been quiet for so long. Returns what was copied.

        Raises TouchlineError if touchpoints lie beyond the horizon, unless `without_sums`: they cannot be copied.
        """
        topics = [self._old.topic(topic.name) for topic in (TOUCHPOINTS, IDENTITY_LINKS)]
        parts = [
            TopicPartition(topic, number)
            for topic in topics
            for number in range(require_topic(self._old, topic))
        ]
        try:
            self._consumer.assign(parts)
            if all(self._consumer.committed(part) is None for part in parts):
                self._copy_past(without_sums=without_sums)
                self._commit_start(parts)
            self._follow(quiet_seconds)
            self._take_back()
        except KafkaError as error:
            raise UnavailableError(
                f"{broken(self._old.brokers, error)}; run the same command again, it goes on from here"
            ) from error
        return self.copied

    def _copy_past(self, *, without_sums: bool) -> None:
        catalogue = Catalogue.load(self._old.catalogue)
        self._send(history(self._old, self._policy, catalogue, self.copied))
        if self.copied.summed and not without_sums:
            raise TouchlineError(
                f"{self.copied.summed:,} identifiers have touchpoints beyond the horizon, of which Kafka keeps only"
                " sums: publish those touchpoints into the new topics from their sources, and run this again with"
                " --without-sums"
            )
        self._progress(self.copied, False)

    def _commit_start(self, parts: list[TopicPartition]) -> None:
        """From here on the past counts as copied."""
        self._consumer.seek_to_beginning(*parts)
        for part in parts:
            self._consumer.position(part)
        self._consumer.commit()

    def _follow(self, quiet_seconds: float) -> None:
        busy_until = time.monotonic()
        while time.monotonic() - busy_until < quiet_seconds:
            fetched = self._consumer.poll(timeout_ms=500)
            found = [record for some in fetched.values() for record in some]
            if not found:
                continue
            for record in found:
                self._copy(record)
            self._sender.confirm()
            self._consumer.commit()
            busy_until = time.monotonic()
            self._progress(self.copied, True)

    def _take_back(self) -> None:
        """Retract what only the old generation published."""
        self._wait_for_old_workers()
        for find in (leftovers(self._old, self._new), hidden(self._new)):
            for topic, key, value, with_headers in find:
                self.copied.retracted += value is None or topic is JOURNEY_SIGNALS
                self._send_one(topic.name, key, value, with_headers)
            self._sender.confirm()

    def _wait_for_old_workers(self) -> None:
        """What they have yet to do, they would publish after we looked."""
        deadline = time.monotonic() + _OLD_WORKERS_SECONDS
        with OffsetReader(self._old) as reader:
            while not all(backlog.idle for backlog in reader.backlogs()[WORKER_GROUP]):
                if time.monotonic() > deadline:
                    raise TouchlineError(
                        "the workers of the old topics have not done all of it: let them finish, and run this again"
                    )
                time.sleep(0.5)

    def _copy(self, record: Any) -> None:
        """Send a record as it came. Of links only corrections: the new stitch finds the evidence itself."""
        if record.topic == self._old.topic(TOUCHPOINTS.name):
            topic = TOUCHPOINTS
        else:
            topic = IDENTITY_LINKS
            try:
                if name_of(record.value or b"") != "IdentityCorrection":
                    return
            except ContractError:
                return
        self.copied.followed += 1
        kept = [(name, value) for name, value in record.headers or () if name != headers.ROUTED]
        self._send_one(topic.name, record.key or b"", record.value, kept)

    def _send(self, copies: Iterable[Copy]) -> None:
        """Send records, and wait until the broker has confirmed all that was sent."""
        for count, (topic, key, value) in enumerate(copies, start=1):
            self._send_one(topic.name, key, value)
            if count % BATCH == 0:
                self._progress(self.copied, False)
        self._sender.confirm()

    def _send_one(self, topic: str, key: bytes, value: bytes | None, kept: Any = ()) -> None:
        partition = partition_of(key, self._new.partitions)
        self._sender.send(
            self._new.topic(topic), key=key, value=value, partition=partition, headers=list(kept)
        )
