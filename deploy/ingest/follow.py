"""Follows topics of another system, such as Debezium's: each record becomes touchpoints, or a dead letter.

The order of effects is: touchpoints and dead letters, their acknowledgement, then the commit. A crash between any two
steps repeats records since the last commit; their event ids, and their dead letters' places, are the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError

from deploy.ingest.mapping.refusal import refusal_of
from deploy.ingest.mapping.row_events import SourceMapping
from deploy.ingest.publisher import DELIVERY_MS, Publisher
from deploy.kafka_admin.client import broken, close_producer, group_consumer, producer
from schemas.consumed import KafkaRecord
from schemas.dead_letters import letter_of
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason, SettingsError, UnavailableError
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, MAX_MESSAGE_BYTES
from schemas.touchpoint.intake import MAX_JSON_BYTES, accept
from schemas.touchpoint.strict_json import parse_json
from streams.identity.policy.policy import IdentityPolicy

COMPONENT: Final = "follow"
#: Records between two commits, at most.
BATCH: Final = 500
POLL_MS: Final = 500
_CLOSE_SECONDS: Final = 5


@dataclass
class Followed:
    """What became of the records so far."""

    read: int = 0
    touchpoints: int = 0
    nothing: int = 0  #: records that the mapping makes nothing of
    dead: int = 0


class Follower:
    """One member of a consumer group; a context manager.

    Raises SettingsError for a topic that does not exist, UnavailableError if a broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        policy: IdentityPolicy,
        topics: Sequence[str],
        mapping: SourceMapping,
        group: str,
        brokers: str = "",
    ) -> None:
        """`topics` are whole names, on `brokers` if they are not on the deployment's own."""
        self._settings = settings
        self._mapping = mapping
        self._source = replace(settings, brokers=brokers or settings.brokers)
        self._dead_letters = settings.topic(DEAD_LETTERS.name)
        self._pending: list[Any] = []
        self.followed = Followed()
        with ExitStack() as opened:
            self._consumer: KafkaConsumer = group_consumer(self._source, group, max_poll_records=BATCH)
            opened.callback(self._consumer.close, autocommit=False)
            self._subscribe(topics)
            self._letters = producer(
                settings,
                "touchline-follow",
                delivery_timeout_ms=DELIVERY_MS,
                max_request_size=MAX_MESSAGE_BYTES,
            )
            opened.callback(close_producer, self._letters, _CLOSE_SECONDS)
            self._publisher = Publisher(settings, policy)
            opened.callback(self._publisher.close)
            self._opened = opened.pop_all()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        # what is not committed is read again: there is nothing to wait for
        self._opened.close()

    def step(self) -> int:
        """Take what there is, up to BATCH records, commit it, and return how many that were.

        Waits up to POLL_MS for the first. Raises UnavailableError if a broker fails; then nothing is committed.
        """
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=BATCH)
            records = [record for batch in polled.values() for record in batch]
            for record in records:
                self._take(record)
            if records:
                self._acknowledge()
                self._commit()
        except KafkaError as error:
            raise broken(self._source.brokers, error) from error
        return len(records)

    def run(self, stopped: Callable[[], bool]) -> Iterator[Followed]:
        """Go on until `stopped`, and yield the counts after each batch."""
        while not stopped():
            if self.step():
                yield self.followed

    def _subscribe(self, topics: Sequence[str]) -> None:
        try:
            existing = self._consumer.topics()
        except KafkaError as error:
            raise broken(self._source.brokers, error) from error
        for topic in topics:
            if topic not in existing:
                raise SettingsError(
                    f"topic {topic} does not exist on {self._source.brokers}: check its name, or --brokers"
                )
        self._consumer.subscribe(list(topics))

    def _take(self, record: KafkaRecord) -> None:
        self.followed.read += 1
        try:
            found = touchpoints_of(record, self._mapping, time.time_ns() // 1_000_000)
            for touchpoint in found:
                self._publisher.send(touchpoint)
            self.followed.touchpoints += len(found)
            self.followed.nothing += not found
        except ContractError as error:
            letter = DEAD_LETTER.encode(letter_of(record, error, COMPONENT))
            self._pending.append(self._letters.send(self._dead_letters, key=record.key, value=letter))
            self.followed.dead += 1

    def _acknowledge(self) -> None:
        """Wait until the deployment's broker has everything."""
        self._publisher.flush()
        try:
            for future in self._pending:
                future.get(timeout=DELIVERY_MS / 1000)
        except KafkaError as error:
            raise UnavailableError(
                f"the broker at {self._settings.brokers} takes no dead letters ({type(error).__name__}):"
                " start this again later, nothing is counted twice"
            ) from error
        self._pending.clear()

    def _commit(self) -> None:
        try:
            self._consumer.commit()
        except (CommitFailedError, RebalanceInProgressError):
            # another member has these partitions now, and reads the same records again
            return


def touchpoints_of(record: KafkaRecord, mapping: SourceMapping, now: int) -> list[Any]:
    """The touchpoints of a record, none for a tombstone; `now` is UTC ms. Raises ContractError, then none counts.

    A touchpoint is received when its record was written, so that reading it again makes the same one.
    """
    received = min(record.timestamp, now) if record.timestamp > 0 else now
    try:
        return [accept(event, received) for event in mapping.events(_value(record, mapping), received)]
    except ContractError:
        raise
    except Exception as error:
        raise refusal_of(error) from error


def _value(record: KafkaRecord, mapping: SourceMapping) -> Any:
    value = record.value
    if value is None and mapping.change is not None:
        return None
    if not value:
        raise ContractError(Reason.UNDECODABLE, "the record has no value")
    if len(value) > MAX_JSON_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the JSON is longer than {MAX_JSON_BYTES} bytes")
    if value[:1] == b"\0":
        raise ContractError(
            Reason.UNDECODABLE,
            "the record begins as Avro with a schema id does: set value.converter to JsonConverter",
        )
    return parse_json(value, exact=mapping.layout.exact)
