"""The streams that can be followed, and what a record of each is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import decode_as
from schemas.errors import ContractError, Reason
from schemas.headers import tombstone_version
from schemas.records import Record
from schemas.topics import Topic


@dataclass(frozen=True, slots=True)
class Stream:
    """A public topic by the name that a person gives it."""

    name: str
    topic: Topic
    subject: str  #: the field of the record that its key names beside the tenant

    @property
    def record(self) -> str:
        """The schema of its records."""
        return self.topic.values[0]


STREAMS: Final[Mapping[str, Stream]] = {
    stream.name: stream
    for stream in (
        Stream("states", topics.JOURNEY_STATES, "profile_id"),
        Stream("signals", topics.JOURNEY_SIGNALS, "profile_id"),
        Stream("changes", topics.PROFILE_CHANGES, "profile_id"),
        Stream("accounts", topics.ACCOUNT_STATES, "account_id"),
    )
}


@dataclass(frozen=True, slots=True)
class Item:
    """A record that was read. `record` is None for a tombstone: there is no such person or account any more."""

    at: int  #: when it was published, UTC ms
    partition: int
    offset: int
    tenant: str
    subject: str  #: profile or account
    version: int
    record: Record | None


def read(stream: Stream, record: KafkaRecord) -> Item:
    """What a record of a stream says. Raises ContractError if it cannot be read."""
    if record.value is None:
        tenant, slash, subject = (record.key or b"").decode(errors="replace").partition("/")
        version = tombstone_version(record)
        if version is None or not slash:
            raise ContractError(Reason.INVALID, "a record with neither value nor version")
        return Item(record.timestamp, record.partition, record.offset, tenant, subject, version, None)
    found = decode_as(stream.record, record.value)
    return Item(
        record.timestamp, record.partition, record.offset, found["tenant"], found[stream.subject], found["version"],
        found,
    )  # fmt: skip
