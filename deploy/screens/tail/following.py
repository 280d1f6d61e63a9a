"""Reads a stream of Kafka from a chosen place on, without a consumer group: looking changes nothing for anybody."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from deploy.kafka_admin.client import broken, consumer, require_broker
from deploy.screens.tail.selection import Person
from deploy.screens.tail.streams import Item, Stream, read
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.errors import ContractError, UnavailableError
from schemas.keys import identifier_key, partition_of
from schemas.settings import Settings
from schemas.topics import IDENTITY_ASSIGNMENTS

POLL_MS: Final = 200
#: With nothing to read for so long, the broker is asked whether it is there.
QUIET_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Start:
    """Where to begin: at the end, at the oldest record, or at what was published at `since` (UTC ms) or later."""

    oldest: bool = False
    since: int | None = None


class Following:
    """One look at a stream; a context manager. Raises UnavailableError if no broker answers or the topic is missing."""

    def __init__(
        self, settings: Settings, stream: Stream, person: Person | None, remark: Callable[[str], object]
    ) -> None:
        """`remark` is told, in a sentence, of records that cannot be read, and of outages and their end."""
        self._settings = settings
        self._stream = stream
        self._person = person
        self._remark = remark
        self._topic = settings.topic(stream.topic.name)
        self._consumer = consumer(settings, auto_offset_reset="earliest", max_poll_records=500)

    def __enter__(self) -> "Following":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)

    def items(self, start: Start, *, endless: bool) -> Iterator[Item]:
        """Every record from the start on, those of one poll by time; not `endless`: up to what there is at first.

        Raises UnavailableError if the broker fails a request. An outage of the broker only makes it wait.
        """
        try:
            yield from self._items(start, endless=endless)
        except KafkaError as error:
            raise broken(self._settings.brokers, error) from error

    def _items(self, start: Start, *, endless: bool) -> Iterator[Item]:
        places = self._places(self._topic)
        followed = self._find_person()
        self._consumer.assign([*places, *followed])
        for place, offset in followed.items():
            self._consumer.seek(place, offset)
        self._begin(places, start)
        ends = {} if endless else self._consumer.end_offsets(places)
        heard = monotonic()
        away = False
        while endless or any(self._consumer.position(place) < ends[place] for place in places):
            records = [one for batch in self._consumer.poll(timeout_ms=POLL_MS).values() for one in batch]
            if records:
                heard, away = monotonic(), False
            elif monotonic() - heard >= QUIET_SECONDS:
                heard, away = monotonic(), self._is_away(away)
            yield from self._read(records)

    def _read(self, records: list[Any]) -> Iterator[Item]:
        # an owner is told before the state of the profile that owns
        for record in records:
            if record.topic != self._topic:
                self._note(record)
        found = []
        for record in records:
            if record.topic == self._topic:
                try:
                    found.append(read(self._stream, record))
                except ContractError as error:
                    place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
                    self._remark(f"a record cannot be read ({place}): {error}")
        yield from sorted(found, key=lambda item: item.at)

    def _is_away(self, before: bool) -> bool:
        try:
            require_broker(self._settings.brokers)
        except UnavailableError as error:
            if not before:
                self._remark(f"waiting: {error}")
            return True
        if before:
            self._remark("the Kafka broker answers again")
        return False

    def _begin(self, places: list[TopicPartition], start: Start) -> None:
        if start.since is not None:
            times = self._consumer.offsets_for_times(dict.fromkeys(places, start.since))
            ends = self._consumer.end_offsets(places)
            for place in places:
                found = times.get(place)
                self._consumer.seek(place, ends[place] if found is None else found.offset)
        elif start.oldest:
            self._consumer.seek_to_beginning(*places)
        else:
            self._consumer.seek_to_end(*places)
        for place in places:
            self._consumer.position(place)  # fixes the end now, not at the first poll

    def _find_person(self) -> dict[TopicPartition, int]:
        """Read who owns the person's identifier; the place at which its assignments go on."""
        if self._person is None:
            return {}
        topic = self._settings.topic(IDENTITY_ASSIGNMENTS.name)
        partitions = self._places(topic)
        key = identifier_key(self._person.tenant, self._person.identifier)
        place = TopicPartition(topic, partition_of(key, len(partitions)))
        self._consumer.assign([place])
        self._consumer.seek_to_beginning(place)
        end = self._consumer.end_offsets([place])[place]
        while self._consumer.position(place) < end:
            for record in self._consumer.poll(timeout_ms=POLL_MS).get(place, ()):
                self._note(record)
        return {place: end}

    def _note(self, record: Any) -> None:
        person = self._person
        if (
            person is not None
            and record.key == identifier_key(person.tenant, person.identifier)
            and record.value
        ):
            try:
                person.note(IDENTITY_ASSIGNMENT.decode(record.value))
            except ContractError as error:
                self._remark(f"an assignment cannot be read: {error}")

    def _places(self, topic: str) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            raise UnavailableError(
                f"there is no topic {topic} at {self._settings.brokers}: run `touchline topics`"
            )
        return [TopicPartition(topic, number) for number in sorted(numbers)]
