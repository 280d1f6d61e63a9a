"""Sends dead letters again: original bytes, key and headers, to the topic and partition where they failed first.

An item that the collector refused becomes a touchpoint, if by now it can (deploy/repair/dead_letters/collected.py).

Replaying is idempotent: processing a record twice ends in the same state as processing it once. A record that fails
again becomes a new dead letter. The new letter carries the offset of the first failure, so that one run sends it once.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from kafka.errors import KafkaError

from deploy.kafka_admin.client import TIMEOUT_MS, close_producer, producer
from deploy.kafka_admin.sending import ConfirmedSender
from deploy.repair.dead_letters.collected import Collected
from deploy.repair.dead_letters.fix import Fix
from deploy.repair.dead_letters.letters import Letter
from schemas import headers
from schemas.dead_letters import NOT_ENCLOSED
from schemas.encoding.codec import SchemaById, decode
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, UnavailableError
from schemas.records import DeadLetter
from schemas.settings import Settings
from schemas.topics import ALL, DEAD_LETTERS, TOUCHPOINTS, Topic
from schemas.touchpoint.rules import capped, check
from streams.collect.again import is_collected

_FLUSH_EVERY: Final = 1000
#: A mended touchpoint may belong to another partition than the one that stitch routed it to.
_REPLACED: Final = (headers.REPLAYED, headers.ROUTED)


class NotReplayableError(Exception):
    """A letter that cannot be replayed; the text says why."""


@dataclass(frozen=True)
class Outgoing:
    """A record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass
class Replayed:
    """What became of the letters of a run."""

    sent: int = 0
    fixed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  #: reason → letters
    fails_again: int = 0  #: of those sent: touchpoints that still break their contract
    seen: set[str] = field(default_factory=set)


class Replay:
    """Turns letters into records to send. `fetch` reads an original that its letter could not hold."""

    def __init__(
        self,
        settings: Settings,
        fix: Fix | None,
        fetch: Callable[[DeadLetter], bytes | None],
        schema_by_id: SchemaById | None = None,
        collected: Collected | None = None,
    ) -> None:
        self._topics = {settings.topic(topic.name): topic for topic in ALL}
        self._secret = settings.pseudonym_secret()
        self._fix = fix
        self._fetch = fetch
        self._schema_by_id = schema_by_id
        self._collected = collected or Collected(settings)
        self._touchpoints = settings.topic(TOUCHPOINTS.name)
        self.done = Replayed()

    def outgoing(self, letters: Iterable[Letter]) -> Iterable[Outgoing]:
        """The records to send, each original once; what is skipped is counted with its reason."""
        for letter in letters:
            first_place = letter.first_place(self._secret)
            if first_place in self.done.seen:
                self.done.skipped["the same record stands in another letter"] += 1
                continue
            try:
                record = self._record(letter)
            except NotReplayableError as reason:
                self.done.skipped[str(reason)] += 1
                continue
            self.done.seen.add(first_place)
            self.done.sent += 1
            yield record

    def _record(self, letter: Letter) -> Outgoing:
        body = letter.body
        if letter.readable and is_collected(body):
            return self._item(letter)
        topic = self._topic(letter)
        value = body["value"]
        if value is None and NOT_ENCLOSED in body["error"]:
            value = self._fetch(body)
            if value is None:
                raise NotReplayableError("the letter is without its bytes, and its topic has let them go")
        if topic is TOUCHPOINTS:
            value = self._touchpoint(value, letter.rejected_at)
        elif self._fix is not None:
            raise NotReplayableError("a fix can mend touchpoints only")
        kept = [
            (header["name"], header["value"]) for header in body["headers"] if header["name"] not in _REPLACED
        ]
        sent = [
            *kept,
            (headers.REPLAYED, headers.replayed_from(letter.first_place(self._secret), self._secret)),
        ]
        return Outgoing(body["topic"], body["partition"], body["key"], value, sent)

    def _item(self, letter: Letter) -> Outgoing:
        """The touchpoint that the item of a collector's letter is by now."""
        try:
            key, value, partition = self._collected.touchpoint(letter.body, self._fix)
        except ContractError as error:
            raise NotReplayableError(f"the collector would refuse it again: {error.reason.value}") from error
        self.done.fixed += self._fix is not None
        sent: list[tuple[str, bytes | None]] = [
            (headers.REPLAYED, headers.replayed_from(letter.first_place(self._secret), self._secret))
        ]
        return Outgoing(self._touchpoints, partition, key, value, sent)

    def _topic(self, letter: Letter) -> Topic:
        topic = self._topics.get(letter.body["topic"])
        if not letter.readable or topic is DEAD_LETTERS:
            raise NotReplayableError("not a dead letter: its bytes are all there is")
        if topic is None:
            raise NotReplayableError(f"{letter.body['topic']} is no topic of this deployment")
        if topic.compacted:
            raise NotReplayableError(
                f"{topic.name} keeps the newest record of each key, which this one may not be: `touchline backfill`"
            )
        return topic

    def _touchpoint(self, value: bytes | None, rejected_at: int) -> bytes | None:
        """The value to send.

        Before a fix is applied, `received_at` is capped at `rejected_at` (UTC ms): stitch caps it at its own time.
        """
        try:
            name, touchpoint = decode(value, self._schema_by_id)
            if name != "Touchpoint":
                raise NotReplayableError("a fix can mend touchpoints only")
            received = capped(touchpoint, rejected_at)  # type: ignore[arg-type]
            if self._fix is not None:
                mended = TOUCHPOINT.encode(self._fix.apply(received))
                self.done.fixed += mended != value
                return mended
            check(received)
        except ContractError as error:
            if self._fix is not None:
                raise NotReplayableError(f"the fix does not mend it: {error.reason.value}") from error
            self.done.fails_again += 1
        return value


def send(settings: Settings, records: Iterable[Outgoing]) -> None:
    """Send records, each to its partition; returns when the broker has them all. Raises UnavailableError."""
    sender = producer(
        settings, "touchline-dead-letters", enable_idempotence=bool(settings.idempotent_producer),
        max_request_size=4 * 1024 * 1024, max_block_ms=2 * TIMEOUT_MS,
    )  # fmt: skip
    confirmed = ConfirmedSender(sender, _FLUSH_EVERY)
    try:
        for record in records:
            confirmed.send(
                record.topic,
                key=record.key,
                value=record.value,
                partition=record.partition,
                headers=record.headers,
            )
        confirmed.confirm()
    except KafkaError as error:
        raise UnavailableError(
            f"the broker at {settings.brokers} stopped taking records ({type(error).__name__}): replay again,"
            " what went through already is not counted twice"
        ) from error
    finally:
        close_producer(sender, 5)
